//! What the file source reads, from where it resumes, and what it does with damaged input.

use std::collections::BTreeMap;
use std::io::Write as _;

use cauce_lake::tweet::RejectReason;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::channel::{Event, channel};
use crate::config::settings::OnReject;
use crate::record::RecordKind;

const LIMITS: Limits =
    Limits { max_line_bytes: 4 << 20, batch_records: 1000, needs_time: false, on_reject: OnReject::Keep };

/// What one run sent.
#[derive(Debug, Default)]
struct Sent {
    lines: Vec<Vec<u8>>,
    rejects: Vec<(RejectReason, String, u64)>,
    /// After each batch: lines so far, and the position.
    steps: Vec<(usize, Position)>,
}

impl Sent {
    fn positions(&self) -> Positions {
        self.steps.iter().map(|(_, position)| (position.file.clone(), position.clone())).collect()
    }
}

fn read_with(paths: &[String], positions: Positions, limits: Limits) -> (Sent, Result<(), SourceError>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (sender, receiver) = channel(1 << 20, 0);
    let files = match Files::find(paths, positions, limits, Arc::new(Metrics::default())) {
        Ok(files) => files,
        Err(error) => return (Sent::default(), Err(error)),
    };
    let end = runtime.block_on(Box::new(files).run(sender, CancellationToken::new()));
    let mut sent = Sent::default();
    while let Ok(Event::Batch(accepting)) = receiver.recv() {
        let batch = accepting.batch;
        // Zeros before a line are a record beside it.
        let is_zeros = |record: &&crate::record::Record| batch.block[record.start as usize] == 0;
        let zeros = batch.records.iter().filter(is_zeros).count();
        assert!(batch.records.len() <= limits.batch_records + zeros);
        assert_eq!(batch.path, cauce_lake::manifest::IngestPath::Replay);
        for record in batch.records {
            sent.lines.push(batch.block[record.start as usize..record.end as usize].to_vec());
            if let RecordKind::Reject(reject) = record.kind {
                sent.rejects.push((reject.reason, reject.origin, reject.bytes));
            }
        }
        sent.steps.push((sent.lines.len(), batch.position.expect("files know where they stand")));
    }
    (sent, end)
}

fn read(paths: &[&Path]) -> (Sent, Result<(), SourceError>) {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    read_with(&paths, Positions::new(), LIMITS)
}

fn delete(id: u64) -> String {
    format!("{{\"delete\":{{\"status\":{{\"id\":{id},\"id_str\":\"{id}\",\"user_id\":4,\"user_id_str\":\"4\"}}}}}}")
}

fn lines(ids: std::ops::Range<u64>) -> Vec<u8> {
    ids.flat_map(|id| (delete(id) + "\n").into_bytes()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn write(dir: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, bytes).expect("a file");
    path
}

#[test]
fn folders_and_patterns_are_read_by_name_and_no_file_twice() {
    let dir = TempDir::new().expect("a folder");
    for (name, id) in [("b/2.json", 12), ("b/1.jsonl", 11), ("a/x.json", 21), ("a/y.json", 22), ("b/.hidden", 99)] {
        write(&dir, name, &lines(id..id + 1));
    }
    let paths = ["b", "*/x*", "a/*.json"].map(|path| dir.path().join(path));
    let (sent, end) = read(&paths.each_ref().map(PathBuf::as_path));
    end.expect("all is well");
    assert_eq!(sent.lines, [11, 12, 21, 22].map(|id| delete(id).into_bytes()));
}

#[test]
fn what_is_not_there_or_matches_nothing_is_named_before_anything_is_read() {
    let dir = TempDir::new().expect("a folder");
    fs::create_dir(dir.path().join("empty")).expect("a folder");
    for name in ["missing.json", "*.json", "empty", "a["] {
        let (_, end) = read(&[&dir.path().join(name)]);
        let Err(SourceError::Configuration(text)) = end else { panic!("{name}: {end:?}") };
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn the_bytes_say_how_a_file_is_compressed() {
    let dir = TempDir::new().expect("a folder");
    let bytes = lines(0..5000);
    let members = [gzip(&bytes[..1000]), gzip(b""), gzip(&bytes[1000..])].concat();
    let frames = [
        zstd::encode_all(&bytes[..70_000], 1).expect("memory"),
        zstd::encode_all(&bytes[70_000..], 1).expect("memory"),
    ];
    for (name, stored) in
        [("a.json.gz", members), ("a.json.zst", frames.concat()), ("plain.gz", bytes.clone()), ("a", gzip(&bytes))]
    {
        let path = write(&dir, name, &stored);
        let (sent, end) = read(&[&path]);
        end.expect("all is well");
        let joined: Vec<u8> = sent.lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
        assert!(joined == bytes, "{name}");
        let (_, position) = sent.steps.last().expect("a position");
        assert_eq!((position.bytes, position.offset, position.done), (stored.len() as u64, bytes.len() as u64, true));
    }
}

#[test]
fn a_truncated_gzip_gives_all_that_came_before_and_the_other_files_go_on() {
    let dir = TempDir::new().expect("a folder");
    let whole = gzip(&lines(0..2000));
    let cut = write(&dir, "cut.gz", &whole[..whole.len() - 200]);
    let good = write(&dir, "good.json", &lines(5000..5002));
    let (sent, end) = read(&[&cut, &good]);
    let Err(SourceError::Input(text)) = end else { panic!("{end:?}") };
    assert!(text.contains("1 of 2 files") && text.contains("cut.gz"), "{text}");
    let [(RejectReason::Truncated, origin, bytes)] = &sent.rejects[..] else { panic!("{:?}", sent.rejects) };
    let whole_lines = sent.lines.len() - 3;
    assert!(origin.ends_with(&format!("cut.gz line {}", whole_lines + 1)), "{origin}");
    assert!(whole_lines > 1000, "only {whole_lines}");
    let tail = &sent.lines[whole_lines];
    assert_eq!(*bytes, tail.len() as u64);
    assert!(delete(whole_lines as u64).as_bytes().starts_with(tail));
    assert_eq!(sent.lines[whole_lines + 1..], [5000, 5001].map(|id| delete(id).into_bytes()));

    let paths = [cut, good].map(|path| path.display().to_string());
    let positions = sent.positions();
    assert_eq!(positions.values().map(|position| position.done).collect::<Vec<_>>(), [false, true]);
    let (again, end) = read_with(&paths, positions, LIMITS);
    assert!(matches!(end, Err(SourceError::Input(_))), "it is still damaged");
    assert!(again.lines.is_empty(), "a second run adds nothing: {} lines", again.lines.len());
}

#[test]
fn a_damaged_gzip_or_zstd_is_an_error_and_not_an_end() {
    let dir = TempDir::new().expect("a folder");
    let mut gz = gzip(&lines(0..2000));
    let checksum = gz.len() - 6;
    gz[checksum] ^= 1;
    let zst = zstd::encode_all(&lines(0..2000)[..], 1).expect("memory");
    for (name, bytes) in [("a.gz", gz), ("a.zst", zst[..zst.len() - 9].to_vec())] {
        let (_, end) = read(&[&write(&dir, name, &bytes)]);
        assert!(matches!(end, Err(SourceError::Input(_))), "{name}: {end:?}");
    }
}

#[test]
fn an_empty_file_is_done() {
    let dir = TempDir::new().expect("a folder");
    for (name, bytes) in [("empty.json", vec![]), ("empty.gz", vec![]), ("empty member.gz", gzip(b""))] {
        let (sent, end) = read(&[&write(&dir, name, &bytes)]);
        end.expect("all is well");
        assert!(sent.lines.is_empty());
        assert!(sent.steps.last().is_some_and(|(_, position)| position.done), "{name}");
    }
}

#[test]
fn line_ends_blank_lines_and_a_missing_last_line_end_change_nothing() {
    let dir = TempDir::new().expect("a folder");
    let text = format!("{}\r\n\r\n\n  \n{}\n{}", delete(1), delete(2), delete(3));
    let (sent, end) = read(&[&write(&dir, "a.json", text.as_bytes())]);
    end.expect("all is well");
    assert_eq!(sent.lines, [1, 2, 3].map(|id| delete(id).into_bytes()));
    assert_eq!(sent.rejects, []);
}

#[test]
fn bad_lines_are_rejects_with_their_place_and_bytes() {
    let dir = TempDir::new().expect("a folder");
    let bad: [&[u8]; 4] = [b"{\"id\":1", b"{\"a\":\"\xff\"}", b"{\"a\":\"\0\"}", b"{\"some\":\"object\"}"];
    let mut bytes = (delete(1) + "\n").into_bytes();
    for line in bad {
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
    }
    bytes.extend(lines(2..3));
    let path = write(&dir, "a.json", &bytes);
    let (sent, end) = read(&[&path]);
    end.expect("bad lines are no failure");
    assert_eq!(sent.lines.len(), 6);
    assert_eq!(sent.lines[1..5], bad);
    let origins: Vec<&str> = sent.rejects.iter().map(|(_, origin, _)| origin.as_str()).collect();
    assert_eq!(origins, [2, 3, 4, 5].map(|line| format!("{} line {line}", path.display())));
    assert_eq!(sent.rejects[1].0, RejectReason::InvalidUtf8 { offset: 6 });
    assert_eq!(sent.rejects[3].0, RejectReason::UnknownObject);
}

#[test]
fn a_line_of_two_mebibytes_passes_and_one_over_the_limit_is_a_reject_with_its_first_64_kib() {
    let dir = TempDir::new().expect("a folder");
    let long = |bytes: usize| {
        let start = "{\"delete\":{\"status\":{\"id\":7,\"user_id\":4},\"x\":\"";
        format!("{start}{}\"}}}}", "y".repeat(bytes - start.len() - 3))
    };
    let text = format!("{}\n{}\n{}\n", long(2 << 20), long(5 << 20), delete(3));
    let path = write(&dir, "a.json.gz", &gzip(text.as_bytes()));
    let (sent, end) = read(&[&path]);
    end.expect("a long line is no failure");
    let lengths: Vec<usize> = sent.lines.iter().map(Vec::len).collect();
    assert_eq!(lengths, [2 << 20, 64 << 10, delete(3).len()], "in their order");
    assert_eq!(sent.rejects, [(RejectReason::TooLong, format!("{} line 2", path.display()), 5 << 20)]);
    let (_, position) = sent.steps.last().expect("a position");
    assert_eq!(position.offset, text.len() as u64);
}

#[test]
fn a_file_that_is_done_is_not_read_again_and_a_changed_one_is_read_anew() {
    let dir = TempDir::new().expect("a folder");
    let path = write(&dir, "a.json", &lines(0..3));
    let (first, _) = read(&[&path]);
    let paths = [path.display().to_string()];
    let (second, end) = read_with(&paths, first.positions(), LIMITS);
    end.expect("all is well");
    assert!(second.steps.is_empty(), "{second:?}");
    fs::write(&path, lines(1..4)).expect("a file");
    let (third, end) = read_with(&paths, first.positions(), LIMITS);
    end.expect("all is well");
    assert_eq!(third.lines, [1, 2, 3].map(|id| delete(id).into_bytes()));
}

#[test]
fn a_source_that_is_stopped_sends_nothing_more_and_does_not_call_its_file_done() {
    let dir = TempDir::new().expect("a folder");
    let path = write(&dir, "a.json", &lines(0..3));
    let files = Files::find(&[path.display().to_string()], Positions::new(), LIMITS, Arc::default()).expect("found");
    let stop = CancellationToken::new();
    stop.cancel();
    let (sender, receiver) = channel(10, 0);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(Box::new(files).run(sender, stop)).expect("a stop is no error");
    assert!(receiver.recv().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn resuming_after_any_batch_gives_each_line_once(
        parts in proptest::collection::vec(
            prop_oneof![
                (0_u64..1000).prop_map(|id| delete(id).into_bytes()),
                Just(Vec::new()),
                Just(b"{\"limit\":{\"track\":3}}".to_vec()),
                proptest::collection::vec(any::<u8>().prop_filter("a line end", |byte| *byte != b'\n'), 1..200),
            ], 0..60),
        crlf: bool, last_end: bool, compressed: bool, cut in 0_usize..3000, batch_records in 1_usize..9, at: prop::sample::Index,
    ) {
        let dir = TempDir::new().expect("a folder");
        let mut bytes = parts.join(if crlf { &b"\r\n"[..] } else { &b"\n"[..] });
        if last_end {
            bytes.push(b'\n');
        }
        if compressed {
            bytes = gzip(&bytes);
            // Sometimes cut, so that the unfinished line is part of what is resumed.
            bytes.truncate(cut.max(20));
        }
        let path = write(&dir, "a", &bytes).display().to_string();
        let limits = Limits { max_line_bytes: 150, batch_records, ..LIMITS };
        let (whole, _) = read_with(std::slice::from_ref(&path), Positions::new(), limits);
        let (known, position) = at.get(&whole.steps);
        let positions = BTreeMap::from([(position.file.clone(), position.clone())]);
        let (rest, _) = read_with(&[path], positions, limits);
        let resumed = [&whole.lines[..*known], &rest.lines[..]].concat();
        prop_assert_eq!(&resumed, &whole.lines);
        let rejects = whole.rejects.len() - rest.rejects.len();
        prop_assert_eq!(&whole.rejects[rejects..], &rest.rejects[..], "places stay true");
    }
}
