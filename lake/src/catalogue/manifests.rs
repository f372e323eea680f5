//! Lists and fetches a lake's manifests: `_hours/` by range of names, with concurrent pages where there are many, and
//! then many manifests at once.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::hour::{Hour, HourRange};
use crate::manifest::{Manifest, ManifestError};
use crate::names::{HOURS_PREFIX, ManifestName};
use crate::store::{ErrorKind, List, Reach, Store, StoreError};

/// Manifests fetched at once. They are small, so latency dominates.
const CONCURRENCY: usize = 32;
/// Manifests fetched at once at first, since each request takes a connection of its own: a nearby store delivers a
/// day's manifests before two dozen more connections are open.
const FEW: usize = 4;
/// A store that has not delivered all manifests by then is distant.
const NEAR: Duration = Duration::from_millis(5);
/// Hours whose manifests fill a page of a thousand names, with room for a few late ones.
const HOURS_IN_PAGE: i64 = 990;
/// The most pages requested at once, after the first one.
const PAGES: i64 = 8;
/// Pages requested at once at first if the range has no end; the number doubles. Pages after the end are wasted.
const FIRST_PAGES: i64 = 2;

/// Whether to keep the `arrivals` of objects, some 50 KB per hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrivals {
    Kept,
    Dropped,
}

/// A manifest, or why it cannot be trusted.
pub(crate) type Fetched = (ManifestName, Result<Manifest, Arc<ManifestError>>);

/// The names of a range's manifests, those of an hour with the closing one first. Names sort like hours, so only the
/// pages of the range are requested.
pub(super) async fn list(store: &Arc<dyn Store>, range: Option<HourRange>) -> Result<Vec<ManifestName>, StoreError> {
    let end = range.map(|range| range.end);
    let first = match range {
        Some(range) if range.start.next() == range.end => {
            let prefix = format!("{HOURS_PREFIX}{}.", range.start);
            List { prefix, ..List::default() }
        }
        _ => behind(range.map(|range| before(range.start))),
    };
    let mut all = Vec::new();
    let mut page = one_page(store.as_ref(), first, end).await?;
    let mut pages = if range.is_some() { PAGES } else { FIRST_PAGES };
    // A full page means that the lake is dense here, so the next pages are requested concurrently, by the hours that
    // they would begin with. The last of them is unbounded, to skip over a time without closed hours.
    while let Some(next) = page.next {
        let last = page.names.last().map(|name| name.hour.index());
        all.append(&mut page.names);
        let borders: Vec<Hour> = last
            .iter()
            .flat_map(|last| (1..pages).map(move |n| Hour::from_index(last + n * HOURS_IN_PAGE)))
            .take_while(|border| end.is_none_or(|end| *border < end))
            .collect();
        let starts = std::iter::once(next.clone()).chain(borders.iter().copied().map(before));
        let pieces = starts.zip(&borders).map(|(start, border)| {
            let pages = all_pages(Arc::clone(store), start, *border);
            on_its_own(pages, || format!("list {HOURS_PREFIX}"))
        });
        let open = behind(Some(borders.last().copied().map_or(next.clone(), before)));
        let (pieces, open) = tokio::try_join!(try_join_all(pieces), one_page(store.as_ref(), open, end))?;
        all.extend(pieces.into_iter().flatten());
        page = open;
        pages = (pages * 2).min(PAGES);
    }
    all.append(&mut page.names);
    // The listing has `late-10` before `late-2`.
    all.sort_unstable();
    Ok(all)
}

/// Sorts right before the names of the hour's manifests.
fn before(hour: Hour) -> String {
    format!("{HOURS_PREFIX}{hour}")
}

fn behind(after: Option<String>) -> List {
    List { prefix: HOURS_PREFIX.to_owned(), after, folders: false }
}

struct Page {
    names: Vec<ManifestName>,
    /// Where to continue the listing, unless it has reached its end.
    next: Option<String>,
}

async fn one_page(store: &dyn Store, list: List, end: Option<Hour>) -> Result<Page, StoreError> {
    let page = store.list(&list).await?;
    let mut names: Vec<_> = page.objects.iter().filter_map(|object| ManifestName::parse(object.key.as_str())).collect();
    let is_past = end.is_some_and(|end| names.last().is_some_and(|last| last.hour >= end));
    names.retain(|name| end.is_none_or(|end| name.hour < end));
    Ok(Page { names, next: page.next.filter(|_| !is_past) })
}

async fn all_pages(store: Arc<dyn Store>, after: String, end: Hour) -> Result<Vec<ManifestName>, StoreError> {
    let mut all = Vec::new();
    let mut after = Some(after);
    while after.is_some() {
        let mut page = one_page(store.as_ref(), behind(after), Some(end)).await?;
        all.append(&mut page.names);
        after = page.next;
    }
    Ok(all)
}

/// Fetches manifests, a bounded number at once, in the order of their names. One that has been deleted since the
/// listing is left out. One that the store does not deliver, such as an archived one, fails its hour alone; if access is
/// denied to all of them, the store's error is returned.
pub(super) async fn fetch(
    store: &Arc<dyn Store>,
    names: Vec<ManifestName>,
    arrivals: Arrivals,
) -> Result<Vec<Fetched>, StoreError> {
    let room = Arc::new(Semaphore::new(FEW));
    let one = |name: ManifestName| {
        let (store, room) = (Arc::clone(store), Arc::clone(&room));
        let fetching = async move {
            let _permit = room.acquire().await.expect("the semaphore is never closed");
            fetch_one(store, name, arrivals).await
        };
        on_its_own(fetching, move || format!("read {}", name.key()))
    };
    let mut fetching = pin!(stream::iter(names.into_iter().map(one)).buffered(CONCURRENCY).try_collect());
    let fetched: Vec<Option<Fetched>> = match timeout(NEAR, &mut fetching).await {
        Ok(fetched) => fetched?,
        Err(_) => {
            room.add_permits(CONCURRENCY - FEW);
            fetching.await?
        }
    };
    let mut fetched: Vec<Fetched> = fetched.into_iter().flatten().collect();
    let is_denied =
        |(_, manifest): &Fetched| manifest.as_ref().is_err_and(|error| error.kind() == ErrorKind::AccessDenied);
    if fetched.iter().all(|(_, manifest)| manifest.is_err())
        && let Some(denied) = fetched.iter().position(is_denied)
        && let Err(error) = fetched.swap_remove(denied).1
        && let Some(ManifestError::Unreadable(error)) = Arc::into_inner(error)
    {
        return Err(error);
    }
    Ok(fetched)
}

/// Runs work in a task of its own, which is cancelled with the returned future: signing requests and parsing XML and
/// JSON take CPU time, and there may be thousands of manifests.
fn on_its_own<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    action: impl FnOnce() -> String,
) -> impl Future<Output = Result<T, StoreError>> {
    let task = AbortOnDropHandle::new(tokio::spawn(work));
    async move {
        match task.await {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(StoreError::new(ErrorKind::Io, action(), "the runtime is shutting down")),
        }
    }
}

async fn fetch_one(
    store: Arc<dyn Store>,
    name: ManifestName,
    arrivals: Arrivals,
) -> Result<Option<Fetched>, StoreError> {
    let key = name.key();
    let bytes = match store.get(&key).await {
        Ok((bytes, _)) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind().reach() == Reach::Object => {
            return Ok(Some((name, Err(Arc::new(ManifestError::Unreadable(error))))));
        }
        Err(error) => return Err(error),
    };
    let mut manifest = Manifest::from_bytes(&key, &bytes).map_err(Arc::new);
    if let (Ok(manifest), Arrivals::Dropped) = (&mut manifest, arrivals) {
        for object in manifest.objects.iter_mut().chain(&mut manifest.messages) {
            object.arrivals = Vec::new();
        }
    }
    Ok(Some((name, manifest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::fixture::{manifest, put, put_manifest};
    use crate::store::memory::{Call, Fault, MemoryStore};

    /// Names over more than a page: dense ones, some with late manifests, a hole, and dense ones again.
    fn many() -> Vec<ManifestName> {
        let hours = (0..2600).chain(40_000..42_500).map(|n| Hour::from_index(480_000 + n));
        let late = |hour: Hour| if hour.index() % 7 == 0 { 12 } else { 0 };
        hours
            .flat_map(|hour| (0..=late(hour)).map(move |n| ManifestName { hour, late: (n > 0).then_some(n) }))
            .collect()
    }

    async fn lake_of(names: &[ManifestName]) -> Arc<MemoryStore> {
        let store = Arc::new(MemoryStore::new());
        for name in names {
            put(store.as_ref(), name.key().as_str(), "").await;
        }
        for foreign in ["_hours/", "_hours/2024", "_hours/2024-10-01T00.json.bak", "_hours/x", "_hours/~"] {
            put(store.as_ref(), &format!("{foreign}z"), "").await;
        }
        store
    }

    #[tokio::test]
    async fn a_store_that_is_far_is_asked_for_many_manifests_at_once() {
        let names: Vec<_> = many().into_iter().take(2 * CONCURRENCY).collect();
        let store = lake_of(&names).await;
        let gate = store.hold(Call::Get, HOURS_PREFIX);
        let store: Arc<dyn Store> = store;
        let fetching = async { fetch(&store, names.clone(), Arrivals::Kept).await };
        let asking = async {
            // None of them is answered before all of them are asked for.
            for _ in 0..CONCURRENCY {
                gate.arrival().await;
            }
            gate.open();
        };
        let (fetched, ()) = tokio::join!(fetching, asking);
        let fetched: Vec<_> = fetched.expect("it answers").into_iter().map(|(name, _)| name).collect();
        assert_eq!(fetched, names);
    }

    #[tokio::test]
    async fn a_manifest_that_the_store_does_not_give_is_the_trouble_of_its_hour_alone() {
        let names: Vec<_> = (480_000..480_005).map(|n| ManifestName::closing(Hour::from_index(n))).collect();
        for kind in [ErrorKind::Archived, ErrorKind::AccessDenied] {
            let store = Arc::new(MemoryStore::new());
            for name in &names {
                put_manifest(store.as_ref(), &manifest(name.hour, Vec::new()), None).await;
            }
            store.inject(Call::Get, names[2].key().as_str(), 0, usize::MAX, Fault::Fail(kind));
            let lake: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
            let fetched = fetch(&lake, names.clone(), Arrivals::Kept).await.expect("the others are read");
            for (name, manifest) in fetched {
                assert_eq!(manifest.err().map(|error| error.kind()), (name == names[2]).then_some(kind), "{name:?}");
            }
            // Where none is given, it is no single hour.
            store.inject(Call::Get, HOURS_PREFIX, 0, usize::MAX, Fault::Fail(kind));
            let fetched = fetch(&lake, names.clone(), Arrivals::Kept).await;
            assert_eq!(fetched.is_err(), kind == ErrorKind::AccessDenied, "{fetched:?}");
        }
    }

    #[tokio::test]
    async fn pages_side_by_side_name_each_manifest_of_the_range_once_and_in_order() {
        let all = many();
        let store: Arc<dyn Store> = lake_of(&all).await;
        assert_eq!(list(&store, None).await.expect("listed"), all);
        for (start, end) in
            [(0, 2600), (5, 2000), (1000, 1001), (2590, 40_010), (0, 100_000), (3000, 3500), (41_000, 60_000)]
        {
            let [start, end] = [start, end].map(|n| Hour::from_index(480_000 + n));
            let range = HourRange { start, end };
            let wanted: Vec<_> = all.iter().copied().filter(|name| range.contains(name.hour)).collect();
            assert_eq!(list(&store, Some(range)).await.expect("listed"), wanted, "{range}");
        }
    }

    #[tokio::test]
    async fn a_year_takes_its_nine_pages_and_no_more() {
        let hours = (0..8760).map(|n| ManifestName::closing(Hour::from_index(490_896 + n)));
        let all: Vec<_> = hours.collect();
        let store = lake_of(&all).await;
        let before = store.count(Call::List, "");
        let lake: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
        let range = HourRange { start: all[0].hour, end: all[8759].hour.next() };
        assert_eq!(list(&lake, Some(range)).await.expect("listed").len(), 8760);
        assert_eq!(store.count(Call::List, "") - before, 9);
    }
}
