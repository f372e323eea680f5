//! `ingest run`: holds the stream and writes the lake until the input ends or a signal comes.

use std::process::ExitCode;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::config_args::ConfigArgs;
use super::signals::Signals;
use super::{Failure, Outcome, disks, runtime};
use crate::agent::{self, AgentError, Report};
use crate::config::{self, Outside, Request, Settings};
use crate::status::Metrics;

/// Arguments of `ingest run`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The first SIGTERM, SIGINT or SIGHUP stops reading, stores what was accepted and exits; a second leaves at once."
)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Outcome {
    run_agent(&args.config.request())
}

/// Reads the configuration and runs the agent on it.
pub(super) fn run_agent(request: &Request) -> Outcome {
    let settings = config::load(request, &Outside::of_process())?.settings;
    for notice in settings.notices.iter().chain(&disks::notice(&settings)) {
        tracing::info!(notice, "configuration");
    }
    let runtime = runtime()?;
    let report = runtime.block_on(until_stopped(settings))?;
    // Whatever still reads standard input cannot be interrupted and must not hold up the exit.
    runtime.shutdown_background();
    let Report { accepted, duplicates, objects, hours_closed, left_in_spool } = report;
    tracing::info!(accepted, duplicates, objects, hours_closed, left_in_spool, "done");
    Ok(ExitCode::SUCCESS)
}

async fn until_stopped(settings: Settings) -> Result<Report, Failure> {
    let stop = CancellationToken::new();
    let stop_now = CancellationToken::new();
    // Before anything is started, so that no signal finds the default action.
    let waiting = tokio::spawn(obey(Signals::listen()?, stop.clone(), stop_now.clone()));
    let result = agent::run(settings, Arc::new(Metrics::default()), stop, stop_now).await;
    waiting.abort();
    result.map_err(|error: AgentError| error.into())
}

/// The first signal asks for a stop, the second for one at once. Ends when aborted.
async fn obey(mut signals: Signals, stop: CancellationToken, stop_now: CancellationToken) {
    for token in [stop, stop_now] {
        match signals.next().await {
            signal @ "SIGHUP" => tracing::info!(signal, "stopping, as for SIGTERM: there is nothing to read anew"),
            signal => tracing::info!(signal, "stopping"),
        }
        token.cancel();
    }
}
