//! `cauce.Lake`: settings and nothing else. It opens no connection when it is made, may be made by the thousand, crosses forks and
//! is pickled as what it was made of; clients belong to the process ([`crate::process`]).

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use cauce_lake::catalogue::{CatalogueError, HourEntry};
use cauce_lake::store::ErrorKind;
use cauce_lake::{Hour as LakeHour, Lakes};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyString, PyTuple};

use crate::batches::{BatchStream, Wanted};
use crate::errors;
use crate::hour::Hour;
use crate::lines::Lines;
use crate::process::{self, Process};
use crate::records::{OnError, Records};
use crate::settings::{Given, Settings};
use crate::source::LineSource;
use crate::when;

/// Hours that are looked up at once.
const LOOKUPS: usize = 16;

/// One or several lakes, read as one.
#[pyclass(frozen, module = "cauce")]
pub(crate) struct Lake {
    pub(crate) settings: Arc<Settings>,
}

/// A URL, a path, or several of either.
fn urls(given: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<String>> {
    let Some(given) = given else { return Ok(Vec::new()) };
    if given.is_instance_of::<PyString>() || given.hasattr("__fspath__")? {
        return Ok(vec![url_text(given)?]);
    }
    given.try_iter()?.map(|item| url_text(&item?)).collect()
}

/// A URL or a path as text.
pub(crate) fn url_text(given: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = given.cast::<PyString>() {
        return Ok(text.to_str()?.to_owned());
    }
    let path: PathBuf = given.extract()?;
    path.into_os_string().into_string().map_err(|_| PyTypeError::new_err("a path must be text"))
}

#[pymethods]
impl Lake {
    #[new]
    #[pyo3(signature = (url=None, *, pattern=None, time_zone=None, flume_escapes=None, endpoint_url=None, region=None,
                        path_style=None, access_key_id=None, secret_access_key=None, session_token=None,
                        concurrency=None, memory_bytes=None, timeout=None))]
    #[expect(clippy::too_many_arguments, reason = "they are Python's keywords")]
    fn new(
        py: Python<'_>,
        url: Option<&Bound<'_, PyAny>>,
        pattern: Option<String>,
        time_zone: Option<String>,
        flume_escapes: Option<String>,
        endpoint_url: Option<String>,
        region: Option<String>,
        path_style: Option<bool>,
        access_key_id: Option<String>,
        secret_access_key: Option<String>,
        session_token: Option<String>,
        concurrency: Option<usize>,
        memory_bytes: Option<usize>,
        timeout: Option<f64>,
    ) -> PyResult<Lake> {
        let given = Given {
            urls: urls(url)?,
            pattern,
            time_zone,
            flume_escapes,
            endpoint_url,
            region,
            path_style,
            access_key_id,
            secret_access_key,
            session_token,
            concurrency,
            memory_bytes,
            timeout,
        };
        let settings = given.settle().map_err(|message| errors::config(py, &message))?;
        Ok(Lake { settings: Arc::new(settings) })
    }

    /// Everything but keys.
    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let named = PyDict::new(py);
        named.set_item("pattern", self.pattern())?;
        named.set_item("time_zone", self.time_zone())?;
        named.set_item("flume_escapes", self.settings.flume_escapes())?;
        named.set_item("endpoint_url", self.settings.s3.endpoint_url.as_deref())?;
        named.set_item("region", self.settings.s3.region.as_deref())?;
        named.set_item("path_style", self.settings.s3.path_style)?;
        let read = &self.settings.read;
        named.set_item("concurrency", read.concurrency.map(NonZeroUsize::get))?;
        named.set_item("memory_bytes", read.max_memory_bytes)?;
        named.set_item("timeout", read.stall_timeout.as_secs_f64())?;
        Ok((PyTuple::new(py, [self.urls()])?, named))
    }

    #[getter]
    pub(crate) fn urls(&self) -> Vec<String> {
        self.settings.locations()
    }

    #[getter]
    fn pattern(&self) -> &str {
        self.settings.pattern.as_str()
    }

    #[getter]
    fn time_zone(&self) -> &str {
        self.settings.time_zone()
    }

    #[pyo3(signature = (start=None, end=None, closed=None))]
    fn hours(
        &self,
        py: Python<'_>,
        start: Option<&Bound<'_, PyAny>>,
        end: Option<&Bound<'_, PyAny>>,
        closed: Option<bool>,
    ) -> PyResult<Vec<Hour>> {
        let range = when::range(start, end)?;
        let (process, lakes) = self.opened(py)?;
        let listing =
            process.wait(py, async move { lakes.hours(range).await })?.map_err(|error| errors::store(py, &error))?;
        for problem in &listing.problems {
            let why = if problem.error.kind() == ErrorKind::Corrupt { "trusted" } else { "read" };
            errors::warn(py, &format!("left out, because it cannot be {why}: {}", problem.error))?;
        }
        if let (true, Some(left_out)) = (listing.entries.is_empty(), listing.unread.describe(self.pattern())) {
            errors::warn(py, &left_out)?;
        }
        let wanted = listing.entries.into_iter().filter(|entry| closed.is_none_or(|closed| entry.closed == closed));
        Ok(wanted.map(|entry| Hour::listed(&self.settings, entry)).collect())
    }

    fn closed<'py>(&self, hours: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PySet>> {
        let py = hours.py();
        let asked: Vec<(Bound<'_, PyAny>, LakeHour)> = when::several(hours)?
            .into_iter()
            .map(|item| when::hour(&item).map(|hour| (item, hour)))
            .collect::<PyResult<_>>()?;
        let (process, lakes) = self.opened(py)?;
        let wanted: BTreeSet<LakeHour> = asked.iter().map(|(_, hour)| *hour).collect();
        let closed =
            process.wait(py, async move { lakes.closed(&wanted).await })?.map_err(|error| errors::store(py, &error))?;
        PySet::new(py, asked.into_iter().filter(|(_, hour)| closed.contains(hour)).map(|(item, _)| item))
    }

    fn hour(&self, py: Python<'_>, when: &Bound<'_, PyAny>) -> PyResult<Hour> {
        let hour = when::hour(when)?;
        let (process, lakes) = self.opened(py)?;
        let entry =
            process.wait(py, async move { lakes.hour(hour).await })?.map_err(|error| errors::catalogue(py, &error))?;
        Ok(Hour::whole(&self.settings, entry))
    }

    #[pyo3(signature = (hours, *, late=false))]
    fn lines(&self, hours: &Bound<'_, PyAny>, late: bool) -> PyResult<Lines> {
        Ok(Lines::new(self.source(hours, late)?))
    }

    #[pyo3(signature = (hours, *, fields=None, on_error="raise", late=false))]
    fn records(
        &self,
        hours: &Bound<'_, PyAny>,
        fields: Option<Vec<String>>,
        on_error: &str,
        late: bool,
    ) -> PyResult<Records> {
        let on_error = OnError::parse(on_error)?;
        Ok(Records::new(hours.py(), self.source(hours, late)?, fields, on_error))
    }

    #[pyo3(signature = (hours, columns=None, batch_rows=10_000, referenced=false, *, raw=false, late=false))]
    fn batches(
        &self,
        hours: &Bound<'_, PyAny>,
        columns: Option<Vec<String>>,
        batch_rows: usize,
        referenced: bool,
        raw: bool,
        late: bool,
    ) -> PyResult<BatchStream> {
        let wanted = Wanted::new(columns, batch_rows, referenced, raw, late)?;
        let entries = self.entries(hours, wanted.needs_arrivals())?;
        Ok(BatchStream::new(&self.settings, entries, wanted))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let urls = self.urls();
        let urls = match &urls[..] {
            [url] => PyString::new(py, url).repr()?,
            urls => PyList::new(py, urls)?.repr()?,
        };
        let pattern = PyString::new(py, self.pattern()).repr()?;
        Ok(format!("cauce.Lake({}, pattern={})", urls.to_str()?, pattern.to_str()?))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Lake>().is_ok_and(|other| self.settings.same_lake(&other.get().settings))
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.urls(), self.pattern()).hash(&mut hasher);
        hasher.finish()
    }
}

impl Lake {
    fn opened(&self, py: Python<'_>) -> PyResult<(&'static Process, Arc<Lakes>)> {
        let process = process::current(py)?;
        Ok((process, process.lakes(py, &self.settings)?))
    }

    fn source(&self, hours: &Bound<'_, PyAny>, late: bool) -> PyResult<LineSource> {
        let py = hours.py();
        let entries = self.entries(hours, false)?;
        let (process, lakes) = self.opened(py)?;
        Ok(LineSource::open(py, process, &lakes, &entries, late, &self.settings.read))
    }

    /// What is known of some hours, in their order; those of which too little is are looked up, several at a time.
    ///
    /// # Errors
    /// `cauce.HourNotFound` when there is nothing of one of them, `ValueError` for an hour of another lake.
    fn entries(&self, hours: &Bound<'_, PyAny>, whole: bool) -> PyResult<Vec<Arc<HourEntry>>> {
        let py = hours.py();
        let mut entries: Vec<Option<Arc<HourEntry>>> = Vec::new();
        let mut missing: Vec<(usize, LakeHour)> = Vec::new();
        for asked in when::several(hours)? {
            let at = entries.len();
            let Ok(own) = asked.cast::<Hour>() else {
                entries.push(None);
                missing.push((at, when::hour(&asked)?));
                continue;
            };
            let own = own.get();
            if !own.is_of(&self.settings) {
                return Err(PyValueError::new_err(format!("the hour {} is of another lake", own.name())));
            }
            let known = match (own.known_entry(py, whole), own.hour()) {
                (Some(entry), _) => Some(entry),
                (None, Some(hour)) => {
                    missing.push((at, hour));
                    None
                }
                (None, None) => Some(own.entry(py, whole)?),
            };
            entries.push(known);
        }
        if !missing.is_empty() {
            let (process, lakes) = self.opened(py)?;
            let found = process.wait(py, look_up(lakes, missing))?.map_err(|error| errors::catalogue(py, &error))?;
            for (at, entry) in found {
                entries[at] = Some(Arc::new(entry));
            }
        }
        Ok(entries.into_iter().map(|entry| entry.expect("it was known or found")).collect())
    }
}

async fn look_up(lakes: Arc<Lakes>, hours: Vec<(usize, LakeHour)>) -> Result<Vec<(usize, HourEntry)>, CatalogueError> {
    stream::iter(hours)
        .map(|(at, hour)| {
            let lakes = Arc::clone(&lakes);
            async move { Ok((at, lakes.hour(hour).await?)) }
        })
        .buffered(LOOKUPS)
        .try_collect()
        .await
}
