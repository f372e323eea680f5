//! One connection's stream of bytes: turns as they come, heartbeats in between, the last words at the end.
//!
//! The server polls it whenever the socket takes more, so a slow client slows its own feed and nothing else. A feed that
//! is dropped (the client went away) gives its place free.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{Stream, unfold};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::app::App;
use super::connections::Wants;
use super::encode::{Encoder, Written};
use super::timeline::{Entry, Next, Reader};

/// Turns written at a time: enough to be quick, few enough that a block stays near a megabyte.
const BLOCK: usize = 256;
/// Fewer turns than this are written on the spot.
const INLINE: usize = 16;
/// How full the log must be of unread tweets for a warning.
const WARNING_PERCENT: u64 = 60;
/// Time between two warnings.
const WARNING_PAUSE: Duration = Duration::from_secs(300);

/// One connection.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) app: Arc<App>,
    pub(crate) number: u64,
    pub(crate) encoder: Encoder,
    pub(crate) reader: Reader,
    pub(crate) heartbeat: Duration,
    pub(crate) evicted: CancellationToken,
    /// Tweets missed since the connection began.
    pub(crate) missed: u64,
    /// When the client was last told that it falls behind.
    pub(crate) warned: Option<Instant>,
    /// Nothing follows.
    pub(crate) closed: bool,
    /// After the end of a counted run a new connection stays open and quiet.
    pub(crate) quiet: bool,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.app.connections().remove(self.number);
        tracing::info!(connection = self.number, "connection closed");
    }
}

enum Step {
    Turns(Vec<Arc<Entry>>, u64),
    Heartbeat,
    Ended,
    Evicted,
    Stopped,
}

impl Feed {
    /// The bytes to send, until the end.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + Send {
        let last = Instant::now();
        unfold((self, last), |(mut feed, mut last)| async move {
            let bytes = feed.next(&mut last).await?;
            Some((Ok(bytes), (feed, last)))
        })
    }

    async fn next(&mut self, last: &mut Instant) -> Option<Bytes> {
        while !self.closed {
            let deadline = *last + self.heartbeat;
            let step = tokio::select! {
                biased;
                () = self.app.stop.cancelled() => Step::Stopped,
                () = self.evicted.cancelled() => Step::Evicted,
                next = self.reader.next(BLOCK), if !self.quiet => match next {
                    Next::Turns(entries, missed) => Step::Turns(entries, missed),
                    Next::Ended => Step::Ended,
                },
                () = tokio::time::sleep_until(deadline) => Step::Heartbeat,
            };
            let bytes = match step {
                Step::Stopped | Step::Ended => return None,
                Step::Evicted => {
                    self.closed = true;
                    self.farewell()
                }
                Step::Heartbeat => b"\r\n".to_vec(),
                Step::Turns(entries, missed) => self.turns(entries, missed).await,
            };
            if !bytes.is_empty() {
                *last = Instant::now();
                return Some(Bytes::from(bytes));
            }
        }
        None
    }

    async fn turns(&mut self, entries: Vec<Arc<Entry>>, missed: u64) -> Vec<u8> {
        let written = if entries.len() < INLINE {
            self.encoder.write(&self.app, &entries)
        } else {
            let (encoder, app) = (self.encoder.clone(), Arc::clone(&self.app));
            tokio::task::spawn_blocking(move || encoder.write(&app, &entries)).await.unwrap_or_else(|error| {
                tracing::error!(%error, "cannot write tweets");
                Written::default()
            })
        };
        let mut bytes = written.bytes;
        if missed > 0 {
            self.missed += missed;
            bytes = self.fell_behind(bytes);
        } else if self.encoder.stall_warnings {
            self.warn_of_stall(&mut bytes);
        }
        if !self.closed {
            self.app.truth.note(self.number, &written.sent);
        }
        bytes
    }

    /// v1.1 warns at most once in five minutes.
    fn warn_of_stall(&mut self, bytes: &mut Vec<u8>) {
        let percent = self.reader.percent_behind();
        let due = self.warned.is_none_or(|last| last.elapsed() >= WARNING_PAUSE);
        if percent >= WARNING_PERCENT && due {
            self.warned = Some(Instant::now());
            bytes.extend_from_slice(&self.encoder.warning(percent, super::app::now_ms()));
        }
    }

    /// v1.1 says how much is missing and goes on; v2 ends the connection.
    fn fell_behind(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        tracing::warn!(connection = self.number, missed = self.missed, "the client reads too slowly");
        if self.encoder.wants.is_v2() {
            self.closed = true;
            return disconnect("SlowReader", "This stream has been disconnected because the client reads too slowly.");
        }
        let mut all = self.encoder.limit(self.missed, super::app::now_ms());
        all.extend_from_slice(&bytes);
        all
    }

    /// What a connection hears that gives way to a younger one.
    fn farewell(&self) -> Vec<u8> {
        match self.encoder.wants {
            Wants::Rules | Wants::SampleV2 => {
                disconnect("OperationalDisconnect", "This stream has been disconnected for operational reasons.")
            }
            Wants::Filter(_) | Wants::SampleV1 => {
                let line = br#"{"disconnect":{"code":7,"stream_name":"simulator-statuses","reason":"admin logout"}}"#;
                self.encoder.line(line)
            }
        }
    }
}

/// v2's last line.
fn disconnect(kind: &str, detail: &str) -> Vec<u8> {
    let line = serde_json::json!({"errors": [{"title": "operational-disconnect", "disconnect_type": kind, "detail": detail,
        "type": super::rule_book::problem("operational-disconnect")}]});
    format!("{line}\r\n").into_bytes()
}
