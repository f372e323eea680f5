//! The dialect against a small server of the v2 API on loopback.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, header};
use axum::routing::any;
use futures_util::StreamExt as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::*;
use crate::channel::{Event, channel};
use crate::config::settings::{Rule, XV2Auth};
use crate::record::ConnectionEvent;
use crate::source::Source as _;
use crate::source::batches::Limits;
use crate::source::stream::Stream;

const TWEET: &str = "{\"data\":{\"id\":\"1454638400000000000\",\"text\":\"a\"}}\r\n";

/// What the server has and was asked.
#[derive(Default)]
struct Side {
    /// `METHOD path?query` with a word about who asked.
    asked: Vec<String>,
    /// Tokens given; the n-th is `token-n`.
    tokens: usize,
    /// Tokens that are good, by name; all are where it is empty.
    good: Vec<String>,
    /// (id, value, tag)
    rules: Vec<(String, String, String)>,
    ids: usize,
    /// What the stream answers instead of a 200, first to last.
    answers: Vec<(u16, String)>,
    /// Additions that are lost although they are answered.
    lost_additions: usize,
    redirect: Option<String>,
}

type Shared = Arc<Mutex<Side>>;

async fn serve(side: Side) -> (Url, Shared) {
    let shared = Arc::new(Mutex::new(side));
    let app = Router::new().fallback(any(answer)).with_state(Arc::clone(&shared));
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
    let url = Url::parse(&format!("http://{}", listener.local_addr().expect("an address"))).expect("a URL");
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, shared)
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let mut side = shared.lock().expect("no panic");
    let auth =
        parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("nobody").to_owned();
    assert_eq!(parts.headers[header::USER_AGENT], concat!("cauce/", env!("CARGO_PKG_VERSION")));
    side.asked.push(format!("{} {} {auth}", parts.method, parts.uri));
    let say = |status: u16, text: String| Response::builder().status(status).body(Body::from(text)).expect("an answer");
    if let Some(to) = &side.redirect {
        return Response::builder().status(307).header(header::LOCATION, to).body(Body::empty()).expect("an answer");
    }
    let path = parts.uri.path().to_owned();
    if path == "/oauth2/token" {
        assert_eq!(body, "grant_type=client_credentials");
        if auth != "Basic a2V5JTJCOnNlY3JldA==" {
            return say(403, r#"{"errors":[{"code":99,"message":"Unable to verify your credentials"}]}"#.to_owned());
        }
        side.tokens += 1;
        return say(200, json!({"token_type": "bearer", "access_token": format!("token-{}", side.tokens)}).to_string());
    }
    if !side.good.is_empty() && !side.good.iter().any(|token| auth == format!("Bearer {token}")) {
        return say(401, json!({"title": "Unauthorized", "status": 401, "detail": "Unauthorized"}).to_string());
    }
    if path == "/2/tweets/search/stream/rules" {
        if parts.method == "GET" {
            let data: Vec<Value> =
                side.rules.iter().map(|(id, value, tag)| json!({"id": id, "value": value, "tag": tag})).collect();
            return say(
                200,
                if data.is_empty() { json!({"meta": {}}) } else { json!({"data": data, "meta": {}}) }.to_string(),
            );
        }
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        for id in body["delete"]["ids"].as_array().into_iter().flatten() {
            side.rules.retain(|(known, ..)| known != id.as_str().expect("an id"));
        }
        let mut errors = Vec::new();
        for rule in body["add"].as_array().into_iter().flatten() {
            let text = |name: &str| rule[name].as_str().expect("a text").to_owned();
            if side.rules.iter().any(|(_, value, _)| *value == text("value")) {
                errors.push(json!({"value": rule["value"], "title": "DuplicateRule", "type": "https://api.x.com/2/problems/duplicate-rules"}));
            } else if text("value").starts_with('-') {
                errors.push(json!({"value": rule["value"], "details": ["Rules must contain a non-negation term"],
                    "title": "UnprocessableEntity", "type": "https://api.x.com/2/problems/invalid-rules"}));
            } else if side.lost_additions > 0 {
                side.lost_additions -= 1;
            } else {
                side.ids += 1;
                let id = format!("new-{}", side.ids);
                side.rules.push((id, text("value"), text("tag")));
            }
        }
        return say(201, json!({"meta": {}, "errors": errors}).to_string());
    }
    assert_eq!(path, "/2/tweets/search/stream");
    if !side.answers.is_empty() {
        let (status, text) = side.answers.remove(0);
        return say(status, text);
    }
    say(200, TWEET.to_owned())
}

fn settings(base_url: Url, auth: XV2Auth, rules: &[&str]) -> XV2Settings {
    let rules =
        rules.iter().map(|value| Rule { value: (*value).to_owned(), tag: format!("cauce:a:{value}") }).collect();
    XV2Settings {
        base_url,
        auth,
        rules,
        sample: false,
        fields: vec![("tweet.fields".to_owned(), "id,created_at".to_owned())],
        backfill_minutes: 0,
        max_line_bytes: 1 << 20,
        stall_timeout: std::time::Duration::from_secs(30),
    }
}

fn bearer() -> XV2Auth {
    XV2Auth::Bearer(SecretString::from("my-token"))
}

fn consumer(secret: &str) -> XV2Auth {
    XV2Auth::Consumer { key: SecretString::from("key+"), secret: SecretString::from(secret) }
}

fn dialect(base_url: Url, auth: XV2Auth, rules: &[&str]) -> XV2 {
    XV2::new(settings(base_url, auth, rules), "a", Arc::default()).expect("a client")
}

async fn first_line(dialect: &mut XV2) -> String {
    let Ok(mut bytes) = dialect.connect().await else { panic!("no stream") };
    String::from_utf8(bytes.next().await.expect("bytes").expect("a chunk").to_vec()).expect("UTF-8")
}

#[tokio::test]
async fn a_bearer_token_opens_the_stream_with_the_fields_asked_for() {
    let (url, side) = serve(Side::default()).await;
    assert_eq!(first_line(&mut dialect(url, bearer(), &[])).await, TWEET);
    let asked = side.lock().expect("no panic").asked.clone();
    let stream = "GET /2/tweets/search/stream?tweet.fields=id%2Ccreated_at Bearer my-token";
    assert_eq!(asked, ["GET /2/tweets/search/stream/rules Bearer my-token", stream]);
}

#[tokio::test]
async fn consumer_key_and_secret_are_exchanged_once_and_again_when_the_token_is_refused() {
    let (url, side) = serve(Side { good: vec!["token-1".to_owned()], ..Side::default() }).await;
    let mut x = dialect(url, consumer("secret"), &[]);
    assert_eq!(first_line(&mut x).await, TWEET);
    assert_eq!(first_line(&mut x).await, TWEET);
    assert_eq!(side.lock().expect("no panic").tokens, 1);
    side.lock().expect("no panic").good = vec!["token-2".to_owned()];
    assert_eq!(first_line(&mut x).await, TWEET);
    side.lock().expect("no panic").good = vec!["none".to_owned()];
    let Err(Refused::Fatal { error: SourceError::Credentials(text), .. }) = x.connect().await else {
        panic!("not fatal")
    };
    assert!(text.contains("source.consumer_key"), "{text}");
    assert_eq!(side.lock().expect("no panic").tokens, 3);
}

#[tokio::test]
async fn credentials_that_are_refused_are_said_without_being_shown() {
    let (url, _) = serve(Side { good: vec!["other".to_owned()], ..Side::default() }).await;
    for (auth, key) in [(bearer(), "source.bearer_token"), (consumer("wrong"), "source.consumer_secret")] {
        let Err(Refused::Fatal { error, .. }) = dialect(url.clone(), auth, &[]).connect().await else {
            panic!("not fatal")
        };
        let text = error.to_string();
        assert!(matches!(error, SourceError::Credentials(_)) && text.contains(key), "{text}");
        assert!(!text.contains("my-token") && !text.contains("wrong"), "{text}");
    }
}

#[tokio::test]
async fn rules_are_brought_in_line_and_foreign_ones_left_alone() {
    let rule = |id: &str, value: &str, tag: &str| (id.to_owned(), value.to_owned(), tag.to_owned());
    let rules = vec![rule("1", "old", "cauce:a:old"), rule("2", "cats", "cauce:a:cats"), rule("3", "birds", "team b")];
    let (url, side) = serve(Side { rules, ..Side::default() }).await;
    first_line(&mut dialect(url, bearer(), &["cats", "dogs", "birds"])).await;
    let rules = side.lock().expect("no panic").rules.clone();
    assert_eq!(
        rules,
        [rule("2", "cats", "cauce:a:cats"), rule("3", "birds", "team b"), rule("new-1", "dogs", "cauce:a:dogs")]
    );
}

#[tokio::test]
async fn an_invalid_rule_is_named_and_a_lost_one_is_tried_again() {
    let (url, side) = serve(Side { lost_additions: 1, ..Side::default() }).await;
    let Err(Refused::Fatal { error: SourceError::Configuration(text), .. }) =
        dialect(url.clone(), bearer(), &["-dogs"]).connect().await
    else {
        panic!("not fatal")
    };
    assert!(text.contains("\"-dogs\": Rules must contain a non-negation term"), "{text}");
    let mut x = dialect(url, bearer(), &["cats"]);
    let Err(Refused::Retry { cause, .. }) = x.connect().await else { panic!("the rule is not there") };
    assert_eq!(cause, "rules");
    assert_eq!(first_line(&mut x).await, TWEET);
    assert_eq!(side.lock().expect("no panic").rules.len(), 1);
}

#[tokio::test]
async fn a_conflict_over_rules_brings_them_in_line_before_the_next_attempt() {
    let conflict = r#"{"title":"ConnectionException","connection_issue":"RuleConfigurationIssue","type":"https://api.x.com/2/problems/streaming-connection"}"#;
    let (url, side) = serve(Side::default()).await;
    let mut x = dialect(url, bearer(), &["cats"]);
    first_line(&mut x).await;
    {
        // Somebody else has wiped the rules.
        let mut side = side.lock().expect("no panic");
        side.rules.clear();
        side.answers.push((409, conflict.to_owned()));
    }
    let Err(Refused::Retry { failure: Failure::Http, .. }) = x.connect().await else { panic!("no retry") };
    assert_eq!(first_line(&mut x).await, TWEET);
    assert_eq!(side.lock().expect("no panic").rules.len(), 1);
}

#[tokio::test]
async fn a_plan_without_backfill_goes_on_without_it() {
    let refusal = r#"{"errors":[{"parameters":{"backfill_minutes":["5"]},"message":"S"}],"title":"Invalid Request"}"#;
    let (url, side) = serve(Side { answers: vec![(400, refusal.to_owned())], ..Side::default() }).await;
    let mut x = XV2::new(XV2Settings { backfill_minutes: 5, ..settings(url, bearer(), &[]) }, "a", Arc::default())
        .expect("a client");
    assert_eq!(first_line(&mut x).await, TWEET);
    let asked = side.lock().expect("no panic").asked.clone();
    let with: Vec<bool> = asked[1..].iter().map(|asked| asked.contains("backfill_minutes=5")).collect();
    assert_eq!(with, [true, false]);
}

#[tokio::test]
async fn a_token_never_follows_a_redirect() {
    let (elsewhere, other) = serve(Side::default()).await;
    let (url, _) =
        serve(Side { redirect: Some(elsewhere.join("/x?a=b").expect("a URL").into()), ..Side::default() }).await;
    for auth in [bearer(), consumer("secret")] {
        let Err(Refused::Fatal { error: SourceError::Configuration(text), .. }) =
            dialect(url.clone(), auth, &[]).connect().await
        else {
            panic!("not fatal")
        };
        assert!(text.contains(&format!("{elsewhere}x")), "{text}");
    }
    assert!(other.lock().expect("no panic").asked.is_empty(), "the token was carried elsewhere");
}

#[tokio::test]
async fn nobody_there_is_retried_and_does_not_count_as_a_connect() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = Url::parse(&format!("http://{}", listener.local_addr().expect("an address"))).expect("a URL");
    drop(listener);
    let Err(Refused::Retry { failure, is_counted, detail, .. }) = dialect(url, bearer(), &[]).connect().await else {
        panic!("no retry")
    };
    assert_eq!((failure, is_counted), (Failure::Network, false));
    assert!(!detail.contains("my-token"), "{detail}");
}

/// A server that reads one request, answers with `bytes` and closes the connection.
async fn answer_once(bytes: &'static [u8]) -> Url {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
    let url = Url::parse(&format!("http://{}", listener.local_addr().expect("an address"))).expect("a URL");
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a client");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert!(socket.read_buf(&mut request).await.expect("a request") > 0);
        }
        socket.write_all(bytes).await.expect("a reader");
    });
    url
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_not_an_end() {
    let url = answer_once(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n{\"data\r\n").await;
    let mut x = dialect(url, bearer(), &[]);
    x.are_rules_synced = true;
    let Ok(mut bytes) = x.connect().await else { panic!("no stream") };
    assert_eq!(bytes.next().await.expect("bytes").expect("a chunk"), "{\"data");
    assert!(bytes.next().await.expect("a word about the end").is_err());
}

#[tokio::test]
async fn a_stream_that_is_compressed_though_not_asked_to_be_is_refused() {
    let url = answer_once(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let mut x = dialect(url, bearer(), &[]);
    x.are_rules_synced = true;
    let Err(Refused::Retry { cause, .. }) = x.connect().await else { panic!("no retry") };
    assert_eq!(cause, "encoding");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_not_waited_for() {
    // It accepts connections into its queue and says nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = Url::parse(&format!("http://{}", listener.local_addr().expect("an address"))).expect("a URL");
    let Err(Refused::Retry { cause, failure, .. }) = dialect(url, bearer(), &[]).connect().await else {
        panic!("no retry")
    };
    assert_eq!((cause.as_str(), failure), ("timeout", Failure::Network));
}

#[tokio::test]
async fn the_source_runs_over_a_drop_and_ends_when_its_token_is_refused() {
    let (url, side) = serve(Side::default()).await;
    let (sender, receiver) = channel(100, 0);
    let settings = settings(url, bearer(), &["cats"]);
    let on_reject = crate::config::settings::OnReject::Keep;
    let limits = Limits { max_line_bytes: settings.max_line_bytes, batch_records: 10, needs_time: false, on_reject };
    let stall_timeout = settings.stall_timeout;
    let source =
        Stream::new(XV2::new(settings, "a", Arc::default()).expect("a client"), limits, stall_timeout, Arc::default());
    let running = tokio::spawn(Box::new(source).run(sender, CancellationToken::new()));
    let told = tokio::task::spawn_blocking(move || {
        let mut told = Vec::new();
        for event in receiver {
            told.push(match event {
                Event::Batch(accepting) => format!("{} lines", accepting.batch.records.len()),
                Event::Connection { event: ConnectionEvent::Up, .. } => "up".to_owned(),
                Event::Connection { event: ConnectionEvent::Down { cause, .. }, .. } => {
                    // From the second drop on the server knows no token any more.
                    if told.len() > 3 {
                        side.lock().expect("no panic").good = vec!["none".to_owned()];
                    }
                    cause
                }
                other => panic!("{other:?}"),
            });
        }
        told
    });
    let end = running.await.expect("no panic");
    assert!(matches!(end, Err(SourceError::Credentials(_))), "{end:?}");
    let told = told.await.expect("no panic");
    assert_eq!(told[..6], ["up", "1 lines", "closed", "up", "1 lines", "closed"]);
}
