//! X API v1.1: `statuses/filter` and `statuses/sample`, for feeds that still speak it. X itself has switched them off.
//!
//! This is the dialect only: reading, waiting and connecting again is [`super::stream`]'s. [`messages`] says what answers and
//! the stream's own words mean.

mod connect;
mod messages;

pub(crate) use connect::XV1;
