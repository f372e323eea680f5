//! What lies in the lake under a name of ours: which lines an object holds, which of them a spool file begins with, and
//! what manifests list. Reads only; [`super`] and the start of the agent decide with it.

use std::io::{self, BufRead};

use cauce_lake::checksum::Crc64;
use cauce_lake::manifest::{Codec, HOURS_PREFIX, IngestPath, Manifest, ManifestName, ObjectEntry};
use cauce_lake::read::{self, Mismatch};
use cauce_lake::store::{ETag, ErrorKind, ObjectMeta, list_all};
use cauce_lake::tweet::{Control, Limited, LineKind, Message, scan};
use cauce_lake::{Hour, Key, Store, StoreError};

use crate::spool::Lines;
use crate::spool::entry::{MessageCounts, Role};
use crate::spool::reconcile::Listing;

/// An object that an agent of this lake stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// Its CRC-64/NVME.
    pub crc64: Crc64,
    /// Lines in it.
    pub lines: u64,
    /// Ids of its tweets.
    pub ids: Vec<u64>,
    /// What its messages are.
    pub messages: MessageCounts,
    /// The highest `limit.track` up to its end.
    pub track: u64,
}

/// With how many lines two files begin alike.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Common {
    /// Lines.
    pub lines: u64,
    /// What the messages of the spool file are.
    pub messages: Shared,
}

/// The messages of a spool file whose first lines an object holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shared {
    /// Those that are in the object.
    pub there: MessageCounts,
    /// The others.
    pub rest: MessageCounts,
}

impl Shared {
    /// What the messages of the object are and those of the rest, where the spool knows the `file`'s and the object's were
    /// counted by themselves. The spool knows how far `limit.track` had risen before the file; a count of its lines alone
    /// does not.
    pub fn split(&self, file: &MessageCounts, object: &MessageCounts) -> (MessageCounts, MessageCounts) {
        let mut rest = self.rest.clone();
        if !self.there.kinds.contains_key(&Message::Limit) {
            rest.undelivered = file.undelivered;
        }
        let of_others = object.undelivered.saturating_sub(self.there.undelivered);
        let undelivered = file.undelivered.saturating_sub(rest.undelivered) + of_others;
        (MessageCounts { kinds: object.kinds.clone(), undelivered }, rest)
    }
}

/// Counts messages in the order in which they came.
#[derive(Debug, Default)]
struct Counter {
    counts: MessageCounts,
    limited: Limited,
}

impl Counter {
    fn take(&mut self, line: &LineKind) {
        match line {
            LineKind::Message(message) => self.counts.add(*message, 0),
            LineKind::Control(control) => {
                let undelivered = match control {
                    Control::Limit { track } => self.limited.rise(*track, true),
                    _ => 0,
                };
                if let Control::Disconnect { .. } = control {
                    self.limited.restart();
                }
                self.counts.add(control.message(), undelivered);
            }
            LineKind::Tweet(_) | LineKind::Blank | LineKind::Reject(_) => {}
        }
    }
}

/// Why the object could not be examined.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool's disk failed.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// Reads an object once, and gives its lines to whoever wants to look into them. `None` when no agent of this lake stored it: it
/// bears no hash, its bytes are not what the hash says, or it holds other things than tweets where tweets should be. `track` is the
/// highest `limit.track` before the object, 0 where none is known.
///
/// # Errors
/// When the store fails, or `look` does.
pub async fn read_lines(
    store: &dyn Store,
    meta: &ObjectMeta,
    codec: Codec,
    role: Role,
    track: u64,
    mut look: impl FnMut(&[u8], &LineKind) -> io::Result<()> + Send,
) -> Result<Option<StoredObject>, LookError> {
    let Some(sha256) = meta.sha256.clone() else { return Ok(None) };
    let entry = ObjectEntry {
        key: meta.key.clone(),
        bytes: meta.bytes,
        lines: 0,
        sha256: sha256.clone(),
        crc64nvme: None,
        codec,
        path: IngestPath::Stream,
        arrivals: Vec::new(),
    };
    let (mut ids, mut others, mut failed) = (Vec::new(), 0_u64, None);
    let mut messages = Counter { limited: Limited::since(track), ..Counter::default() };
    let check = read::verify_lines(store, &entry, |block| {
        for line in block.lines() {
            let kind = scan(line);
            match &kind {
                LineKind::Tweet(head) => ids.push(head.id),
                _ => others += 1,
            }
            messages.take(&kind);
            if failed.is_none() {
                failed = look(line, &kind).err();
            }
        }
    })
    .await
    .map_err(|error| StoreError::new(error.kind(), format!("read {}", meta.key), crate::upload::said(&error)))?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    // How many lines there are is what is being asked, so that alone is no mismatch.
    let is_whole = check.mismatches.iter().all(|mismatch| matches!(mismatch, Mismatch::Lines { .. }));
    if !is_whole || (role == Role::Tweets && others > 0) {
        return Ok(None);
    }
    let Counter { counts: messages, limited } = messages;
    let (crc64, lines, track) = (check.crc64nvme, check.lines, limited.highest());
    Ok(Some(StoredObject { bytes: meta.bytes, sha256, crc64, lines, ids, messages, track }))
}

/// Reads an object as [`read_lines`] does. With `ours` it also compares the lines with those of a spool file and counts the
/// common ones at the beginning.
///
/// # Errors
/// When the store or the spool's disk fails.
pub async fn read_object(
    store: &dyn Store,
    meta: &ObjectMeta,
    codec: Codec,
    role: Role,
    ours: Option<&Lines>,
    track: u64,
) -> Result<Option<(StoredObject, Common)>, LookError> {
    let mut comparison = ours.map(Comparison::begin).transpose()?;
    let look = |line: &[u8], kind: &LineKind| match &mut comparison {
        Some(comparison) => comparison.take(line, kind),
        None => Ok(()),
    };
    let Some(object) = read_lines(store, meta, codec, role, track, look).await? else { return Ok(None) };
    let common = match comparison {
        Some(comparison) => comparison.end(role)?,
        None => Common::default(),
    };
    Ok(Some((object, common)))
}

/// Reads an object as [`read_lines`] does and returns it if it begins with `end` bytes of lines whose CRC32C is `crc`: then it
/// holds all lines of a spool file of which nothing but these two are known.
///
/// # Errors
/// When the store fails.
pub async fn read_if_it_holds(
    store: &dyn Store,
    meta: &ObjectMeta,
    codec: Codec,
    role: Role,
    (end, crc): (u64, u32),
) -> Result<Option<StoredObject>, LookError> {
    let (mut at, mut so_far, mut holds) = (0, 0, false);
    let look = |line: &[u8], _: &LineKind| {
        if at < end {
            so_far = crc32c::crc32c_append(crc32c::crc32c_append(so_far, line), b"\n");
            at += line.len() as u64 + 1;
            holds = at == end && so_far == crc;
        }
        Ok(())
    };
    let object = read_lines(store, meta, codec, role, 0, look).await?;
    Ok(object.filter(|_| holds))
}

/// The ids of the tweets in an object that a manifest lists; none where it is not what the manifest says.
///
/// # Errors
/// When the store fails.
pub async fn ids_of(store: &dyn Store, object: &ObjectEntry) -> Result<Vec<u64>, StoreError> {
    let meta = ObjectMeta {
        key: object.key.clone(),
        bytes: object.bytes,
        etag: ETag(String::new()),
        sha256: Some(object.sha256.clone()),
        modified_ms: 0,
    };
    match read_lines(store, &meta, object.codec, Role::Tweets, 0, |_, _| Ok(())).await {
        Ok(found) => Ok(found.map(|object| object.ids).unwrap_or_default()),
        Err(LookError::Store(error)) => Err(error),
        Err(LookError::Disk(error)) => unreachable!("nothing looks into the lines: {error}"),
    }
}

/// Goes through a spool file beside an object, as far as their lines are the same.
struct Comparison<R> {
    ours: R,
    line: Vec<u8>,
    alike: bool,
    common: Common,
    messages: Counter,
}

impl Comparison<()> {
    fn begin(ours: &Lines) -> io::Result<Comparison<impl BufRead + Send + use<>>> {
        Ok(Comparison {
            ours: ours.open()?,
            line: Vec::new(),
            alike: true,
            common: Common::default(),
            messages: Counter::default(),
        })
    }
}

impl<R: BufRead> Comparison<R> {
    fn take(&mut self, theirs: &[u8], kind: &LineKind) -> io::Result<()> {
        if self.alike {
            self.line.clear();
            self.ours.read_until(b'\n', &mut self.line)?;
            self.alike = self.line.strip_suffix(b"\n") == Some(theirs);
            if self.alike {
                self.common.lines += 1;
                self.messages.take(kind);
            }
        }
        Ok(())
    }

    /// Reads the rest of the spool file, to count the messages in it.
    fn end(mut self, role: Role) -> io::Result<Common> {
        self.common.messages.there = std::mem::take(&mut self.messages.counts);
        if role == Role::Messages {
            if self.alike {
                self.line.clear();
            }
            loop {
                if let Some(line) = self.line.strip_suffix(b"\n") {
                    self.messages.take(&scan(line));
                }
                self.line.clear();
                if self.ours.read_until(b'\n', &mut self.line)? == 0 {
                    break;
                }
            }
            self.common.messages.rest = self.messages.counts;
        }
        Ok(self.common)
    }
}

/// Whether a manifest of an hour lists an object.
///
/// # Errors
/// When the store fails.
pub async fn is_listed(store: &dyn Store, hour: Hour, key: &Key, sha256: &str) -> Result<bool, StoreError> {
    let there = list_all(store, &format!("{HOURS_PREFIX}{hour}.")).await?;
    for name in there.iter().filter_map(|object| ManifestName::parse(object.key.as_str())) {
        if read_manifest(store, name).await?.is_some_and(|(_, listing)| listing.holds(key, sha256)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A manifest's bytes and what it lists; `None` when there is none. One that cannot be read lists nothing, for readers see
/// nothing of it either.
///
/// # Errors
/// When the store fails.
pub async fn read_manifest(store: &dyn Store, name: ManifestName) -> Result<Option<(Vec<u8>, Listing)>, StoreError> {
    let key = name.key();
    let bytes = match store.get(&key).await {
        Ok((bytes, _)) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let listing = match Manifest::from_bytes(&key, &bytes) {
        Ok(manifest) => Listing::of(&manifest),
        Err(error) => {
            tracing::error!(%error, "a manifest in the lake cannot be read: what it may list counts as listed nowhere");
            Listing::default()
        }
    };
    Ok(Some((bytes.to_vec(), listing)))
}
