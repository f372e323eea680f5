//! Reads from a test store with chosen chunks and failures.

mod ahead;

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;

use async_trait::async_trait;
use futures_util::FutureExt;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::checksum::Crc64;
use crate::manifest::{Codec, IngestPath, ObjectEntry};
use crate::object::ObjectRef;
use crate::store::{Content, ETag, List, ListPage, ObjectMeta, Put, Store};

/// Objects in memory, read in chunks of one size; each read breaks off at `breaks_at`.
#[derive(Debug, Default)]
struct Shelf {
    objects: BTreeMap<String, Bytes>,
    chunk: usize,
    breaks_at: Option<usize>,
}

impl Shelf {
    fn with(bytes: &[u8], chunk: usize) -> Shelf {
        let objects = BTreeMap::from([(key().to_string(), Bytes::copy_from_slice(bytes))]);
        Shelf { objects, chunk, breaks_at: None }
    }
}

#[async_trait]
impl Store for Shelf {
    fn location(&self) -> String {
        "shelf".into()
    }
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Content, StoreError> {
        let missing = || StoreError::new(ErrorKind::NotFound, format!("read {key}"), "there is none");
        let bytes = self.objects.get(key.as_str()).ok_or_else(missing)?;
        let place = |at: u64| usize::try_from(at).expect("small");
        let range = range.map_or(0..bytes.len(), |range| place(range.start)..place(range.end));
        let end = self.breaks_at.map_or(range.end, |at| at.clamp(range.start, range.end));
        let mut chunks: Vec<_> =
            bytes.slice(range.start..end).chunks(self.chunk).map(|chunk| Ok(bytes.slice_ref(chunk))).collect();
        if end < range.end || self.breaks_at == Some(end) {
            chunks.push(Err(StoreError::new(ErrorKind::Timeout, format!("read {key}"), "the connection broke")));
        }
        // Unlike `stream::iter`, this one must not be polled after its end.
        let chunks = stream::unfold(chunks.into_iter(), async |mut chunks| Some((chunks.next()?, chunks))).boxed();
        Ok(Content { etag: ETag("1".to_owned()), bytes: Some(bytes.len() as u64), chunks })
    }
    async fn put(&self, _: Put) -> Result<ETag, StoreError> {
        unreachable!("readers do not write")
    }
    async fn head(&self, _: &Key) -> Result<ObjectMeta, StoreError> {
        unreachable!("one read is enough")
    }
    async fn get(&self, _: &Key) -> Result<(Bytes, ETag), StoreError> {
        unreachable!("one read is enough")
    }
    async fn list(&self, _: &List) -> Result<ListPage, StoreError> {
        unreachable!("one read is enough")
    }
    async fn delete(&self, _: &Key) -> Result<(), StoreError> {
        unreachable!("readers do not write")
    }
    async fn clean_up(&self, _: i64) -> Result<u64, StoreError> {
        unreachable!("readers do not write")
    }
}

fn key() -> Key {
    Key::new("11-22-05/tweets.1.json").expect("valid key")
}

fn compress(bytes: &[u8], codec: Codec) -> Vec<u8> {
    match codec {
        Codec::None => bytes.to_vec(),
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).expect("memory takes it");
            encoder.finish().expect("memory takes it")
        }
        Codec::Zstd => zstd::encode_all(bytes, 1).expect("memory takes it"),
    }
}

fn run_time() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn object(key: Key, bytes: usize, codec: Codec) -> ObjectRef {
    ObjectRef { key, bytes: bytes as u64, codec, lines: None, listed: None, path: None, arrivals: Arc::default() }
}

/// All lines with their offsets, and the error that ended the reading.
fn read(shelf: Shelf, codec: Codec, max_line_bytes: usize) -> (Vec<(u64, Vec<u8>)>, Option<ReadError>) {
    run_time().block_on(async {
        let bytes = shelf.objects.get(key().as_str()).map_or(0, Bytes::len);
        let source = Source::Object(Arc::new(shelf), object(key(), bytes, codec));
        let mut stream = lines(vec![source], &ReadOptions { max_line_bytes, ..ReadOptions::default() });
        let mut found = Vec::new();
        loop {
            match stream.next().await {
                Some(Ok(block)) => {
                    assert!(!block.bytes().is_empty());
                    assert_eq!(block.lines().count(), block.lines_at().count());
                    found.extend(block.lines_at().map(|(offset, line)| (offset, line.to_vec())));
                }
                Some(Err(error)) => {
                    assert!(stream.next().await.is_none(), "the stream went on after an error");
                    return (found, Some(error));
                }
                None => return (found, None),
            }
        }
    })
}

/// The lines, split in the simplest way.
fn plainly(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut offset = 0;
    let mut lines: Vec<_> = bytes
        .split(|&byte| byte == b'\n')
        .map(|line| {
            let at = offset;
            offset += line.len() as u64 + 1;
            (at, line.to_vec())
        })
        .collect();
    lines.pop_if(|(_, last)| last.is_empty());
    lines
}

/// Bytes with many line ends, including Unicode ones that do not count.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec!["\n", "\r\n", "\r", "a", "bcd", "\u{2028}", "\u{85}", "", "long line "]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

fn codecs() -> impl Strategy<Value = Codec> {
    prop::sample::select(vec![Codec::None, Codec::Gzip, Codec::Zstd])
}

proptest! {
    #[test]
    fn lines_are_what_stands_between_newlines(text in text(), chunk in 1usize..80, codec in codecs()) {
        let (lines, error) = read(Shelf::with(&compress(&text, codec), chunk), codec, MAX_LINE_BYTES);
        prop_assert!(error.is_none(), "{error:?}");
        prop_assert_eq!(lines, plainly(&text));
    }

    #[test]
    fn a_line_that_is_too_long_ends_the_reading_at_its_offset(
        text in text(), chunk in 1usize..80, codec in codecs(), max in 0usize..12,
    ) {
        let all = plainly(&text);
        let (lines, error) = read(Shelf::with(&compress(&text, codec), chunk), codec, max);
        match all.iter().position(|(_, line)| line.len() > max) {
            None => {
                prop_assert!(error.is_none(), "{error:?}");
                prop_assert_eq!(lines, all);
            }
            Some(bad) => {
                let error = error.expect("a line that is too long was read");
                prop_assert_eq!(error.offset(), all[bad].0);
                prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
                prop_assert_eq!(error.to_string(), format!(
                    "the line at byte {} of 11-22-05/tweets.1.json is longer than {max} bytes", all[bad].0));
                prop_assert_eq!(lines, all[..bad].to_vec());
            }
        }
    }
}

proptest! {
    // Each case waits for the delays of three resumptions.
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_broken_read_gives_the_whole_lines_before_it_and_the_offset(
        text in text(), chunk in 1usize..80, cut in any::<prop::sample::Index>(),
    ) {
        // A break at the end loses nothing.
        prop_assume!(!text.is_empty());
        let cut = cut.index(text.len());
        let shelf = Shelf { breaks_at: Some(cut), ..Shelf::with(&text, chunk) };
        let (lines, error) = read(shelf, Codec::None, MAX_LINE_BYTES);
        let whole = text[..cut].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        prop_assert_eq!(lines, plainly(&text[..whole]));
        let error = error.expect("the break was hidden");
        prop_assert_eq!((error.kind(), error.offset(), error.key()), (ErrorKind::Timeout, whole as u64, &key()));
    }
}

#[test]
fn a_line_of_nothing_but_zeros_from_a_bomb_is_an_error() {
    let bomb = compress(&vec![0; 8 << 20], Codec::Gzip);
    let (lines, error) = read(Shelf::with(&bomb, 4096), Codec::Gzip, 1 << 20);
    assert!(lines.is_empty());
    assert!(matches!(error, Some(ReadError::LineTooLong { offset: 0, max_line_bytes: 1_048_576, .. })), "{error:?}");
}

#[test]
fn a_missing_object_is_an_error_and_an_empty_one_has_no_lines() {
    let (_, error) = read(Shelf { chunk: 1, ..Shelf::default() }, Codec::None, MAX_LINE_BYTES);
    assert_eq!(error.expect("a missing object was read").kind(), ErrorKind::NotFound);
    assert!(matches!(read(Shelf::with(b"", 1), Codec::None, MAX_LINE_BYTES), (lines, None) if lines.is_empty()));
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn entry(wire: &[u8], lines: u64, codec: Codec) -> ObjectEntry {
    ObjectEntry {
        key: key(),
        bytes: wire.len() as u64,
        lines,
        sha256: sha256(wire),
        crc64nvme: Some(Crc64::of(wire)),
        codec,
        path: IngestPath::Stream,
        arrivals: Vec::new(),
    }
}

fn verify(shelf: &Shelf, entry: &ObjectEntry) -> Result<ObjectCheck, ReadError> {
    verify_lines(shelf, entry, |_| ()).now_or_never().expect("a store in memory never waits")
}

#[test]
fn an_object_that_is_what_its_manifest_says_is_clean() {
    for codec in [Codec::None, Codec::Gzip, Codec::Zstd] {
        for (text, lines) in [("a\nb\n", 2), ("a\nb", 2), ("\n\n", 2), ("", 0)] {
            let wire = compress(text.as_bytes(), codec);
            let check = verify(&Shelf::with(&wire, 3), &entry(&wire, lines, codec)).expect("readable");
            assert!(check.mismatches.is_empty(), "{text:?}: {check:?}");
            assert_eq!((check.bytes, check.lines), (wire.len() as u64, lines));
        }
    }
}

#[test]
fn every_way_in_which_an_object_differs_is_told() {
    let text = b"one\ntwo\n";
    let wire = compress(text, Codec::Gzip);
    let good = entry(&wire, 2, Codec::Gzip);

    let missing = verify(&Shelf { chunk: 1, ..Shelf::default() }, &good).expect("an answer");
    assert_eq!(missing.mismatches, [Mismatch::Missing]);

    let other = compress(b"one\n", Codec::Gzip);
    let check = verify(&Shelf::with(&other, 3), &good).expect("an answer");
    let expected = [
        Mismatch::Bytes { expected: wire.len() as u64, found: other.len() as u64 },
        Mismatch::Sha256 { expected: sha256(&wire), found: sha256(&other) },
        Mismatch::Lines { expected: 2, found: 1 },
    ];
    assert_eq!(check.mismatches, expected);

    // Damage in the middle: the hashes still cover all stored bytes.
    let mut damaged = wire.clone();
    damaged[0] ^= 0xff;
    let check = verify(&Shelf::with(&damaged, 3), &entry(&damaged, 2, Codec::Gzip)).expect("an answer");
    assert!(
        matches!(&check.mismatches[..], [Mismatch::Damaged { .. }, Mismatch::Lines { expected: 2, found: 0 }]),
        "{check:?}"
    );
    assert_eq!(check.bytes, wire.len() as u64);
}

#[test]
fn a_store_that_cannot_be_asked_is_an_error_and_no_mismatch() {
    let wire = compress(b"one\ntwo\n", Codec::Gzip);
    let shelf = Shelf { breaks_at: Some(5), ..Shelf::with(&wire, 3) };
    let error = verify(&shelf, &entry(&wire, 2, Codec::Gzip)).expect_err("a broken read was taken for an answer");
    assert_eq!(error.kind(), ErrorKind::Timeout);
}
