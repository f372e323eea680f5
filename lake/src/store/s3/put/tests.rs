//! What is sent with a put, and what becomes of answers that are wrong. A socket plays servers as they were met: old ones, ones
//! that store nothing, and ones that know no MD5.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::config::RequestChecksumCalculation;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::checksum::Crc64;
use crate::store::s3::multipart::Multipart;
use crate::store::{Key, S3Options, StaticCredentials, Store};

/// How a server behaves.
#[derive(Debug, Clone, Copy, Default)]
struct Manners {
    /// Refuses a put with a checksum it does not know.
    knows_no_checksums: bool,
    /// Refuses a HEAD that asks for the checksum.
    knows_no_checksum_mode: bool,
    /// The same of an upload in parts alone.
    knows_no_checksums_of_parts: bool,
    /// Says that it stored what it did not.
    stores_nothing: bool,
    /// Its ETags are no MD5 but look like one.
    counts_versions: bool,
    /// Stores other bytes than it was sent.
    changes_bytes: bool,
}

/// A server of one object, and the requests it got.
#[derive(Debug, Clone, Default)]
struct Played {
    manners: Manners,
    object: Arc<Mutex<Option<Bytes>>>,
    parts: Arc<Mutex<Vec<Bytes>>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

#[derive(Debug, Clone)]
struct Request {
    method: String,
    path: String,
    headers: HashMap<String, String>,
    body: Bytes,
}

impl Played {
    async fn serve(self) -> S3Store {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", socket.local_addr().expect("a bound socket has an address"));
        tokio::spawn(async move {
            while let Ok((connection, _)) = socket.accept().await {
                tokio::spawn(self.clone().converse(connection));
            }
        });
        let credentials = StaticCredentials {
            access_key_id: "id".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: None,
        };
        let options = S3Options {
            endpoint_url: Some(endpoint),
            region: Some("us-east-1".to_owned()),
            path_style: None,
            credentials: Some(credentials),
        };
        S3Store::open("tweets", "lake", &options).await.expect("a possible configuration")
    }

    async fn converse(self, mut connection: TcpStream) -> Option<()> {
        loop {
            let request = request(&mut connection).await?;
            let answer = self.answer(&request);
            self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            connection.write_all(&answer).await.ok()?;
        }
    }

    fn answer(&self, request: &Request) -> Vec<u8> {
        let empty = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").into_bytes();
        let mut object = self.object.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if request.path.contains("partNumber=") {
            parts.push(request.body.clone());
            return format!("HTTP/1.1 200 OK\r\netag: {}\r\ncontent-length: 0\r\n\r\n", self.tag(&request.body))
                .into_bytes();
        }
        if request.method == "POST" {
            if self.manners.knows_no_checksums_of_parts && request.headers.keys().any(|name| name.contains("checksum"))
            {
                return empty("501 Not Implemented");
            }
            let body = if request.path.contains("uploads") {
                "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
            } else {
                *object = Some(parts.concat().into());
                "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>"
            };
            return format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes();
        }
        if request.method == "PUT" {
            if self.manners.knows_no_checksums && request.headers.keys().any(|name| name.contains("checksum")) {
                return empty("501 Not Implemented");
            }
            if !self.manners.stores_nothing {
                let mut body = request.body.to_vec();
                if self.manners.changes_bytes {
                    body[0] ^= 1;
                }
                *object = Some(body.into());
            }
            return format!("HTTP/1.1 200 OK\r\netag: {}\r\ncontent-length: 0\r\n\r\n", self.tag(&request.body))
                .into_bytes();
        }
        if self.manners.knows_no_checksum_mode && request.headers.contains_key("x-amz-checksum-mode") {
            return empty("501 Not Implemented");
        }
        let Some(object) = object.as_ref() else { return empty("404 Not Found") };
        let head = format!("HTTP/1.1 200 OK\r\netag: {}\r\ncontent-length: {}\r\n\r\n", self.tag(object), object.len());
        let body = if request.method == "HEAD" { &[][..] } else { &object[..] };
        [head.as_bytes(), body].concat()
    }

    fn tag(&self, content: &[u8]) -> String {
        let md5 = md5::Md5::digest(content).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        if self.manners.counts_versions { format!("\"{:032}\"", 7) } else { format!("\"{md5}\"") }
    }

    fn requests(&self, method: &str) -> Vec<Request> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().filter(|request| request.method == method).cloned().collect()
    }
}

async fn request(connection: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let headers: HashMap<String, String> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().expect("a length"));
    while bytes.len() < end + length {
        connection.read_buf(&mut bytes).await.ok()?;
    }
    let body = Bytes::copy_from_slice(&bytes[end..end + length]);
    let mut words = head.split(' ').map(str::to_owned);
    Some(Request { method: words.next()?, path: words.next()?, headers, body })
}

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
