//! The engine of both X streams: connect, read, frame, hand over, watch for silence, and connect again, for ever.
//!
//! What differs between v2 and v1.1 (requests, answers, words of the stream) is a [`Dialect`]. A line that the other side did
//! not finish is dropped with its connection; the gap that opens says so.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use cauce_lake::manifest::IngestPath;
use cauce_lake::tweet::{Control, LineKind, scan};
use futures_util::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::batches::{Limits, RejectedLine, Sorter, portions};
use super::framing::{Block, Framer, Line, LineState};
use super::http::{ByteStream, Refused, TransportError};
use super::reconnect::{Failure, PROVEN_AFTER, Pace, Schedule};
use super::{Source, SourceError};
use crate::channel::Sender;
use crate::record::{Batch, ConnectionEvent, RecordKind};
use crate::status::metrics::Kind;
use crate::status::{Metrics, SourceState};

/// Bytes that are gathered, as long as they have already come, before they are framed: servers that send a chunk a line
/// would otherwise make a batch a line.
const GATHER_BYTES: usize = 256 << 10;

/// A hand-over that takes longer is more than a busy moment: the other side's buffers may run full.
const HELD_AFTER: Duration = Duration::from_millis(500);
/// Silence that no busy stream has while its buffers hold something.
const QUIET: Duration = Duration::from_secs(2);

/// What one API does differently from another.
#[async_trait]
pub(crate) trait Dialect: Send + 'static {
    /// Opens the stream, with all that has to come before it.
    async fn connect(&mut self) -> Result<ByteStream, Refused>;

    /// Hears a word of the stream; `Some` is a reason to close the connection.
    fn hear(&mut self, word: Control) -> Option<Drop>;
}

/// How an established connection came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Drop {
    /// One word with hyphens, for metrics and gaps.
    pub(crate) cause: String,
    /// What the wait depends on.
    pub(crate) failure: Failure,
}

impl Drop {
    pub(crate) fn new(cause: impl Into<String>, failure: Failure) -> Drop {
        Drop { cause: cause.into(), failure }
    }
}

/// A live source.
#[derive(Debug)]
pub(crate) struct Stream<D> {
    dialect: D,
    limits: Limits,
    stall_timeout: Duration,
    metrics: Arc<Metrics>,
    schedule: Schedule<ChaCha8Rng>,
    pace: Pace,
}

/// Why reading a connection ended.
enum Ended {
    /// A stop was requested, or the receiver of lines is gone.
    Stopped,
    /// It is gone.
    Dropped(Drop),
    /// A reject ended it, which is sent.
    Rejected(RejectedLine),
}

impl<D: Dialect> Stream<D> {
    pub(crate) fn new(dialect: D, limits: Limits, stall_timeout: Duration, metrics: Arc<Metrics>) -> Stream<D> {
        let schedule = Schedule::new(ChaCha8Rng::from_rng(&mut rand::rng()));
        Stream { dialect, limits, stall_timeout, metrics, schedule, pace: Pace::default() }
    }

    /// Reads one connection to its end. `last_byte_ms` is moved on with every read.
    async fn read(
        &mut self,
        mut bytes: ByteStream,
        connection: u64,
        last_byte_ms: &mut i64,
        out: &Sender,
        stop: &CancellationToken,
    ) -> Ended {
        let metrics = Arc::clone(&self.metrics);
        let sorter =
            Sorter::new(Arc::clone(&metrics), IngestPath::Stream, format!("connection {connection}"), &self.limits);
        let mut framer = Framer::new(self.limits.max_line_bytes);
        let mut words: Vec<Control> = Vec::new();
        let mut gathered: Vec<u8> = Vec::new();
        let opened = Instant::now();
        let mut is_proven = false;
        let mut held = Held::default();
        loop {
            let asked = Instant::now();
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => return Ended::Stopped,
                next = tokio::time::timeout(self.stall_timeout, bytes.next()) => next,
            };
            let Ok(mut next) = next else {
                return dropped(&framer.finish(), Drop::new("stall", Failure::Dropped));
            };
            held.waited(asked.elapsed());
            gathered.clear();
            while let Some(Ok(chunk)) = &next {
                gathered.extend_from_slice(chunk);
                if gathered.len() >= GATHER_BYTES {
                    break;
                }
                match bytes.next().now_or_never() {
                    Some(more) => next = more,
                    None => break,
                }
            }
            if !gathered.is_empty() {
                let now_ms = Timestamp::now().as_millisecond();
                *last_byte_ms = held.since_ms.unwrap_or(now_ms);
                metrics.last_byte_ms.store(now_ms, Ordering::Relaxed);
                metrics.bytes_received.inc_by(gathered.len() as u64);
            }
            for portion in portions(&gathered, self.limits.portion_records()) {
                framer.push(portion);
                let Some(block) = framer.take_block() else { continue };
                let batch = sorter.sort(block, &mut words);
                let has_data = batch.records.iter().any(|record| is_data(&record.kind));
                if !is_proven && (has_data || opened.elapsed() >= PROVEN_AFTER) {
                    is_proven = true;
                    self.schedule.proven();
                }
                if batch.records.is_empty() {
                    continue;
                }
                held.read(&batch);
                if let Some(newest_ms) = newest_ms(&batch) {
                    metrics.clock.observe_tweet(newest_ms);
                }
                let rejected = self.limits.fatal(&batch);
                let began = (Instant::now(), Timestamp::now().as_millisecond());
                if out.send(batch).await.is_err() {
                    return Ended::Stopped;
                }
                held.sent(began.0.elapsed(), began.1);
                if let Some(line) = rejected {
                    return Ended::Rejected(line);
                }
            }
            let heard: Vec<Drop> = words.drain(..).filter_map(|word| self.dialect.hear(word)).collect();
            if let Some(drop) = heard.into_iter().next() {
                return dropped(&framer.finish(), drop);
            }
            match next {
                Some(Ok(_)) => {}
                Some(Err(TransportError(error))) => {
                    tracing::debug!(connection, error, "connection broke");
                    return dropped(&framer.finish(), Drop::new("broken", Failure::Dropped));
                }
                None => return self.closed(framer.finish(), &sorter, out).await,
            }
        }
    }

    /// A clean end: what stands after the last line end counts as a line if it is a whole one.
    async fn closed(&mut self, tail: Block, sorter: &Sorter, out: &Sender) -> Ended {
        let closed = Drop::new("closed", Failure::Dropped);
        let is_whole =
            |line: &Line| line.state != LineState::TooLong && !matches!(scan(tail.line(line)), LineKind::Reject(_));
        if !tail.lines.iter().all(is_whole) {
            return dropped(&tail, closed);
        }
        let mut words = Vec::new();
        let batch = sorter.sort(tail, &mut words);
        let rejected = self.limits.fatal(&batch);
        if !batch.records.is_empty() && out.send(batch).await.is_err() {
            return Ended::Stopped;
        }
        if let Some(line) = rejected {
            return Ended::Rejected(line);
        }
        let heard = words.into_iter().find_map(|word| self.dialect.hear(word));
        Ended::Dropped(heard.unwrap_or(closed))
    }

    fn count(
        family: &prometheus_client::metrics::family::Family<Kind, prometheus_client::metrics::counter::Counter>,
        cause: &str,
    ) {
        family.get_or_create(&Kind::new(cause)).inc();
    }
}

/// The latest time that a tweet bears.
fn newest_ms(batch: &Batch) -> Option<i64> {
    let created_ms = |kind: &RecordKind| match kind {
        RecordKind::Tweet(head) => head.created_at_ms,
        _ => None,
    };
    batch.records.iter().filter_map(|record| created_ms(&record.kind)).max()
}

/// Whether a record shows that the connection delivers: neither rejects nor control messages do.
fn is_data(kind: &RecordKind) -> bool {
    match kind {
        RecordKind::Tweet(_) => true,
        RecordKind::Message(message, _) => !message.is_control(),
        RecordKind::Limit { .. } | RecordKind::Reject(_) => false,
    }
}

/// Whether the agent itself kept the connection waiting, and since when. What is read afterwards lay in buffers all that
/// time, and the other side may have dropped what they did not hold: a gap that opens before the stream is known to have
/// caught up begins where the wait did.
#[derive(Debug, Default)]
struct Held {
    since_ms: Option<i64>,
    until_ms: i64,
}

impl Held {
    /// A hand-over that began at this time took so long.
    fn sent(&mut self, took: Duration, began_ms: i64) {
        if took >= HELD_AFTER {
            self.since_ms.get_or_insert(began_ms);
            self.until_ms = began_ms.saturating_add(i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
        }
    }

    /// The socket had nothing for so long: the buffers are empty.
    fn waited(&mut self, time: Duration) {
        if time >= QUIET {
            self.since_ms = None;
        }
    }

    /// A tweet that is younger than the wait did not lie in the buffers.
    fn read(&mut self, batch: &Batch) {
        let is_younger = |kind: &RecordKind| match kind {
            RecordKind::Tweet(head) => head.created_at_ms.is_some_and(|at_ms| at_ms > self.until_ms),
            _ => false,
        };
        if self.since_ms.is_some() && batch.records.iter().any(|record| is_younger(&record.kind)) {
            self.since_ms = None;
        }
    }
}

/// The line that the connection did not finish goes with it.
fn dropped(tail: &Block, drop: Drop) -> Ended {
    for line in &tail.lines {
        tracing::warn!(bytes = line.length, cause = drop.cause, "unfinished line dropped with its connection");
    }
    Ended::Dropped(drop)
}

/// Waits; `false` when asked to stop meanwhile.
async fn pause(wait: Duration, stop: &CancellationToken) -> bool {
    if wait.is_zero() {
        return !stop.is_cancelled();
    }
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        () = tokio::time::sleep(wait) => true,
    }
}

#[async_trait]
impl<D: Dialect> Source for Stream<D> {
    fn is_live(&self) -> bool {
        true
    }

    async fn run(mut self: Box<Self>, out: Sender, stop: CancellationToken) -> Result<(), SourceError> {
        let metrics = Arc::clone(&self.metrics);
        let began = Instant::now();
        let mut last_byte_ms = Timestamp::now().as_millisecond();
        // Whether the writer knows that there is no connection.
        let mut is_down = false;
        let (mut attempt, mut connection) = (0_u64, 0_u64);
        loop {
            if !pause(self.pace.take(began.elapsed()), &stop).await {
                return Ok(());
            }
            attempt += 1;
            metrics.set_source(SourceState::Connecting);
            let answer = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                answer = self.dialect.connect() => answer,
            };
            let (cause, failure, detail) = match answer {
                Ok(bytes) => {
                    connection += 1;
                    tracing::info!(connection, attempt, "connected");
                    attempt = 0;
                    Self::count(&metrics.connects, "connected");
                    metrics.set_source(SourceState::Connected);
                    last_byte_ms = Timestamp::now().as_millisecond();
                    if out.connection(ConnectionEvent::Up).is_err() {
                        return Ok(());
                    }
                    is_down = false;
                    let ended = self.read(bytes, connection, &mut last_byte_ms, &out, &stop).await;
                    let drop = match ended {
                        Ended::Stopped => return Ok(()),
                        Ended::Rejected(line) => return Err(SourceError::Input(line.to_string())),
                        Ended::Dropped(drop) => drop,
                    };
                    Self::count(&metrics.disconnects, &drop.cause);
                    (drop.cause, drop.failure, String::new())
                }
                Err(Refused::Retry { cause, failure, detail, is_counted }) => {
                    if !is_counted {
                        self.pace.give_back();
                    }
                    Self::count(&metrics.connects, &cause);
                    (cause, failure, detail)
                }
                Err(Refused::Fatal { cause, error }) => {
                    Self::count(&metrics.connects, &cause);
                    metrics.set_source(SourceState::BlockedByAuth);
                    if !is_down {
                        // The error says it all; the writer may be gone before the gap is told.
                        let _ = out.connection(ConnectionEvent::Down { last_byte_ms, cause });
                    }
                    return Err(error);
                }
            };
            let wait = self.schedule.wait(failure);
            say(&cause, failure, &detail, wait, attempt);
            metrics.set_source(state_after(&cause, failure));
            if !is_down {
                is_down = true;
                if out.connection(ConnectionEvent::Down { last_byte_ms, cause }).is_err() {
                    return Ok(());
                }
            }
            if !pause(wait, &stop).await {
                return Ok(());
            }
        }
    }
}

/// What the source is doing while it waits for its next attempt.
fn state_after(cause: &str, failure: Failure) -> SourceState {
    match (failure, cause) {
        (Failure::Paused, _) => SourceState::BlockedByCredits,
        (_, "stall") => SourceState::Stalled,
        _ => SourceState::Waiting { cause: cause.to_owned() },
    }
}

fn say(cause: &str, failure: Failure, detail: &str, wait: Duration, attempt: u64) {
    let wait_s = wait.as_secs_f64();
    if failure == Failure::Paused {
        tracing::error!(cause, detail, wait_s, attempt, "no stream until the account allows it; asking again then");
    } else if attempt == 0 {
        tracing::warn!(cause, wait_s, "disconnected");
    } else {
        tracing::warn!(cause, detail, wait_s, attempt, "not connected");
    }
}

#[cfg(test)]
mod tests;
