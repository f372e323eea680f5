//! The queue before the store: whoever wants to ask it waits here, in order, until the [`Circuit`] lets it. Tells the
//! numbers and the log what the circuit found, once a change.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cauce_lake::StoreError;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::circuit::{Change, Circuit, Pass, Told, Turn};
use super::verdict;
use crate::status::metrics::Kind;
use crate::status::{Metrics, StoreState};

/// The queue. Clones are the same one.
#[derive(Clone)]
pub(super) struct Turns {
    shared: Arc<Shared>,
}

/// Attempts that failed one after the other, whatever the store said, after which it counts as away for the status page: a
/// store that answers and takes nothing is no better than one that does not answer.
const IN_VAIN: u32 = 4;

struct Shared {
    circuit: Mutex<Judged>,
    /// The first in the queue has it, and is the only one that waits for the circuit. It is fair: who came first is next.
    first: tokio::sync::Mutex<()>,
    changed: Notify,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Judged {
    circuit: Circuit,
    /// Attempts that have failed since the last one that did not.
    in_vain: u32,
}

impl Shared {
    fn judged(&self) -> MutexGuard<'_, Judged> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn to ask the store. Dropped without a word it is given back.
pub(super) struct MyTurn {
    shared: Arc<Shared>,
    pass: Option<Pass>,
}

impl Turns {
    pub(super) fn new(metrics: Arc<Metrics>) -> Turns {
        let shared =
            Shared { circuit: Mutex::default(), first: tokio::sync::Mutex::default(), changed: Notify::new(), metrics };
        Turns { shared: Arc::new(shared) }
    }

    /// Waits for a turn.
    pub(super) async fn wait(&self) -> MyTurn {
        let _first = self.shared.first.lock().await;
        loop {
            let changed = self.shared.changed.notified();
            let turn = self.shared.judged().circuit.ask(Instant::now());
            match turn {
                Turn::Go(pass) => return MyTurn { shared: Arc::clone(&self.shared), pass: Some(pass) },
                Turn::Later => changed.await,
                Turn::At(at) => tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = changed => {}
                },
            }
        }
    }
}

impl MyTurn {
    /// Ends the turn: the store answered.
    pub(super) fn answered(self) {
        self.end(Told::Answered, None);
    }

    /// Ends the turn by a failure; `told` is what it says of the store.
    pub(super) fn failed(self, told: Told, error: &StoreError) {
        let word = format!("{:?}", error.kind()).to_lowercase();
        self.shared.metrics.store_errors.get_or_create(&Kind::new(word)).inc();
        self.end(told, Some(error));
    }

    fn end(mut self, told: Told, error: Option<&StoreError>) {
        let Some(pass) = self.pass.take() else { return };
        let change = {
            let mut judged = self.shared.judged();
            let change = judged.circuit.tell(pass, told, Instant::now(), rand::random());
            judged.in_vain = if error.is_some() { judged.in_vain.saturating_add(1) } else { 0 };
            let is_away = judged.circuit.is_away() || judged.in_vain >= IN_VAIN;
            // Set under the lock: the last judgement is the one that stays.
            self.shared.metrics.set_store(match error {
                Some(error) if is_away => StoreState::Away { cause: error.to_string() },
                _ => StoreState::Up,
            });
            change
        };
        self.shared.changed.notify_one();
        match (change, error) {
            (Some(Change::Away), Some(error)) if verdict::needs_operator(error.kind()) => {
                tracing::error!(%error, "the store refuses; the spool keeps what is to be stored, and it is tried again");
            }
            (Some(Change::Away), Some(error)) => {
                tracing::warn!(%error, "the store does not answer; the spool keeps what is to be stored, and it is tried again");
            }
            (Some(Change::Back(after)), _) => {
                tracing::info!(after_s = after.as_secs(), "the store answers again");
            }
            (Some(Change::Slower(at_once)), Some(error)) => {
                tracing::warn!(%error, at_once, "the store asks for less speed; fewer uploads go at once");
            }
            (None, Some(error)) if told == Told::Answered => {
                tracing::warn!(%error, "a request to the store failed while the store answers; it is tried again");
            }
            (_, Some(error)) => tracing::debug!(%error, "the store still does not answer as it should"),
            (_, None) => {}
        }
    }
}

impl Drop for MyTurn {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.shared.judged().circuit.give_up(pass);
            self.shared.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cauce_lake::store::ErrorKind;

    use super::super::circuit::MOST_AT_ONCE;
    use super::*;

    fn unreachable() -> StoreError {
        StoreError::new(ErrorKind::Unreachable, "put", "x")
    }

    #[tokio::test(start_paused = true)]
    async fn many_that_wait_for_a_store_that_is_away_ask_it_one_after_the_other_and_all_go_on_when_it_is_back() {
        let metrics = Arc::new(Metrics::default());
        let turns = Turns::new(Arc::clone(&metrics));
        let began = Instant::now();
        let back = began + Duration::from_secs(600);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let each = (0..100).map(|_| {
            let (turns, asked) = (turns.clone(), Arc::clone(&asked));
            tokio::spawn(async move {
                loop {
                    let turn = turns.wait().await;
                    asked.lock().expect("nobody panics").push(Instant::now());
                    if Instant::now() >= back {
                        return turn.answered();
                    }
                    turn.failed(Told::Away, &unreachable());
                }
            })
        });
        for task in each.collect::<Vec<_>>() {
            task.await.expect("it ends");
        }
        let asked = asked.lock().expect("nobody panics");
        let during = asked.iter().filter(|at| **at < back).count();
        // A probe each five to ten seconds, and a few more while the waits grow.
        assert!((60..=140).contains(&during), "{during} requests in ten minutes");
        let first = asked.iter().find(|at| **at >= back).expect("it is seen");
        assert!(*first - back <= Duration::from_secs(10), "{:?}", *first - back);
        assert_eq!(asked.last(), Some(first), "all go on at once");
        assert_eq!(metrics.health.snapshot().store.state, StoreState::Up);
    }

    #[tokio::test]
    async fn a_store_that_answers_and_takes_nothing_counts_as_away_until_it_takes_something() {
        let metrics = Arc::new(Metrics::default());
        let turns = Turns::new(Arc::clone(&metrics));
        let is_up = || metrics.health.snapshot().store.state == StoreState::Up;
        let error = StoreError::new(ErrorKind::Server, "put", "x");
        for _ in 1..IN_VAIN {
            turns.wait().await.failed(Told::Answered, &error);
            assert!(is_up());
        }
        turns.wait().await.failed(Told::Answered, &error);
        assert!(!is_up());
        turns.wait().await.answered();
        assert!(is_up());
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_is_dropped_is_given_back() {
        let turns = Turns::new(Arc::new(Metrics::default()));
        for _ in 0..3 * MOST_AT_ONCE {
            drop(turns.wait().await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_first_is_next() {
        let turns = Turns::new(Arc::new(Metrics::default()));
        let held: Vec<MyTurn> = {
            let mut held = Vec::new();
            for _ in 0..MOST_AT_ONCE {
                held.push(turns.wait().await);
            }
            held
        };
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..10 {
            let (turns, order) = (turns.clone(), Arc::clone(&order));
            waiting.spawn(async move {
                let turn = turns.wait().await;
                order.lock().expect("nobody panics").push(number);
                turn.answered();
            });
            // Each has taken its place before the next one comes.
            tokio::task::yield_now().await;
        }
        drop(held);
        waiting.join_all().await;
        assert_eq!(*order.lock().expect("nobody panics"), (0..10).collect::<Vec<_>>());
    }
}
