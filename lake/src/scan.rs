//! From objects to typed rows: lines are decoded on all processors at once and come out in order.
//!
//! The way: `units` gathers blocks of lines into shares of about two mebibytes, over the borders of small objects; `decode` makes
//! rows of a share on one of the [`Workers`]; `merge` puts the rows together again, in order, into batches. What is read
//! ahead, waits for a worker or for its batch is bounded in bytes.
//!
//! A line that gives no row is counted and, where it should have given one, told with its place; it never ends a scan.

mod decode;
mod merge;
#[cfg(test)]
mod tests;
mod units;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, FuturesOrdered, FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::read::{self, FileLines, ReadError, ReadOptions, Source, is_plain_file};
use crate::store::Key;
use crate::table::{Projection, RejectReason, Rows};
use crate::work::Workers;
use decode::{Decoders, Part};
use merge::{Batch, Merge};
use units::{FileUnits, Units};

/// Batches that wait for whoever reads them.
const WAITING: usize = 1;

/// How objects are scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanOptions {
    /// About so many rows a batch, default 10,000: at least as many, but for the last one, as long as they fit into the
    /// memory, and not many more. More rows a batch cost memory and delay the first of them; fewer cost time.
    pub batch_rows: NonZeroUsize,
    /// Give the rows of each share of lines as they are, some hundreds or thousands of them, for a reader that puts them
    /// together by itself; default false. `batch_rows` is then the most, not the least.
    pub as_decoded: bool,
    /// How the lines are read. The scan keeps to `max_memory_bytes` with what is read ahead and what is being decoded; a
    /// batch that is being put together may be half as large again.
    pub read: ReadOptions,
}

impl Default for ScanOptions {
    fn default() -> ScanOptions {
        ScanOptions {
            batch_rows: NonZeroUsize::new(10_000).expect("it is not zero"),
            as_decoded: false,
            read: ReadOptions::default(),
        }
    }
}

/// What the lines of a batch were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines read.
    pub lines: u64,
    /// Lines that were tweets.
    pub tweets: u64,
    /// Messages (deletes, withheld, scrub_geo).
    pub messages: u64,
    /// Words of the stream itself.
    pub controls: u64,
    /// Blank lines.
    pub blanks: u64,
    /// Lines that gave no row though they should have.
    pub rejects: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.lines += other.lines;
        self.tweets += other.tweets;
        self.messages += other.messages;
        self.controls += other.controls;
        self.blanks += other.blanks;
        self.rejects += other.rejects;
    }
}

/// Most bytes of a rejected line that are kept.
pub const MAX_REJECT_BYTES: usize = 64 << 10;

/// A line that gave no row though it should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedLine {
    /// Which of several lakes holds it, counted from 0.
    pub lake: usize,
    /// Its object.
    pub key: Key,
    /// Its number in the object, counted from 1.
    pub line: u64,
    /// Decoded bytes of the object before it.
    pub offset: u64,
    /// What is wrong with it.
    pub reason: RejectReason,
    /// The line without its newline, the first [`MAX_REJECT_BYTES`] of it.
    pub bytes: Bytes,
    /// Its whole length in bytes.
    pub line_bytes: u64,
}

/// A batch of rows, and what else was in the lines they were made of.
#[derive(Debug)]
pub struct Scanned {
    /// The rows, in the order of the lines.
    pub rows: Rows,
    /// What the lines were.
    pub counts: Counts,
    /// Lines that gave no row though they should have, in order.
    pub rejects: Vec<RejectedLine>,
    /// Decoded bytes of the lines, newlines included.
    pub bytes: u64,
}

/// Batches as they are made; ends after its first error.
pub type ScanStream = BoxStream<'static, Result<Scanned, ReadError>>;

/// The rows of some objects, in the order of their lines. Nothing happens before the first poll, and dropping the stream ends
/// all of it. It must be polled inside a tokio run time, of whatever kind.
///
/// Without a line there is no batch; lines that give no rows come with an empty one.
///
/// # Errors
/// As [`read::lines`]; the rows of the lines before it come first.
pub fn scan(sources: Vec<Source>, projection: &Projection, workers: &Workers, options: &ScanOptions) -> ScanStream {
    let begin = {
        let (projection, workers, options) = (projection.clone(), workers.clone(), options.clone());
        move || {
            let (sender, batches) = mpsc::channel(WAITING);
            let scan = Scan::new(projection, workers, &options, sender);
            let task = AbortOnDropHandle::new(tokio::spawn(scan.run(sources)));
            stream::unfold((batches, task), async |(mut batches, mut task)| match batches.recv().await {
                Some(batch) => Some((batch, (batches, task))),
                None => {
                    // A scan that came to grief must not look like one that came to its end.
                    if let Err(error) = (&mut task).await
                        && error.is_panic()
                    {
                        std::panic::resume_unwind(error.into_panic());
                    }
                    None
                }
            })
        }
    };
    stream::once(async move { begin() }).flatten().boxed()
}

struct Scan {
    options: ReadOptions,
    most_running_bytes: usize,
    merge: Merge,
    decoders: Arc<Decoders>,
    workers: Workers,
    batches: mpsc::Sender<Result<Scanned, ReadError>>,
}

/// What ends a scan before its last line.
enum Ended {
    /// Nobody wants the rest.
    ReaderGone,
    Failed(ReadError),
}

impl Scan {
    fn new(
        projection: Projection,
        workers: Workers,
        options: &ScanOptions,
        batches: mpsc::Sender<Result<Scanned, ReadError>>,
    ) -> Scan {
        let half = options.read.max_memory_bytes / 2;
        Scan {
            options: ReadOptions { max_memory_bytes: half, ..options.read.clone() },
            // What is in the hands of the workers, and so much that waits for them that they have work while whoever reads waits
            // for a processor: with half of it a conversion took a twentieth longer.
            most_running_bytes: half.min(4 * workers.threads() * units::UNIT_BYTES),
            merge: Merge::new(&projection, if options.as_decoded { 0 } else { options.batch_rows.get() }, half),
            decoders: Arc::new(Decoders::new(projection, options.batch_rows.get())),
            workers,
            batches,
        }
    }

    async fn run(mut self, sources: Vec<Source>) {
        let failed = match self.read(&sources).await {
            Ok(()) => None,
            Err(Ended::Failed(error)) => Some(error),
            Err(Ended::ReaderGone) => return,
        };
        if let Some(batch) = self.merge.finish()
            && self.give(batch).await.is_err()
        {
            return;
        }
        if let Some(error) = failed {
            // Nobody hears it where the reader has gone.
            let _ = self.batches.send(Err(error)).await;
        }
    }

    async fn read(&mut self, mut sources: &[Source]) -> Result<(), Ended> {
        while let Some(first) = sources.first() {
            let plain = is_plain_file(first);
            let (alike, rest) =
                sources.split_at(sources.iter().take_while(|source| is_plain_file(source) == plain).count());
            if plain {
                self.files(alike.into()).await?;
            } else {
                self.stream(alike.into()).await?;
            }
            sources = rest;
        }
        Ok(())
    }

    /// Sources that are read ahead: the workers get their lines.
    async fn stream(&mut self, sources: Arc<[Source]>) -> Result<(), Ended> {
        let mut units = Units::new(read::lines(sources.to_vec(), &self.options));
        let (mut running, mut running_bytes) = (FuturesOrdered::new(), 0);
        let (mut failed, mut done) = (None, false);
        loop {
            let has_room = running.is_empty() || running_bytes < self.most_running_bytes;
            tokio::select! {
                biased;
                Some((bytes, parts)) = running.next(), if !running.is_empty() => {
                    running_bytes -= bytes;
                    self.take(parts).await?;
                }
                unit = units.next(), if has_room && !done => match unit {
                    Some(Ok(unit)) => {
                        running_bytes += unit.weight();
                        let (decoders, sources) = (Arc::clone(&self.decoders), Arc::clone(&sources));
                        running.push_back(self.workers.start(move || (unit.weight(), decoders.decode(&unit, &sources))));
                    }
                    Some(Err(error)) => (failed, done) = (Some(error), true),
                    None => done = true,
                },
                else => break,
            }
        }
        failed.map_or(Ok(()), |error| Err(Ended::Failed(error)))
    }

    /// Files of this machine: each worker reads what it decodes, one at a time, so that the bytes are in its cache.
    async fn files(&mut self, sources: Arc<[Source]>) -> Result<(), Ended> {
        let lines = FileLines::new(Arc::clone(&sources), self.options.max_line_bytes);
        let units = Arc::new(Mutex::new(FileUnits::new(lines)));
        let most = (self.most_running_bytes / units::UNIT_BYTES).max(1);
        // What is done before its turn; whoever is waited for has begun, and needs nobody else.
        let (mut running, mut early, mut turn, mut done) = (FuturesUnordered::new(), BTreeMap::new(), 0, false);
        loop {
            while !done && running.len() + early.len() < most {
                let (units, decoders, sources) = (Arc::clone(&units), Arc::clone(&self.decoders), Arc::clone(&sources));
                running.push(self.workers.start(move || {
                    let (number, unit) = units.lock().unwrap_or_else(PoisonError::into_inner).next()?;
                    Some((number, unit.map(|unit| decoders.decode(&unit, &sources))))
                }));
            }
            match running.next().await {
                Some(Some((number, parts))) => drop(early.insert(number, parts)),
                Some(None) => done = true,
                None => return Ok(()),
            }
            while let Some(parts) = early.remove(&turn) {
                turn += 1;
                self.take(parts.map_err(Ended::Failed)?).await?;
            }
        }
    }

    async fn take(&mut self, parts: Vec<Part>) -> Result<(), Ended> {
        for part in parts {
            if let Some(batch) = self.merge.push(part) {
                self.give(batch).await?;
            }
        }
        Ok(())
    }

    async fn give(&self, batch: Batch) -> Result<(), Ended> {
        let batch = batch.make(&self.workers).await;
        self.batches.send(Ok(batch)).await.map_err(|_| Ended::ReaderGone)
    }
}
