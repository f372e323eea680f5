//! `ingest spool reset-time`: a spool that was used by an agent with a clock far ahead, brought back to now.

use std::io::Write;

use cauce_lake::Hour;
use cauce_lake::manifest::ManifestName;

use super::super::lake_args::{Step, say, write_failure};
use super::{SpoolArgs, requeue};
use crate::clock;
use crate::config::Outside;

/// Arguments of `ingest spool reset-time`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    spool: SpoolArgs,
}

pub(super) fn reset_time(args: &Args, outside: &Outside, out: &mut dyn Write, err: &mut dyn Write) -> Step {
    let (mut spool, recovery) = requeue::open(&args.spool.dir(outside)?)?;
    requeue::tell_recovery(&recovery, err)?;
    let reset = spool.reset_time(clock::now_ms())?;
    if reset.ahead_ms <= 0 {
        say(out, "the spool is not ahead of the clock: nothing to do\n")?;
    } else {
        let ahead = clock::span(reset.ahead_ms);
        say(out, &format!("the spool was {ahead} ahead and is back at now; no file was touched\n"))?;
    }
    for hour in &reset.filled {
        say(out, &format!("lines that came meanwhile stay in {hour}, which is closed with the next ingest run\n"))?;
    }
    if let (Some(first), Some(last)) = (reset.closed.first(), reset.closed.last()) {
        let (count, name) = (reset.closed.len(), |hour: &Hour| ManifestName::closing(*hour).key());
        say(
            out,
            &format!(
                "{count} hours that have not come are closed in the lake, {} to {}: see \"The clock\" in docs/operations.md\n",
                name(first),
                name(last)
            ),
        )?;
    }
    out.flush().map_err(write_failure)
}
