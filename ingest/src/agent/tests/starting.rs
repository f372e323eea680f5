//! A store that does not answer, or refuses, while an agent starts.

use tokio::time::Instant;

use super::*;

/// Starts on a lake with a closed hour and an object in an open one, with a fault, and says how it ended and after how long.
async fn start_with(call: Call, prefix: &str, times: usize, kind: ErrorKind) -> (Result<Report, AgentError>, Duration) {
    let store = Arc::new(MemoryStore::new());
    let earlier = tempfile::tempdir().expect("a folder");
    let stop = CancellationToken::new();
    let lines = vec![tweet(1, 1), tweet(60 * 2 + 11, 2)];
    let until = Step::Until(Arc::clone(&store), "_hours/2026-01-05T10.json".into());
    let steps = vec![Step::Lines(lines), until, Step::Stop(stop.clone())];
    run_until(&settings(earlier.path()), &store, true, steps, stop).await.expect("it stops in order");
    store.inject(call, prefix, 0, times, Fault::Fail(kind));
    let folder = tempfile::tempdir().expect("a folder");
    let began = Instant::now();
    // Only what the start itself asks is under the still clock: nothing else waits in it.
    let settings = settings(folder.path());
    let (mut spool, _) = start::open_spool(&settings).await.expect("the spool opens");
    tokio::time::pause();
    let store: Arc<dyn Store> = store;
    let outcome = take_lake(&mut spool, &store, &settings, true).await.map(|_| Report::default());
    let took = began.elapsed();
    tokio::time::resume();
    (outcome, took)
}

const QUESTIONS: [(Call, &str); 5] = [
    (Call::Get, "_agent.json"),
    (Call::List, "_hours/"),
    (Call::List, ""),
    (Call::Head, "01-05-12/"),
    (Call::Read, "01-05-12/"),
];

#[tokio::test]
async fn a_store_that_does_not_answer_is_waited_for_whatever_is_asked() {
    for (call, prefix) in QUESTIONS {
        let (outcome, _) = start_with(call, prefix, 5, ErrorKind::Unreachable).await;
        assert!(outcome.is_ok(), "{call:?} {prefix}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_store_that_stays_away_ends_the_start_after_half_a_minute() {
    for (call, prefix) in QUESTIONS {
        let (outcome, took) = start_with(call, prefix, usize::MAX, ErrorKind::Timeout).await;
        assert!(matches!(outcome, Err(AgentError::Store(_))), "{call:?} {prefix}: {outcome:?}");
        assert!((30..40).contains(&took.as_secs()), "{call:?} {prefix}: {took:?}");
    }
}

#[tokio::test]
async fn a_store_that_refuses_ends_the_start_at_once() {
    for (call, prefix) in QUESTIONS {
        for kind in [ErrorKind::AccessDenied, ErrorKind::NoSuchBucket, ErrorKind::Credentials] {
            let (outcome, took) = start_with(call, prefix, 1, kind).await;
            assert!(matches!(outcome, Err(AgentError::Store(_))), "{call:?} {prefix}: {outcome:?}");
            assert!(took.as_secs() < 1, "{call:?} {prefix}: {took:?}");
        }
    }
}
