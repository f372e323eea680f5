//! A way to an S3 server that can be broken: it passes requests on, drops their conditions, or is not there yet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use cauce_lake::store::servers::S3Server;
use tokio::net::TcpSocket;

use crate::lake::RUNTIME;

/// What happens to requests.
#[derive(Debug)]
struct Way {
    to: String,
    client: reqwest::Client,
    drops_conditions: bool,
    away: AtomicBool,
}

/// An address before a server. Connections to it are refused until [`Proxy::open`].
pub(crate) struct Proxy {
    socket: Option<TcpSocket>,
    address: SocketAddr,
    way: Arc<Way>,
}

impl Proxy {
    /// An address that nobody else gets and nobody answers at. Signatures do not survive the way, so the server must be
    /// one that does not look at them.
    pub(crate) fn closed(to: &S3Server) -> Proxy {
        let _inside = RUNTIME.enter();
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = socket.local_addr().expect("a bound socket has an address");
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let way = Way { to: to.endpoint.clone(), client, drops_conditions: false, away: AtomicBool::new(false) };
        Proxy { socket: Some(socket), address, way: Arc::new(way) }
    }

    /// One that takes `If-None-Match` out of every request, as servers do that do not know it.
    pub(crate) fn without_conditions(to: &S3Server) -> Proxy {
        let mut proxy = Proxy::closed(to);
        Arc::get_mut(&mut proxy.way).expect("nobody else has it").drops_conditions = true;
        proxy.open();
        proxy
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers from now on.
    pub(crate) fn open(&mut self) {
        let _inside = RUNTIME.enter();
        let socket = self.socket.take().expect("it is opened once");
        let listener = socket.listen(64).expect("the port is ours");
        let router = Router::new().fallback(pass_on).with_state(Arc::clone(&self.way));
        RUNTIME.spawn(axum::serve(listener, router).into_future());
    }

    /// Whether the server behind seems to be away.
    pub(crate) fn set_away(&self, away: bool) {
        self.way.away.store(away, Ordering::Relaxed);
    }
}

async fn pass_on(State(way): State<Arc<Way>>, request: Request) -> Response {
    let answer = |code: StatusCode, body: Body| Response::builder().status(code).body(body).expect("an answer");
    if way.away.load(Ordering::Relaxed) {
        return answer(StatusCode::SERVICE_UNAVAILABLE, Body::empty());
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("the request comes to its end");
    let mut headers = parts.headers;
    headers.remove("host");
    if way.drops_conditions {
        headers.remove("if-none-match");
    }
    let sent = way.client.request(parts.method, format!("{}{}", way.to, parts.uri)).headers(headers).body(body).send();
    let Ok(got) = sent.await else { return answer(StatusCode::BAD_GATEWAY, Body::empty()) };
    let mut response = Response::builder().status(got.status());
    for (name, value) in
        got.headers().iter().filter(|(name, _)| !matches!(name.as_str(), "connection" | "transfer-encoding"))
    {
        response = response.header(name, value);
    }
    response.body(Body::from(got.bytes().await.unwrap_or_default())).expect("an answer")
}
