//! Quarantined files back into the queue, under a new key.
//!
//! The lines that check out are copied into a new file ([`super::copy`]); the frame that says so also says that the old one is
//! gone. A crash before that frame leaves the old file as it was; a crash after it leaves a second copy in `quarantine/` that no
//! entry speaks of.

mod unknown;

use std::io;

use cauce_lake::tweet::{self, LineKind};

use super::copy::each_line;
use super::entry::{Entry, FileHead, FileId, MessageCounts, Role};
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
        let mut requeued = Requeued::Forgotten { lost };
        if good.lines > 0 {
            let copied = self.copy_lines(&file, &lines_aside, good, |_, _| true)?;
            let head = route::again(&self.state, copied.append.id, &file.head, now_ms.max(self.state.last_ms));
            let messages = match lost {
                0 => file.messages.clone(),
                _ => self.messages_of(&file, &lines_aside, good)?,
            };
            self.stage_copy(&head, copied, messages, None);
            let lines = good.lines;
            requeued = match lost {
                0 => Requeued::Whole { head, lines },
                lost => Requeued::Salvaged { head, lines, lost },
            };
        }
        self.stage(Entry::Dropped { id });
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

    /// What the messages in a file's good lines are. How many tweets they say were left out is not known any more.
    fn messages_of(&self, file: &FileState, name: &str, good: Point) -> Result<MessageCounts, SpoolError> {
        let mut counts = MessageCounts::default();
        if file.head.target.role == Role::Messages {
            let read = each_line(&*self.disk, name, good.end, |_, line| {
                match tweet::scan(line) {
                    LineKind::Message(message) => counts.add(message, 0),
                    LineKind::Control(control) => counts.add(control.message(), 0),
                    LineKind::Tweet(_) | LineKind::Blank | LineKind::Reject(_) => {}
                }
                Ok(())
            });
            read.map_err(|source| self.failed(&format!("read {name}"), source))?;
        }
        Ok(counts)
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
}

#[cfg(test)]
mod tests;
