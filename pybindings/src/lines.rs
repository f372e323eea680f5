//! `hour.lines()`: each line as `bytes`, without its newline.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};

use crate::fork::Owned;
use crate::source::LineSource;

/// What it is called in messages.
const WHAT: &str = "iterator of lines";

/// An iterator over the lines of hours.
#[pyclass(frozen, module = "cauce")]
pub(crate) struct Lines {
    source: Owned<LineSource>,
}

impl Lines {
    pub(crate) fn new(source: LineSource) -> Lines {
        Lines { source: Owned::new(source) }
    }
}

#[pymethods]
impl Lines {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.source.get(py, WHAT)?.next(py, |line| PyBytes::new(py, line))
    }

    fn __repr__(&self) -> String {
        let told = self.source.alive().map_or_else(|| "another process".to_owned(), LineSource::told);
        format!("<cauce.Lines of {told}>")
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
