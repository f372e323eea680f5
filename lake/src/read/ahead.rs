//! Read-ahead: fetches the pieces of many objects in order, as many at once as improve throughput, within a budget of
//! bytes.
//!
//! Pieces start strictly in reading order, each only when its length fits into the rest of the budget. So the piece
//! that the consumer waits for always has room, and the budget cannot deadlock. The pieces of a plain object are handed
//! over as they arrive; those of a compressed one pass through its decoder first ([`Decompression`]).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::concurrency::{ConcurrencyLimit, Measurement};
use super::content::ChecksumCheck;
use super::decode::{Decompression, WINDOW_BYTES};
use super::piece::{FetchRequest, Piece};
use super::{ReadOptions, Source};
use crate::manifest::Codec;
use crate::object::ObjectRef;
use crate::store::{ETag, ErrorKind, Store, StoreError};

/// The largest piece: the cost of a request no longer matters at this size.
const MAX_PIECE_BYTES: usize = 4 << 20;
/// The smallest piece, for small budgets: below this the requests dominate.
const MIN_PIECE_BYTES: usize = 64 << 10;
/// The number of pieces that the budget is divided into.
const PIECES_IN_BUDGET: usize = 16;

/// The objects that are read, and the pieces in flight. Use it inside a runtime.
#[derive(Debug)]
pub(super) struct ReadAhead {
    sources: Arc<[Source]>,
    options: ReadOptions,
    piece_bytes: u64,
    /// The next piece to start: the index of its object, and the offset in it.
    next: (usize, u64),
    /// The objects whose pieces have started, in reading order.
    active: VecDeque<ActiveObject>,
    /// Requests in flight.
    requests: usize,
    concurrency: ConcurrencyLimit,
    begun: Instant,
    events: Arc<FetchEvents>,
    threads: usize,
    /// Bounds the decompression steps that run at once.
    steps: Arc<Semaphore>,
}

/// Events from the fetching tasks.
#[derive(Debug, Default)]
struct FetchEvents {
    finished: Mutex<Vec<Option<Measurement>>>,
    changed: Notify,
}

/// An object whose pieces have started.
#[derive(Debug)]
struct ActiveObject {
    object: usize,
    /// All its pieces have been started.
    is_complete: bool,
    /// Bytes reserved for its pieces and not yet consumed.
    held: Arc<AtomicUsize>,
    tag: Arc<OnceLock<ETag>>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Plain(PlainObject),
    Decompression(Decompression),
    Unreadable(Option<StoreError>),
}

/// An object whose pieces are handed over as they arrive.
#[derive(Debug)]
struct PlainObject {
    pieces: VecDeque<Piece>,
    check: ChecksumCheck,
}

impl PlainObject {
    async fn next(&mut self, is_complete: bool) -> Option<Result<Bytes, StoreError>> {
        while let Some(piece) = self.pieces.front_mut() {
            match piece.next().await {
                Some(chunk) => {
                    if let Ok(chunk) = &chunk {
                        self.check.update(chunk);
                    }
                    return Some(chunk);
                }
                None => drop(self.pieces.pop_front()),
            }
        }
        if !is_complete {
            return None;
        }
        self.check.finish().err().map(Err)
    }
}

impl ActiveObject {
    fn new(object: usize, stage: Stage) -> ActiveObject {
        let is_complete = matches!(stage, Stage::Unreadable(_));
        ActiveObject { object, is_complete, held: Arc::default(), tag: Arc::default(), stage }
    }

    /// The memory that it may take.
    fn held(&self) -> usize {
        let window = if matches!(self.stage, Stage::Decompression(_)) { WINDOW_BYTES } else { 0 };
        window + self.held.load(Ordering::Relaxed)
    }

    /// The next chunk; `None` when all started pieces are consumed.
    async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        match &mut self.stage {
            Stage::Plain(plain) => plain.next(self.is_complete).await,
            Stage::Decompression(decompression) => decompression.next().await,
            Stage::Unreadable(error) => error.take().map(Err),
        }
    }

    /// Whether another piece has to start before there can be another chunk.
    fn is_short(&self) -> bool {
        !self.is_complete && matches!(&self.stage, Stage::Plain(plain) if plain.pieces.is_empty())
    }
}

impl ReadAhead {
    pub(super) fn new(sources: Arc<[Source]>, options: &ReadOptions) -> ReadAhead {
        let piece = (options.max_memory_bytes / PIECES_IN_BUDGET).clamp(MIN_PIECE_BYTES, MAX_PIECE_BYTES);
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        ReadAhead {
            sources,
            options: options.clone(),
            piece_bytes: piece as u64,
            next: (0, 0),
            active: VecDeque::new(),
            requests: 0,
            concurrency: ConcurrencyLimit::new(options.concurrency),
            begun: Instant::now(),
            events: Arc::default(),
            threads,
            steps: Arc::new(Semaphore::new(threads)),
        }
    }

    /// The next chunk with the index of its object, `Ok(None)` at the end of each object; `None` at the end of all. Do
    /// not call it again after an error.
    pub(super) async fn next(&mut self) -> Option<(usize, Result<Option<Bytes>, StoreError>)> {
        loop {
            self.drain_events();
            self.top_up();
            let first = self.active.front_mut()?;
            let object = first.object;
            let mut has_waited = false;
            let found = {
                let mut chunk = pin!(first.next());
                let mut changed = pin!(self.events.changed.notified());
                poll_fn(|context| {
                    if let Poll::Ready(chunk) = chunk.as_mut().poll(context) {
                        return Poll::Ready(Some(chunk));
                    }
                    has_waited = true;
                    changed.as_mut().poll(context).map(|()| None)
                })
                .await
            };
            if has_waited {
                self.concurrency.waited();
            }
            match found {
                Some(Some(chunk)) => return Some((object, chunk.map(Some))),
                // All started pieces are consumed, so there is room for the next one, which `top_up` starts.
                Some(None) if first.is_short() => {}
                Some(None) => {
                    self.active.pop_front();
                    return Some((object, Ok(None)));
                }
                None => {}
            }
        }
    }

    /// Processes the events of finished pieces.
    fn drain_events(&mut self) {
        let finished = std::mem::take(&mut *self.events.finished.lock().unwrap_or_else(PoisonError::into_inner));
        for measurement in finished {
            self.requests -= 1;
            if let Some(measurement) = measurement {
                self.concurrency.finished(self.begun.elapsed(), measurement);
            }
        }
    }

    /// Starts as many pieces as improve throughput and fit.
    fn top_up(&mut self) {
        while self.requests < self.concurrency.limit()
            && let Some(source) = self.sources.get(self.next.0)
        {
            let (index, at) = self.next;
            match source {
                Source::Unreadable { key, reason } => {
                    let error = StoreError::new(ErrorKind::Corrupt, format!("read {key}"), reason.clone());
                    self.active.push_back(ActiveObject::new(index, Stage::Unreadable(Some(error))));
                    self.next = (self.sources.len(), 0);
                }
                Source::Object(store, object) => {
                    let end = object.bytes.min(at + self.piece_bytes);
                    if !self.has_room(index, at, end, object.codec) {
                        return;
                    }
                    let (store, object) = (Arc::clone(store), object.clone());
                    if at == 0 {
                        let stage = self.stage(&*store, &object);
                        self.active.push_back(ActiveObject::new(index, stage));
                    }
                    self.begin(store, &object, at..end);
                    self.next = if end == object.bytes { (index + 1, 0) } else { (index, end) };
                }
            }
        }
    }

    /// Whether another piece may start: it fits into the budget, and there are not yet so many pieces ahead that more
    /// would only fall out of the caches.
    fn has_room(&self, index: usize, at: u64, end: u64, codec: Codec) -> bool {
        let Some(front) = self.active.front() else { return true };
        if front.object == index && front.held.load(Ordering::Relaxed) == 0 {
            return true;
        }
        let piece = to_usize(end - at);
        let window = if at == 0 && codec != Codec::None { WINDOW_BYTES } else { 0 };
        let (mut held, mut waiting) = (0, 0);
        for active in &self.active {
            held += active.held();
            waiting += active.held.load(Ordering::Relaxed).div_ceil(to_usize(self.piece_bytes)).max(1);
        }
        held + piece + window <= self.options.max_memory_bytes
            && waiting < 2 * self.concurrency.limit().max(self.threads)
    }

    fn stage(&self, store: &dyn Store, object: &ObjectRef) -> Stage {
        let check = ChecksumCheck::of(store, object);
        if object.codec == Codec::None {
            return Stage::Plain(PlainObject { pieces: VecDeque::new(), check });
        }
        let events = Arc::clone(&self.events);
        let taken = move || events.changed.notify_one();
        Stage::Decompression(Decompression::begin(
            object.codec,
            object.key.to_string(),
            check,
            Arc::clone(&self.steps),
            taken,
        ))
    }

    /// Starts a piece of the last active object.
    fn begin(&mut self, store: Arc<dyn Store>, object: &ObjectRef, range: Range<u64>) {
        let last = self.active.back_mut().expect("the object is active since its first piece");
        last.held.fetch_add(to_usize(range.end - range.start), Ordering::Relaxed);
        last.is_complete = range.end == object.bytes;
        let request = FetchRequest {
            store,
            object: object.clone(),
            range,
            tag: Arc::clone(&last.tag),
            stall_timeout: self.options.stall_timeout,
        };
        let events = Arc::clone(&self.events);
        let piece = Piece::begin(request, Arc::clone(&last.held), move |measurement| {
            events.finished.lock().unwrap_or_else(PoisonError::into_inner).push(measurement);
            events.changed.notify_one();
        });
        match &mut last.stage {
            Stage::Plain(plain) => plain.pieces.push_back(piece),
            Stage::Decompression(decompression) => {
                decompression.push(piece);
                if last.is_complete {
                    decompression.finish();
                }
            }
            Stage::Unreadable(_) => {}
        }
        self.requests += 1;
    }
}

/// Converts a length that is at most that of a piece.
fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
