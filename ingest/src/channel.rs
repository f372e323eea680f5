//! [2] The channel: the bounded hand-over between a source and the spool.
//!
//! A source sends batches of whole lines; the spool's writer takes them in order. `capacity` counts records that were
//! read and are not yet accepted: a batch holds its places until the writer accepts (or drops) it, so a full channel
//! stops the source, which is back-pressure and never loss.
//!
//! Every batch gets its `received_at` here, under one lock, so that times never run backwards along the channel even
//! when the clock does: it is the clock or the last time given, whichever is later. Ticks carry the time when nothing
//! arrives, in the same order, so that a tick that says 06:00:00 proves that nothing received before it is still to come.

use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use cauce_lake::manifest::IngestPath;
use cauce_lake::tweet::{Message, RejectReason, TweetHead};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;

/// Places that are added at the end: more than a source ever has in its hands.
const LAST_PLACES: usize = u32::MAX as usize;

/// Where a finite source stands: everything before `offset` of this file is in this batch or in earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// The file, as the source names it: an absolute path, or `<key>#<first line>-<last line>` for requeued rejects.
    pub file: String,
    /// Its length in bytes on disk when it was opened.
    pub bytes: u64,
    /// SHA-256 of its bytes on disk, 64 hexadecimal digits; empty for an object, which never changes.
    pub sha256: String,
    /// In an archive the number of the entry that is being read, from 0; else 0.
    pub member: u64,
    /// Bytes of lines read so far of the file or member, decoded and re-framed, up to and with the last line end.
    pub offset: u64,
    /// Whether the file is read to its end.
    pub done: bool,
    /// Members of an archive before this one that could not be read to their end, with the reason.
    pub damaged: Vec<String>,
}

/// What one record of a batch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordKind {
    /// A tweet.
    Tweet(TweetHead),
    /// A message, with its own time in milliseconds since the epoch where it has one.
    Message(Message, Option<i64>),
    /// A v1.1 limit message, with its own time where it has one.
    Limit {
        /// Tweets that it says were left out since the limit message before it on its connection.
        undelivered: u64,
        /// Milliseconds since the epoch.
        at_ms: Option<i64>,
    },
    /// A line that is neither; it is kept apart with its reason.
    Reject(Box<Reject>),
}

/// Why a line is kept apart, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Why.
    pub reason: RejectReason,
    /// Where it stood, for people: `archive/a.json.gz line 17`, `connection 3 line 1204`.
    pub origin: String,
    /// Length of the whole line in bytes; more than the kept bytes where the line was too long.
    pub bytes: u64,
}

impl Reject {
    /// Why, in words.
    pub fn text(&self) -> String {
        match &self.reason {
            RejectReason::InvalidUtf8 { offset } => format!("not UTF-8 at byte {offset}"),
            RejectReason::InvalidJson { offset, expected } => format!("not JSON at byte {offset}: expected {expected}"),
            RejectReason::UnknownObject => "neither a tweet nor a known message".into(),
            RejectReason::NoId => "a tweet without a usable id".into(),
            RejectReason::NoTime => "a tweet whose time cannot be read".into(),
            RejectReason::TooLong => "longer than source.max_line_bytes; only its first bytes are kept".into(),
            RejectReason::Truncated => "the input ended inside the line".into(),
        }
    }
}

/// One line of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// First byte in the batch's block.
    pub start: u32,
    /// First byte after the line, without its line end.
    pub end: u32,
    /// What it is.
    pub kind: RecordKind,
}

/// Whole lines, as a source hands them over.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The bytes; records point into it.
    pub block: Bytes,
    /// The lines, in the order in which they came.
    pub records: Vec<Record>,
    /// How they came in.
    pub path: IngestPath,
    /// Where a finite source stands after this batch.
    pub position: Option<Position>,
}

/// What happened to a live source's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// It is up: tweets written from now on will come. Closes the open gap.
    Up,
    /// It is down. Opens a gap, which begins when the last byte came.
    Down {
        /// When the last byte came, milliseconds since the epoch.
        last_byte_ms: i64,
        /// Why, in one word with hyphens: `disconnect`, `stall`, `refused`, `credits`, …
        cause: String,
    },
}

/// What the writer takes out of the channel.
#[derive(Debug)]
pub enum Event {
    /// Lines.
    Batch(Accepting),
    /// Nothing but the time.
    Tick {
        /// Milliseconds since the epoch, not before any time given earlier.
        now_ms: i64,
    },
    /// The connection came up or went down.
    Connection {
        /// Milliseconds since the epoch, not before any time given earlier.
        now_ms: i64,
        /// What happened.
        event: ConnectionEvent,
    },
    /// The source has come to its end; nothing follows.
    Ended,
    /// Something for the writer that is no part of the stream: an upload's outcome, the word to drain.
    Inner(crate::writer::Inner),
}

/// A batch with its arrival time and its places in the channel, which are given back when this is dropped.
#[derive(Debug)]
pub struct Accepting {
    /// The lines.
    pub batch: Batch,
    /// When they arrived, milliseconds since the epoch; never before an earlier batch.
    pub received_at_ms: i64,
    places: Option<OwnedSemaphorePermit>,
}

impl Accepting {
    /// Gives the places in the channel back before the batch is accepted. Whoever does so bounds what it holds by itself.
    pub(crate) fn free_places(&mut self) {
        self.places = None;
    }
}

/// The channel is gone: the agent is stopping or has failed. A source ends when it sees this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the channel is closed")]
pub struct Closed;

/// The source's end of the channel.
#[derive(Debug, Clone)]
pub struct Sender {
    places: Arc<Semaphore>,
    capacity: usize,
    clock: Arc<Clock>,
    entry: Arc<Mutex<Entry>>,
}

#[derive(Debug)]
struct Entry {
    last_ms: i64,
    queue: mpsc::Sender<Event>,
}

/// Makes a channel with room for `capacity` records. `last_ms` is the latest arrival time already stored, in
/// milliseconds since the epoch: no later time will be before it.
pub fn channel(capacity: usize, last_ms: i64) -> (Sender, mpsc::Receiver<Event>) {
    dated_channel(capacity, last_ms, Arc::default())
}

/// As [`channel`]; nothing passes and no time is told while the clock is ahead.
pub fn dated_channel(capacity: usize, last_ms: i64, clock: Arc<Clock>) -> (Sender, mpsc::Receiver<Event>) {
    let (queue, receiver) = mpsc::channel();
    let entry = Arc::new(Mutex::new(Entry { last_ms, queue }));
    (Sender { places: Arc::new(Semaphore::new(capacity)), capacity, clock, entry }, receiver)
}

impl Sender {
    /// Hands lines over; waits while the channel is full or the clock is ahead. An empty batch with a position is handed
    /// over too.
    ///
    /// # Errors
    /// [`Closed`] when nobody takes any more, or the agent ends while the clock is ahead: then the lines cannot be dated.
    pub async fn send(&self, batch: Batch) -> Result<(), Closed> {
        // A batch larger than the whole channel takes all places rather than waiting for ever.
        let places = batch.records.len().clamp(1, self.capacity);
        let places = u32::try_from(places).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.places).acquire_many_owned(places).await.map_err(|_| Closed)?;
        let mut entering = Some((batch, permit));
        while self.clock.right().await {
            self.clock.accept_unobserved();
            let mut entry = self.entry.lock().unwrap_or_else(PoisonError::into_inner);
            // The clock may have been set since the wait ended.
            let Some(now_ms) = self.clock.arrival_ms() else { continue };
            let Some((batch, permit)) = entering.take() else { break };
            return entry
                .add(now_ms, |received_at_ms| Event::Batch(Accepting { batch, received_at_ms, places: Some(permit) }));
        }
        Err(Closed)
    }

    /// Lets in what a source waits to hand over, however full the channel is: so that it can end when it is asked to.
    pub(crate) fn let_in(&self) {
        self.clock.leave();
        self.places.add_permits(LAST_PLACES);
    }

    /// Tells the writer the time, unless the clock is ahead.
    ///
    /// # Errors
    /// [`Closed`] when nobody takes any more.
    pub fn tick(&self) -> Result<(), Closed> {
        let mut entry = self.entry.lock().unwrap_or_else(PoisonError::into_inner);
        match self.clock.closing_ms() {
            Some(now_ms) => entry.add(now_ms, |now_ms| Event::Tick { now_ms }),
            None => Ok(()),
        }
    }

    /// Tells the writer that the connection came up or went down.
    ///
    /// # Errors
    /// [`Closed`] when nobody takes any more.
    pub fn connection(&self, event: ConnectionEvent) -> Result<(), Closed> {
        self.enter(|now_ms| Event::Connection { now_ms, event })
    }

    /// Tells the writer that the source has come to its end.
    ///
    /// # Errors
    /// [`Closed`] when nobody takes any more.
    pub fn ended(&self) -> Result<(), Closed> {
        self.enter(|_| Event::Ended)
    }

    /// Hands the writer something that is no part of the stream.
    ///
    /// # Errors
    /// [`Closed`] when nobody takes any more.
    pub(crate) fn inner(&self, inner: crate::writer::Inner) -> Result<(), Closed> {
        self.enter(|_| Event::Inner(inner))
    }

    /// Records in the channel: read and not yet accepted.
    pub fn len(&self) -> usize {
        self.capacity.saturating_sub(self.places.available_permits())
    }

    /// Whether nothing is in the channel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Room for records.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    fn enter(&self, event: impl FnOnce(i64) -> Event) -> Result<(), Closed> {
        // The time is read and the event queued under one lock; that is the whole point, see the module's text.
        let mut entry = self.entry.lock().unwrap_or_else(PoisonError::into_inner);
        entry.add(self.clock.best_ms(), event)
    }
}

impl Entry {
    fn add(&mut self, now_ms: i64, event: impl FnOnce(i64) -> Event) -> Result<(), Closed> {
        let now_ms = now_ms.max(self.last_ms);
        self.last_ms = now_ms;
        self.queue.send(event(now_ms)).map_err(|_| Closed)
    }
}

#[cfg(test)]
mod tests {
    use cauce_lake::store::ServerTime;
    use jiff::Timestamp;

    use super::*;

    fn batch(records: usize) -> Batch {
        let record = Record { start: 0, end: 0, kind: RecordKind::Message(Message::Delete, None) };
        Batch { block: Bytes::new(), records: vec![record; records], path: IngestPath::Stream, position: None }
    }

    #[tokio::test]
    async fn a_full_channel_holds_the_source_until_a_batch_is_accepted() {
        let (sender, receiver) = channel(10, 0);
        sender.send(batch(10)).await.expect("there is room");
        let mut second = tokio_test_poll(sender.clone());
        assert!(second.as_mut().now_or_never().is_none(), "the channel took more than its capacity");
        drop(receiver.recv().expect("the first batch"));
        second.await.expect("room again");
        assert_eq!(sender.len(), 1);
    }

    use futures_util::FutureExt as _;
    type Sending = std::pin::Pin<Box<dyn Future<Output = Result<(), Closed>>>>;
    fn tokio_test_poll(sender: Sender) -> Sending {
        Box::pin(async move { sender.send(batch(1)).await })
    }

    #[tokio::test]
    async fn at_the_end_a_full_channel_lets_in_what_waits() {
        let (sender, receiver) = channel(10, 0);
        sender.send(batch(10)).await.expect("there is room");
        let mut second = tokio_test_poll(sender.clone());
        assert!(second.as_mut().now_or_never().is_none());
        sender.let_in();
        second.await.expect("room at last");
        assert!(sender.is_empty());
        drop(receiver);
    }

    #[tokio::test]
    async fn a_batch_larger_than_the_channel_passes_alone() {
        let (sender, receiver) = channel(3, 0);
        sender.send(batch(7)).await.expect("it passes");
        assert_eq!(sender.len(), 3);
        drop(receiver);
    }

    #[tokio::test]
    async fn times_never_run_backwards_even_when_the_stored_time_is_ahead_of_the_clock() {
        let ahead = Timestamp::now().as_millisecond() + 3_600_000;
        let (sender, receiver) = channel(3, ahead);
        sender.send(batch(1)).await.expect("there is room");
        sender.tick().expect("the writer is there");
        let Event::Batch(first) = receiver.recv().expect("a batch") else { panic!("not a batch") };
        let Event::Tick { now_ms } = receiver.recv().expect("a tick") else { panic!("not a tick") };
        assert_eq!((first.received_at_ms, now_ms), (ahead, ahead));
    }

    #[tokio::test]
    async fn a_source_learns_that_nobody_takes_any_more() {
        let (sender, receiver) = channel(3, 0);
        drop(receiver);
        assert_eq!(sender.send(batch(1)).await, Err(Closed));
    }

    #[tokio::test]
    async fn while_the_clock_is_ahead_no_line_passes_and_no_time_is_told() {
        let clock = Arc::new(Clock::default());
        clock.set_limit(std::time::Duration::from_secs(300));
        let says = |ahead_ms| {
            let at_ms = Timestamp::now().as_millisecond() - ahead_ms;
            clock.observe(crate::clock::Peer::Store, ServerTime { at_ms, received: std::time::Instant::now() });
        };
        let (sender, receiver) = dated_channel(10, 0, Arc::clone(&clock));
        says(3_600_000);
        let mut sending = tokio_test_poll(sender.clone());
        assert!(sending.as_mut().now_or_never().is_none());
        sender.tick().expect("the writer is there");
        sender.connection(ConnectionEvent::Up).expect("the writer is there");
        // What cannot wait bears the time of the server.
        let Event::Connection { now_ms, .. } = receiver.try_recv().expect("an event") else { panic!("not it") };
        assert!(Timestamp::now().as_millisecond() - now_ms > 3_500_000, "{now_ms}");
        assert!(receiver.try_recv().is_err());
        says(0);
        sending.await.expect("it passes");
        assert!(matches!(receiver.try_recv(), Ok(Event::Batch(_))));
        says(3_600_000);
        sender.let_in();
        assert_eq!(sender.send(batch(1)).await, Err(Closed), "a line that cannot be dated was taken at the end");
    }
}
