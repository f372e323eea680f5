//! A store that answers late, loses answers, lies, throttles or is away, with a stream that does not wait for it: nothing is
//! lost or doubled, each hour is in order, memory stays bounded and the agent goes on.

use std::time::Duration;

use cauce_lake::Hour;

use crate::http::metric;
use crate::lake::{Lake, fresh_bucket, go_s3, introduce};
use crate::oracle::assert_all_in_order;
use crate::program::{Place, Program, until};
use crate::faults::{Asked, Fault, Proxy, error};
use crate::simulator::Simulator;

/// What an agent may need at most in these tests, in KiB.
const MEMORY_KIB: u64 = 256 << 10;

/// Three hours in three seconds, the last of them long enough ago to be over.
fn three_hours(tweets_a_second: u64) -> String {
    let now = Hour::containing(jiff::Timestamp::now().as_millisecond());
    let start = Hour::from_index(now.index() - 4);
    let count = 3 * tweets_a_second;
    format!("--rate {tweets_a_second} --speedup 3600 --count {count} --late-share 0 --start {start}:00:00Z")
}

/// An agent on an S3 server with a proxy between them.
struct Case {
    proxy: Proxy,
    place: Place,
    simulator: Simulator,
    lake: Lake,
    _stand_in: Place,
}

impl Case {
    fn new(stream: &str, more: &str) -> Option<Case> {
        let server = go_s3()?;
        let bucket = fresh_bucket(server);
        let proxy = Proxy::before(&server.endpoint);
        let stand_in = Place::new();
        let simulator = Simulator::start(&stand_in, stream);
        let mut place = Place::new();
        introduce(&mut place, server);
        place.set("CAUCE_LAKE__S3__ENDPOINT_URL", &proxy.endpoint());
        let url = &simulator.url;
        let source = format!(
            "type = \"x-v2\"\nbearer_token = \"sim-bearer-token\"\nbase_url = \"{url}\"\nkeywords = [\"#Trump\"]"
        );
        let lake = format!("url = \"s3://{bucket}\"\npartition_by = \"created_at\"\nallowed_lateness = \"3s\"");
        place.write("cauce.toml", format!("[source]\n{source}\n[lake]\n{lake}\n{more}\n"));
        Some(Case { proxy, place, simulator, lake: Lake::bucket(server, &bucket), _stand_in: stand_in })
    }

    /// Waits until every hour with tweets is closed, stops the agent, and looks at all it has done.
    fn finish(self, agent: Program) {
        let status = agent.status();
        until("three hours are closed", || (metric(&status, "cauce_hours_closed_total") >= 3.0).then_some(()));
        let memory = peak_kib(&agent);
        assert!(memory < MEMORY_KIB, "{memory} KiB");
        let ended = agent.stop();
        assert_eq!((ended.code, ended.number("left_in_spool")), (Some(0), 0), "{}", ended.err);
        assert_all_in_order(&self.lake, &self.simulator.truth());
        let verified = self.place.done("verify").out;
        assert!(verified.contains(" 0 with problems"), "{verified}");
    }
}

/// The most memory that a process has had, in KiB.
pub(crate) fn peak_kib(program: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.pid())).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says it");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// Streams three hours into files of 50 tweets, with something done to requests all the while.
fn streams_through(behaviour: impl FnMut(&Asked) -> Option<Fault> + Send + 'static) {
    let Some(case) = Case::new(&three_hours(400), "roll_count = 50") else { return };
    let agent = case.place.start("run");
    agent.line("the lake is ours");
    case.proxy.misbehave(behaviour);
    let status = agent.status();
    until("three hours are closed", || (metric(&status, "cauce_hours_closed_total") >= 3.0).then_some(()));
    assert!(case.proxy.faults() >= 5, "{} faults", case.proxy.faults());
    case.proxy.misbehave(|_| None);
    case.finish(agent);
}

#[test]
fn answers_that_come_late_change_nothing() {
    streams_through(|asked| asked.puts_object().then_some(Fault::Late(Duration::from_secs(1))));
}

#[test]
fn answers_that_are_lost_after_the_put_was_carried_out_double_nothing() {
    streams_through(|asked| (asked.puts_object() && asked.number % 3 == 0).then_some(Fault::LoseAnswer));
}

#[test]
fn requests_that_are_lost_lose_nothing() {
    streams_through(|asked| (asked.number % 3 == 0).then_some(Fault::LoseRequest));
}

#[test]
fn an_error_under_a_success_is_not_taken_for_one() {
    streams_through(|asked| {
        (asked.puts_object() && asked.number % 3 == 0).then(|| Fault::Say(200, error("InternalError")))
    });
}

#[test]
fn an_error_under_a_success_is_not_taken_for_a_failure_either() {
    streams_through(|asked| {
        (asked.puts_object() && asked.number % 3 == 0).then(|| Fault::DoAndSay(200, error("SlowDown")))
    });
}

#[test]
fn a_page_of_something_else_under_a_success_is_not_taken_for_one() {
    streams_through(|asked| (asked.number % 3 == 1).then(|| Fault::Say(200, "<html>Please log in</html>".to_owned())));
}

#[test]
fn a_success_without_a_word_is_not_taken_for_one() {
    streams_through(|asked| (asked.puts_object() && asked.number % 3 == 0).then(|| Fault::Say(200, String::new())));
}

#[test]
fn a_storm_of_requests_to_slow_down_passes() {
    streams_through(|asked| (asked.number < 12).then(|| Fault::Say(503, error("SlowDown"))));
}

#[test]
fn conflicts_and_server_errors_after_the_put_was_carried_out_double_nothing() {
    streams_through(|asked| {
        match asked.number % 6 {
            0 => Some(Fault::DoAndSay(409, error("ConditionalRequestConflict"))),
            2 => Some(Fault::DoAndSay(500, error("InternalError"))),
            4 => Some(Fault::Say(409, error("OperationAborted"))),
            _ => None,
        }
        .filter(|_| asked.puts_object())
    });
}
