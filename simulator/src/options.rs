//! How the simulator behaves. The options are the arguments of `ingest simulate`, with their defaults and help texts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser as _;
use clap::{ArgAction, Args, Parser as _, value_parser};
use jiff::Timestamp;

/// The credentials that clients must send. They protect nothing: they make clients use their authentication.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Credentials {
    /// The app's key
    #[arg(long, value_name = "KEY", default_value = "sim-consumer-key")]
    pub consumer_key: String,
    /// The app's secret
    #[arg(long, value_name = "SECRET", default_value = "sim-consumer-secret")]
    pub consumer_secret: String,
    /// The user's token (v1.1)
    #[arg(long, value_name = "TOKEN", default_value = "sim-access-token")]
    pub access_token: String,
    /// The user's secret (v1.1)
    #[arg(long, value_name = "SECRET", default_value = "sim-access-token-secret")]
    pub access_token_secret: String,
    /// The app's bearer token (v2)
    #[arg(long, value_name = "TOKEN", default_value = "sim-bearer-token")]
    pub bearer_token: String,
}

impl Default for Credentials {
    fn default() -> Credentials {
        Options::default().credentials
    }
}

/// The app's subscription.
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
    /// Simultaneous connections to the filtered stream.
    pub(crate) fn max_connections(self) -> usize {
        if self == Plan::Enterprise { 2 } else { 1 }
    }

    pub(crate) fn max_rules(self) -> usize {
        if self == Plan::Enterprise { 25_000 } else { 1000 }
    }

    pub(crate) fn max_rule_chars(self) -> usize {
        if self == Plan::Enterprise { 2048 } else { 1024 }
    }
}

/// What happens to a v2 connection beyond the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Excess {
    /// It gets 429, as the service does in practice.
    #[default]
    RejectNew,
    /// It is accepted and the oldest one is disconnected, as one page of the documentation says.
    EvictOldest,
}

/// The options of one simulator. [`Options::default`] listens on a free port of the loopback.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8089")]
    pub listen: SocketAddr,
    /// Tweets a second; 0 is as fast as the slowest reader
    #[arg(long, value_name = "TWEETS", default_value_t = 50.0)]
    pub rate: f64,
    /// As fast as the slowest reader, like --rate 0
    #[arg(long, conflicts_with = "rate")]
    pub flat_out: bool,
    /// Random distances between tweets (a Poisson process) instead of equal ones
    #[arg(long)]
    pub jitter: bool,
    /// End the stream after so many tweets
    #[arg(long, value_name = "TWEETS")]
    pub count: Option<u64>,
    /// The same seed and start give the same tweets
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How much faster than the clock created_at advances; 360 makes an hour of ten seconds
    #[arg(long, value_name = "TIMES", default_value_t = 1.0)]
    pub speedup: f64,
    /// created_at of the first tweet, such as 2026-11-22T05 or 2026-11-22T05:00:00Z; by default early enough not to pass the present
    #[arg(long, value_name = "TIME", value_parser = start_time)]
    pub start: Option<Timestamp>,
    /// Share of tweets that come up to ten simulated minutes late
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    pub late_share: f64,
    /// Share of tweets that are sent twice
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub duplicates: f64,
    /// Send the lines of a file (.json, .gz, .zst) instead of generated tweets
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
    /// Write id, created_at in milliseconds and connection of every tweet sent to this file
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
    /// A v2 rule that exists from the start; may be given again
    #[arg(long = "rule", value_name = "RULE")]
    pub rules: Vec<String>,
    /// Seconds of silence before a heartbeat [default: 20 on v2, 30 on v1.1]
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u64).range(1..).map(Duration::from_secs))]
    pub heartbeat: Option<Duration>,
    /// The app's subscription
    #[arg(long, value_enum, default_value_t)]
    pub plan: Plan,
    /// What happens to a v2 connection beyond the limit
    #[arg(long, value_enum, default_value_t)]
    pub on_excess: Excess,
    /// Connects to v2 streams in 15 minutes
    #[arg(long, value_name = "CONNECTS", default_value_t = 50)]
    pub connects: u64,
    /// Connects to v1.1 streams in a minute
    #[arg(long, value_name = "CONNECTS", default_value_t = 8)]
    pub v1_connects: u64,
    /// Whether clients must send their credentials
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub require_auth: bool,
    /// See [`Credentials`].
    #[command(flatten)]
    pub credentials: Credentials,
}

impl Default for Options {
    fn default() -> Options {
        #[derive(clap::Parser)]
        struct CommandLine {
            #[command(flatten)]
            options: Options,
        }
        let line = CommandLine::try_parse_from(["simulate"]).expect("every argument has a default");
        Options { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), ..line.options }
    }
}

impl Options {
    /// Tweets a second; `None` is as fast as the slowest reader.
    pub(crate) fn pace(&self) -> Option<f64> {
        (!self.flat_out && self.rate > 0.0).then_some(self.rate)
    }

    /// # Errors
    /// Which value is out of range.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !(0.0..=1e6).contains(&self.rate) {
            return Err("rate must be from 0 to 1,000,000 tweets a second".to_owned());
        }
        if !(self.speedup > 0.0 && self.speedup <= 1e6) {
            return Err("speedup must be more than 0 and at most 1,000,000".to_owned());
        }
        for (name, share) in [("late-share", self.late_share), ("duplicates", self.duplicates)] {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("{name} must be from 0 to 1"));
            }
        }
        if self.start.is_some_and(|start| start.as_millisecond() < 1_456_000_000_000) {
            return Err("start must not be before 2016-03-01, ids were different then".to_owned());
        }
        if self.rules.len() > self.plan.max_rules() {
            return Err(format!("the plan allows {} rules, {} are given", self.plan.max_rules(), self.rules.len()));
        }
        Ok(())
    }
}

/// Parses a full time, or an hour.
fn start_time(text: &str) -> Result<Timestamp, String> {
    let hour = format!("{text}:00:00Z");
    text.parse().or_else(|_| hour.parse()).map_err(|_| "write it as 2026-11-22T05 or 2026-11-22T05:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let options = Options::default();
        assert_eq!(options.listen, "127.0.0.1:0".parse().expect("an address"));
        assert_eq!((options.pace(), options.speedup, options.seed, options.count), (Some(50.0), 1.0, 1, None));
        assert_eq!((options.late_share, options.duplicates, options.jitter), (0.01, 0.0, false));
        assert_eq!((options.plan, options.on_excess), (Plan::PayPerUse, Excess::RejectNew));
        assert_eq!((options.connects, options.v1_connects, options.require_auth), (50, 8, true));
        assert_eq!((options.heartbeat, options.start, options.rules.len()), (None, None, 0));
        assert_eq!(options.credentials.bearer_token, "sim-bearer-token");
    }

    #[test]
    fn a_start_is_an_hour_or_a_full_time() {
        assert_eq!(start_time("2026-11-22T05"), Ok("2026-11-22T05:00:00Z".parse().expect("a time")));
        assert_eq!(start_time("2026-11-22T05:30:00+02:00"), Ok("2026-11-22T03:30:00Z".parse().expect("a time")));
        assert!(start_time("yesterday").is_err());
    }
}
