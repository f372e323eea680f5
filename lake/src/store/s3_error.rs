//! s3_error
