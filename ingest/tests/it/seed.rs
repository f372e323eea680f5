//! The old agent's `twitter.conf`, under Flume's name and command line, with nothing changed but credentials: against the
//! simulator and real S3 servers, and into a folder.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cauce_lake::Hour;
use cauce_lake::store::servers::S3Server;

use crate::http::{metric, text};
use crate::lake::{Lake, each_once, fresh_bucket, go_s3, moto};
use crate::program::{Ended, Place, Program, until, words};
use crate::simulator::Simulator;

pub(crate) const SEED: &str = include_str!("../../src/config/flume/testdata/twitter.conf");
/// Flume's own command line, as it stands in the old unit file.
pub(crate) const LINE: &str = "agent -n TwitterAgent -c conf -f twitter.conf -Dflume.root.logger=INFO,console";
const WIRING: &str =
    "TwitterAgent.sources.Twitter.channels = MemChannel\nTwitterAgent.sinks.s3hdfs.channel = MemChannel\n";

/// The seed with the simulator's credentials in it.
pub(crate) fn seed() -> String {
    SEED.replace("<twitter-consumer-key>", "sim-consumer-key")
        .replace("<twitter-consumer-secret>", "sim-consumer-secret")
        .replace("<twitter-access-token>", "sim-access-token")
        .replace("<twitter-access-token-secret>", "sim-access-token-secret")
}

/// The seed for a bucket, with AWS's keys in its path as the old Hadoop took them.
fn seed_for(key: &str, secret: &str, bucket: &str) -> String {
    seed().replace("<aws-access-key-id>", key).replace("<aws-secret-access-key>", secret).replace("<bucket>", bucket)
}

fn faster(conf: &str) -> String {
    format!("{conf}\nTwitterAgent.sinks.s3hdfs.hdfs.rollInterval = 1\n")
}

/// A place in which the agent finds the simulator and the server.
fn place_for(server: &S3Server, simulator: &Simulator) -> Place {
    let mut place = Place::new();
    place
        .set("CAUCE_SOURCE__BASE_URL", &simulator.url)
        .set("CAUCE_LAKE__S3__ENDPOINT_URL", &server.endpoint)
        .set("AWS_REGION", &server.region);
    place
}

fn start(place: &Place) -> Program {
    Program::start(place.command(place.flume_ng(), &words(LINE)))
}

/// What is secret in a seed: none of it may be shown anywhere.
fn secrets(secret: &str) -> Vec<String> {
    let x = ["sim-consumer-key", "sim-consumer-secret", "sim-access-token", "sim-bearer-token"].map(str::to_owned);
    let encoded = secret.replace('/', "%2F").replace('+', "%2B");
    x.into_iter().chain([secret.to_owned(), encoded]).collect()
}

/// The command line, the logs and the spool without any secret in them.
fn assert_hidden(secrets: &[String], cmdline: &[u8], ended: &Ended, place: &Place) {
    for secret in secrets {
        let is_in = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!is_in(cmdline), "{secret} in the process list");
        assert!(!is_in(ended.err.as_bytes()) && !is_in(ended.out.as_bytes()), "{secret} in\n{}", ended.err);
        let spool = std::fs::read_dir(place.path("spool")).expect("the spool is there");
        for file in spool.map(|entry| entry.expect("the spool is read").path()).filter(|path| path.is_file()) {
            assert!(!is_in(&std::fs::read(&file).expect("a file is read")), "{secret} in {}", file.display());
        }
    }
}

fn cmdline(program: &Program) -> Vec<u8> {
    std::fs::read(format!("/proc/{}/cmdline", program.pid())).expect("the process runs")
}

/// Objects are `MM-DD-HH/tweets.<epoch-ms>.json`, the number inside the hour that the folder names; gives the numbers.
fn stamps(keys: &BTreeSet<String>) -> Vec<i64> {
    let objects = keys.iter().filter(|key| *key != "_agent.json" && !key.starts_with("_hours/"));
    objects
        .map(|key| {
            let (folder, name) = key.split_once('/').unwrap_or_else(|| panic!("{key} lies in no folder"));
            let stamp = name.strip_prefix("tweets.").and_then(|rest| rest.strip_suffix(".json")?.parse::<i64>().ok());
            let stamp = stamp.unwrap_or_else(|| panic!("{key} is no name of an object"));
            // 2026-11-22T05 without its year, with hyphens.
            let hour = Hour::containing(stamp).to_string()[5..].replace('T', "-");
            assert_eq!(folder, hour, "{key}");
            stamp
        })
        .collect()
}

/// Every tweet that was accepted is stored, in the order in which it was sent, and nothing twice.
fn assert_all_stored(lake: &Lake, simulator: &Simulator, accepted: u64) {
    let stored = each_once(lake.ids());
    assert_eq!(stored.len() as u64, accepted);
    let sent: Vec<u64> = simulator.truth().iter().map(|sent| sent.id).collect();
    let accepted = usize::try_from(accepted).expect("a small number");
    assert_eq!(stored, each_once(sent[..accepted].to_vec()), "stored is what was sent first");
}

/// Streams into a bucket with a roll a second, stops, and looks at everything the seed's owner would look at.
fn streams_into(server: &S3Server, key: &str, secret: &str, wiring: &str) {
    let bucket = fresh_bucket(server);
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 200");
    let place = place_for(server, &simulator);
    place.write("twitter.conf", faster(&seed_for(key, secret, &bucket)) + wiring);
    let lake = Lake::bucket(server, &bucket);
    let listing = lake.watch();

    let agent = start(&place);
    let status = agent.status();
    let shown = cmdline(&agent);
    until("three objects are stored", || (metric(&status, "cauce_objects_stored_total") >= 3.0).then_some(()));
    let before = metric(&status, "cauce_records_accepted_total") as u64;
    let ended = agent.stop();

    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(ended.number("left_in_spool"), 0);
    let accepted = ended.number("accepted");
    assert!(accepted >= before && before > 0);
    assert_all_stored(&lake, &simulator, accepted);
    let seen = listing.end();
    stamps(&seen);
    let left: BTreeSet<String> = lake.keys().into_iter().collect();
    assert!(seen.is_subset(&left), "something was there for a while: {seen:?} {left:?}");
    assert_hidden(&secrets(secret), &shown, &ended, &place);
    assert_eq!(ended.err.contains("wired"), wiring.is_empty(), "{}", ended.err);
}

#[test]
fn with_its_channel_wired_it_streams_into_a_server_that_checks_signatures() {
    let Some(server) = go_s3() else { return };
    streams_into(server, &server.access_key, &server.secret, WIRING);
}

#[test]
fn without_wiring_and_with_an_awkward_secret_it_streams_into_another_server() {
    let Some(server) = moto() else { return };
    streams_into(server, "PLANTEDKEY", "planted/se+cret/with+signs", "");
}

#[test]
fn unchanged_it_rolls_every_thirty_seconds() {
    let Some(server) = moto() else { return };
    let bucket = fresh_bucket(server);
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 20");
    let place = place_for(server, &simulator);
    place.write("twitter.conf", seed_for("PLANTEDKEY", "planted/se+cret", &bucket));
    let agent = start(&place);
    let status = agent.status();
    until("tweets are accepted", || (metric(&status, "cauce_records_accepted_total") >= 1.0).then_some(()));
    let began = Instant::now();
    let hour = Hour::containing(jiff::Timestamp::now().as_millisecond());
    until("the first object is stored", || (metric(&status, "cauce_objects_stored_total") >= 1.0).then_some(()));
    let age = began.elapsed();
    let now = Hour::containing(jiff::Timestamp::now().as_millisecond());
    // The end of an hour rolls too.
    assert!(hour != now || age > Duration::from_secs(28), "rolled at {age:?}");
    assert!(age < Duration::from_secs(50), "rolled at {age:?}");
    let ended = agent.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let lake = Lake::bucket(server, &bucket);
    assert_all_stored(&lake, &simulator, ended.number("accepted"));
    assert!(stamps(&lake.keys().into_iter().collect()).len() >= 2);
}

#[test]
fn it_takes_a_folder_for_its_path() {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 200");
    let mut place = Place::new();
    place.set("CAUCE_SOURCE__BASE_URL", &simulator.url);
    let folder = place.path("lake");
    let conf = faster(&seed())
        .replace("s3n://<aws-access-key-id>:<aws-secret-access-key>@<bucket>", &format!("file://{}", folder.display()));
    place.write("twitter.conf", conf);
    std::fs::create_dir(&folder).expect("a folder is made");
    let lake = Lake::folder(&folder);
    let listing = lake.watch();
    let agent = start(&place);
    let status = agent.status();
    until("two objects are stored", || (metric(&status, "cauce_objects_stored_total") >= 2.0).then_some(()));
    let ended = agent.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_all_stored(&lake, &simulator, ended.number("accepted"));
    stamps(&listing.end());
}

#[test]
fn on_request_it_serves_the_old_monitoring() {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 100");
    let mut place = Place::new();
    place.set("CAUCE_SOURCE__BASE_URL", &simulator.url).set("CAUCE_LAKE__URL", "lake");
    place.write("twitter.conf", seed().replace("<aws-access-key-id>:<aws-secret-access-key>@<bucket>", "bucket"));
    let line = format!("{LINE} -Dflume.monitoring.type=http -Dflume.monitoring.port=0");
    let agent = Program::start(place.command(place.flume_ng(), &words(&line)));
    let said = agent.line("Flume's JSON");
    let address = said.split("address=").nth(1).expect("the address is said").trim();
    until("events are accepted", || {
        let report: serde_json::Value = serde_json::from_str(&text(&format!("{address}/metrics"))).expect("JSON");
        let accepted = report["SOURCE.Twitter"]["EventAcceptedCount"].as_str().expect("Flume's values are texts");
        if accepted == "0" {
            return None;
        }
        assert_eq!(report["CHANNEL.MemChannel"]["ChannelCapacity"], "10000", "{report}");
        assert_eq!(report["SINK.s3hdfs"]["Type"], "SINK", "{report}");
        Some(())
    });
    assert_eq!(agent.stop().code, Some(0));
}

#[test]
fn placeholders_left_as_they_are_come_from_the_environment() {
    let Some(server) = go_s3() else { return };
    let bucket = fresh_bucket(server);
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 100 --count 50");
    let mut place = place_for(server, &simulator);
    place.write("twitter.conf", SEED.replace("<bucket>", &bucket));
    let missing = Program::start(place.command(place.flume_ng(), &words(LINE))).end();
    assert_eq!(missing.code, Some(2));
    for name in ["X_CONSUMER_KEY", "X_CONSUMER_SECRET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        assert!(missing.err.contains(name), "{name}: {}", missing.err);
    }
    place.set("X_CONSUMER_KEY", "sim-consumer-key").set("X_CONSUMER_SECRET", "sim-consumer-secret");
    place.set("AWS_ACCESS_KEY_ID", &server.access_key).set("AWS_SECRET_ACCESS_KEY", &server.secret);
    let agent = start(&place);
    let status = agent.status();
    until("all are accepted", || (metric(&status, "cauce_records_accepted_total") >= 50.0).then_some(()));
    assert_eq!(agent.stop().code, Some(0));
    assert_all_stored(&Lake::bucket(server, &bucket), &simulator, 50);
}
