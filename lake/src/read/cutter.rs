//! Cuts chunks with arbitrary borders into blocks of whole lines. Only a line across the border of two chunks is
//! copied.
//!
//! Pure: bytes in, blocks out. It follows the decoder and depends on neither stores nor codecs.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::LineBlock;

/// Cuts the chunks of one object after newlines.
pub(super) struct Cutter {
    object: usize,
    max_line_bytes: usize,
    /// The unfinished line.
    carry: BytesMut,
    /// Decoded bytes before `carry`.
    offset: u64,
    ready: VecDeque<LineBlock>,
    /// The line at `offset` is too long: further chunks are ignored.
    too_long: bool,
}

impl Cutter {
    /// For the object with this index in the list of sources.
    pub(super) fn new(object: usize, max_line_bytes: usize) -> Cutter {
        Cutter { object, max_line_bytes, carry: BytesMut::new(), offset: 0, ready: VecDeque::new(), too_long: false }
    }

    /// The index of the object.
    pub(super) fn object(&self) -> usize {
        self.object
    }

    /// Decoded bytes before the first line that has not been given.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the line at [`offset`](Self::offset) is too long. Whole lines before it are still given.
    pub(super) fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// Takes the next block.
    pub(super) fn pop(&mut self) -> Option<LineBlock> {
        self.ready.pop_front()
    }

    /// Takes all blocks.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = LineBlock> {
        self.ready.drain(..)
    }

    pub(super) fn push(&mut self, chunk: &Bytes) {
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

    /// The end of the last whole line of a chunk, or of the last one before a line that is too long.
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
        let block = LineBlock { object: self.object, offset: self.offset, bytes };
        self.offset += block.bytes.len() as u64;
        self.ready.push_back(block);
    }

    /// Ends the object: what follows the last newline is a line, too.
    pub(super) fn finish(&mut self) {
        if !self.carry.is_empty() && !self.too_long {
            let line = self.carry.split().freeze();
            self.give(line);
        }
    }
}
