//! Blocks of lines, gathered into shares that are worth the way to another processor, with the number of each block's first
//! line. A share may hold the lines of many small objects; a large object has many shares.

use std::collections::VecDeque;

use futures_util::StreamExt;

use crate::read::{FileLines, LineBlock, LineStream, ReadError};

/// A share weighs at least so much, but for the last one: some milliseconds of decoding. Each costs some 60 µs beside: with
/// shares of 256 KiB a conversion took a fifth longer, with 512 KiB a twentieth.
pub(super) const UNIT_BYTES: usize = 2 << 20;
/// A line weighs at least so many bytes: what is kept of one, its newline's place or itself as a reject, can be far more than
/// its own length.
const LEAST_LINE_BYTES: usize = 128;

/// A block of lines and the number of its first one in its object, counted from 1.
#[derive(Debug)]
pub(super) struct Numbered {
    pub(super) block: LineBlock,
    pub(super) first_line: u64,
    /// Where its newlines are: the search that counts the lines tells where they end as well.
    newlines: Vec<usize>,
}

impl Numbered {
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

/// Blocks that are decoded in one go.
#[derive(Debug, Default)]
pub(super) struct Unit {
    pub(super) blocks: Vec<Numbered>,
    bytes: usize,
    lines: usize,
}

impl Unit {
    /// What its lines cost in memory, about.
    pub(super) fn weight(&self) -> usize {
        self.bytes.max(self.lines * LEAST_LINE_BYTES)
    }
}

/// Puts blocks together to shares.
#[derive(Default)]
struct Gathering {
    gathered: Unit,
    /// Blocks that are not gathered yet: what is left of one that is more than a share.
    waiting: VecDeque<Numbered>,
    object: usize,
    /// Lines of the object before the next block.
    lines: u64,
}

impl Gathering {
    /// Adds a block.
    fn push(&mut self, mut block: LineBlock) {
        const MOST_LINES: usize = UNIT_BYTES / LEAST_LINE_BYTES;
        if block.object() != self.object {
            (self.object, self.lines) = (block.object(), 0);
        }
        let mut newlines: Vec<usize> = memchr::memchr_iter(b'\n', block.bytes()).collect();
        if newlines.len() > MOST_LINES {
            let last = (newlines.len() - 1) / MOST_LINES * MOST_LINES;
            let mut start = 0;
            for share in newlines[..last].chunks(MOST_LINES) {
                let end = share[MOST_LINES - 1] + 1;
                self.wait(block.split_to(end - start), share.iter().map(|at| at - start).collect());
                start = end;
            }
            newlines = newlines[last..].iter().map(|at| at - start).collect();
        }
        self.wait(block, newlines);
    }

    fn wait(&mut self, block: LineBlock, newlines: Vec<usize>) {
        let first_line = self.lines + 1;
        self.lines += newlines.len() as u64;
        self.waiting.push_back(Numbered { block, first_line, newlines });
    }

    /// A share, if there is enough for one.
    fn next(&mut self) -> Option<Unit> {
        while let Some(numbered) = self.waiting.pop_front() {
            self.gathered.bytes += numbered.block.bytes().len();
            self.gathered.lines += numbered.newlines.len();
            self.gathered.blocks.push(numbered);
            if self.gathered.weight() >= UNIT_BYTES {
                return self.rest();
            }
        }
        None
    }

    /// What has been gathered, if there is something.
    fn rest(&mut self) -> Option<Unit> {
        (!self.gathered.blocks.is_empty()).then(|| std::mem::take(&mut self.gathered))
    }
}

/// Gathers shares from a stream of blocks.
pub(super) struct Units {
    blocks: Option<LineStream>,
    gathering: Gathering,
    failed: Option<ReadError>,
}

impl Units {
    pub(super) fn new(blocks: LineStream) -> Units {
        Units { blocks: Some(blocks), gathering: Gathering::default(), failed: None }
    }

    /// The next share; an error comes behind all lines before it, and is the last. Nothing is lost when the future is
    /// dropped before its end.
    pub(super) async fn next(&mut self) -> Option<Result<Unit, ReadError>> {
        loop {
            if let Some(unit) = self.gathering.next() {
                return Some(Ok(unit));
            }
            let Some(blocks) = &mut self.blocks else { break };
            match blocks.next().await {
                Some(Ok(block)) => self.gathering.push(block),
                Some(Err(error)) => {
                    self.blocks = None;
                    self.failed = Some(error);
                }
                None => self.blocks = None,
            }
        }
        self.gathering.rest().map(Ok).or_else(|| self.failed.take().map(Err))
    }
}

/// Gathers shares from files, for threads that may block. They are numbered from 0 in the order of their lines, since who
/// asks first need not be done first.
pub(super) struct FileUnits {
    lines: FileLines,
    gathering: Gathering,
    failed: Option<ReadError>,
    next: u64,
}

impl FileUnits {
    pub(super) fn new(lines: FileLines) -> FileUnits {
        FileUnits { lines, gathering: Gathering::default(), failed: None, next: 0 }
    }

    /// As [`Units::next`].
    pub(super) fn next(&mut self) -> Option<(u64, Result<Unit, ReadError>)> {
        let unit = loop {
            if let Some(unit) = self.gathering.next() {
                break Some(Ok(unit));
            }
            match self.lines.next() {
                Some(Ok(block)) => self.gathering.push(block),
                Some(Err(error)) => self.failed = Some(error),
                None => break self.gathering.rest().map(Ok).or_else(|| self.failed.take().map(Err)),
            }
        };
        let number = self.next;
        self.next += 1;
        unit.map(|unit| (number, unit))
    }
}
