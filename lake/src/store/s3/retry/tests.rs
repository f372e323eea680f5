//! How often and how long, by the rule and against a server that throttles.

use futures_util::TryStreamExt;
use futures_util::future::join_all;

use super::*;
use crate::setting::Caller;
use crate::store::s3::played::Played;
use crate::store::{Body, Condition, ErrorKind, Key, Put, Store, StoreError};

fn retries(map: &[(&str, &str)]) -> Retries {
    Retries::of(&options(map))
}

fn options(map: &[(&str, &str)]) -> S3Options {
    S3Options::from_map(Caller::Agent, map.iter().copied()).expect("possible options")
}

fn throttling() -> Played {
    let server = Played::default();
    server.throttle_for(Duration::from_secs(3600));
    server
}

fn key() -> Key {
    Key::new("11-22-05/a").expect("a possible key")
}

async fn put(store: &impl Store) -> Result<(), StoreError> {
    let body = Body::Bytes("{}\n".into());
    store.put(Put { key: key(), body, condition: Condition::Always, sha256: None }).await.map(drop)
}

#[test]
fn a_throttled_read_is_repeated_for_its_time_and_anything_else_three_times() {
    let seconds = Duration::from_secs;
    let by_default = retries(&[]);
    assert_eq!(by_default.most(false, 1, seconds(1)), 3);
    assert_eq!(by_default.most(true, 30, seconds(10)), 31);
    assert_eq!(by_default.most(true, 30, PATIENCE), 30);
    let few = retries(&[("max_attempts", "2")]);
    assert_eq!((few.most(false, 1, seconds(1)), few.most(true, 1, seconds(1))), (2, 2));
    let long = retries(&[("retry_timeout", "1m")]);
    assert_eq!((long.most(true, 30, seconds(59)), long.most(true, 30, seconds(60))), (31, 30));
    assert_eq!((long.most(false, 1, seconds(59)), long.most(false, 1, seconds(60))), (3, 1));
    assert_eq!(retries(&[("retry_timeout", "0")]).most(true, 1, Duration::ZERO), 1);
}

#[test]
fn a_long_body_has_a_long_time() {
    let attempt = |bytes| retries(&[]).timeouts(bytes).operation_attempt_timeout().expect("it is set");
    assert_eq!(attempt(0), Duration::from_secs(30));
    assert_eq!(attempt(128 * 1024 * 1024), Duration::from_secs(30 + 1024));
    let all = retries(&[]).timeouts(1).operation_timeout().expect("it is set");
    assert!(all >= attempt(1) * ATTEMPTS);
    let all = retries(&[("retry_timeout", "5m")]).timeouts(1).operation_timeout().expect("it is set");
    assert!(all >= Duration::from_secs(300) + attempt(1));
}

/// The burst ends by the clock of the server, not by a count of requests. So many readers would use up the SDK's quota.
#[tokio::test]
async fn forty_readers_survive_ten_seconds_of_slow_down() {
    let server = Played::default();
    let store = server.clone().serve_with(S3Options::default()).await;
    put(&store).await.expect("it is stored");
    server.throttle_for(Duration::from_secs(10));
    let read = || async {
        let content = store.read(&key(), None).await?;
        content.chunks.try_fold(0, |sum, chunk| async move { Ok(sum + chunk.len()) }).await
    };
    for answer in join_all((0..40).map(|_| read())).await {
        assert_eq!(answer.expect("the burst is survived"), 3);
    }
    assert!(server.requests("GET").len() > 40 * 3, "it was no burst");
}

#[tokio::test]
async fn a_put_is_not_held_up_by_throttling_for_long() {
    let server = throttling();
    let error = put(&server.clone().serve_with(S3Options::default()).await).await.expect_err("it is throttled");
    assert_eq!((error.kind(), server.requests("PUT").len()), (ErrorKind::Throttled, 3));
}

#[tokio::test]
async fn one_attempt_is_one_request() {
    let server = throttling();
    let store = server.clone().serve_with(options(&[("max_attempts", "1")])).await;
    let error = store.head(&key()).await.expect_err("it is throttled");
    assert_eq!((error.kind(), server.requests("HEAD").len()), (ErrorKind::Throttled, 1));
}

#[tokio::test]
async fn no_time_is_one_request() {
    let server = throttling();
    let store = server.clone().serve_with(options(&[("retry_timeout", "0")])).await;
    let error = store.get(&key()).await.expect_err("it is throttled");
    assert_eq!((error.kind(), server.requests("GET").len()), (ErrorKind::Throttled, 1));
}
