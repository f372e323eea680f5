//! `ingest check`: reads the configuration as `ingest run` would, and says in plain words what it means.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use cauce_lake::pattern::Granularity;
use jiff::Timestamp;

use super::config_args::ConfigArgs;
use super::{Outcome, disks, print, runtime};
use crate::agent::AgentError;
use crate::config::redact::redact;
use crate::config::settings::{LakeSettings, PartitionBy, SourceSettings, XV2Auth};
use crate::config::{self, Outside, Request, Settings, show_duration, show_size};
use crate::{source, upload};

/// Arguments of `ingest check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Show settings that were left at their default too
    #[arg(long)]
    all: bool,
    /// Also ask the source and the store whether they take us; nothing is written
    #[arg(long)]
    connect: bool,
    /// Describe every setting there is, as Markdown, and check nothing
    #[arg(long)]
    reference: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Outcome {
    if args.reference {
        return print(&config::reference());
    }
    let done = check(&args.config.request(), &[], args.all)?;
    if !args.connect {
        return Ok(done);
    }
    let settings = config::load(&args.config.request(), &Outside::of_process())?.settings;
    runtime()?.block_on(connect(&settings))
}

/// Asks the store and the source, and prints what each says; the first refusal gives the exit code, after both were asked.
async fn connect(settings: &Settings) -> Outcome {
    let store = upload::probe::probe(&settings.lake.url, &settings.lake.s3, &settings.agent.id).await;
    let source = source::probe(settings).await;
    for finding in store.iter().flatten() {
        print(&format!("store     {finding}\n"))?;
    }
    if let Ok(finding) = &source {
        print(&format!("source    {finding}\n"))?;
    }
    store?;
    source.map_err(AgentError::from)?;
    Ok(ExitCode::SUCCESS)
}

/// Checks a configuration and prints what it means; the notices of a command line come before the configuration's own.
pub(super) fn check(request: &Request, notices: &[String], all: bool) -> Outcome {
    let loaded = config::load(request, &Outside::of_process())?;
    let mut text = summary(&loaded.settings, Timestamp::now().as_millisecond());
    for notice in notices.iter().chain(&loaded.settings.notices).chain(&disks::notice(&loaded.settings)) {
        text += &format!("note      {}\n", redact(notice));
    }
    let refused = match &loaded.settings.source {
        SourceSettings::Files { paths, .. } => inputs(paths, &mut text),
        _ => 0,
    };
    text += &format!("\nsettings in force:\n{}\n", loaded.effective(all));
    if refused > 0 {
        print(&text)?;
        let what = format!("{refused} inputs cannot be read; see the lines above that begin with `input`");
        return Err(AgentError::Failed(what).into());
    }
    print(&(text + "The configuration is good.\n"))
}

/// Lines about inputs that are shown one by one.
const SHOWN_INPUTS: usize = 50;

/// Says what each input is; gives how many cannot be read.
fn inputs(paths: &[String], text: &mut String) -> usize {
    let described = match source::describe(paths) {
        Ok(described) => described,
        Err(error) => {
            *text += &format!("input     {error}\n");
            return 0;
        }
    };
    // What cannot be read is always shown.
    for (path, what) in described
        .iter()
        .filter(|(_, what)| what.is_err())
        .chain(described.iter().filter(|(_, what)| what.is_ok()).take(SHOWN_INPUTS))
    {
        let what = what.as_ref().unwrap_or_else(|error| error);
        *text += &format!("input     {}: {what}\n", path.display());
    }
    let good = described.iter().filter(|(_, what)| what.is_ok()).count();
    if good > SHOWN_INPUTS {
        *text += &format!("input     and {} more\n", good - SHOWN_INPUTS);
    }
    described.len() - good
}

/// What an agent with these settings does, one part a line.
fn summary(settings: &Settings, now_ms: i64) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: String| {
        let _ = writeln!(text, "{name:<10}{}", redact(&what));
    };
    line("agent", settings.agent.id.clone());
    source(&settings.source, &mut line);
    let lake = &settings.lake;
    line("lake", lake.url.to_string());
    let folder = lake.pattern.folder_at(now_ms);
    let separator = if folder.is_empty() { "" } else { "/" };
    line(
        "object",
        format!(
            "{folder}{separator}{}.{now_ms}{}{}, if it were begun now",
            lake.file_prefix,
            lake.file_suffix,
            lake.codec.extension()
        ),
    );
    line("hour", hour(lake));
    line("roll", roll(lake));
    let channel = &settings.channel;
    let promise = if channel.durable {
        "file: accepted means on disk"
    } else {
        "memory: a killed process loses what is in the channel"
    };
    line("channel", format!("{promise}; {} records, {} a batch", channel.capacity, channel.transaction_capacity));
    line("spool", format!("{}, up to {}", settings.spool.dir.display(), show_size(settings.spool.max_bytes)));
    let dedupe = settings.dedupe_window;
    line(
        "dedupe",
        if dedupe.is_zero() { "off".to_owned() } else { format!("a tweet once within {}", show_duration(dedupe)) },
    );
    match settings.status.listen {
        Some(address) => line("status", format!("http://{address}/metrics, /livez, /readyz")),
        None => line("status", "off".to_owned()),
    }
    if let Some(address) = settings.status.flume_listen {
        line("status", format!("http://{address}/metrics as Flume's JSON"));
    }
    text
}

fn source(source: &SourceSettings, line: &mut impl FnMut(&str, String)) {
    match source {
        SourceSettings::XV2(x) => {
            let by = match x.auth {
                XV2Auth::Bearer(_) => "bearer token",
                XV2Auth::Consumer { .. } => "consumer key and secret",
            };
            let stream = if x.sample { "1 % sample stream" } else { "filtered stream" };
            line("source", format!("X API v2 {stream} at {}, by {by}", x.base_url));
            x.rules.iter().for_each(|rule| line("rule", rule.value.clone()));
        }
        SourceSettings::XV1(x) if x.sample => line("source", format!("v1.1 sample stream at {}", x.base_url)),
        SourceSettings::XV1(x) => {
            line("source", format!("v1.1 stream at {}", x.base_url));
            let ids: Vec<String> = x.follow.iter().map(u64::to_string).collect();
            let areas: Vec<String> = x.locations.iter().map(ToString::to_string).collect();
            for (what, items) in
                [("track", &x.keywords), ("follow", &ids), ("areas", &areas), ("language", &x.languages)]
            {
                if !items.is_empty() {
                    line(what, items.join(if what == "areas" { "; " } else { ", " }));
                }
            }
        }
        SourceSettings::Files { paths, .. } => line("source", format!("files: {}", paths.join(", "))),
        SourceSettings::Stdin { .. } => line("source", "standard input".to_owned()),
    }
}

fn hour(lake: &LakeSettings) -> String {
    let by = match lake.partition_by {
        PartitionBy::ReceivedAt => "by arrival".to_owned(),
        PartitionBy::CreatedAt => {
            format!("by when it was written, {} late at most", show_duration(lake.allowed_lateness))
        }
    };
    let closes = match lake.pattern.granularity() {
        Granularity::Hour => "each hour is closed by a manifest",
        Granularity::Day | Granularity::Other => "folders of this pattern are no hours and never close",
    };
    format!("a tweet's hour is chosen {by}; {closes}")
}

fn roll(lake: &LakeSettings) -> String {
    let age = |duration: Duration| format!("at {} of age", show_duration(duration));
    let rules: Vec<String> = [
        lake.roll.interval.map(age),
        lake.roll.bytes.map(|bytes| format!("at {} of lines", show_size(bytes))),
        lake.roll.count.map(|count| format!("at {count} lines")),
        lake.roll.idle.map(|duration| format!("after {} without a line", show_duration(duration))),
        Some("at the end of the hour".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect();
    rules.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_shows_where_a_tweet_of_now_would_go() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("cauce.toml");
        let text = "[source]\nkeywords = [\"#cat\"]\nbearer_token = \"hush\"\n[lake]\nurl = \"s3://bucket/x\"\ncompression = \"gzip\"\n";
        std::fs::write(&path, text).expect("file written");
        let request = Request { toml: Some(path), ..Request::default() };
        let settings = config::load(&request, &Outside::default()).expect("a good file").settings;
        let summary = summary(&settings, 1_795_323_600_123);
        for line in [
            "source    X API v2 filtered stream at https://api.x.com/, by bearer token\n",
            "rule      #cat\n",
            "lake      s3://bucket/x\n",
            "object    11-22-05/tweets.1795323600123.json.gz, if it were begun now\n",
            "roll      at 5m of age, at 128MiB of lines, at the end of the hour\n",
            "spool     spool, up to 10GiB\n",
        ] {
            assert!(summary.contains(line), "{line}{summary}");
        }
        assert!(!summary.contains("hush"));
    }
}
