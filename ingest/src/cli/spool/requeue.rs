//! `ingest spool requeue`: quarantined files get a new key and go up with the next `ingest run`.

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;

use super::super::Failure;
use super::super::lake_args::{Step, note, say, shown, write_failure};
use super::{SpoolArgs, failure};
use crate::config::Outside;
use crate::spool::entry::FileId;
use crate::spool::inspect::View;
use crate::spool::requeue::Requeued;
use crate::spool::{Options, Recovery, Spool, SpoolError};

/// Arguments of `ingest spool requeue`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    spool: SpoolArgs,
    /// Numbers of quarantined files, as ls shows them
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    files: Vec<FileId>,
    /// All quarantined files
    #[arg(long)]
    all: bool,
    /// Of a damaged file take the lines from its beginning that check out, and let the rest go: it stays in quarantine/
    #[arg(long)]
    salvage: bool,
}

pub(super) fn requeue(args: &Args, outside: &Outside, out: &mut dyn Write, err: &mut dyn Write) -> Step {
    let (mut spool, recovery) = open(&args.spool.dir(outside)?)?;
    tell_recovery(&recovery, err)?;
    let aside = spool.state().files.values().filter(|file| file.aside().is_some()).map(|file| file.head.id);
    let files: Vec<FileId> = if args.all { aside.collect() } else { args.files.clone() };
    if files.is_empty() {
        say(out, "no file is quarantined\n")?;
    }
    // One that cannot be requeued is no reason to leave the others.
    let mut refused = Vec::new();
    for id in files {
        match spool.requeue(id, args.salvage, Timestamp::now().as_millisecond()) {
            Ok(requeued) => say(out, &line(id, &requeued))?,
            Err(error @ crate::spool::requeue::RequeueError::Spool(_)) => return Err(error.into()),
            Err(error) => refused.push(error.to_string()),
        }
    }
    out.flush().map_err(write_failure)?;
    match refused.as_slice() {
        [] => Ok(()),
        _ => Err(failure(refused.join("\n"))),
    }
}

/// Opens a spool that is there, as it is: nothing is forgotten, and its promise stays what it was.
pub(super) fn open(dir: &Path) -> Result<(Spool, Recovery), Failure> {
    let durable = View::open(dir)?.synced;
    let options = Options { dir: dir.to_owned(), durable, dedupe_window_ms: i64::MAX };
    Spool::open(&options).map_err(|error| match error {
        SpoolError::Locked { dir } => {
            failure(format!("an agent is at work on the spool {dir}: stop it, do this again, and start it"))
        }
        other => other.into(),
    })
}

/// What the agent that ran before left is recovered here, and the next start does not say it again.
pub(super) fn tell_recovery(recovery: &Recovery, err: &mut dyn Write) -> Step {
    for (head, reason) in &recovery.damaged {
        note(err, &format!("file {} ({}) is damaged and was put aside now: {reason}", head.id, head.key))?;
    }
    if recovery.lost_lines > 0 {
        let lines = recovery.lost_lines;
        note(err, &format!("{lines} lines of open files were lost with the machine's power"))?;
    }
    if recovery.cut_group {
        note(err, "the last group was not accepted before the crash and was left out")?;
    }
    Ok(())
}

fn line(id: FileId, requeued: &Requeued) -> String {
    match requeued {
        Requeued::Whole { head, lines } => {
            format!("file {id} is file {} now: {lines} lines for {}\n", head.id, shown(head.key.as_str()))
        }
        Requeued::Salvaged { head, lines, lost } => format!(
            "file {id} is file {} now: {lines} lines for {}; {lost} lines did not check out, its bytes stay in quarantine/{id:012}.lines\n",
            head.id,
            shown(head.key.as_str())
        ),
        Requeued::Forgotten { lost } => format!(
            "file {id} is given up: none of its {lost} lines check out; what there is of it stays in quarantine/\n"
        ),
    }
}
