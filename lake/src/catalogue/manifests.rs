//! Which manifests a lake has, and their content: `_hours/` listed by name range and fetched many at a time.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::hour::HourRange;
use crate::manifest::{HOURS_PREFIX, Manifest, ManifestError, ManifestName};
use crate::store::{ErrorKind, List, Store, StoreError};

/// Manifests are small: what counts is the way there and back, not the bytes.
const CONCURRENCY: usize = 32;

/// Whether the `arrivals` of objects are wanted: some 50 KB an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrivals {
    Kept,
    Dropped,
}

/// A manifest, or why it cannot be trusted.
pub(crate) type Fetched = (ManifestName, Result<Manifest, Arc<ManifestError>>);

/// The names of a range's manifests, an hour's own one before its late ones. Names sort as hours do, so only the pages of
/// the range are asked for.
pub(super) async fn list(store: &dyn Store, range: Option<HourRange>) -> Result<Vec<ManifestName>, StoreError> {
    // No manifest has just this name, and those of the range's first hour come after it.
    let after = range.map(|range| format!("{HOURS_PREFIX}{}", range.start));
    let mut list = List { prefix: HOURS_PREFIX.to_owned(), after, folders: false };
    if let Some(range) = range.filter(|range| range.start.next() == range.end) {
        list.prefix = format!("{HOURS_PREFIX}{}.", range.start);
    }
    let mut names = Vec::new();
    loop {
        let page = store.list(&list).await?;
        let found = page.objects.iter().filter_map(|object| ManifestName::parse(object.key.as_str()));
        names.extend(found.filter(|name| range.is_none_or(|range| range.contains(name.hour))));
        let past = range.is_some_and(|range| {
            let last = page.objects.iter().rev().find_map(|object| ManifestName::parse(object.key.as_str()));
            last.is_some_and(|last| last.hour >= range.end)
        });
        match page.next {
            Some(next) if !past => list.after = Some(next),
            _ => break,
        }
    }
    // `late-10` is listed before `late-2`.
    names.sort_unstable();
    Ok(names)
}

/// Fetches manifests, a bounded number at a time, in the order of their names. One that was taken away since it was listed
/// is left out.
pub(super) async fn fetch(
    store: &dyn Store,
    names: Vec<ManifestName>,
    arrivals: Arrivals,
) -> Result<Vec<Fetched>, StoreError> {
    let one = |name: ManifestName| async move {
        let key = name.key();
        let bytes = match store.get(&key).await {
            Ok((bytes, _)) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut manifest = Manifest::from_bytes(&key, &bytes).map_err(Arc::new);
        if let (Ok(manifest), Arrivals::Dropped) = (&mut manifest, arrivals) {
            for object in manifest.objects.iter_mut().chain(&mut manifest.messages) {
                object.arrivals = Vec::new();
            }
        }
        Ok(Some((name, manifest)))
    };
    let fetched: Vec<Option<Fetched>> =
        stream::iter(names.into_iter().map(one)).buffered(CONCURRENCY).try_collect().await?;
    Ok(fetched.into_iter().flatten().collect())
}
