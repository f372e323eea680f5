//! A spool that is lost while the lake has open hours.

use super::*;

/// What a live agent leaves that reads these lines and is stopped: objects in hours that are still open.
async fn leave_open(store: &Arc<MemoryStore>, lines: Vec<String>) {
    let lost = tempfile::tempdir().expect("a folder");
    let stop = CancellationToken::new();
    let steps = vec![Step::Lines(lines), Step::Stop(stop.clone())];
    run_until(&settings(lost.path()), store, true, steps, stop).await.expect("it stops in order");
    assert!(listed(store).is_empty(), "the hours are still open");
}

#[tokio::test]
async fn with_the_spool_lost_what_is_stored_is_listed_and_known() {
    let store = Arc::new(MemoryStore::new());
    leave_open(&store, vec![tweet(1, 1), tweet(61, 2)]).await;
    let foreign = Key::new("01-05-10/tweets.1767607200999.json").expect("valid key");
    let body = Body::Bytes(Bytes::from_static(b"{}\n"));
    store.put(Put { key: foreign, body, condition: Condition::Always, sha256: None }).await.expect("stored");

    let fresh = tempfile::tempdir().expect("a folder");
    let lines = vec![tweet(1, 1), tweet(3, 3)];
    let report = run_script(&settings(fresh.path()), &store, false, vec![Step::Lines(lines)]).await.expect("it ends");
    assert_eq!((report.duplicates, report.hours_closed), (1, 2));
    let listed = listed(&store);
    assert_eq!(listed[&closing("2026-01-05T10")], [tweet(1, 1), tweet(3, 3)]);
    assert_eq!(listed[&closing("2026-01-05T11")], [tweet(61, 2)]);
}

#[tokio::test]
async fn adopted_hours_are_part_of_a_live_sources_run() {
    let store = Arc::new(MemoryStore::new());
    leave_open(&store, vec![tweet(1, 1)]).await;
    let fresh = tempfile::tempdir().expect("a folder");
    let stop = CancellationToken::new();
    let steps = vec![
        Step::Lines(vec![tweet(60 * 2 + 11, 2)]),
        Step::Until(Arc::clone(&store), "_hours/2026-01-05T11.json".into()),
        Step::Stop(stop.clone()),
    ];
    run_until(&settings(fresh.path()), &store, true, steps, stop).await.expect("it stops in order");
    let listed = listed(&store);
    assert_eq!(listed[&closing("2026-01-05T10")], [tweet(1, 1)]);
    assert_eq!(listed[&closing("2026-01-05T11")], Vec::<String>::new());
}

#[tokio::test]
async fn what_a_first_start_did_not_come_to_take_over_the_next_one_does() {
    let store = Arc::new(MemoryStore::new());
    leave_open(&store, vec![tweet(1, 1)]).await;
    let fresh = tempfile::tempdir().expect("a folder");
    let settings = settings(fresh.path());
    // Its lease is taken, its spool is made, and then it may not look into the object.
    store.inject_once(Call::Head, "01-05-10/", Fault::Fail(ErrorKind::AccessDenied));
    let refused = run_script(&settings, &store, false, vec![]).await.expect_err("it started");
    assert!(matches!(&refused, AgentError::Store(_)), "{refused}");
    run_script(&settings, &store, false, vec![Step::Lines(vec![tweet(1, 1)])]).await.expect("it ends");
    assert_eq!(listed(&store)[&closing("2026-01-05T10")], [tweet(1, 1)]);
}

#[tokio::test]
async fn a_tweet_that_another_spool_stored_and_listed_is_not_stored_again() {
    let store = Arc::new(MemoryStore::new());
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let both: Vec<Settings> = folders.iter().map(|folder| settings(folder.path())).collect();
    let run = async |n: usize, numbers: &[u64]| {
        let lines = numbers.iter().map(|number| tweet(1, *number)).collect();
        run_script(&both[n], &store, false, vec![Step::Lines(lines)]).await.expect("it ends")
    };
    run(0, &[1, 2]).await;
    assert_eq!(run(1, &[1, 3]).await.duplicates, 1, "a new spool");
    assert_eq!(run(0, &[2, 3, 4]).await.duplicates, 2, "the first one again");
    let mut all: Vec<String> = listed(&store).into_values().flatten().collect();
    all.sort();
    assert_eq!(all, [1, 2, 3, 4].map(|number| tweet(1, number)));
}

#[tokio::test]
async fn the_time_in_which_another_spool_wrote_is_a_gap_from_what_this_one_knows_on() {
    let store = Arc::new(MemoryStore::new());
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    for (number, folder) in (1..).zip(&folders) {
        let stop = CancellationToken::new();
        let steps = vec![Step::Lines(vec![tweet(1, number)]), Step::Stop(stop.clone())];
        run_until(&settings(folder.path()), &store, true, steps, stop).await.expect("it stops in order");
    }
    let first = settings(folders[0].path());
    let take = async || {
        let (mut spool, _) = start::open_spool(&first).await.expect("the spool opens");
        let last_ms = spool.state().last_ms;
        let store: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
        take_lake(&mut spool, &store, &first, true).await.expect("the lake is ours");
        let gap = spool.state().open_gap().cloned();
        spool.commit().expect("committed");
        (gap.map(|gap| (gap.from_ms, gap.cause)), last_ms, spool.state().epoch)
    };
    let (gap, last_ms, epoch) = take().await;
    assert_eq!((gap, epoch), (Some((last_ms, "other-spool".to_owned())), Some(3)));
    // Nobody else was there before the next start: the objects that were taken over are known, and nothing is done again.
    let before = store.count(Call::Read, "");
    let (_, _, epoch) = take().await;
    assert_eq!((store.count(Call::Read, ""), epoch), (before, Some(4)));
}
