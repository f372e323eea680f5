//! Processor work away from the threads that drive sockets: decoding and encoding, as many closures at once as there are
//! processors.
//!
//! The closures run on the blocking threads of the run time they are started in. So there is no thread before the first one,
//! none outlives the run time, and a process that forks needs nothing but the new run time that it needs anyway. Nothing
//! here is global.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::thread;

use tokio::sync::oneshot;

/// A number of processors to work on, shared by all who hold a clone, for one run time.
///
/// The run time must allow more blocking threads than that (tokio's own limit is 512): reading files and decompressing take
/// theirs besides.
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
    /// What waits for a thread, first come, first served.
    jobs: VecDeque<Job>,
    /// The same, and served before all of those.
    first: VecDeque<Job>,
    /// Threads that take jobs until there are none.
    at_work: usize,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("jobs", &(self.first.len() + self.jobs.len()))
            .field("at_work", &self.at_work)
            .finish()
    }
}

impl Default for Workers {
    fn default() -> Workers {
        Workers::new(None)
    }
}

impl Workers {
    /// So many closures at once; `None` is as many as the process has processors. More than that only costs memory.
    pub fn new(threads: Option<NonZeroUsize>) -> Workers {
        let threads = threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        Workers(Arc::new(Shared { threads, state: Mutex::default() }))
    }

    /// How many closures run at once.
    pub fn threads(&self) -> usize {
        self.0.threads
    }

    /// Runs a closure as soon as a processor is free, first come, first served, and whether anybody polls for it or not. One
    /// whose [`Working`] is dropped before it begins never does; one that has begun runs to its end.
    ///
    /// # Panics
    /// Outside of a tokio run time.
    pub fn start<T, F>(&self, work: F) -> Working<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.queue(work, |state| &mut state.jobs)
    }

    /// As [`start`](Self::start), before all that was started otherwise: for work that others wait for, such as what takes up
    /// the fruits of theirs.
    ///
    /// # Panics
    /// Outside of a tokio run time.
    pub fn start_first<T, F>(&self, work: F) -> Working<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.queue(work, |state| &mut state.first)
    }

    fn queue<T, F>(&self, work: F, queue: impl FnOnce(&mut State) -> &mut VecDeque<Job>) -> Working<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (sender, done) = oneshot::channel();
        let job = move || {
            if !sender.is_closed() {
                // Nobody who waits any more is no failure.
                let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
            }
        };
        let mut state = self.0.state();
        queue(&mut state).push_back(Box::new(job));
        if state.at_work < self.0.threads {
            state.at_work += 1;
            drop(state);
            let mut shift = Shift { shared: Arc::clone(&self.0), has_begun: false };
            tokio::task::spawn_blocking(move || shift.work());
        }
        Working { done }
    }

    /// As [`start`](Self::start), but nothing happens before the future is polled.
    ///
    /// # Panics
    /// When the closure does, and when the run time is shut down meanwhile.
    pub fn run<T, F>(&self, work: F) -> impl Future<Output = T> + Send + use<T, F>
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
        // Nothing that can panic is done under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A closure that runs or will run. Its outcome comes of awaiting it.
///
/// # Panics
/// When the closure does, and when the run time is shut down meanwhile.
#[derive(Debug)]
#[must_use = "dropped before it begins, it never does"]
pub struct Working<T> {
    done: oneshot::Receiver<thread::Result<T>>,
}

impl<T> Future for Working<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Poll::Ready(match ready!(Pin::new(&mut self.done).poll(context)) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => panic!("the run time was shut down while work was waiting"),
        })
    }
}

/// A thread's time at work: one job after the other, without a pause in which it would have to be woken again.
struct Shift {
    shared: Arc<Shared>,
    has_begun: bool,
}

impl Shift {
    fn work(&mut self) {
        self.has_begun = true;
        loop {
            let mut state = self.shared.state();
            let Some(job) = state.first.pop_front().or_else(|| state.jobs.pop_front()) else {
                state.at_work -= 1;
                return;
            };
            drop(state);
            job();
        }
    }
}

impl Drop for Shift {
    fn drop(&mut self) {
        if !self.has_begun {
            // The run time is shutting down, and took no thread for it: who waits must hear of it.
            let mut state = self.shared.state();
            state.at_work -= 1;
            let jobs = (std::mem::take(&mut state.first), std::mem::take(&mut state.jobs));
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
