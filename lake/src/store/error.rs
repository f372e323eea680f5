//! What can go wrong in a store, sorted by what the caller can do about it. Decisions look at [`ErrorKind`] alone.

use std::error::Error as StdError;
use std::io;

/// What a failure means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such object.
    NotFound,
    /// There is no such bucket.
    NoSuchBucket,
    /// The condition of the put did not hold (412).
    PreconditionFailed,
    /// A competing write made the store give up; nothing is known to have landed (409).
    Conflict,
    /// The store knows us and says no (403), or the file's permissions do.
    AccessDenied,
    /// The object lies in an archive (S3 Glacier) and must be restored before it can be read.
    Archived,
    /// No credentials were found, or the store does not know them.
    Credentials,
    /// Region, endpoint or bucket name are missing or senseless, or the server refuses the request as such: somebody has
    /// to change something.
    Configuration,
    /// No connection came about: nothing was sent (where S3's client tried several times, by the last try).
    Unreachable,
    /// No answer in time, or the connection broke: the request may have been carried out.
    Timeout,
    /// The store asks for less speed (429, 503 SlowDown).
    Throttled,
    /// The store failed (5xx), or answered with what cannot be understood.
    Server,
    /// The disk is full or over quota.
    NoSpace,
    /// The content is not what its length or hash says.
    Corrupt,
    /// Anything else from the operating system.
    Io,
}

impl ErrorKind {
    /// What an operating system's error means, said of an object's file.
    pub(crate) fn of(error: &io::Error) -> ErrorKind {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::IsADirectory => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::AccessDenied,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                ErrorKind::NoSpace
            }
            io::ErrorKind::AlreadyExists => ErrorKind::PreconditionFailed,
            _ => ErrorKind::Io,
        }
    }

    /// How far an error of one object reaches. An object can be missing, damaged, archived or locked while its neighbours are
    /// fine; a bucket that is gone or a server without a connection fails every request.
    pub fn reach(self) -> Reach {
        match self {
            ErrorKind::NotFound
            | ErrorKind::PreconditionFailed
            | ErrorKind::Conflict
            | ErrorKind::AccessDenied
            | ErrorKind::Archived
            | ErrorKind::Corrupt
            | ErrorKind::Io => Reach::Object,
            ErrorKind::Credentials
            | ErrorKind::Configuration
            | ErrorKind::Timeout
            | ErrorKind::Throttled
            | ErrorKind::Server => Reach::Unknown,
            ErrorKind::NoSuchBucket | ErrorKind::Unreachable | ErrorKind::NoSpace => Reach::Store,
        }
    }

    /// Whether the same request may succeed later without anybody changing anything.
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            ErrorKind::Conflict
                | ErrorKind::Unreachable
                | ErrorKind::Timeout
                | ErrorKind::Throttled
                | ErrorKind::Server
        )
    }
}

/// What an error of one object says of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nothing: other objects can be read.
    Object,
    /// It may be the object or the whole store; a second one in a row, of another hour, says which.
    Unknown,
    /// Every request fails so.
    Store,
}

/// A failed store operation: what was tried, on what, and why it failed.
#[derive(Debug, thiserror::Error)]
#[error("{action}: {detail}")]
pub struct StoreError {
    kind: ErrorKind,
    action: String,
    detail: String,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl StoreError {
    /// `action` says what was tried and on what (`put s3://bucket/key`), `detail` what the store said.
    /// Neither may hold a secret.
    pub fn new(kind: ErrorKind, action: impl Into<String>, detail: impl Into<String>) -> StoreError {
        StoreError { kind, action: action.into(), detail: detail.into(), source: None }
    }

    /// Adds the error below this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> StoreError {
        self.source = Some(source.into());
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn with_advice(mut self, advice: &str) -> StoreError {
        self.detail = format!("{}; {advice}", self.detail);
        self
    }

    /// What the failure means.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether a write that failed so may have landed all the same.
    pub fn may_have_happened(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Timeout | ErrorKind::Server | ErrorKind::Conflict | ErrorKind::PreconditionFailed
        )
    }
}
