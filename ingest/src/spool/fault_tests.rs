//! Single faults, each looked at closely on the simulated disk: what a failing disk does to a commit, a crash at each
//! operation of a checkpoint and of a recovery, and each bit of each file flipped.

use super::crash_tests::{head, open};
use super::entry::{Entry, FileId};
use super::folder::lines_name;
use super::seal::seal_on;
use super::sim_disk::{Fault, SimDisk};
use super::{Spool, SpoolError};

const SEEDS: u64 = 40;

fn text(disk: &SimDisk, id: FileId) -> String {
    String::from_utf8(disk.bytes(&lines_name(id)).expect("there")).expect("text")
}

/// A file with an accepted line, and in it a line that is not committed.
fn one_accepted_one_not(disk: &SimDisk) -> Spool {
    let mut spool = open(disk, true).expect("the spool opens").0;
    spool.create(head(&spool, 0)).expect("created");
    spool.append(0, b"accepted", 1_000, Some(1));
    spool.commit().expect("committed");
    spool.append(0, &[b'x'; 5_000], 1_001, Some(2));
    spool
}

fn commit_fails(fault: Fault, says: &str) {
    let disk = SimDisk::default();
    let mut spool = one_accepted_one_not(&disk);
    disk.arm(Some(fault));
    let error = spool.commit().expect_err("the disk failed").to_string();
    assert!(error.contains(says), "{error}");
    // The disk recovers; the spool must not.
    disk.arm(None);
    assert!(matches!(spool.commit(), Err(SpoolError::Broken { .. })), "a failed commit was tried again");
    assert!(matches!(spool.create(head(&spool, 1)), Err(SpoolError::Broken { .. })));
    assert!(matches!(spool.checkpoint(), Err(SpoolError::Broken { .. })));
    drop(spool);
    for power in [None].into_iter().chain((0..SEEDS).map(Some)) {
        let disk = disk.fork();
        power.into_iter().for_each(|seed| disk.power_cut(seed));
        let (spool, recovery) = open(&disk, true).expect("the spool opens again");
        assert!(recovery.damaged.is_empty());
        let whole = spool.state().files[&0].lines == 2;
        assert!(text(&disk, 0).starts_with("accepted\n"));
        assert_eq!(text(&disk, 0).len(), if whole { 9 + 5_001 } else { 9 });
        assert_eq!((spool.is_stored(1).expect("known"), spool.is_stored(2).expect("known")), (true, whole));
        assert!(!whole || matches!(fault, Fault::SyncError { .. }), "what could not be written is said to be there");
    }
}

/// Seeds with which a sync of the data file, of the journal or of both fails.
fn failing_seeds() -> Vec<u64> {
    let fails = |seed: &u64| {
        let disk = SimDisk::default();
        let mut spool = one_accepted_one_not(&disk);
        disk.arm(Some(Fault::SyncError { seed: *seed }));
        spool.commit().is_err()
    };
    let seeds: Vec<u64> = (0..30).filter(fails).collect();
    assert!(seeds.len() > 8, "too few: {seeds:?}");
    seeds
}

#[test]
fn a_sync_that_fails_fails_the_commit_and_is_never_tried_again() {
    for seed in failing_seeds() {
        commit_fails(Fault::SyncError { seed }, "look after the disk, then start again");
    }
}

#[test]
fn a_full_disk_fails_the_commit_wherever_the_room_ends() {
    for bytes in (0..5_001).step_by(613).chain([5_001, 5_010, 5_020]) {
        commit_fails(Fault::NoSpace { bytes }, "make room");
    }
}

#[test]
fn a_disk_gone_read_only_fails_the_commit() {
    for after in 0..2 {
        commit_fails(Fault::ReadOnly { after }, "mount it for writing");
    }
}

#[test]
fn what_was_read_back_after_a_failed_sync_is_written_again_before_it_is_trusted() {
    for seed in failing_seeds() {
        let disk = SimDisk::default();
        let mut spool = one_accepted_one_not(&disk);
        disk.arm(Some(Fault::SyncError { seed }));
        drop(spool.commit().expect_err("the disk failed"));
        drop(spool);
        disk.restart();
        let (spool, _) = open(&disk, true).expect("the spool opens again");
        let found = spool.state().clone();
        drop(spool);
        for power in 0..SEEDS {
            let disk = disk.fork();
            disk.power_cut(power);
            let (spool, recovery) = open(&disk, true).expect("the spool opens again");
            assert!(recovery.damaged.is_empty() && *spool.state() == found);
        }
    }
}

#[test]
fn a_file_that_cannot_be_made_ends_the_spool_and_costs_nothing_accepted() {
    let disk = SimDisk::default();
    let mut spool = one_accepted_one_not(&disk);
    disk.arm(Some(Fault::ReadOnly { after: 0 }));
    let error = spool.create(head(&spool, 1)).expect_err("the disk is read-only").to_string();
    assert!(error.contains("make a data file") && error.contains("read-only"), "{error}");
    disk.arm(None);
    assert!(matches!(spool.commit(), Err(SpoolError::Broken { .. })));
    drop(spool);
    drop(open(&disk, true).expect("the spool opens again"));
    assert_eq!(text(&disk, 0), "accepted\n");
}

/// A spool with a file in each stage, some ids in a run and some not.
fn full_spool(disk: &SimDisk) -> Spool {
    let mut spool = open(disk, true).expect("the spool opens").0;
    spool.create(head(&spool, 0)).expect("created");
    spool.append(0, b"in an uncompressed sealed file", 1_000, Some(1));
    spool.create(head(&spool, 1)).expect("created");
    spool.append(1, b"in a compressed sealed file", 1_000, Some(2));
    spool.commit().expect("committed");
    for id in 0..2 {
        spool.finish(id);
        let (bytes, sha256, crc64) = seal_on(disk, &spool.seal_task(id).expect("known")).expect("sealed");
        spool.stage(Entry::Sealed { id, bytes, sha256, crc64 });
    }
    spool.commit().expect("committed");
    spool.checkpoint().expect("taken");
    spool.create(head(&spool, 2)).expect("created");
    spool.append(2, b"in an open file", 2_000, Some(3));
    spool.commit().expect("committed");
    spool.append(2, b"in it too", 2_001, Some(4));
    spool.commit().expect("committed");
    spool.stage(Entry::Alive { at_ms: 3_000 });
    spool.commit().expect("committed");
    spool
}

#[test]
fn a_crash_at_each_operation_of_a_checkpoint_and_of_the_recovery_after_it_changes_nothing() {
    let disk = SimDisk::default();
    let mut spool = full_spool(&disk);
    let state = spool.state().clone();
    let untouched = disk.fork();
    disk.arm(None);
    spool.checkpoint().expect("taken");
    let operations = disk.operations();
    assert!(operations > 8, "a checkpoint does more than {operations} things");
    for after in 0..operations {
        for seed in 0..12 {
            let disk = untouched.fork();
            // A crash in the middle of the start's own checkpoint, then one in the middle of the next.
            for (round, after) in [(1, after), (2, operations.saturating_sub(after))] {
                disk.arm(Some(Fault::Power { after, syncs: true }));
                drop(open(&disk, true));
                disk.restart();
                disk.power_cut(seed * 7 + round);
            }
            let (spool, recovery) = open(&disk, true).expect("the spool opens");
            assert!(recovery.damaged.is_empty(), "{recovery:?}");
            assert_eq!(*spool.state(), state, "after {after} operations, seed {seed}");
            for tweet in 0..6 {
                assert_eq!(spool.is_stored(tweet).expect("known"), (1..5).contains(&tweet));
            }
        }
    }
}

#[test]
fn each_flipped_bit_of_each_file_is_noticed() {
    let disk = SimDisk::default();
    let spool = full_spool(&disk);
    let state = spool.state().clone();
    drop(spool);
    let names: Vec<String> = disk.names();
    assert!(
        ["journal.", "data/000000000000.lines", "data/000000000001.object", "ids/"]
            .iter()
            .all(|part| names.iter().any(|name| name.starts_with(part)))
    );
    for name in names {
        // An id file is long, and its parts alike.
        let step = if name.starts_with("ids/") { 31 } else { 1 };
        for at in (0..disk.bytes(&name).expect("there").len()).step_by(step) {
            // A checksum sees one bit as well as another: in the long file each byte loses one of them.
            for bit in if name.starts_with("ids/") { at % 8..at % 8 + 1 } else { 0..8 } {
                let disk = disk.fork();
                disk.damage(&name, |bytes| bytes[at] ^= 1 << bit);
                if name == "watermark" || name.starts_with("ids/") {
                    harms_nothing(&disk, &state, &format!("{name}, byte {at}, bit {bit}"));
                    continue;
                }
                assert!(notices(&disk, &state), "{name}, byte {at}, bit {bit}: nobody noticed");
            }
        }
    }
}

/// Neither how far the journal went nor what dedupe knows stands in the way of what was accepted.
fn harms_nothing(disk: &SimDisk, before: &super::state::State, what: &str) {
    let (spool, recovery) = open(disk, true).expect(what);
    assert_eq!((&recovery.damaged, &recovery.unknown, &recovery.holes), (&vec![], &vec![], &vec![]), "{what}");
    assert_eq!(spool.state(), before, "{what}");
    for tweet in 0..6 {
        assert_eq!(spool.is_stored(tweet).expect("known"), (1..5).contains(&tweet), "{what}: tweet {tweet}");
    }
}

/// Whether the spool refuses, quarantines or leaves out what was damaged; and if it opens, that nothing wrong is in it.
fn notices(disk: &SimDisk, before: &super::state::State) -> bool {
    let Ok((spool, recovery)) = open(disk, true) else { return true };
    if (1..5).any(|tweet| spool.is_stored(tweet).is_err()) {
        return true;
    }
    if recovery.cut_group {
        // The last group cannot be told from one that was never accepted.
        return true;
    }
    let aside = spool.state().files.values().filter(|file| file.aside().is_some()).count();
    assert!(aside == recovery.damaged.len());
    aside > 0 && spool.state() != before
}

#[test]
fn a_spool_without_its_journal_is_refused_and_left_alone() {
    let disk = SimDisk::default();
    drop(full_spool(&disk));
    let journal = disk.names().into_iter().find(|name| name.starts_with("journal.")).expect("a journal");
    super::disk::Disk::remove(&disk, &journal).expect("removed");
    let names = disk.names();
    let error = open(&disk, true).err().expect("refused").to_string();
    assert!(error.contains("journal is gone") && error.contains("put the journal back"), "{error}");
    assert_eq!(disk.names(), names);
}

#[test]
fn what_the_journal_calls_quarantined_is_put_aside_by_the_next_start() {
    let disk = SimDisk::default();
    let mut spool = full_spool(&disk);
    spool.stage(Entry::Quarantined { id: 1, reason: "foreign".into() });
    spool.commit().expect("committed");
    drop(spool);
    drop(open(&disk, true).expect("the spool opens"));
    for part in ["lines", "object"] {
        assert!(disk.bytes(&format!("quarantine/000000000001.{part}")).is_some(), "{:?}", disk.names());
    }
}
