//! A spool that lost something, through the program: a journal that was cut, id files that changed, a disk that is full.
//! Everything that was accepted is in the lake in the end, once.

use std::fs;
use std::path::PathBuf;

use crate::corpus::{expected, joined, mixed};
use crate::disk::{can_mount, with_disk};
use crate::files;
use crate::lake::Lake;
use crate::program::{INGEST, Place};

fn sorted(mut lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    lines.sort();
    lines
}

fn stored(place: &Place) -> Vec<Vec<u8>> {
    sorted(Lake::folder(&place.path("lake")).lines())
}

fn wanted(lines: &[Vec<u8>]) -> Vec<Vec<u8>> {
    sorted(expected(lines).hours.into_values().flatten().collect())
}

fn journal(place: &Place) -> PathBuf {
    let names = fs::read_dir(place.path("spool")).expect("a spool").map(|entry| entry.expect("an entry").path());
    names.filter(|path| path.to_string_lossy().contains("journal.")).max().expect("a journal")
}

/// A place whose agent was killed with all lines accepted and none stored.
fn killed(lines: &[Vec<u8>]) -> Place {
    let mut place = files::place("roll_interval = 0\nroll_bytes = 0\n[spool]\ndir = \"spool\"");
    place.write("archive/a.json", joined(lines));
    place.set("INGEST_FAILPOINT", "seal.journalled");
    assert_eq!(place.ingest("run").code, None, "it is killed");
    place.set("INGEST_FAILPOINT", "");
    place
}

#[test]
fn what_a_cut_journal_lost_is_quarantined_and_after_requeueing_in_the_lake_once() {
    let lines = mixed(6_000, 2);
    let place = killed(&lines);
    // The source is gone: only the spool has them.
    place.write("archive/a.json", "");
    let path = journal(&place);
    let bytes = fs::read(&path).expect("readable");
    let first = u32::from_le_bytes(bytes[28..32].try_into().expect("four bytes")) as usize + 28 + 16;
    fs::write(&path, &bytes[..first + (bytes.len() - first) / 3]).expect("writable");

    let checked = place.ingest("spool fsck");
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    assert!(checked.out.contains("the journal does not speak for"), "{}", checked.out);
    let started = place.done("run");
    let said = started.err.lines().find(|line| line.contains("ERROR") && line.contains("does not speak for all"));
    assert!(said.is_some_and(|line| line.contains("lines=") && line.contains("bytes=")), "{}", started.err);
    assert!(stored(&place).len() < wanted(&lines).len());

    let listed = place.done("spool ls");
    assert!(listed.out.contains("unknown   quarantine/unknown.1"), "{}", listed.out);
    let requeued = place.done("spool requeue --all");
    assert!(requeued.out.contains("lines wait for the next ingest run"), "{}", requeued.out);
    place.done("run");
    assert!(stored(&place) == wanted(&lines), "{} of {}", stored(&place).len(), wanted(&lines).len());
    assert!(place.done("verify").out.contains(" 0 with problems"));
    assert_eq!(place.ingest("spool fsck").code, Some(0));
}

#[test]
fn objects_take_the_place_of_files_that_an_older_journal_misses() {
    let lines = mixed(6_000, 2);
    let mut place = killed(&lines);
    place.write("archive/a.json", "");
    // The older journal does not know the lease that this spool takes in between.
    place.set("CAUCE_AGENT__LEASE_TIMEOUT", "2s");
    let older = journal(&place);
    let kept = fs::read(&older).expect("readable");
    place.set("INGEST_FAILPOINT", "manifest.before-put");
    assert_eq!(place.ingest("run").code, None, "it is killed with objects stored and listed nowhere");
    place.set("INGEST_FAILPOINT", "");
    fs::remove_file(journal(&place)).expect("there");
    fs::write(&older, kept).expect("writable");

    let started = place.done("run");
    assert!(started.err.contains("the object takes its place"), "{}", started.err);
    assert!(stored(&place) == wanted(&lines), "{} of {}", stored(&place).len(), wanted(&lines).len());
    let verified = place.done("verify").out;
    assert!(verified.contains(" 0 with problems"), "{verified}");
    assert_eq!(place.ingest("spool fsck").code, Some(0));
    assert_eq!(place.done("run").number("left_in_spool"), 0);
}

#[test]
fn damaged_and_missing_id_files_stop_nothing_and_a_hole_is_in_the_manifests() {
    let lines = mixed(6_000, 2);
    for missing in [false, true] {
        let place = killed(&lines);
        // A start that is killed at once leaves the ids in a file.
        let mut place = place;
        place.set("INGEST_FAILPOINT", "seal.journalled");
        assert_eq!(place.ingest("run").code, None, "it is killed");
        place.set("INGEST_FAILPOINT", "");
        let ids =
            fs::read_dir(place.path("spool/ids")).expect("a folder").next().expect("one").expect("an entry").path();
        let mut bytes = fs::read(&ids).expect("readable");
        if missing {
            fs::remove_file(&ids).expect("there");
        } else {
            bytes[1_000] ^= 4;
            fs::write(&ids, &bytes).expect("writable");
        }
        let checked = place.ingest("spool fsck");
        assert_eq!(checked.code, Some(1), "{}", checked.out);
        let ended = place.done("run");
        assert_eq!(ended.err.contains("id file of the spool is damaged or gone"), missing, "{}", ended.err);
        assert!(stored(&place) == wanted(&lines));
        let manifest = fs::read_to_string(place.path("lake/_hours/2025-11-20T05.json")).expect("the hour is closed");
        assert_eq!(manifest.contains("dedupe_holes"), missing, "{manifest}");
    }
}

#[test]
fn a_start_on_a_full_disk_stores_what_it_holds_and_so_makes_room() {
    let lines = mixed(20_000, 2);
    for codec in ["none", "zstd"] {
        let mut place = files::place(&format!("compression = \"{codec}\"\nroll_interval = 0\nroll_bytes = 0"));
        if !can_mount(&place, "disk") {
            return;
        }
        place.write("archive/a.json", joined(&lines));
        let run = format!("{INGEST} run --spool-dir disk/spool");
        let script = format!(
            "mount -t tmpfs -o size=128m tmpfs disk; INGEST_FAILPOINT=seal.journalled {run}; echo code $?; \
             ls disk/spool/reserve; cat /dev/zero > disk/ballast 2>/dev/null; df --output=avail disk | tail -1; \
             {run}; echo code $?; {INGEST} spool ls --spool-dir disk/spool | grep -c -E ' (open|sealed) '"
        );
        let ended = with_disk(&mut place, &script);
        let told: Vec<&str> = ended.out.lines().map(str::trim).collect();
        assert_eq!(told, ["code 137", "disk/spool/reserve", "0", "code 0", "0"], "{codec}: {}", ended.err);
        assert!(stored(&place) == wanted(&lines), "{codec}");
    }
}
