//! Awkward lines, for which other tools abort, or silently round or drop values.

use serde_json::json;

use super::*;
use crate::tweet;

fn pushed(columns: &[&str], line: &[u8]) -> Pushed {
    let (pushed, rows) = decode(&options(columns), line);
    assert_eq!(rows.len(), usize::from(matches!(pushed, Pushed::Tweet { .. })));
    pushed
}

fn reason(columns: &[&str], line: &str) -> String {
    match pushed(columns, line.as_bytes()) {
        Pushed::Reject(reason) => reason.to_string(),
        other => panic!("{other:?} of {line}"),
    }
}

#[test]
fn a_broken_line_is_a_reject_that_says_where() {
    let columns = &["tweet_id"];
    assert_eq!(reason(columns, r#"{"id":1,"text":"a""#), "not JSON at byte 18: expected ',' or '}'");
    assert_eq!(reason(columns, r#"{"id":1,"text":"a"#), "not JSON at byte 17: expected a closing quote");
    assert_eq!(reason(columns, "\u{feff}{\"id\":1,\"text\":\"a\"}"), "not JSON at byte 0: expected a value");
    assert_eq!(reason(columns, "[1,2]"), "neither a tweet nor a known message");
    assert_eq!(reason(columns, r#"{"text":"a"}"#), "a tweet whose id is missing or not a number below 2^64");
    let bytes = b"{\"id\":1,\"text\":\"\xff\"}";
    let invalid = RejectReason::Line(tweet::RejectReason::InvalidUtf8 { offset: 16 });
    assert_eq!(pushed(columns, bytes), Pushed::Reject(invalid));
}

#[test]
fn what_is_no_tweet_is_told_apart() {
    let columns = &["tweet_id"];
    for (line, expected) in [
        ("", Pushed::Blank),
        ("\r", Pushed::Blank),
        (r#"{"delete":{"status":{"id":1}}}"#, Pushed::Message(tweet::Message::Delete)),
        (r#"{"limit":{"track":7}}"#, Pushed::Control),
        (r#"{"errors":[{"title":"operational-disconnect","type":"x"}]}"#, Pushed::Control),
    ] {
        assert_eq!(pushed(columns, line.as_bytes()), expected, "{line}");
    }
}

#[test]
fn ids_are_exact_as_numbers_and_as_texts_up_to_2_63() {
    for id in ["9007199254740993", "\"9007199254740993\"", "\"\\u0039007199254740993\""] {
        let row = row(&["tweet_id", "author_id"], &format!(r#"{{"data":{{"id":{id},"author_id":{id}}}}}"#));
        assert_eq!(row, json!({"tweet_id": 9_007_199_254_740_993_i64, "author_id": 9_007_199_254_740_993_i64}));
    }
    let largest = row(&["tweet_id"], r#"{"id":9223372036854775807,"text":"a"}"#);
    assert_eq!(largest["tweet_id"], i64::MAX);
    let own = reason(&["lang"], r#"{"id":9223372036854775808,"text":"a"}"#);
    assert_eq!(own, r#"member "id" is an id of 2^63 or more"#);
    let other = r#"{"data":{"id":"1","author_id":"9223372036854775808"}}"#;
    assert_eq!(reason(&["author_id"], other), r#"member "data.author_id" is an id of 2^63 or more"#);
    // A column that is not selected rejects nothing.
    assert_eq!(pushed(&["lang"], other.as_bytes()), Pushed::Tweet { rows: 1 });
}

#[test]
fn a_value_of_a_wrong_type_names_its_member() {
    for (column, member, expected) in [
        ("metrics.likes", r#""favorite_count":1.5"#, r#"member "favorite_count" is not a 64-bit integer"#),
        ("metrics.likes", r#""favorite_count":1e3"#, r#"member "favorite_count" is not a 64-bit integer"#),
        ("lang", r#""lang":{}"#, r#"member "lang" is not a string"#),
        ("lang", r#""lang":7"#, r#"member "lang" is not a string"#),
        ("possibly_sensitive", r#""possibly_sensitive":"true""#, r#"member "possibly_sensitive" is not true or false"#),
        ("author.username", r#""user":"x""#, r#"member "user" is not an object"#),
        (
            "hashtags.tag",
            r#""entities":7"#,
            r#"member "entities.hashtags" is not where it belongs: what should contain it is not an object"#,
        ),
        ("hashtags.tag", r#""entities":{"hashtags":{}}"#, r#"member "entities.hashtags" is not an array"#),
        ("hashtags.tag", r#""entities":{"hashtags":["a"]}"#, r#"member "entities.hashtags" is not an object"#),
        ("hashtags.start", r#""entities":{"hashtags":[{"indices":7}]}"#, r#"member "indices" is not an array"#),
        (
            "lon",
            r#""coordinates":{"coordinates":["x",1]}"#,
            r#"member "coordinates.coordinates" is not a 64-bit number"#,
        ),
        (
            "edits_left",
            r#""edit_controls":{"edits_remaining":200}"#,
            r#"member "edit_controls.edits_remaining" is not an 8-bit integer"#,
        ),
        ("author.created_at", r#""user":{"created_at":"gestern"}"#, r#"member "user.created_at" is not a time"#),
        (
            "place.bbox",
            r#""place":{"id":"x","bounding_box":{"coordinates":[[1,2]]}}"#,
            r#"member "place.bounding_box.coordinates" is not a polygon of [longitude, latitude] points"#,
        ),
    ] {
        let line = format!(r#"{{"id":1,"text":"a",{member}}}"#);
        assert_eq!(reason(&[column], &line), expected, "{line}");
        assert_eq!(pushed(&["conversation_id"], line.as_bytes()), Pushed::Tweet { rows: 1 });
    }
}

#[test]
fn counts_may_be_texts() {
    let line = r#"{"data":{"id":"1","edit_controls":{"edits_remaining":"4"},"public_metrics":{"like_count":"12"}}}"#;
    assert_eq!(row(&["edits_left", "metrics.likes"], line), json!({"edits_left": 4, "metrics": {"likes": 12}}));
}

#[test]
fn empty_objects_are_null() {
    let v1 = row(&["place", "author", "metrics"], r#"{"id":1,"text":"a","place":{ },"user":{}}"#);
    assert_eq!(v1, json!({"place": null, "author": null, "metrics": null}));
    let line = r#"{"data":{"id":"1","geo":{"place_id":"x"},"public_metrics":{}},
        "includes":{"places":[{"id":"x","full_name":"X","geo":{"type":"Feature","bbox":[1,2,3,4],"properties":{}}}]}}"#;
    let v2 = row(&["place.full_name", "place.bbox", "metrics"], line);
    assert_eq!(v2, json!({"place": {"full_name": "X", "bbox": [1.0, 2.0, 3.0, 4.0]}, "metrics": null}));
}

#[test]
fn the_last_of_equal_names_counts() {
    let line = r#"{"id":1,"text":"a","user":{"id":7,"screen_name":"x"},"lang":"de","text":"b","user":{"id":8},"lang":null,
        "entities":{"hashtags":[{"text":"a"},{"text":"b"}]},"entities":{"hashtags":[{"text":"c"}]},"id":2}"#;
    assert_eq!(
        row(&["tweet_id", "text", "lang", "author_id", "author.username", "hashtags.tag"], line),
        json!({"tweet_id": 2, "text": "b", "lang": null, "author_id": 8, "author": {"username": null},
            "hashtags": [{"tag": "c"}]})
    );
    let wrong_first = r#"{"id":1,"text":"a","user":5,"user":{"screen_name":"x"},"user":{"screen_name":"y"}}"#;
    assert_eq!(row(&["author.username"], wrong_first)["author"]["username"], "y");
    let null_last = r#"{"id":1,"text":"a","user":{"screen_name":"x"},"user":null}"#;
    assert_eq!(row(&["author"], null_last)["author"], Value::Null);
}

#[test]
fn every_text_leaves_as_utf8() {
    let line = r#"{"id":1,"text":"a\ud83d b\ude00\ud83d\ud83d\ude00 \u0000\"\\\/\b\f\n\r\t\u00e9"}"#;
    assert_eq!(row(&["text"], line)["text"], "a\u{fffd} b\u{fffd}\u{fffd}😀 \0\"\\/\u{8}\u{c}\n\r\té");
}

#[test]
fn members_may_come_late_and_may_have_been_null_before() {
    let projection = Projection::new(&options(&["place.name", "lang"])).expect("columns");
    let mut decoder = Decoder::new(&projection);
    for id in 0..30_000 {
        let place = ["", r#","place":null"#][id % 2];
        let line = format!(r#"{{"id":{},"text":"a"{place}}}"#, id + 1);
        assert_eq!(decoder.push(line.as_bytes(), &Origin::default()), Pushed::Tweet { rows: 1 });
    }
    let late = br#"{"id":30001,"text":"a","place":{"name":"X"},"lang":"de"}"#;
    assert_eq!(decoder.push(late, &Origin::default()), Pushed::Tweet { rows: 1 });
    let rows = decoder.finish();
    assert_eq!(rows.ids, (1..=30_001).collect::<Vec<_>>());
    let rows = rows_json(&rows);
    assert_eq!(rows[29_999], json!({"lang": null, "place": null}));
    assert_eq!(rows[30_000], json!({"lang": "de", "place": {"name": "X"}}));
}
