//! Reads the lines of many objects in order, through any codec, ahead of the consumer and in bounded memory.
//!
//! `piece` fetches a range of an object and resumes a body that breaks off; `ahead` keeps as many pieces in flight as
//! improve the throughput (`concurrency`) and fit into memory; `decode` decompresses; `cutter` splits at newlines.
//!
//! A line is exactly what is between two newlines: a `\r` before the newline belongs to it, an empty line is a line,
//! and so is what follows the last newline. Lines are split on `\n` alone, never on other Unicode line ends. They come
//! in blocks, to make one hand-over per many lines; nothing here looks into a line.

mod ahead;
mod concurrency;
mod content;
mod cutter;
mod decode;
mod files;
mod piece;
mod verify;

#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::store::{ErrorKind, Key, StoreError};
use ahead::ReadAhead;
use cutter::Cutter;

pub use crate::object::Source;
pub(crate) use files::{FileLines, is_plain_file};
pub use verify::{Mismatch, ObjectCheck, verify_lines};

/// The default for the longest line that is accepted: far above any tweet, far below the memory of a machine.
pub const MAX_LINE_BYTES: usize = 64 << 20;

/// How to read lines. The defaults suit a program that reads one thing at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// Bytes to fetch or decompress ahead of the consumer; default 64 MiB. Raising it helps only with a store that is
    /// both distant and fast; lowering it reduces the number of concurrent requests. The last block, one unfinished
    /// line of at most `max_line_bytes`, and the decompressors' own buffers (up to 128 MiB for a Zstandard window) come on top.
    pub max_memory_bytes: usize,
    /// Concurrent requests; default `None`, which adapts: 4 at first, more while the consumer waits for a distant store
    /// and throughput improves, 64 at most.
    pub concurrency: Option<NonZeroUsize>,
    /// The longest line that is accepted; default [`MAX_LINE_BYTES`]. It bounds the memory that a damaged object can
    /// take.
    pub max_line_bytes: usize,
    /// The longest time without a byte, both before the head of a response and within its body; default 20 s. Then
    /// reading ends with [`ErrorKind::Timeout`]. A store may have a shorter limit of its own.
    pub stall_timeout: Duration,
}

impl Default for ReadOptions {
    fn default() -> ReadOptions {
        ReadOptions {
            max_memory_bytes: 64 << 20,
            concurrency: None,
            max_line_bytes: MAX_LINE_BYTES,
            stall_timeout: Duration::from_secs(20),
        }
    }
}

/// Why reading ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The store failed, or the object is damaged or truncated ([`ErrorKind::Corrupt`]).
    #[error("cannot read {key} from byte {offset} on")]
    Store {
        /// The object that was read.
        key: Key,
        /// Decoded bytes before the first line that could not be read.
        offset: u64,
        /// The error of the store or the decoder.
        #[source]
        source: StoreError,
    },
    /// A line too long to be held in memory, such as that of a decompression bomb.
    #[error("the line at byte {offset} of {key} is longer than {max_line_bytes} bytes")]
    LineTooLong {
        /// The object that was read.
        key: Key,
        /// Decoded bytes before the line.
        offset: u64,
        /// The longest line that is accepted.
        max_line_bytes: usize,
    },
}

impl ReadError {
    /// The object that was read.
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

    /// The kind of the store's error; a line that is too long counts as damage.
    pub fn kind(&self) -> ErrorKind {
        match self {
            ReadError::Store { source, .. } => source.kind(),
            ReadError::LineTooLong { .. } => ErrorKind::Corrupt,
        }
    }
}

/// Consecutive whole lines of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineBlock {
    object: usize,
    offset: u64,
    bytes: Bytes,
}

impl LineBlock {
    /// The index of the block's object in the list of sources.
    pub fn object(&self) -> usize {
        self.object
    }

    /// Decoded bytes of the object before this block.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Splits off the first `at` bytes, which must be whole lines.
    pub(crate) fn split_to(&mut self, at: usize) -> LineBlock {
        let head = LineBlock { object: self.object, offset: self.offset, bytes: self.bytes.split_to(at) };
        self.offset += at as u64;
        head
    }

    /// The raw bytes; the last line of an object may lack its newline.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The lines without their newlines.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.lines_at().map(|(_, line)| line)
    }

    /// The lines without their newlines, each with the number of decoded bytes before it.
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

/// Blocks of lines; ends after its first error.
pub type LineStream = BoxStream<'static, Result<LineBlock, ReadError>>;

/// Streams the lines of some objects, in their order. No request is made before the first poll, and dropping the stream
/// cancels all requests. Poll it inside a tokio runtime of either flavor; requests continue between polls as far as the
/// runtime has a thread for them.
///
/// A body that breaks off is resumed while the object is unchanged (three times per piece); an object that changes
/// while it is read is an error ([`ErrorKind::Corrupt`]).
///
/// # Errors
/// The stream gives [`ReadError::LineTooLong`] for a line that is longer than allowed, and [`ReadError::Store`]
/// otherwise, after all lines before the failure. A wrong checksum is detected at the end of an object, after its lines
/// have been given.
pub fn lines(sources: Vec<Source>, options: &ReadOptions) -> LineStream {
    let reading = Reading {
        sources: sources.into(),
        options: options.clone(),
        ahead: None,
        cutter: Cutter::new(0, options.max_line_bytes),
        done: false,
    };
    stream::unfold(reading, async |mut reading| Some((reading.next().await?, reading))).boxed()
}

struct Reading {
    sources: Arc<[Source]>,
    options: ReadOptions,
    /// Created by the first poll.
    ahead: Option<ReadAhead>,
    cutter: Cutter,
    done: bool,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<LineBlock, ReadError>> {
        loop {
            if let Some(block) = self.cutter.pop() {
                return Some(Ok(block));
            }
            if self.done {
                // Cancel all requests after an error.
                self.ahead = None;
                return None;
            }
            // All whole lines before the one that is too long have been given.
            if self.cutter.is_too_long() {
                self.done = true;
                return Some(Err(ReadError::LineTooLong {
                    key: self.key(self.cutter.object()),
                    offset: self.cutter.offset(),
                    max_line_bytes: self.options.max_line_bytes,
                }));
            }
            let (sources, options) = (&self.sources, &self.options);
            let ahead = self.ahead.get_or_insert_with(|| ReadAhead::new(Arc::clone(sources), options));
            match ahead.next().await {
                Some((object, chunk)) => {
                    if object != self.cutter.object() {
                        self.cutter = Cutter::new(object, self.options.max_line_bytes);
                    }
                    match chunk {
                        Ok(Some(chunk)) => self.cutter.push(&chunk),
                        Ok(None) => self.cutter.finish(),
                        Err(source) => {
                            self.done = true;
                            let offset = self.cutter.offset();
                            return Some(Err(ReadError::Store { key: self.key(object), offset, source }));
                        }
                    }
                }
                None => self.done = true,
            }
        }
    }

    fn key(&self, object: usize) -> Key {
        self.sources[object].key().clone()
    }
}
