//! Lines out of a stream's bytes: chunks go in as the network cuts them, whole lines come out in blocks.
//!
//! Pure: no tokio, no clock, and nothing here looks into a line. Chunks have nothing to do with lines; they may split a line
//! end or a character. A line ends at `\n`, and one `\r` before it belongs to the line end. A line of nothing but white
//! space is a heartbeat. A line that is longer than the limit is cut to its first bytes while it is read, so that memory
//! stays bounded by the limit and one chunk.
//!
//! Each byte is copied once, into the block that is handed over; a line that crosses the border of two blocks may be
//! copied a second time.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// How much of a line that is too long is kept.
pub const KEPT_BYTES: usize = 64 * 1024;

/// How much is asked for when a block's memory has gone out with it: a typical read of the network.
const BLOCK_BYTES: usize = 64 * 1024;

/// A line that was longer than the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLong {
    /// Its first [`KEPT_BYTES`] (all of it, where it is shorter than that).
    pub first: Bytes,
    /// Its whole length without the line end.
    pub total: u64,
}

/// Lines that were completed since the last block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// The bytes in which the lines stand, with their line ends.
    pub bytes: Bytes,
    /// Where each line stands in `bytes`, without its line end.
    pub lines: Vec<Range<u32>>,
    /// Lines of nothing but white space.
    pub heartbeats: u32,
    /// Lines that were longer than the limit.
    pub too_long: Vec<TooLong>,
}

impl Block {
    /// The lines, in the order in which they came.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.lines.iter().map(|line| &self.bytes[line.start as usize..line.end as usize])
    }

    /// The lines as slices that keep the block's memory alive; nothing is copied.
    pub fn slices(&self) -> impl ExactSizeIterator<Item = Bytes> {
        self.lines.iter().map(|line| self.bytes.slice(line.start as usize..line.end as usize))
    }
}

/// What stands after the last line end when the input is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    /// A line without an end, as it came. From a connection that broke it is half a line; in a file it is the last one.
    Line(Bytes),
    /// The same, longer than the limit.
    TooLong(TooLong),
}

/// Cuts chunks into lines.
#[derive(Debug)]
pub struct Framer {
    max_line_bytes: usize,
    /// Whole lines of the next block, then the unfinished line.
    buffer: BytesMut,
    /// Where the unfinished line begins in `buffer`.
    line_start: usize,
    /// The part of the next block that is no bytes.
    next: Block,
    /// Set inside a line that is too long: nothing of it is in `buffer`.
    skipping: Option<Skipped>,
}

/// The line that is being skipped.
#[derive(Debug)]
struct Skipped {
    first: Vec<u8>,
    total: u64,
    last: u8,
}

impl Framer {
    /// `max_line_bytes` is the longest line that is let through, without its line end. Raising it raises the memory that
    /// one bad line can take. At most 1 GiB.
    pub fn new(max_line_bytes: usize) -> Framer {
        Framer {
            max_line_bytes: max_line_bytes.min(1 << 30),
            buffer: BytesMut::new(),
            line_start: 0,
            next: Block::default(),
            skipping: None,
        }
    }

    /// Takes the next chunk. Call [`Framer::take_block`] after each one: what is not taken stays in memory.
    ///
    /// # Panics
    /// When 4 GiB have been pushed and no block was taken.
    pub fn push(&mut self, mut chunk: &[u8]) {
        if let Some(skipped) = &mut self.skipping {
            let Some(end) = memchr::memchr(b'\n', chunk) else {
                skipped.extend(chunk);
                return;
            };
            skipped.extend(&chunk[..end]);
            chunk = &chunk[end + 1..];
            let too_long = self.skipping.take().map(Skipped::finish);
            self.next.too_long.extend(too_long);
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
        let unfinished = &self.buffer[self.line_start..];
        // One byte over the limit may still be the `\r` of the line end.
        if unfinished.len() > self.max_line_bytes.saturating_add(1) {
            let mut skipped = Skipped { first: Vec::new(), total: 0, last: 0 };
            skipped.extend(unfinished);
            self.skipping = Some(skipped);
            self.buffer.truncate(self.line_start);
        }
    }

    /// The line from `line_start` to the `\n` at `end` is whole.
    fn end_line(&mut self, end: usize) {
        let line = &self.buffer[self.line_start..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > self.max_line_bytes {
            self.next.too_long.push(TooLong::of(line));
        } else if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            self.next.heartbeats += 1;
        } else {
            let offset = |at| u32::try_from(at).expect("a block is taken long before 4 GiB are pushed");
            self.next.lines.push(offset(self.line_start)..offset(self.line_start + line.len()));
        }
        self.line_start = end + 1;
    }

    /// What was completed since the last call; `None` if nothing was.
    pub fn take_block(&mut self) -> Option<Block> {
        let mut block = std::mem::take(&mut self.next);
        if block.lines.is_empty() && block.heartbeats == 0 && block.too_long.is_empty() {
            return None;
        }
        block.bytes = self.buffer.split_to(self.line_start).freeze();
        self.line_start = 0;
        Some(block)
    }

    /// Ends the input. Take the last block before: what it would hold is not given out here.
    pub fn finish(mut self) -> Option<Tail> {
        if let Some(skipped) = self.skipping {
            return Some(Tail::TooLong(skipped.finish_unended()));
        }
        let tail = self.buffer.split_off(self.line_start).freeze();
        match tail.len() {
            0 => None,
            length if length > self.max_line_bytes => Some(Tail::TooLong(TooLong::of(&tail))),
            _ => Some(Tail::Line(tail)),
        }
    }
}

impl TooLong {
    fn of(line: &[u8]) -> TooLong {
        TooLong { first: Bytes::copy_from_slice(&line[..line.len().min(KEPT_BYTES)]), total: line.len() as u64 }
    }
}

impl Skipped {
    fn extend(&mut self, bytes: &[u8]) {
        let wanted = KEPT_BYTES - self.first.len();
        self.first.extend_from_slice(&bytes[..bytes.len().min(wanted)]);
        self.total += bytes.len() as u64;
        self.last = bytes.last().copied().unwrap_or(self.last);
    }

    /// At a line end, of which a `\r` is part.
    fn finish(mut self) -> TooLong {
        self.total -= u64::from(self.last == b'\r');
        self.first.truncate(usize::try_from(self.total).unwrap_or(usize::MAX));
        self.finish_unended()
    }

    fn finish_unended(self) -> TooLong {
        TooLong { first: self.first.into(), total: self.total }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All that comes out, with the lines copied so that blocks can be compared whatever their borders are.
    #[derive(Debug, Default, PartialEq)]
    struct Frames {
        lines: Vec<Vec<u8>>,
        heartbeats: u32,
        too_long: Vec<TooLong>,
        tail: Option<Tail>,
    }

    /// Pushes chunks; a block is taken after each one for which `take` says so, and at the end.
    fn frames<'a>(chunks: impl Iterator<Item = &'a [u8]>, max: usize, mut take: impl FnMut() -> bool) -> Frames {
        let mut framer = Framer::new(max);
        let mut frames = Frames::default();
        let mut add = |block: Block| {
            assert_eq!(block.lines().map(<[u8]>::to_vec).collect::<Vec<_>>(), block.slices().collect::<Vec<_>>());
            frames.lines.extend(block.lines().map(<[u8]>::to_vec));
            frames.heartbeats += block.heartbeats;
            frames.too_long.extend(block.too_long);
        };
        for chunk in chunks {
            framer.push(chunk);
            if take() {
                framer.take_block().into_iter().for_each(&mut add);
            }
        }
        framer.take_block().into_iter().for_each(&mut add);
        assert_eq!(framer.take_block(), None);
        frames.tail = framer.finish();
        frames
    }

    /// The same by splitting the whole.
    fn plainly(bytes: &[u8], max: usize) -> Frames {
        let mut frames = Frames::default();
        let mut pieces: Vec<_> = bytes.split(|&byte| byte == b'\n').collect();
        let tail = pieces.pop().expect("a split gives at least one piece");
        for line in pieces {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.len() > max {
                frames.too_long.push(TooLong::of(line));
            } else if line.iter().all(u8::is_ascii_whitespace) {
                frames.heartbeats += 1;
            } else {
                frames.lines.push(line.to_vec());
            }
        }
        frames.tail = match tail.len() {
            0 => None,
            length if length > max => Some(Tail::TooLong(TooLong::of(tail))),
            _ => Some(Tail::Line(Bytes::copy_from_slice(tail))),
        };
        frames
    }

    fn wire() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "\n",
            "\r\n",
            "\r\n",
            "\r",
            " ",
            "{}",
            "\u{1f600}",
            "{\"text\":\"caf\u{e9}\"}",
            "\0",
            "\u{2028}",
        ]);
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn any_chunking_gives_the_lines_of_the_whole(
            wire in wire(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20), max in 0usize..40,
            takes in prop::collection::vec(any::<bool>(), 1..10),
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
            cuts.extend([0, wire.len()]);
            cuts.sort_unstable();
            let chunks = cuts.windows(2).map(|cut| &wire[cut[0]..cut[1]]);
            let mut takes = takes.into_iter().cycle();
            prop_assert_eq!(frames(chunks, max, || takes.next() == Some(true)), plainly(&wire, max));
            prop_assert_eq!(frames(wire.chunks(1), max, || true), plainly(&wire, max));
        }
    }

    #[test]
    fn a_line_end_split_between_chunks_and_bare_newlines_are_line_ends() {
        let found =
            frames([&b"{\"a\":1}\r"[..], b"\n{\"b\":\xf0\x9f", b"\x98\x80}\n\r", b"\n"].into_iter(), 100, || true);
        assert_eq!(found.lines, [&b"{\"a\":1}"[..], "{\"b\":\u{1f600}}".as_bytes()]);
        assert_eq!((found.heartbeats, found.tail), (1, None));
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_a_line() {
        for chunk in 1..8 {
            let found = frames(b"12345\r\n12345\n123456\r\n123456\n12345".chunks(chunk), 5, || true);
            assert_eq!(found.lines, [b"12345", b"12345"]);
            assert_eq!(found.too_long.len(), 2);
            assert_eq!(found.tail, Some(Tail::Line(Bytes::from_static(b"12345"))));
        }
    }

    #[test]
    fn a_line_without_end_is_cut_and_takes_no_memory() {
        let mut framer = Framer::new(1 << 20);
        framer.push(b"{\"a\":1}\r\n");
        for _ in 0..1000 {
            framer.push(&[b'x'; 16 * 1024]);
            assert!(framer.buffer.len() + framer.skipping.as_ref().map_or(0, |skipped| skipped.first.len()) < 2 << 20);
        }
        framer.push(b"\r");
        framer.push(b"\n{\"b\":1}\r\n");
        let block = framer.take_block().expect("lines");
        assert_eq!(block.lines().collect::<Vec<_>>(), [b"{\"a\":1}", b"{\"b\":1}"]);
        let [TooLong { first, total }] = &block.too_long[..] else { panic!("{:?}", block.too_long) };
        assert_eq!((first.len(), *total), (KEPT_BYTES, 16 * 1024 * 1000));
        assert_eq!(framer.finish(), None);
    }

    #[test]
    fn the_tail_of_a_line_that_is_too_long_says_so() {
        let found = frames([&[b'x'; 100_000][..], &[b'y'; 100_000]].into_iter(), 1000, || true);
        let Some(Tail::TooLong(tail)) = found.tail else { panic!("{:?}", found.tail) };
        assert_eq!((tail.first.len(), tail.total), (KEPT_BYTES, 200_000));
    }
}
