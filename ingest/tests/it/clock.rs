//! Clocks that are a year ahead: at a start, in mid-run, and in what an earlier run has left in the spool.

use std::collections::BTreeSet;

use cauce_lake::Hour;
use cauce_lake::manifest::epoch_ms_in_name;

use crate::corpus::{joined, mixed};
use crate::http::{metric, page};
use crate::lake::{self, Lake, each_once};
use crate::program::{Place, until};
use crate::simulator::Simulator;

/// And an hour, so that seconds of waiting do not make it 364 days.
const YEAR_MS: i64 = 365 * 86_400_000 + 3_600_000;

/// Sets the clock of the agents in a place so far ahead. The simulator and the servers have the machine's.
fn set_clock(place: &Place, ahead_ms: i64) {
    let staged = place.path("clock.new");
    std::fs::write(&staged, ahead_ms.to_string()).expect("a file is written");
    std::fs::rename(staged, place.path("clock")).expect("it is replaced at once");
}

/// A place with a stream by arrival into a folder, whose agents have a clock of their own.
fn streaming(simulator: &Simulator) -> Place {
    let mut place = Place::new();
    let source = "type = \"x-v2\"\nbearer_token = \"sim-bearer-token\"\nkeywords = [\"#Trump\"]";
    let lake = "[lake]\nurl = \"lake\"\nroll_interval = \"1s\"\nmax_catch_up = \"5h\"";
    place.write("cauce.toml", format!("[source]\n{source}\nbase_url = \"{}\"\n{lake}\n", simulator.url));
    place.set("INGEST_CLOCK_FILE", "clock");
    set_clock(&place, 0);
    place
}

fn accepted(status: &str) -> f64 {
    metric(status, "cauce_records_accepted_total")
}

fn is_held(status: &str, of: &str) -> Option<()> {
    let (code, text) = page(&format!("{status}/readyz"))?;
    (code == 503 && text.contains(&format!("the clock is 365 d ahead of the {of}"))).then_some(())
}

/// The hours that the lake's manifests close.
fn closed(lake: &Lake) -> BTreeSet<Hour> {
    lake.manifests().keys().filter_map(|name| name.parse().ok()).collect()
}

/// The keys of tweets, of the future and others.
fn objects(lake: &Lake) -> (BTreeSet<String>, BTreeSet<String>) {
    let end_ms = this_hour().end_ms();
    let is_future = |key: &String| key.rsplit('/').next().and_then(epoch_ms_in_name).is_some_and(|at| at >= end_ms);
    lake.keys().into_iter().filter(|key| key.contains("/tweets.")).partition(is_future)
}

fn this_hour() -> Hour {
    Hour::containing(jiff::Timestamp::now().as_millisecond())
}

#[test]
fn a_start_with_the_clock_a_year_ahead_waits_and_goes_on_when_it_is_right() {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 200");
    let place = streaming(&simulator);
    let began = this_hour();
    set_clock(&place, YEAR_MS);
    let agent = place.start("run");
    let status = agent.status();
    until("it says what is wrong", || is_held(&status, "stream"));
    agent.line("ERROR the clock is 365 d ahead of the stream");
    assert_eq!((accepted(&status), simulator.truth().len()), (0.0, 0));
    set_clock(&place, 0);
    until("tweets come", || (accepted(&status) >= 50.0).then_some(()));
    assert!(metric(&status, "cauce_clock_ahead_seconds").abs() < 60.0);
    let ended = agent.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(ended.err.matches("the clock is 365 d ahead").count(), 1, "{}", ended.err);
    let lake = Lake::folder(&place.path("lake"));
    assert!(closed(&lake).iter().all(|hour| (began..=this_hour()).contains(hour)), "{:?}", closed(&lake));
    assert_eq!(each_once(lake.ids()).len() as u64, ended.number("accepted"));
}

#[test]
fn a_clock_that_is_set_a_year_ahead_in_mid_run_holds_the_source_and_closes_nothing() {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 200");
    let place = streaming(&simulator);
    let began = this_hour();
    let agent = place.start("run");
    let status = agent.status();
    until("tweets come", || (accepted(&status) >= 50.0).then_some(()));
    set_clock(&place, YEAR_MS);
    until("it says what is wrong", || is_held(&status, "stream"));
    agent.line("ERROR the clock is 365 d ahead of the stream");
    // What was on its way when the clock was set is dated by what it was before; what is sent from now on is held.
    let sent = simulator.truth().len();
    until("the stream goes on", || (simulator.truth().len() >= sent + 200).then_some(()));
    let held = accepted(&status);
    assert!(held <= sent as f64, "{held} of {sent} tweets are accepted that were sent before the source was held");
    set_clock(&place, 0);
    until("tweets come again", || (accepted(&status) >= held + 50.0).then_some(()));
    // And an end while it is held is one in order, and soon.
    set_clock(&place, YEAR_MS);
    until("it says what is wrong", || is_held(&status, "stream"));
    let ended = agent.stop();
    assert_eq!((ended.code, ended.number("left_in_spool")), (Some(0), 0), "{}", ended.err);
    assert!(!ended.err.contains("the time to drain is over"), "{}", ended.err);
    let lake = Lake::folder(&place.path("lake"));
    assert!(closed(&lake).iter().all(|hour| (began..=this_hour()).contains(hour)), "{:?}", closed(&lake));
    assert_eq!(each_once(lake.ids()).len() as u64, ended.number("accepted"));
    set_clock(&place, 0);
    let again = place.start("run");
    again.line("connected");
    assert_eq!(again.stop().code, Some(0));
}

#[test]
fn the_store_says_what_time_it_is_too() {
    let Some(server) = lake::moto() else { return };
    let mut place = Place::new();
    lake::introduce(&mut place, server);
    let bucket = lake::fresh_bucket(server);
    let source = "[source]\ntype = \"files\"\npaths = [\"archive\"]";
    place.write("cauce.toml", format!("{source}\n[lake]\nurl = \"s3://{bucket}\"\n"));
    place.set("INGEST_CLOCK_FILE", "clock").write("archive/a.json", joined(&mixed(500, 1)));
    set_clock(&place, YEAR_MS);
    let began = this_hour();
    let agent = place.start("run");
    let status = agent.status();
    until("it says what is wrong", || is_held(&status, "store"));
    set_clock(&place, 0);
    let ended = agent.end();
    assert_eq!((ended.code, ended.number("left_in_spool")), (Some(0), 0), "{}", ended.err);
    let lake = Lake::bucket(server, &bucket);
    // The running hour stays open.
    assert!(closed(&lake).iter().all(|hour| (began..this_hour()).contains(hour)), "{:?}", closed(&lake));
    let (future, others) = objects(&lake);
    assert!(future.is_empty() && !others.is_empty(), "{future:?}");
}

#[test]
fn a_spool_from_the_future_is_refused_and_brought_back_without_a_loss() {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 200 --plan enterprise");
    let place = streaming(&simulator);
    let began = this_hour();
    let mut accepted_in_all = 0;
    let mut run = |line: &str| {
        let agent = place.start(line);
        let status = agent.status();
        until("tweets come", || (accepted(&status) >= 50.0).then_some(()));
        let ended = agent.stop();
        assert_eq!((ended.code, ended.number("left_in_spool")), (Some(0), 0), "{}", ended.err);
        accepted_in_all += ended.number("accepted");
    };
    run("run");
    // As by a program that trusts its clock.
    set_clock(&place, YEAR_MS);
    run("run --set agent.max_clock_skew=0");
    let lake = Lake::folder(&place.path("lake"));
    let of_the_future: BTreeSet<Hour> = closed(&lake).into_iter().filter(|hour| *hour > this_hour()).collect();
    assert_eq!(of_the_future.len(), 5, "{of_the_future:?}");

    let before = objects(&lake);
    assert!(!before.0.is_empty() && !before.1.is_empty(), "{before:?}");

    set_clock(&place, 0);
    let refused = place.ingest("run");
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("365 d") && refused.err.contains("ingest spool reset-time"), "{}", refused.err);

    let said = place.done("spool reset-time").out;
    assert!(said.contains("365 d ahead") && said.contains("5 hours that have not come"), "{said}");
    assert!(place.done("spool fsck").out.contains("clean"));
    assert!(place.done("spool reset-time").out.contains("nothing to do"));
    run("run");
    let last = place.start("run");
    last.line("connected");
    let ends = |hours: &BTreeSet<Hour>| hours.iter().filter(|hour| **hour > this_hour()).count() == 6;
    until("the lines of the future are listed", || ends(&closed(&lake)).then_some(()));
    let ended = last.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    accepted_in_all += ended.number("accepted");
    assert_eq!(each_once(lake.ids()).len() as u64, accepted_in_all);
    let verified = place.done("verify").out;
    assert!(verified.contains(" 0 with problems"), "{verified}");
    // New lines lie in this hour, which the start with the wrong clock may have closed, and nowhere else.
    assert!(
        closed(&lake).iter().filter(|hour| **hour <= this_hour()).all(|hour| *hour >= began),
        "{:?}",
        closed(&lake)
    );
    let (future, today) = objects(&lake);
    assert_eq!(future, before.0);
    assert!(today.len() > before.1.len() && today.is_superset(&before.1), "{today:?}");
}
