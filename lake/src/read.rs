//! Reading an hour's lines through any codec, in constant memory.
//!
//! A reader gives exactly what stands between two newlines: a `\r` before the newline is part of the line, an empty line is a
//! line, and so is what follows the last newline. Lines are split on `\n` alone, never on other Unicode line ends. They
//! come in blocks, so that a caller pays for a hand-over once in many lines; nothing here looks into a line.

mod verify;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::codec::decode;
use crate::manifest::Codec;
use crate::store::{ByteStream, ErrorKind, Key, Store, StoreError};

pub use verify::{Mismatch, ObjectCheck, verify_lines, verify_object};

/// Longest line a reader accepts unless it is told otherwise: far above any tweet, far below what hurts.
pub const MAX_LINE_BYTES: usize = 64 << 20;

/// What ends the reading of an object.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The store failed, or the object is damaged or cut off ([`ErrorKind::Corrupt`]).
    #[error("cannot read {key} from byte {offset} on")]
    Store {
        /// The object.
        key: Key,
        /// Decoded bytes before the first line that could not be read.
        offset: u64,
        /// What the store or the decoder said.
        #[source]
        source: StoreError,
    },
    /// A line that cannot be held in memory, such as that of a bomb.
    #[error("the line at byte {offset} of {key} is longer than {max_line_bytes} bytes")]
    LineTooLong {
        /// The object.
        key: Key,
        /// Decoded bytes before the line.
        offset: u64,
        /// The longest line that would have been accepted.
        max_line_bytes: usize,
    },
}

impl ReadError {
    /// The object.
    pub fn key(&self) -> &Key {
        match self {
            ReadError::Store { key, .. } | ReadError::LineTooLong { key, .. } => key,
        }
    }

    /// Decoded bytes before the first line that could not be read.
    pub fn offset(&self) -> u64 {
        match self {
            ReadError::Store { offset, .. } | ReadError::LineTooLong { offset, .. } => *offset,
        }
    }

    /// What it means; a line that is too long counts as damage.
    pub fn kind(&self) -> ErrorKind {
        match self {
            ReadError::Store { source, .. } => source.kind(),
            ReadError::LineTooLong { .. } => ErrorKind::Corrupt,
        }
    }
}

/// Some whole lines of an object, contiguous as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineBlock {
    offset: u64,
    bytes: Bytes,
}

impl LineBlock {
    /// Decoded bytes of the object before this block.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The block as it was read; the last line of an object may lack its newline.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The lines without their newlines.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.lines_at().map(|(_, line)| line)
    }

    /// The lines without their newlines, each with the decoded bytes of the object before it.
    pub fn lines_at(&self) -> impl Iterator<Item = (u64, &[u8])> + Clone {
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
            let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
            let offset = self.offset + at as u64;
            at += line.len() + 1;
            Some((offset, line))
        })
    }
}

/// Blocks of lines as they arrive; ends after its first error.
pub type LineStream = BoxStream<'static, Result<LineBlock, ReadError>>;

/// The lines of an object. Nothing is requested before the first poll.
///
/// Beside the block that was given out, memory holds one unfinished line, one chunk and what [`decode`] holds.
///
/// # Errors
/// The stream gives [`ReadError::LineTooLong`] for a line of more than `max_line_bytes` (see [`MAX_LINE_BYTES`]), and
/// [`ReadError::Store`] for everything else.
pub fn lines(store: Arc<dyn Store>, key: Key, codec: Codec, max_line_bytes: usize) -> LineStream {
    let opened = {
        let key = key.clone();
        async move {
            match store.read(&key, None).await {
                Ok(stream) => decode(stream, codec, key.as_str()),
                Err(error) => stream::iter([Err(error)]).boxed(),
            }
        }
    };
    let reading = Reading {
        chunks: stream::once(opened).flatten().boxed(),
        key,
        cutter: Cutter::new(max_line_bytes),
        done: false,
    };
    stream::unfold(reading, async |mut reading| Some((reading.next().await?, reading))).boxed()
}

struct Reading {
    chunks: ByteStream,
    key: Key,
    cutter: Cutter,
    done: bool,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<LineBlock, ReadError>> {
        loop {
            if let Some(block) = self.cutter.ready.pop_front() {
                return Some(Ok(block));
            }
            if self.done {
                return None;
            }
            // What was whole before the line that is too long has been given out by now.
            if self.cutter.too_long {
                self.done = true;
                return Some(Err(ReadError::LineTooLong {
                    key: self.key.clone(),
                    offset: self.cutter.offset,
                    max_line_bytes: self.cutter.max_line_bytes,
                }));
            }
            match self.chunks.next().await {
                Some(Ok(chunk)) => self.cutter.push(&chunk),
                Some(Err(source)) => {
                    self.done = true;
                    return Some(Err(ReadError::Store { key: self.key.clone(), offset: self.cutter.offset, source }));
                }
                None => {
                    self.done = true;
                    self.cutter.finish();
                }
            }
        }
    }
}

/// Cuts chunks behind newlines. Only the line that crosses the border of two chunks is copied.
struct Cutter {
    max_line_bytes: usize,
    /// The unfinished line.
    carry: BytesMut,
    /// Decoded bytes before `carry`.
    offset: u64,
    ready: VecDeque<LineBlock>,
    /// The line at `offset` is too long: nothing is taken any more.
    too_long: bool,
}

impl Cutter {
    fn new(max_line_bytes: usize) -> Cutter {
        Cutter { max_line_bytes, carry: BytesMut::new(), offset: 0, ready: VecDeque::new(), too_long: false }
    }

    fn push(&mut self, chunk: &Bytes) {
        let mut chunk = chunk.clone();
        if !self.carry.is_empty() {
            let first = memchr::memchr(b'\n', &chunk).map_or(chunk.len(), |at| at + 1);
            let head = chunk.split_to(first);
            let whole = head.last() == Some(&b'\n');
            if self.carry.len() + head.len() - usize::from(whole) > self.max_line_bytes {
                self.too_long = true;
                return;
            }
            self.carry.extend_from_slice(&head);
            if !whole {
                return;
            }
            let line = self.carry.split().freeze();
            self.give(line);
        }
        let whole = chunk.split_to(self.lines_end(&chunk));
        if !whole.is_empty() {
            self.give(whole);
        }
        if self.too_long || chunk.len() > self.max_line_bytes {
            self.too_long = true;
        } else {
            self.carry.extend_from_slice(&chunk);
        }
    }

    /// Where the last whole line of a chunk ends, or the last one before a line that is too long.
    fn lines_end(&mut self, chunk: &[u8]) -> usize {
        let last = memchr::memrchr(b'\n', chunk).map_or(0, |at| at + 1);
        if last <= self.max_line_bytes {
            return last;
        }
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &chunk[..last]) {
            if end - start > self.max_line_bytes {
                self.too_long = true;
                return start;
            }
            start = end + 1;
        }
        last
    }

    fn give(&mut self, bytes: Bytes) {
        let block = LineBlock { offset: self.offset, bytes };
        self.offset += block.bytes.len() as u64;
        self.ready.push_back(block);
    }

    fn finish(&mut self) {
        if !self.carry.is_empty() && !self.too_long {
            let line = self.carry.split().freeze();
            self.give(line);
        }
    }
}
