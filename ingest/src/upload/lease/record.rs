//! What `_agent.json` says, and why an agent has no lease, or not any more. Pure.

use std::fmt;
use std::time::Duration;

use cauce_lake::StoreError;
use cauce_lake::manifest::AGENT_KEY;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest lease that a record is believed to have: a damaged one must not keep its successors waiting for ever.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What `_agent.json` says. Fields with a default are missing in records of versions without a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// The agent's id.
    pub id: String,
    /// Raised each time the lease is taken.
    pub epoch: u64,
    /// Name of the machine or container.
    #[serde(default)]
    pub host: String,
    /// Process id on it.
    #[serde(default)]
    pub process: u32,
    /// Id of the holder's spool.
    #[serde(default)]
    pub spool: String,
    /// When the holder took the lease.
    pub started_at: Timestamp,
    /// When it was last renewed, by the holder's clock. For people: other agents go by `heartbeats`.
    #[serde(default)]
    pub heartbeat_at: Option<Timestamp>,
    /// How often it was renewed: two records of one holder always differ, whatever its clock does.
    #[serde(default)]
    pub heartbeats: u64,
    /// Seconds without a renewal after which another spool may take the lease; 0 where the record does not say.
    #[serde(default)]
    pub lease_timeout_s: u64,
    /// When the holder gave it back; the next agent need not wait.
    #[serde(default)]
    pub released_at: Option<Timestamp>,
    /// The program and version.
    pub tool_version: String,
}

impl AgentRecord {
    /// Whether both were written by one start of one agent.
    pub fn is_same_start(&self, other: &AgentRecord) -> bool {
        let start = |record: &AgentRecord| (record.epoch, record.process, record.started_at);
        start(self) == start(other) && self.id == other.id && self.spool == other.spool && self.host == other.host
    }

    /// How long the lease stands without a renewal: what the holder said or `ours`, whichever is longer.
    pub(super) fn stands_for(&self, ours: Duration) -> Duration {
        ours.max(Duration::from_secs(self.lease_timeout_s).min(LONGEST))
    }

    /// The holder for people: `agent "agent" on host "a-1" (process 17, epoch 4)`.
    pub fn holder(&self) -> Holder<'_> {
        Holder(self)
    }
}

/// Shows who holds a lease.
#[derive(Debug)]
pub struct Holder<'a>(&'a AgentRecord);

impl fmt::Display for Holder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Holder(AgentRecord { id, epoch, host, process, .. }) = self;
        // Quoted: the record may be anybody's, and this goes to logs and terminals.
        match host.as_str() {
            "" => write!(f, "agent {id:?} (epoch {epoch}, its record names no host)"),
            host => write!(f, "agent {id:?} on host {host:?} (process {process}, epoch {epoch})"),
        }
    }
}

/// Why there is no lease, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// An agent with another id writes the lake.
    #[error(
        "the lake {location} belongs to agent {holder:?}, this one is {ours:?}: give each agent a lake (another prefix) of its own; if {holder:?} is gone for good, delete {AGENT_KEY} there"
    )]
    Taken {
        /// The lake.
        location: String,
        /// Who has it.
        holder: String,
        /// Who we are.
        ours: String,
    },
    /// Another start of the same agent has taken the lake since.
    #[error(
        "the lake {location} was taken over by a later start of {}, ours was epoch {ours}: this one stops; what it accepted is in its spool", .theirs.holder()
    )]
    Superseded {
        /// The lake.
        location: String,
        /// What is there now.
        theirs: Box<AgentRecord>,
        /// Our epoch.
        ours: u64,
    },
    /// `_agent.json` holds something else than a lease.
    #[error("{location}/{AGENT_KEY} cannot be read ({detail}): look at it, and delete it if no agent writes this lake")]
    Malformed {
        /// The lake.
        location: String,
        /// What is wrong.
        detail: String,
    },
    /// The epoch cannot be raised any more.
    #[error(
        "the epoch in {location}/{AGENT_KEY} is {epoch}, the highest there is, so that no start can raise it: no agent counts so far, so look who wrote it; with all agents stopped, write an epoch there that is higher than those in _hours/"
    )]
    LastEpoch {
        /// The lake.
        location: String,
        /// The epoch there.
        epoch: u64,
    },
    /// The store refused or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LeaseError {
    /// Whether the lake is another agent's now: it cannot pass.
    pub fn is_loss(&self) -> bool {
        matches!(self, LeaseError::Taken { .. } | LeaseError::Superseded { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_without_a_heartbeat_is_read() {
        let old = r#"{"id":"agent","epoch":3,"started_at":"2026-11-22T05:00:00Z","tool_version":"cauce 0.1.0"}"#;
        let record: AgentRecord = serde_json::from_str(old).expect("it is readable");
        assert_eq!((record.epoch, record.heartbeat_at, record.released_at), (3, None, None));
        assert_eq!(record.holder().to_string(), "agent \"agent\" (epoch 3, its record names no host)");
        assert_eq!(record.stands_for(Duration::from_secs(60)), Duration::from_secs(60));
    }

    #[test]
    fn a_lease_stands_as_long_as_its_holder_said_within_reason() {
        let text =
            r#"{"id":"agent","epoch":3,"started_at":"2026-11-22T05:00:00Z","tool_version":"x","lease_timeout_s":"#;
        for (said, stands) in [("5", 60), ("120", 120), ("18446744073709551615", 3_600)] {
            let record: AgentRecord = serde_json::from_str(&format!("{text}{said}}}")).expect("readable");
            assert_eq!(record.stands_for(Duration::from_secs(60)), Duration::from_secs(stands));
        }
    }
}
