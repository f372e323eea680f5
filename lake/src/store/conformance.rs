//! What every store must do, as one list of checks that all implementations run: `store_conformance!(open)` makes a test
//! of each. `open` is an async function that takes the check's name and gives `Some((store, guard))` with an empty store, or
//! `None` to leave the check out.
//!
//! A store that puts large objects in parts is opened with a threshold below 9 MiB, so that the checks on large objects
//! take that way. Listings are checked in `conformance_list.rs`, hashes and lengths in `conformance_bytes.rs`.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

pub use super::conformance_bytes::*;
pub use super::conformance_list::*;
use super::{Body, Condition, ETag, ErrorKind, Key, Put, Store, StoreError};

/// Long enough to go up in parts.
const LARGE_BYTES: usize = 20 * 1024 * 1024;

/// Makes a test of every check for one kind of store.
#[macro_export]
macro_rules! store_conformance {
    ($open:path) => {
        $crate::store_conformance! { $open;
            what_was_put_is_what_is_got
            an_object_that_is_too_long_for_the_memory_is_refused_by_its_name
            an_empty_object_is_an_object
            a_missing_object_is_not_found
            a_put_from_a_file_sends_so_many_bytes_as_was_said
            a_put_from_a_missing_file_says_so_and_leaves_nothing
            an_unconditional_put_overwrites
            a_put_if_absent_never_overwrites
            one_of_sixteen_racing_creators_wins
            a_put_if_match_replaces_only_what_was_seen
            racing_replacements_lose_no_update
            the_hash_given_at_a_put_comes_back
            a_range_is_exact
            a_read_tells_when_the_content_is_another
            a_range_past_the_end_is_an_error
            a_large_object_reads_back_whole
            a_large_object_never_overwrites_if_absent
            one_of_several_large_racing_creators_wins
            a_large_replacement_needs_its_tag
            no_name_but_the_key_and_no_half_object_is_ever_visible
            unusual_characters_in_keys_are_kept
            deleting_is_final_and_deleting_nothing_succeeds
            cleaning_up_leaves_objects_alone
            a_listing_is_ordered_by_the_bytes_of_the_whole_key
            a_prefix_may_end_within_a_name
            a_listing_says_length_and_time
            nothing_under_a_prefix_is_an_empty_page
            a_prefix_does_not_leave_the_root
            a_long_listing_comes_in_pages
            a_listing_goes_on_after_any_text
            folders_are_listed_once_each_and_in_order
            many_folders_come_in_pages
        }
    };
    ($open:path; $($check:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                if let Some((store, _guard)) = $open(stringify!($check)).await {
                    $crate::store::conformance::$check(store).await;
                }
            }
        )*
    };
}

/// A key that must be possible.
pub(crate) fn key(name: &str) -> Key {
    Key::new(name).expect("a possible key")
}

pub(super) fn object(name: &str, content: &[u8], condition: Condition) -> Put {
    Put { key: key(name), body: Body::Bytes(Bytes::copy_from_slice(content)), condition, sha256: None }
}

/// Puts a small object under a name that must be free.
pub(crate) async fn create(store: &dyn Store, name: &str, content: &[u8]) -> ETag {
    let done = store.put(object(name, content, Condition::IfAbsent)).await;
    done.unwrap_or_else(|error| panic!("{name:?} was not put: {error}"))
}

async fn content(store: &dyn Store, name: &str) -> Bytes {
    store.get(&key(name)).await.unwrap_or_else(|error| panic!("{name:?} is not read: {error}")).0
}

fn kind<T: std::fmt::Debug>(result: Result<T, StoreError>) -> ErrorKind {
    result.expect_err("this must fail").kind()
}

/// Bytes that differ everywhere, so that parts in a wrong order show.
fn pattern(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed * 2 + 1;
    let mut content = Vec::with_capacity(bytes + 8);
    while content.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_le_bytes());
    }
    content.truncate(bytes);
    content
}

fn file(content: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(content).expect("a temporary file is writable");
    file
}

pub(super) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_file(name: &str, file: &NamedTempFile, bytes: usize, condition: Condition, sha256: Option<String>) -> Put {
    let body = Body::File { path: file.path().to_owned(), bytes: bytes as u64, crc64: None };
    Put { key: key(name), body, condition, sha256 }
}

#[expect(missing_docs, reason = "the names are the sentences")]
mod checks {
    use super::*;

    pub async fn what_was_put_is_what_is_got(store: Arc<dyn Store>) {
        let put_tag = create(&*store, "11-22-05/tweets.1.json", b"{}\n").await;
        let (content, tag) = store.get(&key("11-22-05/tweets.1.json")).await.expect("the object is there");
        assert_eq!(&content[..], b"{}\n");
        let meta = store.head(&key("11-22-05/tweets.1.json")).await.expect("the object is there");
        assert_eq!((put_tag, tag), (meta.etag.clone(), meta.etag));
        assert_eq!((meta.bytes, meta.key), (3, key("11-22-05/tweets.1.json")));
        assert!(meta.modified_ms > 1_600_000_000_000, "last written at {} ms", meta.modified_ms);
    }

    pub async fn an_empty_object_is_an_object(store: Arc<dyn Store>) {
        create(&*store, "11-22-05/_SUCCESS", b"").await;
        assert_eq!(content(&*store, "11-22-05/_SUCCESS").await.len(), 0);
        assert_eq!(store.head(&key("11-22-05/_SUCCESS")).await.expect("it is there").bytes, 0);
        let chunks: Vec<Bytes> = store
            .read(&key("11-22-05/_SUCCESS"), None)
            .await
            .expect("it opens")
            .chunks
            .try_collect()
            .await
            .expect("it reads");
        assert!(chunks.iter().all(Bytes::is_empty));
        let file = file(b"");
        store.put(from_file("empty", &file, 0, Condition::IfAbsent, None)).await.expect("an empty file is put");
        assert_eq!(content(&*store, "empty").await.len(), 0);
    }

    pub async fn a_missing_object_is_not_found(store: Arc<dyn Store>) {
        create(&*store, "a/b", b"x").await;
        for name in ["c", "a/c", "b/c", "a"] {
            let key = key(name);
            assert_eq!(kind(store.head(&key).await), ErrorKind::NotFound, "head of {name}");
            assert_eq!(kind(store.get(&key).await), ErrorKind::NotFound, "get of {name}");
            assert_eq!(kind(store.read(&key, None).await.map(|_| ())), ErrorKind::NotFound, "read of {name}");
            let part = store.read(&key, Some(3..3)).await.map(|_| ());
            assert_eq!(kind(part), ErrorKind::NotFound, "read of nothing of {name}");
        }
    }

    pub async fn a_put_from_a_file_sends_so_many_bytes_as_was_said(store: Arc<dyn Store>) {
        let file = file(b"0123456789");
        store.put(from_file("part", &file, 4, Condition::IfAbsent, None)).await.expect("it is put");
        assert_eq!(&content(&*store, "part").await[..], b"0123");
        let put = from_file("too-long", &file, 11, Condition::IfAbsent, None);
        assert!(store.put(put).await.is_err(), "a body was said to be longer than its file, and was put");
        assert_eq!(kind(store.head(&key("too-long")).await), ErrorKind::NotFound);
    }

    pub async fn a_put_from_a_missing_file_says_so_and_leaves_nothing(store: Arc<dyn Store>) {
        let file = file(b"x");
        let put = from_file("a/gone", &file, 1, Condition::Always, None);
        let path = file.path().to_owned();
        file.close().expect("a temporary file can be removed");
        let error = store.put(put).await.expect_err("there is nothing to put");
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error} does not name the file");
        assert_eq!(kind(store.head(&key("a/gone")).await), ErrorKind::NotFound);
    }

    pub async fn an_unconditional_put_overwrites(store: Arc<dyn Store>) {
        for text in ["first", "second, longer", "3"] {
            store.put(object("a", text.as_bytes(), Condition::Always)).await.expect("it is put");
            assert_eq!(&content(&*store, "a").await[..], text.as_bytes());
        }
    }

    pub async fn a_put_if_absent_never_overwrites(store: Arc<dyn Store>) {
        create(&*store, "h/a", b"first").await;
        let second = store.put(object("h/a", b"second", Condition::IfAbsent)).await;
        assert_eq!(kind(second), ErrorKind::PreconditionFailed);
        assert_eq!(&content(&*store, "h/a").await[..], b"first");
        store.delete(&key("h/a")).await.expect("it is deleted");
        create(&*store, "h/a", b"third").await;
        assert_eq!(&content(&*store, "h/a").await[..], b"third");
    }

    pub async fn one_of_sixteen_racing_creators_wins(store: Arc<dyn Store>) {
        for round in 0..8 {
            let name = format!("race/{round}");
            let puts = (0..16).map(|writer| {
                let put = object(&name, &pattern(10_000 + writer, writer as u64), Condition::IfAbsent);
                let store = store.clone();
                tokio::spawn(async move { (writer, store.put(put).await) })
            });
            let mut winners = Vec::new();
            for done in join_all(puts).await {
                match done.expect("a writer does not panic") {
                    (writer, Ok(_)) => winners.push(writer),
                    (_, Err(error)) => assert!(
                        matches!(error.kind(), ErrorKind::PreconditionFailed | ErrorKind::Conflict),
                        "a loser was told {error}"
                    ),
                }
            }
            assert_eq!(winners.len(), 1, "in round {round}, {winners:?} won");
            let expected = pattern(10_000 + winners[0], winners[0] as u64);
            assert!(content(&*store, &name).await == expected, "the object is not the winner's");
        }
    }

    pub async fn a_put_if_match_replaces_only_what_was_seen(store: Arc<dyn Store>) {
        let missing = store.put(object("_agent.json", b"0", Condition::IfMatch(ETag("\"0\"".to_owned())))).await;
        assert_eq!(kind(missing), ErrorKind::PreconditionFailed);
        let first = create(&*store, "_agent.json", b"1").await;
        let second =
            store.put(object("_agent.json", b"2", Condition::IfMatch(first.clone()))).await.expect("it matches");
        assert_ne!(first, second);
        let late = store.put(object("_agent.json", b"3", Condition::IfMatch(first))).await;
        assert_eq!(kind(late), ErrorKind::PreconditionFailed);
        assert_eq!(&content(&*store, "_agent.json").await[..], b"2");
        let (_, seen) = store.get(&key("_agent.json")).await.expect("it is there");
        assert_eq!(seen, second);
    }

    pub async fn racing_replacements_lose_no_update(store: Arc<dyn Store>) {
        create(&*store, "counter", b"0").await;
        let raises = (0..8).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                loop {
                    let (text, seen) = store.get(&key("counter")).await.expect("it is there");
                    let count: u32 = String::from_utf8_lossy(&text).parse().expect("a number");
                    let raised = (count + 1).to_string();
                    match store.put(object("counter", raised.as_bytes(), Condition::IfMatch(seen))).await {
                        Ok(_) => return,
                        Err(error) if matches!(error.kind(), ErrorKind::PreconditionFailed | ErrorKind::Conflict) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        });
        for done in join_all(raises).await {
            done.expect("a writer does not panic");
        }
        assert_eq!(&content(&*store, "counter").await[..], b"8");
    }

    pub async fn a_range_is_exact(store: Arc<dyn Store>) {
        let whole = pattern(300_000, 3);
        create(&*store, "r", &whole).await;
        for (start, end) in [(0, 1), (0, 300_000), (299_999, 300_000), (65_535, 200_001), (7, 7), (400_000, 400_000)] {
            let content = store.read(&key("r"), Some(start as u64..end as u64)).await.expect("it opens");
            let part: Vec<u8> = content.chunks.try_fold(Vec::new(), append).await.expect("it reads");
            assert!(part == whole.get(start..end).unwrap_or_default(), "bytes {start}..{end} are others");
        }
    }

    async fn append(mut all: Vec<u8>, chunk: Bytes) -> Result<Vec<u8>, StoreError> {
        all.extend_from_slice(&chunk);
        Ok(all)
    }
    pub async fn a_read_tells_when_the_content_is_another(store: Arc<dyn Store>) {
        let part = async |range| store.read(&key("r"), Some(range)).await.expect("it opens");
        create(&*store, "r", b"0123456789").await;
        let before = part(3..5).await;
        assert_eq!((&part(9..10).await.etag, before.bytes), (&before.etag, Some(10)));
        store.put(object("r", b"another", Condition::Always)).await.expect("it is put");
        assert_ne!(part(3..5).await.etag, before.etag);
    }

    pub async fn a_range_past_the_end_is_an_error(store: Arc<dyn Store>) {
        create(&*store, "r", b"0123456789").await;
        for range in [5..11, 10..11, 20..30] {
            let error = match store.read(&key("r"), Some(range.clone())).await {
                Ok(content) => content.chunks.try_fold(Vec::new(), append).await.expect_err("the object ends before"),
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{range:?}: {error}");
        }
    }

    pub async fn a_large_object_reads_back_whole(store: Arc<dyn Store>) {
        let whole = pattern(LARGE_BYTES, 5);
        let file = file(&whole);
        let hash = sha256(&whole);
        let put = from_file("large", &file, whole.len(), Condition::IfAbsent, Some(hash.clone()));
        let tag = store.put(put).await.expect("it is put");
        let meta = store.head(&key("large")).await.expect("it is there");
        assert_eq!((meta.bytes, meta.sha256, meta.etag), (whole.len() as u64, Some(hash.clone()), tag));
        let mut chunks = store.read(&key("large"), None).await.expect("it opens").chunks;
        let mut hasher = Sha256::new();
        while let Some(chunk) = chunks.next().await {
            hasher.update(chunk.expect("it reads"));
        }
        assert_eq!(hash, hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let bytes = Put { body: Body::Bytes(whole.into()), ..object("bytes", b"", Condition::IfAbsent) };
        store.put(bytes).await.expect("as many bytes from memory are put");
        assert_eq!(sha256(&content(&*store, "bytes").await), hash);
    }

    pub async fn a_large_object_never_overwrites_if_absent(store: Arc<dyn Store>) {
        create(&*store, "large", b"small").await;
        let file = file(&pattern(LARGE_BYTES, 6));
        let put = from_file("large", &file, LARGE_BYTES, Condition::IfAbsent, None);
        assert_eq!(kind(store.put(put).await), ErrorKind::PreconditionFailed);
        assert_eq!(&content(&*store, "large").await[..], b"small");
    }

    pub async fn one_of_several_large_racing_creators_wins(store: Arc<dyn Store>) {
        let bytes = 9 * 1024 * 1024;
        let bodies: Vec<Bytes> = (0..4).map(|writer| Bytes::from(pattern(bytes, 100 + writer))).collect();
        let puts = bodies.iter().map(|body| {
            let body = Body::Bytes(body.clone());
            store.put(Put { key: key("large"), body, condition: Condition::IfAbsent, sha256: None })
        });
        let mut winners = HashSet::new();
        for (writer, done) in join_all(puts).await.into_iter().enumerate() {
            match done {
                Ok(_) => drop(winners.insert(writer)),
                Err(error) => assert!(
                    matches!(error.kind(), ErrorKind::PreconditionFailed | ErrorKind::Conflict),
                    "a loser was told {error}"
                ),
            }
        }
        let found = content(&*store, "large").await;
        let writer = bodies.iter().position(|body| *body == found).expect("the object is one writer's, whole");
        assert_eq!(winners, HashSet::from([writer]));
    }

    pub async fn a_large_replacement_needs_its_tag(store: Arc<dyn Store>) {
        let tag = create(&*store, "large", b"1").await;
        let body = pattern(LARGE_BYTES, 7);
        let file = file(&body);
        let put = |condition| from_file("large", &file, LARGE_BYTES, condition, None);
        store.put(put(Condition::IfMatch(tag.clone()))).await.expect("it matches");
        assert_eq!(kind(store.put(put(Condition::IfMatch(tag))).await), ErrorKind::PreconditionFailed);
        let missing = Put { key: key("other"), ..put(Condition::IfMatch(ETag("\"0\"".to_owned()))) };
        assert_eq!(kind(store.put(missing).await), ErrorKind::PreconditionFailed);
        assert!(content(&*store, "large").await == body);
    }

    pub async fn no_name_but_the_key_and_no_half_object_is_ever_visible(store: Arc<dyn Store>) {
        let file = file(&pattern(LARGE_BYTES, 8));
        let put = from_file("11-22-05/large", &file, LARGE_BYTES, Condition::IfAbsent, None);
        let writer = tokio::spawn({
            let store = store.clone();
            async move { store.put(put).await }
        });
        loop {
            let finished = writer.is_finished();
            let seen = super::super::list_all(&*store, "").await.expect("it lists");
            let names: Vec<(&str, u64)> = seen.iter().map(|object| (object.key.as_str(), object.bytes)).collect();
            if finished {
                assert_eq!(names, [("11-22-05/large", LARGE_BYTES as u64)]);
                break;
            }
            assert!(names.is_empty() || names == [("11-22-05/large", LARGE_BYTES as u64)], "{names:?} was to be seen");
        }
        writer.await.expect("the writer does not panic").expect("it is put");
    }

    pub async fn unusual_characters_in_keys_are_kept(store: Arc<dyn Store>) {
        let mut names = [
            "date=2026-11-22/hour=05/x",
            "a b/c d",
            " lead",
            "plus+plus",
            "100%",
            "%2F",
            "%41",
            "ü/ö",
            "日本",
            "12:30:00",
            "a?b",
            "a&b=c",
            "#tag",
            "@at",
            "semi;colon",
            "it's",
            "(b)[c]{d}",
            "~tilde",
            "a*",
            "dots..dots",
            ".hidden",
            "😀",
            "$x,y!",
        ];
        for name in names {
            create(&*store, name, name.as_bytes()).await;
        }
        names.sort_unstable();
        let seen = super::super::list_all(&*store, "").await.expect("it lists");
        assert_eq!(seen.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), names);
        for name in names {
            assert_eq!(content(&*store, name).await, name.as_bytes());
            let found = super::super::list_all(&*store, name).await.expect("it lists");
            assert_eq!(found.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), [name], "by prefix");
            store.delete(&key(name)).await.expect("it is deleted");
            assert_eq!(kind(store.head(&key(name)).await), ErrorKind::NotFound);
        }
    }

    pub async fn deleting_is_final_and_deleting_nothing_succeeds(store: Arc<dyn Store>) {
        store.delete(&key("never/was")).await.expect("there is nothing to do");
        create(&*store, "a/b", b"x").await;
        store.delete(&key("a")).await.expect("a folder is no object");
        assert_eq!(&content(&*store, "a/b").await[..], b"x");
        store.delete(&key("a/b")).await.expect("it is deleted");
        store.delete(&key("a/b")).await.expect("there is nothing to do");
        assert_eq!(kind(store.get(&key("a/b")).await), ErrorKind::NotFound);
        assert!(super::super::list_all(&*store, "").await.expect("it lists").is_empty());
    }

    pub async fn cleaning_up_leaves_objects_alone(store: Arc<dyn Store>) {
        assert_eq!(store.clean_up(i64::MAX / 1_000_000).await.expect("there is nothing to do"), 0);
        create(&*store, "a/b", b"x").await;
        assert_eq!(store.clean_up(i64::MAX / 1_000_000).await.expect("there is nothing to do"), 0);
        assert_eq!(&content(&*store, "a/b").await[..], b"x");
    }
}
pub use checks::*;
