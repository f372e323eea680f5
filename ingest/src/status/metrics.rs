//! The agent's numbers. One value shared by all steps; each field says what counts. Times are in seconds, sizes in bytes,
//! unless the field's name says otherwise. How they are named and shown to Prometheus is in `registry.rs`. Counting never
//! waits: every field is an atomic, only the first use of a new label takes a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::health::{Health, LeaseState, SourceState, StoreState};
use crate::clock::Clock;

/// A label with a handful of values.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Kind {
    /// The value.
    pub kind: String,
}

impl Kind {
    /// A label's value.
    pub fn new(kind: impl Into<String>) -> Kind {
        Kind { kind: kind.into() }
    }
}

/// The agent's numbers.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Lines read from the source, by what they are: tweet, message, control, heartbeat, reject.
    pub records_received: Family<Kind, Counter>,
    /// Decoded bytes read from the source.
    pub bytes_received: Counter,
    /// Connections tried, by outcome: connected, or the cause of the failure.
    pub connects: Family<Kind, Counter>,
    /// Drops of an established connection, by cause.
    pub disconnects: Family<Kind, Counter>,
    /// 1 while the source is connected (or a finite source is reading).
    pub connected: Gauge,
    /// Tweets that the stream says it did not deliver (v1.1 `limit`).
    pub limited: Counter,
    /// When the last byte came, milliseconds since the epoch.
    pub last_byte_ms: Arc<AtomicI64>,
    /// When the last record was accepted, milliseconds since the epoch; 0 before the first.
    pub last_record_ms: Arc<AtomicI64>,

    /// Records that have been accepted: they are in the spool as durably as the channel's type promises.
    pub records_accepted: Counter,
    /// Tweets taken into the spool, late ones included.
    pub tweets: Counter,
    /// Messages taken into the spool, by kind.
    pub messages: Family<Kind, Counter>,
    /// Tweets left out because their id is already stored.
    pub duplicates: Counter,
    /// Tweets that came after their hour was closed.
    pub late: Counter,
    /// Rejects kept, by reason.
    pub rejects: Family<Kind, Counter>,
    /// Records in the channel, and room for records.
    pub channel_size: Gauge,
    /// Room for records.
    pub channel_capacity: Gauge,
    /// Batches put into the channel and taken out of it.
    pub batches: Counter,
    /// Group commits.
    pub commits: Counter,
    /// Seconds spent in group commits, in microseconds.
    pub commit_micros: Counter,

    /// Bytes in the spool that are not yet confirmed in the store.
    pub spool_bytes: Gauge,
    /// The spool's budget in bytes.
    pub spool_max_bytes: Gauge,
    /// Spool files being written.
    pub files_open: Gauge,
    /// Spool files opened, and sealed.
    pub files_created: Counter,
    /// Spool files sealed.
    pub files_sealed: Counter,
    /// Spool files put aside because they or their key are damaged or foreign.
    pub files_quarantined: Counter,

    /// Objects confirmed in the store.
    pub objects_stored: Counter,
    /// Lines in them.
    pub lines_stored: Counter,
    /// Their bytes.
    pub bytes_stored: Counter,
    /// Failed store requests, by kind.
    pub store_errors: Family<Kind, Counter>,
    /// Hours closed.
    pub hours_closed: Counter,
    /// Start of the last closed hour, seconds since the epoch.
    pub last_closed_hour: Gauge<i64, AtomicI64>,
    /// When the agent was started, seconds since the epoch.
    pub started_at: Gauge<i64, AtomicI64>,
    /// Open gap: 1 while one is open.
    pub gap_open: Gauge,
    /// Sum of gaps, in milliseconds.
    pub gap_millis: Counter<u64, AtomicU64>,

    /// The clock, held against what servers say.
    pub clock: Arc<Clock>,
    /// What the steps are doing, for `/livez` and `/readyz`.
    pub health: Arc<Health>,
}

impl Metrics {
    /// Says what the source is doing.
    pub fn set_source(&self, state: SourceState) {
        self.connected.set(i64::from(matches!(state, SourceState::Connected | SourceState::Reading)));
        self.health.set_source(state);
    }

    /// Says what the store is doing.
    pub fn set_store(&self, state: StoreState) {
        self.health.set_store(state);
    }

    /// Says whether the lake is ours.
    pub fn set_lease(&self, state: LeaseState) {
        self.health.set_lease(state);
    }
}

/// Sum over all kinds.
pub(crate) fn sum(family: &Family<Kind, Counter>) -> u64 {
    // A family's members cannot be walked, but its text form can: one line a member, the value last.
    let mut registry = Registry::default();
    registry.register("sum", "", family.clone());
    let mut text = String::new();
    encode_registry(&mut text, &registry).expect("writing to a string does not fail");
    let values = text.lines().filter(|line| !line.starts_with('#'));
    values.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_takes_in_every_kind_whatever_its_name() {
        let family: Family<Kind, Counter> = Family::default();
        assert_eq!(sum(&family), 0);
        family.get_or_create(&Kind::new("timeout")).inc_by(3);
        family.get_or_create(&Kind::new("a \"quoted\" name # 9\n7")).inc_by(40);
        assert_eq!(sum(&family), 43);
    }
}
