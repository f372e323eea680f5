//! [3] The spool: local disk between the channel and the store.
//!
//! ```text
//! spool/                    mode 0700
//!   lock                    held exclusively by the running agent
//!   journal.<generation>    what is accepted: the only truth (format: journal.rs, meaning: state.rs)
//!   data/<file>.lines       lines; an uncompressed object's very bytes
//!   data/<file>.copy        lines copied from another file, until the journal speaks for them (copy.rs)
//!   data/<file>.object      the compressed object, made once at the seal
//!   ids/<run>.ids           ids of stored tweets (format: id_run.rs, use: ids.rs)
//!   quarantine/<file>.*     damaged files, and files whose key another object holds
//!   quarantine/unknown.*    what the journal does not speak for (which that is: leftovers.rs)
//!   watermark               how far the journal was accepted (watermark.rs)
//!   reserve                 room for the journal on a full disk (reserve.rs)
//! ```
//! Folders have mode 0700, files 0600.
//!
//! **A group commit** writes the new bytes of all touched files, then one journal frame that says for each of them its
//! length, lines and CRC32C from its first byte on, and syncs files and journal side by side. The records of the group
//! are accepted when both syncs are done. With the memory channel nothing is synced until a file is sealed.
//!
//! **A file** is made with its final key, takes lines until it is rolled, is then sealed (its object's length and
//! SHA-256 journalled, compressed bytes kept), uploaded, and deleted when the journal says that the store has it. Its
//! journal state stays until the manifest that speaks for it is confirmed.
//!
//! **A checkpoint** sums the state up as the first frame of the next generation, makes that durable under its final name
//! and removes the old one. It is taken at each start and when the journal has grown.
//!
//! **Recovery** applies the frames of the newest generation. A torn last frame was never accepted and is left out. A
//! whole last frame whose data did not reach the disk was not accepted either, and is left out as a whole. Any other
//! byte that does not check out is damage: the file it concerns is quarantined, loudly; `requeue.rs` mends what can be.
//! What the journal does not speak for is quarantined too, unless a crash can have left it and it holds nothing accepted.
//! What was read back may be in memory only, so it is written again and synced before a checkpoint speaks for it; and
//! what cannot be taken back (files removed or put aside) comes after that checkpoint.
//!
//! **After a failed write or sync** the spool refuses everything: a later sync that succeeds says nothing about the bytes
//! of the first. The agent stops, and the next start trusts only what it can read back and write again.

mod closing;
mod commit;
pub mod copy;
pub mod disk;
pub mod entry;
mod error;
mod folder;
pub mod fsck;
mod group;
mod id_run;
pub mod id_set;
pub mod ids;
pub mod inspect;
pub mod journal;
pub mod leftovers;
pub mod reconcile;
mod recovery;
pub mod requeue;
pub(crate) mod reserve;
pub mod reset_time;
pub mod roll;
pub mod route;
pub mod seal;
mod split;
pub mod state;
mod watermark;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::failpoint;
use disk::{Disk, DiskFile, RealDisk};
use entry::{Entry, FileHead, FileId, MessageCounts};
use folder::{lines_name, make_folders, object_name, take_lock};
use group::Group;
use ids::IdIndex;
use journal::Journal;
use roll::Filling;
use state::State;
use watermark::Watermark;

pub use error::SpoolError;
pub use recovery::Recovery;
pub use split::Lines;

/// A spool file that takes lines.
struct OpenFile {
    file: Box<dyn DiskFile>,
    buffer: Vec<u8>,
    end: u64,
    crc: u32,
    filling: Filling,
    arrivals: Vec<(i64, u64)>,
    ids: Vec<u64>,
    messages: MessageCounts,
}

/// The spool. One thread owns it.
pub struct Spool {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    durable: bool,
    dedupe_window_ms: i64,
    group_limit: u64,
    journal: Journal,
    state: State,
    ids: IdIndex,
    open: BTreeMap<FileId, OpenFile>,
    staged: Vec<Entry>,
    group: Group,
    buffered: usize,
    folder_changed: bool,
    /// Files whose data goes when what is staged is durable: others have stored and listed it.
    leftover: Vec<FileHead>,
    /// Files whose data is gone, to be forgotten with the next commit.
    cleared: Vec<FileId>,
    /// Copies that the staged entries speak for.
    copies: Vec<FileId>,
    /// The disk has failed: nothing may be written any more.
    broken: bool,
    // Held for the life of the spool: the lock goes with it.
    _lock: Option<File>,
}

/// How a spool is to be opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its folder; made when it is not there.
    pub dir: PathBuf,
    /// Whether each commit is synced.
    pub durable: bool,
    /// How long an id is remembered, in milliseconds; 0 turns dedupe off.
    pub dedupe_window_ms: i64,
    /// Most bytes that one group adds to the data files: after a crash, more than that behind the journal's last word is
    /// no torn group. See [`group_limit`].
    pub group_limit: u64,
}

/// A group is committed when it has grown to this, however short the interval: larger ones fall out of the cache.
pub const GROUP_BYTES: usize = 8 << 20;
/// Bytes that a source frames at once, before the line that it may end in.
const BATCH_BYTES: usize = 1 << 20;
/// What keeping a line as a reject may add to it besides base64: its reason, its source, its time.
const REJECT_BYTES: usize = 1 << 10;

/// Most bytes that one group can add to the data files. A group takes whole batches, the last one of which begins below
/// [`GROUP_BYTES`]; in that there are at most a portion of what was read, one line of `max_line_bytes` that was begun before,
/// or as many rejects as a batch has records, each with its own words around it.
pub fn group_limit(max_line_bytes: usize, batch_records: usize) -> u64 {
    let batch = (BATCH_BYTES + max_line_bytes) / 3 * 4 + batch_records * REJECT_BYTES;
    (GROUP_BYTES + batch) as u64
}

impl Spool {
    /// Opens a spool, taking its lock, and recovers it.
    ///
    /// # Errors
    /// When another agent has it, on an I/O error, or when the journal is damaged.
    pub fn open(options: &Options) -> Result<(Spool, Recovery), SpoolError> {
        let dir = options.dir.display().to_string();
        make_folders(&options.dir)?;
        let lock = take_lock(&options.dir, &dir)?;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(&options.dir));
        let (spool, recovery) = Spool::on_disk(options, disk, Some(lock))?;
        Ok((spool, recovery))
    }

    fn on_disk(options: &Options, disk: Arc<dyn Disk>, lock: Option<File>) -> Result<(Spool, Recovery), SpoolError> {
        let dir = options.dir.display().to_string();
        let mut recovered = recovery::recover(&*disk, &dir)?;
        if recovered.state.spool_id.is_empty() {
            recovered.state.spool_id = format!("{:032x}", rand::random::<u128>());
        }
        failpoint::hit("recovery.checked");
        let fail = |source| SpoolError::Disk { dir: dir.clone(), action: "recover".into(), source };
        let mut ids = IdIndex::open(&*disk, &recovered.state.runs).map_err(fail)?;
        recovered.ids.iter().for_each(|id| ids.insert(*id));
        if !recovered.report.found {
            let first = Watermark { group_limit: options.group_limit, ..Watermark::default() };
            watermark::begin(&*disk, first).map_err(fail)?;
        }
        for hole in ids.take_lost().iter().map(|lost| lost.hole(options.dedupe_window_ms)) {
            recovered.report.holes.push(hole.clone());
            recovered.state.apply(&Entry::IdsLost(hole));
        }
        recovered.state.fit_holes(options.dedupe_window_ms);
        let journal =
            commit::checkpoint(&*disk, options, recovered.generation, &recovered.state, &mut ids).map_err(fail)?;
        recovery::tidy(&*disk, &mut recovered, &ids).map_err(fail)?;
        let mut state = recovered.state;
        state.runs = Vec::new();
        let cleared: Vec<FileId> = state.done.iter().copied().collect();
        let mut spool = Spool {
            dir: options.dir.clone(),
            disk,
            durable: options.durable,
            dedupe_window_ms: options.dedupe_window_ms,
            group_limit: options.group_limit,
            journal,
            state,
            ids,
            open: BTreeMap::new(),
            staged: Vec::new(),
            group: Group::default(),
            buffered: 0,
            // That the data of files that are done with is gone need not be durable yet.
            folder_changed: !cleared.is_empty(),
            leftover: Vec::new(),
            cleared,
            copies: Vec::new(),
            broken: false,
            _lock: lock,
        };
        spool.note_lost_ids();
        if recovered.report.found && !recovered.has_watermark {
            watermark::begin(&*spool.disk, spool.watermark()).map_err(fail)?;
        }
        watermark::write(&*spool.disk, spool.watermark()).map_err(fail)?;
        Ok((spool, recovered.report))
    }

    /// Journals ids that were found lost, with the next commit.
    fn note_lost_ids(&mut self) {
        for lost in self.ids.take_lost() {
            let hole = lost.hole(self.dedupe_window_ms);
            tracing::error!(
                file = lost.file,
                first_id = hole.span.map(|(first, _)| first),
                last_id = hole.span.map(|(_, last)| last),
                "an id file of the spool is damaged: tweets of these ids that come again are stored again; the manifests of the hours until then say so"
            );
            self.stage(Entry::IdsLost(hole));
        }
    }

    /// Opens a spool on a disk of a test.
    #[cfg(test)]
    pub(crate) fn open_on(options: &Options, disk: &sim_disk::SimDisk) -> Result<(Spool, Recovery), SpoolError> {
        Spool::on_disk(options, Arc::new(disk.clone()), None)
    }

    /// What the journal says, with what is staged.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether each commit is synced.
    pub fn is_durable(&self) -> bool {
        self.durable
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file's accepted lines, to be read by another thread; `None` for an unknown file.
    pub fn lines(&self, id: FileId) -> Option<Lines> {
        let bytes = self.state.files.get(&id)?.end;
        Some(Lines { disk: Arc::clone(&self.disk), name: lines_name(id), bytes })
    }

    /// Where a file's lines are.
    pub fn lines_path(&self, id: FileId) -> PathBuf {
        self.dir.join(lines_name(id))
    }

    /// What sealing a file takes; `None` for an unknown file.
    pub fn seal_task(&self, id: FileId) -> Option<seal::Task> {
        let file = self.state.files.get(&id)?;
        Some(seal::Task {
            dir: self.dir.clone(),
            lines: lines_name(id),
            bytes: file.end,
            crc: file.crc,
            codec: file.head.codec,
            object: object_name(&file.head),
        })
    }

    /// Where a file's object is: its lines where it is not compressed.
    pub fn object_path(&self, head: &FileHead) -> PathBuf {
        self.dir.join(object_name(head))
    }

    /// Notes that something happened. It is durable after the next [`Spool::commit`].
    pub fn stage(&mut self, entry: Entry) {
        if let Entry::Adopted { ids, .. } | Entry::Found { ids, .. } | Entry::Learnt { ids } = &entry {
            ids.iter().for_each(|id| self.ids.insert(*id));
        }
        match &entry {
            Entry::Listed { ids } | Entry::Superseded { ids } => self.done_with(ids),
            Entry::Found { id, .. } => self.done_with(&[*id]),
            _ => {}
        }
        self.state.apply(&entry);
        self.staged.push(entry);
    }

    /// Notes that the data of these files goes with the next commit.
    fn done_with(&mut self, ids: &[FileId]) {
        let files = ids.iter().filter_map(|id| self.state.files.get(id));
        self.leftover.extend(files.filter(|file| file.waits()).map(|file| file.head.clone()));
    }

    /// Makes a file that takes lines.
    ///
    /// # Errors
    /// On an I/O error.
    pub fn create(&mut self, head: FileHead) -> Result<(), SpoolError> {
        let id = head.id;
        let file = self.guarded("make a data file", |spool| spool.disk.create(&lines_name(id)))?;
        let filling = Filling { first_ms: head.created_ms, last_ms: head.created_ms, body_bytes: 0, lines: 0 };
        let open = OpenFile {
            file,
            buffer: Vec::new(),
            end: 0,
            crc: 0,
            filling,
            arrivals: Vec::new(),
            ids: Vec::new(),
            messages: MessageCounts::default(),
        };
        self.open.insert(id, open);
        self.folder_changed = true;
        self.stage(Entry::Created(head));
        Ok(())
    }

    /// Whether a tweet is stored already.
    ///
    /// # Errors
    /// When the id files cannot be read.
    pub fn is_stored(&self, tweet_id: u64) -> Result<bool, SpoolError> {
        if self.dedupe_window_ms == 0 {
            return Ok(false);
        }
        self.ids.contains(tweet_id).map_err(|source| self.failed("look up an id", source))
    }

    /// How far an open file is filled.
    pub fn filling(&self, id: FileId) -> Option<&Filling> {
        self.open.get(&id).map(|file| &file.filling)
    }

    /// The files that take lines.
    pub fn open_files(&self) -> impl Iterator<Item = (FileId, &Filling)> {
        self.open.iter().map(|(id, file)| (*id, &file.filling))
    }

    /// Takes no more lines into a file. What it holds must be committed before it is sealed.
    pub fn finish(&mut self, id: FileId) {
        let file = self.open.remove(&id);
        assert!(file.is_none_or(|file| file.buffer.is_empty()), "file {id} finished with uncommitted lines");
    }

    /// Whether a commit would write anything.
    pub fn has_staged(&self) -> bool {
        !self.staged.is_empty()
            || self.group.records > 0
            || !self.group.duplicates.is_empty()
            || !self.group.positions.is_empty()
    }

    /// Bytes of lines that are not committed.
    pub fn buffered(&self) -> usize {
        self.buffered
    }

    /// Removes the data of a file that is stored; the journal must say so durably.
    ///
    /// # Errors
    /// On an I/O error.
    pub fn discard(&mut self, head: &FileHead) -> Result<(), SpoolError> {
        let names = [lines_name(head.id), object_name(head)];
        self.folder_changed = true;
        self.guarded("remove a data file", |spool| names.iter().try_for_each(|name| spool.disk.remove(name)))
    }

    /// Moves the data of a file aside.
    ///
    /// # Errors
    /// On an I/O error.
    pub fn quarantine(&mut self, head: &FileHead) -> Result<(), SpoolError> {
        self.guarded("quarantine a data file", |spool| recovery::move_aside(&*spool.disk, head))
    }

    /// Does something on the disk, unless the disk has failed before. A failure is the last thing that is done: what the
    /// disk holds then is for the next start to find out.
    fn guarded<T>(&mut self, action: &str, act: impl FnOnce(&mut Spool) -> io::Result<T>) -> Result<T, SpoolError> {
        if self.broken {
            return Err(SpoolError::Broken { dir: self.dir.display().to_string() });
        }
        let outcome = act(self);
        self.broken = outcome.is_err();
        outcome.map_err(|source| self.failed(action, source))
    }

    fn failed(&self, action: &str, source: io::Error) -> SpoolError {
        SpoolError::Disk { dir: self.dir.display().to_string(), action: action.to_owned(), source }
    }
}

#[cfg(test)]
mod crash_acts;
#[cfg(test)]
mod crash_model;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod mode_tests;
#[cfg(test)]
pub(crate) mod sim_disk;
#[cfg(test)]
mod sim_inode;
#[cfg(test)]
mod tests;
