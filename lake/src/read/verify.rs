//! Holding an object against what its manifest says of it: length, SHA-256, lines. One read, constant memory, whatever the
//! size; lines are counted as readers count them, and given to whoever wants to look into them. It repairs nothing.

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

/// What was found of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectCheck {
    /// The object.
    pub key: Key,
    /// Stored bytes found.
    pub bytes: u64,
    /// Lines found, up to the damage if there is some.
    pub lines: u64,
    /// CRC-64/NVME of the stored bytes.
    pub crc64nvme: Crc64,
    /// In what the object is not what its manifest says; empty when all is well.
    pub mismatches: Vec<Mismatch>,
}

impl ObjectCheck {
    /// Whether the object is what its manifest says.
    pub fn is_clean(&self) -> bool {
        self.mismatches.is_empty()
    }
}

/// One way in which an object differs from its manifest's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// The store has no such object.
    Missing,
    /// Another length.
    Bytes {
        /// The manifest's number.
        expected: u64,
        /// The store's number.
        found: u64,
    },
    /// Another content.
    Sha256 {
        /// The manifest's hash.
        expected: String,
        /// The stored bytes' hash.
        found: String,
    },
    /// The SHA-256 is right and the CRC-64/NVME is another: the manifest itself is wrong.
    Crc64 {
        /// The manifest's checksum.
        expected: Crc64,
        /// The stored bytes' checksum.
        found: Crc64,
    },
    /// Another number of lines.
    Lines {
        /// The manifest's number.
        expected: u64,
        /// The number of lines read.
        found: u64,
    },
    /// It cannot be decompressed.
    Damaged {
        /// What the decoder said.
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

/// Reads an object again and holds it against its entry. An object that is missing or differs is an answer, not an error.
///
/// # Errors
/// When the store cannot be asked: no answer, no permission.
pub async fn verify_object(store: &dyn Store, entry: &ObjectEntry) -> Result<ObjectCheck, ReadError> {
    check(store, entry, None).await
}

/// As [`verify_object`], and gives the object's lines in blocks on the way: one read serves both. A line of more than
/// [`MAX_LINE_BYTES`] is damage.
///
/// # Errors
/// When the store cannot be asked: no answer, no permission.
pub async fn verify_lines(
    store: &dyn Store,
    entry: &ObjectEntry,
    mut look: impl FnMut(&LineBlock) + Send,
) -> Result<ObjectCheck, ReadError> {
    check(store, entry, Some(&mut look)).await
}

type Look<'a> = &'a mut (dyn FnMut(&LineBlock) + Send);

async fn check(store: &dyn Store, entry: &ObjectEntry, mut look: Option<Look<'_>>) -> Result<ObjectCheck, ReadError> {
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
                if let Some(look) = &mut look {
                    cutter.push(&chunk);
                    cutter.drain().for_each(|block| look(&block));
                    if cutter.is_too_long() {
                        let detail =
                            format!("the line at byte {} is longer than {MAX_LINE_BYTES} bytes", cutter.offset());
                        check.mismatches.push(Mismatch::Damaged { detail });
                        break;
                    }
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
    if let Some(look) = &mut look
        && check.mismatches.is_empty()
    {
        cutter.finish();
        cutter.drain().for_each(|block| look(&block));
    }
    drop(decoded);
    // A decoder stops at damage; length and hash are those of all that is stored.
    let mut rest = tapped(&stored);
    while let Some(chunk) = rest.next().await {
        chunk.map_err(|error| failed(offset, error))?;
    }
    let mut tap = stored.lock().unwrap_or_else(PoisonError::into_inner);
    check.bytes = tap.bytes;
    check.crc64nvme = tap.crc64.finish();
    let sha256: String = tap.sha256.finalize_reset().iter().map(|byte| format!("{byte:02x}")).collect();
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

/// The stored bytes on their way to the decoder, hashed and counted.
struct Tap {
    /// `None` after its end or its first error: it must not be polled again then.
    stream: Option<ByteStream>,
    sha256: Sha256,
    crc64: Crc64Hasher,
    bytes: u64,
}

/// A stream over what is left in the tap, which outlives it.
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
