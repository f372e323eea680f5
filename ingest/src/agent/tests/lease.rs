//! Who may write a lake: agents that wait, take over, are fenced, and give the lake back.

use super::*;
use crate::status::{LeaseState, SourceState, readiness};
use crate::upload::lease::{AgentRecord, FRESH};

const AGENT: &str = "_agent.json";

fn there(store: &MemoryStore) -> AgentRecord {
    serde_json::from_slice(&store.content(AGENT).expect("there is a record")).expect("it is readable")
}

/// What `/readyz` says.
fn says(metrics: &Metrics) -> (bool, String) {
    let verdict = readiness::ready(&metrics.health, readiness::Numbers::of(metrics), Timestamp::now().as_millisecond());
    (verdict.good, verdict.sentence)
}

/// Looks until something holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), waiting).await.is_ok(), "waited in vain: {what}");
}

/// Lets as much time pass on the clock of timers as another agent has to be silent for, or this one until its next heartbeat.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// An agent that runs until it is stopped or fenced, on a spool of its own.
struct Running {
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    outcome: tokio::task::JoinHandle<Result<Report, AgentError>>,
    spool: tempfile::TempDir,
}

impl Running {
    fn start(store: &Arc<MemoryStore>, lines: Vec<String>, change: impl FnOnce(&mut Settings)) -> Running {
        Running::start_on(tempfile::tempdir().expect("a folder"), store, lines, change)
    }

    fn start_on(
        spool: tempfile::TempDir,
        store: &Arc<MemoryStore>,
        lines: Vec<String>,
        change: impl FnOnce(&mut Settings),
    ) -> Running {
        let (metrics, stop) = (Arc::new(Metrics::default()), CancellationToken::new());
        let mut settings = settings(spool.path());
        change(&mut settings);
        let (store, told, stopped) = (Arc::clone(store), Arc::clone(&metrics), stop.clone());
        let outcome = tokio::spawn(async move {
            told.set_source(SourceState::Connected);
            let steps = vec![Step::Connection(ConnectionEvent::Up), Step::Lines(lines)];
            run_watched(&settings, &store, true, steps, stopped, &told).await
        });
        Running { metrics, stop, outcome, spool }
    }

    fn lease(&self) -> LeaseState {
        self.metrics.health.snapshot().lease.state
    }

    async fn holds_the_lake(&self) {
        until("the lake is held", || self.lease() == LeaseState::Held).await;
    }

    async fn accepted(&self, records: u64) {
        until("records are accepted", || self.metrics.records_accepted.get() >= records).await;
    }

    async fn waits(&self) {
        until("it waits", || matches!(self.lease(), LeaseState::Waiting { .. })).await;
    }

    async fn ended(self) -> (Result<Report, AgentError>, tempfile::TempDir) {
        (self.outcome.await.expect("no panic"), self.spool)
    }

    async fn stopped(self) -> (Result<Report, AgentError>, tempfile::TempDir) {
        self.stop.cancel();
        self.ended().await
    }
}

#[tokio::test]
async fn a_lake_has_one_agent_and_a_later_start_of_it_stops_the_earlier_one() {
    let store = Arc::new(MemoryStore::new());
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let first = settings(folders[0].path());
    let stop = CancellationToken::new();
    let running = run_until(&first, &store, true, vec![Step::Lines(vec![tweet(1, 1)])], stop.clone());
    let others = async {
        appears(&store, "_agent.json").await;
        let mut other = settings(folders[1].path());
        other.agent.id = "other".into();
        let refused = run_script(&other, &store, false, vec![]).await.expect_err("a second agent was let in");
        assert!(matches!(&refused, AgentError::Configuration(text) if text.contains("\"agent\"")), "{refused}");
        other.agent.id = "agent".into();
        other.agent.take_over = true;
        run_script(&other, &store, false, vec![Step::Lines(vec![tweet(2, 2)])]).await.expect("the successor runs");
        // The look at the lease stands for a while; after that the next put finds the higher epoch.
        tokio::time::pause();
        tokio::time::advance(crate::upload::lease::FRESH).await;
        tokio::time::resume();
        stop.cancel();
    };
    let (zombie, ()) = tokio::join!(running, others);
    let zombie = zombie.expect_err("the zombie went on");
    assert!(matches!(&zombie, AgentError::Fenced(text) if text.contains("taken over by a later start")), "{zombie}");
    assert_eq!(listed(&store).into_values().flatten().collect::<Vec<_>>(), [tweet(2, 2)]);
}

#[tokio::test]
async fn an_agent_with_another_spool_waits_says_for_whom_and_stops_when_asked() {
    let store = Arc::new(MemoryStore::new());
    let first = Running::start(&store, vec![tweet(1, 1)], |_| {});
    first.holds_the_lake().await;
    let second = Running::start(&store, vec![], |_| {});
    second.waits().await;
    let (ready, sentence) = says(&second.metrics);
    let holder = there(&store);
    assert!(!ready && sentence.contains("waiting for the lease on the lake: agent \"agent\" on host"), "{sentence}");
    assert!(sentence.contains(&holder.process.to_string()) && sentence.contains("taken over after 60 s"), "{sentence}");
    assert_eq!(second.stopped().await.0.expect("it stops in order"), Report::default());
    assert!(there(&store).is_same_start(&holder), "the lease changed hands");
    first.accepted(1).await;
    assert!(first.stopped().await.0.is_ok());
}

#[tokio::test]
async fn an_agent_that_waits_takes_the_lake_when_its_holder_stops_in_order() {
    let store = Arc::new(MemoryStore::new());
    let first = Running::start(&store, vec![tweet(1, 1)], |settings| {
        settings.agent.lease_timeout = Duration::from_secs(3_600);
    });
    first.accepted(1).await;
    let second = Running::start(&store, vec![tweet(2, 2)], |_| {});
    second.waits().await;
    first.stopped().await.0.expect("it stops in order");
    pass(Duration::from_secs(5)).await;
    second.holds_the_lake().await;
    second.accepted(1).await;
    second.stopped().await.0.expect("it stops in order");
    assert_eq!(there(&store).epoch, 2);
}

#[tokio::test]
async fn a_start_that_fails_after_it_took_the_lake_gives_it_back() {
    let store = Arc::new(MemoryStore::new());
    store.inject_once(Call::List, "", Fault::Fail(ErrorKind::AccessDenied));
    let refused = Running::start(&store, vec![], |_| {});
    let refused = refused.ended().await.0.expect_err("it started");
    assert!(matches!(&refused, AgentError::Store(_)), "{refused}");
    assert!(there(&store).released_at.is_some());
}

#[tokio::test]
async fn an_agent_that_is_fenced_says_so_at_once_though_it_has_nothing_to_upload() {
    let store = Arc::new(MemoryStore::new());
    let first = Running::start(&store, vec![tweet(1, 1)], |_| {});
    first.accepted(1).await;
    assert!(says(&first.metrics).0, "{:?}", says(&first.metrics));
    let second = Running::start(&store, vec![], |settings| settings.agent.take_over = true);
    second.holds_the_lake().await;
    let metrics = Arc::clone(&first.metrics);
    pass(Duration::from_secs(15)).await;
    let (fenced, spool) = first.ended().await;
    let fenced = fenced.expect_err("it went on");
    assert!(matches!(fenced, AgentError::Fenced(_)), "{fenced}");
    let (ready, sentence) = says(&metrics);
    let taker = there(&store).holder().to_string();
    assert!(!ready && sentence.contains("cannot go on") && sentence.contains(&taker), "{sentence}");
    let spooled = start::open_spool(&settings(spool.path())).await.expect("it opens").0;
    assert_eq!(spooled.state().files.values().map(|file| file.lines).sum::<u64>(), 1, "its spool lost a line");
    second.stopped().await.0.expect("it stops in order");
}

#[tokio::test]
async fn an_agent_that_was_fenced_and_is_started_again_waits_and_fences_nobody() {
    let store = Arc::new(MemoryStore::new());
    let first = Running::start(&store, vec![], |_| {});
    first.holds_the_lake().await;
    let second = Running::start(&store, vec![], |settings| settings.agent.take_over = true);
    second.holds_the_lake().await;
    pass(Duration::from_secs(15)).await;
    let (fenced, spool) = first.ended().await;
    fenced.expect_err("it went on");
    let again = Running::start_on(spool, &store, vec![], |_| {});
    again.waits().await;
    assert_eq!(there(&store).epoch, 2);
    second.stopped().await.0.expect("it stops in order");
    pass(Duration::from_secs(5)).await;
    again.holds_the_lake().await;
    assert_eq!(there(&store).epoch, 3);
    again.stopped().await.0.expect("it stops in order");
}

#[tokio::test]
async fn a_lease_that_is_deleted_in_mid_run_is_put_back_and_the_agent_goes_on_storing() {
    let store = Arc::new(MemoryStore::new());
    let agent = Running::start(&store, vec![tweet(1, 1)], |_| {});
    agent.accepted(1).await;
    let record = there(&store);
    store.delete(&Key::new(AGENT).expect("a key")).await.expect("deleted");
    pass(FRESH).await;
    let report = agent.stopped().await.0.expect("it stops in order");
    assert_eq!((report.objects, report.left_in_spool), (1, 0));
    assert!(there(&store).is_same_start(&record));
}

#[tokio::test]
async fn an_agent_whose_lease_cannot_be_renewed_is_not_ready_and_ready_again_when_it_is() {
    let store = Arc::new(MemoryStore::new());
    let agent = Running::start(&store, vec![tweet(1, 1)], |_| {});
    agent.accepted(1).await;
    store.inject(Call::Put, AGENT, 0, usize::MAX, Fault::Fail(ErrorKind::AccessDenied));
    pass(Duration::from_secs(15)).await;
    until("the lease is not renewed", || matches!(agent.lease(), LeaseState::Unrenewed { .. })).await;
    let (ready, sentence) = says(&agent.metrics);
    assert!(!ready && sentence.contains("the lease is not renewed for"), "{sentence}");
    assert!(!agent.metrics.health.snapshot().can_store());
    store.heal();
    pass(Duration::from_secs(15)).await;
    agent.holds_the_lake().await;
    assert!(says(&agent.metrics).0);
    agent.stopped().await.0.expect("it stops in order");
}

#[tokio::test]
async fn a_store_that_answers_looks_and_takes_no_put_is_not_ready_and_not_up() {
    let store = Arc::new(MemoryStore::new());
    store.inject(Call::Put, "01-05-10/", 0, usize::MAX, Fault::Fail(ErrorKind::Server));
    let agent = Running::start(&store, vec![tweet(1, 1), tweet(61, 2), tweet(122, 3)], |settings| {
        settings.lake.roll.count = Some(1);
        settings.agent.drain_timeout = Duration::from_millis(1);
    });
    let store_state = || agent.metrics.health.snapshot().store.state;
    until("the store counts as away", || matches!(store_state(), StoreState::Away { .. })).await;
    let (ready, sentence) = says(&agent.metrics);
    assert!(!ready && sentence.contains("store away"), "{sentence}");
    agent.stopped().await.0.expect("it leaves in order");
}

#[tokio::test]
async fn a_lake_whose_epoch_cannot_be_raised_is_refused_and_left_as_it_is() {
    let store = Arc::new(MemoryStore::new());
    let last =
        format!(r#"{{"id":"agent","epoch":{},"started_at":"2026-01-05T10:00:00Z","tool_version":"x"}}"#, u64::MAX);
    let body = Body::Bytes(Bytes::from(last));
    let key = Key::new(AGENT).expect("a key");
    store.put(Put { key, body, condition: Condition::Always, sha256: None }).await.expect("stored");
    let refused = Running::start(&store, vec![], |settings| settings.agent.take_over = true);
    let refused = refused.ended().await.0.expect_err("it started");
    assert!(matches!(&refused, AgentError::Configuration(text) if text.contains("the highest there is")), "{refused}");
    assert_eq!(there(&store).epoch, u64::MAX);
}
