//! The dialect against a small server of the v1.1 API on loopback, which checks each signature.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, header};
use axum::routing::any;
use futures_util::StreamExt as _;
use secrecy::SecretString;
use url::Url;

use super::*;
use crate::config::settings::XV1Auth;

/// Nonces that were used, and what was asked.
#[derive(Default)]
struct Side {
    nonces: Vec<String>,
    asked: Vec<(String, BTreeMap<String, String>)>,
}

type Shared = Arc<Mutex<Side>>;

async fn serve() -> (Url, Shared) {
    let shared = Shared::default();
    let app = Router::new().fallback(any(answer)).with_state(Arc::clone(&shared));
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
    let url = Url::parse(&format!("http://{}", listener.local_addr().expect("an address"))).expect("a URL");
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, shared)
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let encoded = if body.is_empty() { parts.uri.query().unwrap_or_default().as_bytes() } else { &body[..] };
    let mut params: Vec<(String, String)> = url::form_urlencoded::parse(encoded).into_owned().collect();
    let sent: BTreeMap<String, String> = params.iter().cloned().collect();
    let auth = parts.headers[header::AUTHORIZATION].to_str().expect("a text").strip_prefix("OAuth ").expect("OAuth");
    let mut signature = String::new();
    for part in auth.split(", ") {
        let (key, value) = part.split_once('=').expect("a pair");
        let value = percent_encoding::percent_decode_str(value.trim_matches('"')).decode_utf8().expect("UTF-8");
        match key {
            "oauth_signature" => signature = value.into_owned(),
            _ => params.push((key.to_owned(), value.into_owned())),
        }
    }
    let url = format!("http://{}{}", parts.headers[header::HOST].to_str().expect("a host"), parts.uri.path());
    let expected = oauth::signature(parts.method.as_str(), &url, &params, "consumer secret", "token secret");
    let param =
        |name: &str| params.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).expect("it is sent");
    let age = Timestamp::now().as_second() - param("oauth_timestamp").parse::<i64>().expect("a number");
    let mut side = shared.lock().expect("no panic");
    side.asked.push((format!("{} {}", parts.method, parts.uri.path()), sent));
    let is_new = !side.nonces.contains(&param("oauth_nonce"));
    side.nonces.push(param("oauth_nonce"));
    let (status, text) = if signature == expected && is_new && (0..60).contains(&age) && param("oauth_token") == "token"
    {
        (200, "{\"limit\":{\"track\":3}}\r\n".to_owned())
    } else {
        (401, "<html><head><title>Error 401 Unauthorized</title></head></html>".to_owned())
    };
    Response::builder().status(status).body(Body::from(text)).expect("an answer")
}

fn dialect(base_url: Url, keywords: &[&str], sample: bool, secret: &str) -> XV1 {
    let text = |text: &str| SecretString::from(text);
    let settings = XV1Settings {
        base_url,
        auth: XV1Auth {
            consumer_key: text("consumer"),
            consumer_secret: text(secret),
            access_token: text("token"),
            access_token_secret: text("token secret"),
        },
        keywords: keywords.iter().map(|keyword| (*keyword).to_owned()).collect(),
        follow: vec![],
        locations: vec![],
        languages: vec![],
        sample,
        max_line_bytes: 1 << 20,
        stall_timeout: std::time::Duration::from_secs(90),
    };
    XV1::new(settings, Arc::default()).expect("a client")
}

#[tokio::test]
async fn each_attempt_is_signed_anew_for_filter_and_sample() {
    let (url, side) = serve().await;
    let mut filter = dialect(url.clone(), &["@realdonaldtrump", "#Trump", "año nuevo+más"], false, "consumer secret");
    for _ in 0..2 {
        let mut bytes = filter.connect().await.expect("a stream");
        assert!(bytes.next().await.expect("bytes").expect("a chunk").starts_with(b"{\"limit\""));
    }
    let mut sample = dialect(url, &[], true, "consumer secret");
    drop(sample.connect().await.expect("a stream"));
    let side = side.lock().expect("no panic");
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let stall = pair("stall_warnings", "true");
    let track = pair("track", "@realdonaldtrump,#Trump,año nuevo+más");
    let filter = ("POST /1.1/statuses/filter.json".to_owned(), BTreeMap::from([stall.clone(), track]));
    let sample = ("GET /1.1/statuses/sample.json".to_owned(), BTreeMap::from([stall]));
    assert_eq!(side.asked, [filter.clone(), filter, sample]);
}

#[tokio::test]
async fn a_refused_signature_is_fatal_and_shows_no_secret() {
    let (url, _) = serve().await;
    let mut x = dialect(url, &["cats"], false, "wrong");
    let Err(Refused::Fatal { error: SourceError::Credentials(text), .. }) = x.connect().await else {
        panic!("not fatal")
    };
    assert!(text.contains("Error 401 Unauthorized") && !text.contains("wrong"), "{text}");
}

#[test]
fn only_the_filters_that_are_set_are_sent_and_by_v1_1s_names() {
    let base: url::Url = "http://127.0.0.1:1".parse().expect("an address");
    let mut dialect = dialect(base, &["#a", "b c"], false, "secret");
    let sent = |dialect: &XV1| filter(&dialect.settings).collect::<Vec<_>>();
    assert_eq!(sent(&dialect), [("track".to_owned(), "#a,b c".to_owned())]);
    dialect.settings.follow = vec![12, 34];
    dialect.settings.locations =
        crate::config::filters::areas(&["-74,40,-73,41.5,1,2,3,4".to_owned()]).expect("two areas");
    dialect.settings.languages = vec!["en".into(), "es".into()];
    let named: Vec<(String, String)> = sent(&dialect);
    let named: Vec<(&str, &str)> = named.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        named,
        [("track", "#a,b c"), ("follow", "12,34"), ("locations", "-74,40,-73,41.5,1,2,3,4"), ("language", "en,es")]
    );
}
