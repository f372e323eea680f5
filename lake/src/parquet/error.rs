//! What can go wrong with a conversion, each with the hour and what to do.

use std::path::PathBuf;
use std::sync::Arc;

use ::parquet::errors::ParquetError;

use crate::catalogue::CatalogueError;
use crate::hour::Hour;
use crate::read::ReadError;
use crate::store::{ErrorKind, Key, Reach, StoreError};
use crate::table::ColumnError;

/// Why a conversion, or that of one hour, came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The lake and the target are one, or one lies in the other.
    #[error("the Parquet cannot go to {target}: it and the lake {lake} would share a root; give it a place of its own")]
    SharedRoot {
        /// The lake.
        lake: String,
        /// Where the Parquet was to go.
        target: String,
    },
    /// The rejects would go to where the Parquet or a lake is.
    #[error(
        "the rejects cannot go to {rejects}: it and {other} would share a root; give them a place of their own with --rejects (rejects=)"
    )]
    SharedRejects {
        /// Where the rejects were to go.
        rejects: String,
        /// The Parquet, or the lake.
        other: String,
    },
    /// An hour has rejects, and the target is the root of a bucket or of a file system: nothing lies beside it.
    #[error(
        "hour {hour} has lines that did not read, and nothing lies beside {target} to keep them: give a place for them with --rejects (rejects=)"
    )]
    NoPlaceForRejects {
        /// The hour.
        hour: Hour,
        /// Where the Parquet was to go.
        target: String,
    },
    /// A column that the table does not have.
    #[error(transparent)]
    Columns(#[from] ColumnError),
    /// Where the lake's hours were looked up.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The hour may still change.
    #[error("hour {0} is not closed: wait until it is, or convert what is there of it with --open (open=True)")]
    NotClosed(Hour),
    /// Another conversion's file is there.
    #[error("{key} {why}: remove it, or make it anew with --replace (replace=True)")]
    Different {
        /// The file.
        key: Key,
        /// What is different, in words.
        why: String,
    },
    /// An object of the lake could not be read; nothing was written.
    #[error("cannot convert {name}")]
    Read {
        /// The hour, or the folder that is no hour.
        name: String,
        /// Which object, and why.
        #[source]
        source: Box<ReadError>,
    },
    /// A request to the target failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file in which an hour grows before it is put, where that is not in the target.
    #[error("cannot write in {}: make it writable and make room there, or let files grow in another folder with --temp-dir (temp_dir=)", folder.display())]
    Disk {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The Parquet encoder refused what it was given.
    #[error("cannot encode {name}")]
    Encode {
        /// The hour, or the folder that is no hour.
        name: String,
        /// What it said.
        #[source]
        source: Arc<ParquetError>,
    },
    /// A folder that is no hour holds tweets of too many.
    #[error("folder {name} holds tweets of more than {most} hours: give a range of hours, and convert it in parts")]
    TooManyHours {
        /// The folder.
        name: String,
        /// How many can be written at once.
        most: usize,
    },
    /// A folder that is no hour, of which not one line is a tweet.
    #[error(
        "not one of the {rejects} lines of folder {name} is a tweet: look at it with cat, and at the first of them"
    )]
    NothingRead {
        /// The folder.
        name: String,
        /// Lines that did not read.
        rejects: u64,
    },
    /// More deletes than are kept in memory.
    #[error(
        "more than {most} deletes in the messages up to {until}: give an earlier --messages-until (messages_until=)"
    )]
    TooManyDeletes {
        /// How many can be kept.
        most: usize,
        /// The hour whose messages were read last.
        until: Hour,
    },
    /// The progress callback asked for an end.
    #[error("the conversion was stopped: hours that were not done have left nothing behind")]
    Stopped,
}

impl ConvertError {
    /// What it means for who called: [`ErrorKind::Corrupt`] for damage, [`ErrorKind::PreconditionFailed`] for what is there
    /// already, [`ErrorKind::Configuration`] for what cannot be asked for.
    pub fn kind(&self) -> ErrorKind {
        match self {
            ConvertError::SharedRoot { .. } | ConvertError::SharedRejects { .. } => ErrorKind::Configuration,
            ConvertError::Columns(_) | ConvertError::NotClosed(_) => ErrorKind::Configuration,
            ConvertError::NoPlaceForRejects { .. } => ErrorKind::Configuration,
            ConvertError::TooManyHours { .. } | ConvertError::TooManyDeletes { .. } => ErrorKind::Configuration,
            ConvertError::NothingRead { .. } => ErrorKind::Corrupt,
            ConvertError::Catalogue(error) => error.kind(),
            ConvertError::Different { .. } => ErrorKind::PreconditionFailed,
            ConvertError::Read { source, .. } => source.kind(),
            ConvertError::Store(error) => error.kind(),
            ConvertError::Disk { source, .. } => match ErrorKind::of(source) {
                kind @ (ErrorKind::NoSpace | ErrorKind::AccessDenied) => kind,
                // What is missing is no object.
                _ => ErrorKind::Io,
            },
            ConvertError::Encode { .. } | ConvertError::Stopped => ErrorKind::Io,
        }
    }

    /// Whether it is of one hour alone: the others can be converted all the same.
    pub(super) fn reach(&self) -> Reach {
        match self {
            ConvertError::Different { .. }
            | ConvertError::NotClosed(_)
            | ConvertError::Encode { .. }
            | ConvertError::NothingRead { .. }
            | ConvertError::NoPlaceForRejects { .. }
            | ConvertError::TooManyHours { .. } => Reach::Object,
            ConvertError::Catalogue(_) | ConvertError::Read { .. } => self.kind().reach(),
            // Parquet of an earlier conversion that has been archived.
            ConvertError::Store(error) if error.kind() == ErrorKind::Archived => Reach::Object,
            _ => Reach::Store,
        }
    }
}
