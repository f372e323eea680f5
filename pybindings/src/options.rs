//! `cauce.LakeOptions`: the settings of a lake and of S3 as one value. `cauce.Lake`, `cauce.Store`, Luigi and Spark hand it on and
//! know none of them by name; the tables are those of `cauce_lake`.
//!
//! Keys stay inside: neither a pickle nor a text made of options holds them.

use std::collections::BTreeMap;
use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use cauce_lake::options::{LakeOptions as Values, settings};
use cauce_lake::setting::{Caller, Kind, Setting, SettingError, nearest, show_duration};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString, PyTuple};

use crate::errors;

/// What a pickle calls, and with which arguments: the caller's word and the settings.
type Reduced<'py> = (Bound<'py, PyAny>, (&'static str, Bound<'py, PyDict>));

/// How to read a lake, without where it is.
#[pyclass(frozen, module = "cauce")]
#[derive(Clone)]
pub(crate) struct LakeOptions {
    pub(crate) values: Arc<Values>,
}

/// Python's keywords: which of them a call takes, and how the call is named in its errors.
pub(crate) struct Keywords {
    pub(crate) call: &'static str,
    /// Whether those of the lake itself are among them, or those of its store alone.
    pub(crate) of_the_lake: bool,
}

#[pymethods]
impl LakeOptions {
    #[new]
    #[pyo3(signature = (**settings))]
    fn new(py: Python<'_>, settings: Option<&Bound<'_, PyDict>>) -> PyResult<LakeOptions> {
        Keywords { call: "cauce.LakeOptions()", of_the_lake: true }.read(py, Caller::Python, None, settings)
    }

    /// Name, kind and meaning of each.
    #[staticmethod]
    fn known() -> Vec<(&'static str, &'static str, &'static str)> {
        settings().map(|setting| (setting.name(), setting.kind.word(), setting.what)).collect()
    }

    /// What is set, as texts, without keys.
    #[getter]
    pub(crate) fn settings(&self) -> BTreeMap<&'static str, String> {
        self.values.given().clone()
    }

    /// Everything but keys.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        let given = PyDict::new(py);
        for (name, text) in self.values.given() {
            given.set_item(name, text)?;
        }
        Ok((py.import("cauce._native")?.getattr("_lake_options")?, (self.values.s3.caller.word(), given)))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut shown = Vec::new();
        for (name, text) in self.values.given() {
            shown.push(format!("{name}={}", PyString::new(py, text).repr()?.to_str()?));
        }
        Ok(format!("cauce.LakeOptions({})", shown.join(", ")))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<LakeOptions>().is_ok_and(|other| self.values == other.get().values)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.values.given().hash(&mut hasher);
        hasher.finish()
    }
}

impl LakeOptions {
    /// What a pickle of these options gives in this process: keys are those of its variables.
    fn again(&self) -> Result<LakeOptions, SettingError> {
        let given = self.values.given().iter().map(|(name, text)| (*name, text.as_str()));
        let values = Values::read(self.values.s3.caller, given, variable)?;
        Ok(LakeOptions { values: Arc::new(values) })
    }
}

/// Options that `luigi` or `spark` writes in its own way, or that come out of a pickle.
#[pyfunction]
#[pyo3(name = "_lake_options")]
pub(crate) fn lake_options(py: Python<'_>, caller: &str, settings: &Bound<'_, PyDict>) -> PyResult<LakeOptions> {
    let caller = Caller::from_word(caller).ok_or_else(|| PyValueError::new_err(format!("no caller {caller:?}")))?;
    Keywords { call: "cauce.LakeOptions()", of_the_lake: true }.read(py, caller, None, Some(settings))
}

impl Keywords {
    /// The options of a call: what was given over `base`, or else over the variables.
    ///
    /// # Errors
    /// `TypeError` for a keyword that is none or a value of the wrong type, `cauce.ConfigError` for one that cannot be used.
    pub(crate) fn read(
        &self,
        py: Python<'_>,
        caller: Caller,
        base: Option<&LakeOptions>,
        given: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<LakeOptions> {
        let mut texts = Vec::new();
        for (name, value) in given.into_iter().flatten() {
            let name: String = name.extract()?;
            let setting = self.find(&name)?;
            if !value.is_none() {
                texts.push((setting.name(), text(setting, &value)?));
            }
        }
        let texts = texts.iter().map(|(name, text)| (*name, text.as_str()));
        let values = match base {
            Some(base) => base.values.with(texts),
            None => Values::read(caller, texts, variable),
        };
        let values = values.map_err(|error| errors::config(py, &error.to_string()))?;
        Ok(LakeOptions { values: Arc::new(values) })
    }

    fn find(&self, name: &str) -> PyResult<&'static Setting> {
        let known = || settings().filter(|setting| self.of_the_lake || setting.key.starts_with("lake.s3."));
        known().find(|setting| setting.name() == name).ok_or_else(|| {
            let near = nearest(name, known().map(Setting::name));
            let near = near.map_or(String::new(), |near| format!(" (did you mean {near}?)"));
            PyTypeError::new_err(format!("{} got an unexpected keyword argument {name:?}{near}", self.call))
        })
    }
}

/// A value of Python as the setting's text.
fn text(setting: &Setting, value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.to_str()?.to_owned());
    }
    let is_number =
        !value.is_instance_of::<PyBool>() && (value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>());
    match setting.kind {
        Kind::Switch if value.is_instance_of::<PyBool>() => Ok(value.extract::<bool>()?.to_string()),
        Kind::Count if value.is_instance_of::<PyInt>() && is_number => Ok(value.str()?.to_str()?.to_owned()),
        Kind::Duration if is_number => seconds(setting, value.extract()?),
        Kind::Text if value.is_instance_of::<PyDict>() => pairs(value.cast()?),
        _ => {
            let (name, kind, given) = (setting.name(), setting.kind.word(), value.get_type());
            Err(PyTypeError::new_err(format!("{name} must be a {kind}, not {}", given.name()?)))
        }
    }
}

fn seconds(setting: &Setting, seconds: f64) -> PyResult<String> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) => Ok(show_duration(duration)),
        Err(_) => Err(PyValueError::new_err(format!("{} must be seconds, 0 or more, not {seconds}", setting.name()))),
    }
}

/// `{"team": "data", "kind": "tweets"}` as `team=data,kind=tweets`.
fn pairs(pairs: &Bound<'_, PyDict>) -> PyResult<String> {
    let pair = |(name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        PyResult::Ok(format!("{}={}", name.extract::<String>()?, value.extract::<String>()?))
    };
    Ok(pairs.iter().map(pair).collect::<PyResult<Vec<_>>>()?.join(","))
}

/// A variable. One that is set to nothing counts as not set: container files often pass empty ones on.
pub(crate) fn variable(name: &str) -> Result<Option<String>, SettingError> {
    let wrong = |what: &str| Err(SettingError::Together(format!("{name} {what}")));
    match env::var(name) {
        Ok(value) if value.starts_with("${") => {
            wrong("is a reference, which only ingest follows: give the value itself")
        }
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => wrong("is no text"),
    }
}

/// What a pickle of something that has options makes it of: its positional argument, and these by name.
pub(crate) fn arguments<'py>(
    py: Python<'py>,
    first: impl IntoPyObject<'py>,
    options: &LakeOptions,
) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
    let named = PyDict::new(py);
    named.set_item("options", options.again().map_err(|error| errors::config(py, &error.to_string()))?)?;
    Ok((PyTuple::new(py, [first])?, named))
}
