//! Lines out of a stream's bytes: chunks go in as the network cuts them, whole lines come out in blocks.
//!
//! Pure: no tokio, no clock, and nothing here looks into a line. Chunks have nothing to do with lines; they may split a line
//! end or a character. A line ends at `\n`, and one `\r` before it belongs to the line end. A line of nothing but white
//! space is a heartbeat. A line that is longer than the limit is cut to its first bytes while it is read, so that memory
//! stays bounded by the limit and one chunk. Zeros before anything else in a line, as a crash of the machine leaves them in a file,
//! are a line of their own with the same number: what follows them may be good.
//!
//! Each byte is copied once, into the block that is handed over; a line that crosses the border of two blocks may be
//! copied a second time.

use bytes::{Bytes, BytesMut};

/// How much of a line that is too long is kept.
pub const KEPT_BYTES: usize = 64 * 1024;

/// How much is asked for when a block's memory has gone out with it: a typical read of the network.
const BLOCK_BYTES: usize = 64 * 1024;

/// What is special about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    /// Nothing: it is all there.
    Whole,
    /// It is longer than the limit; its first [`KEPT_BYTES`] were kept.
    TooLong,
    /// The input was over before its line end. From a connection that broke it is half a line; in a file, the last one.
    Unended,
}

/// One line of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Its first byte in the block.
    pub start: u32,
    /// The first byte after it (after what was kept of it), without its line end.
    pub end: u32,
    /// Its whole length in bytes, without its line end.
    pub length: u64,
    /// Its number in the input, from 1, heartbeats and blank lines counted.
    pub number: u64,
    /// What is special about it.
    pub state: LineState,
}

/// Lines that were completed since the last block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// The bytes in which the lines stand, with their line ends.
    pub bytes: Bytes,
    /// The lines, in the order in which they came, without the blank ones.
    pub lines: Vec<Line>,
    /// Lines of nothing but white space.
    pub heartbeats: u64,
    /// Bytes of the input so far, up to and with the last line end; in the last block all of them.
    pub offset: u64,
}

impl Block {
    /// The bytes of one of its lines.
    pub fn line(&self, line: &Line) -> &[u8] {
        &self.bytes[line.start as usize..line.end as usize]
    }
}

/// Cuts chunks into lines.
#[derive(Debug)]
pub struct Framer {
    max_line_bytes: usize,
    /// Whole lines of the next block, then the unfinished line (what is kept of it, inside one that is too long).
    buffer: BytesMut,
    /// Where the unfinished line begins in `buffer`.
    line_start: usize,
    /// Number of the unfinished line.
    number: u64,
    /// The part of the next block that is no bytes.
    next: Block,
    /// Set inside a line that is too long.
    skipping: Option<Skipping>,
}

/// How far the line goes that is too long.
#[derive(Debug, Clone, Copy)]
struct Skipping {
    length: u64,
    last: u8,
    /// Whether it is of zeros alone so far.
    is_zeros: bool,
}

impl Framer {
    /// `max_line_bytes` is the longest line that is let through, without its line end. Raising it raises the memory that
    /// one bad line can take. At most 1 GiB.
    pub fn new(max_line_bytes: usize) -> Framer {
        Framer {
            max_line_bytes: max_line_bytes.min(1 << 30),
            buffer: BytesMut::new(),
            line_start: 0,
            number: 1,
            next: Block::default(),
            skipping: None,
        }
    }

    /// Steps over bytes that are not read again, so that numbers and offsets stay true. Only before the first
    /// [`Framer::push`], and up to a line end or the input's end.
    pub fn step_over(&mut self, bytes: &[u8]) {
        self.number += memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.next.offset += bytes.len() as u64;
    }

    /// Takes the next chunk. Call [`Framer::take_block`] after each one: what is not taken stays in memory.
    ///
    /// # Panics
    /// When 4 GiB have been pushed and no block was taken.
    pub fn push(&mut self, mut chunk: &[u8]) {
        if self.skipping.is_some_and(|skipping| skipping.is_zeros) {
            let zeros = leading_zeros(chunk);
            self.skip(&chunk[..zeros]);
            chunk = &chunk[zeros..];
            match chunk.first() {
                None => return,
                Some(b'\n') => {}
                Some(_) => self.end_skipped_zeros(),
            }
        }
        if self.skipping.is_some() {
            let Some(end) = memchr::memchr(b'\n', chunk) else {
                self.skip(chunk);
                return;
            };
            self.skip(&chunk[..end]);
            self.end_skipped();
            chunk = &chunk[end + 1..];
        }
        if self.buffer.capacity() - self.buffer.len() < chunk.len() {
            self.buffer.reserve(chunk.len().max(BLOCK_BYTES));
        }
        // The unfinished line has no line end: only the new bytes are searched.
        let searched = self.buffer.len();
        self.buffer.extend_from_slice(chunk);
        for end in memchr::memchr_iter(b'\n', chunk) {
            self.end_line(searched + end);
        }
        if self.buffer.len() - self.line_start > self.max_line_bytes.saturating_add(1) {
            self.split_zeros(self.buffer.len());
        }
        let unfinished = self.buffer.len() - self.line_start;
        // One byte over the limit may still be the `\r` of the line end.
        if unfinished > self.max_line_bytes.saturating_add(1) {
            let last = self.buffer.last().copied().unwrap_or(0);
            let is_zeros = self.buffer[self.line_start] == 0;
            self.skipping = Some(Skipping { length: unfinished as u64, last, is_zeros });
            self.buffer.truncate(self.line_start + KEPT_BYTES);
        }
    }

    /// The line from `line_start` to the `\n` at `end` is whole.
    fn end_line(&mut self, end: usize) {
        self.split_zeros(end);
        let line = without_cr(&self.buffer[self.line_start..end]);
        if line.len() > self.max_line_bytes {
            self.give(line.len().min(KEPT_BYTES), line.len() as u64, LineState::TooLong);
        } else if is_blank(line) {
            self.next.heartbeats += 1;
        } else {
            self.give(line.len(), line.len() as u64, LineState::Whole);
        }
        self.next.offset += (end + 1 - self.line_start) as u64;
        self.number += 1;
        self.line_start = end + 1;
    }

    /// Makes the zeros that the line up to `end` begins with a line of their own, unless it holds nothing else.
    #[inline]
    fn split_zeros(&mut self, end: usize) {
        if self.line_start < end && self.buffer[self.line_start] == 0 {
            self.split_some_zeros(end);
        }
    }

    #[cold]
    fn split_some_zeros(&mut self, end: usize) {
        let zeros = leading_zeros(&self.buffer[self.line_start..end]);
        if zeros == end - self.line_start {
            return;
        }
        match zeros > self.max_line_bytes {
            true => self.give(zeros.min(KEPT_BYTES), zeros as u64, LineState::TooLong),
            false => self.give(zeros, zeros as u64, LineState::Whole),
        }
        self.next.offset += zeros as u64;
        self.line_start += zeros;
    }

    /// Zeros that are too long for a line have come to something else.
    fn end_skipped_zeros(&mut self) {
        let Some(skipping) = self.skipping.take() else { return };
        self.give(self.buffer.len() - self.line_start, skipping.length, LineState::TooLong);
        self.next.offset += skipping.length;
        self.line_start = self.buffer.len();
    }

    /// Bytes of the line that is too long, without a line end among them.
    fn skip(&mut self, bytes: &[u8]) {
        let Some(skipping) = &mut self.skipping else { return };
        skipping.length += bytes.len() as u64;
        skipping.last = bytes.last().copied().unwrap_or(skipping.last);
        let wanted = KEPT_BYTES - (self.buffer.len() - self.line_start);
        self.buffer.extend_from_slice(&bytes[..bytes.len().min(wanted)]);
    }

    /// The line that is too long has come to its `\n`, or to the input's end.
    fn end_skipped(&mut self) {
        let Some(skipping) = self.skipping.take() else { return };
        let length = skipping.length - u64::from(skipping.last == b'\r');
        let kept = self.buffer.len() - self.line_start;
        self.give(usize::try_from(length).unwrap_or(usize::MAX).min(kept), length, LineState::TooLong);
        self.next.offset += skipping.length + 1;
        self.number += 1;
        self.line_start = self.buffer.len();
    }

    fn give(&mut self, kept: usize, length: u64, state: LineState) {
        let at = |at| u32::try_from(at).expect("a block is taken long before 4 GiB are pushed");
        let (start, end) = (at(self.line_start), at(self.line_start + kept));
        self.next.lines.push(Line { start, end, length, number: self.number, state });
    }

    /// What was completed since the last call; `None` if nothing was.
    pub fn take_block(&mut self) -> Option<Block> {
        if self.next.lines.is_empty() && self.next.heartbeats == 0 {
            return None;
        }
        Some(self.block())
    }

    fn block(&mut self) -> Block {
        let bytes = self.buffer.split_to(std::mem::take(&mut self.line_start)).freeze();
        let offset = self.next.offset;
        Block { bytes, ..std::mem::replace(&mut self.next, Block { offset, ..Block::default() }) }
    }

    /// Ends the input: gives what was not taken yet, and the line without an end, unless it is blank.
    pub fn finish(mut self) -> Block {
        if self.skipping.is_some() {
            self.end_skipped();
            // There was no line end to count.
            self.next.offset -= 1;
            return self.block();
        }
        self.split_zeros(self.buffer.len());
        let line = without_cr(&self.buffer[self.line_start..]);
        let (bytes, length) = (line.len(), line.len() as u64);
        if bytes > self.max_line_bytes {
            self.give(bytes.min(KEPT_BYTES), length, LineState::TooLong);
        } else if !is_blank(line) {
            self.give(bytes, length, LineState::Unended);
        }
        self.next.offset += (self.buffer.len() - self.line_start) as u64;
        self.line_start = self.buffer.len();
        self.block()
    }
}

fn leading_zeros(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len())
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// White space as JSON knows it; what else might pass for some must not vanish as a heartbeat.
fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

#[cfg(test)]
mod tests;
