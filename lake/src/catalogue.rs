//! Lists the hours of one lake, and the objects of each.
//!
//! The content of a closed hour is exactly what its manifest lists; that of an open one is found by a sweep, a listing
//! of the lake's folders. `manifests` lists and fetches `_hours/`, `sweep` lists the folders, `entry` is the result.
//! Nothing is written, and no object is opened.
//!
//! Objects in the folder of a closed hour that no manifest lists are strays: they are not part of the hour, and
//! [`verify`](crate::verify) reports them.

mod entry;
#[cfg(any(test, feature = "testing"))]
pub mod fixture;
mod manifests;
mod sweep;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::hour::{Hour, HourRange};
use crate::manifest::{ManifestError, ManifestName};
use crate::pattern::{Granularity, Pattern};
use crate::store::{ErrorKind, Key, Store, StoreError};
use manifests::{Arrivals, Fetched};

pub(crate) use entry::SortKey;
pub use entry::{HourEntry, LakeObject, Listing, ManifestProblem, Unread, UnreadReason};
pub(crate) use sweep::{Role, role};

/// Why a lake could not be listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// The lake has neither a manifest nor objects of the hour.
    #[error("there is no hour {hour} in {location}")]
    HourNotFound {
        /// The requested hour.
        hour: Hour,
        /// The location of the lake.
        location: String,
    },
    /// The hour's manifest is invalid.
    #[error(transparent)]
    Manifest(#[from] Arc<ManifestError>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CatalogueError {
    /// The kind of the store's error; an invalid manifest counts as damage.
    pub fn kind(&self) -> ErrorKind {
        match self {
            CatalogueError::HourNotFound { .. } => ErrorKind::NotFound,
            CatalogueError::Manifest(error) => error.kind(),
            CatalogueError::Store(error) => error.kind(),
        }
    }
}

fn closed_among(names: &[ManifestName]) -> BTreeSet<Hour> {
    names.iter().filter(|name| name.late.is_none()).map(|name| name.hour).collect()
}

/// The keys that valid manifests list.
fn listed_keys(fetched: &[Fetched]) -> HashSet<&Key> {
    let manifests = fetched.iter().filter_map(|(_, manifest)| manifest.as_ref().ok());
    manifests.flat_map(|manifest| manifest.objects.iter().chain(&manifest.messages)).map(|object| &object.key).collect()
}

/// See [`Lake::hours`](crate::Lake::hours). The first pattern that matches a folder applies.
pub(crate) async fn hours(
    store: &Arc<dyn Store>,
    patterns: &[&Pattern],
    range: Option<HourRange>,
) -> Result<Listing, StoreError> {
    let names = manifests::list(store, range).await?;
    let closed = closed_among(&names);
    let (fetched, found) = tokio::try_join!(
        manifests::fetch(store, names, Arrivals::Dropped),
        sweep::sweep(store.as_ref(), patterns, range, &closed)
    )?;
    let mut listing = Listing { unread: found.unread, ..Listing::default() };
    let mut entries = found.entries;
    let listed = listed_keys(&fetched);
    entries.retain(|_, entry| {
        entry.retain_objects(|key| !listed.contains(key));
        !entry.objects.is_empty() || !entry.messages.is_empty()
    });
    // In the order of names, so that the closing manifest of an hour precedes its late ones.
    let mut damaged = BTreeSet::new();
    for (name, manifest) in fetched {
        if let Err(error) = &manifest {
            listing.problems.push(ManifestProblem { name, error: Arc::clone(error) });
        }
        let key = SortKey::of_hour(name.hour);
        match (name.late, manifest) {
            (None, Ok(manifest)) => {
                entries.insert(key, HourEntry::closed(manifest));
            }
            (None, Err(_)) => {
                damaged.insert(name.hour);
            }
            (Some(_), manifest) if !damaged.contains(&name.hour) => {
                entries.entry(key).or_insert_with(|| HourEntry::open(name.hour)).add_late((name, manifest));
            }
            (Some(_), _) => {}
        }
    }
    listing.entries = entries.into_values().collect();
    Ok(listing)
}

/// See [`Lake::open_hours`](crate::Lake::open_hours).
pub(crate) async fn open_hours(
    store: &Arc<dyn Store>,
    pattern: &Pattern,
    range: Option<HourRange>,
) -> Result<Vec<HourEntry>, StoreError> {
    let mut names = manifests::list(store, range).await?;
    let closed = closed_among(&names);
    names.retain(|name| !closed.contains(&name.hour));
    let patterns = [pattern];
    let (late, found) = tokio::try_join!(
        manifests::fetch(store, names, Arrivals::Dropped),
        sweep::sweep(store.as_ref(), &patterns, range, &closed)
    )?;
    let listed = listed_keys(&late);
    let mut entries: Vec<HourEntry> =
        found.entries.into_values().filter(|entry| entry.granularity == Granularity::Hour).collect();
    entries.iter_mut().for_each(|entry| entry.retain_objects(|key| !listed.contains(key)));
    Ok(entries)
}

/// See [`Lake::closed_in`](crate::Lake::closed_in).
pub(crate) async fn closed_in(store: &Arc<dyn Store>, range: Option<HourRange>) -> Result<BTreeSet<Hour>, StoreError> {
    Ok(closed_among(&manifests::list(store, range).await?))
}

/// See [`Lake::hour`](crate::Lake::hour).
pub(crate) async fn hour(store: &Arc<dyn Store>, pattern: &Pattern, hour: Hour) -> Result<HourEntry, CatalogueError> {
    let mut entry = None;
    for (name, manifest) in manifests_of(store, hour).await? {
        match (name.late, manifest) {
            (None, manifest) => entry = Some(HourEntry::closed(manifest?)),
            (Some(_), manifest) => {
                entry.get_or_insert_with(|| HourEntry::open(hour)).add_late((name, manifest));
            }
        }
    }
    if entry.as_ref().is_none_or(|entry| !entry.closed)
        && let Some(open) = folder_of(store, pattern, hour).await?
    {
        let late = entry.unwrap_or_else(|| HourEntry::open(hour));
        let bytes = open.objects.iter().map(|object| object.bytes).sum();
        return Ok(HourEntry { objects: open.objects, messages: open.messages, bytes, ..late });
    }
    entry.ok_or_else(|| CatalogueError::HourNotFound { hour, location: store.location() })
}

/// The objects in the folder of one hour.
async fn folder_of(store: &Arc<dyn Store>, pattern: &Pattern, hour: Hour) -> Result<Option<HourEntry>, StoreError> {
    if pattern.granularity() != Granularity::Hour {
        return Ok(None);
    }
    let prefix = format!("{}/", pattern.folder_of(hour));
    let found = sweep::sweep_prefixes(store.as_ref(), &[pattern], vec![prefix], None, &BTreeSet::new()).await?;
    Ok(found.entries.into_values().find(|entry| entry.hour() == Some(hour)))
}

/// The whole manifests of one hour, the closing one before the late ones.
pub(crate) async fn manifests_of(store: &Arc<dyn Store>, hour: Hour) -> Result<Vec<Fetched>, StoreError> {
    let names = manifests::list(store, Some(HourRange::single(hour))).await?;
    manifests::fetch(store, names, Arrivals::Kept).await
}
