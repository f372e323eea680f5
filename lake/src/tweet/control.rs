//! Words of the stream itself: v1.1's limit, warning and disconnect, v2's problems and connection metadata; and the time
//! that a message tells.
//!
//! They are rare, so that their members are looked for in a second, plain walk over what the first one has checked. A word
//! that lacks what makes it useful is none: the line becomes a reject, which keeps its bytes.

use super::classify::{Members, created_at_ms, digits};
use super::walk::{Value, Walker};
use super::{Control, Message};

/// The word that a line which is neither a tweet nor a message says, if it says one.
pub(super) fn word(members: &Members<'_>, line: &[u8]) -> Option<Control> {
    if let Some(Value::Object(limit)) = members.limit {
        return Some(Control::Limit { track: member(limit, b"track").and_then(digits)? });
    }
    if let Some(Value::Object(warning)) = members.warning {
        let percent_full = member(warning, b"percent_full").and_then(digits);
        return Some(Control::Warning { code: text(warning, b"code")?, percent_full });
    }
    if let Some(Value::Object(disconnect)) = members.disconnect {
        // The connection is about to close, whatever else is said: missing members do not hide that.
        let code = member(disconnect, b"code").and_then(digits).unwrap_or(0);
        return Some(Control::Disconnect { code, reason: text(disconnect, b"reason").unwrap_or_default() });
    }
    if let Some(Value::Text(name)) = members.type_
        && name.to_text() == "connection_metadata"
    {
        return Some(Control::ConnectionMetadata);
    }
    let has = |member| matches!(member, Some(Value::Text(_)));
    if has(members.connection_issue) || (has(members.title) && has(members.type_)) {
        return Some(problem(line));
    }
    match members.errors {
        Some(Value::Array(errors)) => first_problem(errors),
        _ => None,
    }
}

/// The first error that says why the connection ends, else the first one.
fn first_problem(errors: &[u8]) -> Option<Control> {
    let (mut found, mut ends_connection) = (None, false);
    let walk = Walker::new(errors).each_element(|walker| {
        if let Value::Object(error) = walker.value(1)?
            && !ends_connection
        {
            ends_connection = what(error).is_some();
            if ends_connection || found.is_none() {
                found = Some(problem(error));
            }
        }
        Ok(())
    });
    walk.ok().and(found)
}

fn problem(object: &[u8]) -> Control {
    let kind = text(object, b"type").unwrap_or_default();
    Control::Problem {
        // Both api.twitter.com and api.x.com stand before it.
        problem: kind.rsplit('/').next().unwrap_or_default().to_owned(),
        what: what(object),
        detail: text(object, b"detail").or_else(|| text(object, b"title")).unwrap_or_default(),
    }
}

fn what(object: &[u8]) -> Option<String> {
    text(object, b"disconnect_type").or_else(|| text(object, b"connection_issue"))
}

/// See [`super::message_ms`].
pub(super) fn message_ms(message: Message, line: &[u8]) -> Option<i64> {
    let Value::Object(body) = member(line, message.name().as_bytes())? else { return None };
    let millis = member(body, b"timestamp_ms").and_then(digits).and_then(|ms| i64::try_from(ms).ok());
    millis.or_else(|| member(body, b"sent").and_then(created_at_ms))
}

/// The last member of that name; `None` too where `object` is none.
fn member<'a>(object: &'a [u8], wanted: &[u8]) -> Option<Value<'a>> {
    let mut found = None;
    let mut walker = Walker::new(object);
    if walker.peek_token() != b'{' {
        return None;
    }
    let walk = walker.members(|walker, name| {
        let value = walker.value(1)?;
        if name == wanted {
            found = Some(value);
        }
        Ok(())
    });
    walk.ok().and(found)
}

fn text(object: &[u8], wanted: &[u8]) -> Option<String> {
    match member(object, wanted)? {
        Value::Text(text) => Some(text.to_text()),
        _ => None,
    }
}
