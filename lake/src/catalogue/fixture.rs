//! Small lakes for tests: puts objects, manifests and whole hours into any store, as an agent would.

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::checksum::Crc64;
use crate::hour::Hour;
use crate::manifest::{Codec, Guarantee, IngestPath, Manifest, ManifestName, ObjectEntry, VERSION};
use crate::pattern::{Escapes, Pattern, PatternOptions};
use crate::store::{Body, Condition, Key, Put, Store};

/// A pattern by our rules, or any pattern by Flume's rules if `escapes` is [`Escapes::Strict`].
///
/// # Panics
/// When the pattern is invalid.
pub fn pattern(text: &str, escapes: Escapes) -> Pattern {
    let options = PatternOptions { escapes, allow_open: escapes == Escapes::Strict, ..PatternOptions::default() };
    Pattern::new(text, &options).expect("a possible pattern")
}

/// The line of a v2 tweet.
pub fn tweet(id: u64) -> String {
    format!(r#"{{"data":{{"id":"{id}","text":"tweet {id}"}}}}"#)
}

/// The lines of some tweets, with line ends.
pub fn tweets(ids: impl IntoIterator<Item = u64>) -> String {
    ids.into_iter().map(|id| tweet(id) + "\n").collect()
}

/// Puts an object.
///
/// # Panics
/// When the key is invalid or the store fails.
pub async fn put(store: &dyn Store, key: &str, content: impl Into<Bytes>) {
    let key = Key::new(key).expect("a possible key");
    let body = Body::Bytes(content.into());
    store.put(Put { key, body, condition: Condition::Always, sha256: None }).await.expect("the store takes it");
}

/// Puts a compressed object of lines, and returns its manifest entry. The codec's extension is added to the key.
///
/// # Panics
/// When the key is invalid or the store fails.
pub async fn object(store: &dyn Store, key: &str, text: &str, codec: Codec) -> ObjectEntry {
    let stored = compress(text, codec).await;
    let key = format!("{key}{}", codec.extension());
    let sha256 = hex::encode(Sha256::digest(&stored));
    let crc64nvme = Some(Crc64::of(&stored));
    let (bytes, lines) = (stored.len() as u64, text.lines().count() as u64);
    put(store, &key, stored).await;
    let key = Key::new(key).expect("a possible key");
    let arrivals = if lines > 0 { vec![(1_795_323_600, lines)] } else { Vec::new() };
    ObjectEntry { key, bytes, lines, sha256, crc64nvme, codec, path: IngestPath::Stream, arrivals }
}

/// Compresses a text as an object of this codec.
///
/// # Panics
/// Never: writing to memory does not fail.
pub async fn compress(text: &str, codec: Codec) -> Vec<u8> {
    const IN_MEMORY: &str = "memory takes it";
    match codec {
        Codec::None => text.as_bytes().to_vec(),
        Codec::Gzip => {
            let mut encoder = GzipEncoder::new(Vec::new());
            encoder.write_all(text.as_bytes()).await.expect(IN_MEMORY);
            encoder.shutdown().await.expect(IN_MEMORY);
            encoder.into_inner()
        }
        Codec::Zstd => {
            let mut encoder = ZstdEncoder::new(Vec::new());
            encoder.write_all(text.as_bytes()).await.expect(IN_MEMORY);
            encoder.shutdown().await.expect(IN_MEMORY);
            encoder.into_inner()
        }
    }
}

/// A manifest with some objects and default values.
///
/// # Panics
/// When the hour is outside jiff's range.
pub fn manifest(hour: Hour, objects: Vec<ObjectEntry>) -> Manifest {
    let at = jiff::Timestamp::from_millisecond(hour.end_ms()).expect("in jiff's range");
    Manifest {
        version: VERSION,
        hour,
        agent: "agent".to_owned(),
        epoch: 1,
        guarantee: Guarantee::ExactlyOnce,
        tweets: objects.iter().map(|object| object.lines).sum(),
        objects,
        messages: Vec::new(),
        message_counts: Default::default(),
        duplicates: 0,
        rejects: 0,
        undelivered: 0,
        gaps: Vec::new(),
        repairs: Vec::new(),
        dedupe_holes: Vec::new(),
        opened_at: at,
        closed_at: at,
        tool_version: "cauce test".to_owned(),
    }
}

/// Puts a manifest: the closing one of its hour, or a late one.
///
/// # Panics
/// When the store fails.
pub async fn put_manifest(store: &dyn Store, manifest: &Manifest, late: Option<u32>) {
    let name = ManifestName { hour: manifest.hour, late };
    put(store, name.key().as_str(), manifest.to_bytes()).await;
}

/// The name of an object of an hour, with a time so many milliseconds after the hour's start.
pub fn object_name(pattern: &Pattern, hour: Hour, into_ms: i64) -> String {
    format!("{}/tweets.{}.json", pattern.folder_of(hour), hour.start_ms() + into_ms)
}

/// Puts an object with these tweets, closes its hour, and returns the manifest.
///
/// # Panics
/// When the store fails.
pub async fn closed_hour(
    store: &dyn Store,
    pattern: &Pattern,
    hour: Hour,
    ids: impl IntoIterator<Item = u64>,
    codec: Codec,
) -> Manifest {
    let object = object(store, &object_name(pattern, hour, 1), &tweets(ids), codec).await;
    let manifest = manifest(hour, vec![object]);
    put_manifest(store, &manifest, None).await;
    manifest
}

/// Puts late tweets of an hour with the late manifest of this number.
///
/// # Panics
/// When the store fails.
pub async fn late_tweets(
    store: &dyn Store,
    pattern: &Pattern,
    hour: Hour,
    ids: impl IntoIterator<Item = u64>,
    number: u32,
) {
    let key = format!("late/{}", object_name(pattern, hour, 1000 + i64::from(number)));
    let object = object(store, &key, &tweets(ids), Codec::None).await;
    put_manifest(store, &manifest(hour, vec![object]), Some(number)).await;
}
