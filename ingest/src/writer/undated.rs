//! Messages that bear no time of their own, in a lake whose hours are those of creation: they go with the tweets around them.
//!
//! The time of the last tweet before them in the same input counts. Where an input begins with such messages, their batches wait
//! for its first tweet: up to a bound, to the input's end, or, where the input is a pipe or a stream that may pause, for a second.
//! Their places in the channel are given back meanwhile, so that the source can bring that tweet. Without one, a stream's go with the last
//! tweet of the run before.

use crate::channel::Accepting;
use crate::record::{Batch, RecordKind};

/// Most records that wait for a tweet, and most bytes of their batches.
const MOST_RECORDS: usize = 10_000;
const MOST_BYTES: usize = 8 << 20;
/// How long those of a pipe wait, in milliseconds of the stream's time.
const PATIENCE_MS: i64 = 1_000;

/// What is known of the tweets around, and the batches that wait for one.
#[derive(Debug, Default)]
pub(super) struct Undated {
    input: Option<String>,
    last_ms: Option<i64>,
    waiting: Vec<Accepting>,
}

impl Undated {
    /// The time of the last tweet.
    pub(super) fn last_ms(&self) -> Option<i64> {
        self.last_ms
    }

    /// A tweet came.
    pub(super) fn tweet(&mut self, at_ms: i64) {
        self.last_ms = Some(at_ms);
    }

    /// Whether a batch is of another input than the one before: what waits for a tweet of that one then waits in vain.
    pub(super) fn is_another_input(&self, batch: &Batch) -> bool {
        self.input.as_deref() != batch.position.as_ref().map(|position| position.file.as_str())
    }

    /// The tweets of another input are no neighbours.
    pub(super) fn begin_input(&mut self, batch: &Batch) {
        self.input = batch.position.as_ref().map(|position| position.file.clone());
        self.last_ms = None;
    }

    /// Whether a batch has to wait for the first tweet of its input.
    pub(super) fn must_wait(&self, batch: &Batch) -> bool {
        let is_done = batch.position.as_ref().is_some_and(|position| position.done);
        let has_tweet = batch.records.iter().any(|record| matches!(record.kind, RecordKind::Tweet(_)));
        let is_undated =
            |kind: &RecordKind| matches!(kind, RecordKind::Message(_, None) | RecordKind::Limit { at_ms: None, .. });
        // In order: what comes behind waits too.
        let waits = !self.waiting.is_empty() || batch.records.iter().any(|record| is_undated(&record.kind));
        self.last_ms.is_none() && waits && !has_tweet && !is_done && self.has_room(batch)
    }

    fn has_room(&self, batch: &Batch) -> bool {
        let batches = || self.waiting.iter().map(|accepting| &accepting.batch).chain([batch]);
        batches().map(|batch| batch.records.len()).sum::<usize>() <= MOST_RECORDS
            && batches().map(|batch| batch.block.len()).sum::<usize>() <= MOST_BYTES
    }

    /// Keeps a batch until [`Undated::take`].
    pub(super) fn wait(&mut self, mut accepting: Accepting) {
        accepting.release_permits();
        self.waiting.push(accepting);
    }

    /// What waited, in order.
    pub(super) fn take(&mut self) -> Vec<Accepting> {
        std::mem::take(&mut self.waiting)
    }

    /// Whether what waits has waited long enough: a pipe or a stream may pause for ever, a file comes to its end.
    pub(super) fn is_overdue(&self, now_ms: i64) -> bool {
        !self.can_be_read_again()
            && self.waiting.first().is_some_and(|first| now_ms.saturating_sub(first.received_at_ms) >= PATIENCE_MS)
    }

    /// Whether the input is a file, whose position says where to go on.
    pub(super) fn can_be_read_again(&self) -> bool {
        self.input.is_some()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
