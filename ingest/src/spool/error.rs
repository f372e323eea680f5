//! Why a spool cannot be used, in words that say what to do.

use std::io;

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
        "spool {dir}: its journal is gone, and {files} files are there, which were left alone: restore the journal, or move the spool's folder away and keep it"
    )]
    NoJournal {
        /// The spool's folder.
        dir: String,
        /// How many data files and id files there are.
        files: usize,
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
            "; the file was damaged after it was written: restore it, or move the spool's folder away and keep it"
        }
        _ => "; what was accepted before is safe: look after the disk, then start again",
    }
}
