//! The sweep: lists the objects in a lake's folders and parses the folders' names by the pattern. Objects of closed
//! hours are dropped at once, so memory holds only what is open.
//!
//! A range is listed by the prefixes of its days or months, concurrently, so that a few hours take a few pages. A very
//! long range, or none, is one listing of the whole lake that skips the lake's own folders.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::entry::{HourEntry, SortKey, Unread, UnreadReason};
use crate::hour::{Hour, HourRange};
use crate::names::{AGENT_KEY, HOURS_PREFIX, LATE_PREFIX, REJECTS_PREFIX, epoch_ms_in_name};
use crate::object::ObjectRef;
use crate::pattern::{FolderSpan, FolderTime, Granularity, Pattern};
use crate::store::{List, ObjectMeta, Store, StoreError};

/// Concurrent listings.
const CONCURRENCY: usize = 16;
/// A range of more days is listed by months, and one of more months as a whole.
const MAX_PREFIXES: usize = 64;
/// 2006-01-01T00:00:00Z; the first tweet was posted in March 2006.
const FIRST_TWEETS_MS: i64 = 1_136_073_600_000;

/// The role of an object in a partition folder, by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It holds tweets.
    Tweets,
    /// It holds messages.
    Messages,
    /// Ignored by readers: a marker, or hidden by Hadoop's convention.
    Hidden,
    /// A file that Flume is still writing.
    Temporary,
}

/// The role of a file of this name.
pub(crate) fn role(file_name: &str) -> Role {
    if file_name.starts_with("_messages.") {
        Role::Messages
    // Hadoop's s3n wrote such markers for folders.
    } else if file_name.starts_with(['_', '.']) || file_name.ends_with("_$folder$") {
        Role::Hidden
    } else if file_name.ends_with(".tmp") {
        Role::Temporary
    } else {
        Role::Tweets
    }
}

/// The result of a sweep.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: BTreeMap<SortKey, HourEntry>,
    pub(super) unread: Unread,
}

/// Lists the folders of a range, or all of them. The first pattern that matches a folder applies.
pub(super) async fn sweep(
    store: &dyn Store,
    patterns: &[&Pattern],
    range: Option<HourRange>,
    closed: &BTreeSet<Hour>,
) -> Result<Found, StoreError> {
    sweep_prefixes(store, patterns, prefixes(patterns, range), range, closed).await
}

/// Lists the objects with these prefixes, of which none may include another.
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
            for (key, entry) in part.entries {
                match all.entries.get_mut(&key) {
                    None => {
                        all.entries.insert(key, entry);
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
        // Only numbers of equal length sort like their names.
        entry.objects.sort_by_cached_key(|object| (epoch_ms_in_name(object.key.file_name()), object.key.clone()));
    }
    Ok(found)
}

/// The prefixes that cover the folders of a range, each folder once.
fn prefixes(patterns: &[&Pattern], range: Option<HourRange>) -> Vec<String> {
    let Some(range) = range else { return vec![String::new()] };
    let wanted = [day_after, month_after]
        .into_iter()
        .map(|next| pieces(patterns, range, next))
        .find(|wanted| wanted.len() <= MAX_PREFIXES)
        .unwrap_or_else(|| patterns.iter().map(|pattern| pattern.listing_prefix(&range)).collect());
    // In sorted order a prefix precedes everything it covers.
    let mut kept: Vec<String> = Vec::with_capacity(wanted.len());
    for prefix in wanted {
        if !kept.last().is_some_and(|before| prefix.starts_with(before.as_str())) {
            kept.push(prefix);
        }
    }
    kept
}

/// The prefixes of a range's days or months; may stop early above [`MAX_PREFIXES`].
fn pieces(patterns: &[&Pattern], range: HourRange, next: fn(Hour) -> Hour) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for pattern in patterns {
        let mut start = range.start;
        while start < range.end && wanted.len() <= MAX_PREFIXES {
            let piece = HourRange { start, end: next(start).min(range.end) };
            if pattern.granularity() == Granularity::Day && piece.end.index() - start.index() <= 24 {
                // A day in the pattern's zone may begin within a day of UTC.
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

/// Where to continue a listing: after the lake's own folders, if it has reached one.
fn past_own_folders(next: String) -> String {
    match [HOURS_PREFIX, LATE_PREFIX, REJECTS_PREFIX].into_iter().find(|own| next.starts_with(own)) {
        // All names in these folders sort before a tilde.
        Some(own) => next.max(format!("{own}~")),
        None => next,
    }
}

fn is_own(key: &str) -> bool {
    key == AGENT_KEY || [HOURS_PREFIX, LATE_PREFIX, REJECTS_PREFIX].iter().any(|own| key.starts_with(own))
}

/// The folder that the listing has reached.
struct Folder<'a> {
    name: String,
    /// The first pattern that matches, and the time in the folder's name.
    read: Option<(&'a Pattern, FolderTime)>,
    /// The hour of the previous object: a folder without a year may contain objects of several.
    hour: Option<Hour>,
}

/// The entry that an object belongs to.
enum Assignment {
    Hour(Hour),
    Span(FolderSpan),
    /// A folder whose name contains no time.
    Timeless,
}

impl Folder<'_> {
    /// The entry of an object; `None` if neither its folder nor its name determines the year.
    fn assign(&mut self, object: &ObjectMeta) -> Option<Assignment> {
        let (pattern, time) = self.read.as_ref()?;
        let number = epoch_ms_in_name(object.key.file_name());
        // In a folder with a two-digit year only the century is unknown.
        let hint = number.or_else(|| pattern.names_year().then(|| object.modified_ms.max(FIRST_TWEETS_MS)));
        if pattern.granularity() != Granularity::Hour {
            return match (time.span_near(hint.unwrap_or(FIRST_TWEETS_MS)), hint) {
                (Some(span), Some(_)) => Some(Assignment::Span(span)),
                (Some(_), None) => None,
                (None, _) => Some(Assignment::Timeless),
            };
        }
        let hint = hint?;
        if self.hour.is_none_or(|hour| !hour.contains_ms(hint)) {
            self.hour = time.hour_near(hint);
        }
        self.hour.map(Assignment::Hour)
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
        let assignment = if role == Role::Temporary { None } else { folder.assign(&object) };
        let entry = match assignment {
            None => {
                let reason = match (role, &folder.read) {
                    (Role::Temporary, _) => UnreadReason::Temporary,
                    (_, None) => UnreadReason::Folder,
                    (_, Some(_)) => UnreadReason::NoYear,
                };
                return self.found.unread.add(&object.key, reason);
            }
            Some(Assignment::Hour(hour)) => {
                if self.closed.contains(&hour) || !self.wants(hour.start_ms(), hour.end_ms()) {
                    return;
                }
                HourEntry::open(hour)
            }
            Some(Assignment::Span(span)) => {
                if !self.wants(span.start_ms, span.end_ms) {
                    return;
                }
                HourEntry::of_span(&span)
            }
            Some(Assignment::Timeless) if self.range.is_some() => return,
            Some(Assignment::Timeless) => HourEntry::timeless(name),
        };
        let entry = self.found.entries.entry(entry.sort_key()).or_insert(entry);
        let object = ObjectRef::found(object).into();
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
