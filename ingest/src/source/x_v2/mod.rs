//! X API v2: the filtered stream. Token, rules, then the stream itself; what each answer means is in [`problem`].
//!
//! This is the dialect only: reading, waiting and connecting again is [`super::stream`]'s.

mod connect;
mod problem;
mod rules;
mod token;

pub(crate) use connect::XV2;
