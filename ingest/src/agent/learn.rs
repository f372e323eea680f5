//! Tweet ids that others stored meanwhile, so that a tweet which comes again after a change of spools is stored once.
//!
//! Hours that are open are read whole where they are taken over. Of hours that others closed only the newest objects are
//! read, up to [`MOST_BYTES`]: a stream repeats what it sent within minutes, and a start should not take longer.

use std::collections::HashSet;
use std::time::Duration;

use cauce_lake::manifest::{Manifest, ManifestName, ObjectEntry};
use cauce_lake::store::ErrorKind;
use cauce_lake::{Key, Store};

use super::start::{patiently, patiently_asked};
use super::{AgentError, store_error};
use crate::spool::Spool;
use crate::spool::entry::{Entry, Role};
use crate::upload::look::{LookError, read_object};

/// So many stored bytes are read at most: some seconds of a start.
const MOST_BYTES: u64 = 256 << 20;

/// Takes the ids of what manifests list that were put within the dedupe window and that the journal does not speak of,
/// newest first. Says how many there were.
pub(super) async fn learn(
    spool: &mut Spool,
    store: &dyn Store,
    window: Duration,
    found: &[(ManifestName, i64)],
    now_ms: i64,
) -> Result<u64, AgentError> {
    let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
    let mut recent: Vec<_> = found.iter().filter(|(_, put_ms)| now_ms.saturating_sub(*put_ms) <= window_ms).collect();
    recent.sort_unstable_by_key(|(name, put_ms)| std::cmp::Reverse((*put_ms, *name)));
    let known: HashSet<Key> = spool.state().files.values().map(|file| file.head.key.clone()).collect();
    let (mut room, mut left_out, mut ids) = (MOST_BYTES, 0_u64, Vec::new());
    for (name, _) in recent.into_iter().filter(|_| window_ms > 0) {
        if room == 0 {
            left_out += 1;
            continue;
        }
        for object in tweets_of(store, *name).await?.into_iter().rev() {
            // What this spool stored it knows.
            if known.contains(&object.key) {
                continue;
            }
            if object.bytes > room {
                room = 0;
                left_out += 1;
                break;
            }
            room -= object.bytes;
            ids.extend(ids_of(store, &object).await?);
        }
    }
    if left_out > 0 {
        tracing::warn!(
            manifests = left_out,
            "tweets that other spools stored within dedupe.window are not all known here: of what they closed only the newest part is read"
        );
    }
    let learnt = ids.len() as u64;
    if !ids.is_empty() {
        spool.stage(Entry::Learnt { ids });
    }
    Ok(learnt)
}

/// The objects with tweets that a manifest lists; none where it cannot be read.
async fn tweets_of(store: &dyn Store, name: ManifestName) -> Result<Vec<ObjectEntry>, AgentError> {
    let key = name.key();
    let asked = async || match store.get(&key).await {
        Ok((bytes, _)) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let bytes = patiently_asked(asked).await?;
    let manifest = bytes.and_then(|bytes| Manifest::from_bytes(&key, &bytes).ok());
    Ok(manifest.map(|manifest| manifest.objects).unwrap_or_default())
}

/// The ids in an object; none where it is not what the manifest says.
async fn ids_of(store: &dyn Store, object: &ObjectEntry) -> Result<Vec<u64>, AgentError> {
    let meta = cauce_lake::store::ObjectMeta {
        key: object.key.clone(),
        bytes: object.bytes,
        etag: cauce_lake::store::ETag(String::new()),
        sha256: Some(object.sha256.clone()),
        modified_ms: 0,
    };
    let passes = |error: &LookError| matches!(error, LookError::Store(error) if error.kind().is_transient());
    match patiently(passes, || read_object(store, &meta, object.codec, Role::Tweets, None, 0)).await {
        Ok(found) => Ok(found.map(|(object, _)| object.ids).unwrap_or_default()),
        Err(LookError::Store(error)) => Err(store_error(error)),
        Err(LookError::Disk(error)) => Err(AgentError::Failed(error.to_string())),
    }
}
