//! Why a spool cannot be used, in words that say what to do.

use std::io;

use cauce_lake::Hour;

use super::journal::JournalError;

/// Why the spool cannot be used, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The disk said no. After this nothing more is accepted; what was accepted is safe.
    #[error("spool {dir}: {action}: {source}{}", advice(.source))]
    Disk {
        /// The spool's folder.
        dir: String,
        /// What was tried.
        action: String,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// The disk failed before. What it holds since is unknown, so nothing is tried again on it.
    #[error(
        "spool {dir}: its disk failed before, and nothing more is written: start the agent again, it reads back what was accepted"
    )]
    Broken {
        /// The spool's folder.
        dir: String,
    },
    /// There are data files and nothing that says what they are.
    #[error(
        "spool {dir}: its journal is gone, and {files} files are there, which were left alone: put the journal back (what an older copy does not speak for is kept in quarantine/), or move the spool's folder away, keep it, start with an empty one and requeue the old data/*.lines there, as docs/operations.md says under \"A damaged journal\""
    )]
    NoJournal {
        /// The spool's folder.
        dir: String,
        /// How many data files and id files there are.
        files: usize,
    },
    /// Other users may look into it, and its modes cannot be changed.
    #[error(
        "spool: {path} has mode {now:03o}, so that other users could read or change what waits there, and it cannot be made {mode:03o}: {source}; give it to this user, or choose another spool.dir"
    )]
    OpenToOthers {
        /// The file or folder.
        path: String,
        /// Its mode.
        now: u32,
        /// The mode it should have.
        mode: u32,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// Another agent has listed tweets that are in files of this spool, which only a start can compare.
    #[error(
        "another agent has put the manifest of hour {hour} while this one ran, and both have accepted some of the same tweets: start this agent again, and it lists each of them once"
    )]
    Contested {
        /// The hour.
        hour: Hour,
    },
    /// Its folder belongs to all users.
    #[error(
        "spool: {dir} is shared by all users of this machine (it has the sticky bit): choose a folder of its own for spool.dir"
    )]
    Shared {
        /// The folder.
        dir: String,
    },
    /// Another agent has it.
    #[error("spool {dir} is in use by another agent: stop that one, or give this one its own spool.dir")]
    Locked {
        /// The spool's folder.
        dir: String,
    },
    /// There is none.
    #[error("there is no spool in {dir}: nothing was written there yet, or spool.dir is another folder")]
    Missing {
        /// The folder.
        dir: String,
    },
    /// The journal cannot be read.
    #[error("spool {dir}: {source}")]
    Journal {
        /// The spool's folder.
        dir: String,
        /// What is wrong.
        #[source]
        source: JournalError,
    },
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room or lower spool.max_bytes, then start again: nothing accepted is lost"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "; the disk is read-only: mount it for writing or choose another spool.dir"
        }
        io::ErrorKind::PermissionDenied => "; give this user the right to write there, or choose another spool.dir",
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            "; the file was damaged after it was written: look after the disk; what was accepted before is safe"
        }
        _ => "; what was accepted before is safe: look after the disk, then start again",
    }
}
