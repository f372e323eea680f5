//! The S3 store against real servers on loopback: the conformance suite on each, and what only S3 has. A server that is
//! not installed is skipped with a word; `cauce_lake::store::servers` says how to name one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use cauce_lake::store::s3::S3Store;
use cauce_lake::store::s3::multipart::Multipart;
use cauce_lake::store::servers::{self, S3Server};
use cauce_lake::store::{Body, Condition, ErrorKind, List, Put, S3Options, Store, StoreError, list_all};
use cauce_lake::{Key, store_conformance};

#[path = "store_s3/bytes.rs"]
mod bytes;

const BUCKET: &str = "cauce-test";
const MIB: u64 = 1024 * 1024;

/// Low enough that the checks on large objects go up in parts, which S3 wants to be of 5 MiB at least.
const MULTIPART: Multipart = Multipart { threshold_bytes: 8 * MIB, part_bytes: 5 * MIB, concurrency: 3 };

/// One server of each kind for the whole run, stopped when this process ends; each test has a prefix of its own.
static MOTO: LazyLock<Option<S3Server>> = LazyLock::new(servers::moto);
static GO_S3: LazyLock<Option<S3Server>> = LazyLock::new(servers::go_s3);

static NEXT_PREFIX: AtomicUsize = AtomicUsize::new(0);

/// Starting takes seconds and blocks: not for a thread that drives sockets.
async fn running(server: &'static LazyLock<Option<S3Server>>) -> Option<&'static S3Server> {
    tokio::task::spawn_blocking(|| LazyLock::force(server).as_ref()).await.expect("the server starts")
}

fn fresh_prefix() -> String {
    format!("lakes/{}", NEXT_PREFIX.fetch_add(1, Ordering::Relaxed))
}

async fn store_at(server: &S3Server, bucket: &str, prefix: &str) -> S3Store {
    S3Store::open(bucket, prefix, &server.options()).await.expect("a possible configuration").with_multipart(MULTIPART)
}

#[expect(clippy::print_stdout, reason = "a check that is left out must say so")]
async fn open(
    server: &'static LazyLock<Option<S3Server>>,
    left_out: &[(&str, &str)],
    check: &str,
) -> Option<(Arc<dyn Store>, ())> {
    if let Some((_, why)) = left_out.iter().find(|(name, _)| *name == check) {
        println!("skipped: {check}: {why}");
        return None;
    }
    let server = running(server).await?;
    server.create_bucket(BUCKET).await;
    Some((Arc::new(store_at(server, BUCKET, &fresh_prefix()).await), ()))
}

fn key(name: &str) -> Key {
    Key::new(name).expect("a possible key")
}

fn small(name: &str, text: &'static str) -> Put {
    Put { key: key(name), body: Body::Bytes(text.into()), condition: Condition::IfAbsent, sha256: None }
}

fn names(objects: &[cauce_lake::store::ObjectMeta]) -> Vec<&str> {
    objects.iter().map(|object| object.key.as_str()).collect()
}

mod moto {
    use super::*;

    /// What moto 5.2.5 does not do as S3 does.
    const LEFT_OUT: &[(&str, &str)] =
        &[("a_large_replacement_needs_its_tag", "moto ignores If-Match when an upload in parts is completed")];

    async fn open(check: &str) -> Option<(Arc<dyn Store>, ())> {
        super::open(&MOTO, LEFT_OUT, check).await
    }

    store_conformance!(open);
}

mod go_s3 {
    use super::*;

    /// VersityGW 1.8.0 locks around conditional writes and takes all checks; versions before do not.
    const LEFT_OUT: &[(&str, &str)] = &[];

    async fn open(check: &str) -> Option<(Arc<dyn Store>, ())> {
        super::open(&GO_S3, LEFT_OUT, check).await
    }

    store_conformance!(open);
}

/// Both servers, as far as they are there, with a bucket on each.
async fn each() -> Vec<&'static S3Server> {
    let mut found = Vec::new();
    for server in [&MOTO, &GO_S3] {
        if let Some(server) = running(server).await {
            server.create_bucket(BUCKET).await;
            found.push(server);
        }
    }
    found
}

fn expect_error<T>(result: Result<T, StoreError>, kind: ErrorKind, words: &[&str]) {
    let Err(error) = result else { panic!("this must fail as {kind:?}") };
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{error} does not say {word:?}");
    }
}

#[tokio::test]
async fn a_lake_sees_nothing_of_its_neighbours() {
    for server in each().await {
        let prefix = fresh_prefix();
        let lake = store_at(server, BUCKET, &format!("{prefix}/lake")).await;
        let neighbour = store_at(server, BUCKET, &format!("{prefix}/lake2")).await;
        let above = store_at(server, BUCKET, &prefix).await;
        neighbour.put(small("a", "x")).await.expect("it is put");
        lake.put(small("b", "x")).await.expect("it is put");
        assert_eq!(names(&list_all(&lake, "").await.expect("it lists")), ["b"]);
        assert_eq!(names(&list_all(&above, "").await.expect("it lists")), ["lake/b", "lake2/a"]);
        expect_error(lake.get(&key("a")).await, ErrorKind::NotFound, &[]);
    }
}

#[tokio::test]
async fn names_that_are_no_keys_are_left_out_of_a_listing() {
    for server in each().await {
        let prefix = fresh_prefix();
        let lake = store_at(server, BUCKET, &prefix).await;
        lake.put(small("a/b", "x")).await.expect("it is put");
        let client = server.client().await;
        for marker in ["", "a/", "c/"] {
            let name = format!("{prefix}/{marker}");
            client.put_object().bucket(BUCKET).key(name).send().await.expect("the server takes folder markers");
        }
        assert_eq!(names(&list_all(&lake, "").await.expect("it lists")), ["a/b"]);
        let folders = lake.list(&List { folders: true, ..List::default() }).await.expect("it lists").folders;
        assert_eq!(folders, ["a/", "c/"]);
    }
}

#[tokio::test]
async fn cleaning_up_aborts_old_uploads_under_the_root_and_no_others() {
    for server in each().await {
        let prefix = fresh_prefix();
        let lake = store_at(server, BUCKET, &format!("{prefix}/lake")).await;
        let client = server.client().await;
        for name in ["lake/11-22-05/a", "lake/b", "lake2/c"] {
            let begun = client.create_multipart_upload().bucket(BUCKET).key(format!("{prefix}/{name}")).send().await;
            begun.expect("an upload is begun");
        }
        let uploads = || async {
            let found = client.list_multipart_uploads().bucket(BUCKET).prefix(&prefix).send().await;
            found.expect("the uploads are listed").uploads().len()
        };
        let (long_ago, tomorrow) = (1_100_000_000_000, 4_000_000_000_000);
        assert_eq!(lake.clean_up(long_ago).await.expect("nothing is that old"), 0);
        assert_eq!(uploads().await, 3);
        assert_eq!(lake.clean_up(tomorrow).await.expect("they are aborted"), 2);
        assert_eq!(uploads().await, 1);
    }
}

#[tokio::test]
async fn an_upload_that_loses_leaves_no_parts_behind() {
    for server in each().await {
        let prefix = fresh_prefix();
        let lake = store_at(server, BUCKET, &prefix).await;
        lake.put(small("large", "x")).await.expect("it is put");
        let body = Body::Bytes(vec![b'x'; 9 * 1024 * 1024].into());
        let lost = lake.put(Put { body, ..small("large", "") }).await;
        expect_error(lost, ErrorKind::PreconditionFailed, &["large"]);
        let left = server.client().await.list_multipart_uploads().bucket(BUCKET).prefix(&prefix).send().await;
        assert_eq!(left.expect("the uploads are listed").uploads().len(), 0);
    }
}

#[tokio::test]
async fn a_missing_bucket_is_said_to_be_missing() {
    for server in each().await {
        let lake = store_at(server, "no-such-bucket", "lake").await;
        let words = ["no-such-bucket", server.endpoint.as_str(), "create it or correct lake.url"];
        expect_error(lake.put(small("a", "x")).await, ErrorKind::NoSuchBucket, &words);
        expect_error(lake.list(&List::default()).await, ErrorKind::NoSuchBucket, &words);
        expect_error(lake.get(&key("a")).await, ErrorKind::NoSuchBucket, &words);
    }
}

#[tokio::test]
async fn wrong_credentials_are_told_apart_and_never_repeated() {
    // moto takes any credentials.
    let Some(server) = running(&GO_S3).await else { return };
    server.create_bucket(BUCKET).await;
    let right = server.options().credentials.expect("the server has an account");
    let mut wrong_secret = right.clone();
    wrong_secret.secret_access_key = "not-the-secret".to_owned();
    let mut wrong_id = right;
    wrong_id.access_key_id = "nobody".to_owned();
    for credentials in [wrong_secret, wrong_id] {
        let options = S3Options { credentials: Some(credentials), ..server.options() };
        let lake = S3Store::open(BUCKET, "lake", &options).await.expect("a possible configuration");
        let error = lake.put(small("a", "x")).await.expect_err("the server knows neither");
        assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
        assert!(!format!("{error} {error:?} {lake:?}").contains("not-the-secret"));
    }
}

#[tokio::test]
async fn a_server_that_went_away_is_unreachable() {
    for start in [servers::moto, servers::go_s3] {
        let Some(server) = tokio::task::spawn_blocking(start).await.expect("the server starts") else { continue };
        server.create_bucket(BUCKET).await;
        let lake = store_at(&server, BUCKET, "lake").await;
        lake.put(small("a", "x")).await.expect("it is put");
        let endpoint = server.endpoint.clone();
        tokio::task::spawn_blocking(|| drop(server)).await.expect("the server stops");
        expect_error(lake.put(small("b", "x")).await, ErrorKind::Unreachable, &[&endpoint]);
    }
}
