//! The classification of lines, compared with what `serde_json` reads: samples, random and broken lines.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::samples;
use crate::tweet::{Api, LineKind, RejectReason, TweetHead, scan};

/// The expected classification of a tweet.
fn by_serde_json(line: &[u8]) -> LineKind {
    let line: Value = serde_json::from_slice(line).expect("JSON");
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let created_at = |value: &Value| {
        let text = value.as_str()?;
        let zoned = jiff::fmt::strtime::parse("%a %b %d %H:%M:%S %z %Y", text).and_then(|time| time.to_timestamp());
        zoned.or_else(|_| text.parse::<jiff::Timestamp>()).ok().map(|time| time.as_millisecond())
    };
    let (api, tweet) = if line["data"].is_object() { (Api::V2, &line["data"]) } else { (Api::V1, &line) };
    let (id, wire) = match api {
        Api::V1 => (
            number(if tweet["id_str"].is_null() { &tweet["id"] } else { &tweet["id_str"] }),
            number(&tweet["timestamp_ms"]).map(|ms| ms as i64).or_else(|| created_at(&tweet["created_at"])),
        ),
        Api::V2 => (number(&tweet["id"]), created_at(&tweet["created_at"])),
    };
    let Some(id) = id else { return LineKind::Reject(RejectReason::NoId) };
    let snowflake = || (30_000_000_000..1 << 63).contains(&id).then_some((id >> 22) as i64 + 1_288_834_974_657);
    LineKind::Tweet(TweetHead { id, created_at_ms: wire.or_else(snowflake), api })
}

fn compare(tweet: &Value) {
    for line in [tweet.to_string(), serde_json::to_string_pretty(tweet).expect("JSON")] {
        let found = scan(line.as_bytes());
        assert!(matches!(found, LineKind::Tweet(_)), "{found:?}");
        assert_eq!(found, by_serde_json(line.as_bytes()));
    }
}

#[test]
fn real_v1_tweets_tell_what_serde_json_reads() {
    samples::v1_statuses().iter().for_each(compare);
    for line in samples::V1.lines() {
        assert_eq!(scan(line.as_bytes()), by_serde_json(line.as_bytes()), "{line}");
    }
}

#[test]
fn real_v2_tweets_tell_what_serde_json_reads() {
    let mut tweets = 0;
    for page in samples::v2_pages() {
        // Some of the pages are damaged on purpose: those must be rejects here, too.
        let Ok(page) = serde_json::from_str::<Value>(&page) else {
            assert!(matches!(scan(page.as_bytes()), LineKind::Reject(RejectReason::InvalidJson { .. })));
            continue;
        };
        // A page's includes belong to up to a hundred tweets; a few of them are enough to mislead.
        let mut includes = page["includes"].clone();
        for list in includes.as_object_mut().into_iter().flat_map(|includes| includes.values_mut()) {
            list.as_array_mut().expect("includes are lists").truncate(3);
        }
        for tweet in samples::tweets_of(&page) {
            tweets += 1;
            compare(&json!({"data": tweet, "includes": includes}));
            compare(&json!({"includes": includes, "matching_rules": [{"id": "1"}], "data": tweet}));
        }
    }
    assert!(tweets >= 12, "only {tweets} tweets");
    for line in samples::V2.lines() {
        assert_eq!(scan(line.as_bytes()), by_serde_json(line.as_bytes()), "{line}");
    }
}

#[test]
fn lines_that_are_no_tweets_are_told_apart() {
    let kind = |line: &str| match scan(line.as_bytes()) {
        LineKind::Blank => "blank",
        LineKind::Tweet(_) => "tweet",
        LineKind::Message(message) => message.name(),
        LineKind::Control(control) => control.message().name(),
        LineKind::Reject(RejectReason::NoId) => "no id",
        LineKind::Reject(RejectReason::UnknownObject) => "unknown",
        LineKind::Reject(RejectReason::InvalidJson { .. }) => "not JSON",
        LineKind::Reject(_) => "another reject",
    };
    // Lines end in a newline alone.
    let kinds: Vec<&str> = samples::OTHER.split_terminator('\n').map(kind).collect();
    let expected = [
        "delete",
        "scrub_geo",
        "status_withheld",
        "user_withheld",
        "limit",
        "warning",
        "disconnect",
        "errors",
        "errors",
        "connection_metadata",
        "info",
        "error",
        "unknown",
        "no id",
        "unknown",
        "blank",
        "not JSON",
    ];
    assert_eq!(kinds, expected);
}

/// Whether `serde_json` accepts a line; for ignored values it checks only the grammar.
fn is_json(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok() && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

fn is_json_here(line: &[u8]) -> bool {
    !matches!(
        scan(line),
        LineKind::Blank | LineKind::Reject(RejectReason::InvalidJson { .. } | RejectReason::InvalidUtf8 { .. })
    )
}

/// A JSON string as it may be written, with escapes.
fn wire_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -!#-\\[\\]-~]{1,12}",
        2 => any::<char>().prop_filter("plain", |c| *c >= ' ' && *c != '"' && *c != '\\').prop_map(String::from),
        1 => prop::sample::select(vec![r#"\""#, r"\\", r"\/", r"\b", r"\n", r"\t"]).prop_map(String::from),
        1 => any::<u16>().prop_map(|unit| format!("\\u{unit:04X}")),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn wire_name() -> impl Strategy<Value = String> {
    let known = [
        "id",
        "id_str",
        "text",
        "full_text",
        "timestamp_ms",
        "created_at",
        "data",
        "delete",
        "scrub_geo",
        "limit",
        "warning",
        "disconnect",
        "errors",
        "title",
        "type",
        "connection_issue",
        "track",
        "code",
        "user",
        "\\u0069d",
    ];
    prop_oneof![3 => prop::sample::select(known.to_vec()).prop_map(|name| format!("\"{name}\"")), 1 => wire_text()]
}

fn space() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "", "", " ", "\t", "  \r\n"])
}

/// Any JSON, as bytes on the wire: members in any order, twice, with white space and escapes.
fn wire_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        wire_text(),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| format!("\"{n}\"")),
        prop::num::f64::NORMAL.prop_map(|n| format!("{n:e}")),
        prop::sample::select(vec!["null", "true", "false", "0", "-0.0E+1", "1e999"]).prop_map(String::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        let array = (space(), prop::collection::vec((inner.clone(), space()), 0..5)).prop_map(|(space, values)| {
            let values: Vec<_> = values.iter().map(|(value, space)| format!("{value}{space}")).collect();
            format!("[{space}{}]", values.join(","))
        });
        let member = (wire_name(), space(), inner, space());
        let object = (space(), prop::collection::vec(member, 0..7)).prop_map(|(space, members)| {
            let members: Vec<_> =
                members.iter().map(|(name, a, value, b)| format!("{name}{a}:{b}{value}{a}")).collect();
            format!("{{{space}{}}}", members.join(&format!(",{space}")))
        });
        prop_oneof![1 => array, 3 => object]
    })
}

/// Members of a tweet, in any order among decoys that contain the same names one level deeper.
fn tweet_members() -> impl Strategy<Value = Vec<(String, String)>> {
    let id = prop_oneof![
        any::<u64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| format!("\"{n}\"")),
        prop::sample::select(vec!["null", "\"x\"", "99999999999999999999", "1.5"]).prop_map(String::from),
    ];
    let time = prop_oneof![
        (0i64..4_102_444_800).prop_map(|s| jiff::Timestamp::from_second(s).expect("in range").to_string()),
        (0i64..4_102_444_800).prop_map(|s| {
            let time = jiff::Timestamp::from_second(s).expect("in range");
            time.strftime("%a %b %d %H:%M:%S +0000 %Y").to_string()
        }),
        Just("no time".to_owned()),
    ]
    .prop_map(|time| format!("\"{time}\""));
    let decoy = wire_json()
        .prop_filter("readable", |json| is_readable(json))
        .prop_map(|json| format!("{{\"id\":\"1\",\"deep\":[{json}],\"created_at\":{json}}}"));
    let member = prop_oneof![
        2 => (prop::sample::select(vec!["id", "id_str"]), id),
        1 => (Just("created_at"), time),
        1 => (Just("timestamp_ms"), (0i64..4_102_444_800_000).prop_map(|ms| format!("\"{ms}\""))),
        2 => (prop::sample::select(vec!["user", "entities", "includes", "retweeted_status"]), decoy),
        1 => (Just("lang"), wire_text().prop_filter("readable", |json| is_readable(json))),
    ];
    prop::collection::vec(member.prop_map(|(name, value)| (name.to_owned(), value)), 0..8)
}

/// Whether `serde_json` can build a value: it refuses lone surrogates.
fn is_readable(json: &str) -> bool {
    serde_json::from_str::<Value>(json).is_ok()
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

proptest! {
    #![proptest_config(super::cases(1000))]

    #[test]
    fn every_json_is_accepted(line in wire_json()) {
        prop_assert!(is_json(line.as_bytes()), "the generator made no JSON: {line}");
        prop_assert!(is_json_here(line.as_bytes()), "{line}: {:?}", scan(line.as_bytes()));
    }

    #[test]
    fn a_broken_line_is_accepted_exactly_if_it_still_is_json(
        line in wire_json(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0u8..4, any::<u8>(), any::<prop::sample::Index>()), 1..4),
    ) {
        let mut bytes = line.into_bytes();
        for (at, edit, byte, other) in edits {
            if bytes.is_empty() { break }
            let at = at.index(bytes.len());
            let syntax = b"{}[]\",:\\/0-+.eEtfnu \t\0\x1f\x7f\xc3\xa4";
            match edit {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                2 => { bytes.remove(at); }
                _ => bytes.insert(at, syntax[other.index(syntax.len())]),
            }
        }
        prop_assert_eq!(is_json_here(&bytes), is_json(&bytes), "{:?}: {:?}", String::from_utf8_lossy(&bytes), scan(&bytes));
    }

    #[test]
    fn any_bytes_are_told_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(is_json_here(&bytes), is_json(&bytes));
    }

    #[test]
    fn id_and_time_are_those_that_serde_json_finds(
        own in tweet_members(), beside in tweet_members(), v2 in any::<bool>(), at in any::<prop::sample::Index>(),
    ) {
        let mut own = own;
        own.insert(at.index(own.len() + 1), ("text".into(), "\"a\"".into()));
        let line = if v2 {
            let mut beside = beside;
            beside.insert(at.index(beside.len() + 1), ("data".into(), object(&own)));
            object(&beside)
        } else {
            object(&own)
        };
        prop_assert_eq!(scan(line.as_bytes()), by_serde_json(line.as_bytes()), "{}", line);
    }
}
