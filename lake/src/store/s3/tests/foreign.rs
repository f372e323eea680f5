//! What is said when something else than an S3 server answers, and what S3 says of one object alone.

use super::*;

/// Words of parsers and of the SDK, which are of no use to a reader.
const NOISE: [&str; 6] = ["bug in", "XML", "xml root", "unhandled", "expected value", "serde"];

fn page(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

/// What a store says of each of its calls on this server. The stored object and listing are never the answer.
async fn said(answer: &str) -> Vec<(&'static str, StoreError)> {
    let store = answering(answer).await;
    vec![
        ("list", store.list(&List::default()).await.expect_err("no listing came")),
        ("read", store.get(&key()).await.expect_err("no object came")),
        ("stream", read(&store, None).await.expect_err("no object came")),
        ("head", store.head(&key()).await.expect_err("no object is there")),
        ("put", store.put(put()).await.expect_err("nothing was stored")),
    ]
}

#[track_caller]
fn assert_plain(call: &str, error: &StoreError, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{call}: {word:?} is missing in {text}");
    }
    for noise in NOISE {
        assert!(!text.contains(noise), "{call}: {text}");
    }
}

#[tokio::test]
async fn a_login_page_with_status_200_is_said_to_be_one_and_from_where() {
    // As a web server gives a file: with a tag and a length.
    let body = "<!DOCTYPE html><html><head><title>Please log in</title></head></html>";
    let answer = page(
        "200 OK",
        "etag: \"5d41402abc4b2a76b9719d911017c592\"\r\ncontent-type: text/html; charset=utf-8\r\n",
        body,
    );
    for (call, error) in said(&answer).await {
        assert_eq!(error.kind(), ErrorKind::Server, "{call}: {error}");
        assert_plain(call, &error, &["127.0.0.1:", "status 200", "text/html", "login pages on the way"]);
        // A HEAD has no body.
        if call != "head" {
            assert_plain(call, &error, &["\"Please log in\""]);
        }
    }
}

#[tokio::test]
async fn a_page_of_another_web_server_is_never_taken_for_an_object_that_is_missing() {
    let nginx = "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>nginx/1.25</body></html>";
    let html = page("404 Not Found", "server: nginx\r\ncontent-type: text/html\r\n", nginx);
    for (call, error) in said(&html).await {
        assert_eq!(error.kind(), ErrorKind::Configuration, "{call}: {error}");
        assert_plain(call, &error, &["127.0.0.1:", "status 404", "text/html", "check the address"]);
    }
    let json = page("404 Not Found", "content-type: application/json\r\n", "{\"message\":\"no Route matched\"}");
    for (call, error) in said(&json).await.into_iter().filter(|(call, _)| *call != "head") {
        assert_eq!(error.kind(), ErrorKind::Configuration, "{call}: {error}");
        assert_plain(call, &error, &["status 404", "application/json", "no Route matched"]);
    }
    // The default page of an ingress.
    let plain = page("404 Not Found", "content-type: text/plain\r\n", "default backend - 404");
    let error = answering(plain).await.list(&List::default()).await.expect_err("no listing came");
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert_plain("list", &error, &["default backend - 404"]);
}

#[tokio::test]
async fn a_listing_that_is_json_or_empty_is_said_to_be_none() {
    for (body, words) in [("{\"status\":\"ok\"}", "status"), ("", "no body"), ("It works!", "It works!")] {
        let error = answering(page("200 OK", "", body)).await.list(&List::default()).await.expect_err("no listing");
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        assert_plain("list", &error, &["127.0.0.1:", "status 200", words, "check the address"]);
    }
}

#[tokio::test]
async fn a_bare_redirect_is_said_with_where_it_points_and_without_its_query() {
    for status in ["301 Moved Permanently", "307 Temporary Redirect", "302 Found"] {
        for (call, error) in said(&page(status, "", "")).await {
            assert_eq!(error.kind(), ErrorKind::Configuration, "{call}: {error}");
            assert_plain(call, &error, &["127.0.0.1:", &status[..3], "lake.s3.endpoint_url", "lake.s3.region"]);
        }
        let location = "location: https://login.example/start?token=hush\r\n";
        for (call, error) in said(&page(status, location, "<html>moved</html>")).await {
            assert_plain(call, &error, &["a redirect to https://login.example/start;"]);
            assert!(!error.to_string().contains("hush"), "{call}: {error}");
        }
    }
}

#[tokio::test]
async fn a_refusal_or_a_pause_of_a_proxy_keeps_its_meaning() {
    let html = "content-type: text/html\r\n";
    for (status, kind) in [
        ("403 Forbidden", ErrorKind::AccessDenied),
        ("503 Service Unavailable", ErrorKind::Throttled),
        ("502 Bad Gateway", ErrorKind::Server),
        ("407 Proxy Authentication Required", ErrorKind::Configuration),
    ] {
        let store = answering(page(status, html, "<html><title>Blocked by policy</title></html>")).await;
        let error = store.get(&key()).await.expect_err("no object came");
        assert_eq!(error.kind(), kind, "{error}");
        assert_plain("read", &error, &["Blocked by policy", &status[..3]]);
    }
}

#[tokio::test]
async fn a_server_of_another_protocol_is_said_to_be_no_s3_server() {
    let store = answering("SSH-2.0-OpenSSH_9.9\r\n").await;
    let error = store.list(&List::default()).await.expect_err("this is another protocol");
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    assert_plain("list", &error, &["no S3 server answered", "127.0.0.1:"]);
}

#[tokio::test]
async fn an_archived_object_is_a_kind_of_its_own_and_says_its_class() {
    let xml = "<?xml version=\"1.0\"?><Error><Code>InvalidObjectState</Code><Message>The operation is not valid for the \
               object's storage class</Message><StorageClass>DEEP_ARCHIVE</StorageClass></Error>";
    let store = answering(page("403 Forbidden", "content-type: application/xml\r\nx-amz-request-id: 7\r\n", xml)).await;
    for error in [
        store.get(&key()).await.expect_err("it is archived"),
        read(&store, Some(0..4)).await.expect_err("it is archived"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Archived, "{error}");
        assert_plain(
            "read",
            &error,
            &["11-22-05/a: archived in storage class DEEP_ARCHIVE: restore it, or leave this hour out"],
        );
    }
}

#[tokio::test]
async fn a_refusal_names_the_permission_that_is_missing() {
    let xml = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    for (call, error) in said(&page("403 Forbidden", "content-type: application/xml\r\n", xml)).await {
        assert_eq!(error.kind(), ErrorKind::AccessDenied, "{call}: {error}");
        let permission = match call {
            "list" => "s3:ListBucket on the bucket",
            "put" => "s3:PutObject",
            _ => "s3:GetObject on the object, or s3:ListBucket on the bucket where the object is missing",
        };
        assert_plain(call, &error, &[permission]);
    }
}
