//! From framed lines to batches: tells what each line is, counts it, and gives rejects their place.
//!
//! All sources go through here, after [`super::framing`] and before the channel. Pure but for the counters. Control messages
//! are stored like any other message, and are handed back to the source too.

use std::sync::Arc;

use cauce_lake::manifest::IngestPath;
use cauce_lake::tweet::{self, Control, Limited, LineKind, RejectReason};

use super::framing::{Block, Line, LineState};
use crate::config::settings::OnReject;
use crate::record::{Batch, Record, RecordKind, Reject};
use crate::status::Metrics;
use crate::status::metrics::Kind;

/// What a batch may hold at most, and how lines are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Longest line, in decoded bytes.
    pub(crate) max_line_bytes: usize,
    /// Records in one batch; zeros before a line count with it.
    pub(crate) batch_records: usize,
    /// Whether a tweet's own time names its hour: one whose time cannot be read is then a reject.
    pub(crate) needs_time: bool,
    /// What becomes of a reject.
    pub(crate) on_reject: OnReject,
}

impl Limits {
    /// Records that are read before any of them is sent. Where the first reject ends the source, each line is a batch of its
    /// own, so that the position of a file stands before the reject.
    pub(crate) fn portion_records(&self) -> usize {
        if self.on_reject == OnReject::Fail { 1 } else { self.batch_records }
    }

    /// The first reject of a batch, where it ends the source.
    pub(crate) fn fatal(&self, batch: &Batch) -> Option<RejectedLine> {
        if self.on_reject == OnReject::Keep {
            return None;
        }
        batch.records.iter().find_map(|record| match &record.kind {
            RecordKind::Reject(reject) => Some(RejectedLine(format!("{}: {}", reject.origin, reject.text()))),
            _ => None,
        })
    }
}

/// A reject ended the source, because `source.on_reject` says so.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0}; source.on_reject = \"fail\" ends the run at the first reject: correct the line, or set it to \"keep\". What came before it is stored"
)]
pub(crate) struct RejectedLine(String);

/// Sorts the lines of one input or one connection.
#[derive(Debug)]
pub(crate) struct Sorter {
    metrics: Arc<Metrics>,
    path: IngestPath,
    /// Where the lines come from, for people.
    origin: String,
    needs_time: bool,
    limited: Limited,
}

#[derive(Debug, Default)]
struct Counts {
    tweets: u64,
    messages: u64,
    controls: u64,
    heartbeats: u64,
    rejects: u64,
}

impl Sorter {
    pub(crate) fn new(metrics: Arc<Metrics>, path: IngestPath, origin: String, limits: &Limits) -> Sorter {
        Sorter { metrics, path, origin, needs_time: limits.needs_time, limited: Limited::default() }
    }

    /// Makes a batch of `block`, and puts the control messages among its lines into `controls`. The last line of a whole
    /// input is a line like any other, with or without a line end.
    pub(crate) fn sort(&self, block: Block, controls: &mut Vec<Control>) -> Batch {
        self.batch(block, controls, |line, bytes| match line.state {
            LineState::TooLong => LineKind::Reject(RejectReason::TooLong),
            LineState::Whole | LineState::Unended => tweet::scan(bytes),
        })
    }

    /// Makes a batch of the last block of a broken input: the beginning of a line that the input does not finish.
    pub(crate) fn cut_off(&self, block: Block) -> Batch {
        self.batch(block, &mut Vec::new(), |_, _| LineKind::Reject(RejectReason::Truncated))
    }

    fn batch(&self, block: Block, controls: &mut Vec<Control>, tell: impl Fn(&Line, &[u8]) -> LineKind) -> Batch {
        let mut counts = Counts { heartbeats: block.heartbeats, ..Counts::default() };
        let mut records = Vec::with_capacity(block.lines.len());
        for line in &block.lines {
            let bytes = block.line(line);
            let kind = match tell(line, bytes) {
                LineKind::Tweet(head) if self.needs_time && head.created_at_ms.is_none() => {
                    counts.rejects += 1;
                    self.reject(RejectReason::NoTime, line)
                }
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
                    let kind = self.control(&control, bytes);
                    controls.push(control);
                    kind
                }
                LineKind::Reject(reason) => {
                    counts.rejects += 1;
                    self.reject(reason, line)
                }
                LineKind::Blank => {
                    counts.heartbeats += 1;
                    continue;
                }
            };
            records.push(Record { start: line.start, end: line.end, kind });
        }
        self.count(&counts);
        Batch { block: block.bytes, records, path: self.path, position: None }
    }

    fn reject(&self, reason: RejectReason, line: &Line) -> RecordKind {
        let origin = format!("{} line {}", self.origin, line.number);
        RecordKind::Reject(Box::new(Reject { reason, origin, bytes: line.length }))
    }

    fn control(&self, control: &Control, bytes: &[u8]) -> RecordKind {
        let message = control.message();
        let at_ms = tweet::message_ms(message, bytes);
        match control {
            Control::Limit { track } => {
                // A live connection has a sorter of its own.
                let undelivered = self.limited.rise(*track, self.path == IngestPath::Replay);
                self.metrics.limited.inc_by(undelivered);
                return RecordKind::Limit { undelivered, at_ms };
            }
            Control::Disconnect { .. } => self.limited.restart(),
            _ => {}
        }
        RecordKind::Message(message, at_ms)
    }

    fn count(&self, counts: &Counts) {
        let by_kind = [
            ("tweet", counts.tweets),
            ("message", counts.messages),
            ("control", counts.controls),
            ("heartbeat", counts.heartbeats),
            ("reject", counts.rejects),
        ];
        for (kind, count) in by_kind {
            if count > 0 {
                self.metrics.records_received.get_or_create(&Kind::new(kind)).inc_by(count);
            }
        }
    }
}

/// The most that is framed at once. With the longest line it stays far below the 4 GiB that a block can hold.
const PORTION_BYTES: usize = 1 << 20;

/// Cuts `chunk` after each `lines`-th line end, so that what is framed from one portion never makes more than `lines` records.
pub(crate) fn portions(chunk: &[u8], lines: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = chunk;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let most = &rest[..rest.len().min(PORTION_BYTES)];
        let cut = memchr::memchr_iter(b'\n', most).nth(lines.max(1) - 1).map_or(most.len(), |at| at + 1);
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

    const LIMITS: Limits =
        Limits { max_line_bytes: 1 << 20, batch_records: 100, needs_time: false, on_reject: OnReject::Keep };

    fn sorted(bytes: &[u8]) -> (Batch, Vec<Control>, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::default());
        let mut framer = Framer::new(1 << 20);
        framer.step_over(&b"\n".repeat(100));
        framer.push(bytes);
        let sorter = Sorter::new(Arc::clone(&metrics), IngestPath::Stream, "connection 3".to_owned(), &LIMITS);
        let mut controls = Vec::new();
        let batch = sorter.sort(framer.take_block().expect("whole lines"), &mut controls);
        (batch, controls, metrics)
    }

    fn kinds(batch: &Batch) -> Vec<&'static str> {
        let kind = |record: &Record| match record.kind {
            RecordKind::Tweet(_) => "tweet",
            RecordKind::Message(..) => "message",
            RecordKind::Limit { .. } => "limit",
            RecordKind::Reject(_) => "reject",
        };
        batch.records.iter().map(kind).collect()
    }

    #[test]
    fn control_messages_are_records_and_are_handed_back_too() {
        let (batch, controls, metrics) = sorted(
            b"{\"id\":1454638400000000000,\"text\":\"a\",\"user\":{}}\r\n\r\n{\"limit\":{\"track\":7}}\r\n{\"delete\":{\"status\":\
              {\"id\":3,\"user_id\":4},\"timestamp_ms\":\"1646280068000\"}}\r\n",
        );
        assert_eq!(kinds(&batch), ["tweet", "limit", "message"]);
        assert_eq!(controls, [Control::Limit { track: 7 }]);
        assert_eq!(batch.records[1].kind, RecordKind::Limit { undelivered: 7, at_ms: None });
        assert_eq!(batch.records[2].kind, RecordKind::Message(Message::Delete, Some(1_646_280_068_000)));
        for kind in ["tweet", "message", "control", "heartbeat"] {
            assert_eq!(metrics.records_received.get_or_create(&Kind::new(kind)).get(), 1, "{kind}");
        }
    }

    #[test]
    fn in_a_recording_a_disconnect_ends_the_count_of_what_was_left_out() {
        let lines = b"{\"limit\":{\"track\":8,\"timestamp_ms\":\"1646280068000\"}}\n{\"disconnect\":{\"code\":4}}\n{\"limit\":{\"track\":9}}\n";
        let (batch, _, metrics) = sorted(lines);
        let kinds: Vec<RecordKind> = batch.records.into_iter().map(|record| record.kind).collect();
        assert_eq!(
            kinds,
            [
                RecordKind::Limit { undelivered: 8, at_ms: Some(1_646_280_068_000) },
                RecordKind::Message(Message::Disconnect, None),
                RecordKind::Limit { undelivered: 9, at_ms: None },
            ]
        );
        assert_eq!(metrics.limited.get(), 17);
    }

    #[test]
    fn a_tweet_whose_time_cannot_be_read_is_a_reject_where_the_time_names_the_hour() {
        // An id from before the ids that hold a time.
        let line = b"{\"id\":20,\"text\":\"just setting up\",\"created_at\":\"some day\"}\n";
        for (needs_time, expected) in [(false, "tweet"), (true, "reject")] {
            let mut framer = Framer::new(1 << 20);
            framer.push(line);
            let limits = Limits { needs_time, ..LIMITS };
            let sorter = Sorter::new(Arc::default(), IngestPath::Replay, "a".to_owned(), &limits);
            let batch = sorter.sort(framer.take_block().expect("a line"), &mut Vec::new());
            assert_eq!(kinds(&batch), [expected]);
            if let RecordKind::Reject(reject) = &batch.records[0].kind {
                assert_eq!((&reject.reason, reject.origin.as_str()), (&RejectReason::NoTime, "a line 1"));
            }
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
            let sorter = Sorter::new(Arc::default(), IngestPath::Replay, "a".to_owned(), &LIMITS);
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
            let expected = [(1, 100_000, 65_536), (3, 3, 3), (4, 100_001, 65_536), (5, 3, 3)];
            let expected = expected.map(|(line, bytes, kept)| (format!("a line {line}"), bytes, kept));
            assert_eq!(rejects, expected, "in chunks of {chunk}");
        }
    }

    #[test]
    fn a_line_that_a_broken_input_does_not_finish_is_truncated_and_one_of_a_whole_input_is_a_line() {
        let sorter = Sorter::new(Arc::default(), IngestPath::Replay, "a".to_owned(), &LIMITS);
        for (tail, bytes, kept, if_whole) in [
            ("[1]".to_owned(), 3, 3, Some(RejectReason::UnknownObject)),
            ("x".repeat(100_000), 100_000, 65_536, Some(RejectReason::TooLong)),
            (" ".to_owned(), 0, 0, None),
        ] {
            let block = || {
                let mut framer = Framer::new(50_000);
                framer.push(b"\n");
                framer.push(tail.as_bytes());
                framer.take_block().expect("a heartbeat");
                framer.finish()
            };
            let if_broken = if_whole.as_ref().map(|_| RejectReason::Truncated);
            for (batch, reason) in
                [(sorter.sort(block(), &mut Vec::new()), if_whole), (sorter.cut_off(block()), if_broken)]
            {
                let expected = reason.map(|reason| Record {
                    start: 0,
                    end: kept,
                    kind: RecordKind::Reject(Box::new(Reject { reason, origin: "a line 2".to_owned(), bytes })),
                });
                assert_eq!(batch.records, Vec::from_iter(expected));
            }
        }
    }

    #[test]
    fn a_chunk_of_one_endless_line_is_framed_in_portions_too() {
        let chunk = vec![b'x'; 2 * PORTION_BYTES + 1];
        let lengths: Vec<usize> = portions(&chunk, 1).map(<[u8]>::len).collect();
        assert_eq!(lengths, [PORTION_BYTES, PORTION_BYTES, 1]);
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
