//! Decompression away from the threads that drive sockets, several objects at once: each object has a task that takes its
//! pieces in order, decompresses a step at a time on a blocking thread, and holds a bounded window of what came out.
//!
//! The formats themselves are [`crate::codec`]'s.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::content::Check;
use super::piece::Piece;
use crate::codec::{self, OUTPUT_BYTES};
use crate::manifest::Codec;
use crate::store::{ByteStream, ErrorKind, StoreError};

/// Decompressed bytes of one step, after which the threads are free for other objects.
const STEP_BYTES: usize = 512 * 1024;
/// Chunks that wait for the reader.
const WAITING: usize = STEP_BYTES / OUTPUT_BYTES;
/// What an object's decompressed bytes may hold: a step that is being made, one whose chunks are handed over, and those that
/// wait.
pub(super) const WINDOW_BYTES: usize = 3 * STEP_BYTES;

/// An object that is being decompressed. Dropping it ends the work.
#[derive(Debug)]
pub(super) struct Decoding {
    pieces: Option<mpsc::UnboundedSender<Piece>>,
    chunks: mpsc::Receiver<Result<Bytes, StoreError>>,
    task: AbortOnDropHandle<()>,
}

impl Decoding {
    /// Begins with an object that has no pieces yet; `check` compares its compressed bytes. `steps` bounds how many steps are made at once, of all objects together;
    /// `taken` hears when compressed bytes were taken from a piece.
    pub(super) fn begin(
        codec: Codec,
        name: String,
        check: Check,
        steps: Arc<Semaphore>,
        taken: impl Fn() + Send + Sync + 'static,
    ) -> Decoding {
        let (pieces, ordered) = mpsc::unbounded_channel();
        let (sender, chunks) = mpsc::channel(WAITING);
        let work = Work { pieces: ordered, piece: None, check, chunks: sender, steps, taken };
        let task = tokio::spawn(work.run(codec, name));
        Decoding { pieces: Some(pieces), chunks, task: AbortOnDropHandle::new(task) }
    }

    /// Gives it the object's next piece.
    pub(super) fn push(&mut self, piece: Piece) {
        if let Some(pieces) = &self.pieces {
            // A decoder that has stopped at damage takes no more.
            let _ = pieces.send(piece);
        }
    }

    /// There are no more pieces.
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
            // A task that came to grief must not look like one that came to its end.
            std::panic::resume_unwind(error.into_panic());
        }
        chunk
    }
}

struct Work<F> {
    pieces: mpsc::UnboundedReceiver<Piece>,
    piece: Option<Piece>,
    /// Of the compressed bytes.
    check: Check,
    chunks: mpsc::Sender<Result<Bytes, StoreError>>,
    steps: Arc<Semaphore>,
    taken: F,
}

impl<F: Fn() + Send + Sync> Work<F> {
    async fn run(mut self, codec: Codec, name: String) {
        let mut decoder = Decoder::new(codec, &name);
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
                        let detail = "the run time is shutting down";
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
                    Next::Step => {}
                    Next::Input => break,
                    Next::End => return,
                    Next::Failed(error) => return drop(self.chunks.send(Err(self.check.advise(error))).await),
                }
            }
        }
    }

    /// The object's next compressed chunk, over the borders of its pieces.
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

/// What a step came to.
struct Step {
    chunks: Vec<Bytes>,
    next: Next,
}

enum Next {
    /// There is more to come of what was fed.
    Step,
    /// It needs more input.
    Input,
    /// All is decompressed.
    End,
    Failed(StoreError),
}

/// Compressed bytes that the decoder has not looked at.
#[derive(Default)]
struct Fed {
    chunks: VecDeque<Bytes>,
    is_all: bool,
}

/// [`codec::decode`], driven a step at a time.
struct Decoder {
    fed: Arc<Mutex<Fed>>,
    decoded: ByteStream,
}

impl Decoder {
    fn new(codec: Codec, name: &str) -> Decoder {
        let fed = Arc::new(Mutex::new(Fed::default()));
        let feed = Arc::clone(&fed);
        // It is polled again only after it was fed, so no waker is needed.
        let stream = stream::poll_fn(move |_| {
            let mut fed = feed.lock().unwrap_or_else(PoisonError::into_inner);
            match fed.chunks.pop_front() {
                Some(chunk) => Poll::Ready(Some(Ok(chunk))),
                None if fed.is_all => Poll::Ready(None),
                None => Poll::Pending,
            }
        });
        Decoder { fed, decoded: codec::decode(stream.boxed(), codec, name) }
    }

    fn feed(&mut self, chunk: Bytes) {
        self.fed.lock().unwrap_or_else(PoisonError::into_inner).chunks.push_back(chunk);
    }

    fn end(&mut self) {
        self.fed.lock().unwrap_or_else(PoisonError::into_inner).is_all = true;
    }

    fn step(&mut self) -> Step {
        let mut chunks = Vec::new();
        let mut bytes = 0;
        let mut context = Context::from_waker(Waker::noop());
        let next = loop {
            if bytes + OUTPUT_BYTES > STEP_BYTES {
                break Next::Step;
            }
            match self.decoded.poll_next_unpin(&mut context) {
                Poll::Ready(Some(Ok(chunk))) => {
                    bytes += chunk.len();
                    chunks.push(chunk);
                }
                Poll::Ready(Some(Err(error))) => break Next::Failed(error),
                Poll::Ready(None) => break Next::End,
                Poll::Pending => break Next::Input,
            }
        };
        Step { chunks, next }
    }
}
