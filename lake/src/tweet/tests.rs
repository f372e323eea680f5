//! Classification: handwritten lines in the wire formats that X documents, each for one case.
//!
//! Samples, random and broken lines are in [`against_serde_json`].

use serde_json::Value;

use super::*;

mod against_serde_json;
pub(crate) mod samples;

/// The number of cases of a property: `few` here, `FUZZ_CASES` with `make fuzz`.
pub(crate) fn cases(few: u32) -> proptest::test_runner::Config {
    let many = std::env::var("FUZZ_CASES").ok().and_then(|cases| cases.parse().ok());
    proptest::test_runner::Config::with_cases(many.unwrap_or(few))
}

const ID: u64 = 1_454_638_400_000_000_000;
/// The snowflake time of [`ID`].
const ID_MS: i64 = 1_635_647_795_091;

fn tweet(api: Api, id: u64, created_at_ms: impl Into<Option<i64>>) -> LineKind {
    LineKind::Tweet(TweetHead { id, created_at_ms: created_at_ms.into(), api })
}

fn is_reject(line: &str, reason: &RejectReason) {
    assert_eq!(scan(line.as_bytes()), LineKind::Reject(reason.clone()), "{line}");
}

#[test]
fn a_tweet_of_either_api_tells_its_own_id_and_time() {
    let v1 = |created_at_ms: i64| tweet(Api::V1, ID, created_at_ms);
    let v2 = |created_at_ms: i64| tweet(Api::V2, ID, created_at_ms);
    for (line, expected) in [
        (r#"{"id":1454638400000000000,"id_str":"1454638400000000000","text":"a"}"#, v1(ID_MS)),
        (r#"{"id":1454638400000000001,"id_str":"1454638400000000000","text":"a"}"#, v1(ID_MS)),
        (r#"{"id":1454638400000000000,"id_str":null,"full_text":"a"}"#, v1(ID_MS)),
        (r#" { "text" : "a" , "id" : 1454638400000000000 } "#, v1(ID_MS)),
        (r#"{"id":1454638400000000000,"text":"a","timestamp_ms":"1635638400123"}"#, v1(1_635_638_400_123)),
        (r#"{"id":1454638400000000000,"text":"a","timestamp_ms":1635638400123}"#, v1(1_635_638_400_123)),
        (
            r#"{"created_at":"Wed Oct 10 20:19:24 +0000 2018","id":1454638400000000000,"text":"a","timestamp_ms":"1539202764777"}"#,
            v1(1_539_202_764_777),
        ),
        (
            r#"{"created_at":"Wed Oct 10 20:19:24 +0000 2018","id":1454638400000000000,"text":"a"}"#,
            v1(1_539_202_764_000),
        ),
        (
            r#"{"id":1454638400000000000,"text":"a","user":{"id":1,"id_str":"1","created_at":"Wed Oct 10 20:19:24 +0000 2018"}}"#,
            v1(ID_MS),
        ),
        (r#"{"id":20,"text":"just setting up my twttr"}"#, tweet(Api::V1, 20, None)),
        (r#"{"id":1454638400000000000,"text":"a","created_at":"gestern","timestamp_ms":null}"#, v1(ID_MS)),
        (r#"{"id":1454638400000000000,"text":"a","truncated":true,"extended_tweet":{"full_text":"ab"}}"#, v1(ID_MS)),
        (r#"{"id":1454638400000000000,"text":"a","matching_rules":[{"id":7,"id_str":"7","tag":null}]}"#, v1(ID_MS)),
        (r#"{"data":{"id":"1454638400000000000","text":"a"}}"#, v2(ID_MS)),
        // Tweets of v2 on their own, as tools flatten pages.
        (r#"{"id":"1454638400000000000","text":"a","edit_history_tweet_ids":["1454638400000000000"]}"#, v2(ID_MS)),
        (
            r#"{"author_id":"7","created_at":"2018-10-10T20:19:24.000Z","id":"1454638400000000000","text":"a"}"#,
            v2(1_539_202_764_000),
        ),
        (r#"{"id":"1454638400000000000","text":"a","public_metrics":{"like_count":0},"author":{"id":"7"}}"#, v2(ID_MS)),
        (r#"{"id":1454638400000000000,"id_str":"1454638400000000000","text":"a","author_id":"7"}"#, v1(ID_MS)),
        (r#"{"id":1454638400000000000,"text":"a","author_id":null}"#, v1(ID_MS)),
        (r#"{"data":{"id":1454638400000000000,"text":"a"},"matching_rules":[{"id":1,"tag":null}]}"#, v2(ID_MS)),
        (
            r#"{"data":{"created_at":"2018-10-10T20:19:24.000Z","id":"1454638400000000000","text":"a"}}"#,
            v2(1_539_202_764_000),
        ),
        (
            r#"{"includes":{"users":[{"id":"1"}]},"data":{"entities":{"annotations":[{"id":"2"}]},"author_id":"3","id":"1454638400000000000"},"id":"4"}"#,
            v2(ID_MS),
        ),
        (
            r#"{"data":{"id":"1454638400000000000","text":"a"},"errors":[{"title":"Not Found Error","type":"https://api.x.com/2/problems/resource-not-found"}]}"#,
            v2(ID_MS),
        ),
        (r#"{"data":{"id":"1454638400000000000","text":"a","created_at":null,"geo":null},"includes":{}}"#, v2(ID_MS)),
        (
            r#"{"data":{"id":"1454638400000000000","edit_history_post_ids":[]},"includes":{"posts":[{"id":"9"}]}}"#,
            v2(ID_MS),
        ),
    ] {
        assert_eq!(scan(line.as_bytes()), expected, "{line}");
    }
}

#[test]
fn of_a_member_that_comes_twice_the_last_one_counts() {
    for (line, id) in [
        (r#"{"id":1,"text":"a","id":2}"#, 2),
        (r#"{"id":1,"text":"a","id":2,"id":null,"id_str":"3"}"#, 3),
        (r#"{"data":{"id":"1"},"data":{"id":"2"}}"#, 2),
        (r#"{"data":{"id":"1","id":"2","text":"a"}}"#, 2),
    ] {
        assert!(matches!(scan(line.as_bytes()), LineKind::Tweet(head) if head.id == id), "{line}");
    }
    is_reject(r#"{"data":{"id":"1"},"data":[]}"#, &RejectReason::UnknownObject);
}

#[test]
fn escapes_in_names_and_values_hide_nothing() {
    for line in [
        r#"{"\u0069d":1454638400000000000,"te\u0078t":"a"}"#,
        r#"{"id":1,"i\u0064_str":"14546384\u00300000000000","text":"a"}"#,
        r#"{"d\u0061ta":{"\u0069\u0064":"1454638400000000000"}}"#,
        r#"{"id":1454638400000000000,"text":"a","i\u0064x":5,"\ud83d\ude00\ud83d\ude00\ud83d\ude00\ud83d\ude00\ud83d\ude00\ud83d\ude00\ud83d\ude00\ud83d\ude00id":6,"\ud83d":7,"\\u0069d":8,"id\u0000":9}"#,
    ] {
        assert!(matches!(scan(line.as_bytes()), LineKind::Tweet(head) if head.id == ID), "{line}");
    }
    let line = r#"{"id":1454638400000000000,"text":"a","created_at":"Wed Oct 10 20:19:24 \u002b0000 2018"}"#;
    assert_eq!(scan(line.as_bytes()), tweet(Api::V1, ID, 1_539_202_764_000));
}

#[test]
fn messages_are_told_apart() {
    for (line, expected) in [
        (r#"{"delete":{"status":{"id":1234,"id_str":"1234","user_id":3,"user_id_str":"3"}}}"#, Message::Delete),
        (r#"{"delete":{"status":{"id":1234},"timestamp_ms":"1635638400123"}}"#, Message::Delete),
        (
            r#"{"scrub_geo":{"user_id":14090452,"user_id_str":"14090452","up_to_status_id":2,"up_to_status_id_str":"2"}}"#,
            Message::ScrubGeo,
        ),
        (
            r#"{"status_withheld":{"id":1234567890,"user_id":123456,"withheld_in_countries":["DE","AR"]}}"#,
            Message::StatusWithheld,
        ),
        (r#"{"user_withheld":{"id":123456,"withheld_in_countries":["DE","AR"]}}"#, Message::UserWithheld),
        (
            r#"{"info":{"message":"Replay Request Completed","sent":"2014-03-06T13:14:41+00:00","activity_count":2}}"#,
            Message::Info,
        ),
        (r#"{"error":{"message":"Forced Disconnect: Too many connections","sent":"S"}}"#, Message::Error),
    ] {
        assert_eq!(scan(line.as_bytes()), LineKind::Message(expected), "{line}");
    }
}

#[test]
fn a_message_tells_its_own_time_where_it_has_one() {
    use Message::{Delete, Info, Limit, Problem, UserWithheld};
    for (message, line, ms) in [
        (
            Delete,
            r#"{"delete":{"status":{"timestamp_ms":"7"},"timestamp_ms":"1635638400123"}}"#,
            Some(1_635_638_400_123),
        ),
        (UserWithheld, r#"{"user_withheld":{"timestamp_ms":1635638400123}}"#, Some(1_635_638_400_123)),
        (Limit, r#"{"limit":{"track":3,"timestamp_ms":"1635638400123"}}"#, Some(1_635_638_400_123)),
        (Info, r#"{"info":{"message":"S","sent":"2021-10-31T00:00:00.000Z"}}"#, Some(1_635_638_400_000)),
        (Problem, r#"{"errors":[{"title":"S"}],"timestamp_ms":1635638400123}"#, None),
        (Delete, r#"{"delete":{"status":{"id":1234}},"timestamp_ms":1635638400123}"#, None),
        (Delete, r#"{"delete":{"timestamp_ms":"soon"}}"#, None),
        (Delete, r#"{"user_withheld":{"timestamp_ms":1635638400123}}"#, None),
        (Delete, "[1]", None),
        (Delete, "", None),
    ] {
        assert_eq!(message_ms(message, line.as_bytes()), ms, "{line}");
    }
}

#[test]
fn words_of_the_stream_are_told_apart() {
    let problem = |problem: &str, what: Option<&str>, detail: &str| Control::Problem {
        problem: problem.into(),
        what: what.map(Into::into),
        detail: detail.into(),
    };
    let disconnected = "This stream has been disconnected upstream for operational reasons.";
    let limit = "This stream is currently at the maximum allowed connection limit.";
    for (line, expected) in [
        (r#"{"limit":{"track":1234,"timestamp_ms":"1635638400123"}}"#.to_owned(), Control::Limit { track: 1234 }),
        (r#"{"limit":{"track":"7"}}"#.to_owned(), Control::Limit { track: 7 }),
        (
            r#"{"warning":{"code":"FALLING_BEHIND","message":"Your connection is falling behind","percent_full":60}}"#
                .to_owned(),
            Control::Warning { code: "FALLING_BEHIND".into(), percent_full: Some(60) },
        ),
        (
            r#"{"disconnect":{"code":7,"stream_name":"s","reason":"admin logout \u2014 \ud83d\ude00\ud83d"}}"#
                .to_owned(),
            Control::Disconnect { code: 7, reason: "admin logout \u{2014} \u{1f600}\u{fffd}".into() },
        ),
        (
            format!(
                r#"{{"errors":[{{"title":"operational-disconnect","disconnect_type":"UpstreamOperationalDisconnect","detail":"{disconnected}","type":"https://api.x.com/2/problems/operational-disconnect"}}]}}"#
            ),
            problem("operational-disconnect", Some("UpstreamOperationalDisconnect"), disconnected),
        ),
        (
            format!(
                r#"{{"errors":[{{"title":"Not Found Error","type":"https://api.twitter.com/2/problems/resource-not-found"}},{{"disconnect_type":"ForceDisconnect","detail":"{disconnected}","type":"https://api.twitter.com/2/problems/operational-disconnect"}}],"data":null}}"#
            ),
            problem("operational-disconnect", Some("ForceDisconnect"), disconnected),
        ),
        (
            format!(
                r#"{{"title":"ConnectionException","detail":"{limit}","connection_issue":"TooManyConnections","type":"https://api.x.com/2/problems/streaming-connection"}}"#
            ),
            problem("streaming-connection", Some("TooManyConnections"), limit),
        ),
        (
            r#"{"title":"Unauthorized","type":"about:blank","status":401}"#.to_owned(),
            problem("about:blank", None, "Unauthorized"),
        ),
        (r#"{"errors":[{"code":99}]}"#.to_owned(), problem("", None, "")),
        (
            r#"{"type":"connection_metadata","datacenter":"atla","timestamp":1635638400123}"#.to_owned(),
            Control::ConnectionMetadata,
        ),
    ] {
        assert_eq!(scan(line.as_bytes()), LineKind::Control(expected), "{line}");
    }
}

#[test]
fn an_object_that_is_nothing_known_is_a_reject() {
    for line in [
        "{}",
        "5261",
        "[1,2]",
        "null",
        "\"text\"",
        r#"{"id":1}"#,
        r#"{"text":5,"id":1}"#,
        r#"{"data":[{"id":"1","text":"a"}],"includes":{},"meta":{}}"#,
        r#"{"data":{}}"#,
        r#"{"data":5}"#,
        r#"{"meta":{"result_count":0}}"#,
        r#"{"delete":5}"#,
        r#"{"limit":{}}"#,
        r#"{"warning":{}}"#,
        r#"{"errors":[]}"#,
        r#"{"errors":[1]}"#,
        r#"{"type":"something_new"}"#,
        r#"{"user":{"id":1,"text":"a"}}"#,
    ] {
        is_reject(line, &RejectReason::UnknownObject);
    }
}

#[test]
fn a_tweet_without_a_usable_id_is_a_reject() {
    for id in [
        "null",
        "\"\"",
        "-1",
        "1.0",
        "1e3",
        "\"1a\"",
        "\" 1\"",
        "true",
        "{}",
        "18446744073709551616",
        "\"99999999999999999999\"",
    ] {
        is_reject(&format!(r#"{{"id":{id},"text":"a"}}"#), &RejectReason::NoId);
        is_reject(&format!(r#"{{"data":{{"id":{id},"text":"a"}},"id":5}}"#), &RejectReason::NoId);
    }
    is_reject(r#"{"text":"a"}"#, &RejectReason::NoId);
    is_reject(r#"{"data":{"text":"a"}}"#, &RejectReason::NoId);
    assert_eq!(scan(br#"{"id":"18446744073709551615","text":"a"}"#), tweet(Api::V1, u64::MAX, None));
}

#[test]
fn a_line_of_white_space_is_a_heartbeat() {
    for line in ["", " ", "\r", " \t\r\n "] {
        assert_eq!(scan(line.as_bytes()), LineKind::Blank, "{line:?}");
    }
}

#[test]
fn what_is_not_json_says_where_it_stops_to_be() {
    for (line, offset, expected) in [
        ("Exceeded connection limit for user", 0, "a value"),
        ("\u{feff}{}", 0, "a value"),
        ("\0", 0, "a value"),
        ("{} {}", 3, "the end of the line"),
        ("{}\0", 2, "the end of the line"),
        (r#"{"id":1,"text":"a"#, 17, "a closing quote"),
        (r#"{"id":1,"text":"a\"#, 18, "one of \"\\/bfnrtu after a backslash"),
        (r#"{"id":1,"text":"\u12x4"}"#, 20, "four hexadecimal digits"),
        (r#"{"id":1,"text":"a\x"}"#, 18, "one of \"\\/bfnrtu after a backslash"),
        ("{\"id\":1,\"text\":\"a\0b\"}", 17, "an escape instead of a control character"),
        ("{\"id\":1,\"text\":\"abcdefghij\tb\"}", 26, "an escape instead of a control character"),
        (r#"{"id":1,"text":"a","#, 19, "a name in quotes"),
        (r#"{"id":1,"text":"a",}"#, 19, "a name in quotes"),
        (r#"{"id":1,"text":"a""#, 18, "',' or '}'"),
        (r#"{"id"1}"#, 5, "':'"),
        (r#"{"id":01}"#, 7, "',' or '}'"),
        (r#"{"id":-}"#, 7, "a digit"),
        (r#"{"id":1.}"#, 8, "a digit"),
        (r#"{"a":[1,]}"#, 8, "a value"),
        (r#"{"a":[1}"#, 7, "',' or ']'"),
        (r#"{"a":{"b":1]}"#, 11, "',' or '}'"),
        (r#"{"a":nul}"#, 5, "true, false or null"),
        (r#"{"a":NaN}"#, 5, "a value"),
    ] {
        is_reject(line, &RejectReason::InvalidJson { offset, expected });
    }
    assert_eq!(scan(b"{\"id\":1,\"text\":\"a\xff\"}"), LineKind::Reject(RejectReason::InvalidUtf8 { offset: 17 }));
    // A surrogate that was encoded as if it were a character, and a character cut at the line's end.
    assert_eq!(scan(b"\"\xed\xa0\xbd\""), LineKind::Reject(RejectReason::InvalidUtf8 { offset: 1 }));
    assert_eq!(scan(b"{\"text\":\"\xf0\x9f\x98"), LineKind::Reject(RejectReason::InvalidUtf8 { offset: 9 }));
}

#[test]
fn a_lone_surrogate_escape_is_stored_as_it_came() {
    assert_eq!(scan(br#"{"id":1454638400000000000,"text":"\ud83d"}"#), tweet(Api::V1, ID, ID_MS));
}

#[test]
fn nesting_is_accepted_as_deep_as_serde_json_reads_it() {
    for depth in [1, 2, 3, 126, 127, 128, 129, 5000] {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            for (before, inner, after) in [("", depth, ""), (r#"{"data":{"id":"5","x":"#, depth - 2, "}}")] {
                if inner < 1 {
                    continue;
                }
                let line = format!("{before}{}1{}{after}", open.repeat(inner as usize), close.repeat(inner as usize));
                let accepted = !matches!(scan(line.as_bytes()), LineKind::Reject(RejectReason::InvalidJson { .. }));
                assert_eq!(
                    accepted,
                    serde_json::from_str::<Value>(&line).is_ok(),
                    "{depth} levels of {open} in {before}"
                );
            }
        }
    }
}

#[test]
fn a_line_of_two_mebibytes_is_a_tweet_like_any_other() {
    let text = "lorem \\\"ipsum\\\" \u{1f600} ".repeat(100_000);
    let line = format!(r#"{{"text":"{text}","id_str":"1454638400000000000"}}"#);
    assert_eq!(scan(line.as_bytes()), tweet(Api::V1, ID, ID_MS));
}
