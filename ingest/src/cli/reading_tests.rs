//! `hours`, `cat` and `verify` as they are typed, on lakes in local folders.

use std::io::{self, Write};

use cauce_lake::catalogue::fixture::{
    closed_hour, late_tweets, manifest, object, object_name, pattern, put, put_manifest, tweets,
};
use cauce_lake::manifest::{Codec, Gap};
use cauce_lake::pattern::Escapes;
use cauce_lake::store::local::LocalStore;
use cauce_lake::{Hour, Pattern};
use clap::Parser;
use tempfile::TempDir;

use super::lake_args::{Step, ends_quietly};
use super::{Cli, Command, Exit, cat, hours, rejects, verify};
use crate::config::Outside;

/// What a command wrote and how it ended.
struct Answer {
    out: String,
    err: String,
    end: Result<(), (Exit, String)>,
}

/// Runs a command line over these variables.
async fn ingest(line: &[&str], outside: &Outside) -> Answer {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let end = run(line, outside, &mut out, &mut err).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Answer {
        out: text(out),
        err: text(err),
        end: end.map_err(|failure| (failure.exit, format!("{:#}", failure.error))),
    }
}

async fn run(line: &[&str], outside: &Outside, out: &mut dyn Write, err: &mut dyn Write) -> Step {
    let cli = Cli::try_parse_from([&["ingest"], line].concat()).expect("a possible command line");
    match cli.command {
        Command::Hours(args) => hours::hours(&args, outside, out, err).await,
        Command::Cat(args) => cat::cat(&args, outside, out, err).await,
        Command::Rejects(args) => rejects::rejects(&args, outside, out, err).await,
        Command::Verify(args) => verify::verify(&args, outside, out, err).await,
        _ => panic!("{line:?} is no reading command"),
    }
}

fn hour(text: &str) -> Hour {
    text.parse().expect("an hour")
}

fn yearless() -> Pattern {
    pattern("%m-%d-%h", Escapes::Cauce)
}

/// Two years of one folder, an empty hour with a gap, an open hour, late tweets.
async fn lake() -> (TempDir, LocalStore) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = LocalStore::new(folder.path().to_owned());
    let pattern = yearless();
    closed_hour(&store, &pattern, hour("2025-11-22T05"), 1..4, Codec::Gzip).await;
    closed_hour(&store, &pattern, hour("2026-11-22T05"), 10..12, Codec::Zstd).await;
    late_tweets(&store, &pattern, hour("2026-11-22T05"), [19], 1).await;
    let mut empty = manifest(hour("2026-11-22T06"), vec![]);
    empty.gaps.push(Gap {
        from: "2026-11-22T06:00:00Z".parse().expect("a time"),
        to: Some("2026-11-22T07:00:00Z".parse().expect("a time")),
        cause: "agent-stopped".to_owned(),
        repaired_by: None,
        tweets: 0,
    });
    empty.rejects = 2;
    empty.undelivered = 7;
    empty.message_counts = [("limit".to_owned(), 1)].into();
    put_manifest(&store, &empty, None).await;
    object(&store, &object_name(&pattern, hour("2026-11-22T07"), 1), &tweets([30]), Codec::None).await;
    (folder, store)
}

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().expect("a path of text")
}

#[tokio::test]
async fn the_table_is_for_people() {
    let (folder, _) = lake().await;
    let answer = ingest(&["hours", "--lake", path(&folder)], &Outside::default()).await;
    assert_eq!((answer.end, answer.err.as_str()), (Ok(()), ""));
    let rows: Vec<Vec<&str>> = answer.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["hour", "state", "tweets", "objects", "bytes", "gaps", "late", "rejects"]);
    let cells = |row: usize| {
        let [.., late, rejects] = rows[row][..] else { panic!("{rows:?}") };
        (rows[row][0], rows[row][1], rows[row][2], rows[row][3], late, rejects)
    };
    assert_eq!(cells(1), ("2025-11-22T05", "closed", "3", "1", "0", "0"));
    assert_eq!(cells(2), ("2026-11-22T05", "closed", "2", "1", "1", "0"));
    assert_eq!(cells(3), ("2026-11-22T06", "closed", "0", "0", "0", "2"));
    assert_eq!(cells(4), ("2026-11-22T07", "open", "-", "1", "0", "0"));
    let total = answer.out.lines().last().expect("a line");
    assert!(total.starts_with("3 closed, 1 open; 5 tweets in closed hours; 3 objects, "), "{total}");
    assert!(total.ends_with("; 1 gaps; 1 late tweets; 2 rejects"), "{total}");
    let numbers: Vec<usize> = answer.out.lines().take(5).map(str::len).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] == pair[1]), "numbers stand below each other:\n{}", answer.out);
}

#[tokio::test]
async fn json_is_one_array_of_the_promised_names() {
    let (folder, _) = lake().await;
    let line = ["hours", "--json", "2026-11-22T05..2026-11-22T08", "--lake", path(&folder)];
    let answer = ingest(&line, &Outside::default()).await;
    assert_eq!(answer.end, Ok(()));
    let array: serde_json::Value = serde_json::from_str(&answer.out).expect("JSON");
    let array = array.as_array().expect("an array");
    let (first, more) = (
        ["hour", "granularity", "closed", "objects", "tweets", "bytes", "gaps", "late"],
        ["rejects", "undelivered", "messages"],
    );
    let names = [&first[..], &more].concat();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    for entry in array {
        let mut keys: Vec<&str> = entry.as_object().expect("an object").keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, sorted);
    }
    let short = |n: usize| {
        let entry = &array[n];
        (entry["hour"].as_str(), entry["closed"].as_bool(), entry["objects"].as_u64(), entry["tweets"].as_u64())
    };
    assert_eq!(array.len(), 3);
    assert_eq!(short(0), (Some("2026-11-22T05"), Some(true), Some(1), Some(2)));
    assert_eq!(short(2), (Some("2026-11-22T07"), Some(false), Some(1), None));
    assert_eq!(array[0]["late"], 1);
    assert_eq!(array[1]["gaps"][0]["cause"], "agent-stopped");
    let nothing = ingest(&["hours", "--json", "2020-01-01T00", "--lake", path(&folder)], &Outside::default()).await;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&nothing.out).expect("JSON"), serde_json::json!([]));
}

#[tokio::test]
async fn cat_tells_the_years_apart_and_says_when_an_hour_is_open() {
    let (folder, _) = lake().await;
    let outside = Outside::with_variables([("CAUCE_LAKE__URL", path(&folder))]);
    for (line, out, err) in [
        (vec!["cat", "2025-11-22T05"], tweets(1..4), ""),
        (vec!["cat", "2026-11-22T05"], tweets(10..12), ""),
        (vec!["cat", "2026-11-22T05", "--late"], tweets([19]), ""),
        (vec!["cat", "2026-11-22T07"], tweets([30]), "note: 2026-11-22T07 is open: this is not all of it yet\n"),
        (vec!["cat", "2025-11-22T00..2026-11-22T07"], tweets((1..4).chain(10..12)), ""),
    ] {
        let answer = ingest(&line, &outside).await;
        assert_eq!((answer.out, answer.err.as_str(), answer.end), (out, err, Ok(())), "{line:?}");
    }
    let (exit, text) = ingest(&["cat", "2024-11-22T05"], &outside).await.end.expect_err("nothing was read");
    assert_eq!(exit, Exit::Failure);
    assert!(text.contains("2024-11-22T05") && text.contains(path(&folder)), "{text}");
}

#[tokio::test]
async fn an_object_without_a_line_end_does_not_run_into_the_next_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = LocalStore::new(folder.path().to_owned());
    for (number, text) in [(1, "one"), (2, "two")] {
        put(&store, &object_name(&yearless(), hour("2026-11-22T05"), number), text).await;
    }
    let answer = ingest(&["cat", "2026-11-22T05", "--lake", path(&folder)], &Outside::default()).await;
    assert_eq!(answer.out, "one\ntwo\n");
}

#[tokio::test]
async fn several_lakes_are_read_as_one() {
    let (folder, _) = lake().await;
    let other = tempfile::tempdir().expect("a temporary folder");
    closed_hour(&LocalStore::new(other.path().to_owned()), &yearless(), hour("2026-11-22T05"), 50..53, Codec::None)
        .await;
    let both = ["--lake", path(&folder), "--lake", path(&other)];
    let answer = ingest(&[&["cat", "2026-11-22T05"], &both[..]].concat(), &Outside::default()).await;
    assert_eq!(answer.out, tweets((10..12).chain(50..53)));
    let answer =
        ingest(&[&["hours", "2026-11-22T05..2026-11-22T07", "--json"], &both[..]].concat(), &Outside::default()).await;
    let array: serde_json::Value = serde_json::from_str(&answer.out).expect("JSON");
    assert_eq!((&array[0]["closed"], &array[0]["tweets"]), (&true.into(), &5.into()));
    assert_eq!((&array[1]["closed"], &array[1]["tweets"]), (&false.into(), &serde_json::Value::Null));
}

#[tokio::test]
async fn verify_reads_all_closed_hours_and_ends_with_what_it_found() {
    let (folder, store) = lake().await;
    let line = ["verify", "--lake", path(&folder)];
    let answer = ingest(&line, &Outside::default()).await;
    assert_eq!(answer.end, Ok(()));
    assert_eq!(answer.out.lines().filter(|line| line.contains("  ok  ")).count(), 3);
    let last = answer.out.lines().last().expect("a line");
    assert!(last.starts_with("3 hours read, 0 with problems; 3 objects, 6 lines, "), "{last}");
    let open = ingest(&["verify", "2026-11-22T07", "--lake", path(&folder)], &Outside::default()).await;
    assert!(open.end.is_ok() && open.out.contains("2026-11-22T07  open"), "{}", open.out);

    // Bytes that a terminal would obey come from a name in the lake; a key cannot hold a control character, but this.
    let stray = format!("11-22-05/tweets.{}.\u{202e}json", hour("2026-11-22T05").start_ms() + 7);
    put(&store, &stray, "x").await;
    let json = String::from_utf8(manifest(hour("2026-11-22T08"), vec![]).to_bytes()).expect("text");
    put(&store, "_hours/2026-11-22T08.json", json.replace("\"version\":1", "\"version\":9")).await;
    let answer = ingest(&line, &Outside::default()).await;
    let (exit, text) = answer.end.expect_err("the damage was not seen");
    assert_eq!((exit, text.as_str()), (Exit::Failure, "2 hours are not what their manifests say"));
    assert!(answer.out.contains(".\\u{202e}json: no manifest lists it (1 bytes)"), "{}", answer.out);
    assert!(
        answer.out.contains("2026-11-22T08  problem  manifest _hours/2026-11-22T08.json has version 9"),
        "{}",
        answer.out
    );
    assert!(answer.out.contains("2025-11-22T05  ok"), "the other hours are read all the same: {}", answer.out);
}

#[tokio::test]
async fn a_manifest_that_points_outside_fails_its_hour_and_not_the_listing() {
    let (folder, store) = lake().await;
    let json = r#"{"version":1,"hour":"2026-11-22T06","agent":"a","epoch":1,"guarantee":"exactly-once","objects":[{"key":"../x",
        "bytes":1,"lines":1,"sha256":"00","codec":"none","path":"stream"}],"tweets":1,"opened_at":"2026-11-22T06:00:00Z",
        "closed_at":"2026-11-22T07:00:00Z","tool_version":"x"}"#;
    put(&store, "_hours/2026-11-22T06.json", json).await;
    let answer = ingest(&["hours", "--lake", path(&folder)], &Outside::default()).await;
    assert_eq!(answer.end.expect_err("the problem is no success").0, Exit::Failure);
    assert!(answer.out.contains("2026-11-22T05") && !answer.out.contains("2026-11-22T06"), "{}", answer.out);
    assert!(answer.err.contains("_hours/2026-11-22T06.json") && answer.err.contains("../x"), "{}", answer.err);
    for range in ["2026-11-22T06", "2026-11-22T05..2026-11-22T08"] {
        let answer = ingest(&["cat", range, "--lake", path(&folder)], &Outside::default()).await;
        assert_eq!((answer.end.map_err(|end| end.0), answer.out.as_str()), (Err(Exit::Failure), ""));
    }
}

#[tokio::test]
async fn what_flume_wrote_is_listed_by_days_and_read_as_days() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = LocalStore::new(folder.path().to_owned());
    put(&store, "03-24-/tweets.1458839106789.json", tweets([1])).await;
    let answer = ingest(&["hours", "--lake", path(&folder)], &Outside::default()).await;
    assert!(answer.out.contains("2016-03-24") && answer.out.contains("open day"), "{}", answer.out);
    let day = ["cat", "2016-03-24T00..2016-03-25T00", "--lake", path(&folder)];
    assert_eq!(ingest(&day, &Outside::default()).await.out, tweets([1]));
    let part = ingest(&["cat", "2016-03-24T17", "--lake", path(&folder)], &Outside::default()).await;
    let (exit, text) = part.end.expect_err("a day was given for an hour");
    assert!(exit == Exit::Failure && text.contains("2016-03-24, which is no hour"), "{text}");
    let other =
        ingest(&["hours", "--pattern", "dt=%Y-%m-%d/hour=%H", "--lake", path(&folder)], &Outside::default()).await;
    assert!(other.err.contains("1 object is left out") && other.err.contains("03-24-/tweets."), "{}", other.err);
}

#[tokio::test]
async fn mistakes_have_the_exit_code_of_their_kind() {
    let no_lake = ingest(&["hours"], &Outside::default()).await.end.expect_err("no lake was named");
    assert!(no_lake.0 == Exit::Usage && no_lake.1.contains("lake.url"), "{no_lake:?}");
    let bad = ingest(&["hours", "--lake", "x", "--time-zone", "Asia/Tokio"], &Outside::default()).await;
    assert_eq!(bad.end.expect_err("no such zone").0, Exit::Usage);
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let inside = file.path().join("lake");
    let answer = ingest(&["hours", "--lake", inside.to_str().expect("text")], &Outside::default()).await;
    assert_eq!(answer.end.expect_err("a file is no folder").0, Exit::Store);
    assert!(Cli::try_parse_from(["ingest", "cat", "yesterday"]).is_err());
}

/// A reader that has gone away.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_every_command_quietly() {
    let (folder, _) = lake().await;
    for command in [&["hours"][..], &["cat", "2025-11-22T05"], &["verify"]] {
        let line = [command, &["--lake", path(&folder)]].concat();
        let end = run(&line, &Outside::default(), &mut Gone, &mut Vec::new()).await;
        assert!(end.is_err(), "it went on: {line:?}");
        assert!(ends_quietly(end).is_ok(), "{line:?}");
    }
}
