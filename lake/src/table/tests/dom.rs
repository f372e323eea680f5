//! An independent, simple decoder: `serde_json` reads the whole line, and every column is filled by hand. It shares no code
//! with the decoder that it checks.

use serde_json::{Value, json};

use crate::tweet::{Api, LineKind, scan};

#[path = "dom_v1.rs"]
mod v1;
#[path = "dom_v2.rs"]
mod v2;

/// A value whose type does not fit its column.
#[derive(Debug)]
pub(super) struct Wrong;

type Read<T = Value> = Result<T, Wrong>;

/// The line as a document; `None` if it is no tweet, or if `serde_json` cannot represent it (a number of 10^400).
pub(super) fn document(line: &[u8]) -> Option<(Api, Value)> {
    let LineKind::Tweet(head) = scan(line) else { return None };
    Some((head.api, serde_json::from_slice(&without_lone_surrogates(line)).ok()?))
}

/// The rows of a whole table with referenced posts.
pub(super) fn rows(api: Api, document: &Value) -> Read<Vec<Value>> {
    match api {
        Api::V1 => v1::rows(document),
        Api::V2 => v2::rows(document),
    }
}

/// `serde_json` refuses lone surrogates; the table has U+FFFD for them.
fn without_lone_surrogates(line: &[u8]) -> Vec<u8> {
    let unit = |at: usize| {
        let digits = line.get(at..at + 6).filter(|escape| escape.starts_with(b"\\u"))?;
        u32::from_str_radix(std::str::from_utf8(&digits[2..]).ok()?, 16).ok()
    };
    let (mut out, mut at) = (Vec::new(), 0);
    while at < line.len() {
        let length = match (line[at], unit(at)) {
            (b'\\', Some(0xd800..=0xdbff)) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => 12,
            (b'\\', Some(0xd800..=0xdfff)) => {
                out.extend_from_slice(b"\\ufffd");
                at += 6;
                continue;
            }
            (b'\\', Some(_)) => 6,
            (b'\\', None) => 2,
            _ => 1,
        };
        out.extend_from_slice(&line[at..at + length]);
        at += length;
    }
    out
}

static NULL: Value = Value::Null;

fn at<'v>(value: &'v Value, path: &str) -> Read<&'v Value> {
    path.split('.').filter(|name| !name.is_empty()).try_fold(value, |value, name| match value {
        Value::Null => Ok(&NULL),
        Value::Object(members) => Ok(members.get(name).unwrap_or(&NULL)),
        _ => Err(Wrong),
    })
}

/// The first value that is not null.
fn first<'v>(value: &'v Value, paths: &[&str]) -> Read<&'v Value> {
    for path in paths {
        let found = at(value, path)?;
        if !found.is_null() {
            return Ok(found);
        }
    }
    Ok(&NULL)
}

fn text(value: &Value) -> Read {
    if value.is_null() || value.is_string() { Ok(value.clone()) } else { Err(Wrong) }
}

fn boolean(value: &Value) -> Read {
    if value.is_null() || value.is_boolean() { Ok(value.clone()) } else { Err(Wrong) }
}

fn integer(value: &Value) -> Read<Option<i64>> {
    match value {
        Value::Null => Ok(None),
        // `serde_json` takes -0 for a float.
        Value::Number(number) if number.as_f64() == Some(0.0) => Ok(Some(0)),
        Value::Number(number) => number.as_i64().map(Some).ok_or(Wrong),
        Value::String(text) if !text.starts_with('+') => text.parse().map(Some).map_err(|_| Wrong),
        _ => Err(Wrong),
    }
}

fn number(value: &Value) -> Read {
    integer(value).map(Value::from)
}

fn small(value: &Value, bits: u32) -> Read {
    let limit = 1i64 << (bits - 1);
    match integer(value)? {
        Some(number) if !(-limit..limit).contains(&number) => Err(Wrong),
        number => Ok(number.into()),
    }
}

fn float(value: &Value) -> Read {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Number(number) => Ok(number.as_f64().ok_or(Wrong)?.into()),
        Value::String(text) => {
            let number: Value = serde_json::from_str(text).map_err(|_| Wrong)?;
            if text.trim() != text {
                return Err(Wrong);
            }
            Ok(number.as_f64().ok_or(Wrong)?.into())
        }
        _ => Err(Wrong),
    }
}

fn time(value: &Value) -> Read {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let text = value.as_str().ok_or(Wrong)?;
    // Parsing of times has its own tests.
    let ms = crate::tweet::time::created_at_ms(text.as_bytes()).ok_or(Wrong)?;
    Ok((ms * 1000).into())
}

fn ms(value: &Value) -> Read {
    integer(value)?.map(|ms| ms.checked_mul(1000).ok_or(Wrong)).transpose().map(Value::from)
}

/// An element of an array of scalars.
fn element(value: &Value, index: usize) -> Read<&Value> {
    match value {
        Value::Null => Ok(&NULL),
        Value::Array(elements) => Ok(elements.get(index).unwrap_or(&NULL)),
        _ => Err(Wrong),
    }
}

/// An element of the first array that is present.
fn first_element<'v>(value: &'v Value, paths: &[(&str, usize)]) -> Read<&'v Value> {
    for &(path, index) in paths {
        let found = element(at(value, path)?, index)?;
        if !found.is_null() {
            return Ok(found);
        }
    }
    Ok(&NULL)
}

fn array(value: &Value) -> Read<&[Value]> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(elements) => Ok(elements),
        _ => Err(Wrong),
    }
}

fn list(value: &Value, item: impl Fn(&Value) -> Read) -> Read {
    if value.is_null() {
        return Ok(Value::Null);
    }
    array(value)?.iter().map(item).collect()
}

/// A struct of an object; null where it is null or empty.
fn object(value: &Value, read: impl Fn(&Value) -> Read) -> Read {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Object(members) if members.is_empty() => Ok(Value::Null),
        Value::Object(_) => read(value),
        _ => Err(Wrong),
    }
}

fn id_of(post: &Value, paths: &[&str]) -> Read<i64> {
    integer(first(post, paths)?)?.filter(|id| *id >= 0).ok_or(Wrong)
}

fn created_at(id: i64, timestamp_ms: &Value, words: &Value) -> Read {
    if !timestamp_ms.is_null() {
        return ms(timestamp_ms);
    }
    if id >= 30_000_000_000 {
        return Ok((((id >> 22) + 1_288_834_974_657) * 1000).into());
    }
    time(words)
}

fn source(value: &Value) -> Read {
    let Value::String(link) = value else { return text(value) };
    let name = link.strip_prefix("<a ").and_then(|link| link.split_once('>')).map(|(_, name)| name);
    Ok(name.map_or(link.as_str(), |name| name.strip_suffix("</a>").unwrap_or(name)).into())
}

fn variant_of(variant: &Value, bit_rate: &str) -> Read {
    object(variant, |variant| {
        Ok(json!({
            "content_type": text(at(variant, "content_type")?)?, "bit_rate": number(at(variant, bit_rate)?)?,
            "url": text(at(variant, "url")?)?,
        }))
    })
}

fn poll_of(poll: &Value, ids: &[&str], label: &str) -> Read {
    let option = |option: &Value| {
        Ok(json!({
            "position": small(at(option, "position")?, 32)?, "label": text(at(option, label)?)?,
            "votes": number(at(option, "votes")?)?,
        }))
    };
    Ok(json!({
        "id": number(first(poll, ids)?)?, "ends_at": time(at(poll, "end_datetime")?)?,
        "minutes": small(at(poll, "duration_minutes")?, 32)?, "status": text(at(poll, "voting_status")?)?,
        "options": list(at(poll, "options")?, |value| object(value, option))?,
    }))
}

fn place_of(place: &Value, bbox: Value) -> Read {
    let text = |name: &str| text(at(place, name)?);
    Ok(json!({
        "id": text("id")?, "name": text("name")?, "full_name": text("full_name")?, "type": text("place_type")?,
        "country": text("country")?, "country_code": text("country_code")?, "bbox": bbox,
    }))
}

/// Finds an object among several.
fn merged<const N: usize>(parts: [Value; N]) -> Value {
    let members = parts.into_iter().flat_map(|part| match part {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    });
    Value::Object(members.collect())
}
