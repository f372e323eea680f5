//! Damaged files of the spool whose lines are in the store all the same. A journal that was cut, or an older one that was put
//! back, knows files that were stored and removed after its end: it misses their bytes, and the objects hold them.

use cauce_lake::Store;
use cauce_lake::store::ErrorKind;

use super::start::{patiently, patiently_asked};
use super::{AgentError, store_error};
use crate::spool::Spool;
use crate::spool::entry::Entry;
use crate::spool::state::{FileState, Stage};
use crate::upload::look::{LookError, StoredObject, is_listed, read_if_it_holds};

/// Puts objects in the place of damaged files of which they hold all accepted lines. They are listed by a manifest of this
/// spool, unless one lists them already.
pub(super) async fn replace(spool: &mut Spool, store: &dyn Store) -> Result<(), AgentError> {
    let is_damaged = |file: &&FileState| matches!(file.stage, Stage::Damaged { .. });
    let damaged: Vec<FileState> = spool.state().files.values().filter(is_damaged).cloned().collect();
    for file in damaged {
        let (id, key, lines) = (file.head.id, &file.head.key, file.lines);
        let Some(object) = object_of(&file, store).await? else { continue };
        let listed = match file.head.target.hour {
            Some(hour) => patiently_asked(|| is_listed(store, hour, key, &object.sha256)).await?,
            // Rejects are in no manifest.
            None => true,
        };
        tracing::warn!(%key, file = id, lines, listed, "all lines of this damaged file are in the store: the object takes its place");
        let StoredObject { bytes, sha256, crc64, lines: stored, ids, messages, .. } = object;
        // The spool knows how far `limit.track` had risen before the file; what others added is counted by itself.
        let messages = if stored == lines { file.messages.clone() } else { messages };
        spool.stage(if listed {
            Entry::Listed { ids: vec![id] }
        } else {
            Entry::Found { id, bytes, lines: stored, ours: lines, sha256, crc64, ids, messages }
        });
    }
    Ok(())
}

/// The object under a file's key, if it holds all that was accepted of the file.
async fn object_of(file: &FileState, store: &dyn Store) -> Result<Option<StoredObject>, AgentError> {
    let head = &file.head;
    let meta = patiently_asked(async || match store.head(&head.key).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    })
    .await?;
    let Some(meta) = meta else { return Ok(None) };
    let passes = |error: &LookError| matches!(error, LookError::Store(error) if error.kind().is_transient());
    let read = || read_if_it_holds(store, &meta, head.codec, head.target.role, (file.end, file.crc));
    patiently(passes, read).await.map_err(|error| match error {
        LookError::Store(error) => store_error(error),
        LookError::Disk(error) => AgentError::Failed(error.to_string()),
    })
}
