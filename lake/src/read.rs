//! Reading the lines of many objects in order, through any codec, ahead of their reader and in bounded memory.
//!
//! The way of a byte: `piece` fetches a range of an object and resumes where its body broke off, `ahead` keeps as many
//! pieces under way as pay (`pace`) and as the memory allows, `decode` decompresses, `cutter` cuts behind newlines.
//!
//! A reader gives exactly what stands between two newlines: a `\r` before the newline is part of the line, an empty line is a
//! line, and so is what follows the last newline. Lines are split on `\n` alone, never on other Unicode line ends. They
//! come in blocks, so that a caller pays for a hand-over once in many lines; nothing here looks into a line.

mod ahead;
mod content;
mod cutter;
mod decode;
mod files;
mod pace;
mod piece;
mod verify;

#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::catalogue::ObjectRef;
use crate::store::{ErrorKind, Key, Store, StoreError};
use ahead::ReadAhead;
use cutter::Cutter;

pub(crate) use files::{FileLines, is_plain_file};
pub use verify::{Mismatch, ObjectCheck, verify_lines, verify_object};

/// Longest line a reader accepts unless it is told otherwise: far above any tweet, far below what hurts.
pub const MAX_LINE_BYTES: usize = 64 << 20;

/// How lines are read. The defaults suit a program that reads one thing at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// Bytes that are fetched or decompressed ahead of the reader; default 64 MiB. More helps only where a store is both far
    /// away and fast; little means few requests at once. Beside them memory holds the block that was given out, one
    /// unfinished line of at most `max_line_bytes`, and what decompressors need for themselves (see [`crate::codec`]).
    pub max_memory_bytes: usize,
    /// Requests at once; default `None`, which finds it out: 4 to begin with, as many as pay while the reader waits for a
    /// store that is far away, 64 at most.
    pub concurrency: Option<NonZeroUsize>,
    /// Longest line that is accepted; default [`MAX_LINE_BYTES`]. It bounds what a damaged object can make a reader hold.
    pub max_line_bytes: usize,
    /// Longest time without a byte, for an answer's head as well as between two parts of a body; default 20 s. Then the
    /// reading ends with an error ([`ErrorKind::Timeout`]). A store may have a limit of its own that is shorter.
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

/// What is read: one object, or the word that something cannot be.
#[derive(Debug, Clone)]
pub enum Source {
    /// An object of this store. It must have the length and, where its entry tells one, the checksum of its entry: others mean
    /// that it is damaged or was changed.
    Object(Arc<dyn Store>, ObjectRef),
    /// Something of which it is known that it cannot be read; the reading ends here.
    Unreadable {
        /// What it is.
        key: Key,
        /// Why.
        reason: String,
    },
}

impl Source {
    /// Its name.
    pub fn key(&self) -> &Key {
        match self {
            Source::Object(_, object) => &object.key,
            Source::Unreadable { key, .. } => key,
        }
    }

    /// Which of several lakes holds it, counted from 0.
    pub(crate) fn lake(&self) -> usize {
        match self {
            Source::Object(_, object) => object.lake,
            Source::Unreadable { .. } => 0,
        }
    }
}

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
    object: usize,
    offset: u64,
    bytes: Bytes,
}

impl LineBlock {
    /// The place of the block's object among the sources that are read, counted from 0.
    pub fn object(&self) -> usize {
        self.object
    }

    /// Decoded bytes of the object before this block.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes the first so many bytes away, as a block of their own. They must be whole lines.
    pub(crate) fn split_to(&mut self, at: usize) -> LineBlock {
        let head = LineBlock { object: self.object, offset: self.offset, bytes: self.bytes.split_to(at) };
        self.offset += at as u64;
        head
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

/// The lines of some objects, in their order. Nothing is requested before the first poll, and dropping the stream ends
/// every request. It must be polled inside a tokio run time, of whatever kind; requests go on between polls as far as
/// that run time has a thread for them.
///
/// An object that breaks off is read on from there while it is the same (three times a piece); one that changes while it is
/// read is an error ([`ErrorKind::Corrupt`]).
///
/// # Errors
/// The stream gives [`ReadError::LineTooLong`] for a line that is longer than allowed, and [`ReadError::Store`] for everything
/// else. The lines before the damage come first. That an object is not what its manifest lists shows at its end, when its lines
/// may have come.
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
    /// Begins with the first poll.
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
                // Nothing is fetched for a reader that has had its error.
                self.ahead = None;
                return None;
            }
            // What was whole before the line that is too long has been given out by now.
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
