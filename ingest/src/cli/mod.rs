//! Command line.

pub mod health;
