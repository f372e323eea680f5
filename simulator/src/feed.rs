//! The bytes of one connection: turns as they come, heartbeats between them, a message before the service disconnects.
//!
//! The server polls it when the socket takes more, so a slow client slows its own feed and nothing else. A feed that is
//! dropped, because the client went away, frees its place.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{Stream, unfold};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app::{App, now_ms};
use crate::encode::{Encoded, Encoder};
use crate::problems;
use crate::timeline::{Entry, Next, Reader};
use crate::wire::v1;

/// Turns encoded at a time: a block stays near a megabyte.
const BLOCK: usize = 256;
/// Fewer turns than this are encoded without a blocking thread.
const INLINE: usize = 16;
/// How full of unread turns the log must be for a warning.
const WARNING_PERCENT: u64 = 60;
/// Time between two warnings.
const WARNING_PAUSE: Duration = Duration::from_secs(300);

/// The stream of one connection.
#[derive(Debug)]
pub(crate) struct Feed {
    app: Arc<App>,
    number: u64,
    encoder: Encoder,
    reader: Reader,
    evicted: CancellationToken,
    heartbeat: Duration,
    /// When bytes were sent last.
    last: Instant,
    /// Tweets missed since the connection began.
    missed: u64,
    warned: Option<Instant>,
    /// After the end of a counted run a new connection stays open and silent.
    is_silent: bool,
    is_closed: bool,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.app.connections.lock().remove(self.number);
        tracing::info!(connection = self.number, "connection closed");
    }
}

impl Feed {
    /// The feed of the connection that [`crate::connections::Connections::add`] has given this number and token. It starts
    /// `back` turns before the newest; `heartbeat` is the longest silence unless an option sets it.
    pub(crate) fn new(
        app: &Arc<App>,
        (number, evicted): (u64, CancellationToken),
        encoder: Encoder,
        back: u64,
        heartbeat: Duration,
    ) -> Feed {
        Feed {
            is_silent: app.timeline.has_ended() && back == 0,
            reader: app.timeline.read(back),
            heartbeat: app.options.heartbeat.unwrap_or(heartbeat),
            app: Arc::clone(app),
            number,
            encoder,
            evicted,
            last: Instant::now(),
            missed: 0,
            warned: None,
            is_closed: false,
        }
    }

    /// The bytes to send, until the connection ends.
    pub(crate) fn into_stream(mut self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + Send {
        self.last = Instant::now();
        unfold(self, |mut feed| async move {
            let bytes = feed.next().await?;
            feed.last = Instant::now();
            Some((Ok(bytes.into()), feed))
        })
    }

    async fn next(&mut self) -> Option<Vec<u8>> {
        while !self.is_closed {
            let bytes = tokio::select! {
                biased;
                () = self.app.stop.cancelled() => return None,
                () = self.evicted.cancelled() => {
                    self.is_closed = true;
                    self.eviction()
                }
                next = self.reader.next(BLOCK), if !self.is_silent => match next {
                    Next::Turns(entries, missed) => self.turns(entries, missed).await,
                    Next::Ended => return None,
                },
                () = tokio::time::sleep_until(self.last + self.heartbeat) => b"\r\n".to_vec(),
            };
            if !bytes.is_empty() {
                return Some(bytes);
            }
        }
        None
    }

    async fn turns(&mut self, entries: Vec<Arc<Entry>>, missed: u64) -> Vec<u8> {
        let Encoded { mut bytes, sent } = if entries.len() < INLINE {
            self.encoder.encode(&self.app, &entries)
        } else {
            let (encoder, app) = (self.encoder.clone(), Arc::clone(&self.app));
            tokio::task::spawn_blocking(move || encoder.encode(&app, &entries)).await.unwrap_or_else(|error| {
                tracing::error!(%error, "cannot encode tweets");
                Encoded::default()
            })
        };
        if missed > 0 {
            self.missed += missed;
            tracing::warn!(connection = self.number, missed = self.missed, "the client reads too slowly");
            // v1.1 says how many tweets are missing and goes on, v2 ends the connection.
            if self.encoder.selection.is_v2() {
                self.is_closed = true;
                return disconnect(
                    "SlowReader",
                    "This stream has been disconnected because the client reads too slowly.",
                );
            }
            let limit = self.message(|line| v1::write_limit(line, self.missed, now_ms()));
            bytes.splice(..0, limit);
        } else if self.encoder.has_stall_warnings {
            let percent = self.reader.percent_behind();
            let is_due = self.warned.is_none_or(|last| last.elapsed() >= WARNING_PAUSE);
            if percent >= WARNING_PERCENT && is_due {
                self.warned = Some(Instant::now());
                bytes.extend(self.message(|line| v1::write_warning(line, percent, now_ms())));
            }
        }
        self.app.truth.record(self.number, &sent);
        bytes
    }

    /// A v1.1 message in its frame.
    fn message(&self, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let (mut line, mut framed) = (Vec::new(), Vec::new());
        write(&mut line);
        self.encoder.frame(&mut framed, &line);
        framed
    }

    /// The last message of a connection that gives way to a younger one.
    fn eviction(&self) -> Vec<u8> {
        if self.encoder.selection.is_v2() {
            return disconnect("OperationalDisconnect", "This stream has been disconnected for operational reasons.");
        }
        let line = br#"{"disconnect":{"code":7,"stream_name":"simulator-statuses","reason":"admin logout"}}"#;
        self.message(|message| message.extend_from_slice(line))
    }
}

/// The last line of a v2 stream.
fn disconnect(kind: &str, detail: &str) -> Vec<u8> {
    format!("{}\r\n", problems::disconnect(kind, detail)).into_bytes()
}
