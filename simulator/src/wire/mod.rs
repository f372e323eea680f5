//! The two wire forms of a tweet and v1.1's other messages.

#[macro_use]
pub(crate) mod json;
pub(crate) mod fields;
mod time;
pub(crate) mod v1;
mod v1_entities;
mod v1_user;
pub(crate) mod v2;
mod v2_includes;
mod v2_post;
