//! What the journal says: one [`Entry`] for each thing that happened. Pure data; [`super::state`] tells what it means.
//!
//! Entries are written with postcard, which stores fields by position: a change of any type here is a change of the
//! format and raises [`super::journal::VERSION`].

use std::collections::BTreeMap;

use cauce_lake::checksum::Crc64;
use cauce_lake::manifest::{Codec, IngestPath, ManifestName};
use cauce_lake::tweet::Message;
use cauce_lake::{Hour, Key};
use serde::{Deserialize, Serialize};

use super::ids::DedupeHole;
use super::state::State;
use crate::record::Position;

/// Number of a spool file; never used twice in one spool.
pub type FileId = u64;

/// What a spool file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Tweets.
    Tweets,
    /// Messages about tweets.
    Messages,
    /// Rejects.
    Rejects,
}

/// Where the lines of a spool file belong. Lines with the same target share a file until it is rolled.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// The folder under the lake's root, `late/` and `rejects/` included.
    pub folder: String,
    /// The hour the folder is of; `None` for rejects and for folders of a pattern that fixes no hour.
    pub hour: Option<Hour>,
    /// What the lines are.
    pub role: Role,
    /// Whether the hour was already closed when they came.
    pub late: bool,
    /// How they came in.
    pub path: IngestPath,
}

/// A spool file at its beginning. Its key never changes, whatever is retried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHead {
    /// Its number.
    pub id: FileId,
    /// What its lines are.
    pub target: Target,
    /// The object it will be.
    pub key: Key,
    /// How the object will be compressed.
    pub codec: Codec,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: i64,
}

/// What one commit added to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// The file.
    pub id: FileId,
    /// Its length in bytes after the commit.
    pub end: u64,
    /// Its lines after the commit.
    pub lines: u64,
    /// CRC32C of all its bytes up to `end`.
    pub crc: u32,
    /// New arrival entries: (seconds since the epoch, lines so far). The first replaces the last one known when both
    /// are of the same second.
    pub arrivals: Vec<(i64, u64)>,
    /// Ids of the tweets added.
    pub ids: Vec<u64>,
    /// Its messages after the commit.
    pub messages: MessageCounts,
}

/// What the messages of a spool file are, for its hour's manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageCounts {
    /// How many there are of each kind.
    pub kinds: BTreeMap<Message, u64>,
    /// Tweets that the limit messages among them say were left out.
    pub undelivered: u64,
}

impl MessageCounts {
    /// Counts one more, with the tweets that it says were left out.
    pub fn add(&mut self, message: Message, undelivered: u64) {
        *self.kinds.entry(message).or_default() += 1;
        self.undelivered += undelivered;
    }
}

/// The rules by which a lake's folders are filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LakeRules {
    /// `lake.pattern`.
    pub pattern: String,
    /// `lake.time_zone`.
    pub time_zone: String,
    /// `lake.partition_by`.
    pub partition_by: String,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// Everything before this entry, summed up: the first entry of each journal file.
    Snapshot(Box<State>),
    /// The agent started.
    Started {
        /// Milliseconds since the epoch.
        at_ms: i64,
    },
    /// The agent stopped in order: nothing was being read.
    Stopped {
        /// Milliseconds since the epoch.
        at_ms: i64,
    },
    /// The agent was alive.
    Alive {
        /// Milliseconds since the epoch.
        at_ms: i64,
    },
    /// A file was made.
    Created(FileHead),
    /// Records were added: the whole entry counts or none of it.
    Appended {
        /// When the last of them arrived, milliseconds since the epoch.
        at_ms: i64,
        /// Latest time a tweet of a live source bears, not in the future.
        max_event_ms: Option<i64>,
        /// What each touched file is now.
        files: Vec<Append>,
        /// Tweets left out because their id was stored before, by the hour they would have gone to.
        duplicates: Vec<(Option<Hour>, u64)>,
        /// Rejects, by the hour that counts them.
        rejects: Vec<(Hour, u64)>,
        /// Where finite sources stand.
        positions: Vec<Position>,
    },
    /// The end of an open file was lost with the machine's power; only with the memory channel, which does not sync it.
    Cut {
        /// The file.
        id: FileId,
        /// Its length in bytes now.
        end: u64,
        /// Its lines now.
        lines: u64,
        /// CRC32C of its bytes now.
        crc: u32,
    },
    /// A file without an accepted line is gone, or one that is stored and that no manifest speaks for, or one that was done
    /// with before ([`State::done`]). Its bytes are durably gone before a journal says so.
    Dropped {
        /// The file.
        id: FileId,
    },
    /// A file is finished and its object's bytes are made.
    Sealed {
        /// The file.
        id: FileId,
        /// Length of the object in bytes.
        bytes: u64,
        /// SHA-256 of the object.
        sha256: String,
        /// CRC-64/NVME of the object.
        crc64: Crc64,
    },
    /// The object is confirmed in the store.
    Stored {
        /// The file.
        id: FileId,
    },
    /// The file was put aside: another object lies under its key.
    Quarantined {
        /// The file.
        id: FileId,
        /// Why.
        reason: String,
    },
    /// A live source runs from this hour on: every hour since is closed, empty or not. A later hour given later leaves
    /// out those between: they are closed already, or too far back.
    LiveFrom {
        /// The first hour.
        hour: Hour,
    },
    /// The lake's rules from here on.
    Rules(LakeRules),
    /// Nothing more goes into the hour; what still comes is late.
    Frozen {
        /// The hour.
        hour: Hour,
        /// When, milliseconds since the epoch.
        at_ms: i64,
    },
    /// A manifest is made; exactly these bytes are put, however often.
    Planned {
        /// Its name.
        name: ManifestName,
        /// Its bytes.
        bytes: Vec<u8>,
        /// The files it speaks for.
        files: Vec<FileId>,
    },
    /// The manifest is confirmed in the store.
    Closed {
        /// Its name.
        name: ManifestName,
    },
    /// Another manifest lies under its name. The hour, or the number of the late manifest, is taken; what this plan spoke
    /// for is late now and gets another manifest.
    Refused {
        /// Its name.
        name: ManifestName,
    },
    /// These manifests were found in the lake.
    KnownClosed {
        /// Their names.
        names: Vec<ManifestName>,
    },
    /// The source is not connected since then.
    GapOpened {
        /// Milliseconds since the epoch.
        from_ms: i64,
        /// Why.
        cause: String,
    },
    /// The source is connected again.
    GapClosed {
        /// Milliseconds since the epoch.
        to_ms: i64,
    },
    /// An object of an open hour that was found in the store, put there by an agent whose spool is lost.
    Adopted {
        /// What its file was.
        head: FileHead,
        /// Length of the object in bytes.
        bytes: u64,
        /// Lines in it.
        lines: u64,
        /// SHA-256 of the object.
        sha256: String,
        /// CRC-64/NVME of the object.
        crc64: Crc64,
        /// Ids of its tweets.
        ids: Vec<u64>,
        /// What its messages are.
        messages: MessageCounts,
    },
    /// The agent took the lake in this epoch, and knows what other spools had written there before.
    LakeTaken {
        /// The epoch of `_agent.json`.
        epoch: u64,
    },
    /// Manifests that another spool put list the objects of these files, byte for byte: nothing more is to be done for them.
    Listed {
        /// The files.
        ids: Vec<FileId>,
    },
    /// An object with some of the file's lines was found under its key: it is the file's object now. The lines that are not
    /// in it are in a file of their own, made by the same frame.
    Found {
        /// The file.
        id: FileId,
        /// Length of the object in bytes.
        bytes: u64,
        /// Lines in it.
        lines: u64,
        /// How many of the file's lines it begins with.
        ours: u64,
        /// SHA-256 of the object.
        sha256: String,
        /// CRC-64/NVME of the object.
        crc64: Crc64,
        /// Ids of its tweets.
        ids: Vec<u64>,
        /// What its messages are.
        messages: MessageCounts,
    },
    /// The lines of these files are elsewhere: those that are still needed in files made by the same frame, the others in objects
    /// of the lake that hold the same tweets.
    Superseded {
        /// The files.
        ids: Vec<FileId>,
    },
    /// A manifest that is made will not be put: another one lists a part of what it speaks for.
    Withdrawn {
        /// Its name.
        name: ManifestName,
    },
    /// Ids of tweets that other spools stored.
    Learnt {
        /// The ids.
        ids: Vec<u64>,
    },
    /// The file was put aside because its bytes are not those that were accepted. Only in the state that a recovery sums up.
    Damaged {
        /// The file.
        id: FileId,
        /// What is wrong.
        reason: String,
        /// How many bytes from its beginning check out, up to the end of a commit.
        end: u64,
        /// Lines in them.
        lines: u64,
        /// Their CRC32C.
        crc: u32,
    },
    /// All that is known of later times came from a clock that was ahead.
    TimeReset {
        /// The time then, milliseconds since the epoch.
        at_ms: i64,
    },
    /// An id file was found damaged: these ids are not known any more.
    IdsLost(DedupeHole),
    /// The agent is about to ask for the lease in this epoch. It is durable before the store is asked, so that the next start
    /// knows every record that this spool has written.
    Claimed {
        /// The epoch.
        epoch: u64,
    },
}
