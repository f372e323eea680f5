//! One agent's lease against one store, with the clock held still.

use cauce_lake::store::memory::{Call, Fault, MemoryStore};

use super::*;
use crate::status::{LeaseState, Metrics};

const TIMEOUT: Duration = Duration::from_secs(60);

fn claim(spool: &str) -> Claim {
    Claim {
        id: "agent".into(),
        host: format!("host-of-{spool}"),
        process: 17,
        spool: spool.into(),
        claimed: 0,
        timeout: TIMEOUT,
        take_over: false,
    }
}

/// Tries to take the lease, with all that a start does around it.
async fn attempt(store: &MemoryStore, claim: &mut Claim, observation: &mut Observation) -> Result<Attempt, LeaseError> {
    let store: Arc<dyn Store> = Arc::new(store.clone());
    let journal = |_| -> Result<(), LeaseError> { Ok(()) };
    Lease::attempt(&store, claim, observation, journal).await
}

async fn try_take(store: &MemoryStore, claim: &mut Claim) -> Attempt {
    attempt(store, claim, &mut Observation::default()).await.expect("the store answers")
}

/// Takes a lease that is free.
async fn taken(store: &MemoryStore, claim: &mut Claim) -> Lease {
    match try_take(store, claim).await {
        Attempt::Taken(taken) => taken.lease,
        Attempt::Held(held) => panic!("{:?} holds it", held.holder),
    }
}

async fn taken_over(store: &MemoryStore, spool: &str) -> Lease {
    taken(store, &mut Claim { take_over: true, ..claim(spool) }).await
}

fn held(attempt: Attempt) -> Held {
    match attempt {
        Attempt::Held(held) => *held,
        Attempt::Taken(taken) => panic!("it was taken: {taken:?}"),
    }
}

fn there(store: &MemoryStore) -> AgentRecord {
    serde_json::from_slice(&store.content(AGENT_KEY).expect("there is a record")).expect("it is readable")
}

async fn write(store: &MemoryStore, bytes: &str) {
    let body = Body::Bytes(Bytes::copy_from_slice(bytes.as_bytes()));
    let put = Put { key: agent_key(), body, condition: Condition::Always, sha256: None };
    store.put(put).await.expect("stored");
}

#[tokio::test]
async fn two_that_start_at_the_same_moment_get_different_epochs() {
    for (earlier, take_over) in [(false, true), (true, true), (false, false), (true, false)] {
        let store = MemoryStore::new();
        if earlier {
            taken(&store, &mut claim("z")).await.release().await.expect("given back");
        }
        // Both have looked before either puts.
        let gate = store.hold(Call::Put, AGENT_KEY);
        let (mut a, mut b) = (Claim { take_over, ..claim("a") }, Claim { take_over, ..claim("b") });
        let both = async { tokio::join!(try_take(&store, &mut a), try_take(&store, &mut b)) };
        let opener = async {
            gate.arrival().await;
            gate.arrival().await;
            gate.open();
        };
        let ((first, second), ()) = tokio::join!(both, opener);
        let epoch = |attempt: &Attempt| match attempt {
            Attempt::Taken(taken) => Some(taken.lease.epoch()),
            Attempt::Held(_) => None,
        };
        let mut epochs = [epoch(&first), epoch(&second)];
        epochs.sort_unstable();
        let first = u64::from(earlier) + 1;
        assert_eq!(epochs, [take_over.then_some(first), Some(first + u64::from(take_over))]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_stands_for_a_second_and_then_a_later_start_is_seen() {
    let store = MemoryStore::new();
    let first = taken(&store, &mut claim("a")).await;
    let second = taken_over(&store, "b").await;
    first.check().await.expect("the look at its start still stands");
    tokio::time::advance(FRESH).await;
    let seen = first.check().await.expect_err("it is superseded");
    assert!(matches!(&seen, LeaseError::Superseded { theirs, ours: 1, .. } if theirs.epoch == 2), "{seen}");
    assert!(seen.to_string().contains(r#"agent "agent" on host "host-of-b" (process 17, epoch 2)"#), "{seen}");
    second.check().await.expect("the later one goes on");
}

#[tokio::test]
async fn the_same_spool_takes_over_at_once() {
    let store = MemoryStore::new();
    let mut claim = claim("a");
    for epoch in 1..=3 {
        // Another container, the same volume.
        claim.host = format!("container-{epoch}");
        assert_eq!(taken(&store, &mut claim).await.epoch(), epoch);
    }
}

#[tokio::test]
async fn a_copy_of_the_holders_spool_waits_as_any_other_spool_does() {
    let store = MemoryStore::new();
    let mut original = claim("a");
    taken(&store, &mut original).await;
    let mut copy = original.clone();
    taken(&store, &mut original).await;
    assert_eq!(held(try_take(&store, &mut copy).await).holder.epoch, 2);
}

#[tokio::test(start_paused = true)]
async fn another_spool_waits_until_the_heartbeat_has_been_old_for_the_leases_time() {
    let store = MemoryStore::new();
    let holder = taken(&store, &mut claim("a")).await;
    let (mut waiter, mut observation) = (claim("b"), Observation::default());
    let at_once = held(attempt(&store, &mut waiter, &mut observation).await.expect("it answers"));
    assert_eq!((at_once.holder.host.as_str(), at_once.left), ("host-of-a", TIMEOUT));
    tokio::time::advance(TIMEOUT - Duration::from_secs(1)).await;
    let later = held(attempt(&store, &mut waiter, &mut observation).await.expect("it answers"));
    assert_eq!((later.unchanged.as_secs(), later.left.as_secs()), (59, 1));
    holder.renew().await.expect("it lives");
    tokio::time::advance(TIMEOUT).await;
    let again = held(attempt(&store, &mut waiter, &mut observation).await.expect("it answers"));
    assert_eq!(again.left, TIMEOUT, "the heartbeat began the time anew");
    tokio::time::advance(TIMEOUT).await;
    let Attempt::Taken(taken) = attempt(&store, &mut waiter, &mut observation).await.expect("it answers") else {
        panic!("it waits for ever")
    };
    assert_eq!((taken.lease.epoch(), taken.title), (2, Title::Expired));
    assert!(holder.check().await.expect_err("it is another's").is_loss());
}

#[tokio::test(start_paused = true)]
async fn the_clocks_of_other_machines_do_not_count() {
    let store = MemoryStore::new();
    let lease = taken(&store, &mut claim("a")).await;
    for heartbeat in ["1999-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
        let heartbeat_at = Some(heartbeat.parse().expect("a time"));
        let record = AgentRecord { heartbeat_at, ..lease.record.clone() };
        write(&store, &serde_json::to_string(&record).expect("a record")).await;
        let (mut waiter, mut observation) = (claim("b"), Observation::default());
        held(attempt(&store, &mut waiter, &mut observation).await.expect("it answers"));
        tokio::time::advance(TIMEOUT).await;
        let outcome = attempt(&store, &mut waiter, &mut observation).await.expect("it answers");
        assert!(matches!(outcome, Attempt::Taken(_)), "{heartbeat}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_said_a_longer_time_is_waited_for_so_long() {
    let store = MemoryStore::new();
    taken(&store, &mut Claim { timeout: 10 * TIMEOUT, ..claim("a") }).await;
    assert_eq!(held(try_take(&store, &mut claim("b")).await).left, 10 * TIMEOUT);
    taken_over(&store, "c").await;
    let patient = Claim { timeout: 2 * TIMEOUT, ..claim("b") };
    assert_eq!(held(try_take(&store, &mut patient.clone()).await).left, 2 * TIMEOUT);
}

#[tokio::test]
async fn a_lease_that_was_given_back_is_taken_by_any_spool_at_once() {
    let store = MemoryStore::new();
    let first = taken(&store, &mut claim("a")).await;
    // The answer of its last renewal was lost, so that it does not know the version that is there.
    store.inject_once(Call::Put, AGENT_KEY, Fault::AnswerLost);
    first.renew().await.expect_err("the answer was lost");
    first.release().await.expect("given back");
    assert!(there(&store).released_at.is_some());
    let second = taken(&store, &mut claim("b")).await;
    assert_eq!(second.epoch(), 2);
    // What is another's is not given back.
    first.release().await.expect_err("it is another's");
    assert_eq!(there(&store).released_at, None);
}

#[tokio::test]
async fn taking_over_by_force_names_who_is_fenced() {
    let store = MemoryStore::new();
    taken(&store, &mut claim("a")).await;
    let Attempt::Taken(taken) = try_take(&store, &mut Claim { take_over: true, ..claim("b") }).await else {
        panic!("it waits")
    };
    assert_eq!((taken.title, taken.lease.epoch()), (Title::Fenced, 2));
    assert_eq!(taken.lease.previous().map(|record| record.host.as_str()), Some("host-of-a"));
    taken.lease.release().await.expect("given back");
    let Attempt::Taken(taken) = try_take(&store, &mut Claim { take_over: true, ..claim("c") }).await else {
        panic!("it waits")
    };
    assert_eq!(taken.title, Title::Free, "there was nobody to fence");
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_the_format_without_a_heartbeat_is_read_and_waited_for() {
    let store = MemoryStore::new();
    let old = r#"{"id":"agent","epoch":7,"started_at":"2026-11-22T05:00:00Z","tool_version":"cauce 0.1.0"}"#;
    write(&store, old).await;
    let (mut waiter, mut observation) = (claim("b"), Observation::default());
    assert_eq!(held(attempt(&store, &mut waiter, &mut observation).await.expect("it answers")).left, TIMEOUT);
    tokio::time::advance(TIMEOUT).await;
    let Attempt::Taken(taken) = attempt(&store, &mut waiter, &mut observation).await.expect("it answers") else {
        panic!("it waits for ever")
    };
    assert_eq!(taken.lease.epoch(), 8);
}

#[tokio::test(start_paused = true)]
async fn of_two_that_wait_one_takes_the_lease_and_the_other_waits_for_it() {
    let store = MemoryStore::new();
    taken(&store, &mut claim("a")).await;
    let mut waiters = [(claim("b"), Observation::default()), (claim("c"), Observation::default())];
    for (claim, observation) in &mut waiters {
        held(attempt(&store, claim, observation).await.expect("it answers"));
    }
    tokio::time::advance(TIMEOUT).await;
    let gate = store.hold(Call::Put, AGENT_KEY);
    let [(a, seen_a), (b, seen_b)] = &mut waiters;
    let both = async { tokio::join!(attempt(&store, a, seen_a), attempt(&store, b, seen_b)) };
    let opener = async {
        gate.arrival().await;
        gate.arrival().await;
        gate.open();
    };
    let ((first, second), ()) = tokio::join!(both, opener);
    let outcomes = [first.expect("it answers"), second.expect("it answers")];
    let taken = outcomes.iter().filter(|outcome| matches!(outcome, Attempt::Taken(_))).count();
    assert_eq!(taken, 1, "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_deleted_is_put_back_with_the_same_epoch() {
    let store = MemoryStore::new();
    let mut claimed = claim("a");
    taken(&store, &mut claimed).await;
    let lease = taken(&store, &mut claimed).await;
    for by_check in [false, true] {
        store.delete(&agent_key()).await.expect("deleted");
        tokio::time::advance(FRESH).await;
        if by_check { lease.check().await } else { lease.renew().await }.expect("it is ours still");
        assert!(there(&store).is_same_start(&lease.record));
        lease.renew().await.expect("it goes on");
    }
    // Somebody else was quicker.
    store.delete(&agent_key()).await.expect("deleted");
    taken(&store, &mut claim("b")).await;
    assert!(lease.renew().await.expect_err("it is another's").is_loss());
    assert_eq!(there(&store).spool, "b");
}

#[tokio::test(start_paused = true)]
async fn a_record_is_put_back_only_where_there_is_none() {
    let store = MemoryStore::new();
    let lease = taken(&store, &mut claim("a")).await;
    store.delete(&agent_key()).await.expect("deleted");
    tokio::time::advance(FRESH).await;
    // It has looked and found nothing when another agent takes the lake.
    let gate = store.hold(Call::Put, AGENT_KEY);
    let other = async {
        gate.arrival().await;
        store.heal();
        taken(&store, &mut claim("b")).await;
        gate.open();
    };
    let (checked, ()) = tokio::join!(lease.check(), other);
    assert!(checked.expect_err("it is another's").is_loss());
    assert_eq!(there(&store).spool, "b");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_answer_is_lost_is_not_taken_for_the_loss_of_the_lake() {
    let store = MemoryStore::new();
    let lease = taken(&store, &mut claim("a")).await;
    for _ in 0..3 {
        store.inject_once(Call::Put, AGENT_KEY, Fault::AnswerLost);
        let lost = lease.renew().await.expect_err("the answer was lost");
        assert!(!lost.is_loss(), "{lost}");
        tokio::time::advance(FRESH).await;
        lease.check().await.expect("it is ours");
        lease.renew().await.expect("it is ours");
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_could_not_renew_in_time_renews_before_anything_is_put() {
    let store = MemoryStore::new();
    let lease = taken(&store, &mut claim("a")).await;
    let puts = || store.count(Call::Put, AGENT_KEY);
    tokio::time::advance(TIMEOUT - FRESH).await;
    let before = puts();
    lease.check().await.expect("it is ours");
    assert_eq!(puts(), before, "a lease that has time left is only read");
    tokio::time::advance(FRESH).await;
    store.inject_once(Call::Put, AGENT_KEY, Fault::Fail(ErrorKind::AccessDenied));
    let refused = lease.check().await.expect_err("the store refuses the renewal");
    assert!(matches!(refused, LeaseError::Store(_)), "{refused}");
    lease.check().await.expect("it is ours");
    assert_eq!(puts(), before + 2);
    assert_eq!(held(try_take(&store, &mut claim("b")).await).unchanged, Duration::ZERO);
}

#[tokio::test]
async fn the_highest_epoch_is_not_raised_to_the_lowest() {
    let store = MemoryStore::new();
    let epoch = u64::MAX;
    write(
        &store,
        &format!(
            r#"{{"id":"agent","epoch":{epoch},"started_at":"2026-11-22T05:00:00Z","released_at":"2026-11-22T06:00:00Z","tool_version":"x"}}"#
        ),
    )
    .await;
    let refused = attempt(&store, &mut claim("a"), &mut Observation::default()).await.expect_err("it was raised");
    assert!(matches!(refused, LeaseError::LastEpoch { .. }), "{refused}");
    assert!(refused.to_string().contains("18446744073709551615"), "{refused}");
    assert_eq!(there(&store).epoch, epoch);
}

#[tokio::test]
async fn epochs_rise_beyond_what_the_spool_has_asked_for_though_an_old_record_was_put_back() {
    let store = MemoryStore::new();
    let mut claim = Claim { claimed: 9, ..claim("a") };
    assert_eq!(taken(&store, &mut claim).await.epoch(), 10);
}

#[tokio::test(start_paused = true)]
async fn on_a_store_that_ignores_conditions_a_heartbeat_does_not_cover_a_successor() {
    let store = MemoryStore::new();
    store.inject(Call::Put, "", 0, usize::MAX, Fault::ConditionIgnored);
    let first = taken(&store, &mut claim("a")).await;
    assert!(!first.honours_match() && !first.honours_conditions());
    first.renew().await.expect("it is ours");
    let second = taken_over(&store, "b").await;
    assert!(first.renew().await.expect_err("it is another's").is_loss());
    assert!(first.release().await.expect_err("it is another's").is_loss());
    second.renew().await.expect("it is ours");
    assert_eq!(there(&store).spool, "b");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_is_no_loss_and_no_success() {
    let store = MemoryStore::new();
    let lease = taken(&store, &mut claim("a")).await;
    write(&store, "{}").await;
    tokio::time::advance(FRESH).await;
    for outcome in [lease.check().await, lease.renew().await] {
        assert!(matches!(outcome, Err(LeaseError::Malformed { .. })), "{outcome:?}");
    }
    assert_eq!(store.content(AGENT_KEY).expect("there"), "{}", "it was overwritten");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_renewed_shows_until_it_is() {
    for fault in
        [Fault::Fail(ErrorKind::AccessDenied), Fault::Fail(ErrorKind::Unreachable), Fault::Hold(Default::default())]
    {
        let (store, metrics) = (MemoryStore::new(), Arc::new(Metrics::default()));
        let lease = Arc::new(taken(&store, &mut claim("a")).await);
        let state = || metrics.health.snapshot().lease.state;
        metrics.set_lease(LeaseState::Held);
        let keeping = tokio::spawn(Arc::clone(&lease).keep(Arc::clone(&metrics)));
        tokio::task::yield_now().await;
        store.inject(Call::Put, AGENT_KEY, 0, usize::MAX, fault);
        tokio::time::sleep(2 * lease.heartbeat() + FRESH).await;
        assert!(matches!(state(), LeaseState::Unrenewed { .. }), "{:?}", state());
        store.heal();
        tokio::time::sleep(lease.heartbeat() + FRESH).await;
        assert_eq!(state(), LeaseState::Held);
        keeping.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_has_nothing_to_upload_sees_within_a_heartbeat_that_the_lake_is_anothers() {
    let (store, metrics) = (MemoryStore::new(), Arc::new(Metrics::default()));
    let lease = Arc::new(taken(&store, &mut claim("a")).await);
    let keeping = tokio::spawn(Arc::clone(&lease).keep(metrics));
    tokio::time::sleep(10 * TIMEOUT).await;
    assert!(there(&store).heartbeats >= 39, "{:?}", there(&store));
    taken_over(&store, "b").await;
    let began = Instant::now();
    let lost = keeping.await.expect("no panic");
    assert!(lost.is_loss() && began.elapsed() <= lease.heartbeat(), "{lost} after {:?}", began.elapsed());
}

#[tokio::test]
async fn a_start_whose_own_answer_was_lost_does_not_wait_for_itself() {
    let store = MemoryStore::new();
    store.inject_once(Call::Put, AGENT_KEY, Fault::AnswerLost);
    assert_eq!(taken(&store, &mut claim("a")).await.epoch(), 2);
}

#[tokio::test]
async fn an_epoch_that_the_spool_could_not_journal_is_not_asked_for() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    #[derive(Debug, PartialEq)]
    enum Failed {
        Lease,
        Journal(u64),
    }
    impl From<LeaseError> for Failed {
        fn from(_: LeaseError) -> Failed {
            Failed::Lease
        }
    }
    let journal = |epoch| Err(Failed::Journal(epoch));
    let outcome = Lease::attempt(&store, &mut claim("a"), &mut Observation::default(), journal).await;
    assert_eq!(outcome.expect_err("it was taken"), Failed::Journal(1));
    assert_eq!(store.get(&agent_key()).await.expect_err("something was put").kind(), ErrorKind::NotFound);
}
