//! The status page: `/metrics` for Prometheus, `/livez` and `/readyz` for container checks.
//!
//! Reads only, and needs nothing from the steps but the shared numbers. There is no login: it is meant for loopback or a
//! closed network, and holds no secret and no tweet. It answers to names of ours only (`hosts.rs`).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cauce_http::serve::{self, Bounds};
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::hosts::{self, Hosts};
use super::readiness::{self, Numbers, Verdict};
use super::{Metrics, registry};

/// What Prometheus expects of a page that ends with `# EOF`.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Enough for Prometheus, container checks and a few people.
const BOUNDS: Bounds = Bounds {
    connections: 64,
    head_timeout: Duration::from_secs(5),
    head_bytes: 16 << 10,
    // Clients ask once in many seconds; idle connections would only hold places.
    keep_alive: false,
    lifetime: Some(Duration::from_secs(30)),
};

/// What the status page shows.
#[derive(Debug, Clone)]
pub struct StatusState {
    metrics: Arc<Metrics>,
    registry: Arc<Registry>,
    hosts: Hosts,
}

impl StatusState {
    /// The page of these numbers and their health, for whoever asks by one of these names.
    pub fn new(metrics: Arc<Metrics>, hosts: Hosts) -> StatusState {
        let registry = Arc::new(registry::register(&metrics));
        StatusState { metrics, registry, hosts }
    }
}

/// Why an address cannot be listened on; says which setting to change.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr}: {}, set {setting} to another address", reason(source))]
pub struct BindError {
    addr: SocketAddr,
    setting: String,
    source: io::Error,
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "port in use (another agent?)".to_owned(),
        io::ErrorKind::PermissionDenied => "ports below 1024 need the right to open them".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        _ => error.to_string(),
    }
}

/// Opens a listener. `setting` is where the address came from, for the error: `status.listen`.
///
/// # Errors
/// When the port is in use, needs a right we do not have, or the address is not this machine's.
pub async fn bind(addr: SocketAddr, setting: &str) -> Result<TcpListener, BindError> {
    TcpListener::bind(addr).await.map_err(|source| BindError { addr, setting: setting.to_owned(), source })
}

/// Serves the status page until `stop` is cancelled.
pub async fn serve(listener: TcpListener, state: StatusState, stop: CancellationToken) {
    let hosts = state.hosts.clone();
    let pages = Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(state);
    until(listener, pages, hosts, stop).await;
}

/// Serves some pages until `stop` is cancelled to whoever asks by one of these names.
pub(crate) async fn until(listener: TcpListener, pages: Router, hosts: Hosts, stop: CancellationToken) {
    let pages = pages.layer(axum::middleware::from_fn_with_state(hosts, hosts::check));
    serve::serve(listener, pages, BOUNDS, stop).await;
}

async fn index() -> &'static str {
    "cauce\n/metrics  numbers for Prometheus\n/livez    does the agent work\n/readyz   do tweets come in and are they stored\n"
}

async fn metrics(State(state): State<StatusState>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &state.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the numbers cannot be written\n").into_response(),
    }
}

async fn livez(State(state): State<StatusState>) -> Response {
    answer(readiness::alive(&state.metrics.health))
}

async fn readyz(State(state): State<StatusState>) -> Response {
    let now_ms = Timestamp::now().as_millisecond();
    answer(readiness::ready(&state.metrics.health, Numbers::of(&state.metrics), now_ms))
}

fn answer(verdict: Verdict) -> Response {
    let code = if verdict.good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // A cached answer would be a lie a minute later.
    (code, [(header::CACHE_CONTROL, "no-store")], verdict.sentence + "\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{LeaseState, SourceState, StoreState};

    struct Page {
        url: String,
        metrics: Arc<Metrics>,
        stop: CancellationToken,
        served: tokio::task::JoinHandle<()>,
    }

    async fn page() -> Page {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "status.listen").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (metrics, stop) = (Arc::new(Metrics::default()), CancellationToken::new());
        let served =
            tokio::spawn(serve(listener, StatusState::new(Arc::clone(&metrics), Hosts::new(&[])), stop.clone()));
        Page { url, metrics, stop, served }
    }

    impl Page {
        async fn get(&self, path: &str) -> (u16, String, String) {
            let client = reqwest::Client::builder().no_proxy().build().expect("a client");
            let answer = client.get(format!("{}{path}", self.url)).send().await.expect("an answer");
            let kind = answer.headers().get("content-type").map(|v| v.to_str().expect("ascii").to_owned());
            (answer.status().as_u16(), kind.unwrap_or_default(), answer.text().await.expect("text"))
        }
    }

    #[tokio::test]
    async fn an_agent_becomes_ready_and_says_why_it_is_not() {
        let page = page().await;
        let health = &page.metrics.health;
        let (code, _, text) = page.get("/readyz").await;
        assert_eq!((code, text.as_str()), (503, "not ready: starting, the source has not begun\n"));
        assert_eq!(page.get("/livez").await.0, 200);
        health.beat();
        health.set_source(SourceState::Connected);
        health.set_store(StoreState::Up);
        health.set_lease(LeaseState::Held);
        assert_eq!(page.get("/readyz").await.2, "ready: connected\n");
        health.set_fatal("the spool's disk is read-only");
        let (code, _, text) = page.get("/readyz").await;
        assert_eq!((code, text.as_str()), (503, "not ready: the agent cannot go on: the spool's disk is read-only\n"));
        page.stop.cancel();
        page.served.await.expect("no panic");
    }

    #[tokio::test]
    async fn the_numbers_come_as_open_metrics() {
        let page = page().await;
        page.metrics.records_accepted.inc_by(12);
        let (code, kind, text) = page.get("/metrics").await;
        assert_eq!((code, kind.as_str()), (200, OPEN_METRICS));
        assert!(text.contains("\ncauce_records_accepted_total 12\n"), "{text}");
        page.metrics.records_accepted.inc();
        assert!(page.get("/metrics").await.2.contains("\ncauce_records_accepted_total 13\n"));
        assert_eq!(page.get("/nothing").await.0, 404);
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_with_the_setting_to_change() {
        let first = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "status.listen").await.expect("a free port");
        let addr = first.local_addr().expect("bound");
        let error = bind(addr, "status.listen").await.expect_err("the port is taken");
        let text =
            format!("cannot listen on {addr}: port in use (another agent?), set status.listen to another address");
        assert_eq!(error.to_string(), text);
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_for_a_client_that_sends_nothing() {
        let page = page().await;
        let addr = page.url.strip_prefix("http://").expect("our own URL").to_owned();
        let _silent = tokio::net::TcpStream::connect(addr).await.expect("connected");
        page.stop.cancel();
        page.served.await.expect("no panic");
    }

    #[tokio::test]
    async fn a_page_is_not_shown_under_a_strangers_name() {
        let page = page().await;
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        for (host, code) in [("evil.example", 421), ("ingest:9090", 200), ("localhost:9108", 200)] {
            for path in ["/metrics", "/", "/nothing"] {
                let asking = client.get(format!("{}{path}", page.url)).header("host", host);
                let answer = asking.send().await.expect("an answer");
                let wanted = if path == "/nothing" && code == 200 { 404 } else { code };
                assert_eq!(answer.status().as_u16(), wanted, "{host} {path}");
                let text = answer.text().await.expect("text");
                assert_eq!(text.contains("status.allowed_hosts"), code == 421, "{text}");
            }
        }
    }
}
