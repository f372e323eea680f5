//! Machines that do not play along: full and read-only disks, ports and spools in use, two agents on one lake, manifests
//! that point elsewhere.

use crate::corpus::{expected, joined, mixed};
use crate::disk::{can_mount, shell, with_disk};
use crate::files;
use crate::http::metric;
use crate::lake::Lake;
use crate::program::{INGEST, Place, until};
use crate::simulator::Simulator;

fn lake(place: &Place) -> Lake {
    Lake::folder(&place.path("lake"))
}

fn sorted(mut lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    lines.sort();
    lines
}

fn wanted(lines: &[Vec<u8>]) -> Vec<Vec<u8>> {
    sorted(expected(lines).hours.into_values().flatten().collect())
}

#[test]
fn a_file_limit_ends_it_and_what_was_accepted_is_stored_by_the_next_start() {
    let lines = mixed(20_000, 2);
    let place = files::place("");
    place.write("archive/a.json", joined(&lines));
    // In blocks of 512 bytes. Without the trap the signal would end it, and not what the disk says.
    let ended = shell(&place, &format!("trap '' XFSZ; ulimit -f 4000; exec {INGEST} run"));
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let last = ended.err.lines().last().expect("a line");
    assert!(last.contains("spool") && last.to_lowercase().contains("file too large"), "{last}");
    place.done("run");
    assert!(sorted(lake(&place).lines()) == wanted(&lines));
    assert!(place.done("verify").out.contains(" 0 with problems"));
}

#[test]
fn on_a_full_disk_the_source_is_held_back_and_with_room_it_goes_on() {
    let lines = mixed(20_000, 2);
    let mut place = files::place("");
    if !can_mount(&place, "spool") {
        return;
    }
    place.write("archive/a.json", joined(&lines));
    let script = format!(
        "mount -t tmpfs -o size=64m tmpfs spool; head -c 60M /dev/zero > spool/ballast; \
         {INGEST} run --spool-dir spool/own 2>said & pid=$!; \
         until grep -q 'held back' said; do kill -0 $pid || exit 9; done; \
         rm spool/ballast; wait $pid; echo code $?; cat said >&2"
    );
    let ended = with_disk(&mut place, &script);
    assert_eq!(ended.out, "code 0\n", "{}", ended.err);
    assert!(ended.err.contains("disk_full=true") && ended.err.contains("has room again"), "{}", ended.err);
    assert!(sorted(lake(&place).lines()) == wanted(&lines));
    assert!(place.done("verify").out.contains(" 0 with problems"));
}

#[test]
fn a_stop_with_a_full_disk_and_a_store_that_takes_nothing_is_in_order_and_the_next_start_goes_on() {
    // More than the spool's disk holds, so that the source is held back in the middle of the file.
    let lines = mixed(120_000, 2);
    let mut place = files::place("roll_count = 2000\n[channel]\ncapacity = 20000\n[agent]\ndrain_timeout = \"1s\"");
    if !can_mount(&place, "spool") || !can_mount(&place, "lake") {
        return;
    }
    place.write("archive/a.json", joined(&lines));
    // Once the source is held back, another program takes all that is left of the spool's disk.
    let script = format!(
        "mount -t tmpfs -o size=48m tmpfs spool; mount -t tmpfs -o size=64k tmpfs lake; \
         {INGEST} run --spool-dir spool/own 2>said & pid=$!; \
         until grep -q 'held back' said; do kill -0 $pid || exit 9; done; \
         cat /dev/zero > spool/ballast; kill $pid; wait $pid; echo code $?; cat said >&2; \
         rm spool/ballast; umount lake; \
         {INGEST} run --spool-dir spool/own --take-over 2>said; echo code $?; cat said >&2"
    );
    let ended = with_disk(&mut place, &script);
    assert_eq!(ended.out, "code 0\ncode 0\n", "{}", ended.err);
    assert!(ended.err.contains("it was not accepted and is dropped"), "{}", ended.err);
    assert!(sorted(lake(&place).lines()) == wanted(&lines));
    assert!(place.done("verify").out.contains(" 0 with problems"));
}

#[test]
fn a_read_only_disk_is_said() {
    let mut place = files::place("");
    if !can_mount(&place, "spool") {
        return;
    }
    place.write("archive/a.json", joined(&mixed(10, 1)));
    let ended = with_disk(&mut place, &format!("mount -t tmpfs -o ro,mode=0700 tmpfs spool; exec {INGEST} run"));
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let last = ended.err.lines().last().expect("a line");
    assert!(last.contains("spool") && last.contains("the disk is read-only: mount it for writing"), "{last}");
    assert!(!place.path("lake").exists() || lake(&place).keys().is_empty());
}

#[test]
fn a_spool_where_a_file_lies_is_said() {
    let place = files::place("");
    place.write("archive/a.json", "").write("spool", "no folder");
    let ended = place.ingest("run");
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.lines().last().expect("a line").contains("spool"), "{}", ended.err);
}

#[test]
fn open_files_that_fill_the_spool_are_rolled() {
    let lines = mixed(40_000, 2);
    let place = files::place("roll_interval = 0\nroll_bytes = 0\n[spool]\nmax_bytes = \"16MiB\"");
    place.write("archive/a.json", joined(&lines));
    let ended = place.done("run");
    assert!(ended.err.contains("the spool is full") && ended.err.contains("has room again"), "{}", ended.err);
    assert!(sorted(lake(&place).lines()) == wanted(&lines));
}

#[test]
fn a_port_in_use_is_named_with_its_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound socket").to_string();
    let place = files::place("");
    place.write("archive/a.json", "");
    let ended = place.ingest(&format!("run --set status.listen={address}"));
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    for part in [&address, "port in use", "status.listen"] {
        assert!(ended.err.contains(part), "{part}: {}", ended.err);
    }
    let ended = place.ingest(&format!("simulate --listen {address}"));
    assert_ne!(ended.code, Some(0));
    assert!(ended.err.contains(&address), "{}", ended.err);
}

/// A stream into `lake`, by an agent with its own spool.
fn stream(place: &Place, simulator: &Simulator, spool: &str, id: &str) -> String {
    let name = format!("{spool}-{id}.toml");
    place.write(
        &name,
        format!(
            "[agent]\nid = \"{id}\"\n[source]\ntype = \"x-v2\"\nbase_url = \"{}\"\nbearer_token = \"sim-bearer-token\"\n\
             keywords = [\"#Trump\"]\n[spool]\ndir = \"{spool}\"\n[lake]\nurl = \"lake\"\nroll_interval = \"1s\"\n",
            simulator.url
        ),
    );
    format!("run -c {name}")
}

#[test]
fn a_second_agent_on_the_spool_is_refused() {
    let place = Place::new();
    let simulator = Simulator::start(&place, "--rate 50");
    let line = stream(&place, &simulator, "spool", "one");
    let first = place.start(&line);
    let status = first.status();
    until("tweets come", || (metric(&status, "cauce_records_accepted_total") > 0.0).then_some(()));
    let second = place.ingest(&line);
    assert_eq!(second.code, Some(2), "{}", second.err);
    let last = second.err.lines().last().expect("a line");
    assert!(last.contains("in use by another agent") && last.contains("spool.dir"), "{last}");
    let ended = first.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(lake(&place).ids().len() as u64, ended.number("accepted"));
}

#[test]
fn a_second_agent_on_the_lake_is_refused_and_one_that_is_told_to_takes_over() {
    let place = Place::new();
    let simulator = Simulator::start(&place, "--rate 50 --plan enterprise");
    let first = place.start(&stream(&place, &simulator, "spool-a", "one"));
    let status = first.status();
    until("an object is stored", || (metric(&status, "cauce_objects_stored_total") > 0.0).then_some(()));

    let other = place.ingest(&stream(&place, &simulator, "spool-b", "two"));
    assert_eq!(other.code, Some(2), "{}", other.err);
    let last = other.err.lines().last().expect("a line");
    assert!(last.contains("belongs to agent \"one\"") && last.contains("another prefix"), "{last}");

    // The same id from another spool: the machine was thought dead. The first one stops, with all it has in its spool.
    let heir = place.start(&format!("{} --take-over", stream(&place, &simulator, "spool-b", "one")));
    heir.line("the lake is ours");
    let first = first.end();
    assert_eq!(first.code, Some(5), "{}", first.err);
    let last = first.err.lines().last().expect("a line");
    assert!(last.contains("taken over by a later start") && last.contains("in its spool"), "{last}");
    let status = heir.status();
    until("the heir stores", || (metric(&status, "cauce_objects_stored_total") > 0.0).then_some(()));
    assert_eq!(heir.stop().code, Some(0));
}

#[test]
fn a_manifest_that_points_elsewhere_is_not_followed() {
    let lines = mixed(2_000, 2);
    let place = files::place("");
    place.write("archive/a.json", joined(&lines)).write("secret.json", "{\"planted\":1}\n");
    place.done("run");
    let name = "lake/_hours/2025-11-20T05.json";
    let good = std::fs::read_to_string(place.path(name)).expect("the hour is closed");
    let manifest: serde_json::Value = serde_json::from_str(&good).expect("JSON");
    let own = manifest["objects"][0]["key"].as_str().expect("a key").to_owned();
    for key in ["../secret.json", "/etc/hostname", "11-20-05/../../secret.json", "_agent.json"] {
        place.write(name, good.replace(&own, key));
        for line in ["cat 2025-11-20T05", "verify", "hours", "hours --json"] {
            let ended = place.ingest(line);
            assert_eq!(ended.code, Some(1), "{line} with {key}: {}{}", ended.out, ended.err);
            let said = format!("{}{}", ended.out, ended.err);
            assert!(said.contains("_hours/2025-11-20T05.json"), "{line} with {key}: {said}");
            assert!(!said.contains("planted"), "{line} with {key}: {said}");
        }
        // The other hour is read all the same.
        assert!(!place.done("cat 2025-11-20T06").out.is_empty());
    }
    // An agent goes on beside it: it reads no objects of manifests.
    place.write("archive/b.json", "");
    place.done("run");
}
