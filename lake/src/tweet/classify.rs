//! From a line to its [`LineKind`]: which members make a tweet or a message, and where a tweet's own id and time stand.
//!
//! In v2 the tweet is the member `data`, and most of its lines hold other ids first (annotations, users, referenced
//! tweets): only the `id` directly in `data` counts. A v2 tweet on its own, as tools flatten pages, is the whole object like a
//! status of v1.1; its members tell. The members that decide are collected during the one walk; only
//! words of the stream, which are rare, are looked at a second time.

use super::text::SHORT;
use super::walk::{Fault, Value, Walker};
use super::{Api, LineKind, Message, RejectReason, TweetHead, control, time};

/// The members of the top-level object that decide what a line is.
#[derive(Default)]
pub(super) struct Members<'a> {
    id: Option<Value<'a>>,
    id_str: Option<Value<'a>>,
    text: Option<Value<'a>>,
    full_text: Option<Value<'a>>,
    timestamp_ms: Option<Value<'a>>,
    created_at: Option<Value<'a>>,
    data: Data<'a>,
    /// Whether a member is there that only a v2 tweet has ([`is_mark_of_v2`]).
    has_mark_of_v2: bool,
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

/// What `data` is.
#[derive(Default)]
enum Data<'a> {
    /// Absent or `null`.
    #[default]
    None,
    /// An object: a v2 tweet if it has an id.
    Object { id: Option<Value<'a>>, text: Option<Value<'a>>, created_at: Option<Value<'a>> },
    /// Something else, such as the array of a page of results, which is no line of a stream.
    Other,
}

/// See [`super::scan`].
pub(super) fn scan(line: &[u8]) -> LineKind {
    // The fast check does not say where it failed; only a bad line pays for the one that does.
    if simdutf8::basic::from_utf8(line).is_err() {
        let offset = simdutf8::compat::from_utf8(line).map_or_else(|error| error.valid_up_to(), str::len);
        return LineKind::Reject(RejectReason::InvalidUtf8 { offset });
    }
    let mut walker = Walker::new(line);
    match walker.peek_token() {
        b'{' => {}
        0 if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) => return LineKind::Blank,
        _ => {
            return match walker.value(0).and_then(|_| walker.end()) {
                Ok(()) => LineKind::Reject(RejectReason::UnknownObject),
                Err(fault) => fault.into(),
            };
        }
    }
    match collect(&mut walker) {
        Ok(members) => members.kind(line),
        Err(fault) => fault.into(),
    }
}

impl From<Fault> for LineKind {
    fn from(fault: Fault) -> LineKind {
        LineKind::Reject(RejectReason::InvalidJson { offset: fault.offset, expected: fault.expected })
    }
}

/// Walks through the whole line. A later member of the same name takes the place of the earlier one.
fn collect<'a>(walker: &mut Walker<'a>) -> Result<Members<'a>, Fault> {
    let mut members = Members::default();
    walker.members(|walker, name| {
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
                members.data = collect_data(walker)?;
                return Ok(());
            }
            name => {
                let value = walker.value(1)?;
                members.has_mark_of_v2 |= is_mark_of_v2(name) && not_null(value).is_some();
                return Ok(());
            }
        };
        *slot = not_null(walker.value(1)?);
        Ok(())
    })?;
    walker.end()?;
    Ok(members)
}

/// Whether this is a member of a v2 tweet that no status of v1.1 has. Where the tweet is the whole object, as in lines that were
/// flattened, such members and the absent `id_str` tell the two apart.
fn is_mark_of_v2(name: &[u8]) -> bool {
    matches!(
        name,
        b"author_id"
            | b"edit_history_tweet_ids"
            | b"edit_history_post_ids"
            | b"public_metrics"
            | b"note_tweet"
            | b"note_post"
            | b"referenced_tweets"
            | b"referenced_posts"
    )
}

fn collect_data<'a>(walker: &mut Walker<'a>) -> Result<Data<'a>, Fault> {
    if walker.peek_token() != b'{' {
        return Ok(not_null(walker.value(1)?).map_or(Data::None, |_| Data::Other));
    }
    let (mut id, mut text, mut created_at) = (None, None, None);
    walker.members(|walker, name| {
        let value = walker.value(2)?;
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

/// `null` is absence: v1.1 writes null where v2 leaves out.
fn not_null(value: Value<'_>) -> Option<Value<'_>> {
    Some(value).filter(|value| !matches!(value, Value::Null))
}

impl Members<'_> {
    fn kind(&self, line: &[u8]) -> LineKind {
        match self.data {
            Data::Object { id, text, created_at } if id.is_some() || text.is_some() => {
                return tweet(Api::V2, id, || created_at.and_then(created_at_ms));
            }
            Data::Object { .. } | Data::Other => return LineKind::Reject(RejectReason::UnknownObject),
            Data::None => {}
        }
        if is_text(self.text) || is_text(self.full_text) {
            let api = if self.id_str.is_none() && self.has_mark_of_v2 { Api::V2 } else { Api::V1 };
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
        match control::word(self, line) {
            Some(control) => LineKind::Control(control),
            None => LineKind::Reject(RejectReason::UnknownObject),
        }
    }
}

fn is_text(value: Option<Value<'_>>) -> bool {
    matches!(value, Some(Value::Text(_)))
}

/// A tweet, or a reject where the id is missing or no number. A time that cannot be read is like one that is absent: then the
/// id tells it.
fn tweet(api: Api, id: Option<Value<'_>>, wire_time: impl FnOnce() -> Option<i64>) -> LineKind {
    let Some(id) = id.and_then(digits) else { return LineKind::Reject(RejectReason::NoId) };
    LineKind::Tweet(TweetHead { id, created_at_ms: wire_time().or_else(|| time::snowflake_ms(id)), api })
}

pub(super) fn created_at_ms(value: Value<'_>) -> Option<i64> {
    with_short_text(value, time::created_at_ms)
}

/// A whole number from 0 to 2^64 - 1, written as a number or as a text, digits alone.
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

/// Reads a text; one that holds escapes is unescaped first, and is then at most [`SHORT`] bytes long.
fn with_short_text<T>(value: Value<'_>, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    match value {
        Value::Text(text) if text.escaped => read(text.unescape_short(&mut [0; SHORT])?),
        Value::Text(text) => read(text.raw),
        _ => None,
    }
}
