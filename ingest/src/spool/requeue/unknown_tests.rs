//! Lines that the journal did not speak for, requeued: each once, those that are stored not at all.

use std::path::Path;

use super::super::super::{Options, group_limit};
use super::*;
use crate::config::settings::LakeSettings;

const NOW_MS: i64 = 1_900_000_000_000;

fn open(dir: &Path) -> Spool {
    let options = Options {
        dir: dir.to_owned(),
        durable: true,
        dedupe_window_ms: i64::MAX,
        group_limit: group_limit(1 << 20, 100),
    };
    Spool::open(&options).expect("the spool opens").0
}

fn router() -> Router {
    Router::new(&LakeSettings::for_tests("%m-%d-%h"))
}

/// A v1.1 tweet of 22 November 2026.
fn tweet(id: u64, hour: u64) -> String {
    format!(r#"{{"created_at":"Sun Nov 22 {hour:02}:00:01 +0000 2026","id":{id},"id_str":"{id}","text":"of {hour}"}}"#)
}

const DELETE: &str =
    r#"{"delete":{"status":{"id":7,"id_str":"7","user_id":3,"user_id_str":"3"},"timestamp_ms":"1795323600000"}}"#;
const LIMIT: &str = r#"{"limit":{"track":5,"timestamp_ms":"1795323601000"}}"#;
const REJECT: &str =
    r#"{"received_at":"2026-11-22T05:00:00Z","reason":"no-id","source":"x","length":2,"bytes":"e30="}"#;

fn text(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Lines by the folder of their file.
fn waiting(spool: &Spool) -> Vec<(String, String)> {
    let files = spool.state().files.values();
    let read = |id| std::fs::read_to_string(spool.lines_path(id)).expect("readable");
    files.map(|file| (file.head.target.folder.clone(), read(file.head.id))).collect()
}

#[test]
fn each_line_goes_to_its_hour_and_what_is_stored_stays_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = open(folder.path());
    let [one, two, three] = [tweet(1, 5), tweet(2, 5), tweet(3, 6)];
    spool
        .create(router().new_file(
            spool.state(),
            0,
            router().target(spool.state(), Role::Tweets, IngestPath::Stream, NOW_MS),
            NOW_MS,
            NOW_MS,
        ))
        .expect("created");
    spool.append(0, two.as_bytes(), 1_000, Some(2));
    spool.commit().expect("committed");
    spool.finish(0);
    spool.stage(super::super::super::entry::Entry::Dropped { id: 0 });
    spool.commit().expect("committed");
    let kept = folder.path().join("quarantine/unknown.3.lines");
    std::fs::write(&kept, text(&[&one, &two, DELETE, REJECT, &three, &one, LIMIT])).expect("written");
    let taken = spool.requeue_unknown(3, &router(), NOW_MS).expect("requeued");
    assert_eq!(taken, Taken { lines: 5, duplicates: 2, left: 0 });
    assert!(!kept.exists());
    let wanted = [
        ("11-22-05", text(&[&one])),
        ("11-22-05", text(&[DELETE, LIMIT])),
        ("rejects/2026-11-22", text(&[REJECT])),
        ("11-22-06", text(&[&three])),
    ];
    assert_eq!(waiting(&spool), wanted.map(|(folder, text)| (folder.to_owned(), text)));
    assert!(matches!(spool.requeue_unknown(3, &router(), NOW_MS), Err(RequeueError::NoUnknown { number: 3 })));
    // The manifest of the hour counts the messages again.
    let of_messages = spool.state().files.values().find(|file| file.head.target.role == Role::Messages);
    let counts = &of_messages.expect("a file of messages").messages.kinds;
    assert_eq!(counts.iter().collect::<Vec<_>>(), [(&Message::Delete, &1), (&Message::Limit, &1)]);
}

#[test]
fn an_object_is_read_through_its_compression_and_one_beside_its_lines_adds_nothing() {
    for beside in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spool = open(folder.path());
        let lines = text(&[&tweet(1, 5), DELETE, &tweet(2, 5)]);
        let object = zstd::encode_all(lines.as_bytes(), 3).expect("compressed");
        std::fs::write(folder.path().join("quarantine/unknown.1.object"), object).expect("written");
        if beside {
            std::fs::write(folder.path().join("quarantine/unknown.1.lines"), &lines).expect("written");
        }
        let taken = spool.requeue_unknown(1, &router(), NOW_MS).expect("requeued");
        assert_eq!(taken, Taken { lines: 3, duplicates: 0, left: 0 }, "{beside}");
        assert_eq!(std::fs::read_dir(folder.path().join("quarantine")).expect("a folder").count(), 0);
    }
}

#[test]
fn lines_that_are_no_tweets_keep_their_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = open(folder.path());
    std::fs::write(folder.path().join("quarantine/unknown.1.lines"), format!("{}\n{{\"id\":12", tweet(1, 5)))
        .expect("written");
    let taken = spool.requeue_unknown(1, &router(), NOW_MS).expect("requeued");
    assert_eq!(taken, Taken { lines: 1, duplicates: 0, left: 1 });
    assert!(folder.path().join("quarantine/taken.1.lines").exists());
    drop(spool);
    assert_eq!(super::super::super::fsck::check(folder.path()).expect("checked").problems, []);
}

#[test]
fn a_try_that_was_cut_short_is_gone_on_with_and_doubles_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spool = open(folder.path());
    let path = folder.path().join("quarantine/unknown.1.lines");
    let lines = text(&[DELETE, &tweet(1, 5), DELETE]);
    std::fs::write(&path, &lines).expect("written");
    spool.requeue_unknown(1, &router(), NOW_MS).expect("requeued");
    let before = waiting(&spool);
    // As if it had been killed before it could remove the file.
    std::fs::write(&path, &lines).expect("written");
    drop(spool);
    let mut spool = open(folder.path());
    assert_eq!(spool.requeue_unknown(1, &router(), NOW_MS).expect("requeued"), Taken::default());
    assert_eq!(waiting(&spool), before);
    // Another file of that name begins at its beginning.
    std::fs::write(&path, text(&[&tweet(2, 5), DELETE])).expect("written");
    assert_eq!(spool.requeue_unknown(1, &router(), NOW_MS).expect("requeued").lines, 2);
}
