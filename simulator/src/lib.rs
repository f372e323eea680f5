//! A simulator of the X API's streams, for tests, demos and benchmarks: `ingest simulate` runs one, tests start one in
//! their own process.
//!
//! It is faithful on the wire (framing, heartbeats, rules, authentication, rate limits) and sends generated tweets in the
//! forms of v2 and v1.1. It does not depend on the agent.
//!
//! ```text
//! schedule ─▶ producer ─▶ timeline ─▶ feed (one a connection: encode, heartbeat) ─▶ endpoints ─▶ client
//!   generator ─┘ └─ replay
//! ```
//!
//! ```
//! # async fn example() -> Result<(), cauce_simulator::SimulateError> {
//! use cauce_simulator::{Options, Simulator};
//! let simulator = Simulator::start(Options { flat_out: true, count: Some(1000), ..Options::default() }).await?;
//! let base_url = simulator.base_url();
//! simulator.stop().await;
//! # Ok(())
//! # }
//! ```

mod app;
mod auth;
mod connections;
mod corpus;
mod encode;
mod endpoints;
mod feed;
mod generator;
mod limits;
mod options;
mod problems;
mod producer;
mod replay;
mod rng;
mod rule_book;
mod rules;
mod schedule;
mod server;
mod timeline;
mod truth;
mod tweet;
mod wire;

#[cfg(test)]
mod tests;

pub use options::{Credentials, Excess, Options, Plan};
pub use server::{SimulateError, Simulator};
