//! `ingest spool fsck`: checks a whole spool and changes nothing.

use std::io::Write;

use super::super::lake_args::{Step, counted, say, shown, write_failure};
use super::{SpoolArgs, failure};
use crate::config::Outside;
use crate::spool::fsck::{Finding, check};

/// Arguments of `ingest spool fsck`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    spool: SpoolArgs,
}

pub(super) fn fsck(args: &Args, outside: &Outside, out: &mut dyn Write) -> Step {
    let report = check(&args.spool.dir(outside)?)?;
    if report.running {
        say(out, "an agent is at work: the ends of its files move, and only what is committed is checked\n")?;
    }
    report.problems.iter().try_for_each(|finding| say(out, &line("problem", finding)))?;
    report.notes.iter().try_for_each(|finding| say(out, &line("note", finding)))?;
    let outcome = match report.problems.len() {
        0 => "clean".to_owned(),
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    let (frames, files, runs) = (report.frames as u64, report.files as u64, report.runs as u64);
    say(
        out,
        &format!(
            "{}, {}, {} read: {outcome}\n",
            counted(frames, "journal frame"),
            counted(files, "file"),
            counted(runs, "id file")
        ),
    )?;
    out.flush().map_err(write_failure)?;
    match report.problems.len() {
        0 => Ok(()),
        _ => Err(failure(format!("the spool has {outcome}"))),
    }
}

/// `problem  data/000000000003.lines at byte 120: what; what to do`.
fn line(kind: &str, finding: &Finding) -> String {
    let place = finding.offset.map_or(String::new(), |offset| format!(" at byte {offset}"));
    format!("{kind:<8} {}{place}: {}; {}\n", shown(&finding.name), shown(&finding.what), finding.remedy)
}
