//! The manifest: the JSON object that closes an hour, and the names of everything in a lake that is no tweet folder.
//!
//! An hour is closed when `_hours/<hour>.json` is there. The manifest lists every object of the hour with its length,
//! lines, SHA-256 and CRC-64; readers take an hour's objects from it and never from a listing, so that a closed hour is final.
//! What comes later is late and has manifests of its own, `_hours/<hour>.late-<n>.json`, n from 1.
//!
//! | name under the root | what |
//! |---|---|
//! | `_hours/<YYYY-MM-DDTHH>.json` | the hour's manifest |
//! | `_hours/<YYYY-MM-DDTHH>.late-<n>.json` | a manifest of late tweets of that hour |
//! | `late/<partition>/…` | objects of late tweets |
//! | `rejects/<YYYY-MM-DD>/rejects.<epoch-ms>.jsonl` | rejects, by day of arrival |
//! | `_agent.json` | the one agent that writes the lake |
//!
//! Pure: no store is touched here. A reader ignores members it does not know, so that later versions can add some.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::checksum::Crc64;
use crate::hour::Hour;
use crate::store::{ErrorKind, Key, KeyError, StoreError};

/// The version this crate writes, and the highest it reads.
pub const VERSION: u32 = 1;

/// Folder of all manifests, with its slash.
pub const HOURS_PREFIX: &str = "_hours/";
/// Folder of late tweets, with its slash.
pub const LATE_PREFIX: &str = "late/";
/// Folder of rejects, with its slash.
pub const REJECTS_PREFIX: &str = "rejects/";
/// The agent's object.
pub const AGENT_KEY: &str = "_agent.json";
/// Name of the marker beside an hour's objects that Hadoop and Luigi look for.
pub const SUCCESS_NAME: &str = "_SUCCESS";

/// What was promised while the hour was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// Durable spool, conditional puts: each accepted tweet is in exactly one listed object.
    ExactlyOnce,
    /// Memory channel: a killed process may have lost what was read and not yet sealed; nothing is doubled.
    AtMostOnce,
    /// The store ignores conditions: nothing is lost, an object may have been overwritten by a foreign one.
    UnsafeStore,
}

impl fmt::Display for Guarantee {
    /// As it stands in a manifest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Guarantee::ExactlyOnce => "exactly-once",
            Guarantee::AtMostOnce => "at-most-once",
            Guarantee::UnsafeStore => "unsafe-store",
        })
    }
}

/// How a tweet came in. Objects do not mix these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IngestPath {
    /// From the live stream.
    Stream,
    /// From the stream's own backfill after a reconnect.
    Backfill,
    /// From a search that repairs a gap.
    Search,
    /// From a file or standard input.
    Replay,
}

/// How an object's bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// gzip, one or more members.
    Gzip,
    /// Zstandard, one or more frames.
    Zstd,
}

impl Codec {
    /// The codec a name's ending tells of: `.gz`, `.zst`, anything else is plain.
    pub fn of_name(name: &str) -> Codec {
        if name.ends_with(".gz") {
            Codec::Gzip
        } else if name.ends_with(".zst") {
            Codec::Zstd
        } else {
            Codec::None
        }
    }

    /// The ending it adds to a name.
    pub fn extension(self) -> &'static str {
        match self {
            Codec::None => "",
            Codec::Gzip => ".gz",
            Codec::Zstd => ".zst",
        }
    }
}

/// One object of an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectEntry {
    /// Its name under the lake's root.
    pub key: Key,
    /// Length in bytes as stored (compressed, where it is).
    pub bytes: u64,
    /// Lines in it.
    pub lines: u64,
    /// SHA-256 of the stored bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// CRC-64/NVME of the stored bytes, in the form in which S3 tells it. Readers compare it with what they read; `None` in
    /// manifests of versions that did not write it, and nothing but the length is compared then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<Crc64>,
    /// How it is compressed.
    pub codec: Codec,
    /// How its lines came in.
    pub path: IngestPath,
    /// One entry a second in which lines arrived: (seconds since the epoch, lines so far), both rising. So a reader can
    /// give each line its `received_at`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrivals: Vec<(i64, u64)>,
}

/// A span in which the source was not connected. Times are RFC 3339, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// From when tweets may be missing.
    pub from: jiff::Timestamp,
    /// Until when; `None` while the gap is open.
    pub to: Option<jiff::Timestamp>,
    /// Why: `agent-stopped`, `disconnect`, `stall`, …
    pub cause: String,
    /// What repaired it: `backfill`, `search`; `None` while nothing has.
    #[serde(default)]
    pub repaired_by: Option<String>,
    /// Tweets the repair brought.
    #[serde(default)]
    pub tweets: u64,
}

/// A repair whose gap lies in an hour that was already closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// The gap it repaired.
    pub gap: Gap,
    /// When it ended.
    pub repaired_at: jiff::Timestamp,
}

/// Ids of stored tweets that dedupe lost with a damaged id file of the spool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedupeHole {
    /// When the first of them arrived at the earliest.
    pub from: jiff::Timestamp,
    /// When the last of them arrived at the latest.
    pub to: jiff::Timestamp,
    /// The smallest id that can be among them; `None` where any can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_id: Option<u64>,
    /// The largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_id: Option<u64>,
}

/// What closes an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of this object, see [`VERSION`].
    pub version: u32,
    /// The hour, year included.
    pub hour: Hour,
    /// Id of the agent that wrote it.
    pub agent: String,
    /// The agent's epoch, raised at each of its starts.
    pub epoch: u64,
    /// What was in force while the hour was written.
    pub guarantee: Guarantee,
    /// Objects that hold tweets.
    pub objects: Vec<ObjectEntry>,
    /// Objects that hold messages: deletes, withheld, scrub_geo, and control messages of the stream.
    #[serde(default)]
    pub messages: Vec<ObjectEntry>,
    /// Lines in `messages` by kind, named as [`Message::name`](crate::tweet::Message::name) says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub message_counts: BTreeMap<String, u64>,
    /// Tweets in `objects`.
    pub tweets: u64,
    /// Tweets left out because their id was already stored.
    #[serde(default)]
    pub duplicates: u64,
    /// Lines of this hour that were kept apart as rejects, under `rejects/`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejects: u64,
    /// Tweets that a v1.1 stream says it left out: the rise of `limit.track` over the hour's limit messages.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub undelivered: u64,
    /// Gaps that overlap the hour.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// Repairs of gaps in hours that were closed before, recorded here because they arrived in this hour.
    #[serde(default)]
    pub repairs: Vec<Repair>,
    /// Ids that dedupe had lost while the hour was written: a tweet of them may be in the lake twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dedupe_holes: Vec<DedupeHole>,
    /// When the agent opened the hour.
    pub opened_at: jiff::Timestamp,
    /// When it decided to close it.
    pub closed_at: jiff::Timestamp,
    /// The program and version that wrote this.
    pub tool_version: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A manifest that cannot be trusted, or not be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The store does not give it, although it answers: it is archived, or the credentials lack a permission.
    #[error(transparent)]
    Unreadable(#[from] StoreError),
    /// Not JSON, or not of this form; the text says where. A key outside the lake is refused here.
    #[error("manifest {key}: {source}")]
    Malformed {
        /// The manifest's key.
        key: String,
        /// What the JSON reader said.
        #[source]
        source: serde_json::Error,
    },
    /// Written by a later version.
    #[error("manifest {key} has version {version}, this program reads up to {VERSION}: update it")]
    Version {
        /// The manifest's key.
        key: String,
        /// Its version.
        version: u32,
    },
    /// It names another hour than its own key does.
    #[error("manifest {key} is of hour {hour}: it was put under a foreign name")]
    WrongHour {
        /// The manifest's key.
        key: String,
        /// The hour inside.
        hour: Hour,
    },
    /// It lists an object that belongs to no tweet folder.
    #[error("manifest {key} lists {object:?}, which is no object of an hour")]
    ForeignObject {
        /// The manifest's key.
        key: String,
        /// What it lists.
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
    /// The bytes to be put: compact JSON and a line end. The same manifest always gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a manifest has only string keys and serialises infallibly");
        bytes.push(b'\n');
        bytes
    }

    /// Reads a manifest that was fetched from `key` and checks that it can be trusted.
    ///
    /// # Errors
    /// When it is malformed, of a later version, of another hour than its key says, or lists a key outside the lake.
    pub fn from_bytes(key: &Key, bytes: &[u8]) -> Result<Manifest, ManifestError> {
        let name = key.to_string();
        let manifest: Manifest =
            serde_json::from_slice(bytes).map_err(|source| ManifestError::Malformed { key: name.clone(), source })?;
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

    /// Stored bytes of the hour's tweets.
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|o| o.bytes).sum()
    }
}

/// What a manifest's key says: the hour, and the number of the late manifest if it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ManifestName {
    /// The hour.
    pub hour: Hour,
    /// `None` for the manifest that closes the hour, 1 and up for late tweets.
    pub late: Option<u32>,
}

impl ManifestName {
    /// The name of the manifest that closes an hour.
    pub fn closing(hour: Hour) -> ManifestName {
        ManifestName { hour, late: None }
    }

    /// Reads a key under the lake's root; `None` when it is no manifest's.
    pub fn parse(key: &str) -> Option<ManifestName> {
        let name = key.strip_prefix(HOURS_PREFIX)?.strip_suffix(".json")?;
        match name.split_once(".late-") {
            None => Some(ManifestName { hour: name.parse().ok()?, late: None }),
            Some((hour, n)) => {
                let number: u32 = n.parse().ok()?;
                // One name, one number: "late-01" and "late-0" were never written by us.
                if number == 0 || n != number.to_string() {
                    return None;
                }
                Some(ManifestName { hour: hour.parse().ok()?, late: Some(number) })
            }
        }
    }

    /// The key.
    pub fn key(self) -> Key {
        let name = match self.late {
            None => format!("{HOURS_PREFIX}{}.json", self.hour),
            Some(n) => format!("{HOURS_PREFIX}{}.late-{n}.json", self.hour),
        };
        Key::new(name).expect("an hour's text holds only digits, hyphens and a T")
    }
}

/// The epoch milliseconds in an object's file name, such as `tweets.1795323600123.json`: the last part between dots that
/// begins with ten digits or more (a suffix need not begin with a dot). `None` for names without one.
pub fn epoch_ms_in_name(file_name: &str) -> Option<i64> {
    let digits = |part: &str| part.bytes().take_while(u8::is_ascii_digit).count();
    let part = file_name.split('.').rev().find(|part| (10..=18).contains(&digits(part)))?;
    part[..digits(part)].parse().ok()
}

/// The key of the `_SUCCESS` marker in a partition folder.
///
/// # Errors
/// When the folder's name cannot be part of a key.
pub fn success_key(folder: &str) -> Result<Key, KeyError> {
    Key::new(format!("{folder}/{SUCCESS_NAME}"))
}

#[cfg(test)]
mod tests;
