//! What a process has one of: the run time that talks to stores, and the open lakes. Made at the first use, so that an import
//! starts no thread; after a fork the child makes its own (see [`crate::fork`]).
//!
//! Every wait goes through [`Process::wait`]: other Python threads run meanwhile, and signals are answered.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cauce_lake::work::Workers;
use cauce_lake::{Lake, Lakes, StoreError, store};
use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::errors;
use crate::fork::{self, Starting};
use crate::settings::Settings;

/// How often a wait looks for signals: half of the tenth of a second in which they are to be answered.
const SIGNALS: Duration = Duration::from_millis(50);
/// Threads that drive sockets and decompress. Python's own thread makes the objects beside them.
const THREADS: usize = 2;

/// The run time and what is open in it.
pub(crate) struct Process {
    runtime: Runtime,
    /// Whether something has come back from a store: what libraries initialise at their first use is then in place.
    warm: AtomicBool,
    /// Who decodes and encodes; together they are as many as there are processors, whoever reads how much at once.
    pub(crate) workers: Workers,
    /// By their settings; clients are costly and shared by all lakes of the same.
    open: Mutex<Vec<(Arc<Settings>, Arc<Lakes>)>>,
}

/// The current process's.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn current(py: Python<'_>) -> PyResult<&'static Process> {
    fork::process(py, || {
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).thread_name("cauce").enable_all().build()?;
        Ok(Process { runtime, warm: AtomicBool::new(false), workers: Workers::default(), open: Mutex::default() })
    })
}

impl Process {
    /// Runs a future on the run time's threads and waits for it, without the interpreter.
    ///
    /// # Errors
    /// What a signal's handler raised; the future is then given up.
    pub(crate) fn wait<T, F>(&'static self, py: Python<'_>, future: F) -> PyResult<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let starting = self.starting(py);
        let mut task = Task(self.runtime.spawn(async move {
            let output = future.await;
            self.started(starting);
            output
        }));
        match self.wait_here(py, async { (&mut task.0).await })? {
            Ok(output) => Ok(output),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => unreachable!("only a signal gives the task up, and then nobody waits for it"),
        }
    }

    /// Waits for a future that needs no thread of its own, such as the receiving end of a channel.
    ///
    /// # Errors
    /// What a signal's handler raised.
    pub(crate) fn wait_here<T, F>(&self, py: Python<'_>, future: F) -> PyResult<T>
    where
        T: Send,
        F: Future<Output = T> + Send,
    {
        py.detach(|| self.block(future, || Python::attach(|py| py.check_signals())))
    }

    /// Waits for a future on a thread that has let go of the interpreter, if it ever held it. `check` is asked again and again
    /// whether to go on waiting.
    ///
    /// # Errors
    /// That of `check`.
    pub(crate) fn block<T, E>(
        &self,
        future: impl Future<Output = T>,
        mut check: impl FnMut() -> Result<(), E>,
    ) -> Result<T, E> {
        let mut future = std::pin::pin!(future);
        loop {
            let waited = self.runtime.block_on(async { tokio::time::timeout(SIGNALS, &mut future).await });
            match waited {
                Ok(output) => return Ok(output),
                Err(_) => check()?,
            }
        }
    }

    /// Runs a future that goes on by itself. It says with [`started`](Self::started) when its first answer is there.
    pub(crate) fn spawn(&'static self, future: impl Future<Output = ()> + Send + 'static) -> Task<()> {
        Task(self.runtime.spawn(future))
    }

    /// What has a fork wait for the first answer of a store; `None` after that.
    pub(crate) fn starting(&self, py: Python<'_>) -> Option<Starting> {
        (!self.warm.load(Ordering::Relaxed)).then(|| Starting::new(py))
    }

    /// The answer is there.
    pub(crate) fn started(&self, starting: Option<Starting>) {
        if starting.is_some() {
            self.warm.store(true, Ordering::Relaxed);
        }
    }

    /// The lakes of these settings. No request is made for it, but AWS's chain may ask its own services for a region.
    ///
    /// # Errors
    /// `cauce.LakeNotFound` where a folder is missing, `cauce.ConfigError` where the settings cannot be used.
    pub(crate) fn lakes(&'static self, py: Python<'_>, settings: &Arc<Settings>) -> PyResult<Arc<Lakes>> {
        if let Some(folder) = settings.missing_folder() {
            return Err(errors::no_folder(py, folder));
        }
        self.clients(py, settings)
    }

    /// As [`lakes`](Self::lakes), for a writer too: a folder that is missing is an empty store.
    ///
    /// # Errors
    /// `cauce.ConfigError` where the settings cannot be used.
    pub(crate) fn clients(&'static self, py: Python<'_>, settings: &Arc<Settings>) -> PyResult<Arc<Lakes>> {
        if let Some(lakes) = self.opened(settings) {
            return Ok(lakes);
        }
        let lakes = self.wait(py, open(Arc::clone(settings)))?.map_err(|error| errors::store(py, &error))?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.push((Arc::clone(settings), Arc::new(lakes)));
        // Another thread may have been first.
        let (_, lakes) = open.iter().find(|(known, _)| known.share_client(settings)).expect("it was put there");
        Ok(Arc::clone(lakes))
    }

    fn opened(&self, settings: &Arc<Settings>) -> Option<Arc<Lakes>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter().find(|(known, _)| known.share_client(settings)).map(|(_, lakes)| Arc::clone(lakes))
    }
}

async fn open(settings: Arc<Settings>) -> Result<Lakes, StoreError> {
    let mut lakes = Vec::with_capacity(settings.urls.len());
    for url in &settings.urls {
        lakes.push(Lake::new(store::open(url, settings.s3()).await?, settings.pattern.clone()));
    }
    Ok(Lakes::new(lakes))
}

/// A task that ends when nobody wants its result any more.
pub(crate) struct Task<T>(JoinHandle<T>);

impl<T> Task<T> {
    pub(crate) fn abort(&self) {
        self.0.abort();
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
