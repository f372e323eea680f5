//! What lies in the lake under a name of ours: which lines an object holds, which of them a spool file begins with, and
//! what manifests list. Reads only; [`super`] and the start of the agent decide with it.

use std::io::{self, BufRead};

use cauce_lake::checksum::Crc64;
use cauce_lake::manifest::{HOURS_PREFIX, IngestPath, Manifest, ManifestName, ObjectEntry};
use cauce_lake::read::{self, Mismatch};
use cauce_lake::store::{ErrorKind, ObjectMeta, list_all};
use cauce_lake::tweet::{LineKind, scan};
use cauce_lake::{Hour, Key, Store, StoreError};

use crate::spool::Lines;
use crate::spool::entry::Role;
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
}

/// With how many lines two files begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Common {
    /// Lines.
    pub lines: u64,
    /// Their bytes, line ends included.
    pub bytes: u64,
}

/// Why nobody can tell what lies there.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool's disk failed.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// Reads an object once. `None` when no agent of this lake stored it: it bears no hash, its bytes are not what the hash
/// says, or it holds other things than tweets where tweets should be.
///
/// With `ours` its lines are held against those of a spool file, and it is told with how many of them it begins.
///
/// # Errors
/// When the store or the spool's disk fails.
pub async fn read_object(
    store: &dyn Store,
    meta: &ObjectMeta,
    codec: cauce_lake::manifest::Codec,
    role: Role,
    ours: Option<&Lines>,
) -> Result<Option<(StoredObject, Common)>, LookError> {
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
    let mut comparison = ours.map(Comparison::begin).transpose()?;
    let (mut ids, mut others, mut failed) = (Vec::new(), 0_u64, None);
    let check = read::verify_lines(store, &entry, |block| {
        for line in block.lines() {
            match scan(line) {
                LineKind::Tweet(head) => ids.push(head.id),
                _ => others += 1,
            }
            if let Some(comparison) = &mut comparison
                && let Err(error) = comparison.take(line)
            {
                failed.get_or_insert(error);
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
    let common = comparison.map(|comparison| comparison.common).unwrap_or_default();
    let object = StoredObject { bytes: meta.bytes, sha256, crc64: check.crc64nvme, lines: check.lines, ids };
    Ok(Some((object, common)))
}

/// Goes through a spool file beside an object, as far as their lines are the same.
struct Comparison<R> {
    ours: R,
    line: Vec<u8>,
    alike: bool,
    common: Common,
}

impl Comparison<()> {
    fn begin(ours: &Lines) -> io::Result<Comparison<impl BufRead + Send + use<>>> {
        Ok(Comparison { ours: ours.open()?, line: Vec::new(), alike: true, common: Common::default() })
    }
}

impl<R: BufRead> Comparison<R> {
    fn take(&mut self, theirs: &[u8]) -> io::Result<()> {
        if self.alike {
            self.line.clear();
            self.ours.read_until(b'\n', &mut self.line)?;
            self.alike = self.line.strip_suffix(b"\n") == Some(theirs);
            if self.alike {
                self.common.lines += 1;
                self.common.bytes += self.line.len() as u64;
            }
        }
        Ok(())
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
