//! Two agents where one belongs: on one spool the second is refused; on one lake an agent that was thought dead wakes up
//! after its successor has closed the hour, stops by itself, and nothing that a manifest lists has changed.

use std::collections::BTreeMap;

use rustix::process::Signal;
use tokio_util::sync::CancellationToken;

use crate::case::{Case, ThreeHours};
use crate::faults::Fault;
use crate::http::metric;
use crate::lake::{Lake, each_once};
use crate::oracle;
use crate::program::{Place, until};
use crate::simulator::Simulator;
use crate::streams::{V2, place};

#[test]
fn a_second_agent_on_a_spool_is_refused_and_the_first_goes_on() {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 100");
    let place = place(V2, &simulator, "");
    let first = place.start("run");
    first.line("connected");
    let second = place.ingest("run");
    assert_eq!(second.code, Some(2), "{}", second.err);
    assert!(second.err.contains("spool") && second.err.contains("another"), "{}", second.err);
    let status = first.status();
    let before = metric(&status, "cauce_records_accepted_total");
    until("the first goes on", || (metric(&status, "cauce_records_accepted_total") > before).then_some(()));
    assert_eq!(first.stop().code, Some(0));
}

/// The manifests and every object they list, by key.
fn closed(lake: &Lake) -> BTreeMap<String, Vec<u8>> {
    let mut objects = BTreeMap::new();
    for (hour, manifest) in lake.manifests() {
        let parts = ["objects", "messages"].into_iter().flat_map(|part| manifest[part].as_array().expect("a list"));
        let keys = parts.map(|object| object["key"].as_str().expect("a key").to_owned());
        for key in keys.chain([format!("_hours/{hour}.json")]) {
            objects.insert(key.clone(), lake.bytes(&key));
        }
    }
    objects
}

#[test]
fn an_agent_that_wakes_up_after_its_successor_closed_the_hour_changes_nothing_and_stops() {
    let Some(mut case) = Case::new(&ThreeHours::of(300, 3, "--plan enterprise"), "roll_count = 100") else {
        return;
    };
    // Its third object is on its way, somewhere in the network, when the first agent falls asleep.
    let wakes = CancellationToken::new();
    let held = wakes.clone();
    case.proxy.misbehave(move |asked| (asked.puts_object() && asked.puts >= 2).then(|| Fault::Hold(held.clone())));
    let first = case.place.start("run");
    until("an object is on its way", || (case.proxy.faults() >= 1).then_some(()));
    first.signal(Signal::STOP);

    case.place.set("CAUCE_SPOOL__DIR", "spool-2").set("CAUCE_LAKE__S3__ENDPOINT_URL", &Case::direct());
    let second = case.place.start("run --take-over");
    second.line("is taken over");
    case.wait_until_closed();
    let (before, keys) = (closed(&case.lake), case.lake.keys());

    wakes.cancel();
    until("the sleeper's object arrives", || (case.lake.keys().len() > keys.len()).then_some(()));
    first.signal(Signal::CONT);
    let first = first.end();
    assert_eq!(first.code, Some(5), "{}", first.err);
    assert!(first.err.contains("was taken over by a later start"), "{}", first.err);
    for (key, bytes) in before {
        assert!(case.lake.bytes(&key) == bytes, "{key} has changed");
    }
    let second = second.stop();
    assert_eq!((second.code, second.number("left_in_spool")), (Some(0), 0), "{}", second.err);
    each_once(oracle::listed(&case.lake).into_values().flatten().collect());

    let strays: Vec<String> = case.lake.keys().into_iter().filter(|key| !keys.contains(key)).collect();
    let verified = case.place.ingest("verify");
    assert_eq!(verified.code, Some(1), "{}", verified.out);
    let named = strays.iter().filter(|key| verified.out.contains(key.as_str())).count();
    assert!(named >= 1, "{strays:?} in\n{}", verified.out);
}
