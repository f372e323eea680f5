//! Cuts the lines of all sources into morsels, the units of parallel decoding (Leis et al., SIGMOD 2014). A morsel may
//! contain many small objects; a large object is divided into many morsels.

use std::collections::VecDeque;

use futures_util::StreamExt;

use crate::read::{FileLines, LineBlock, LineStream, ReadError};

/// The weight of a morsel, except for the last one: some milliseconds of decoding. The overhead is about 60 µs a
/// morsel: with 256 KiB a conversion took a fifth longer, with 512 KiB a twentieth.
pub(super) const MORSEL_BYTES: usize = 2 << 20;
/// The least weight of a line: what is kept of a line, the position of its newline or the line itself as a reject, can
/// exceed its length by far.
const MIN_LINE_BYTES: usize = 128;

/// A block of lines, and the number of the first one in its object, counted from 1.
#[derive(Debug)]
pub(super) struct NumberedBlock {
    pub(super) block: LineBlock,
    first_line: u64,
    /// The positions of its newlines: the search that counts the lines also finds their ends.
    newlines: Vec<usize>,
}

impl NumberedBlock {
    /// The lines without their newlines, each with its number and the decoded bytes of the object before it.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u64, u64, &[u8])> {
        let bytes = self.block.bytes();
        // The last line of an object may lack its newline.
        let rest = bytes.last().is_some_and(|last| *last != b'\n').then_some(bytes.len());
        let mut start = 0;
        (self.first_line..).zip(self.newlines.iter().copied().chain(rest)).map(move |(number, end)| {
            let line = (number, self.block.offset() + start as u64, &bytes[start..end]);
            start = end + 1;
            line
        })
    }
}

/// Blocks that one worker decodes at once.
#[derive(Debug, Default)]
pub(super) struct Morsel {
    pub(super) blocks: Vec<NumberedBlock>,
    bytes: usize,
    lines: usize,
}

impl Morsel {
    /// Its approximate cost in memory.
    pub(super) fn weight(&self) -> usize {
        self.bytes.max(self.lines * MIN_LINE_BYTES)
    }
}

/// A morsel with its position in the order of the lines, counted from 0; or the error that follows the last morsel.
pub(super) type Numbered = (u64, Result<Morsel, ReadError>);

/// Combines blocks to morsels.
#[derive(Default)]
struct MorselBuilder {
    morsel: Morsel,
    /// Blocks that are not in a morsel yet: the rest of a block that is larger than a morsel.
    waiting: VecDeque<NumberedBlock>,
    object: usize,
    /// Lines of the object before the next block.
    lines: u64,
    failed: Option<ReadError>,
    /// Morsels so far.
    count: u64,
}

impl MorselBuilder {
    fn push(&mut self, block: Result<LineBlock, ReadError>) {
        const MAX_LINES: usize = MORSEL_BYTES / MIN_LINE_BYTES;
        let mut block = match block {
            Ok(block) => block,
            Err(error) => return self.failed = Some(error),
        };
        if block.object() != self.object {
            (self.object, self.lines) = (block.object(), 0);
        }
        let mut newlines: Vec<usize> = memchr::memchr_iter(b'\n', block.bytes()).collect();
        if newlines.len() > MAX_LINES {
            let last = (newlines.len() - 1) / MAX_LINES * MAX_LINES;
            let mut start = 0;
            for lines in newlines[..last].chunks(MAX_LINES) {
                let end = lines[MAX_LINES - 1] + 1;
                self.push_numbered(block.split_to(end - start), lines.iter().map(|at| at - start).collect());
                start = end;
            }
            newlines = newlines[last..].iter().map(|at| at - start).collect();
        }
        self.push_numbered(block, newlines);
    }

    fn push_numbered(&mut self, block: LineBlock, newlines: Vec<usize>) {
        let first_line = self.lines + 1;
        self.lines += newlines.len() as u64;
        self.waiting.push_back(NumberedBlock { block, first_line, newlines });
    }

    /// The next morsel, if there is enough for one.
    fn next(&mut self) -> Option<Numbered> {
        while let Some(numbered) = self.waiting.pop_front() {
            self.morsel.bytes += numbered.block.bytes().len();
            self.morsel.lines += numbered.newlines.len();
            self.morsel.blocks.push(numbered);
            if self.morsel.weight() >= MORSEL_BYTES {
                return self.finish();
            }
        }
        None
    }

    /// The rest as a morsel, then the error if there was one.
    fn finish(&mut self) -> Option<Numbered> {
        let morsel =
            if self.morsel.blocks.is_empty() { Err(self.failed.take()?) } else { Ok(std::mem::take(&mut self.morsel)) };
        self.count += 1;
        Some((self.count - 1, morsel))
    }
}

/// Morsels of a stream of blocks.
pub(super) struct MorselStream {
    blocks: Option<LineStream>,
    builder: MorselBuilder,
}

impl MorselStream {
    pub(super) fn new(blocks: LineStream) -> MorselStream {
        MorselStream { blocks: Some(blocks), builder: MorselBuilder::default() }
    }

    /// The next morsel; an error follows all lines before it and is the last item. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Numbered> {
        while let Some(blocks) = &mut self.blocks {
            if let Some(morsel) = self.builder.next() {
                return Some(morsel);
            }
            match blocks.next().await {
                Some(block) => self.builder.push(block),
                None => self.blocks = None,
            }
        }
        self.builder.next().or_else(|| self.builder.finish())
    }
}

/// Morsels of files, for threads that may block.
pub(super) struct FileMorsels {
    lines: FileLines,
    builder: MorselBuilder,
}

impl FileMorsels {
    pub(super) fn new(lines: FileLines) -> FileMorsels {
        FileMorsels { lines, builder: MorselBuilder::default() }
    }

    /// As [`MorselStream::next`].
    pub(super) fn next(&mut self) -> Option<Numbered> {
        loop {
            if let Some(morsel) = self.builder.next() {
                return Some(morsel);
            }
            match self.lines.next() {
                Some(block) => self.builder.push(block),
                None => return self.builder.finish(),
            }
        }
    }
}
