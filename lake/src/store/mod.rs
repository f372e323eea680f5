//! The store: S3 or a local folder, behind one trait.
//!
//! A store is rooted: it is opened at a lake's URL (bucket and prefix, or a folder), and every key is relative to that
//! root. Nothing above this module knows which kind of store it talks to, and nothing below the root is reachable
//! through a [`Key`].
//!
//! Contracts that every implementation keeps, checked by one conformance suite (`conformance.rs`):
//! - there are no directories: a key is a name, listing is by prefix, lexicographic by bytes;
//! - a put is atomic: readers see the whole object or none, and no temporary key is ever visible;
//! - [`Condition::IfAbsent`] lets exactly one of several racing writers win;
//! - deleting what is not there succeeds;
//! - a write that returned is durable, and what lies there is what was given.

mod error;
pub mod key;
pub mod local;
pub mod s3;

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
#[cfg(any(test, feature = "testing"))]
mod conformance_bytes;
#[cfg(any(test, feature = "testing"))]
mod conformance_list;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
#[cfg(any(test, feature = "testing"))]
pub mod servers;

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

pub use error::{ErrorKind, Reach, StoreError};
pub use key::{AGENT_KEY, Key, KeyError};
pub use s3::checksum::Algorithm;
pub use s3::options::{S3Options, StaticCredentials};

use crate::checksum::Crc64;
use crate::url::LakeUrl;

/// Longest object that [`Store::get`] takes into memory. The manifest of an hour with an object each second is a tenth of it.
pub const MOST_GET_BYTES: u64 = 64 << 20;
/// The same for the agent's object, which is some hundred bytes.
pub const MOST_AGENT_BYTES: u64 = 1 << 20;

/// A version tag of an object's content, compared for equality only (S3's ETag).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag(pub String);

/// What must hold for a put to take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Put in any case, over whatever is there.
    Always,
    /// Only when no object has this key (S3: `If-None-Match: *`).
    IfAbsent,
    /// Only when the object there has this tag (S3: `If-Match`).
    IfMatch(ETag),
}

/// The bytes of an object to be put. Both kinds can be sent again when a request has to be repeated.
#[derive(Debug, Clone)]
pub enum Body {
    /// Bytes in memory: manifests, markers and other small objects.
    Bytes(Bytes),
    /// A file on disk whose first `bytes` bytes are sent; it must not change meanwhile. One in the store's own
    /// [workshop](Files::workshop) becomes the object itself, and may be gone from there afterwards.
    File {
        /// Where the file is.
        path: PathBuf,
        /// Its length in bytes.
        bytes: u64,
        /// CRC-64/NVME of these bytes, where it is known. A store that copies the file compares the copy with it, which takes a
        /// tenth of the time that SHA-256 takes.
        crc64: Option<Crc64>,
    },
}

impl Body {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::File { bytes, .. } => *bytes,
        }
    }

    /// Whether there is no byte in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An object to be put.
#[derive(Debug, Clone)]
pub struct Put {
    /// Its name under the store's root.
    pub key: Key,
    /// Its content.
    pub body: Body,
    /// What must hold.
    pub condition: Condition,
    /// SHA-256 of the content, 64 hexadecimal digits, kept as metadata so that a later `head` can tell our object from
    /// a foreign one. `None` for objects that are never compared.
    pub sha256: Option<String>,
}

/// What a store says of an object without sending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Name under the store's root.
    pub key: Key,
    /// Length in bytes.
    pub bytes: u64,
    /// Tag of the content. In a listing of a local folder it is another than elsewhere, made without reading the file:
    /// good for noticing changes, not for [`Condition::IfMatch`].
    pub etag: ETag,
    /// The SHA-256 given at the put, where the store can tell it: S3 from its metadata (a listing does not carry it), a
    /// local folder by reading the file on `head`.
    pub sha256: Option<String>,
    /// When it was last written, milliseconds since the epoch, of whole seconds in S3; 0 where the store does not say.
    pub modified_ms: i64,
}

/// What a server was found to do with the checksums of puts. The SHA-256 of a body is part of each request's signature beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutChecks {
    /// The checksum that goes along with a put.
    pub checksum: Algorithm,
    /// It takes that checksum with a put.
    pub takes_checksum: bool,
    /// It tells that checksum of an object.
    pub tells_checksum: bool,
    /// The ETag of an object is the MD5 of its content.
    pub etag_is_md5: bool,
}

impl fmt::Display for PutChecks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checksum = self.checksum;
        let sent = if self.takes_checksum { format!("SHA-256 and {checksum}") } else { "SHA-256 only".to_owned() };
        let told = match (self.tells_checksum, self.etag_is_md5) {
            (true, true) => format!("{checksum} and MD5 (ETag)"),
            (true, false) => checksum.to_string(),
            (false, true) => "MD5 (ETag)".to_owned(),
            (false, false) => "nothing, so that each object is read back".to_owned(),
        };
        write!(f, "sent with a put: {sent}; told of an object: {told}")
    }
}

/// One page of a listing.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    /// Objects, ordered by key.
    pub objects: Vec<ObjectMeta>,
    /// With a delimiter: the folders directly under the prefix, each with its trailing `/`, ordered.
    pub folders: Vec<String>,
    /// Give this to the next call as `after`; `None` at the end of the listing.
    pub next: Option<String>,
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// Only keys that begin with this (relative to the root; may end within a name).
    pub prefix: String,
    /// Only keys after this one; also how the next page is asked for.
    pub after: Option<String>,
    /// Fold everything behind the next `/` after the prefix into [`ListPage::folders`]. A folder is then one name: it is
    /// listed when `a/` as a whole lies after `after`.
    pub folders: bool,
}

/// A body on its way in: chunks as they arrive.
pub type ByteStream = BoxStream<'static, Result<Bytes, StoreError>>;

/// An object, or a part of it, on its way in.
pub struct Content {
    /// Tag of the content, for noticing that an object changed between two reads. In a local folder it is the one of a
    /// listing, made without reading the file.
    pub etag: ETag,
    /// Length of the whole object in bytes, whatever part was asked for; `None` where the store does not say.
    pub bytes: Option<u64>,
    /// The bytes asked for.
    pub chunks: ByteStream,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("etag", &self.etag).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// An object that is a file of this machine, on its way in.
pub struct FileContent {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its bytes. Asking for the next chunk reads it, and blocks the thread that asks.
    pub chunks: Box<dyn Iterator<Item = Result<Bytes, StoreError>> + Send>,
}

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileContent").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Where the file of an object that is to be put grows, in a store whose objects are files.
#[derive(Debug, Clone)]
pub struct Workshop {
    folder: PathBuf,
    meaning: fn(&Path, io::Error) -> StoreError,
}

impl Workshop {
    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a failure to write into it means: it is the store that refuses, as it would have refused a put.
    pub fn failed(&self, error: io::Error) -> StoreError {
        (self.meaning)(&self.folder, error)
    }
}

/// The time that a server reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTime {
    /// Milliseconds since the epoch, of whole seconds in an HTTP answer.
    pub at_ms: i64,
    /// When the answer was received.
    pub received: Instant,
}

/// Milliseconds since the epoch of an HTTP `Date`, as in `Sun, 06 Nov 1994 08:49:37 GMT`; `None` where it is none.
pub fn http_date_ms(text: &str) -> Option<i64> {
    let at = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(at.timestamp().as_millisecond())
}

/// A store whose objects are files of this machine.
pub trait Files {
    /// Opens an object, for a thread that may block.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none; chunks that break off yield an error, never a silent end.
    fn open(&self, key: &Key) -> Result<FileContent, StoreError>;

    /// The folder in which the file of a [`Body::File`] that is to be put here grows best: it need not be copied then. Made when
    /// it is missing, and on no listing. Who makes a file there removes it, put or not.
    ///
    /// # Errors
    /// When it is missing and cannot be made.
    fn workshop(&self) -> Result<Workshop, StoreError>;

    /// Removes the workshop with its lock where no file grows in it and nobody holds the lock. What cannot be removed stays.
    fn leave_workshop(&self);
}

/// An object store, rooted at a lake. See the module's text for the contracts.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Where the root is, for messages: `s3://bucket/prefix` or a folder. Never holds a secret.
    fn location(&self) -> String;

    /// Puts an object. One that has a [`Put::sha256`] is looked at before this returns: it is there, and its content is what was
    /// given.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when the body is not what its hash says, or the store refused or holds other bytes than were
    /// sent; [`ErrorKind::PreconditionFailed`] when the condition does not hold, [`ErrorKind::Conflict`] when a competing
    /// write made the store give up. After any error for which [`StoreError::may_have_happened`] is true the object may
    /// be there all the same: compare with [`Store::head`] before deciding.
    async fn put(&self, put: Put) -> Result<ETag, StoreError>;

    /// Compares the content that lies under a put's key with the put's, after a [`head`](Self::head) told the same length
    /// and hash: on S3 the hash is only what was sent along with the bytes. Nothing to do where `head` reads the content.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when the content is another.
    async fn confirm(&self, _put: &Put) -> Result<(), StoreError> {
        Ok(())
    }

    /// What the server was found to do with checksums so far; `None` before the first put, and where no server is.
    fn put_checks(&self) -> Option<PutChecks> {
        None
    }

    /// What is there under a key.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when nothing is.
    async fn head(&self, key: &Key) -> Result<ObjectMeta, StoreError>;

    /// The whole content of a small object and its tag.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none, [`ErrorKind::Corrupt`] when it is longer than [`MOST_GET_BYTES`] (the agent's
    /// object: [`MOST_AGENT_BYTES`]), which no such object is.
    async fn get(&self, key: &Key) -> Result<(Bytes, ETag), StoreError>;

    /// Content as a stream, the whole object or a range of it (an empty range gives an empty stream). Chunks are large, and
    /// no chunk is a copy that could have been spared.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none, [`ErrorKind::Corrupt`] when the range reaches past the object's end; a
    /// stream that breaks off yields an error, never a silent end.
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Content, StoreError>;

    /// The store as one of files, where it is one: whoever works through much of an object reads it faster himself, on the
    /// processor that then works on it, than by [`Store::read`].
    fn files(&self) -> Option<&dyn Files> {
        None
    }

    /// One page of keys (at most 1,000 names), ordered.
    ///
    /// # Errors
    /// Any but `NotFound`: an empty prefix gives an empty page.
    async fn list(&self, list: &List) -> Result<ListPage, StoreError>;

    /// Removes an object; succeeds when there is none.
    ///
    /// # Errors
    /// When the store refused or could not be reached.
    async fn delete(&self, key: &Key) -> Result<(), StoreError>;

    /// How long a read may be repeated before its answer, where the store's options say it.
    fn longest_retry(&self) -> Option<Duration> {
        None
    }

    /// The time that the server reported in its last answer; `None` where there is none, as in a local folder.
    fn server_time(&self) -> Option<ServerTime> {
        None
    }

    /// Aborts unfinished multipart uploads that were begun before `older_than_ms` under the root, and says how many.
    /// A local folder removes staging files that a killed process left.
    ///
    /// # Errors
    /// When the store refused or could not be reached.
    async fn clean_up(&self, older_than_ms: i64) -> Result<u64, StoreError>;
}

/// Most bytes that [`Store::get`] takes of an object.
pub(crate) fn most_get_bytes(key: &Key) -> u64 {
    if key.as_str() == AGENT_KEY { MOST_AGENT_BYTES } else { MOST_GET_BYTES }
}

/// Refuses an object that is too long for [`Store::get`].
pub(crate) fn refuse_long(key: &Key, bytes: u64, action: impl FnOnce() -> String) -> Result<(), StoreError> {
    let most = most_get_bytes(key);
    if bytes <= most {
        return Ok(());
    }
    let detail = format!("it has {bytes} bytes, and no object of this name has more than {most}: remove or replace it");
    Err(StoreError::new(ErrorKind::Corrupt, action(), detail))
}

/// Opens the store at a lake's URL. No request is made: a wrong bucket or key shows at the first call. A local folder
/// is made when it is first written to.
///
/// # Errors
/// [`ErrorKind::Configuration`] when no region is known or the endpoint is no URL.
pub async fn open(url: &LakeUrl, options: &S3Options) -> Result<Arc<dyn Store>, StoreError> {
    match url {
        LakeUrl::S3 { bucket, prefix } => Ok(Arc::new(s3::S3Store::open(bucket, prefix, options).await?)),
        LakeUrl::Folder(path) => Ok(Arc::new(local::LocalStore::new(path.clone()))),
    }
}

/// All pages of a listing in one vector.
///
/// # Errors
/// The first error of any page.
pub async fn list_all(store: &dyn Store, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
    let mut list = List { prefix: prefix.to_owned(), ..List::default() };
    let mut objects = Vec::new();
    loop {
        let page = store.list(&list).await?;
        objects.extend(page.objects);
        match page.next {
            Some(next) => list.after = Some(next),
            None => return Ok(objects),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_date_is_read_and_anything_else_is_none() {
        assert_eq!(http_date_ms("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        for text in ["", "now", "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 25:49:37 GMT"] {
            assert_eq!(http_date_ms(text), None, "{text}");
        }
    }
}
