//! What a fork must not break: locks are free in the child, and what belongs to the parent's threads is never touched there.
//!
//! Threads do not survive a fork. So everything that needs them carries the generation in which it was made
//! ([`Owned`]); a child is a generation of its own, in which such a thing refuses its work and is leaked, never dropped.
//! Lazy initialisations ([`Starting`]) are waited for before a fork, so that no half-made state, in whatever library, is
//! copied. Python's `os.register_at_fork` calls the three hooks; nothing here runs Python code.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors;
use crate::process::Process;

/// How long a fork waits for initialisations that are under way. They take milliseconds; a store that does not answer must
/// not hold the program up for longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a process has one of.
#[derive(Default)]
pub(crate) struct State {
    /// Made at the first use, never dropped: its threads may be in the middle of something at any time.
    pub(crate) process: Option<&'static Process>,
    /// Initialisations under way.
    starting: usize,
}

static STATE: Mutex<State> = Mutex::new(State { process: None, starting: 0 });
static STARTED: Condvar = Condvar::new();
static GENERATION: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The lock, while the thread that holds it forks.
    static HELD: RefCell<Option<MutexGuard<'static, State>>> = const { RefCell::new(None) };
}

/// The state. Who holds it must not need the interpreter: a fork waits for it while it holds that.
pub(crate) fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An initialisation that a fork has to wait for; it ends when this is dropped. It belongs into a task of the run time,
/// which goes on while the thread that forks holds the interpreter.
pub(crate) struct Starting(u32);

impl Starting {
    pub(crate) fn new() -> Starting {
        state().starting += 1;
        Starting(GENERATION.load(Ordering::Relaxed))
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if self.0 == GENERATION.load(Ordering::Relaxed) {
            let mut state = state();
            state.starting = state.starting.saturating_sub(1);
            STARTED.notify_all();
        }
    }
}

/// A thing that needs the threads of the process in which it was made.
pub(crate) struct Owned<T> {
    generation: u32,
    thing: Option<T>,
}

impl<T> Owned<T> {
    pub(crate) fn new(thing: T) -> Owned<T> {
        Owned { generation: GENERATION.load(Ordering::Relaxed), thing: Some(thing) }
    }

    /// The thing; `None` in a process that was forked since it was made.
    pub(crate) fn alive(&self) -> Option<&T> {
        self.thing.as_ref().filter(|_| self.generation == GENERATION.load(Ordering::Relaxed))
    }

    /// The thing; `what` says what it is.
    ///
    /// # Errors
    /// `cauce.ForkError` in a process that was forked since it was made.
    pub(crate) fn get(&self, py: Python<'_>, what: &str) -> PyResult<&T> {
        self.alive().ok_or_else(|| errors::forked(py, what))
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if self.generation != GENERATION.load(Ordering::Relaxed) {
            // Dropping it would wait for locks that threads of the parent may have held.
            std::mem::forget(self.thing.take());
        }
    }
}

#[pyfunction]
fn before_fork() {
    let state = state();
    let (state, _) =
        STARTED.wait_timeout_while(state, PATIENCE, |state| state.starting > 0).unwrap_or_else(PoisonError::into_inner);
    HELD.with(|held| *held.borrow_mut() = Some(state));
}

#[pyfunction]
fn after_fork_in_parent() {
    HELD.with(|held| held.borrow_mut().take());
}

#[pyfunction]
fn after_fork_in_child() {
    HELD.with(|held| {
        if let Some(mut state) = held.borrow_mut().take() {
            *state = State::default();
            GENERATION.fetch_add(1, Ordering::Relaxed);
        }
    });
}

/// Has Python call the hooks at every fork of this interpreter.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let hooks = PyDict::new(py);
    hooks.set_item("before", wrap_pyfunction!(before_fork, module)?)?;
    hooks.set_item("after_in_parent", wrap_pyfunction!(after_fork_in_parent, module)?)?;
    hooks.set_item("after_in_child", wrap_pyfunction!(after_fork_in_child, module)?)?;
    py.import("os")?.call_method("register_at_fork", (), Some(&hooks))?;
    Ok(())
}
