//! Decompression away from the threads that drive sockets, of several objects at once. One task per object takes its
//! pieces in order, decompresses one step at a time on a blocking thread, and buffers a bounded window of the output.
//!
//! The formats are implemented in [`crate::codec`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::content::ChecksumCheck;
use super::piece::Piece;
use crate::codec::{self, OUTPUT_BYTES};
use crate::manifest::Codec;
use crate::store::{ByteStream, ErrorKind, StoreError};

/// Decompressed bytes per step; between steps the threads are free for other objects.
const STEP_BYTES: usize = 512 * 1024;
/// Chunks that are buffered for the consumer.
const WAITING: usize = STEP_BYTES / OUTPUT_BYTES;
/// The most memory for one object's decompressed bytes: a step in progress, one whose chunks are being handed over, and
/// the buffered chunks.
pub(super) const WINDOW_BYTES: usize = 3 * STEP_BYTES;

/// An object that is being decompressed. Dropping it cancels the task.
#[derive(Debug)]
pub(super) struct Decompression {
    pieces: Option<mpsc::UnboundedSender<Piece>>,
    chunks: mpsc::Receiver<Result<Bytes, StoreError>>,
    task: AbortOnDropHandle<()>,
}

impl Decompression {
    /// Starts the task for an object without pieces. `check` takes its compressed bytes, `steps` bounds the steps of
    /// all objects that run at once, and `taken` is called whenever compressed bytes have been taken from a piece.
    pub(super) fn begin(
        codec: Codec,
        name: String,
        check: ChecksumCheck,
        steps: Arc<Semaphore>,
        taken: impl Fn() + Send + Sync + 'static,
    ) -> Decompression {
        let (pieces, ordered) = mpsc::unbounded_channel();
        let (sender, chunks) = mpsc::channel(WAITING);
        let task = DecompressionTask { pieces: ordered, piece: None, check, chunks: sender, steps, taken };
        let task = tokio::spawn(task.run(codec, name));
        Decompression { pieces: Some(pieces), chunks, task: AbortOnDropHandle::new(task) }
    }

    /// Adds the object's next piece.
    pub(super) fn push(&mut self, piece: Piece) {
        if let Some(pieces) = &self.pieces {
            // A decoder that has stopped at damage takes no more pieces.
            let _ = pieces.send(piece);
        }
    }

    /// Ends the object: there are no more pieces.
    pub(super) fn finish(&mut self) {
        self.pieces = None;
    }

    /// The next decompressed chunk; `None` at the object's end.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        let chunk = self.chunks.recv().await;
        if chunk.is_none()
            && let Err(error) = (&mut self.task).await
            && error.is_panic()
        {
            // A panic must not look like the end of the object.
            std::panic::resume_unwind(error.into_panic());
        }
        chunk
    }
}

struct DecompressionTask<F> {
    pieces: mpsc::UnboundedReceiver<Piece>,
    piece: Option<Piece>,
    /// The checksum of the compressed bytes.
    check: ChecksumCheck,
    chunks: mpsc::Sender<Result<Bytes, StoreError>>,
    steps: Arc<Semaphore>,
    taken: F,
}

impl<F: Fn() + Send + Sync> DecompressionTask<F> {
    async fn run(mut self, codec: Codec, name: String) {
        let mut decoder = StepDecoder::new(codec, &name);
        loop {
            match self.input().await {
                Some(Ok(chunk)) => decoder.feed(chunk),
                Some(Err(error)) => return drop(self.chunks.send(Err(error)).await),
                None => decoder.end(),
            }
            loop {
                let Ok(permit) = self.steps.acquire().await else { return };
                let step = tokio::task::spawn_blocking(move || {
                    let step = decoder.step();
                    (decoder, step)
                });
                let (back, step) = match step.await {
                    Ok(done) => done,
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => {
                        let detail = "the runtime is shutting down";
                        let error = StoreError::new(ErrorKind::Io, format!("decompress {name}"), detail);
                        return drop(self.chunks.send(Err(error)).await);
                    }
                };
                drop(permit);
                decoder = back;
                let next = step.next;
                for chunk in step.chunks {
                    if self.chunks.send(Ok(chunk)).await.is_err() {
                        return;
                    }
                }
                match next {
                    AfterStep::Continue => {}
                    AfterStep::NeedsInput => break,
                    AfterStep::End => return,
                    AfterStep::Failed(error) => return drop(self.chunks.send(Err(self.check.advise(error))).await),
                }
            }
        }
    }

    /// The next compressed chunk of the object, across its pieces.
    async fn input(&mut self) -> Option<Result<Bytes, StoreError>> {
        loop {
            if self.piece.is_none() {
                let Some(piece) = self.pieces.recv().await else {
                    return self.check.finish().err().map(Err);
                };
                self.piece = Some(piece);
            }
            match self.piece.as_mut()?.next().await {
                Some(chunk) => {
                    (self.taken)();
                    if let Ok(chunk) = &chunk {
                        self.check.update(chunk);
                    }
                    return Some(chunk);
                }
                None => self.piece = None,
            }
        }
    }
}

/// The result of a step.
struct StepOutput {
    chunks: Vec<Bytes>,
    next: AfterStep,
}

enum AfterStep {
    /// More output can be made from the same input.
    Continue,
    NeedsInput,
    /// The object is complete.
    End,
    Failed(StoreError),
}

/// Compressed bytes that the decoder has not read.
#[derive(Default)]
struct Input {
    chunks: VecDeque<Bytes>,
    is_complete: bool,
}

/// [`codec::decode`], driven one step at a time.
struct StepDecoder {
    input: Arc<Mutex<Input>>,
    decoded: ByteStream,
}

impl StepDecoder {
    fn new(codec: Codec, name: &str) -> StepDecoder {
        let input = Arc::new(Mutex::new(Input::default()));
        let feed = Arc::clone(&input);
        // It is only polled after more input was added, so no waker is needed.
        let stream = stream::poll_fn(move |_| {
            let mut input = feed.lock().unwrap_or_else(PoisonError::into_inner);
            match input.chunks.pop_front() {
                Some(chunk) => Poll::Ready(Some(Ok(chunk))),
                None if input.is_complete => Poll::Ready(None),
                None => Poll::Pending,
            }
        });
        StepDecoder { input, decoded: codec::decode(stream.boxed(), codec, name) }
    }

    fn feed(&mut self, chunk: Bytes) {
        self.input.lock().unwrap_or_else(PoisonError::into_inner).chunks.push_back(chunk);
    }

    fn end(&mut self) {
        self.input.lock().unwrap_or_else(PoisonError::into_inner).is_complete = true;
    }

    fn step(&mut self) -> StepOutput {
        let mut chunks = Vec::new();
        let mut bytes = 0;
        let mut context = Context::from_waker(Waker::noop());
        let next = loop {
            if bytes + OUTPUT_BYTES > STEP_BYTES {
                break AfterStep::Continue;
            }
            match self.decoded.poll_next_unpin(&mut context) {
                Poll::Ready(Some(Ok(chunk))) => {
                    bytes += chunk.len();
                    chunks.push(chunk);
                }
                Poll::Ready(Some(Err(error))) => break AfterStep::Failed(error),
                Poll::Ready(None) => break AfterStep::End,
                Poll::Pending => break AfterStep::NeedsInput,
            }
        };
        StepOutput { chunks, next }
    }
}
