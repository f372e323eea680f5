//! Scans objects to typed rows: all processors decode lines in parallel, and the rows come out in order.
//!
//! `morsels` cuts the lines into morsels of about two mebibytes, across the borders of small objects; `decode` decodes
//! a morsel on one of the [`Workers`]; `merge` combines the rows, in order, to batches. The memory of lines read ahead,
//! of morsels and of finished rows is bounded.
//!
//! A rejected line is counted and reported with its position; it never fails a scan.

mod decode;
mod merge;
mod morsels;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::object::Source;
use crate::read::{self, FileLines, ReadError, ReadOptions, is_plain_file};
use crate::store::Key;
use crate::table::{Projection, RejectReason, Rows};
use crate::work::{JobHandle, Workers};
use decode::{DecodedLines, DecoderPool, SourceRange};
use merge::{BatchMerger, BatchParts};
use morsels::{FileMorsels, MORSEL_BYTES, Morsel, MorselStream};

/// Batches that are buffered for the consumer.
const BUFFERED_BATCHES: usize = 1;

/// How to scan objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanOptions {
    /// Rows per batch, default 10,000. Every batch but the last has at least so many, as far as they fit into memory,
    /// and not many more. Larger batches take more memory and delay the first one; smaller ones take more time.
    pub batch_rows: NonZeroUsize,
    /// Give the rows of each morsel as they are, some hundreds or thousands, to a consumer that combines them itself;
    /// default false. `batch_rows` is then the maximum, not the minimum.
    pub as_decoded: bool,
    /// How to read the lines. `max_memory_bytes` covers lines read ahead and morsels; a batch under construction may
    /// take half as much on top.
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

/// The lines of a batch, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All lines.
    pub lines: u64,
    /// Tweets.
    pub tweets: u64,
    /// Messages about tweets (deletes, withheld, scrub_geo).
    pub messages: u64,
    /// Control messages of the stream.
    pub controls: u64,
    /// Blank lines.
    pub blanks: u64,
    /// Rejected lines.
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

/// The most bytes that are kept of a rejected line.
pub const MAX_REJECT_BYTES: usize = 64 << 10;

/// A line that is neither a known message nor a tweet that fits the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedLine {
    /// The index of its object in the list of sources.
    pub source: usize,
    /// The key of its object.
    pub key: Key,
    /// Its number in the object, counted from 1.
    pub line: u64,
    /// Decoded bytes of the object before it.
    pub offset: u64,
    /// Why it was rejected.
    pub reason: RejectReason,
    /// The line without its newline, up to [`MAX_REJECT_BYTES`].
    pub bytes: Bytes,
    /// The length of the whole line in bytes.
    pub line_bytes: u64,
}

/// A batch of rows, and an account of the lines they were decoded from.
#[derive(Debug)]
pub struct Scanned {
    /// The rows, in the order of the lines.
    pub rows: Rows,
    /// The lines by kind.
    pub counts: Counts,
    /// Rejected lines, in order.
    pub rejects: Vec<RejectedLine>,
    /// Decoded bytes of the lines, including newlines.
    pub bytes: u64,
}

/// Batches in order; ends after its first error.
pub type ScanStream = BoxStream<'static, Result<Scanned, ReadError>>;

/// Streams the rows of some objects, in the order of their lines. Nothing happens before the first poll, and dropping
/// the stream cancels the scan. Poll it inside a tokio runtime of either flavor.
///
/// Lines without rows give an empty batch; no lines give no batch.
///
/// # Errors
/// As [`read::lines`], after the rows of all lines before the failure.
pub fn scan(sources: Vec<Source>, projection: &Projection, workers: &Workers, options: &ScanOptions) -> ScanStream {
    let begin = {
        let (projection, workers, options) = (projection.clone(), workers.clone(), options.clone());
        move || {
            let (sender, batches) = mpsc::channel(BUFFERED_BATCHES);
            let scan = Scan::new(projection, workers, &options, sender);
            let task = AbortOnDropHandle::new(tokio::spawn(scan.run(sources)));
            stream::unfold((batches, task), async |(mut batches, mut task)| match batches.recv().await {
                Some(batch) => Some((batch, (batches, task))),
                None => {
                    // A panic must not look like the end of the scan.
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
    max_running_bytes: usize,
    merger: BatchMerger,
    decoders: Arc<DecoderPool>,
    workers: Workers,
    batches: mpsc::Sender<Result<Scanned, ReadError>>,
}

/// Why a scan ends before its last line.
enum Interrupted {
    ConsumerGone,
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
            // Enough queued morsels to keep the workers busy while the consumer waits for a processor: with half of it
            // a conversion took a twentieth longer.
            max_running_bytes: half.min(4 * workers.threads() * MORSEL_BYTES),
            merger: BatchMerger::new(&projection, if options.as_decoded { 0 } else { options.batch_rows.get() }, half),
            decoders: Arc::new(DecoderPool::new(projection, options.batch_rows.get())),
            workers,
            batches,
        }
    }

    async fn run(mut self, sources: Vec<Source>) {
        let failed = match self.read(&sources).await {
            Ok(()) => None,
            Err(Interrupted::Failed(error)) => Some(error),
            Err(Interrupted::ConsumerGone) => return,
        };
        if let Some(batch) = self.merger.finish()
            && self.send(batch).await.is_err()
        {
            return;
        }
        if let Some(error) = failed {
            // A dropped receiver is not an error.
            let _ = self.batches.send(Err(error)).await;
        }
    }

    /// Scans consecutive sources together if they are read in the same way.
    async fn read(&mut self, sources: &[Source]) -> Result<(), Interrupted> {
        let mut first = 0;
        for alike in sources.chunk_by(|a, b| is_plain_file(a) == is_plain_file(b)) {
            self.read_range(SourceRange { sources: alike.into(), first }).await?;
            first += alike.len();
        }
        Ok(())
    }

    /// Decodes as many morsels at once as fit into memory, and takes their rows in order.
    async fn read_range(&mut self, range: SourceRange) -> Result<(), Interrupted> {
        let mut input = Input::new(&range, &self.options);
        let (mut running, mut running_bytes, mut is_exhausted) = (FuturesUnordered::new(), 0, false);
        // Rows that are finished before their turn.
        let (mut finished, mut turn) = (BTreeMap::new(), 0);
        loop {
            let has_room = running_bytes == 0 || running_bytes < self.max_running_bytes;
            tokio::select! {
                biased;
                Some(done) = running.next(), if !running.is_empty() => match done {
                    Some(DecodedMorsel { number, weight, lines }) => _ = finished.insert(number, (weight, lines)),
                    None => is_exhausted = true,
                },
                job = input.start(&self.workers, &self.decoders, &range), if has_room && !is_exhausted => match job {
                    Some((weight, job)) => {
                        running_bytes += weight;
                        running.push(job);
                    }
                    None => is_exhausted = true,
                },
                else => return Ok(()),
            }
            while let Some((weight, lines)) = finished.remove(&turn) {
                turn += 1;
                running_bytes -= weight;
                self.take(lines.map_err(Interrupted::Failed)?).await?;
            }
        }
    }

    async fn take(&mut self, decoded: Vec<DecodedLines>) -> Result<(), Interrupted> {
        for lines in decoded {
            if let Some(batch) = self.merger.push(lines) {
                self.send(batch).await?;
            }
        }
        Ok(())
    }

    async fn send(&self, batch: BatchParts) -> Result<(), Interrupted> {
        let batch = batch.concatenate(&self.workers).await;
        self.batches.send(Ok(batch)).await.map_err(|_| Interrupted::ConsumerGone)
    }
}

/// The result of decoding a morsel.
struct DecodedMorsel {
    /// Its position in the order of the lines.
    number: u64,
    /// What was reserved for it.
    weight: usize,
    lines: Result<Vec<DecodedLines>, ReadError>,
}

/// Where the morsels of some sources come from.
enum Input {
    /// Objects that are read ahead; a worker gets a morsel's lines.
    Stream(Box<MorselStream>),
    /// Local files: each worker reads what it decodes, one at a time, so that the bytes are in its cache.
    Files(Arc<Mutex<FileMorsels>>),
}

impl Input {
    fn new(range: &SourceRange, options: &ReadOptions) -> Input {
        if range.sources.iter().all(is_plain_file) {
            let lines = FileLines::new(Arc::clone(&range.sources), options.max_line_bytes);
            Input::Files(Arc::new(Mutex::new(FileMorsels::new(lines))))
        } else {
            Input::Stream(Box::new(MorselStream::new(read::lines(range.sources.to_vec(), options))))
        }
    }

    /// Starts to decode the next morsel, and gives what to reserve for it; `None` at the end. A job for files gives
    /// `None` if it finds the end. Cancel safe.
    async fn start(
        &mut self,
        workers: &Workers,
        decoders: &Arc<DecoderPool>,
        range: &SourceRange,
    ) -> Option<(usize, JobHandle<Option<DecodedMorsel>>)> {
        let (decoders, range) = (Arc::clone(decoders), range.clone());
        let decode = move |morsel: Result<Morsel, ReadError>| morsel.map(|morsel| decoders.decode(&morsel, &range));
        Some(match self {
            Input::Stream(morsels) => {
                let (number, morsel) = morsels.next().await?;
                let weight = morsel.as_ref().map_or(0, Morsel::weight);
                (weight, workers.start(move || Some(DecodedMorsel { number, weight, lines: decode(morsel) })))
            }
            Input::Files(files) => {
                let (files, weight) = (Arc::clone(files), MORSEL_BYTES);
                let job = move || {
                    let (number, morsel) = files.lock().unwrap_or_else(PoisonError::into_inner).next()?;
                    Some(DecodedMorsel { number, weight, lines: decode(morsel) })
                };
                (weight, workers.start(job))
            }
        })
    }
}
