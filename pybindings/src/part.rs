//! A part of an hour: some of its objects, named by their keys or URLs, so that several readers can share one hour. Chooses among what
//! is known of the hour and asks no store.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cauce_lake::catalogue::{HourEntry, LakeObject};
use pyo3::PyResult;
use pyo3::exceptions::PyValueError;

use crate::settings::Settings;

/// Where an object is: a URL, or the path of a file.
pub(crate) fn url(settings: &Settings, object: &LakeObject) -> String {
    format!("{}/{}", settings.urls[object.lake].to_string().trim_end_matches('/'), object.key)
}

/// The entry with only the named ones of its objects, or with `late` of its late ones, in the order of the hour; all of it
/// without names.
///
/// # Errors
/// `ValueError` for a name that none of them has, and for a key that objects of several lakes have.
pub(crate) fn of(
    settings: &Settings,
    entry: Arc<HourEntry>,
    names: Option<&[String]>,
    late: bool,
) -> PyResult<Arc<HourEntry>> {
    let Some(names) = names else { return Ok(entry) };
    let mut part = HourEntry::clone(&entry);
    let objects = if late { &mut part.late_objects } else { &mut part.objects };
    let mut named: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, object) in objects.iter().enumerate() {
        named.entry(object.key.to_string()).or_default().push(at);
        named.entry(url(settings, object)).or_default().push(at);
    }
    let mut wanted = BTreeSet::new();
    for name in names {
        match named.get(name).map(Vec::as_slice) {
            Some(&[at]) => wanted.insert(at),
            None | Some([]) => {
                let kind = if late { "late object" } else { "object" };
                return Err(PyValueError::new_err(format!("the hour {} has no {kind} {name}", entry.name)));
            }
            Some(_) => {
                let several = format!("several lakes have an object {name} in the hour {}", entry.name);
                return Err(PyValueError::new_err(format!("{several}: name it by its URL")));
            }
        };
    }
    *objects = wanted.into_iter().map(|at| objects[at].clone()).collect();
    Ok(Arc::new(part))
}
