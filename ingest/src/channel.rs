//! [2] The channel: the bounded queue between a source and the writer.
//!
//! A source sends batches of whole lines; the receiver takes them in order. `capacity` counts records that were read and
//! are not yet accepted: a batch holds its permits until the writer accepts or drops it, so a full channel applies
//! backpressure to the source and never loses a record.
//!
//! Every batch gets its `received_at` here, under one lock, so that times are monotonic along the channel even when the
//! clock is not: `received_at` is the later of the clock and the last time given out. Ticks carry the time when no record
//! arrives, in the same order: after a tick of 06:00:00 no record with an earlier `received_at` follows.
//!
//! The channel delivers into a queue that its receiver chooses, and knows nothing of the receiver.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;
use crate::record::{Batch, ConnectionEvent};

/// Permits that are added at the end: more than a source ever waits for.
const LAST_PERMITS: usize = u32::MAX as usize;

/// What comes out of the channel, in the order in which it was sent.
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
}

/// A batch with its arrival time and its permits, which are released when this is dropped.
#[derive(Debug)]
pub struct Accepting {
    /// The lines.
    pub batch: Batch,
    /// When they arrived, milliseconds since the epoch; never before an earlier batch.
    pub received_at_ms: i64,
    permits: Option<OwnedSemaphorePermit>,
}

impl Accepting {
    /// Releases the permits before the batch is accepted. The caller bounds the memory of what it keeps by other means.
    pub(crate) fn release_permits(&mut self) {
        self.permits = None;
    }
}

/// The receiver is gone: the agent stops or has failed. A source ends when it gets this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the channel is closed")]
pub struct Closed;

/// The source's end of the channel.
#[derive(Clone)]
pub struct Sender {
    permits: Arc<Semaphore>,
    capacity: usize,
    clock: Arc<Clock>,
    outlet: Arc<Mutex<Outlet>>,
}

/// Puts an event into the receiver's queue.
type Deliver = Box<dyn FnMut(Event) -> Result<(), Closed> + Send>;

/// The end of the channel at which times are given out.
struct Outlet {
    last_ms: i64,
    deliver: Deliver,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("capacity", &self.capacity).field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Makes a channel with room for `capacity` records. `last_ms` is the latest arrival time already stored, in milliseconds
/// since the epoch: no earlier time is given out. While the clock is ahead no batch and no tick passes. `deliver` puts an
/// event into the receiver's queue without waiting.
pub fn open(
    capacity: usize,
    last_ms: i64,
    clock: Arc<Clock>,
    deliver: impl FnMut(Event) -> Result<(), Closed> + Send + 'static,
) -> Sender {
    let outlet = Arc::new(Mutex::new(Outlet { last_ms, deliver: Box::new(deliver) }));
    Sender { permits: Arc::new(Semaphore::new(capacity)), capacity, clock, outlet }
}

/// A channel into a queue of its own, for tests of sources.
#[cfg(test)]
pub(crate) fn channel(capacity: usize, last_ms: i64) -> (Sender, std::sync::mpsc::Receiver<Event>) {
    dated_channel(capacity, last_ms, Arc::default())
}

#[cfg(test)]
fn dated_channel(capacity: usize, last_ms: i64, clock: Arc<Clock>) -> (Sender, std::sync::mpsc::Receiver<Event>) {
    let (queue, receiver) = std::sync::mpsc::channel();
    (open(capacity, last_ms, clock, move |event| queue.send(event).map_err(|_| Closed)), receiver)
}

impl Sender {
    /// Sends a batch; waits while the channel is full or the clock is ahead. A batch without records takes one permit: it
    /// carries a position.
    ///
    /// # Errors
    /// [`Closed`] when the receiver is gone, or the agent ends while the clock is ahead, so that the records cannot be dated.
    pub async fn send(&self, batch: Batch) -> Result<(), Closed> {
        // A batch larger than the channel takes all permits, since it could never get more.
        let wanted = batch.records.len().clamp(1, self.capacity);
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.permits).acquire_many_owned(wanted).await.map_err(|_| Closed)?;
        let mut entering = Some((batch, permit));
        while self.clock.right().await {
            self.clock.accept_unobserved();
            let mut outlet = self.outlet.lock().unwrap_or_else(PoisonError::into_inner);
            // The clock may have been set forward since the wait ended.
            let Some(now_ms) = self.clock.arrival_ms() else { continue };
            let Some((batch, permit)) = entering.take() else { break };
            return outlet.send(now_ms, |received_at_ms| {
                Event::Batch(Accepting { batch, received_at_ms, permits: Some(permit) })
            });
        }
        Err(Closed)
    }

    /// Admits what a source waits to send, however full the channel is, so that the source can end when it is asked to.
    pub(crate) fn let_in(&self) {
        self.clock.leave();
        self.permits.add_permits(LAST_PERMITS);
    }

    /// Sends the time, unless the clock is ahead.
    ///
    /// # Errors
    /// [`Closed`] when the receiver is gone.
    pub fn tick(&self) -> Result<(), Closed> {
        let mut outlet = self.outlet.lock().unwrap_or_else(PoisonError::into_inner);
        match self.clock.closing_ms() {
            Some(now_ms) => outlet.send(now_ms, |now_ms| Event::Tick { now_ms }),
            None => Ok(()),
        }
    }

    /// Sends that the connection came up or went down.
    ///
    /// # Errors
    /// [`Closed`] when the receiver is gone.
    pub fn connection(&self, event: ConnectionEvent) -> Result<(), Closed> {
        self.enter(|now_ms| Event::Connection { now_ms, event })
    }

    /// Sends that the source has come to its end.
    ///
    /// # Errors
    /// [`Closed`] when the receiver is gone.
    pub fn ended(&self) -> Result<(), Closed> {
        self.enter(|_| Event::Ended)
    }

    /// Records in the channel: read and not yet accepted.
    pub fn len(&self) -> usize {
        self.capacity.saturating_sub(self.permits.available_permits())
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
        // Reading the time and queueing under one lock is what makes times monotonic along the channel.
        let mut outlet = self.outlet.lock().unwrap_or_else(PoisonError::into_inner);
        outlet.send(self.clock.best_ms(), event)
    }
}

impl Outlet {
    fn send(&mut self, now_ms: i64, event: impl FnOnce(i64) -> Event) -> Result<(), Closed> {
        let now_ms = now_ms.max(self.last_ms);
        self.last_ms = now_ms;
        (self.deliver)(event(now_ms))
    }
}

#[cfg(test)]
mod tests {
    use cauce_lake::store::ServerTime;
    use jiff::Timestamp;

    use bytes::Bytes;
    use cauce_lake::manifest::IngestPath;
    use cauce_lake::tweet::Message;

    use super::*;
    use crate::record::{Record, RecordKind};

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
