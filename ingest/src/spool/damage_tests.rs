//! A journal that has lost something it said: cut, or an older one put back. Every accepted line is still accepted or lies
//! in the quarantine folder, and `fsck` says before what the start will do.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cauce_lake::checksum::Crc64;
use proptest::prelude::*;

use super::crash_acts::{Act, Do, acts};
use super::crash_model::Step;
use super::crash_tests::{Run, cases, head, open as open_on, options as sim_options};
use super::disk::{Disk, RealDisk};
use super::sim_disk::{Fault, SimDisk};
use super::{Entry, Options, Recovery, Spool, SpoolError, fsck, group_limit, journal, watermark};

const GROUPS: u64 = 12;

fn open(dir: &Path) -> Result<(Spool, Recovery), SpoolError> {
    Spool::open(&Options {
        dir: dir.to_owned(),
        durable: true,
        dedupe_window_ms: i64::MAX,
        group_limit: group_limit(1 << 20, 100),
    })
}

fn line(file: u64, group: u64) -> String {
    format!("line {group} of file {file}")
}

/// Two files of twelve groups, the second made in the fifth; the copies of the journal after each group.
fn groups(dir: &Path) -> (String, Vec<Vec<u8>>) {
    let mut spool = open(dir).expect("the spool opens").0;
    let mut journals = Vec::new();
    for group in 0..GROUPS {
        for file in 0..2 {
            if (file, group) == (0, 0) || (file, group) == (1, 4) {
                let head = head(&spool, file * 2);
                spool.create(head).expect("created");
            }
            if file == 0 || group >= 4 {
                spool.append(file, line(file, group).as_bytes(), 1_000, Some(group * 2 + file));
            }
        }
        spool.commit().expect("committed");
        journals.push(fs::read(dir.join(journal::name(1))).expect("readable"));
    }
    (journal::name(1), journals)
}

fn all_lines() -> BTreeSet<String> {
    (0..GROUPS).map(|group| line(0, group)).chain((4..GROUPS).map(|group| line(1, group))).collect()
}

/// Lines that are accepted, and lines in files of unknown origin.
fn lines_of(dir: &Path, spool: &Spool) -> (Vec<String>, Vec<String>) {
    let read = |path: &Path| -> Vec<String> {
        fs::read_to_string(path).expect("readable").lines().map(str::to_owned).collect()
    };
    let accepted = spool.state().files.keys().flat_map(|id| read(&spool.lines_path(*id))).collect();
    let mut unknown = Vec::new();
    let names = RealDisk::new(dir).list("quarantine").expect("a folder");
    for name in names.iter().filter(|name| name.ends_with(".lines")) {
        unknown.extend(read(&dir.join("quarantine").join(name)));
    }
    (accepted, unknown)
}

fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let disk = RealDisk::new(dir);
    let mut found = Vec::new();
    for folder in ["", "data", "ids", "quarantine"] {
        for name in disk.list(folder).expect("a folder") {
            if let Ok(bytes) = fs::read(dir.join(folder).join(&name)) {
                found.push((format!("{folder}/{name}"), bytes));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn of_a_journal_cut_anywhere_no_accepted_line_is_deleted_and_fsck_says_so_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = folder.path().join("whole");
    let (name, journals) = groups(&whole);
    let last = journals.last().expect("some");
    let ends: Vec<usize> = journals.iter().map(Vec::len).collect();
    for cut in (0..last.len()).step_by(7).chain(ends[..ends.len() - 1].iter().copied()) {
        let dir = folder.path().join("cut");
        copy(&whole, &dir);
        fs::write(dir.join(&name), &last[..cut]).expect("writable");
        let before = contents(&dir);
        let report = fsck::check(&dir).expect("checked");
        assert!(!report.problems.is_empty(), "cut at {cut}: fsck calls it clean");
        assert_eq!(contents(&dir), before, "fsck changed something");
        match open(&dir) {
            Err(error) => {
                assert!(matches!(error, SpoolError::Journal { .. }), "cut at {cut}: {error}");
                let untouched = contents(&dir);
                assert_eq!(untouched, before, "cut at {cut}: it was refused and changed");
            }
            Ok((spool, recovery)) => {
                assert!(recovery.doubt.is_some() && recovery.damaged.is_empty(), "cut at {cut}: {recovery:?}");
                let (accepted, unknown) = lines_of(&dir, &spool);
                let said: u64 = recovery.unknown.iter().map(|(piece, _)| piece.lines).sum();
                assert_eq!(said, unknown.len() as u64, "cut at {cut}");
                assert_eq!(accepted.len() + unknown.len(), all_lines().len(), "cut at {cut}");
                assert_eq!(accepted.into_iter().chain(unknown).collect::<BTreeSet<_>>(), all_lines());
                // fsck had named the same files.
                for (piece, _) in &recovery.unknown {
                    assert!(report.problems.iter().any(|problem| problem.name == piece.name), "{piece:?}: {report:?}");
                }
                drop(spool);
                let (_, again) = open(&dir).expect("the next start finds nothing new");
                assert_eq!((again.unknown, again.doubt), (vec![], None));
                let still = fsck::check(&dir).expect("checked").problems;
                assert_eq!(still.len(), recovery.unknown.len(), "what is kept stays a problem: {still:?}");
            }
        }
        fs::remove_dir_all(&dir).expect("removed");
    }
}

fn copy(from: &Path, to: &Path) {
    for folder in ["", "data", "ids", "quarantine"] {
        fs::create_dir_all(to.join(folder)).expect("made");
        for entry in fs::read_dir(from.join(folder)).expect("a folder").map(|entry| entry.expect("an entry")) {
            if entry.path().is_file() {
                fs::copy(entry.path(), to.join(folder).join(entry.file_name())).expect("copied");
            }
        }
    }
}

#[test]
fn an_older_journal_put_back_deletes_nothing() {
    for groups_known in [1, 5, 11] {
        let folder = tempfile::tempdir().expect("a folder");
        let (name, journals) = groups(folder.path());
        // A start since then has summed the journal up.
        drop(open(folder.path()).expect("the spool opens"));
        fs::remove_file(folder.path().join(journal::name(2))).expect("there");
        fs::write(folder.path().join(name), &journals[groups_known - 1]).expect("writable");
        assert!(!fsck::check(folder.path()).expect("checked").problems.is_empty());
        let (spool, recovery) = open(folder.path()).expect("it starts");
        let doubt = recovery.doubt.expect("an older journal is told");
        assert!(doubt.contains("generation 1") && doubt.contains("older"), "{doubt}");
        let (accepted, unknown) = lines_of(folder.path(), &spool);
        assert_eq!(accepted.into_iter().chain(unknown).collect::<BTreeSet<_>>(), all_lines());
        assert!(spool.journal.generation() > 2, "numbers of generations rise");
    }
}

#[test]
fn more_than_one_group_holds_is_no_torn_group_even_where_no_watermark_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(groups(folder.path()));
    let lowered = watermark::Watermark { generation: 0, journal_bytes: 0, group_limit: 100 };
    for (bytes, kept) in [(99, false), (101, true)] {
        watermark::write(&RealDisk::new(folder.path()), lowered).expect("written");
        fs::write(folder.path().join("data/000000000002.lines"), vec![b'x'; bytes]).expect("written");
        let (_, recovery) = open(folder.path()).expect("it starts");
        assert_eq!((recovery.unknown.len(), recovery.doubt.is_some()), (usize::from(kept), kept), "{bytes} bytes");
        assert!(!folder.path().join("data/000000000002.lines").exists());
    }
}

#[test]
fn an_object_that_the_journal_does_not_know_is_kept_and_so_is_a_file_it_has_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(groups(folder.path()));
    for name in ["data/000000000007.object", "data/000000000000.object"] {
        fs::write(folder.path().join(name), "an object's bytes").expect("written");
        let (_, recovery) = open(folder.path()).expect("it starts");
        assert_eq!(recovery.unknown.len(), 1, "{name}");
        let kept = &recovery.unknown[0].1;
        assert_eq!(fs::read_to_string(folder.path().join(kept)).expect("there"), "an object's bytes");
    }
    let (mut spool, _) = open(folder.path()).expect("it starts");
    spool.finish(0);
    spool.stage(Entry::Dropped { id: 0 });
    spool.commit().expect("committed");
    drop(spool);
    let (_, recovery) = open(folder.path()).expect("it starts");
    assert_eq!((recovery.unknown.len(), recovery.unknown[0].0.lines), (1, GROUPS), "its bytes were never removed");
}

#[test]
fn files_of_other_names_stay_where_they_are_and_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(groups(folder.path()));
    let names = ["data/holiday.jpg", "data/1.lines", "ids/notes.txt"];
    for name in names {
        fs::write(folder.path().join(name), "someone's").expect("written");
    }
    for _ in 0..2 {
        let (_, recovery) = open(folder.path()).expect("it starts");
        let mut foreign = recovery.foreign;
        foreign.sort();
        assert_eq!(foreign, ["data/1.lines", "data/holiday.jpg", "ids/notes.txt"]);
        assert!(
            names.iter().all(|name| fs::read_to_string(folder.path().join(name)).is_ok_and(|text| text == "someone's"))
        );
    }
}

/// A spool whose one file is stored and removed, and is to be forgotten by the next commit.
fn about_to_forget(disk: &SimDisk) -> Spool {
    let mut spool = open_on(disk, true).expect("the spool opens").0;
    spool.create(head(&spool, 0)).expect("created");
    spool.append(0, b"a line", 1_000, Some(1));
    spool.commit().expect("committed");
    spool.finish(0);
    spool.stage(Entry::Sealed { id: 0, bytes: 7, sha256: "x".into(), crc64: Crc64::of(b"x") });
    spool.stage(Entry::Stored { id: 0 });
    spool.commit().expect("committed");
    let head = spool.state().files[&0].head.clone();
    spool.discard(&head).expect("removed");
    spool.stage(Entry::Dropped { id: 0 });
    spool
}

#[test]
fn what_is_stored_is_forgotten_only_when_its_bytes_are_durably_gone() {
    let disk = SimDisk::default();
    let mut spool = about_to_forget(&disk);
    // As with a fault that does not come, so that syncs count.
    disk.arm(Some(Fault::Power { after: u32::MAX, syncs: true }));
    spool.commit().expect("committed");
    let operations = disk.operations();
    let mut forgot = 0;
    for (after, seed) in (0..=operations).flat_map(|after| (0..20).map(move |seed| (after, seed))) {
        let disk = SimDisk::default();
        let mut spool = about_to_forget(&disk);
        disk.arm(Some(Fault::Power { after, syncs: true }));
        let is_committed = spool.commit().is_ok();
        drop(spool);
        disk.restart();
        disk.power_cut(seed);
        let (spool, recovery) = open_on(&disk, true).expect("the spool opens");
        assert_eq!((&recovery.unknown, &recovery.doubt), (&vec![], &None), "after {after} operations, seed {seed}");
        let is_forgotten = spool.state().files.is_empty();
        assert!(is_forgotten || !is_committed, "after {after} operations, seed {seed}");
        forgot += usize::from(is_forgotten);
    }
    assert!(forgot >= 20, "{forgot} of the commits reached the disk");
}

/// All lines that lie on the disk somewhere.
fn on_disk(disk: &SimDisk) -> Vec<u8> {
    let names = disk.names().into_iter().filter(|name| name.ends_with(".lines"));
    names.flat_map(|name| disk.bytes(&name).expect("there")).collect()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn with_a_journal_cut_or_an_older_one_put_back_no_accepted_line_leaves_the_disk(
        acts in acts(), keep in any::<proptest::sample::Index>(), cut in any::<Option<proptest::sample::Index>>(),
    ) {
        let mut run = Run::new(true);
        let mut journals = Vec::new();
        for step in &acts {
            // Disks that fail are tried elsewhere.
            if !matches!(step.act, Act::Crash) {
                run.run(&Do { fault: None, ..step.clone() }).map_err(TestCaseError::fail)?;
            }
            let name = run.disk.names().into_iter().find(|name| journal::generation_of(name).is_some()).expect("a journal");
            journals.push((name.clone(), run.disk.bytes(&name).expect("there")));
        }
        prop_assume!(!journals.is_empty());
        let sure = run.possible.last().expect("never empty");
        let accepted: Vec<Vec<u8>> = sure.files.values().filter(|file| file.step != Step::Stored)
            .flat_map(|file| file.lines.iter().map(|(_, line)| line.clone().into_bytes())).collect();
        let disk = run.disk.fork();
        drop(run);
        let (name, mut bytes) = journals[keep.index(journals.len())].clone();
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        for name in disk.names().iter().filter(|name| journal::generation_of(name).is_some()) {
            disk.remove(name).expect("removed");
        }
        disk.create(&name).and_then(|mut file| file.append(&bytes)).expect("written");
        for _ in 0..2 {
            // A start that refuses leaves all as it is.
            drop(Spool::on_disk(&sim_options(true), std::sync::Arc::new(disk.clone()), None));
            let there = on_disk(&disk);
            for line in &accepted {
                let is_there = memchr::memmem::find(&there, line).is_some();
                prop_assert!(is_there, "{} is gone", String::from_utf8_lossy(line));
            }
        }
    }
}
