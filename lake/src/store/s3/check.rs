//! What is known of a body before it is sent, and what a server's word about an object proves.
//!
//! A body is read once before it is sent, for its SHA-256, which is signed in the place of the body, so that a server that
//! verifies signatures refuses other bytes; for the checksum that goes along with it, which S3 compares, keeps and tells; for its
//! CRC-64/NVME, by which an object that is read back is compared; and for its MD5, which is the ETag of an object on most servers. What is told is weighed by [`weigh`], which is pure: what contradicts a value, and
//! what says nothing about any, is decided by reading the object back.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use aws_runtime::auth::PayloadSigningOverride;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use md5::{Digest, Md5};
use sha2::Sha256;

use super::checksum::{Algorithm, Crc32Hasher, sha256_text};
use crate::checksum::{Crc64, Crc64Hasher};
use crate::store::{Body, ErrorKind, PutChecks, StoreError};

/// How much of a file is read at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// The values of a body, or of one of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digests {
    /// 64 hexadecimal digits.
    pub(super) sha256: String,
    pub(super) md5: [u8; 16],
    pub(super) crc64: Crc64,
    /// The checksum that goes along with a put, as S3 writes it.
    pub(super) checksum: String,
}

/// The values of a whole body and of its parts, where it goes up in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BodyDigests {
    /// Of the checksums.
    pub(super) algorithm: Algorithm,
    pub(super) bytes: u64,
    pub(super) whole: Digests,
    pub(super) parts: Vec<Digests>,
}

struct Hasher {
    algorithm: Algorithm,
    sha256: Sha256,
    md5: Md5,
    crc64: Crc64Hasher,
    crc32: Crc32Hasher,
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Hasher {
        Hasher {
            algorithm,
            sha256: Sha256::default(),
            md5: Md5::default(),
            crc64: Crc64Hasher::default(),
            crc32: Crc32Hasher::new(algorithm),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.md5.update(bytes);
        self.crc64.update(bytes);
        self.crc32.update(bytes);
    }

    fn finish(self) -> Digests {
        let (sha256, crc64) = (self.sha256.finalize(), self.crc64.finish());
        let checksum = self.crc32.finish().unwrap_or_else(|| match self.algorithm {
            Algorithm::Sha256 => sha256_text(&sha256),
            _ => crc64.to_string(),
        });
        Digests { sha256: hex(&sha256), md5: self.md5.finalize().into(), crc64, checksum }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl BodyDigests {
    /// Reads a body on a thread that may block. `parts` lie one behind the other and cover it; none where it goes up in one.
    pub(super) async fn of(
        body: &Body,
        parts: Vec<Range<u64>>,
        algorithm: Algorithm,
    ) -> Result<BodyDigests, StoreError> {
        let body = body.clone();
        match tokio::task::spawn_blocking(move || read(&body, &parts, algorithm)).await {
            Ok(digests) => digests,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(StoreError::new(ErrorKind::Io, "read what is to be put", "the run time is shutting down")),
        }
    }

    pub(super) fn way(&self) -> Way {
        if self.parts.is_empty() { Way::InOne } else { Way::InParts }
    }

    /// The ETag of an object that went up in parts: the MD5 of its parts' MD5s, and how many there were.
    fn etag(&self) -> String {
        if self.parts.is_empty() {
            return hex(&self.whole.md5);
        }
        let md5s = self.parts.iter().fold(Md5::new(), |md5, part| md5.chain_update(part.md5));
        format!("{}-{}", hex(&md5s.finalize()), self.parts.len())
    }
}

fn read(body: &Body, parts: &[Range<u64>], algorithm: Algorithm) -> Result<BodyDigests, StoreError> {
    match body {
        Body::Bytes(bytes) => Ok(digest(&bytes[..], bytes.len() as u64, parts, algorithm).expect("memory reads")),
        Body::File { path, bytes, .. } => {
            let action = || format!("read {} to put it", path.display());
            let failed = |error: io::Error| StoreError::new(ErrorKind::Io, action(), error.to_string());
            let digests = digest(File::open(path).map_err(failed)?, *bytes, parts, algorithm).map_err(failed)?;
            if digests.bytes == *bytes {
                return Ok(digests);
            }
            let detail = format!("it holds {} bytes where {bytes} were to be sent", digests.bytes);
            Err(StoreError::new(ErrorKind::Corrupt, action(), detail))
        }
    }
}

/// Reads at most so many bytes.
fn digest(mut from: impl Read, bytes: u64, parts: &[Range<u64>], algorithm: Algorithm) -> io::Result<BodyDigests> {
    let mut digests = Vec::with_capacity(parts.len());
    let (mut whole, mut part, mut at) = (Hasher::new(algorithm), Hasher::new(algorithm), 0);
    let mut buffer = vec![0; CHUNK_BYTES];
    while at < bytes {
        let end = parts.get(digests.len()).map_or(bytes, |part| part.end);
        let want = usize::try_from(end - at).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let got = match from.read(&mut buffer[..want]) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        at += got as u64;
        whole.update(&buffer[..got]);
        if !parts.is_empty() {
            part.update(&buffer[..got]);
            if at == end {
                digests.push(std::mem::replace(&mut part, Hasher::new(algorithm)).finish());
            }
        }
    }
    Ok(BodyDigests { algorithm, bytes: at, whole: whole.finish(), parts: digests })
}

/// Signs the SHA-256 of a body, also of one that is sent as a stream, which the SDK would leave unsigned.
#[derive(Debug)]
pub(super) struct SignedHash(pub(super) String);

impl Intercept for SignedHash {
    fn name(&self) -> &'static str {
        "signed hash of a body"
    }

    fn modify_before_signing(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(PayloadSigningOverride::Precomputed(self.0.clone()));
        Ok(())
    }
}

/// What a server told of an object.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told<'a> {
    /// Its length, where the answer says it.
    pub(super) bytes: Option<u64>,
    pub(super) etag: &'a str,
    /// The checksum of the whole object, by the algorithm of the body's.
    pub(super) checksum: Option<&'a str>,
    /// It is encrypted so that its ETag is no MD5 of it: with a key of AWS's KMS, or one that came with the request.
    pub(super) hides_md5: bool,
}

/// What that proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Weighed {
    /// The content is the body's.
    Same,
    /// Another length: the content is another.
    Different(String),
    /// It contradicts, in words. An ETag need not be an MD5, so only the content itself decides.
    Contradicts {
        /// It is the ETag that does.
        by_etag: bool,
        detail: String,
    },
    /// It says nothing.
    Silent,
}

/// Weighs what was told of an object against its body.
pub(super) fn weigh(body: &BodyDigests, told: Told<'_>) -> Weighed {
    if let Some(bytes) = told.bytes.filter(|bytes| *bytes != body.bytes) {
        return Weighed::Different(format!("{bytes} bytes of {} are there", body.bytes));
    }
    let checksum = told.checksum.filter(|text| body.algorithm.is_possible(text));
    if let Some(told) = checksum.filter(|told| *told != body.whole.checksum) {
        let detail = format!("it has {} {told}, sent were bytes with {}", body.algorithm, body.whole.checksum);
        return Weighed::Contradicts { by_etag: false, detail };
    }
    let etag = md5_of(told.etag).filter(|_| !told.hides_md5);
    let ours = body.etag();
    // Parts of another length give another ETag for the same content.
    let comparable = etag.filter(|etag| etag.split_once('-').map(|(_, n)| n) == ours.split_once('-').map(|(_, n)| n));
    match comparable {
        Some(etag) if etag.eq_ignore_ascii_case(&ours) => Weighed::Same,
        Some(etag) => {
            Weighed::Contradicts { by_etag: true, detail: format!("it has ETag {etag}, sent were bytes with {ours}") }
        }
        None if checksum.is_some() => Weighed::Same,
        None => Weighed::Silent,
    }
}

/// An ETag without its quotes, where it can be an MD5, or that of an upload in parts.
fn md5_of(etag: &str) -> Option<&str> {
    let etag = etag.trim_matches('"');
    let md5 = etag.split_once('-').map_or(etag, |(md5, _)| md5);
    (md5.len() == 32 && md5.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(etag)
}

/// What a server was found to do with checksums, of one store and its clones.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Of objects that go up in one, and of those that go up in parts: a server may know the one and not the other.
    checksum: [AtomicU8; 2],
    etag_is_none: AtomicBool,
    refuses_mode: AtomicBool,
}

/// How an object goes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    InOne,
    InParts,
}

const UNKNOWN: u8 = 0;
const TAKEN: u8 = 1;
const TOLD: u8 = 2;
const NO: u8 = 3;

impl Found {
    fn checksum(&self, way: Way) -> u8 {
        self.checksum[way as usize].load(Ordering::Relaxed)
    }

    fn learn(&self, way: Way, checksum: u8) {
        self.checksum[way as usize].store(checksum, Ordering::Relaxed);
    }

    /// Whether a checksum goes along with a put.
    pub(super) fn sends_checksum(&self, way: Way) -> bool {
        self.checksum(way) != NO
    }

    /// Whether the server has taken one so far.
    pub(super) fn has_taken_checksum(&self, way: Way) -> bool {
        matches!(self.checksum(way), TAKEN | TOLD)
    }

    /// A put was refused for its checksum, so none goes along any more.
    pub(super) fn refuses_checksum(&self, way: Way) {
        self.learn(way, NO);
    }

    /// Nothing is known of it after all.
    pub(super) fn is_unknown(&self, way: Way) {
        self.learn(way, UNKNOWN);
    }

    /// A put with a checksum succeeded; `told` says whether an answer repeated it.
    pub(super) fn takes_checksum(&self, way: Way, told: bool) {
        if told {
            self.learn(way, TOLD);
        } else if self.checksum(way) == UNKNOWN {
            self.learn(way, TAKEN);
        }
    }

    /// Whether ETags may say something: not after one contradicted content that was right.
    pub(super) fn trusts_etag(&self) -> bool {
        !self.etag_is_none.load(Ordering::Relaxed)
    }

    /// Whether a look asks for the checksum: not after the server refused `x-amz-checksum-mode`.
    pub(super) fn asks_for_checksum(&self) -> bool {
        !self.refuses_mode.load(Ordering::Relaxed)
    }

    pub(super) fn refuses_checksum_mode(&self) {
        self.refuses_mode.store(true, Ordering::Relaxed);
    }

    pub(super) fn distrust_etag(&self) {
        self.etag_is_none.store(true, Ordering::Relaxed);
    }

    /// What is known after the first put.
    pub(super) fn checks(&self, checksum: Algorithm) -> Option<PutChecks> {
        let known = [Way::InOne, Way::InParts].map(|way| self.checksum(way));
        known.iter().any(|checksum| *checksum != UNKNOWN).then(|| PutChecks {
            checksum,
            takes_checksum: !known.contains(&NO),
            tells_checksum: known.contains(&TOLD),
            etag_is_md5: self.trusts_etag(),
        })
    }
}

#[cfg(test)]
mod tests;
