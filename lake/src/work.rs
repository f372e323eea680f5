//! A worker pool for CPU-bound closures, such as decoding and encoding, away from the threads that drive sockets.
//!
//! The closures run on the blocking threads of the runtime they are started in. There is no thread before the first
//! closure, none outlives the runtime, and a forked process needs only the new runtime that it needs anyway. Nothing
//! here is global.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::thread;

use tokio::sync::oneshot;

/// A bounded number of workers, shared by all clones, for use in one runtime.
///
/// The runtime must allow more blocking threads than that (tokio's default limit is 512): reading files and
/// decompressing take blocking threads as well.
#[derive(Debug, Clone)]
pub struct Workers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    threads: usize,
    state: Mutex<State>,
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    /// Waiting jobs, first in, first out.
    jobs: VecDeque<Job>,
    /// Waiting jobs with priority, served before all of `jobs`.
    priority: VecDeque<Job>,
    /// Threads that are running jobs.
    active: usize,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("jobs", &(self.priority.len() + self.jobs.len()))
            .field("active", &self.active)
            .finish()
    }
}

impl Default for Workers {
    fn default() -> Workers {
        Workers::new(None)
    }
}

impl Workers {
    /// A pool of so many workers; `None` is one per processor. More workers than processors only cost memory.
    pub fn new(threads: Option<NonZeroUsize>) -> Workers {
        let threads = threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        Workers(Arc::new(Shared { threads, state: Mutex::default() }))
    }

    /// The number of closures that run at once.
    pub(crate) fn threads(&self) -> usize {
        self.0.threads
    }

    /// Starts a closure as soon as a worker is free, in the order of the calls, whether or not the handle is polled.
    /// Dropping the handle cancels a closure that has not begun; one that has begun runs to its end.
    ///
    /// # Panics
    /// When called outside of a tokio runtime.
    pub(crate) fn start<T, F>(&self, work: F) -> JobHandle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.queue(work, |state| &mut state.jobs)
    }

    /// As [`start`](Self::start), but before all closures without priority: for work that others depend on.
    ///
    /// # Panics
    /// When called outside of a tokio runtime.
    pub(crate) fn start_first<T, F>(&self, work: F) -> JobHandle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.queue(work, |state| &mut state.priority)
    }

    fn queue<T, F>(&self, work: F, queue: impl FnOnce(&mut State) -> &mut VecDeque<Job>) -> JobHandle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (sender, done) = oneshot::channel();
        let job = move || {
            if !sender.is_closed() {
                // A dropped receiver is not an error.
                let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
            }
        };
        let mut state = self.0.state();
        queue(&mut state).push_back(Box::new(job));
        if state.active < self.0.threads {
            state.active += 1;
            drop(state);
            let mut thread = WorkerThread { shared: Arc::clone(&self.0), has_begun: false };
            tokio::task::spawn_blocking(move || thread.run());
        }
        JobHandle { done }
    }

    /// As [`start`](Self::start), but lazy: the closure is queued by the first poll.
    ///
    /// # Panics
    /// When the closure panics, or the runtime shuts down before it begins.
    pub(crate) fn run<T, F>(&self, work: F) -> impl Future<Output = T> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let workers = self.clone();
        async move { workers.start(work).await }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle to a queued or running closure; await it for the result.
///
/// # Panics
/// When the closure panics, or the runtime shuts down before it begins.
#[derive(Debug)]
#[must_use = "dropping the handle cancels a closure that has not begun"]
pub(crate) struct JobHandle<T> {
    done: oneshot::Receiver<thread::Result<T>>,
}

impl<T> Future for JobHandle<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Poll::Ready(match ready!(Pin::new(&mut self.done).poll(context)) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => panic!("the runtime shut down while a job was queued"),
        })
    }
}

/// A worker thread: runs one job after the other until the queue is empty, so that no job waits for a thread to wake
/// up.
struct WorkerThread {
    shared: Arc<Shared>,
    has_begun: bool,
}

impl WorkerThread {
    fn run(&mut self) {
        self.has_begun = true;
        loop {
            let mut state = self.shared.state();
            let Some(job) = state.priority.pop_front().or_else(|| state.jobs.pop_front()) else {
                state.active -= 1;
                return;
            };
            drop(state);
            job();
        }
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        if !self.has_begun {
            // The runtime is shutting down and did not run this thread: wake all waiting handles by dropping their
            // jobs.
            let mut state = self.shared.state();
            state.active -= 1;
            let jobs = (std::mem::take(&mut state.priority), std::mem::take(&mut state.jobs));
            drop(state);
            drop(jobs);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn closures_run_side_by_side_and_never_more_than_allowed() {
        let workers = Workers::new(NonZeroUsize::new(2));
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        // Two have to meet for either to end.
        let meeting = Arc::new(Barrier::new(2));
        let done = join_all((0..20).map(|n| {
            let (running, most, meeting) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&meeting));
            workers.run(move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                meeting.wait();
                running.fetch_sub(1, Ordering::SeqCst);
                n
            })
        }))
        .await;
        assert_eq!(done, (0..20).collect::<Vec<_>>());
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    #[should_panic(expected = "no such luck")]
    async fn a_panic_comes_out_where_the_work_is_awaited() {
        Workers::default().run(|| panic!("no such luck")).await
    }

    #[tokio::test]
    async fn after_a_panic_the_processor_is_free_again() {
        let workers = Workers::new(NonZeroUsize::new(1));
        let failed = tokio::spawn(workers.run(|| panic!("once"))).await;
        assert!(failed.is_err());
        assert_eq!(tokio::time::timeout(Duration::from_secs(60), workers.run(|| 7)).await, Ok(7));
    }

    #[tokio::test]
    async fn what_is_first_begins_before_what_waited_longer() {
        let workers = Workers::new(NonZeroUsize::new(1));
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let holding = workers.start(move || held.recv().is_ok());
        let (sender, receiver) = std::sync::mpsc::channel();
        let say = |word: &'static str| {
            let sender = sender.clone();
            move || sender.send(word)
        };
        let waiting =
            [workers.start(say("later")), workers.start_first(say("first")), workers.start_first(say("second"))];
        hold.send(()).expect("it waits");
        assert!(holding.await);
        join_all(waiting).await.into_iter().for_each(|sent| sent.expect("somebody listens"));
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), ["first", "second", "later"]);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_does_not_begin() {
        let workers = Workers::new(NonZeroUsize::new(1));
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let first = workers.start(move || held.recv().is_ok());
        let (sender, receiver) = std::sync::mpsc::channel();
        drop(workers.start(move || sender.send(())));
        hold.send(()).expect("it waits");
        assert!(first.await);
        workers.run(|| ()).await;
        assert!(receiver.try_recv().is_err());
    }

    #[tokio::test]
    async fn nothing_runs_for_a_future_that_is_never_polled() {
        let workers = Workers::new(NonZeroUsize::new(1));
        let (sender, receiver) = std::sync::mpsc::channel();
        drop(workers.run(move || sender.send(())));
        workers.run(|| ()).await;
        assert!(receiver.try_recv().is_err());
    }
}
