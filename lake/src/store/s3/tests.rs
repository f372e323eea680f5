//! What no real server does on request: answers that are wrong, cut off or missing. A socket gives canned answers.

use futures_util::TryStreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::{Body, StaticCredentials};
use super::*;

mod foreign;

/// A store whose server gives the same bytes to whoever asks, and then closes the connection.
async fn answering(answer: impl Into<Vec<u8>>) -> S3Store {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("a bound socket has an address");
    let answer = answer.into();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = socket.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    if connection.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                // The client may have gone away by then, which is its own affair.
                let _ = connection.write_all(&answer).await;
                let _ = connection.shutdown().await;
            });
        }
    });
    store(&format!("http://{address}")).await
}

async fn store(endpoint: &str) -> S3Store {
    let credentials =
        StaticCredentials { access_key_id: "id".to_owned(), secret_access_key: "hush".to_owned(), session_token: None };
    let options = S3Options {
        endpoint_url: Some(endpoint.to_owned()),
        region: Some("us-east-1".to_owned()),
        credentials: Some(credentials),
        ..S3Options::default()
    };
    S3Store::open("tweets", "lake", &options).await.expect("a possible configuration")
}

fn key() -> Key {
    Key::new("11-22-05/a").expect("a possible key")
}

fn put() -> Put {
    Put { key: key(), body: Body::Bytes("x".into()), condition: Condition::IfAbsent, sha256: None }
}

async fn read(store: &S3Store, range: Option<Range<u64>>) -> Result<Vec<Bytes>, StoreError> {
    store.read(&key(), range).await?.chunks.try_collect().await
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_never_an_end() {
    let store = answering("HTTP/1.1 200 OK\r\ncontent-length: 10\r\netag: \"1\"\r\n\r\n12345").await;
    let error = read(&store, None).await.expect_err("half of it is missing");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("5 of 10 bytes"), "{error}");
    assert_eq!(store.get(&key()).await.expect_err("half of it is missing").kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn a_manifest_of_a_gibibyte_is_refused_before_its_body_is_read() {
    let store = answering(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\netag: \"1\"\r\n\r\n{{", 1 << 30)).await;
    let error = store.get(&key()).await.expect_err("no manifest is so long");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("11-22-05/a") && error.to_string().contains("1073741824 bytes"), "{error}");
}

#[tokio::test]
async fn an_answer_without_a_length_is_not_trusted() {
    let store =
        answering("HTTP/1.1 200 OK\r\netag: \"1\"\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n").await;
    assert_eq!(read(&store, None).await.expect_err("nobody knows if it is whole").kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_server_that_ignores_a_range_or_gives_another_is_found_out() {
    let whole = answering("HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 10\r\n\r\n0123456789").await;
    assert_eq!(read(&whole, Some(2..4)).await.expect_err("it is the whole object").kind(), ErrorKind::Corrupt);
    let part = "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 8-9/10\r\ncontent-length: 2\r\n\r\n89";
    let part = answering(part).await;
    assert_eq!(read(&part, Some(8..12)).await.expect_err("it ends before").kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_region_in_the_answer_becomes_advice() {
    let answer = "HTTP/1.1 301 Moved Permanently\r\nx-amz-bucket-region: eu-west-1\r\ncontent-length: 0\r\n\r\n";
    let store = answering(answer).await;
    for error in [store.head(&key()).await.expect_err("refused"), store.put(put()).await.expect_err("refused")] {
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(error.to_string().contains("set lake.s3.region = \"eu-west-1\""), "{error}");
    }
}

#[tokio::test]
async fn a_head_that_is_refused_says_that_listing_may_be_missing() {
    let store = answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
    let error = store.head(&key()).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    assert!(error.to_string().contains("s3:ListBucket"), "{error}");
    assert_eq!(error.to_string().matches("11-22-05/a").count(), 1, "{error}");
}

#[tokio::test]
async fn a_lost_answer_may_have_happened_and_a_refused_connection_has_not() {
    let silent = answering("").await;
    let error = silent.put(put()).await.expect_err("there is no answer");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.may_have_happened());

    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", socket.local_addr().expect("a bound socket has an address"));
    drop(socket);
    let error = store(&endpoint).await.put(put()).await.expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(error.to_string().contains(&endpoint) && !error.may_have_happened(), "{error}");
}

#[tokio::test]
async fn what_is_no_s3_server_is_said_to_be_none() {
    let page = "<html>It works!</html>";
    let store = answering(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}", page.len())).await;
    let error = store.list(&List::default()).await.expect_err("this is a web page");
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    let store = answering("SSH-2.0-OpenSSH_9.9\r\n").await;
    let error = store.put(put()).await.expect_err("this is another protocol");
    assert!(matches!(error.kind(), ErrorKind::Server | ErrorKind::Timeout), "{error}");
}

#[tokio::test]
async fn a_success_without_a_tag_says_nothing_of_the_object() {
    for body in ["", "<html>Please log in</html>"] {
        let store = answering(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
        let put = store.put(put()).await.expect_err("nothing was stored");
        let head = store.head(&key()).await.expect_err("this is no object");
        let get = store.get(&key()).await.expect_err("this is no object");
        for error in [&put, &head, &get] {
            assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        }
        assert!(put.may_have_happened() && put.to_string().contains("without an ETag"), "{put}");
    }
}

#[tokio::test]
async fn a_listing_that_does_not_go_on_is_not_read_for_ever() {
    let page = "<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>lake/a</Key><Size>1</Size></Contents>\
                </ListBucketResult>";
    let store = answering(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}", page.len())).await;
    let error = super::super::list_all(&store, "").await.expect_err("the same page comes again");
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
}

#[tokio::test]
async fn the_pages_of_a_listing_are_read_without_the_sdk() {
    // The SDK refuses a number that is none; nobody here asks for it.
    let page = "<ListBucketResult><MaxKeys>many</MaxKeys><IsTruncated>false</IsTruncated>\
                <Contents><Key>lake/a&amp;b</Key><ETag>&quot;1&quot;</ETag><Size>7</Size></Contents></ListBucketResult>";
    let store = answering(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}", page.len())).await;
    let [object] = &super::super::list_all(&store, "").await.expect("a page")[..] else { panic!("one object") };
    assert_eq!((object.key.as_str(), object.bytes, object.etag.0.as_str()), ("a&b", 7, "\"1\""));
}

#[tokio::test]
async fn nothing_printed_holds_a_secret() {
    let store = answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
    let error = store.put(put()).await.expect_err("refused");
    for text in [format!("{store:?}"), format!("{error:?}"), error.to_string(), store.location()] {
        assert!(!text.contains("hush"), "{text}");
    }
}
