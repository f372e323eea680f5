//! Several spools on one lake, on real S3 servers: whichever comes back, and whatever it was put back to, every tweet that
//! was accepted is listed once.

use std::collections::BTreeMap;
use std::path::Path;

use cauce_lake::store::servers::S3Server;

use crate::corpus::{expected, joined, mixed};
use crate::http::metric;
use crate::lake::{self, Lake, each_once, lines};
use crate::oracle;
use crate::program::{Place, Program, until};
use crate::simulator::Simulator;
use crate::streams::{self, V2};

/// SIGKILL.
const KILLED: Option<i32> = Some(9);
const HOUR: &str = "2025-11-20T05";

/// Tweets of one hour, each once.
fn tweets() -> Vec<Vec<u8>> {
    expected(&mixed(1_000, 1)).hours.into_values().flatten().collect()
}

/// A place whose agent reads `archive` into files of a hundred lines.
fn place(server: &S3Server, bucket: &str) -> Place {
    let mut place = Place::new();
    lake::introduce(&mut place, server);
    let lake = format!("url = \"s3://{bucket}\"\npartition_by = \"created_at\"\nroll_count = 100");
    let channel = "[channel]\ncapacity = 200\ntransaction_capacity = 50\n[spool]\nfsync_interval = \"1ms\"";
    place
        .write("cauce.toml", format!("[source]\ntype = \"files\"\npaths = [\"archive\"]\n{channel}\n[lake]\n{lake}\n"));
    place
}

/// Runs the agent until it is killed at a failpoint. It takes the lake at once: the last agent on another spool was killed too.
fn killed(place: &mut Place, at: &str) {
    let ended = place.set("INGEST_FAILPOINT", at).ingest("run --take-over");
    assert_eq!(ended.signal, KILLED, "{at} was not reached: {}", ended.err);
    place.set("INGEST_FAILPOINT", "none");
}

/// Every line is listed once, by the hour's manifest or a late one, and nothing lies there that is not listed.
#[track_caller]
fn assert_listed_once(lake: &Lake, place: &Place, mut wanted: Vec<Vec<u8>>) {
    let (mut listed, mut keys) = (Vec::new(), Vec::new());
    for (name, manifest) in lake.manifests() {
        assert!(name.starts_with(HOUR), "{name}");
        for object in manifest["objects"].as_array().expect("a manifest lists objects") {
            let key = object["key"].as_str().expect("an object has a key");
            listed.extend(lines(&lake.bytes(key)));
            keys.push(key.to_owned());
        }
    }
    let mut times: BTreeMap<&Vec<u8>, u32> = BTreeMap::new();
    listed.iter().for_each(|line| *times.entry(line).or_default() += 1);
    let twice = times.values().filter(|times| **times > 1).count();
    let missing = wanted.iter().filter(|line| !times.contains_key(line)).count();
    assert_eq!((missing, twice), (0, 0), "missing, and listed more than once, of {}: {keys:?}", wanted.len());
    listed.sort();
    wanted.sort();
    assert!(listed == wanted, "other lines than were read");
    let verified = place.done("verify").out;
    assert!(verified.contains(" 0 with problems"), "{verified}");
}

fn on_each_server(test: impl Fn(&S3Server)) {
    [lake::moto(), lake::go_s3()].into_iter().flatten().for_each(test);
}

#[test]
fn two_spools_that_take_turns_in_one_hour_list_every_tweet_once() {
    on_each_server(|server| {
        let bucket = lake::fresh_bucket(server);
        let lines = tweets();
        let mut places = [place(server, &bucket), place(server, &bucket)];
        for (place, half) in places.iter().zip(lines.chunks(lines.len() / 2)) {
            place.write("archive/a.json", joined(half));
        }
        let [a, b] = &mut places;
        killed(a, "upload.after-put:2");
        killed(b, "upload.after-put:2");
        // The first one comes back in the hour in which the other has stored something, and stores more itself.
        killed(a, "upload.after-put:1");
        let ended = b.done("run --take-over");
        assert_eq!(ended.number("left_in_spool"), 0, "{}", ended.err);
        let back = a.done("run --take-over");
        assert_eq!(back.number("left_in_spool"), 0, "{}", back.err);
        assert_eq!(b.done("run --take-over").number("left_in_spool"), 0);
        assert_listed_once(&Lake::bucket(server, &bucket), a, lines);
        assert!(back.err.contains("another spool"), "{}", back.err);
    });
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder is made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).expect("a file is copied");
        }
    }
}

#[test]
fn a_spool_put_back_to_an_earlier_state_lists_every_tweet_once() {
    // Put back while the hour is open, and after the spool itself has closed it.
    for goes_on_until in [Some("upload.after-put:4"), None] {
        on_each_server(|server| {
            let bucket = lake::fresh_bucket(server);
            let mut place = place(server, &bucket);
            let lines = tweets();
            place.write("archive/a.json", joined(&lines));
            killed(&mut place, "commit.synced:7");
            let (spool, kept) = (place.path("spool"), place.path("kept"));
            copy(&spool, &kept);
            match goes_on_until {
                Some(at) => killed(&mut place, at),
                None => drop(place.done("run --take-over")),
            }
            std::fs::remove_dir_all(&spool).expect("the spool is removed");
            copy(&kept, &spool);
            let ended = place.done("run --take-over");
            assert_eq!(ended.number("left_in_spool"), 0, "{}", ended.err);
            assert_listed_once(&Lake::bucket(server, &bucket), &place, lines);
        });
    }
}

/// Waits until an agent has accepted so many more tweets.
fn accepts_more(agent: &Program, tweets: f64) {
    let accepted = || metric(&agent.status(), "cauce_records_accepted_total");
    let before = accepted();
    until("tweets are accepted", || (accepted() >= before + tweets).then_some(()));
}

#[test]
fn tweets_that_two_agents_accepted_while_both_were_reading_are_listed_once() {
    // The first one comes back while the hour is open, and after the other has closed it.
    for closed in [false, true] {
        let stand_in = Place::new();
        let simulator = Simulator::start(&stand_in, "--rate 200 --plan enterprise --start 2025-11-20T05:00:00Z");
        let mut place = streams::place(V2, &simulator, "");
        let first = place.set("CAUCE_SPOOL__DIR", "spool-1").start("run");
        accepts_more(&first, 20.0);
        let second = place.set("CAUCE_SPOOL__DIR", "spool-2").start("run --take-over");
        second.line("the lake is ours");
        // Its next heartbeat, by which it learns that the lake is another's, is up to 15 seconds away.
        accepts_more(&second, 20.0);
        accepts_more(&first, 100.0);
        accepts_more(&second, 100.0);
        let of_first = metric(&first.status(), "cauce_records_accepted_total") as usize;
        let first = first.stop();
        assert_eq!(first.code, Some(5), "{}", first.err);
        let second = second.stop();
        assert_eq!(second.code, Some(0), "{}", second.err);
        let of_second = usize::try_from(second.number("tweets")).expect("small");

        if closed {
            place.done("close");
        }
        let back = place.set("CAUCE_SPOOL__DIR", "spool-1").done("close");
        place.set("CAUCE_SPOOL__DIR", "spool-2").done("close");

        let lake = Lake::folder(&place.path("lake"));
        // The manifest of an hour that is open counts them; an hour that is closed does not change.
        let counted: u64 = match closed {
            false => lake.manifests().values().filter_map(|manifest| manifest["duplicates"].as_u64()).sum(),
            true => {
                let count = |line: &str| line.split_once(" duplicates=")?.1.split(' ').next()?.parse().ok();
                back.err.lines().find_map(count).unwrap_or(0)
            }
        };
        assert!(counted >= 100, "{counted} duplicates are counted: {}", back.err);
        let listed = each_once(oracle::listed(&lake).into_values().flatten().collect());
        let sent = simulator.by_connection();
        for (connection, accepted) in [(1, of_first), (2, of_second)] {
            let lost = sent[&connection][..accepted].iter().filter(|id| listed.binary_search(id).is_err()).count();
            assert_eq!(lost, 0, "of {accepted} tweets that connection {connection} brought");
        }
        let verified = place.done("verify").out;
        assert!(verified.contains(" 0 with problems"), "{verified}");
    }
}
