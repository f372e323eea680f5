//! Reading one finite input to its end: decompression by what the bytes say, framing, batches with their position.
//!
//! Blocking, so it runs on a thread of its own; [`super::files`] and [`super::stdin`] call it. Memory is bounded by the read
//! buffer, the longest line and the decoder's window, whatever the input decompresses to.

use std::io::{self, BufReader, Cursor, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cauce_lake::manifest::IngestPath;
use cauce_lake::tweet::Control;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::batches::{Limits, RejectedLine, Sorter, portions};
use super::framing::Framer;
use crate::channel::{Batch, Closed, Position};
use crate::status::Metrics;

/// Decoded bytes of one read: the upper bound of a batch, give or take one line.
const READ_BYTES: usize = 1 << 20;
/// Bytes on disk of one read where a decoder stands between.
const RAW_BYTES: usize = 128 << 10;

/// `reader`'s bytes decompressed, if they begin as gzip (any number of members) or zstd (any number of frames).
///
/// The bytes decide and not the name: plain JSON can begin as neither.
pub(crate) fn decoded<R: Read + Send + 'static>(mut reader: R) -> io::Result<Box<dyn Read + Send>> {
    let mut head = Vec::with_capacity(4);
    while head.len() < 4 {
        let mut byte = [0; 4];
        let room = 4 - head.len();
        match reader.read(&mut byte[..room]) {
            Ok(0) => break,
            Ok(count) => head.extend_from_slice(&byte[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let is_gzip = head.starts_with(&[0x1f, 0x8b]);
    // A zstd file may begin with a skippable frame, as pzstd writes it.
    let is_zstd = head == [0x28, 0xb5, 0x2f, 0xfd]
        || (head.len() == 4 && head[0] & 0xf0 == 0x50 && head[1..] == [0x2a, 0x4d, 0x18]);
    let whole = Cursor::new(head).chain(reader);
    if is_gzip {
        let raw = BufReader::with_capacity(RAW_BYTES, whole);
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(raw)));
    }
    if is_zstd {
        return Ok(Box::new(zstd::Decoder::with_buffer(BufReader::with_capacity(RAW_BYTES, whole))?));
    }
    Ok(Box::new(whole))
}

/// One input and how it is to be read.
#[derive(Debug)]
pub(crate) struct Input {
    /// Where it stands before it is read; `None` where it cannot be read again (standard input).
    pub(crate) position: Option<Position>,
    /// Its name, for people.
    pub(crate) name: String,
    /// Whether a batch waits until the buffer is full. Not so for pipes, whose lines are to go on at once.
    pub(crate) fills: bool,
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
    /// We were asked to stop, or nobody takes lines any more.
    Stopped,
}

/// What a reader fails with when it is no longer wanted: neither an end nor a fault of the input.
#[derive(Debug, thiserror::Error)]
#[error("reading was called off")]
pub(crate) struct CalledOff;

impl Input {
    /// Reads `reader`, whose bytes are already [`decoded`], from the position on, and gives batches to `send`.
    pub(crate) fn read(
        mut self,
        mut reader: impl Read,
        stop: &CancellationToken,
        mut send: impl FnMut(Batch) -> Result<(), Closed>,
    ) -> End {
        let sorter = Sorter::new(Arc::clone(&self.metrics), IngestPath::Replay, self.name.clone(), &self.limits);
        let mut framer = Framer::new(self.limits.max_line_bytes);
        let mut buffer = vec![0; READ_BYTES];
        let mut controls: Vec<Control> = Vec::new();
        let mut known = self.position.as_ref().map_or(0, |position| position.offset);
        while known > 0 {
            if stop.is_cancelled() {
                return End::Stopped;
            }
            let room = usize::try_from(known).unwrap_or(READ_BYTES).min(READ_BYTES);
            let (count, end) = read_some(&mut reader, &mut buffer[..room], true);
            known -= count as u64;
            framer.step_over(&buffer[..count]);
            match end {
                Some(Err(error)) => return End::Broken(error),
                Some(Ok(())) => break,
                None => {}
            }
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
            if let Some(end) = self.hand_over(last, offset, end.is_ok(), &mut send) {
                return end;
            }
            return match end {
                Ok(()) => End::Done,
                Err(error) => End::Broken(error),
            };
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
