//! Processor work away from the threads that drive sockets: decoding and encoding, as many closures at once as there are
//! processors.
//!
//! The closures run on the blocking threads of the run time they are awaited in. So there is no thread before the first one,
//! none outlives the run time, and a process that forks needs nothing but the new run time that it needs anyway. Nothing
//! here is global.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// A number of processors to work on, shared by all who hold a clone.
///
/// The run time must allow more blocking threads than that (tokio's own limit is 512): reading files and decompressing take
/// theirs besides.
#[derive(Debug, Clone)]
pub struct Workers {
    free: Arc<Semaphore>,
    threads: usize,
}

impl Default for Workers {
    fn default() -> Workers {
        Workers::new(None)
    }
}

impl Workers {
    /// So many closures at once; `None` is as many as the process has processors. More than that only costs memory.
    pub fn new(threads: Option<NonZeroUsize>) -> Workers {
        let threads = threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let threads = threads.min(Semaphore::MAX_PERMITS);
        Workers { free: Arc::new(Semaphore::new(threads)), threads }
    }

    /// How many closures run at once.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs a closure as soon as a processor is free, first come, first served. Nothing happens before the future is polled;
    /// a closure that has begun runs to its end, whether anybody waits for it or not.
    ///
    /// # Panics
    /// When the closure does, and when the run time is shut down meanwhile.
    pub fn run<T, F>(&self, work: F) -> impl Future<Output = T> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let free = Arc::clone(&self.free);
        async move {
            let permit = free.acquire_owned().await.expect("the semaphore is never closed");
            let work = move || {
                let done = work();
                drop(permit);
                done
            };
            match tokio::task::spawn_blocking(work).await {
                Ok(done) => done,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => panic!("the run time was shut down while work was waiting"),
            }
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
    async fn nothing_runs_for_a_future_that_is_never_polled() {
        let workers = Workers::new(NonZeroUsize::new(1));
        let (sender, receiver) = std::sync::mpsc::channel();
        drop(workers.run(move || sender.send(())));
        workers.run(|| ()).await;
        assert!(receiver.try_recv().is_err());
    }
}
