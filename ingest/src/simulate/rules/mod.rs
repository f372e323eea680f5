//! Rules: which tweets a connection gets. v2 rules are parsed and evaluated, v1.1 parameters have a matcher of their own.
//!
//! All of it is pure: no connection, no clock. [`facts`] is what is looked at, [`wish`] the way back: what a tweet must
//! be like so that a rule matches, which steers the generator. What is sent is always really matched, never assumed.

pub(crate) mod area;
pub(crate) mod expr;
pub(crate) mod facts;
pub(crate) mod parse;
pub(crate) mod tokens;
pub(crate) mod track;
pub(crate) mod wish;

#[cfg(test)]
mod tests;
