//! One hour, or one folder that is no hour, from its lines to whole files on local disk: read, decode, leave out, encode.
//! Nothing here touches the target.

use std::collections::BTreeMap;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use ::parquet::errors::ParquetError;
use arrow::datatypes::SchemaRef;
use futures_util::StreamExt;

use super::encoder::{Encoder, disk_failure};
use super::ids::{Ids, Seen};
use super::progress::{INTERVAL, Watch};
use super::put::Whole;
use super::rejects::Rejects;
use super::spill::Folder;
use super::split::{self, Piece};
use super::stamp::{Counted, Stamp};
use super::{ConvertError, ConvertOptions};
use crate::catalogue::HourEntry;
use crate::hour::{Hour, HourRange};
use crate::lakes::Lakes;
use crate::read::ReadOptions;
use crate::scan::{Counts, ScanOptions, Scanned, scan};
use crate::table::Projection;
use crate::work::Workers;

/// Bytes that are read and decoded ahead.
const AHEAD_BYTES: usize = 32 << 20;
/// Row groups that are open at once: of a folder that is split, the hours that its tweets are of at the moment.
const OPEN_GROUPS: usize = 3;
/// Hours of one folder that are written at once: each is an open file.
const MOST_HOURS: usize = 800;

/// What all hours of a conversion have in common.
pub(super) struct Common<'a> {
    pub(super) lakes: &'a Lakes,
    pub(super) options: &'a ConvertOptions,
    /// What lines are decoded to.
    pub(super) projection: Projection,
    /// What is written.
    pub(super) schema: SchemaRef,
    pub(super) workers: &'a Workers,
    /// Tweets to be left out.
    pub(super) deleted: Option<Ids>,
    pub(super) watch: Mutex<Watch<'a>>,
}

impl<'a> Common<'a> {
    /// What is told, under its lock. A callback that panicked is no reason to keep silent.
    pub(super) fn watch(&self) -> std::sync::MutexGuard<'_, Watch<'a>> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What went wrong while encoding: most often the disk.
fn encoding(folder: &Folder, name: &str, error: ParquetError) -> ConvertError {
    match disk_failure(&error) {
        Some(failure) => folder.failed(io::Error::new(failure.kind(), failure.to_string())),
        None => ConvertError::Encode { name: name.to_owned(), source: Arc::new(error) },
    }
}

/// An hour in the making.
struct File {
    encoder: Encoder,
    seen: Seen,
    /// When rows came last, counted in batches.
    touched: u64,
}

/// What comes of an entry: its hours, whole, with what was counted.
pub(super) struct Made {
    pub(super) hours: Vec<(Whole, Counted)>,
    pub(super) bytes_in: u64,
}

/// An entry in the making.
pub(super) struct Making<'c, 'a> {
    common: &'c Common<'a>,
    /// Where its files grow.
    folder: &'c Folder,
    entry: &'c HourEntry,
    /// Of a folder that is split, the hours that are wanted; `None` for an hour, which is taken whole.
    split: Option<Option<HourRange>>,
    files: BTreeMap<Hour, File>,
    rejects: Rejects,
    rejected: u64,
    batches: u64,
    read: Read,
}

/// How much of an entry has been read, as stored: a scan tells only what it is when it is decompressed.
struct Read {
    stored: u64,
    /// Lines, where the manifests tell how many there are.
    lines: Option<u64>,
    told: u64,
    so_far: Counts,
    decoded: u64,
}

impl Read {
    fn new(entry: &HourEntry, late: bool) -> Read {
        let late = if late { entry.late_objects.as_slice() } else { &[] };
        let objects = || entry.objects.iter().chain(late);
        Read {
            stored: objects().map(|object| object.bytes).sum(),
            lines: objects().map(|object| object.lines).sum(),
            told: 0,
            so_far: Counts::default(),
            decoded: 0,
        }
    }

    /// Counts a batch; gives how many stored bytes it stands for.
    fn add(&mut self, scanned: &Scanned) -> u64 {
        self.so_far += scanned.counts;
        self.decoded += scanned.bytes;
        let stored = match self.lines.filter(|lines| *lines > 0) {
            Some(lines) => (self.stored as f64 * (self.so_far.lines as f64 / lines as f64)) as u64,
            None => self.decoded,
        };
        self.up_to(stored)
    }

    fn up_to(&mut self, stored: u64) -> u64 {
        let more = stored.min(self.stored).saturating_sub(self.told);
        self.told += more;
        more
    }
}

impl<'c, 'a> Making<'c, 'a> {
    /// Begins with an entry: `split` is `None` for an hour.
    pub(super) fn new(
        common: &'c Common<'a>,
        folder: &'c Folder,
        entry: &'c HourEntry,
        split: Option<Option<HourRange>>,
    ) -> Self {
        let rejects = Rejects::new(folder);
        Making {
            common,
            folder,
            entry,
            split,
            files: BTreeMap::new(),
            rejects,
            rejected: 0,
            batches: 0,
            read: Read::new(entry, common.options.late),
        }
    }

    /// Reads all of it.
    pub(super) async fn read(&mut self) -> Result<(), ConvertError> {
        if let (None, Some(hour)) = (self.split, self.entry.hour()) {
            self.file(hour)?;
        }
        let late = self.common.options.late.then_some(true);
        for late in [Some(false), late].into_iter().flatten() {
            let common = self.common;
            let sources = common.lakes.sources(self.entry, late);
            let ahead = ReadOptions { max_memory_bytes: AHEAD_BYTES, ..ReadOptions::default() };
            // The encoder puts rows together itself.
            let options = ScanOptions { as_decoded: true, read: ahead, ..ScanOptions::default() };
            let mut scanned = pin!(scan(sources, &common.projection, common.workers, &options));
            let mut ticks = tokio::time::interval(INTERVAL);
            loop {
                tokio::select! {
                    biased;
                    next = scanned.next() => match next {
                        Some(Ok(next)) => self.take(next, late).await?,
                        Some(Err(source)) => return Err(ConvertError::Read { name: self.entry.name.clone(), source: source.into() }),
                        None => break,
                    },
                    // A store that is slow to answer is no reason not to be asked for an end.
                    _ = ticks.tick() => common.watch().tick()?,
                }
            }
        }
        let rest = self.read.up_to(u64::MAX);
        self.common.watch().read(rest, 0, 0)
    }

    async fn take(&mut self, scanned: Scanned, late: bool) -> Result<(), ConvertError> {
        self.batches += 1;
        let bytes = self.read.add(&scanned);
        let rejects = scanned.rejects.len() as u64;
        let objects = if late { &self.entry.late_objects } else { &self.entry.objects };
        let several = self.common.lakes.lakes().len() > 1;
        for line in &scanned.rejects {
            let lake = several.then(|| objects[line.source].lake);
            self.rejects.add(line, lake).map_err(|error| self.folder.failed(error))?;
        }
        self.rejected += rejects;
        let rows = scanned.rows.batch.num_rows() as u64;
        let pieces = match (self.split, self.entry.hour()) {
            (None, Some(hour)) => vec![Piece::whole(hour, scanned.rows)],
            (range, _) => {
                let pieces = split::by_hour(scanned.rows, &self.common.schema);
                let wanted = |hour| range.flatten().is_none_or(|range| range.contains(hour));
                pieces
                    .map_err(|error| encoding(self.folder, &self.entry.name, error.into()))?
                    .into_iter()
                    .filter(|piece| wanted(piece.hour))
                    .collect()
            }
        };
        for piece in pieces {
            self.push(piece).await?;
        }
        self.common.watch().read(bytes, rows, rejects)
    }

    async fn push(&mut self, piece: Piece) -> Result<(), ConvertError> {
        let Piece { hour, batch, ids, matched } = piece;
        let (batches, common, folder) = (self.batches, self.common, self.folder);
        let name = &self.entry.name;
        let file = self.file(hour)?;
        file.touched = batches;
        let kept = file.seen.keep(batch, &ids, |row| matched[row], common.deleted.as_ref());
        let kept = kept.map_err(|error| encoding(folder, name, error.into()))?;
        file.encoder.push(kept).await.map_err(|error| encoding(folder, name, error))?;
        if self.split.is_some() {
            self.rest_the_oldest().await?;
        }
        Ok(())
    }

    /// The file of an hour, begun where there is none yet.
    fn file(&mut self, hour: Hour) -> Result<&mut File, ConvertError> {
        let (common, folder) = (self.common, self.folder);
        if !self.files.contains_key(&hour) {
            if self.files.len() >= MOST_HOURS {
                return Err(ConvertError::TooManyHours { name: self.entry.name.clone(), most: MOST_HOURS });
            }
            let options = common.options;
            let encoder =
                Encoder::new(&common.schema, options.compression, options.row_group_rows, folder, common.workers);
            let encoder = encoder.map_err(|error| encoding(folder, &self.entry.name, error))?;
            self.files.insert(hour, File { encoder, seen: Seen::default(), touched: 0 });
        }
        Ok(self.files.get_mut(&hour).expect("it was just made"))
    }

    /// Ends the row group of the hour that has waited longest for rows, where too many are open.
    async fn rest_the_oldest(&mut self) -> Result<(), ConvertError> {
        let open = self.files.values_mut().filter(|file| file.encoder.is_open());
        if open.count() <= OPEN_GROUPS {
            return Ok(());
        }
        let open = self.files.values_mut().filter(|file| file.encoder.is_open());
        let oldest = open.min_by_key(|file| file.touched).expect("some are open");
        oldest.encoder.rest().await.map_err(|error| encoding(self.folder, &self.entry.name, error))
    }

    /// Ends all files. `stamp` is what they say of their making.
    pub(super) async fn finish(self, stamp: &Stamp) -> Result<Made, ConvertError> {
        let Making { folder, entry, split, files, rejects, rejected, read, .. } = self;
        let mut rejects = rejects.finish().map_err(|error| folder.failed(error))?;
        if files.is_empty() && rejects.is_some() {
            return Err(ConvertError::NothingRead { name: entry.name.clone(), rejects: rejected });
        }
        let stamp = Stamp { parts: split.is_some().then_some(files.len() as u64), ..stamp.clone() };
        let mut made = Made { hours: Vec::with_capacity(files.len()), bytes_in: read.stored };
        for (hour, File { encoder, seen, .. }) in files {
            // Of a folder nobody knows which hour a line that did not read is of: the first one has them all.
            let rejects = rejects.take();
            let counted = Counted {
                rows: encoder.rows(),
                rejects: if rejects.is_some() { rejected } else { 0 },
                duplicates: seen.duplicates,
                deleted: seen.deleted,
            };
            let entries = stamp.entries(hour, &counted);
            let tweets = encoder.finish(entries).await.map_err(|error| encoding(folder, &entry.name, error))?;
            made.hours.push((Whole { hour, tweets, rejects, closed: stamp.closed }, counted));
        }
        Ok(made)
    }
}
