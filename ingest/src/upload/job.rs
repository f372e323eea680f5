//! Jobs: what the writer hands over, sealing and every request to the store.

use std::path::PathBuf;

use cauce_lake::checksum::Crc64;
use cauce_lake::manifest::{Codec, ManifestName};
use cauce_lake::{Hour, Key};

use crate::spool::entry::{FileId, Role};
use crate::spool::{Lines, seal};

/// One job, journalled before it is handed over, so that a crash repeats it.
#[derive(Debug, Clone)]
pub enum Job {
    /// Make a file's object.
    Seal {
        /// The file.
        id: FileId,
        /// How.
        task: seal::Task,
    },
    /// Put an object into the store.
    Upload(Upload),
    /// Put a manifest into the store, and the marker beside the objects when there is to be one.
    Manifest {
        /// Its name.
        name: ManifestName,
        /// Its bytes.
        bytes: Vec<u8>,
        /// The marker.
        success: Option<Key>,
    },
}

/// An object to be put into the store.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The file.
    pub id: FileId,
    /// Its name.
    pub key: Key,
    /// Its bytes.
    pub object: PathBuf,
    /// Their length.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
    /// Their CRC-64/NVME.
    pub crc64: Crc64,
    /// How they are compressed.
    pub codec: Codec,
    /// What the lines are.
    pub role: Role,
    /// The hour whose manifests may list it.
    pub hour: Option<Hour>,
    /// The lines in it.
    pub lines: FileLines,
}

/// The lines of a file.
#[derive(Debug, Clone)]
pub struct FileLines {
    /// How many.
    pub count: u64,
    /// Where they are read.
    pub there: Lines,
}
