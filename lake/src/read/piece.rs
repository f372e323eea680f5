//! One piece: a range of an object, fetched by a task of its own and handed over chunk by chunk.
//!
//! A body that breaks off is resumed while the object is unchanged; one that stalls is an error. The length of a piece
//! is reserved in the budget before it starts, so its chunks are buffered without a bound of their own.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::concurrency::Measurement;
use super::content;
use crate::object::ObjectRef;
use crate::store::{ETag, ErrorKind, Store, StoreError};

/// How often a piece is resumed after its body broke off.
const RESUMES: u32 = 3;
/// The delay before the first resumption; it doubles each time. Longer outages are covered by the store's own retries.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// A range to fetch.
#[derive(Debug)]
pub(super) struct FetchRequest {
    pub(super) store: Arc<dyn Store>,
    pub(super) object: ObjectRef,
    pub(super) range: Range<u64>,
    /// The object's tag in the first response for any of its pieces.
    pub(super) tag: Arc<OnceLock<ETag>>,
    pub(super) stall_timeout: Duration,
}

/// A piece that is being fetched or buffered. Dropping it cancels the request.
#[derive(Debug)]
pub(super) struct Piece {
    chunks: mpsc::UnboundedReceiver<Result<Bytes, StoreError>>,
    /// Bytes reserved for pieces of its object and not yet consumed.
    held: Arc<AtomicUsize>,
    task: AbortOnDropHandle<()>,
}

impl Piece {
    /// Starts to fetch. `held` counts the bytes reserved for the object; consuming chunks decreases it. `finished` is
    /// called after the last byte, with the measurement, or `None` if the fetch failed.
    pub(super) fn begin(
        request: FetchRequest,
        held: Arc<AtomicUsize>,
        finished: impl FnOnce(Option<Measurement>) + Send + 'static,
    ) -> Piece {
        let (sender, chunks) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let measurement = match request.fetch(&sender).await {
                Ok(measurement) => measurement,
                Err(error) => {
                    // A dropped receiver is not an error.
                    let _ = sender.send(Err(error));
                    None
                }
            };
            finished(measurement);
        });
        Piece { chunks, held, task: AbortOnDropHandle::new(task) }
    }

    /// The next chunk, in order; `None` at the piece's end.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        let Some(chunk) = self.chunks.recv().await else {
            // A panic must not look like the end of the piece.
            if let Err(error) = (&mut self.task).await
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
            return None;
        };
        if let Ok(chunk) = &chunk {
            self.held.fetch_sub(chunk.len(), Ordering::Relaxed);
        }
        Some(chunk)
    }
}

type Sender = mpsc::UnboundedSender<Result<Bytes, StoreError>>;

impl FetchRequest {
    async fn fetch(&self, sender: &Sender) -> Result<Option<Measurement>, StoreError> {
        let begun = Instant::now();
        let mut first_byte = None;
        let mut at = self.range.start;
        let mut pause = FIRST_PAUSE;
        for resumed in 0.. {
            let mut content = timeout(self.answer_timeout(), self.open(at)).await.map_err(|_| self.stalled(at))??;
            first_byte.get_or_insert_with(|| begun.elapsed());
            let broken = loop {
                match timeout(self.stall_timeout, content.next()).await {
                    Err(_) => return Err(self.stalled(at)),
                    Ok(None) if at == self.range.end => break None,
                    Ok(None) => return Err(self.changed(format!("it ended after {at} of {} bytes", self.object.bytes))),
                    Ok(Some(Err(error))) => break Some(error),
                    Ok(Some(Ok(chunk))) => {
                        at += chunk.len() as u64;
                        if at > self.range.end {
                            return Err(self.changed("more bytes arrived than were requested".to_owned()));
                        }
                        if sender.send(Ok(chunk)).is_err() {
                            return Ok(None);
                        }
                    }
                }
            };
            match broken {
                None => break,
                Some(error) if resumed == RESUMES || !error.kind().is_transient() => return Err(error),
                // All bytes arrived; only the end of the response was lost.
                Some(_) if at == self.range.end => break,
                Some(_) => sleep(pause).await,
            }
            pause *= 2;
        }
        let first_byte = first_byte.unwrap_or_default();
        let (transfer, bytes) = (begun.elapsed().saturating_sub(first_byte), self.range.end - self.range.start);
        Ok(Some(Measurement { first_byte, transfer, bytes }))
    }

    /// Requests the body from an offset on, of an object that must be unchanged.
    async fn open(&self, at: u64) -> Result<crate::store::ByteStream, StoreError> {
        let whole = self.range == (0..self.object.bytes) && at == 0;
        let content = self.store.read(&self.object.key, (!whole).then_some(at..self.range.end)).await?;
        let first = self.tag.get_or_init(|| content.etag.clone());
        if *first != content.etag {
            return Err(
                self.changed(format!("it was changed while it was read (tag {}, then {})", first.0, content.etag.0))
            );
        }
        match content.bytes {
            Some(bytes) if bytes != self.object.bytes => {
                Err(content::another_length(&*self.store, &self.object, bytes))
            }
            _ => Ok(content.chunks),
        }
    }

    /// How long an answer may take to begin: a store that was told to repeat requests longer is waited for.
    fn answer_timeout(&self) -> Duration {
        self.stall_timeout.max(self.store.longest_retry().unwrap_or_default())
    }

    fn action(&self) -> String {
        content::action(&*self.store, &self.object.key)
    }

    fn changed(&self, detail: String) -> StoreError {
        StoreError::new(ErrorKind::Corrupt, self.action(), detail)
    }

    fn stalled(&self, at: u64) -> StoreError {
        let seconds = self.stall_timeout.as_secs_f32();
        let detail = format!("no byte arrived for {seconds} s after {at} of {} bytes", self.object.bytes);
        StoreError::new(ErrorKind::Timeout, self.action(), detail)
    }
}
