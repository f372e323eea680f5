//! `ingest convert`: hours to Parquet, with a bar where a person watches and a line an hour where a log does.

use std::io::{IsTerminal, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cauce_lake::parquet::{Compression, ConvertError, ConvertOptions, Dialect, Progress, Target, convert_hours, ddl};
use cauce_lake::store::ErrorKind;
use cauce_lake::table::TableOptions;
use cauce_lake::work::Workers;
use cauce_lake::{Hour, HourRange, LakeUrl};
use tokio::signal::unix::{SignalKind, signal};

use super::convert_report::{Shown, summary};
use super::lake_args::{LakeArgs, Step, ends_quietly, exit_for, say, shown, write_failure};
use super::{Exit, Failure, Outcome, arenas};
use crate::config::Outside;

/// Arguments of `ingest convert`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) lake: LakeArgs,
    /// Hours or ranges, 2026-11-22T05 or 2026-11-22T00..2026-11-23T00 (end not included); without any, all closed hours that
    /// are not converted yet
    #[arg(value_name = "HOURS")]
    pub(super) ranges: Vec<HourRange>,
    /// Where the Parquet goes: s3://bucket/prefix or a folder, outside the lake
    #[arg(long, value_name = "URL", required_unless_present = "print_ddl")]
    pub(super) to: Option<LakeUrl>,
    /// Where the lines go that did not read; without it, beside the Parquet: pq-rejects beside pq
    #[arg(long, value_name = "URL")]
    pub(super) rejects: Option<LakeUrl>,
    /// Print the statements that make the Parquet one table, athena, spark or duckdb, and exit
    #[arg(long, value_name = "DIALECT", conflicts_with = "ranges")]
    pub(super) print_ddl: Option<Dialect>,
    /// Only these columns of the table, such as tweet_id,created_at,text,author.username
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) columns: Option<Vec<String>>,
    /// Retweeted, quoted and answered posts as rows of their own
    #[arg(long)]
    pub(super) referenced: bool,
    /// The line as it came, in a column `raw`
    #[arg(long)]
    pub(super) raw: bool,
    /// Open hours too, and folders that are no hours, split by the time of their tweets; made anew when they have changed
    #[arg(long)]
    pub(super) open: bool,
    /// Late tweets too: those that came after their hour was closed
    #[arg(long)]
    pub(super) late: bool,
    /// Make anew what is there already
    #[arg(long)]
    pub(super) replace: bool,
    /// Leave out hours of which an object is archived (S3 Glacier), and list them instead of failing
    #[arg(long)]
    pub(super) skip_archived: bool,
    /// Leave out tweets that were deleted: in the messages of the first hour that is converted and all closed ones after it
    #[arg(long)]
    pub(super) without_deleted: bool,
    /// The last hour whose messages are considered for that
    #[arg(long, value_name = "HOUR", requires = "without_deleted")]
    pub(super) messages_until: Option<Hour>,
    /// zstd, zstd:1 to zstd:22, or none
    #[arg(long, value_name = "CODEC", default_value_t)]
    pub(super) compression: Compression,
    /// Most rows in a row group
    #[arg(long, value_name = "ROWS", default_value = "122880")]
    pub(super) row_group_rows: NonZeroUsize,
    /// Threads that decode and encode; without it, as many as there are processors
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<NonZeroUsize>,
    /// Hours on their way at once; each takes memory of its own
    #[arg(long, value_name = "N", default_value = "2")]
    pub(super) jobs: NonZeroUsize,
    /// Where a file grows before it is put; without it, in the target where that is a local folder, else in TMPDIR or the system's
    /// folder
    #[arg(long, value_name = "FOLDER")]
    pub(super) temp_dir: Option<PathBuf>,
}

/// Where the Parquet is in statements that are printed without `--to`.
const EXAMPLE: &str = "s3://my-bucket/tweets-parquet";

impl Args {
    /// Where the Parquet goes.
    fn target(&self) -> LakeUrl {
        // clap lets only `--print-ddl` go without it.
        self.to.clone().unwrap_or_else(|| EXAMPLE.parse().expect("a URL"))
    }

    fn table(&self) -> TableOptions {
        TableOptions { columns: self.columns.clone(), referenced: self.referenced, raw: self.raw }
    }

    fn options(&self) -> ConvertOptions {
        ConvertOptions {
            table: self.table(),
            compression: self.compression,
            row_group_rows: self.row_group_rows.get(),
            open: self.open,
            late: self.late,
            replace: self.replace,
            skip_archived: self.skip_archived,
            without_deleted: self.without_deleted,
            messages_until: self.messages_until,
            jobs: self.jobs.get(),
            temp_dir: self.temp_dir.clone(),
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Outcome {
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    if let Some(dialect) = args.print_ddl {
        let usage = |error| Failure { exit: Exit::Usage, error: anyhow::Error::new(error) };
        let statements = ddl(dialect, &args.table(), &args.target()).map_err(usage)?;
        return ends_quietly(say(&mut out, &statements));
    }
    let bar = err.is_terminal();
    arenas::keep_to_few();
    ends_quietly(super::runtime()?.block_on(async {
        let stopped = stopped_by_signals().map_err(anyhow::Error::from)?;
        convert(args, &Outside::of_process(), &stopped, bar, &mut out, &mut err).await
    }))
}

/// Set by the first signal; the second one ends the process, as if none had been caught.
fn stopped_by_signals() -> std::io::Result<Arc<AtomicBool>> {
    let stopped = Arc::new(AtomicBool::new(false));
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let set = Arc::clone(&stopped);
    // Ends with the process.
    tokio::spawn(async move {
        loop {
            let code = tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
            };
            if set.swap(true, Ordering::Relaxed) {
                std::process::exit(code);
            }
        }
    });
    Ok(stopped)
}

pub(super) async fn convert(
    args: &Args,
    outside: &Outside,
    stopped: &AtomicBool,
    bar: bool,
    out: &mut dyn Write,
    err: &mut (dyn Write + Send),
) -> Step {
    let lakes = args.lake.open(outside, err).await?;
    let target = Target::open(&args.target(), args.rejects.as_ref(), &args.lake.s3(outside)?).await?;
    let workers = Workers::new(args.threads);
    let mut shown_so_far = Shown::new(bar);
    let mut tell = |progress: &Progress| {
        // Who does not listen any more is no reason to stop converting.
        let _ = shown_so_far.tell(progress, err);
        if stopped.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let done = convert_hours(&lakes, &args.ranges, &target, &args.options(), &workers, &mut tell).await;
    shown_so_far.end();
    let done = done?;
    say(out, &summary(&done))?;
    for (name, error) in &done.archived {
        say(out, &format!("left out    {}: {}\n", shown(name), shown(&whole(error))))?;
    }
    out.flush().map_err(write_failure)?;
    let Some((_, first)) = done.failed.first() else { return Ok(()) };
    // Access that is denied to one object is no failure of the store.
    let exit = if first.kind() == ErrorKind::AccessDenied { Exit::Failure } else { exit_of(first) };
    for (name, error) in &done.failed {
        say(err, &format!("failed: {}: {}\n", shown(name), shown(&whole(error))))?;
    }
    let (failed, all) = (done.failed.len(), done.failed.len() + done.archived.len() + done.hours.len());
    let is_archived = |(_, error): &(String, ConvertError)| error.kind() == ErrorKind::Archived;
    let advice = if done.failed.iter().any(is_archived) { "; --skip-archived leaves archived hours out" } else { "" };
    Err(Failure { exit, error: anyhow::anyhow!("{failed} of {all} hours were not converted{advice}") })
}

/// An error with its causes.
fn whole(error: &ConvertError) -> String {
    anyhow::Chain::new(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn exit_of(error: &ConvertError) -> Exit {
    match error {
        ConvertError::SharedRoot { .. } | ConvertError::SharedRejects { .. } | ConvertError::Columns(_) => Exit::Usage,
        ConvertError::NotClosed(_) | ConvertError::Different { .. } | ConvertError::Disk { .. } => Exit::Failure,
        ConvertError::Stopped | ConvertError::Encode { .. } => Exit::Failure,
        other => match other.kind() {
            ErrorKind::Configuration | ErrorKind::NoSpace => Exit::Failure,
            kind => exit_for(kind),
        },
    }
}

impl From<ConvertError> for Failure {
    fn from(error: ConvertError) -> Failure {
        Failure { exit: exit_of(&error), error: error.into() }
    }
}
