//! What every generated tweet must keep: its own ids, times and spans, in both wire forms.

use std::sync::Arc;

use serde_json::Value;

use super::Generator;
use crate::rules::expr::Expr;
use crate::rules::v1::Parameters;
use crate::rules::{v1 as v1_rules, v2 as v2_rules};
use crate::tweet::model::Tweet;
use crate::wire::fields::Fields;
use crate::wire::{v1, v2};

const START: i64 = 1_795_323_600_000;

fn rule(text: &str) -> Arc<Expr> {
    Arc::new(v2_rules::parse(text, 1024).expect("a valid rule"))
}

fn tweets(seed: u64, count: u64, rules: &[Arc<Expr>]) -> Vec<Arc<Tweet>> {
    let mut generator = Generator::new(seed);
    (0..count).map(|number| generator.tweet(number, START + number as i64 * 20, rules)).collect()
}

fn v1_line(tweet: &Tweet) -> Vec<u8> {
    let mut line = Vec::new();
    v1::write(&mut line, tweet);
    line
}

fn v2_line(tweet: &Tweet) -> Vec<u8> {
    let mut line = Vec::new();
    v2::write(&mut line, tweet, &Fields::all(), Some(&[("7", Some("tag")), ("8", None)]));
    line
}

fn parsed(line: &[u8]) -> Value {
    assert!(!line.contains(&b'\n') && !line.contains(&b'\r'), "a line end inside a line");
    serde_json::from_slice(line).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)))
}

fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn cut(text: &str, start: &Value, end: &Value, beyond: u64) -> String {
    let (start, end) = (start.as_u64().expect("start"), end.as_u64().expect("end") + beyond);
    let out: String = text.chars().skip(start as usize).take((end - start) as usize).collect();
    assert_eq!(out.chars().count() as u64, end - start, "a span beyond the text");
    out
}

/// Holds every span against the text; returns how many there were.
fn check_v2_spans(text: &str, entities: &Value) -> usize {
    let list = |key: &str| entities[key].as_array().cloned().unwrap_or_default();
    for (key, sign, member) in [("hashtags", "#", "tag"), ("cashtags", "$", "tag"), ("mentions", "@", "username")] {
        for item in list(key) {
            assert_eq!(cut(text, &item["start"], &item["end"], 0), format!("{sign}{}", text_of(&item, member)));
        }
    }
    for url in list("urls") {
        assert_eq!(cut(text, &url["start"], &url["end"], 0), text_of(&url, "url"));
    }
    for name in list("annotations") {
        assert_eq!(cut(text, &name["start"], &name["end"], 1), text_of(&name, "normalized_text"));
    }
    ["hashtags", "cashtags", "mentions", "urls", "annotations"].iter().map(|key| list(key).len()).sum()
}

fn check_v1_spans(text: &str, entities: &Value) -> usize {
    let mut count = 0;
    let kinds = [
        ("hashtags", "#", "text"),
        ("symbols", "$", "text"),
        ("user_mentions", "@", "screen_name"),
        ("urls", "", "url"),
        ("media", "", "url"),
    ];
    for (key, sign, member) in kinds {
        for item in entities[key].as_array().cloned().unwrap_or_default() {
            assert_eq!(
                cut(text, &item["indices"][0], &item["indices"][1], 0),
                format!("{sign}{}", text_of(&item, member))
            );
            count += 1;
        }
    }
    count
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let rules = [rule("@realdonaldtrump OR #trump"), Arc::new(Expr::All(Vec::new()))];
    let lines =
        |seed| tweets(seed, 300, &rules).iter().map(|tweet| (v1_line(tweet), v2_line(tweet))).collect::<Vec<_>>();
    assert_eq!(lines(7), lines(7));
    assert_ne!(lines(7), lines(8));
}

/// The checksum changes whenever generated tweets change, and with nothing else: neither machine nor toolchain.
#[test]
fn a_seed_gives_the_same_bytes_on_every_machine() {
    let mut checksum = flate2::Crc::new();
    for tweet in tweets(42, 2000, &[rule("@realdonaldtrump OR #trump"), rule("from:someone has:geo lang:es")]) {
        checksum.update(&v1_line(&tweet));
        checksum.update(&v2_line(&tweet));
    }
    assert_eq!(checksum.sum(), 1_023_883_671, "if the tweets were changed on purpose, this is the new checksum");
}

#[test]
fn every_span_covers_its_entity_in_both_forms() {
    let mut spans = 0;
    for tweet in tweets(1, 2000, &[]) {
        let new = parsed(&v2_line(&tweet));
        let data = &new["data"];
        let mut posts = vec![data];
        posts.extend(new["includes"]["tweets"].as_array().into_iter().flatten());
        for post in posts {
            spans += check_v2_spans(text_of(post, "text"), &post["entities"]);
            if let Some(note) = post.get("note_tweet") {
                spans += check_v2_spans(text_of(note, "text"), &note["entities"]);
            }
        }
        let old = parsed(&v1_line(&tweet));
        for status in
            [&old, &old["retweeted_status"], &old["quoted_status"]].into_iter().filter(|status| status.is_object())
        {
            spans += check_v1_spans(text_of(status, "text"), &status["entities"]);
            assert_eq!(status["truncated"] == true, status.get("extended_tweet").is_some());
            if let Some(whole) = status.get("extended_tweet") {
                assert!(text_of(status, "text").chars().count() <= 140);
                spans += check_v1_spans(text_of(whole, "full_text"), &whole["entities"]);
            }
        }
    }
    assert!(spans > 10_000, "{spans}");
}

#[test]
fn ids_hold_the_time_of_creation_and_are_unique() {
    let mut seen = std::collections::HashSet::new();
    for tweet in tweets(2, 3000, &[]) {
        assert!(seen.insert(tweet.id), "an id came twice");
        let old = parsed(&v1_line(&tweet));
        assert_eq!(old["id"].as_u64(), old["id_str"].as_str().and_then(|id| id.parse().ok()));
        let ms: i64 = text_of(&old, "timestamp_ms").parse().expect("milliseconds");
        assert_eq!((old["id"].as_u64().expect("an id") >> 22) as i64 + 1_288_834_974_657, ms);
        let new = parsed(&v2_line(&tweet));
        let created: jiff::Timestamp = text_of(&new["data"], "created_at").parse().expect("a time");
        assert_eq!(created.as_second(), ms / 1000);
        let created =
            jiff::fmt::strtime::parse("%a %b %d %H:%M:%S %z %Y", text_of(&old, "created_at")).expect("v1.1's form");
        assert_eq!(created.to_timestamp().expect("a time").as_second(), ms / 1000);
    }
}

#[test]
fn what_a_tweet_refers_to_is_older_than_itself() {
    let mut references = 0;
    for tweet in tweets(3, 2000, &[]) {
        for other in [&tweet.retweeted, &tweet.quoted, &tweet.replied].into_iter().flatten() {
            assert!(other.created_ms < tweet.created_ms && other.id < tweet.id);
            references += 1;
        }
    }
    assert!(references > 1000);
}

#[test]
fn both_forms_agree_on_the_tweet() {
    for tweet in tweets(4, 1500, &[]) {
        let (old, new) = (parsed(&v1_line(&tweet)), parsed(&v2_line(&tweet)));
        let data = &new["data"];
        assert_eq!(old["id_str"], data["id"]);
        assert_eq!(old["user"]["id_str"], data["author_id"]);
        assert_eq!(old["lang"], data["lang"]);
        assert_eq!(old["in_reply_to_user_id_str"].as_str(), data.get("in_reply_to_user_id").and_then(Value::as_str));
        let whole_old = old["extended_tweet"]["full_text"].as_str().unwrap_or_else(|| text_of(&old, "text"));
        let whole_new = data["note_tweet"]["text"].as_str().unwrap_or_else(|| text_of(data, "text"));
        assert_eq!(whole_old, whole_new);
        let kinds: Vec<&str> =
            data["referenced_tweets"].as_array().into_iter().flatten().map(|item| text_of(item, "type")).collect();
        assert_eq!(kinds.contains(&"retweeted"), old.get("retweeted_status").is_some());
        assert_eq!(kinds.contains(&"replied_to"), old["in_reply_to_status_id"].is_u64());
        assert_eq!(old["place"]["id"].as_str(), data["geo"]["place_id"].as_str());
        let author =
            new["includes"]["users"].as_array().into_iter().flatten().find(|user| user["id"] == data["author_id"]);
        assert_eq!(author.expect("the author is included")["username"], old["user"]["screen_name"]);
    }
}

#[test]
fn the_mix_of_tweets_is_lifelike() {
    let tweets = tweets(5, 4000, &[]);
    let share = |test: &dyn Fn(&Tweet) -> bool| tweets.iter().filter(|tweet| test(tweet)).count() as f64 / 4000.0;
    let near =
        |value: f64, low: f64, high: f64| assert!((low..high).contains(&value), "{value} is not within {low}..{high}");
    near(share(&|tweet| tweet.retweeted.is_some()), 0.30, 0.40);
    near(share(&|tweet| tweet.quoted.is_some()), 0.10, 0.20);
    near(share(&|tweet| tweet.replied.is_some()), 0.15, 0.25);
    near(share(&|tweet| tweet.retweeted.is_none() && !tweet.media.is_empty()), 0.09, 0.25);
    near(share(&|tweet| tweet.retweeted.is_none() && tweet.place.is_some()), 0.005, 0.03);
    near(share(&|tweet| tweet.head.is_some()), 0.01, 0.10);
    near(share(&|tweet| tweet.lang == "ja"), 0.08, 0.25);
    let first_is_other = |tweet: &Tweet| {
        let line = String::from_utf8(v2_line(tweet)).expect("UTF-8");
        let first = line.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next());
        first != Some(tweet.id.to_string().as_str())
    };
    near(share(&first_is_other), 0.80, 0.98);
    let mean =
        |line: &dyn Fn(&Tweet) -> Vec<u8>| tweets.iter().map(|tweet| line(tweet).len()).sum::<usize>() as f64 / 4000.0;
    near(mean(&v1_line), 3000.0, 6500.0);
    near(mean(&v2_line), 2000.0, 6000.0);
}

#[test]
fn v1_lines_are_ascii_and_v2_lines_are_not() {
    let tweets = tweets(6, 500, &[]);
    assert!(tweets.iter().all(|tweet| v1_line(tweet).is_ascii()));
    assert!(tweets.iter().any(|tweet| !v2_line(tweet).is_ascii()));
}

#[test]
fn without_fields_a_v2_line_holds_id_text_and_history_alone() {
    for tweet in tweets(7, 200, &[]) {
        let mut line = Vec::new();
        v2::write(&mut line, &tweet, &Fields::default(), Some(&[("7", None)]));
        let value = parsed(&line);
        let keys: Vec<&String> = value.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["data", "matching_rules"]);
        let mut keys: Vec<&String> = value["data"].as_object().expect("an object").keys().collect();
        keys.sort();
        assert_eq!(keys, ["edit_history_tweet_ids", "id", "text"]);
    }
}

#[test]
fn generated_tweets_match_the_rules() {
    let rules = [
        "@realdonaldtrump OR #trump",
        "\"heavy rain\" lang:de",
        "from:someone has:media",
        "to:someone",
        "retweets_of:someone",
        "(cat OR 猫 OR 🔥) -is:retweet has:links",
        "url:\"example.com/shop\"",
        "$BTC is:quote",
        "coffee place_country:jp",
        "sample:3 news",
    ];
    for text in rules {
        let rule = rule(text);
        let tweets = tweets(8, 400, std::slice::from_ref(&rule));
        let matching = tweets.iter().filter(|tweet| rule.matches_unsampled(tweet)).count();
        assert!(matching >= 390, "{text}: {matching} of 400");
    }
    for (track, follow, language) in
        [("@realdonaldtrump,#Trump", "", ""), ("example com", "", "es"), ("hello.", "", ""), ("", "12345", "")]
    {
        let parameters = Parameters { track, follow, language, ..Parameters::default() };
        let filter = Arc::new(v1_rules::parse(parameters).expect("valid parameters"));
        let tweets = tweets(9, 400, std::slice::from_ref(&filter));
        let matching = tweets.iter().filter(|tweet| filter.matches(tweet)).count();
        assert!(matching >= 390, "{track} {follow} {language}: {matching} of 400");
    }
}
