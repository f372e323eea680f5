//! Which hours a run closes, and where lines go that bear no time. The clock stands still, at a time that the spool knows of.

use super::*;
use crate::record::Position;
use crate::writer::OpenHour;

const MINUTE: i64 = 60_000;

/// The hour in which these tests run: ahead of the machine's clock, so that the time which the spool knows of is the time.
fn present() -> Hour {
    Hour::from_index(Hour::containing(Timestamp::now().as_millisecond()).index() + 100)
}

/// As [`settings`]; the spool's time is the time, however far it is ahead of the machine's.
fn standing(spool: &Path) -> Settings {
    let mut settings = settings(spool);
    settings.agent.max_clock_skew = Duration::ZERO;
    settings
}

/// What an agent leaves that ran until this time: no time is before it.
async fn set_clock(settings: &Settings, at_ms: i64) {
    let (mut spool, _) = start::open_spool(settings).await.expect("the spool opens");
    spool.stage(Entry::Started { at_ms });
    spool.stage(Entry::Stopped { at_ms });
    spool.commit().expect("committed");
}

/// A tweet that was written so many minutes after an hour's beginning.
fn tweet_in(hour: Hour, minute: i64, number: u64) -> String {
    let at_ms = hour.start_ms() + minute * MINUTE;
    let id = (u64::try_from(at_ms - 1_288_834_974_657).expect("after 2010") << 22) + number;
    format!(r#"{{"data":{{"id":"{id}","text":"number {number}"}}}}"#)
}

fn delete(id: u64) -> String {
    format!(r#"{{"delete":{{"status":{{"id":{id},"user_id":2}}}}}}"#)
}

/// The lines of an hour's messages.
fn messages(store: &MemoryStore, hour: Hour) -> usize {
    let manifest = manifest(store, ManifestName::closing(hour));
    let lines = usize::try_from(manifest.messages.iter().map(|object| object.lines).sum::<u64>()).expect("few");
    assert_eq!(manifest.message_counts.values().sum::<u64>(), lines as u64);
    lines
}

async fn finite(settings: &Settings, store: &Arc<MemoryStore>, batches: Vec<Vec<String>>) -> Report {
    let steps = batches.into_iter().map(Step::Lines).collect();
    run_script(settings, store, false, steps).await.expect("it ends")
}

#[tokio::test]
async fn three_inputs_within_an_hour_are_all_in_it_when_it_closes() {
    for partition_by in [PartitionBy::CreatedAt, PartitionBy::ReceivedAt] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(MemoryStore::new());
        let mut settings = standing(folder.path());
        settings.lake.partition_by = partition_by;
        let hour = present();
        set_clock(&settings, hour.start_ms() + 40 * MINUTE).await;
        for input in 0..3 {
            let lines = (0..10).map(|n| tweet_in(hour, 30 + n, input)).collect();
            let report = finite(&settings, &store, vec![lines]).await;
            assert_eq!((report.tweets, report.hours_closed, report.left_in_spool), (10, 0, 0));
            assert_eq!(report.open, [(hour, OpenHour::Running { left_ms: 20 * MINUTE })]);
        }
        assert!(listed(&store).is_empty(), "an hour that runs was closed");
        let stored = store.keys().into_iter().filter(|key| key.contains("/tweets.")).count();
        assert_eq!(stored, 3, "what was read is stored though its hour is open");
        set_clock(&settings, hour.end_ms()).await;
        let report = finite(&settings, &store, vec![]).await;
        assert_eq!((report.closed.as_slice(), report.open.len()), (&[(hour, 30)][..], 0));
        assert_eq!(
            listed(&store).into_iter().map(|(name, lines)| (name, lines.len())).collect::<Vec<_>>(),
            [(ManifestName::closing(hour), 30)]
        );
    }
}

#[tokio::test]
async fn a_replay_of_old_hours_leaves_the_running_hour_to_the_live_agent_that_starts_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let settings = standing(folder.path());
    let (now, old) = (present(), hour("2012-03-04T05"));
    set_clock(&settings, now.start_ms() + 10 * MINUTE).await;
    let archive = vec![tweet_in(old, 1, 0), delete(1), delete(2), tweet_in(old, 70, 0), delete(3)];
    let report = finite(&settings, &store, vec![archive]).await;
    assert_eq!(report.closed, [(old, 1), (old.next(), 1)]);
    assert_eq!((messages(&store, old), messages(&store, old.next())), (2, 1));

    let lines: Vec<String> = (0..59).map(|n| tweet_in(now, n % 10, u64::try_from(n).expect("small"))).collect();
    let stop = CancellationToken::new();
    let steps = vec![Step::Connection(ConnectionEvent::Up), Step::Lines(lines), Step::Stop(stop.clone())];
    let report = run_until(&settings, &store, true, steps, stop).await.expect("it stops in order");
    assert_eq!((report.tweets, report.late), (59, 0));
    set_clock(&settings, now.end_ms()).await;
    assert_eq!(finite(&settings, &store, vec![]).await.closed, [(now, 59)]);
}

#[tokio::test]
async fn messages_before_the_first_tweet_of_an_input_go_to_its_hour() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let settings = standing(folder.path());
    let (now, old) = (present(), hour("2012-03-04T05"));
    set_clock(&settings, now.start_ms() + 10 * MINUTE).await;
    let batches = vec![vec![delete(1)], vec![delete(2)], vec![delete(3), tweet_in(old, 5, 0)]];
    let report = finite(&settings, &store, batches).await;
    assert_eq!((report.messages, report.closed.as_slice(), report.open.len()), (3, &[(old, 1)][..], 0));
    assert_eq!(messages(&store, old), 3);
}

#[tokio::test]
async fn messages_of_an_input_without_a_tweet_go_to_the_hour_in_which_they_came() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let settings = standing(folder.path());
    let now = present();
    set_clock(&settings, now.start_ms() + 10 * MINUTE).await;
    let report = finite(&settings, &store, vec![vec![delete(1)], vec![delete(2)]]).await;
    assert_eq!((report.messages, report.open.len(), report.left_in_spool), (2, 1, 0));
    set_clock(&settings, now.end_ms()).await;
    finite(&settings, &store, vec![]).await;
    assert_eq!(messages(&store, now), 2);
}

#[tokio::test]
async fn a_run_that_is_stopped_before_the_first_tweet_of_a_file_leaves_its_messages_to_the_next_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let settings = standing(folder.path());
    let of_file = |lines: &[String], offset, done| {
        let position = Position {
            file: "/a".to_owned(),
            bytes: 100,
            sha256: "ab".to_owned(),
            member: 0,
            offset,
            done,
            damaged: Vec::new(),
        };
        Step::Batch(Batch { position: Some(position), ..batch(lines) })
    };
    let stop = CancellationToken::new();
    let steps = vec![of_file(&[delete(1)], 50, false), Step::Stop(stop.clone())];
    let report = run_until(&settings, &store, false, steps, stop).await.expect("it stops in order");
    assert_eq!((report.accepted, report.open.len()), (0, 0));
    let (spool, _) = start::open_spool(&settings).await.expect("the spool opens");
    assert!(spool.state().positions.is_empty(), "the file is read again from its beginning");
    drop(spool);
    let old = hour("2012-03-04T05");
    let steps = vec![of_file(&[delete(1)], 50, false), of_file(&[tweet_in(old, 1, 0)], 100, true)];
    run_script(&settings, &store, false, steps).await.expect("it ends");
    assert_eq!(messages(&store, old), 1);
}

#[tokio::test]
async fn a_message_with_a_time_of_its_own_goes_to_the_hour_of_that_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let settings = standing(folder.path());
    let old = hour("2012-03-04T05");
    let at_ms = old.start_ms();
    let dated = format!(r#"{{"delete":{{"status":{{"id":1,"user_id":2}},"timestamp_ms":"{at_ms}"}}}}"#);
    finite(&settings, &store, vec![vec![tweet_in(old, 70, 0), dated]]).await;
    assert_eq!(messages(&store, old), 1);
}

#[tokio::test]
async fn control_messages_of_a_recording_are_stored_and_what_it_left_out_stands_in_the_manifest() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let settings = standing(folder.path());
    let old = hour("2012-03-04T05");
    let lines = [
        &tweet_in(old, 1, 0),
        r#"{"limit":{"track":7}}"#,
        r#"{"warning":{"code":"FALLING_BEHIND","message":"S","percent_full":60}}"#,
        r#"{"limit":{"track":2}}"#,
        r#"{"errors":[{"title":"Not Found Error","type":"https://api.x.com/2/problems/resource-not-found"}]}"#,
        r#"{"info":{"message":"Replay Request Completed","sent":"2012-03-04T05:10:00+00:00","activity_count":2}}"#,
        r#"{"disconnect":{"code":4,"stream_name":"S","reason":"S"}}"#,
    ];
    let report = finite(&settings, &store, vec![lines.map(str::to_owned).to_vec()]).await;
    assert_eq!((report.tweets, report.messages, report.rejects), (1, 6, 0));
    assert_eq!(messages(&store, old), 6);
    let manifest = manifest(&store, ManifestName::closing(old));
    let counts: Vec<(&str, u64)> =
        manifest.message_counts.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(counts, [("disconnect", 1), ("errors", 1), ("info", 1), ("limit", 2), ("warning", 1)]);
    assert_eq!(manifest.undelivered, 9);
}

#[tokio::test]
async fn a_manifest_counts_the_rejects_among_its_hours_tweets() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let settings = standing(folder.path());
    let old = hour("2012-03-04T05");
    let lines =
        vec!["first".to_owned(), tweet_in(old, 1, 0), "second".to_owned(), tweet_in(old, 70, 0), "third".to_owned()];
    let report = finite(&settings, &store, vec![lines]).await;
    assert_eq!((report.rejects, report.first_reject.is_some()), (3, true));
    let counts = [old, old.next()].map(|hour| manifest(&store, ManifestName::closing(hour)).rejects);
    assert_eq!(counts, [2, 1]);
    // What comes when the hour is closed stands in the manifest of what else is late.
    finite(&settings, &store, vec![vec![tweet_in(old, 2, 0), "fourth".to_owned()]]).await;
    assert_eq!(manifest(&store, ManifestName { hour: old, late: Some(1) }).rejects, 1);
}

#[tokio::test]
async fn a_finite_run_closes_the_hours_of_a_live_agent_without_holes_and_with_its_stop_as_a_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let settings = standing(folder.path());
    let last = Hour::containing(Timestamp::now().as_millisecond()).previous();
    let first = last.previous().previous();
    {
        // What a live agent leaves that was killed three hours ago.
        let (mut spool, _) = start::open_spool(&settings).await.expect("the spool opens");
        spool.stage(Entry::Started { at_ms: first.start_ms() });
        spool.stage(Entry::LiveFrom { hour: first });
        spool.stage(Entry::Alive { at_ms: first.start_ms() + 10 * MINUTE });
        spool.commit().expect("committed");
    }
    let report = finite(&settings, &store, vec![vec![tweet_in(last, 5, 0)]]).await;
    assert_eq!(report.closed, [(first, 0), (first.next(), 0), (last, 1)]);
    let gaps = manifest(&store, ManifestName::closing(first.next())).gaps;
    let gaps: Vec<(i64, &str)> = gaps.iter().map(|gap| (gap.from.as_millisecond(), gap.cause.as_str())).collect();
    assert_eq!(gaps, [(first.start_ms() + 10 * MINUTE, "agent-killed")]);
}

#[tokio::test]
async fn the_journal_remembers_the_rules_by_which_the_lake_was_filled() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let mut settings = standing(folder.path());
    for partition_by in [PartitionBy::CreatedAt, PartitionBy::ReceivedAt] {
        settings.lake.partition_by = partition_by;
        finite(&settings, &store, vec![]).await;
        let (spool, _) = start::open_spool(&settings).await.expect("the spool opens");
        let rules = spool.state().rules.clone().expect("they are kept");
        let expected = if partition_by == PartitionBy::CreatedAt { "created_at" } else { "received_at" };
        assert_eq!((rules.pattern.as_str(), rules.partition_by.as_str()), ("%m-%d-%h", expected));
    }
}

#[tokio::test]
async fn a_control_message_before_a_streams_first_tweet_goes_with_the_last_tweet_of_the_run_before() {
    let (store, spool) = (Arc::new(MemoryStore::new()), tempfile::tempdir().expect("a folder"));
    for line in [tweet(1, 1), r#"{"disconnect":{"code":4,"stream_name":"s","reason":""}}"#.to_owned()] {
        let stop = CancellationToken::new();
        let steps = vec![Step::Connection(ConnectionEvent::Up), Step::Lines(vec![line]), Step::Stop(stop.clone())];
        run_until(&settings(spool.path()), &store, true, steps, stop).await.expect("it stops in order");
    }
    let keys = store.keys();
    let messages: Vec<&String> = keys.iter().filter(|key| key.contains("_messages")).collect();
    assert!(messages.len() == 1 && messages[0].starts_with("01-05-10/"), "{keys:?}");
}
