//! Bytes that are changed on their way into the store.

use cauce_lake::checksum::Crc64;

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
        let store = Arc::new(MemoryStore::new());
        let [first, second] = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        let mut lost = settings(first.path());
        lost.lake.codec = codec;
        store.inject(Call::Put, "_hours/", 0, usize::MAX, Fault::Fail(ErrorKind::AccessDenied));
        let number = hour("2026-01-05T10").start_ms() + 60_000 + 1;
        let key = format!("01-05-10/tweets.{number}.json{}", codec.extension());
        let stop = CancellationToken::new();
        let running = run_until(&lost, &store, false, vec![Step::Lines(vec![tweet(1, 1)])], stop.clone());
        let stopper = async {
            appears(&store, &key).await;
            stop.cancel();
        };
        let _ = tokio::join!(running, stopper);
        store.heal();
        let mut next = settings(second.path());
        next.lake.codec = codec;
        run_script(&next, &store, false, vec![Step::Lines(vec![tweet(2, 2)])]).await.expect("it ends");
        let objects = manifest(&store, closing("2026-01-05T10")).objects;
        assert_eq!(objects.len(), 2, "{codec:?}");
        for object in objects {
            let content = store.content(object.key.as_str()).expect("it is there");
            assert_eq!(object.crc64nvme, Some(Crc64::of(&content)), "{codec:?}");
        }
    }
}
