//! The way of log lines to standard error: a bounded queue and a thread that writes, so that no part of the agent ever waits
//! for whoever reads the log.
//!
//! A line that finds the queue full, or that standard error does not take (a closed pipe, a full disk), is lost and
//! counted; the first line that is written again is followed by one that says how many are missing. tracing-appender has
//! such a thread too, but counts no failed write, and its guard prints to standard output when the queue is full.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait at most: some seconds of the most talkative agent, and a few megabytes.
const QUEUED_LINES: usize = 8192;

/// The queue of this process, once its log is set up.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Where a log's lines go. Writing to it never blocks and never fails.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    lines: SyncSender<Vec<u8>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Lines put into the queue.
    queued: AtomicU64,
    /// Lines that were never written.
    dropped: AtomicU64,
    /// Lines taken out of the queue and dealt with.
    settled: Mutex<u64>,
    progress: Condvar,
}

impl Queue {
    /// A queue of so many lines, and a thread that writes them to `sink`. `recovered` is called on that thread with the
    /// number of lines that were dropped, when lines are written again.
    fn start(
        capacity: usize,
        sink: impl Write + Send + 'static,
        recovered: impl Fn(u64) + Send + 'static,
    ) -> io::Result<Queue> {
        let (lines, taken) = sync_channel(capacity);
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        std::thread::Builder::new().name("log".into()).spawn(move || write_lines(&taken, sink, &shared, recovered))?;
        Ok(Queue { lines, counts })
    }

    fn put(&self, line: &[u8]) {
        self.counts.queued.fetch_add(1, Ordering::Relaxed);
        if self.lines.try_send(line.to_vec()).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            self.counts.settle();
        }
    }

    /// Waits until all lines are written or lost, for `at_most` so long.
    fn flush(&self, at_most: Duration) {
        let queued = self.counts.queued.load(Ordering::Relaxed);
        let settled = self.counts.settled.lock().unwrap_or_else(PoisonError::into_inner);
        // Late or poisoned, there is nothing left to be done about it.
        let _ = self.counts.progress.wait_timeout_while(settled, at_most, |settled| *settled < queued);
    }
}

impl Counts {
    fn settle(&self) {
        *self.settled.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.progress.notify_all();
    }
}

fn write_lines(lines: &Receiver<Vec<u8>>, mut sink: impl Write, counts: &Counts, recovered: impl Fn(u64)) {
    let mut told = 0;
    let mut works = true;
    loop {
        let line = match lines.try_recv() {
            Ok(line) => line,
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                let dropped = counts.dropped.load(Ordering::Relaxed);
                if works && dropped > told {
                    recovered(dropped - told);
                    told = dropped;
                }
                let Ok(line) = lines.recv() else { return };
                line
            }
        };
        works = sink.write_all(&line).and_then(|()| sink.flush()).is_ok();
        if !works {
            counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
        counts.settle();
    }
}

impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Queue;

    fn make_writer(&'a self) -> &'a Queue {
        self
    }
}

/// The queue to standard error, made at the first call.
///
/// # Errors
/// When no thread can be started.
pub(super) fn to_stderr() -> io::Result<Queue> {
    if let Some(queue) = QUEUE.get() {
        return Ok(queue.clone());
    }
    let recovered = |lines| tracing::warn!(lines, "standard error took no log lines for a while; these are missing");
    let queue = Queue::start(QUEUED_LINES, io::stderr(), recovered)?;
    Ok(QUEUE.get_or_init(|| queue).clone())
}

/// Writes a text to standard error behind all log lines, without ever waiting for its reader or failing.
pub(crate) fn say(text: &str) {
    let line = format!("{text}\n");
    match QUEUE.get() {
        Some(queue) => queue.put(line.as_bytes()),
        // The log is written directly, or none is set up; a failure to write has nowhere to be told.
        None => drop(io::stderr().write_all(line.as_bytes())),
    }
}

/// Whether this process writes its log through the queue.
pub(super) fn is_used() -> bool {
    QUEUE.get().is_some()
}

/// Gives what was logged a moment to be written, for the end of the process.
pub(crate) fn flush(at_most: Duration) {
    if let Some(queue) = QUEUE.get() {
        queue.flush(at_most);
    }
}

/// Log lines that were never written, since the start.
pub(crate) fn dropped() -> u64 {
    QUEUE.get().map_or(0, |queue| queue.counts.dropped.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Takes a line when the test lets it, and fails when the test says so.
    struct Gated {
        allowed: mpsc::Receiver<bool>,
        written: mpsc::Sender<String>,
    }

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.allowed.recv().unwrap_or(false) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let text = String::from_utf8(bytes.to_vec()).expect("text");
            self.written.send(text).expect("the test listens");
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Log {
        queue: Queue,
        allow: mpsc::Sender<bool>,
        written: mpsc::Receiver<String>,
        missing: mpsc::Receiver<u64>,
    }

    fn log(capacity: usize) -> Log {
        let (allow, allowed) = mpsc::channel();
        let (write, written) = mpsc::channel();
        let (say, missing) = mpsc::channel();
        let recovered = move |lines| say.send(lines).expect("the test listens");
        let queue = Queue::start(capacity, Gated { allowed, written: write }, recovered).expect("a thread");
        Log { queue, allow, written, missing }
    }

    fn dropped(queue: &Queue) -> u64 {
        queue.counts.dropped.load(Ordering::Relaxed)
    }

    #[test]
    fn lines_that_find_no_room_are_counted_and_told_when_there_is_room_again() {
        let log = log(2);
        // At least two of them wait; whether the thread holds a third is its own affair.
        (0..10).for_each(|number| log.queue.put(format!("{number}").as_bytes()));
        let lost = dropped(&log.queue);
        assert!((7..=8).contains(&lost), "{lost}");
        (0..10).for_each(|_| log.allow.send(true).expect("the thread lives"));
        assert_eq!(log.missing.recv().expect("it is told"), lost);
        assert_eq!(log.written.try_iter().count() as u64, 10 - lost);
    }

    #[test]
    fn lines_that_are_refused_are_counted_and_told_once_writing_works_again() {
        let log = log(8);
        for allowed in [false, false, true] {
            log.queue.put(b"x");
            log.allow.send(allowed).expect("the thread lives");
        }
        assert_eq!(log.missing.recv().expect("it is told"), 2);
        assert_eq!((dropped(&log.queue), log.written.recv().expect("one line").as_str()), (2, "x"));
    }

    #[test]
    fn a_flush_waits_for_what_is_written_and_not_for_what_blocks() {
        let log = log(8);
        log.queue.put(b"stuck");
        log.queue.flush(Duration::from_millis(10));
        log.allow.send(true).expect("the thread lives");
        log.queue.flush(Duration::from_secs(60));
        assert_eq!(log.written.try_recv().as_deref(), Ok("stuck"));
    }
}
