//! From framed lines to batches: tells what each line is, counts it, and gives rejects their place.
//!
//! All sources go through here, after [`super::framing`] and before the channel. Pure but for the counters; words of the
//! stream itself are handed back to the source and are never part of a batch.

use std::sync::Arc;

use bytes::Bytes;
use cauce_lake::manifest::IngestPath;
use cauce_lake::tweet::{self, Control, LineKind, RejectReason};

use super::framing::{Block, Tail};
use crate::channel::{Batch, Record, RecordKind, Reject};
use crate::status::Metrics;
use crate::status::metrics::Kind;

/// What a batch may hold at most, and how lines are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Longest line, in decoded bytes.
    pub(crate) max_line_bytes: usize,
    /// Records in one batch.
    pub(crate) batch_records: usize,
}

/// Sorts the lines of one input or one connection.
#[derive(Debug)]
pub(crate) struct Sorter {
    metrics: Arc<Metrics>,
    path: IngestPath,
    /// Where the lines come from, for people.
    origin: String,
    /// Lines before the next block, blank ones too.
    lines: u64,
}

#[derive(Debug, Default)]
struct Counts {
    tweets: u64,
    messages: u64,
    controls: u64,
    rejects: u64,
}

impl Counts {
    fn lines(&self) -> u64 {
        self.tweets + self.messages + self.controls + self.rejects
    }
}

fn line_ends(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a block holds one push and one line, which framing keeps below 4 GiB")
}

impl Sorter {
    pub(crate) fn new(metrics: Arc<Metrics>, path: IngestPath, origin: String) -> Sorter {
        Sorter { metrics, path, origin, lines: 0 }
    }

    /// Steps over lines that are not read again, so that places stay true.
    pub(crate) fn step_over(&mut self, lines: u64) {
        self.lines += lines;
    }

    /// Makes a batch of `block`, and puts the stream's own words among its lines into `controls`. The block must have been
    /// taken right after the push that completed its lines.
    pub(crate) fn sort(&mut self, block: Block, controls: &mut Vec<Control>) -> Batch {
        let mut counts = Counts::default();
        let mut records = Vec::with_capacity(block.lines.len() + block.too_long.len());
        let ended = block.lines.len() as u64 + u64::from(block.heartbeats) + block.too_long.len() as u64;
        // A line that was skipped over several pushes has left nothing in the block; it came before all that is there.
        let skipped = if block.too_long.is_empty() { 0 } else { ended - line_ends(&block.bytes) };
        for line in &block.lines {
            let bytes = &block.bytes[line.start as usize..line.end as usize];
            let kind = match tweet::scan(bytes) {
                LineKind::Tweet(head) => {
                    counts.tweets += 1;
                    RecordKind::Tweet(head)
                }
                LineKind::Message(message) => {
                    counts.messages += 1;
                    RecordKind::Message(message, tweet::message_ms(message, bytes))
                }
                LineKind::Control(control) => {
                    counts.controls += 1;
                    controls.push(control);
                    continue;
                }
                LineKind::Reject(reason) => {
                    counts.rejects += 1;
                    let before = skipped + line_ends(&block.bytes[..line.start as usize]);
                    self.reject(reason, before, bytes.len() as u64)
                }
                LineKind::Blank => continue,
            };
            records.push(Record { start: line.start, end: line.end, kind });
        }
        counts.rejects += block.too_long.len() as u64;
        let bytes = if block.too_long.is_empty() { block.bytes } else { self.too_long(block, skipped, &mut records) };
        self.lines += ended;
        self.count(&counts, ended - counts.lines());
        Batch { block: bytes, records, path: self.path, position: None }
    }

    /// Adds rejects for lines that were too long, after all other records, and gives the block with their first bytes in it.
    fn too_long(&self, block: Block, skipped: u64, records: &mut Vec<Record>) -> Bytes {
        let mut places: Vec<u64> = (0..skipped).collect();
        let mut unplaced = block.too_long.iter().skip(places.len()).peekable();
        for (index, line) in block.bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if unplaced.next_if(|long| long.total == line.len() as u64 && line.starts_with(&long.first)).is_some() {
                places.push(skipped + index as u64);
            }
        }
        let mut bytes = Vec::from(block.bytes);
        for (before, long) in places.into_iter().zip(&block.too_long) {
            let start = offset(bytes.len());
            bytes.extend_from_slice(&long.first);
            let kind = self.reject(RejectReason::TooLong, before, long.total);
            records.push(Record { start, end: offset(bytes.len()), kind });
        }
        bytes.into()
    }

    /// Makes a batch of what stands after the last line end of a whole input: a line like any other.
    pub(crate) fn sort_last(&mut self, tail: Tail, controls: &mut Vec<Control>) -> Batch {
        match tail {
            Tail::Line(line) if line.iter().all(u8::is_ascii_whitespace) => self.empty(),
            Tail::Line(line) => {
                let end = offset(line.strip_suffix(b"\r").unwrap_or(&line).len());
                let lines = std::iter::once(0..end).collect();
                self.sort(Block { bytes: line, lines, ..Block::default() }, controls)
            }
            Tail::TooLong(long) => self.single(RejectReason::TooLong, long.first, long.total),
        }
    }

    /// Makes a batch of the beginning of a line that the input does not finish.
    pub(crate) fn cut_off(&mut self, tail: Tail) -> Batch {
        match tail {
            Tail::Line(line) => {
                let bytes = line.len() as u64;
                self.single(RejectReason::Truncated, line, bytes)
            }
            Tail::TooLong(long) => self.single(RejectReason::Truncated, long.first, long.total),
        }
    }

    fn single(&mut self, reason: RejectReason, kept: Bytes, bytes: u64) -> Batch {
        let kind = self.reject(reason, 0, bytes);
        self.lines += 1;
        self.count(&Counts { rejects: 1, ..Counts::default() }, 0);
        let record = Record { start: 0, end: offset(kept.len()), kind };
        Batch { block: kept, records: vec![record], path: self.path, position: None }
    }

    /// A batch without lines, to carry a position.
    pub(crate) fn empty(&self) -> Batch {
        Batch { block: Bytes::new(), records: Vec::new(), path: self.path, position: None }
    }

    /// `before` lines of the block stand before this one.
    fn reject(&self, reason: RejectReason, before: u64, bytes: u64) -> RecordKind {
        let origin = format!("{} line {}", self.origin, self.lines + before + 1);
        RecordKind::Reject(Box::new(Reject { reason, origin, bytes }))
    }

    fn count(&self, counts: &Counts, heartbeats: u64) {
        let by_kind = [
            ("tweet", counts.tweets),
            ("message", counts.messages),
            ("control", counts.controls),
            ("heartbeat", heartbeats),
            ("reject", counts.rejects),
        ];
        for (kind, count) in by_kind {
            if count > 0 {
                self.metrics.records_received.get_or_create(&Kind::new(kind)).inc_by(count);
            }
        }
    }
}

/// Cuts `chunk` after each `lines`-th line end, so that what is framed from one portion never makes more than `lines` records.
pub(crate) fn portions(chunk: &[u8], lines: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = chunk;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let cut = memchr::memchr_iter(b'\n', rest).nth(lines.max(1) - 1).map_or(rest.len(), |at| at + 1);
        let (portion, after) = rest.split_at(cut);
        rest = after;
        Some(portion)
    })
}

#[cfg(test)]
mod tests {
    use cauce_lake::tweet::Message;
    use proptest::prelude::*;

    use super::*;
    use crate::source::framing::Framer;

    fn sorted(bytes: &[u8]) -> (Batch, Vec<Control>, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::default());
        let mut framer = Framer::new(1 << 20);
        framer.push(bytes);
        let mut sorter = Sorter::new(Arc::clone(&metrics), IngestPath::Stream, "connection 3".to_owned());
        sorter.step_over(100);
        let mut controls = Vec::new();
        let batch = sorter.sort(framer.take_block().expect("whole lines"), &mut controls);
        (batch, controls, metrics)
    }

    fn kinds(batch: &Batch) -> Vec<&'static str> {
        let kind = |record: &Record| match record.kind {
            RecordKind::Tweet(_) => "tweet",
            RecordKind::Message(..) => "message",
            RecordKind::Reject(_) => "reject",
        };
        batch.records.iter().map(kind).collect()
    }

    #[test]
    fn words_of_the_stream_are_counted_and_handed_back_but_not_stored() {
        let (batch, controls, metrics) = sorted(
            b"{\"id\":1454638400000000000,\"text\":\"a\",\"user\":{}}\r\n\r\n{\"limit\":{\"track\":7}}\r\n{\"delete\":{\"status\":\
              {\"id\":3,\"user_id\":4},\"timestamp_ms\":\"1646280068000\"}}\r\n",
        );
        assert_eq!(kinds(&batch), ["tweet", "message"]);
        assert_eq!(controls, [Control::Limit { track: 7 }]);
        assert_eq!(batch.records[1].kind, RecordKind::Message(Message::Delete, Some(1_646_280_068_000)));
        for kind in ["tweet", "message", "control", "heartbeat"] {
            assert_eq!(metrics.records_received.get_or_create(&Kind::new(kind)).get(), 1, "{kind}");
        }
    }

    #[test]
    fn a_reject_knows_its_place_also_after_blank_lines() {
        let (batch, _, _) = sorted(b"\r\n\r\nnonsense\r\n");
        let RecordKind::Reject(reject) = &batch.records[0].kind else { panic!("not a reject") };
        assert_eq!(reject.origin, "connection 3 line 103");
        assert_eq!(reject.bytes, 8);
        assert!(matches!(reject.reason, RejectReason::InvalidJson { .. }), "{:?}", reject.reason);
    }

    #[test]
    fn lines_that_are_too_long_know_their_places_however_they_were_cut() {
        let long = "x".repeat(100_000);
        let text = format!("{long}\n\n[1]\n{long}y\r\n[2]\n");
        for chunk in [1000, 60_000, 150_000, text.len()] {
            let mut framer = Framer::new(50_000);
            let mut sorter = Sorter::new(Arc::default(), IngestPath::Replay, "a".to_owned());
            let mut rejects = Vec::new();
            for chunk in text.as_bytes().chunks(chunk) {
                framer.push(chunk);
                let Some(block) = framer.take_block() else { continue };
                let batch = sorter.sort(block, &mut Vec::new());
                for record in batch.records {
                    let RecordKind::Reject(reject) = record.kind else { panic!("not a reject") };
                    rejects.push((reject.origin, reject.bytes, record.end - record.start));
                }
            }
            rejects.sort();
            let expected = [(1, 100_000, 65_536), (3, 3, 3), (4, 100_001, 65_536), (5, 3, 3)];
            let expected = expected.map(|(line, bytes, kept)| (format!("a line {line}"), bytes, kept));
            assert_eq!(rejects, expected, "in chunks of {chunk}");
        }
    }

    proptest! {
        #[test]
        fn portions_are_the_chunk_and_hold_no_more_lines_than_asked(
            chunk in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a')], 0..200), lines in 1_usize..5,
        ) {
            let cut: Vec<&[u8]> = portions(&chunk, lines).collect();
            prop_assert_eq!(&cut.concat(), &chunk);
            for portion in cut {
                prop_assert!(memchr::memchr_iter(b'\n', portion).count() <= lines);
            }
        }
    }
}
