//! What to read: an object in a store, with everything known of its content.

use std::sync::Arc;

use crate::checksum::Crc64;
use crate::hour::Hour;
use crate::manifest::{Codec, IngestPath, ObjectEntry};
use crate::store::{Key, ObjectMeta, Store};

/// An object of a lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// Its key under the lake's root.
    pub key: Key,
    /// Stored length in bytes.
    pub bytes: u64,
    /// How it is compressed, by its manifest or else by the extension of its name.
    pub codec: Codec,
    /// The number of lines; `None` without a manifest.
    pub lines: Option<u64>,
    /// What its content must be; `None` without a manifest.
    pub listed: Option<Listed>,
    /// How its lines came into the lake; `None` without a manifest.
    pub path: Option<IngestPath>,
    /// When its lines arrived, see [`ObjectEntry::arrivals`]. Empty without a manifest, and in the entries of
    /// [`Lake::hours`](crate::Lake::hours), which would fill the memory with them.
    pub arrivals: Arc<[(i64, u64)]>,
}

/// What a manifest lists of an object's content, to detect that it has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The hour of the manifest.
    pub hour: Hour,
    /// CRC-64/NVME of the stored bytes; `None` in manifests of earlier versions.
    pub crc64: Option<Crc64>,
}

impl ObjectRef {
    /// An object in the manifest of an hour.
    pub(crate) fn listed(entry: &ObjectEntry, hour: Hour) -> ObjectRef {
        ObjectRef {
            key: entry.key.clone(),
            bytes: entry.bytes,
            codec: entry.codec,
            lines: Some(entry.lines),
            listed: Some(Listed { hour, crc64: entry.crc64nvme }),
            path: Some(entry.path),
            arrivals: entry.arrivals.as_slice().into(),
        }
    }

    /// An object in a listing of the store.
    pub(crate) fn found(meta: ObjectMeta) -> ObjectRef {
        let codec = Codec::of_name(meta.key.file_name());
        let (key, bytes) = (meta.key, meta.bytes);
        ObjectRef { key, bytes, codec, lines: None, listed: None, path: None, arrivals: Arc::default() }
    }
}

/// One source of lines.
#[derive(Debug, Clone)]
pub enum Source {
    /// An object of this store. A length or, where it is listed, a checksum other than that of the [`ObjectRef`] is an
    /// error: the object is damaged or was changed.
    Object(Arc<dyn Store>, ObjectRef),
    /// Something known to be unreadable; reading ends here with an error.
    Unreadable {
        /// Its key.
        key: Key,
        /// Why it is unreadable.
        reason: String,
    },
}

impl Source {
    /// The key of the source.
    pub fn key(&self) -> &Key {
        match self {
            Source::Object(_, object) => &object.key,
            Source::Unreadable { key, .. } => key,
        }
    }
}
