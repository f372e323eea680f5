//! From the lake's errors to Python's: which class, what text, which object. The classes themselves are in `cauce/_errors.py`,
//! because each is a pair of ours and a built-in one, which only Python can say.

use cauce_lake::StoreError;
use cauce_lake::catalogue::CatalogueError;
use cauce_lake::parquet::ConvertError;
use cauce_lake::read::ReadError;
use cauce_lake::store::ErrorKind;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule};
use std::path::Path;

/// What an error of ours may tell beside its text.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) key: Option<&'a str>,
    pub(crate) offset: Option<u64>,
    pub(crate) line: Option<u64>,
}

fn make(py: Python<'_>, class: &str, message: &str, place: Place<'_>) -> PyErr {
    let instance = || -> PyResult<Bound<'_, PyAny>> {
        let attributes = PyDict::new(py);
        attributes.set_item("key", place.key)?;
        attributes.set_item("offset", place.offset)?;
        attributes.set_item("line", place.line)?;
        PyModule::import(py, "cauce._errors")?.getattr(class)?.call((message,), Some(&attributes))
    };
    match instance() {
        Ok(instance) => PyErr::from_value(instance),
        Err(error) => error,
    }
}

fn class_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "ObjectNotFound",
        ErrorKind::NoSuchBucket => "LakeNotFound",
        ErrorKind::AccessDenied | ErrorKind::Credentials => "AccessDenied",
        ErrorKind::Archived => "ObjectArchived",
        ErrorKind::Configuration => "ConfigError",
        ErrorKind::Unreachable => "Unreachable",
        ErrorKind::Timeout => "Timeout",
        ErrorKind::Corrupt => "CorruptObject",
        ErrorKind::PreconditionFailed => "AlreadyThere",
        _ => "StoreError",
    }
}

/// A store that failed.
pub(crate) fn store(py: Python<'_>, error: &StoreError) -> PyErr {
    make(py, class_of(error.kind()), &error.to_string(), Place::default())
}

/// A request for one object that failed.
pub(crate) fn object(py: Python<'_>, kind: ErrorKind, message: &str, key: &str) -> PyErr {
    make(py, class_of(kind), message, Place { key: Some(key), offset: None, line: None })
}

/// A lake that could not answer.
pub(crate) fn catalogue(py: Python<'_>, error: &CatalogueError) -> PyErr {
    let class = match error {
        CatalogueError::HourNotFound { .. } => "HourNotFound",
        other => class_of(other.kind()),
    };
    make(py, class, &error.to_string(), Place::default())
}

/// An hour that is not there.
pub(crate) fn no_hour(py: Python<'_>, name: &str, location: &str) -> PyErr {
    make(py, "HourNotFound", &format!("there is no hour {name} in {location}"), Place::default())
}

/// A conversion, or that of one hour, that came to nothing.
pub(crate) fn convert(py: Python<'_>, error: &ConvertError) -> PyErr {
    let class = match error {
        ConvertError::Catalogue(error) => return catalogue(py, error),
        ConvertError::Store(error) => return store(py, error),
        ConvertError::Columns(error) => return PyValueError::new_err(error.to_string()),
        ConvertError::Read { name, source } => {
            let place = Place { key: Some(source.key().as_str()), offset: Some(source.offset()), line: None };
            return make(py, class_of(source.kind()), &format!("cannot convert {name}: {}", text(source)), place);
        }
        ConvertError::NotClosed(_) => "HourNotClosed",
        ConvertError::Different { .. } => "AlreadyThere",
        other => class_of(other.kind()),
    };
    let mut message = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        message = format!("{message}: {source}");
    }
    make(py, class, &message, Place::default())
}

/// An object that could not be read.
pub(crate) fn read(py: Python<'_>, error: &ReadError) -> PyErr {
    let place = Place { key: Some(error.key().as_str()), offset: Some(error.offset()), line: None };
    make(py, class_of(error.kind()), &text(error), place)
}

/// All that an error of a reading says.
pub(crate) fn text(error: &ReadError) -> String {
    match error {
        ReadError::Store { source, .. } => format!("{error}: {source}"),
        other => other.to_string(),
    }
}

/// A line that could not be read.
pub(crate) fn record(py: Python<'_>, reason: &str, key: &str, line: u64, offset: u64) -> PyErr {
    let message = format!("line {line} of {key}, at byte {offset}: {reason}");
    make(py, "CorruptRecord", &message, Place { key: Some(key), offset: Some(offset), line: Some(line) })
}

/// Settings of a lake that cannot be used.
pub(crate) fn config(py: Python<'_>, message: &str) -> PyErr {
    make(py, "ConfigError", message, Place::default())
}

/// A lake in a folder that is not there. For a writer that is an empty lake; for a reader it is a path with a slip in it.
pub(crate) fn no_folder(py: Python<'_>, folder: &Path) -> PyErr {
    let message = format!("there is no folder {}: nothing was written there yet", folder.display());
    make(py, "LakeNotFound", &message, Place::default())
}

/// A thing that was carried over a fork.
pub(crate) fn forked(py: Python<'_>, what: &str) -> PyErr {
    let message = format!("this {what} was opened before the process was forked: open it anew in the child");
    make(py, "ForkError", &message, Place::default())
}

/// A reading that ended without saying how, which must not look like the end of the data.
pub(crate) fn broken_off() -> PyErr {
    PyRuntimeError::new_err("the reading broke off inside the module: please report this")
}

/// Something that readers should look at but that does not stop them.
pub(crate) fn warn(py: Python<'_>, message: &str) -> PyResult<()> {
    let category = PyModule::import(py, "cauce._errors")?.getattr("LakeWarning")?;
    let options = PyDict::new(py);
    options.set_item("stacklevel", 2)?;
    PyModule::import(py, "warnings")?.call_method("warn", (message, category), Some(&options))?;
    Ok(())
}
