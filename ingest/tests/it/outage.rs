//! A store that is away while tweets come at 5,000 a second: the spool takes them, and when it is full the source is held
//! back, what it could not bring is a gap, and the agent goes on by itself. `make outage` is the long form.

#![expect(clippy::print_stdout, reason = "figures, for whoever asks for them with --nocapture")]

use std::time::Instant;

use crate::case::{Case, ThreeHours};
use crate::http::metric;
use crate::program::until;

#[test]
fn what_comes_while_the_store_is_away_is_stored_when_it_is_back() {
    let Some(mut case) = Case::new(&ThreeHours::of(5_000, 2, ""), "roll_count = 1000") else { return };
    let agent = case.place.start("run");
    let status = agent.status();
    let spooled = || metric(&status, "cauce_spool_bytes");
    until("an object is stored", || (metric(&status, "cauce_objects_stored_total") >= 1.0).then_some(()));
    case.proxy.go_away();
    let (bytes, began) = (spooled(), Instant::now());
    let accepted = metric(&status, "cauce_records_accepted_total");
    let came = || metric(&status, "cauce_records_accepted_total") - accepted;
    until("10,000 tweets are accepted meanwhile", || (came() >= 10_000.0).then_some(()));
    let growth = (spooled() - bytes) / began.elapsed().as_secs_f64();
    assert_eq!(metric(&status, "cauce_store_up"), 0.0);
    let backlog = spooled();
    case.proxy.come_back();
    until("the store is seen again", || (metric(&status, "cauce_store_up") == 1.0).then_some(()));
    let began = Instant::now();
    until("the backlog is stored", || (spooled() < backlog / 4.0).then_some(()));
    let drain = backlog * 0.75 / began.elapsed().as_secs_f64();
    println!("backlog {:.1} MB, grew {:.1} MB/s, drained {:.1} MB/s", backlog / 1e6, growth / 1e6, drain / 1e6);
    case.finish(agent);
}

#[test]
fn a_full_spool_holds_the_source_and_what_it_missed_is_a_gap() {
    // More than the simulator keeps for a slow reader, in tweets enough to go on after it.
    let more = "roll_count = 1000\n[spool]\nmax_bytes = \"16MiB\"\n[channel]\ncapacity = 1000";
    let Some(mut case) = Case::new(&ThreeHours::of(5_000, 5, ""), more) else { return };
    let agent = case.place.start("run");
    let status = agent.status();
    until("an object is stored", || (metric(&status, "cauce_objects_stored_total") >= 1.0).then_some(()));
    case.proxy.go_away();
    agent.line("the spool is full");
    let full = Instant::now();
    // The simulator keeps 30,000 tweets for a slow reader: six seconds.
    until("the simulator keeps no more", || (full.elapsed().as_secs() >= 9).then_some(()));
    assert!(metric(&status, "cauce_spool_bytes") < 24.0 * 1024.0 * 1024.0, "the budget is no bound");
    let held = full.elapsed().as_secs_f64();
    case.proxy.come_back();
    agent.line("the spool has room again");
    agent.line("disconnected");
    until("it is connected again", || (metric(&status, "cauce_connected") == 1.0).then_some(()));
    until("the gap is counted", || (metric(&status, "cauce_gap_seconds_total") > 0.0).then_some(()));
    let gap = metric(&status, "cauce_gap_seconds_total");
    assert!(gap >= held, "held for {held} s, the gap has {gap} s");
    case.finish(agent);
}
