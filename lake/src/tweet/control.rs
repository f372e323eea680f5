//! Control messages: v1.1's limit, warning and disconnect, v2's problems and connection metadata; and the time in a
//! message.
//!
//! They are rare, so they are read in a second pass over what the first one has validated. A control message without
//! the members that make it useful is a reject, which keeps its bytes.

use super::classify::{TopLevel, created_at_ms, digits};
use super::cursor::{JsonCursor, Value};
use super::{Control, Message};

/// Reads a line that is neither a tweet nor a message as a control message.
pub(super) fn read(members: &TopLevel<'_>, line: &[u8]) -> Option<Control> {
    if let Some(Value::Object(limit)) = members.limit {
        return Some(Control::Limit { track: member(limit, b"track").and_then(digits)? });
    }
    if let Some(Value::Object(warning)) = members.warning {
        let percent_full = member(warning, b"percent_full").and_then(digits);
        return Some(Control::Warning { code: text(warning, b"code")?, percent_full });
    }
    if let Some(Value::Object(disconnect)) = members.disconnect {
        // The connection is about to close, even where the message is incomplete.
        let code = member(disconnect, b"code").and_then(digits).unwrap_or(0);
        return Some(Control::Disconnect { code, reason: text(disconnect, b"reason").unwrap_or_default() });
    }
    if let Some(Value::String(name)) = members.type_
        && name.to_string_lossy() == "connection_metadata"
    {
        return Some(Control::ConnectionMetadata);
    }
    let has = |member| matches!(member, Some(Value::String(_)));
    if has(members.connection_issue) || (has(members.title) && has(members.type_)) {
        return Some(problem(line));
    }
    match members.errors {
        Some(Value::Array(errors)) => first_problem(errors),
        _ => None,
    }
}

/// The first error that explains why the connection ends, else the first one.
fn first_problem(errors: &[u8]) -> Option<Control> {
    let (mut found, mut ends_connection) = (None, false);
    let parsed = JsonCursor::new(errors).each_element(|cursor| {
        if let Value::Object(error) = cursor.value(1)?
            && !ends_connection
        {
            ends_connection = connection_issue(error).is_some();
            if ends_connection || found.is_none() {
                found = Some(problem(error));
            }
        }
        Ok(())
    });
    parsed.ok().and(found)
}

fn problem(object: &[u8]) -> Control {
    let kind = text(object, b"type").unwrap_or_default();
    Control::Problem {
        // The type is a URL on api.twitter.com or api.x.com.
        problem: kind.rsplit('/').next().unwrap_or_default().to_owned(),
        what: connection_issue(object),
        detail: text(object, b"detail").or_else(|| text(object, b"title")).unwrap_or_default(),
    }
}

fn connection_issue(object: &[u8]) -> Option<String> {
    text(object, b"disconnect_type").or_else(|| text(object, b"connection_issue"))
}

/// See [`super::message_ms`].
pub(super) fn message_ms(message: Message, line: &[u8]) -> Option<i64> {
    let Value::Object(body) = member(line, message.name().as_bytes())? else { return None };
    let millis = member(body, b"timestamp_ms").and_then(digits).and_then(|ms| i64::try_from(ms).ok());
    millis.or_else(|| member(body, b"sent").and_then(created_at_ms))
}

/// The last member of that name; `None` also where `object` is not an object.
fn member<'a>(object: &'a [u8], wanted: &[u8]) -> Option<Value<'a>> {
    let mut found = None;
    let mut cursor = JsonCursor::new(object);
    if cursor.peek_token() != b'{' {
        return None;
    }
    let parsed = cursor.members(|cursor, name| {
        let value = cursor.value(1)?;
        if name == wanted {
            found = Some(value);
        }
        Ok(())
    });
    parsed.ok().and(found)
}

fn text(object: &[u8], wanted: &[u8]) -> Option<String> {
    match member(object, wanted)? {
        Value::String(text) => Some(text.to_string_lossy()),
        _ => None,
    }
}
