//! One piece: a range of an object, fetched in a task of its own and handed over chunk by chunk.
//!
//! A body that breaks off is read on from there, while the object is the same; one that stalls is an error, for whoever
//! waits has a right to know. What a piece may hold is reserved by its length before it is begun, so that its chunks can
//! wait for the reader without a bound of their own.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::content;
use super::pace::Sample;
use crate::catalogue::ObjectRef;
use crate::store::{ETag, ErrorKind, Store, StoreError};

/// How often a piece is read on after its body broke off.
const RESUMES: u32 = 3;
/// The wait before the first of them; it doubles. A store that needs longer is waited for by its own tries.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// What is to be fetched.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) store: Arc<dyn Store>,
    pub(super) object: ObjectRef,
    pub(super) range: Range<u64>,
    /// The object's tag, as the first answer of any of its pieces told it.
    pub(super) tag: Arc<OnceLock<ETag>>,
    pub(super) stall_timeout: Duration,
}

/// A piece that is being fetched, or waits for its reader. Dropping it ends the request.
#[derive(Debug)]
pub(super) struct Piece {
    chunks: mpsc::UnboundedReceiver<Result<Bytes, StoreError>>,
    /// Bytes that are reserved for pieces of its object and not yet taken.
    held: Arc<AtomicUsize>,
    task: AbortOnDropHandle<()>,
}

impl Piece {
    /// Begins to fetch. `held` is what is reserved for the object; taking chunks lowers it. `finished` hears of the answer's
    /// pace (none where it failed) when the last byte has come.
    pub(super) fn begin(
        order: Order,
        held: Arc<AtomicUsize>,
        finished: impl FnOnce(Option<Sample>) + Send + 'static,
    ) -> Piece {
        let (sender, chunks) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let sample = match order.fetch(&sender).await {
                Ok(sample) => sample,
                Err(error) => {
                    // Nobody hears it where the reader has gone.
                    let _ = sender.send(Err(error));
                    None
                }
            };
            finished(sample);
        });
        Piece { chunks, held, task: AbortOnDropHandle::new(task) }
    }

    /// The next chunk, in order; `None` at the piece's end.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        let Some(chunk) = self.chunks.recv().await else {
            // A task that came to grief must not look like one that came to its end.
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

impl Order {
    async fn fetch(&self, sender: &Sender) -> Result<Option<Sample>, StoreError> {
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
                            return Err(self.changed("more bytes came than were asked for".to_owned()));
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
                // All of it came, and only the end of the answer was lost.
                Some(_) if at == self.range.end => break,
                Some(_) => sleep(pause).await,
            }
            pause *= 2;
        }
        let first_byte = first_byte.unwrap_or_default();
        let (transfer, bytes) = (begun.elapsed().saturating_sub(first_byte), self.range.end - self.range.start);
        Ok(Some(Sample { first_byte, transfer, bytes }))
    }

    /// The body from a place on, of an object that is still the same.
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
        let detail = format!("nothing came for {seconds} s after {at} of {} bytes", self.object.bytes);
        StoreError::new(ErrorKind::Timeout, self.action(), detail)
    }
}
