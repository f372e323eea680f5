//! Who writes a lake, seen from outside: agents with spools of their own that wait, take over, stop and are killed.

use std::fs;

use serde_json::Value;

use crate::http::{metric, page};
use crate::lake::{Lake, each_once};
use crate::oracle;
use crate::program::{Place, Program, until};
use crate::simulator::Simulator;
use crate::streams::{V2, place};

/// A stream, and agents in one folder whose lease stands for two seconds; each is started on the spool that was named last.
struct Stage {
    place: Place,
    _simulator: Simulator,
    _stand_in: Place,
}

impl Stage {
    fn new() -> Stage {
        let stand_in = Place::new();
        let simulator = Simulator::start(&stand_in, "--rate 100 --plan enterprise");
        let place = place(V2, &simulator, "[agent]\nlease_timeout = \"2s\"");
        Stage { place, _simulator: simulator, _stand_in: stand_in }
    }

    fn start(&mut self, spool: &str, line: &str) -> Program {
        self.place.set("CAUCE_SPOOL__DIR", spool).start(line)
    }

    fn record(&self) -> Option<Value> {
        // A local folder shows an object whole or not at all.
        serde_json::from_slice(&fs::read(self.place.path("lake/_agent.json")).ok()?).ok()
    }

    fn epoch(&self) -> u64 {
        self.record().expect("there is a record")["epoch"].as_u64().expect("a number")
    }
}

fn accepts(agent: &Program) {
    let status = agent.status();
    let before = metric(&status, "cauce_records_accepted_total");
    until("tweets are accepted", || (metric(&status, "cauce_records_accepted_total") > before).then_some(()));
}

#[test]
fn an_agent_tried_out_beside_the_one_that_runs_waits_and_disturbs_nothing() {
    let mut stage = Stage::new();
    let first = stage.start("spool-1", "run");
    accepts(&first);
    let second = stage.start("spool-2", "run");
    let line = second.line("another agent holds the lake");
    let process = format!("process={}", first.pid());
    assert!(line.contains(&process) && line.contains("epoch=1") && line.contains("left_s=2"), "{line}");
    // It sees several heartbeats of the first, and waits on.
    let heartbeats = || stage.record().and_then(|record| record["heartbeats"].as_u64());
    let before = heartbeats().expect("a number");
    until("the first renews its lease", || heartbeats().filter(|now| *now >= before + 8));
    let (code, text) = page(&format!("{}/readyz", second.status())).expect("it answers");
    assert!(code == 503 && text.contains("waiting for the lease on the lake: agent \"agent\" on host"), "{text}");
    let second = second.stop();
    assert_eq!(second.code, Some(0), "{}", second.err);
    assert!(!second.err.contains("the lake is ours"), "{}", second.err);
    accepts(&first);
    let first = first.stop();
    assert_eq!((first.code, first.number("left_in_spool")), (Some(0), 0), "{}", first.err);
    assert_eq!(stage.epoch(), 1);
}

#[test]
fn a_killed_agent_goes_on_at_once_and_another_spool_takes_over_when_its_heartbeat_is_old() {
    let mut stage = Stage::new();
    let first = stage.start("spool-1", "run");
    accepts(&first);
    first.kill();
    let again = stage.start("spool-1", "run");
    again.line("the lake is ours");
    assert!(!again.err().contains("another agent holds"), "{}", again.err());
    again.kill();
    let standby = stage.start("spool-2", "run");
    standby.line("another agent holds the lake");
    standby.line("has not renewed its lease: it is taken over");
    standby.line("the lake is ours");
    accepts(&standby);
    assert_eq!(standby.stop().code, Some(0));
    // It was given back: the next one need not wait, whatever its spool.
    let next = stage.start("spool-3", "run");
    next.line("the lake is ours");
    assert!(!next.err().contains("another agent holds"), "{}", next.err());
    assert_eq!(next.stop().code, Some(0));
}

#[test]
fn an_agent_that_is_taken_over_ends_with_a_code_of_its_own_and_waits_when_it_is_started_again() {
    let mut stage = Stage::new();
    let first = stage.start("spool-1", "run");
    accepts(&first);
    let second = stage.start("spool-2", "run --take-over");
    let warning = second.line("--take-over");
    assert!(warning.contains("WARN") && warning.contains(&format!("process={}", first.pid())), "{warning}");
    second.line("the lake is ours");
    let (by, epoch) = (format!("process={}", second.pid()), stage.epoch());
    // Nothing of its own is due: no file is full and no hour over.
    let first = first.end();
    assert_eq!(first.code, Some(5), "{}", first.err);
    let lost = first.err.lines().find(|line| line.contains("another agent has taken the lake")).expect("it says so");
    assert!(lost.contains("ERROR") && lost.contains(&by) && lost.contains(&format!("epoch={epoch}")), "{lost}");

    let again = stage.start("spool-1", "run");
    again.line("another agent holds the lake");
    accepts(&second);
    assert_eq!(stage.epoch(), epoch, "they fence each other");
    assert_eq!(second.stop().code, Some(0));
    again.line("the lake is ours");
    let again = again.stop();
    assert_eq!((again.code, again.number("left_in_spool")), (Some(0), 0), "{}", again.err);
    assert_eq!(stage.epoch(), epoch + 1);
    each_once(oracle::listed(&Lake::folder(&stage.place.path("lake"))).into_values().flatten().collect());
}

#[test]
fn a_lease_that_is_deleted_under_a_running_agent_is_put_back() {
    let mut stage = Stage::new();
    let agent = stage.start("spool-1", "run");
    accepts(&agent);
    let before = stage.record().expect("there is a record");
    fs::remove_file(stage.place.path("lake/_agent.json")).expect("it is there");
    agent.line("was gone while this agent holds the lake");
    let after = until("it is put back", || stage.record());
    assert_eq!((&after["epoch"], &after["started_at"]), (&before["epoch"], &before["started_at"]));
    let agent = agent.stop();
    assert_eq!((agent.code, agent.number("left_in_spool")), (Some(0), 0), "{}", agent.err);
}
