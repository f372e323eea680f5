//! Read-ahead of many objects: order, bounds, and objects that change. The in-memory store's gates and faults control the
//! requests; memory is counted per chunk.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::catalogue::fixture::put;
use crate::store::memory::{Call, Fault, MemoryStore};

/// A store that counts the bytes of its chunks in memory, returns chunks of odd sizes, and with `dawdles` lets other tasks
/// run first.
#[derive(Debug)]
struct Counted {
    inner: MemoryStore,
    chunk: usize,
    dawdles: bool,
    held: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Counted {
    fn new(inner: MemoryStore, chunk: usize, dawdles: bool) -> Counted {
        Counted { inner, chunk, dawdles, held: Arc::default(), most: Arc::default() }
    }
}

struct Chunk(Bytes, Arc<AtomicUsize>);

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.1.fetch_sub(self.0.len(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Store for Counted {
    fn location(&self) -> String {
        self.inner.location()
    }
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Content, StoreError> {
        let content = self.inner.read(key, range.clone()).await?;
        let mut whole = Vec::new();
        let mut chunks = content.chunks;
        while let Some(chunk) = chunks.next().await {
            whole.extend_from_slice(&chunk?);
        }
        let pauses =
            if self.dawdles { (whole.len() / 7 + range.map_or(0, |range| range.start as usize / 3)) % 5 } else { 0 };
        let (size, held, most) = (self.chunk, Arc::clone(&self.held), Arc::clone(&self.most));
        let chunks = stream::unfold((Bytes::from(whole), held, most), move |(mut rest, held, most)| async move {
            if rest.is_empty() {
                return None;
            }
            for _ in 0..pauses {
                tokio::task::yield_now().await;
            }
            let chunk = rest.split_to(rest.len().min(size));
            most.fetch_max(held.fetch_add(chunk.len(), Ordering::SeqCst) + chunk.len(), Ordering::SeqCst);
            Some((Ok(Bytes::from_owner(Chunk(chunk, Arc::clone(&held)))), (rest, held, most)))
        });
        Ok(Content { chunks: chunks.boxed(), ..content })
    }
    async fn put(&self, put: Put) -> Result<ETag, StoreError> {
        self.inner.put(put).await
    }
    async fn head(&self, key: &Key) -> Result<ObjectMeta, StoreError> {
        self.inner.head(key).await
    }
    async fn get(&self, key: &Key) -> Result<(Bytes, ETag), StoreError> {
        self.inner.get(key).await
    }
    async fn list(&self, list: &List) -> Result<ListPage, StoreError> {
        self.inner.list(list).await
    }
    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }
    async fn clean_up(&self, older_than_ms: i64) -> Result<u64, StoreError> {
        self.inner.clean_up(older_than_ms).await
    }
}

fn name(n: usize) -> String {
    format!("11-22-05/tweets.{n:04}.json")
}

/// Lines that differ everywhere, about so many bytes of them.
fn text_of(bytes: usize, seed: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes + 64);
    for line in 0.. {
        if text.len() >= bytes {
            break;
        }
        text.extend_from_slice(format!("{seed}-{line}{}\n", "x".repeat((line * 37 + seed) % 90)).as_bytes());
    }
    text.truncate(bytes);
    text
}

async fn shelve(store: &MemoryStore, objects: &[(Vec<u8>, Codec)]) -> Vec<ObjectRef> {
    let mut listed = Vec::new();
    for (n, (text, codec)) in objects.iter().enumerate() {
        let wire = compress(text, *codec);
        listed.push(object(Key::new(name(n)).expect("a possible key"), wire.len(), *codec));
        put(store, &name(n), wire).await;
    }
    listed
}

fn sources(store: &Arc<dyn Store>, objects: &[ObjectRef]) -> Vec<Source> {
    objects.iter().map(|object| Source::Object(Arc::clone(store), object.clone())).collect()
}

type Found = (Vec<(usize, u64, Vec<u8>)>, Option<ReadError>);

async fn all(mut stream: LineStream) -> Found {
    let mut found = Vec::new();
    while let Some(block) = stream.next().await {
        match block {
            Ok(block) => found.extend(block.lines_at().map(|(at, line)| (block.object(), at, line.to_vec()))),
            Err(error) => return (found, Some(error)),
        }
    }
    (found, None)
}

/// Lets every task run until it waits.
async fn settle() {
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
}

fn wanted(objects: &[(Vec<u8>, Codec)]) -> Vec<(usize, u64, Vec<u8>)> {
    let lines = |(n, (text, _)): (usize, &(Vec<u8>, Codec))| -> Vec<_> {
        plainly(text).into_iter().map(|(at, line)| (n, at, line)).collect()
    };
    objects.iter().enumerate().flat_map(lines).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn many_objects_read_ahead_give_the_lines_of_one_after_the_other(
        objects in prop::collection::vec((prop_oneof![0usize..300, 60_000usize..400_000], codecs()), 1..8),
        chunk in prop_oneof![1_000usize..5_000, 60_000usize..70_000],
        concurrency in prop::option::of(1usize..9), max_memory_bytes in prop_oneof![Just(0), Just(300_000), Just(64usize << 20)],
    ) {
        let objects: Vec<_> =
            objects.into_iter().enumerate().map(|(n, (bytes, codec))| (text_of(bytes, n), codec)).collect();
        let (lines, error) = run_time().block_on(async {
            let inner = MemoryStore::new();
            let listed = shelve(&inner, &objects).await;
            let store: Arc<dyn Store> = Arc::new(Counted::new(inner, chunk, true));
            let concurrency = concurrency.and_then(NonZeroUsize::new);
            let options = ReadOptions { concurrency, max_memory_bytes, ..ReadOptions::default() };
            all(lines(sources(&store, &listed), &options)).await
        });
        prop_assert!(error.is_none(), "{error:?}");
        prop_assert!(lines == wanted(&objects), "other lines, or another order");
    }
}

proptest! {
    // Each case lets other tasks run many times.
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn memory_is_bounded_whatever_the_reader_does(
        bytes in prop::collection::vec(0usize..300_000, 1..20), patience in 0usize..4,
        concurrency in prop::option::of(1usize..64), pieces in 1usize..20,
    ) {
        let max_memory_bytes = pieces * 64 * 1024;
        let (most, largest_out) = run_time().block_on(async {
            let inner = MemoryStore::new();
            let objects: Vec<_> = bytes.iter().map(|bytes| (text_of(*bytes, 0), Codec::None)).collect();
            let listed = shelve(&inner, &objects).await;
            let counted = Counted::new(inner, 16_000, false);
            let most = Arc::clone(&counted.most);
            let store: Arc<dyn Store> = Arc::new(counted);
            let concurrency = concurrency.and_then(NonZeroUsize::new);
            let options = ReadOptions { concurrency, max_memory_bytes, ..ReadOptions::default() };
            let mut stream = lines(sources(&store, &listed), &options);
            let mut taken = 0;
            while let Some(block) = stream.next().await {
                block.expect("it reads");
                taken += 1;
                if taken % 16 < patience {
                    settle().await;
                }
            }
            (most.load(Ordering::SeqCst), 2 * 16_000)
        });
        prop_assert!(most <= max_memory_bytes.max(64 * 1024) + largest_out, "{most} bytes held, {max_memory_bytes} allowed");
    }
}

#[tokio::test]
async fn nothing_is_requested_before_the_first_poll_and_nothing_after_the_stream_is_dropped() {
    let store = MemoryStore::new();
    let objects: Vec<_> = (0..40).map(|n| (text_of(1000, n), Codec::None)).collect();
    let listed = shelve(&store, &objects).await;
    let gate = store.hold(Call::Read, "");
    let shared: Arc<dyn Store> = Arc::new(store.clone());
    let mut stream = lines(sources(&shared, &listed), &ReadOptions::default());
    settle().await;
    assert_eq!(store.count(Call::Read, ""), 0);
    assert!(stream.next().now_or_never().is_none());
    for _ in 0..4 {
        gate.arrival().await;
    }
    drop(stream);
    gate.open();
    settle().await;
    assert_eq!(store.count(Call::Read, ""), 4, "requests went on for a reader that is gone");
}

#[tokio::test]
async fn a_given_concurrency_is_kept_and_used() {
    let store = MemoryStore::new();
    let objects: Vec<_> = (0..40).map(|n| (text_of(1000, n), Codec::None)).collect();
    let listed = shelve(&store, &objects).await;
    let gate = store.hold(Call::Read, "");
    let shared: Arc<dyn Store> = Arc::new(store.clone());
    let options = ReadOptions { concurrency: NonZeroUsize::new(7), ..ReadOptions::default() };
    let reading = tokio::spawn(all(lines(sources(&shared, &listed), &options)));
    for _ in 0..7 {
        gate.arrival().await;
    }
    settle().await;
    assert_eq!(store.count(Call::Read, ""), 7);
    gate.open();
    let (found, error) = reading.await.expect("it ends");
    assert!(error.is_none() && found == wanted(&objects));
}

#[tokio::test]
async fn an_error_comes_behind_the_lines_before_it_and_names_its_object() {
    let store = MemoryStore::new();
    let objects: Vec<_> = (0..6).map(|n| (text_of(5000, n), Codec::Zstd)).collect();
    let listed = shelve(&store, &objects).await;
    store.delete(&listed[3].key).await.expect("it is deleted");
    let shared: Arc<dyn Store> = Arc::new(store);
    let (found, error) = all(lines(sources(&shared, &listed), &ReadOptions::default())).await;
    assert_eq!(found, wanted(&objects[..3]));
    let error = error.expect("a missing object was passed by");
    assert_eq!((error.kind(), error.key().to_string(), error.offset()), (ErrorKind::NotFound, name(3), 0));
}

/// Reads one object of some 300,000 bytes in pieces of 64 KiB, one request at a time, and does something after the
/// first block.
async fn disturbed<Done: Future<Output = ()>>(disturb: impl FnOnce(MemoryStore) -> Done) -> Found {
    let store = MemoryStore::new();
    let listed = shelve(&store, &[(text_of(300_000, 1), Codec::None)]).await;
    let shared: Arc<dyn Store> = Arc::new(store.clone());
    let options = ReadOptions { max_memory_bytes: 0, concurrency: NonZeroUsize::new(1), ..ReadOptions::default() };
    let mut stream = lines(sources(&shared, &listed), &options);
    let first = stream.next().await.expect("a block").expect("it reads");
    disturb(store).await;
    let (mut found, error) = all(stream).await;
    let mut lines: Vec<_> = first.lines_at().map(|(at, line)| (0, at, line.to_vec())).collect();
    lines.append(&mut found);
    (lines, error)
}

#[tokio::test]
async fn a_body_that_was_cut_is_read_on_from_there() {
    let (found, error) = disturbed(async |store| {
        store.inject_once(Call::Read, "", Fault::BodyBreaksOff(1234));
        store.inject(Call::Read, "", 1, 1, Fault::BodyBreaksOff(0));
    })
    .await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(found, wanted(&[(text_of(300_000, 1), Codec::None)]));
}

#[tokio::test]
async fn a_body_that_is_cut_again_and_again_is_an_error_at_its_place() {
    let (found, error) = disturbed(async |store| {
        store.inject(Call::Read, "", 0, usize::MAX, Fault::BodyBreaksOff(1000));
    })
    .await;
    let error = error.expect("the cuts were hidden");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let text = text_of(300_000, 1);
    let read = 64 * 1024 + 4 * 1000;
    let whole = memchr::memrchr(b'\n', &text[..read]).expect("a line end") + 1;
    assert_eq!((found.len(), error.offset()), (plainly(&text[..whole]).len(), whole as u64));
}

#[tokio::test]
async fn an_object_that_changes_while_it_is_read_is_an_error_that_names_it() {
    let (_, error) = disturbed(async |store| put(&store, &name(0), text_of(300_000, 2)).await).await;
    let error = error.expect("halves of two objects were taken for one");
    assert_eq!((error.kind(), error.key().to_string()), (ErrorKind::Corrupt, name(0)));
    let detail = std::error::Error::source(&error).expect("a source").to_string();
    assert!(detail.contains("changed while it was read"), "{detail}");
}

#[tokio::test]
async fn an_object_that_is_deleted_while_it_is_read_is_an_error_that_names_it() {
    let (found, error) = disturbed(async |store| {
        store.delete(&Key::new(name(0)).expect("a possible key")).await.expect("it is deleted");
    })
    .await;
    let error = error.expect("half an object was taken for the whole");
    assert_eq!((error.kind(), error.key().to_string()), (ErrorKind::NotFound, name(0)));
    assert!(!found.is_empty() && error.offset() > 0);
}

#[tokio::test]
async fn an_object_of_another_length_than_listed_is_damaged() {
    for codec in [Codec::None, Codec::Gzip] {
        let store = MemoryStore::new();
        let mut listed = shelve(&store, &[(text_of(1000, 1), codec)]).await;
        listed[0].bytes += 1;
        let shared: Arc<dyn Store> = Arc::new(store);
        let (found, error) = all(lines(sources(&shared, &listed), &ReadOptions::default())).await;
        let error = error.expect("it was read all the same");
        assert_eq!((found.len(), error.kind()), (0, ErrorKind::Corrupt));
    }
}

#[tokio::test]
async fn a_store_that_stalls_is_an_error_within_the_time_limit() {
    let store = MemoryStore::new();
    let listed = shelve(&store, &[(text_of(1000, 1), Codec::None), (text_of(1000, 2), Codec::None)]).await;
    let _gate = store.hold(Call::Read, &name(1));
    let shared: Arc<dyn Store> = Arc::new(store);
    let options = ReadOptions { stall_timeout: Duration::from_millis(20), ..ReadOptions::default() };
    let (found, error) = all(lines(sources(&shared, &listed), &options)).await;
    let error = error.expect("it never answered");
    assert_eq!((error.kind(), error.key().to_string()), (ErrorKind::Timeout, name(1)));
    assert_eq!(found, wanted(&[(text_of(1000, 1), Codec::None)]));
    let detail = std::error::Error::source(&error).expect("a source").to_string();
    assert!(detail.contains("no byte arrived for 0.02 s after 0 of 1000 bytes"), "{detail}");
}

#[tokio::test]
async fn what_is_known_to_be_unreadable_ends_the_reading_behind_what_comes_before() {
    let store = MemoryStore::new();
    let listed = shelve(&store, &[(text_of(1000, 1), Codec::None)]).await;
    let shared: Arc<dyn Store> = Arc::new(store);
    let key = Key::new("_hours/2026-11-22T05.late-1.json").expect("a possible key");
    let mut sources = sources(&shared, &listed);
    sources.insert(1, Source::Unreadable { key: key.clone(), reason: "torn".to_owned() });
    sources.push(sources[0].clone());
    let (found, error) = all(lines(sources, &ReadOptions::default())).await;
    assert_eq!(found, wanted(&[(text_of(1000, 1), Codec::None)]));
    assert_eq!(error.expect("it was passed by").key(), &key);
}
