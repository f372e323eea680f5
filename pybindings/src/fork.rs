//! What a fork must not break: no lock is held across it, and what belongs to the parent's threads is never touched in the child.
//!
//! Threads do not survive a fork. So everything that needs them carries the generation in which it was made
//! ([`Owned`]); a child is a generation of its own, in which such a thing refuses its work and is leaked, never dropped.
//! Lazy initialisations ([`Starting`]) are waited for before a fork, so that no half-made state, in whatever library, is
//! copied. Python's `os.register_at_fork` calls the three hooks; nothing here runs Python code.
//!
//! Several threads may be between the first hook and the fork at the same time, because another library's hook may release
//! the interpreter in between. So the counters are atomics, and a thread that has to wait releases the interpreter first.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors;
use crate::process::Process;

/// How long a fork waits for initialisations that are under way, and these for a fork. Both take milliseconds; a store that
/// does not answer must not hold the program up for longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a wait looks again. No condition variable: its lock could be held by another thread at the moment of a fork.
const PAUSE: Duration = Duration::from_millis(1);

/// The current process's [`Process`]. Made at the first use, never dropped: its threads may be in the middle of something at
/// any time. Locked only with the interpreter in hand and never across a wait, so no thread holds the lock at a fork.
static PROCESS: Mutex<Option<&'static Process>> = Mutex::new(None);
/// Initialisations under way.
static STARTING: AtomicUsize = AtomicUsize::new(0);
/// Threads between the first hook and their fork.
static FORKING: AtomicUsize = AtomicUsize::new(0);
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// The current process's state, made by `make` at the first use.
///
/// # Errors
/// Those of `make`, which must not release the interpreter.
pub(crate) fn process(_py: Python<'_>, make: impl FnOnce() -> PyResult<Process>) -> PyResult<&'static Process> {
    let mut process = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(process) = *process {
        return Ok(process);
    }
    Ok(process.insert(Box::leak(Box::new(make()?))))
}

/// Waits without the interpreter until `done`, for [`PATIENCE`] at most.
fn wait_until(py: Python<'_>, done: impl Fn() -> bool + Sync) {
    if done() {
        return;
    }
    py.detach(|| {
        let end = Instant::now() + PATIENCE;
        while !done() && Instant::now() < end {
            std::thread::sleep(PAUSE);
        }
    });
}

/// An initialisation that a fork has to wait for; it ends when this is dropped. It belongs into a task of the runtime,
/// which goes on while the thread that forks waits.
pub(crate) struct Starting(u32);

impl Starting {
    /// Begins one, after the forks that are under way.
    pub(crate) fn new(py: Python<'_>) -> Starting {
        wait_until(py, || FORKING.load(Ordering::SeqCst) == 0);
        STARTING.fetch_add(1, Ordering::SeqCst);
        Starting(GENERATION.load(Ordering::Relaxed))
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if self.0 == GENERATION.load(Ordering::Relaxed) {
            STARTING.fetch_sub(1, Ordering::SeqCst);
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

/// Runs with the interpreter, which no other thread then has: an initialisation begins either before this and is waited for,
/// or after it and waits itself.
#[pyfunction]
fn before_fork(py: Python<'_>) {
    FORKING.fetch_add(1, Ordering::SeqCst);
    wait_until(py, || STARTING.load(Ordering::SeqCst) == 0);
}

/// Python calls it after a fork that failed, too.
#[pyfunction]
fn after_fork_in_parent() {
    FORKING.fetch_sub(1, Ordering::SeqCst);
}

#[pyfunction]
fn after_fork_in_child() {
    *PROCESS.lock().unwrap_or_else(PoisonError::into_inner) = None;
    STARTING.store(0, Ordering::SeqCst);
    FORKING.store(0, Ordering::SeqCst);
    GENERATION.fetch_add(1, Ordering::Relaxed);
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
