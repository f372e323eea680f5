//! The X API's stand-in: `ingest simulate`, and the server that tests, demos and benchmarks start in their own process.
//!
//! It stands before the first step of the way of a tweet, in the place of the real service, and is faithful on the wire:
//! framing, heartbeats, rules, authentication, limits, both wire forms of the same generated tweets. Nothing of the agent
//! may depend on it, and it uses nothing of the agent but the OAuth signature.
//!
//! ```text
//! schedule ─▶ timeline ─▶ feed (one a connection: match, write, heartbeat) ─▶ endpoints ─▶ client
//!    tweet::generate ─┘  └─ replay
//! ```

mod app;
mod auth;
mod clock;
mod connections;
mod encode;
mod endpoints;
mod feed;
mod limits;
mod options;
mod replay;
mod rule_book;
mod rules;
mod schedule;
mod server;
mod timeline;
mod truth;
mod tweet;

#[cfg(test)]
mod tests;

pub use options::{Credentials, Excess, Options, Plan};
pub use server::{Running, Server, SimulateError};
