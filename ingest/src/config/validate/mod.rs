//! Layers become [`Settings`], or all that is wrong with them is said at once. Pure: nothing is read, connected to or
//! made on disk here; references are already resolved.

mod lake;
mod source;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use cauce_lake::pattern::{HostNames, Rounding};

use super::layers::{Layers, Origin};
use super::problem::ConfigError;
use super::read::Read;
use super::redact::redact;
use super::settings::{
    AgentSettings, ChannelSettings, LakeSettings, OnReject, Settings, SpoolSettings, StatusSettings,
};
use crate::status::hosts;

/// What only a `twitter.conf` can say.
#[derive(Debug, Clone, Default)]
pub(crate) struct FromFlume {
    /// The pattern is the `twitter.conf`'s own: it may name other spans than hours.
    pub(crate) allow_open: bool,
    /// The lake is only read: folders of any pattern may be listed, and none of them closes.
    pub(crate) reading: bool,
    /// `hdfs.round`.
    pub(crate) rounding: Option<Rounding>,
    /// Fixed headers, from interceptors.
    pub(crate) headers: Vec<(String, String)>,
    /// This host's names, where the path asks for them.
    pub(crate) host: Option<HostNames>,
    /// Names of source, channel and sink.
    pub(crate) names: Option<(String, String, String)>,
    /// Why a knob that is needed is not there: said in place of the general text.
    pub(crate) missing: Vec<(&'static str, String)>,
    /// The path became a folder of this machine, which Flume would not have written to; said where no layer above names
    /// another lake.
    pub(crate) local_folder: Option<String>,
    /// The path holds placeholders for keys, and nothing says where others come from.
    pub(crate) lacks_aws_keys: Option<String>,
    /// What is worth saying.
    pub(crate) notices: Vec<String>,
}

/// Checks everything.
///
/// # Errors
/// All problems found.
pub(crate) fn settings(layers: &Layers, flume: &FromFlume) -> Result<Settings, ConfigError> {
    let mut read = Read::new(layers);
    read.notices.extend(flume.notices.iter().cloned());
    let agent = agent(&mut read);
    let source = source::source(&mut read, flume, &agent.id);
    let on_reject = if read.choice("source.on_reject") == "fail" { OnReject::Fail } else { OnReject::Keep };
    let channel = channel(&mut read);
    let spool = SpoolSettings {
        dir: PathBuf::from(read.text("spool.dir").unwrap_or_default()),
        max_bytes: read.size("spool.max_bytes"),
        fsync_interval: read.duration("spool.fsync_interval"),
    };
    if spool.max_bytes < MIN_SPOOL_BYTES {
        read.problem(
            "spool.max_bytes",
            "must be at least 16MiB, so that there is room for what is open and the journal",
        );
    }
    let dedupe_window = read.duration("dedupe.window");
    let lake = lake::lake(&mut read, flume);
    let status = StatusSettings {
        listen: listen(&mut read, "status.listen"),
        is_listen_given: read.is_written("status.listen"),
        allowed_hosts: read.list("status.allowed_hosts"),
        flume_listen: listen(&mut read, "status.flume_listen"),
        flume_names: flume.names.clone().unwrap_or_else(|| ("source".into(), "channel".into(), "sink".into())),
    };
    if !status.allowed_hosts.iter().all(|name| hosts::is_possible(name)) {
        read.problem(
            "status.allowed_hosts",
            "must be host names without port, such as agent.example.org or *.example.org",
        );
    }
    if status.listen.is_some_and(|a| a.port() != 0 && Some(a) == status.flume_listen) {
        read.problem("status.flume_listen", "is the address of status.listen: give another port");
    }
    let notices = read.notices.iter().map(|notice| redact(notice)).collect();
    read.problems.check()?;
    match (source, lake) {
        (Some(source), Some(lake)) => {
            Ok(Settings { agent, source, on_reject, channel, spool, dedupe_window, lake, status, notices })
        }
        _ => Err(ConfigError::one("the configuration is not complete")),
    }
}

/// Checks `[lake]` alone, for commands that only read; returns it with what is worth saying.
///
/// # Errors
/// All problems found.
pub(crate) fn lake_settings(layers: &Layers, flume: &FromFlume) -> Result<(LakeSettings, Vec<String>), ConfigError> {
    let mut read = Read::new(layers);
    let lake = lake::lake(&mut read, flume);
    read.problems.check()?;
    let notices = read.notices.iter().map(|notice| redact(notice)).collect();
    lake.map(|lake| (lake, notices)).ok_or_else(|| ConfigError::one("the lake's configuration is not complete"))
}

/// Reads `spool.dir` alone.
///
/// # Errors
/// When it is no text.
pub(crate) fn spool_dir(layers: &Layers) -> Result<PathBuf, ConfigError> {
    let mut read = Read::new(layers);
    let dir = read.text("spool.dir");
    read.problems.check()?;
    dir.map(PathBuf::from).ok_or_else(|| ConfigError::one("spool.dir is empty: name the spool's folder"))
}

/// Below this a spool could not hold the open files of two hours and a journal.
const MIN_SPOOL_BYTES: u64 = 16 << 20;

/// Below this an ordinary answer would make the clock look wrong.
const MIN_CLOCK_SKEW: Duration = Duration::from_secs(10);
/// Below the lower end a slow answer of the store would look like a dead agent.
const LEASE_TIMEOUTS: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(3_600);

fn agent(read: &mut Read<'_>) -> AgentSettings {
    let id = read.text("agent.id").unwrap_or_default();
    let possible = (1..=32).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !possible {
        read.problem("agent.id", "must be 1 to 32 letters a-z, digits and hyphens");
    }
    let max_clock_skew = read.duration("agent.max_clock_skew");
    if !max_clock_skew.is_zero() && max_clock_skew < MIN_CLOCK_SKEW {
        read.problem(
            "agent.max_clock_skew",
            "must be at least 10s, because servers say whole seconds and answers take time; 0 turns the check off",
        );
    }
    let lease_timeout = read.duration("agent.lease_timeout");
    if !LEASE_TIMEOUTS.contains(&lease_timeout) {
        read.problem("agent.lease_timeout", "must be between 2s and 1h");
    }
    AgentSettings {
        id,
        drain_timeout: read.duration("agent.drain_timeout"),
        max_clock_skew,
        lease_timeout,
        take_over: false,
    }
}

fn channel(read: &mut Read<'_>) -> ChannelSettings {
    let durable = read.choice("channel.type") == "file";
    let capacity = read.count("channel.capacity");
    let mut transaction_capacity = read.count("channel.transaction_capacity");
    // A small channel without a word on its batches means small batches, not a mistake.
    let written = read.layers.entry("channel.transaction_capacity");
    if written.is_none_or(|entry| entry.origin == Origin::FlumeDefault) {
        transaction_capacity = transaction_capacity.min(capacity);
    }
    if !(1..=MAX_CAPACITY).contains(&capacity) {
        read.problem("channel.capacity", "must be between 1 and 10000000");
    } else if !(1..=capacity).contains(&transaction_capacity) {
        let what = format!("must be between 1 and channel.capacity, which is {capacity}");
        read.problem("channel.transaction_capacity", &what);
    }
    let fit = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    ChannelSettings { durable, capacity: fit(capacity), transaction_capacity: fit(transaction_capacity) }
}

/// Ten million records are some 50 GB of memory; more is a slip of the finger.
const MAX_CAPACITY: u64 = 10_000_000;

fn listen(read: &mut Read<'_>, key: &str) -> Option<SocketAddr> {
    let text = read.text(key)?;
    if text == "off" {
        return None;
    }
    // A name is not looked up: that would be I/O, and `localhost` is the only one worth having.
    let address = text.strip_prefix("localhost:").map_or(text.clone(), |port| format!("127.0.0.1:{port}"));
    let parsed = address.parse();
    if parsed.is_err() {
        read.problem(key, "must be an address and a port such as 127.0.0.1:9108, or off");
    }
    parsed.ok()
}
