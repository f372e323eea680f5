//! Command line.

pub mod health;
pub mod simulate;
