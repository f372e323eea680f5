//! What every store must do about the hash and the length of an object.

use std::sync::Arc;

use super::conformance::{create, key, object, sha256};
use super::{Condition, ErrorKind, MOST_AGENT_BYTES, Put, Store};

#[expect(missing_docs, reason = "the names are the sentences")]
mod checks {
    use super::*;

    pub async fn the_hash_given_at_a_put_comes_back(store: Arc<dyn Store>) {
        let text = b"a tweet\n";
        let put = Put { sha256: Some(sha256(text)), ..object("a/b", text, Condition::IfAbsent) };
        let tag = store.put(put).await.expect("it is put");
        let meta = store.head(&key("a/b")).await.expect("it is there");
        assert_eq!((meta.sha256, meta.etag), (Some(sha256(text)), tag));
    }

    pub async fn an_object_that_is_too_long_for_the_memory_is_refused_by_its_name(store: Arc<dyn Store>) {
        let long = vec![b' '; usize::try_from(MOST_AGENT_BYTES).expect("a mebibyte") + 1];
        create(&*store, "_agent.json", &long).await;
        let error = store.get(&key("_agent.json")).await.expect_err("no agent wrote this");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("_agent.json") && error.to_string().contains("1048577 bytes"), "{error}");
        let whole = create(&*store, "_hours/2026-11-22T05.json", &long).await;
        assert_eq!(store.get(&key("_hours/2026-11-22T05.json")).await.expect("it is long and possible").1, whole);
    }
}

pub use checks::*;
