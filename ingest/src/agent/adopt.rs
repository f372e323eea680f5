//! A new spool on an old lake: what an earlier agent stored in hours that are still open is taken over, so that their
//! manifests will list it and its ids are known. What that agent had accepted and not stored went with its spool; that is
//! said, and the time since is a gap.

use std::sync::Arc;

use cauce_lake::catalogue::{HourEntry, Lake, ObjectRef};
use cauce_lake::checksum::Crc64;
use cauce_lake::manifest::{IngestPath, ObjectEntry, epoch_ms_in_name};
use cauce_lake::pattern::Granularity;
use cauce_lake::read::{self, Mismatch, ReadError};
use cauce_lake::tweet::{LineKind, scan};
use cauce_lake::{Hour, Store};

use super::AgentError;
use super::start::{patiently, patiently_asked, said};
use crate::config::settings::LakeSettings;
use crate::spool::Spool;
use crate::spool::entry::{Entry, FileHead, Role, Target};

/// What was taken over.
#[derive(Debug, Default, PartialEq, Eq)]
struct Adopted {
    objects: u64,
    hours: u64,
    lines: u64,
    /// Objects in open hours that no agent of ours stored.
    foreign: u64,
    /// When the last of them was written, milliseconds since the epoch.
    last_ms: i64,
}

/// Takes over what lies in the lake's open hours. What is taken over becomes durable with the first commit of this start, so
/// that a start that fails before it leaves a spool that is still new.
pub(super) async fn adopt(
    spool: &mut Spool,
    store: &Arc<dyn Store>,
    settings: &LakeSettings,
    live: bool,
) -> Result<(), AgentError> {
    if settings.pattern.granularity() != Granularity::Hour {
        return Ok(());
    }
    let lake = Lake::new(Arc::clone(store), settings.pattern.clone());
    let listing = patiently_asked(|| lake.hours(None)).await?;
    let path = if live { IngestPath::Stream } else { IngestPath::Replay };
    let mut adopted = Adopted::default();
    let mut first: Option<Hour> = None;
    for entry in listing.entries.iter().filter(|entry| !entry.closed) {
        let Some(hour) = entry.hour() else { continue };
        let before = adopted.objects;
        adopt_hour(spool, &**store, entry, hour, path, &mut adopted).await?;
        if adopted.objects > before {
            adopted.hours += 1;
            first = first.into_iter().chain([hour]).min();
        }
    }
    let Some(first) = first else { return Ok(()) };
    if live {
        spool.stage(Entry::LiveFrom { hour: first });
        spool.stage(Entry::GapOpened { from_ms: adopted.last_ms, cause: "spool-lost".into() });
    }
    tracing::warn!(
        objects = adopted.objects,
        hours = adopted.hours,
        lines = adopted.lines,
        foreign = adopted.foreign,
        "the spool is new and the lake has open hours: what is stored there is taken over; what an earlier agent had accepted and not yet stored went with its spool"
    );
    Ok(())
}

async fn adopt_hour(
    spool: &mut Spool,
    store: &dyn Store,
    entry: &HourEntry,
    hour: Hour,
    path: IngestPath,
    adopted: &mut Adopted,
) -> Result<(), AgentError> {
    let tweets = entry.objects.iter().map(|object| (object, Role::Tweets));
    let messages = entry.messages.iter().map(|object| (object, Role::Messages));
    for (object, role) in tweets.chain(messages) {
        let meta = patiently_asked(|| store.head(&object.key)).await?;
        let Some(sha256) = meta.sha256 else {
            adopted.foreign += 1;
            tracing::warn!(key = %object.key, "an object in an open hour bears no hash of ours and is left out of the manifest");
            continue;
        };
        let passes = |error: &ReadError| error.kind().is_transient();
        let looked = patiently(passes, || look_into(store, object, &sha256, path)).await;
        let Some(Found { lines, crc64, ids }) = looked.map_err(|error| AgentError::Store(said(&error)))? else {
            adopted.foreign += 1;
            tracing::error!(key = %object.key, "an object in an open hour is not what its hash says and is left out of the manifest");
            continue;
        };
        let target = Target { folder: object.key.folder().to_owned(), hour: Some(hour), role, late: false, path };
        let created_ms = epoch_ms_in_name(object.key.file_name()).unwrap_or(meta.modified_ms);
        let id = spool.state().next_id;
        let head = FileHead { id, target, key: object.key.clone(), codec: object.codec, created_ms };
        spool.stage(Entry::Adopted { head, bytes: meta.bytes, lines, sha256, crc64, ids });
        adopted.objects += 1;
        adopted.lines += lines;
        adopted.last_ms = adopted.last_ms.max(meta.modified_ms);
    }
    Ok(())
}

/// What an object holds.
struct Found {
    lines: u64,
    crc64: Crc64,
    ids: Vec<u64>,
}

/// Reads an object once: its lines, and the ids of its tweets; `None` when its bytes are not what its hash says.
async fn look_into(
    store: &dyn Store,
    object: &ObjectRef,
    sha256: &str,
    path: IngestPath,
) -> Result<Option<Found>, ReadError> {
    let entry = ObjectEntry {
        key: object.key.clone(),
        bytes: object.bytes,
        lines: 0,
        sha256: sha256.to_owned(),
        crc64nvme: None,
        codec: object.codec,
        path,
        arrivals: Vec::new(),
    };
    let mut ids = Vec::new();
    let check = read::verify_lines(store, &entry, |block| {
        ids.extend(block.lines().filter_map(|line| match scan(line) {
            LineKind::Tweet(head) => Some(head.id),
            _ => None,
        }));
    })
    .await?;
    // How many lines there are is what is being asked, so that alone is no mismatch.
    let is_ours = check.mismatches.iter().all(|mismatch| matches!(mismatch, Mismatch::Lines { .. }));
    Ok(is_ours.then_some(Found { lines: check.lines, crc64: check.crc64nvme, ids }))
}
