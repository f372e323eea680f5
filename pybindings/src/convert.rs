//! `cauce.convert`: hours to Parquet, in this process. The work is the lake's own; here are its arguments, its progress and its end.
//!
//! It is driven by the thread that called it, beside the threads that decode and encode. So the callback runs in that thread, and
//! what it raises, or a signal's handler, ends the conversion there; hours that are not done leave nothing behind.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use cauce_lake::parquet::{
    ConvertError, ConvertOptions, Dialect, HourReport, Outcome, Progress, Summary, Target, convert_hours, ddl,
};
use cauce_lake::table::TableOptions;
use cauce_lake::url::LakeUrlError;
use cauce_lake::work::Workers;
use cauce_lake::{HourRange, LakeUrl};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::errors;
use crate::lake::Lake;
use crate::process;
use crate::settings;
use crate::when;

/// Converts hours to Parquet.
#[pyfunction]
#[pyo3(signature = (lake, hours, url, *, progress=None, columns=None, referenced=false, raw=false, compression="zstd",
                    row_group_rows=122_880, open=false, late=false, replace=false, without_deleted=false,
                    messages_until=None, jobs=2, threads=None, temp_dir=None, rejects=None, skip_archived=false))]
#[expect(clippy::too_many_arguments, reason = "they are Python's keywords")]
pub(crate) fn convert<'py>(
    py: Python<'py>,
    lake: &Bound<'py, Lake>,
    hours: Option<&Bound<'py, PyAny>>,
    url: &Bound<'py, PyAny>,
    progress: Option<Py<PyAny>>,
    columns: Option<Vec<String>>,
    referenced: bool,
    raw: bool,
    compression: &str,
    row_group_rows: usize,
    open: bool,
    late: bool,
    replace: bool,
    without_deleted: bool,
    messages_until: Option<&Bound<'py, PyAny>>,
    jobs: usize,
    threads: Option<usize>,
    temp_dir: Option<PathBuf>,
    rejects: Option<&Bound<'py, PyAny>>,
    skip_archived: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let at_least_one = |name: &str, number: usize| {
        NonZeroUsize::new(number).ok_or_else(|| PyValueError::new_err(format!("{name} must be at least 1")))
    };
    let ranges = hours.map(ranges).transpose()?;
    if ranges.as_ref().is_some_and(Vec::is_empty) {
        // To the converter no range means every hour.
        return summary(py, &Summary::default());
    }
    let options = ConvertOptions {
        table: TableOptions { columns, referenced, raw },
        compression: compression.parse().map_err(|error| PyValueError::new_err(format!("compression: {error}")))?,
        row_group_rows: at_least_one("row_group_rows", row_group_rows)?.get(),
        open,
        late,
        replace,
        skip_archived,
        without_deleted,
        messages_until: messages_until.map(when::hour).transpose()?,
        jobs: at_least_one("jobs", jobs)?.get(),
        temp_dir,
    };
    let place = |url: &Bound<'py, PyAny>| {
        settings::url(&crate::lake::url_text(url)?).map_err(|message| errors::config(py, &message))
    };
    let target = place(url)?;
    let rejects = rejects.map(place).transpose()?;
    let threads = threads.map(|threads| at_least_one("threads", threads)).transpose()?;
    let settings = Arc::clone(&lake.get().settings);
    let process = process::current(py)?;
    let lakes = process.lakes(py, &settings)?;
    let workers = threads.map_or_else(|| process.workers.clone(), |threads| Workers::new(Some(threads)));

    let mut raised = None;
    let done = py.detach(|| {
        let mut tell = |so_far: &Progress| match &progress {
            None => ControlFlow::Continue(()),
            // Outside of the runtime, so that the callback may use a lake itself, which waits.
            Some(callback) => match tokio::task::block_in_place(|| Python::attach(|py| call(py, callback, so_far))) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    raised = Some(error);
                    ControlFlow::Break(())
                }
            },
        };
        let work = async {
            let target = Target::open(&target, rejects.as_ref(), settings.s3()).await?;
            convert_hours(&lakes, &ranges.unwrap_or_default(), &target, &options, &workers, &mut tell).await
        };
        process.block(work, || Python::attach(|py| py.check_signals()))
    })?;
    if let Some(error) = raised {
        return Err(error);
    }
    let done = done.map_err(|error| errors::convert(py, &error))?;
    let told = summary(py, &done)?;
    match done.failed.first() {
        None => Ok(told),
        Some((name, error)) => Err(failed(py, &done, name, error, told)?),
    }
}

/// The statements that make converted hours one table, for `python -m cauce`.
///
/// # Errors
/// `ValueError` for a dialect or a column that is not there, and for what cannot be a table there.
#[pyfunction]
#[pyo3(signature = (dialect, url, columns=None, *, referenced=false, raw=false))]
pub(crate) fn _ddl(
    py: Python<'_>,
    dialect: &str,
    url: &str,
    columns: Option<Vec<String>>,
    referenced: bool,
    raw: bool,
) -> PyResult<String> {
    let dialect = Dialect::from_str(dialect).map_err(|error| PyValueError::new_err(error.to_string()))?;
    // As it is written, and not made absolute: the statements are run elsewhere.
    let target: LakeUrl = url.parse().map_err(|error: LakeUrlError| errors::config(py, &error.to_string()))?;
    let table = TableOptions { columns, referenced, raw };
    ddl(dialect, &table, &target).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// The ranges that hours are: a folder that is none has the range of its time.
fn ranges(hours: &Bound<'_, PyAny>) -> PyResult<Vec<HourRange>> {
    let range = |asked: &Bound<'_, PyAny>| match asked.cast::<crate::hour::Hour>() {
        Ok(own) => own.get().range().ok_or_else(|| {
            PyValueError::new_err(format!(
                "the folder {} tells no time and cannot be converted alone",
                own.get().name()
            ))
        }),
        Err(_) => match asked.cast::<PyString>() {
            Ok(text) if text.to_str()?.contains("..") => when::several_hours(text.to_str()?),
            _ => Ok(HourRange::single(when::hour(asked)?)),
        },
    };
    when::several(hours)?.iter().map(range).collect()
}

fn call(py: Python<'_>, callback: &Py<PyAny>, so_far: &Progress) -> PyResult<()> {
    let told = PyDict::new(py);
    told.set_item("hours_done", so_far.hours_done)?;
    told.set_item("hours", so_far.hours)?;
    told.set_item("bytes_in", so_far.bytes_in)?;
    told.set_item("bytes_in_total", so_far.bytes_in_total)?;
    told.set_item("rows", so_far.rows)?;
    told.set_item("rejects", so_far.rejects)?;
    told.set_item("elapsed", so_far.elapsed.as_secs_f64())?;
    told.set_item("last", so_far.last.as_ref().map(|last| report(py, last)).transpose()?)?;
    callback.call1(py, (make(py, "Progress", &told)?,))?;
    Ok(())
}

fn report<'py>(py: Python<'py>, report: &HourReport) -> PyResult<Bound<'py, PyAny>> {
    let told = PyDict::new(py);
    told.set_item("name", report.hour.to_string())?;
    told.set_item("made", report.outcome == Outcome::Made)?;
    told.set_item("rows", report.rows)?;
    told.set_item("rejects", report.rejects)?;
    told.set_item("duplicates", report.duplicates)?;
    told.set_item("deleted", report.deleted)?;
    told.set_item("bytes_in", report.bytes_in)?;
    told.set_item("bytes_out", report.bytes_out)?;
    make(py, "HourReport", &told)
}

fn summary<'py>(py: Python<'py>, summary: &Summary) -> PyResult<Bound<'py, PyAny>> {
    let told = PyDict::new(py);
    told.set_item("hours", summary.hours.iter().map(|one| report(py, one)).collect::<PyResult<Vec<_>>>()?)?;
    for (part, errors) in [("failed", &summary.failed), ("archived", &summary.archived)] {
        let by_name = PyDict::new(py);
        for (name, error) in errors {
            by_name.set_item(name, errors::convert(py, error).into_value(py))?;
        }
        told.set_item(part, by_name)?;
    }
    told.set_item("elapsed", summary.elapsed.as_secs_f64())?;
    make(py, "Summary", &told)
}

fn make<'py>(py: Python<'py>, class: &str, told: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    py.import("cauce._convert")?.getattr(class)?.call((), Some(told))
}

/// The error for hours that failed while others did not, which tells what became of those.
fn failed(py: Python<'_>, done: &Summary, name: &str, error: &ConvertError, told: Bound<'_, PyAny>) -> PyResult<PyErr> {
    let cause = errors::convert(py, error);
    let count = done.failed.len();
    let all = count + done.archived.len() + done.hours.len();
    let message = format!("{count} of {all} hours were not converted; {name}: {}", cause.value(py));
    let instance = py.import("cauce._errors")?.getattr("ConvertFailed")?.call1((message,))?;
    instance.setattr("summary", told)?;
    let failed = PyErr::from_value(instance);
    failed.set_cause(py, Some(cause));
    Ok(failed)
}
