//! What manifests say of messages that another spool stored.

use sha2::{Digest as _, Sha256};

use super::*;
use crate::spool::seal::hex;

const DELETE: &str = r#"{"delete":{"status":{"id":3,"user_id":2}}}"#;
const WARNING: &str = r#"{"warning":{"code":"FALLING_BEHIND","message":"S","percent_full":60}}"#;

fn limit(track: u64) -> String {
    format!(r#"{{"limit":{{"track":{track}}}}}"#)
}

fn counts(manifest: &Manifest) -> (Vec<(&str, u64)>, u64) {
    let kinds = manifest.message_counts.iter().map(|(kind, count)| (kind.as_str(), *count));
    (kinds.collect(), manifest.undelivered)
}

async fn put(store: &MemoryStore, key: &str, lines: &[&str]) {
    let bytes = Bytes::from(lines.iter().map(|line| format!("{line}\n")).collect::<String>());
    let sha256 = Some(hex(&Sha256::digest(&bytes)));
    let (key, body) = (Key::new(key).expect("valid key"), Body::Bytes(bytes));
    store.put(Put { key, body, condition: Condition::IfAbsent, sha256 }).await.expect("stored");
}

#[tokio::test]
async fn messages_of_a_lost_spool_are_counted_again_from_their_objects() {
    let store = Arc::new(MemoryStore::new());
    let lost = tempfile::tempdir().expect("a folder");
    // The hour before is closed, and says how far the limit had risen.
    let before = vec![tweet(1, 1), limit(100)];
    run_script(&settings(lost.path()), &store, false, vec![Step::Lines(before)]).await.expect("it ends");
    put(&store, "01-05-11/_messages.1767610860000.json", &[DELETE, &limit(103)]).await;
    put(&store, "01-05-11/_messages.1767610860001.json", &[&limit(107), WARNING]).await;

    let fresh = tempfile::tempdir().expect("a folder");
    run_script(&settings(fresh.path()), &store, false, vec![Step::Lines(vec![tweet(61, 2)])]).await.expect("it ends");
    let manifest = manifest(&store, closing("2026-01-05T11"));
    assert_eq!(counts(&manifest), (vec![("delete", 1), ("limit", 2), ("warning", 1)], 7));
}

#[tokio::test]
async fn messages_of_an_object_that_holds_a_part_of_a_files_lines_and_others_are_all_counted() {
    let lines = || vec![tweet(1, 1), limit(5), DELETE.to_owned(), limit(9), WARNING.to_owned()];
    let key = {
        let (store, folder) = (Arc::new(MemoryStore::new()), tempfile::tempdir().expect("a folder"));
        run_script(&settings(folder.path()), &store, false, vec![Step::Lines(lines())]).await.expect("it ends");
        store.keys().into_iter().find(|key| key.contains("_messages")).expect("stored")
    };
    let scrub = r#"{"scrub_geo":{"user_id":2,"up_to_status_id":3}}"#;
    let [first, second] = [limit(5), limit(9)];
    for (there, left_out) in [
        (vec![first.as_str(), DELETE, scrub], 0),
        (vec![first.as_str(), DELETE, second.as_str(), WARNING, scrub], 0),
        (vec![scrub], 0),
        (vec![first.as_str(), DELETE, "{\"limit\":{\"track\":25}}", scrub], 20),
    ] {
        let (store, folder) = (Arc::new(MemoryStore::new()), tempfile::tempdir().expect("a folder"));
        let bytes = Bytes::from(there.iter().map(|line| format!("{line}\n")).collect::<String>());
        let theirs = Put {
            key: Key::new(key.as_str()).expect("valid key"),
            sha256: Some(hex(&Sha256::digest(&bytes))),
            body: Body::Bytes(bytes),
            condition: Condition::IfAbsent,
        };
        let steps = vec![Step::Put(Arc::clone(&store), theirs), Step::Lines(lines())];
        run_script(&settings(folder.path()), &store, false, steps).await.expect("it ends");
        let manifest = manifest(&store, closing("2026-01-05T10"));
        let limits = 2 + u64::from(left_out > 0);
        let kinds = vec![("delete", 1), ("limit", limits), ("scrub_geo", 1), ("warning", 1)];
        // The script's source says 5 and 9.
        assert_eq!(counts(&manifest), (kinds, 14 + left_out), "{there:?}");
        assert_eq!(manifest.messages.iter().map(|object| object.lines).sum::<u64>(), 4 + limits - 1);
    }
}
