//! What the steps are doing right now: the states that sources, uploader and writer set, and since when.
//!
//! A step calls one of the `set_…` functions when its state changes and the writer calls [`Health::beat`] as it goes;
//! `readiness.rs` turns a [`Snapshot`] into a sentence. Nothing here decides anything, and nothing here waits: the lock is
//! held for a copy of a few words. Texts given to these functions are shown to whoever asks: they must hold no secret
//! and no tweet.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;

use super::rejects::Rejects;

/// What the source is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SourceState {
    /// Nothing yet: the agent is starting, the spool is being recovered.
    #[default]
    Starting,
    /// On its way to a first or a new connection.
    Connecting,
    /// A live source's connection is up.
    Connected,
    /// A finite source is reading.
    Reading,
    /// Nothing came for too long; the connection was given up and a new one is tried.
    Stalled,
    /// The connection could not be made or broke; the source waits before it tries again.
    Waiting {
        /// Why, in a few words: `the server closed the stream`, `429 too many requests`.
        cause: String,
    },
    /// The account's credits are used up; the source waits for new ones.
    BlockedByCredits,
    /// The other side refuses our credentials.
    BlockedByAuth,
    /// A finite source has come to its end.
    Ended,
}

/// What the store is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StoreState {
    /// Not asked yet.
    #[default]
    Unknown,
    /// It answers.
    Up,
    /// It does not answer or refuses; uploads wait in the spool.
    Away {
        /// Why, in a few words.
        cause: String,
    },
}

/// Whether the lake is ours to write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LeaseState {
    /// Not asked for yet.
    #[default]
    None,
    /// Another agent holds it, and this one waits.
    Waiting {
        /// For whom and how long, in a few words.
        holder: String,
    },
    /// It is ours.
    Held,
    /// It was ours at the last look, and cannot be renewed: the store does not answer or refuses.
    Unrenewed {
        /// Why, in a few words.
        cause: String,
    },
}

/// What the writer thread is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriterState {
    /// It has not begun: the spool is being recovered.
    NotStarted,
    /// It gave its last sign of life this many seconds ago.
    Beating {
        /// Whole seconds.
        seconds_ago: u64,
    },
    /// It has ended as it should.
    Ended,
}

/// A state and the time at which it began, milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since<T> {
    /// The state.
    pub state: T,
    /// When it began.
    pub since_ms: i64,
}

impl<T: PartialEq> Since<T> {
    fn now(state: T) -> Since<T> {
        Since { state, since_ms: Timestamp::now().as_millisecond() }
    }

    /// A state that is set again keeps the time at which it began.
    fn set(&mut self, state: T, same: impl Fn(&T, &T) -> bool) {
        if same(&self.state, &state) {
            self.state = state;
        } else {
            *self = Since::now(state);
        }
    }
}

/// All states at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The source.
    pub source: Since<SourceState>,
    /// The store.
    pub store: Since<StoreState>,
    /// The lease.
    pub lease: Since<LeaseState>,
    /// The writer thread.
    pub writer: WriterState,
    /// Whether the agent was asked to stop and is draining.
    pub stopping: bool,
    /// Why the agent cannot go on, if it cannot.
    pub fatal: Option<String>,
}

impl Snapshot {
    /// Whether uploads can go on: the store answers them and the lake is ours.
    pub fn can_store(&self) -> bool {
        self.store.state == StoreState::Up && self.lease.state == LeaseState::Held
    }
}

/// Shared by all steps through [`Metrics`](super::Metrics).
#[derive(Debug)]
pub struct Health {
    states: Mutex<States>,
    /// Milliseconds from `born` to the writer's last beat; the two other values are below. A clock that is set back or
    /// forth must not make a living writer look dead, so this is not a time of day.
    beat_ms: AtomicI64,
    born: Instant,
    /// The lines that were rejected.
    pub rejects: Rejects,
}

const NOT_STARTED: i64 = -1;
const ENDED: i64 = -2;

#[derive(Debug)]
struct States {
    source: Since<SourceState>,
    store: Since<StoreState>,
    lease: Since<LeaseState>,
    stopping: bool,
    fatal: Option<String>,
}

impl Default for Health {
    fn default() -> Health {
        let states = States {
            source: Since::now(SourceState::default()),
            store: Since::now(StoreState::default()),
            lease: Since::now(LeaseState::default()),
            stopping: false,
            fatal: None,
        };
        Health {
            states: Mutex::new(states),
            beat_ms: AtomicI64::new(NOT_STARTED),
            born: Instant::now(),
            rejects: Rejects::default(),
        }
    }
}

impl Health {
    /// Says what the source is doing. Setting the state it is in already keeps its beginning.
    pub fn set_source(&self, state: SourceState) {
        let same = |a: &SourceState, b: &SourceState| std::mem::discriminant(a) == std::mem::discriminant(b);
        self.states().source.set(state, same);
    }

    /// Says what the store is doing. Setting the state it is in already keeps its beginning.
    pub fn set_store(&self, state: StoreState) {
        let same = |a: &StoreState, b: &StoreState| std::mem::discriminant(a) == std::mem::discriminant(b);
        self.states().store.set(state, same);
    }

    /// Says whether the lake is ours. Setting the state it is in already keeps its beginning.
    pub fn set_lease(&self, state: LeaseState) {
        let same = |a: &LeaseState, b: &LeaseState| std::mem::discriminant(a) == std::mem::discriminant(b);
        self.states().lease.set(state, same);
    }

    /// The agent was asked to stop.
    pub fn set_stopping(&self) {
        self.states().stopping = true;
    }

    /// The agent cannot go on. The first reason stays: later ones follow from it.
    pub fn set_fatal(&self, reason: impl Into<String>) {
        self.states().fatal.get_or_insert_with(|| reason.into());
    }

    /// The writer's sign of life, to be given at least every ten seconds, also when nothing arrives.
    pub fn beat(&self) {
        let elapsed = i64::try_from(self.born.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.beat_ms.store(elapsed, Ordering::Relaxed);
    }

    /// The writer has ended as it should; it owes no further sign.
    pub fn writer_ended(&self) {
        self.beat_ms.store(ENDED, Ordering::Relaxed);
    }

    /// All states now.
    pub fn snapshot(&self) -> Snapshot {
        let writer = match self.beat_ms.load(Ordering::Relaxed) {
            NOT_STARTED => WriterState::NotStarted,
            ENDED => WriterState::Ended,
            beat => {
                let beat = u128::try_from(beat).unwrap_or(0);
                let millis = self.born.elapsed().as_millis().saturating_sub(beat);
                WriterState::Beating { seconds_ago: u64::try_from(millis / 1000).unwrap_or(u64::MAX) }
            }
        };
        let states = self.states();
        Snapshot {
            source: states.source.clone(),
            store: states.store.clone(),
            lease: states.lease.clone(),
            writer,
            stopping: states.stopping,
            fatal: states.fatal.clone(),
        }
    }

    fn states(&self) -> std::sync::MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_set_again_keeps_its_beginning_and_takes_the_new_cause() {
        let health = Health::default();
        health.set_store(StoreState::Away { cause: "timeout".into() });
        health.states().store.since_ms = 7;
        health.set_store(StoreState::Away { cause: "refused".into() });
        let store = health.snapshot().store;
        assert_eq!(store, Since { state: StoreState::Away { cause: "refused".into() }, since_ms: 7 });
        health.set_store(StoreState::Up);
        assert!(health.snapshot().store.since_ms > 7, "a new state has a new beginning");
    }

    #[test]
    fn the_first_fatal_reason_stays() {
        let health = Health::default();
        health.set_fatal("the spool disk is read-only");
        health.set_fatal("the channel is closed");
        assert_eq!(health.snapshot().fatal.as_deref(), Some("the spool disk is read-only"));
    }

    #[test]
    fn a_writer_is_not_started_then_beats_then_ends() {
        let health = Health::default();
        assert_eq!(health.snapshot().writer, WriterState::NotStarted);
        health.beat();
        assert!(matches!(health.snapshot().writer, WriterState::Beating { seconds_ago: 0..=5 }));
        health.writer_ended();
        assert_eq!(health.snapshot().writer, WriterState::Ended);
    }
}
