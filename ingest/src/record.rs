//! What travels from a source to the spool: records in batches, and what happened to a connection.
//!
//! Plain data. It imports nothing of this crate, so that every step may know it without knowing another step.

use bytes::Bytes;
use cauce_lake::manifest::IngestPath;
use cauce_lake::tweet::{Message, RejectReason, TweetHead};

/// Where a finite source stands: everything before `offset` of this file is in this batch or in earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// The file, as the source names it: an absolute path, or `<key>#<first line>-<last line>` for requeued rejects.
    pub file: String,
    /// Its length in bytes on disk when it was opened.
    pub bytes: u64,
    /// SHA-256 of its bytes on disk, 64 hexadecimal digits; empty for an object, which never changes.
    pub sha256: String,
    /// In an archive the number of the entry that is being read, from 0; else 0.
    pub member: u64,
    /// Bytes of lines read so far of the file or member, decoded and re-framed, up to and with the last line end.
    pub offset: u64,
    /// Whether the file is read to its end.
    pub done: bool,
    /// Members of an archive before this one that could not be read to their end, with the reason.
    pub damaged: Vec<String>,
}

/// What one record of a batch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordKind {
    /// A tweet.
    Tweet(TweetHead),
    /// A message, with its own time in milliseconds since the epoch where it has one.
    Message(Message, Option<i64>),
    /// A v1.1 limit message, with its own time where it has one.
    Limit {
        /// Tweets that it says were left out since the limit message before it on its connection.
        undelivered: u64,
        /// Milliseconds since the epoch.
        at_ms: Option<i64>,
    },
    /// A line that is neither; it is kept apart with its reason.
    Reject(Box<Reject>),
}

/// Why a line is kept apart, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Why.
    pub reason: RejectReason,
    /// Where it stood, for people: `archive/a.json.gz line 17`, `connection 3 line 1204`.
    pub origin: String,
    /// Length of the whole line in bytes; more than the kept bytes where the line was too long.
    pub bytes: u64,
}

impl Reject {
    /// Why, in words.
    pub fn text(&self) -> String {
        match &self.reason {
            RejectReason::InvalidUtf8 { offset } => format!("not UTF-8 at byte {offset}"),
            RejectReason::InvalidJson { offset, expected } => format!("not JSON at byte {offset}: expected {expected}"),
            RejectReason::UnknownObject => "neither a tweet nor a known message".into(),
            RejectReason::NoId => "a tweet without a usable id".into(),
            RejectReason::NoTime => "a tweet whose time cannot be read".into(),
            RejectReason::TooLong => "longer than source.max_line_bytes; only its first bytes are kept".into(),
            RejectReason::Truncated => "the input ended inside the line".into(),
        }
    }
}

/// One line of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// First byte in the batch's block.
    pub start: u32,
    /// First byte after the line, without its line end.
    pub end: u32,
    /// What it is.
    pub kind: RecordKind,
}

/// Whole lines, as a source hands them over.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The bytes; records point into it.
    pub block: Bytes,
    /// The lines, in the order in which they came.
    pub records: Vec<Record>,
    /// How they came in.
    pub path: IngestPath,
    /// Where a finite source stands after this batch.
    pub position: Option<Position>,
}

/// What happened to a live source's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// It is up: tweets written from now on will come. Closes the open gap.
    Up,
    /// It is down. Opens a gap, which begins when the last byte came.
    Down {
        /// When the last byte came, milliseconds since the epoch.
        last_byte_ms: i64,
        /// Why, in one word with hyphens: `disconnect`, `stall`, `refused`, `credits`, …
        cause: String,
    },
}
