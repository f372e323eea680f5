//! What a listing gives: hours, and folders that are no hours, with their objects. Data only; nothing here asks a store,
//! it only says what is to be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::manifests::Fetched;
use crate::checksum::Crc64;
use crate::hour::Hour;
use crate::manifest::{Codec, Gap, IngestPath, Manifest, ManifestError, ManifestName, ObjectEntry};
use crate::pattern::{FolderSpan, Granularity};
use crate::read::Source;
use crate::store::{Key, ObjectMeta, Store};

/// An object of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// Which of several lakes holds it, counted from 0; 0 where there is only one.
    pub lake: usize,
    /// Its name under that lake's root.
    pub key: Key,
    /// Length in bytes as stored.
    pub bytes: u64,
    /// How it is compressed: by its manifest, or else by the ending of its name.
    pub codec: Codec,
    /// Lines in it; only a manifest knows.
    pub lines: Option<u64>,
    /// What its content must be; only a manifest knows.
    pub listed: Option<Listed>,
    /// How its lines came in; only a manifest knows.
    pub path: Option<IngestPath>,
    /// When its lines arrived, see [`ObjectEntry::arrivals`]; empty where no manifest tells, and in the entries of
    /// [`Lake::hours`](super::Lake::hours), which would fill the memory with them.
    pub arrivals: Arc<[(i64, u64)]>,
}

/// What a manifest tells of an object's content, by which readers notice that it is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The hour whose manifest lists it.
    pub hour: Hour,
    /// CRC-64/NVME of its stored bytes; a manifest of an earlier version has none.
    pub crc64: Option<Crc64>,
}

fn listed(objects: &[ObjectEntry], hour: Hour) -> Vec<ObjectRef> {
    objects.iter().map(|object| ObjectRef::listed(object, hour)).collect()
}

impl ObjectRef {
    fn listed(object: &ObjectEntry, hour: Hour) -> ObjectRef {
        ObjectRef {
            lake: 0,
            key: object.key.clone(),
            bytes: object.bytes,
            codec: object.codec,
            lines: Some(object.lines),
            listed: Some(Listed { hour, crc64: object.crc64nvme }),
            path: Some(object.path),
            arrivals: object.arrivals.as_slice().into(),
        }
    }

    pub(crate) fn found(meta: ObjectMeta) -> ObjectRef {
        let codec = Codec::of_name(meta.key.file_name());
        ObjectRef {
            lake: 0,
            key: meta.key,
            bytes: meta.bytes,
            codec,
            lines: None,
            listed: None,
            path: None,
            arrivals: Arc::default(),
        }
    }
}

/// An hour, or a folder of a pattern whose folders are no hours.
#[derive(Debug, Clone)]
pub struct HourEntry {
    /// `2026-11-22T05`; what is no hour is called by what its folder names, such as `2026-11-22`, or by the folder's own name
    /// where that tells no time.
    pub name: String,
    /// First millisecond and the first one after it; `None` where the folder's name tells no time.
    pub span_ms: Option<(i64, i64)>,
    /// What it is.
    pub granularity: Granularity,
    /// Whether it has a manifest: nothing of it will change any more. Only hours close.
    pub closed: bool,
    /// The objects that hold its tweets, in the order in which they are read.
    pub objects: Vec<ObjectRef>,
    /// Objects that hold messages (deletes, withheld, scrub_geo, control messages).
    pub messages: Vec<ObjectRef>,
    /// Lines in `messages` by kind, late ones included, as far as its manifests tell.
    pub message_counts: BTreeMap<String, u64>,
    /// Objects of late tweets.
    pub late_objects: Vec<ObjectRef>,
    /// Tweets in `objects`; `None` while it is open.
    pub tweets: Option<u64>,
    /// Stored bytes of `objects`.
    pub bytes: u64,
    /// Gaps that overlap it, as far as its manifests tell.
    pub gaps: Vec<Gap>,
    /// Late tweets.
    pub late: u64,
    /// Lines that were kept apart as rejects, as far as its manifests tell.
    pub rejects: u64,
    /// Tweets that the stream says it left out (v1.1 `limit`), as far as its manifests tell.
    pub undelivered: u64,
    /// The first late manifest that cannot be trusted: the late tweets are not all told.
    pub late_problem: Option<ManifestProblem>,
    /// The manifest that closed it: one, or of several lakes one each.
    pub manifests: Vec<Manifest>,
}

impl HourEntry {
    /// An hour as its manifest tells it.
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

    /// An open hour with nothing in it.
    pub(super) fn open(hour: Hour) -> HourEntry {
        HourEntry::folder(hour.to_string(), Some((hour.start_ms(), hour.end_ms())), Granularity::Hour)
    }

    /// A folder by what it names.
    pub(super) fn of_span(span: &FolderSpan) -> HourEntry {
        HourEntry::folder(span.to_string(), Some((span.start_ms, span.end_ms)), span.granularity)
    }

    /// A folder whose name tells no time.
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

    /// Adds what a late manifest tells.
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

    pub(super) fn add_counts(&mut self, messages: &BTreeMap<String, u64>, rejects: u64, undelivered: u64) {
        for (kind, count) in messages {
            *self.message_counts.entry(kind.clone()).or_default() += count;
        }
        self.rejects += rejects;
        self.undelivered += undelivered;
    }

    /// The hour it is; `None` for anything else.
    pub fn hour(&self) -> Option<Hour> {
        let (start_ms, _) = self.span_ms.filter(|_| self.granularity == Granularity::Hour)?;
        Some(Hour::containing(start_ms))
    }

    /// Its manifest; the first one where it is of several lakes.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifests.first()
    }

    pub(super) fn slot(&self) -> Slot {
        Slot(self.span_ms.map(|(start_ms, _)| start_ms), self.name.clone())
    }
}

/// The place of an entry in a listing: by time, then by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(Option<i64>, String);

impl Slot {
    pub(super) fn of_hour(hour: Hour) -> Slot {
        Slot(Some(hour.start_ms()), hour.to_string())
    }
}

/// A manifest that cannot be trusted, or not be read.
#[derive(Debug, Clone)]
pub struct ManifestProblem {
    /// Which one.
    pub name: ManifestName,
    /// Why; the text names its key.
    pub error: Arc<ManifestError>,
}

/// Objects that a listing leaves out because it cannot tell their hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many.
    pub objects: u64,
    /// The first of them, and why it was left out.
    pub example: Option<(Key, UnreadReason)>,
}

/// Why a listing cannot tell an object's hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreadReason {
    /// The pattern names no such folder.
    Folder,
    /// The folder is the pattern's but names no year, and the object's name holds no milliseconds.
    NoYear,
    /// Its name says that it is still being written (`.tmp`), as Flume does.
    Temporary,
}

impl Unread {
    pub(super) fn add(&mut self, key: &Key, reason: UnreadReason) {
        self.objects += 1;
        self.example.get_or_insert_with(|| (key.clone(), reason));
    }

    pub(super) fn merge(&mut self, other: Unread) {
        self.objects += other.objects;
        self.example = self.example.take().or(other.example);
    }

    /// One sentence for people; `None` where everything was read. `pattern` is the lake's.
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
    /// Ordered by time; what tells no time comes first.
    pub entries: Vec<HourEntry>,
    /// Manifests that cannot be trusted or read. An hour whose own manifest is among them is not in `entries`.
    pub problems: Vec<ManifestProblem>,
    /// What was left out because its hour cannot be told.
    pub unread: Unread,
}

/// An entry's objects, or its late ones, as what is to be read.
pub(super) fn sources(entry: &HourEntry, late: bool, store: impl Fn(&ObjectRef) -> Arc<dyn Store>) -> Vec<Source> {
    let objects = if late { &entry.late_objects } else { &entry.objects };
    let problem = entry.late_problem.as_ref().filter(|_| late).map(|problem| Source::Unreadable {
        key: problem.name.key(),
        reason: format!("the late tweets of {} are not all told: {}", entry.name, problem.error),
    });
    objects.iter().map(|object| Source::Object(store(object), object.clone())).chain(problem).collect()
}
