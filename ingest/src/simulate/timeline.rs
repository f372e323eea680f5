//! The timeline: one log of tweets that all connections read, each from its own place.
//!
//! In time it goes on whether anybody reads or not, as the real service does, and a reader who falls behind more than
//! the log holds misses tweets. Flat out it waits for the slowest reader instead, and stands still when there is none.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::replay::ReplayLine;
use super::tweet::model::Tweet;

/// What is sent in one turn.
#[derive(Debug)]
pub(crate) enum Payload {
    /// A generated tweet.
    Tweet(Arc<Tweet>),
    /// A line of a file.
    Line(ReplayLine),
}

/// One turn of the timeline.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) payload: Payload,
    /// Sent once more after it.
    pub(crate) repeat: Option<Arc<Tweet>>,
    /// Said to be deleted after it, with the time of the deletion; v1.1 only.
    pub(crate) delete: Option<(Arc<Tweet>, i64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    next: u64,
    ended: bool,
}

#[derive(Debug, Default)]
struct Log {
    entries: VecDeque<Arc<Entry>>,
    /// Turn of the first entry.
    base: u64,
    /// Where each reader stands.
    readers: HashMap<u64, u64>,
    last_reader: u64,
}

/// The log and its readers.
#[derive(Debug)]
pub(crate) struct Timeline {
    log: Mutex<Log>,
    head: watch::Sender<Head>,
    moved: Notify,
    capacity: usize,
    waits: bool,
}

/// What a reader got.
#[derive(Debug)]
pub(crate) enum Next {
    /// The next turns, and how many were missed before them.
    Turns(Vec<Arc<Entry>>, u64),
    /// Nothing will come any more, and all that came was read.
    Ended,
}

impl Timeline {
    /// An empty log of at most `capacity` turns, which waits for readers or not.
    pub(crate) fn new(capacity: usize, waits: bool) -> Timeline {
        let (head, _) = watch::channel(Head { next: 0, ended: false });
        Timeline { log: Mutex::default(), head, moved: Notify::new(), capacity, waits }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many turns may be added now.
    pub(crate) fn room(&self) -> usize {
        if !self.waits {
            return usize::MAX;
        }
        let log = self.log();
        match log.readers.values().min() {
            Some(slowest) => self.capacity.saturating_sub((log.base + log.entries.len() as u64 - slowest) as usize),
            None => 0,
        }
    }

    /// Waits until a reader moved, came or went.
    pub(crate) async fn reader_moved(&self) {
        self.moved.notified().await;
    }

    /// Adds turns; `ended` says that they are the last.
    pub(crate) fn add(&self, entries: Vec<Entry>, ended: bool) {
        let next = {
            let mut log = self.log();
            log.entries.extend(entries.into_iter().map(Arc::new));
            while log.entries.len() > self.capacity {
                log.entries.pop_front();
                log.base += 1;
            }
            log.base + log.entries.len() as u64
        };
        self.head.send_replace(Head { next, ended });
    }

    /// Whether the last turn is in the log.
    pub(crate) fn ended(&self) -> bool {
        self.head.borrow().ended
    }

    /// A reader that starts `back` turns before the newest, or as far as the log reaches.
    pub(crate) fn read(self: &Arc<Timeline>, back: u64) -> Reader {
        let (number, at) = {
            let mut log = self.log();
            let next = log.base + log.entries.len() as u64;
            let at = next.saturating_sub(back).max(log.base);
            log.last_reader += 1;
            let number = log.last_reader;
            log.readers.insert(number, at);
            (number, at)
        };
        self.moved.notify_one();
        Reader { timeline: Arc::clone(self), head: self.head.subscribe(), number, at }
    }
}

/// One reader's place.
#[derive(Debug)]
pub(crate) struct Reader {
    timeline: Arc<Timeline>,
    head: watch::Receiver<Head>,
    number: u64,
    at: u64,
}

impl Reader {
    /// At most `max` turns, as soon as there is one. Nothing is lost when this is dropped while it waits.
    pub(crate) async fn next(&mut self, max: usize) -> Next {
        loop {
            let head = *self.head.borrow_and_update();
            if head.next > self.at {
                return self.take(max);
            }
            if head.ended || self.head.changed().await.is_err() {
                return Next::Ended;
            }
        }
    }

    /// How full of unread turns the log is, in percent; 0 where the log waits for its readers.
    pub(crate) fn percent_behind(&self) -> u64 {
        if self.timeline.waits {
            return 0;
        }
        (self.head.borrow().next.saturating_sub(self.at) * 100 / self.timeline.capacity as u64).min(100)
    }

    fn take(&mut self, max: usize) -> Next {
        let mut log = self.timeline.log();
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
        self.timeline.log().readers.remove(&self.number);
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
        timeline.add(entries(4), false);
        assert_eq!((now(reader.next(3)), reader.percent_behind()), (Some((3, 0)), 10));
        timeline.add(entries(13), false);
        assert_eq!(reader.percent_behind(), 100);
        assert_eq!(now(reader.next(100)), Some((10, 4)));
        assert_eq!((timeline.room(), now(reader.next(100))), (usize::MAX, None));
    }

    #[test]
    fn a_log_that_waits_has_room_for_its_slowest_reader_only() {
        let timeline = Arc::new(Timeline::new(10, true));
        assert_eq!(timeline.room(), 0);
        let (mut quick, slow) = (timeline.read(0), timeline.read(0));
        timeline.add(entries(6), false);
        assert_eq!((now(quick.next(100)), timeline.room()), (Some((6, 0)), 4));
        drop(slow);
        assert_eq!(timeline.room(), 10);
    }

    #[test]
    fn the_end_comes_after_everything_was_read_and_a_new_reader_may_go_back() {
        let timeline = Arc::new(Timeline::new(10, false));
        timeline.add(entries(5), true);
        let mut reader = timeline.read(3);
        assert_eq!(now(reader.next(100)), Some((3, 0)));
        assert_eq!(now(reader.next(100)), Some((0, 0)));
        assert!(timeline.ended());
        assert_eq!(now(timeline.read(100).next(100)), Some((5, 0)));
    }
}
