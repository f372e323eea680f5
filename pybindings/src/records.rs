//! `hour.records()`: each line as a `dict`.
//!
//! Values are made by Python's own JSON scanner, so they are what `json.loads` gives: integers of any size, lone surrogates, the
//! last of a key that comes twice. Where only some fields are asked for, the rest of the line is passed over here.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::{MutexExt, PyOnceLock};
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::errors;
use crate::fork::Owned;
use crate::reject::Reject;
use crate::source::{LinePlace, LineSource};

const WHAT: &str = "iterator of records";

/// What is done with a line that is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnError {
    Raise,
    Skip,
    Collect,
}

impl OnError {
    /// # Errors
    /// `ValueError` for another word.
    pub(crate) fn parse(word: &str) -> PyResult<OnError> {
        match word {
            "raise" => Ok(OnError::Raise),
            "skip" => Ok(OnError::Skip),
            "collect" => Ok(OnError::Collect),
            _ => Err(PyValueError::new_err(format!("on_error: {word:?} must be 'raise', 'skip' or 'collect'"))),
        }
    }
}

/// An iterator over the records of hours.
#[pyclass(frozen, module = "cauce")]
pub(crate) struct Records {
    source: Owned<LineSource>,
    fields: Option<Vec<(String, Py<PyString>)>>,
    on_error: OnError,
    rejects: Mutex<Rejects>,
}

#[derive(Default)]
struct Rejects {
    count: u64,
    collected: Vec<Py<Reject>>,
}

impl Records {
    pub(crate) fn new(py: Python<'_>, source: LineSource, fields: Option<Vec<String>>, on_error: OnError) -> Records {
        let interned = |name: String| {
            let key = PyString::intern(py, &name).unbind();
            (name, key)
        };
        let fields = fields.map(|names| names.into_iter().map(interned).collect());
        Records { source: Owned::new(source), fields, on_error, rejects: Mutex::default() }
    }

    fn reject(&self, py: Python<'_>, line: &Bytes, place: LinePlace, reason: String) -> PyResult<()> {
        let key = self.source.get(py, WHAT)?.key(place);
        if self.on_error == OnError::Raise {
            return Err(errors::record(py, &reason, key, place.line, place.offset));
        }
        let reject = match self.on_error {
            OnError::Collect => Some(Py::new(py, Reject::new(key, place.line, place.offset, reason, line.clone()))?),
            _ => None,
        };
        let mut rejects = self.rejects.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        rejects.count += 1;
        rejects.collected.extend(reject);
        Ok(())
    }

    fn parse<'py>(&self, py: Python<'py>, line: &[u8]) -> PyResult<Result<Bound<'py, PyDict>, String>> {
        match &self.fields {
            None => whole(py, line),
            Some(fields) => some(py, line, fields),
        }
    }
}

#[pymethods]
impl Records {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let source = self.source.get(py, WHAT)?;
        loop {
            let Some((line, place)) = source.next_at(py)? else { return Ok(None) };
            // A stream's signs of life.
            if line.trim_ascii().is_empty() {
                continue;
            }
            match self.parse(py, &line)? {
                Ok(record) => return Ok(Some(record)),
                Err(reason) => self.reject(py, &line, place, reason)?,
            }
        }
    }

    /// How many lines were no records; always 0 with `on_error="raise"`.
    #[getter]
    fn rejected(&self, py: Python<'_>) -> u64 {
        self.rejects.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner).count
    }

    /// The lines that were no records, with `on_error="collect"`.
    #[getter]
    fn rejects(&self, py: Python<'_>) -> Vec<Py<Reject>> {
        let rejects = self.rejects.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        rejects.collected.iter().map(|reject| reject.clone_ref(py)).collect()
    }

    fn __repr__(&self) -> String {
        let told = self.source.alive().map_or_else(|| "another process".to_owned(), LineSource::told);
        format!("<cauce.Records of {told}>")
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.source.get(py, WHAT)?.close(py);
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

/// Python's scanner: `scan(text, start)` gives the value that begins there and where it ends.
fn scanner(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static SCANNER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let scanner = SCANNER.get_or_try_init(py, || -> PyResult<Py<PyAny>> {
        let decoder = py.import("cauce._json")?.getattr("DECODER")?;
        Ok(decoder.getattr("scan_once")?.unbind())
    })?;
    Ok(scanner.bind(py))
}

/// The value of a text that holds one value and nothing else, or why it does not.
fn scan<'py>(py: Python<'py>, text: &str) -> PyResult<Result<Bound<'py, PyAny>, String>> {
    let scanned = scanner(py)?.call1((text, 0));
    let scanned = match scanned {
        Ok(scanned) => scanned.cast_into::<PyTuple>()?,
        // Where a value should begin and none does, the scanner stops an iteration.
        Err(error) if error.is_instance_of::<pyo3::exceptions::PyStopIteration>(py) => {
            return Ok(Err("is no JSON".to_owned()));
        }
        Err(error) if error.is_instance_of::<PyValueError>(py) => {
            return Ok(Err(format!("is no JSON: {}", error.value(py))));
        }
        Err(error) if error.is_instance_of::<pyo3::exceptions::PyRecursionError>(py) => {
            return Ok(Err("is nested too deeply".to_owned()));
        }
        Err(error) => return Err(error),
    };
    // In characters, while the text is in bytes; they agree on what is left exactly when nothing is.
    let end: usize = scanned.get_item(1)?.extract()?;
    if end == text.chars().count() {
        Ok(Ok(scanned.get_item(0)?))
    } else {
        Ok(Err("is no JSON: more follows the value".to_owned()))
    }
}

/// JSON's white space, which is less than Unicode's.
fn trim(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = line.iter().position(|byte| !blank(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !blank(byte)).map_or(start, |at| at + 1);
    &line[start..end]
}

fn whole<'py>(py: Python<'py>, line: &[u8]) -> PyResult<Result<Bound<'py, PyDict>, String>> {
    let Ok(text) = simdutf8::basic::from_utf8(trim(line)) else { return Ok(Err("is no UTF-8".to_owned())) };
    Ok(match scan(py, text)? {
        Ok(value) => value.cast_into::<PyDict>().map_err(|_| "is no JSON object".to_owned()),
        Err(reason) => Err(reason),
    })
}

fn some<'py>(
    py: Python<'py>,
    line: &[u8],
    fields: &[(String, Py<PyString>)],
) -> PyResult<Result<Bound<'py, PyDict>, String>> {
    let Ok(text) = simdutf8::basic::from_utf8(line) else { return Ok(Err("is no UTF-8".to_owned())) };
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = match reader.deserialize_map(Wanted(fields)).and_then(|found| reader.end().map(|()| found)) {
        Ok(found) => found,
        Err(error) if error.is_data() => return Ok(Err("is no JSON object".to_owned())),
        Err(error) => return Ok(Err(format!("is no JSON: {error}"))),
    };
    let record = PyDict::new(py);
    for ((_, key), raw) in fields.iter().zip(found) {
        let Some(raw) = raw else { continue };
        match scan(py, raw.get())? {
            Ok(value) => record.set_item(key, value)?,
            Err(reason) => return Ok(Err(reason)),
        }
    }
    Ok(Ok(record))
}

/// Finds the wanted members of an object; of one that comes twice the last counts.
struct Wanted<'f>(&'f [(String, Py<PyString>)]);

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Vec<Option<&'de RawValue>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = vec![None; self.0.len()];
        while let Some(key) = map.next_key::<Key<'de>>()? {
            match self.0.iter().position(|(name, _)| *name == key.0) {
                Some(at) => found[at] = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// A member's name; borrowed where it holds no escape.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
