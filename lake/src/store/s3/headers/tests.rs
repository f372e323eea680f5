//! What goes along with requests, as a server gets them.

use super::*;
use crate::setting::Caller;
use crate::store::s3::multipart::Multipart;
use crate::store::s3::played::{Played, Request};
use crate::store::{Body, Condition, Key, List, Put, Store};

const MARKED: [&str; 6] = [
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-acl",
    "x-amz-request-payer",
];

fn options(map: &[(&str, &str)]) -> S3Options {
    S3Options::from_map(Caller::Agent, map.iter().copied()).expect("possible options")
}

fn put(key: &str) -> Put {
    let key = Key::new(key).expect("a possible key");
    Put { key, body: Body::Bytes("{\"id\":1}\n".into()), condition: Condition::Always, sha256: None }
}

/// The marked headers of a request, each of which its signature holds.
fn marked(request: &Request) -> Vec<(&str, &str)> {
    let signed = &request.headers["authorization"];
    let found = MARKED.iter().filter_map(|name| Some((*name, request.headers.get(*name)?.as_str())));
    found.inspect(|(name, _)| assert!(signed.contains(name), "{name} is not signed: {signed}")).collect()
}

#[tokio::test]
async fn data_gets_every_header_and_a_manifest_keeps_the_default_class() {
    let server = Played::default();
    let store = server
        .clone()
        .serve_with(options(&[
            ("storage_class", "STANDARD_IA"),
            ("sse", "aws:kms"),
            ("sse_kms_key_id", "alias/tweets"),
            ("tags", "team=data & more,kind=tweets"),
            ("acl", "bucket-owner-full-control"),
        ]))
        .await;
    let every = [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "alias/tweets"),
        ("x-amz-acl", "bucket-owner-full-control"),
    ];
    let data = [("x-amz-storage-class", "STANDARD_IA"), ("x-amz-tagging", "team=data%20%26%20more&kind=tweets")];
    for key in ["11-22-05/tweets.1.json", "late/11-22-05/a", "date=2026-11-22/hour=05/tweets.parquet"] {
        store.put(put(key)).await.expect("it is stored");
        let request = server.requests("PUT").pop().expect("a put");
        assert_eq!(marked(&request), [&data[..], &every].concat(), "{key}");
    }
    for key in ["_agent.json", "_hours/2026-11-22T05.json", "date=2026-11-22/hour=05/_SUCCESS"] {
        store.put(put(key)).await.expect("it is stored");
        let request = server.requests("PUT").pop().expect("a put");
        assert_eq!(marked(&request), every, "{key}");
    }
}

#[tokio::test]
async fn an_upload_in_parts_says_them_once_at_its_beginning() {
    let server = Played::default();
    let rules = Multipart { threshold_bytes: 4, part_bytes: 4, concurrency: 1 };
    let options = options(&[("storage_class", "STANDARD_IA"), ("sse", "AES256")]);
    let store = server.clone().serve_with(options).await.with_multipart(rules);
    store.put(put("11-22-05/a")).await.expect("it is stored");
    let expected = vec![("x-amz-storage-class", "STANDARD_IA"), ("x-amz-server-side-encryption", "AES256")];
    let posts = server.requests("POST");
    assert_eq!(posts.iter().map(marked).collect::<Vec<_>>(), [expected, vec![]]);
    assert!(server.requests("PUT").iter().all(|part| marked(part).is_empty()));
}

#[tokio::test]
async fn a_requester_who_pays_says_so_with_every_request() {
    let server = Played::default();
    let store = server.clone().serve_with(options(&[("request_payer", "true")])).await;
    let key = Key::new("11-22-05/a").expect("a possible key");
    store.put(put("11-22-05/a")).await.expect("it is stored");
    store.head(&key).await.expect("it is there");
    store.get(&key).await.expect("it is there");
    store.list(&List::default()).await.expect_err("the played server has no listing");
    store.delete(&key).await.expect("it is gone");
    for method in ["PUT", "HEAD", "GET", "DELETE"] {
        let requests = server.requests(method);
        assert!(!requests.is_empty(), "{method}");
        for request in requests {
            assert_eq!(marked(&request), [("x-amz-request-payer", "requester")], "{method} {}", request.path);
        }
    }
}

#[tokio::test]
async fn without_options_nothing_is_said() {
    let server = Played::default();
    let store = server.clone().serve_with(S3Options::default()).await;
    store.put(put("11-22-05/a")).await.expect("it is stored");
    assert!(server.requests("PUT").iter().all(|request| marked(request).is_empty()));
}
