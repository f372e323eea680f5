//! Taking the lease at a start: at once where nobody else can hold it, otherwise after its holder fell silent.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cauce_lake::Store;
use cauce_lake::store::{Condition, ETag, ErrorKind};
use jiff::Timestamp;
use tokio::time::Instant;

use super::record::{AgentRecord, LeaseError};
use super::{Kept, Lease, agent_key, put, read};

/// How often a raise is tried when others raise at the same time.
const ATTEMPTS: usize = 8;

/// Who wants the lease.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The agent's id.
    pub id: String,
    /// Name of this machine or container.
    pub host: String,
    /// Our process id.
    pub process: u32,
    /// Id of our spool.
    pub spool: String,
    /// The highest epoch that our spool has ever asked for; 0 for a new one. A record of our spool with a higher epoch was
    /// written by a copy of it.
    pub claimed: u64,
    /// How long a lease of ours stands without a renewal.
    pub timeout: Duration,
    /// Takes the lease whoever holds it.
    pub take_over: bool,
}

impl Claim {
    /// Whether the record was left by an earlier start on our own spool. Its lock says that this start is over.
    fn left(&self, there: &AgentRecord) -> bool {
        there.spool == self.spool && there.epoch <= self.claimed
    }

    fn record(&self, epoch: u64) -> AgentRecord {
        let now = Timestamp::now();
        AgentRecord {
            id: self.id.clone(),
            epoch,
            host: self.host.clone(),
            process: self.process,
            spool: self.spool.clone(),
            started_at: now,
            heartbeat_at: Some(now),
            heartbeats: 0,
            lease_timeout_s: self.timeout.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX),
            released_at: None,
            tool_version: concat!("cauce ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// What a waiting agent saw of the lease so far, timed by its own clock alone.
#[derive(Debug, Default)]
pub struct Observation {
    seen: Option<(Bytes, Instant)>,
}

impl Observation {
    /// How long the record has surely not changed. It was asked for at `asked` and there at `answered`.
    fn unchanged(&mut self, there: &Bytes, asked: Instant, answered: Instant) -> Duration {
        match &self.seen {
            Some((seen, since)) if seen == there => asked.saturating_duration_since(*since),
            _ => {
                self.seen = Some((there.clone(), answered));
                Duration::ZERO
            }
        }
    }
}

/// What an attempt to take the lease came to.
#[derive(Debug)]
pub enum Attempt {
    /// It is ours.
    Taken(Box<Taken>),
    /// Another spool's agent holds it.
    Held(Box<Held>),
}

/// A lease that was taken.
#[derive(Debug)]
pub struct Taken {
    /// The lease.
    pub lease: Lease,
    /// Why it could be taken.
    pub title: Title,
}

/// Why a lease could be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Title {
    /// There was none, it was given back, or an earlier start on our own spool had left it.
    Free,
    /// Its holder had not renewed it in its time.
    Expired,
    /// Its holder runs as far as anybody can tell, and is fenced because that was asked for.
    Fenced,
}

/// A lease that another spool's agent holds.
#[derive(Debug)]
pub struct Held {
    /// Its record.
    pub holder: AgentRecord,
    /// For how long it has not been renewed, as far as was observed.
    pub unchanged: Duration,
    /// How long to wait until it may be taken, if it is not renewed.
    pub left: Duration,
}

impl Lease {
    /// Takes the lake for an agent if it is free, and probes whether the store honours conditions. `observation` is kept from
    /// one attempt of a start to the next. `journal` makes an epoch durable in the spool before it is asked for.
    ///
    /// # Errors
    /// When an agent with another id has the lake, its record is damaged, the store fails, or `journal` does.
    pub async fn attempt<E: From<LeaseError>>(
        store: &Arc<dyn Store>,
        claim: &mut Claim,
        observation: &mut Observation,
        mut journal: impl FnMut(u64) -> Result<(), E>,
    ) -> Result<Attempt, E> {
        let key = agent_key();
        for _ in 0..ATTEMPTS {
            let asked = Instant::now();
            let (condition, previous) = match store.get(&key).await {
                Err(error) if error.kind() == ErrorKind::NotFound => (Condition::IfAbsent, None),
                Err(error) => return Err(LeaseError::from(error).into()),
                Ok((bytes, etag)) => {
                    let there = read(&**store, &bytes)?;
                    if there.id != claim.id {
                        let (location, ours) = (store.location(), claim.id.clone());
                        return Err(LeaseError::Taken { location, holder: there.id, ours }.into());
                    }
                    let unchanged = observation.unchanged(&bytes, asked, Instant::now());
                    (Condition::IfMatch(etag), Some((there, unchanged)))
                }
            };
            let title = match &previous {
                None => Title::Free,
                Some((there, _)) if there.released_at.is_some() || claim.left(there) => Title::Free,
                Some((there, unchanged)) if *unchanged >= there.stands_for(claim.timeout) => Title::Expired,
                Some(_) if claim.take_over => Title::Fenced,
                Some((there, unchanged)) => {
                    let (holder, left) = (there.clone(), there.stands_for(claim.timeout) - *unchanged);
                    return Ok(Attempt::Held(Box::new(Held { holder, unchanged: *unchanged, left })));
                }
            };
            let previous = previous.map(|(there, _)| there);
            let last = previous.as_ref().map_or(0, |there| there.epoch).max(claim.claimed);
            let Some(epoch) = last.checked_add(1) else {
                return Err(LeaseError::LastEpoch { location: store.location(), epoch: last }.into());
            };
            journal(epoch)?;
            claim.claimed = epoch;
            let record = claim.record(epoch);
            let began = Instant::now();
            match store.put(put(&key, &record, condition)).await {
                Ok(etag) => {
                    let kept = Kept { etag, looked: began, renewed: began, heartbeats: 0 };
                    let timeout = claim.timeout;
                    let lease = Lease::probed(Arc::clone(store), record, previous, timeout, kept).await?;
                    return Ok(Attempt::Taken(Box::new(Taken { lease, title })));
                }
                // Somebody was quicker, or our own answer was lost: look again.
                Err(error) if error.may_have_happened() => continue,
                Err(error) => return Err(LeaseError::from(error).into()),
            }
        }
        let detail = "it changes at each look: are several agents starting with this id?".to_owned();
        Err(LeaseError::Malformed { location: store.location(), detail }.into())
    }

    /// Makes the lease of a record that was put, and probes which conditions the store honours, by puts that must be refused
    /// and would write the same bytes again.
    async fn probed(
        store: Arc<dyn Store>,
        record: AgentRecord,
        previous: Option<AgentRecord>,
        timeout: Duration,
        kept: Kept,
    ) -> Result<Lease, LeaseError> {
        let honours_absence = is_refused(&*store, &record, Condition::IfAbsent).await?;
        let other = ETag("\"00000000000000000000000000000000\"".to_owned());
        let honours_match = is_refused(&*store, &record, Condition::IfMatch(other)).await?;
        Ok(Lease { store, record, previous, timeout, honours_absence, honours_match, kept: kept.into() })
    }
}

async fn is_refused(store: &dyn Store, record: &AgentRecord, condition: Condition) -> Result<bool, LeaseError> {
    match store.put(put(&agent_key(), record, condition)).await {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::PreconditionFailed => Ok(true),
        Err(error) => Err(error.into()),
    }
}
