//! The lease on a lake: `_agent.json` says which start of which agent writes it, in which epoch. One agent a lake.
//!
//! A start takes the lease by a put that holds only against the record that was read, and raises its epoch (`take.rs`). The
//! holder renews it four times in its timeout (`keep.rs`) and reads it before its puts. Another spool's agent takes it only when it
//! was released, when it was not renewed for its timeout by that agent's own clock, or when it is told to. A holder that
//! finds another record has lost the lake and puts nothing more; what it already put is in no manifest of its successor
//! and changes none.

mod keep;
#[cfg(test)]
mod model;
mod record;
mod take;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cauce_lake::manifest::AGENT_KEY;
use cauce_lake::store::{Body, Condition, ETag, ErrorKind, Put};
use cauce_lake::{Key, Store, StoreError};
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;

pub use record::{AgentRecord, LeaseError};
pub use take::{Attempt, Claim, Held, Observation, Taken, Title};

/// How long a look at the lease stands: a zombie can put for so long after its successor has started.
pub(crate) const FRESH: Duration = Duration::from_secs(1);
/// Renewals within the lease's timeout.
const HEARTBEATS: u32 = 4;
/// How often the holder's own record is followed when it changes under a look.
const LOOKS: usize = 4;

/// A lease that was taken.
#[derive(Debug)]
pub struct Lease {
    store: Arc<dyn Store>,
    /// As it was taken.
    record: AgentRecord,
    previous: Option<AgentRecord>,
    timeout: Duration,
    honours_absence: bool,
    honours_match: bool,
    kept: Mutex<Kept>,
}

/// What the holder knows of its record in the store. Times are of when a request was begun whose answer proved it.
#[derive(Debug)]
struct Kept {
    etag: ETag,
    looked: Instant,
    renewed: Instant,
    heartbeats: u64,
}

impl Lease {
    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.record.epoch
    }

    /// What stood in its place before it was taken; `None` where nothing did. Where the answer of a first attempt was lost, this
    /// is our own record.
    pub fn previous(&self) -> Option<&AgentRecord> {
        self.previous.as_ref()
    }

    /// Whether a put with `If-None-Match: *` over an existing object was refused, as it must be.
    pub fn honours_conditions(&self) -> bool {
        self.honours_absence
    }

    /// Whether a put with `If-Match` of another version was refused. Without it the lease is read before it is renewed, which
    /// leaves a moment in which two agents can both believe that they hold it.
    pub fn honours_match(&self) -> bool {
        self.honours_match
    }

    /// Makes sure that the lake is still ours; looks of the last second stand. A lease that has run out is renewed first, so
    /// that an agent that waits for it does not take it in the next moment.
    ///
    /// # Errors
    /// As [`Lease::renew`].
    pub async fn check(&self) -> Result<(), LeaseError> {
        let mut kept = self.kept.lock().await;
        if kept.looked.elapsed() < FRESH {
            return Ok(());
        }
        if kept.renewed.elapsed() >= self.timeout {
            return self.renew_kept(&mut kept).await;
        }
        self.look(&mut kept).await
    }

    /// Renews the lease. A record that is gone is put back.
    ///
    /// # Errors
    /// Those of [`LeaseError::is_loss`] when the lake is another agent's; a record that cannot be read, or a store that
    /// refuses or does not answer, are errors that may pass.
    pub async fn renew(&self) -> Result<(), LeaseError> {
        let mut kept = self.kept.lock().await;
        self.renew_kept(&mut kept).await
    }

    async fn renew_kept(&self, kept: &mut Kept) -> Result<(), LeaseError> {
        if !self.honours_match {
            self.look(kept).await?;
        }
        let mut last = None;
        for _ in 0..LOOKS {
            let began = Instant::now();
            match self.write(kept, None).await {
                Ok(etag) => {
                    *kept = Kept { etag, looked: began, renewed: began, heartbeats: kept.heartbeats };
                    return Ok(());
                }
                // An earlier answer of ours was lost, or the record is another's or gone.
                Err(error) if is_refusal(&error) => last = Some(error),
                Err(error) => return Err(error.into()),
            }
            self.look(kept).await?;
        }
        Err(last.map_or_else(|| self.unsettled(), LeaseError::from))
    }

    /// Gives the lease back, so that the next agent need not wait.
    ///
    /// # Errors
    /// As [`Lease::renew`]. A lease that is gone or another's is none of ours to give back.
    pub async fn release(&self) -> Result<(), LeaseError> {
        let mut kept = self.kept.lock().await;
        for _ in 0..LOOKS {
            if !self.honours_match && !self.is_there(&mut kept).await? {
                return Ok(());
            }
            match self.write(&mut kept, Some(Timestamp::now())).await {
                Ok(etag) => {
                    kept.etag = etag;
                    return Ok(());
                }
                Err(error) if is_refusal(&error) => {}
                Err(error) => return Err(error.into()),
            }
            if !self.is_there(&mut kept).await? {
                return Ok(());
            }
        }
        Err(self.unsettled())
    }

    /// Puts the record anew over the version that we know of.
    async fn write(&self, kept: &mut Kept, released_at: Option<Timestamp>) -> Result<ETag, StoreError> {
        let condition = Condition::IfMatch(kept.etag.clone());
        self.store.put(put(&agent_key(), &self.renewed_record(kept, released_at), condition)).await
    }

    fn renewed_record(&self, kept: &mut Kept, released_at: Option<Timestamp>) -> AgentRecord {
        kept.heartbeats += 1;
        let heartbeat_at = Some(Timestamp::now());
        AgentRecord { heartbeat_at, heartbeats: kept.heartbeats, released_at, ..self.record.clone() }
    }

    /// Reads whose the lake is, and puts our record back where there is none.
    async fn look(&self, kept: &mut Kept) -> Result<(), LeaseError> {
        for _ in 0..LOOKS {
            if self.is_there(kept).await? {
                return Ok(());
            }
            let began = Instant::now();
            let record = self.renewed_record(kept, None);
            match self.store.put(put(&agent_key(), &record, Condition::IfAbsent)).await {
                Ok(etag) => {
                    *kept = Kept { etag, looked: began, renewed: began, heartbeats: kept.heartbeats };
                    tracing::warn!(
                        lake = self.store.location(),
                        epoch = self.record.epoch,
                        "{AGENT_KEY} was gone while this agent holds the lake: it was put back; who deletes it stops or doubles an agent"
                    );
                    return Ok(());
                }
                // Somebody was quicker, or our own answer was lost.
                Err(error) if error.may_have_happened() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(self.unsettled())
    }

    /// Whether our record is there; `false` where there is none.
    async fn is_there(&self, kept: &mut Kept) -> Result<bool, LeaseError> {
        let began = Instant::now();
        let (bytes, etag) = match self.store.get(&agent_key()).await {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let there = read(&*self.store, &bytes)?;
        let location = self.store.location();
        if there.id != self.record.id {
            return Err(LeaseError::Taken { location, holder: there.id, ours: self.record.id.clone() });
        }
        if !there.is_same_start(&self.record) {
            return Err(LeaseError::Superseded { location, theirs: Box::new(there), ours: self.record.epoch });
        }
        kept.etag = etag;
        kept.looked = began;
        Ok(true)
    }

    fn unsettled(&self) -> LeaseError {
        let detail = "it changes at each look: does something else write or delete it?";
        StoreError::new(ErrorKind::Conflict, format!("keep {}/{AGENT_KEY}", self.store.location()), detail).into()
    }
}

/// Whether a put was refused because the record is not the one that we know of.
fn is_refusal(error: &StoreError) -> bool {
    matches!(error.kind(), ErrorKind::PreconditionFailed | ErrorKind::Conflict)
}

/// The key of the agent's object.
pub(super) fn agent_key() -> Key {
    Key::new(AGENT_KEY).expect("the constant is a valid key")
}

fn put(key: &Key, record: &AgentRecord, condition: Condition) -> Put {
    let bytes = serde_json::to_vec(record).expect("a record of strings and numbers serialises");
    Put { key: key.clone(), body: Body::Bytes(Bytes::from(bytes)), condition, sha256: None }
}

fn read(store: &dyn Store, bytes: &[u8]) -> Result<AgentRecord, LeaseError> {
    serde_json::from_slice(bytes)
        .map_err(|error| LeaseError::Malformed { location: store.location(), detail: error.to_string() })
}
