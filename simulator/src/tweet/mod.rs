//! The tweet before it has a wire form, and its author. Pure: no clock, no connection.

pub(crate) mod body;
pub(crate) mod id;
pub(crate) mod model;
pub(crate) mod search_text;
pub(crate) mod users;
pub(crate) mod words;
