//! A line that was no record: kept apart with its place and reason, never dropped unseen.

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A line that could not be read, and where it stands.
#[pyclass(frozen, module = "cauce")]
pub(crate) struct Reject {
    key: String,
    line: u64,
    offset: u64,
    reason: String,
    bytes: Bytes,
}

impl Reject {
    pub(crate) fn new(key: &str, line: u64, offset: u64, reason: String, bytes: Bytes) -> Reject {
        // A part of a block would keep all of it in memory.
        Reject { key: key.to_owned(), line, offset, reason, bytes: Bytes::copy_from_slice(&bytes) }
    }
}

#[pymethods]
impl Reject {
    #[getter]
    fn key(&self) -> &str {
        &self.key
    }

    #[getter]
    fn line(&self) -> u64 {
        self.line
    }

    #[getter]
    fn offset(&self) -> u64 {
        self.offset
    }

    #[getter]
    fn reason(&self) -> &str {
        &self.reason
    }

    #[getter]
    fn bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.bytes)
    }

    fn __repr__(&self) -> String {
        format!("<cauce.Reject line {} of {}: {}>", self.line, self.key, self.reason)
    }
}
