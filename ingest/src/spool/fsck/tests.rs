//! What the check sees and what it leaves alone.

use std::path::PathBuf;

use cauce_lake::manifest::{Codec, IngestPath};
use cauce_lake::{Hour, Key};

use super::super::entry::{Entry, FileHead, Role, Target};
use super::super::{Options, Spool};
use super::*;

fn head(id: FileId, codec: Codec) -> FileHead {
    let hour: Hour = "2026-11-22T05".parse().expect("an hour");
    let number = hour.start_ms() + i64::try_from(id).expect("small");
    let target = Target {
        folder: "11-22-05".into(),
        hour: Some(hour),
        role: Role::Tweets,
        late: false,
        path: IngestPath::Stream,
    };
    let key = Key::new(format!("11-22-05/tweets.{number}.json{}", codec.extension())).expect("valid key");
    FileHead { id, target, key, codec, created_ms: number }
}

fn open(dir: &Path) -> Spool {
    Spool::open(&Options {
        dir: dir.to_owned(),
        durable: true,
        dedupe_window_ms: i64::MAX,
        group_limit: crate::spool::group_limit(1 << 20, 100),
    })
    .expect("it opens")
    .0
}

/// A spool with an open file, two sealed ones, a quarantined one if asked for, ids in a run and in the journal.
fn spool(dir: &Path) -> Spool {
    let mut spool = open(dir);
    for (id, codec) in [(0, Codec::None), (1, Codec::None), (2, Codec::Zstd)] {
        spool.create(head(id, codec)).expect("created");
        for line in 0..3 {
            spool.append(id, format!("line {line} of file {id}").as_bytes(), 1_000, Some(id * 10 + line));
            spool.commit().expect("committed");
        }
    }
    drop(spool);
    let mut spool = open(dir);
    for id in [1, 2] {
        let task = spool.seal_task(id).expect("known");
        let (bytes, sha256, crc64) = super::super::seal::seal(&task).expect("sealed");
        spool.stage(Entry::Sealed { id, bytes, sha256, crc64 });
    }
    spool.commit().expect("committed");
    spool.stage(Entry::Alive { at_ms: 2_000 });
    spool.commit().expect("committed");
    spool
}

fn checked(dir: &Path) -> Report {
    check(dir).expect("it can be checked")
}

fn paths(dir: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for folder in ["", "data", "ids"] {
        let entries =
            std::fs::read_dir(dir.join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path());
        paths.extend(entries.filter(|path| path.is_file() && !path.ends_with("lock")));
    }
    paths
}

#[test]
fn a_whole_spool_is_clean_with_and_without_an_agent() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = spool(folder.path());
    let report = checked(folder.path());
    assert!(report.running);
    assert_eq!((&report.problems, &report.notes), (&vec![], &vec![]));
    drop(spool);
    let report = checked(folder.path());
    assert_eq!((report.running, report.files, report.runs, report.frames), (false, 3, 1, 3));
    assert_eq!((&report.problems, &report.notes), (&vec![], &vec![]));
}

#[test]
fn a_flipped_bit_anywhere_is_a_problem_or_a_torn_end() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(spool(folder.path()));
    let journal_end = std::fs::metadata(folder.path().join("journal.0000000002")).expect("there").len() - 30;
    let paths = paths(folder.path());
    assert_eq!(paths.len(), 7, "{paths:?}");
    for path in paths {
        let good = std::fs::read(&path).expect("readable");
        // Each byte of the small files, some of the id file's.
        for at in (0..good.len()).step_by(if good.len() > 1_000 { 37 } else { 1 }) {
            let mut bad = good.clone();
            bad[at] ^= 4;
            std::fs::write(&path, bad).expect("writable");
            let report = checked(folder.path());
            let torn = path.to_string_lossy().contains("journal") && at as u64 >= journal_end;
            assert!(
                !report.problems.is_empty() || (torn && report.notes.len() == 1),
                "{path:?} at byte {at}: {report:?}"
            );
            if let [problem] = report.problems.as_slice() {
                assert!(path.ends_with(&problem.name), "{path:?}: {problem:?}");
            }
        }
        std::fs::write(&path, good).expect("writable");
    }
    assert_eq!(checked(folder.path()).problems, []);
}

#[test]
fn a_missing_file_is_a_problem() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(spool(folder.path()));
    for path in paths(folder.path()) {
        if path.to_string_lossy().contains("journal") {
            continue;
        }
        let aside = folder.path().with_extension("aside");
        std::fs::rename(&path, &aside).expect("moved");
        let report = checked(folder.path());
        assert_eq!(report.problems.len(), 1, "{path:?}: {report:?}");
        std::fs::rename(&aside, &path).expect("moved back");
    }
}

#[test]
fn the_offset_is_that_of_the_last_commit_that_checks_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = open(folder.path());
    spool.create(head(0, Codec::None)).expect("created");
    for line in ["one", "two", "three"] {
        spool.append(0, line.as_bytes(), 1_000, None);
        spool.commit().expect("committed");
    }
    spool.stage(Entry::Alive { at_ms: 2_000 });
    spool.commit().expect("committed");
    drop(spool);
    std::fs::write(folder.path().join("data/000000000000.lines"), "one\ntwX\nthree\n").expect("writable");
    let problems = checked(folder.path()).problems;
    assert_eq!((problems.len(), problems[0].offset), (1, Some(4)));
    assert!(problems[0].what.contains("bytes 4 to 8"), "{problems:?}");
}

#[test]
fn what_a_crash_leaves_is_a_note_and_what_the_spool_never_makes_is_a_problem() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(spool(folder.path()));
    let journal = folder.path().join("journal.0000000002");
    let mut bytes = std::fs::read(&journal).expect("readable");
    bytes.extend([7; 21]);
    std::fs::write(&journal, bytes).expect("writable");
    for name in ["data/000000000009.lines", "journal.new", "quarantine/000000000008.lines"] {
        std::fs::write(folder.path().join(name), "x").expect("writable");
    }
    let mut end =
        std::fs::File::options().append(true).open(folder.path().join("data/000000000000.lines")).expect("there");
    std::io::Write::write_all(&mut end, b"half a li").expect("written");
    let report = checked(folder.path());
    assert_eq!((report.problems, report.notes.len()), (vec![], 5));
    std::fs::write(folder.path().join("data/holiday.jpg"), "x").expect("writable");
    let problems = checked(folder.path()).problems;
    assert_eq!((problems.len(), problems[0].name.as_str()), (1, "data/holiday.jpg"));
}

#[test]
fn a_quarantined_file_is_a_problem_until_it_is_requeued() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = spool(folder.path());
    spool.stage(Entry::Quarantined { id: 1, reason: "another object".into() });
    spool.commit().expect("committed");
    spool.quarantine(&head(1, Codec::None)).expect("moved");
    let problems = checked(folder.path()).problems;
    assert_eq!(problems.len(), 1);
    assert!(problems[0].what.contains("all its 3 lines check out"), "{problems:?}");
    spool.requeue(1, false, 5_000).expect("requeued");
    drop(spool);
    assert_eq!(checked(folder.path()).problems, []);
}

#[test]
fn where_there_is_no_spool_nothing_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    for dir in [folder.path().to_owned(), folder.path().join("spool")] {
        assert!(matches!(check(&dir), Err(SpoolError::Missing { .. })));
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}
