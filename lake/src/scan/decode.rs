//! Decodes morsels into rows and counts their lines. It runs on the workers and never blocks on anything but a short
//! lock.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::morsels::{Morsel, NumberedBlock};
use super::{Counts, MAX_REJECT_BYTES, RejectedLine};
use crate::object::Source;
use crate::table::{ArrivalCursor, Decoder, Origin, Projection, Pushed, RejectReason, Rows};

/// Lines that are decoded together: enough for branch prediction and instruction cache to adapt to each column, and so
/// few that the lines are still in the cache for the last column. With 16 and with 64 a conversion takes 1.5 to 2 %
/// less time than with one.
const LINES_AT_ONCE: usize = 64;

/// The rows of some lines.
#[derive(Debug)]
pub(super) struct DecodedLines {
    pub(super) rows: Rows,
    pub(super) counts: Counts,
    pub(super) rejects: Vec<RejectedLine>,
    /// Decoded bytes of the lines.
    pub(super) bytes: u64,
    /// Approximate memory of rows and rejects.
    pub(super) memory: usize,
}

/// Consecutive sources of a scan that are read in the same way.
#[derive(Clone)]
pub(super) struct SourceRange {
    pub(super) sources: Arc<[Source]>,
    /// The index of the first one in the scan.
    pub(super) first: usize,
}

/// A pool of decoders, which keep their buffers: as many as are in use at once.
pub(super) struct DecoderPool {
    projection: Projection,
    batch_rows: usize,
    idle: Mutex<Vec<Decoder>>,
}

impl DecoderPool {
    pub(super) fn new(projection: Projection, batch_rows: usize) -> DecoderPool {
        DecoderPool { projection, batch_rows, idle: Mutex::default() }
    }

    /// Decodes a morsel. Its rows are divided where a batch is smaller than a morsel.
    pub(super) fn decode(&self, morsel: &Morsel, range: &SourceRange) -> Vec<DecodedLines> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let decoder = idle.unwrap_or_else(|| Decoder::new(&self.projection));
        let mut morsel_decoder = MorselDecoder {
            decoder,
            batch_rows: self.batch_rows,
            counts: Counts::default(),
            bytes: 0,
            rejects: Vec::new(),
            decoded: Vec::new(),
        };
        for numbered in &morsel.blocks {
            morsel_decoder.block(numbered, range);
        }
        if morsel_decoder.counts.lines > 0 {
            morsel_decoder.finish();
        }
        let MorselDecoder { decoder, decoded, .. } = morsel_decoder;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(decoder);
        decoded
    }
}

/// A line and its position.
struct Line<'a> {
    key: &'a crate::store::Key,
    /// The index of its source in the scan.
    source: usize,
    /// Without its newline.
    line: &'a [u8],
    /// Counted from 1.
    number: u64,
    /// Decoded bytes of the object before it.
    offset: u64,
    /// Its length, including its newline if there is one.
    bytes: u64,
    origin: Origin,
}

struct MorselDecoder {
    decoder: Decoder,
    batch_rows: usize,
    counts: Counts,
    bytes: u64,
    rejects: Vec<RejectedLine>,
    decoded: Vec<DecodedLines>,
}

impl MorselDecoder {
    fn block(&mut self, numbered: &NumberedBlock, range: &SourceRange) {
        let object = numbered.block.object();
        let (key, source) = (range.sources[object].key(), range.first + object);
        let (path, arrivals) = match &range.sources[object] {
            Source::Object(_, object) => (object.path, &object.arrivals[..]),
            Source::Unreadable { .. } => (None, &[][..]),
        };
        let mut cursor = ArrivalCursor::new(arrivals);
        let end_of_block = numbered.block.offset() + numbered.block.bytes().len() as u64;
        let lines = numbered.lines().map(|(number, offset, line)| {
            let origin = Origin { path, received_at_us: cursor.at(number - 1) };
            // The last line of an object may lack its newline.
            let bytes = (line.len() as u64 + 1).min(end_of_block - offset);
            Line { key, source, line, number, offset, bytes, origin }
        });
        let mut lines = lines.peekable();
        let (mut inputs, mut pushed) = (Vec::new(), Vec::new());
        while lines.peek().is_some() {
            let room = self.batch_rows.saturating_sub(self.decoder.rows()).clamp(1, LINES_AT_ONCE);
            let some: Vec<Line<'_>> = lines.by_ref().take(room).collect();
            inputs.clear();
            inputs.extend(some.iter().map(|line| (line.line, line.origin)));
            if self.decoder.push_together(&inputs, &mut pushed) {
                some.iter().zip(pushed.drain(..)).for_each(|(line, pushed)| self.count(line, pushed));
            } else {
                some.iter().for_each(|line| self.one(line));
            }
            if self.decoder.rows() >= self.batch_rows {
                self.finish();
            }
        }
    }

    /// Decodes a line by itself.
    fn one(&mut self, line: &Line<'_>) {
        let mut pushed = self.decoder.push(line.line, &line.origin);
        // A line that does not fit into the rest of a batch may fit into the next one.
        if matches!(pushed, Pushed::Reject(RejectReason::TooLarge)) && self.decoder.rows() > 0 {
            self.finish();
            pushed = self.decoder.push(line.line, &line.origin);
        }
        self.count(line, pushed);
    }

    fn count(&mut self, line: &Line<'_>, pushed: Pushed) {
        self.counts.lines += 1;
        self.bytes += line.bytes;
        match pushed {
            Pushed::Tweet { .. } => self.counts.tweets += 1,
            Pushed::Message(_) => self.counts.messages += 1,
            Pushed::Control => self.counts.controls += 1,
            Pushed::Blank => self.counts.blanks += 1,
            Pushed::Reject(reason) => {
                self.counts.rejects += 1;
                self.rejects.push(RejectedLine {
                    source: line.source,
                    key: line.key.clone(),
                    line: line.number,
                    offset: line.offset,
                    reason,
                    bytes: Bytes::copy_from_slice(&line.line[..line.line.len().min(MAX_REJECT_BYTES)]),
                    line_bytes: line.line.len() as u64,
                });
            }
        }
    }

    fn finish(&mut self) {
        let rejects = std::mem::take(&mut self.rejects);
        let memory_of = |reject: &RejectedLine| size_of_val(reject) + reject.key.as_str().len() + reject.bytes.len();
        let memory = self.decoder.bytes() + rejects.iter().map(memory_of).sum::<usize>();
        self.decoded.push(DecodedLines {
            rows: self.decoder.finish(),
            counts: std::mem::take(&mut self.counts),
            rejects,
            bytes: std::mem::take(&mut self.bytes),
            memory,
        });
    }
}
