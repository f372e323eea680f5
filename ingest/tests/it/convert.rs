//! `ingest convert` as its users meet it: awkward lines, every kind of object, a large hour in little memory, killed half-way and
//! run again, on a local folder and on real S3 servers.

use std::collections::BTreeMap;
use std::fs;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use cauce_lake::catalogue::fixture::{self, manifest, object, object_name, put_manifest};
use cauce_lake::checksum::Crc64;
use cauce_lake::manifest::{Codec, ObjectEntry};
use cauce_lake::pattern::Escapes;
use cauce_lake::store::local::LocalStore;
use cauce_lake::{Hour, Key, Pattern};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::corpus::{BEGIN_MS, joined, snowflake, v1, v2};
use crate::lake::{Lake, RUNTIME, fresh_bucket, go_s3, introduce, moto};
use crate::program::{Place, Program, until};

pub(crate) const HOUR: &str = "2025-11-20T05";
pub(crate) const TWEETS: &str = "date=2025-11-20/hour=05/tweets.parquet";
pub(crate) const REJECTS: &str = "date=2025-11-20/hour=05.jsonl";
pub(crate) const SUCCESS: &str = "date=2025-11-20/hour=05/_SUCCESS";
pub(crate) const KILLED: Option<i32> = Some(9);

pub(crate) fn hour() -> Hour {
    Hour::containing(BEGIN_MS)
}

fn pattern() -> Pattern {
    fixture::pattern("%m-%d-%h", Escapes::Cauce)
}

/// A place whose `lake` holds one closed hour of these objects.
pub(crate) fn place(objects: &[(&[u8], Codec)]) -> Place {
    let mut place = Place::new();
    place.set("CAUCE_LAKE__URL", "lake").set("TMPDIR", "temp");
    fs::create_dir(place.path("temp")).expect("a folder is made");
    close(&place, hour(), objects);
    place
}

/// Adds a closed hour of these objects to a place's lake.
pub(crate) fn close(place: &Place, hour: Hour, objects: &[(&[u8], Codec)]) {
    let store = LocalStore::new(place.path("lake"));
    RUNTIME.block_on(async {
        let mut entries = Vec::new();
        for (n, (lines, codec)) in (1..).zip(objects) {
            // What is no text goes in byte by byte, plain.
            let name = object_name(&pattern(), hour, n);
            let entry = match std::str::from_utf8(lines) {
                Ok(text) => object(&store, &name, text, *codec).await,
                Err(_) => stored(&store, &name, lines, memchr::memchr_iter(b'\n', lines).count() as u64).await,
            };
            entries.push(entry);
        }
        put_manifest(&store, &manifest(hour, entries), None).await;
    });
}

/// Puts an object as it is; its entry, for so many lines.
async fn stored(store: &LocalStore, name: &str, bytes: &[u8], lines: u64) -> ObjectEntry {
    fixture::put(store, name, Bytes::copy_from_slice(bytes)).await;
    let like = object(store, "like", "", Codec::None).await;
    let crc64nvme = Some(Crc64::of(bytes));
    ObjectEntry { key: Key::new(name).expect("a key"), bytes: bytes.len() as u64, lines, crc64nvme, ..like }
}

/// A place whose lake holds one closed hour of an object that is compressed already.
pub(crate) fn place_of_compressed(bytes: &[u8], codec: Codec, lines: u64) -> Place {
    let place = place(&[]);
    let store = LocalStore::new(place.path("lake"));
    RUNTIME.block_on(async {
        let name = object_name(&pattern(), hour(), 1) + codec.extension();
        let entry = ObjectEntry { codec, ..stored(&store, &name, bytes, lines).await };
        put_manifest(&store, &manifest(hour(), vec![entry]), None).await;
    });
    place
}

/// So many tweets of the hour.
pub(crate) fn tweets(from: u64, count: u64) -> Vec<Vec<u8>> {
    let line = |n: u64| {
        let at_ms = BEGIN_MS + (n % 3_600_000).cast_signed();
        let (id, text) = (snowflake(at_ms, n), format!("tweet {n} {}", "ñ😀 ".repeat((n % 40) as usize)));
        if n.is_multiple_of(2) { v1(at_ms, id, &text) } else { v2(at_ms, id, &text) }.into_bytes()
    };
    (from..from + count).map(line).collect()
}

pub(crate) fn read(bytes: Vec<u8>) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).expect("Parquet");
    reader.build().expect("readable").collect::<Result<_, _>>().expect("whole")
}

pub(crate) fn numbers(batches: &[RecordBatch], column: &str) -> Vec<Option<i64>> {
    let numbers = |batch: &RecordBatch| {
        let column = batch.column_by_name(column).expect("the column").as_primitive::<Int64Type>().clone();
        column.iter().collect::<Vec<_>>()
    };
    batches.iter().flat_map(numbers).collect()
}

/// The text of each id.
fn texts(batches: &[RecordBatch]) -> BTreeMap<i64, String> {
    let ids = numbers(batches, "tweet_id").into_iter().flatten();
    let texts = batches.iter().flat_map(|batch| {
        let texts = batch.column_by_name("text").expect("the column").as_string::<i32>();
        (0..texts.len()).map(|row| texts.value(row).to_owned()).collect::<Vec<_>>()
    });
    ids.zip(texts).collect()
}

#[test]
fn awkward_lines_become_rows_or_rejects_and_nothing_else() {
    let base =
        |id: u64, more: &str| format!(r#"{{"id":{id},"id_str":"{id}","text":"t{id}","user":{{"id_str":"7"}}{more}}}"#);
    let long = 9_007_199_254_740_993_u64;
    // (line, its row's id; none for a line without a row, whether that is a reject)
    let mut lines: Vec<(Vec<u8>, Option<u64>, bool)> = vec![
        (base(1, "").into(), Some(1), false),
        (br#"{"id":2,"id_str":"2","text":"cut of"#.to_vec(), None, true),
        (b"".to_vec(), None, false),
        (b"\r".to_vec(), None, false),
        (
            br#"{"id":"3","id_str":"3","text":"number as text","retweet_count":"12","user":{"id":7}}"#.to_vec(),
            Some(3),
            false,
        ),
        (base(4, r#","place":{}"#).into(), Some(4), false),
        (base(long, "").into(), Some(long), false),
        (base(9_223_372_036_854_775_808, "").into(), None, true),
        (br#"{"id":6,"id_str":"6","text":"first","text":"last","user":{"id_str":"7"}}"#.to_vec(), Some(6), false),
        (br#"{"id":7,"id_str":"7","text":"nul \u0000 stays","user":{"id_str":"7"}}"#.to_vec(), Some(7), false),
        (b"{\"id\":8,\"id_str\":\"8\",\"text\":\"\xff\"}".to_vec(), None, true),
        (base(9, r#","never_seen_before":{"x":[1,{"y":null}]}"#).into(), Some(9), false),
        (base(10, r#","coordinates":null"#).into(), Some(10), false),
        (base(11, r#","coordinates":{"type":"Point","coordinates":[2.5,48.5]}"#).into(), Some(11), false),
        (base(12, r#","retweet_count":1.5"#).into(), None, true),
        (
            br#"{"errors":[{"title":"operational-disconnect","type":"https://x/problems/operational-disconnect"}]}"#
                .to_vec(),
            None,
            false,
        ),
        (b"[1,2]".to_vec(), None, true),
        (base(13, r#","lang":{"a":1}"#).into(), None, true),
        (br#"{"delete":{"status":{"id":1,"id_str":"1","user_id":7}}}"#.to_vec(), None, false),
    ];
    lines.push((base(14, "").into(), Some(14), false));
    let object = joined(&lines.iter().map(|(line, ..)| line.clone()).collect::<Vec<_>>());
    let place = place(&[(&object, Codec::None)]);
    let done = place.done(&format!("convert {HOUR} --to parquet"));
    let batches = read(fs::read(place.path("parquet").join(TWEETS)).expect("it is there"));
    let wanted: Vec<Option<i64>> = lines.iter().filter_map(|(_, id, _)| *id).map(|id| Some(id.cast_signed())).collect();
    assert_eq!(numbers(&batches, "tweet_id"), wanted, "{}", done.out);
    let texts = texts(&batches);
    assert_eq!((texts[&6].as_str(), texts[&7].as_str()), ("last", "nul \0 stays"));

    let rejects: Vec<Value> = fs::read_to_string(place.path("parquet-rejects").join(REJECTS))
        .expect("there are some")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let refused: Vec<u64> = (1..).zip(&lines).filter(|(_, (.., reject))| *reject).map(|(number, _)| number).collect();
    let told: Vec<u64> = rejects.iter().filter_map(|reject| reject["line"].as_u64()).collect();
    assert_eq!(told, refused, "{rejects:#?}");
    assert!(done.out.contains(&format!("rejects     {}", refused.len())), "{}", done.out);
    assert!(rejects[3]["reason"].as_str().is_some_and(|reason| reason.contains("retweet_count")), "{}", rejects[3]);
}

#[test]
fn objects_of_every_codec_and_a_real_flumes_folder_are_read() {
    let all = tweets(0, 3_000);
    let parts: Vec<Vec<u8>> = all.chunks(1000).map(joined).collect();
    let place = place(&[(&parts[0], Codec::Gzip), (&parts[1], Codec::Zstd), (&parts[2], Codec::None)]);
    place.done("convert --to parquet");
    assert_eq!(numbers(&read(fs::read(place.path("parquet").join(TWEETS)).expect("there")), "tweet_id").len(), 3_000);

    let mut flume = Place::new();
    flume.set("CAUCE_LAKE__URL", "lake");
    let lines = joined(
        &all.iter()
            .enumerate()
            .map(|(n, line)| {
                if n % 2 == 0 {
                    line.clone()
                } else {
                    let at_ms = BEGIN_MS + 3_600_000;
                    v1(at_ms, snowflake(at_ms, n as u64), "an hour later").into_bytes()
                }
            })
            .collect::<Vec<_>>(),
    );
    flume.write(&format!("lake/11-20-/FlumeData.{BEGIN_MS}"), lines);
    flume.done("convert --to parquet --open");
    let rows = |hour: &str| {
        let path = flume.path("parquet").join(format!("date=2025-11-20/hour={hour}/tweets.parquet"));
        numbers(&read(fs::read(path).expect("there")), "tweet_id").len()
    };
    assert_eq!((rows("05"), rows("06")), (1_500, 1_500));
    assert!(!flume.path("parquet").join(SUCCESS).exists(), "a folder never closes");
}

#[test]
fn a_bar_is_for_terminals_and_a_line_an_hour_for_logs() {
    let place = place(&[(&joined(&tweets(0, 100)), Codec::None)]);
    let done = place.done("convert --to parquet");
    assert!(done.err.starts_with(&format!("{HOUR}  100 rows, 0 rejects, ")), "{}", done.err);
    assert!(done.out.starts_with("hours       1 made, 0 up to date, 0 failed\n"), "{}", done.out);
    let again = place.done(&format!("convert {HOUR} --to parquet"));
    assert!(again.out.starts_with("hours       0 made, 1 up to date, 0 failed\n"), "{}", again.out);
}

#[test]
fn each_failure_has_its_exit_code_and_names_what_to_do() {
    let mut place = place(&[(&joined(&tweets(0, 10)), Codec::None)]);
    let told = |place: &Place, line: &str, code: i32, words: &[&str]| {
        let ended = place.ingest(line);
        assert_eq!(ended.code, Some(code), "{line}: {}", ended.err);
        assert!(words.iter().all(|word| ended.err.contains(word)), "{line}: {}", ended.err);
    };
    told(&place, "convert 2025-11-20T06 --to parquet", 1, &["there is no hour 2025-11-20T06"]);
    told(&place, "convert --to lake/parquet", 2, &["share a root"]);
    told(&place, "convert --to parquet --rejects parquet/rejects", 2, &["share a root", "--rejects"]);
    told(&place, "convert", 2, &["--to <URL>"]);
    told(&place, "convert --print-ddl hive", 2, &["athena, spark or duckdb"]);
    told(&place, "convert --print-ddl athena --to parquet", 2, &["Athena reads S3 alone"]);
    told(&place, "convert --to parquet --columns tweet_idd", 2, &["tweet_id"]);
    told(&place, "convert --to parquet --temp-dir nowhere", 1, &["cannot write in nowhere", "--temp-dir"]);
    place.write("file", "x");
    told(&place, "convert --to file/parquet", 4, &["file/parquet"]);
    place.set("CAUCE_LAKE__S3__ENDPOINT_URL", "http://127.0.0.1:9").set("AWS_REGION", "us-east-1");
    place.set("AWS_ACCESS_KEY_ID", "x").set("AWS_SECRET_ACCESS_KEY", "y");
    told(&place, "convert --to s3://bucket/parquet", 4, &["s3://bucket"]);
    assert!(!place.path("parquet").join(TWEETS).exists());
    assert_eq!(growing(&place), [0; 0]);
}

/// The most memory that a conversion of an hour has had, in KiB: of so many times 20,000 tweets.
fn peak_kib(times: u64) -> u64 {
    let objects: Vec<Vec<u8>> = (0..times).map(|n| joined(&tweets(n * 20_000, 20_000))).collect();
    let objects: Vec<(&[u8], Codec)> = objects.iter().map(|object| (object.as_slice(), Codec::None)).collect();
    let place = place(&objects);
    let program = place.start("convert --to parquet --threads 2 --row-group-rows 20000");
    let (peak, ended) = program.end_with_peak();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    peak
}

#[test]
fn a_large_hour_takes_no_more_memory_than_a_small_one() {
    // The small one fills what is read ahead and what is on its way, more or less of it as its threads take turns. Of the large
    // one's 160 MB more only the ids of 320,000 tweets are kept; the allocator keeps some of what is free.
    let (small, large) = (peak_kib(8), peak_kib(24));
    assert!(large < small + 32 * 1024, "{small} KiB for 160,000 tweets, {large} KiB for 480,000");
}

/// Lengths of the files in which hours grow: beside a folder's objects, or in a folder of their own before they go to a bucket.
pub(crate) fn growing(place: &Place) -> Vec<u64> {
    let folders = ["temp", "parquet/.cauce-stage"].map(|name| fs::read_dir(place.path(name)));
    let files = folders.into_iter().flatten().flatten().flatten();
    files.filter_map(|file| Some(file.metadata().ok()?.len())).collect()
}

/// Starts a conversion and kills it while its first hour grows on local disk.
fn kill_half_way(place: &Place, line: &str) {
    let program: Program = place.start(line);
    until("an hour grows", || growing(place).into_iter().find(|bytes| *bytes > 0));
    let killed = program.kill();
    assert_eq!(killed.signal, KILLED, "it was done too soon: {}", killed.out);
}

#[test]
fn killed_half_way_it_leaves_nothing_and_runs_again() {
    let place = place(&[(&joined(&tweets(0, 60_000)), Codec::None)]);
    kill_half_way(&place, "convert --to parquet --row-group-rows 1000");
    let target = Lake::folder(&place.path("parquet"));
    assert_eq!(target.keys(), [""; 0]);
    place.done("convert --to parquet");
    assert_eq!(target.keys(), [SUCCESS, TWEETS]);
    assert_eq!(numbers(&read(target.bytes(TWEETS)), "tweet_id").len(), 60_000);
    assert_eq!(growing(&place), [0; 0], "what was left behind is still there");
}

#[test]
fn it_is_the_same_on_real_servers() {
    let lines = joined(&[tweets(0, 40_000), vec![b"{".to_vec()]].concat());
    let here = place(&[(&lines, Codec::None)]);
    here.done("convert --to parquet");
    let wanted = fs::read(here.path("parquet").join(TWEETS)).expect("there");
    for server in [moto(), go_s3()].into_iter().flatten() {
        let mut place = place(&[(&lines, Codec::None)]);
        introduce(&mut place, server);
        let bucket = fresh_bucket(server);
        let line = format!("convert --to s3://{bucket}/pq");
        kill_half_way(&place, &format!("{line} --row-group-rows 1000"));
        let target = Lake::bucket(server, &bucket);
        assert_eq!(target.keys(), [""; 0]);
        place.done(&line);
        let (tweets, rejects) = (format!("pq/{TWEETS}"), format!("pq-rejects/{REJECTS}"));
        assert_eq!(target.keys(), [rejects.as_str(), &format!("pq/{SUCCESS}"), &tweets]);
        assert!(target.bytes(&tweets) == wanted, "other bytes than in a folder");
        let again = place.done(&format!("convert {HOUR} --to s3://{bucket}/pq"));
        assert!(again.out.contains("0 made, 1 up to date"), "{}", again.out);
        let other = place.ingest(&format!("convert {HOUR} --to s3://{bucket}/pq --columns text"));
        assert_eq!(other.code, Some(1), "{}", other.err);
        place.done(&format!("convert {HOUR} --to s3://{bucket}/pq --columns text --replace"));
        assert_eq!(read(target.bytes(&tweets))[0].num_columns(), 1);
        let reject: Value = serde_json::from_slice(&target.bytes(&rejects)).expect("one line");
        assert_eq!(reject["line"], json!(40_001));
        // Nothing lies beside the root of a bucket.
        let root = place.ingest(&format!("convert --to s3://{bucket}"));
        assert_eq!(root.code, Some(1), "{}", root.err);
        assert!(root.err.contains("give a place for them with --rejects"), "{}", root.err);
        let other = fresh_bucket(server);
        place.done(&format!("convert --to s3://{bucket} --rejects s3://{other}"));
        assert_eq!(Lake::bucket(server, &other).keys(), [REJECTS]);
        assert!(target.keys().contains(&TWEETS.to_owned()), "{:?}", target.keys());
    }
}

#[test]
fn statements_are_printed_without_a_lake_or_a_target() {
    let place = Place::new();
    for dialect in ["athena", "spark", "duckdb"] {
        let done = place.done(&format!("convert --print-ddl {dialect}"));
        assert!(done.out.contains("my-bucket/tweets-parquet") && done.out.ends_with(";\n"), "{}", done.out);
        assert!(done.err.is_empty(), "{}", done.err);
    }
    let some = place.done("convert --print-ddl athena --to s3://b-b-b/pq --columns tweet_id,author.name --raw").out;
    assert!(some.contains("(\n  `tweet_id` bigint,\n  `author` struct<`name`:string>,\n  `raw` binary\n)"), "{some}");
}
