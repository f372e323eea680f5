//! The promise under SIGKILL: at every named place, twice in a row there, and then once more to the end. An oracle that
//! knows every line sent reads nothing but manifests and the objects they list, and finds each accepted tweet exactly once.

use std::collections::BTreeMap;

use cauce_ingest::failpoint;

use crate::corpus::{Expected, expected, joined, mixed};
use crate::lake::{self, Lake, lines};
use crate::program::Place;

const LINES: u64 = 1_500;
const HOURS: u64 = 3;
/// SIGKILL.
const KILLED: Option<i32> = Some(9);

/// A place that reads 1,500 tweets of three hours, in files small enough that every hour has several.
fn place(lake: &str) -> (Place, Expected) {
    let lines = mixed(LINES, HOURS);
    let place = Place::new();
    place.write("archive/a.json", joined(&lines));
    let lake =
        format!("url = \"{lake}\"\npartition_by = \"created_at\"\nroll_count = 100\nsuccess_marker = \"always\"");
    let channel = "[channel]\ncapacity = 200\ntransaction_capacity = 50\n[spool]\nfsync_interval = \"1ms\"";
    place
        .write("cauce.toml", format!("[source]\ntype = \"files\"\npaths = [\"archive\"]\n{channel}\n[lake]\n{lake}\n"));
    (place, expected(&lines))
}

/// Holds what the manifests list against what was sent.
fn assert_exactly_once(lake: &Lake, wanted: &Expected, at: &str) {
    let mut listed: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut keys = Vec::new();
    for (hour, manifest) in lake.manifests() {
        for object in manifest["objects"].as_array().expect("a manifest lists objects") {
            let key = object["key"].as_str().expect("an object has a key");
            listed.entry(hour.clone()).or_default().extend(lines(&lake.bytes(key)));
            keys.push(key.to_owned());
        }
    }
    listed.values_mut().for_each(|lines| lines.sort());
    let counts = |hours: &BTreeMap<String, Vec<Vec<u8>>>| hours.values().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(counts(&listed), counts(&wanted.hours), "{at}");
    assert!(listed == wanted.hours, "{at}: as many lines, but others");
    keys.sort();
    let stored: Vec<String> = lake.objects().into_keys().collect();
    assert_eq!(keys, stored, "{at}: an object is listed twice, or not at all");
}

/// Kills the agent at a place, on its n-th visit, in two starts one after the other, and lets the third come to the end.
fn kill_twice_and_finish(place: &mut Place, lake: &Lake, wanted: &Expected, name: &str, visit: u32) {
    let at = format!("{name}:{visit}");
    place.set("INGEST_FAILPOINT", &at);
    let first = place.ingest("run");
    assert_eq!(first.signal, KILLED, "{at} was not reached: {}", first.err);
    // The second start may have less left to do than there were visits.
    let second = place.ingest("run");
    assert!(second.signal == KILLED || second.code == Some(0), "{at}: {}", second.err);
    place.set("INGEST_FAILPOINT", "none");
    place.done("run");
    assert_exactly_once(lake, wanted, &at);
    let again = place.done("run");
    assert_eq!(again.number("accepted"), 0, "{at}: a finished input was read again");
}

fn visits(name: &str) -> &'static [u32] {
    match name {
        // These come once a start.
        "recovery.checked" | "checkpoint.run-written" | "checkpoint.journal-made" => &[1],
        // The first commit of a start is the one before the lease is asked for.
        "append.data-written" | "commit.journal-written" | "commit.synced" => &[2, 1, 4],
        _ => &[1, 3],
    }
}

#[test]
fn killed_at_any_place_a_local_lake_holds_every_accepted_tweet_once() {
    for name in failpoint::NAMES {
        for visit in visits(name) {
            let (mut place, wanted) = place("lake");
            let lake = Lake::folder(&place.path("lake"));
            kill_twice_and_finish(&mut place, &lake, &wanted, name, *visit);
        }
    }
}

#[test]
fn killed_at_any_place_an_s3_lake_holds_every_accepted_tweet_once() {
    let Some(server) = lake::go_s3() else { return };
    for name in failpoint::NAMES {
        let bucket = lake::fresh_bucket(server);
        let (mut place, wanted) = place(&format!("s3://{bucket}"));
        lake::introduce(&mut place, server);
        let lake = Lake::bucket(server, &bucket);
        kill_twice_and_finish(&mut place, &lake, &wanted, name, visits(name)[0]);
    }
}
