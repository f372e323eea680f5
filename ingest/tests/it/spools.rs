//! Several spools on one lake, on real S3 servers: whichever comes back, and whatever it was put back to, every tweet that
//! was accepted is listed once.

use std::collections::BTreeMap;
use std::path::Path;

use cauce_lake::store::servers::S3Server;

use crate::corpus::{expected, joined, mixed};
use crate::lake::{self, Lake, lines};
use crate::program::Place;

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
