//! Stores that cannot be used: exit code 4, what is wrong and what to do said, and everything accepted kept.

use crate::corpus::{expected, joined, mixed};
use crate::http::metric;
use crate::lake::{Lake, fresh_bucket, go_s3, introduce, moto};
use crate::program::{Ended, Place, Program, until};
use crate::proxy::Proxy;

/// A place that reads `archive` into a bucket.
fn place(url: &str) -> Place {
    let mut place = Place::new();
    // Nobody is to look for an instance's role.
    place.set("AWS_EC2_METADATA_DISABLED", "true");
    let lake = format!("[lake]\nurl = \"{url}\"\npartition_by = \"created_at\"");
    place.write("cauce.toml", format!("[source]\ntype = \"files\"\npaths = [\"archive\"]\n{lake}\n"));
    place.write("archive/a.json", joined(&mixed(500, 2)));
    place
}

#[track_caller]
fn assert_refused(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    let last = ended.err.lines().last().expect("a line");
    for part in parts {
        assert!(last.contains(part), "{part} is missing in {last}");
    }
}

/// After what was wrong is put right the same input is stored whole.
#[track_caller]
fn assert_stores_all(place: &Place, lake: &Lake) {
    place.done("run");
    let mut stored = lake.lines();
    let mut wanted: Vec<Vec<u8>> = expected(&mixed(500, 2)).hours.into_values().flatten().collect();
    stored.sort();
    wanted.sort();
    assert!(stored == wanted, "{} lines of {}", stored.len(), wanted.len());
    assert!(place.done("verify").out.contains(" 0 with problems"));
}

#[test]
fn a_bucket_that_is_not_there_is_named() {
    for server in [moto(), go_s3()].into_iter().flatten() {
        let mut place = place("s3://no-such-bucket/x");
        introduce(&mut place, server);
        for line in ["run", "hours", "verify"] {
            let ended = place.ingest(line);
            assert_refused(&ended, &["no-such-bucket", &server.endpoint, "create it or correct lake.url"]);
        }
    }
}

#[test]
fn wrong_keys_are_said_and_never_shown() {
    // The other server takes any keys.
    let Some(server) = go_s3() else { return };
    let bucket = fresh_bucket(server);
    let mut place = place(&format!("s3://{bucket}"));
    introduce(&mut place, server);
    for (name, value) in [("AWS_SECRET_ACCESS_KEY", "planted-secret"), ("AWS_ACCESS_KEY_ID", "PLANTEDID")] {
        place.set(name, value);
        for line in ["run", "hours"] {
            let ended = place.ingest(line);
            assert_refused(&ended, &["AWS_ACCESS_KEY_ID"]);
            assert!(!ended.err.contains("planted-secret"), "{}", ended.err);
        }
    }
    introduce(&mut place, server);
    assert_stores_all(&place, &Lake::bucket(server, &bucket));
}

#[test]
fn no_region_and_no_keys_are_said_each() {
    let Some(server) = moto() else { return };
    let mut place = place("s3://bucket");
    place.set("CAUCE_LAKE__S3__ENDPOINT_URL", &server.endpoint).set("AWS_REGION", &server.region);
    assert_refused(&place.ingest("run"), &["no credentials", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]);
    let mut place = self::place("s3://bucket");
    place.set("AWS_ACCESS_KEY_ID", "x").set("AWS_SECRET_ACCESS_KEY", "y");
    let ended = place.ingest("run");
    assert_refused(&ended, &["region", "lake.s3.region"]);
}

#[test]
fn a_store_that_is_down_at_start_is_waited_for() {
    let Some(server) = moto() else { return };
    let bucket = fresh_bucket(server);
    let mut proxy = Proxy::closed(server);
    let mut place = place(&format!("s3://{bucket}"));
    introduce(&mut place, server);
    place.set("CAUCE_LAKE__S3__ENDPOINT_URL", &proxy.endpoint());
    let agent = place.start("run");
    let line = agent.line("it is tried again");
    assert!(line.contains("is the server up and the address right") && line.contains(&proxy.endpoint()), "{line}");
    proxy.open();
    assert_eq!(agent.end().code, Some(0));
    assert_stores_all(&place, &Lake::bucket(server, &bucket));
}

#[test]
fn a_store_that_stays_down_is_a_failure_and_a_signal_ends_the_wait() {
    let Some(server) = moto() else { return };
    let proxy = Proxy::closed(server);
    let mut place = place("s3://bucket");
    introduce(&mut place, server);
    place.set("CAUCE_LAKE__S3__ENDPOINT_URL", &proxy.endpoint());
    let agent = place.start("run");
    agent.line("it is tried again");
    assert_eq!(agent.stop().code, Some(0));
    assert_refused(&place.ingest("run"), &[&proxy.endpoint(), "is the server up"]);
    assert_refused(&place.ingest("hours"), &[&proxy.endpoint(), "is the server up"]);
}

#[test]
fn a_store_that_ignores_conditions_is_refused_until_it_is_allowed() {
    let Some(server) = moto() else { return };
    let bucket = fresh_bucket(server);
    let proxy = Proxy::without_conditions(server);
    let mut place = place(&format!("s3://{bucket}"));
    introduce(&mut place, server);
    place.set("CAUCE_LAKE__S3__ENDPOINT_URL", &proxy.endpoint());
    let ended = place.ingest("run");
    assert_refused(&ended, &[&bucket, "ignores If-None-Match", "lake.allow_unsafe_store = true"]);
    let lake = Lake::bucket(server, &bucket);
    assert_eq!(lake.keys(), ["_agent.json"]);

    place.set("CAUCE_LAKE__ALLOW_UNSAFE_STORE", "true");
    assert_stores_all(&place, &lake);
    let manifests = lake.manifests();
    assert!(!manifests.is_empty() && manifests.values().all(|manifest| manifest["guarantee"] == "unsafe-store"));
}

#[test]
fn a_store_that_goes_away_fills_the_spool_and_nothing_is_lost() {
    let Some(server) = moto() else { return };
    let bucket = fresh_bucket(server);
    let mut proxy = Proxy::closed(server);
    proxy.open();
    let mut place = place(&format!("s3://{bucket}"));
    introduce(&mut place, server);
    place.set("CAUCE_LAKE__S3__ENDPOINT_URL", &proxy.endpoint());
    // Goes away when the agent has begun: the input comes from a pipe that is filled then.
    let script = format!("{} run --source stdin --set spool.max_bytes=16MiB < pipe", crate::program::INGEST);
    rustix::fs::mknodat(rustix::fs::CWD, place.path("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .expect("a pipe is made");
    place.set("CAUCE_LAKE__ROLL_COUNT", "1000").set("CAUCE_AGENT__DRAIN_TIMEOUT", "2s");
    let lines = mixed(40_000, 2);
    let bytes = joined(&lines);
    let path = place.path("pipe");
    let agent = Program::start(place.command("/bin/sh", &["-c", &format!("exec {script}")]));
    let (feed, fed) = std::sync::mpsc::channel::<()>();
    let feeder = std::thread::spawn(move || {
        let mut pipe = std::fs::OpenOptions::new().write(true).open(path).expect("the agent opens the other end");
        fed.recv().expect("the test goes on");
        // Ends early when the agent stops reading.
        let _ = std::io::Write::write_all(&mut pipe, &bytes);
    });
    let status = agent.status();
    agent.line("the lake is ours");
    proxy.set_away(true);
    feed.send(()).expect("the feeder waits");
    agent.line("the spool is full");
    let errors = || metric(&status, "cauce_store_up") == 0.0;
    until("the store is said to be away", || errors().then_some(()));
    let ended = agent.stop();
    feeder.join().expect("it ends");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.number("left_in_spool") > 0 && ended.number("objects") == 0, "{}", ended.err);

    // The next start stores what is in the spool, and nothing else of that input.
    proxy.set_away(false);
    std::fs::remove_file(place.path("archive/a.json")).expect("it is there");
    place.write("archive/empty.json", "");
    place.done("run");
    let stored = Lake::bucket(server, &bucket).lines().len() as u64;
    assert_eq!(stored, ended.number("accepted") - ended.number("duplicates"), "{}", ended.err);
}
