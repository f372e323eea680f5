//! A stream of three hours, an agent, and a real S3 server with a proxy in between.

use cauce_lake::Hour;

use crate::faults::Proxy;
use crate::http::metric;
use crate::lake::{Lake, fresh_bucket, go_s3, introduce};
use crate::oracle::assert_all_in_order;
use crate::program::{Place, Program, until};
use crate::simulator::Simulator;

/// What an agent may need at most in these tests, in KiB.
const MEMORY_KIB: u64 = 256 << 10;

/// Three hours that take so many seconds each, the last of them long enough ago to be over.
pub(crate) fn three_hours(tweets_a_second: u64, seconds: u64) -> String {
    let now = Hour::containing(jiff::Timestamp::now().as_millisecond());
    let start = Hour::from_index(now.index() - 4);
    let (speedup, count) = (3600 / seconds, 3 * seconds * tweets_a_second);
    format!("--rate {tweets_a_second} --speedup {speedup} --count {count} --late-share 0 --start {start}:00:00Z")
}

/// An agent on an S3 server with a proxy between them.
pub(crate) struct Case {
    pub(crate) proxy: Proxy,
    pub(crate) place: Place,
    pub(crate) simulator: Simulator,
    pub(crate) lake: Lake,
    _stand_in: Place,
}

impl Case {
    pub(crate) fn new(stream: &str, more: &str) -> Option<Case> {
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

    /// Where the server is without the proxy.
    pub(crate) fn direct() -> String {
        go_s3().expect("a case has a server").endpoint.clone()
    }

    /// Waits until every hour with tweets is closed, stops the agent, and looks at all it has done.
    pub(crate) fn finish(self, agent: Program) {
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
