//! From the run time's threads to Python's: a stream read ahead by a task, in bounded memory, handed over without waiting
//! where something is there. What comes through is not looked at here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{BoxStream, StreamExt};
use pyo3::prelude::*;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};

use crate::errors;
use crate::process::{Process, Task};

/// A unit of the memory that may wait, and how much of it there is: 16 MiB. Enough to bridge a hand-over; reading ahead over
/// the network is the lake's own business.
const UNIT: usize = 4096;
const UNITS: u32 = 4096;
/// Most things that may wait, however small.
const THINGS: usize = 256;

/// Something on its way.
struct Parcel<T> {
    thing: T,
    /// The memory it takes, given back when it is dropped.
    _room: OwnedSemaphorePermit,
}

/// The receiving end of a stream that a task reads. Several threads may share it.
pub(crate) struct Feed<T> {
    process: &'static Process,
    parcels: Mutex<mpsc::Receiver<Parcel<T>>>,
    task: Task<()>,
    /// Whether nothing is to come after what is under way: the stream has ended, or the reading was closed. Without it the
    /// task was lost, and the end would look like that of the data.
    over: Arc<AtomicBool>,
    closed: AtomicBool,
}

impl<T: Send + 'static> Feed<T> {
    /// Begins to read; `weight` tells the bytes of a thing.
    pub(crate) fn start(
        py: Python<'_>,
        process: &'static Process,
        mut things: BoxStream<'static, T>,
        weight: impl Fn(&T) -> usize + Send + 'static,
    ) -> Feed<T> {
        let (sender, parcels) = mpsc::channel(THINGS);
        let free = Arc::new(Semaphore::new(UNITS as usize));
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let starting = process.starting(py);
        let task = process.spawn(async move {
            let mut next = things.next().await;
            process.started(starting);
            while let Some(thing) = next.take() {
                let units = u32::try_from(weight(&thing) / UNIT + 1).map_or(UNITS, |units| units.min(UNITS));
                let room = Arc::clone(&free).acquire_many_owned(units).await.expect("it is never closed");
                if sender.send(Parcel { thing, _room: room }).await.is_err() {
                    return;
                }
                next = things.next().await;
            }
            // Before the sender is dropped, which is what tells the end.
            ended.store(true, Ordering::Release);
        });
        Feed { process, parcels: Mutex::new(parcels), task, over, closed: AtomicBool::new(false) }
    }

    /// The next thing; `None` at the end, and after [`close`](Self::close).
    ///
    /// # Errors
    /// What a signal's handler raised; the reading goes on behind it and may be asked again.
    pub(crate) fn next(&self, py: Python<'_>) -> PyResult<Option<T>> {
        if let Some(thing) = self.try_next() {
            return thing;
        }
        let parcel = self.process.wait_here(py, async { self.parcels.lock().await.recv().await })?;
        self.open(parcel)
    }

    /// As [`next`](Self::next), on a thread that has let go of the interpreter; `check` as in [`Process::block`].
    ///
    /// # Errors
    /// That of `check`.
    pub(crate) fn next_detached(&self, check: impl FnMut() -> PyResult<()>) -> PyResult<Option<T>> {
        let parcel = self.process.block(async { self.parcels.lock().await.recv().await }, check)?;
        self.open(parcel)
    }

    /// What is there, without waiting; `None` where nothing is.
    pub(crate) fn try_next(&self) -> Option<PyResult<Option<T>>> {
        if self.closed.load(Ordering::Relaxed) {
            return Some(Ok(None));
        }
        let parcel = self.parcels.try_lock().ok()?.try_recv().ok()?;
        Some(self.open(Some(parcel)))
    }

    fn open(&self, parcel: Option<Parcel<T>>) -> PyResult<Option<T>> {
        match parcel {
            Some(parcel) => Ok(Some(parcel.thing)),
            None if self.over.load(Ordering::Acquire) => Ok(None),
            None => Err(errors::broken_off()),
        }
    }

    /// Ends the reading and its requests.
    pub(crate) fn close(&self) {
        self.over.store(true, Ordering::Release);
        self.closed.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}
