//! Tweets that two agents have accepted while both were reading: what others have stored is taken out of what this spool has
//! accepted and not listed, at a start, before anything of it is uploaded or listed.
//!
//! Lines that wait on the disk are copied without those tweets. An object that is stored already cannot change: its other lines are
//! fetched into a new file, and the object stays where it is, listed by no manifest.

use cauce_lake::store::{ETag, ObjectMeta};
use cauce_lake::tweet::LineKind;
use cauce_lake::{Key, Store};
use tokio::time::Instant;

use super::start::{STORE_PATIENCE, STORE_PAUSE};
use super::{AgentError, store_error};
use crate::spool::copy::Copied;
use crate::spool::entry::{FileId, Role};
use crate::spool::id_set::IdSet;
use crate::spool::state::{FileState, Stage};
use crate::spool::{Spool, SpoolError};
use crate::upload::look::{LookError, read_lines};
use crate::upload::said;

/// Takes tweets that others have stored out of the files that wait. Returns how many there were.
pub(super) fn leave_out(spool: &mut Spool, stored: &IdSet, now_ms: i64) -> Result<u64, AgentError> {
    let waiting = spool.state().files.values().filter(|file| file.waits() && stored.may_meet(file));
    let ids: Vec<FileId> = waiting.map(|file| file.head.id).collect();
    let mut left_out = 0;
    for id in ids {
        left_out += spool.leave_out(id, stored, false, now_ms).map_err(failed)?;
    }
    Ok(left_out)
}

/// Takes tweets that manifests of others list out of what this spool has stored and not listed. Returns how many there were.
pub(super) async fn leave_out_of_stored(
    spool: &mut Spool,
    store: &dyn Store,
    listed: &IdSet,
    arrived: &[FileId],
    now_ms: i64,
) -> Result<u64, AgentError> {
    let is_stored = |file: &&FileState| matches!(file.stage, Stage::Stored { .. }) && listed.may_meet(file);
    let stored: Vec<FileState> = spool.state().files.values().filter(is_stored).cloned().collect();
    let mut left_out = 0;
    for file in stored.into_iter().filter(|file| !arrived.contains(&file.head.id)) {
        let Stage::Stored { bytes, sha256, .. } = &file.stage else { continue };
        let meta = ObjectMeta {
            key: file.head.key.clone(),
            bytes: *bytes,
            etag: ETag(String::new()),
            sha256: Some(sha256.clone()),
            modified_ms: 0,
        };
        // An object that changed since is left to the readers of its hour, who name it.
        let Some(copied) = fetch(spool, store, &meta, &file, |id| !listed.contains(id)).await? else { continue };
        let count = copied.left_out();
        if count == 0 {
            spool.drop_copied(copied).map_err(failed)?;
            continue;
        }
        tracing::warn!(key = %file.head.key, tweets = count, "another spool has listed tweets of this object: the others are stored again under a new key, and no manifest will list this one");
        spool.replace_by_copy(&file, copied, now_ms);
        left_out += count;
    }
    Ok(left_out)
}

/// Copies the tweets that `keep` wants out of an object in the store. `None` where no agent of this lake stored it.
pub(super) async fn fetch(
    spool: &mut Spool,
    store: &dyn Store,
    meta: &ObjectMeta,
    file: &FileState,
    keep: impl Fn(u64) -> bool + Sync,
) -> Result<Option<Copied>, AgentError> {
    let began = Instant::now();
    loop {
        let mut copy = spool.begin_copy(file.arrivals.clone()).map_err(failed)?;
        let look = |line: &[u8], kind: &LineKind| match kind {
            LineKind::Tweet(head) => copy.pass(line, Some(head.id), keep(head.id)),
            _ => Ok(()),
        };
        let read = read_lines(store, meta, file.head.codec, Role::Tweets, 0, look).await;
        match read {
            Ok(Some(_)) => return spool.end_copy(copy).map(Some).map_err(failed),
            Ok(None) => return spool.drop_copy(copy).map(|()| None).map_err(failed),
            Err(LookError::Store(error)) if error.kind().is_transient() && began.elapsed() < STORE_PATIENCE => {
                tracing::warn!(error = said(&error), "the store does not answer; it is tried again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
            Err(LookError::Store(error)) => return Err(store_error(error)),
            Err(LookError::Disk(error)) => return Err(failed(spool.disk_failed("write a copy", error))),
        }
    }
}

/// Says that an object is left to lie where it is.
pub(super) fn say_left(key: &Key, lines: usize, known: usize) {
    tracing::warn!(%key, lines, known, "another agent has stored tweets that this spool has stored or seen listed: the others of this object are taken over under a new key, and no manifest will list it");
}

pub(super) fn failed(error: SpoolError) -> AgentError {
    AgentError::Failed(error.to_string())
}
