//! What a worker does with a share of lines: each line into the decoder with its origin, and what came of it counted.
//!
//! It runs on the workers and must not wait for anything.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::units::{Numbered, Unit};
use super::{Counts, MAX_REJECT_BYTES, RejectedLine};
use crate::read::Source;
use crate::table::{ArrivalCursor, Decoder, Origin, Projection, Pushed, RejectReason, Rows};

/// Lines that are pushed together: enough that each column's values are found and stored by what the processor has just learned,
/// and so few that the lines are still in its cache for the last column. With 16 and with 64 a conversion takes 1.5 to 2 % less
/// time than with one.
const TOGETHER: usize = 64;

/// What came of some lines.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) rows: Rows,
    pub(super) counts: Counts,
    pub(super) rejects: Vec<RejectedLine>,
    /// Decoded bytes of the lines.
    pub(super) bytes: u64,
    /// Memory of the rows and rejects, about.
    pub(super) held: usize,
}

/// Decoders that are used again: as many as are at work at once.
pub(super) struct Decoders {
    projection: Projection,
    batch_rows: usize,
    idle: Mutex<Vec<Decoder>>,
}

impl Decoders {
    pub(super) fn new(projection: Projection, batch_rows: usize) -> Decoders {
        Decoders { projection, batch_rows, idle: Mutex::default() }
    }

    /// Decodes a share. Its rows are one part, or several where a batch is smaller than a share.
    pub(super) fn decode(&self, unit: &Unit, sources: &Arc<[Source]>) -> Vec<Part> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let decoder = kept.unwrap_or_else(|| Decoder::new(&self.projection));
        let mut decoding = Decoding {
            decoder,
            batch_rows: self.batch_rows,
            counts: Counts::default(),
            bytes: 0,
            rejects: Vec::new(),
            parts: Vec::new(),
        };
        for numbered in &unit.blocks {
            decoding.block(numbered, &sources[numbered.block.object()]);
        }
        if decoding.counts.lines > 0 {
            decoding.finish();
        }
        let Decoding { decoder, parts, .. } = decoding;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(decoder);
        parts
    }
}

/// A line and where it stands.
struct Line<'a> {
    source: &'a Source,
    /// Without its newline.
    line: &'a [u8],
    /// From 1.
    number: u64,
    /// Decoded bytes of the object before it.
    offset: u64,
    /// Its length, with its newline where it has one.
    bytes: u64,
    origin: Origin,
}

struct Decoding {
    decoder: Decoder,
    batch_rows: usize,
    counts: Counts,
    bytes: u64,
    rejects: Vec<RejectedLine>,
    parts: Vec<Part>,
}

impl Decoding {
    fn block(&mut self, numbered: &Numbered, source: &Source) {
        let (path, arrivals) = match source {
            Source::Object(_, object) => (object.path, &object.arrivals[..]),
            Source::Unreadable { .. } => (None, &[][..]),
        };
        let mut cursor = ArrivalCursor::new(arrivals);
        let end_of_block = numbered.block.offset() + numbered.block.bytes().len() as u64;
        let lines = numbered.lines().map(|(number, offset, line)| {
            let origin = Origin { path, received_at_us: cursor.at(number - 1) };
            // The last line of an object may lack its newline.
            let bytes = (line.len() as u64 + 1).min(end_of_block - offset);
            Line { source, line, number, offset, bytes, origin }
        });
        let mut lines = lines.peekable();
        let (mut together, mut pushed) = (Vec::new(), Vec::new());
        while lines.peek().is_some() {
            let room = self.batch_rows.saturating_sub(self.decoder.rows()).clamp(1, TOGETHER);
            let some: Vec<Line<'_>> = lines.by_ref().take(room).collect();
            together.clear();
            together.extend(some.iter().map(|line| (line.line, line.origin)));
            if self.decoder.push_together(&together, &mut pushed) {
                some.iter().zip(pushed.drain(..)).for_each(|(line, pushed)| self.count(line, pushed));
            } else {
                some.iter().for_each(|line| self.one(line));
            }
            if self.decoder.rows() >= self.batch_rows {
                self.finish();
            }
        }
    }

    /// A line by itself.
    fn one(&mut self, line: &Line<'_>) {
        let mut pushed = self.decoder.push(line.line, &line.origin);
        // A line that only found no room any more finds it in the next part.
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
                    lake: line.source.lake(),
                    key: line.source.key().clone(),
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
        let kept = |reject: &RejectedLine| size_of_val(reject) + reject.key.as_str().len() + reject.bytes.len();
        let held = self.decoder.bytes() + rejects.iter().map(kept).sum::<usize>();
        self.parts.push(Part {
            rows: self.decoder.finish(),
            counts: std::mem::take(&mut self.counts),
            rejects,
            bytes: std::mem::take(&mut self.bytes),
            held,
        });
    }
}
