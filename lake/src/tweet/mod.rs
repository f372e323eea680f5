//! What a line is: a tweet, a message about tweets, a word of the stream itself, or a reject; with a tweet's own id and
//! time, found without building a document.
//!
//! Pure, and on the hot path of every record: one pass over the bytes, no allocation for a good line. `walk` and
//! `text` know JSON and nothing of tweets, `classify` knows tweets and messages, `control` the words of the stream itself,
//! `time` the two ways in which tweets tell their time.

pub(crate) mod classify;
mod control;
mod limit;
pub(crate) mod nest;
pub mod page;
mod plain;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod walk;

#[cfg(test)]
pub(crate) mod tests;

pub use limit::Limited;

/// Which wire form a tweet has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// v1.1: the tweet is the whole object.
    V1,
    /// v2: the tweet is the member `data`, or the whole object where a tool has flattened it.
    V2,
}

/// What the way of a tweet needs to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TweetHead {
    /// The tweet's own id.
    pub id: u64,
    /// When it was written, milliseconds since the epoch: the wire's `timestamp_ms` or `created_at`, the snowflake time
    /// of the id only where both are absent; `None` where neither tells.
    pub created_at_ms: Option<i64>,
    /// Its wire form.
    pub api: Api,
}

/// A line of a stream that is no tweet and is stored beside the tweets: a message about tweets, or a control message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Message {
    /// A tweet was deleted.
    Delete,
    /// A user took back the places of her tweets.
    ScrubGeo,
    /// A tweet is withheld in some countries.
    StatusWithheld,
    /// A user is withheld in some countries.
    UserWithheld,
    /// v1.1 `limit`: tweets that a connection left out.
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
    /// Its kind as manifests and metrics name it: the member that holds it, or `errors` for a problem.
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

    /// Whether it is about the connection and not about tweets: it does not prove that a stream delivers any.
    pub fn is_control(self) -> bool {
        !matches!(self, Message::Delete | Message::ScrubGeo | Message::StatusWithheld | Message::UserWithheld)
    }
}

/// A control message, with what a source needs of it; [`Control::message`] is its kind in storage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Control {
    /// v1.1 `limit`: tweets not delivered since the connection began.
    Limit {
        /// How many.
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
        /// 1 to 12, see the v1.1 documentation.
        code: u64,
        /// In words.
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
    /// Its kind, without what it holds.
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
    /// Bytes that are not UTF-8, with the offset of the first.
    InvalidUtf8 {
        /// Bytes before it.
        offset: usize,
    },
    /// Not JSON, with the offset of the first byte that cannot be.
    InvalidJson {
        /// Bytes before it.
        offset: usize,
        /// What was expected there.
        expected: &'static str,
    },
    /// JSON, but no object that is a tweet or a known message.
    UnknownObject,
    /// A tweet without an id, or with one that is no number below 2^64.
    NoId,
    /// A tweet whose time cannot be read, where that names its hour; set by the source, not by [`scan`].
    NoTime,
    /// Longer than `max_line_bytes`; set by the framing, not by [`scan`].
    TooLong,
    /// The input ended inside the line; set by the framing, not by [`scan`].
    Truncated,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LineKind {
    /// Nothing but white space: a heartbeat.
    Blank,
    /// A tweet.
    Tweet(TweetHead),
    /// A message about tweets.
    Message(Message),
    /// A control message.
    Control(Control),
    /// None of these.
    Reject(RejectReason),
}

/// Tells what a line is. `line` comes without its line end.
///
/// A line is a tweet or a message only if all of it is JSON: what is accepted here can be read by everything that comes
/// after. Lone surrogate escapes are let through, since the bytes are stored as they came. Where a member comes twice, the
/// last one counts. An id or a time may be a text or a number; one that is `null` is absent.
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

/// When a message says it was sent, milliseconds since the epoch: its `timestamp_ms`, or PowerTrack's `sent`, where there is
/// one. `message` is what [`scan`] said of `line`.
pub fn message_ms(message: Message, line: &[u8]) -> Option<i64> {
    control::message_ms(message, line)
}

/// The time in a snowflake id, milliseconds since the epoch; `None` for ids from before November 2010, which hold none.
pub fn snowflake_ms(id: u64) -> Option<i64> {
    time::snowflake_ms(id)
}
