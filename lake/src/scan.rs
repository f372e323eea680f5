//! From objects to typed rows: lines are decoded on all processors at once and come out in order.
//!
//! The way: `units` gathers blocks of lines into shares of about a mebibyte, over the borders of small objects; `decode` makes
//! rows of a share on one of the [`Workers`]; `merge` puts the rows together again, in order, into batches. What is read
//! ahead, waits for a worker or for its batch is bounded in bytes.
//!
//! A line that gives no row is counted and, where it should have given one, told with its place; it never ends a scan.

mod decode;
mod merge;
#[cfg(test)]
mod tests;
mod units;

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, FuturesOrdered, StreamExt};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::read::{self, ReadError, ReadOptions, Source};
use crate::store::Key;
use crate::table::{Projection, RejectReason, Rows};
use crate::work::{Workers, Working};
use decode::{Decoders, Part};
use merge::Merge;
use units::{Unit, Units};

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
            let scan = Scan::new(sources.into(), projection, workers, &options);
            let task = AbortOnDropHandle::new(tokio::spawn(scan.run(sender)));
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
    sources: Arc<[Source]>,
    units: Units,
    /// Shares that are being decoded, in order, and the bytes in them.
    running: FuturesOrdered<Working<(Unit, Vec<Part>)>>,
    running_bytes: usize,
    most_running_bytes: usize,
    merge: Merge,
    decoders: Arc<Decoders>,
    workers: Workers,
}

impl Scan {
    fn new(sources: Arc<[Source]>, projection: Projection, workers: Workers, options: &ScanOptions) -> Scan {
        let half = options.read.max_memory_bytes / 2;
        let ahead = ReadOptions { max_memory_bytes: half, ..options.read.clone() };
        Scan {
            units: Units::new(read::lines(sources.to_vec(), &ahead)),
            sources,
            running: FuturesOrdered::new(),
            running_bytes: 0,
            // What is in the hands of the workers, and so much that waits for them that they have work while whoever reads waits
            // for a processor: with half of it a conversion took a twentieth longer.
            most_running_bytes: half.min(4 * workers.threads() * units::UNIT_BYTES),
            merge: Merge::new(&projection, if options.as_decoded { 0 } else { options.batch_rows.get() }, half),
            decoders: Arc::new(Decoders::new(projection, options.batch_rows.get())),
            workers,
        }
    }

    async fn run(mut self, batches: mpsc::Sender<Result<Scanned, ReadError>>) {
        let mut failed = None;
        loop {
            let has_room = self.running.is_empty() || self.running_bytes < self.most_running_bytes;
            tokio::select! {
                biased;
                Some((unit, parts)) = self.running.next(), if !self.running.is_empty() => {
                    self.running_bytes -= unit.bytes();
                    drop(unit);
                    for part in parts {
                        if let Some(batch) = self.merge.push(part)
                            && batches.send(Ok(batch.make(&self.workers).await)).await.is_err()
                        {
                            return;
                        }
                    }
                }
                unit = self.units.next(), if has_room && failed.is_none() && !self.units.is_done() => match unit {
                    Some(Ok(unit)) => self.decode(unit),
                    Some(Err(error)) => failed = Some(error),
                    None => {}
                },
                else => break,
            }
        }
        if let Some(batch) = self.merge.finish()
            && batches.send(Ok(batch.make(&self.workers).await)).await.is_err()
        {
            return;
        }
        if let Some(error) = failed {
            // Nobody hears it where the reader has gone.
            let _ = batches.send(Err(error)).await;
        }
    }

    fn decode(&mut self, unit: Unit) {
        self.running_bytes += unit.bytes();
        let (decoders, sources) = (Arc::clone(&self.decoders), Arc::clone(&self.sources));
        self.running.push_back(self.workers.start(move || {
            let parts = decoders.decode(&unit, &sources);
            (unit, parts)
        }));
    }
}
