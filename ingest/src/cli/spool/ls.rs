//! `ingest spool ls`: the files of a spool, as a table for people or as JSON for programs.

use std::fmt::Write as _;
use std::io::Write;

use bytesize::ByteSize;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use jiff::Timestamp;

use super::super::Failure;
use super::super::lake_args::{Step, say, shown, write_failure};
use super::SpoolArgs;
use crate::clock::instant;
use crate::config::Outside;
use crate::spool::entry::FileId;
use crate::spool::inspect::{View, proved};
use crate::spool::leftovers::Piece;
use crate::spool::state::{FileState, GapSpan, Stage, State};

/// Arguments of `ingest spool ls`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    spool: SpoolArgs,
    /// One JSON object {spool, agent_running, journal, torn_bytes, files, hours, manifests, gaps, spooled_bytes,
    /// unknown}
    #[arg(long)]
    json: bool,
}

pub(super) fn ls(args: &Args, outside: &Outside, out: &mut dyn Write) -> Step {
    let view = View::open(&args.spool.dir(outside)?)?;
    let listing = Listing::of(&view);
    let text = if args.json { json(&listing)? } else { listing.text(Timestamp::now().as_millisecond()) };
    say(out, &text)?;
    out.flush().map_err(write_failure)
}

/// What is listed. The names and their order are fixed.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Listing {
    spool: String,
    agent_running: bool,
    journal: String,
    torn_bytes: u64,
    files: Vec<File>,
    hours: Vec<HourRow>,
    manifests: Vec<String>,
    gaps: Vec<Gap>,
    spooled_bytes: u64,
    unknown: Vec<Unknown>,
}

/// A file of the quarantine folder that holds what the journal does not speak for.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
struct Unknown {
    name: String,
    lines: u64,
    bytes: u64,
}

/// A file.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
struct File {
    id: FileId,
    stage: &'static str,
    key: String,
    lines: u64,
    bytes: u64,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    good_lines: Option<u64>,
}

/// An hour that is not closed.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
struct HourRow {
    hour: String,
    frozen: bool,
}

/// A gap that the manifests of hours which are not closed will list; open while `to` is null.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
struct Gap {
    from: Timestamp,
    to: Option<Timestamp>,
    cause: String,
}

impl Listing {
    pub(super) fn of(view: &View) -> Listing {
        let State { files, hours, plans, gaps, .. } = &view.state;
        let hour_row = |(hour, state): (&cauce_lake::Hour, &crate::spool::state::HourState)| HourRow {
            hour: hour.to_string(),
            frozen: state.frozen_ms.is_some(),
        };
        Listing {
            spool: view.dir.display().to_string(),
            agent_running: view.running,
            journal: view.journal.clone(),
            torn_bytes: view.torn_bytes,
            files: files.values().map(File::of).collect(),
            hours: hours.iter().map(hour_row).collect(),
            manifests: plans.keys().map(|name| name.key().to_string()).collect(),
            gaps: gaps.iter().map(Gap::of).collect(),
            spooled_bytes: view.state.spooled_bytes(),
            unknown: view.unknown().unwrap_or_default().into_iter().map(Unknown::of).collect(),
        }
    }

    fn text(&self, now_ms: i64) -> String {
        let mut text = if self.files.is_empty() { "no files\n".to_owned() } else { self.table(now_ms) };
        let lines: u64 = self.files.iter().filter(|file| file.stage != "stored").map(|file| file.lines).sum();
        let aside = self.files.iter().filter(|file| file.reason.is_some()).count();
        let agent = if self.agent_running { "an agent is at work" } else { "no agent is at work" };
        let mut line = |what: String| {
            let _ = writeln!(text, "{what}");
        };
        line(format!(
            "\n{} files; {lines} lines, {} not yet in the store; {aside} quarantined; {agent}",
            self.files.len(),
            size(self.spooled_bytes)
        ));
        for hour in &self.hours {
            line(format!("hour      {} {}", hour.hour, if hour.frozen { "frozen" } else { "open" }));
        }
        self.manifests.iter().for_each(|name| line(format!("manifest  {} on its way", shown(name))));
        for gap in &self.gaps {
            let span = match gap.to {
                Some(to) => format!("{} to {to}", gap.from),
                None => format!("open since {}", gap.from),
            };
            line(format!("gap       {span}: {}", shown(&gap.cause)));
        }
        if self.torn_bytes > 0 {
            line(format!("journal   {} torn bytes at the end of {}: not accepted", self.torn_bytes, self.journal));
        }
        for file in &self.files {
            let Some(reason) = &file.reason else { continue };
            let good = match file.good_lines {
                Some(good) if good < file.lines => format!("; {good} of its {} lines check out", file.lines),
                _ => String::new(),
            };
            line(format!("aside     {}: {}{good}", file.id, shown(reason)));
        }
        for file in &self.unknown {
            let Unknown { name, lines, bytes } = file;
            line(format!(
                "unknown   {}: {lines} lines, {} that the journal does not speak for",
                shown(name),
                size(*bytes)
            ));
        }
        text
    }

    fn table(&self, now_ms: i64) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["id", "stage", "key", "lines", "bytes", "age"]);
        for file in &self.files {
            table.add_row([
                file.id.to_string(),
                file.stage.to_owned(),
                shown(&file.key),
                file.lines.to_string(),
                size(file.bytes),
                age(now_ms.saturating_sub(file.created_at.as_millisecond())),
            ]);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
            if column.index == 0 || column.index > 2 {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}

impl Unknown {
    fn of(piece: Piece) -> Unknown {
        Unknown { name: piece.name, lines: piece.lines, bytes: piece.bytes }
    }
}

impl Gap {
    fn of(span: &GapSpan) -> Gap {
        Gap { from: instant(span.from_ms), to: span.to_ms.map(instant), cause: span.cause.clone() }
    }
}

impl File {
    fn of(file: &FileState) -> File {
        let stage = match file.stage {
            Stage::Open => "open",
            Stage::Sealed { .. } => "sealed",
            Stage::Stored { .. } => "stored",
            Stage::Quarantined { .. } => "quarantined",
            Stage::Damaged { .. } => "damaged",
        };
        File {
            id: file.head.id,
            stage,
            key: file.head.key.to_string(),
            lines: file.lines,
            bytes: file.end,
            created_at: instant(file.head.created_ms),
            reason: file.aside().map(str::to_owned),
            good_lines: file.aside().map(|_| proved(file).1),
        }
    }
}

fn json(listing: &Listing) -> Result<String, Failure> {
    Ok(serde_json::to_string(listing).map_err(anyhow::Error::from)? + "\n")
}

fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

/// A span to the two largest units.
fn age(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, ..) => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::age;

    #[test]
    fn an_age_has_its_two_largest_units() {
        let ages = [-5, 59_000, 61_000, 3_600_000, 90_061_000].map(age);
        assert_eq!(ages, ["0s", "59s", "1m01s", "1h00m", "1d01h"]);
    }
}
