//! `ingest cat`: the lines of hours to standard output, the bytes as they were received, decompressed.

use std::io::Write;
use std::os::fd::AsFd;

use cauce_lake::catalogue::{CatalogueError, HourEntry};
use cauce_lake::read::ReadOptions;
use cauce_lake::{HourRange, Lakes};
use futures_util::StreamExt;

use super::lake_args::{LakeArgs, Step, ends_quietly, note, shown, tell_problems, write_failure};
use super::{Exit, Failure, Outcome};
use crate::config::Outside;

/// Arguments of `ingest cat`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) lake: LakeArgs,
    /// 2026-11-22T05, or 2026-11-22T00..2026-11-23T00 (end not included)
    #[arg(value_name = "HOURS")]
    pub(super) range: HourRange,
    /// The late tweets instead: those that came after their hour was closed
    #[arg(long)]
    pub(super) late: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Outcome {
    // Blocks are large: the line buffer around `Stdout` would only search them for line ends.
    let mut out = std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned().map_err(write_failure)?);
    ends_quietly(super::runtime()?.block_on(cat(args, &Outside::of_process(), &mut out, &mut std::io::stderr())))
}

pub(super) async fn cat(args: &Args, outside: &Outside, out: &mut dyn Write, err: &mut dyn Write) -> Step {
    let lakes = args.lake.open(outside, err).await?;
    for entry in find(&lakes, args.range, err).await? {
        if !entry.closed {
            note(err, &format!("{} is open: this is not all of it yet", entry.name))?;
        }
        let mut lines = lakes.lines(&entry, args.late, &ReadOptions::default());
        while let Some(block) = lines.next().await {
            let block = block?;
            out.write_all(block.bytes()).map_err(write_failure)?;
            // An object may end without a line end, and then another one begins.
            if !block.bytes().ends_with(b"\n") {
                out.write_all(b"\n").map_err(write_failure)?;
            }
        }
    }
    out.flush().map_err(write_failure)
}

/// What lies in the range as a whole. Nothing is given where a part of it cannot be told: a hole would look like silence.
async fn find(lakes: &Lakes, range: HourRange, err: &mut dyn Write) -> Result<Vec<HourEntry>, Failure> {
    if range == HourRange::single(range.start) {
        match lakes.hour(range.start).await {
            Ok(entry) => return Ok(vec![entry]),
            // It may lie in a folder that is no hour.
            Err(CatalogueError::HourNotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let listing = lakes.hours(Some(range)).await?;
    if listing.problems.iter().any(|problem| problem.name.late.is_none()) {
        tell_problems(&listing, err)?;
        let error = anyhow::anyhow!("nothing of {range} is written, because manifests in it cannot be trusted");
        return Err(Failure { exit: Exit::Failure, error });
    }
    let inside = |entry: &HourEntry| {
        entry
            .span_ms
            .is_some_and(|(start_ms, end_ms)| start_ms >= range.start.start_ms() && end_ms <= range.end.start_ms())
    };
    let (inside, across): (Vec<_>, Vec<_>) = listing.entries.into_iter().partition(inside);
    if !inside.is_empty() {
        return Ok(inside);
    }
    let error = match across.first() {
        Some(entry) => anyhow::anyhow!(
            "{range} is a part of the folder {}, which is no hour and cannot be split: ask for all of its time",
            shown(&entry.name)
        ),
        None => anyhow::anyhow!("there is nothing of {range} in {}", lakes.location()),
    };
    Err(Failure { exit: Exit::Failure, error })
}
