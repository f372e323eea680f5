//! Targets of a conversion that do not play along: full and read-only disks, and a bucket into which an upload is killed.

use std::fs;

use cauce_lake::Hour;
use cauce_lake::manifest::Codec;
use cauce_lake::store::servers::S3Server;
use tokio_util::sync::CancellationToken;

use crate::convert::{HOUR, KILLED, SUCCESS, TWEETS, close, growing, hour, place, tweets};
use crate::corpus::{BEGIN_MS, joined, snowflake, v2};
use crate::disk::{can_mount, shell, with_disk};
use crate::faults::{Asked, Fault, Proxy};
use crate::lake::{Lake, fresh_bucket, go_s3, introduce, moto};
use crate::program::{INGEST, Place, until};

/// Two hours of 16 MiB of Parquet each, written a few hundred KiB at a time.
const LARGE: &str = "--raw --compression none --row-group-rows 500";

fn two_hours() -> Place {
    let lines = joined(&tweets(0, 20_000));
    let place = place(&[(&lines, Codec::None)]);
    close(&place, Hour::from_index(hour().index() + 1), &[(&lines, Codec::None)]);
    place
}

/// What the two hours become where nothing is in the way.
fn undisturbed() -> Vec<u8> {
    let place = two_hours();
    place.done(&format!("convert --to parquet {LARGE}"));
    fs::read(place.path("parquet").join(TWEETS)).expect("it is there")
}

/// Converts with a small disk on this folder, and once more when it has room; gives what the first run said.
fn full_disk(place: &mut Place, folder: &str, options: &str) -> String {
    let run = format!("{INGEST} convert --to parquet {LARGE} {options} >said; echo code $?");
    // There is room for each file once, and for no copies beside.
    let files = "find parquet temp -type f ! -name lock";
    let script = format!(
        "mount -t tmpfs -o size=2m tmpfs {folder}; {run}; {files}; mount -o remount,size=40m {folder}; {run}; {files}; \
         cp -r parquet out"
    );
    let ended = with_disk(place, &script);
    let mut told: Vec<&str> = ended.out.lines().collect();
    told[1..].sort_unstable();
    let [tweets, success] = [TWEETS, SUCCESS].map(|name| format!("parquet/{name}"));
    let [later_tweets, later_success] = [&tweets, &success].map(|name| name.replace("hour=05", "hour=06"));
    let wanted = ["code 1", "code 0", &success, &tweets, &later_success, &later_tweets];
    assert_eq!(told, wanted, "{folder}: {}", ended.err);
    ended.err.lines().find(|line| line.starts_with("ingest: ")).expect("the first run says why").to_owned()
}

#[test]
fn a_disk_that_is_full_while_hours_grow_is_said_and_leaves_nothing() {
    let mut place = two_hours();
    if !can_mount(&place, "parquet") {
        return;
    }
    let wanted = undisturbed();
    for (folder, options, words) in [
        ("parquet", "", ["parquet/.cauce-stage", "the disk is full or over quota: make room"]),
        ("temp", "--temp-dir temp", ["cannot write in temp: make it writable and make room there", "No space left"]),
        // They grow elsewhere, and find no room when they are copied.
        ("parquet", "--temp-dir temp", ["parquet/.cauce-stage", "the disk is full or over quota: make room"]),
    ] {
        let said = full_disk(&mut place, folder, options);
        assert!(words.iter().all(|word| said.contains(word)), "{folder} {options}: {said}");
        let there = fs::read(place.path("out").join(TWEETS)).expect("the second run made it");
        assert!(there == wanted, "{folder} {options}: other bytes");
        fs::remove_dir_all(place.path("out")).expect("it was copied there");
        for name in ["parquet", "temp"] {
            fs::remove_dir_all(place.path(name)).expect("it is there");
            fs::create_dir(place.path(name)).expect("a folder is made");
        }
    }
}

#[test]
fn a_limit_on_the_length_of_files_is_said_and_leaves_nothing() {
    let place = two_hours();
    for (options, words) in [
        ("", ["parquet/.cauce-stage", "raise the limit (ulimit -f)"]),
        ("--temp-dir temp", ["cannot write in temp", "File too large"]),
    ] {
        // In blocks of 512 bytes. Without the trap the signal would end it, and not what the disk says.
        let run = format!("trap '' XFSZ; ulimit -f 4000; exec {INGEST} convert --to parquet {LARGE} {options}");
        let ended = shell(&place, &run);
        assert_eq!(ended.code, Some(1), "{options}: {}", ended.err);
        assert!(words.iter().all(|word| ended.err.contains(word)), "{options}: {}", ended.err);
        assert_eq!(growing(&place), [0; 0], "{options}");
        assert!(!place.path("parquet").join(TWEETS).exists());
    }
}

#[test]
fn a_read_only_target_is_said_unless_there_is_nothing_to_do() {
    let mut place = two_hours();
    if !can_mount(&place, "parquet") {
        return;
    }
    let run = |line: &str| format!("{INGEST} convert --to parquet {line} >>said; echo code $?;");
    let script = [
        "mount -t tmpfs -o ro tmpfs parquet;",
        // Where nothing can be made, where all but the other hour is there, and where all is there.
        &run(""),
        &run("--temp-dir temp"),
        "mount -o remount,rw parquet;",
        &run(HOUR),
        "mount -o remount,ro parquet;",
        &run(""),
        &run("--temp-dir temp"),
        &run(HOUR),
        &run(&format!("{HOUR} --replace")),
        "mount -o remount,rw parquet;",
        &run(""),
        "mount -o remount,ro parquet;",
        &run(""),
    ];
    let ended = with_disk(&mut place, &script.concat());
    let codes: Vec<&str> = ended.out.lines().filter_map(|line| line.strip_prefix("code ")).collect();
    assert_eq!(codes, ["4", "4", "0", "4", "4", "0", "4", "0", "0"], "{}", ended.err);
    let why: Vec<&str> = ended.err.lines().filter(|line| line.starts_with("ingest: ")).collect();
    let clear = |line: &&str| line.contains("parquet") && line.contains("read-only: mount it for writing");
    assert_eq!(why.iter().copied().filter(clear).count(), 5, "{why:#?}");
    let said = fs::read_to_string(place.path("said")).expect("sums");
    let first: Vec<&str> =
        said.lines().filter(|line| line.starts_with("hours ")).map(|line| line[12..].trim()).collect();
    let wanted = ["1 made, 0 up to date, 0 failed", "0 made, 1 up to date, 0 failed", "1 made, 0 up to date, 0 failed"];
    assert_eq!(first[..3], wanted, "{said}");
    assert!(first[3].starts_with("0 made"), "{said}");
    assert_eq!(growing(&place), [0; 0]);
}

/// What makes Parquet of [`place_of_large_object`] that is too large for one request.
const IN_PARTS: &str = "--columns tweet_id --raw --compression none";

fn place_of_large_object() -> Place {
    let text = |n: u64| format!("{n} {}", "0123456789abcdef".repeat(40_000));
    let line = |n: u64| v2(BEGIN_MS, snowflake(BEGIN_MS, n), &text(n)).into_bytes();
    place(&[(&joined(&(0..110).map(line).collect::<Vec<_>>()), Codec::None)])
}

/// Kills a conversion while such a request is on its way; the server gets it only when the token is cancelled.
fn kill_at(place: &mut Place, server: &S3Server, line: &str, at: fn(&Asked) -> bool) -> (Proxy, CancellationToken) {
    let proxy = Proxy::before(&server.endpoint);
    let arrives = CancellationToken::new();
    let hold = Fault::Hold(arrives.clone());
    proxy.misbehave(move |asked| at(asked).then(|| hold.clone()));
    place.set("CAUCE_LAKE__S3__ENDPOINT_URL", &proxy.endpoint());
    let program = place.start(line);
    until("it asks for that", || (proxy.faults() > 0).then_some(()));
    let killed = program.kill();
    assert_eq!(killed.signal, KILLED, "{}", killed.err);
    introduce(place, server);
    (proxy, arrives)
}

fn is_second_part(asked: &Asked) -> bool {
    asked.path.contains("partNumber=2&")
}

fn is_completion(asked: &Asked) -> bool {
    asked.method == "POST" && asked.path.contains("uploadId=")
}

#[test]
fn an_upload_in_parts_that_is_killed_leaves_no_object_and_is_in_nobodys_way() {
    let servers: Vec<&S3Server> = [moto(), go_s3()].into_iter().flatten().collect();
    if servers.is_empty() {
        return;
    }
    let mut place = place_of_large_object();
    place.done(&format!("convert --to parquet {IN_PARTS}"));
    let wanted = fs::read(place.path("parquet").join(TWEETS)).expect("it is there");
    assert!(wanted.len() > 64 << 20, "{} bytes go up in one request", wanted.len());
    for server in servers {
        introduce(&mut place, server);
        let bucket = fresh_bucket(server);
        let (target, line) = (Lake::bucket(server, &bucket), format!("convert --to s3://{bucket} {IN_PARTS}"));

        drop(kill_at(&mut place, server, &line, is_second_part));
        drop(kill_at(&mut place, server, &line, is_completion));
        assert_eq!(target.keys(), [""; 0]);
        let again = place.done(&line);
        assert!(again.out.contains("1 made"), "{}", again.out);
        assert_eq!(target.keys(), [SUCCESS, TWEETS]);
        assert!(target.bytes(TWEETS) == wanted, "other bytes than in a folder");
        assert_eq!(target.abort_uploads(), 2, "what the two left is still there, for the bucket's own rule to remove");
        assert_eq!(growing(&place), [0; 0]);

        // A completion that arrives after all, when nobody waits for its answer any more.
        let bucket = fresh_bucket(server);
        let (target, line) = (Lake::bucket(server, &bucket), format!("convert --to s3://{bucket} {IN_PARTS}"));
        let (_proxy, arrives) = kill_at(&mut place, server, &line, is_completion);
        assert_eq!(target.keys(), [""; 0]);
        arrives.cancel();
        until("the object is there", || (target.keys() == [TWEETS]).then_some(()));
        let again = place.done(&line);
        assert!(again.out.contains("0 made, 1 up to date"), "{}", again.out);
        assert_eq!(target.keys(), [SUCCESS, TWEETS]);
        assert!(target.bytes(TWEETS) == wanted, "other bytes than in a folder");
    }
}
