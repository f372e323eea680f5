//! Reading an hour's lines through any codec.
