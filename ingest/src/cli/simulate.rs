//! `ingest simulate`: runs the X API's stand-in until it is stopped.
//!
//! The only thing printed on standard output is one line with the address, for scripts; everything for people goes to
//! standard error.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::ArgAction;
use jiff::Timestamp;

use crate::simulate::{Credentials, Excess, Options, Plan, Server};
use crate::status::log_queue;

/// Arguments of `ingest simulate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8089")]
    listen: SocketAddr,
    /// Tweets a second; 0 is as fast as the slowest reader
    #[arg(long, value_name = "TWEETS", default_value_t = 50.0)]
    rate: f64,
    /// As fast as the slowest reader, like --rate 0
    #[arg(long, conflicts_with = "rate")]
    flat_out: bool,
    /// Random distances between tweets instead of equal ones
    #[arg(long)]
    jitter: bool,
    /// End the stream after so many tweets
    #[arg(long, value_name = "TWEETS")]
    count: Option<u64>,
    /// The same seed and start give the same tweets
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How much faster than the clock created_at goes on; 360 makes an hour of ten seconds
    #[arg(long, value_name = "TIMES", default_value_t = 1.0)]
    speedup: f64,
    /// created_at of the first tweet, such as 2026-11-22T05 or 2026-11-22T05:00:00Z; by default early enough not to pass the present
    #[arg(long, value_name = "TIME", value_parser = start_time)]
    start: Option<Timestamp>,
    /// Share of tweets that come up to ten simulated minutes late
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    late_share: f64,
    /// Share of tweets that are sent twice
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    duplicates: f64,
    /// Send the lines of a file (.json, .gz, .zst) instead of generated tweets
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Write id, created_at in milliseconds and connection of every tweet sent to this file
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// A v2 rule that is there from the start; may be given again
    #[arg(long = "rule", value_name = "RULE")]
    rules: Vec<String>,
    /// Seconds of silence before a heartbeat [default: 20 on v2, 30 on v1.1]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    heartbeat: Option<u64>,
    /// What the app is subscribed to
    #[arg(long, value_enum, default_value_t = Plan::PayPerUse)]
    plan: Plan,
    /// What happens to a v2 connection beyond the limit
    #[arg(long, value_enum, default_value_t = Excess::RejectNew)]
    on_excess: Excess,
    /// Connects to v2 streams in 15 minutes
    #[arg(long, value_name = "CONNECTS", default_value_t = 50)]
    connects: u64,
    /// Connects to v1.1 streams in a minute
    #[arg(long, value_name = "CONNECTS", default_value_t = 8)]
    v1_connects: u64,
    /// Whether clients must show their credentials
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    require_auth: bool,
    /// The app's key
    #[arg(long, value_name = "KEY", default_value = "sim-consumer-key")]
    consumer_key: String,
    /// The app's secret
    #[arg(long, value_name = "SECRET", default_value = "sim-consumer-secret")]
    consumer_secret: String,
    /// The user's token (v1.1)
    #[arg(long, value_name = "TOKEN", default_value = "sim-access-token")]
    access_token: String,
    /// The user's secret (v1.1)
    #[arg(long, value_name = "SECRET", default_value = "sim-access-token-secret")]
    access_token_secret: String,
    /// The app's bearer token (v2)
    #[arg(long, value_name = "TOKEN", default_value = "sim-bearer-token")]
    bearer_token: String,
}

/// A full time, or an hour.
fn start_time(text: &str) -> Result<Timestamp, String> {
    let hour = format!("{text}:00:00Z");
    text.parse().or_else(|_| hour.parse()).map_err(|_| "write it as 2026-11-22T05 or 2026-11-22T05:00:00Z".to_owned())
}

impl Args {
    fn into_options(self) -> Options {
        Options {
            listen: self.listen,
            credentials: Credentials {
                consumer_key: self.consumer_key,
                consumer_secret: self.consumer_secret,
                access_token: self.access_token,
                access_token_secret: self.access_token_secret,
                bearer_token: self.bearer_token,
            },
            require_auth: self.require_auth,
            plan: self.plan,
            on_excess: self.on_excess,
            connects_per_window: self.connects,
            v1_connects_per_minute: self.v1_connects,
            heartbeat: self.heartbeat.map(Duration::from_secs),
            rules: self.rules,
            seed: self.seed,
            rate: if self.flat_out { 0.0 } else { self.rate },
            jitter: self.jitter,
            count: self.count,
            speedup: self.speedup,
            start: self.start,
            late_share: self.late_share,
            duplicates: self.duplicates,
            replay: self.replay,
            truth: self.truth,
        }
    }
}

/// Runs the stand-in until SIGINT or SIGTERM.
///
/// # Errors
/// When it cannot start: port in use, unreadable file, an option out of bounds.
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let options = args.into_options();
    let own_credentials = options.credentials != Credentials::default();
    let rate = options.rate;
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).context("cannot watch signals")?;
    let running = Server::start(options).await?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on {}", running.base_url())
        .and_then(|()| stdout.flush())
        .context("cannot write to standard output")?;
    drop(stdout);
    let pace = if rate > 0.0 { format!("{rate} tweets a second") } else { "as fast as they are read".to_owned() };
    log_queue::say(&format!(
        "generated tweets, {pace}; nothing here is real, and the timeline begins with the first connection"
    ));
    if !own_credentials {
        let keys = Credentials::default();
        log_queue::say(&format!(
            "credentials: bearer token {}, consumer key {}\n  consumer secret {}, access token {}\n  access token secret {}",
            keys.bearer_token, keys.consumer_key, keys.consumer_secret, keys.access_token, keys.access_token_secret
        ));
    }
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot watch signals")?,
        _ = terminate.recv() => {}
    }
    tracing::info!(sent = running.sent(), "stopping");
    running.stop().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn without_arguments_the_options_are_the_documented_defaults() {
        let options = Command::try_parse_from(["simulate"]).expect("no argument is required").args.into_options();
        let expected = Options { listen: "127.0.0.1:8089".parse().expect("an address"), ..Options::default() };
        assert_eq!(format!("{options:?}"), format!("{expected:?}"));
    }

    #[test]
    fn a_start_is_an_hour_or_a_full_time() {
        assert_eq!(start_time("2026-11-22T05"), Ok("2026-11-22T05:00:00Z".parse().expect("a time")));
        assert_eq!(start_time("2026-11-22T05:30:00+02:00"), Ok("2026-11-22T03:30:00Z".parse().expect("a time")));
        assert!(start_time("yesterday").is_err());
    }
}
