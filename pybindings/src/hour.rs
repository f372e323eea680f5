//! `cauce.Hour`: an hour of a lake, as a listing or its manifest tells it, and the ways to read it.
//!
//! It is a picture of the moment in which it was looked up; of a closed hour nothing changes any more. A pickle carries its
//! name and its lake, so that whoever opens it sees what is there then.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cauce_lake::catalogue::{HourEntry, LakeObject};
use cauce_lake::manifest::Codec;
use cauce_lake::pattern::Granularity;
use cauce_lake::{Hour as LakeHour, HourRange, Lakes};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyDateTime, PyTuple};

use crate::batches::{BatchStream, Wanted};
use crate::errors;
use crate::file::Blocks;
use crate::lake::Lake;
use crate::lines::Lines;
use crate::part;
use crate::process::{self, Process};
use crate::records::{OnError, Records};
use crate::settings::Settings;
use crate::source::LineSource;
use crate::when;

/// An hour, or a folder that is none.
#[pyclass(frozen, module = "cauce")]
pub(crate) struct Hour {
    settings: Arc<Settings>,
    name: String,
    span_ms: Option<(i64, i64)>,
    granularity: Granularity,
    known: Mutex<Known>,
}

/// What has been looked up.
enum Known {
    /// Nothing yet: it comes out of a pickle.
    Nothing,
    /// What a listing tells, which is all but the manifest's arrivals.
    Listed(Arc<HourEntry>),
    /// All of it.
    Whole(Arc<HourEntry>),
}

impl Hour {
    fn of(settings: &Arc<Settings>, entry: &HourEntry, known: Known) -> Hour {
        Hour {
            settings: Arc::clone(settings),
            name: entry.name.clone(),
            span_ms: entry.span_ms,
            granularity: entry.granularity,
            known: Mutex::new(known),
        }
    }

    pub(crate) fn listed(settings: &Arc<Settings>, entry: HourEntry) -> Hour {
        let entry = Arc::new(entry);
        // Only a manifest holds more than a listing tells.
        let known = if entry.manifests.is_empty() { Known::Whole } else { Known::Listed };
        Hour::of(settings, &entry, known(Arc::clone(&entry)))
    }

    pub(crate) fn whole(settings: &Arc<Settings>, entry: HourEntry) -> Hour {
        let entry = Arc::new(entry);
        Hour::of(settings, &entry, Known::Whole(Arc::clone(&entry)))
    }

    /// The hour it is; `None` for a folder that is none.
    pub(crate) fn hour(&self) -> Option<LakeHour> {
        let (start_ms, _) = self.span_ms.filter(|_| self.granularity == Granularity::Hour)?;
        Some(LakeHour::containing(start_ms))
    }

    /// The hours that it spans; `None` where its name tells no time.
    pub(crate) fn range(&self) -> Option<HourRange> {
        let (start_ms, end_ms) = self.span_ms?;
        Some(HourRange { start: LakeHour::containing(start_ms), end: LakeHour::containing(end_ms - 1).next() })
    }

    pub(crate) fn is_of(&self, settings: &Settings) -> bool {
        self.settings.same_lake(settings)
    }

    fn known(&self, py: Python<'_>) -> MutexGuard<'_, Known> {
        self.known.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self, py: Python<'_>) -> PyResult<(&'static Process, Arc<Lakes>)> {
        let process = process::current(py)?;
        Ok((process, process.lakes(py, &self.settings)?))
    }

    /// What is known of it without asking; with `whole` only if that is all, arrivals included.
    pub(crate) fn known_entry(&self, py: Python<'_>, whole: bool) -> Option<Arc<HourEntry>> {
        match &*self.known(py) {
            Known::Whole(entry) => Some(Arc::clone(entry)),
            Known::Listed(entry) if !whole => Some(Arc::clone(entry)),
            Known::Listed(_) | Known::Nothing => None,
        }
    }

    /// What is known of it, or is found out now.
    ///
    /// # Errors
    /// Where it has to be looked up and cannot be.
    pub(crate) fn entry(&self, py: Python<'_>, whole: bool) -> PyResult<Arc<HourEntry>> {
        self.known_entry(py, whole).map_or_else(|| self.look_up(py), Ok)
    }

    fn look_up(&self, py: Python<'_>) -> PyResult<Arc<HourEntry>> {
        let (process, lakes) = self.opened(py)?;
        let entry = if let Some(hour) = self.hour() {
            process.wait(py, async move { lakes.hour(hour).await })?.map_err(|error| errors::catalogue(py, &error))?
        } else {
            let range = self.range();
            let location = lakes.location();
            let listing = process
                .wait(py, async move { lakes.hours(range).await })?
                .map_err(|error| errors::store(py, &error))?;
            let entry = listing.entries.into_iter().find(|entry| entry.name == self.name);
            entry.ok_or_else(|| errors::no_hour(py, &self.name, &location))?
        };
        let entry = Arc::new(entry);
        *self.known(py) = Known::Whole(Arc::clone(&entry));
        Ok(entry)
    }

    fn told<'py>(&self, py: Python<'py>, objects: &[LakeObject]) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, objects.iter().map(|object| Object::new(&self.settings, object)).collect::<Vec<_>>())
    }

    fn source(&self, py: Python<'_>, objects: Option<&[String]>, late: bool) -> PyResult<LineSource> {
        let entry = part::of(&self.settings, self.entry(py, false)?, objects, late)?;
        let (process, lakes) = self.opened(py)?;
        Ok(LineSource::open(py, process, &lakes, &[entry], late, &self.settings.read))
    }
}

#[pymethods]
impl Hour {
    #[getter]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    #[getter]
    fn lake(&self) -> Lake {
        Lake { settings: Arc::clone(&self.settings) }
    }

    #[getter]
    fn start<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        self.span_ms.map(|(start_ms, _)| when::datetime(py, start_ms)).transpose()
    }

    #[getter]
    fn end<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        self.span_ms.map(|(_, end_ms)| when::datetime(py, end_ms)).transpose()
    }

    #[getter]
    pub(crate) fn granularity(&self) -> String {
        self.granularity.to_string()
    }

    #[getter]
    fn closed(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.entry(py, false)?.closed)
    }

    #[getter]
    fn objects<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.told(py, &self.entry(py, false)?.objects)
    }

    #[getter]
    fn late_objects<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.told(py, &self.entry(py, false)?.late_objects)
    }

    #[getter]
    fn tweets(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        Ok(self.entry(py, false)?.tweets)
    }

    #[getter]
    fn bytes(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.entry(py, false)?.bytes)
    }

    #[getter]
    fn late(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.entry(py, false)?.late)
    }

    #[getter]
    fn rejects(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.entry(py, false)?.rejects)
    }

    #[getter]
    fn undelivered(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.entry(py, false)?.undelivered)
    }

    #[getter]
    fn message_counts(&self, py: Python<'_>) -> PyResult<BTreeMap<String, u64>> {
        Ok(self.entry(py, false)?.message_counts.clone())
    }

    #[getter]
    fn gaps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &serde_json::to_string(&self.entry(py, false)?.gaps).expect("gaps are plain data"))
    }

    #[getter]
    fn manifest<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let entry = self.entry(py, true)?;
        let Some(manifest) = entry.manifest() else { return Ok(None) };
        from_json(py, &serde_json::to_string(manifest).expect("a manifest is plain data")).map(Some)
    }

    #[pyo3(signature = (*, objects=None, late=false))]
    fn lines(&self, py: Python<'_>, objects: Option<Vec<String>>, late: bool) -> PyResult<Lines> {
        Ok(Lines::new(self.source(py, objects.as_deref(), late)?))
    }

    #[pyo3(signature = (fields=None, on_error="raise", *, late=false))]
    fn records(&self, py: Python<'_>, fields: Option<Vec<String>>, on_error: &str, late: bool) -> PyResult<Records> {
        let on_error = OnError::parse(on_error)?;
        Ok(Records::new(py, self.source(py, None, late)?, fields, on_error))
    }

    #[pyo3(signature = (columns=None, batch_rows=10_000, referenced=false, *, raw=false, objects=None, late=false))]
    #[expect(clippy::too_many_arguments, reason = "they are Python's keywords")]
    fn batches(
        &self,
        py: Python<'_>,
        columns: Option<Vec<String>>,
        batch_rows: usize,
        referenced: bool,
        raw: bool,
        objects: Option<Vec<String>>,
        late: bool,
    ) -> PyResult<BatchStream> {
        let wanted = Wanted::new(columns, batch_rows, referenced, raw, late)?;
        let entry = self.entry(py, wanted.needs_arrivals())?;
        let entry = part::of(&self.settings, entry, objects.as_deref(), late)?;
        Ok(BatchStream::new(&self.settings, vec![entry], wanted))
    }

    #[pyo3(signature = (*, late=false))]
    fn open<'py>(&self, py: Python<'py>, late: bool) -> PyResult<Bound<'py, PyAny>> {
        let blocks = Blocks::new(self.source(py, None, late)?);
        py.import("cauce._file")?.getattr("open_blocks")?.call1((blocks, &self.name))
    }

    /// Its objects' URLs or paths, for other libraries to read.
    #[pyo3(signature = (*, late=false))]
    fn urls(&self, py: Python<'_>, late: bool) -> PyResult<Vec<String>> {
        let entry = self.entry(py, false)?;
        let objects = if late { &entry.late_objects } else { &entry.objects };
        Ok(objects.iter().map(|object| part::url(&self.settings, object)).collect())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Parts)> {
        let restore = py.import("cauce._native")?.getattr("_restore_hour")?;
        Ok((restore, (self.lake(), self.name.clone(), self.span_ms, self.granularity())))
    }

    fn __str__(&self) -> &str {
        &self.name
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        // A look must not ask a store.
        let what = match self.known_entry(py, false) {
            None => String::new(),
            Some(entry) => {
                let state = if entry.closed { "closed" } else { "open" };
                let tweets = entry.tweets.map(|tweets| format!(", {tweets} tweets")).unwrap_or_default();
                format!(" {state}{tweets}, {} objects, {} bytes", entry.objects.len(), entry.bytes)
            }
        };
        format!("<cauce.Hour {}{what}>", self.name)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Hour>().is_ok_and(|other| {
            let other = other.get();
            self.name == other.name && self.settings.same_lake(&other.settings)
        })
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.name.hash(&mut hasher);
        hasher.finish()
    }
}

/// What a pickled hour is made of: its lake, its name, first millisecond and the first after it, granularity.
type Parts = (Lake, String, Option<(i64, i64)>, String);

/// Makes an hour out of a pickle.
#[pyfunction]
#[pyo3(name = "_restore_hour")]
pub(crate) fn restore(lake: &Bound<'_, Lake>, name: String, span_ms: Option<(i64, i64)>, granularity: &str) -> Hour {
    let granularity = match granularity {
        "hour" => Granularity::Hour,
        "day" => Granularity::Day,
        _ => Granularity::Other,
    };
    let settings = Arc::clone(&lake.get().settings);
    Hour { settings, name, span_ms, granularity, known: Mutex::new(Known::Nothing) }
}

fn from_json<'py>(py: Python<'py>, json: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("json")?.getattr("loads")?.call1((json,))
}

/// An object of an hour.
#[pyclass(frozen, module = "cauce", get_all)]
pub(crate) struct Object {
    /// Its name under the lake's root.
    key: String,
    /// Where it is: a URL, or the path of a file.
    url: String,
    /// Length as stored.
    bytes: u64,
    /// `none`, `gzip` or `zstd`.
    codec: &'static str,
    /// Lines in it; only a manifest knows.
    lines: Option<u64>,
}

impl Object {
    fn new(settings: &Settings, object: &LakeObject) -> Object {
        Object {
            key: object.key.to_string(),
            url: part::url(settings, object),
            bytes: object.bytes,
            codec: match object.codec {
                Codec::None => "none",
                Codec::Gzip => "gzip",
                Codec::Zstd => "zstd",
            },
            lines: object.lines,
        }
    }
}

#[pymethods]
impl Object {
    fn __repr__(&self) -> String {
        format!("<cauce.Object {}, {} bytes>", self.url, self.bytes)
    }
}
