//! The whole way from a source to closed hours, on a store in memory that can be made to fail.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use cauce_lake::manifest::{Codec, Guarantee, IngestPath, Manifest, ManifestName};
use cauce_lake::store::memory::{Call, Fault, MemoryStore};
use cauce_lake::store::{Body, Condition, ErrorKind, Put};
use cauce_lake::tweet::{Control, LineKind, RejectReason, message_ms, scan};
use cauce_lake::{Hour, Key};

use super::*;
use crate::config::settings::PartitionBy;
use crate::record::{Batch, ConnectionEvent, Record, RecordKind, Reject};
use crate::spool::entry::Entry;

mod adopt;
mod changed_bytes;
mod clock;
mod closing;
mod lease;
mod messages;
mod pages;
mod requeue;
mod starting;

fn settings(spool: &Path) -> Settings {
    Settings::for_tests(spool)
}

/// What a scripted source does, one after the other.
enum Step {
    Lines(Vec<String>),
    Batch(Batch),
    Connection(ConnectionEvent),
    /// Asks the agent to stop, as a signal would.
    Stop(CancellationToken),
    /// Waits until the lake holds this key.
    Until(Arc<MemoryStore>, String),
    /// Somebody else puts something.
    Put(Arc<MemoryStore>, Put),
}

/// A source that does what a test says.
struct Scripted {
    live: bool,
    steps: Vec<Step>,
}

#[async_trait]
impl Source for Scripted {
    fn is_live(&self) -> bool {
        self.live
    }

    async fn run(self: Box<Self>, out: Sender, stop: CancellationToken) -> Result<(), SourceError> {
        for step in self.steps {
            match step {
                Step::Lines(lines) => drop(out.send(batch(&lines)).await),
                Step::Batch(batch) => drop(out.send(batch).await),
                Step::Connection(event) => drop(out.connection(event)),
                Step::Stop(agent) => agent.cancel(),
                Step::Until(store, key) => appears(&store, &key).await,
                Step::Put(store, put) => drop(store.put(put).await.expect("stored")),
            }
        }
        if self.live {
            stop.cancelled().await;
        }
        Ok(())
    }
}

async fn appears(store: &MemoryStore, key: &str) {
    let waiting = async {
        while store.content(key).is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(outcome.is_ok(), "{key} did not appear; there are {:?}", store.keys());
}

fn batch(lines: &[String]) -> Batch {
    let mut block = BytesMut::new();
    let mut records = Vec::new();
    for line in lines {
        let start = u32::try_from(block.len()).expect("small");
        block.extend_from_slice(line.as_bytes());
        let end = u32::try_from(block.len()).expect("small");
        let kind = match scan(line.as_bytes()) {
            LineKind::Tweet(head) => RecordKind::Tweet(head),
            LineKind::Message(message) => RecordKind::Message(message, message_ms(message, line.as_bytes())),
            LineKind::Control(Control::Limit { track }) => RecordKind::Limit { undelivered: track, at_ms: None },
            LineKind::Control(control) => RecordKind::Message(control.message(), None),
            _ => {
                let (reason, bytes) = (RejectReason::UnknownObject, line.len() as u64);
                RecordKind::Reject(Box::new(Reject { reason, origin: "script".into(), bytes }))
            }
        };
        records.push(Record { start, end, kind });
    }
    Batch { block: block.freeze(), records, path: IngestPath::Replay, position: None }
}

/// A tweet written `minute` minutes after 2026-01-05T10, told apart by `number`.
fn tweet(minute: i64, number: u64) -> String {
    let at_ms = hour("2026-01-05T10").start_ms() + minute * 60_000;
    let id = (u64::try_from(at_ms - 1_288_834_974_657).expect("after 2010") << 22) + number;
    format!(r#"{{"data":{{"id":"{id}","text":"number {number}"}}}}"#)
}

fn hour(text: &str) -> Hour {
    text.parse().expect("valid hour")
}

async fn run_script(
    settings: &Settings,
    store: &Arc<MemoryStore>,
    live: bool,
    steps: Vec<Step>,
) -> Result<Report, AgentError> {
    let stop = CancellationToken::new();
    run_until(settings, store, live, steps, stop).await
}

async fn run_until(
    settings: &Settings,
    store: &Arc<MemoryStore>,
    live: bool,
    steps: Vec<Step>,
    stop: CancellationToken,
) -> Result<Report, AgentError> {
    run_watched(settings, store, live, steps, stop, &Arc::new(Metrics::default())).await
}

async fn run_watched(
    settings: &Settings,
    store: &Arc<MemoryStore>,
    live: bool,
    steps: Vec<Step>,
    stop: CancellationToken,
    metrics: &Arc<Metrics>,
) -> Result<Report, AgentError> {
    let source = |_| -> Result<Box<dyn Source>, SourceError> { Ok(Box::new(Scripted { live, steps })) };
    let store: Arc<dyn Store> = Arc::clone(store) as Arc<dyn Store>;
    run_on(settings, store, source, Arc::clone(metrics), stop, CancellationToken::new()).await
}

/// The lines that the manifests list, by hour; late ones apart. Reads nothing but manifests and what they name.
fn listed(store: &MemoryStore) -> BTreeMap<ManifestName, Vec<String>> {
    let names = store.keys().into_iter().filter_map(|key| ManifestName::parse(&key));
    names.map(|name| (name, lines_of(store, &manifest(store, name)))).collect()
}

fn manifest(store: &MemoryStore, name: ManifestName) -> Manifest {
    let bytes = store.content(name.key().as_str()).expect("the manifest is there");
    Manifest::from_bytes(&name.key(), &bytes).expect("the manifest is good")
}

fn lines_of(store: &MemoryStore, manifest: &Manifest) -> Vec<String> {
    let mut lines = Vec::new();
    for object in &manifest.objects {
        let bytes = store.content(object.key.as_str()).expect("a listed object is there");
        assert_eq!(bytes.len() as u64, object.bytes);
        lines.extend(String::from_utf8(bytes.to_vec()).expect("UTF-8").lines().map(str::to_owned));
    }
    lines
}

fn closing(text: &str) -> ManifestName {
    ManifestName::closing(hour(text))
}

#[tokio::test]
async fn the_lines_of_a_finite_source_are_in_closed_hours_once_and_repeated_ids_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let first: Vec<String> = (0..180).map(|n| tweet(n, 0)).collect();
    let again: Vec<String> = (0..30).map(|n| tweet(n * 6, 0)).collect();
    let report =
        run_script(&settings(folder.path()), &store, false, vec![Step::Lines(first.clone()), Step::Lines(again)])
            .await
            .expect("it runs to the end");
    assert_eq!((report.accepted, report.duplicates, report.hours_closed, report.left_in_spool), (210, 30, 3, 0));
    let listed = listed(&store);
    assert_eq!(
        listed.keys().copied().collect::<Vec<_>>(),
        [closing("2026-01-05T10"), closing("2026-01-05T11"), closing("2026-01-05T12")]
    );
    assert_eq!(listed.values().flatten().cloned().collect::<Vec<_>>(), first);
    assert_eq!(manifest(&store, closing("2026-01-05T11")).duplicates, 10);
    assert!(store.keys().iter().any(|key| key == "01-05-11/_SUCCESS"));
    assert!(store.keys().iter().all(|key| !key.contains("tmp")), "a temporary key was left");
}

#[tokio::test]
async fn what_comes_for_a_closed_hour_is_late_and_has_a_manifest_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    for (number, lines) in [vec![tweet(1, 1)], vec![tweet(2, 2)], vec![tweet(3, 3)]].into_iter().enumerate() {
        let report =
            run_script(&settings(folder.path()), &store, false, vec![Step::Lines(lines)]).await.expect("it ends");
        assert_eq!(report.hours_closed, u64::from(number == 0));
    }
    let listed = listed(&store);
    let late = |n| ManifestName { hour: hour("2026-01-05T10"), late: Some(n) };
    assert_eq!(listed[&closing("2026-01-05T10")], [tweet(1, 1)]);
    assert_eq!((&listed[&late(1)], &listed[&late(2)]), (&vec![tweet(2, 2)], &vec![tweet(3, 3)]));
    assert!(store.keys().iter().any(|key| key.starts_with("late/01-05-10/tweets.")));
}

#[tokio::test]
async fn an_agent_with_a_new_spool_does_not_touch_hours_that_the_lake_has_closed() {
    let store = Arc::new(MemoryStore::new());
    for number in 1..3 {
        let folder = tempfile::tempdir().expect("a folder");
        let lines = vec![tweet(number, 1)];
        run_script(&settings(folder.path()), &store, false, vec![Step::Lines(lines)]).await.expect("it ends");
    }
    assert_eq!(listed(&store)[&closing("2026-01-05T10")], [tweet(1, 1)]);
    assert_eq!(manifest(&store, ManifestName { hour: hour("2026-01-05T10"), late: Some(1) }).tweets, 1);
    // Known to be late before it was written, it has a folder of its own.
    let within = store.keys().into_iter().filter(|key| key.starts_with("01-05-10/tweets.")).count();
    let late = store.keys().into_iter().filter(|key| key.starts_with("late/01-05-10/tweets.")).count();
    assert_eq!((within, late), (1, 1));
}

#[tokio::test]
async fn a_live_source_closes_each_hour_that_a_later_tweet_has_passed_empty_ones_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let stop = CancellationToken::new();
    let steps = vec![
        Step::Connection(ConnectionEvent::Up),
        Step::Lines(vec![tweet(1, 1), tweet(2, 2)]),
        Step::Lines(vec![tweet(60 * 3 + 11, 3)]),
        Step::Until(Arc::clone(&store), "_hours/2026-01-05T12.json".into()),
    ];
    // The first connection says nothing of the hours that tweets bear; the first tweet does.
    let settings = settings(folder.path());
    let run = run_until(&settings, &store, true, steps, stop.clone());
    let stopper = async {
        appears(&store, "_hours/2026-01-05T12.json").await;
        stop.cancel();
    };
    let (report, ()) = tokio::join!(run, stopper);
    let report = report.expect("it stops in order");
    assert_eq!((report.accepted, report.hours_closed, report.left_in_spool), (3, 3, 0));
    let listed = listed(&store);
    assert_eq!(listed.values().map(Vec::len).collect::<Vec<_>>(), [2, 0, 0]);
    // What was read for the hour that is still open is stored all the same.
    assert!(store.keys().iter().any(|key| key.starts_with("01-05-13/tweets.")));
}

#[tokio::test]
async fn answers_that_get_lost_and_refusals_that_pass_double_and_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    store.inject_once(Call::Put, "01-05-10/tweets", Fault::AnswerLost);
    store.inject_once(Call::Put, "01-05-11/tweets", Fault::Fail(ErrorKind::Throttled));
    store.inject_once(Call::Put, "01-05-12/tweets", Fault::Fail(ErrorKind::Server));
    // The request was lost, not the answer: nobody can tell before a look.
    store.inject_once(Call::Put, "01-05-13/tweets", Fault::Fail(ErrorKind::Timeout));
    store.inject_once(Call::Put, "_hours/2026-01-05T10", Fault::AnswerLost);
    store.inject_once(Call::Put, "_hours/2026-01-05T11", Fault::Fail(ErrorKind::AccessDenied));
    let lines: Vec<String> = (0..240).map(|n| tweet(n, 0)).collect();
    let report =
        run_script(&settings(folder.path()), &store, false, vec![Step::Lines(lines.clone())]).await.expect("it ends");
    assert_eq!((report.hours_closed, report.left_in_spool), (4, 0));
    assert_eq!(listed(&store).into_values().flatten().collect::<Vec<_>>(), lines);
    let objects = store.keys().into_iter().filter(|key| key.contains("/tweets.")).count();
    assert_eq!(objects, 4);
}

#[tokio::test]
async fn a_foreign_object_under_our_key_is_left_alone_and_the_hour_still_closes() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    // The number of a past hour's file is the first tweet's time and one more.
    let number = hour("2026-01-05T10").start_ms() + 60_000 + 1;
    let key = Key::new(format!("01-05-10/tweets.{number}.json")).expect("valid key");
    // As long as ours, and of another hash.
    let theirs = Bytes::from(format!("{}\n", tweet(1, 2)));
    let body = Body::Bytes(theirs.clone());
    let put = Put { key: key.clone(), body, condition: Condition::Always, sha256: Some("ab".repeat(32)) };
    store.put(put).await.expect("stored");
    let report = run_script(&settings(folder.path()), &store, false, vec![Step::Lines(vec![tweet(1, 1)])])
        .await
        .expect("it ends");
    assert_eq!((report.hours_closed, report.left_in_spool), (1, 1));
    assert_eq!(store.content(key.as_str()).expect("still there"), theirs);
    assert_eq!(manifest(&store, closing("2026-01-05T10")).objects, []);
    let aside: Vec<_> = std::fs::read_dir(folder.path().join("quarantine")).expect("a folder").collect();
    assert_eq!(aside.len(), 1);
}

#[tokio::test]
async fn a_manifest_that_is_there_already_stays_and_what_this_agent_has_of_the_hour_is_late() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let name = closing("2026-01-05T10");
    // A successor that was quicker by a moment: the agent has looked which hours are closed, and this one was not.
    let other = tempfile::tempdir().expect("a folder");
    let elsewhere = Arc::new(MemoryStore::new());
    let lines = vec![tweet(2, 2)];
    run_script(&settings(other.path()), &elsewhere, false, vec![Step::Lines(lines)]).await.expect("it ends");
    let theirs = elsewhere.content(name.key().as_str()).expect("there");
    let put = Put {
        key: name.key(),
        body: Body::Bytes(theirs.clone()),
        condition: Condition::IfAbsent,
        sha256: Some("ab".repeat(32)),
    };
    let steps = vec![Step::Put(Arc::clone(&store), put), Step::Lines(vec![tweet(1, 1)])];
    run_script(&settings(folder.path()), &store, false, steps).await.expect("it ends");
    assert_eq!(store.content(name.key().as_str()).expect("there"), theirs);
    let late = manifest(&store, ManifestName { late: Some(1), ..name });
    assert_eq!(lines_of(&store, &late), [tweet(1, 1)]);
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_refused_unless_it_is_allowed_and_then_the_manifest_says_so() {
    let store = Arc::new(MemoryStore::new());
    store.inject(Call::Put, "", 0, usize::MAX, Fault::ConditionIgnored);
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = settings(folder.path());
    let refused = run_script(&settings, &store, false, vec![]).await.expect_err("it was taken");
    assert!(matches!(&refused, AgentError::Store(text) if text.contains("allow_unsafe_store")), "{refused}");
    settings.lake.allow_unsafe_store = true;
    run_script(&settings, &store, false, vec![Step::Lines(vec![tweet(1, 1)])]).await.expect("it ends");
    assert_eq!(manifest(&store, closing("2026-01-05T10")).guarantee, Guarantee::UnsafeStore);
}

#[tokio::test]
async fn rejects_are_kept_by_day_and_open_no_hour() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let lines = vec!["no tweet".to_owned(), tweet(1, 1)];
    let report = run_script(&settings(folder.path()), &store, false, vec![Step::Lines(lines)]).await.expect("it ends");
    assert_eq!(report.hours_closed, 1);
    let key = store.keys().into_iter().find(|key| key.starts_with("rejects/")).expect("a reject file");
    let reject: serde_json::Value = serde_json::from_slice(&store.content(&key).expect("there")).expect("JSON");
    assert_eq!((reject["bytes"].as_str(), reject["source"].as_str()), (Some("bm8gdHdlZXQ="), Some("script")));
}

#[tokio::test]
async fn what_could_not_be_stored_before_the_deadline_is_stored_by_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let mut settings = settings(folder.path());
    settings.agent.drain_timeout = Duration::from_millis(200);
    store.inject(Call::Put, "01-05-10/", 0, usize::MAX, Fault::Fail(ErrorKind::Unreachable));
    let stop = CancellationToken::new();
    let steps = vec![Step::Lines(vec![tweet(1, 1)]), Step::Stop(stop.clone())];
    let report = run_until(&settings, &store, true, steps, stop).await;
    assert_eq!(report.expect("it leaves in order").left_in_spool, 1);
    store.heal();
    settings.agent.drain_timeout = Duration::from_secs(20);
    let report = run_script(&settings, &store, false, vec![]).await.expect("it ends");
    assert_eq!((report.objects, report.hours_closed, report.left_in_spool), (1, 1, 0));
    assert_eq!(listed(&store).into_values().flatten().collect::<Vec<_>>(), [tweet(1, 1)]);
}

#[tokio::test]
async fn compressed_objects_hold_the_same_lines() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(MemoryStore::new());
        let mut settings = settings(folder.path());
        settings.lake.codec = codec;
        let lines: Vec<String> = (0..50).map(|n| tweet(n, 0)).collect();
        run_script(&settings, &store, false, vec![Step::Lines(lines.clone())]).await.expect("it ends");
        let manifest = manifest(&store, closing("2026-01-05T10"));
        let object = &manifest.objects[0];
        assert!(object.key.as_str().ends_with(codec.extension()));
        let bytes = store.content(object.key.as_str()).expect("there");
        let mut text = String::new();
        use std::io::Read as _;
        match codec {
            Codec::Gzip => flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text),
            _ => zstd::stream::read::Decoder::new(&bytes[..]).expect("a frame").read_to_string(&mut text),
        }
        .expect("it is whole");
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    }
}

#[tokio::test]
async fn hours_that_passed_while_the_agent_was_down_are_closed_with_the_stop_as_a_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let mut settings = settings(folder.path());
    settings.lake.partition_by = PartitionBy::ReceivedAt;
    let this_hour = Hour::containing(Timestamp::now().as_millisecond());
    let stopped = Hour::from_index(this_hour.index() - 3);
    {
        // What an agent leaves that was killed three hours ago.
        let (mut spool, _) = start::open_spool(&settings).await.expect("the spool opens");
        spool.stage(Entry::Started { at_ms: stopped.start_ms() });
        spool.stage(Entry::LiveFrom { hour: stopped });
        spool.stage(Entry::Alive { at_ms: stopped.start_ms() + 600_000 });
        spool.commit().expect("committed");
    }
    let stop = CancellationToken::new();
    let last = ManifestName::closing(this_hour.previous());
    let run = run_until(&settings, &store, true, vec![Step::Connection(ConnectionEvent::Up)], stop.clone());
    let stopper = async {
        appears(&store, last.key().as_str()).await;
        stop.cancel();
    };
    let (report, ()) = tokio::join!(run, stopper);
    assert!(report.expect("it stops in order").hours_closed >= 3);
    for hour in [stopped, stopped.next(), stopped.next().next()] {
        let manifest = manifest(&store, ManifestName::closing(hour));
        assert_eq!((manifest.tweets, manifest.gaps.len()), (0, 1), "{hour}");
        let gap = &manifest.gaps[0];
        assert_eq!((gap.cause.as_str(), gap.from.as_millisecond()), ("agent-killed", stopped.start_ms() + 600_000));
    }
}
