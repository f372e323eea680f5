//! Times on their way in and out. In: a naive datetime is UTC, an aware one is converted, a text is `2026-11-22T05`; where a
//! range begins or ends a date will do. Out: aware datetimes in UTC.

use cauce_lake::Hour as LakeHour;
use cauce_lake::HourRange;
use cauce_lake::hour::HourParseError;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDate, PyDateAccess, PyDateTime, PyString, PyTimeAccess, PyTzInfo, PyTzInfoAccess};

use crate::hour::Hour;

/// Before all tweets, and after them: the ends of a range that is open there.
const FIRST: i64 = 0;
const LAST: i64 = 2_016_144; // 2200-01-01T00

/// The hour that holds an instant.
///
/// # Errors
/// `TypeError` and `ValueError` for what names none.
pub(crate) fn hour(when: &Bound<'_, PyAny>) -> PyResult<LakeHour> {
    if let Ok(moment) = when.cast::<PyDateTime>() {
        return hour_of(&in_utc(moment)?);
    }
    if let Ok(text) = when.cast::<PyString>() {
        return parse(text.to_str()?);
    }
    if let Ok(hour) = when.cast::<Hour>() {
        let hour = hour.get();
        return hour.hour().ok_or_else(|| {
            PyValueError::new_err(format!("{} is no hour, its granularity is {}", hour.name(), hour.granularity()))
        });
    }
    let kind = when.get_type().name()?;
    Err(PyTypeError::new_err(format!(
        "an hour is a datetime, a text such as 2026-11-22T05 or a cauce.Hour, not {kind}"
    )))
}

/// The hours of a text: one hour, or a range such as `2026-11-22T00..2026-11-23T00`, its end not included.
///
/// # Errors
/// `ValueError` for any other text.
pub(crate) fn several_hours(text: &str) -> PyResult<HourRange> {
    text.parse().map_err(|error: HourParseError| PyValueError::new_err(error.to_string()))
}

/// The items of an iterable; one hour alone will do.
///
/// # Errors
/// Those of the iterable, and `TypeError` for what is none.
pub(crate) fn several<'py>(hours: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    if hours.is_instance_of::<PyString>() || hours.is_instance_of::<PyDateTime>() || hours.is_instance_of::<Hour>() {
        return Ok(vec![hours.clone()]);
    }
    hours.try_iter()?.collect()
}

/// The hours of a range, of which either end may be open: those that overlap it.
///
/// # Errors
/// As [`hour`], and `ValueError` when it ends before it begins.
pub(crate) fn range(start: Option<&Bound<'_, PyAny>>, end: Option<&Bound<'_, PyAny>>) -> PyResult<Option<HourRange>> {
    if start.is_none() && end.is_none() {
        return Ok(None);
    }
    let start = match start {
        None => LakeHour::from_index(FIRST),
        Some(start) => edge(start)?.0,
    };
    let end = match end.map(edge).transpose()? {
        None => LakeHour::from_index(LAST),
        Some((hour, true)) => hour,
        // What ends within an hour takes a part of it, and hours are not divided.
        Some((hour, false)) => hour.next(),
    };
    if start > end {
        return Err(PyValueError::new_err(format!("the range ends at {end}, before it begins at {start}")));
    }
    Ok(Some(HourRange { start, end }))
}

/// Where a range begins or ends: an hour, and whether it is its first moment. A date is its first hour.
fn edge(when: &Bound<'_, PyAny>) -> PyResult<(LakeHour, bool)> {
    if let Ok(moment) = when.cast::<PyDateTime>() {
        return instant(moment);
    }
    if let Ok(date) = when.cast::<PyDate>() {
        return civil(date.get_year(), date.get_month(), date.get_day(), 0).map(|hour| (hour, true));
    }
    if let Ok(text) = when.cast::<PyString>()
        && text.to_str()?.len() == "2026-11-22".len()
    {
        return Ok((parse(&format!("{}T00", text.to_str()?))?, true));
    }
    Ok((hour(when)?, true))
}

/// The hour that holds a moment, and whether it is the hour's first.
fn instant(moment: &Bound<'_, PyDateTime>) -> PyResult<(LakeHour, bool)> {
    let utc = in_utc(moment)?;
    let whole = utc.get_minute() == 0 && utc.get_second() == 0 && utc.get_microsecond() == 0;
    Ok((hour_of(&utc)?, whole))
}

/// The same moment by the clocks of UTC.
fn in_utc<'py>(moment: &Bound<'py, PyDateTime>) -> PyResult<Bound<'py, PyDateTime>> {
    let zone = PyTzInfo::utc(moment.py())?;
    if moment.get_tzinfo().is_some_and(|own| !own.is(zone)) {
        return Ok(moment.call_method1("astimezone", (zone,))?.cast_into::<PyDateTime>()?);
    }
    Ok(moment.clone())
}

/// The hour of a moment in UTC. All of a year's may be asked for, so it looks at nothing but what names an hour.
fn hour_of(utc: &Bound<'_, PyDateTime>) -> PyResult<LakeHour> {
    civil(utc.get_year(), utc.get_month(), utc.get_day(), utc.get_hour())
}

fn civil(year: i32, month: u8, day: u8, hour: u8) -> PyResult<LakeHour> {
    let small = |number: u8| i8::try_from(number).ok();
    let found = i16::try_from(year).ok().zip(small(month)).zip(small(day).zip(small(hour)));
    found.and_then(|((year, month), (day, hour))| LakeHour::from_civil(year, month, day, hour)).ok_or_else(|| {
        PyValueError::new_err(format!("{year:04}-{month:02}-{day:02}T{hour:02} is no hour of the calendar"))
    })
}

fn parse(text: &str) -> PyResult<LakeHour> {
    text.parse().map_err(|error: HourParseError| PyValueError::new_err(error.to_string()))
}

/// An aware datetime of milliseconds since 1970.
pub(crate) fn datetime(py: Python<'_>, epoch_ms: i64) -> PyResult<Bound<'_, PyDateTime>> {
    let utc = PyTzInfo::utc(py)?;
    // Exact: a double holds the milliseconds of a hundred thousand years.
    PyDateTime::from_timestamp(py, epoch_ms as f64 / 1000.0, Some(&utc))
}
