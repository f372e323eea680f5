//! Generated tweets: lifelike, deterministic by seed, the same tweet in both wire forms.
//!
//! [`generate`] decides what a tweet is, [`compose`] writes its text, [`v1`] and [`v2`] its wire forms. Nothing here
//! reads a clock or a socket.

pub(crate) mod compose;
pub(crate) mod corpus;
pub(crate) mod dice;
pub(crate) mod fields;
pub(crate) mod generate;
pub(crate) mod json;
pub(crate) mod model;
pub(crate) mod people;
pub(crate) mod v1;
pub(crate) mod v1_user;
pub(crate) mod v2;
pub(crate) mod v2_includes;

#[cfg(test)]
mod tests;
