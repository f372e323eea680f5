//! Compares an object with its manifest's entry: length, SHA-256, lines. One read, constant memory for any size. Lines
//! are counted as readers count them, and a caller may inspect them on the way. Nothing is repaired.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures_util::stream::{self, StreamExt};
use sha2::{Digest, Sha256};

use super::cutter::Cutter;
use super::{LineBlock, MAX_LINE_BYTES, ReadError};
use crate::checksum::{Crc64, Crc64Hasher};
use crate::codec::decode;
use crate::manifest::ObjectEntry;
use crate::store::{ByteStream, ErrorKind, Key, Store};

/// The result of checking an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectCheck {
    /// The object that was checked.
    pub key: Key,
    /// Stored bytes.
    pub bytes: u64,
    /// Lines, up to the damage if there is any.
    pub lines: u64,
    /// CRC-64/NVME of the stored bytes.
    pub crc64nvme: Crc64,
    /// How the object differs from its entry; empty if it does not.
    pub mismatches: Vec<Mismatch>,
}

/// One difference between an object and its manifest's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// The object does not exist.
    Missing,
    /// The length differs.
    Bytes {
        /// The length in the manifest.
        expected: u64,
        /// The stored length.
        found: u64,
    },
    /// The content differs.
    Sha256 {
        /// The hash in the manifest.
        expected: String,
        /// The hash of the stored bytes.
        found: String,
    },
    /// Only the CRC-64/NVME differs, while the SHA-256 matches: the manifest itself is wrong.
    Crc64 {
        /// The checksum in the manifest.
        expected: Crc64,
        /// The checksum of the stored bytes.
        found: Crc64,
    },
    /// The number of lines differs.
    Lines {
        /// The number in the manifest.
        expected: u64,
        /// The number of lines read.
        found: u64,
    },
    /// The object cannot be decompressed, or has a line that is too long.
    Damaged {
        /// What is wrong with it.
        detail: String,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::Missing => f.write_str("it is not there"),
            Mismatch::Bytes { expected, found } => write!(f, "{found} bytes, the manifest says {expected}"),
            Mismatch::Sha256 { expected, found } => write!(f, "sha256 {found}, the manifest says {expected}"),
            Mismatch::Crc64 { expected, found } => {
                write!(f, "CRC-64/NVME {found}, the manifest says {expected} although its sha256 is right")
            }
            Mismatch::Lines { expected, found } => write!(f, "{found} lines, the manifest says {expected}"),
            Mismatch::Damaged { detail } => f.write_str(detail),
        }
    }
}

/// Reads an object again, compares it with its entry, and passes its lines to `inspect`. A missing or different object is
/// a result, not an error. A line of more than [`MAX_LINE_BYTES`] counts as damage.
///
/// # Errors
/// When the store fails, for instance without an answer or for lack of permission.
pub async fn verify_lines(
    store: &dyn Store,
    entry: &ObjectEntry,
    mut inspect: impl FnMut(&LineBlock) + Send,
) -> Result<ObjectCheck, ReadError> {
    let mut cutter = Cutter::new(0, MAX_LINE_BYTES);
    let mut check =
        ObjectCheck { key: entry.key.clone(), bytes: 0, lines: 0, crc64nvme: Crc64::of(b""), mismatches: Vec::new() };
    let failed = |offset, source| ReadError::Store { key: entry.key.clone(), offset, source };
    let stored = match store.read(&entry.key, None).await {
        Ok(content) => Arc::new(Mutex::new(Tap {
            stream: Some(content.chunks),
            sha256: Sha256::new(),
            crc64: Crc64Hasher::default(),
            bytes: 0,
        })),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            check.mismatches.push(Mismatch::Missing);
            return Ok(check);
        }
        Err(error) => return Err(failed(0, error)),
    };
    let mut decoded = decode(tapped(&stored), entry.codec, entry.key.as_str());
    let (mut offset, mut last) = (0, b'\n');
    while let Some(chunk) = decoded.next().await {
        match chunk {
            Ok(chunk) => {
                offset += chunk.len() as u64;
                check.lines += memchr::memchr_iter(b'\n', &chunk).count() as u64;
                last = chunk.last().copied().unwrap_or(last);
                cutter.push(&chunk);
                cutter.drain().for_each(|block| inspect(&block));
                if cutter.is_too_long() {
                    let detail = format!("the line at byte {} is longer than {MAX_LINE_BYTES} bytes", cutter.offset());
                    check.mismatches.push(Mismatch::Damaged { detail });
                    break;
                }
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                check.mismatches.push(Mismatch::Damaged { detail: error.to_string() });
                break;
            }
            Err(error) => return Err(failed(offset, error)),
        }
    }
    check.lines += u64::from(last != b'\n');
    if check.mismatches.is_empty() {
        cutter.finish();
        cutter.drain().for_each(|block| inspect(&block));
    }
    drop(decoded);
    // A decoder stops at damage; length and hashes cover all stored bytes.
    let mut rest = tapped(&stored);
    while let Some(chunk) = rest.next().await {
        chunk.map_err(|error| failed(offset, error))?;
    }
    let mut tap = stored.lock().unwrap_or_else(PoisonError::into_inner);
    check.bytes = tap.bytes;
    check.crc64nvme = tap.crc64.finish();
    let sha256 = hex::encode(tap.sha256.finalize_reset());
    drop(tap);
    if check.bytes != entry.bytes {
        check.mismatches.push(Mismatch::Bytes { expected: entry.bytes, found: check.bytes });
    }
    if sha256 != entry.sha256 {
        check.mismatches.push(Mismatch::Sha256 { expected: entry.sha256.clone(), found: sha256 });
    } else if let Some(expected) = entry.crc64nvme.filter(|crc64| *crc64 != check.crc64nvme) {
        check.mismatches.push(Mismatch::Crc64 { expected, found: check.crc64nvme });
    }
    if check.lines != entry.lines {
        check.mismatches.push(Mismatch::Lines { expected: entry.lines, found: check.lines });
    }
    Ok(check)
}

/// Hashes and counts the stored bytes on their way to the decoder.
struct Tap {
    /// `None` after the end or the first error, when it must not be polled again.
    stream: Option<ByteStream>,
    sha256: Sha256,
    crc64: Crc64Hasher,
    bytes: u64,
}

/// A stream of the bytes that the tap has not passed on yet.
fn tapped(tap: &Arc<Mutex<Tap>>) -> ByteStream {
    let tap = Arc::clone(tap);
    stream::poll_fn(move |context| {
        let mut tap = tap.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stream) = &mut tap.stream else { return Poll::Ready(None) };
        let polled = stream.poll_next_unpin(context);
        match &polled {
            Poll::Ready(Some(Ok(chunk))) => {
                tap.sha256.update(chunk);
                tap.crc64.update(chunk);
                tap.bytes += chunk.len() as u64;
            }
            Poll::Ready(_) => tap.stream = None,
            Poll::Pending => {}
        }
        polled
    })
    .boxed()
}
