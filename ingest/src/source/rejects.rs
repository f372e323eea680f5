//! A lake's own rejects as a source: the lines that this version can read go back into the channel.
//!
//! Objects never change, so a line that was requeued stays among the rejects. What keeps it from being requeued twice is a
//! position: each batch holds lines that follow one another in one object, and its position's name is
//! `<key>#<first line>-<last line>`, lines counted from 1. The journal takes it in with the lines, in one frame. Lines
//! that no position names are looked at again by each requeue, since a later version may read them.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use cauce_lake::manifest::IngestPath;
use cauce_lake::object::ObjectRef;
use cauce_lake::read::{self, ReadOptions};
use cauce_lake::rejects::{self, KeptReject};
use cauce_lake::tweet::{LineKind, scan};
use cauce_lake::{HourRange, Lake};
use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::batches::{Limits, Sorter};
use super::framing::{Block, Line, LineState};
use super::{Positions, Source, SourceError};
use crate::channel::Sender;
use crate::record::{Batch, Position, RecordKind};
use crate::status::{Metrics, SourceState};

/// Bytes of a batch after which the next one begins; one line may be longer.
const BATCH_BYTES: usize = 1 << 20;

/// What was found among the rejects, beside the lines that were sent.
#[derive(Debug, Default)]
pub struct Found {
    /// Lines that an earlier requeue took.
    pub taken_before: AtomicU64,
    /// Lines that this version cannot read either.
    pub unreadable: AtomicU64,
    /// Lines that were cut when they were kept.
    pub cut: AtomicU64,
}

/// Whether this version can store a line that was kept as a reject. With `needs_time` a tweet must say when it was written.
pub(crate) fn is_readable(reject: &KeptReject, needs_time: bool) -> bool {
    reject.lost() == 0
        && match scan(&reject.bytes) {
            LineKind::Tweet(head) => !needs_time || head.created_at_ms.is_some(),
            LineKind::Message(_) | LineKind::Control(_) => true,
            LineKind::Blank | LineKind::Reject(_) => false,
        }
}

/// The rejects of a lake.
#[derive(Debug)]
pub(crate) struct Rejects {
    pub(crate) lake: Lake,
    /// Hours whose rejects are taken; all where there is none.
    pub(crate) hours: Vec<HourRange>,
    pub(crate) positions: Positions,
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) found: Arc<Found>,
}

#[async_trait]
impl Source for Rejects {
    fn is_live(&self) -> bool {
        false
    }

    async fn run(self: Box<Self>, out: Sender, stop: CancellationToken) -> Result<(), SourceError> {
        self.metrics.set_source(SourceState::Reading);
        let end = self.read(&out, &stop).await;
        self.metrics.set_source(SourceState::Ended);
        end
    }
}

impl Rejects {
    async fn read(&self, out: &Sender, stop: &CancellationToken) -> Result<(), SourceError> {
        let since = self.hours.iter().map(|range| range.start).min();
        let cannot = |error: &dyn std::fmt::Display| SourceError::Input(format!("the rejects cannot be read: {error}"));
        let objects = rejects::objects(&self.lake, since).await.map_err(|error| cannot(&error))?;
        let mut damaged = 0;
        for object in objects {
            let mut run = Run::new(self, &object);
            let source = read::Source::Object(Arc::clone(self.lake.store()), object);
            let mut blocks = read::lines(vec![source], &ReadOptions::default());
            while let Some(block) = blocks.next().await {
                for line in block.map_err(|error| cannot(&error))?.lines() {
                    if stop.is_cancelled() {
                        return Ok(());
                    }
                    let batch = match KeptReject::from_line(line) {
                        Ok(reject) => run.take(&reject),
                        Err(_) => {
                            damaged += 1;
                            run.skip()
                        }
                    };
                    if let Some(batch) = batch
                        && out.send(batch).await.is_err()
                    {
                        return Ok(());
                    }
                }
            }
            if let Some(batch) = run.batch()
                && out.send(batch).await.is_err()
            {
                return Ok(());
            }
        }
        match damaged {
            0 => Ok(()),
            count => Err(SourceError::Input(format!(
                "{count} lines under rejects/ are not of the form that docs/lake-format.md describes; all else is requeued"
            ))),
        }
    }
}

/// The lines of one object, and the batch that is being made of them.
struct Run<'a> {
    source: &'a Rejects,
    key: String,
    bytes: u64,
    sorter: Sorter,
    taken: Vec<RangeInclusive<u64>>,
    /// Lines of the object so far.
    number: u64,
    block: Vec<u8>,
    lines: Vec<Line>,
    /// For each line the time of its reject, for a message that bears none.
    times: Vec<i64>,
}

impl<'a> Run<'a> {
    fn new(source: &'a Rejects, object: &ObjectRef) -> Run<'a> {
        let key = object.key.as_str().to_owned();
        let name = format!("{key}#");
        let range = |name: &str| {
            let (first, last) = name.split_once('-')?;
            Some(first.parse().ok()?..=last.parse().ok()?)
        };
        let known = source.positions.values().filter(|position| position.bytes == object.bytes);
        let taken = known.filter_map(|position| range(position.file.strip_prefix(&name)?)).collect();
        Run {
            sorter: Sorter::new(Arc::clone(&source.metrics), IngestPath::Replay, key.clone(), &source.limits),
            source,
            key,
            bytes: object.bytes,
            taken,
            number: 0,
            block: Vec::new(),
            lines: Vec::new(),
            times: Vec::new(),
        }
    }

    /// Takes the object's next line, and gives back a batch that ends before it or with it.
    fn take(&mut self, reject: &KeptReject) -> Option<Batch> {
        let (hours, number) = (&self.source.hours, self.number + 1);
        let is_meant = hours.is_empty() || hours.iter().any(|range| range.contains(reject.hour_or_arrival()));
        if !is_meant {
            return self.skip();
        }
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        if self.taken.iter().any(|range| range.contains(&number)) {
            count(&self.source.found.taken_before);
            return self.skip();
        }
        if !is_readable(reject, self.source.limits.needs_time) {
            count(if reject.lost() > 0 { &self.source.found.cut } else { &self.source.found.unreadable });
            return self.skip();
        }
        self.number = number;
        let start = self.block.len() as u32;
        self.block.extend_from_slice(&reject.bytes);
        let end = self.block.len() as u32;
        self.block.push(b'\n');
        self.lines.push(Line { start, end, length: reject.length, number, state: LineState::Whole });
        self.times.push(reject.hour.map_or(reject.received_at.as_millisecond(), |hour| hour.start_ms()));
        let is_full = self.lines.len() >= self.source.limits.batch_records || self.block.len() >= BATCH_BYTES;
        if is_full { self.batch() } else { None }
    }

    /// Leaves the object's next line where it is: a batch ends before it.
    fn skip(&mut self) -> Option<Batch> {
        let batch = self.batch();
        self.number += 1;
        batch
    }

    /// What was taken since the last batch.
    fn batch(&mut self) -> Option<Batch> {
        let (first, last) = (self.lines.first()?.number, self.lines.last()?.number);
        let block = Block {
            bytes: Bytes::from(std::mem::take(&mut self.block)),
            lines: std::mem::take(&mut self.lines),
            ..Block::default()
        };
        let mut batch = self.sorter.sort(block, &mut Vec::new());
        for (record, reject_ms) in batch.records.iter_mut().zip(self.times.drain(..)) {
            if let RecordKind::Message(_, at_ms) | RecordKind::Limit { at_ms, .. } = &mut record.kind {
                at_ms.get_or_insert(reject_ms);
            }
        }
        let file = format!("{}#{first}-{last}", self.key);
        batch.position = Some(Position {
            file,
            bytes: self.bytes,
            sha256: String::new(),
            member: 0,
            offset: 0,
            done: true,
            damaged: Vec::new(),
        });
        Some(batch)
    }
}

#[cfg(test)]
mod tests;
