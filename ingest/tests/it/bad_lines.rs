//! Input that is broken: each line is stored or kept as a reject with its place, and each file's fault is said by name.

use std::io::Write;

use base64::Engine as _;
use serde_json::Value;

use crate::corpus::{BEGIN_MS, expected, joined, mixed, snowflake, v1, v2};
use crate::files;
use crate::lake::Lake;
use crate::program::Place;

const MIB: usize = 1 << 20;

fn lake(place: &Place) -> Lake {
    Lake::folder(&place.path("lake"))
}

fn tweet(n: u64, text: &str) -> Vec<u8> {
    v2(BEGIN_MS + 1000 * n.cast_signed(), snowflake(BEGIN_MS, n), text).into_bytes()
}

/// A reject's place, and its bytes.
fn kept(reject: &Value) -> (String, Vec<u8>) {
    let text = |name: &str| reject[name].as_str().unwrap_or_else(|| panic!("{reject}")).to_owned();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text("bytes")).expect("base64");
    (text("source"), bytes)
}

#[test]
fn broken_lines_are_kept_apart_and_the_others_are_stored() {
    let mut lone = tweet(3, "MARK");
    let at = String::from_utf8(lone.clone()).expect("text").find("MARK").expect("it is in there");
    lone.splice(at..at + 4, br"\ud83d lone".iter().copied());
    let with = |n: u64, bytes: &[u8]| {
        let mut line = tweet(n, "MARK");
        let at = line.windows(4).position(|window| window == b"MARK").expect("it is in there");
        line.splice(at..at + 4, bytes.iter().copied());
        line
    };
    let long = tweet(6, &"x".repeat(2 * MIB));
    let cases: Vec<(Vec<u8>, Option<&str>)> = vec![
        (tweet(1, "good"), None),
        (b"{\"data\":{\"id\":\"1\"".to_vec(), Some("not JSON at byte 17")),
        (b"no JSON at all".to_vec(), Some("not JSON at byte 0")),
        (with(2, b"\xff\xfe"), Some("not UTF-8 at byte")),
        (lone, None),
        (with(4, b"\x00"), Some("not JSON at byte")),
        (b"\x00".to_vec(), Some("not JSON at byte 0")),
        (b"{\"hello\":1}".to_vec(), Some("neither a tweet nor a known message")),
        (b"[1,2]".to_vec(), Some("")),
        (b"{\"data\":{\"text\":\"no id\"}}".to_vec(), Some("")),
        (tweet(5, "after"), None),
        (long, None),
        (tweet(7, "last"), None),
    ];
    let place = files::place("");
    let lines: Vec<Vec<u8>> = cases.iter().map(|(line, _)| line.clone()).collect();
    place.write("archive/a.json", joined(&lines));
    let ended = place.done("run");
    assert_eq!(ended.number("accepted"), cases.len() as u64);
    let lake = lake(&place);
    let mut stored = lake.lines();
    let mut good: Vec<Vec<u8>> = cases.iter().filter(|(_, why)| why.is_none()).map(|(line, _)| line.clone()).collect();
    stored.sort();
    good.sort();
    assert!(stored == good, "{} lines are stored of {}", stored.len(), good.len());
    let rejects = lake.rejects();
    let mut rest = rejects.iter();
    for (index, (line, why)) in cases.iter().enumerate() {
        let Some(why) = why else { continue };
        let reject = rest.next().unwrap_or_else(|| panic!("no reject for line {}", index + 1));
        let (source, bytes) = kept(reject);
        assert!(source.ends_with(&format!("archive/a.json line {}", index + 1)), "{reject}");
        assert!(reject["reason"].as_str().expect("a text").contains(why), "{why}: {reject}");
        assert_eq!(&bytes, line);
    }
    assert_eq!(rest.count(), 0);
    assert!(place.done("verify").out.contains(" 0 with problems"));
}

#[test]
fn a_line_over_the_limit_is_a_reject_with_its_beginning() {
    let place = files::place("");
    let long = tweet(2, &"x".repeat(2 * MIB));
    let lines = [tweet(1, "before"), long.clone(), tweet(3, "after")];
    place.write("archive/a.json", joined(&lines));
    place.done("run --set source.max_line_bytes=1MiB");
    let lake = lake(&place);
    assert_eq!(lake.lines(), [lines[0].clone(), lines[2].clone()]);
    let [reject] = &lake.rejects()[..] else { panic!("{:?}", lake.rejects()) };
    let (source, bytes) = kept(reject);
    assert!(source.ends_with("line 2"), "{source}");
    assert_eq!(reject["length"].as_u64(), Some(long.len() as u64));
    assert_eq!(bytes, long[..64 * 1024]);
    assert!(reject["reason"].as_str().expect("a text").contains("source.max_line_bytes"), "{}", reject["reason"]);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

#[test]
fn a_truncated_gzip_is_named_and_what_came_before_is_stored() {
    let lines = mixed(2_000, 2);
    let whole = gzip(&joined(&lines[..1_000]));
    let place = files::place("");
    place.write("archive/a.json.gz", &whole[..whole.len() / 2]).write("archive/b.json", joined(&lines[1_000..]));
    let ended = place.ingest("run");
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let last = ended.err.lines().last().expect("a line");
    assert!(
        last.contains("1 of 2 files could not be read to the end")
            && last.contains("a.json.gz")
            && last.contains("ingest close"),
        "{last}"
    );
    let stored = lake(&place).lines().len();
    assert_eq!(ended.number("tweets"), stored as u64, "what was stored is told as always: {}", ended.err);
    assert!(stored > 1_300 && stored < 2_000, "{stored} lines are stored");
    let rejects = lake(&place).rejects();
    assert!(rejects.iter().all(|reject| reject["reason"] == "the input ended inside the line"), "{rejects:?}");

    // Put right, it goes on where it was whole, and nothing is there twice.
    place.write("archive/a.json.gz", &whole);
    let again = place.done("run");
    assert!(again.err.contains("file has grown"), "{}", again.err);
    let mut all = lake(&place).lines();
    let mut wanted: Vec<Vec<u8>> = expected(&lines).hours.into_values().flatten().collect();
    all.sort();
    wanted.sort();
    assert!(all == wanted, "{} lines of {}", all.len(), wanted.len());
}

#[test]
fn empty_files_are_read_and_leave_nothing() {
    let place = files::place("");
    place.write("archive/a.json", "").write("archive/b.json.gz", gzip(b"")).write("archive/c.json", "\n\r\n \n");
    let ended = place.done("run");
    assert_eq!((ended.number("accepted"), ended.number("objects")), (0, 0));
    assert_eq!(lake(&place).keys(), ["_agent.json"]);
}

#[test]
fn a_bomb_is_one_reject_and_takes_no_memory() {
    let zeros = vec![b'0'; 4 * MIB];
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut zst = zstd::Encoder::new(Vec::new(), 1).expect("writing to memory");
    for _ in 0..128 {
        gz.write_all(&zeros).expect("writing to memory");
        zst.write_all(&zeros).expect("writing to memory");
    }
    let bombs = [gz.finish().expect("writing to memory"), zst.finish().expect("writing to memory")];
    for (bomb, name) in bombs.into_iter().zip(["bomb.json.gz", "bomb.json.zst"]) {
        assert!(bomb.len() < 8 * MIB);
        let place = files::place("");
        place.write(&format!("archive/{name}"), &bomb).write("archive/c.json", joined(&[tweet(1, "after")]));
        let (peak, ended) = place.start("run").end_with_peak();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(peak < 200 << 10, "{name}: {peak} KiB");
        let lake = lake(&place);
        assert_eq!(lake.lines(), [tweet(1, "after")]);
        let [reject] = &lake.rejects()[..] else { panic!("{:?}", lake.rejects().len()) };
        assert_eq!(reject["length"].as_u64(), Some(512 * MIB as u64));

        // The same in a lake, under a name of an hour.
        let object =
            format!("lake/11-20-06/tweets.{}{}", BEGIN_MS + 3_600_000, name.strip_prefix("bomb").expect("its name"));
        place.write(&object, &bomb);
        let (peak, ended) = place.start("cat 2025-11-20T06").end_with_peak();
        assert_eq!((ended.code, ended.out.len()), (Some(1), 0), "{}", ended.err);
        assert!(ended.err.contains("11-20-06/tweets.") && ended.err.contains("longer than"), "{}", ended.err);
        assert!(peak < 200 << 10, "cat {name}: {peak} KiB");
    }
}

#[test]
fn a_line_of_v1_that_lost_its_end_in_a_crash_is_told_from_the_next() {
    // Two lines run together, as a writer that was killed leaves them.
    let place = files::place("");
    let half = v1(BEGIN_MS, snowflake(BEGIN_MS, 9), "half").into_bytes();
    let mut both = half[..half.len() / 2].to_vec();
    both.extend_from_slice(&tweet(1, "whole"));
    place.write("archive/a.json", joined(&[both.clone(), tweet(2, "next")]));
    place.done("run");
    let lake = lake(&place);
    assert_eq!(lake.lines(), [tweet(2, "next")]);
    assert_eq!(lake.rejects().iter().map(|reject| kept(reject).1).collect::<Vec<_>>(), [both]);
}
