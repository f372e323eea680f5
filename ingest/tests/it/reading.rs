//! The reading commands on what the program wrote: two years under names without a year, the same lake on every store, and
//! what a real Flume left.

use crate::corpus::{BEGIN_MS, joined, mixed, snowflake, v1, v2};
use crate::files;
use crate::lake::{Lake, fresh_bucket, go_s3, introduce, moto};
use crate::program::Place;

/// 365 days, so that month, day and hour are the same.
const YEAR_MS: i64 = 365 * 24 * 3_600_000;

#[test]
fn hours_of_one_name_in_two_years_are_told_apart() {
    let place = files::place("");
    let line = |at_ms: i64, n: u64, text: &str| v2(at_ms, snowflake(at_ms, n), text).into_bytes();
    let this: Vec<_> = (0..300).map(|n| line(BEGIN_MS, n, "this year")).collect();
    let last: Vec<_> = (0..200).map(|n| line(BEGIN_MS - YEAR_MS, n, "a year before")).collect();
    place.write("archive/a.json", joined(&[this.clone(), last.clone()].concat()));
    place.done("run");
    let lake = Lake::folder(&place.path("lake"));
    assert!(lake.objects().keys().all(|key| key.starts_with("11-20-05/")), "{:?}", lake.keys());
    assert_eq!(place.done("cat 2025-11-20T05").out.into_bytes(), joined(&this));
    assert_eq!(place.done("cat 2024-11-20T05").out.into_bytes(), joined(&last));
    let listed: serde_json::Value = serde_json::from_str(&place.done("hours --json").out).expect("JSON");
    let shown = |n: usize| (listed[n]["hour"].as_str(), listed[n]["closed"].as_bool(), listed[n]["tweets"].as_u64());
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    assert_eq!(shown(0), (Some("2024-11-20T05"), Some(true), Some(200)));
    assert_eq!(shown(1), (Some("2025-11-20T05"), Some(true), Some(300)));
    assert!(place.done("verify").out.contains("2 hours read, 0 with problems"));

    // A byte of the one year is no problem of the other.
    let (key, mut bytes) = lake.objects().into_iter().next().expect("an object");
    bytes[100] ^= 1;
    let stamp: i64 = key.split('.').nth(1).and_then(|stamp| stamp.parse().ok()).expect("a number");
    let (bad, good) = if stamp < BEGIN_MS { ("2024", "2025") } else { ("2025", "2024") };
    place.write(&format!("lake/{key}"), bytes);
    assert_eq!(place.ingest(&format!("verify {bad}-11-20T05")).code, Some(1));
    assert_eq!(place.ingest(&format!("verify {good}-11-20T05")).code, Some(0));
}

/// The time at the end differs from run to run.
fn timeless(verified: &str) -> String {
    verified.split(" in ").next().unwrap_or_default().to_owned()
}

#[test]
fn every_store_gives_the_same_answers() {
    let lines = mixed(5_000, 3);
    let mut answers: Vec<(String, Vec<String>)> = Vec::new();
    let mut ask = |name: &str, place: &Place| {
        place.write("archive/a.json", joined(&lines));
        place.done("run");
        let range = "2025-11-20T00..2025-11-21T00";
        let cat = place.done(&format!("cat {range}")).out;
        let verified = timeless(&place.done(&format!("verify {range}")).out);
        answers.push((name.to_owned(), vec![place.done("hours --json").out, place.done("hours").out, cat, verified]));
    };
    ask("folder", &files::place("compression = \"zstd\"\nroll_count = 500"));
    for (name, server) in [("moto", moto()), ("go", go_s3())] {
        let Some(server) = server else { continue };
        let mut place = files::place("compression = \"zstd\"\nroll_count = 500");
        introduce(&mut place, server);
        place.set("CAUCE_LAKE__URL", &format!("s3://{}/some/prefix", fresh_bucket(server)));
        ask(name, &place);
    }
    let (_, folder) = &answers[0];
    assert!(folder[3].contains("3 hours read, 0 with problems") && folder[2].lines().count() == 5_000, "{}", folder[3]);
    for (name, other) in &answers[1..] {
        for (ours, theirs) in folder.iter().zip(other) {
            assert!(ours == theirs, "{name} says\n{theirs}\nthe folder says\n{ours}");
        }
    }
}

#[test]
fn what_a_real_flume_left_is_listed_and_read_by_days() {
    let mut place = Place::new();
    let day_ms = BEGIN_MS + 12_345;
    let lines: Vec<_> = (0..20).map(|n| v1(day_ms, snowflake(day_ms, n), "flume").into_bytes()).collect();
    place.write(&format!("lake/11-20-/tweets.{day_ms}.json"), joined(&lines[..10]));
    place.write(&format!("lake/11-20-/tweets.{}.json", day_ms + 30_000), joined(&lines[10..]));
    // A file that was being written when the agent was killed.
    place.write(&format!("lake/11-20-/tweets.{}.json.tmp", day_ms + 60_000), "{\"half");
    place.set("CAUCE_LAKE__URL", "lake");
    let listed: serde_json::Value = serde_json::from_str(&place.done("hours --json").out).expect("JSON");
    assert_eq!(listed[0]["hour"], "2025-11-20", "{listed}");
    assert_eq!(
        (&listed[0]["granularity"], &listed[0]["closed"], &listed[0]["objects"]),
        (&"day".into(), &false.into(), &2.into())
    );
    assert_eq!(place.done("cat 2025-11-20T00..2025-11-21T00").out.into_bytes(), joined(&lines));
    let part = place.ingest("cat 2025-11-20T05");
    assert_eq!(part.code, Some(1), "{}", part.err);
    assert!(part.err.contains("2025-11-20, which is no hour"), "{}", part.err);
}
