//! Files through the program: the bytes stored are the bytes received, over all hours, whatever form they come in, how often
//! it runs and where it is killed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use cauce_lake::Hour;

use crate::corpus::{Expected, expected, joined, mixed, simulated};
use crate::http::metric;
use crate::lake::{Lake, lines};
use crate::program::{Ended, Place, until};

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("writing to memory")
}

/// A place that reads `archive` into `lake` by creation.
pub(crate) fn place(more: &str) -> Place {
    let place = Place::new();
    let lake = "[lake]\nurl = \"lake\"\npartition_by = \"created_at\"";
    place.write("cauce.toml", format!("[source]\ntype = \"files\"\npaths = [\"archive\"]\n{lake}\n{more}\n"));
    place
}

fn lake(place: &Place) -> Lake {
    Lake::folder(&place.path("lake"))
}

/// What is stored, in the oracle's form: by the hour that an object's number lies in.
fn stored(lake: &Lake) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut hours: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (key, bytes) in lake.objects() {
        assert!(!key.starts_with("late/"), "{key}: a first run has nothing that is late");
        let stamp = key.split('.').nth(1).and_then(|stamp| stamp.parse().ok());
        let hour = Hour::containing(stamp.unwrap_or_else(|| panic!("{key}")));
        hours.entry(hour.to_string()).or_default().extend(lines(&bytes));
    }
    hours.values_mut().for_each(|lines| lines.sort());
    hours
}

fn assert_stored(place: &Place, wanted: &Expected) {
    let lake = lake(place);
    let stored = stored(&lake);
    let counts =
        |hours: &BTreeMap<String, Vec<Vec<u8>>>| hours.iter().map(|(h, l)| (h.clone(), l.len())).collect::<Vec<_>>();
    assert_eq!(counts(&stored), counts(&wanted.hours));
    assert!(stored == wanted.hours, "as many lines, but others");
    let manifests = lake.manifests();
    assert!(manifests.keys().eq(wanted.hours.keys()), "{:?}", manifests.keys());
    for (hour, manifest) in &manifests {
        assert_eq!(manifest["tweets"], wanted.hours[hour].len(), "{hour}");
    }
    let verified = place.done("verify").out;
    let read = if wanted.hours.len() == 1 { "1 hour".to_owned() } else { format!("{} hours", wanted.hours.len()) };
    assert!(verified.contains(&format!("{read} read, 0 with problems")), "{verified}");
}

fn run(place: &Place) -> Ended {
    let ended = place.done("run");
    assert_eq!(ended.number("left_in_spool"), 0);
    ended
}

#[test]
fn every_line_is_stored_as_it_came_and_a_second_run_adds_nothing() {
    let lines = mixed(20_000, 6);
    let wanted = expected(&lines);
    let place = place("");
    place.write("archive/a.json", joined(&lines));
    let ended = run(&place);
    assert_eq!((ended.number("accepted"), ended.number("duplicates")), (20_400, 400));
    assert_eq!(wanted.repeats, 400);
    assert_stored(&place, &wanted);
    let before = lake(&place).keys();
    let again = run(&place);
    assert_eq!((again.number("accepted"), again.number("objects")), (0, 0), "{}", again.err);
    assert!(again.err.contains("file already read"), "{}", again.err);
    assert_eq!(lake(&place).keys(), before);
    assert_stored(&place, &wanted);
}

#[test]
fn the_stand_ins_tweets_are_told_apart_as_a_full_parse_would() {
    let lines = simulated();
    let wanted = expected(&lines);
    assert!(wanted.repeats > 700 && wanted.messages > 0, "{} {}", wanted.repeats, wanted.messages);
    let place = place("");
    place.write("archive/a.json", joined(&lines));
    let ended = run(&place);
    assert_eq!(ended.number("duplicates"), wanted.repeats);
    assert_stored(&place, &wanted);
    let lake = lake(&place);
    let messages = lake.keys().into_iter().filter(|key| key.contains("/_messages."));
    let messages: usize = messages.map(|key| crate::lake::lines(&lake.bytes(&key)).len()).sum();
    assert_eq!(messages as u64, wanted.messages);
}

#[test]
fn compressed_files_go_into_compressed_objects() {
    for (compression, extension) in [("gzip", ".json.gz"), ("zstd", ".json.zst")] {
        let lines = mixed(3_000, 4);
        let place = place(&format!("compression = \"{compression}\"\nroll_count = 200"));
        place.write("archive/a/1.json.gz", [gzip(&joined(&lines[..500])), gzip(&joined(&lines[500..1000]))].concat());
        place.write(
            "archive/a/2.json.zst",
            [zstd(&joined(&lines[1000..1500])), zstd(&joined(&lines[1500..2000]))].concat(),
        );
        // A last line without its end, and a name that says nothing.
        place.write("archive/b", joined(&lines[2000..]).strip_suffix(b"\n").expect("a line end"));
        run(&place);
        assert_stored(&place, &expected(&lines));
        let objects = lake(&place).objects();
        assert!(objects.len() >= 15, "{} objects", objects.len());
        assert!(objects.keys().all(|key| key.ends_with(extension)), "{:?}", objects.keys());
    }
}

#[test]
fn killed_in_the_middle_it_goes_on_where_it_was() {
    let lines = mixed(60_000, 8);
    let wanted = expected(&lines);
    let place = place("roll_count = 2000");
    place.write("archive/a.json", joined(&lines[..40_000]));
    place.write("archive/b.json.gz", gzip(&joined(&lines[40_000..])));
    let mut kills = 0;
    // Killed at the first lines, and again when the first file is nearly read.
    for threshold in [1.0, 30_000.0] {
        let agent = place.start("run");
        let status = agent.status();
        until("lines are accepted", || (metric(&status, "cauce_records_accepted_total") >= threshold).then_some(()));
        kills += u32::from(agent.kill().signal == Some(9));
    }
    assert_eq!(kills, 2, "it had ended before it was killed");
    let ended = run(&place);
    assert!(ended.err.contains("going on inside file"), "{}", ended.err);
    assert_stored(&place, &wanted);
}

#[test]
fn standard_input_goes_the_same_way() {
    let lines = mixed(2_000, 3);
    let place = Place::new();
    place.write("cauce.toml", "[source]\ntype = \"stdin\"\n[lake]\nurl = \"lake\"\npartition_by = \"created_at\"\n");
    place.write("input", zstd(&joined(&lines)));
    let script = format!("{} run < input", crate::program::INGEST);
    let ended = crate::program::Program::start(place.command("/bin/sh", &["-c", &script])).end();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_stored(&place, &expected(&lines));
}

/// Real tweets with other ids, times and texts, where the generator of this project's data is there.
#[test]
#[expect(clippy::print_stdout, reason = "a test that does not run must say so")]
fn real_tweets_are_stored_as_they_came() {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tools/gen_tweets.py");
    if !tool.is_file() {
        println!("skipped: no {}", tool.display());
        return;
    }
    let place = place("compression = \"zstd\"");
    place.write("archive/.hidden", "");
    let mut all = Vec::new();
    for (form, more) in [("v1", &["--ascii"][..]), ("v2", &[])] {
        let path = place.path(&format!("archive/{form}.json"));
        let made = Command::new("python3").arg(&tool).args([form, "--mb", "6", "--out"]).arg(&path).args(more).output();
        let made = made.expect("Python is there");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        all.extend(lines(&std::fs::read(&path).expect("the file is made")));
    }
    let wanted = expected(&all);
    run(&place);
    assert_stored(&place, &wanted);
}
