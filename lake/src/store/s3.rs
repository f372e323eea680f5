//! S3 as a store, by AWS's SDK: one client, rooted at a bucket and a prefix.
//!
//! - **Own servers.** As soon as an endpoint is set (here, by `AWS_ENDPOINT_URL` or a profile), addresses are path style,
//!   the region is `us-east-1` if nobody names one, and the SDK's own checksums are left out where S3 does not require them:
//!   many servers refuse its trailing ones, or store them inside the object.
//! - **Bytes.** Each body is signed with its SHA-256, a checksum goes along in a header, and what the server then tells of
//!   the object is compared (`s3/put.rs`). The SHA-256 in an object's metadata (`x-amz-meta-sha256`) says whose object it is.
//! - **Retries.** A request is sent up to three times, a throttled read more often (`s3/retry.rs`). So a put with a condition may meet its own first success,
//!   whose answer was lost, and fail with `PreconditionFailed`: only a [`Store::head`] tells the two apart.
//! - **Time.** Each attempt has as long as its body needs at a slow 128 KiB/s, and half a minute more.
//! - **Listing** leaves out what cannot be a [`Key`]: folder markers (`a/`), `a//b` and the like are other people's.

pub(super) mod answer;
mod check;
pub mod checksum;
pub(super) mod config;
pub(super) mod credentials;
mod date;
mod error;
mod headers;
pub mod multipart;
pub mod options;
mod page;
#[cfg(test)]
mod played;
mod profile;
mod put;
mod retry;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use self::answer::Whence;
use self::check::Found;
use self::checksum::Algorithm;
use self::date::Dates;
use self::error::{Place, from_sdk};
use self::headers::Headers;
use self::multipart::Multipart;
pub use self::options::S3Options;
use self::page::Pages;
use self::retry::Retries;
use super::{Condition, Content, ETag, ErrorKind, Key, List, ListPage, ObjectMeta, Put, PutChecks, Store};
use super::{ServerTime, StoreError, refuse_long};

/// The name under which an object's hash is kept among its metadata.
pub(super) const SHA256: &str = "sha256";

const PAGE: i32 = 1000;

/// A bucket, or a prefix in one, as a store.
#[derive(Debug, Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
    /// What stands before every key: empty, or a prefix with its `/`.
    root: String,
    place: Place,
    multipart: Multipart,
    dates: Dates,
    found: Arc<Found>,
    /// What goes along with a put.
    checksum: Algorithm,
    retries: Retries,
}

impl S3Store {
    /// Opens a bucket. No request goes to it yet (AWS's chain may ask its own services for a region).
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when no region is known or the endpoint is no URL.
    pub async fn open(bucket: &str, prefix: &str, options: &S3Options) -> Result<S3Store, StoreError> {
        let (config, whereabouts) = config::load(bucket, options).await?;
        let dates = Dates::default();
        let retries = Retries::of(options);
        let root = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let config = config
            .retry_config(retries.config())
            .timeout_config(retries.timeouts(0))
            .interceptor(retries)
            .interceptor(Headers::of(options, &root))
            .interceptor(Whence)
            .interceptor(Pages)
            .interceptor(dates.clone())
            .build();
        Ok(S3Store {
            client: Client::from_conf(config),
            bucket: bucket.to_owned(),
            root,
            place: Place { bucket: bucket.to_owned(), whereabouts, caller: options.caller },
            multipart: Multipart::default(),
            dates,
            found: Arc::default(),
            checksum: options.checksum,
            retries,
        })
    }

    /// The same store with other rules for uploads in parts.
    #[must_use]
    pub fn with_multipart(self, multipart: Multipart) -> S3Store {
        S3Store { multipart, ..self }
    }

    /// The name of an object in the bucket.
    pub(super) fn full(&self, key: &Key) -> String {
        format!("{}{}", self.root, key.as_str())
    }

    pub(super) fn action(&self, verb: &str, name: &str) -> String {
        format!("{verb} s3://{}/{}{name}", self.bucket, self.root)
    }

    pub(super) fn fail<E>(&self, verb: &str, name: &str, error: &SdkError<E, HttpResponse>) -> StoreError
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        from_sdk(error, self.action(verb, name), &self.place, verb)
    }

    /// The tag of an object in an answer about it. Every S3 server names one: a success without it comes from something
    /// in between and says nothing of the object.
    pub(super) fn tagged(&self, verb: &str, key: &Key, named: Option<&str>) -> Result<ETag, StoreError> {
        if named.is_none_or(str::is_empty) {
            let detail = format!(
                "no S3 server answered {}: a success without an ETag came; check the address ({}), and proxies and login pages on the way to it",
                self.place.whereabouts,
                self.place.caller.name("lake.s3.endpoint_url")
            );
            return Err(StoreError::new(ErrorKind::Server, self.action(verb, key.as_str()), detail));
        }
        Ok(tag(named))
    }

    /// Where an object that was to be replaced is missing, its condition does not hold.
    fn condition(put: &Put, error: StoreError) -> StoreError {
        match (error.kind(), &put.condition) {
            (ErrorKind::NotFound, Condition::IfMatch(_)) => StoreError::new(
                ErrorKind::PreconditionFailed,
                format!("replace {}", put.key),
                "the condition does not hold: there is no such object",
            ),
            _ => error,
        }
    }
}

fn tag(tag: Option<&str>) -> ETag {
    ETag(tag.unwrap_or_default().to_owned())
}

#[async_trait]
impl Store for S3Store {
    fn location(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.root).trim_end_matches('/').to_owned()
    }

    async fn put(&self, put: Put) -> Result<ETag, StoreError> {
        self.put_checked(&put).await.map_err(|error| S3Store::condition(&put, error))
    }

    async fn confirm(&self, put: &Put) -> Result<(), StoreError> {
        let digests = self.digests(put).await?;
        self.look(put, &digests).await
    }

    fn put_checks(&self) -> Option<PutChecks> {
        self.found.checks(self.checksum)
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta, StoreError> {
        let answer = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(self.full(key))
            .send()
            .await
            .map_err(|error| self.fail("look at", key.as_str(), &error))?;
        Ok(ObjectMeta {
            key: key.clone(),
            bytes: answer.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            etag: self.tagged("look at", key, answer.e_tag())?,
            sha256: answer.metadata().and_then(|metadata| metadata.get(SHA256)).cloned(),
            modified_ms: answer.last_modified().and_then(|time| time.to_millis().ok()).unwrap_or(0),
        })
    }

    async fn get(&self, key: &Key) -> Result<(Bytes, ETag), StoreError> {
        let Content { etag, bytes, mut chunks } = self.fetch(key, None).await?;
        // No more than this length comes: a longer body is an error of the stream.
        refuse_long(key, bytes.unwrap_or(0), || self.action("read", key.as_str()))?;
        let mut content = Vec::with_capacity(bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0));
        while let Some(chunk) = chunks.next().await {
            content.extend_from_slice(&chunk?);
        }
        Ok((Bytes::from(content), etag))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Content, StoreError> {
        // There is no way to ask S3 for nothing.
        if range.as_ref().is_some_and(Range::is_empty) {
            let meta = self.head(key).await?;
            return Ok(Content { etag: meta.etag, bytes: Some(meta.bytes), chunks: stream::empty().boxed() });
        }
        self.fetch(key, range).await
    }

    async fn list(&self, list: &List) -> Result<ListPage, StoreError> {
        let answer = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(format!("{}{}", self.root, list.prefix))
            .set_start_after(list.after.as_ref().map(|after| format!("{}{after}", self.root)))
            .set_delimiter(list.folders.then(|| "/".to_owned()))
            .max_keys(PAGE)
            .send()
            .await
            .map_err(|error| self.fail("list", &list.prefix, &error))?;
        // Servers differ in whether a folder that holds keys after `after` comes again.
        let is_after = |name: &str| list.after.as_deref().is_none_or(|after| after < name);
        let mut page = ListPage::default();
        let mut last = String::new();
        let is_truncated = answer.is_truncated() == Some(true);
        for object in answer.contents.unwrap_or_default() {
            let Some(name) = object.key.as_deref().and_then(|name| name.strip_prefix(&self.root)) else { continue };
            if *name > *last {
                last.clear();
                last.push_str(name);
            }
            let Ok(key) = Key::new(name) else { continue };
            if is_after(name) {
                page.objects.push(ObjectMeta {
                    key,
                    bytes: object.size.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
                    etag: ETag(object.e_tag.unwrap_or_default()),
                    sha256: None,
                    modified_ms: object.last_modified.and_then(|time| time.to_millis().ok()).unwrap_or(0),
                });
            }
        }
        for folder in answer.common_prefixes.unwrap_or_default() {
            let Some(name) = folder.prefix().and_then(|name| name.strip_prefix(&self.root)) else { continue };
            last = last.max(name.to_owned());
            if is_after(name) {
                page.folders.push(name.to_owned());
            }
        }
        if is_truncated {
            if !is_after(&last) {
                let detail =
                    "the server does not go on after a key (start-after): its listing cannot be read to the end";
                return Err(StoreError::new(ErrorKind::Server, self.action("list", &list.prefix), detail));
            }
            page.next = Some(last);
        }
        Ok(page)
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let done = self.client.delete_object().bucket(&self.bucket).key(self.full(key)).send().await;
        match done.map_err(|error| self.fail("delete", key.as_str(), &error)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn longest_retry(&self) -> Option<Duration> {
        self.retries.longest()
    }

    fn server_time(&self) -> Option<ServerTime> {
        self.dates.last()
    }

    async fn clean_up(&self, older_than_ms: i64) -> Result<u64, StoreError> {
        self.abort_old_uploads(older_than_ms).await
    }
}

impl S3Store {
    /// A body, its tag and the object's length. The stream ends well only when as many bytes came as were asked for and promised.
    pub(super) async fn fetch(&self, key: &Key, range: Option<Range<u64>>) -> Result<Content, StoreError> {
        let answer = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.full(key))
            .set_range(range.as_ref().map(|range| format!("bytes={}-{}", range.start, range.end - 1)))
            .send()
            .await
            .map_err(|error| self.fail("read", key.as_str(), &error))?;
        let action = self.action("read", key.as_str());
        let corrupt = |detail: String| Err(StoreError::new(ErrorKind::Corrupt, &action, detail));
        let promised = answer.content_length().and_then(|n| u64::try_from(n).ok());
        let (expected, bytes) = match (range, promised) {
            (None, Some(promised)) => (promised, Some(promised)),
            (None, None) => return corrupt("the answer does not say how long it is".to_owned()),
            (Some(range), promised) => {
                let wanted = range.end - range.start;
                if answer.content_range().is_none() || promised.is_some_and(|promised| promised != wanted) {
                    let part = answer.content_range().unwrap_or("the whole object");
                    return corrupt(format!("asked for {wanted} bytes from {}, the answer is {part}", range.start));
                }
                // `bytes 0-9/1234`
                let whole = answer.content_range().and_then(|part| part.rsplit_once('/'));
                (wanted, whole.and_then(|(_, whole)| whole.parse().ok()))
            }
        };
        let etag = self.tagged("read", key, answer.e_tag())?;
        let chunks = stream::try_unfold((answer.body, 0_u64), move |(mut body, got)| {
            let action = action.clone();
            async move {
                match body.next().await {
                    Some(Ok(chunk)) => {
                        let got = got + chunk.len() as u64;
                        if got > expected {
                            let detail = format!("more than the promised {expected} bytes came");
                            return Err(StoreError::new(ErrorKind::Corrupt, action, detail));
                        }
                        Ok(Some((chunk, (body, got))))
                    }
                    Some(Err(error)) => {
                        let detail = format!("the body broke off after {got} of {expected} bytes");
                        Err(StoreError::new(ErrorKind::Timeout, action, detail).with_source(error))
                    }
                    None if got < expected => {
                        let detail = format!("the body ended after {got} of {expected} bytes");
                        Err(StoreError::new(ErrorKind::Timeout, action, detail))
                    }
                    None => Ok(None),
                }
            }
        });
        Ok(Content { etag, bytes, chunks: chunks.boxed() })
    }
}

#[cfg(test)]
mod tests;
