//! What the stand-in is told at its start, with the defaults of `ingest simulate`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

/// The keys that clients must show. They guard nothing; they are there so that a client's authentication is really used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The app's key, for both the bearer exchange and OAuth 1.0a.
    pub consumer_key: String,
    /// The app's secret.
    pub consumer_secret: String,
    /// The user's token, v1.1 only.
    pub access_token: String,
    /// The user's secret, v1.1 only.
    pub access_token_secret: String,
    /// The token of app-only requests, v2.
    pub bearer_token: String,
}

impl Default for Credentials {
    fn default() -> Credentials {
        Credentials {
            consumer_key: "sim-consumer-key".to_owned(),
            consumer_secret: "sim-consumer-secret".to_owned(),
            access_token: "sim-access-token".to_owned(),
            access_token_secret: "sim-access-token-secret".to_owned(),
            bearer_token: "sim-bearer-token".to_owned(),
        }
    }
}

/// What the app is subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Plan {
    /// No streams: 403 `client-not-enrolled`.
    Basic,
    /// One connection, 1,000 rules of 1,024 characters, no backfill.
    #[default]
    PayPerUse,
    /// Two connections, 25,000 rules of 2,048 characters, backfill.
    Enterprise,
}

impl Plan {
    /// Connections to the filtered stream at a time.
    pub(crate) fn connections(self) -> usize {
        if self == Plan::Enterprise { 2 } else { 1 }
    }

    /// Rules at a time.
    pub(crate) fn rules(self) -> usize {
        if self == Plan::Enterprise { 25_000 } else { 1000 }
    }

    /// Characters a rule.
    pub(crate) fn rule_chars(self) -> usize {
        if self == Plan::Enterprise { 2048 } else { 1024 }
    }
}

/// What happens to a connection beyond the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Excess {
    /// It gets 429, as everyone sees it in the field.
    #[default]
    RejectNew,
    /// It is let in and the oldest one is disconnected, as one page of the documentation says.
    EvictOldest,
}

/// How the stand-in behaves. [`Options::default`] listens on a free port of the loopback.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What clients must show.
    pub credentials: Credentials,
    /// Whether they must; without it every request passes.
    pub require_auth: bool,
    /// What the app is subscribed to.
    pub plan: Plan,
    /// What happens to a connection beyond the limit.
    pub on_excess: Excess,
    /// Connects to a v2 stream in 15 minutes before 429.
    pub connects_per_window: u64,
    /// Connects to a v1.1 stream in a minute before 420.
    pub v1_connects_per_minute: u64,
    /// Silence before a heartbeat; `None` is 20 s on v2 and 30 s on v1.1.
    pub heartbeat: Option<Duration>,
    /// Rules that are there from the start.
    pub rules: Vec<String>,
    /// The same seed gives the same tweets.
    pub seed: u64,
    /// Tweets a second of wall time; 0 is as fast as the slowest reader.
    pub rate: f64,
    /// Random distances between tweets (a Poisson process) in place of equal ones.
    pub jitter: bool,
    /// The stream ends after so many tweets.
    pub count: Option<u64>,
    /// How much faster than wall time `created_at` goes on.
    pub speedup: f64,
    /// `created_at` of the first tweet; by default so early that `created_at` does not pass the present.
    pub start: Option<Timestamp>,
    /// Share of tweets written up to ten simulated minutes before their turn.
    pub late_share: f64,
    /// Share of tweets sent once more a little later.
    pub duplicates: f64,
    /// A file of lines to send in place of generated tweets; `.gz` and `.zst` are understood.
    pub replay: Option<PathBuf>,
    /// Where to write one line a tweet that was sent: id, `created_at` in milliseconds, connection, by tabs.
    pub truth: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            credentials: Credentials::default(),
            require_auth: true,
            plan: Plan::default(),
            on_excess: Excess::default(),
            connects_per_window: 50,
            v1_connects_per_minute: 8,
            heartbeat: None,
            rules: Vec::new(),
            seed: 1,
            rate: 50.0,
            jitter: false,
            count: None,
            speedup: 1.0,
            start: None,
            late_share: 0.01,
            duplicates: 0.0,
            replay: None,
            truth: None,
        }
    }
}
