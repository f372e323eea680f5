//! Reading the lines of one finite input to its end: framing, batches with their position.
//!
//! Blocking, so it runs on a thread of its own; [`super::files`] and [`super::stdin`] call it. Memory is bounded by the read
//! buffer, the longest line and what [`super::unpack`] holds, whatever the input decompresses to.

use std::io::{self, Cursor, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cauce_lake::manifest::IngestPath;
use cauce_lake::tweet::Control;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::batches::{Limits, RejectedLine, Sorter, portions};
use super::framing::Framer;
use crate::channel::Closed;
use crate::record::{Batch, Position};
use crate::status::Metrics;

/// Decoded bytes of one read: the upper bound of a batch, give or take one line.
const READ_BYTES: usize = 1 << 20;
/// One input and how it is to be read.
#[derive(Debug)]
pub(crate) struct Input {
    /// Where it stands before it is read; `None` where it cannot be read again (standard input).
    pub(crate) position: Option<Position>,
    /// Its name, for people.
    pub(crate) name: String,
    /// Whether a batch waits until the buffer is full. Not so for pipes, whose lines are to go on at once.
    pub(crate) fills: bool,
    /// Whether its file is done with it; not so for a member of an archive.
    pub(crate) is_last: bool,
    /// Whether more has come behind what an earlier run read as the end: its last line may have been the beginning of one.
    pub(crate) has_grown: bool,
    /// Bounds.
    pub(crate) limits: Limits,
    /// Where it counts.
    pub(crate) metrics: Arc<Metrics>,
}

/// How reading came to its end.
#[derive(Debug)]
pub(crate) enum End {
    /// The input is read to its end.
    Done,
    /// It is broken off: damaged, cut short or unreadable from here on. Everything before is sent.
    Broken(io::Error),
    /// A reject ended it. Everything before is sent, and the reject too where the input cannot be read again.
    Rejected(RejectedLine),
    /// A stop was requested, or the receiver of lines is gone.
    Stopped,
}

/// What a reader fails with when it is no longer wanted: neither an end nor a fault of the input.
#[derive(Debug, thiserror::Error)]
#[error("reading was called off")]
pub(crate) struct CalledOff;

impl Input {
    /// Reads `reader`, which gives lines, from the position on, and gives batches to `send`.
    pub(crate) fn read<'r>(
        mut self,
        mut reader: Box<dyn Read + 'r>,
        stop: &CancellationToken,
        mut send: impl FnMut(Batch) -> Result<(), Closed>,
    ) -> End {
        let sorter = Sorter::new(Arc::clone(&self.metrics), IngestPath::Replay, self.name.clone(), &self.limits);
        let mut framer = Framer::new(self.limits.max_line_bytes);
        let mut buffer = vec![0; READ_BYTES];
        let mut controls: Vec<Control> = Vec::new();
        let mut known = self.position.as_ref().map_or(0, |position| position.offset);
        let mut last_line = Vec::new();
        while known > 0 {
            if stop.is_cancelled() {
                return End::Stopped;
            }
            let room = usize::try_from(known).unwrap_or(READ_BYTES).min(READ_BYTES);
            let (count, end) = read_some(&mut reader, &mut buffer[..room], true);
            known -= count as u64;
            if self.has_grown {
                self.step_over(&buffer[..count], &mut last_line, &mut framer);
            } else {
                framer.step_over(&buffer[..count]);
            }
            match end {
                Some(Err(error)) => return End::Broken(error),
                Some(Ok(())) => break,
                None => {}
            }
        }
        if self.has_grown && !last_line.is_empty() {
            // A line end makes it the line that it was taken for; anything else goes on with it.
            let mut next = [0];
            let (count, end) = read_some(&mut reader, &mut next, true);
            if let Some(Err(error)) = end {
                return End::Broken(error);
            }
            let next = next[..count].to_vec();
            if matches!(next[..], [] | [b'\n' | b'\r']) {
                framer.step_over(&std::mem::take(&mut last_line));
            }
            reader = Box::new(Cursor::new([last_line, next].concat()).chain(reader));
        }
        loop {
            if stop.is_cancelled() {
                return End::Stopped;
            }
            let (count, end) = read_some(&mut reader, &mut buffer, self.fills);
            self.metrics.bytes_received.inc_by(count as u64);
            self.metrics.last_byte_ms.store(Timestamp::now().as_millisecond(), Ordering::Relaxed);
            for portion in portions(&buffer[..count], self.limits.portion_records()) {
                framer.push(portion);
                let Some(block) = framer.take_block() else { continue };
                let offset = block.offset;
                let batch = sorter.sort(block, &mut controls);
                if let Some(end) = self.hand_over(batch, offset, false, &mut send) {
                    return end;
                }
            }
            controls.clear();
            let Some(end) = end else { continue };
            if end.as_ref().is_err_and(|error| error.get_ref().is_some_and(|inner| inner.is::<CalledOff>())) {
                return End::Stopped;
            }
            let tail = framer.finish();
            let offset = tail.offset;
            let last = if end.is_ok() { sorter.sort(tail, &mut controls) } else { sorter.cut_off(tail) };
            let is_done = end.is_ok() && self.is_last;
            if let Some(end) = self.hand_over(last, offset, is_done, &mut send) {
                return end;
            }
            return match end {
                Ok(()) => End::Done,
                Err(error) => End::Broken(error),
            };
        }
    }

    /// Steps over bytes, but holds the line that they end in.
    fn step_over(&self, bytes: &[u8], last_line: &mut Vec<u8>, framer: &mut Framer) {
        let lines = memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1);
        if lines > 0 {
            framer.step_over(&std::mem::take(last_line));
            framer.step_over(&bytes[..lines]);
        }
        last_line.extend_from_slice(&bytes[lines..]);
        if last_line.len() > self.limits.max_line_bytes {
            framer.step_over(&std::mem::take(last_line));
        }
    }

    /// Sends a batch, unless it holds the reject that ends a file: that is read again. `Some` when the reading ends.
    fn hand_over(
        &mut self,
        batch: Batch,
        offset: u64,
        done: bool,
        send: &mut impl FnMut(Batch) -> Result<(), Closed>,
    ) -> Option<End> {
        let rejected = self.limits.fatal(&batch);
        if (rejected.is_none() || self.position.is_none()) && send(self.positioned(batch, offset, done)).is_err() {
            return Some(End::Stopped);
        }
        rejected.map(End::Rejected)
    }

    fn positioned(&mut self, mut batch: Batch, offset: u64, done: bool) -> Batch {
        if let Some(position) = &mut self.position {
            position.offset = offset;
            position.done = done;
            batch.position = Some(position.clone());
        }
        batch
    }
}

/// Reads once, or until `buffer` is full; also says whether that was the end, and which.
fn read_some(reader: &mut impl Read, buffer: &mut [u8], fills: bool) -> (usize, Option<io::Result<()>>) {
    let mut count = 0;
    while count < buffer.len() {
        match reader.read(&mut buffer[count..]) {
            Ok(0) => return (count, Some(Ok(()))),
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return (count, Some(Err(error))),
        }
        if !fills {
            break;
        }
    }
    (count, None)
}
