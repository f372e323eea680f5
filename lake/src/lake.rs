//! One lake, as readers open it: lists its hours with [`catalogue`](crate::catalogue) and reads them with
//! [`read`](crate::read).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalogue::{self, CatalogueError, HourEntry, Listing};
use crate::hour::{Hour, HourRange};
use crate::object::Source;
use crate::pattern::{Escapes, Granularity, Pattern, PatternOptions};
use crate::read::{self, LineStream, ReadOptions};
use crate::store::{Store, StoreError};

/// A store, and the pattern that names its folders.
///
/// Folders that Flume made of the same pattern are read, too: `%m-%d-%h` gives `11-22-05` by our rules and the day
/// folder `11-22-` by Flume's, which has no `%h`.
#[derive(Debug, Clone)]
pub struct Lake {
    store: Arc<dyn Store>,
    pattern: Pattern,
    /// The pattern by Flume's rules, where these give other folders.
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

    /// The store that contains it.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The pattern of its folders.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Lists the hours of a range, or all of them, ordered by time: closed ones from their manifests, open ones and
    /// folders that are not hours from one sweep. A folder that is not an hour belongs to every range that it overlaps.
    ///
    /// The manifests in the entries have no `arrivals`, which for a year would fill the memory; [`hour`](Self::hour)
    /// returns them. An invalid manifest does not fail the listing: its hour is left out and reported in
    /// [`Listing::problems`].
    ///
    /// # Errors
    /// When the store fails.
    pub async fn hours(&self, range: Option<HourRange>) -> Result<Listing, StoreError> {
        let patterns: Vec<&Pattern> = std::iter::once(&self.pattern).chain(&self.flume).collect();
        catalogue::hours(&self.store, &patterns, range).await
    }

    /// Lists the open hours of a range, or all of them, ordered by time, with the objects that no manifest lists.
    /// Manifests of closed hours are not fetched.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open_hours(&self, range: Option<HourRange>) -> Result<Vec<HourEntry>, StoreError> {
        catalogue::open_hours(&self.store, &self.pattern, range).await
    }

    /// The closed ones among some hours. Lists only `_hours/`, and only the pages with these hours. An hour with an
    /// invalid manifest counts as closed, since it will not change any more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn closed(&self, hours: &BTreeSet<Hour>) -> Result<BTreeSet<Hour>, StoreError> {
        let (Some(first), Some(last)) = (hours.first(), hours.last()) else { return Ok(BTreeSet::new()) };
        let closed = self.closed_in(Some(HourRange { start: *first, end: last.next() })).await?;
        Ok(&closed & hours)
    }

    /// The closed hours of a range, or all of them; otherwise as [`closed`](Self::closed).
    ///
    /// # Errors
    /// When the store fails.
    pub async fn closed_in(&self, range: Option<HourRange>) -> Result<BTreeSet<Hour>, StoreError> {
        catalogue::closed_in(&self.store, range).await
    }

    /// One hour, from its manifest or else from its folder, without a sweep.
    ///
    /// # Errors
    /// [`CatalogueError::HourNotFound`] when there is nothing of it, [`CatalogueError::Manifest`] when its manifest is
    /// invalid. An invalid late manifest is an error only when the late tweets are read.
    pub async fn hour(&self, hour: Hour) -> Result<HourEntry, CatalogueError> {
        catalogue::hour(&self.store, &self.pattern, hour).await
    }

    /// The objects of an entry of this lake as sources to read; with `late` those of its late tweets instead. The
    /// sources of several entries can be concatenated.
    pub fn sources(&self, entry: &HourEntry, late: bool) -> Vec<Source> {
        entry.sources(late, |_| Arc::clone(&self.store))
    }

    /// Streams the lines of an entry of this lake; with `late` those of its late tweets instead.
    ///
    /// # Errors
    /// The stream ends with its first error, see [`read::lines`].
    pub fn lines(&self, entry: &HourEntry, late: bool, options: &ReadOptions) -> LineStream {
        read::lines(self.sources(entry, late), options)
    }
}
