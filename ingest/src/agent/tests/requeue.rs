//! A foreign object under our key, from the quarantine to the late manifest.

use super::*;
use crate::spool::requeue::Requeued;
use crate::spool::{Options, Spool};

#[tokio::test]
async fn a_requeued_file_goes_up_under_a_new_key_and_its_lines_are_listed_as_late() {
    for codec in [Codec::None, Codec::Zstd] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(MemoryStore::new());
        let mut settings = settings(folder.path());
        settings.lake.codec = codec;
        let number = hour("2026-01-05T10").start_ms() + 60_000 + 1;
        let foreign = format!("01-05-10/tweets.{number}.json{}", codec.extension());
        let body = Body::Bytes(Bytes::from_static(b"somebody else's"));
        let key = Key::new(foreign.clone()).expect("valid key");
        store.put(Put { key, body, condition: Condition::Always, sha256: None }).await.expect("stored");
        let lines = vec![tweet(1, 1), tweet(2, 2)];
        run_script(&settings, &store, false, vec![Step::Lines(lines.clone())]).await.expect("it ends");

        let options = Options {
            dir: folder.path().to_owned(),
            durable: true,
            dedupe_window_ms: i64::MAX,
            group_limit: crate::spool::group_limit(1 << 20, 100),
        };
        let (mut spool, _) = Spool::open(&options).expect("the spool opens");
        let id = spool.state().files.values().find(|file| file.aside().is_some()).expect("it is put aside").head.id;
        let requeued = spool.requeue(id, false, Timestamp::now().as_millisecond()).expect("requeued");
        let Requeued::Whole { head, lines: 2 } = requeued else { panic!("{requeued:?}") };
        drop(spool);

        // The same tweets come again: they are known all the same.
        let again = vec![Step::Lines(lines.clone())];
        let report = run_script(&settings, &store, false, again).await.expect("it ends");
        assert_eq!((report.duplicates, report.objects, report.left_in_spool), (2, 1, 0));
        let late = ManifestName { hour: hour("2026-01-05T10"), late: Some(1) };
        let listed = manifest(&store, late);
        assert_eq!(listed.objects.iter().map(|object| &object.key).collect::<Vec<_>>(), [&head.key]);
        assert!(head.key.as_str().starts_with("late/01-05-10/tweets."), "{}", head.key);
        assert_eq!(listed.tweets, 2);
        if codec == Codec::None {
            assert_eq!(lines_of(&store, &listed), lines);
        }
        assert_eq!(manifest(&store, closing("2026-01-05T10")).objects, [], "the closed hour changed");
        assert_eq!(store.content(&foreign).expect("still there"), "somebody else's");
        assert_eq!(std::fs::read_dir(folder.path().join("quarantine")).expect("a folder").count(), 0);
    }
}
