//! The sweep: what lies in a lake's folders, read backwards by the pattern. Objects of closed hours are passed by at once, so
//! that memory holds what is open only.
//!
//! A range is listed by what its days' or months' folders begin with, side by side, so that a few hours cost a few pages; a
//! very long range, or none, is one listing of the lake that jumps over the folders which are no partitions.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::entry::{HourEntry, ObjectRef, Slot, Unread, UnreadReason};
use crate::hour::{Hour, HourRange};
use crate::manifest::{AGENT_KEY, HOURS_PREFIX, LATE_PREFIX, REJECTS_PREFIX, epoch_ms_in_name};
use crate::pattern::{FolderSpan, FolderTime, Granularity, Pattern};
use crate::store::{List, ObjectMeta, Store, StoreError};

/// Listings at once.
const CONCURRENCY: usize = 16;
/// A range of more days than this is listed by months, and one of more months as a whole.
const MAX_PREFIXES: usize = 64;
/// 2006-01-01T00:00:00Z; the first tweet is of March 2006.
const FIRST_TWEETS_MS: i64 = 1_136_073_600_000;

/// What an object in a partition folder is, by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It holds tweets.
    Tweets,
    /// It holds messages.
    Messages,
    /// A marker, or hidden as for Hadoop: nobody reads it.
    Hidden,
    /// A file that Flume was still writing.
    Temporary,
}

/// The role of a file of this name.
pub(crate) fn role(file_name: &str) -> Role {
    if file_name.starts_with("_messages.") {
        Role::Messages
    // Hadoop's s3n left markers of folders behind.
    } else if file_name.starts_with(['_', '.']) || file_name.ends_with("_$folder$") {
        Role::Hidden
    } else if file_name.ends_with(".tmp") {
        Role::Temporary
    } else {
        Role::Tweets
    }
}

/// What a sweep found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: BTreeMap<Slot, HourEntry>,
    pub(super) unread: Unread,
}

/// Lists the folders of a range, or all of them, as the patterns name them; the first pattern that fits a folder has it.
pub(super) async fn sweep(
    store: &dyn Store,
    patterns: &[&Pattern],
    range: Option<HourRange>,
    closed: &BTreeSet<Hour>,
) -> Result<Found, StoreError> {
    sweep_prefixes(store, patterns, prefixes(patterns, range), range, closed).await
}

/// Lists what begins with the prefixes, of which none may hold another.
pub(super) async fn sweep_prefixes(
    store: &dyn Store,
    patterns: &[&Pattern],
    prefixes: Vec<String>,
    range: Option<HourRange>,
    closed: &BTreeSet<Hour>,
) -> Result<Found, StoreError> {
    let one = |prefix: String| async move {
        let mut sweeper = Sweeper { patterns, range, closed, folder: None, found: Found::default() };
        let mut list = List { prefix, ..List::default() };
        loop {
            let page = store.list(&list).await?;
            page.objects.into_iter().for_each(|object| sweeper.take(object));
            match page.next {
                Some(next) => list.after = Some(past_own_folders(next)),
                None => return Ok::<Found, StoreError>(sweeper.found),
            }
        }
    };
    let mut found = stream::iter(prefixes.into_iter().map(one))
        .buffered(CONCURRENCY)
        .try_fold(Found::default(), async |mut all, part| {
            all.unread.merge(part.unread);
            for (slot, entry) in part.entries {
                match all.entries.get_mut(&slot) {
                    None => {
                        all.entries.insert(slot, entry);
                    }
                    Some(before) => {
                        before.objects.extend(entry.objects);
                        before.messages.extend(entry.messages);
                    }
                }
            }
            Ok(all)
        })
        .await?;
    for entry in found.entries.values_mut() {
        // Numbers of one length sort as their names do; others need not.
        entry.objects.sort_by_cached_key(|object| (epoch_ms_in_name(object.key.file_name()), object.key.clone()));
    }
    Ok(found)
}

/// What the folders of a range begin with; together they name each folder once.
fn prefixes(patterns: &[&Pattern], range: Option<HourRange>) -> Vec<String> {
    let Some(range) = range else { return vec![String::new()] };
    let wanted = [day_after, month_after]
        .into_iter()
        .map(|next| pieces(patterns, range, next))
        .find(|wanted| wanted.len() <= MAX_PREFIXES)
        .unwrap_or_else(|| patterns.iter().map(|pattern| pattern.listing_prefix(&range)).collect());
    // Sorted, so a prefix stands right before what it covers.
    let mut kept: Vec<String> = Vec::with_capacity(wanted.len());
    for prefix in wanted {
        if !kept.last().is_some_and(|before| prefix.starts_with(before.as_str())) {
            kept.push(prefix);
        }
    }
    kept
}

/// What the folders of a range's days or months begin with; may end early at too many.
fn pieces(patterns: &[&Pattern], range: HourRange, next: fn(Hour) -> Hour) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for pattern in patterns {
        let mut start = range.start;
        while start < range.end && wanted.len() <= MAX_PREFIXES {
            let piece = HourRange { start, end: next(start).min(range.end) };
            if pattern.granularity() == Granularity::Day && piece.end.index() - start.index() <= 24 {
                // A zone's day may begin within one of UTC.
                wanted.extend([piece.start.start_ms(), piece.end.start_ms() - 1].map(|ms| pattern.folder_at(ms) + "/"));
            } else {
                wanted.insert(pattern.listing_prefix(&piece));
            }
            start = piece.end;
        }
    }
    wanted
}

/// The first hour of the next day.
fn day_after(hour: Hour) -> Hour {
    Hour::from_index((hour.index().div_euclid(24) + 1) * 24)
}

/// The first hour of the next month.
fn month_after(hour: Hour) -> Hour {
    let (_, month, day, _) = hour.civil();
    let mut after = Hour::from_index((hour.index().div_euclid(24) + 28 - i64::from(day.min(28)) + 1) * 24);
    while after.civil().1 == month {
        after = day_after(after);
    }
    after
}

/// Where a listing goes on: behind the folders that hold no partitions, if it has come to one.
fn past_own_folders(next: String) -> String {
    match [HOURS_PREFIX, LATE_PREFIX, REJECTS_PREFIX].into_iter().find(|own| next.starts_with(own)) {
        // Names in these folders are of letters, digits and a little more: a tilde comes after them all.
        Some(own) => next.max(format!("{own}~")),
        None => next,
    }
}

fn is_own(key: &str) -> bool {
    key == AGENT_KEY || [HOURS_PREFIX, LATE_PREFIX, REJECTS_PREFIX].iter().any(|own| key.starts_with(own))
}

/// The folder that the listing is in.
struct Folder<'a> {
    name: String,
    /// The pattern that fits, and what the name says by it.
    read: Option<(&'a Pattern, FolderTime)>,
    /// The hour of the object before: a folder of a pattern without a year may hold several.
    hour: Option<Hour>,
}

/// Where an object belongs.
enum Place {
    Hour(Hour),
    Span(FolderSpan),
    /// In a folder whose name tells no time.
    Timeless,
}

impl Folder<'_> {
    /// The place of an object; `None` where neither its folder nor its name says which year it is of.
    fn place(&mut self, object: &ObjectMeta) -> Option<Place> {
        let (pattern, time) = self.read.as_ref()?;
        let number = epoch_ms_in_name(object.key.file_name());
        // Of a folder that names its year in two digits only the century is open.
        let hint = number.or_else(|| pattern.names_year().then(|| object.modified_ms.max(FIRST_TWEETS_MS)));
        if pattern.granularity() != Granularity::Hour {
            return match (time.span_near(hint.unwrap_or(FIRST_TWEETS_MS)), hint) {
                (Some(span), Some(_)) => Some(Place::Span(span)),
                (Some(_), None) => None,
                (None, _) => Some(Place::Timeless),
            };
        }
        let hint = hint?;
        if self.hour.is_none_or(|hour| !hour.contains_ms(hint)) {
            self.hour = time.hour_near(hint);
        }
        self.hour.map(Place::Hour)
    }
}

struct Sweeper<'a> {
    patterns: &'a [&'a Pattern],
    range: Option<HourRange>,
    closed: &'a BTreeSet<Hour>,
    folder: Option<Folder<'a>>,
    found: Found,
}

impl<'a> Sweeper<'a> {
    fn take(&mut self, object: ObjectMeta) {
        let role = role(object.key.file_name());
        if role == Role::Hidden || is_own(object.key.as_str()) {
            return;
        }
        let name = object.key.folder();
        let folder = match self.folder.take() {
            Some(folder) if folder.name == name => folder,
            _ => read_folder(self.patterns, name),
        };
        let folder = self.folder.insert(folder);
        let place = if role == Role::Temporary { None } else { folder.place(&object) };
        let entry = match place {
            None => {
                let reason = match (role, &folder.read) {
                    (Role::Temporary, _) => UnreadReason::Temporary,
                    (_, None) => UnreadReason::Folder,
                    (_, Some(_)) => UnreadReason::NoYear,
                };
                return self.found.unread.add(&object.key, reason);
            }
            Some(Place::Hour(hour)) => {
                if self.closed.contains(&hour) || !self.wants(hour.start_ms(), hour.end_ms()) {
                    return;
                }
                HourEntry::open(hour)
            }
            Some(Place::Span(span)) => {
                if !self.wants(span.start_ms, span.end_ms) {
                    return;
                }
                HourEntry::of_span(&span)
            }
            Some(Place::Timeless) if self.range.is_some() => return,
            Some(Place::Timeless) => HourEntry::timeless(name),
        };
        let entry = self.found.entries.entry(entry.slot()).or_insert(entry);
        let object = ObjectRef::found(object);
        if role == Role::Messages {
            entry.messages.push(object);
        } else {
            entry.objects.push(object);
        }
    }

    fn wants(&self, start_ms: i64, end_ms: i64) -> bool {
        self.range.is_none_or(|range| start_ms < range.end.start_ms() && range.start.start_ms() < end_ms)
    }
}

fn read_folder<'a>(patterns: &[&'a Pattern], name: &str) -> Folder<'a> {
    let read = patterns.iter().find_map(|pattern| Some((*pattern, pattern.read(name)?)));
    Folder { name: name.to_owned(), read, hour: None }
}
