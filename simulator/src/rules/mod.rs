//! Rules: which tweets a connection gets.
//!
//! [`v2`] parses rules of the filtered stream, [`v1`] the parameters of v1.1's filter; both give an [`expr::Expr`]. Pure.

pub(crate) mod area;
pub(crate) mod expr;
pub(crate) mod v1;
pub(crate) mod v2;

#[cfg(test)]
mod tests;
