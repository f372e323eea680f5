//! Several lakes read as one: each agent writes a lake of its own, and readers combine them. An hour is closed when it
//! is closed in every lake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};

use crate::catalogue::{CatalogueError, HourEntry, Listing, SortKey};
use crate::hour::{Hour, HourRange};
use crate::lake::Lake;
use crate::object::Source;
use crate::read::{self, LineStream, ReadOptions};
use crate::store::StoreError;

/// Lakes that are read as one; often there is only one.
#[derive(Debug, Clone)]
pub struct Lakes(Vec<Lake>);

impl From<Lake> for Lakes {
    fn from(lake: Lake) -> Lakes {
        Lakes(vec![lake])
    }
}

impl Lakes {
    /// Combines lakes, in the order of [`LakeObject::lake`](crate::catalogue::LakeObject::lake). Without lakes every
    /// listing is empty.
    pub fn new(lakes: Vec<Lake>) -> Lakes {
        Lakes(lakes)
    }

    /// The lakes, in order.
    pub fn lakes(&self) -> &[Lake] {
        &self.0
    }

    /// Their locations, for messages.
    pub fn location(&self) -> String {
        self.0.iter().map(|lake| lake.store().location()).collect::<Vec<_>>().join(", ")
    }

    /// As [`Lake::hours`], with the entries of one time and name merged. If one lake fails to list an hour because its
    /// manifest is invalid, the hour is left out: readers would take the rest for the whole.
    ///
    /// # Errors
    /// When one of the stores fails.
    pub async fn hours(&self, range: Option<HourRange>) -> Result<Listing, StoreError> {
        let listings = try_join_all(self.0.iter().map(|lake| lake.hours(range))).await?;
        let mut merged = Merger::default();
        let mut all = Listing::default();
        for (lake, listing) in listings.into_iter().enumerate() {
            listing.entries.into_iter().for_each(|entry| merged.add(lake, entry));
            all.problems.extend(listing.problems);
            all.unread.merge(listing.unread);
        }
        all.entries = merged.finish(self.0.len());
        let closing = all.problems.iter().filter(|problem| problem.name.late.is_none());
        let damaged: BTreeSet<Hour> = closing.map(|problem| problem.name.hour).collect();
        all.entries.retain(|entry| entry.hour().is_none_or(|hour| !damaged.contains(&hour)));
        Ok(all)
    }

    /// As [`Lake::closed`]: the hours that are closed in every lake.
    ///
    /// # Errors
    /// When one of the stores fails.
    pub async fn closed(&self, hours: &BTreeSet<Hour>) -> Result<BTreeSet<Hour>, StoreError> {
        let closed = try_join_all(self.0.iter().map(|lake| lake.closed(hours))).await?;
        Ok(closed.into_iter().reduce(|all, one| &all & &one).unwrap_or_default())
    }

    /// As [`Lake::closed_in`]: the hours that are closed in every lake.
    ///
    /// # Errors
    /// When one of the stores fails.
    pub async fn closed_in(&self, range: Option<HourRange>) -> Result<BTreeSet<Hour>, StoreError> {
        let closed = try_join_all(self.0.iter().map(|lake| lake.closed_in(range))).await?;
        Ok(closed.into_iter().reduce(|all, one| &all & &one).unwrap_or_default())
    }

    /// As [`Lake::hour`].
    ///
    /// # Errors
    /// [`CatalogueError::HourNotFound`] when no lake has anything of it, otherwise the first error of any lake.
    pub async fn hour(&self, hour: Hour) -> Result<HourEntry, CatalogueError> {
        let mut merged = Merger::default();
        for (lake, entry) in join_all(self.0.iter().map(|lake| lake.hour(hour))).await.into_iter().enumerate() {
            match entry {
                Ok(entry) => merged.add(lake, entry),
                Err(CatalogueError::HourNotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let entry = merged.finish(self.0.len()).pop();
        entry.ok_or_else(|| CatalogueError::HourNotFound { hour, location: self.location() })
    }

    /// As [`Lake::sources`], for entries of these lakes.
    pub fn sources(&self, entry: &HourEntry, late: bool) -> Vec<Source> {
        entry.sources(late, |object| Arc::clone(self.0[object.lake].store()))
    }

    /// As [`Lake::lines`], for entries of these lakes.
    ///
    /// # Errors
    /// The stream ends with its first error, see [`read::lines`].
    pub fn lines(&self, entry: &HourEntry, late: bool, options: &ReadOptions) -> LineStream {
        read::lines(self.sources(entry, late), options)
    }
}

/// Merges the entries of several lakes, and counts the lakes that have closed each.
#[derive(Default)]
struct Merger {
    entries: BTreeMap<SortKey, (HourEntry, usize)>,
}

impl Merger {
    fn add(&mut self, lake: usize, mut entry: HourEntry) {
        for object in entry.objects.iter_mut().chain(&mut entry.messages).chain(&mut entry.late_objects) {
            object.lake = lake;
        }
        let closed = usize::from(entry.closed);
        match self.entries.get_mut(&entry.sort_key()) {
            None => {
                self.entries.insert(entry.sort_key(), (entry, closed));
            }
            Some((merged, closed_in)) => {
                *closed_in += closed;
                merged.merge(entry);
            }
        }
    }

    fn finish(self, lakes: usize) -> Vec<HourEntry> {
        let finished = |(mut entry, closed_in): (HourEntry, usize)| {
            entry.closed = closed_in == lakes;
            if !entry.closed {
                entry.tweets = None;
            }
            entry
        };
        self.entries.into_values().map(finished).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::fixture::{manifest, pattern, put_manifest};
    use crate::pattern::Escapes;
    use crate::store::memory::MemoryStore;

    #[tokio::test]
    async fn rejects_messages_and_what_was_left_out_are_summed_over_lakes_and_late_manifests() {
        let hour: Hour = "2026-11-22T05".parse().expect("an hour");
        let mut lakes = Vec::new();
        for (rejects, late_rejects) in [(1, 2), (4, 0)] {
            let store = Arc::new(MemoryStore::new());
            let mut own = manifest(hour, Vec::new());
            own.rejects = rejects;
            own.undelivered = 10 * rejects;
            own.message_counts = [("delete".to_owned(), rejects)].into();
            put_manifest(store.as_ref(), &own, None).await;
            let mut late = manifest(hour, Vec::new());
            late.rejects = late_rejects;
            late.message_counts = [("limit".to_owned(), 1)].into();
            put_manifest(store.as_ref(), &late, Some(1)).await;
            lakes.push(Lake::new(store, pattern("%m-%d-%h", Escapes::Cauce)));
        }
        let entry = Lakes::new(lakes).hour(hour).await.expect("it is there");
        assert_eq!((entry.rejects, entry.undelivered), (7, 50));
        assert_eq!(entry.message_counts, [("delete".to_owned(), 5), ("limit".to_owned(), 2)].into());
    }
}
