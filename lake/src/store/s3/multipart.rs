//! Large objects go up in parts, several at a time, and appear when the upload is completed, never before.
//!
//! The condition travels with the completion, the hash with the beginning. An upload that fails is aborted; one whose
//! process died stays behind unseen (and paid for) until [`S3Store::abort_old_uploads`] or the bucket's own lifecycle rule.

use std::ops::Range;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ChecksumType, CompletedMultipartUpload, CompletedPart};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::check::{BodyDigests, Digests, SignedHash, Way};
use super::checksum::{Algorithm, told_checksum, with_checksum};
use super::put::body;
use super::{S3Store, SHA256};
use crate::store::{Condition, ETag, ErrorKind, Key, Put, StoreError};

/// Most parts an upload can have.
const MAX_PARTS: u64 = 10_000;
const MIB: u64 = 1024 * 1024;

/// When and how an object is put in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multipart {
    /// A longer body goes up in parts; at most 5 GiB, which is the most S3 takes in one request.
    pub threshold_bytes: u64,
    /// Length of a part, at least S3's 5 MiB; raised where a body would need more than 10,000 of them.
    pub part_bytes: u64,
    /// How many parts are on their way at once. A part of a file takes about 1 MiB of memory.
    pub concurrency: usize,
}

impl Default for Multipart {
    fn default() -> Multipart {
        Multipart { threshold_bytes: 64 * MIB, part_bytes: 16 * MIB, concurrency: 4 }
    }
}

impl Multipart {
    /// Where the parts of a body lie, in order.
    pub(super) fn parts(&self, bytes: u64) -> Vec<Range<u64>> {
        let needed = bytes.div_ceil(MAX_PARTS).next_multiple_of(MIB);
        let part =
            self.part_bytes.max(1).max(if bytes.div_ceil(self.part_bytes.max(1)) > MAX_PARTS { needed } else { 0 });
        (0..bytes.div_ceil(part)).map(|n| n * part..((n + 1) * part).min(bytes)).collect()
    }
}

impl S3Store {
    pub(super) async fn put_in_parts(&self, put: &Put, digests: &BodyDigests) -> Result<ETag, StoreError> {
        let mut request = self.client.create_multipart_upload().bucket(&self.bucket).key(self.full(&put.key));
        if self.found.sends_checksum(Way::InParts) {
            // A checksum of the whole object where the algorithm can, not of its parts' checksums: a reader can compare it with
            // the manifest's.
            request = request.checksum_algorithm(self.checksum.of_sdk()).checksum_type(self.checksum.of_parts());
        }
        if let Some(hash) = &put.sha256 {
            request = request.metadata(SHA256, hash);
        }
        let begun = request.send().await.map_err(|error| self.fail("begin to put", put.key.as_str(), &error))?;
        let Some(upload) = begun.upload_id() else {
            let detail = "the server gave no upload id";
            return Err(StoreError::new(ErrorKind::Server, self.action("begin to put", put.key.as_str()), detail));
        };
        let done = match self.send_parts(put, upload, digests).await {
            Ok(parts) => self.complete(put, upload, parts, digests).await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            // After a completion whose answer was lost there is nothing left to abort, and nothing is undone by trying.
            // Where this fails too, the next clean-up finds the upload.
            let _ = self.abort(&self.full(&put.key), upload).await;
        }
        done
    }

    async fn send_parts(
        &self,
        put: &Put,
        upload: &str,
        digests: &BodyDigests,
    ) -> Result<Vec<CompletedPart>, StoreError> {
        let ranges = self.multipart.parts(put.body.len());
        let mut parts: Vec<CompletedPart> = stream::iter(ranges.into_iter().zip(digests.parts.clone()).enumerate())
            .map(|(n, (range, part))| {
                self.send_part(put, upload, i32::try_from(n + 1).unwrap_or(i32::MAX), range, part)
            })
            .buffer_unordered(self.multipart.concurrency.max(1))
            .try_collect()
            .await?;
        parts.sort_by_key(CompletedPart::part_number);
        Ok(parts)
    }

    async fn send_part(
        &self,
        put: &Put,
        upload: &str,
        number: i32,
        range: Range<u64>,
        digests: Digests,
    ) -> Result<CompletedPart, StoreError> {
        let length = range.end - range.start;
        let checksum = self.found.sends_checksum(Way::InParts).then_some(digests.checksum);
        let answer = with_checksum!(self.client.upload_part(), self.checksum, checksum.clone())
            .bucket(&self.bucket)
            .key(self.full(&put.key))
            .upload_id(upload)
            .part_number(number)
            .body(body(&put.body, range).await?)
            .content_length(i64::try_from(length).unwrap_or(i64::MAX))
            .customize()
            .interceptor(SignedHash(digests.sha256.clone()))
            .config_override(aws_sdk_s3::Config::builder().timeout_config(self.retries.timeouts(length)))
            .send()
            .await
            .map_err(|error| {
                // The upload is aborted after this: no object can have come of it, whatever became of the part.
                let error = self.fail(&format!("put part {number} of"), put.key.as_str(), &error);
                match error.kind() {
                    ErrorKind::NotFound => gone(self.action("put a part of", put.key.as_str())),
                    _ => error,
                }
            })?;
        // The completion repeats the checksum of each part.
        let part = CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag);
        Ok(with_checksum!(part, self.checksum, checksum).build())
    }

    async fn complete(
        &self,
        put: &Put,
        upload: &str,
        parts: Vec<CompletedPart>,
        digests: &BodyDigests,
    ) -> Result<ETag, StoreError> {
        let mut request = self.client.complete_multipart_upload().bucket(&self.bucket).key(self.full(&put.key));
        let sends_checksum = self.found.sends_checksum(Way::InParts);
        if sends_checksum {
            let of_parts = self.checksum.of_parts();
            let whole = (of_parts == ChecksumType::FullObject).then(|| digests.whole.checksum.clone());
            request = with_checksum!(request, self.checksum, whole).checksum_type(of_parts);
        }
        request = match &put.condition {
            Condition::Always => request,
            Condition::IfAbsent => request.if_none_match("*"),
            Condition::IfMatch(tag) => request.if_match(&tag.0),
        };
        let answer = request
            .upload_id(upload)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .customize()
            // Servers put the parts together before they answer: as slow as sending them at worst.
            .config_override(aws_sdk_s3::Config::builder().timeout_config(self.retries.timeouts(put.body.len())))
            .send()
            .await
            .map_err(|error| match error.as_service_error().and_then(ProvideErrorMetadata::code) {
                Some("NoSuchUpload") => gone(self.action("finish to put", put.key.as_str())),
                _ => self.fail("finish to put", put.key.as_str(), &error),
            })?;
        if sends_checksum {
            self.found.takes_checksum(Way::InParts, told_checksum!(answer, self.checksum).is_some());
        }
        self.tagged("put", &put.key, answer.e_tag())
    }

    async fn abort(&self, full: &str, upload: &str) -> Result<(), StoreError> {
        let name = full.strip_prefix(&self.root).unwrap_or(full);
        let done = self.client.abort_multipart_upload().bucket(&self.bucket).key(full).upload_id(upload).send().await;
        match done.map_err(|error| self.fail("abort the upload of", name, &error)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) async fn abort_old_uploads(&self, older_than_ms: i64) -> Result<u64, StoreError> {
        let limit = DateTime::from_millis(older_than_ms);
        let mut aborted = 0;
        let (mut key_marker, mut id_marker) = (None, None);
        loop {
            let answer = self
                .client
                .list_multipart_uploads()
                .bucket(&self.bucket)
                .prefix(&self.root)
                .set_key_marker(key_marker.clone())
                .set_upload_id_marker(id_marker)
                .send()
                .await;
            let page = match answer {
                Ok(page) => page,
                Err(error) => {
                    let status = error.raw_response().map(|response| response.status().as_u16());
                    // A server that cannot say which uploads there are has none that we could find.
                    return match status {
                        Some(405 | 501) => Ok(aborted),
                        _ => Err(self.fail("list unfinished uploads under", "", &error)),
                    };
                }
            };
            for upload in page.uploads() {
                let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
                let ours = key.strip_prefix(&self.root).is_some_and(|name| Key::new(name).is_ok());
                if ours && upload.initiated().is_some_and(|begun| *begun < limit) {
                    self.abort(key, id).await?;
                    aborted += 1;
                }
            }
            if page.is_truncated() != Some(true) || page.next_key_marker() == key_marker.as_deref() {
                return Ok(aborted);
            }
            key_marker = page.next_key_marker().map(str::to_owned);
            id_marker = page.next_upload_id_marker().map(str::to_owned);
        }
    }
}

/// An upload that is gone may have been completed by a request whose answer was lost: neither a missing object nor a
/// failure that is sure.
fn gone(action: String) -> StoreError {
    StoreError::new(ErrorKind::Timeout, action, "the upload is gone: it was finished or aborted meanwhile")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_body_without_gap_or_overlap() {
        let rules = Multipart { threshold_bytes: 0, part_bytes: 5 * MIB, concurrency: 1 };
        for bytes in [1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 20 * MIB, 23 * MIB + 7] {
            let parts = rules.parts(bytes);
            assert_eq!((parts[0].start, parts[parts.len() - 1].end), (0, bytes));
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start && !pair[1].is_empty()));
        }
    }

    #[test]
    fn a_huge_body_gets_larger_parts_rather_than_too_many() {
        for bytes in [10_000 * 16 * MIB, 10_000 * 16 * MIB + 1, 5 * 1024 * 1024 * MIB] {
            let parts = Multipart::default().parts(bytes);
            assert!(parts.len() as u64 <= MAX_PARTS, "{} parts", parts.len());
            assert_eq!(parts[parts.len() - 1].end, bytes);
        }
        assert_eq!(Multipart::default().parts(10_000 * 16 * MIB).len(), 10_000);
    }
}
