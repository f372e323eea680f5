//! Tweet ids that others stored meanwhile, so that a tweet which comes again after a change of spools is stored once, and
//! so that what the spool has accepted and not listed yet can be compared with what others have listed.
//!
//! Hours that are open are read whole where they are taken over. Of hours that others closed, those of which the spool holds tweets that are
//! not listed, and their neighbours, are read whole: two agents that read at the same time accept the same tweets within seconds of
//! each other. Of the others only the newest objects are read, up to [`MOST_BYTES`]: a stream repeats what it sent within
//! minutes, and a start should not take longer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cauce_lake::manifest::{Manifest, ManifestName, ObjectEntry};
use cauce_lake::store::ErrorKind;
use cauce_lake::{Hour, Key, Store};

use super::AgentError;
use super::start::patiently_asked;
use crate::spool::Spool;
use crate::spool::entry::{Entry, Role};
use crate::spool::id_set::IdSet;
use crate::spool::state::{FileState, Stage, State};
use crate::upload::look::ids_of;

/// So many stored bytes are read at most, beside hours of which the spool holds tweets: some seconds of a start.
const MOST_BYTES: u64 = 256 << 20;

/// The objects of a spool's files, each with its SHA-256 where it is sealed.
pub(super) type Objects = BTreeMap<Key, Option<String>>;

/// The objects that the spool knows.
pub(super) fn objects(state: &State) -> Objects {
    let sha256 = |file: &FileState| match &file.stage {
        Stage::Sealed { sha256, .. } | Stage::Stored { sha256, .. } => Some(sha256.clone()),
        Stage::Open | Stage::Quarantined { .. } | Stage::Damaged { .. } => None,
    };
    state.files.values().map(|file| (file.head.key.clone(), sha256(file))).collect()
}

/// The hours of which the spool holds tweets that no manifest lists, and their neighbours.
fn near(state: &State) -> BTreeSet<Hour> {
    let tweets = state.files.values().filter(|file| file.head.target.role == Role::Tweets);
    let hours = tweets.filter_map(|file| file.head.target.hour);
    hours.flat_map(|hour| [hour.previous(), hour, hour.next()]).collect()
}

/// Takes the ids of what manifests list that the journal does not speak of: all of the hours near those that the spool holds, and newest
/// first of those that were put within the dedupe window. `known` are the objects of the spool's own files.
pub(super) async fn learn(
    spool: &mut Spool,
    store: &dyn Store,
    window: Duration,
    found: &[(ManifestName, i64)],
    known: &Objects,
    now_ms: i64,
) -> Result<IdSet, AgentError> {
    let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
    let near = near(spool.state());
    let is_near = |name: &ManifestName| near.contains(&name.hour);
    let is_recent = |put_ms: i64| now_ms.saturating_sub(put_ms) <= window_ms;
    let mut due: Vec<_> = found.iter().filter(|(name, put_ms)| is_near(name) || is_recent(*put_ms)).collect();
    due.sort_unstable_by_key(|(name, put_ms)| std::cmp::Reverse((is_near(name), *put_ms, *name)));
    let (mut room, mut left_out, mut ids) = (MOST_BYTES, 0_u64, Vec::new());
    for (name, _) in due.into_iter().filter(|_| window_ms > 0) {
        if room == 0 && !is_near(name) {
            left_out += 1;
            continue;
        }
        for object in tweets_of(store, *name).await?.into_iter().rev() {
            // What this spool stored it knows.
            if known.get(&object.key).is_some_and(|sha256| sha256.as_ref() == Some(&object.sha256)) {
                continue;
            }
            if !is_near(name) {
                if object.bytes > room {
                    room = 0;
                    left_out += 1;
                    break;
                }
                room -= object.bytes;
            }
            ids.extend(patiently_asked(|| ids_of(store, &object)).await?);
        }
    }
    if left_out > 0 {
        tracing::warn!(
            manifests = left_out,
            "tweets that other spools stored within dedupe.window are not all known here: of what they closed only the newest part is read"
        );
    }
    let learnt = ids.iter().copied().collect();
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
