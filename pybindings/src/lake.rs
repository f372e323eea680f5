//! `cauce.Lake`: settings and nothing else. It opens no connection when it is made, may be made by the thousand, crosses forks and
//! is pickled as what it was made of; clients belong to the process ([`crate::process`]).

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use cauce_lake::catalogue::{CatalogueError, HourEntry};
use cauce_lake::setting::Caller;
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
use crate::options::{self, Keywords, LakeOptions};
use crate::process::{self, Process};
use crate::records::{OnError, Records};
use crate::settings::{Given, Settings};
use crate::source::LineSource;
use crate::when;

/// Hours that are looked up at once.
const LOOKUPS: usize = 16;

/// A listing as it is told to `python -m cauce`.
type Told = (Vec<Hour>, Vec<(String, bool)>, Option<String>);

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
    #[pyo3(signature = (url=None, *, options=None, concurrency=None, memory_bytes=None, timeout=None, **settings))]
    fn new(
        py: Python<'_>,
        url: Option<&Bound<'_, PyAny>>,
        options: Option<&LakeOptions>,
        concurrency: Option<usize>,
        memory_bytes: Option<usize>,
        timeout: Option<f64>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Lake> {
        let keywords = Keywords { call: "cauce.Lake()", of_the_lake: true };
        let options = keywords.read(py, Caller::Python, options, settings)?;
        let given = Given { urls: urls(url)?, options, concurrency, memory_bytes, timeout };
        let settings = given.settle().map_err(|message| errors::config(py, &message))?;
        Ok(Lake { settings: Arc::new(settings) })
    }

    /// Everything but keys.
    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let (positional, named) = options::arguments(py, self.urls(), &self.settings.options)?;
        let read = &self.settings.read;
        named.set_item("concurrency", read.concurrency.map(NonZeroUsize::get))?;
        named.set_item("memory_bytes", read.max_memory_bytes)?;
        named.set_item("timeout", read.stall_timeout.as_secs_f64())?;
        Ok((positional, named))
    }

    #[getter]
    fn options(&self) -> LakeOptions {
        self.settings.options.clone()
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

    /// What `ingest hours` lists, for `python -m cauce`: the hours of a range such as `2026-11-22T05` or
    /// `2026-11-22T00..2026-11-23T00`; why manifests cannot be trusted, each with whether it is one of late tweets; what was left out.
    #[pyo3(signature = (range=None))]
    fn _listing(&self, py: Python<'_>, range: Option<&str>) -> PyResult<Told> {
        let range = range.map(when::several_hours).transpose()?;
        let (process, lakes) = self.opened(py)?;
        let listing =
            process.wait(py, async move { lakes.hours(range).await })?.map_err(|error| errors::store(py, &error))?;
        let problems = listing.problems.iter();
        let problems = problems.map(|problem| (problem.error.to_string(), problem.name.late.is_some())).collect();
        let left_out = listing.unread.describe(self.pattern());
        let hours = listing.entries.into_iter().map(|entry| Hour::listed(&self.settings, entry)).collect();
        Ok((hours, problems, left_out))
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

    /// How S3 is reached, for `cauce._storage`. It holds the keys that the lake was given, and is the only way in which they
    /// come back.
    fn _s3<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (told, s3) = (PyDict::new(py), self.settings.s3());
        told.set_item("endpoint_url", s3.endpoint_url.as_deref())?;
        told.set_item("region", s3.region.as_deref())?;
        told.set_item("path_style", s3.path_style)?;
        let keys = s3.credentials.as_ref();
        told.set_item("access_key_id", keys.map(|keys| keys.access_key_id.as_str()))?;
        told.set_item("secret_access_key", keys.map(|keys| keys.secret_access_key.as_str()))?;
        told.set_item("session_token", keys.and_then(|keys| keys.session_token.as_deref()))?;
        Ok(told)
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
