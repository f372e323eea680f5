//! The manifest: the JSON object that closes an hour.
//!
//! An hour is closed when `_hours/<hour>.json` exists. The manifest lists every object of the hour with its length,
//! lines, SHA-256 and CRC-64; readers take a closed hour's objects from it and never from a listing, so that a closed
//! hour is final. Later data of the hour is late and gets manifests of its own, `_hours/<hour>.late-<n>.json`, with n
//! from 1.
//!
//! Pure: no store is accessed. Readers ignore unknown members, so that later versions can add some.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::checksum::Crc64;
use crate::hour::Hour;
use crate::store::{ErrorKind, Key, StoreError};

pub use crate::names::{
    AGENT_KEY, HOURS_PREFIX, LATE_PREFIX, ManifestName, REJECTS_PREFIX, epoch_ms_in_name, success_key,
};

/// The version that this crate writes, and the highest that it reads.
pub const VERSION: u32 = 1;

/// What the agent guaranteed while the hour was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// Durable spool, conditional puts: each accepted tweet is in exactly one listed object.
    ExactlyOnce,
    /// Memory channel: a killed process may lose what it has read and not yet sealed; nothing is duplicated.
    AtMostOnce,
    /// The store ignores conditions: nothing is lost, but another writer may have overwritten an object.
    UnsafeStore,
}

impl fmt::Display for Guarantee {
    /// The name in a manifest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Guarantee::ExactlyOnce => "exactly-once",
            Guarantee::AtMostOnce => "at-most-once",
            Guarantee::UnsafeStore => "unsafe-store",
        })
    }
}

/// How a tweet came into the lake. An object contains only tweets of one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IngestPath {
    /// From the live stream.
    Stream,
    /// From the stream's own backfill after a reconnection.
    Backfill,
    /// From a search that repairs a gap.
    Search,
    /// From a file or standard input.
    Replay,
}

/// How an object is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Uncompressed.
    #[default]
    None,
    /// gzip, one or more members.
    Gzip,
    /// Zstandard, one or more frames.
    Zstd,
}

impl Codec {
    /// The codec of a file name: `.gz` and `.zst` are compressed.
    pub fn of_name(name: &str) -> Codec {
        if name.ends_with(".gz") {
            Codec::Gzip
        } else if name.ends_with(".zst") {
            Codec::Zstd
        } else {
            Codec::None
        }
    }

    /// The extension that it adds to a file name.
    pub fn extension(self) -> &'static str {
        match self {
            Codec::None => "",
            Codec::Gzip => ".gz",
            Codec::Zstd => ".zst",
        }
    }
}

/// An object of an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectEntry {
    /// Its key under the lake's root.
    pub key: Key,
    /// Stored length in bytes, after compression.
    pub bytes: u64,
    /// The number of lines.
    pub lines: u64,
    /// SHA-256 of the stored bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// CRC-64/NVME of the stored bytes, in the form that S3 returns. Readers compare it with what they read. `None` in
    /// manifests of earlier versions; readers then compare only the length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<Crc64>,
    /// How it is compressed.
    pub codec: Codec,
    /// How its lines came into the lake.
    pub path: IngestPath,
    /// One entry per second in which lines arrived: (seconds since the epoch, lines so far), both ascending. It gives
    /// each line its `received_at`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrivals: Vec<(i64, u64)>,
}

/// A time without a connection of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// When tweets may begin to be missing.
    pub from: jiff::Timestamp,
    /// When it ended; `None` while it is open.
    pub to: Option<jiff::Timestamp>,
    /// The cause: `agent-stopped`, `disconnect`, `stall`, …
    pub cause: String,
    /// What repaired it, `backfill` or `search`; `None` while it is not repaired.
    #[serde(default)]
    pub repaired_by: Option<String>,
    /// Tweets that the repair added.
    #[serde(default)]
    pub tweets: u64,
}

/// A repair whose gap lies in an hour that was already closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// The gap.
    pub gap: Gap,
    /// When the repair ended.
    pub repaired_at: jiff::Timestamp,
}

/// Ids of stored tweets that deduplication no longer knows, because an id file of the spool was damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedupeHole {
    /// The earliest arrival of one of them.
    pub from: jiff::Timestamp,
    /// The latest arrival of one of them.
    pub to: jiff::Timestamp,
    /// The smallest possible id; `None` if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_id: Option<u64>,
    /// The largest possible id; `None` if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_id: Option<u64>,
}

/// The record of a closed hour, or of late tweets for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format, see [`VERSION`].
    pub version: u32,
    /// The hour that it describes.
    pub hour: Hour,
    /// The id of the agent that wrote it.
    pub agent: String,
    /// The agent's epoch, which increases at each of its starts.
    pub epoch: u64,
    /// The guarantee while the hour was written.
    pub guarantee: Guarantee,
    /// Objects with tweets.
    pub objects: Vec<ObjectEntry>,
    /// Objects with messages: deletes, withheld, scrub_geo, and control messages of the stream.
    #[serde(default)]
    pub messages: Vec<ObjectEntry>,
    /// Lines in `messages` by kind, with the names of [`Message::name`](crate::tweet::Message::name).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub message_counts: BTreeMap<String, u64>,
    /// The number of tweets in `objects`.
    pub tweets: u64,
    /// Tweets dropped because their id was already stored.
    #[serde(default)]
    pub duplicates: u64,
    /// Lines of this hour that were stored as rejects, under `rejects/`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejects: u64,
    /// Tweets that a v1.1 stream reports as not delivered: the rise of `limit.track` over the hour's limit messages.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub undelivered: u64,
    /// Gaps that overlap the hour.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// Repairs that arrived in this hour, of gaps in hours that were already closed.
    #[serde(default)]
    pub repairs: Vec<Repair>,
    /// Ids that deduplication did not know while the hour was written: tweets with these ids may be in the lake twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dedupe_holes: Vec<DedupeHole>,
    /// When the agent opened the hour.
    pub opened_at: jiff::Timestamp,
    /// When the agent decided to close it.
    pub closed_at: jiff::Timestamp,
    /// The program that wrote it, and its version.
    pub tool_version: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A manifest that must not be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The store does not deliver it, although it answers: it is archived, or the credentials lack a permission.
    #[error(transparent)]
    Unreadable(#[from] StoreError),
    /// Not JSON of this format, or with an invalid key.
    #[error("manifest {key}: {detail}")]
    Malformed {
        /// The manifest's key.
        key: String,
        /// The error of the JSON parser. It is part of the message, so it is not a source as well.
        detail: serde_json::Error,
    },
    /// Written by a later version of this program.
    #[error("manifest {key} has version {version}, this program reads up to {VERSION}: update it")]
    Version {
        /// The manifest's key.
        key: String,
        /// The manifest's version.
        version: u32,
    },
    /// Its key and its content name different hours.
    #[error("manifest {key} is of hour {hour}: it was stored under the wrong name")]
    WrongHour {
        /// The manifest's key.
        key: String,
        /// The hour in its content.
        hour: Hour,
    },
    /// It lists an object that cannot belong to an hour.
    #[error("manifest {key} lists {object:?}, which cannot be an object of an hour")]
    ForeignObject {
        /// The manifest's key.
        key: String,
        /// The listed key.
        object: String,
    },
}

impl ManifestError {
    /// What it means; a manifest that cannot be trusted counts as damage.
    pub fn kind(&self) -> ErrorKind {
        match self {
            ManifestError::Unreadable(error) => error.kind(),
            _ => ErrorKind::Corrupt,
        }
    }
}

impl Manifest {
    /// The bytes to store: compact JSON and a line end. Equal manifests give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a manifest has only string keys and serialises infallibly");
        bytes.push(b'\n');
        bytes
    }

    /// Parses and checks a manifest that was fetched from `key`.
    ///
    /// # Errors
    /// When it is malformed, has a later version, names another hour than its key, or lists an invalid object.
    pub fn from_bytes(key: &Key, bytes: &[u8]) -> Result<Manifest, ManifestError> {
        let name = key.to_string();
        let manifest: Manifest =
            serde_json::from_slice(bytes).map_err(|detail| ManifestError::Malformed { key: name.clone(), detail })?;
        if manifest.version > VERSION {
            return Err(ManifestError::Version { key: name, version: manifest.version });
        }
        if ManifestName::parse(key.as_str()).is_none_or(|n| n.hour != manifest.hour) {
            return Err(ManifestError::WrongHour { key: name, hour: manifest.hour });
        }
        let foreign = |object: &&ObjectEntry| {
            let key = object.key.as_str();
            key.starts_with(HOURS_PREFIX) || key.starts_with(REJECTS_PREFIX) || key == AGENT_KEY
        };
        if let Some(object) = manifest.objects.iter().chain(&manifest.messages).find(foreign) {
            return Err(ManifestError::ForeignObject { key: name, object: object.key.to_string() });
        }
        Ok(manifest)
    }

    /// Stored bytes of the objects with tweets.
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|o| o.bytes).sum()
    }
}

#[cfg(test)]
mod tests;
