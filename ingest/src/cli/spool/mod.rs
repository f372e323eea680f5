//! `ingest spool`: what waits on the local disk. `ls`, `cat` and `fsck` change nothing, take no lock and work beside a running
//! agent; `requeue` and `reset-time` need the spool for themselves.

mod cat;
mod fsck;
mod ls;
mod requeue;
mod reset_time;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::os::fd::AsFd;
use std::path::PathBuf;

use clap::Subcommand;
use clap::builder::{OsStringValueParser, TypedValueParser};

use super::lake_args::{Step, ends_quietly, write_failure};
use super::{Exit, Failure, Outcome};
use crate::config::{self, Flag, FlumeRequest, Outside, Request};
use crate::spool::SpoolError;
use crate::spool::requeue::RequeueError;
use crate::spool::route::Router;

/// Arguments of `ingest spool`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List its files, and what else the journal says
    Ls(ls::Args),
    /// Write the accepted lines of its files to standard output
    Cat(cat::Args),
    /// Check the journal, all files at every commit, and the id files; exit 1 when something is wrong
    Fsck(fsck::Args),
    /// Give quarantined files a new key, and take in lines that the journal did not speak for; the next ingest run uploads them
    Requeue(requeue::Args),
    /// Bring a spool back to now that an agent used while the clock was far ahead
    ResetTime(reset_time::Args),
}

/// Which spool is meant.
#[derive(Debug, Clone, Default, clap::Args)]
struct SpoolArgs {
    /// A cauce.toml, of which spool.dir is read; without it, one in the current folder is taken when it is there
    #[arg(short, long, value_name = "FILE", env = "CAUCE_CONFIG", value_parser = any_path())]
    config: Option<PathBuf>,
    /// The agent's name in the twitter.conf; not needed where the file holds one agent
    #[arg(short = 'n', long = "name", value_name = "AGENT", requires = "conf_file")]
    name: Option<String>,
    /// A Flume twitter.conf, whose channel's folder holds the spool
    #[arg(short = 'f', long = "conf-file", value_name = "FILE")]
    conf_file: Option<PathBuf>,
    /// The spool's folder
    #[arg(long, value_name = "FOLDER")]
    spool_dir: Option<String>,
}

/// Also takes nothing, which clap's own does not: a variable may be set to it.
fn any_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

impl SpoolArgs {
    fn dir(&self, outside: &Outside) -> Result<PathBuf, Failure> {
        Ok(config::load_spool_dir(&self.request(), outside)?)
    }

    /// The lake's rules for names; no secret is read.
    fn router(&self, outside: &Outside) -> Result<Router, Failure> {
        Ok(Router::new(&config::load_lake(&self.request(), outside)?.0))
    }

    fn request(&self) -> Request {
        let flag = |value: &String| Flag { key: "spool.dir".into(), value: value.clone(), flag: "--spool-dir".into() };
        let flume = |file: &PathBuf| FlumeRequest { agent: self.name.clone(), file: file.clone(), system: Vec::new() };
        Request {
            toml: self.config.clone().filter(|path| !path.as_os_str().is_empty()),
            flume: self.conf_file.as_ref().map(flume),
            flags: self.spool_dir.iter().map(flag).collect(),
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Outcome {
    // Blocks are large: the line buffer around `Stdout` would only search them for line ends.
    let mut out = std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned().map_err(write_failure)?);
    ends_quietly(spool(args, &Outside::of_process(), &mut out, &mut std::io::stderr()))
}

fn spool(args: &Args, outside: &Outside, out: &mut dyn Write, err: &mut dyn Write) -> Step {
    match &args.command {
        Command::Ls(args) => ls::ls(args, outside, out),
        Command::Cat(args) => cat::cat(args, outside, out, err),
        Command::Fsck(args) => fsck::fsck(args, outside, out),
        Command::Requeue(args) => requeue::requeue(args, outside, out, err),
        Command::ResetTime(args) => reset_time::reset_time(args, outside, out, err),
    }
}

fn failure(text: String) -> Failure {
    Failure { exit: Exit::Failure, error: anyhow::Error::msg(text) }
}

impl From<SpoolError> for Failure {
    fn from(error: SpoolError) -> Failure {
        // Its text holds that of its source.
        let exit = if matches!(error, SpoolError::Missing { .. }) { Exit::Usage } else { Exit::Failure };
        Failure { exit, error: anyhow::Error::msg(error.to_string()) }
    }
}

impl From<RequeueError> for Failure {
    fn from(error: RequeueError) -> Failure {
        failure(error.to_string())
    }
}
