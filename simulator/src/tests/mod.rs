//! The simulator as a client sees it: real sockets on the loopback, a real HTTP client, ports chosen by the system.

mod timeline;
mod v1;

use std::collections::HashSet;
use std::time::Duration;

use cauce_http::oauth;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::{Credentials, Excess, Options, Plan, Simulator};

const RULES: &str = "/2/tweets/search/stream/rules";
const STREAM: &str = "/2/tweets/search/stream";
const FILTER: &str = "/1.1/statuses/filter.json";

fn flat_out(count: u64) -> Options {
    Options {
        rate: 0.0,
        count: Some(count),
        rules: vec!["@realdonaldtrump OR #trump".to_owned()],
        ..Options::default()
    }
}

async fn start(options: Options) -> Simulator {
    Simulator::start(options).await.expect("it starts")
}

fn client() -> Client {
    Client::builder().no_proxy().build().expect("a client")
}

async fn get(simulator: &Simulator, path: &str) -> Response {
    let request = client().get(simulator.base_url() + path).bearer_auth("sim-bearer-token");
    request.send().await.expect("an answer")
}

async fn change_rules(simulator: &Simulator, query: &str, body: &Value) -> (StatusCode, Value) {
    let request = client().post(format!("{}{RULES}{query}", simulator.base_url())).bearer_auth("sim-bearer-token");
    let answer = request.json(body).send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

/// Signs as a v1.1 client does; parameters go into a form body.
async fn filter(simulator: &Simulator, params: &[(&str, &str)], nonce: &str, credentials: &Credentials) -> Response {
    let params: Vec<(String, String)> =
        params.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let signer = oauth::Credentials {
        consumer_key: &credentials.consumer_key,
        consumer_secret: &credentials.consumer_secret,
        token: &credentials.access_token,
        token_secret: &credentials.access_token_secret,
    };
    let url = simulator.base_url() + FILTER;
    let now = jiff::Timestamp::now().as_second();
    let header = oauth::authorization_header("POST", &url, &params, signer, nonce, now);
    client().post(url).header("authorization", header).form(&params).send().await.expect("an answer")
}

/// Reads lines until `count` are there or the stream ends; heartbeats are left out.
async fn lines(answer: &mut Response, count: usize) -> Vec<String> {
    let mut bytes = Vec::new();
    let mut lines = Vec::new();
    while lines.len() < count {
        let Some(chunk) = answer.chunk().await.expect("bytes") else { break };
        bytes.extend_from_slice(&chunk);
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = bytes.drain(..=end).collect();
            let line = line.strip_suffix(b"\r\n").expect("lines end with CR LF");
            if !line.is_empty() {
                lines.push(String::from_utf8(line.to_vec()).expect("UTF-8"));
            }
        }
    }
    lines
}

fn value(line: &str) -> Value {
    serde_json::from_str(line).expect("JSON")
}

#[tokio::test]
async fn a_v2_stream_sends_the_matching_tweets_that_were_asked_for_and_records_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let truth = folder.path().join("truth");
    let simulator = start(Options { truth: Some(truth.clone()), ..flat_out(700) }).await;
    let mut answer =
        get(&simulator, &format!("{STREAM}?tweet.fields=entities,created_at,referenced_tweets&expansions=author_id"))
            .await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
    assert_eq!(answer.headers()["x-rate-limit-limit"], "50");
    let lines = lines(&mut answer, usize::MAX).await;
    assert_eq!(lines.len(), 700);
    let rule: Value = get(&simulator, RULES).await.json().await.expect("JSON");
    let noted = std::fs::read_to_string(&truth).expect("the truth");
    for (line, noted) in lines.iter().zip(noted.lines()) {
        let tweet = value(line);
        assert_eq!(tweet["matching_rules"], json!([{"id": rule["data"][0]["id"]}]));
        let [id, created, connection] = noted.split('\t').collect::<Vec<_>>()[..] else { panic!("{noted}") };
        assert_eq!((tweet["data"]["id"].as_str(), connection), (Some(id), "1"));
        let written: jiff::Timestamp = tweet["data"]["created_at"].as_str().expect("a time").parse().expect("a time");
        assert_eq!(written.as_second(), created.parse::<i64>().expect("milliseconds") / 1000);
        assert!(written <= jiff::Timestamp::now());
    }
    assert_eq!((noted.lines().count(), simulator.sent()), (700, 700));
    simulator.stop().await;
}

#[tokio::test]
async fn rules_are_added_listed_and_deleted_with_the_services_answers() {
    let simulator = start(Options::default()).await;
    let empty: Value = get(&simulator, RULES).await.json().await.expect("JSON");
    assert_eq!((empty.get("data"), &empty["meta"]["result_count"]), (None, &json!(0)));
    assert_eq!(get(&simulator, STREAM).await.status(), 409);

    let (status, checked) = change_rules(&simulator, "?dry_run=true", &json!({"add": [{"value": "cat"}]})).await;
    assert_eq!(
        (status.as_u16(), &checked["meta"]["summary"]),
        (201, &json!({"created": 1, "not_created": 0, "valid": 1, "invalid": 0}))
    );
    let (status, added) =
        change_rules(&simulator, "", &json!({"add": [{"value": "cat", "tag": "t"}, {"value": "dog"}]})).await;
    assert_eq!((status.as_u16(), &added["meta"]["summary"]["created"]), (201, &json!(2)));
    assert_eq!(added["data"][0]["tag"], "t");
    assert!(added["data"][1].get("tag").is_none());

    let (status, twice) = change_rules(&simulator, "", &json!({"add": [{"value": "cat"}]})).await;
    assert_eq!(status, 201);
    assert_eq!(twice["errors"][0]["title"], "DuplicateRule");
    assert_eq!(twice["errors"][0]["id"], added["data"][0]["id"]);
    assert_eq!(twice["meta"]["summary"], json!({"created": 0, "not_created": 1, "valid": 0, "invalid": 1}));

    let (status, wrong) = change_rules(&simulator, "", &json!({"add": [{"value": "-cat"}, {"value": "bird"}]})).await;
    assert_eq!((status.as_u16(), &wrong["data"][0]["value"]), (200, &json!("bird")));
    assert_eq!(wrong["errors"][0]["details"], json!(["Rules must contain a non-negation term (at position 1)"]));

    let page: Value = get(&simulator, &format!("{RULES}?max_results=2")).await.json().await.expect("JSON");
    let token = page["meta"]["next_token"].as_str().expect("another page");
    let rest: Value =
        get(&simulator, &format!("{RULES}?max_results=2&pagination_token={token}")).await.json().await.expect("JSON");
    assert_eq!((&rest["data"][0]["value"], rest["meta"].get("next_token")), (&json!("bird"), None));
    let one: Value = get(&simulator, &format!("{RULES}?ids={}", added["data"][1]["id"].as_str().expect("an id")))
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(one["data"], json!([added["data"][1]]));

    let (status, gone) = change_rules(&simulator, "", &json!({"delete": {"ids": [added["data"][0]["id"], "1"]}})).await;
    assert_eq!((status.as_u16(), &gone["meta"]["summary"]), (200, &json!({"deleted": 1, "not_deleted": 1})));
    let (_, gone) = change_rules(&simulator, "", &json!({"delete": {"values": ["dog"]}})).await;
    assert_eq!(gone["meta"]["summary"]["deleted"], 1);
    for bad in
        [json!({}), json!({"add": []}), json!({"add": [{"value": "a"}], "delete": {"ids": []}}), json!({"delete": {}})]
    {
        assert_eq!(change_rules(&simulator, "", &bad).await.0, 400, "{bad}");
    }
    let request =
        client().post(format!("{}{RULES}?delete_all=true", simulator.base_url())).bearer_auth("sim-bearer-token");
    let gone: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(gone["meta"]["summary"], json!({"deleted": 1, "not_deleted": 0}));
    let many: Vec<Value> = (0..1001).map(|number| json!({"value": format!("word{number}")})).collect();
    let (status, capped) = change_rules(&simulator, "", &json!({"add": many})).await;
    assert_eq!((status.as_u16(), &capped["title"]), (422, &json!("RulesCapExceeded")));
}

#[tokio::test]
async fn missing_and_wrong_credentials_are_refused_as_by_the_service() {
    let simulator = start(flat_out(1)).await;
    let url = simulator.base_url() + STREAM;
    let none = client().get(&url).send().await.expect("an answer");
    assert_eq!(none.status(), 401);
    let body: Value = none.json().await.expect("JSON");
    assert_eq!(body, json!({"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}));
    assert_eq!(client().get(&url).bearer_auth("wrong").send().await.expect("an answer").status(), 401);
    let user = client().get(&url).header("authorization", "OAuth a=\"b\"").send().await.expect("an answer");
    assert_eq!(user.status(), 403);
    let basic = start(Options { plan: Plan::Basic, ..flat_out(1) }).await;
    let refused = get(&basic, STREAM).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.json::<Value>().await.expect("JSON")["reason"], "client-not-enrolled");
    let open = start(Options { require_auth: false, ..flat_out(1) }).await;
    assert_eq!(client().get(open.base_url() + STREAM).send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn key_and_secret_are_exchanged_for_the_bearer_token() {
    let simulator = start(flat_out(1)).await;
    let url = simulator.base_url() + "/oauth2/token";
    let ask = |secret: &'static str, form: &'static [(&'static str, &'static str)]| {
        let request = client().post(url.clone()).basic_auth("sim-consumer-key", Some(secret)).form(form);
        async { request.send().await.expect("an answer") }
    };
    let good = ask("sim-consumer-secret", &[("grant_type", "client_credentials")]).await;
    assert_eq!(good.status(), 200);
    assert_eq!(
        good.json::<Value>().await.expect("JSON"),
        json!({"token_type": "bearer", "access_token": "sim-bearer-token"})
    );
    let wrong = ask("other", &[("grant_type", "client_credentials")]).await;
    assert_eq!(
        (wrong.status().as_u16(), &wrong.json::<Value>().await.expect("JSON")["errors"][0]["code"]),
        (403, &json!(99))
    );
    let missing = ask("sim-consumer-secret", &[]).await;
    assert_eq!(
        (missing.status().as_u16(), &missing.json::<Value>().await.expect("JSON")["errors"][0]["code"]),
        (403, &json!(170))
    );
}

#[tokio::test]
async fn parameters_the_plan_does_not_have_get_400() {
    let simulator = start(flat_out(1)).await;
    for query in ["backfill_minutes=1", "tweet.fields=nothing", "partition=1"] {
        let answer = get(&simulator, &format!("{STREAM}?{query}")).await;
        assert_eq!(answer.status(), 400, "{query}");
        let body: Value = answer.json().await.expect("JSON");
        assert!(body["type"].as_str().expect("a type").ends_with("/invalid-request"));
        let parameter = query.split('=').next().expect("a name");
        assert!(body["errors"][0]["parameters"].get(parameter).is_some(), "{body}");
    }
}

#[tokio::test]
async fn a_second_connection_gets_429_until_the_first_is_gone() {
    let simulator = start(Options { rate: 100.0, count: None, ..flat_out(1) }).await;
    let mut first = get(&simulator, STREAM).await;
    assert!(!lines(&mut first, 1).await.is_empty());
    let second = get(&simulator, STREAM).await;
    assert_eq!(second.status(), 429);
    assert_eq!(second.headers()["x-rate-limit-remaining"], "48");
    assert_eq!(second.json::<Value>().await.expect("JSON")["connection_issue"], "TooManyConnections");
    drop(first);
    while simulator.connections() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(get(&simulator, STREAM).await.status(), 200);
}

#[tokio::test]
async fn the_oldest_connection_gives_way_where_that_is_asked_for() {
    let simulator = start(Options { rate: 100.0, count: None, on_excess: Excess::EvictOldest, ..flat_out(1) }).await;
    let mut first = get(&simulator, STREAM).await;
    assert!(!lines(&mut first, 1).await.is_empty());
    let mut second = get(&simulator, STREAM).await;
    let rest = lines(&mut first, usize::MAX).await;
    assert_eq!(value(rest.last().expect("a last word"))["errors"][0]["disconnect_type"], "OperationalDisconnect");
    assert!(!lines(&mut second, 1).await.is_empty());
}

#[tokio::test]
async fn too_many_connects_in_a_window_get_429_with_the_time_of_its_end() {
    let simulator = start(Options { connects: 2, ..Options::default() }).await;
    for _ in 0..2 {
        assert_eq!(get(&simulator, STREAM).await.status(), 409);
    }
    let third = get(&simulator, STREAM).await;
    assert_eq!(third.status(), 429);
    assert_eq!(third.headers()["x-rate-limit-remaining"], "0");
    let reset: i64 = third.headers()["x-rate-limit-reset"].to_str().expect("ascii").parse().expect("seconds");
    assert!((1..=900).contains(&(reset - jiff::Timestamp::now().as_second())));
    assert_eq!(third.json::<Value>().await.expect("JSON")["title"], "Too Many Requests");
}

#[tokio::test]
async fn on_the_wire_the_stream_is_chunked_and_ends_with_an_empty_chunk() {
    let simulator = start(flat_out(2)).await;
    let mut socket = tokio::net::TcpStream::connect(simulator.addr).await.expect("a connection");
    let request = format!(
        "GET {STREAM} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer sim-bearer-token\r\nconnection: close\r\n\r\n",
        simulator.addr
    );
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).await.expect("read to the end");
    let text = String::from_utf8(bytes).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("transfer-encoding: chunked"), "{head}");
    let (size, rest) = body.split_once("\r\n").expect("a chunk");
    let size = usize::from_str_radix(size, 16).expect("its size in hexadecimal");
    assert!(rest[..size].starts_with('{') && rest[..size].ends_with("}\r\n"));
    assert!(body.ends_with("\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn what_cannot_be_served_fails_at_the_start() {
    let taken = start(Options::default()).await;
    let error =
        Simulator::start(Options { listen: taken.addr, ..Options::default() }).await.expect_err("the port is in use");
    assert!(error.to_string().contains(&taken.addr.to_string()));
    for options in [
        Options { rate: f64::NAN, ..Options::default() },
        Options { late_share: 1.5, ..Options::default() },
        Options { speedup: 0.0, ..Options::default() },
        Options { rules: vec!["-cat".to_owned()], ..Options::default() },
        Options { replay: Some("/nonexistent/file".into()), ..Options::default() },
    ] {
        Simulator::start(options).await.expect_err("it must not start");
    }
}
