//! How an object gets to S3 unchanged: signed, with a checksum, and looked at before a put returns.
//!
//! After a put that has a hash, a HEAD asks what the server holds, so that one that answers 200 and stores nothing, or stores
//! other bytes, is found out while the caller still has the original. It costs one request an object. What the answer proves
//! is weighed in `check.rs`; where it proves nothing, the object is read back.
//!
//! A server that refuses the checksum's header, or to be asked for the checksum, is asked once without it, and from then on
//! never with it.

use std::ops::Range;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{ByteStream as SdkBody, Length};
use aws_sdk_s3::types::{ChecksumMode, ServerSideEncryption};
use futures_util::StreamExt;

use super::check::{BodyDigests, SignedHash, Told, Way, Weighed, weigh};
use super::checksum::{Algorithm, told_checksum, with_checksum};
use super::{S3Store, SHA256};
use crate::checksum::Crc64Hasher;
use crate::store::{Body, Condition, ETag, ErrorKind, Put, StoreError};

const READ_BUFFER_BYTES: usize = 1024 * 1024;

impl S3Store {
    /// Puts an object and compares what is there then.
    pub(super) async fn put_checked(&self, put: &Put) -> Result<ETag, StoreError> {
        let digests = self.digests(put).await?;
        let tag = match self.send(put, &digests).await {
            Err(error) if self.may_lack_checksums(&error, digests.way()) => {
                self.found.refuses_checksum(digests.way());
                match self.send(put, &digests).await {
                    Ok(tag) => tag,
                    Err(again) => {
                        // It was not the checksum.
                        self.found.is_unknown(digests.way());
                        return Err(if again.kind() == error.kind() { error } else { again });
                    }
                }
            }
            sent => sent?,
        };
        if put.sha256.is_some() {
            self.look(put, &digests).await?;
        }
        Ok(tag)
    }

    /// Reads a body for its values, and refuses one that is not what its hash says.
    pub(super) async fn digests(&self, put: &Put) -> Result<BodyDigests, StoreError> {
        let bytes = put.body.len();
        let parts = if bytes > self.multipart.threshold_bytes { self.multipart.parts(bytes) } else { Vec::new() };
        let digests = BodyDigests::of(&put.body, parts, self.checksum).await?;
        match &put.sha256 {
            Some(wanted) if *wanted != digests.whole.sha256 => {
                let what = match &put.body {
                    Body::File { path, .. } => format!("the file {}", path.display()),
                    Body::Bytes(_) => "what is to be put".to_owned(),
                };
                let found = &digests.whole.sha256;
                let detail = format!(
                    "{what} has SHA-256 {found} and not {wanted}: it was changed on this machine; look after its disk and memory"
                );
                Err(StoreError::new(ErrorKind::Corrupt, self.action("put", put.key.as_str()), detail))
            }
            _ => Ok(digests),
        }
    }

    async fn send(&self, put: &Put, digests: &BodyDigests) -> Result<ETag, StoreError> {
        if digests.parts.is_empty() {
            self.put_in_one(put, digests).await
        } else {
            self.put_in_parts(put, digests).await
        }
    }

    async fn put_in_one(&self, put: &Put, digests: &BodyDigests) -> Result<ETag, StoreError> {
        let mut request = self.client.put_object().bucket(&self.bucket).key(self.full(&put.key));
        request = match &put.condition {
            Condition::Always => request,
            Condition::IfAbsent => request.if_none_match("*"),
            Condition::IfMatch(tag) => request.if_match(&tag.0),
        };
        if let Some(hash) = &put.sha256 {
            request = request.metadata(SHA256, hash);
        }
        let sends_checksum = self.found.sends_checksum(Way::InOne);
        if sends_checksum {
            request = with_checksum!(request, self.checksum, Some(digests.whole.checksum.clone()));
        }
        let length = put.body.len();
        let answer = request
            .body(body(&put.body, 0..length).await?)
            .content_length(i64::try_from(length).unwrap_or(i64::MAX))
            .customize()
            .interceptor(SignedHash(digests.whole.sha256.clone()))
            .config_override(aws_sdk_s3::Config::builder().timeout_config(self.retries.timeouts(length)))
            .send()
            .await
            .map_err(|error| self.fail("put", put.key.as_str(), &error))?;
        let checksum = told_checksum!(answer, self.checksum);
        if sends_checksum {
            self.found.takes_checksum(Way::InOne, checksum.is_some());
        }
        let tag = self.tagged("put", &put.key, answer.e_tag())?;
        let told = Told {
            bytes: None,
            etag: if self.found.trusts_etag() { &tag.0 } else { "" },
            checksum,
            hides_md5: hides_md5(answer.server_side_encryption(), answer.sse_customer_algorithm()),
        };
        match weigh(digests, told) {
            // The look that follows a put with a hash decides.
            _ if put.sha256.is_some() => {}
            Weighed::Same | Weighed::Silent => {}
            weighed => self.settle(put, digests, weighed).await?,
        }
        Ok(tag)
    }

    /// Asks what lies under a put's key and compares it.
    pub(super) async fn look(&self, put: &Put, digests: &BodyDigests) -> Result<(), StoreError> {
        let asks = self.found.asks_for_checksum();
        let answer = match self.ask(put, asks).await {
            Err(error) if asks && error.kind() == ErrorKind::Configuration => {
                let answer = self.ask(put, false).await;
                if answer.is_ok() {
                    self.found.refuses_checksum_mode();
                }
                answer
            }
            answer => answer,
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let detail = "the server said that it was stored, and it is not there";
                return Err(StoreError::new(ErrorKind::Server, self.action("put", put.key.as_str()), detail));
            }
            Err(error) => return Err(error),
        };
        let tag = self.tagged("look at", &put.key, answer.e_tag())?;
        let checksum = told_checksum!(answer, self.checksum);
        if self.found.sends_checksum(digests.way()) && checksum.is_some() {
            self.found.takes_checksum(digests.way(), true);
        }
        let told = Told {
            bytes: answer.content_length().and_then(|bytes| u64::try_from(bytes).ok()),
            etag: if self.found.trusts_etag() { &tag.0 } else { "" },
            checksum,
            hides_md5: hides_md5(answer.server_side_encryption(), answer.sse_customer_algorithm()),
        };
        self.settle(put, digests, weigh(digests, told)).await
    }

    /// The HEAD of a look. An old server may refuse to be asked for the checksum.
    async fn ask(&self, put: &Put, with_checksum: bool) -> Result<HeadObjectOutput, StoreError> {
        let request = self.client.head_object().bucket(&self.bucket).key(self.full(&put.key));
        let request = if with_checksum { request.checksum_mode(ChecksumMode::Enabled) } else { request };
        request.send().await.map_err(|error| self.fail("look at", put.key.as_str(), &error))
    }

    /// Decides by what was weighed, and where that is not enough by the object's own content.
    async fn settle(&self, put: &Put, digests: &BodyDigests, weighed: Weighed) -> Result<(), StoreError> {
        let other = |detail: String| {
            let detail = format!("other bytes than were sent are stored: {detail}");
            Err(StoreError::new(ErrorKind::Corrupt, self.action("put", put.key.as_str()), detail))
        };
        let (by_etag, detail) = match weighed {
            Weighed::Same => return Ok(()),
            Weighed::Different(detail) => return other(detail),
            Weighed::Contradicts { by_etag, detail } => (by_etag, detail),
            Weighed::Silent => (false, "read back, it has another CRC-64/NVME".to_owned()),
        };
        let mut chunks = self.fetch(&put.key, None).await?.chunks;
        let mut crc64 = Crc64Hasher::default();
        while let Some(chunk) = chunks.next().await {
            crc64.update(&chunk?);
        }
        if crc64.finish() != digests.whole.crc64 {
            return other(detail);
        }
        if by_etag {
            self.found.distrust_etag();
        }
        Ok(())
    }

    /// Whether a refusal may be one of the checksum's header, which old servers do not know.
    fn may_lack_checksums(&self, error: &StoreError, way: Way) -> bool {
        let is_refusal = matches!(error.kind(), ErrorKind::Configuration | ErrorKind::Credentials);
        is_refusal && self.found.sends_checksum(way) && !self.found.has_taken_checksum(way)
    }
}

/// Whether an object's ETag is no MD5 because of how it is encrypted.
fn hides_md5(encryption: Option<&ServerSideEncryption>, customer: Option<&str>) -> bool {
    customer.is_some() || encryption.is_some_and(|encryption| *encryption != ServerSideEncryption::Aes256)
}

/// A part of a body, in a form that can be sent again.
pub(super) async fn body(body: &Body, range: Range<u64>) -> Result<SdkBody, StoreError> {
    match body {
        Body::Bytes(bytes) => {
            let place = |at: u64| usize::try_from(at).expect("inside a body in memory");
            Ok(SdkBody::from(bytes.slice(place(range.start)..place(range.end))))
        }
        Body::File { .. } if range.is_empty() => Ok(SdkBody::from_static(b"")),
        Body::File { path, .. } => SdkBody::read_from()
            .path(path)
            .offset(range.start)
            .length(Length::Exact(range.end - range.start))
            .buffer_size(READ_BUFFER_BYTES)
            .build()
            .await
            .map_err(|error| {
                let action = format!("read {} to put it", path.display());
                StoreError::new(ErrorKind::Io, action, error.to_string())
            }),
    }
}

#[cfg(test)]
mod tests;
