//! `ingest verify`: reads closed hours again and holds them against their manifests.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Instant;

use bytesize::ByteSize;
use cauce_lake::verify::{VerifyError, VerifyReport, verify_hour};
use cauce_lake::{Hour, HourRange, Lake};

use super::lake_args::{LakeArgs, Step, counted, ends_quietly, say, shown, write_failure};
use super::{Exit, Failure, Outcome};
use crate::config::Outside;

/// Arguments of `ingest verify`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) lake: LakeArgs,
    /// Hours or ranges, 2026-11-22T05 or 2026-11-22T00..2026-11-23T00 (end not included); without any, all closed hours
    #[arg(value_name = "HOURS")]
    pub(super) ranges: Vec<HourRange>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Outcome {
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    ends_quietly(super::runtime()?.block_on(verify(args, &Outside::of_process(), &mut out, &mut err)))
}

/// What was done so far.
#[derive(Default)]
struct Sums {
    hours: u64,
    bad: u64,
    open: u64,
    objects: u64,
    lines: u64,
    bytes: u64,
}

pub(super) async fn verify(args: &Args, outside: &Outside, out: &mut dyn Write, err: &mut dyn Write) -> Step {
    let begun = Instant::now();
    let lakes = args.lake.open(outside, err).await?;
    let mut sums = Sums::default();
    for lake in lakes.lakes() {
        if lakes.lakes().len() > 1 {
            say(out, &format!("{}\n", shown(&lake.store().location())))?;
        }
        for hour in chosen(lake, &args.ranges).await? {
            one(lake, hour, &mut sums, out).await?;
            // People watch this, and an hour may take a while.
            out.flush().map_err(write_failure)?;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let open = if sums.open > 0 { format!(", {} open", sums.open) } else { String::new() };
    say(
        out,
        &format!(
            "{} read, {} with problems{open}; {}, {}, {} in {seconds:.1} s ({:.0} MB/s)\n",
            counted(sums.hours, "hour"),
            sums.bad,
            counted(sums.objects, "object"),
            counted(sums.lines, "line"),
            ByteSize(sums.bytes).display().iec(),
            sums.bytes as f64 / 1e6 / seconds.max(1e-3),
        ),
    )?;
    out.flush().map_err(write_failure)?;
    match sums.bad {
        0 => Ok(()),
        1 => {
            let error = anyhow::anyhow!("1 hour is not what its manifest says");
            Err(Failure { exit: Exit::Failure, error })
        }
        bad => {
            Err(Failure { exit: Exit::Failure, error: anyhow::anyhow!("{bad} hours are not what their manifests say") })
        }
    }
}

/// The hours of a lake that are asked for: each that is named, and of a range those that are closed.
async fn chosen(lake: &Lake, ranges: &[HourRange]) -> Result<BTreeSet<Hour>, Failure> {
    if ranges.is_empty() {
        return Ok(lake.closed_in(None).await?);
    }
    let mut hours = BTreeSet::new();
    for range in ranges {
        if *range == HourRange::single(range.start) {
            hours.insert(range.start);
        } else {
            hours.extend(lake.closed_in(Some(*range)).await?);
        }
    }
    Ok(hours)
}

async fn one(lake: &Lake, hour: Hour, sums: &mut Sums, out: &mut dyn Write) -> Step {
    let report = match verify_hour(lake, hour).await {
        Ok(report) => report,
        // The others are held against theirs all the same; only a store that fails ends it.
        Err(VerifyError::Catalogue(error)) => {
            let failure = Failure::from(error);
            if failure.exit != Exit::Failure {
                return Err(failure);
            }
            sums.bad += 1;
            return say(out, &format!("{hour}  problem  {:#}\n", failure.error));
        }
        Err(error) => return Err(error.into()),
    };
    let Some(VerifyReport { problems, objects, lines, bytes, .. }) = report else {
        sums.open += 1;
        return say(out, &format!("{hour}  open     there is no manifest to hold it against\n"));
    };
    sums.hours += 1;
    sums.objects += objects;
    sums.lines += lines;
    sums.bytes += bytes;
    sums.bad += u64::from(!problems.is_empty());
    let state = if problems.is_empty() { "ok     " } else { "problem" };
    say(out, &format!("{hour}  {state}  {objects} objects, {lines} lines, {}\n", ByteSize(bytes).display().iec()))?;
    problems.iter().try_for_each(|problem| say(out, &format!("    {}\n", shown(&problem.to_string()))))
}
