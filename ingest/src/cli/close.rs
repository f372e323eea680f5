//! `ingest close`: closes the hours that have ended and that no running agent closes, then exits.

use std::io::Write;

use super::config_args::ConfigArgs;
use super::lake_args::{Step, counted, ends_quietly, say, write_failure};
use super::run::obeying;
use super::{Exit, Failure, Outcome, runtime};
use crate::agent::{self, AgentError, Report};
use crate::config::{self, Outside};
use crate::writer::OpenHour;

/// Arguments of `ingest close`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It needs the spool and the lake for itself: a running agent closes its hours by itself. What the spool still \
                  holds is stored first. [source] is not read, and no credentials of X are needed."
)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Outcome {
    let settings = config::load_sourceless(&args.config.request(), &Outside::of_process())?;
    let drain_timeout = settings.agent.drain_timeout;
    let report = runtime()?.block_on(obeying(|stop, stop_now| async move {
        let running = agent::close(settings, stop.clone(), stop_now);
        tokio::pin!(running);
        tokio::select! {
            report = &mut running => return report,
            // A store that does not answer is not waited for.
            () = tokio::time::sleep(drain_timeout) => stop.cancel(),
        }
        match running.await {
            // It had not even come to take the lake.
            Ok(report) if report == Report::default() => {
                let waited = drain_timeout.as_secs();
                Err(AgentError::Store(format!("the store did not answer within {waited} s, and nothing was closed")))
            }
            other => other,
        }
    }))?;
    ends_quietly(tell(&report, &mut std::io::stdout().lock()))
}

/// Says what was closed, and what stays open and why.
fn tell(report: &Report, out: &mut dyn Write) -> Step {
    for (hour, tweets) in &report.closed {
        say(out, &format!("{hour}  closed  {}\n", counted(*tweets, "tweet")))?;
    }
    for (hour, why) in &report.open {
        say(out, &format!("{hour}  open    {}\n", because(*why)))?;
    }
    say(out, &summary(report))?;
    out.flush().map_err(write_failure)?;
    let is_stuck = |(_, why): &&(cauce_lake::Hour, OpenHour)| !matches!(why, OpenHour::Running { .. });
    match report.open.iter().filter(is_stuck).count() {
        0 => Ok(()),
        count => {
            let (hours, have) = (counted(count as u64, "hour"), if count == 1 { "has" } else { "have" });
            let error = anyhow::anyhow!(
                "{hours} {have} ended and could not be closed: the store did not take all that belongs to them"
            );
            Err(Failure { exit: Exit::Store, error })
        }
    }
}

fn summary(report: &Report) -> String {
    let stay = if report.open.len() == 1 { "stays" } else { "stay" };
    format!("{} closed, {} {stay} open\n", counted(report.closed.len() as u64, "hour"), report.open.len())
}

fn because(why: OpenHour) -> String {
    match why {
        OpenHour::Running { left_ms } => format!("it ends in {} min", left_ms.div_euclid(60_000) + 1),
        OpenHour::NotStored { files: 0 } => "its manifest is not in the store yet".to_owned(),
        OpenHour::NotStored { files } => format!("{files} of its files are not in the store yet"),
        OpenHour::Ended => "this command was stopped before".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_that_stays_open_says_why_and_only_one_that_has_ended_is_a_failure() {
        let hour = |text: &str| text.parse().expect("valid hour");
        let mut report = Report {
            closed: vec![(hour("2026-11-22T05"), 30)],
            open: vec![(hour("2026-11-22T06"), OpenHour::Running { left_ms: 150_000 })],
            ..Report::default()
        };
        let mut out = Vec::new();
        tell(&report, &mut out).expect("an hour that runs is no failure");
        let text =
            "2026-11-22T05  closed  30 tweets\n2026-11-22T06  open    it ends in 3 min\n1 hour closed, 1 stays open\n";
        assert_eq!(String::from_utf8(out).expect("text"), text);
        report.open.push((hour("2026-11-22T04"), OpenHour::NotStored { files: 2 }));
        let failure = tell(&report, &mut Vec::new()).expect_err("a store that took nothing is one");
        assert_eq!(failure.exit, Exit::Store);
    }
}
