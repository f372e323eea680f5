//! `ingest spool` as it is typed, on spools in local folders.

use std::path::Path;

use cauce_lake::checksum::Crc64;
use cauce_lake::manifest::{Codec, IngestPath, ManifestName};
use cauce_lake::{Hour, Key};
use clap::Parser;
use proptest::prelude::*;

use super::super::{Cli, Command as Main};
use super::*;
use crate::spool::entry::{Entry, FileHead, FileId, Role, Target};
use crate::spool::inspect::View;
use crate::spool::state::Stage;
use crate::spool::{Options, Spool};

/// What a command wrote and how it ended.
struct Answer {
    out: String,
    err: String,
    end: Result<(), (Exit, String)>,
}

fn ingest(line: &[&str], outside: &Outside) -> Answer {
    let cli = Cli::try_parse_from([&["ingest", "spool"], line].concat()).expect("a possible command line");
    let Main::Spool(args) = cli.command else { panic!("{line:?} is no spool command") };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let end = spool(&args, outside, &mut out, &mut err).map_err(|failure| (failure.exit, failure.error.to_string()));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Answer { out: text(out), err: text(err), end }
}

/// A command on the spool in a folder.
fn on(dir: &Path, line: &[&str]) -> Answer {
    ingest(&[line, &["--spool-dir", dir.to_str().expect("a path of text")]].concat(), &Outside::default())
}

fn hour(n: i64) -> Hour {
    Hour::from_index(498_000 + n)
}

fn head(id: FileId, n: i64) -> FileHead {
    let target = Target {
        folder: format!("h{n}"),
        hour: Some(hour(n)),
        role: Role::Tweets,
        late: false,
        path: IngestPath::Stream,
    };
    let number = hour(n).start_ms() + i64::try_from(id).expect("small");
    let key = Key::new(format!("h{n}/tweets.{number}.json")).expect("valid key");
    FileHead { id, target, key, codec: Codec::None, created_ms: number }
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

fn add(spool: &mut Spool, id: FileId, text: &str) {
    spool.append(id, text.as_bytes(), hour(0).start_ms() + 5_000, None);
    spool.commit().expect("committed");
}

/// An open file, a sealed one, one whose key another object has, one that is stored.
fn four_files(dir: &Path) -> Spool {
    let mut spool = open(dir);
    for id in 0..4 {
        spool.create(head(id, 0)).expect("created");
        add(&mut spool, id, &format!("one of {id}"));
        add(&mut spool, id, &format!("two of {id}"));
    }
    for id in 1..4 {
        spool.finish(id);
        // As for every file of two such lines; fsck would compare the hash, ls does not.
        spool.stage(Entry::Sealed { id, bytes: 18, sha256: "x".into(), crc64: Crc64::of(b"x") });
    }
    spool.stage(Entry::Quarantined { id: 2, reason: "another object of 15 bytes".into() });
    spool.stage(Entry::Stored { id: 3 });
    spool.stage(Entry::GapOpened { from_ms: hour(0).start_ms(), cause: "agent-killed".into() });
    spool.stage(Entry::GapClosed { to_ms: hour(0).start_ms() + 1 });
    spool.stage(Entry::GapOpened { from_ms: hour(0).start_ms() + 2, cause: "agent-stopped".into() });
    spool.commit().expect("committed");
    spool.quarantine(&head(2, 0)).expect("moved");
    spool.discard(&head(3, 0)).expect("removed");
    spool
}

#[test]
fn the_table_is_for_people_and_works_beside_an_agent() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = four_files(folder.path());
    let answer = on(folder.path(), &["ls"]);
    assert_eq!(answer.end, Ok(()));
    let rows: Vec<Vec<&str>> = answer.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["id", "stage", "key", "lines", "bytes", "age"]);
    let key = |id| head(id, 0).key.to_string();
    for (row, stage) in [(1, "open"), (2, "sealed"), (3, "quarantined"), (4, "stored")] {
        let id = row - 1;
        assert_eq!(rows[row][..6], [&id.to_string(), stage, &key(id as u64), "2", "18", "B"], "{}", answer.out);
    }
    assert!(answer.out.contains("\n4 files; 6 lines, 54 B not yet in the store; 1 quarantined; an agent is at work\n"));
    assert!(answer.out.contains(&format!("\nhour      {} open\n", hour(0))), "{}", answer.out);
    let [from, to, again] = [0, 1, 2].map(|after| crate::clock::instant(hour(0).start_ms() + after));
    for line in [
        format!("gap       {from} to {to}: agent-killed\n"),
        format!("gap       open since {again}: agent-stopped\n"),
        "aside     2: another object of 15 bytes\n".to_owned(),
    ] {
        assert!(answer.out.contains(&line), "{}", answer.out);
    }
    drop(spool);
    assert!(on(folder.path(), &["ls"]).out.contains("; no agent is at work\n"));
}

#[test]
fn cat_writes_what_is_accepted_of_files_by_number_or_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = four_files(folder.path());
    // Written and not yet committed: not accepted.
    let mut data = std::fs::File::options().append(true).open(spool.lines_path(0)).expect("there");
    data.write_all(b"half a line").expect("written");
    let lines = |ids: &[u64]| ids.iter().map(|id| format!("one of {id}\ntwo of {id}\n")).collect::<String>();
    let key = head(2, 0).key;
    for (line, ids) in
        [(vec!["cat"], &[0, 1, 2][..]), (vec!["cat", "1"], &[1]), (vec!["cat", key.as_str(), "0"], &[2, 0])]
    {
        let answer = on(folder.path(), &line);
        assert_eq!((answer.out, answer.err.as_str(), answer.end), (lines(ids), "", Ok(())), "{line:?}");
    }
    let stored = on(folder.path(), &["cat", "3"]).end.expect_err("it is gone");
    assert!(stored.1.contains("is in the store already, as h0/tweets."), "{stored:?}");
    assert!(on(folder.path(), &["cat", "9"]).end.expect_err("no such file").1.contains("no file 9"));

    std::fs::write(spool.lines_path(1), "one of 1\ntwX of 1\n").expect("writable");
    let answer = on(folder.path(), &["cat", "1"]);
    assert!(answer.end.is_err() && answer.err.contains("not those that were accepted"), "{}", answer.err);
    spool.stage(Entry::Damaged { id: 1, reason: "x".into(), end: 9, lines: 1, crc: crc32c::crc32c(b"one of 1\n") });
    spool.commit().expect("committed");
    let answer = on(folder.path(), &["cat", "1"]);
    assert_eq!((answer.out.as_str(), answer.end.is_err()), ("one of 1\n", true));
    assert!(answer.err.contains("1 of its 2 lines check out"), "{}", answer.err);
}

#[test]
fn fsck_ends_with_what_it_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = open(folder.path());
    spool.create(head(0, 0)).expect("created");
    add(&mut spool, 0, "one");
    add(&mut spool, 0, "two");
    let answer = on(folder.path(), &["fsck"]);
    assert_eq!(answer.end, Ok(()));
    assert!(answer.out.starts_with("an agent is at work: "), "{}", answer.out);
    assert!(answer.out.ends_with("3 journal frames, 1 file, 0 id files read: clean\n"), "{}", answer.out);
    add(&mut spool, 0, "three");
    drop(spool);
    std::fs::write(folder.path().join("data/000000000000.lines"), "one\ntwX\nthree\n").expect("writable");
    let answer = on(folder.path(), &["fsck"]);
    assert_eq!(answer.end, Err((Exit::Failure, "the spool has 1 problem".into())));
    let line = "problem  data/000000000000.lines at byte 4: bytes 4 to 8 are not those that were accepted; let the next start put it aside";
    assert!(answer.out.starts_with(line), "{}", answer.out);
}

#[test]
fn requeue_waits_until_the_agent_is_stopped_and_then_gives_a_new_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = four_files(folder.path());
    let (exit, text) = on(folder.path(), &["requeue", "2"]).end.expect_err("an agent is at work");
    assert!(exit == Exit::Failure && text.contains("an agent is at work on the spool"), "{text}");
    drop(spool);
    let mixed = on(folder.path(), &["requeue", "0", "2"]);
    assert!(mixed.end.expect_err("file 0 is in order").1.contains("file 0 is not quarantined"));
    let number = head(3, 0).created_ms + 1;
    assert_eq!(mixed.out, format!("file 2 is file 4 now: 2 lines for h0/tweets.{number}.json\n"));
    let view = View::open(folder.path()).expect("readable");
    assert_eq!((&view.state.files[&4].stage, view.state.files.contains_key(&2)), (&Stage::Open, false));
    assert_eq!(on(folder.path(), &["cat", "4"]).out, "one of 2\ntwo of 2\n");
    assert_eq!(on(folder.path(), &["requeue", "--all"]).out, "no file is quarantined\n");
    assert!(Cli::try_parse_from(["ingest", "spool", "requeue"]).is_err(), "it must be said which");
}

#[test]
fn requeue_says_what_it_found_damaged_and_what_it_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = open(folder.path());
    spool.create(head(0, 0)).expect("created");
    ["one", "two", "three"].iter().for_each(|line| add(&mut spool, 0, line));
    spool.stage(Entry::Alive { at_ms: 1 });
    spool.commit().expect("committed");
    drop(spool);
    std::fs::write(folder.path().join("data/000000000000.lines"), "one\ntwX\nthree\n").expect("writable");
    let answer = on(folder.path(), &["requeue", "--all"]);
    assert!(answer.err.contains("is damaged and was put aside now: its bytes changed on the disk after byte 4"));
    assert!(answer.end.expect_err("not whole").1.contains("1 of its 3 lines check out; --salvage"));
    assert!(on(folder.path(), &["ls"]).out.contains("after byte 4; 1 of its 3 lines check out\n"));
    let answer = on(folder.path(), &["requeue", "--all", "--salvage"]);
    assert_eq!(answer.end, Ok(()));
    assert!(answer.out.contains("2 lines did not check out, its bytes stay in quarantine/000000000000.lines"));
    assert_eq!(on(folder.path(), &["cat"]).out, "one\n");
}

#[test]
fn the_folder_comes_from_the_configuration_without_a_look_at_its_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(four_files(&folder.path().join("spool")));
    let file = folder.path().join("cauce.toml");
    let text = format!(
        "[source]\nbearer_token = \"${{env:NOT_SET}}\"\n[lake]\nurl = \"s3://bucket\"\n[spool]\ndir = {:?}\n",
        folder.path().join("spool")
    );
    std::fs::write(&file, text).expect("written");
    let answer = ingest(&["cat", "1", "-c", file.to_str().expect("text")], &Outside::default());
    assert_eq!((answer.out.as_str(), answer.end), ("one of 1\ntwo of 1\n", Ok(())));
    let other = folder.path().join("other");
    let outside = Outside::with_variables([("CAUCE_SPOOL__DIR", other.to_str().expect("text"))]);
    for command in [&["ls"][..], &["cat"], &["fsck"], &["requeue", "--all"]] {
        let line = [command, &["-c", file.to_str().expect("text")]].concat();
        let (exit, text) = ingest(&line, &outside).end.expect_err("there is no spool");
        assert!(exit == Exit::Usage && text.contains("there is no spool in") && text.contains("other"), "{text}");
    }
    assert!(!other.exists(), "a command that looks made a folder");
}

/// What may happen in a spool.
#[derive(Debug, Clone)]
enum Step {
    Create(i64),
    Line(usize),
    Seal(usize),
    Store(usize),
    Quarantine(usize),
    Damage(usize),
    Freeze(i64),
    Plan(i64),
    Close(i64),
    Gap(bool),
    Checkpoint,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let file = || 0usize..8;
    let step = prop_oneof![
        4 => (0i64..3).prop_map(Step::Create),
        6 => file().prop_map(Step::Line),
        2 => file().prop_map(Step::Seal),
        1 => file().prop_map(Step::Store),
        1 => file().prop_map(Step::Quarantine),
        1 => file().prop_map(Step::Damage),
        1 => (0i64..3).prop_map(Step::Freeze),
        1 => (0i64..3).prop_map(Step::Plan),
        1 => (0i64..3).prop_map(Step::Close),
        1 => any::<bool>().prop_map(Step::Gap),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 0..40)
}

/// The n-th of the files for which something holds.
fn nth(spool: &Spool, n: usize, holds: impl Fn(&Stage) -> bool) -> Option<FileHead> {
    let files: Vec<_> = spool.state().files.values().filter(|file| file.end > 0 && holds(&file.stage)).collect();
    (!files.is_empty()).then(|| files[n % files.len()].head.clone())
}

fn happen(mut spool: Spool, dir: &Path, step: &Step) -> Spool {
    let waits = |stage: &Stage| matches!(stage, Stage::Open | Stage::Sealed { .. });
    match step {
        Step::Create(n) => {
            let id = spool.state().next_id;
            spool.create(head(id, *n)).expect("created");
        }
        Step::Line(n) => {
            let open: Vec<FileId> = spool.open_files().map(|(id, _)| id).collect();
            if let Some(id) = open.get(n % open.len().max(1)) {
                spool.append(*id, b"a line", hour(0).start_ms(), None);
            }
        }
        Step::Seal(n) => {
            if let Some(head) = nth(&spool, *n, |stage| *stage == Stage::Open) {
                spool.finish(head.id);
                spool.stage(Entry::Sealed { id: head.id, bytes: 7, sha256: "x".into(), crc64: Crc64::of(b"x") });
            }
        }
        Step::Store(n) => {
            if let Some(head) = nth(&spool, *n, |stage| matches!(stage, Stage::Sealed { .. })) {
                spool.stage(Entry::Stored { id: head.id });
                spool.commit().expect("committed");
                spool.discard(&head).expect("removed");
            }
        }
        Step::Quarantine(n) => {
            if let Some(head) = nth(&spool, *n, waits) {
                spool.finish(head.id);
                spool.stage(Entry::Quarantined { id: head.id, reason: "foreign".into() });
                spool.commit().expect("committed");
                spool.quarantine(&head).expect("moved");
            }
        }
        Step::Damage(n) => {
            if let Some(head) = nth(&spool, *n, waits) {
                // A snapshot after it, so that a restart does not take it for a torn group.
                spool.checkpoint().expect("taken");
                std::fs::write(spool.lines_path(head.id), "").expect("written");
                drop(spool);
                spool = open(dir);
            }
        }
        Step::Freeze(n) => spool.stage(Entry::Frozen { hour: hour(*n), at_ms: 1 }),
        Step::Plan(n) => {
            let files = spool.state().files_of(hour(*n), false).map(|file| file.head.id).collect();
            spool.stage(Entry::Planned { name: ManifestName::closing(hour(*n)), bytes: vec![1], files });
        }
        Step::Close(n) => spool.stage(Entry::Closed { name: ManifestName::closing(hour(*n)) }),
        Step::Gap(true) => spool.stage(Entry::GapOpened { from_ms: 5, cause: "down".into() }),
        Step::Gap(false) => spool.stage(Entry::GapClosed { to_ms: 9 }),
        Step::Checkpoint => spool.checkpoint().expect("taken"),
        Step::Restart => {
            drop(spool);
            spool = open(dir);
        }
    }
    spool.commit().expect("committed");
    spool
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn ls_shows_the_state_that_the_agent_has_committed(steps in steps(), torn in 0usize..40) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spool = open(folder.path());
        for step in &steps {
            spool = happen(spool, folder.path(), step);
        }
        // What is staged is not committed, and a frame that is being written is not there yet.
        spool.stage(Entry::GapOpened { from_ms: 77, cause: "not committed".into() });
        let committed = {
            let journal = View::open(folder.path()).expect("readable");
            let mut path = std::fs::OpenOptions::new();
            let mut file = path.append(true).open(folder.path().join(&journal.journal)).expect("there");
            file.write_all(&vec![0xff; torn]).expect("written");
            journal.state.files
        };
        let state = spool.state();
        prop_assert_eq!(&committed, &state.files);
        let answer = on(folder.path(), &["ls", "--json"]);
        prop_assert_eq!(answer.end, Ok(()));
        let listed: serde_json::Value = serde_json::from_str(&answer.out).expect("JSON");
        prop_assert_eq!(&listed["agent_running"], &serde_json::json!(true));
        prop_assert_eq!(&listed["torn_bytes"], &serde_json::json!(torn));
        prop_assert_eq!(&listed["spooled_bytes"], &serde_json::json!(state.spooled_bytes()));
        prop_assert_eq!(listed["files"].as_array().expect("an array").len(), state.files.len());
        for (row, file) in listed["files"].as_array().expect("an array").iter().zip(state.files.values()) {
            let stage = match &file.stage {
                Stage::Open => "open",
                Stage::Sealed { .. } => "sealed",
                Stage::Stored { .. } => "stored",
                Stage::Quarantined { .. } => "quarantined",
                Stage::Damaged { .. } => "damaged",
            };
            let mut expected = serde_json::json!({
                "id": file.head.id, "stage": stage, "key": file.head.key.as_str(), "lines": file.lines, "bytes": file.end,
                "created_at": crate::clock::instant(file.head.created_ms),
            });
            match &file.stage {
                Stage::Quarantined { reason } => {
                    expected["reason"] = reason.as_str().into();
                    expected["good_lines"] = file.lines.into();
                }
                Stage::Damaged { reason, lines, .. } => {
                    expected["reason"] = reason.as_str().into();
                    expected["good_lines"] = (*lines).into();
                }
                _ => {}
            }
            prop_assert_eq!(row, &expected);
        }
        let hours: Vec<_> = state.hours.iter()
            .map(|(hour, state)| serde_json::json!({"hour": hour.to_string(), "frozen": state.frozen_ms.is_some()}))
            .collect();
        prop_assert_eq!(&listed["hours"], &serde_json::json!(hours));
        let plans: Vec<_> = state.plans.keys().map(|name| name.key().to_string()).collect();
        prop_assert_eq!(&listed["manifests"], &serde_json::json!(plans));
        let gaps: Vec<_> = state.gaps.iter().filter(|gap| gap.cause != "not committed")
            .map(|gap| serde_json::json!({
                "from": crate::clock::instant(gap.from_ms), "to": gap.to_ms.map(crate::clock::instant), "cause": &gap.cause,
            }))
            .collect();
        prop_assert_eq!(&listed["gaps"], &serde_json::json!(gaps));
    }
}
