//! Compares the decoder with the simple one of [`dom`]: samples, random and broken lines.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::lines::{alike, broken, tweet_line};
use super::*;
use crate::tweet::tests::samples;
use crate::tweet::{LineKind, scan};

static WITH_REFERENCED: LazyLock<Projection> = LazyLock::new(|| {
    Projection::new(&TableOptions { referenced: true, raw: false, columns: None }).expect("the whole table")
});

/// Compares both decoders on one line; gives the number of its rows.
fn compare(line: &[u8]) -> Result<usize, TestCaseError> {
    let mut decoder = Decoder::new(&WITH_REFERENCED);
    let pushed = decoder.push(line, &Origin::default());
    let rows = rows_json(&decoder.finish());
    let shown = String::from_utf8_lossy(line);
    let scanned = scan(line);
    if !matches!(scanned, LineKind::Tweet(_)) {
        let same = match (scanned, &pushed) {
            (LineKind::Blank, Pushed::Blank) | (LineKind::Control(_), Pushed::Control) => true,
            (LineKind::Message(expected), Pushed::Message(message)) => expected == *message,
            (LineKind::Reject(expected), Pushed::Reject(RejectReason::Line(reason))) => expected == *reason,
            _ => false,
        };
        prop_assert!(same && rows.is_empty(), "{pushed:?} of {shown}");
        return Ok(0);
    }
    let Some((api, document)) = dom::document(line) else { return Ok(0) };
    match dom::rows(api, &document) {
        Ok(expected) => {
            prop_assert_eq!(&pushed, &Pushed::Tweet { rows: expected.len() as u32 }, "{}", shown);
            for (row, expected) in rows.iter().zip(&expected) {
                for (name, value) in expected.as_object().expect("a row") {
                    prop_assert!(same(&row[name], value), "column {name} is {}, not {value}, of {shown}", row[name]);
                }
                prop_assert_eq!(row.as_object().map(|row| row.len()), expected.as_object().map(|row| row.len()));
            }
        }
        Err(_) => {
            let is_reject =
                matches!(pushed, Pushed::Reject(RejectReason::WrongType { .. } | RejectReason::IdTooLarge { .. }));
            prop_assert!(is_reject, "{pushed:?} of {shown}");
            prop_assert!(rows.is_empty());
        }
    }
    Ok(rows.len())
}

/// Whether two values are equal; `serde_json` may be off by the last bit of a float.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, value)| same(value, b.get(name).unwrap_or(&Value::Null)))
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            (a - b).abs() <= a.abs() * 1e-15
        }
        _ => a == b,
    }
}

#[test]
fn real_v1_tweets_read_as_by_hand() {
    let statuses = samples::v1_statuses();
    let mut rows = 0;
    for status in &statuses {
        rows += compare(status.to_string().as_bytes()).expect("the same rows");
        let pretty = serde_json::to_string_pretty(status).expect("JSON");
        assert!(compare(pretty.as_bytes()).expect("the same rows") > 0);
    }
    let referenced = |name: &str| statuses.iter().filter(|status| !status[name].is_null()).count();
    assert_eq!(rows, statuses.len() + referenced("retweeted_status") + referenced("quoted_status"));
    for line in samples::V1.lines() {
        assert!(compare(line.as_bytes()).expect("the same rows") > 0, "{line}");
    }
}

#[test]
fn real_v2_tweets_read_as_by_hand() {
    let mut tweets = 0;
    // Some of the pages are damaged on purpose.
    for page in samples::v2_pages().iter().filter_map(|page| serde_json::from_str::<Value>(page).ok()) {
        for (index, tweet) in samples::tweets_of(&page).into_iter().enumerate() {
            tweets += 1;
            // A whole page's includes belong to each of its tweets; all of them each time would take minutes.
            let mut includes = page["includes"].clone();
            for list in includes.as_object_mut().into_iter().flat_map(|includes| includes.values_mut()) {
                let list = list.as_array_mut().expect("includes are lists");
                list.drain(..index.min(list.len()));
                list.truncate(if index == 0 { 200 } else { 20 });
            }
            for line in [
                json!({"data": tweet, "includes": includes, "matching_rules": [{"id": 7, "tag": null}]}),
                json!({"aaa": [], "includes": includes, "zzz": tweet}),
            ] {
                // `serde_json` sorts members: `zzz` puts the post behind its includes.
                let line = line.to_string().replace("\"zzz\":", "\"data\":");
                assert!(compare(line.as_bytes()).expect("the same rows") > 0, "{line}");
            }
        }
    }
    assert!(tweets >= 12, "only {tweets} tweets");
    for line in samples::V2.lines() {
        assert!(compare(line.as_bytes()).expect("the same rows") > 0, "{line}");
    }
}

#[test]
fn lines_that_are_no_tweets_give_no_rows() {
    for line in samples::OTHER.split_terminator('\n') {
        assert_eq!(compare(line.as_bytes()).expect("the same kind"), 0, "{line}");
    }
}

#[test]
fn what_resembles_a_line_before_is_a_tweet_only_where_it_would_be_one_alone() {
    let lines = [
        r#"{"geo":null,"id":1,"text":"a","user":{"id":7,"url":null,"verified":true,"name":"x"},"place":null,"lang":"en"}"#,
        r#"{"geo":null,"id":2,"text":"b","user":{"id":8,"url":null,"odd":[{"a":[]}],"name":"y"},"place":{},"lang":null}"#,
        r#"{ "geo" : null , "id" : 3 , "text" : "c" , "user" : { } , "favorited" : false }"#,
        r##"{"data":{"id":"4","lang":null,"text":"#d","entities":{"hashtags":[{"start":0,"tag":"d"}]},"x":null,"y":[[]]}}"##,
    ];
    let projection = Projection::new(&options(FEW)).expect("columns of the table");
    let read =
        |decoder: &mut Decoder, line: &[u8]| (decoder.push(line, &Origin::default()), rows_json(&decoder.finish()));
    let mut decoder = Decoder::new(&projection);
    let mut check = |line: &str| {
        let expected = read(&mut Decoder::new(&projection), line.as_bytes());
        assert_eq!(read(&mut decoder, line.as_bytes()), expected, "{line}");
    };
    for line in lines {
        for at in 1..line.len() {
            for piece in [
                "",
                "{",
                "}",
                "[",
                "]",
                ",",
                ":",
                "\"",
                "7",
                "null",
                " ",
                "[]",
                "{\"id\":",
                "\"id\":null,",
                ",\"id\":9",
            ] {
                check(&format!("{}{piece}{}", &line[..at], &line[at..]));
                check(&format!("{}{piece}{}", &line[..at], &line[at + 1..]));
            }
            lines.iter().for_each(|line| check(line));
        }
    }
}

proptest! {
    #![proptest_config(crate::tweet::tests::cases(300))]

    #[test]
    fn random_tweets_read_as_by_hand(line in tweet_line()) {
        compare(line.as_bytes())?;
    }

    #[test]
    fn broken_lines_read_as_by_hand(line in broken()) {
        compare(&line)?;
    }

    #[test]
    fn a_refused_line_leaves_no_trace(lines in prop::collection::vec(tweet_line(), 1..8)) {
        let (mut decoder, mut expected) = (Decoder::new(&WITH_REFERENCED), Vec::new());
        for line in &lines {
            decoder.push(line.as_bytes(), &Origin::default());
            let mut alone = Decoder::new(&WITH_REFERENCED);
            alone.push(line.as_bytes(), &Origin::default());
            expected.extend(rows_json(&alone.finish()));
        }
        prop_assert_eq!(decoder.rows(), expected.len());
        prop_assert_eq!(rows_json(&decoder.finish()), expected);
        prop_assert_eq!(decoder.rows(), 0);
    }

    #[test]
    fn lines_taken_together_become_what_each_becomes_alone(
        lines in prop::collection::vec(prop_oneof![6 => tweet_line().prop_map(String::into_bytes), 1 => broken()], 0..8),
        before in prop::option::of(tweet_line()),
    ) {
        let (mut decoder, mut expected) = (Decoder::new(&WITH_REFERENCED), Decoder::new(&WITH_REFERENCED));
        for decoder in [&mut decoder, &mut expected] {
            before.iter().for_each(|line| drop(decoder.push(line.as_bytes(), &Origin::default())));
        }
        let rows = decoder.rows();
        let together: Vec<_> = lines.iter().map(|line| (line.as_slice(), Origin::default())).collect();
        let mut pushed = vec![Pushed::Blank];
        let taken = decoder.push_together(&together, &mut pushed);
        let alone: Vec<Pushed> = lines.iter().map(|line| expected.push(line, &Origin::default())).collect();
        let refused = |pushed: &Pushed| matches!(pushed, Pushed::Reject(reason) if !matches!(reason, RejectReason::Line(_)));
        let no_id = Pushed::Reject(RejectReason::Line(crate::tweet::RejectReason::NoId));
        if taken {
            prop_assert_eq!(pushed, alone);
            prop_assert_eq!(rows_json(&decoder.finish()), rows_json(&expected.finish()));
        } else {
            prop_assert!(alone.iter().any(|pushed| refused(pushed) || *pushed == no_id), "nothing was refused: {alone:?}");
            prop_assert_eq!(decoder.rows(), rows);
        }
    }

    #[test]
    fn lines_that_came_before_change_nothing(lines in alike(), few: bool, raw: bool) {
        let columns = few.then(|| FEW.iter().map(|&name| name.to_owned()).collect());
        let options = TableOptions { columns, referenced: !few, raw };
        let mut decoder = Decoder::new(&Projection::new(&options).expect("columns of the table"));
        for line in lines.iter().chain(&lines) {
            let pushed = decoder.push(line, &Origin::default());
            let rows = rows_json(&decoder.finish());
            prop_assert_eq!((pushed, rows), decode(&options, line), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_projection_has_what_the_whole_table_has(line in tweet_line(), picked in prop::collection::vec(any::<prop::sample::Index>(), 1..6)) {
        let schema = schema();
        let names: Vec<&str> = picked.iter().map(|index| schema.field(index.index(schema.fields().len())).name().as_str()).collect();
        let (pushed, whole) = decode(&TableOptions::default(), line.as_bytes());
        if matches!(pushed, Pushed::Tweet { .. }) {
            let (_, rows) = decode(&options(&names), line.as_bytes());
            for (name, value) in rows[0].as_object().expect("a row") {
                prop_assert_eq!(value, &whole[0][name]);
            }
        }
    }
}
