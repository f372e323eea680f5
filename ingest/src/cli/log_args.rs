//! Arguments that say what is logged and how. Finer levels than warnings are for Cauce's own parts only: libraries below
//! print headers there, and in those are tokens.

use tracing::level_filters::LevelFilter;

use super::Failure;
use crate::config::ConfigError;
use crate::status::logs::{self, LogFormat, LogWriter};

/// Parts of the program whose levels can be set.
const OURS: [&str; 5] = ["cauce_http", "cauce_ingest", "cauce_lake", "cauce_simulator", "ingest"];

/// A library that prints whole answers, headers too, when it warns.
const TALKATIVE: &str = "aws_config";

/// How and what is logged, for every command.
#[derive(Debug, clap::Args)]
pub(super) struct LogArgs {
    /// How log lines look, plain or json; they go to standard error
    #[arg(long, global = true, default_value = "plain", env = "CAUCE_LOG_FORMAT", value_parser = format)]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug or trace, also by part: info,cauce_lake=debug
    #[arg(long, global = true, default_value = "info", env = "CAUCE_LOG", value_parser = filter)]
    log_level: String,
}

impl LogArgs {
    pub(super) fn start(&self, writer: LogWriter) -> Result<(), Failure> {
        start(self.log_format, &self.log_level, writer)
    }
}

/// Starts logging with a filter that [`filter`] made.
pub(super) fn start(format: LogFormat, filter: &str, writer: LogWriter) -> Result<(), Failure> {
    logs::init(format, filter, writer).map_err(|error| ConfigError::one(error.to_string()).into())
}

/// Reads `plain` or `json`; nothing is plain, because a variable that is set to nothing counts as not set.
pub(super) fn format(text: &str) -> Result<LogFormat, String> {
    match text {
        "plain" | "" => Ok(LogFormat::Plain),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is no form of log: plain or json")),
    }
}

/// Reads `info`, or `info,cauce_lake=debug`, and gives the filter for it; nothing is `info`.
pub(super) fn filter(text: &str) -> Result<String, String> {
    let mut base = LevelFilter::INFO;
    let mut parts = String::new();
    for piece in text.split(',').map(str::trim).filter(|piece| !piece.is_empty()) {
        match piece.split_once('=') {
            None => base = level(piece)?,
            Some((part, word)) => {
                let root = part.split("::").next().unwrap_or(part);
                let is_path = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'));
                if !OURS.contains(&root) || !is_path {
                    return Err(format!("{part:?} is no part of Cauce: cauce_ingest or cauce_lake"));
                }
                parts += &format!(",{part}={}", level(word)?);
            }
        }
    }
    let ours: String = OURS.iter().map(|part| format!(",{part}={base}")).collect();
    let (libraries, talkative) = (base.min(LevelFilter::WARN), base.min(LevelFilter::ERROR));
    Ok(format!("{libraries},{TALKATIVE}={talkative}{ours}{parts}"))
}

fn level(word: &str) -> Result<LevelFilter, String> {
    let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let level = word.parse().ok().filter(|_| is_word);
    level.ok_or_else(|| format!("{word:?} is no level: error, warn, info, debug, trace or off"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finer_levels_are_for_our_own_parts_only() {
        let ours = |level: &str| OURS.map(|part| format!("{part}={level}")).join(",");
        assert!(
            ours("debug").starts_with("cauce_http=debug,cauce_ingest=debug,cauce_lake=debug,cauce_simulator=debug,")
        );
        let debug = format!("warn,aws_config=error,{},cauce_lake=trace", ours("debug"));
        assert_eq!(filter("debug,cauce_lake=trace"), Ok(debug));
        assert_eq!(filter("error"), Ok(format!("error,aws_config=error,{}", ours("error"))));
        assert_eq!(filter(""), filter("info"));
        for text in ["loud", "7", "hyper=trace", "info,cauce_lake[x]=debug", "cauce_lake=loud"] {
            assert!(filter(text).is_err(), "{text}");
        }
    }
}
