//! Listing a lake's hours and finding what is in them.
//!
//! A closed hour is what its manifest says and nothing else; an open one is what one sweep of the listing finds. Sits between
//! the store and everything that reads: it names objects and gives their lines, and never looks into a line. `manifests`
//! lists and fetches `_hours/`, `sweep` walks through the folders, `entry` is what comes out, `lakes` puts several lakes
//! together. It writes nothing.
//!
//! Objects in the folder of a closed hour that no manifest lists are strays: no reader sees them here, and
//! [`verify`](crate::verify) reports them.

mod entry;
#[cfg(any(test, feature = "testing"))]
pub mod fixture;
mod lakes;
mod manifests;
mod sweep;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::hour::{Hour, HourRange};
use crate::manifest::ManifestError;
use crate::pattern::{Escapes, Granularity, Pattern, PatternOptions};
use crate::read::{self, LineStream, ReadOptions, Source};
use crate::store::{ErrorKind, Key, Store, StoreError};
use entry::Slot;
use manifests::{Arrivals, Fetched};

pub use entry::{HourEntry, Listed, Listing, ManifestProblem, ObjectRef, Unread, UnreadReason};
pub use lakes::Lakes;
pub(crate) use sweep::{Role, role};

/// Why a lake could not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// Nothing in the lake is of this hour.
    #[error("there is no hour {hour} in {location}")]
    HourNotFound {
        /// The hour asked for.
        hour: Hour,
        /// The lake.
        location: String,
    },
    /// The hour's manifest cannot be trusted.
    #[error(transparent)]
    Manifest(#[from] Arc<ManifestError>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CatalogueError {
    /// What it means; a manifest that cannot be trusted counts as damage.
    pub fn kind(&self) -> ErrorKind {
        match self {
            CatalogueError::HourNotFound { .. } => ErrorKind::NotFound,
            CatalogueError::Manifest(error) => error.kind(),
            CatalogueError::Store(error) => error.kind(),
        }
    }
}

/// A store and the pattern by which its folders are named: what readers open.
///
/// Folders that Flume itself made of the same pattern are read too: `%m-%d-%h` is `11-22-05` by our rules and the day
/// folder `11-22-` by Flume's, which knows no `%h`.
#[derive(Debug, Clone)]
pub struct Lake {
    store: Arc<dyn Store>,
    pattern: Pattern,
    /// The pattern by Flume's own rules, where these make other folders of it.
    flume: Option<Pattern>,
}

impl Lake {
    /// A lake in a store. No request is made.
    pub fn new(store: Arc<dyn Store>, pattern: Pattern) -> Lake {
        let strict = PatternOptions { escapes: Escapes::Strict, allow_open: true, ..pattern.options().clone() };
        let flume = (pattern.options().escapes != Escapes::Strict)
            .then(|| Pattern::new(pattern.as_str(), &strict).ok())
            .flatten()
            .filter(|flume| flume.granularity() != Granularity::Hour && flume.folder_at(0) != pattern.folder_at(0));
        Lake { store, pattern, flume }
    }

    /// Where it is stored.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// How its folders are named.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// The hours of a range, or all of them: closed ones from their manifests, open ones and folders that are no hours from
    /// one sweep of the listing. Ordered by time. An entry that is no hour belongs to a range that it overlaps.
    ///
    /// The manifests in the entries come without their `arrivals`, which for a year would fill the memory;
    /// [`hour`](Self::hour) gives them whole. A manifest that cannot be trusted does not end the listing: its hour is left
    /// out and told in [`Listing::problems`].
    ///
    /// # Errors
    /// When the store fails.
    pub async fn hours(&self, range: Option<HourRange>) -> Result<Listing, StoreError> {
        let store = self.store.as_ref();
        let names = manifests::list(&self.store, range).await?;
        let closed: BTreeSet<Hour> = names.iter().filter(|name| name.late.is_none()).map(|name| name.hour).collect();
        let patterns: Vec<&Pattern> = std::iter::once(&self.pattern).chain(&self.flume).collect();
        let (fetched, found) = tokio::try_join!(
            manifests::fetch(&self.store, names, Arrivals::Dropped),
            sweep::sweep(store, &patterns, range, &closed)
        )?;
        let mut listing = Listing { unread: found.unread, ..Listing::default() };
        let mut entries = found.entries;
        let listed: HashSet<&Key> = fetched
            .iter()
            .filter_map(|(_, manifest)| manifest.as_ref().ok())
            .flat_map(|manifest| manifest.objects.iter().chain(&manifest.messages).map(|object| &object.key))
            .collect();
        entries.retain(|_, entry| {
            entry.objects.retain(|object| !listed.contains(&object.key));
            entry.messages.retain(|object| !listed.contains(&object.key));
            entry.bytes = entry.objects.iter().map(|object| object.bytes).sum();
            !entry.objects.is_empty() || !entry.messages.is_empty()
        });
        // By name, so that an hour's own manifest comes before its late ones.
        let mut damaged = BTreeSet::new();
        for (name, manifest) in fetched {
            if let Err(error) = &manifest {
                listing.problems.push(ManifestProblem { name, error: Arc::clone(error) });
            }
            let slot = Slot::of_hour(name.hour);
            match (name.late, manifest) {
                (None, Ok(manifest)) => {
                    entries.insert(slot, HourEntry::closed(manifest));
                }
                (None, Err(_)) => {
                    damaged.insert(name.hour);
                }
                (Some(_), manifest) if !damaged.contains(&name.hour) => {
                    let entry = entries.entry(slot).or_insert_with(|| HourEntry::open(name.hour));
                    entry.add_late((name, manifest));
                }
                (Some(_), _) => {}
            }
        }
        listing.entries = entries.into_values().collect();
        Ok(listing)
    }

    /// The open hours of a range, or all of them, with the objects that no manifest lists, from one sweep of the listing.
    /// Ordered by time. Manifests of closed hours are not fetched.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open_hours(&self, range: Option<HourRange>) -> Result<Vec<HourEntry>, StoreError> {
        let names = manifests::list(&self.store, range).await?;
        let closed: BTreeSet<Hour> = names.iter().filter(|name| name.late.is_none()).map(|name| name.hour).collect();
        let patterns = [&self.pattern];
        let of_open = names.into_iter().filter(|name| !closed.contains(&name.hour)).collect();
        let (late, found) = tokio::try_join!(
            manifests::fetch(&self.store, of_open, Arrivals::Dropped),
            sweep::sweep(self.store.as_ref(), &patterns, range, &closed)
        )?;
        let listed: HashSet<&Key> = late
            .iter()
            .filter_map(|(_, manifest)| manifest.as_ref().ok())
            .flat_map(|manifest| manifest.objects.iter().chain(&manifest.messages).map(|object| &object.key))
            .collect();
        let mut entries: Vec<HourEntry> =
            found.entries.into_values().filter(|entry| entry.granularity == Granularity::Hour).collect();
        for entry in &mut entries {
            entry.objects.retain(|object| !listed.contains(&object.key));
            entry.messages.retain(|object| !listed.contains(&object.key));
        }
        Ok(entries)
    }

    /// The closed ones among some hours. Only lists `_hours/`, and of it only the pages on which they would stand: a
    /// manifest that cannot be trusted counts, since its hour will not change any more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn closed(&self, hours: &BTreeSet<Hour>) -> Result<BTreeSet<Hour>, StoreError> {
        let (Some(first), Some(last)) = (hours.first(), hours.last()) else { return Ok(BTreeSet::new()) };
        let closed = self.closed_in(Some(HourRange { start: *first, end: last.next() })).await?;
        Ok(&closed & hours)
    }

    /// The closed hours of a range, or all of them; as [`closed`](Self::closed).
    ///
    /// # Errors
    /// When the store fails.
    pub async fn closed_in(&self, range: Option<HourRange>) -> Result<BTreeSet<Hour>, StoreError> {
        let names = manifests::list(&self.store, range).await?;
        Ok(names.into_iter().filter(|name| name.late.is_none()).map(|name| name.hour).collect())
    }

    /// One hour, without a sweep: its manifest, or else its folder.
    ///
    /// # Errors
    /// [`CatalogueError::HourNotFound`] when there is nothing of it, [`CatalogueError::Manifest`] when its manifest cannot be
    /// trusted. A damaged late manifest shows only when the late tweets are read.
    pub async fn hour(&self, hour: Hour) -> Result<HourEntry, CatalogueError> {
        let mut entry = None;
        for (name, manifest) in self.fetch(hour).await? {
            match (name.late, manifest) {
                (None, manifest) => entry = Some(HourEntry::closed(manifest?)),
                (Some(_), manifest) => {
                    entry.get_or_insert_with(|| HourEntry::open(hour)).add_late((name, manifest));
                }
            }
        }
        if entry.as_ref().is_none_or(|entry| !entry.closed)
            && let Some(open) = self.open_hour(hour).await?
        {
            let late = entry.unwrap_or_else(|| HourEntry::open(hour));
            let bytes = open.objects.iter().map(|object| object.bytes).sum();
            return Ok(HourEntry { objects: open.objects, messages: open.messages, bytes, ..late });
        }
        entry.ok_or_else(|| CatalogueError::HourNotFound { hour, location: self.store.location() })
    }

    async fn open_hour(&self, hour: Hour) -> Result<Option<HourEntry>, StoreError> {
        if self.pattern.granularity() != Granularity::Hour {
            return Ok(None);
        }
        let prefix = format!("{}/", self.pattern.folder_of(hour));
        let store = self.store.as_ref();
        let found = sweep::sweep_prefixes(store, &[&self.pattern], vec![prefix], None, &BTreeSet::new()).await?;
        Ok(found.entries.into_values().find(|entry| entry.hour() == Some(hour)))
    }

    /// The manifests of one hour, whole, its own before its late ones.
    pub(crate) async fn fetch(&self, hour: Hour) -> Result<Vec<Fetched>, StoreError> {
        let names = manifests::list(&self.store, Some(HourRange::single(hour))).await?;
        manifests::fetch(&self.store, names, Arrivals::Kept).await
    }

    /// What is to be read of an entry of this lake: its objects, or with `late` those of its late tweets instead. Several
    /// entries' may be read one after the other in one go.
    pub fn sources(&self, entry: &HourEntry, late: bool) -> Vec<Source> {
        entry::sources(entry, late, |_| Arc::clone(&self.store))
    }

    /// The lines of an entry of this lake, object after object; with `late` those of its late tweets instead.
    ///
    /// # Errors
    /// The stream ends with its first error, see [`read::lines`].
    pub fn lines(&self, entry: &HourEntry, late: bool, options: &ReadOptions) -> LineStream {
        read::lines(self.sources(entry, late), options)
    }
}
