//! `ingest hours`: the hours of a lake, as a table for people or as JSON for programs.

use std::collections::BTreeMap;
use std::io::Write;

use bytesize::ByteSize;
use cauce_lake::HourRange;
use cauce_lake::catalogue::{HourEntry, Listing};
use cauce_lake::manifest::Gap;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::lake_args::{LakeArgs, Step, ends_quietly, note, say, shown, tell_problems, write_failure};
use super::{Exit, Failure, Outcome};
use crate::config::Outside;

/// Arguments of `ingest hours`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) lake: LakeArgs,
    /// Only these: 2026-11-22T05, or 2026-11-22T00..2026-11-23T00 (end not included)
    #[arg(value_name = "HOURS")]
    pub(super) range: Option<HourRange>,
    /// One JSON array of {hour, granularity, closed, objects, tweets, bytes, gaps, late, rejects, undelivered, messages}
    #[arg(long)]
    pub(super) json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Outcome {
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    ends_quietly(super::runtime()?.block_on(hours(args, &Outside::of_process(), &mut out, &mut err)))
}

pub(super) async fn hours(args: &Args, outside: &Outside, out: &mut dyn Write, err: &mut dyn Write) -> Step {
    let lakes = args.lake.open(outside, err).await?;
    let listing = lakes.hours(args.range).await?;
    let text = if args.json { json(&listing)? } else { table(&listing) };
    say(out, &text)?;
    out.flush().map_err(write_failure)?;
    if let Some(left_out) = listing.unread.describe(lakes.lakes()[0].pattern().as_str()) {
        note(err, &left_out)?;
    }
    tell_problems(&listing, err)?;
    match listing.problems.len() {
        0 => Ok(()),
        n => Err(Failure { exit: Exit::Failure, error: anyhow::anyhow!("{n} manifests cannot be trusted") }),
    }
}

/// An entry for programs. The names and their order are fixed.
#[derive(serde::Serialize)]
struct Row<'a> {
    hour: &'a str,
    granularity: String,
    closed: bool,
    objects: usize,
    tweets: Option<u64>,
    bytes: u64,
    gaps: &'a [Gap],
    late: u64,
    rejects: u64,
    undelivered: u64,
    messages: &'a BTreeMap<String, u64>,
}

fn json(listing: &Listing) -> Result<String, Failure> {
    let mut text = String::from("[");
    for (n, entry) in listing.entries.iter().enumerate() {
        let row = Row {
            hour: &entry.name,
            granularity: entry.granularity.to_string(),
            closed: entry.closed,
            objects: entry.objects.len(),
            tweets: entry.tweets,
            bytes: entry.bytes,
            gaps: &entry.gaps,
            late: entry.late,
            rejects: entry.rejects,
            undelivered: entry.undelivered,
            messages: &entry.message_counts,
        };
        text += if n == 0 { "\n" } else { ",\n" };
        text += &serde_json::to_string(&row).map_err(anyhow::Error::from)?;
    }
    Ok(text + "\n]\n")
}

fn table(listing: &Listing) -> String {
    if listing.entries.is_empty() {
        return "no hours\n".to_owned();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["hour", "state", "tweets", "objects", "bytes", "gaps", "late", "rejects"]);
    for entry in &listing.entries {
        table.add_row([
            shown(&entry.name),
            state(entry),
            entry.tweets.map_or_else(|| "-".to_owned(), |tweets| tweets.to_string()),
            entry.objects.len().to_string(),
            size(entry.bytes),
            entry.gaps.len().to_string(),
            entry.late.to_string(),
            entry.rejects.to_string(),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
        if column.index > 1 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect::<String>() + "\n" + &total(&listing.entries)
}

/// `closed`, `open`, or what a folder is that is no hour: such a folder never closes.
fn state(entry: &HourEntry) -> String {
    match (entry.closed, entry.hour()) {
        (true, _) => "closed".to_owned(),
        (false, Some(_)) => "open".to_owned(),
        (false, None) => format!("open {}", entry.granularity),
    }
}

fn total(entries: &[HourEntry]) -> String {
    let sum = |number: fn(&HourEntry) -> u64| entries.iter().map(number).sum::<u64>();
    let closed = entries.iter().filter(|entry| entry.closed).count();
    format!(
        "{closed} closed, {} open; {} tweets in closed hours; {} objects, {}; {} gaps; {} late tweets; {} rejects\n",
        entries.len() - closed,
        sum(|entry| entry.tweets.unwrap_or(0)),
        sum(|entry| entry.objects.len() as u64),
        size(sum(|entry| entry.bytes)),
        sum(|entry| entry.gaps.len() as u64),
        sum(|entry| entry.late),
        sum(|entry| entry.rejects),
    )
}

fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}
