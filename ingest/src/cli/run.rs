//! `ingest run`: holds the stream and writes the lake until the input ends or a signal comes.

use std::process::ExitCode;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::config_args::ConfigArgs;
use super::signals::Signals;
use super::{Failure, Outcome, disks, runtime};
use crate::agent::{self, AgentError, Report};
use crate::config::settings::SourceSettings;
use crate::config::{self, Outside, Request, Settings};
use crate::source;
use crate::status::Metrics;
use crate::writer::OpenHour;

/// Arguments of `ingest run`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The first SIGTERM, SIGINT or SIGHUP stops reading, stores what was accepted and exits; a second leaves at once."
)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Take the lake at once, whichever agent holds it: that one stops. For one start by hand, never for a service.
    #[arg(long)]
    take_over: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Outcome {
    run_agent(&args.config.request(), args.take_over)
}

/// Reads the configuration and runs the agent on it. `take_over` is that of the command line.
pub(super) fn run_agent(request: &Request, take_over: bool) -> Outcome {
    let mut settings = config::load(request, &Outside::of_process())?.settings;
    settings.agent.take_over = take_over;
    if let SourceSettings::Stdin { .. } = settings.source {
        source::stdin::keep();
    }
    for notice in settings.notices.iter().chain(&disks::notice(&settings)) {
        tracing::info!(notice, "configuration");
    }
    let is_live = settings.source.is_live();
    let runtime = runtime()?;
    let report = runtime.block_on(until_stopped(settings))?;
    // Whatever still reads standard input cannot be interrupted and must not hold up the exit.
    runtime.shutdown_background();
    say_done(&report);
    report.outcome()?;
    // Duplicates show that the input is understood: it was stored before.
    if !is_live && report.tweets == 0 && report.duplicates == 0 && report.rejects > 0 {
        let first = report.first_reject.unwrap_or_default();
        return Err(anyhow::anyhow!(
            "no line of the input is a tweet, and {} were rejected: {first}; `ingest rejects` shows them",
            report.rejects
        )
        .into());
    }
    Ok(ExitCode::SUCCESS)
}

/// The last word of a run: what it did, and what a person may want to look at.
pub(super) fn say_done(report: &Report) {
    let Report { accepted, tweets, messages, duplicates, late, rejects, objects, hours_closed, left_in_spool, .. } =
        *report;
    let running: Vec<String> = report
        .open
        .iter()
        .filter(|(_, why)| matches!(why, OpenHour::Running { .. }))
        .map(|(hour, _)| hour.to_string())
        .collect();
    if !running.is_empty() {
        let hours = running.join(", ");
        tracing::info!(hours, "these hours have not ended and stay open; the next run or `ingest close` closes them");
    }
    let first_reject = report.first_reject.as_deref();
    let look = first_reject.map(|_| "ingest rejects");
    tracing::info!(
        accepted,
        tweets,
        messages,
        duplicates,
        late,
        rejects,
        objects,
        hours_closed,
        left_in_spool,
        first_reject,
        look,
        "done"
    );
}

async fn until_stopped(settings: Settings) -> Result<Report, Failure> {
    obeying(|stop, stop_now| agent::run(settings, Arc::new(Metrics::default()), stop, stop_now)).await
}

/// Runs an agent, which gets a token that the first signal cancels, and one that the second does.
pub(super) async fn obeying<Running>(
    start: impl FnOnce(CancellationToken, CancellationToken) -> Running,
) -> Result<Report, Failure>
where
    Running: Future<Output = Result<Report, AgentError>>,
{
    let stop = CancellationToken::new();
    let stop_now = CancellationToken::new();
    // Before anything is started, so that no signal finds the default action.
    let waiting = tokio::spawn(obey(Signals::listen()?, stop.clone(), stop_now.clone()));
    let result = start(stop, stop_now).await;
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
