//! The spool across restarts: what was committed is there, what was not is gone as a whole, damage is noticed.

use std::collections::HashMap;
use std::fs;
use std::fs::File;
use std::path::Path;

use cauce_lake::checksum::Crc64;
use cauce_lake::manifest::{Codec, IngestPath};
use cauce_lake::{Hour, Key};
use proptest::prelude::*;

use super::entry::{Role, Target};
use super::state::Stage;
use super::*;

fn options(dir: &Path, durable: bool) -> Options {
    Options {
        dir: dir.to_owned(),
        durable,
        dedupe_window_ms: 86_400_000,
        group_limit: crate::spool::group_limit(1 << 20, 100),
    }
}

fn open(dir: &Path) -> (Spool, Recovery) {
    Spool::open(&options(dir, true)).expect("the spool opens")
}

fn head(id: FileId) -> FileHead {
    let hour = Hour::from_index(498_000 + i64::try_from(id).expect("small"));
    let target =
        Target { folder: "x".into(), hour: Some(hour), role: Role::Tweets, late: false, path: IngestPath::Stream };
    let key = Key::new(format!("x/tweets.{}.json", hour.start_ms() + 1)).expect("valid key");
    FileHead { id, target, key, codec: Codec::None, created_ms: hour.start_ms() }
}

/// Two files with three groups: each group adds a line to both.
fn three_groups(dir: &Path) -> Vec<(u64, u64)> {
    three_groups_by(Spool::open(&options(dir, true)).expect("the spool opens").0)
}

fn three_groups_by(mut spool: Spool) -> Vec<(u64, u64)> {
    spool.create(head(0)).expect("created");
    spool.create(head(1)).expect("created");
    let mut ends = Vec::new();
    for group in 0..3i64 {
        for id in 0..2 {
            let tweet = u64::try_from(group).expect("small") * 10 + id;
            spool.append(id, format!("line {group} of file {id}").as_bytes(), 1_000 + group, Some(tweet));
        }
        spool.commit().expect("committed");
        ends.push((spool.journal.bytes(), spool.state().files[&0].end));
    }
    ends
}

fn journal_path(dir: &Path) -> PathBuf {
    let names = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path());
    names.filter(|path| path.to_string_lossy().contains("journal.")).max().expect("a journal")
}

fn cut(path: &Path, bytes: u64) {
    File::options().write(true).open(path).expect("there").set_len(bytes).expect("cut");
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("readable");
    bytes[at] ^= 0x40;
    fs::write(path, bytes).expect("writable");
}

/// As after a power cut that came before the watermark reached the disk.
fn lower_watermark(dir: &Path) {
    let group_limit = group_limit(1 << 20, 100);
    let lowered = watermark::Watermark { generation: 0, journal_bytes: 0, group_limit };
    watermark::write(&RealDisk::new(dir), lowered).expect("written");
}

fn lines(spool: &Spool, id: FileId) -> Vec<String> {
    let text = fs::read_to_string(spool.lines_path(id)).expect("readable");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn what_was_committed_is_there_after_a_crash_and_what_was_not_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut spool, recovery) = open(folder.path());
    assert!(!recovery.found);
    spool.stage(Entry::Started { at_ms: 1 });
    spool.create(head(0)).expect("created");
    spool.append(0, b"accepted", 5, Some(7));
    spool.commit().expect("committed");
    spool.append(0, b"not accepted", 6, Some(8));
    drop(spool);
    let (spool, recovery) = open(folder.path());
    assert!(recovery.found && !recovery.stopped && !recovery.cut_group);
    assert_eq!(lines(&spool, 0), ["accepted"]);
    assert_eq!((spool.is_stored(7).expect("known"), spool.is_stored(8).expect("known")), (true, false));
}

#[test]
fn a_second_agent_is_refused_while_the_first_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let (spool, _) = open(folder.path());
    assert!(matches!(Spool::open(&options(folder.path(), true)), Err(SpoolError::Locked { .. })));
    drop(spool);
    open(folder.path());
}

#[test]
fn a_torn_last_journal_frame_leaves_the_groups_before_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let ends = three_groups(folder.path());
    cut(&journal_path(folder.path()), ends[2].0 - 1);
    lower_watermark(folder.path());
    let (spool, recovery) = open(folder.path());
    assert!(recovery.cut_group && recovery.damaged.is_empty());
    assert_eq!(lines(&spool, 0), ["line 0 of file 0", "line 1 of file 0"]);
    assert!(!spool.is_stored(20).expect("known"), "an id of the torn group was kept");
}

#[test]
fn a_last_group_whose_data_did_not_reach_the_disk_is_left_out_of_all_its_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let ends = three_groups(folder.path());
    cut(&folder.path().join(lines_name(1)), ends[2].1 - 1);
    lower_watermark(folder.path());
    let (spool, recovery) = open(folder.path());
    assert!(recovery.cut_group && recovery.damaged.is_empty());
    for id in 0..2 {
        assert_eq!(lines(&spool, id), [format!("line 0 of file {id}"), format!("line 1 of file {id}")]);
    }
}

#[test]
fn a_last_group_that_the_watermark_calls_accepted_is_damaged_and_not_torn() {
    let folder = tempfile::tempdir().expect("a folder");
    three_groups(folder.path());
    flip(&folder.path().join(lines_name(1)), 40);
    let (spool, recovery) = open(folder.path());
    assert_eq!((recovery.cut_group, recovery.damaged.len()), (false, 1));
    assert_eq!(lines(&spool, 0).len(), 3, "the other file keeps its last line");
}

#[test]
fn a_changed_byte_in_an_earlier_group_puts_that_file_aside_and_spares_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    three_groups(folder.path());
    flip(&folder.path().join(lines_name(0)), 3);
    let (spool, recovery) = open(folder.path());
    assert_eq!(recovery.damaged.len(), 1);
    assert!(folder.path().join("quarantine/000000000000.lines").exists());
    assert!(matches!(spool.state().files[&0].stage, Stage::Damaged { end: 0, lines: 0, .. }));
    assert_eq!(lines(&spool, 1).len(), 3);
}

#[test]
fn a_changed_byte_anywhere_in_the_journal_before_its_end_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let ends = three_groups(folder.path());
    let path = journal_path(folder.path());
    let good = fs::read(&path).expect("readable");
    for at in (0..usize::try_from(ends[1].0).expect("small")).step_by(11) {
        flip(&path, at);
        assert!(Spool::open(&options(folder.path(), true)).is_err(), "byte {at} was changed and nobody noticed");
        fs::write(&path, &good).expect("writable");
    }
}

#[test]
fn with_the_memory_channel_a_power_cut_costs_the_ends_of_open_files_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let (spool, _) = Spool::open(&options(folder.path(), false)).expect("the spool opens");
    let ends = three_groups_by(spool);
    // The first file lost its end although later groups are in the journal.
    cut(&folder.path().join(lines_name(0)), ends[1].1 - 1);
    let (spool, recovery) = Spool::open(&options(folder.path(), false)).expect("the spool opens");
    assert_eq!((recovery.lost_lines, recovery.damaged.len()), (2, 0));
    assert_eq!((lines(&spool, 0).len(), lines(&spool, 1).len()), (1, 3));
}

#[test]
fn a_checkpoint_changes_nothing_but_the_generation() {
    let folder = tempfile::tempdir().expect("a folder");
    three_groups(folder.path());
    let (mut spool, _) = open(folder.path());
    let (state, generation) = (spool.state().clone(), spool.journal.generation());
    spool.checkpoint().expect("taken");
    assert_eq!((spool.state(), spool.journal.generation()), (&state, generation + 1));
    drop(spool);
    let (spool, _) = open(folder.path());
    assert_eq!(*spool.state(), state);
    assert!(spool.is_stored(21).expect("known"));
}

#[test]
fn a_file_that_is_stored_leaves_the_disk_and_its_key_stays_known() {
    let folder = tempfile::tempdir().expect("a folder");
    three_groups(folder.path());
    let (mut spool, _) = open(folder.path());
    spool.stage(Entry::Sealed { id: 0, bytes: 1, sha256: "x".into(), crc64: Crc64::of(b"x") });
    spool.stage(Entry::Stored { id: 0 });
    spool.commit().expect("committed");
    spool.discard(&head(0)).expect("removed");
    drop(spool);
    let (spool, recovery) = open(folder.path());
    assert!(recovery.damaged.is_empty());
    assert!(matches!(spool.state().files[&0].stage, Stage::Stored { .. }));
    assert!(!spool.lines_path(0).exists());
}

/// What a run does between two crashes.
#[derive(Debug, Clone)]
enum Step {
    Line { file: u64, tweet: u64 },
    Commit,
    Checkpoint,
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u64..3, 0u64..50).prop_map(|(file, tweet)| Step::Line { file, tweet }),
        3 => Just(Step::Commit),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn each_accepted_line_is_in_its_file_once_whatever_crashes_in_between(steps in steps(), torn in 0usize..40) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut accepted: Vec<String> = Vec::new();
        let mut pending: Vec<String> = Vec::new();
        // Files of this run, by the number of the step that made them.
        let mut files: HashMap<u64, FileId> = HashMap::new();
        let mut spool = open(folder.path()).0;
        for (number, step) in steps.iter().chain([&Step::Crash]).enumerate() {
            match step {
                Step::Line { file, tweet } => {
                    if spool.is_stored(*tweet).expect("known") {
                        continue;
                    }
                    let id = *files.entry(*file).or_insert_with(|| {
                        let id = spool.state().next_id;
                        spool.create(head(id)).expect("created");
                        id
                    });
                    let line = format!("step {number} tweet {tweet}");
                    spool.append(id, line.as_bytes(), 1_000 + i64::try_from(number).expect("small"), Some(*tweet));
                    pending.push(line);
                }
                Step::Commit => {
                    spool.commit().expect("committed");
                    accepted.append(&mut pending);
                }
                Step::Checkpoint => {
                    spool.commit().expect("committed");
                    accepted.append(&mut pending);
                    spool.checkpoint().expect("taken");
                }
                Step::Crash => {
                    drop(spool);
                    pending.clear();
                    files.clear();
                    // A group that was being written leaves a torn frame behind the good ones.
                    let mut journal = fs::read(journal_path(folder.path())).expect("readable");
                    journal.extend((0..torn).map(|byte| u8::try_from(byte).expect("small")));
                    fs::write(journal_path(folder.path()), journal).expect("writable");
                    let (again, recovery) = open(folder.path());
                    prop_assert!(recovery.damaged.is_empty());
                    spool = again;
                    let ids: Vec<FileId> = spool.state().files.keys().copied().collect();
                    let on_disk = ids.into_iter().filter(|id| spool.state().files[id].end > 0);
                    let mut found: Vec<String> = on_disk.flat_map(|id| lines(&spool, id)).collect();
                    found.sort();
                    let mut expected = accepted.clone();
                    expected.sort();
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }
}

#[test]
fn a_copy_that_no_entry_names_is_removed_however_large_it_is_and_one_that_is_named_gets_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    // Anything that is longer than a group could not be what a crash leaves of one.
    let options = Options { group_limit: 20, ..options(folder.path(), true) };
    let open = || Spool::open(&options).expect("the spool opens");
    let names = || disk::RealDisk::new(folder.path()).list("data").expect("a folder");
    let mut spool = open().0;
    spool.create(head(0)).expect("created");
    for line in 0..5 {
        spool.append(0, format!("line number {line}").as_bytes(), 1_000, None);
    }
    spool.commit().expect("committed");
    spool.finish(0);
    spool.stage(Entry::Sealed { id: 0, bytes: 70, sha256: "x".into(), crc64: Crc64::of(b"x") });
    spool.commit().expect("committed");
    let split = |spool: &mut Spool| {
        let rest = spool.split(0, 2, &id_set::IdSet::default(), MessageCounts::default()).expect("copied");
        rest.0.expect("there are others").id
    };
    split(&mut spool);
    assert_eq!(names().len(), 2);
    // It was killed before the frame.
    drop(spool);
    let (mut spool, recovery) = open();
    assert_eq!((&recovery.unknown, &recovery.doubt), (&vec![], &None));
    assert_eq!(names(), ["000000000000.lines"]);

    let id = split(&mut spool);
    spool.stage(Entry::Listed { ids: vec![0] });
    spool.commit().expect("committed");
    drop(spool);
    // It was killed between the frame and what follows it: the copy has no name yet, and the old file is still there.
    fs::rename(folder.path().join(folder::lines_name(id)), folder.path().join(folder::copy_name(id))).expect("renamed");
    fs::write(folder.path().join("data/000000000000.lines"), "the lines that were listed\n").expect("written");
    assert_eq!(fsck::check(folder.path()).expect("checked").problems, []);
    let (spool, recovery) = open();
    assert_eq!((&recovery.unknown, &recovery.doubt, &recovery.damaged), (&vec![], &None, &vec![]));
    assert_eq!(names(), [folder::lines_name(id).trim_start_matches("data/")]);
    let text = fs::read_to_string(spool.lines_path(id)).expect("readable");
    assert_eq!(text, "line number 2\nline number 3\nline number 4\n");
}
