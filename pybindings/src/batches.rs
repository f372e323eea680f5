//! `hour.batches()`: typed tweets as an Arrow stream, or batch by batch.
//!
//! A [`BatchStream`] is what is to be read, not the reading: each consumer that asks for a stream, and each loop, begins anew, which
//! is what those want that look at the schema first. Rows are made on all processors, beside Python.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use cauce_lake::Lakes;
use cauce_lake::catalogue::HourEntry;
use cauce_lake::read::{ReadError, Source};
use cauce_lake::scan::{Counts, RejectedLine, ScanOptions, Scanned, scan};
use cauce_lake::table::{Projection, TableOptions};
use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyType};

use crate::capsules::{Batch, Schema, schema_capsule, stream_capsule};
use crate::errors;
use crate::feed::Feed;
use crate::fork::Owned;
use crate::process::{self, Process};
use crate::reject::Reject;
use crate::settings::Settings;

const WHAT: &str = "stream of batches";
/// Most rejects of a reading that are kept to be looked at; all are counted.
const MOST_REJECTS: usize = 1000;
/// The column for which an hour's manifest is needed as a whole.
const RECEIVED_AT: &str = "received_at";

/// Which columns and rows are asked for.
pub(crate) struct Wanted {
    projection: Projection,
    batch_rows: NonZeroUsize,
    pub(crate) late: bool,
}

impl Wanted {
    /// # Errors
    /// `ValueError` for a column that is not there, and for batches without rows.
    pub(crate) fn new(
        columns: Option<Vec<String>>,
        batch_rows: usize,
        referenced: bool,
        raw: bool,
        late: bool,
    ) -> PyResult<Wanted> {
        let batch_rows =
            NonZeroUsize::new(batch_rows).ok_or_else(|| PyValueError::new_err("batch_rows must be at least 1"))?;
        Ok(Wanted { projection: projection(columns, referenced, raw)?, batch_rows, late })
    }

    /// Whether the times of arrival are wanted, which only a whole manifest tells.
    pub(crate) fn needs_arrivals(&self) -> bool {
        self.projection.schema().column_with_name(RECEIVED_AT).is_some()
    }
}

/// # Errors
/// `ValueError` for a column that is not there.
pub(crate) fn projection(columns: Option<Vec<String>>, referenced: bool, raw: bool) -> PyResult<Projection> {
    Projection::new(&TableOptions { columns, referenced, raw })
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

/// What is to be read, and what the last reading of it came to.
#[pyclass(frozen, module = "cauce")]
pub(crate) struct BatchStream {
    settings: Arc<Settings>,
    entries: Vec<Arc<HourEntry>>,
    wanted: Wanted,
    tally: Mutex<Arc<Tally>>,
}

impl BatchStream {
    pub(crate) fn new(settings: &Arc<Settings>, entries: Vec<Arc<HourEntry>>, wanted: Wanted) -> BatchStream {
        BatchStream { settings: Arc::clone(settings), entries, wanted, tally: Mutex::default() }
    }

    /// Begins a reading. Nothing is requested before its first batch is asked for.
    fn reading(&self, py: Python<'_>) -> PyResult<Reading> {
        let process = process::current(py)?;
        let lakes = process.lakes(py, &self.settings)?;
        let tally = Arc::new(Tally::default());
        *self.tally(py) = Arc::clone(&tally);
        Ok(Reading {
            schema: self.wanted.projection.schema(),
            feed: Owned::new(self.feed(py, process, &lakes)),
            tally,
            thread: std::thread::current().id(),
        })
    }

    fn feed(&self, py: Python<'_>, process: &'static Process, lakes: &Lakes) -> Feed<Result<Scanned, ReadError>> {
        let late = self.wanted.late;
        let sources: Vec<Source> = self.entries.iter().flat_map(|entry| lakes.sources(entry, late)).collect();
        let options = ScanOptions {
            batch_rows: self.wanted.batch_rows,
            read: self.settings.read.clone(),
            ..ScanOptions::default()
        };
        let batches = scan(sources, &self.wanted.projection, &process.workers, &options);
        // A scan keeps to its memory and has a batch ready; a second one would only take more.
        Feed::start(py, process, batches, |_| usize::MAX)
    }

    fn tally(&self, py: Python<'_>) -> MutexGuard<'_, Arc<Tally>> {
        use pyo3::sync::MutexExt;
        self.tally.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl BatchStream {
    #[getter]
    fn schema(&self) -> Schema {
        Schema(self.wanted.projection.schema())
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &self.wanted.projection.schema())
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // A wish; whoever has it must cope with the schema that comes.
        let _ = requested_schema;
        stream_capsule(py, Box::new(self.reading(py)?))
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<Batches> {
        Ok(Batches(self.reading(py)?))
    }

    fn __repr__(&self) -> String {
        let hours: Vec<&str> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
        let hours = match &hours[..] {
            [] => "no hour".to_owned(),
            [hour] => (*hour).to_owned(),
            [first, .., last] => format!("{} hours, {first} to {last}", hours.len()),
        };
        format!("<cauce.BatchStream of {hours}: {}>", Schema(self.wanted.projection.schema()).told())
    }

    #[getter]
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tally = Arc::clone(&self.tally(py));
        let told = tally.told();
        let (counts, rows, bytes) = (told.counts, told.rows, told.bytes);
        drop(told);
        let stats = PyDict::new(py);
        for (name, number) in [
            ("rows", rows),
            ("lines", counts.lines),
            ("tweets", counts.tweets),
            ("messages", counts.messages),
            ("controls", counts.controls),
            ("blanks", counts.blanks),
            ("rejects", counts.rejects),
            ("bytes", bytes),
        ] {
            stats.set_item(name, number)?;
        }
        Ok(stats)
    }

    #[getter]
    fn rejects(&self, py: Python<'_>) -> Vec<Reject> {
        let tally = Arc::clone(&self.tally(py));
        let rejects: Vec<RejectedLine> = tally.told().rejects.clone();
        let reject = |line: RejectedLine| {
            Reject::new(line.key.as_str(), line.line, line.offset, line.reason.to_string(), line.bytes)
        };
        rejects.into_iter().map(reject).collect()
    }
}

/// What a reading has come to so far.
#[derive(Default)]
struct Tally(Mutex<Told>);

#[derive(Default)]
struct Told {
    counts: Counts,
    rows: u64,
    bytes: u64,
    rejects: Vec<RejectedLine>,
}

impl Tally {
    /// Who holds it makes no Python object.
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, scanned: &mut Scanned) {
        let mut told = self.told();
        told.counts += scanned.counts;
        told.rows += scanned.rows.batch.num_rows() as u64;
        told.bytes += scanned.bytes;
        let room = MOST_REJECTS - told.rejects.len();
        told.rejects.extend(scanned.rejects.drain(..).take(room));
    }
}

/// A reading under way.
struct Reading {
    schema: SchemaRef,
    feed: Owned<Feed<Result<Scanned, ReadError>>>,
    tally: Arc<Tally>,
    /// The thread that began it. Others that ask may be awaited by one that holds the interpreter, so they never ask for it.
    thread: ThreadId,
}

impl Reading {
    /// Counts what has come; `None` is a batch without rows, which nobody needs.
    fn take(&self, mut scanned: Scanned) -> Option<RecordBatch> {
        self.tally.add(&mut scanned);
        (scanned.rows.batch.num_rows() > 0).then_some(scanned.rows.batch)
    }

    fn next(&self, py: Python<'_>) -> PyResult<Option<RecordBatch>> {
        let feed = self.feed.get(py, WHAT)?;
        loop {
            match feed.next(py)? {
                None => return Ok(None),
                Some(Err(error)) => {
                    feed.close();
                    return Err(errors::read(py, &error));
                }
                Some(Ok(scanned)) => {
                    if let Some(batch) = self.take(scanned) {
                        return Ok(Some(batch));
                    }
                }
            }
        }
    }

    /// The next batch for a consumer that knows no Python, and may or may not hold the interpreter while it asks.
    fn next_for_c(&self) -> Result<Option<RecordBatch>, ArrowError> {
        let Some(feed) = self.feed.alive() else {
            return Err(external("this stream of batches was opened before the process was forked: open it anew"));
        };
        loop {
            let next = feed.try_next().unwrap_or_else(|| self.wait(feed));
            match next.map_err(interrupted)? {
                None => return Ok(None),
                Some(Err(error)) => {
                    feed.close();
                    return Err(external(&errors::text(&error)));
                }
                Some(Ok(scanned)) => {
                    if let Some(batch) = self.take(scanned) {
                        return Ok(Some(batch));
                    }
                }
            }
        }
    }

    fn wait(&self, feed: &Feed<Result<Scanned, ReadError>>) -> PyResult<Option<Result<Scanned, ReadError>>> {
        if std::thread::current().id() != self.thread {
            return feed.next_detached(|| Ok(()));
        }
        // Attached or not, it is let go of while this waits.
        attached(|py| feed.next(py))
    }
}

/// Runs `work` with the interpreter, on a thread on which pyo3's own count of that may be wrong: where a consumer was called from
/// code of ours, such as a callback of `convert`, and has let go of the interpreter since, pyo3 takes it for held.
#[expect(unsafe_code, reason = "pyo3's own way trusts its count")]
fn attached<T>(work: impl FnOnce(Python<'_>) -> T) -> T {
    /// Gives the interpreter back, also where `work` panics.
    struct Held(ffi::PyGILState_STATE);
    impl Drop for Held {
        fn drop(&mut self) {
            // SAFETY: of the same thread's `PyGILState_Ensure`, and nothing that it gave is left.
            unsafe { ffi::PyGILState_Release(self.0) }
        }
    }
    // SAFETY: the interpreter runs, since it has loaded this module, and the thread may or may not hold it.
    let _held = Held(unsafe { ffi::PyGILState_Ensure() });
    Python::attach(work)
}

fn external(text: &str) -> ArrowError {
    ArrowError::ExternalError(text.to_owned().into())
}

/// The consumer raises an error of its own kind; an interrupt of the user's must come through all the same, right after it.
fn interrupted(error: PyErr) -> ArrowError {
    // Dropped in there too: that wants the interpreter.
    attached(move |py| {
        // Before the signal is raised again: making a text looks for signals, and would swallow it.
        let text = error.to_string();
        if error.is_instance_of::<PyKeyboardInterrupt>(py) {
            // Where that fails the consumer's error is all there is.
            let _ = py.import("_thread").and_then(|thread| thread.call_method0("interrupt_main"));
        }
        external(&text)
    })
}

impl Iterator for Reading {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_for_c().transpose()
    }
}

impl RecordBatchReader for Reading {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// An iterator over batches.
#[pyclass(frozen, module = "cauce")]
pub(crate) struct Batches(Reading);

#[pymethods]
impl Batches {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Batch>> {
        Ok(self.0.next(py)?.map(Batch))
    }

    fn __repr__(&self) -> String {
        format!("<cauce.Batches of {}>", Schema(Arc::clone(&self.0.schema)).told())
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.0.feed.get(py, WHAT)?.close();
        Ok(())
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _type: Option<&Bound<'_, PyType>>,
        _error: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.close(py)
    }
}

/// The schema of the tweets table.
#[pyfunction]
#[pyo3(signature = (columns=None, *, raw=false))]
pub(crate) fn schema(columns: Option<Vec<String>>, raw: bool) -> PyResult<Schema> {
    Ok(Schema(projection(columns, false, raw)?.schema()))
}
