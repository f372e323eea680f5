//! [3] The group commit and the checkpoint: what makes records durable, in the order that lets a crash come anywhere.
//!
//! Any failure here is final: the spool refuses everything afterwards, because a sync that succeeds after one that
//! failed says nothing about the bytes of the first.

use std::io;

use super::disk::{Disk, DiskFile};
use super::entry::{Append, Entry, FileId};
use super::folder::{lines_at, lines_name};
use super::ids::{CHECKPOINT_IDS, IdIndex};
use super::journal::{self, Journal};
use super::state::{Stage, State};
use super::watermark::{self, Watermark};
use super::{Options, Spool, SpoolError};
use crate::failpoint;

/// A journal longer than this is summed up.
const CHECKPOINT_BYTES: u64 = 64 << 20;

impl Spool {
    /// Writes and syncs everything since the last commit as one group.
    ///
    /// # Errors
    /// When the disk failed. The spool must not be used any more then: what was committed before is safe, the group may
    /// or may not be found by the next start, as a whole.
    pub fn commit(&mut self) -> Result<(), SpoolError> {
        self.note_lost_ids();
        if !self.has_staged() && !self.broken {
            return Ok(());
        }
        if !self.broken {
            std::mem::take(&mut self.cleared).into_iter().for_each(|id| self.stage(Entry::Dropped { id }));
        }
        let appends = self.guarded("write the data files", Spool::write_data)?;
        failpoint::hit("append.data-written");
        let touched: Vec<FileId> = appends.iter().map(|append| append.id).collect();
        let critical = self.staged.iter().any(|entry| !matches!(entry, Entry::Created(_) | Entry::Alive { .. }));
        let forgets = |entry: &Entry| matches!(entry, Entry::Closed { .. } | Entry::Dropped { .. });
        if self.folder_changed && self.staged.iter().any(forgets) {
            // A removal that is not durable brings a file back at a power cut, and then the journal must still know it.
            self.guarded("sync data/", |spool| spool.disk.sync_folder("data"))?;
            self.folder_changed = false;
        }
        let group = std::mem::take(&mut self.group);
        let mut entries = std::mem::take(&mut self.staged);
        if group.records > 0 || !group.duplicates.is_empty() || !group.positions.is_empty() {
            let appended = Entry::Appended {
                at_ms: group.at_ms,
                max_event_ms: group.max_event_ms,
                files: appends,
                duplicates: group.duplicates.into_iter().collect(),
                rejects: group.rejects.into_iter().collect(),
                positions: group.positions,
            };
            self.state.apply(&appended);
            entries.push(appended);
        }
        self.guarded("write the journal", |spool| spool.journal.append(&entries))?;
        failpoint::hit("commit.journal-written");
        self.buffered = 0;
        if self.durable {
            self.guarded("sync", |spool| spool.sync_group(&touched))?;
        } else if critical {
            self.guarded("sync the journal", |spool| spool.journal.sync())?;
        }
        failpoint::hit("commit.synced");
        if self.durable || critical {
            self.raise_watermark();
        }
        self.name_copies()?;
        for head in std::mem::take(&mut self.leftover) {
            self.discard(&head)?;
            self.cleared.extend(self.state.done.contains(&head.id).then_some(head.id));
        }
        if self.journal.bytes() > CHECKPOINT_BYTES || self.ids.hot_len() > CHECKPOINT_IDS {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Writes the lines of the group into their files.
    fn write_data(&mut self) -> io::Result<Vec<Append>> {
        let mut appends = Vec::new();
        for (id, open) in self.open.iter_mut().filter(|(_, open)| !open.buffer.is_empty()) {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", lines_name(*id)));
            open.file.append(&open.buffer).map_err(named)?;
            open.crc = crc32c::crc32c_append(open.crc, &open.buffer);
            open.end += open.buffer.len() as u64;
            // Buffers keep their room for the next group, but not that of an unusually large one.
            open.buffer.clear();
            open.buffer.shrink_to(1 << 20);
            let arrivals = std::mem::take(&mut open.arrivals);
            let ids = std::mem::take(&mut open.ids);
            let (lines, messages) = (open.filling.lines, open.messages.clone());
            appends.push(Append { id: *id, end: open.end, lines, crc: open.crc, arrivals, ids, messages });
        }
        Ok(appends)
    }

    /// Syncs the touched data files, their folder where a file was made, and the journal, all at once: a commit then
    /// takes as long as the slowest sync and not as their sum.
    fn sync_group(&mut self, touched: &[FileId]) -> io::Result<()> {
        let disk = &*self.disk;
        let journal = self.journal.file();
        let files: Vec<&dyn DiskFile> = touched.iter().filter_map(|id| self.open.get(id)).map(|f| &*f.file).collect();
        let folder_changed = self.folder_changed;
        let outcome = std::thread::scope(|scope| {
            let share = files.len().div_ceil(SYNC_THREADS).max(1);
            let workers: Vec<_> = files
                .chunks(share)
                .map(|files| scope.spawn(move || files.iter().try_for_each(|file| file.sync())))
                .collect();
            let folder = folder_changed.then(|| scope.spawn(move || disk.sync_folder("data")));
            let journal = journal.sync();
            workers.into_iter().chain(folder).fold(journal, |so_far, worker| {
                so_far.and(worker.join().unwrap_or_else(|_| Err(io::Error::other("a sync thread panicked"))))
            })
        });
        outcome?;
        self.folder_changed = false;
        Ok(())
    }

    /// Sums the state up in a new journal generation.
    ///
    /// # Errors
    /// When the disk failed.
    pub fn checkpoint(&mut self) -> Result<(), SpoolError> {
        debug_assert!(self.broken || !self.has_staged(), "a checkpoint sums up what is committed");
        let options = Options {
            dir: self.dir.clone(),
            durable: self.durable,
            dedupe_window_ms: self.dedupe_window_ms,
            group_limit: self.group_limit,
        };
        self.guarded("checkpoint", |spool| {
            if !options.durable {
                settle_open_files(&*spool.disk, &spool.state, &State::default())?;
            }
            let generation = spool.journal.generation();
            spool.journal = checkpoint(&*spool.disk, &options, generation, &spool.state, &mut spool.ids)?;
            Ok(())
        })?;
        self.raise_watermark();
        Ok(())
    }

    /// How far the journal is accepted.
    pub(super) fn watermark(&self) -> Watermark {
        let (generation, journal_bytes) = (self.journal.generation(), self.journal.bytes());
        Watermark { generation, journal_bytes, group_limit: self.group_limit }
    }

    /// Notes how far the journal is accepted.
    fn raise_watermark(&self) {
        // The one before still holds where this fails; the next commit finds out what the disk is worth.
        if let Err(error) = watermark::write(&*self.disk, self.watermark()) {
            tracing::debug!(%error, "the watermark could not be written");
        }
    }
}

/// Makes the files that are not sealed durable as far as they are accepted, and nothing behind that. `trusted` is what
/// surely reached the disk before. A snapshot must not name a byte that may yet be lost: nothing before it could be
/// fallen back to.
pub(super) fn settle_open_files(disk: &dyn Disk, state: &State, trusted: &State) -> io::Result<()> {
    for file in state.files.values().filter(|file| file.stage == Stage::Open) {
        let from = trusted.files.get(&file.head.id).map_or(0, |before| before.end.min(file.end));
        match disk.settle(&lines_at(disk, file.head.id)?, from, file.end) {
            // Its name was lost with the machine's power before a line of it was accepted.
            Err(error) if error.kind() == io::ErrorKind::NotFound && file.end == 0 => {}
            other => other?,
        }
    }
    disk.sync_folder("data")
}

/// Threads that sync data files beside the journal.
const SYNC_THREADS: usize = 8;

/// Makes the next journal generation and removes what it replaces.
pub(super) fn checkpoint(
    disk: &dyn Disk,
    options: &Options,
    from: u64,
    state: &State,
    ids: &mut IdIndex,
) -> io::Result<Journal> {
    let keep_from_ms = state.last_ms.saturating_sub(options.dedupe_window_ms);
    let runs = ids.write_run(disk, state.last_ms, keep_from_ms)?;
    failpoint::hit("checkpoint.run-written");
    let mut snapshot = state.clone();
    snapshot.runs.clone_from(&runs);
    let journal = Journal::create(disk, from + 1, options.durable, &[Entry::Snapshot(Box::new(snapshot))])?;
    failpoint::hit("checkpoint.journal-made");
    ids.settle(disk, &runs)?;
    for name in disk.list("")? {
        if journal::generation_of(&name).is_some_and(|generation| generation <= from) {
            disk.remove(&name)?;
        }
    }
    Ok(journal)
}
