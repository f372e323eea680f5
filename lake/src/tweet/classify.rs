//! From a line to its [`LineKind`]: which members make a tweet or a message, and where a tweet's own id and time are.
//!
//! In v2 the tweet is the member `data`, and most lines contain other ids before it (annotations, users, referenced
//! tweets): only the `id` directly in `data` counts. A flattened v2 tweet is the whole object, like a status of v1.1,
//! and is recognised by its members. One pass collects the members that decide; only control messages, which are rare,
//! take a second one.

use super::cursor::{JsonCursor, Parsed, SyntaxError, Value};
use super::text::SHORT;
use super::{Api, LineKind, Message, RejectReason, TweetHead, control, time};

/// The top-level members that decide what a line is.
#[derive(Default)]
pub(super) struct TopLevel<'a> {
    id: Option<Value<'a>>,
    id_str: Option<Value<'a>>,
    text: Option<Value<'a>>,
    full_text: Option<Value<'a>>,
    timestamp_ms: Option<Value<'a>>,
    created_at: Option<Value<'a>>,
    data: Data<'a>,
    /// The members that only a v2 tweet has, one bit each ([`v2_only`]). Of a repeated member the last counts.
    v2_only: u8,
    delete: Option<Value<'a>>,
    scrub_geo: Option<Value<'a>>,
    status_withheld: Option<Value<'a>>,
    user_withheld: Option<Value<'a>>,
    info: Option<Value<'a>>,
    error: Option<Value<'a>>,
    pub(super) limit: Option<Value<'a>>,
    pub(super) warning: Option<Value<'a>>,
    pub(super) disconnect: Option<Value<'a>>,
    pub(super) errors: Option<Value<'a>>,
    pub(super) title: Option<Value<'a>>,
    pub(super) type_: Option<Value<'a>>,
    pub(super) connection_issue: Option<Value<'a>>,
}

/// The member `data`.
#[derive(Default)]
enum Data<'a> {
    /// Absent or `null`.
    #[default]
    None,
    /// An object: a v2 tweet if it has an id.
    Object { id: Option<Value<'a>>, text: Option<Value<'a>>, created_at: Option<Value<'a>> },
    /// Anything else, such as the array of a page of results, which no stream sends.
    Other,
}

/// See [`super::scan`].
pub(super) fn scan(line: &[u8]) -> LineKind {
    // The fast check does not report the position; only an invalid line takes the slow one as well.
    if simdutf8::basic::from_utf8(line).is_err() {
        let offset = simdutf8::compat::from_utf8(line).map_or_else(|error| error.valid_up_to(), str::len);
        return LineKind::Reject(RejectReason::InvalidUtf8 { offset });
    }
    let mut cursor = JsonCursor::new(line);
    match cursor.peek_token() {
        b'{' => {}
        0 if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) => return LineKind::Blank,
        _ => {
            return match cursor.value(0).and_then(|_| cursor.end()) {
                Ok(()) => LineKind::Reject(RejectReason::UnknownObject),
                Err(fault) => fault.into(),
            };
        }
    }
    match collect(&mut cursor) {
        Ok(members) => members.kind(line),
        Err(fault) => fault.into(),
    }
}

impl From<SyntaxError> for LineKind {
    fn from(fault: SyntaxError) -> LineKind {
        LineKind::Reject(RejectReason::InvalidJson { offset: fault.offset, expected: fault.expected })
    }
}

/// Parses the whole line. A later member replaces an earlier one of the same name.
fn collect<'a>(cursor: &mut JsonCursor<'a>) -> Parsed<TopLevel<'a>> {
    let mut members = TopLevel::default();
    cursor.members(|cursor, name| {
        let slot = match name {
            b"id" => &mut members.id,
            b"id_str" => &mut members.id_str,
            b"text" => &mut members.text,
            b"full_text" => &mut members.full_text,
            b"timestamp_ms" => &mut members.timestamp_ms,
            b"created_at" => &mut members.created_at,
            b"delete" => &mut members.delete,
            b"scrub_geo" => &mut members.scrub_geo,
            b"status_withheld" => &mut members.status_withheld,
            b"user_withheld" => &mut members.user_withheld,
            b"info" => &mut members.info,
            b"error" => &mut members.error,
            b"limit" => &mut members.limit,
            b"warning" => &mut members.warning,
            b"disconnect" => &mut members.disconnect,
            b"errors" => &mut members.errors,
            b"title" => &mut members.title,
            b"type" => &mut members.type_,
            b"connection_issue" => &mut members.connection_issue,
            b"data" => {
                members.data = collect_data(cursor)?;
                return Ok(());
            }
            name => {
                let value = cursor.value(1)?;
                let bit = v2_only(name);
                members.v2_only =
                    if not_null(value).is_some() { members.v2_only | bit } else { members.v2_only & !bit };
                return Ok(());
            }
        };
        *slot = not_null(cursor.value(1)?);
        Ok(())
    })?;
    cursor.end()?;
    Ok(members)
}

/// The bit of a member that only v2 tweets have, 0 for any other. Where the tweet is the whole object, such members and the
/// absence of `id_str` distinguish a flattened v2 tweet from a v1.1 status.
fn v2_only(name: &[u8]) -> u8 {
    match name {
        b"author_id" => 1,
        b"edit_history_tweet_ids" => 1 << 1,
        b"edit_history_post_ids" => 1 << 2,
        b"public_metrics" => 1 << 3,
        b"note_tweet" => 1 << 4,
        b"note_post" => 1 << 5,
        b"referenced_tweets" => 1 << 6,
        b"referenced_posts" => 1 << 7,
        _ => 0,
    }
}

fn collect_data<'a>(cursor: &mut JsonCursor<'a>) -> Parsed<Data<'a>> {
    if cursor.peek_token() != b'{' {
        return Ok(not_null(cursor.value(1)?).map_or(Data::None, |_| Data::Other));
    }
    let (mut id, mut text, mut created_at) = (None, None, None);
    cursor.members(|cursor, name| {
        let value = cursor.value(2)?;
        match name {
            b"id" => id = not_null(value),
            b"text" => text = not_null(value),
            b"created_at" => created_at = not_null(value),
            _ => {}
        }
        Ok(())
    })?;
    Ok(Data::Object { id, text, created_at })
}

/// Treats `null` as absent: v1.1 writes null where v2 omits the member.
fn not_null(value: Value<'_>) -> Option<Value<'_>> {
    Some(value).filter(|value| !matches!(value, Value::Null))
}

impl TopLevel<'_> {
    fn kind(&self, line: &[u8]) -> LineKind {
        match self.data {
            Data::Object { id, text, created_at } if id.is_some() || text.is_some() => {
                return tweet(Api::V2, id, || created_at.and_then(created_at_ms));
            }
            Data::Object { .. } | Data::Other => return LineKind::Reject(RejectReason::UnknownObject),
            Data::None => {}
        }
        if is_string(self.text) || is_string(self.full_text) {
            let api = if self.id_str.is_none() && self.v2_only != 0 { Api::V2 } else { Api::V1 };
            return tweet(api, self.id_str.or(self.id), || {
                let at = self.timestamp_ms.and_then(digits).and_then(|ms| i64::try_from(ms).ok());
                at.or_else(|| self.created_at.and_then(created_at_ms))
            });
        }
        let message = |(value, message)| matches!(value, Some(Value::Object(_))).then_some(message);
        let messages = [
            (self.delete, Message::Delete),
            (self.scrub_geo, Message::ScrubGeo),
            (self.status_withheld, Message::StatusWithheld),
            (self.user_withheld, Message::UserWithheld),
            (self.info, Message::Info),
            (self.error, Message::Error),
        ];
        if let Some(message) = messages.into_iter().find_map(message) {
            return LineKind::Message(message);
        }
        match control::read(self, line) {
            Some(control) => LineKind::Control(control),
            None => LineKind::Reject(RejectReason::UnknownObject),
        }
    }
}

fn is_string(value: Option<Value<'_>>) -> bool {
    matches!(value, Some(Value::String(_)))
}

/// A tweet, or a reject where the id is missing or not a number. An unreadable time counts as absent: then the id's
/// time is taken.
fn tweet(api: Api, id: Option<Value<'_>>, wire_time: impl FnOnce() -> Option<i64>) -> LineKind {
    let Some(id) = id.and_then(digits) else { return LineKind::Reject(RejectReason::NoId) };
    LineKind::Tweet(TweetHead { id, created_at_ms: wire_time().or_else(|| time::snowflake_ms(id)), api })
}

pub(super) fn created_at_ms(value: Value<'_>) -> Option<i64> {
    with_short_text(value, time::created_at_ms)
}

/// An integer from 0 to 2^64 - 1, written as a number or as a string of digits.
pub(super) fn digits(value: Value<'_>) -> Option<u64> {
    let read = |digits: &[u8]| {
        if digits.is_empty() {
            return None;
        }
        digits.iter().try_fold(0u64, |n, byte| {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            n.checked_mul(10)?.checked_add(digit)
        })
    };
    match value {
        Value::Number(digits) => read(digits),
        _ => with_short_text(value, read),
    }
}

/// Calls `read` with a string's value. A string with escapes is unescaped first, and is `None` above [`SHORT`] bytes.
fn with_short_text<T>(value: Value<'_>, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    match value {
        Value::String(text) if text.escaped => read(text.unescape_short(&mut [0; SHORT])?),
        Value::String(text) => read(text.raw),
        _ => None,
    }
}
