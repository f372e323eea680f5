//! Live streams into a local lake: hours that close, a stop and a start, a kill, and the pages that say how it goes.

use std::collections::BTreeMap;

use cauce_lake::Hour;
use serde_json::Value;

use crate::http::{metric, page, text};
use crate::lake::{Lake, each_once};
use crate::program::{Place, Program, until};
use crate::simulator::{Sent, Simulator};

pub(crate) const V2: &str =
    "type = \"x-v2\"\nconsumer_key = \"sim-consumer-key\"\nconsumer_secret = \"sim-consumer-secret\"";
pub(crate) const V1: &str = "type = \"x-v1\"\nconsumer_key = \"sim-consumer-key\"\nconsumer_secret = \"sim-consumer-secret\"\n\
                  access_token = \"sim-access-token\"\naccess_token_secret = \"sim-access-token-secret\"";
/// Three hours in six seconds.
const THREE_HOURS: &str = "--rate 400 --speedup 1800 --count 2400 --start 2025-11-20T05:00:00Z";

/// A place with a stream's configuration and a lake in it.
pub(crate) fn place(source: &str, simulator: &Simulator, more: &str) -> Place {
    let place = Place::new();
    let url = &simulator.url;
    let keywords = "keywords = [\"@realdonaldtrump\", \"#Trump\", \"#trump\"]";
    let lake = "[lake]\nurl = \"lake\"\npartition_by = \"created_at\"";
    place.write("cauce.toml", format!("[source]\n{source}\nbase_url = \"{url}\"\n{keywords}\n{lake}\n{more}\n"));
    place
}

fn accepted(status: &str) -> u64 {
    metric(status, "cauce_records_accepted_total") as u64
}

/// Waits until the agent has accepted so many tweets (and whatever messages came with them).
fn accept(status: &str, tweets: usize) {
    let received = "cauce_records_received_total{kind=\"tweet\"}";
    let is_there = || metric(status, received) as usize >= tweets && metric(status, "cauce_channel_size") == 0.0;
    until("the tweets are accepted", || is_there().then_some(()));
}

fn by_hour(sent: &[Sent]) -> BTreeMap<String, u64> {
    let mut hours = BTreeMap::new();
    for one in sent {
        *hours.entry(Hour::containing(one.created_ms).to_string()).or_default() += 1;
    }
    hours
}

fn hours_close(source: &str) {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, THREE_HOURS);
    let place = place(source, &simulator, "");
    let agent = place.start("run");
    let status = agent.status();
    accept(&status, 2400);
    until("two hours are closed", || (metric(&status, "cauce_hours_closed_total") >= 2.0).then_some(()));
    let ended = agent.stop();
    assert_eq!((ended.code, ended.number("left_in_spool")), (Some(0), 0), "{}", ended.err);

    let truth = simulator.truth();
    let sent: Vec<u64> = truth.iter().map(|sent| sent.id).collect();
    let lake = Lake::folder(&place.path("lake"));
    assert_eq!(each_once(lake.ids()), each_once(sent));
    let expected = by_hour(&truth);
    let manifests = lake.manifests();
    assert!(manifests.len() >= 2 && expected.len() >= 3, "{manifests:?}");
    for (hour, manifest) in &manifests {
        assert_eq!(manifest["tweets"].as_u64(), expected.get(hour).copied(), "{hour}: {manifest}");
        assert_eq!(manifest["guarantee"], "exactly-once");
    }
    let listed: Value = serde_json::from_str(&place.done("hours --json").out).expect("JSON");
    for entry in listed.as_array().expect("an array") {
        let hour = entry["hour"].as_str().expect("a name");
        assert_eq!(entry["closed"].as_bool(), Some(manifests.contains_key(hour)), "{entry}");
        let lines = place.done(&format!("cat {hour}")).out.lines().count() as u64;
        assert_eq!(Some(lines), expected.get(hour).copied(), "{hour}");
    }
    let verified = place.done("verify").out;
    assert!(verified.contains(" 0 with problems"), "{verified}");
}

#[test]
fn hours_of_the_v2_stream_close_and_hold_every_tweet_once() {
    hours_close(V2);
}

#[test]
fn hours_of_the_old_stream_close_and_hold_every_tweet_once() {
    hours_close(V1);
}

/// What each connection was sent, cut where the agent stopped reading it: the stored ones must be a beginning of it.
pub(crate) fn assert_beginnings(lake: &Lake, simulator: &Simulator) -> BTreeMap<u64, usize> {
    let stored = each_once(lake.ids());
    let mut known = 0;
    let mut counts = BTreeMap::new();
    for (connection, ids) in simulator.by_connection() {
        let count = ids.iter().filter(|id| stored.binary_search(id).is_ok()).count();
        let beginning = ids[..count].iter().all(|id| stored.binary_search(id).is_ok());
        assert!(beginning, "connection {connection}: a tweet is missing among the first {count} of {}", ids.len());
        known += count;
        counts.insert(connection, count);
    }
    assert_eq!(known, stored.len(), "there are tweets that were never sent");
    counts
}

fn start_again(stop: fn(Program) -> crate::program::Ended, more: &str) {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 300 --speedup 1800 --start 2025-11-20T05:00:00Z");
    let place = place(V2, &simulator, more);
    let first = place.start("run");
    let status = first.status();
    // In the middle of the second hour: one is closed, one is open, and more lines come all the time.
    until("an hour is closed", || (metric(&status, "cauce_hours_closed_total") >= 1.0).then_some(()));
    let before = accepted(&status);
    let first = stop(first);
    let was_asked = first.signal.is_none();

    let second = place.start("run");
    let status = second.status();
    second.line("spool found");
    until("two more hours are closed", || (metric(&status, "cauce_hours_closed_total") >= 2.0).then_some(()));
    let ended = second.stop();
    assert_eq!((ended.code, ended.number("left_in_spool")), (Some(0), 0), "{}", ended.err);

    let lake = Lake::folder(&place.path("lake"));
    let stored = assert_beginnings(&lake, &simulator);
    assert!(stored[&1] as u64 >= before, "{before} were accepted, {stored:?} are stored");
    if was_asked {
        assert_eq!(stored[&1] as u64, first.number("accepted"));
    }
    assert_eq!(stored[&2] as u64, ended.number("accepted") - ended.number("duplicates"));
    let manifests = lake.manifests();
    assert!(manifests.len() >= 3, "{manifests:?}");
    let hours: Vec<&String> = manifests.keys().collect();
    let ranges: Vec<Hour> = hours.iter().map(|hour| hour.parse().expect("an hour")).collect();
    assert!(ranges.windows(2).all(|pair| pair[0].start_ms() + 3_600_000 == pair[1].start_ms()), "a hole in {hours:?}");
    assert!(place.done("verify").out.contains(" 0 with problems"));
}

#[test]
fn after_a_stop_and_a_start_nothing_accepted_is_missing_or_there_twice() {
    start_again(Program::stop, "");
}

#[test]
fn after_a_kill_nothing_accepted_is_missing_or_there_twice() {
    start_again(Program::kill, "");
}

#[test]
fn a_killed_process_keeps_what_the_memory_channel_accepted() {
    start_again(Program::kill, "[channel]\ntype = \"memory\"\n");
}

#[test]
fn the_time_between_a_stop_and_a_start_is_a_gap() {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 50");
    let place = place(V2, &simulator, "");
    for run in 0..2 {
        let agent = place.start("run");
        let status = agent.status();
        until("tweets are accepted", || (accepted(&status) >= 10).then_some(()));
        assert_eq!(metric(&status, "cauce_gap_open"), 0.0);
        assert_eq!(metric(&status, "cauce_gap_seconds_total") > 0.0, run > 0);
        assert_eq!(agent.stop().code, Some(0));
    }
}

#[test]
fn the_pages_say_how_it_goes() {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 100");
    let place = place(V2, &simulator, "");
    let agent = place.start("run");
    let status = agent.status();
    agent.line("connected");
    until("it is ready", || (page(&format!("{status}/readyz"))?.0 == 200).then_some(()));
    assert_eq!(text(&format!("{status}/livez")).trim(), "alive");
    let health = place.done(&format!("health --url {status}"));
    assert!(health.out.starts_with("ready"), "{}", health.out);
    until("tweets are counted", || (accepted(&status) > 0).then_some(()));
    assert_eq!(metric(&status, "cauce_connected"), 1.0);
    assert_eq!(metric(&status, "cauce_store_up"), 1.0);

    simulator.stop();
    agent.line("disconnected");
    let (code, words) = until("it is not ready", || page(&format!("{status}/readyz")).filter(|answer| answer.0 != 200));
    assert_eq!(code, 503, "{words}");
    assert_eq!(page(&format!("{status}/livez")).map(|answer| answer.0), Some(200));
    let health = place.ingest(&format!("health --url {status}"));
    assert_eq!((health.code, health.out.trim()), (Some(1), words.trim()));
    assert_eq!(agent.stop().code, Some(0));
}
