//! Bytes that are changed on their way into the store.

use cauce_lake::checksum::Crc64;
use sha2::{Digest, Sha256};

use super::*;

#[tokio::test]
async fn an_object_or_manifest_that_was_changed_on_its_way_is_put_again_before_the_spool_lets_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    // Both bear our hash and length, and the answer that might have told was lost.
    store.inject_once(Call::Put, "01-05-10/tweets", Fault::ByteChanged);
    store.inject_once(Call::Put, "_hours/2026-01-05T10", Fault::ByteChanged);
    let lines: Vec<String> = (0..20).map(|n| tweet(n, 0)).collect();
    let report =
        run_script(&settings(folder.path()), &store, false, vec![Step::Lines(lines.clone())]).await.expect("it ends");
    assert_eq!((report.hours_closed, report.left_in_spool), (1, 0));
    assert_eq!(listed(&store).into_values().flatten().collect::<Vec<_>>(), lines);
}

#[tokio::test]
async fn a_manifest_lists_the_fast_checksum_of_each_object_also_of_adopted_ones() {
    for codec in [Codec::None, Codec::Gzip, Codec::Zstd] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(MemoryStore::new());
        // Of an agent whose spool is lost.
        let content = format!("{}\n", tweet(1, 1));
        let sha256 = Some(crate::spool::seal::hex(&Sha256::digest(&content)));
        let key =
            Key::new(format!("01-05-10/tweets.{}.json", hour("2026-01-05T10").start_ms() + 9)).expect("valid key");
        let body = Body::Bytes(Bytes::from(content));
        store.put(Put { key, body, condition: Condition::IfAbsent, sha256 }).await.expect("stored");
        let mut settings = settings(folder.path());
        settings.lake.codec = codec;
        run_script(&settings, &store, false, vec![Step::Lines(vec![tweet(2, 2)])]).await.expect("it ends");
        let objects = manifest(&store, closing("2026-01-05T10")).objects;
        assert_eq!(objects.len(), 2, "{codec:?}");
        for object in objects {
            let content = store.content(object.key.as_str()).expect("it is there");
            assert_eq!(object.crc64nvme, Some(Crc64::of(&content)), "{codec:?}");
        }
    }
}
