//! What `verify` finds: strays, every kind of damage, objects that end early.

use cauce_lake::checksum::Crc64;
use cauce_lake::scan::{ScanOptions, scan};
use cauce_lake::store::ErrorKind;
use cauce_lake::table::{Projection, TableOptions};
use cauce_lake::work::Workers;

use super::*;

#[tokio::test]
async fn strays_are_no_part_of_an_hour_and_verify_names_them() {
    let strays = on_all(|store| async move {
        let pattern = yearless();
        let at = hour("2026-11-22T05");
        closed_hour(store.as_ref(), &pattern, at, 1..3, Codec::Zstd).await;
        let stray = object_name(&pattern, at, 500);
        put(store.as_ref(), &stray, tweets([7])).await;
        put(store.as_ref(), &format!("late/{stray}"), tweets([8])).await;
        let messages = format!("11-22-05/_messages.{}.json", at.start_ms() + 9);
        put(store.as_ref(), &messages, "{}\n").await;
        put(store.as_ref(), "11-22-05/_SUCCESS", "").await;
        let lake = Lake::new(store, pattern);
        let listing = lake.hours(None).await.expect("listed");
        assert_eq!(listing.entries.len(), 1);
        assert_eq!(text(&lake, &listing.entries[0], false).await, tweets(1..3));
        let report = verified(&lake, at).await;
        assert_eq!((report.objects, report.lines), (1, 2));
        report.problems
    })
    .await;
    let keys: Vec<String> = strays
        .iter()
        .map(|problem| match problem {
            Problem::Stray { key, .. } => key.to_string(),
            other => panic!("{other}"),
        })
        .collect();
    let number = hour("2026-11-22T05").start_ms();
    let messages = format!("11-22-05/_messages.{}.json", number + 9);
    let object = format!("11-22-05/tweets.{}.json", number + 500);
    assert_eq!(keys, [messages, object.clone(), format!("late/{object}")]);
}

#[tokio::test]
async fn control_messages_are_messages_and_a_tweet_among_them_is_not() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let lake = Lake::new(Arc::clone(&store), yearless());
    let at = hour("2026-11-22T05");
    let mut manifest = closed_hour(store.as_ref(), lake.pattern(), at, 1..3, Codec::None).await;
    let disconnect =
        r#"{"errors":[{"title":"operational-disconnect","disconnect_type":"UpstreamOperationalDisconnect"}]}"#;
    let good = format!("{{\"limit\":{{\"track\":3}}}}\n{disconnect}\n");
    let bad = format!("{good}{}", tweets([9]));
    let name = format!("11-22-05/_messages.{}.json", at.start_ms());
    for (content, problems) in [(good, 0), (bad, 1)] {
        manifest.messages = vec![object(store.as_ref(), &name, &content, Codec::None).await];
        put_manifest(store.as_ref(), &manifest, None).await;
        let report = verified(&lake, at).await;
        assert_eq!(report.problems.len(), problems, "{:?}", report.problems);
        let is_foreign = |problem: &Problem| problem.to_string().contains("1 line is not what the object holds");
        assert!(report.problems.iter().all(is_foreign), "{:?}", report.problems);
    }
}

#[tokio::test]
async fn verify_finds_each_kind_of_damage() {
    type Harm = fn(&mut ObjectEntry);
    let harms: [(&str, Harm); 6] = [
        ("sha256", |object| object.sha256 = "0".repeat(64)),
        ("bytes, the manifest says", |object| object.bytes += 1),
        ("lines, the manifest says 4", |object| object.lines = 4),
        ("is not there", |object| object.key = cauce_lake::Key::new("11-22-05/none.json").expect("a key")),
        ("do not rise", |object| object.arrivals = vec![(2, 1), (2, 3)]),
        ("end at line 2 of 3", |object| object.arrivals = vec![(1, 1), (2, 2)]),
    ];
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let lake = Lake::new(Arc::clone(&store), yearless());
    let at = hour("2026-11-22T05");
    let whole = closed_hour(store.as_ref(), lake.pattern(), at, 1..4, Codec::None).await;
    assert!(verified(&lake, at).await.is_clean());
    for (said, harm) in harms {
        let mut harmed = whole.clone();
        harm(&mut harmed.objects[0]);
        put_manifest(store.as_ref(), &harmed, None).await;
        let problems = verified(&lake, at).await.problems;
        assert!(problems.iter().any(|problem| problem.to_string().contains(said)), "{said}: {problems:?}");
    }
    let mut miscounted = whole.clone();
    miscounted.tweets = 5;
    put_manifest(store.as_ref(), &miscounted, None).await;
    let said =
        vec![Problem::Tweets { manifest: cauce_lake::manifest::ManifestName::closing(at).key(), said: 5, sum: 3 }];
    assert_eq!(verified(&lake, at).await.problems, said);

    let key = object_name(lake.pattern(), at, 77);
    let text = format!("{}not json\n{{}}\n{}", tweets([1, 9]), tweets([9, 9]));
    let second = object(store.as_ref(), &key, &text, Codec::Gzip).await;
    let both = manifest(at, vec![whole.objects[0].clone(), second.clone()]);
    put_manifest(store.as_ref(), &both, None).await;
    let offset = tweets([1, 9]).len() as u64;
    assert_eq!(
        verified(&lake, at).await.problems,
        [Problem::ForeignLines { key: second.key, lines: 2, offset }, Problem::RepeatedIds { tweets: 3, example: 1 },]
    );
}

#[tokio::test]
async fn an_object_that_changed_after_its_hour_was_closed_is_found_by_whoever_reads_it() {
    on_all(|store| async move {
        for codec in [Codec::None, Codec::Gzip, Codec::Zstd] {
            for ids in [1..2, 1..5000] {
                let lake = Lake::new(Arc::clone(&store), yearless());
                let at = hour("2026-11-22T05");
                let closing = closed_hour(store.as_ref(), lake.pattern(), at, ids, codec).await;
                let key = &closing.objects[0].key;
                let entry = lake.hour(at).await.expect("found");
                let read = |memory: usize| {
                    let options = ReadOptions { max_memory_bytes: memory, ..ReadOptions::default() };
                    lake.lines(&entry, false, &options).try_collect::<Vec<_>>()
                };
                read(1 << 20).await.expect("it is what the manifest lists");
                let (bytes, _) = store.get(key).await.expect("it was put");
                // In the middle of a text, where only a checksum tells; and at both ends.
                for at_byte in [0, bytes.len() / 2, bytes.len() - 1] {
                    let mut changed = bytes.to_vec();
                    changed[at_byte] ^= 1;
                    put(store.as_ref(), key.as_str(), changed).await;
                    // As one request, and as many.
                    for memory in [64 << 20, 1 << 16] {
                        let error = read(memory).await.expect_err("one byte is another");
                        assert_eq!(error.kind(), ErrorKind::Corrupt, "{codec:?}: {error}");
                        let source = std::error::Error::source(&error).expect("it says why").to_string();
                        for words in [key.as_str(), "hour 2026-11-22T05", "ingest verify 2026-11-22T05", "backup"] {
                            assert!(source.contains(words), "{words:?} is not in {source:?}");
                        }
                    }
                    let problems = verified(&lake, at).await.problems;
                    assert!(problems.iter().any(|problem| problem.to_string().contains("sha256")), "{problems:?}");
                }
                put(store.as_ref(), key.as_str(), bytes).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn rows_of_a_changed_object_end_with_an_error() {
    for codec in [Codec::None, Codec::Zstd] {
        on_all(|store| async move {
            let lake = Lake::new(Arc::clone(&store), yearless());
            let at = hour("2026-11-22T05");
            let closing = closed_hour(store.as_ref(), lake.pattern(), at, 1..500, codec).await;
            let key = &closing.objects[0].key;
            let (bytes, _) = store.get(key).await.expect("it was put");
            let mut changed = bytes.to_vec();
            changed[bytes.len() / 2] ^= 1;
            put(store.as_ref(), key.as_str(), changed).await;
            let entry = lake.hour(at).await.expect("found");
            let projection = Projection::new(&TableOptions::default()).expect("all columns");
            let workers = Workers::new(None);
            let batches = scan(lake.sources(&entry, false), &projection, &workers, &ScanOptions::default());
            let error = batches.try_collect::<Vec<_>>().await.expect_err("one byte is another");
            assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, key));
        })
        .await;
    }
}

#[tokio::test]
async fn an_object_of_a_manifest_without_fast_checksums_is_read_by_its_length_alone() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let lake = Lake::new(Arc::clone(&store), yearless());
    let at = hour("2026-11-22T05");
    let mut closing = closed_hour(store.as_ref(), lake.pattern(), at, 1..3, Codec::None).await;
    closing.objects[0].crc64nvme = None;
    put_manifest(store.as_ref(), &closing, None).await;
    let entry = lake.hour(at).await.expect("found");
    assert_eq!(text(&lake, &entry, false).await, tweets(1..3));
    put(store.as_ref(), closing.objects[0].key.as_str(), tweets(1..4)).await;
    let error = lake.lines(&entry, false, &ReadOptions::default()).try_collect::<Vec<_>>().await;
    let error = error.expect_err("it is longer");
    let source = std::error::Error::source(&error).expect("it says why").to_string();
    assert!(source.contains("was listed with") && source.contains("ingest verify 2026-11-22T05"), "{source}");
}

#[tokio::test]
async fn verify_finds_a_fast_checksum_that_is_wrong_beside_a_right_hash() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let lake = Lake::new(Arc::clone(&store), yearless());
    let at = hour("2026-11-22T05");
    let mut closing = closed_hour(store.as_ref(), lake.pattern(), at, 1..3, Codec::None).await;
    closing.objects[0].crc64nvme = Some(Crc64::of(b"other"));
    put_manifest(store.as_ref(), &closing, None).await;
    let problems = verified(&lake, at).await.problems;
    assert!(problems.iter().any(|problem| problem.to_string().contains("CRC-64/NVME")), "{problems:?}");
}

#[tokio::test]
async fn a_truncated_object_is_damage_and_reading_it_ends_with_an_error() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let lake = Lake::new(Arc::clone(&store), yearless());
        let at = hour("2026-11-22T05");
        let closing = closed_hour(store.as_ref(), lake.pattern(), at, 1..50, codec).await;
        let key = &closing.objects[0].key;
        let (bytes, _) = store.get(key).await.expect("it was put");
        put(store.as_ref(), key.as_str(), bytes.slice(..bytes.len() / 2)).await;
        let entry = lake.hour(at).await.expect("found");
        let blocks: Vec<_> = lake.lines(&entry, false, &ReadOptions::default()).collect().await;
        assert!(blocks.last().is_some_and(Result::is_err));
        let problems = verified(&lake, at).await.problems;
        assert!(problems.iter().any(|problem| problem.to_string().contains("cut off")), "{problems:?}");
    }
}
