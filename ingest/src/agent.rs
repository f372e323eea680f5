//! The agent: wires source, channel, spool, upload and close, supervises them, and drains them in that order.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::status::Metrics;

/// Why the agent ended other than by its input's end or a request to stop.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The source refused our credentials. Exit code 3.
    #[error("{0}")]
    SourceCredentials(String),
    /// The configuration cannot work: a wrong path, a lake that belongs to another agent. Exit code 2.
    #[error("{0}")]
    Configuration(String),
    /// The store cannot be used: wrong bucket or keys, or it ignores conditions. Exit code 4.
    #[error("{0}")]
    Store(String),
    /// The spool or an input failed. Exit code 1.
    #[error("{0}")]
    Failed(String),
}

/// What an agent did, for the last line it prints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Records accepted since the start.
    pub accepted: u64,
    /// Objects confirmed in the store.
    pub objects: u64,
    /// Hours closed.
    pub hours_closed: u64,
    /// Spool files left for the next start.
    pub left_in_spool: u64,
}

/// Runs until the source ends, `stop` is cancelled or something fails for good.
///
/// When `stop` is cancelled the agent stops reading, commits, seals and uploads within `drain_timeout`; what is left
/// stays in the spool. When `stop_now` is cancelled too (a second signal) it leaves at once; what was accepted is durable.
///
/// # Errors
/// See [`AgentError`].
pub async fn run(
    _settings: Settings,
    _metrics: Arc<Metrics>,
    _stop: CancellationToken,
    _stop_now: CancellationToken,
) -> Result<Report, AgentError> {
    todo!()
}
