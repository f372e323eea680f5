//! `ingest spool requeue`: quarantined files get a new key and go up with the next `ingest run`.

use std::io::Write;
use std::path::Path;
use std::str::FromStr;

use jiff::Timestamp;

use super::super::Failure;
use super::super::lake_args::{Step, note, say, shown, write_failure};
use super::{SpoolArgs, failure};
use crate::config::Outside;
use crate::spool::entry::FileId;
use crate::spool::inspect::View;
use crate::spool::requeue::{Requeued, Taken};
use crate::spool::{Options, Recovery, Spool, SpoolError, group_limit};

/// Arguments of `ingest spool requeue`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    spool: SpoolArgs,
    /// Numbers of quarantined files, as ls shows them, or names such as unknown.1: lines that the journal did not speak for,
    /// which need the lake's settings too
    #[arg(value_name = "ID|unknown.N", required_unless_present = "all", conflicts_with = "all")]
    files: Vec<Asked>,
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
    let files = if args.all { all(&spool)? } else { args.files.clone() };
    if files.is_empty() {
        say(out, "no file is quarantined\n")?;
    }
    // One that cannot be requeued is no reason to leave the others.
    let mut refused = Vec::new();
    let now_ms = Timestamp::now().as_millisecond();
    let mut router = None;
    for file in files {
        let requeued = match file {
            Asked::File(id) => spool.requeue(id, args.salvage, now_ms).map(|requeued| line(id, &requeued)),
            Asked::Unknown(number) => {
                let router = match &mut router {
                    Some(router) => &*router,
                    router => router.insert(args.spool.router(outside)?),
                };
                spool.requeue_unknown(number, router, now_ms).map(|taken| unknown_line(number, taken))
            }
        };
        match requeued {
            Ok(line) => say(out, &line)?,
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

/// What is to be requeued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    File(FileId),
    Unknown(u64),
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Asked, String> {
        let asked = match text.strip_prefix("unknown.") {
            Some(number) => number.split('.').next().unwrap_or(number).parse().map(Asked::Unknown),
            None => text.parse().map(Asked::File),
        };
        asked.map_err(|_| "neither the number of a file nor a name such as unknown.1".to_owned())
    }
}

fn all(spool: &Spool) -> Result<Vec<Asked>, Failure> {
    let aside = spool.state().files.values().filter(|file| file.aside().is_some());
    let mut all: Vec<Asked> = aside.map(|file| Asked::File(file.head.id)).collect();
    // Objects beside their lines go with them.
    for piece in View::open(spool.dir())?.unknown().map_err(|error| failure(format!("quarantine/: {error}")))? {
        let asked = piece.name.rsplit('/').next().and_then(|name| name.parse().ok());
        all.extend(asked.filter(|asked| !all.contains(asked)));
    }
    Ok(all)
}

/// Opens a spool that is there, as it is: nothing is forgotten, and its promise stays what it was.
pub(super) fn open(dir: &Path) -> Result<(Spool, Recovery), Failure> {
    let durable = View::open(dir)?.synced;
    let options =
        Options { dir: dir.to_owned(), durable, dedupe_window_ms: i64::MAX, group_limit: group_limit(1 << 22, 1) };
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
    for (piece, kept) in &recovery.unknown {
        let text = format!(
            "{} lines, {} bytes of {} that the journal does not speak for were moved to {kept}",
            piece.lines, piece.bytes, piece.name
        );
        note(err, &text)?;
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

fn unknown_line(number: u64, taken: Taken) -> String {
    let Taken { lines, duplicates, left } = taken;
    let left = match left {
        0 => String::new(),
        left => format!("; {left} lines are no tweets, and stay in quarantine/taken.{number}.*"),
    };
    format!(
        "unknown.{number}: {lines} lines wait for the next ingest run, {duplicates} tweets were there already{left}\n"
    )
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
