//! A stream of three hours, an agent, and a real S3 server with a proxy in between.

use cauce_lake::Hour;
use cauce_lake::store::servers::S3Server;

use crate::faults::Proxy;
use crate::lake::{Lake, fresh_bucket, go_s3, introduce};
use crate::oracle::assert_all_in_order;
use crate::program::{Place, Program, until};
use crate::simulator::Simulator;

/// What an agent may need at most in these tests, in KiB.
const MEMORY_KIB: u64 = 256 << 10;

/// Three hours of tweets.
pub(crate) struct ThreeHours {
    first: Hour,
    options: String,
}

impl ThreeHours {
    /// They take so many seconds each; the last of them is long enough ago to be over. `more` options of the simulator.
    pub(crate) fn of(tweets_a_second: u64, seconds: u64, more: &str) -> ThreeHours {
        let now = Hour::containing(jiff::Timestamp::now().as_millisecond());
        let first = Hour::from_index(now.index() - 4);
        let (speedup, count) = (3600 / seconds, 3 * seconds * tweets_a_second);
        let when = format!("--speedup {speedup} --late-share 0 --start {first}:00:00Z");
        ThreeHours { first, options: format!("--rate {tweets_a_second} --count {count} {when} {more}") }
    }
}

/// An agent on an S3 server with a proxy between them.
pub(crate) struct Case {
    pub(crate) proxy: Proxy,
    pub(crate) place: Place,
    pub(crate) simulator: Simulator,
    pub(crate) lake: Lake,
    first: Hour,
    _stand_in: Place,
}

impl Case {
    pub(crate) fn new(stream: &ThreeHours, more: &str) -> Option<Case> {
        Some(Case::on(go_s3()?, stream, more))
    }

    /// On a server of the caller's choice.
    pub(crate) fn on(server: &S3Server, stream: &ThreeHours, more: &str) -> Case {
        let bucket = fresh_bucket(server);
        let proxy = Proxy::before(&server.endpoint);
        let stand_in = Place::new();
        let simulator = Simulator::start(&stand_in, &stream.options);
        let mut place = Place::new();
        introduce(&mut place, server);
        place.set("CAUCE_LAKE__S3__ENDPOINT_URL", &proxy.endpoint());
        let url = &simulator.url;
        let source = format!(
            "type = \"x-v2\"\nbearer_token = \"sim-bearer-token\"\nbase_url = \"{url}\"\nkeywords = [\"#Trump\"]"
        );
        let lake = format!("url = \"s3://{bucket}\"\npartition_by = \"created_at\"\nallowed_lateness = \"3s\"");
        place.write("cauce.toml", format!("[source]\n{source}\n[lake]\n{lake}\n{more}\n"));
        let lake = Lake::bucket(server, &bucket);
        Case { proxy, place, simulator, lake, first: stream.first, _stand_in: stand_in }
    }

    /// Where the server is without the proxy.
    pub(crate) fn direct() -> String {
        go_s3().expect("a case has a server").endpoint.clone()
    }

    /// Waits until each of the three hours is closed.
    pub(crate) fn wait_until_closed(&self) {
        let manifest = |hours| format!("_hours/{}.json", Hour::from_index(self.first.index() + hours));
        let wanted = [0, 1, 2].map(manifest);
        until("three hours are closed", || {
            let keys = self.lake.keys();
            wanted.iter().all(|key| keys.contains(key)).then_some(())
        });
    }

    /// Waits until every hour with tweets is closed, stops the agent, and looks at all it has done.
    pub(crate) fn finish(self, agent: Program) {
        self.wait_until_closed();
        let memory = agent.peak_kib().expect("the agent runs");
        assert!(memory < MEMORY_KIB, "{memory} KiB");
        let ended = agent.stop();
        assert_eq!((ended.code, ended.number("left_in_spool")), (Some(0), 0), "{}", ended.err);
        assert_all_in_order(&self.lake, &self.simulator.truth());
        let verified = self.place.done("verify").out;
        assert!(verified.contains(" 0 with problems"), "{verified}");
    }
}
