//! Requeueing: where the lines are afterwards, whatever failed on the way.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cauce_lake::checksum::Crc64;
use cauce_lake::manifest::{Codec, IngestPath, ManifestName};
use cauce_lake::{Hour, Key};

use super::super::disk::{Disk, DiskFile, DiskReader, RealDisk};
use super::super::entry::{Role, Target};
use super::super::fsck;
use super::super::inspect::View;
use super::super::state::Stage;
use super::super::{Options, Recovery};
use super::*;

const NOW_MS: i64 = 1_900_000_000_000;

fn hour() -> Hour {
    "2026-11-22T05".parse().expect("an hour")
}

fn options(dir: &Path) -> Options {
    Options {
        dir: dir.to_owned(),
        durable: true,
        dedupe_window_ms: i64::MAX,
        group_limit: crate::spool::group_limit(1 << 20, 100),
    }
}

fn open(dir: &Path) -> (Spool, Recovery) {
    Spool::open(&options(dir)).expect("the spool opens")
}

fn head(id: FileId) -> FileHead {
    let number = hour().start_ms() + 100 + i64::try_from(id).expect("small");
    let target = Target {
        folder: "11-22-05".into(),
        hour: Some(hour()),
        role: Role::Tweets,
        late: false,
        path: IngestPath::Stream,
    };
    let key = Key::new(format!("11-22-05/tweets.{number}.json")).expect("valid key");
    FileHead { id, target, key, codec: Codec::None, created_ms: number }
}

/// A spool with one file of three groups.
fn three_groups(dir: &Path) -> Spool {
    let mut spool = open(dir).0;
    spool.create(head(0)).expect("created");
    for group in 0..3 {
        for line in 0..2 {
            let received_at_ms = hour().start_ms() + group * 2_000 + line * 1_000;
            spool.append(0, format!("group {group} line {line}").as_bytes(), received_at_ms, None);
        }
        spool.commit().expect("committed");
    }
    spool
}

/// The same, put aside because another object has its key.
fn foreign(dir: &Path) -> Spool {
    let mut spool = three_groups(dir);
    spool.finish(0);
    spool.stage(Entry::Sealed { id: 0, bytes: 96, sha256: "x".into(), crc64: Crc64::of(b"x") });
    spool.stage(Entry::Quarantined { id: 0, reason: "another object".into() });
    spool.commit().expect("committed");
    spool.quarantine(&head(0)).expect("moved");
    spool
}

/// The same, put aside by a recovery that found its third group changed.
fn damaged(dir: &Path) -> Spool {
    let mut spool = three_groups(dir);
    spool.stage(Entry::Alive { at_ms: 1 });
    spool.commit().expect("committed");
    drop(spool);
    let path = dir.join(lines_name(0));
    let mut bytes = std::fs::read(&path).expect("readable");
    let last = bytes.len() - 3;
    bytes[last] ^= 0x20;
    std::fs::write(&path, bytes).expect("writable");
    let (spool, recovery) = open(dir);
    assert_eq!(recovery.damaged.len(), 1);
    spool
}

fn text(path: PathBuf) -> String {
    std::fs::read_to_string(path).expect("readable")
}

fn names(dir: &Path, folder: &str) -> Vec<String> {
    RealDisk::new(dir).list(folder).expect("a folder")
}

fn groups(count: usize) -> String {
    (0..count).flat_map(|group| (0..2).map(move |line| format!("group {group} line {line}\n"))).collect()
}

#[test]
fn a_whole_file_is_in_the_queue_again_under_the_next_number_of_its_open_hour() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(foreign(folder.path()));
    let (mut spool, _) = open(folder.path());
    let before = spool.state().clone();
    let requeued = spool.requeue(0, false, NOW_MS).expect("requeued");
    let Requeued::Whole { head: new, lines: 6 } = requeued else { panic!("{requeued:?}") };
    assert_eq!(new.key.as_str(), format!("11-22-05/tweets.{}.json", hour().start_ms() + 101));
    assert_eq!((new.id, new.target.late), (1, false));
    drop(spool);
    let (spool, recovery) = open(folder.path());
    assert!(recovery.damaged.is_empty() && !recovery.cut_group);
    let file = &spool.state().files[&1];
    assert_eq!((spool.state().files.len(), &file.stage, file.lines), (1, &Stage::Open, 6));
    assert_eq!(file.arrivals, before.files[&0].arrivals);
    assert_eq!(text(spool.lines_path(1)), groups(3));
    assert!(names(folder.path(), "quarantine").is_empty());
    // What the next start makes of the stop is not touched.
    assert_eq!((spool.state().last_ms, spool.state().stopped), (before.last_ms, before.stopped));
}

#[test]
fn what_an_hour_takes_no_more_goes_to_its_late_folder() {
    for closed in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spool = foreign(folder.path());
        spool.stage(Entry::Frozen { hour: hour(), at_ms: hour().end_ms() });
        if closed {
            let name = ManifestName::closing(hour());
            spool.stage(Entry::Planned { name, bytes: vec![], files: vec![0] });
            spool.stage(Entry::Closed { name });
        }
        spool.commit().expect("committed");
        let requeued = spool.requeue(0, false, NOW_MS).expect("requeued");
        let Requeued::Whole { head: new, .. } = requeued else { panic!("{requeued:?}") };
        assert_eq!(new.key.as_str(), format!("late/11-22-05/tweets.{}.json", hour().start_ms() + 101));
        assert!(new.target.late && !spool.state().files[&new.id].planned);
    }
}

#[test]
fn a_damaged_file_gives_its_good_beginning_only_when_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = damaged(folder.path());
    let before = spool.state().clone();
    let refused = spool.requeue(0, false, NOW_MS).expect_err("a part was taken for all");
    assert_eq!(
        refused.to_string(),
        "file 0 is damaged: 4 of its 6 lines check out; --salvage takes these and leaves its bytes in quarantine/"
    );
    assert_eq!(*spool.state(), before);
    // The commits are known after another checkpoint and restart too.
    drop(spool);
    let mut spool = open(folder.path()).0;
    let requeued = spool.requeue(0, true, NOW_MS).expect("salvaged");
    let Requeued::Salvaged { head: new, lines: 4, lost: 2 } = requeued else { panic!("{requeued:?}") };
    drop(spool);
    let (spool, recovery) = open(folder.path());
    assert!(recovery.damaged.is_empty());
    assert_eq!(text(spool.lines_path(new.id)), groups(2));
    let file = &spool.state().files[&new.id];
    let first = hour().start_ms() / 1000;
    assert_eq!(file.arrivals, [(first, 1), (first + 1, 2), (first + 2, 3), (first + 3, 4)]);
    assert_eq!(spool.state().files.len(), 1);
    assert_eq!(text(folder.path().join("quarantine/000000000000.lines")).len(), groups(3).len());
}

#[test]
fn a_file_of_which_nothing_is_left_is_given_up_only_when_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = foreign(folder.path());
    std::fs::remove_file(folder.path().join("quarantine/000000000000.lines")).expect("removed");
    assert!(matches!(spool.requeue(0, false, NOW_MS), Err(RequeueError::Damaged { good: 0, lines: 6, .. })));
    assert_eq!(spool.requeue(0, true, NOW_MS).expect("given up"), Requeued::Forgotten { lost: 6 });
    drop(spool);
    let (spool, _) = open(folder.path());
    assert!(spool.state().files.is_empty() && names(folder.path(), "data").is_empty());
}

#[test]
fn bytes_that_changed_in_quarantine_are_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = foreign(folder.path());
    let path = folder.path().join("quarantine/000000000000.lines");
    for at in 0..groups(3).len() {
        let good = std::fs::read(&path).expect("readable");
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, bad).expect("writable");
        assert!(matches!(spool.requeue(0, false, NOW_MS), Err(RequeueError::Damaged { .. })), "byte {at}");
        std::fs::write(&path, good).expect("writable");
    }
}

#[test]
fn files_that_are_in_order_or_unknown_are_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = three_groups(folder.path());
    assert!(matches!(spool.requeue(0, true, NOW_MS), Err(RequeueError::NotQuarantined { id: 0 })));
    assert!(matches!(spool.requeue(9, true, NOW_MS), Err(RequeueError::Unknown { id: 9 })));
}

#[test]
fn a_move_to_quarantine_that_a_crash_cut_short_is_finished_and_nothing_is_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = three_groups(folder.path());
    spool.finish(0);
    spool.stage(Entry::Quarantined { id: 0, reason: "another object".into() });
    spool.commit().expect("committed");
    drop(spool);
    let (mut spool, _) = open(folder.path());
    assert_eq!(text(folder.path().join("quarantine/000000000000.lines")), groups(3));
    assert!(matches!(spool.requeue(0, false, NOW_MS), Ok(Requeued::Whole { lines: 6, .. })));
}

/// A disk on which everything that changes something fails from the n-th time on.
struct Failing {
    disk: RealDisk,
    left: Arc<AtomicUsize>,
}

struct FailingFile(Box<dyn DiskFile>, Arc<AtomicUsize>);

fn spend(left: &AtomicUsize) -> io::Result<()> {
    let spent = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    spent.map(drop).map_err(|_| io::ErrorKind::StorageFull.into())
}

impl DiskFile for FailingFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if spend(&self.1).is_err() {
            // A short write: half of it is there.
            self.0.append(&bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.append(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        spend(&self.1)?;
        self.0.sync()
    }
}

impl Disk for Failing {
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        spend(&self.left)?;
        Ok(Box::new(FailingFile(self.disk.create(name)?, Arc::clone(&self.left))))
    }

    fn settle(&self, name: &str, from: u64, length: u64) -> io::Result<()> {
        spend(&self.left)?;
        self.disk.settle(name, from, length)
    }

    fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.disk.overwrite(name, bytes)
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        self.disk.read(name)
    }

    fn open_reader(&self, name: &str) -> io::Result<Box<dyn DiskReader>> {
        self.disk.open_reader(name)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        spend(&self.left)?;
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        spend(&self.left)?;
        self.disk.remove(name)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        spend(&self.left)?;
        self.disk.sync_folder(folder)
    }
}

#[test]
fn whatever_step_fails_the_lines_are_in_one_file_and_another_try_succeeds() {
    for (make, expected) in [(foreign as fn(&Path) -> Spool, 3), (damaged, 2)] {
        let mut steps = 0;
        loop {
            let folder = tempfile::tempdir().expect("a folder");
            drop(make(folder.path()));
            let left = Arc::new(AtomicUsize::new(usize::MAX));
            let disk = Arc::new(Failing { disk: RealDisk::new(folder.path()), left: Arc::clone(&left) });
            let lock = std::fs::File::open(folder.path().join("lock")).expect("there");
            let (mut spool, _) = Spool::on_disk(&options(folder.path()), disk, Some(lock)).expect("the spool opens");
            left.store(steps, Ordering::Relaxed);
            let done = spool.requeue(0, true, NOW_MS).is_ok();
            drop(spool);

            let (mut spool, recovery) = open(folder.path());
            assert!(recovery.damaged.is_empty(), "step {steps}");
            assert_eq!(spool.state().files.len(), 1, "step {steps}: the lines are in one file");
            if spool.state().files.contains_key(&0) {
                spool.requeue(0, true, NOW_MS).expect("the second try succeeds");
            }
            let id = *spool.state().files.keys().next().expect("one file");
            assert_eq!(text(spool.lines_path(id)), groups(expected), "step {steps}");
            drop(spool);
            assert_eq!(fsck::check(folder.path()).expect("checked").problems, [], "step {steps}");
            assert_eq!(View::open(folder.path()).expect("readable").state.files.len(), 1);
            if done {
                break;
            }
            steps += 1;
        }
        assert!(steps > 10, "only {steps} steps could fail");
    }
}

#[test]
fn damage_to_a_requeued_file_is_told_and_not_taken_for_a_group_that_was_never_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = foreign(folder.path());
    spool.requeue(0, false, NOW_MS).expect("requeued");
    let path = spool.lines_path(1);
    drop(spool);
    std::fs::write(&path, groups(3).replace("group 1", "group X")).expect("writable");
    let (spool, recovery) = open(folder.path());
    assert!(!recovery.cut_group);
    assert_eq!(recovery.damaged.len(), 1);
    assert!(matches!(spool.state().files[&1].stage, Stage::Damaged { .. }));
}
