//! `hour.open()`: the bytes of an hour's objects, one after the other and decompressed, for `io`'s buffered readers.
//!
//! What Python's `io` wants of a file is in `cauce/_file.py`; here are the bytes.

use std::sync::{Mutex, PoisonError};

use bytes::{Buf, Bytes};
use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PySlice};

use crate::fork::Owned;
use crate::source::LineSource;

const WHAT: &str = "file";

/// The bytes of hours, as they come.
#[pyclass(frozen, module = "cauce._native")]
pub(crate) struct Blocks {
    source: Owned<LineSource>,
    rest: Mutex<Bytes>,
}

impl Blocks {
    pub(crate) fn new(source: LineSource) -> Blocks {
        Blocks { source: Owned::new(source), rest: Mutex::default() }
    }

    /// What is there, or else what comes next; empty at the end.
    fn take(&self, py: Python<'_>) -> PyResult<Bytes> {
        let source = self.source.get(py, WHAT)?;
        let rest = std::mem::take(&mut *self.rest(py));
        if !rest.is_empty() {
            return Ok(rest);
        }
        let Some(block) = source.next_block(py)? else { return Ok(Bytes::new()) };
        if block.ends_with(b"\n") {
            return Ok(block);
        }
        // An object may end without a line end, and then another one begins.
        Ok([&block, b"\n".as_slice()].concat().into())
    }

    fn rest(&self, py: Python<'_>) -> std::sync::MutexGuard<'_, Bytes> {
        self.rest.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Blocks {
    /// Fills the beginning of a buffer and says how many bytes that are; 0 at the end.
    fn readinto(&self, buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
        let py = buffer.py();
        let room = buffer.len()?;
        if room == 0 {
            return Ok(0);
        }
        let mut bytes = self.take(py)?;
        let length = bytes.len().min(room);
        let part = buffer.get_item(PySlice::new(py, 0, isize::try_from(length)?, 1))?;
        PyBuffer::get(&part)?.copy_from_slice(py, &bytes[..length])?;
        bytes.advance(length);
        *self.rest(py) = bytes;
        Ok(length)
    }

    /// What comes next, of whatever length; empty at the end.
    fn read<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.take(py)?))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.source.get(py, WHAT)?.close(py);
        self.rest(py).clear();
        Ok(())
    }
}
