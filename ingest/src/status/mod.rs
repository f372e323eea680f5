//! What is going on: numbers, health and logs. Steps write here; nothing here reaches back into a step.
//!
//! [`Metrics`] is the one value that all steps share; its [`Health`] says what they are doing. `http.rs` serves both to
//! Prometheus and to container checks, `flume.rs` serves the numbers in Flume's form, `logs.rs` sets up the log.

pub mod flume;
pub mod health;
pub mod hosts;
pub mod http;
pub(crate) mod log_queue;
pub mod logs;
pub mod metrics;
pub(crate) mod readiness;
mod registry;
pub mod rejects;

pub use health::{Health, LeaseState, SourceState, StoreState};
pub use hosts::Hosts;
pub use http::{BindError, StatusState, bind, serve};
pub use metrics::Metrics;
pub use registry::register;
