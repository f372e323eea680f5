//! `ingest rejects`: the lines that were kept apart, with reason and place, for people, for programs, or as they came; and back
//! into the queue.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cauce_lake::HourRange;
use cauce_lake::read::{ReadOptions, Source, lines};
use cauce_lake::rejects::{KeptReject, objects};
use futures_util::StreamExt as _;

use super::config_args::key_and_value;
use super::lake_args::{LakeArgs, Step, counted, ends_quietly, note, say, shown, write_failure};
use super::run::{obeying, say_done};
use super::{Exit, Failure, Outcome, runtime};
use crate::agent::{self, Report};
use crate::config::{self, Flag, Outside};
use crate::source::rejects::{Found, is_readable};

/// How much of a line people are shown, in characters.
const SHOWN_CHARS: usize = 200;

/// Arguments of `ingest rejects`.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(
    after_help = "An hour's rejects are those that its manifest counts. --requeue needs the spool and the lake for itself: stop\n\
                  the agent before. It takes each line once, stores it, closes the hours that have ended, and exits."
)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) lake: LakeArgs,
    /// Hours or ranges, 2026-11-22T05 or 2026-11-22T00..2026-11-23T00 (end not included); without any, all rejects
    #[arg(value_name = "HOURS")]
    pub(super) hours: Vec<HourRange>,
    /// One JSON object a line, as they are stored
    #[arg(long, conflicts_with = "raw")]
    pub(super) json: bool,
    /// The lines themselves; those that were cut are left out
    #[arg(long)]
    pub(super) raw: bool,
    /// Only those that this version can read as tweets or messages
    #[arg(long)]
    pub(super) readable: bool,
    /// Store those that this version can read as tweets or messages, with the agent's configuration and spool
    #[arg(long, conflicts_with_all = ["json", "raw", "readable"])]
    pub(super) requeue: bool,
    /// With --requeue: any setting but a secret, such as spool.dir=/data/spool; may be repeated
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE", requires = "requeue")]
    pub(super) set: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Outcome {
    if args.requeue {
        return requeue(args);
    }
    let (mut out, mut err) = (std::io::BufWriter::new(std::io::stdout()), std::io::stderr());
    ends_quietly(runtime()?.block_on(rejects(args, &Outside::of_process(), &mut out, &mut err)))
}

fn requeue(args: &Args) -> Outcome {
    if args.lake.lake.len() > 1 {
        let error = anyhow::anyhow!("--requeue takes one --lake: the lake of the spool");
        return Err(Failure { exit: Exit::Usage, error });
    }
    let mut request = args.lake.request(args.lake.lake.first());
    let set = args.set.iter().map(|text| key_and_value(text));
    request.flags.extend(set.map(|(key, value)| Flag { key, value, flag: "--set".to_owned() }));
    let settings = config::load_sourceless(&request, &Outside::of_process())?;
    let found = Arc::new(Found::default());
    let (hours, of_run) = (args.hours.clone(), Arc::clone(&found));
    let report = runtime()?
        .block_on(obeying(|stop, stop_now| agent::requeue_rejects(settings, hours, of_run, stop, stop_now)))?;
    say_done(&report);
    let told = ends_quietly(tell(&report, &found, &mut std::io::stdout().lock()));
    report.outcome()?;
    told
}

/// Says what was requeued, and what was not and why.
fn tell(report: &Report, found: &Found, out: &mut dyn Write) -> Step {
    let Report { tweets, late, messages, duplicates, .. } = report;
    say(
        out,
        &format!(
            "{tweets} tweets ({late} late) and {messages} messages requeued; {duplicates} tweets were stored before\n"
        ),
    )?;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (before, unreadable, cut) = (count(&found.taken_before), count(&found.unreadable), count(&found.cut));
    say(
        out,
        &format!(
            "{before} lines were requeued before, {unreadable} cannot be read, {cut} were cut when they were kept\n"
        ),
    )?;
    out.flush().map_err(write_failure)
}

#[derive(Default)]
struct Sums {
    shown: u64,
    cut: u64,
    damaged: u64,
}

pub(super) async fn rejects(args: &Args, outside: &Outside, out: &mut dyn Write, err: &mut dyn Write) -> Step {
    let lakes = args.lake.open(outside, err).await?;
    let since = args.hours.iter().map(|range| range.start).min();
    let mut sums = Sums::default();
    for lake in lakes.lakes() {
        let found = objects(lake, since).await?;
        let sources = found.into_iter().map(|object| Source::Object(lake.store().clone(), object)).collect();
        let mut blocks = lines(sources, &ReadOptions::default());
        while let Some(block) = blocks.next().await {
            for line in block?.lines() {
                one(args, line, &mut sums, out)?;
            }
        }
    }
    if !args.json && !args.raw {
        say(out, &format!("{}\n", counted(sums.shown, "reject")))?;
    }
    out.flush().map_err(write_failure)?;
    if sums.cut > 0 {
        note(err, &format!("cut when they were kept, and left out: {}", counted(sums.cut, "line")))?;
    }
    match sums.damaged {
        0 => Ok(()),
        count => Err(Failure {
            exit: Exit::Failure,
            error: anyhow::anyhow!(
                "{count} lines under rejects/ are not of the form that docs/lake-format.md describes"
            ),
        }),
    }
}

fn one(args: &Args, line: &[u8], sums: &mut Sums, out: &mut dyn Write) -> Step {
    let Ok(reject) = KeptReject::from_line(line) else {
        sums.damaged += 1;
        return Ok(());
    };
    let hour = reject.hour_or_arrival();
    if !args.hours.is_empty() && !args.hours.iter().any(|range| range.contains(hour)) {
        return Ok(());
    }
    if args.readable && !is_readable(&reject, true) {
        return Ok(());
    }
    if args.raw {
        if reject.lost() > 0 {
            sums.cut += 1;
            return Ok(());
        }
        sums.shown += 1;
        return out.write_all(&reject.bytes).and_then(|()| out.write_all(b"\n")).map_err(write_failure);
    }
    sums.shown += 1;
    if args.json {
        return say(out, &(reject.to_line() + "\n"));
    }
    let lost = if reject.lost() > 0 { format!(", the last {} of them lost", reject.lost()) } else { String::new() };
    let (at, place, reason) = (reject.received_at, shown(&reject.source), shown(&reject.reason));
    say(out, &format!("{at}  {place}\n  {reason}; {} bytes{lost}\n  {}\n", reject.length, excerpt(&reject.bytes)))
}

/// The beginning of a line, for people: text as it is, bytes that are none as `\xff`.
fn excerpt(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes[..bytes.len().min(4 * SHOWN_CHARS)].utf8_chunks() {
        text.push_str(&shown(chunk.valid()));
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    match text.char_indices().nth(SHOWN_CHARS) {
        None if bytes.len() <= 4 * SHOWN_CHARS => text,
        None => text + "…",
        Some((at, _)) => text[..at].to_owned() + "…",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_the_beginning_of_a_line_with_its_bytes_escaped() {
        assert_eq!(excerpt(b"caf\xc3\xa9 \xff\xfe \x1b[31m"), "café \\xff\\xfe \\u{1b}[31m");
        assert_eq!(excerpt("é".repeat(300).as_bytes()), "é".repeat(200) + "…");
        assert_eq!(excerpt(&[0xff; 900]).chars().count(), 201);
    }
}
