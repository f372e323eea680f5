//! Flume's channels become `[channel]` and `[spool]`.

use super::agent::Component;
use super::mapping::{Mapping, java_number};

/// Settings of the file channel's own format, which ours has no use for.
const FILE_CHANNEL_INNER: [&str; 11] = [
    "backupCheckpointDir",
    "useDualCheckpoints",
    "compressBackupCheckpoint",
    "checkpointInterval",
    "checkpointOnClose",
    "maxFileSize",
    "minimumRequiredSpace",
    "fsyncPerTransaction",
    "fsyncInterval",
    "use-log-replay-v1",
    "use-fast-replay",
];

/// The other settings of Flume's channels.
const KNOWN: &[&str] = &[
    "type",
    "capacity",
    "transactionCapacity",
    "keep-alive",
    "byteCapacity",
    "byteCapacityBufferPercentage",
    "dataDirs",
    "checkpointDir",
    "memoryCapacity",
    "overflowCapacity",
    "overflowTimeout",
    "avgEventSize",
    "overflowDeactivationThreshold",
];

pub(super) fn map(channel: &Component, sink: &Component, mapping: &mut Mapping<'_>) {
    let Some(kind) = channel.get("type") else { return };
    let class = kind.value.strip_prefix("org.apache.flume.channel.").unwrap_or(&kind.value);
    match class.to_ascii_lowercase().as_str() {
        "memory" | "memorychannel" => memory(channel, mapping),
        "file" | "file.filechannel" => {
            mapping.state("channel.type", "file", kind);
            // Flume's million records are on disk; ours are in the spool, and the channel in memory stays small.
            capacities(channel, mapping, "capacity", ("10000", "10000"));
            folder(channel, mapping);
        }
        "spillablememory" | "spillablememorychannel" => {
            mapping.state("channel.type", "file", kind);
            mapping.report.notice(
                kind.line,
                "a spillable channel becomes a durable one: all of it is on disk, not only the overflow",
            );
            capacities(channel, mapping, "memoryCapacity", ("10000", "10000"));
            folder(channel, mapping);
            let spill =
                ["capacity", "overflowCapacity", "overflowTimeout", "avgEventSize", "overflowDeactivationThreshold"];
            mapping.not_needed(channel, &spill, "nothing overflows; spool.max_bytes is the limit");
        }
        other => {
            let name = if other.len() <= 20 && !other.contains('.') {
                format!("channels of type {other}")
            } else {
                "channels of other types".to_owned()
            };
            mapping.refuse(channel, kind, "type", &format!("{name} are not there: use memory or file"));
            return;
        }
    }
    mapping.not_needed(channel, &["keep-alive"], "a full channel holds the source back and loses nothing");
    mapping.not_needed(
        channel,
        &["byteCapacity", "byteCapacityBufferPercentage"],
        "the longest line is bounded by source.max_line_bytes instead",
    );
    mapping.unknown_keys(channel, &[KNOWN, &FILE_CHANNEL_INNER].concat(), "channel");
    batch_means_nothing(channel, sink, mapping);
}

fn memory(channel: &Component, mapping: &mut Mapping<'_>) {
    if let Some(kind) = channel.get("type") {
        mapping.state("channel.type", "memory", kind);
    }
    mapping.default("channel.capacity", "100");
    mapping.default("channel.transaction_capacity", "100");
    for (key, knob) in [("capacity", "channel.capacity"), ("transactionCapacity", "channel.transaction_capacity")] {
        let Some(setting) = channel.get(key) else { continue };
        match java_number(&setting.value).filter(|number| *number > 0) {
            Some(number) => mapping.state(knob, number.to_string(), setting),
            // Flume's memory channel alone goes on with a default here.
            None => mapping.report.notice(
                setting.line,
                &format!("{} is no whole number above 0: Flume's default of 100 holds", channel.path(key)),
            ),
        }
    }
}

fn capacities(channel: &Component, mapping: &mut Mapping<'_>, capacity: &str, defaults: (&str, &str)) {
    mapping.default("channel.capacity", defaults.0);
    mapping.default("channel.transaction_capacity", defaults.1);
    for (key, knob) in [(capacity, "channel.capacity"), ("transactionCapacity", "channel.transaction_capacity")] {
        if let (Some(number), Some(setting)) = (mapping.number(channel, key), channel.get(key)) {
            // What is beyond this waits in the spool, not in memory.
            mapping.state(knob, number.min(MOST_IN_MEMORY).to_string(), setting);
            if number > MOST_IN_MEMORY {
                mapping.report.notice(
                    setting.line,
                    &format!(
                        "{} is taken as {MOST_IN_MEMORY}: what waits longer is in the spool, up to spool.max_bytes",
                        channel.path(key)
                    ),
                );
            }
        }
    }
}

/// Records of a durable channel that are held in memory at most.
const MOST_IN_MEMORY: u64 = 10_000;

/// The spool gets a folder of its own inside Flume's, because Flume's own files may still lie there.
fn folder(channel: &Component, mapping: &mut Mapping<'_>) {
    let dirs = channel.get("dataDirs").or(channel.get("checkpointDir"));
    if let Some((setting, first)) =
        dirs.and_then(|setting| Some((setting, setting.value.split(',').map(str::trim).find(|dir| !dir.is_empty())?)))
    {
        mapping.state_part("spool.dir", format!("{}/cauce-spool", first.trim_end_matches('/')), setting.line);
        mapping.report.notice(
            setting.line,
            &format!(
                "the spool is the folder cauce-spool in {}'s first folder; what Flume left there is not read",
                channel.path("dataDirs")
            ),
        );
    }
    mapping.not_needed(
        channel,
        &FILE_CHANNEL_INNER,
        "the spool has its own format; spool.fsync_interval says how often it is synced",
    );
}

/// Flume rolls back for ever where a sink's batch is larger than a transaction; here the batch has no meaning.
fn batch_means_nothing(channel: &Component, sink: &Component, mapping: &mut Mapping<'_>) {
    let number = |component: &Component, key: &str| component.value(key).and_then(java_number);
    let is_memory = channel.value("type").is_some_and(|kind| kind.to_ascii_lowercase().contains("memory"));
    let default = if is_memory { 100 } else { 10_000 };
    let transaction = number(channel, "transactionCapacity").filter(|number| *number > 0).unwrap_or(default);
    let (Some(batch), Some(setting)) = (number(sink, "hdfs.batchSize"), sink.get("hdfs.batchSize")) else { return };
    if batch > transaction {
        let what = format!(
            "{} is {batch}, more than the {transaction} of {}, for which Flume rolls back for ever: it means nothing here, \
             batches are bounded by the channel alone",
            sink.path("hdfs.batchSize"),
            channel.path("transactionCapacity")
        );
        mapping.report.notice(setting.line, &what);
    }
}
