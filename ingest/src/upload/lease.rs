//! The lease on a lake: `_agent.json` says which agent writes it, and in which epoch. One agent a lake.
//!
//! At its start an agent raises the epoch by a put that holds only if nobody else did meanwhile, and reads it again
//! before its puts. An agent that was thought dead and wakes up finds a higher epoch and stops; what it already put is
//! in no manifest of its successor and changes none.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cauce_lake::manifest::AGENT_KEY;
use cauce_lake::store::{Body, Condition, ErrorKind, Put};
use cauce_lake::{Key, Store, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long a look at the lease stands: a zombie can put for so long after its successor has started.
pub(crate) const FRESH: Duration = Duration::from_secs(1);
/// How often a raise is tried when others raise at the same time.
const ATTEMPTS: usize = 8;

/// What `_agent.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// The agent's id.
    pub id: String,
    /// Raised at each start.
    pub epoch: u64,
    /// When the agent started.
    pub started_at: jiff::Timestamp,
    /// The program and version.
    pub tool_version: String,
}

/// Why there is no lease, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another agent writes the lake.
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
    /// A later start of the same agent has the lake.
    #[error(
        "the lake {location} was taken over by a later start of agent {id:?} (epoch {theirs}, ours is {ours}): this one stops; what it accepted is in its spool"
    )]
    Superseded {
        /// The lake.
        location: String,
        /// The agent's id.
        id: String,
        /// The epoch there.
        theirs: u64,
        /// Ours.
        ours: u64,
    },
    /// `_agent.json` is not ours to read.
    #[error("{location}/{AGENT_KEY} cannot be read ({detail}): look at it, and delete it if no agent writes this lake")]
    Malformed {
        /// The lake.
        location: String,
        /// What is wrong.
        detail: String,
    },
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The lease.
#[derive(Debug)]
pub struct Lease {
    store: Arc<dyn Store>,
    id: String,
    epoch: u64,
    previous: Option<u64>,
    honours_conditions: bool,
    looked: Mutex<Instant>,
}

impl Lease {
    /// Takes the lake for an agent, raising the epoch, and probes whether the store honours `If-None-Match`.
    ///
    /// # Errors
    /// When another agent has it or the store says no.
    pub async fn take(store: Arc<dyn Store>, id: &str) -> Result<Lease, LeaseError> {
        let key = agent_key();
        for _ in 0..ATTEMPTS {
            let mut previous = None;
            let (condition, epoch) = match store.get(&key).await {
                Err(error) if error.kind() == ErrorKind::NotFound => (Condition::IfAbsent, 1),
                Err(error) => return Err(error.into()),
                Ok((bytes, etag)) => {
                    let there = read(&*store, &bytes)?;
                    if there.id != id {
                        let location = store.location();
                        return Err(LeaseError::Taken { location, holder: there.id, ours: id.to_owned() });
                    }
                    previous = Some(there.epoch);
                    (Condition::IfMatch(etag), there.epoch + 1)
                }
            };
            let record = AgentRecord {
                id: id.to_owned(),
                epoch,
                started_at: jiff::Timestamp::now(),
                tool_version: concat!("cauce ", env!("CARGO_PKG_VERSION")).to_owned(),
            };
            let bytes = Bytes::from(serde_json::to_vec(&record).expect("a record of strings and numbers serialises"));
            match store.put(put(&key, &bytes, condition)).await {
                Ok(_) => {}
                // Somebody was quicker, or our own answer was lost: look again.
                Err(error) if error.may_have_happened() => continue,
                Err(error) => return Err(error.into()),
            }
            let honours_conditions = match store.put(put(&key, &bytes, Condition::IfAbsent)).await {
                Ok(_) => false,
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => true,
                Err(error) => return Err(error.into()),
            };
            let looked = Mutex::new(Instant::now());
            return Ok(Lease { store, id: id.to_owned(), epoch, previous, honours_conditions, looked });
        }
        let detail = "it changes at each look: are several agents starting with this id?".to_owned();
        Err(LeaseError::Malformed { location: store.location(), detail })
    }

    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The epoch that was raised: that of the agent that had the lake before; `None` where there was none.
    pub fn previous(&self) -> Option<u64> {
        self.previous
    }

    /// Whether a put with `If-None-Match: *` over an existing object was refused, as it must be.
    pub fn honours_conditions(&self) -> bool {
        self.honours_conditions
    }

    /// Looks whether the lake is still ours; looks of the last second stand.
    ///
    /// # Errors
    /// [`LeaseError::Superseded`] or [`LeaseError::Taken`] when it is not; a store that does not answer is an error
    /// that may pass.
    pub async fn check(&self) -> Result<(), LeaseError> {
        let mut looked = self.looked.lock().await;
        if looked.elapsed() < FRESH {
            return Ok(());
        }
        let (bytes, _) = self.store.get(&agent_key()).await?;
        let there = read(&*self.store, &bytes)?;
        let location = self.store.location();
        if there.id != self.id {
            return Err(LeaseError::Taken { location, holder: there.id, ours: self.id.clone() });
        }
        if there.epoch != self.epoch {
            let id = self.id.clone();
            return Err(LeaseError::Superseded { location, id, theirs: there.epoch, ours: self.epoch });
        }
        *looked = Instant::now();
        Ok(())
    }
}

/// The key of the agent's object.
pub(super) fn agent_key() -> Key {
    Key::new(AGENT_KEY).expect("the constant is a valid key")
}

fn put(key: &Key, bytes: &Bytes, condition: Condition) -> Put {
    Put { key: key.clone(), body: Body::Bytes(bytes.clone()), condition, sha256: None }
}

fn read(store: &dyn Store, bytes: &[u8]) -> Result<AgentRecord, LeaseError> {
    serde_json::from_slice(bytes)
        .map_err(|error| LeaseError::Malformed { location: store.location(), detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use cauce_lake::store::memory::{Call, MemoryStore};

    use super::*;

    async fn taken(store: &MemoryStore) -> Lease {
        Lease::take(Arc::new(store.clone()), "agent").await.expect("it is ours")
    }

    #[tokio::test]
    async fn two_that_start_at_the_same_moment_get_different_epochs() {
        for earlier in 0..2 {
            let store = MemoryStore::new();
            for _ in 0..earlier {
                taken(&store).await;
            }
            // Both have looked before either puts.
            let gate = store.hold(Call::Put, AGENT_KEY);
            let both = async { tokio::join!(taken(&store), taken(&store)) };
            let opener = async {
                gate.arrival().await;
                gate.arrival().await;
                gate.open();
            };
            let ((first, second), ()) = tokio::join!(both, opener);
            let mut epochs = [first.epoch(), second.epoch()];
            epochs.sort_unstable();
            assert_eq!(epochs, [earlier + 1, earlier + 2]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_stands_for_a_second_and_then_a_later_start_is_seen() {
        let store = MemoryStore::new();
        let first = taken(&store).await;
        let second = taken(&store).await;
        first.check().await.expect("the look at its start still stands");
        tokio::time::advance(FRESH).await;
        let seen = first.check().await.expect_err("it is superseded");
        assert!(matches!(seen, LeaseError::Superseded { theirs: 2, ours: 1, .. }), "{seen}");
        second.check().await.expect("the later one goes on");
    }
}
