//! A clock that is set back between two starts.

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
