//! The Python module `cauce._native`: the lake for Python. The public names stand in the package `cauce` around it, whose stubs
//! hold the documentation.
//!
//! `lake` and `hour` are what users hold; `source`, with `feed` below it, brings lines to `lines`, `records` and `file`; `batches`
//! brings typed rows through `capsules` to whatever reads Arrow. Everything that waits goes through `process`, which belongs
//! to one process id (`fork`).

mod batches;
mod capsules;
mod convert;
mod errors;
mod feed;
mod file;
mod fork;
mod hour;
mod lake;
mod lines;
mod options;
mod part;
mod process;
mod records;
mod reject;
mod settings;
mod source;
mod store;
mod when;

use pyo3::prelude::*;

/// The native part of `cauce`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    fork::register(module)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<lake::Lake>()?;
    module.add_class::<options::LakeOptions>()?;
    module.add_class::<store::Store>()?;
    module.add_class::<store::StoredObject>()?;
    module.add_class::<hour::Hour>()?;
    module.add_class::<hour::Object>()?;
    module.add_class::<lines::Lines>()?;
    module.add_class::<records::Records>()?;
    module.add_class::<reject::Reject>()?;
    module.add_class::<batches::BatchStream>()?;
    module.add_class::<batches::Batches>()?;
    module.add_class::<capsules::Batch>()?;
    module.add_class::<capsules::Schema>()?;
    module.add_class::<file::Blocks>()?;
    module.add_function(wrap_pyfunction!(batches::schema, module)?)?;
    module.add_function(wrap_pyfunction!(options::lake_options, module)?)?;
    module.add_function(wrap_pyfunction!(convert::convert, module)?)?;
    module.add_function(wrap_pyfunction!(convert::_ddl, module)?)?;
    module.add_function(wrap_pyfunction!(hour::restore, module)?)
}
