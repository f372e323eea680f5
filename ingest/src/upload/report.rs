//! What an upload reports to the writer, and where it does so.

use std::sync::Arc;

use cauce_lake::checksum::Crc64;
use cauce_lake::manifest::ManifestName;

use super::look::{Common, StoredObject};
use crate::spool::entry::FileId;
use crate::spool::reconcile::Listing;

/// The outcome of a [`Job`](super::Job).
#[derive(Debug)]
pub enum UploadReport {
    /// A file's object is made.
    Sealed {
        /// The file.
        id: FileId,
        /// Length of the object.
        bytes: u64,
        /// Its SHA-256.
        sha256: String,
        /// Its CRC-64/NVME.
        crc64: Crc64,
    },
    /// An I/O error of the spool's disk under a file that was to be stored.
    DiskFailed {
        /// The file.
        id: FileId,
        /// The failed operation, as a verb.
        action: &'static str,
        /// The I/O error.
        error: std::io::Error,
    },
    /// An object is confirmed in the store.
    Stored {
        /// The file.
        id: FileId,
    },
    /// Another object lies under the file's key.
    Foreign {
        /// The file.
        id: FileId,
        /// What lies there.
        what: String,
    },
    /// The file's object is in the store, and a manifest of another spool lists it.
    Listed {
        /// The file.
        id: FileId,
    },
    /// Another object of an agent of this lake lies under the file's key.
    Found {
        /// The file.
        id: FileId,
        /// The object.
        object: StoredObject,
        /// With how many of the file's lines it begins.
        common: Common,
        /// Whether a manifest lists it.
        listed: bool,
    },
    /// A manifest, and the marker that goes with it, are confirmed in the store.
    ManifestStored {
        /// Its name.
        name: ManifestName,
    },
    /// Another manifest lies under its name.
    ManifestForeign {
        /// Its name.
        name: ManifestName,
        /// What that one lists.
        listing: Listing,
        /// The tweets in its objects that the manifest of this spool does not list.
        ids: Vec<u64>,
    },
}

/// Where reports go. A receiver that is gone is not an error: the next start repeats what it left undone.
#[derive(Clone)]
pub struct ReportSink(Arc<dyn Fn(UploadReport) + Send + Sync>);

impl ReportSink {
    /// A sink that calls `deliver`, which must not wait.
    pub fn new(deliver: impl Fn(UploadReport) + Send + Sync + 'static) -> ReportSink {
        ReportSink(Arc::new(deliver))
    }

    pub(super) fn send(&self, report: UploadReport) {
        (self.0)(report);
    }
}
