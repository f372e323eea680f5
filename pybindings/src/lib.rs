//! The Python module `cauce._native`: the lake for Python. The public names stand in the package `cauce` around it.

use pyo3::prelude::*;

/// The native part of `cauce`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
