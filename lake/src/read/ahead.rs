//! Reading ahead: the pieces of many objects in order, as many under way as pay, within a budget of bytes.
//!
//! Pieces are begun strictly in the order in which they are read, each one only when its length fits into what is left of the
//! budget; so the piece that the reader waits for always has its room, and nothing can wait for itself. A plain object's
//! pieces are handed over as they come, a compressed one's pass through its decoder first ([`Decoding`]).

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

use super::content::Check;
use super::decode::{Decoding, WINDOW_BYTES};
use super::pace::{Pace, Sample};
use super::piece::{Order, Piece};
use super::{ReadOptions, Source};
use crate::catalogue::ObjectRef;
use crate::manifest::Codec;
use crate::store::{ETag, ErrorKind, Store, StoreError};

/// A piece is at most so large: far more than a request costs.
const MOST_PIECE_BYTES: usize = 4 << 20;
/// And at least so large, where the budget is small: less would be nothing but requests.
const LEAST_PIECE_BYTES: usize = 64 << 10;
/// The budget holds about so many pieces.
const PIECES_IN_BUDGET: usize = 16;

/// The objects that are read, and what of them is under way. Must be used inside a run time.
#[derive(Debug)]
pub(super) struct ReadAhead {
    sources: Arc<[Source]>,
    options: ReadOptions,
    piece_bytes: u64,
    /// The next piece to begin: its object's place and where in it.
    next: (usize, u64),
    /// Objects that are under way, in order.
    lanes: VecDeque<Lane>,
    in_flight: usize,
    pace: Pace,
    begun: Instant,
    news: Arc<News>,
    threads: usize,
    /// Steps of decompression at once.
    steps: Arc<Semaphore>,
}

/// What tasks tell.
#[derive(Debug, Default)]
struct News {
    finished: Mutex<Vec<Option<Sample>>>,
    changed: Notify,
}

/// An object that is under way.
#[derive(Debug)]
struct Lane {
    object: usize,
    /// All its pieces have been begun.
    is_complete: bool,
    /// Bytes reserved for its pieces and not yet taken.
    held: Arc<AtomicUsize>,
    tag: Arc<OnceLock<ETag>>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Plain(Plain),
    Decoding(Decoding),
    Unreadable(Option<StoreError>),
}

/// An object whose pieces are handed over as they come.
#[derive(Debug)]
struct Plain {
    pieces: VecDeque<Piece>,
    check: Check,
}

impl Plain {
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

impl Lane {
    fn new(object: usize, stage: Stage) -> Lane {
        let is_complete = matches!(stage, Stage::Unreadable(_));
        Lane { object, is_complete, held: Arc::default(), tag: Arc::default(), stage }
    }

    /// What it may hold.
    fn held(&self) -> usize {
        let window = if matches!(self.stage, Stage::Decoding(_)) { WINDOW_BYTES } else { 0 };
        window + self.held.load(Ordering::Relaxed)
    }

    /// The next chunk; `None` when all of what was begun is read.
    async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        match &mut self.stage {
            Stage::Plain(plain) => plain.next(self.is_complete).await,
            Stage::Decoding(decoding) => decoding.next().await,
            Stage::Unreadable(error) => error.take().map(Err),
        }
    }

    /// Whether more pieces have to be begun before there can be another chunk.
    fn is_short(&self) -> bool {
        !self.is_complete && matches!(&self.stage, Stage::Plain(plain) if plain.pieces.is_empty())
    }
}

impl ReadAhead {
    pub(super) fn new(sources: Arc<[Source]>, options: &ReadOptions) -> ReadAhead {
        let piece = (options.max_memory_bytes / PIECES_IN_BUDGET).clamp(LEAST_PIECE_BYTES, MOST_PIECE_BYTES);
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        ReadAhead {
            sources,
            options: options.clone(),
            piece_bytes: piece as u64,
            next: (0, 0),
            lanes: VecDeque::new(),
            in_flight: 0,
            pace: Pace::new(options.concurrency),
            begun: Instant::now(),
            news: Arc::default(),
            threads,
            steps: Arc::new(Semaphore::new(threads)),
        }
    }

    /// The next chunk with its object's place, `Ok(None)` at the end of each object; `None` when all are read. Nothing may be
    /// asked for after an error.
    pub(super) async fn next(&mut self) -> Option<(usize, Result<Option<Bytes>, StoreError>)> {
        loop {
            self.hear();
            self.top_up();
            let lane = self.lanes.front_mut()?;
            let object = lane.object;
            let mut has_waited = false;
            let found = {
                let mut chunk = pin!(lane.next());
                let mut changed = pin!(self.news.changed.notified());
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
                self.pace.waited();
            }
            match found {
                Some(Some(chunk)) => return Some((object, chunk.map(Some))),
                // Its pieces are read and there is room for the next one, which is begun above.
                Some(None) if lane.is_short() => {}
                Some(None) => {
                    self.lanes.pop_front();
                    return Some((object, Ok(None)));
                }
                None => {}
            }
        }
    }

    /// Takes up what tasks have told.
    fn hear(&mut self) {
        let finished = std::mem::take(&mut *self.news.finished.lock().unwrap_or_else(PoisonError::into_inner));
        for sample in finished {
            self.in_flight -= 1;
            if let Some(sample) = sample {
                self.pace.finished(self.begun.elapsed(), sample);
            }
        }
    }

    /// Begins as many pieces as pay and fit.
    fn top_up(&mut self) {
        while self.in_flight < self.pace.limit()
            && let Some(source) = self.sources.get(self.next.0)
        {
            let (place, at) = self.next;
            match source {
                Source::Unreadable { key, reason } => {
                    let error = StoreError::new(ErrorKind::Corrupt, format!("read {key}"), reason.clone());
                    self.lanes.push_back(Lane::new(place, Stage::Unreadable(Some(error))));
                    self.next = (self.sources.len(), 0);
                }
                Source::Object(store, object) => {
                    let end = object.bytes.min(at + self.piece_bytes);
                    if !self.has_room(place, at, end, object.codec) {
                        return;
                    }
                    let (store, object) = (Arc::clone(store), object.clone());
                    if at == 0 {
                        let stage = self.stage(&*store, &object);
                        self.lanes.push_back(Lane::new(place, stage));
                    }
                    self.begin(store, &object, at..end);
                    self.next = if end == object.bytes { (place + 1, 0) } else { (place, end) };
                }
            }
        }
    }

    /// Whether a piece may be begun: the budget has room for it, and not so much waits already that more would only grow cold.
    fn has_room(&self, place: usize, at: u64, end: u64, codec: Codec) -> bool {
        let Some(front) = self.lanes.front() else { return true };
        if front.object == place && front.held.load(Ordering::Relaxed) == 0 {
            return true;
        }
        let piece = to_usize(end - at);
        let window = if at == 0 && codec != Codec::None { WINDOW_BYTES } else { 0 };
        let (mut held, mut waiting) = (0, 0);
        for lane in &self.lanes {
            held += lane.held();
            waiting += lane.held.load(Ordering::Relaxed).div_ceil(to_usize(self.piece_bytes)).max(1);
        }
        held + piece + window <= self.options.max_memory_bytes && waiting < 2 * self.pace.limit().max(self.threads)
    }

    fn stage(&self, store: &dyn Store, object: &ObjectRef) -> Stage {
        let check = Check::of(store, object);
        if object.codec == Codec::None {
            return Stage::Plain(Plain { pieces: VecDeque::new(), check });
        }
        let news = Arc::clone(&self.news);
        let taken = move || news.changed.notify_one();
        Stage::Decoding(Decoding::begin(object.codec, object.key.to_string(), check, Arc::clone(&self.steps), taken))
    }

    /// Begins a piece of the last object under way.
    fn begin(&mut self, store: Arc<dyn Store>, object: &ObjectRef, range: Range<u64>) {
        let lane = self.lanes.back_mut().expect("the object's lane was made with its first piece");
        lane.held.fetch_add(to_usize(range.end - range.start), Ordering::Relaxed);
        lane.is_complete = range.end == object.bytes;
        let order = Order {
            store,
            object: object.clone(),
            range,
            tag: Arc::clone(&lane.tag),
            stall_timeout: self.options.stall_timeout,
        };
        let news = Arc::clone(&self.news);
        let piece = Piece::begin(order, Arc::clone(&lane.held), move |sample| {
            news.finished.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
            news.changed.notify_one();
        });
        match &mut lane.stage {
            Stage::Plain(plain) => plain.pieces.push_back(piece),
            Stage::Decoding(decoding) => {
                decoding.push(piece);
                if lane.is_complete {
                    decoding.finish();
                }
            }
            Stage::Unreadable(_) => {}
        }
        self.in_flight += 1;
    }
}

/// A length that is at most that of a piece.
fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
