//! The store in memory keeps the contracts, and breaks them on request.

use std::sync::Arc;

use super::*;

async fn open(_check: &str) -> Option<(Arc<dyn Store>, ())> {
    Some((Arc::new(MemoryStore::new()), ()))
}

crate::store_conformance!(open);

fn key(name: &str) -> Key {
    Key::new(name).expect("a possible key")
}

fn put(name: &str, text: &'static str) -> Put {
    Put { key: key(name), body: Body::Bytes(text.into()), condition: Condition::IfAbsent, sha256: None }
}

#[tokio::test]
async fn the_third_put_of_a_prefix_fails_and_no_other() {
    let store = MemoryStore::new();
    store.inject(Call::Put, "h/", 2, 1, Fault::Fail(ErrorKind::Throttled));
    let mut failed = Vec::new();
    for name in ["h/1", "h/2", "other", "h/3", "h/4"] {
        if let Err(error) = store.put(put(name, "x")).await {
            assert_eq!(error.kind(), ErrorKind::Throttled);
            failed.push(name);
        }
    }
    assert_eq!(failed, ["h/3"]);
    assert_eq!(store.keys(), ["h/1", "h/2", "h/4", "other"]);
    assert_eq!((store.count(Call::Put, "h/"), store.count(Call::Head, "")), (4, 0));
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_the_object() {
    let store = MemoryStore::new();
    store.inject_once(Call::Put, "", Fault::AnswerLost);
    let error = store.put(put("a", "x")).await.expect_err("the answer is lost");
    assert!(error.may_have_happened());
    let again = store.put(put("a", "x")).await.expect_err("it is there");
    assert_eq!(again.kind(), ErrorKind::PreconditionFailed);
}

#[tokio::test]
async fn a_store_that_ignores_conditions_overwrites() {
    let store = MemoryStore::new();
    store.inject(Call::Put, "", 1, usize::MAX, Fault::ConditionIgnored);
    for text in ["first", "second", "third"] {
        store.put(put("a", text)).await.expect("no condition is looked at");
    }
    assert_eq!(store.content("a").as_deref(), Some(&b"third"[..]));
    store.heal();
    assert!(store.put(put("a", "fourth")).await.is_err());
}

#[tokio::test]
async fn a_held_call_waits_until_it_is_let_go() {
    let store = MemoryStore::new();
    let gate = store.hold(Call::Put, "a");
    let held = tokio::spawn({
        let store = store.clone();
        async move { store.put(put("a", "x")).await }
    });
    gate.arrival().await;
    store.put(put("b", "x")).await.expect("another key is not held");
    assert!(store.content("a").is_none() && !held.is_finished());
    gate.let_one_pass();
    held.await.expect("the call does not panic").expect("it is put");
    gate.open();
    store.put(put("a2", "x")).await.expect("the gate is open");
}

#[tokio::test]
async fn a_body_that_breaks_off_ends_with_an_error() {
    let store = MemoryStore::new();
    store.put(put("a", "0123456789")).await.expect("it is put");
    store.inject_once(Call::Read, "a", Fault::BodyBreaksOff(4));
    let chunks: Vec<_> = store.read(&key("a"), None).await.expect("it opens").chunks.collect().await;
    assert_eq!(chunks[0].as_deref().expect("some bytes come"), b"0123");
    assert_eq!(chunks[1].as_ref().expect_err("then it breaks off").kind(), ErrorKind::Timeout);
}
