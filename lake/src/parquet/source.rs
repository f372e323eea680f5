//! What an hour is made from: its manifests, or the objects that are there of it now, and a hash that changes when these do.

use sha2::{Digest, Sha256};

use super::ConvertError;
use crate::catalogue::{CatalogueError, HourEntry, LakeObject};
use crate::hour::{Hour, HourRange};
use crate::lakes::Lakes;
use crate::manifest::{HOURS_PREFIX, Manifest, ManifestName};
use crate::store::{ErrorKind, list_all};

/// What an hour or a folder is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// Whether it is final.
    pub(super) closed: bool,
    /// See the table of `stamp.rs`.
    pub(super) sha256: String,
    /// Stored bytes that will be read.
    pub(super) bytes: u64,
}

/// The source of a closed hour: the manifest that closed it in each lake, and its late ones if these are wanted. `None` where
/// it is not closed in each.
pub(super) async fn closed(lakes: &Lakes, hour: Hour, late: bool) -> Result<Option<Source>, ConvertError> {
    let mut parts = Vec::new();
    let mut bytes = 0;
    for (number, lake) in lakes.lakes().iter().enumerate() {
        let store = lake.store().as_ref();
        let mut names = vec![ManifestName::closing(hour)];
        if late {
            let listed = list_all(store, &format!("{HOURS_PREFIX}{hour}.late-")).await.map_err(CatalogueError::from)?;
            names.extend(listed.iter().filter_map(|object| ManifestName::parse(object.key.as_str())));
            names.sort_unstable();
        }
        for name in names {
            let key = name.key();
            let content = match store.get(&key).await {
                Ok((content, _)) => content,
                Err(error) if error.kind() == ErrorKind::NotFound && name.late.is_none() => return Ok(None),
                Err(error) => return Err(CatalogueError::from(error).into()),
            };
            let manifest = Manifest::from_bytes(&key, &content)
                .map_err(|error| CatalogueError::Manifest(std::sync::Arc::new(error)))?;
            bytes += manifest.bytes();
            parts.push((format!("{number} {key}"), hex::encode(Sha256::digest(&content))));
        }
    }
    let sha256 = match parts.as_slice() {
        [(_, only)] => only.clone(),
        several => digest(several.iter().map(|(name, hash)| format!("{name} {hash}"))),
    };
    Ok(Some(Source { closed: true, sha256, bytes }))
}

/// The source of what may still change: the objects that are there. Of a folder only the hours of a range may be wanted.
pub(super) fn open(entry: &HourEntry, late: bool, range: Option<HourRange>) -> Source {
    let late = if late { entry.late_objects.as_slice() } else { &[] };
    let objects = || entry.objects.iter().chain(late);
    let line = |object: &LakeObject| format!("{} {} {}", object.lake, object.bytes, object.key);
    let range = range.map(|range| range.to_string());
    Source {
        closed: false,
        sha256: digest(objects().map(line).chain(range)),
        bytes: objects().map(|object| object.bytes).sum(),
    }
}

fn digest(lines: impl Iterator<Item = String>) -> String {
    let mut hasher = Sha256::new();
    for line in lines {
        hasher.update(line.as_bytes());
        hasher.update(b"\n");
    }
    hex::encode(hasher.finalize())
}
