//! The X API stand-in.
