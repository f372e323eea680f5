//! An HTTP/1.1 server that bounds connections, header size, header time and idle time, for the status pages and the
//! simulator. If the process runs out of files, it waits and tries again.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a stop waits for clients that are still reading.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// At the limit, a connection without a request is closed after this time to make room for the next one.
const GRACE: Duration = Duration::from_millis(50);
/// Pause after a failed accept: the process has no file descriptors until others are closed.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Limits of one server.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at a time. At the limit the oldest one without a request is closed; if all have sent one, the next
    /// connection waits.
    pub connections: usize,
    /// Time for a request's head, and for the next one on an idle connection.
    pub head_timeout: Duration,
    /// Size of a request's head.
    pub head_bytes: usize,
    /// Whether a connection may send another request.
    pub keep_alive: bool,
    /// Time for a whole connection.
    pub lifetime: Option<Duration>,
}

/// A connection whose first request has not arrived.
struct Silent {
    asked: Arc<AtomicBool>,
    since: Instant,
    task: AbortHandle,
}

/// Serves `pages` until `stop` is cancelled; running answers then have two seconds to end.
pub async fn serve(listener: TcpListener, pages: Router, bounds: Bounds, stop: CancellationToken) {
    let mut open = JoinSet::new();
    let mut silent: VecDeque<Silent> = VecDeque::new();
    let mut is_refused = false;
    loop {
        silent.retain(|one| !one.asked.load(Ordering::Relaxed) && !one.task.is_finished());
        let is_full = open.len() >= bounds.connections;
        let oldest = silent.front().map_or_else(Instant::now, |one| one.since);
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = open.join_next() => {}
            accepted = listener.accept(), if !is_full => match accepted {
                Ok((stream, _)) => {
                    is_refused = false;
                    let asked = Arc::new(AtomicBool::new(false));
                    let connection = connection(stream, pages.clone(), bounds, Arc::clone(&asked), stop.clone());
                    let task = open.spawn(connection);
                    silent.push_back(Silent { asked, since: Instant::now(), task });
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if !is_refused {
                        tracing::warn!(%error, "cannot accept connections; trying again each second");
                    }
                    is_refused = true;
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            () = tokio::time::sleep_until(oldest + GRACE), if is_full && !silent.is_empty() => {
                if let Some(one) = silent.pop_front()
                    && !one.asked.load(Ordering::Relaxed)
                {
                    one.task.abort();
                }
            }
        }
    }
    // New clients are refused from now on.
    drop(listener);
    let ending = async { while open.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_ANSWERS, ending).await;
}

/// Whether an error of `accept` concerns one connection and not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Serves one connection to its end.
async fn connection(stream: TcpStream, pages: Router, bounds: Bounds, asked: Arc<AtomicBool>, stop: CancellationToken) {
    // Without this a small piece would wait for the acknowledgement of the one before it.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot switch off delays");
    }
    let pages = TowerToHyperService::new(pages);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        pages.call(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_timeout)
        .max_buf_size(bounds.head_bytes)
        .keep_alive(bounds.keep_alive)
        .serve_connection(TokioIo::new(stream), service);
    let serving = async {
        let mut connection = std::pin::pin!(connection);
        let done = tokio::select! {
            done = connection.as_mut() => done,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = done {
            tracing::debug!(%error, "a client's connection ended early");
        }
    };
    match bounds.lifetime {
        Some(lifetime) => drop(tokio::time::timeout(lifetime, serving).await),
        None => serving.await,
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use futures_util::{StreamExt as _, stream};
    use std::convert::Infallible;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const BOUNDS: Bounds = Bounds {
        connections: 4,
        head_timeout: Duration::from_millis(300),
        head_bytes: 8192,
        keep_alive: true,
        lifetime: None,
    };

    async fn start(bounds: Bounds) -> (String, CancellationToken) {
        // A line every 100 ms, longer than any limit on heads.
        let ticks = || async {
            let lines = stream::iter(0..10).then(|number| async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok::<_, Infallible>(format!("{number}\n"))
            });
            Body::from_stream(lines)
        };
        let pages = Router::new().route("/", get(|| async { "here\n" })).route("/ticks", get(ticks));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, pages, bounds, stop.clone()));
        (address, stop)
    }

    /// Sends something and reads until the other side closes.
    async fn exchange(address: &str, text: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(text.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        // A reset is an end too.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).expect("text")
    }

    const ASK: &str = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn a_head_that_does_not_end_and_an_idle_connection_are_closed() {
        let (address, stop) = start(BOUNDS).await;
        for text in ["", "GET / HTTP/1.1\r\nHost: x\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
            let answer = tokio::time::timeout(Duration::from_secs(20), exchange(&address, text)).await;
            let answer = answer.expect("the connection is closed");
            assert_eq!(answer.contains("here"), text.ends_with("\r\n\r\n"), "{answer}");
        }
        stop.cancel();
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused() {
        let (address, stop) = start(BOUNDS).await;
        let answer = exchange(&address, &format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000))).await;
        assert!(!answer.contains("200 OK"), "{answer}");
        assert!(exchange(&address, ASK).await.ends_with("here\n"));
        stop.cancel();
    }

    #[tokio::test]
    async fn a_request_finds_room_among_silent_connections() {
        let (address, stop) = start(Bounds { head_timeout: Duration::from_secs(3600), ..BOUNDS }).await;
        let mut silent = Vec::new();
        for _ in 0..20 {
            silent.push(TcpStream::connect(&address).await.expect("connected"));
        }
        let answer = tokio::time::timeout(Duration::from_secs(20), exchange(&address, ASK)).await;
        assert!(answer.expect("an answer").ends_with("here\n"));
        stop.cancel();
    }

    #[tokio::test]
    async fn a_stream_outlives_the_limits_and_makes_no_room() {
        let (address, stop) = start(Bounds { connections: 1, ..BOUNDS }).await;
        let stream = tokio::spawn({
            let address = address.clone();
            async move { exchange(&address, "GET /ticks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await }
        });
        // They wait for the only place, and the last one of them gets it when the stream has ended.
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                tokio::spawn({
                    let address = address.clone();
                    async move { exchange(&address, ASK).await }
                })
            })
            .collect();
        let streamed = stream.await.expect("no panic");
        assert!(streamed.contains("\r\n9\n"), "{streamed}");
        for one in waiting {
            assert!(one.await.expect("no panic").ends_with("here\n"));
        }
        stop.cancel();
    }

    #[tokio::test]
    async fn a_lifetime_ends_a_client_that_does_not_read() {
        let bounds = Bounds { lifetime: Some(Duration::from_millis(250)), ..BOUNDS };
        let (address, stop) = start(bounds).await;
        let answer = exchange(&address, "GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.contains("200 OK") && !answer.contains("\r\n9\n"), "{answer}");
        stop.cancel();
    }
}
