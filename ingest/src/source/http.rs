//! HTTP as both X sources use it: one client, bounded waits, answers with their body, and refusals that say what to do.
//!
//! No redirect is ever followed, so that no token does; over plain `http`, which settings allow to loopback only, no proxy is
//! asked either, so that tokens stay on the machine.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cauce_lake::store::{ServerTime, http_date_ms};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use reqwest::header::{CONTENT_ENCODING, DATE, HeaderMap, LOCATION};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use url::Url;

use super::SourceError;
use super::reconnect::Failure;
use crate::clock::{Clock, Peer};

/// Time for name, TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a whole answer, or for the headers of a stream.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for an answer of which only the date counts.
const TIME_TIMEOUT: Duration = Duration::from_secs(5);
/// What is kept of an answer's body.
const BODY_BYTES: usize = 1 << 20;

/// The bytes of an open stream, as they come.
pub(crate) type ByteStream = BoxStream<'static, Result<Bytes, TransportError>>;

/// A connection failed below HTTP. Its text names no address, since addresses may hold secrets.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TransportError(pub(crate) String);

/// Why there is no stream.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It may come by itself.
    Retry {
        /// One word with hyphens, for metrics and gaps.
        cause: String,
        /// What the wait depends on.
        failure: Failure,
        /// What was said, for the log.
        detail: String,
        /// Whether the other side saw the attempt.
        is_counted: bool,
    },
    /// It will not.
    Fatal {
        /// One word with hyphens, for metrics and gaps.
        cause: String,
        /// With what to do.
        error: SourceError,
    },
}

impl Refused {
    pub(crate) fn retry(cause: impl Into<String>, failure: Failure, detail: impl Into<String>) -> Refused {
        Refused::Retry { cause: cause.into(), failure, detail: detail.into(), is_counted: true }
    }

    pub(crate) fn fatal(cause: &str, error: SourceError) -> Refused {
        Refused::Fatal { cause: cause.to_owned(), error }
    }

    pub(crate) fn credentials(text: String) -> Refused {
        Refused::fatal("credentials", SourceError::Credentials(text))
    }

    pub(crate) fn configuration(text: String) -> Refused {
        Refused::fatal("configuration", SourceError::Configuration(text))
    }
}

/// An answer that is no open stream, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// At most [`BODY_BYTES`] of it.
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header that is a whole number.
    pub(crate) fn number(&self, header: &str) -> Option<i64> {
        self.headers.get(header)?.to_str().ok()?.trim().parse().ok()
    }

    /// The body's first words as they can be shown: one line, no control characters, not long.
    pub(crate) fn excerpt(&self) -> String {
        shown(&String::from_utf8_lossy(&self.body))
    }

    /// What is the same for every API: redirects, and failures of the server.
    pub(crate) fn general(&self) -> Option<Refused> {
        if self.status.is_redirection() {
            let to = self.headers.get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.and_then(|to| to.split(['?', '#']).next()).map_or("nowhere".to_owned(), shown);
            return Some(Refused::configuration(format!(
                "the API answers {} and points to {to}; no redirect is followed, so that credentials stay where they \
                 belong: check source.base_url",
                self.status
            )));
        }
        (self.status.is_server_error() || self.status == StatusCode::REQUEST_TIMEOUT)
            .then(|| Refused::retry(format!("http-{}", self.status.as_u16()), Failure::Http, self.excerpt()))
    }
}

/// Foreign text as it can be logged.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 300;
    let mut words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    words.retain(|word| !word.is_empty());
    let text = words.join(" ");
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A client for `base`.
pub(crate) fn client(base: &Url) -> Result<Client, SourceError> {
    let builder = Client::builder()
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        // An idle connection may be dead without our knowing; streams open rarely enough to pay for a new one.
        .pool_max_idle_per_host(0)
        .user_agent(concat!("cauce/", env!("CARGO_PKG_VERSION")));
    let builder = if base.scheme() == "http" { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| SourceError::Configuration(format!("no HTTP client: {}", chain(&error))))
}

/// The address of `path` under `base`, which may itself have a path.
pub(crate) fn endpoint(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url.set_query(None);
    url
}

/// Sends a request and reads the answer.
pub(crate) async fn ask(request: RequestBuilder) -> Result<Answer, Refused> {
    timed(async { answer(request.send().await.map_err(failed)?).await }).await
}

/// Sends a request that opens a stream: a 200 is handed on as it is, anything else is read to its end.
/// What the server says of the time, in any answer, is told to `clock`.
pub(crate) async fn open(request: RequestBuilder, clock: &Clock) -> Result<Result<ByteStream, Answer>, Refused> {
    timed(async {
        let response = request.send().await.map_err(failed)?;
        if let Some(time) = server_time(&response) {
            clock.observe(Peer::Stream, time);
        }
        if response.status() != StatusCode::OK {
            return answer(response).await.map(Err);
        }
        let encoding =
            response.headers().get(CONTENT_ENCODING).map(|value| shown(&String::from_utf8_lossy(value.as_bytes())));
        if let Some(encoding) = encoding.filter(|encoding| encoding != "identity") {
            return Err(Refused::retry(
                "encoding",
                Failure::Http,
                format!("the stream is {encoding} though not asked to be"),
            ));
        }
        Ok(Ok(response
            .bytes_stream()
            .map(|chunk| chunk.map_err(|error| TransportError(chain(&error.without_url()))))
            .boxed()))
    })
    .await
}

/// What a server says of the time.
fn server_time(response: &Response) -> Option<ServerTime> {
    let text = response.headers().get(DATE)?.to_str().ok()?;
    Some(ServerTime { at_ms: http_date_ms(text)?, received: std::time::Instant::now() })
}

/// Asks a server for the time and for nothing else, without showing who we are.
pub(crate) async fn ask_time(base: &Url) -> Option<ServerTime> {
    let asking = client(base).ok()?.head(base.clone()).timeout(TIME_TIMEOUT).send();
    server_time(&asking.await.ok()?)
}

async fn timed<T>(asking: impl Future<Output = Result<T, Refused>>) -> Result<T, Refused> {
    tokio::time::timeout(HEADER_TIMEOUT, asking).await.unwrap_or_else(|_| {
        Err(Refused::retry("timeout", Failure::Network, format!("no answer within {} s", HEADER_TIMEOUT.as_secs())))
    })
}

async fn answer(mut response: Response) -> Result<Answer, Refused> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = BytesMut::new();
    while body.len() < BODY_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(BODY_BYTES - body.len())]),
            Ok(None) => break,
            // The status says most of it; a body that breaks off is no reason to forget it.
            Err(error) => {
                tracing::debug!(error = chain(&error.without_url()), "answer broke off");
                break;
            }
        }
    }
    Ok(Answer { status, headers, body: body.freeze() })
}

fn failed(error: reqwest::Error) -> Refused {
    let cause = match (error.is_timeout(), error.is_connect()) {
        (true, _) => "timeout",
        (false, true) => "refused",
        (false, false) => "network",
    };
    let is_counted = !error.is_connect();
    Refused::Retry {
        cause: cause.to_owned(),
        failure: Failure::Network,
        detail: chain(&error.without_url()),
        is_counted,
    }
}

/// An error with its sources, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_keeps_the_path_of_a_gateway() {
        let base = Url::parse("https://gateway.example/x/?a=b").expect("a URL");
        assert_eq!(endpoint(&base, "2/usage").as_str(), "https://gateway.example/x/2/usage");
        let base = Url::parse("https://api.x.com").expect("a URL");
        assert_eq!(endpoint(&base, "2/usage").as_str(), "https://api.x.com/2/usage");
    }

    #[test]
    fn foreign_text_is_one_short_line() {
        assert_eq!(shown("a\r\n\u{1b}[31m b\t"), "a [31m b");
        assert_eq!(shown(&"é".repeat(400)).chars().count(), 301);
    }
}
