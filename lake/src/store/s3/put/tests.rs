//! What is sent with a put, and what becomes of answers that are wrong.

use std::sync::PoisonError;

use aws_sdk_s3::config::RequestChecksumCalculation;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::*;
use crate::checksum::Crc64;
use crate::store::s3::multipart::Multipart;
use crate::store::s3::options::S3Options;
use crate::store::s3::played::{Manners, Played, Request};
use crate::store::{Key, Store};

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

const CONTENT: &[u8] = b"{\"id\":1}\n";

fn put(body: Body) -> Put {
    let key = Key::new("11-22-05/a").expect("a possible key");
    Put { key, body, condition: Condition::IfAbsent, sha256: Some(sha256(CONTENT)) }
}

fn bytes() -> Put {
    put(Body::Bytes(Bytes::from_static(CONTENT)))
}

#[tokio::test]
async fn a_server_that_cannot_be_asked_for_a_checksum_is_asked_once_and_compared_by_the_etag() {
    let server =
        Played { manners: Manners { knows_no_checksum_mode: true, ..Manners::default() }, ..Played::default() };
    let store = server.clone().serve().await;
    store.put(bytes()).await.expect("it is stored");
    store.put(bytes()).await.expect("it is stored");
    let asked =
        server.requests("HEAD").iter().map(|head| head.headers.contains_key("x-amz-checksum-mode")).collect::<Vec<_>>();
    assert_eq!(asked, [true, false, false]);
    assert!(server.requests("GET").is_empty());
}

#[tokio::test]
async fn each_body_is_signed_with_its_hash_and_bears_its_checksum_and_is_sent_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("sealed");
    std::fs::write(&path, CONTENT).expect("it is writable");
    for calculation in [RequestChecksumCalculation::WhenRequired, RequestChecksumCalculation::WhenSupported] {
        let server = Played::default();
        let mut store = server.clone().serve().await;
        // The second is what the SDK does with AWS itself.
        let config = store.client.config().to_builder().request_checksum_calculation(calculation).build();
        store.client = aws_sdk_s3::Client::from_conf(config);
        store.put(bytes()).await.expect("it is stored");
        store
            .put(put(Body::File { path: path.clone(), bytes: CONTENT.len() as u64, crc64: None }))
            .await
            .expect("it is stored");
        let puts = server.requests("PUT");
        assert_eq!(puts.len(), 2);
        for request in puts {
            let header = |name: &str| request.headers.get(name).map(String::as_str);
            assert_eq!(header("x-amz-content-sha256"), Some(sha256(CONTENT).as_str()));
            assert_eq!(header("x-amz-checksum-crc64nvme"), Some(Crc64::of(CONTENT).to_string().as_str()));
            let signed = header("authorization").expect("it is signed");
            assert!(signed.contains("x-amz-content-sha256") && signed.contains("x-amz-checksum-crc64nvme"), "{signed}");
            assert_eq!((header("content-encoding"), header("x-amz-trailer")), (None, None));
            assert_eq!(request.body, CONTENT);
        }
    }
}

#[tokio::test]
async fn a_server_that_refuses_checksums_gets_one_put_with_them_and_no_more() {
    let server = Played { manners: Manners { knows_no_checksums: true, ..Manners::default() }, ..Played::default() };
    let store = server.clone().serve().await;
    store.put(bytes()).await.expect("it is stored without");
    store.put(bytes()).await.expect("it is stored without");
    let puts = server.requests("PUT");
    let with = |request: &Request| request.headers.contains_key("x-amz-checksum-crc64nvme");
    assert_eq!(puts.iter().map(with).collect::<Vec<_>>(), [true, false, false]);
    assert!(puts.iter().all(|request| request.headers["x-amz-content-sha256"] == sha256(CONTENT)));
    let checks = store.put_checks().expect("it is known by now");
    assert!(!checks.takes_checksum && checks.etag_is_md5, "{checks:?}");
}

#[tokio::test]
async fn a_server_may_refuse_the_checksum_of_an_upload_in_parts_alone() {
    let manners = Manners { knows_no_checksums_of_parts: true, ..Manners::default() };
    let server = Played { manners, ..Played::default() };
    let rules = Multipart { threshold_bytes: 8, part_bytes: 4, concurrency: 1 };
    let store = server.clone().serve().await;
    store.put(bytes()).await.expect("it is stored in one");
    let store = store.with_multipart(rules);
    for _ in 0..2 {
        server.parts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        store.put(bytes()).await.expect("it is stored in parts, without");
    }
    let with = |request: &Request| request.headers.keys().any(|name| name.contains("checksum"));
    let begun = server.requests("POST").into_iter().filter(|request| request.path.contains("uploads"));
    assert_eq!(begun.map(|request| with(&request)).collect::<Vec<_>>(), [true, false, false]);
    assert!(!store.put_checks().expect("it is known by now").takes_checksum);
}

#[tokio::test]
async fn a_server_that_answers_200_and_stores_nothing_is_found_out() {
    let server = Played { manners: Manners { stores_nothing: true, ..Manners::default() }, ..Played::default() };
    let error = server.serve().await.put(bytes()).await.expect_err("it is not there");
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    assert!(error.may_have_happened() && error.to_string().contains("it is not there"), "{error}");
}

#[tokio::test]
async fn a_server_whose_etags_are_no_md5_has_its_objects_read_back() {
    let manners = Manners { counts_versions: true, ..Manners::default() };
    let server = Played { manners, ..Played::default() };
    let store = server.clone().serve().await;
    for objects in 1..=3 {
        store.put(bytes()).await.expect("its content is right");
        assert_eq!(server.requests("GET").len(), objects);
    }
    assert!(!store.put_checks().expect("it is known by now").etag_is_md5);
    let server = Played { manners: Manners { changes_bytes: true, ..manners }, ..Played::default() };
    let error = server.serve().await.put(bytes()).await.expect_err("its content is wrong");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[tokio::test]
async fn a_store_that_holds_other_bytes_is_found_out_with_and_without_a_hash() {
    for sha256 in [bytes().sha256, None] {
        let server = Played { manners: Manners { changes_bytes: true, ..Manners::default() }, ..Played::default() };
        let store = server.serve().await;
        let put = Put { sha256: sha256.clone(), ..bytes() };
        let done = store.put(put.clone()).await;
        // Without a hash nothing is asked for: its ETag is of what was sent.
        assert_eq!(done.is_ok(), sha256.is_none());
        let error = store.confirm(&put).await.expect_err("its content is wrong");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("11-22-05/a"), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_changed_after_its_hash_was_made_is_never_sent() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("sealed");
    std::fs::write(&path, b"{\"id\":2}\n").expect("it is writable");
    let server = Played::default();
    let store = server.clone().serve().await;
    let error =
        store.put(put(Body::File { path, bytes: CONTENT.len() as u64, crc64: None })).await.expect_err("other bytes");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("sealed") && error.to_string().contains("look after its disk"), "{error}");
    assert!(server.requests("PUT").is_empty());
}

#[tokio::test]
async fn the_checksum_that_the_options_name_goes_along_in_one_and_in_parts() {
    for (name, header) in [
        ("CRC64NVME", "x-amz-checksum-crc64nvme"),
        ("CRC32", "x-amz-checksum-crc32"),
        ("CRC32C", "x-amz-checksum-crc32c"),
        ("SHA256", "x-amz-checksum-sha256"),
    ] {
        let options = S3Options { checksum: name.parse().expect("an algorithm"), ..S3Options::default() };
        let server = Played::default();
        let store = server.clone().serve_with(options).await;
        store.put(bytes()).await.expect("it is stored in one");
        let store = store.with_multipart(Multipart { threshold_bytes: 8, part_bytes: 4, concurrency: 1 });
        store.put(bytes()).await.expect("it is stored in parts");
        let puts = server.requests("PUT");
        let parts = [CONTENT, &CONTENT[..4], &CONTENT[4..8], &CONTENT[8..]];
        assert_eq!(puts.len(), parts.len());
        for (request, content) in puts.iter().zip(parts) {
            let body = Body::Bytes(Bytes::from_static(content));
            let digests = BodyDigests::of(&body, vec![], store.checksum).await.expect("memory reads");
            assert_eq!(request.headers.get(header), Some(&digests.whole.checksum), "{name}");
            let checksums = request.headers.keys().filter(|name| name.starts_with("x-amz-checksum-")).count();
            assert_eq!(checksums, 1, "{:?}", request.headers);
        }
        let begun = &server.requests("POST")[0];
        assert_eq!(begun.headers["x-amz-checksum-algorithm"], name);
    }
}
