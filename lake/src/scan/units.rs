//! Blocks of lines, gathered into shares that are worth the way to another processor, with the number of each block's first
//! line. A share may hold the lines of many small objects; a large object has many shares.

use futures_util::StreamExt;

use crate::read::{LineBlock, LineStream, ReadError};

/// A share has at least so many bytes, but for the last one: some milliseconds of decoding, and few enough that their
/// lines stay in the cache.
pub(super) const UNIT_BYTES: usize = 1 << 20;

/// A block of lines and the number of its first one in its object, counted from 1.
#[derive(Debug)]
pub(super) struct Numbered {
    pub(super) block: LineBlock,
    pub(super) first_line: u64,
}

/// Blocks that are decoded in one go.
#[derive(Debug, Default)]
pub(super) struct Unit {
    pub(super) blocks: Vec<Numbered>,
    bytes: usize,
}

impl Unit {
    /// Length of its lines.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Gathers shares from a stream of blocks.
pub(super) struct Units {
    blocks: Option<LineStream>,
    gathered: Unit,
    object: usize,
    next_line: u64,
    failed: Option<ReadError>,
}

impl Units {
    pub(super) fn new(blocks: LineStream) -> Units {
        Units { blocks: Some(blocks), gathered: Unit::default(), object: 0, next_line: 1, failed: None }
    }

    /// Whether there is nothing more to come.
    pub(super) fn is_done(&self) -> bool {
        self.blocks.is_none() && self.gathered.blocks.is_empty() && self.failed.is_none()
    }

    /// The next share; an error comes behind all lines before it, and is the last. Nothing is lost when the future is
    /// dropped before its end.
    pub(super) async fn next(&mut self) -> Option<Result<Unit, ReadError>> {
        while let Some(blocks) = &mut self.blocks {
            match blocks.next().await {
                Some(Ok(block)) => {
                    self.take(block);
                    if self.gathered.bytes >= UNIT_BYTES {
                        return Some(Ok(std::mem::take(&mut self.gathered)));
                    }
                }
                Some(Err(error)) => {
                    self.blocks = None;
                    self.failed = Some(error);
                }
                None => self.blocks = None,
            }
        }
        if self.gathered.blocks.is_empty() {
            return self.failed.take().map(Err);
        }
        Some(Ok(std::mem::take(&mut self.gathered)))
    }

    fn take(&mut self, block: LineBlock) {
        if block.object() != self.object {
            (self.object, self.next_line) = (block.object(), 1);
        }
        let first_line = self.next_line;
        self.next_line += memchr::memchr_iter(b'\n', block.bytes()).count() as u64;
        self.gathered.bytes += block.bytes().len();
        self.gathered.blocks.push(Numbered { block, first_line });
    }
}
