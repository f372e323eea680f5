//! A local folder as a store: each object is a plain file under the root, at its key.
//!
//! The disk's own rules show through in one place: a key cannot lie below another object's key (`a` and `a/b`), which a
//! bucket would allow. Symbolic links inside the root are followed, as whoever made them meant; what is neither a regular file
//! nor a folder is refused, and so are links that lead round in a circle (`regular.rs`). What a write does step
//! by step is in `publish.rs`, reading in `stream.rs`, listing in `walk.rs`; this file answers the trait.
//!
//! Tags: [`Store::put`], [`Store::head`] and [`Store::get`] give the SHA-256 of the content, so that `IfMatch` compares
//! content. A listing and [`Store::read`] do not look at all of it first: their tags are made of size, time of change and
//! inode, good for noticing that an object changed, and never equal to those of the other calls.

mod publish;
mod regular;
mod stream;
mod walk;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{
    Content, ETag, ErrorKind, FileContent, Files, Key, List, ListPage, ObjectMeta, Put, Store, StoreError, Workshop,
    refuse_long,
};
use crate::checksum::{Crc64, Crc64Hasher};

/// The hidden folder under the root that holds files which are being written, and the lock. Its content is never
/// listed, and no key reaches into it.
const HIDDEN: &str = ".cauce-stage";

/// How much of a file is read at a time for its hash.
const CHUNK_BYTES: usize = 256 * 1024;

/// A folder as a store. It is made at the first put; reading never writes to the disk.
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: PathBuf,
    buffers: Arc<stream::Buffers>,
    /// Folders under the root whose names survive a power cut.
    durable: Arc<Mutex<HashMap<PathBuf, publish::Made>>>,
}

impl LocalStore {
    /// A store over a folder, which need not exist yet.
    pub fn new(root: PathBuf) -> LocalStore {
        LocalStore { root, buffers: Arc::default(), durable: Arc::default() }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// Runs file work away from the threads that drive sockets.
    async fn blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&LocalStore) -> Result<T, StoreError> + Send + 'static,
    {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(StoreError::new(
                ErrorKind::Io,
                format!("use {}", self.root.display()),
                "the run time is shutting down",
            )),
        }
    }

    fn open_plain(&self, action: &str, key: &Key) -> Result<(File, fs::Metadata, PathBuf), StoreError> {
        let path = self.path(key);
        if is_hidden(key) {
            return Err(io_error(action, &path, io::ErrorKind::NotFound.into()));
        }
        let (file, meta) = regular::open(action, &path)?;
        Ok((file, meta, path))
    }
}

/// Whether a key reaches into the hidden folder.
fn is_hidden(key: &Key) -> bool {
    key.as_str().split('/').next() == Some(HIDDEN)
}

/// Says what an operating system's error means, naming the path.
fn io_error(action: &str, path: &Path, error: io::Error) -> StoreError {
    let kind = ErrorKind::of(&error);
    let detail = match (kind, error.kind()) {
        (ErrorKind::NotFound, io::ErrorKind::IsADirectory) => "there is a folder of this name, not a file".to_owned(),
        (ErrorKind::NotFound, _) => "there is no such file".to_owned(),
        (ErrorKind::PreconditionFailed, _) => "there is such a file already".to_owned(),
        (_, io::ErrorKind::ReadOnlyFilesystem) => "the disk is mounted read-only: mount it for writing".to_owned(),
        (ErrorKind::AccessDenied, _) => "permission denied: correct the owner or mode of the folder".to_owned(),
        (_, io::ErrorKind::FileTooLarge) => "a file must not become so long: raise the limit (ulimit -f)".to_owned(),
        (ErrorKind::NoSpace, _) => "the disk is full or over quota: make room".to_owned(),
        (_, io::ErrorKind::NotADirectory) => "a part of the path is a file, not a folder".to_owned(),
        (_, io::ErrorKind::CrossesDevices) => {
            "this folder is on another file system than the lake's root: give it a lake of its own".to_owned()
        }
        _ => error.to_string(),
    };
    StoreError::new(kind, format!("{action} {}", path.display()), detail).with_source(error)
}

fn hex(hash: &[u8]) -> String {
    use std::fmt::Write as _;
    hash.iter().fold(String::with_capacity(hash.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn sha256(reader: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    for_each_chunk(reader, |chunk| hasher.update(chunk))?;
    Ok(hex(&hasher.finalize()))
}

fn crc64_of(reader: impl Read) -> io::Result<Crc64> {
    let mut hasher = Crc64Hasher::default();
    for_each_chunk(reader, |chunk| hasher.update(chunk))?;
    Ok(hasher.finish())
}

fn for_each_chunk(mut reader: impl Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(()),
            n => take(&buffer[..n]),
        }
    }
}

/// The tag of a listing and of reads: it changes when the file does.
fn quick_tag(meta: &fs::Metadata) -> ETag {
    ETag(format!("{}-{}.{:09}-{}", meta.len(), meta.mtime(), meta.mtime_nsec(), meta.ino()))
}

fn modified_ms(meta: &fs::Metadata) -> i64 {
    meta.mtime() * 1000 + meta.mtime_nsec() / 1_000_000
}

impl Files for LocalStore {
    fn open(&self, key: &Key) -> Result<FileContent, StoreError> {
        let (file, meta, path) = self.open_plain("read", key)?;
        let chunks = stream::blocking(file, meta.len(), path, Arc::clone(&self.buffers));
        Ok(FileContent { bytes: meta.len(), chunks: Box::new(chunks) })
    }

    fn workshop(&self) -> Result<Workshop, StoreError> {
        Ok(Workshop { folder: self.make_workshop()?, meaning: publish::write_error })
    }

    fn leave_workshop(&self) {
        self.remove_workshop();
    }
}

#[async_trait]
impl Store for LocalStore {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    async fn put(&self, put: Put) -> Result<ETag, StoreError> {
        self.blocking(move |store| store.put_blocking(&put)).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta, StoreError> {
        let key = key.clone();
        self.blocking(move |store| {
            let (file, meta, path) = store.open_plain("look at", &key)?;
            let hash = sha256(file).map_err(|error| io_error("read", &path, error))?;
            Ok(ObjectMeta {
                key,
                bytes: meta.len(),
                etag: ETag(hash.clone()),
                sha256: Some(hash),
                modified_ms: modified_ms(&meta),
            })
        })
        .await
    }

    async fn get(&self, key: &Key) -> Result<(Bytes, ETag), StoreError> {
        let key = key.clone();
        self.blocking(move |store| {
            let (file, meta, path) = store.open_plain("read", &key)?;
            refuse_long(&key, meta.len(), || format!("read {}", path.display()))?;
            let mut content = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
            // An object never grows; a file that somebody else appends to must not fill the memory.
            let mut file = file.take(meta.len());
            file.read_to_end(&mut content).map_err(|error| io_error("read", &path, error))?;
            let tag = ETag(hex(&Sha256::digest(&content)));
            Ok((Bytes::from(content), tag))
        })
        .await
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Content, StoreError> {
        let key = key.clone();
        self.blocking(move |store| {
            let (file, meta, path) = store.open_plain("read", &key)?;
            let range = range.unwrap_or(0..meta.len());
            if range.end > meta.len() && !range.is_empty() {
                return Err(stream::ends_early(&path, meta.len()));
            }
            let (etag, bytes) = (quick_tag(&meta), Some(meta.len()));
            Ok(Content { etag, bytes, chunks: stream::chunks(file, range, path, Arc::clone(&store.buffers)) })
        })
        .await
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }

    async fn list(&self, list: &List) -> Result<ListPage, StoreError> {
        let list = list.clone();
        self.blocking(move |store| walk::list(&store.root, &list)).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let key = key.clone();
        self.blocking(move |store| store.delete_blocking(&key)).await
    }

    async fn clean_up(&self, older_than_ms: i64) -> Result<u64, StoreError> {
        self.blocking(move |store| store.clean_up_blocking(older_than_ms)).await
    }
}

#[cfg(test)]
mod tests;
