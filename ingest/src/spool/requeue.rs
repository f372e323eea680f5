//! Quarantined files back into the queue, under a new key.
//!
//! The lines that check out are copied into a new file and synced; then one journal frame says that the new file is there,
//! with all its lines, and that the old one is not. A crash before that frame leaves the old file as it was and a copy
//! that recovery removes; a crash after it leaves a second copy in `quarantine/` that no entry speaks of. There is no
//! moment at which the journal speaks of lines that are in no file, or of a line in two.

mod unknown;

use std::io::{self, Read};

use super::entry::{Append, Entry, FileHead, FileId, MessageCounts};
use super::folder::{aside, lines_name, object_name};
use super::recovery::{self, Point};
use super::state::FileState;
use super::{Spool, SpoolError, inspect, route};

pub use unknown::Taken;

/// What became of a quarantined file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requeued {
    /// All of it is in the queue.
    Whole {
        /// The new file.
        head: FileHead,
        /// Lines in it.
        lines: u64,
    },
    /// Its beginning is in the queue; its bytes stay in `quarantine/`, and the journal does not speak of them any more.
    Salvaged {
        /// The new file.
        head: FileHead,
        /// Lines in it.
        lines: u64,
        /// Lines that did not check out.
        lost: u64,
    },
    /// Nothing of it checks out; its bytes, if there are any, stay in `quarantine/`, and the journal does not speak of them
    /// any more.
    Forgotten {
        /// Lines that did not check out.
        lost: u64,
    },
}

/// Why a file was not requeued; nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub enum RequeueError {
    /// There is no such file.
    #[error("the spool has no file {id}; ingest spool ls shows those it has")]
    Unknown {
        /// The number that was asked for.
        id: FileId,
    },
    /// There is no such file of unknown lines.
    #[error("the quarantine folder has no unknown.{number}; ingest spool ls shows those it has")]
    NoUnknown {
        /// The number that was asked for.
        number: u64,
    },
    /// The file is in order.
    #[error("file {id} is not quarantined: the next ingest run takes it from where it is")]
    NotQuarantined {
        /// The file.
        id: FileId,
    },
    /// Its bytes are not those that were accepted.
    #[error(
        "file {id} is damaged: {good} of its {lines} lines check out; --salvage takes these and leaves its bytes in quarantine/"
    )]
    Damaged {
        /// The file.
        id: FileId,
        /// Lines that check out.
        good: u64,
        /// Lines that were accepted.
        lines: u64,
    },
    /// The disk said no.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl Spool {
    /// Takes a quarantined file back into the queue under a new key; the next start seals and uploads it. `salvage` allows
    /// to take the beginning of a damaged one and to let the rest go. `now_ms` is the time.
    ///
    /// # Errors
    /// See [`RequeueError`].
    pub fn requeue(&mut self, id: FileId, salvage: bool, now_ms: i64) -> Result<Requeued, RequeueError> {
        let file = self.state.files.get(&id).ok_or(RequeueError::Unknown { id })?.clone();
        if file.aside().is_none() {
            return Err(RequeueError::NotQuarantined { id });
        }
        let lines_aside = aside(&lines_name(id));
        let good =
            self.proved(&file, &lines_aside).map_err(|source| self.failed(&format!("read {lines_aside}"), source))?;
        let lost = file.lines - good.lines;
        if lost > 0 && !salvage {
            return Err(RequeueError::Damaged { id, good: good.lines, lines: file.lines });
        }
        let mut entries = vec![Entry::Dropped { id }];
        let mut requeued = Requeued::Forgotten { lost };
        if good.lines > 0 {
            let head = route::again(&self.state, self.state.next_id, &file.head, now_ms.max(self.state.last_ms));
            self.copy(&lines_aside, &lines_name(head.id), good)
                .map_err(|source| self.failed(&format!("copy {lines_aside}"), source))?;
            let append = Append {
                id: head.id,
                end: good.end,
                lines: good.lines,
                crc: good.crc,
                arrivals: arrivals_until(&file.arrivals, good.lines),
                // They are known since the lines came first.
                ids: Vec::new(),
                messages: if lost == 0 { file.messages.clone() } else { MessageCounts::default() },
            };
            let appended = Entry::Appended {
                // Nothing arrived: a later time here would shorten the gap that the stop is.
                at_ms: self.state.last_ms,
                max_event_ms: None,
                files: vec![append],
                duplicates: Vec::new(),
                rejects: Vec::new(),
                positions: Vec::new(),
            };
            entries.splice(0..0, [Entry::Created(head.clone()), appended]);
            let lines = good.lines;
            requeued = match lost {
                0 => Requeued::Whole { head, lines },
                lost => Requeued::Salvaged { head, lines, lost },
            };
        }
        entries.into_iter().for_each(|entry| self.stage(entry));
        self.commit()?;
        // A last frame whose data does not check out counts as torn; in a snapshot this one cannot be taken for such.
        self.checkpoint()?;
        if matches!(requeued, Requeued::Whole { .. }) {
            let object_aside = aside(&object_name(&file.head));
            let removed = self.disk.remove(&lines_aside).and_then(|()| self.disk.remove(&object_aside));
            removed
                .and_then(|()| self.disk.sync_folder("quarantine"))
                .map_err(|source| self.failed("tidy quarantine/", source))?;
        }
        Ok(requeued)
    }

    /// The end of what checks out now of a file that was put aside.
    fn proved(&self, file: &FileState, name: &str) -> io::Result<Point> {
        let reader = match self.disk.read(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Point::default()),
            opened => opened?,
        };
        let (end, lines, crc) = inspect::proved(file);
        let whole = Point { frame: 0, end: file.end, lines: file.lines, crc: file.crc };
        let points = [Point { frame: 0, end, lines, crc }, whole];
        Ok(recovery::hold_against(reader, &points)?.map_or(whole, |(_, good)| good))
    }

    /// Makes a durable copy of a file's beginning.
    fn copy(&self, from: &str, to: &str, good: Point) -> io::Result<()> {
        let copied = self.copy_bytes(from, to, good);
        if copied.is_err() {
            // Best effort: the next start removes it too, because no entry speaks of it.
            let _ = self.disk.remove(to);
        }
        copied
    }

    fn copy_bytes(&self, from: &str, to: &str, good: Point) -> io::Result<()> {
        let mut reader = self.disk.read(from)?.take(good.end);
        let mut file = self.disk.create(to)?;
        let mut buffer = vec![0; 1 << 18];
        let mut crc = 0;
        loop {
            let read = reader.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            crc = crc32c::crc32c_append(crc, &buffer[..read]);
            file.append(&buffer[..read])?;
        }
        if crc != good.crc {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its bytes changed while they were read"));
        }
        file.sync()?;
        self.disk.sync_folder("data")
    }
}

/// The arrivals of a file's first lines.
fn arrivals_until(arrivals: &[(i64, u64)], lines: u64) -> Vec<(i64, u64)> {
    let whole = arrivals.iter().position(|(_, so_far)| *so_far >= lines);
    let Some(last) = whole else { return arrivals.to_vec() };
    let mut until = arrivals[..=last].to_vec();
    until[last].1 = lines;
    until
}

#[cfg(test)]
mod tests;
