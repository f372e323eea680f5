//! Lines to feed in, and an oracle that says by a full parse what each of them is: so that what the program finds without
//! one is held against something else.

use std::collections::{BTreeMap, HashSet};

use cauce_lake::Hour;
use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use serde_json::{Value, json};

use crate::lake::RUNTIME;
use crate::program::{Place, Program};

/// Where a snowflake's clock begins.
const SNOWFLAKE_EPOCH_MS: i64 = 1_288_834_974_657;
/// 2025-11-20T05:00:00Z.
pub(crate) const BEGIN_MS: i64 = 1_763_614_800_000;

/// The id of a tweet of this time.
pub(crate) fn snowflake(at_ms: i64, sequence: u64) -> u64 {
    ((at_ms - SNOWFLAKE_EPOCH_MS).cast_unsigned() << 22) | (sequence & 0xfff)
}

fn time(at_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(at_ms).expect("a time of the tests")
}

/// A tweet as v1.1 sends it, with a user's id and time in front of its own.
pub(crate) fn v1(at_ms: i64, id: u64, text: &str) -> String {
    let wire = |at_ms| time(at_ms).strftime("%a %b %d %H:%M:%S +0000 %Y").to_string();
    let user = json!({"id": 17, "id_str": "17", "created_at": wire(at_ms - 999_999_999), "name": "é日本 😀"});
    let quoted =
        json!({"created_at": wire(at_ms - 90_000_000), "id": id - 1, "id_str": (id - 1).to_string(), "text": "x"});
    let (user, quoted, text) = (user.to_string(), quoted.to_string(), json!(text));
    format!(
        "{{\"user\":{user},\"quoted_status\":{quoted},\"created_at\":\"{}\",\"id\":{id},\"id_str\":\"{id}\",\"text\":{text},\"timestamp_ms\":\"{at_ms}\"}}",
        wire(at_ms)
    )
}

/// A tweet as v2 sends it, with other objects' ids in front of its own.
pub(crate) fn v2(at_ms: i64, id: u64, text: &str) -> String {
    let other = json!({"id": (id - 5).to_string(), "created_at": time(at_ms - 7_200_000).to_string(), "text": "\"data\":{\"id\":\"1\"}"});
    let includes = json!({"users": [{"id": "17", "username": "é"}], "tweets": [other]});
    let data = json!({"edit_history_tweet_ids": ["3"], "author_id": "17", "text": text, "id": id.to_string(),
        "created_at": time(at_ms).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()});
    format!("{{\"includes\":{includes},\"matching_rules\":[{{\"id\":\"9\"}}],\"data\":{data}}}")
}

/// Mixed tweets over some hours from [`BEGIN_MS`] on, not in order; one in fifty is there again later with other bytes.
pub(crate) fn mixed(count: u64, hours: u64) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for n in 0..count {
        let at_ms = BEGIN_MS + ((n * 7_919) % (hours * 3_600_000)).cast_signed();
        let id = snowflake(at_ms, n);
        let text = format!("tweet {n} {}", "ñ😀 ".repeat((n % 40) as usize));
        lines.push(if n % 3 == 0 { v1(at_ms, id, &text) } else { v2(at_ms, id, &text) }.into_bytes());
        if n % 50 == 49 {
            lines.push(v2(at_ms, id, "again").into_bytes());
        }
    }
    lines
}

pub(crate) fn joined(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| line.iter().copied().chain(*b"\n")).collect()
}

/// What is to be stored of lines that are read in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Tweets by hour, sorted.
    pub(crate) hours: BTreeMap<String, Vec<Vec<u8>>>,
    /// Tweets whose id was there before.
    pub(crate) repeats: u64,
    /// Lines about tweets.
    pub(crate) messages: u64,
}

/// The oracle.
pub(crate) fn expected(lines: &[Vec<u8>]) -> Expected {
    let mut expected = Expected::default();
    let mut ids = HashSet::new();
    for line in lines {
        let parsed: Value = serde_json::from_slice(line).expect("the tests' lines are JSON");
        let Some((id, at_ms)) = tweet(&parsed) else {
            assert!(parsed.get("delete").is_some(), "{parsed}");
            expected.messages += 1;
            continue;
        };
        if ids.insert(id) {
            expected.hours.entry(Hour::containing(at_ms).to_string()).or_default().push(line.clone());
        } else {
            expected.repeats += 1;
        }
    }
    expected.hours.values_mut().for_each(|lines| lines.sort());
    expected
}

fn tweet(parsed: &Value) -> Option<(u64, i64)> {
    let tweet = parsed.get("data").unwrap_or(parsed);
    let id: u64 = tweet.get("id_str").or(tweet.get("id"))?.as_str()?.parse().ok()?;
    let text = |name: &str| tweet.get(name).and_then(Value::as_str);
    let at_ms = match (text("timestamp_ms"), text("created_at")) {
        (Some(millis), _) => millis.parse().expect("milliseconds"),
        (None, Some(at)) if at.ends_with('Z') => at.parse::<Timestamp>().expect("a time").as_millisecond(),
        (None, Some(at)) => {
            let parsed = BrokenDownTime::parse("%a %b %d %H:%M:%S %z %Y", at).expect("a time of v1.1");
            parsed.to_timestamp().expect("a time").as_millisecond()
        }
        (None, None) => (id >> 22).cast_signed() + SNOWFLAKE_EPOCH_MS,
    };
    Some((id, at_ms))
}

/// Tweets as the simulator sends them, v2 and v1.1 by turns: the same ones in both forms, and deletes.
pub(crate) fn simulated() -> Vec<Vec<u8>> {
    let place = Place::new();
    let options =
        "--listen 127.0.0.1:0 --require-auth false --rate 400 --count 800 --speedup 1800 --start 2025-11-21T05:00:00Z";
    let program: Program = place.start(&format!("simulate {options}"));
    let line = program.line("listening on ");
    let url = line.rsplit(' ').next().expect("the line holds the address");
    let fields = "tweet.fields=created_at,author_id,entities&expansions=author_id,referenced_tweets.id";
    let pages = [format!("{url}/2/tweets/sample/stream?{fields}"), format!("{url}/1.1/statuses/sample.json")];
    let [v2, v1] = RUNTIME.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let read = async |page: &String| {
            let answer = client.get(page).send().await.expect("the simulator answers");
            assert_eq!(answer.status(), 200, "{page}");
            answer.bytes().await.expect("the stream comes to its end").to_vec()
        };
        let (v2, v1) = tokio::join!(read(&pages[0]), read(&pages[1]));
        [v2, v1]
    });
    let split = |bytes: Vec<u8>| -> Vec<Vec<u8>> {
        let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec());
        lines.filter(|line| !line.is_empty()).collect()
    };
    let (v2, v1) = (split(v2), split(v1));
    assert!(v2.len() > 700 && v1.len() > 700, "{} {}", v2.len(), v1.len());
    let mut lines = Vec::new();
    let mut v1 = v1.into_iter();
    for line in v2 {
        lines.push(line);
        lines.extend(v1.next());
    }
    lines.extend(v1);
    lines
}
