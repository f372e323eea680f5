//! What a listing consists of: hours, and folders that are not hours, with their objects. Data only; no store is
//! accessed.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use super::manifests::Fetched;
use crate::hour::Hour;
use crate::manifest::{Gap, Manifest, ManifestError, ManifestName, ObjectEntry};
use crate::object::{ObjectRef, Source};
use crate::pattern::{FolderSpan, Granularity};
use crate::store::{Key, Store};

/// An object of an entry, and the lake that contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeObject {
    /// The index of the lake in [`Lakes`](crate::Lakes); 0 for a single lake.
    pub lake: usize,
    /// The object, to which this type dereferences.
    pub object: ObjectRef,
}

impl From<ObjectRef> for LakeObject {
    fn from(object: ObjectRef) -> LakeObject {
        LakeObject { lake: 0, object }
    }
}

impl Deref for LakeObject {
    type Target = ObjectRef;

    fn deref(&self) -> &ObjectRef {
        &self.object
    }
}

fn listed(objects: &[ObjectEntry], hour: Hour) -> Vec<LakeObject> {
    objects.iter().map(|object| ObjectRef::listed(object, hour).into()).collect()
}

/// An hour, or a folder of a pattern whose folders are not hours.
#[derive(Debug, Clone)]
pub struct HourEntry {
    /// `2026-11-22T05` for an hour; otherwise the time in the folder's name, such as `2026-11-22`, or that name itself
    /// where it contains no time.
    pub name: String,
    /// The first millisecond, and the first one after it; `None` where the folder's name contains no time.
    pub span_ms: Option<(i64, i64)>,
    /// The kind of its span.
    pub granularity: Granularity,
    /// Whether a manifest has closed it: it will not change any more. Only hours close.
    pub closed: bool,
    /// Objects with tweets, in reading order.
    pub objects: Vec<LakeObject>,
    /// Objects with messages (deletes, withheld, scrub_geo, control messages).
    pub messages: Vec<LakeObject>,
    /// Lines in `messages` by kind, including late ones, from the manifests.
    pub message_counts: BTreeMap<String, u64>,
    /// Objects with late tweets.
    pub late_objects: Vec<LakeObject>,
    /// Tweets in `objects`; `None` while it is open.
    pub tweets: Option<u64>,
    /// Stored bytes of `objects`.
    pub bytes: u64,
    /// Gaps that overlap it, from the manifests.
    pub gaps: Vec<Gap>,
    /// Late tweets.
    pub late: u64,
    /// Lines that were stored as rejects, from the manifests.
    pub rejects: u64,
    /// Tweets that the stream reported as not delivered (v1.1 `limit`), from the manifests.
    pub undelivered: u64,
    /// The first late manifest that is invalid: `late_objects` may be incomplete.
    pub late_problem: Option<ManifestProblem>,
    /// The manifest that closed it: one per lake.
    pub manifests: Vec<Manifest>,
}

impl HourEntry {
    /// A closed hour.
    pub(super) fn closed(manifest: Manifest) -> HourEntry {
        HourEntry {
            closed: true,
            objects: listed(&manifest.objects, manifest.hour),
            messages: listed(&manifest.messages, manifest.hour),
            message_counts: manifest.message_counts.clone(),
            rejects: manifest.rejects,
            undelivered: manifest.undelivered,
            tweets: Some(manifest.tweets),
            bytes: manifest.bytes(),
            gaps: manifest.gaps.clone(),
            ..HourEntry::open(manifest.hour)
        }
        .with(manifest)
    }

    fn with(mut self, manifest: Manifest) -> HourEntry {
        self.manifests.push(manifest);
        self
    }

    /// An open hour without objects.
    pub(super) fn open(hour: Hour) -> HourEntry {
        HourEntry::folder(hour.to_string(), Some((hour.start_ms(), hour.end_ms())), Granularity::Hour)
    }

    /// A folder whose name contains a time.
    pub(super) fn of_span(span: &FolderSpan) -> HourEntry {
        HourEntry::folder(span.to_string(), Some((span.start_ms, span.end_ms)), span.granularity)
    }

    /// A folder whose name contains no time.
    pub(super) fn timeless(folder: &str) -> HourEntry {
        HourEntry::folder(folder.to_owned(), None, Granularity::Other)
    }

    fn folder(name: String, span_ms: Option<(i64, i64)>, granularity: Granularity) -> HourEntry {
        HourEntry {
            name,
            span_ms,
            granularity,
            closed: false,
            objects: Vec::new(),
            messages: Vec::new(),
            message_counts: BTreeMap::new(),
            late_objects: Vec::new(),
            tweets: None,
            bytes: 0,
            gaps: Vec::new(),
            late: 0,
            rejects: 0,
            undelivered: 0,
            late_problem: None,
            manifests: Vec::new(),
        }
    }

    /// Adds a late manifest.
    pub(super) fn add_late(&mut self, (name, manifest): Fetched) {
        match manifest {
            Ok(manifest) => {
                self.late += manifest.tweets;
                self.add_counts(&manifest.message_counts, manifest.rejects, manifest.undelivered);
                self.late_objects.append(&mut listed(&manifest.objects, manifest.hour));
            }
            Err(error) => {
                self.late_problem.get_or_insert(ManifestProblem { name, error });
            }
        }
    }

    fn add_counts(&mut self, messages: &BTreeMap<String, u64>, rejects: u64, undelivered: u64) {
        for (kind, count) in messages {
            *self.message_counts.entry(kind.clone()).or_default() += count;
        }
        self.rejects += rejects;
        self.undelivered += undelivered;
    }

    /// Keeps the objects with some keys.
    pub(super) fn retain_objects(&mut self, keep: impl Fn(&Key) -> bool) {
        self.objects.retain(|object| keep(&object.key));
        self.messages.retain(|object| keep(&object.key));
        self.bytes = self.objects.iter().map(|object| object.bytes).sum();
    }

    /// Adds what another lake has of the same time. Whether the result is closed is up to the caller.
    pub(crate) fn merge(&mut self, mut other: HourEntry) {
        self.objects.append(&mut other.objects);
        self.messages.append(&mut other.messages);
        self.late_objects.append(&mut other.late_objects);
        self.manifests.append(&mut other.manifests);
        self.gaps.append(&mut other.gaps);
        self.bytes += other.bytes;
        self.late += other.late;
        self.add_counts(&other.message_counts, other.rejects, other.undelivered);
        self.tweets = self.tweets.zip(other.tweets).map(|(a, b)| a + b);
        self.late_problem = self.late_problem.take().or(other.late_problem);
    }

    /// The hour of this entry; `None` for any other folder.
    pub fn hour(&self) -> Option<Hour> {
        let (start_ms, _) = self.span_ms.filter(|_| self.granularity == Granularity::Hour)?;
        Some(Hour::containing(start_ms))
    }

    /// Its manifest; the first one of several lakes.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifests.first()
    }

    /// Its objects, or its late ones, as sources to read. `store` gives the store of an object.
    pub(crate) fn sources(&self, late: bool, store: impl Fn(&LakeObject) -> Arc<dyn Store>) -> Vec<Source> {
        let objects = if late { &self.late_objects } else { &self.objects };
        let problem = self.late_problem.as_ref().filter(|_| late).map(|problem| Source::Unreadable {
            key: problem.name.key(),
            reason: format!("the list of late tweets of {} is incomplete: {}", self.name, problem.error),
        });
        objects.iter().map(|object| Source::Object(store(object), object.object.clone())).chain(problem).collect()
    }

    pub(crate) fn sort_key(&self) -> SortKey {
        SortKey(self.span_ms.map(|(start_ms, _)| start_ms), self.name.clone())
    }
}

/// The order of entries in a listing: by time, then by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SortKey(Option<i64>, String);

impl SortKey {
    pub(super) fn of_hour(hour: Hour) -> SortKey {
        SortKey(Some(hour.start_ms()), hour.to_string())
    }
}

/// A manifest that is invalid, or that the store does not deliver.
#[derive(Debug, Clone)]
pub struct ManifestProblem {
    /// The name of the manifest.
    pub name: ManifestName,
    /// What is wrong with it; the message contains its key.
    pub error: Arc<ManifestError>,
}

/// Objects that a listing leaves out because it cannot determine their hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    /// The number of objects.
    pub objects: u64,
    /// The first of them, and why it is left out.
    pub example: Option<(Key, UnreadReason)>,
}

/// Why a listing leaves an object out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreadReason {
    /// The pattern does not name its folder.
    Folder,
    /// Its folder contains no year, and its name no milliseconds.
    NoYear,
    /// Its name ends in `.tmp`: Flume is still writing it.
    Temporary,
}

impl Unread {
    pub(super) fn add(&mut self, key: &Key, reason: UnreadReason) {
        self.objects += 1;
        self.example.get_or_insert_with(|| (key.clone(), reason));
    }

    pub(crate) fn merge(&mut self, other: Unread) {
        self.objects += other.objects;
        self.example = self.example.take().or(other.example);
    }

    /// One sentence for people; `None` if no object is left out. `pattern` is that of the lake.
    pub fn describe(&self, pattern: &str) -> Option<String> {
        let (key, reason) = self.example.as_ref()?;
        let reason = match reason {
            UnreadReason::Folder => format!("its folder is not one that the pattern {pattern} names"),
            UnreadReason::NoYear => {
                "its folder names no year, and neither does its name, which should hold milliseconds \
                 since 1970 as in tweets.1795323600123.json"
                    .to_owned()
            }
            UnreadReason::Temporary => "its name says that it is still being written".to_owned(),
        };
        Some(match self.objects {
            1 => format!("1 object is left out, {key}: {reason}"),
            count => format!("{count} objects are left out, such as {key}: {reason}"),
        })
    }
}

/// The hours of a lake.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Ordered by time; folders whose name contains no time come first.
    pub entries: Vec<HourEntry>,
    /// Manifests that are invalid or unreadable. An hour whose closing manifest is among them is not in `entries`.
    pub problems: Vec<ManifestProblem>,
    /// Objects that are left out because their hour is unknown.
    pub unread: Unread,
}
