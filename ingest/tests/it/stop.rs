//! SIGTERM while tweets come as fast as they are read: the agent ends within its time, and what it accepted is in the store
//! or in the spool, from where the next start stores it.

#![expect(clippy::print_stdout, reason = "figures, for whoever asks for them with --nocapture")]

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::case::{Case, ThreeHours};
use crate::http::metric;
use crate::lake::Lake;
use crate::program::{Ended, Place, Program, until};
use crate::simulator::Simulator;
use crate::streams::{V2, assert_beginnings, place};

/// Beyond the drain: what the agent may need to commit once more and to end.
const LEAVING: Duration = Duration::from_secs(5);

fn accepts(agent: &Program, tweets: f64) {
    let status = agent.status();
    until("tweets are accepted", || (metric(&status, "cauce_records_accepted_total") >= tweets).then_some(()));
}

#[test]
fn a_stop_under_full_load_stores_all_that_was_accepted_within_its_time() {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--flat-out");
    let place = place(V2, &simulator, "roll_count = 1000\n[agent]\ndrain_timeout = \"20s\"");
    let agent = place.start("run");
    accepts(&agent, 5_000.0);
    let began = Instant::now();
    let ended = agent.stop();
    let took = began.elapsed();
    println!("{} accepted, stopped in {:.2} s", ended.number("accepted"), took.as_secs_f64());
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!((ended.code, ended.number("left_in_spool")), (Some(0), 0), "{}", ended.err);
    let stored = assert_beginnings(&Lake::folder(&place.path("lake")), &simulator);
    assert_eq!(stored[&1] as u64, ended.number("accepted"));
}

/// Stops an agent whose store is away by `stop`, and lets the next start store what is in the spool.
fn stopped_without_a_store(drain_timeout: Duration, stop: impl FnOnce(Program) -> Ended) {
    let more = format!("roll_count = 1000\n[agent]\ndrain_timeout = \"{}s\"", drain_timeout.as_secs());
    let Some(mut case) = Case::new(&ThreeHours::of(5_000, 2, ""), &more) else { return };
    let agent = case.place.start("run");
    accepts(&agent, 1_000.0);
    case.proxy.go_away();
    accepts(&agent, 5_000.0);
    let before = Instant::now();
    let ended = stop(agent);
    println!("stopped without a store in {:.2} s", before.elapsed().as_secs_f64());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.number("left_in_spool") > 0);
    case.proxy.come_back();
    let agent = case.place.start("run");
    agent.line("spool found");
    let status = agent.status();
    until("two hours are closed", || (metric(&status, "cauce_hours_closed_total") >= 2.0).then_some(()));
    let again = agent.stop();
    assert_eq!((again.code, again.number("left_in_spool")), (Some(0), 0), "{}", again.err);
    let stored = assert_beginnings(&case.lake, &case.simulator);
    assert_eq!(stored[&1] as u64, ended.number("accepted"));
}

#[test]
fn a_stop_without_a_store_ends_in_time_and_the_next_start_stores_the_rest() {
    let limit = Duration::from_secs(2);
    stopped_without_a_store(limit, |agent| {
        let began = Instant::now();
        let ended = agent.stop();
        assert!(began.elapsed() < limit + LEAVING, "{:?}", began.elapsed());
        assert!(ended.err.contains("the time to drain is over"), "{}", ended.err);
        ended
    });
}

#[test]
fn a_second_signal_ends_it_at_once_and_what_it_accepted_is_durable() {
    stopped_without_a_store(Duration::from_secs(50), |agent| {
        agent.signal(Signal::TERM);
        agent.line("reading ends");
        let began = Instant::now();
        let ended = agent.stop();
        assert!(began.elapsed() < LEAVING, "{:?}", began.elapsed());
        assert!(ended.err.contains("leaving at once"), "{}", ended.err);
        ended
    });
}
