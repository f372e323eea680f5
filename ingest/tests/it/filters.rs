//! Accounts, areas, languages and the sample, the whole way: from the simulator by both APIs into stored hours. What is stored
//! is judged by its JSON alone.

use serde_json::Value;

use crate::http::metric;
use crate::lake::Lake;
use crate::program::{Place, until};
use crate::simulator::Simulator;
use crate::streams::{V1, V2, assert_beginnings};

/// Around Madrid, less than 25 miles a side.
const AREA: [f64; 4] = [-3.9, 40.3, -3.51, 40.65];
const ACCOUNT: u64 = 4242;

/// Runs until some hundreds of tweets are stored; their lines.
fn stored(source: &str, filters: &str) -> Vec<Value> {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 400 --speedup 1800 --start 2025-11-20T05:00:00Z");
    let place = Place::new();
    let url = &simulator.url;
    let lake = "[lake]\nurl = \"lake\"\npartition_by = \"created_at\"";
    place.write("cauce.toml", format!("[source]\n{source}\nbase_url = \"{url}\"\n{filters}\n{lake}\n"));
    let agent = place.start("run");
    let status = agent.status();
    let received = "cauce_records_received_total{kind=\"tweet\"}";
    until("tweets are received", || (metric(&status, received) >= 600.0).then_some(()));
    assert_eq!(agent.stop().code, Some(0));
    let lake = Lake::folder(&place.path("lake"));
    assert_beginnings(&lake, &simulator);
    let lines = lake.lines().iter().map(|line| serde_json::from_slice(line).expect("a tweet is JSON")).collect();
    let asked = place.done("check --connect").out;
    let rules = if filters.contains("sample") || source == V1 { 0 } else { 1 };
    if source == V2 {
        assert!(asked.contains(&format!("the app has {rules} rules")), "{asked}");
    }
    lines
}

fn is_within(point: &Value) -> bool {
    let at = |index: usize| point[index].as_f64().expect("degrees");
    (AREA[0]..=AREA[2]).contains(&at(0)) && (AREA[1]..=AREA[3]).contains(&at(1))
}

/// The ways in which a tweet of v1.1 was asked for.
fn v1_reasons(tweet: &Value) -> [bool; 3] {
    let by_account = [&tweet["user"]["id"], &tweet["in_reply_to_user_id"], &tweet["retweeted_status"]["user"]["id"]];
    let ring = &tweet["place"]["bounding_box"]["coordinates"][0];
    let overlaps = || {
        let edge = |corner: usize, axis: usize| ring[corner][axis].as_f64().expect("degrees");
        let corners = 0..ring.as_array().expect("a ring").len();
        let least = |axis: usize| corners.clone().map(|corner| edge(corner, axis)).fold(f64::MAX, f64::min);
        let most = |axis: usize| corners.clone().map(|corner| edge(corner, axis)).fold(f64::MIN, f64::max);
        least(0) <= AREA[2] && most(0) >= AREA[0] && least(1) <= AREA[3] && most(1) >= AREA[1]
    };
    let by_area = match &tweet["coordinates"]["coordinates"] {
        Value::Null => ring.is_array() && overlaps(),
        point => is_within(point),
    };
    [is_about_trump(tweet), by_account.iter().any(|id| id.as_u64() == Some(ACCOUNT)), by_area]
}

/// The ways in which a tweet of v2 was asked for.
fn v2_reasons(line: &Value) -> [bool; 3] {
    let (data, includes) = (&line["data"], &line["includes"]);
    let of = |name: &str| includes[name].as_array().cloned().unwrap_or_default();
    let nasa = of("users")
        .into_iter()
        .find(|user| user["username"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("nasa")));
    let followed =
        [ACCOUNT.to_string(), nasa.map_or(String::new(), |user| user["id"].as_str().expect("an id").to_owned())];
    let references = data["referenced_tweets"].as_array().cloned().unwrap_or_default();
    let retweeted =
        references.iter().find(|reference| reference["type"] == "retweeted").map(|reference| &reference["id"]);
    let original = of("tweets").into_iter().find(|tweet| Some(&tweet["id"]) == retweeted).unwrap_or_default();
    let by_account = [&data["author_id"], &data["in_reply_to_user_id"], &original["author_id"]];
    let place = of("places").into_iter().find(|place| place["id"] == data["geo"]["place_id"]).unwrap_or_default();
    let bbox = &place["geo"]["bbox"];
    let by_area = match &data["geo"]["coordinates"]["coordinates"] {
        Value::Null => {
            bbox.is_array()
                && is_within(bbox)
                && is_within(&Value::Array(bbox.as_array().expect("edges")[2..].to_vec()))
        }
        point => is_within(point),
    };
    let by_account = by_account.iter().any(|id| id.as_str().is_some_and(|id| followed.iter().any(|known| known == id)));
    [is_about_trump(line), by_account, by_area]
}

fn is_about_trump(line: &Value) -> bool {
    line.to_string().to_lowercase().contains("trump")
}

fn each_for_a_reason(lines: &[Value], reasons: fn(&Value) -> [bool; 3], language: fn(&Value) -> &Value) {
    assert!(lines.len() >= 500, "{} lines", lines.len());
    let mut seen = [0; 3];
    let mut languages = std::collections::BTreeSet::new();
    for line in lines {
        let reasons = reasons(line);
        assert!(reasons.contains(&true), "nobody asked for {line}");
        languages.insert(language(line).as_str().expect("a language").to_owned());
        (0..3).for_each(|reason| seen[reason] += u32::from(reasons[reason]));
    }
    assert_eq!(languages.into_iter().collect::<Vec<_>>(), ["en", "es"]);
    assert!(seen.iter().all(|count| *count >= 20), "by keyword, account and area: {seen:?}");
}

#[test]
fn v1_1_stores_what_keywords_accounts_and_areas_ask_for_in_the_languages_asked_for() {
    let filters = "keywords = [\"#Trump\"]\nfollow = [\"4242\"]\nlocations = [\"-3.9,40.3,-3.51,40.65\"]\nlanguages = [\"en\", \"es\"]";
    each_for_a_reason(&stored(V1, filters), v1_reasons, |tweet| &tweet["lang"]);
}

#[test]
fn v2_stores_what_keywords_accounts_and_areas_ask_for_in_the_languages_asked_for() {
    let filters = "keywords = [\"#Trump\"]\nfollow = [\"4242\", \"@nasa\"]\nlocations = [\"-3.9,40.3,-3.51,40.65\"]\nlanguages = [\"en\", \"es\"]";
    each_for_a_reason(&stored(V2, filters), v2_reasons, |line| &line["data"]["lang"]);
}

#[test]
fn the_sample_of_v2_is_stored_without_any_rule() {
    let lines = stored(V2, "sample = true");
    assert!(lines.len() >= 500 && lines.iter().all(|line| line["matching_rules"].is_null()));
    let languages: std::collections::BTreeSet<&str> =
        lines.iter().filter_map(|line| line["data"]["lang"].as_str()).collect();
    assert!(languages.len() >= 5, "{languages:?}");
}
