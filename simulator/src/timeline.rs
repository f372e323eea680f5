//! The timeline: one log of tweets that all connections read, each from its own position.
//!
//! At a pace the log goes on whether anybody reads or not, as the real service does, and a reader that falls behind more
//! than the log holds misses tweets. Without a pace the log waits for the slowest reader, or for the first one.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::replay::ReplayLine;
use crate::tweet::model::Tweet;

#[derive(Debug)]
pub(crate) enum Payload {
    Tweet(Arc<Tweet>),
    Line(ReplayLine),
}

/// What one turn sends.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) payload: Payload,
    /// A tweet that is sent again after the payload.
    pub(crate) repeat: Option<Arc<Tweet>>,
    /// A tweet that is deleted after the payload, with the time of the deletion; v1.1 only.
    pub(crate) delete: Option<(Arc<Tweet>, i64)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Head {
    next: u64,
    has_ended: bool,
}

#[derive(Debug, Default)]
struct Log {
    entries: VecDeque<Arc<Entry>>,
    /// Turn of the first entry.
    base: u64,
    /// Position of each reader.
    readers: HashMap<u64, u64>,
    last_reader: u64,
}

#[derive(Debug)]
pub(crate) struct Timeline {
    log: Mutex<Log>,
    head: watch::Sender<Head>,
    moved: Notify,
    capacity: usize,
    is_waiting: bool,
    has_begun: AtomicBool,
}

/// What a reader gets.
#[derive(Debug)]
pub(crate) enum Next {
    /// The next turns, and how many were missed before them.
    Turns(Vec<Arc<Entry>>, u64),
    /// Everything was read and nothing follows.
    Ended,
}

impl Timeline {
    /// An empty log of at most `capacity` turns. `is_waiting`: it waits for its readers.
    pub(crate) fn new(capacity: usize, is_waiting: bool) -> Timeline {
        let (log, head, moved) = (Mutex::default(), watch::Sender::default(), Notify::new());
        Timeline { log, head, moved, capacity, is_waiting, has_begun: AtomicBool::new(false) }
    }

    /// True at the first call only.
    pub(crate) fn begin(&self) -> bool {
        !self.has_begun.swap(true, Ordering::Relaxed)
    }

    /// How many turns may be added now.
    pub(crate) fn room(&self) -> usize {
        if !self.is_waiting {
            return usize::MAX;
        }
        let log = self.log.lock();
        let next = log.base + log.entries.len() as u64;
        log.readers.values().min().map_or(0, |slowest| self.capacity.saturating_sub((next - slowest) as usize))
    }

    /// Waits until a reader has read, came or went.
    pub(crate) async fn reader_moved(&self) {
        self.moved.notified().await;
    }

    pub(crate) fn add(&self, entries: Vec<Entry>) {
        let mut log = self.log.lock();
        log.entries.extend(entries.into_iter().map(Arc::new));
        let excess = log.entries.len().saturating_sub(self.capacity);
        log.entries.drain(..excess);
        log.base += excess as u64;
        let next = log.base + log.entries.len() as u64;
        drop(log);
        self.head.send_modify(|head| head.next = next);
    }

    /// Nothing is added after this.
    pub(crate) fn end(&self) {
        self.head.send_modify(|head| head.has_ended = true);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.head.borrow().has_ended
    }

    /// A reader that starts `back` turns before the newest, or as far back as the log reaches.
    pub(crate) fn read(self: &Arc<Timeline>, back: u64) -> Reader {
        let mut log = self.log.lock();
        let next = log.base + log.entries.len() as u64;
        let at = next.saturating_sub(back).max(log.base);
        log.last_reader += 1;
        let number = log.last_reader;
        log.readers.insert(number, at);
        drop(log);
        self.moved.notify_one();
        Reader { timeline: Arc::clone(self), head: self.head.subscribe(), number, at }
    }
}

/// The position of one connection.
#[derive(Debug)]
pub(crate) struct Reader {
    timeline: Arc<Timeline>,
    head: watch::Receiver<Head>,
    number: u64,
    at: u64,
}

impl Reader {
    /// At most `max` turns, as soon as there is one. Cancel safe.
    pub(crate) async fn next(&mut self, max: usize) -> Next {
        loop {
            let head = *self.head.borrow_and_update();
            if head.next > self.at {
                return self.take(max);
            }
            if head.has_ended || self.head.changed().await.is_err() {
                return Next::Ended;
            }
        }
    }

    /// How full of unread turns the log is, in percent; 0 if the log waits for its readers.
    pub(crate) fn percent_behind(&self) -> u64 {
        if self.timeline.is_waiting {
            return 0;
        }
        (self.head.borrow().next.saturating_sub(self.at) * 100 / self.timeline.capacity as u64).min(100)
    }

    fn take(&mut self, max: usize) -> Next {
        let mut log = self.timeline.log.lock();
        let missed = log.base.saturating_sub(self.at);
        let from = (self.at + missed - log.base) as usize;
        let entries: Vec<Arc<Entry>> = log.entries.iter().skip(from).take(max).cloned().collect();
        self.at += missed + entries.len() as u64;
        log.readers.insert(self.number, self.at);
        drop(log);
        self.timeline.moved.notify_one();
        Next::Turns(entries, missed)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.timeline.log.lock().readers.remove(&self.number);
        self.timeline.moved.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::FutureExt as _;

    fn entries(count: usize) -> Vec<Entry> {
        let line = || ReplayLine { bytes: Bytes::new(), is_v2: true, sent: None };
        (0..count).map(|_| Entry { payload: Payload::Line(line()), repeat: None, delete: None }).collect()
    }

    fn now(next: impl Future<Output = Next>) -> Option<(usize, u64)> {
        match next.now_or_never()? {
            Next::Turns(turns, missed) => Some((turns.len(), missed)),
            Next::Ended => Some((0, 0)),
        }
    }

    #[test]
    fn a_reader_who_falls_behind_the_log_learns_how_much_was_missed() {
        let timeline = Arc::new(Timeline::new(10, false));
        let mut reader = timeline.read(0);
        assert_eq!(now(reader.next(100)), None);
        timeline.add(entries(4));
        assert_eq!((now(reader.next(3)), reader.percent_behind()), (Some((3, 0)), 10));
        timeline.add(entries(13));
        assert_eq!(reader.percent_behind(), 100);
        assert_eq!(now(reader.next(100)), Some((10, 4)));
        assert_eq!((timeline.room(), now(reader.next(100))), (usize::MAX, None));
    }

    #[test]
    fn a_log_that_waits_has_room_for_its_slowest_reader_only() {
        let timeline = Arc::new(Timeline::new(10, true));
        assert_eq!(timeline.room(), 0);
        let (mut quick, slow) = (timeline.read(0), timeline.read(0));
        timeline.add(entries(6));
        assert_eq!((now(quick.next(100)), timeline.room()), (Some((6, 0)), 4));
        drop(slow);
        assert_eq!(timeline.room(), 10);
    }

    #[test]
    fn the_end_comes_after_everything_was_read_and_a_new_reader_may_go_back() {
        let timeline = Arc::new(Timeline::new(10, false));
        timeline.add(entries(5));
        timeline.end();
        let mut reader = timeline.read(3);
        assert_eq!(now(reader.next(100)), Some((3, 0)));
        assert_eq!(now(reader.next(100)), Some((0, 0)));
        assert!(timeline.has_ended());
        assert_eq!(now(timeline.read(100).next(100)), Some((5, 0)));
    }
}
