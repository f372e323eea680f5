//! What a line is: a tweet, a message about tweets, a control message of the stream, or a reject; and a tweet's own id
//! and time, found without building a document.
//!
//! Pure, and on the hot path of every record: one pass over the bytes, no allocation for a valid line. `cursor`,
//! `nesting`, `plain` and `text` parse JSON and know nothing of tweets; `classify` knows tweets and messages, `control`
//! the messages about the connection, `time` the two formats of a tweet's time.

mod classify;
mod control;
pub(crate) mod cursor;
mod limit;
pub(crate) mod nesting;
pub mod page;
mod plain;
pub(crate) mod text;
pub(crate) mod time;

#[cfg(test)]
pub(crate) mod tests;

pub use limit::Limited;
pub use time::SNOWFLAKE_EPOCH_MS;

/// The wire format of a tweet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// v1.1: the tweet is the whole object.
    V1,
    /// v2: the tweet is the member `data`, or the whole object where a tool has flattened it.
    V2,
}

/// What ingestion needs to know of a tweet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TweetHead {
    /// The tweet's own id.
    pub id: u64,
    /// When it was written, in milliseconds since the epoch: `timestamp_ms` or `created_at`; the time in the id only
    /// where both are absent; `None` where the id has none either.
    pub created_at_ms: Option<i64>,
    /// Its wire format.
    pub api: Api,
}

/// A line that is no tweet and is stored beside the tweets: a message about tweets, or a control message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Message {
    /// A tweet was deleted.
    Delete,
    /// A user removed the locations from earlier tweets.
    ScrubGeo,
    /// A tweet is withheld in some countries.
    StatusWithheld,
    /// A user is withheld in some countries.
    UserWithheld,
    /// v1.1 `limit`: the number of matching tweets that the stream did not deliver.
    Limit,
    /// v1.1 `warning`.
    Warning,
    /// v1.1 `disconnect`.
    Disconnect,
    /// v2: an `errors` array or a problem object without `data`.
    Problem,
    /// v2 `connection_metadata`.
    ConnectionMetadata,
    /// PowerTrack `info`.
    Info,
    /// PowerTrack `error`.
    Error,
}

impl Message {
    /// The name of the kind in manifests and metrics: the member that holds the message, or `errors` for a problem.
    pub fn name(self) -> &'static str {
        match self {
            Message::Delete => "delete",
            Message::ScrubGeo => "scrub_geo",
            Message::StatusWithheld => "status_withheld",
            Message::UserWithheld => "user_withheld",
            Message::Limit => "limit",
            Message::Warning => "warning",
            Message::Disconnect => "disconnect",
            Message::Problem => "errors",
            Message::ConnectionMetadata => "connection_metadata",
            Message::Info => "info",
            Message::Error => "error",
        }
    }

    /// Whether the message is about the connection. Such a message does not show that the stream delivers tweets.
    pub fn is_control(self) -> bool {
        !matches!(self, Message::Delete | Message::ScrubGeo | Message::StatusWithheld | Message::UserWithheld)
    }
}

/// A control message, as far as a source acts on it; [`Control::message`] is the kind under which it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Control {
    /// v1.1 `limit`: tweets not delivered since the connection was opened.
    Limit {
        /// The number of tweets.
        track: u64,
    },
    /// v1.1 `warning`.
    Warning {
        /// Its `code`, such as `FALLING_BEHIND`.
        code: String,
        /// Its `percent_full`, where it has one.
        percent_full: Option<u64>,
    },
    /// v1.1 `disconnect`.
    Disconnect {
        /// 1 to 12, see the v1.1 documentation; 0 if the message has none.
        code: u64,
        /// The explanation for people.
        reason: String,
    },
    /// v2: an `errors` array or a bare problem object without `data`.
    Problem {
        /// Last path segment of the problem's `type`, such as `operational-disconnect`.
        problem: String,
        /// `disconnect_type` or `connection_issue`, where there is one.
        what: Option<String>,
        /// `detail` or `title`.
        detail: String,
    },
    /// v2 `connection_metadata`.
    ConnectionMetadata,
}

impl Control {
    /// The kind under which it is stored.
    pub fn message(&self) -> Message {
        match self {
            Control::Limit { .. } => Message::Limit,
            Control::Warning { .. } => Message::Warning,
            Control::Disconnect { .. } => Message::Disconnect,
            Control::Problem { .. } => Message::Problem,
            Control::ConnectionMetadata => Message::ConnectionMetadata,
        }
    }
}

/// Why a line is neither a tweet nor a known message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// Not UTF-8.
    InvalidUtf8 {
        /// Bytes before the first invalid one.
        offset: usize,
    },
    /// Not JSON.
    InvalidJson {
        /// Bytes before the first invalid one.
        offset: usize,
        /// What was expected there.
        expected: &'static str,
    },
    /// JSON, but neither a tweet nor a known message.
    UnknownObject,
    /// A tweet without an id, or with an id that is not an integer below 2^64.
    NoId,
    /// A tweet without a readable time, where the time selects the hour. Set by the source, not by [`scan`].
    NoTime,
    /// Longer than `max_line_bytes`. Set by the framing, not by [`scan`].
    TooLong,
    /// The input ended inside the line. Set by the framing, not by [`scan`].
    Truncated,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LineKind {
    /// Only white space: a heartbeat.
    Blank,
    /// A tweet.
    Tweet(TweetHead),
    /// A message about tweets.
    Message(Message),
    /// A message about the connection.
    Control(Control),
    /// None of these.
    Reject(RejectReason),
}

/// Classifies a line, given without its line end.
///
/// A line is a tweet or a message only if all of it is JSON, so that every later reader can parse what is accepted
/// here. Lone surrogates in escapes are accepted, since the bytes are stored unchanged. Of several members with one
/// name the last one counts. An id or a time may be a string or a number; `null` counts as absent.
///
/// ```
/// use cauce_lake::tweet::{LineKind, scan};
/// let line = br#"{"data":{"author_id":"7","id":"1454638400000000000","text":"hello"}}"#;
/// let LineKind::Tweet(head) = scan(line) else { panic!("no tweet") };
/// assert_eq!(head.id, 1_454_638_400_000_000_000);
/// ```
pub fn scan(line: &[u8]) -> LineKind {
    classify::scan(line)
}

/// When a message was sent, in milliseconds since the epoch: its `timestamp_ms`, or PowerTrack's `sent`;
/// `None` if it has neither. `message` is what [`scan`] returned for `line`.
pub fn message_ms(message: Message, line: &[u8]) -> Option<i64> {
    control::message_ms(message, line)
}
