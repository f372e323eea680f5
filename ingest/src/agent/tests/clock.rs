//! A clock that is set back between two starts, and one that is ahead of the store.

use super::*;

#[tokio::test]
async fn a_clock_that_is_set_back_moves_no_tweet_into_an_earlier_hour_and_closes_none_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let mut settings = settings(folder.path());
    settings.lake.partition_by = PartitionBy::ReceivedAt;
    let now_ms = Timestamp::now().as_millisecond();
    let (this, ahead_ms) = (Hour::containing(now_ms), now_ms + 2 * 3_600_000);
    let ahead = Hour::containing(ahead_ms);
    {
        // What an agent leaves whose clock was two hours ahead.
        let (mut spool, _) = start::open_spool(&settings).await.expect("the spool opens");
        spool.stage(Entry::Started { at_ms: ahead_ms });
        spool.stage(Entry::LiveFrom { hour: this });
        spool.stage(Entry::Alive { at_ms: ahead_ms });
        spool.commit().expect("committed");
    }
    let run = async |number: u64, until: String| {
        let stop = CancellationToken::new();
        let steps = vec![Step::Connection(ConnectionEvent::Up), Step::Lines(vec![tweet(1, number)])];
        let run = run_until(&settings, &store, true, steps, stop.clone());
        let stopper = async {
            appears(&store, &until).await;
            // The lines are read before the stop is seen, for a stop stores what was accepted.
            stop.cancel();
        };
        let (report, ()) = tokio::join!(run, stopper);
        report.expect("it stops in order")
    };
    let last = ManifestName::closing(ahead.previous()).key();
    assert_eq!(run(1, last.as_str().to_owned()).await.hours_closed, 2, "the hours that the clock had passed");
    let manifests = || -> Vec<(String, Option<Bytes>)> {
        let keys = store.keys().into_iter().filter(|key| key.starts_with("_hours/"));
        keys.map(|key| (key.clone(), store.content(&key))).collect()
    };
    let before = manifests();
    let again = run(2, last.as_str().to_owned()).await;
    assert_eq!(again.hours_closed, 0, "an hour was closed twice, or before its end");
    assert_eq!(manifests(), before);
    let in_closed_hours = [this, this.next()].map(|hour| settings.lake.pattern.folder_of(hour));
    let objects: Vec<String> = store.keys().into_iter().filter(|key| key.contains("/tweets.")).collect();
    let folder = settings.lake.pattern.folder_of(ahead);
    assert!(!objects.is_empty() && objects.iter().all(|key| key.starts_with(&folder)), "{objects:?}");
    assert!(in_closed_hours.iter().all(|closed| *closed != folder));
}

#[tokio::test]
async fn while_the_clock_is_ahead_of_the_store_nothing_is_taken_and_no_hour_closes() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let mut settings = settings(folder.path());
    settings.agent.max_clock_skew = Duration::from_secs(300);
    settings.lake.partition_by = PartitionBy::ReceivedAt;
    store.set_clock(-365 * 86_400_000);
    let metrics = Arc::new(Metrics::default());
    let steps = vec![Step::Lines(vec![tweet(1, 1)])];
    let source = |_| -> Result<Box<dyn Source>, SourceError> { Ok(Box::new(Scripted { live: false, steps })) };
    let lake: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
    let stop = CancellationToken::new();
    let run = run_on(&settings, lake, source, Arc::clone(&metrics), stop.clone(), CancellationToken::new());
    let watching = async {
        // The lake is taken, and then nothing follows.
        appears(&store, "_agent.json").await;
        tokio::time::timeout(Duration::from_secs(30), async {
            while !matches!(metrics.clock.state(), crate::clock::ClockState::Ahead { .. }) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .expect("it is noticed");
        assert_eq!(metrics.records_accepted.get(), 0);
        store.set_clock(0);
    };
    let (report, ()) = tokio::join!(run, watching);
    let report = report.expect("it runs to its end");
    assert_eq!(report.accepted, 1);
    let now_ms = Timestamp::now().as_millisecond();
    // The hour that runs stays open.
    let closed = listed(&store).into_keys().map(|name| name.hour);
    let hours: Vec<Hour> = closed.chain(report.open.iter().map(|(hour, _)| *hour)).collect();
    assert!(!hours.is_empty() && hours.iter().all(|hour| hour.start_ms() <= now_ms), "{hours:?}");
}

#[tokio::test]
async fn a_stop_ends_an_agent_that_waits_for_its_clock() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let mut settings = settings(folder.path());
    settings.agent.max_clock_skew = Duration::from_secs(300);
    store.set_clock(-365 * 86_400_000);
    let stop = CancellationToken::new();
    let stopper = async {
        appears(&store, "_agent.json").await;
        stop.cancel();
    };
    let (report, ()) = tokio::join!(run_until(&settings, &store, true, vec![], stop.clone()), stopper);
    assert_eq!(report.expect("it stops in order"), Report::default());
}

#[tokio::test]
async fn a_spool_from_the_future_is_refused_before_the_lake_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let mut settings = settings(folder.path());
    settings.agent.max_clock_skew = Duration::from_secs(300);
    {
        let (mut spool, _) = start::open_spool(&settings).await.expect("the spool opens");
        spool.stage(Entry::Started { at_ms: Timestamp::now().as_millisecond() + 2 * 3_600_000 });
        spool.commit().expect("committed");
    }
    let error = run_script(&settings, &store, true, vec![]).await.expect_err("it is refused");
    assert!(matches!(error, AgentError::Configuration(_)), "{error}");
    assert!(error.to_string().contains("ingest spool reset-time"), "{error}");
    assert_eq!(store.keys(), Vec::<String>::new());
}
