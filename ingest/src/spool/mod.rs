//! spool
pub mod writer;
