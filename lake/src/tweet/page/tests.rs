//! Handwritten pages, and pages compared with a simple selection of includes by `serde_json`.

use serde_json::{Value, json};

use super::*;
use crate::tweet::{Api, LineKind, scan};

fn lines(page: &str) -> Vec<String> {
    let page = Page::read(page.as_bytes().to_vec()).expect("a page");
    let line = |tweet| {
        let mut line = Vec::new();
        page.write_line(tweet, &mut line);
        String::from_utf8(line).expect("UTF-8")
    };
    (0..page.len()).map(line).collect()
}

#[test]
fn each_tweet_of_a_page_becomes_a_line_with_just_its_own_includes() {
    let page = r#"{"data":[
{"id":"11","text":"a \u00e9","author_id":"1","in_reply_to_user_id":"2","entities":{"mentions":[{"username":"THIRD","start":0}]},"referenced_tweets":[{"type":"replied_to","id":"90"}],"attachments":{"media_keys":["3_1"],"poll_ids":["70"]},"geo":{"place_id":"p1"}},
{"id": "12", "text":"b","author_id":2}],
"includes":{"users":[{"id":"1","username":"first"},{"id":"2","username":"second"},{"username":"third","id":"3"},{"id":"4","username":"fourth"},{"id":"5","username":"fifth"}],
"tweets":[{"id":"90","text":"c","author_id":"4","attachments":{"media_keys":["3_9"]},"in_reply_to_user_id":"5"},{"id":"91","text":"d"}],
"media":[{"media_key":"3_1"},{"media_key":"3_2"},{"media_key":"3_9"}],"places":[{"id":"p1"},{"id":"p2"}],"polls":[{"id":"70"}],"topics":[{"id":"x"}]},
"meta":{"result_count":2,"next_token":"t"},"errors":[{"value":"7"}],"__twarc":{"version":"2"}}"#;
    assert_eq!(
        lines(page),
        [
            concat!(
                r#"{"data":{"id":"11","text":"a \u00e9","author_id":"1","in_reply_to_user_id":"2","entities":{"mentions":[{"username":"THIRD","start":0}]},"referenced_tweets":[{"type":"replied_to","id":"90"}],"attachments":{"media_keys":["3_1"],"poll_ids":["70"]},"geo":{"place_id":"p1"}},"#,
                r#""includes":{"users":[{"id":"1","username":"first"},{"id":"2","username":"second"},{"username":"third","id":"3"},{"id":"4","username":"fourth"}],"#,
                r#""tweets":[{"id":"90","text":"c","author_id":"4","attachments":{"media_keys":["3_9"]},"in_reply_to_user_id":"5"}],"#,
                r#""media":[{"media_key":"3_1"},{"media_key":"3_9"}],"places":[{"id":"p1"}],"polls":[{"id":"70"}]}}"#,
            ),
            r#"{"data":{"id": "12", "text":"b","author_id":2},"includes":{"users":[{"id":"2","username":"second"}]}}"#,
        ]
    );
    for line in lines(page) {
        assert!(matches!(scan(line.as_bytes()), LineKind::Tweet(head) if head.api == Api::V2), "{line}");
    }
}

#[test]
fn a_tweet_without_includes_and_an_empty_page_are_fine() {
    assert_eq!(lines(r#"{"data":[{"id":"1","text":"a"}],"meta":{}}"#), [r#"{"data":{"id":"1","text":"a"}}"#]);
    assert_eq!(lines(r#"{"data":[],"meta":{"result_count":0}}"#), [""; 0]);
    assert_eq!(lines(r#"{"meta":{"next_token":"t","result_count":0},"__twarc":{}}"#), [""; 0]);
    assert_eq!(
        lines(r#"{"includes":{"users":[{"id":"7"},{"id":"8"}]},"data":{"id":"1","author_id":"8"}}"#),
        [r#"{"data":{"id":"1","author_id":"8"},"includes":{"users":[{"id":"8"}]}}"#]
    );
}

#[test]
fn the_statuses_of_a_search_of_v1_are_lines_as_they_are() {
    let page = r#"{"statuses":[{"id":1,"text":"a"} , {"id":2,"text":"b"}],"search_metadata":{"count":2}}"#;
    assert_eq!(lines(page), [r#"{"id":1,"text":"a"}"#, r#"{"id":2,"text":"b"}"#]);
}

#[test]
fn what_is_no_page_is_none() {
    for value in [
        r#"[1]"#,
        r#"{"data":7}"#,
        r#"{"meta":{}}"#,
        r#"{"id":1,"text":"a"}"#,
        r#"{"data":[{]}"#,
        "",
        "{\"data\":[\"\u{1}\"]}",
    ] {
        assert!(Page::read(value.as_bytes().to_vec()).is_err(), "{value}");
    }
}

#[test]
fn what_is_no_tweet_in_a_page_keeps_its_bytes() {
    assert_eq!(lines(r#"{"data":[7,"x",null,[1]]}"#), ["7", "\"x\"", "null", "[1]"]);
}

/// A page of so many tweets that refer to each other's authors, posts and media in a fixed way.
fn page_of(tweets: usize) -> Value {
    let tweet = |n: usize| {
        json!({"id": n.to_string(), "text": "x", "author_id": (n % 7).to_string(),
            "referenced_tweets": [{"type": "quoted", "id": (1000 + n % 5).to_string()}],
            "attachments": {"media_keys": [format!("3_{}", n % 3)]}})
    };
    let post = |n: usize| json!({"id": (1000 + n).to_string(), "text": "y", "author_id": (20 + n).to_string()});
    json!({
        "data": (0..tweets).map(tweet).collect::<Vec<_>>(),
        "includes": {
            "users": (0..30).map(|n| json!({"id": n.to_string(), "username": format!("u{n}")})).collect::<Vec<_>>(),
            "tweets": (0..5).map(post).collect::<Vec<_>>(),
            "media": (0..4).map(|n| json!({"media_key": format!("3_{n}")})).collect::<Vec<_>>(),
        },
    })
}

#[test]
fn a_line_of_a_page_holds_what_a_plain_reading_finds() {
    let page = page_of(40);
    let found = lines(&page.to_string());
    assert_eq!(found.len(), 40);
    for (n, line) in found.iter().enumerate() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let ids = |list: &str, key: &str| -> Vec<String> {
            let objects = line["includes"][list].as_array().expect("a list");
            objects.iter().map(|object| object[key].as_str().expect("a text").to_owned()).collect()
        };
        assert_eq!(line["data"], page["data"][n]);
        assert_eq!(ids("users", "id"), [(n % 7).to_string(), (20 + n % 5).to_string()]);
        assert_eq!(ids("tweets", "id"), [(1000 + n % 5).to_string()]);
        assert_eq!(ids("media", "media_key"), [format!("3_{}", n % 3)]);
    }
}
