//! What others stored in hours that are still open is taken over, so that their manifests will list it and its ids are known.
//! What those had accepted and not stored went with their spools, unless they come back; the time is a gap.
//!
//! Where two agents read at the same time, an object may hold tweets that are known here already. If they only wait here, the
//! object is taken over and they are taken out of the files that wait. Otherwise its other tweets are copied into a file of this spool, and
//! no manifest lists the object.

use std::collections::HashSet;
use std::sync::Arc;

use cauce_lake::catalogue::HourEntry;
use cauce_lake::hour::HourRange;
use cauce_lake::manifest::{IngestPath, epoch_ms_in_name};
use cauce_lake::pattern::Granularity;
use cauce_lake::store::ObjectMeta;
use cauce_lake::{Hour, Key, Lake, Store};

use super::duplicates::{failed, fetch, leave_out, say_left};
use super::start::{patiently, patiently_asked};
use super::{AgentError, store_error};
use crate::config::settings::LakeSettings;
use crate::spool::entry::{Entry, FileHead, MessageCounts, Role, Target};
use crate::spool::id_set::IdSet;
use crate::spool::state::FileState;
use crate::spool::{Spool, route};
use crate::upload::look::{LookError, StoredObject, read_object};

/// What was taken over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Adopted {
    pub(super) objects: u64,
    pub(super) hours: u64,
    pub(super) lines: u64,
    /// Objects in open hours that no agent of this lake stored.
    pub(super) foreign: u64,
    /// When the last of them was written, milliseconds since the epoch.
    pub(super) last_ms: i64,
    /// Tweets in them that waited in files of this spool too, and were taken out of those.
    pub(super) duplicates: u64,
}

/// Takes over what lies in the open hours of a range, or of the whole lake, and has no file in the spool.
pub(super) async fn adopt(
    spool: &mut Spool,
    store: &Arc<dyn Store>,
    settings: &LakeSettings,
    live: bool,
    range: Option<HourRange>,
) -> Result<Adopted, AgentError> {
    let mut adopted = Adopted::default();
    if settings.pattern.granularity() != Granularity::Hour {
        return Ok(adopted);
    }
    let lake = Lake::new(Arc::clone(store), settings.pattern.clone());
    let open = patiently_asked(|| lake.open_hours(range)).await?;
    let known: HashSet<Key> = spool.state().files.values().map(|file| file.head.key.clone()).collect();
    let path = if live { IngestPath::Stream } else { IngestPath::Replay };
    let mut first: Option<Hour> = None;
    let mut track = match open.iter().find(|entry| !entry.messages.is_empty()).and_then(HourEntry::hour) {
        Some(hour) => track_before(&lake, hour).await,
        None => 0,
    };
    for entry in &open {
        let Some(hour) = entry.hour() else { continue };
        let before = adopted.objects;
        adopt_hour(spool, &**store, entry, hour, path, &known, &mut track, &mut adopted).await?;
        if adopted.objects > before {
            adopted.hours += 1;
            first = first.into_iter().chain([hour]).min();
        }
    }
    // A spool whose run has begun goes on with it; hours before that close when nothing more comes for them.
    if let Some(hour) = first.filter(|_| live && spool.state().live_next.is_none()) {
        spool.stage(Entry::LiveFrom { hour });
    }
    Ok(adopted)
}

/// How far `limit.track` had risen before an hour: in the last messages of the hour before it. 0 where these cannot be read.
async fn track_before(lake: &Lake, hour: Hour) -> u64 {
    let Ok(before) = lake.hour(hour.previous()).await else { return 0 };
    let Some(last) = before.messages.iter().max_by_key(|object| &object.key) else { return 0 };
    let store = lake.store();
    let Ok(meta) = store.head(&last.key).await else { return 0 };
    let read = read_object(&**store, &meta, last.codec, Role::Messages, None, 0).await;
    read.ok().flatten().map_or(0, |(object, _)| object.track)
}

#[expect(clippy::too_many_arguments, reason = "one step of one loop, whose state they are")]
async fn adopt_hour(
    spool: &mut Spool,
    store: &dyn Store,
    entry: &HourEntry,
    hour: Hour,
    path: IngestPath,
    known: &HashSet<Key>,
    track: &mut u64,
    adopted: &mut Adopted,
) -> Result<(), AgentError> {
    let tweets = entry.objects.iter().map(|object| (object, Role::Tweets));
    let messages = entry.messages.iter().map(|object| (object, Role::Messages));
    for (object, role) in tweets.chain(messages).filter(|(object, _)| !known.contains(&object.key)) {
        let meta = patiently_asked(|| store.head(&object.key)).await?;
        if meta.sha256.is_none() {
            adopted.foreign += 1;
            tracing::warn!(key = %object.key, "an object in an open hour bears no hash of ours and is left out of the manifest");
            continue;
        }
        let passes = |error: &LookError| matches!(error, LookError::Store(error) if error.kind().is_transient());
        let read = patiently(passes, || read_object(store, &meta, object.codec, role, None, *track)).await;
        let Some((found, _)) = read.map_err(|error| match error {
            LookError::Store(error) => store_error(error),
            LookError::Disk(error) => AgentError::Failed(error.to_string()),
        })?
        else {
            adopted.foreign += 1;
            tracing::error!(key = %object.key, "an object in an open hour is not what its hash says, or holds no tweets, and is left out of the manifest");
            continue;
        };
        let target = Target { folder: object.key.folder().to_owned(), hour: Some(hour), role, late: false, path };
        let created_ms = epoch_ms_in_name(object.key.file_name()).unwrap_or(meta.modified_ms);
        let id = spool.state().next_id;
        let head = FileHead { id, target, key: object.key.clone(), codec: object.codec, created_ms };
        adopted.objects += 1;
        adopted.last_ms = adopted.last_ms.max(meta.modified_ms);
        let known = spool.known_among(&found.ids).map_err(failed)?;
        if spool.waiting_among(&known).map_err(failed)?.len() < known.len() {
            say_left(&object.key, found.ids.len(), known.len());
            adopted.lines += take_others(spool, store, &meta, head, &known).await?;
            continue;
        }
        adopted.lines += found.lines;
        let StoredObject { bytes, lines, sha256, crc64, ids, messages, track: highest } = found;
        *track = highest;
        spool.stage(Entry::Adopted { head, bytes, lines, sha256, crc64, ids, messages });
        // At once: the next object may hold the same tweets.
        adopted.duplicates += leave_out(spool, &known, meta.modified_ms)?;
    }
    Ok(())
}

/// Takes the tweets of an object that are not known into a file of this spool. Returns how many there were.
async fn take_others(
    spool: &mut Spool,
    store: &dyn Store,
    meta: &ObjectMeta,
    head: FileHead,
    known: &IdSet,
) -> Result<u64, AgentError> {
    let of_object = FileState::new(head);
    let Some(copied) = fetch(spool, store, meta, &of_object, |id| !known.contains(id)).await? else { return Ok(0) };
    let lines = copied.lines();
    let now_ms = spool.state().last_ms.max(meta.modified_ms);
    let head = route::again(spool.state(), spool.state().next_id, &of_object.head, now_ms);
    spool.stage_copy(&head, copied, MessageCounts::default(), None);
    Ok(lines)
}
