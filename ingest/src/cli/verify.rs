//! `ingest verify`: reads closed hours again and holds them against their manifests.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Instant;

use bytesize::ByteSize;
use cauce_lake::catalogue::CatalogueError;
use cauce_lake::faults::Faults;
use cauce_lake::store::{ErrorKind, Reach};
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
    /// Leave out hours of which an object is archived (S3 Glacier), and list them instead of failing
    #[arg(long)]
    pub(super) skip_archived: bool,
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
    /// Hours that could not be read.
    unread: Vec<Hour>,
    /// Hours that were left out because they are archived.
    archived: Vec<Hour>,
    /// The last failure, as long as none is known to be of one hour alone.
    doubtful: Option<Failure>,
    /// Whether one is known to be of one hour alone.
    answers: bool,
    /// Whether `--skip-archived` would have left one of them out.
    could_skip: bool,
    faults: Faults,
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
            one(lake, hour, args.skip_archived, &mut sums, out).await?;
            // People watch this, and an hour may take a while.
            out.flush().map_err(write_failure)?;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let part = |count: u64, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
    let open = [
        part(sums.open, "open"),
        part(sums.unread.len() as u64, "not readable"),
        part(sums.archived.len() as u64, "left out as archived"),
    ]
    .concat();
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
    if !sums.archived.is_empty() {
        say(out, &format!("left out as archived: {}\n", names(&sums.archived)))?;
    }
    out.flush().map_err(write_failure)?;
    sums.verdict()
}

impl Sums {
    fn verdict(self) -> Step {
        let mut wrong = Vec::new();
        match self.bad {
            0 => {}
            1 => wrong.push("1 hour is not what its manifest says".to_owned()),
            bad => wrong.push(format!("{bad} hours are not what their manifests say")),
        }
        if !self.unread.is_empty() {
            let count = counted(self.unread.len() as u64, "hour");
            let advice = if self.could_skip { " (--skip-archived leaves archived hours out)" } else { "" };
            wrong.push(format!("{count} could not be read: {}{advice}", names(&self.unread)));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        // Where nothing was read and no failure is of one hour alone, it is the store that failed.
        match self.doubtful.filter(|_| self.hours == 0 && !self.answers) {
            Some(failure) => Err(failure),
            None => Err(Failure { exit: Exit::Failure, error: anyhow::Error::msg(wrong.join("; ")) }),
        }
    }
}

fn names(hours: &[Hour]) -> String {
    hours.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
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

async fn one(lake: &Lake, hour: Hour, skip_archived: bool, sums: &mut Sums, out: &mut dyn Write) -> Step {
    let report = match verify_hour(lake, hour).await {
        Ok(report) => {
            sums.faults.passed();
            report
        }
        // The others are held against theirs all the same; only a store that fails ends it.
        Err(error) => {
            let kind = error.kind();
            if sums.faults.end_all(kind.reach(), kind, std::slice::from_ref(lake)).await {
                return Err(error.into());
            }
            let is_of_hour = kind.reach() == Reach::Object;
            sums.answers |= is_of_hour;
            let is_problem = matches!(
                &error,
                VerifyError::Catalogue(CatalogueError::HourNotFound { .. } | CatalogueError::Manifest(_))
            ) && matches!(kind, ErrorKind::NotFound | ErrorKind::Corrupt);
            let state = if is_problem {
                sums.bad += 1;
                "problem "
            } else if skip_archived && kind == ErrorKind::Archived {
                sums.archived.push(hour);
                "archived"
            } else {
                sums.unread.push(hour);
                sums.could_skip |= kind == ErrorKind::Archived;
                "unread  "
            };
            let failure = Failure::from(error);
            let text = format!("{hour}  {state} {}\n", shown(&format!("{:#}", failure.error)));
            if !is_of_hour {
                sums.doubtful = Some(failure);
            }
            return say(out, &text);
        }
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
