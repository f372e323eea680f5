//! What a person types. One file a command: its arguments, what it does and what it prints. A new command is one variant
//! of [`Command`] and one file with an `Args` and a `run`.
//!
//! Exit codes: 0 done, 1 failure, 2 usage or configuration, 3 credentials refused by the source, 4 store, 5 another agent has
//! taken the lake.

mod arenas;
mod cat;
mod check;
mod close;
mod config_args;
mod convert;
mod convert_report;
mod disks;
mod flume_ng;
pub mod health;
mod hours;
mod lake_args;
mod log_args;
mod option_args;
#[cfg(test)]
mod reading_tests;
mod rejects;
mod run;
mod signals;
#[cfg(feature = "simulate")]
mod simulate;
mod spool;
mod verify;

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use cauce_lake::StoreError;
use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::agent::AgentError;
use crate::config::ConfigError;
use crate::config::redact::redact;
use crate::status::log_queue;
use crate::status::logs::LogWriter;

/// How long the end of a command waits for whoever reads its log.
const LAST_LINES: Duration = Duration::from_secs(5);

#[derive(Debug, Parser)]
#[command(
    name = "ingest",
    version,
    about = "Holds a tweet stream open and lays it down as closed hours in a lake",
    after_help = "Exit codes: 0 done, 1 failure, 2 usage or configuration, 3 credentials refused by the source, 4 store,\n\
                  5 another agent has taken the lake.\n\
                  Called as flume-ng it takes Apache Flume's own command line."
)]
struct Cli {
    #[command(flatten)]
    log: log_args::LogArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hold the stream and write the lake
    Run(run::Args),
    /// Close the hours that have ended, where no agent runs, and exit
    Close(close::Args),
    /// Check the configuration and show what it means
    Check(check::Args),
    /// List the lake's hours: open or closed, objects, tweets, bytes, gaps
    Hours(hours::Args),
    /// Write the lines of hours to standard output
    Cat(cat::Args),
    /// Read closed hours again and hold them against their manifests
    Verify(verify::Args),
    /// Show the lines that were rejected, with reason and place
    Rejects(rejects::Args),
    /// Hours to Parquet, with a progress bar
    Convert(convert::Args),
    /// Look into the spool: its files, their lines, a check, quarantined files back into the queue
    Spool(spool::Args),
    /// Ask a running agent whether it is ready
    Health(health::HealthArgs),
    /// Simulate the X API, with generated tweets
    #[cfg(feature = "simulate")]
    Simulate(cauce_simulator::Options),
}

impl Command {
    /// Services must not wait for the reader of their log; the others need no thread for it.
    fn log_writer(&self) -> LogWriter {
        match self {
            Command::Run(_) => LogWriter::Queued,
            #[cfg(feature = "simulate")]
            Command::Simulate(_) => LogWriter::Queued,
            _ => LogWriter::Direct,
        }
    }

    fn run(self) -> Outcome {
        match self {
            Command::Run(args) => run::run(&args),
            Command::Close(args) => close::run(&args),
            Command::Check(args) => check::run(&args),
            Command::Hours(args) => hours::run(&args),
            Command::Cat(args) => cat::run(&args),
            Command::Verify(args) => verify::run(&args),
            Command::Rejects(args) => rejects::run(&args),
            Command::Convert(args) => convert::run(&args),
            Command::Spool(args) => spool::run(&args),
            Command::Health(args) => Ok(runtime()?.block_on(health::run(args))?),
            #[cfg(feature = "simulate")]
            Command::Simulate(args) => Ok(runtime()?.block_on(simulate::run(args)).map(|()| ExitCode::SUCCESS)?),
        }
    }
}

/// Why a command failed, with its exit code.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

/// Exit codes other than 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Failure = 1,
    Usage = 2,
    Credentials = 3,
    Store = 4,
    Fenced = 5,
}

/// What a command ends with: its exit code, or why it failed.
type Outcome = Result<ExitCode, Failure>;

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure { exit: Exit::Usage, error: error.into() }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure { exit: Exit::Store, error: error.into() }
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Failure {
        let exit = match error {
            AgentError::SourceCredentials(_) => Exit::Credentials,
            AgentError::Configuration(_) => Exit::Usage,
            AgentError::Store(_) => Exit::Store,
            AgentError::Fenced(_) => Exit::Fenced,
            AgentError::Failed(_) => Exit::Failure,
        };
        Failure { exit, error: error.into() }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure { exit: Exit::Failure, error }
    }
}

/// Runs the program with its whole command line, the program's own name first. Under the name `flume-ng` it takes
/// Flume's.
pub fn main(line: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line: Vec<OsString> = line.into_iter().collect();
    raise_file_limit();
    let name = line.first().map(Path::new).and_then(Path::file_name).unwrap_or_default().to_owned();
    let outcome = if name == "flume-ng" {
        flume_ng::run(&line[1..])
    } else {
        match Cli::try_parse_from(line) {
            Ok(cli) => cli.log.start(cli.command.log_writer()).and_then(|()| cli.command.run()),
            Err(error) => return refuse(&error),
        }
    };
    let code = match outcome {
        Ok(code) => code,
        Err(Failure { exit, error }) => {
            let text = format!("{error:#}");
            // What is wrong with a configuration or a credential may have been found far from where it was read.
            let is_about_settings = matches!(exit, Exit::Usage | Exit::Credentials);
            let shown = if is_about_settings { redact(&text) } else { text };
            log_queue::say(&format!("{}: {shown}", name.to_string_lossy()));
            ExitCode::from(exit as u8)
        }
    };
    log_queue::flush(LAST_LINES);
    code
}

/// Raises the soft limit of open files to the hard limit: the usual 1,024 is kept for programs that use `select`. A failure
/// leaves the limit as it is.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Prints help, or what is wrong with a command line; clap repeats what was typed, which may hold a secret.
fn refuse(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let shown = redact(&text);
    if shown == text {
        error.exit();
    }
    eprint!("{shown}");
    ExitCode::from(Exit::Usage as u8)
}

/// The asynchronous run time of a command.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|error| anyhow::Error::new(error).context("cannot start the asynchronous run time").into())
}

/// Writes to standard output. A reader that has gone away (`| head`) is no failure.
fn print(text: &str) -> Outcome {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot write to standard output").into())
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_kind_of_failure_has_its_exit_code() {
        let exit = |failure: Failure| failure.exit as u8;
        assert_eq!(exit(AgentError::Failed(String::new()).into()), 1);
        assert_eq!(exit(AgentError::Configuration(String::new()).into()), 2);
        assert_eq!(exit(ConfigError::one("x").into()), 2);
        assert_eq!(exit(AgentError::SourceCredentials(String::new()).into()), 3);
        assert_eq!(exit(AgentError::Store(String::new()).into()), 4);
        assert_eq!(exit(AgentError::Fenced(String::new()).into()), 5);
    }
}
