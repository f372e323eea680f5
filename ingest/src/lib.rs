//! Holds a tweet stream open and lays it down as closed hours in a lake.
//!
//! The way of a tweet, one module a step:
//!
//! ```text
//! [1] source ─▶ [2] channel ─▶ [3] spool: hour + roll ─▶ [4] upload ─▶ store ─▶ [5] close the hour (manifest)
//! ```
//!
//! [`agent`] wires the steps and drains them in order; [`config`] says how, [`status`] shows what is going on, and [`cli`] is
//! what a person types.

pub mod agent;
pub mod channel;
pub mod cli;
pub mod clock;
pub mod close;
pub mod config;
pub mod failpoint;
pub mod record;
pub mod source;
pub mod spool;
pub mod status;
pub mod upload;
pub mod writer;
