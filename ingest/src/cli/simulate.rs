//! `ingest simulate`: runs a simulator until it is stopped.
//!
//! Standard output gets one line with the address, for scripts; everything for people goes to standard error.

use std::io::Write as _;

use anyhow::Context as _;
use cauce_simulator::{Credentials, Options, Simulator};
use tokio::signal::unix::{SignalKind, signal};

use crate::status::log_queue;

/// Runs a simulator until SIGINT or SIGTERM.
///
/// # Errors
/// If it cannot start: port in use, unreadable file, an option out of range.
pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let has_own_credentials = options.credentials != Credentials::default();
    let is_flat_out = options.flat_out || options.rate <= 0.0;
    let pace =
        if is_flat_out { "as fast as they are read".to_owned() } else { format!("{} tweets a second", options.rate) };
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch signals")?;
    let simulator = Simulator::start(options).await?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on {}", simulator.base_url())
        .and_then(|()| stdout.flush())
        .context("cannot write to standard output")?;
    drop(stdout);
    log_queue::say(&format!(
        "generated tweets, {pace}; nothing is real, and the timeline begins with the first connection"
    ));
    if !has_own_credentials {
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
    tracing::info!(sent = simulator.sent(), "stopping");
    simulator.stop().await;
    Ok(())
}
