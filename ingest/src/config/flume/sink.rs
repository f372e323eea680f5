//! Flume's HDFS sink becomes `[lake]`. Its defaults hold where the file says nothing: a roll every 30 s, 1,024 bytes and
//! 10 lines.

use cauce_lake::pattern::{RoundUnit, Rounding};

use super::agent::{Component, Setting};
use super::mapping::{Mapping, java_number, java_switch};
use super::path::{self, Elsewhere, Keys};
use crate::config::outside::Outside;

const KNOWN: &[&str] = &[
    "type",
    "channel",
    "serializer",
    "serializer.appendNewline",
    "hdfs.path",
    "hdfs.filePrefix",
    "hdfs.fileSuffix",
    "hdfs.rollInterval",
    "hdfs.rollSize",
    "hdfs.rollCount",
    "hdfs.idleTimeout",
    "hdfs.batchSize",
    "hdfs.fileType",
    "hdfs.codeC",
    "hdfs.writeFormat",
    "hdfs.maxOpenFiles",
    "hdfs.round",
    "hdfs.roundValue",
    "hdfs.roundUnit",
    "hdfs.timeZone",
    "hdfs.useLocalTimeStamp",
    "hdfs.strictEscapes",
    "hdfs.inUsePrefix",
    "hdfs.inUseSuffix",
    "hdfs.emptyInUseSuffix",
    "hdfs.callTimeout",
    "hdfs.threadsPoolSize",
    "hdfs.rollTimerPoolSize",
    "hdfs.closeTries",
    "hdfs.retryInterval",
    "hdfs.minBlockReplicas",
    "hdfs.kerberosPrincipal",
    "hdfs.kerberosKeytab",
    "hdfs.proxyUser",
    "hdfs.useRawLocalFileSystem",
];

pub(super) fn map(sink: &Component, outside: &Outside, mapping: &mut Mapping<'_>) {
    let kind = sink.value("type").unwrap_or_default();
    if !kind.eq_ignore_ascii_case("hdfs") && kind != "org.apache.flume.sink.hdfs.HDFSEventSink" {
        if let Some(setting) = sink.get("type") {
            mapping.refuse(sink, setting, "type", &refusal(kind));
        }
        return;
    }
    location(sink, outside, mapping);
    names(sink, mapping);
    rolling(sink, mapping);
    times(sink, mapping);
    format(sink, mapping);
    batch(sink, mapping);
    let temporary = ["hdfs.inUsePrefix", "hdfs.inUseSuffix", "hdfs.emptyInUseSuffix"];
    mapping.not_needed(sink, &temporary, "no temporary name is ever visible");
    let pools =
        ["hdfs.callTimeout", "hdfs.threadsPoolSize", "hdfs.rollTimerPoolSize", "hdfs.closeTries", "hdfs.retryInterval"];
    mapping.not_needed(sink, &pools, "uploads are retried from the spool until the store has them");
    let hadoop = [
        "hdfs.minBlockReplicas",
        "hdfs.kerberosPrincipal",
        "hdfs.kerberosKeytab",
        "hdfs.proxyUser",
        "hdfs.useRawLocalFileSystem",
    ];
    mapping.not_needed(sink, &hadoop, "there is no Hadoop here");
    mapping.unknown_keys(sink, KNOWN, "lake");
}

fn refusal(kind: &str) -> String {
    match kind.to_ascii_lowercase().as_str() {
        "logger" | "null" | "file_roll" | "avro" | "thrift" | "hbase" | "hbase2" | "asynchbase" | "elasticsearch"
        | "hive" | "irc" | "http" => {
            format!("sinks of type {kind} are not there: Cauce writes to S3 or a local folder, type = hdfs")
        }
        _ => "Cauce writes to S3 or a local folder, type = hdfs; other sinks are not there".to_owned(),
    }
}

fn location(sink: &Component, outside: &Outside, mapping: &mut Mapping<'_>) {
    mapping.extras.allow_open = true;
    let Some(setting) = sink.get("hdfs.path") else {
        let what = format!(
            "{}: {} is not set: it says where the lake is (or set CAUCE_LAKE__URL)",
            mapping.report.file,
            sink.path("hdfs.path")
        );
        mapping.extras.missing.push(("lake.url", what));
        return;
    };
    let at = format!("{}:{}: {}", mapping.report.file, setting.line, sink.path("hdfs.path"));
    let location = match path::parse(&setting.value) {
        Ok(location) => location,
        Err(why) => return mapping.refuse(sink, setting, "hdfs.path", &why),
    };
    if location.pattern.contains("%[") {
        mapping.extras.host = Some(outside.host_names());
    }
    match location.url {
        Ok(url) => {
            if let Some(elsewhere) = location.elsewhere {
                local_folder(sink, setting, elsewhere, &url, mapping);
            }
            mapping.state_part("lake.url", url, setting.line);
        }
        // Another layer may say where the lake is.
        Err(why) => mapping.extras.missing.push(("lake.url", format!("{at}: {why}"))),
    }
    mapping.state_part("lake.pattern", location.pattern, setting.line);
    match location.keys {
        Keys::NotNeeded => {}
        Keys::Given { id, secret } => {
            mapping.state_part("lake.s3.access_key_id", id, setting.line);
            mapping.state_part("lake.s3.secret_access_key", secret, setting.line);
            let what =
                "the path holds AWS keys: better leave them out and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
            mapping.report.notice(setting.line, what);
        }
        Keys::Placeholders | Keys::Absent if outside.knows_aws_profile_or_role() => {}
        Keys::Placeholders | Keys::Absent => {
            let missing: Vec<&str> = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
                .into_iter()
                .filter(|variable| outside.variable(variable).is_none())
                .collect();
            if missing.is_empty() {
                return;
            }
            let list = missing.join(" and ");
            if location.keys == Keys::Placeholders || location.is_s3n {
                let held = if location.keys == Keys::Placeholders {
                    "placeholders in place of AWS keys"
                } else {
                    "no AWS keys"
                };
                mapping.extras.lacks_aws_keys = Some(format!(
                    "{at} holds {held}: set {list}, or AWS_PROFILE; for an instance's role write s3a://bucket/…, without keys"
                ));
            } else {
                mapping.report.notice(
                    setting.line,
                    &format!("no AWS keys in the path and no {list}: an instance's role is expected"),
                );
            }
        }
    }
}

/// A folder of this machine in the place of HDFS is never taken in silence.
fn local_folder(sink: &Component, setting: &Setting, elsewhere: Elsewhere, url: &str, mapping: &mut Mapping<'_>) {
    let why = match elsewhere {
        Elsewhere::Hdfs => "names HDFS, to which Cauce does not write",
        Elsewhere::HadoopsDefault => "has no scheme, for which Flume took Hadoop's default file system",
    };
    let what = format!(
        "{} {why}: tweets go to the local folder {url} of this machine; CAUCE_LAKE__URL, s3a://bucket/… or file:///… here, \
         says another place",
        sink.path("hdfs.path")
    );
    mapping.extras.local_folder = Some(format!("{}:{}: {what}", mapping.report.file, setting.line));
}

fn names(sink: &Component, mapping: &mut Mapping<'_>) {
    mapping.default("lake.file_prefix", "FlumeData");
    mapping.default("lake.file_suffix", "");
    if let Some(setting) = sink.get("hdfs.filePrefix") {
        if setting.value.contains('%') {
            mapping.refuse(sink, setting, "hdfs.filePrefix", "escapes are for the path: a prefix is a fixed text");
        } else {
            mapping.state("lake.file_prefix", &setting.value, setting);
        }
    }
    if let Some(setting) = sink.get("hdfs.fileSuffix") {
        mapping.state("lake.file_suffix", &setting.value, setting);
    }
}

fn rolling(sink: &Component, mapping: &mut Mapping<'_>) {
    for (key, knob, default, unit) in [
        ("hdfs.rollInterval", "lake.roll_interval", "30s", "s"),
        ("hdfs.rollSize", "lake.roll_bytes", "1024", ""),
        ("hdfs.rollCount", "lake.roll_count", "10", ""),
        ("hdfs.idleTimeout", "lake.roll_idle", "0", "s"),
    ] {
        mapping.default(knob, default);
        if let (Some(number), Some(setting)) = (mapping.number(sink, key), sink.get(key)) {
            mapping.state(knob, format!("{number}{unit}"), setting);
        }
    }
    if sink.get("hdfs.rollInterval").is_none() {
        let line = sink.get("hdfs.path").or(sink.get("type")).map_or(1, |setting| setting.line);
        let what = "hdfs.rollInterval is not set, so Flume's 30 s hold: up to 120 objects an hour; 300 or more makes fewer, larger ones";
        mapping.report.notice(line, what);
    }
    if let (Some(number), Some(setting)) = (mapping.number(sink, "hdfs.maxOpenFiles"), sink.get("hdfs.maxOpenFiles")) {
        mapping.state("lake.max_open_hours", number.clamp(1, 10_000).to_string(), setting);
    }
}

fn times(sink: &Component, mapping: &mut Mapping<'_>) {
    // The Twitter source sets the header `timestamp` from created_at; a timestamp interceptor overwrites it.
    mapping.default("lake.partition_by", "created_at");
    if let Some(setting) = sink.get("hdfs.useLocalTimeStamp") {
        // false is the default, and must not undo what an interceptor said.
        if java_switch(&setting.value) {
            mapping.state("lake.partition_by", "received_at", setting);
        }
    }
    match sink.get("hdfs.timeZone") {
        // Flume's guide names its default so, and Java takes a zone that it does not know for GMT.
        Some(setting) if setting.value.trim().eq_ignore_ascii_case("local time") => mapping.report.notice(
            setting.line,
            &format!(
                "{} is {:?}, which names no zone and was GMT to Flume: folders are named in UTC; a name such as \
                 America/Bogota sets another",
                sink.path("hdfs.timeZone"),
                setting.value.trim()
            ),
        ),
        Some(setting) => mapping.state("lake.time_zone", &setting.value, setting),
        None => mapping
            .report
            .notices
            .push("folders are named in UTC; Flume took the machine's zone (hdfs.timeZone sets another)".to_owned()),
    }
    if let Some(setting) = sink.get("hdfs.strictEscapes") {
        let word = if java_switch(&setting.value) { "strict" } else { "cauce" };
        mapping.state("lake.flume_escapes", word, setting);
    }
    if !sink.value("hdfs.round").is_some_and(java_switch) {
        return;
    }
    let unit = match sink.value("hdfs.roundUnit").unwrap_or("second").to_ascii_lowercase().as_str() {
        "hour" => RoundUnit::Hour,
        "minute" => RoundUnit::Minute,
        "second" => RoundUnit::Second,
        _ => {
            let line = sink.get("hdfs.roundUnit").map_or(1, |setting| setting.line);
            mapping.report.notice(line, "hdfs.roundUnit must be second, minute or hour: times are not rounded");
            return;
        }
    };
    let most = if unit == RoundUnit::Hour { 24 } else { 60 };
    let value = match sink.get("hdfs.roundValue") {
        None => 1,
        Some(setting) => match java_number(&setting.value).and_then(|number| u32::try_from(number).ok()) {
            Some(value) if (1..=most).contains(&value) => value,
            _ => return mapping.refuse(sink, setting, "hdfs.roundValue", &format!("must be between 1 and {most}")),
        },
    };
    mapping.extras.rounding = Some(Rounding { value, unit });
}

fn format(sink: &Component, mapping: &mut Mapping<'_>) {
    let codec = sink.get("hdfs.codeC").filter(|setting| !setting.value.eq_ignore_ascii_case("none"));
    let file_type = sink.value("hdfs.fileType").unwrap_or("SequenceFile").to_ascii_lowercase();
    match (file_type.as_str(), codec) {
        ("datastream", None) => mapping.default("lake.compression", "none"),
        ("datastream", Some(setting)) => {
            let what = "Flume refuses a codec with DataStream: write hdfs.fileType = CompressedStream, or take it out";
            mapping.refuse(sink, setting, "hdfs.codeC", what);
        }
        ("compressedstream", None) => mapping.report.problems.push(format!(
            "{}: {} is CompressedStream, which needs hdfs.codeC = gzip or zstd",
            mapping.report.file,
            sink.path("hdfs.fileType")
        )),
        ("compressedstream", Some(setting)) => compression(sink, setting.value.as_str(), mapping),
        ("sequencefile", _) => {
            let place = sink
                .get("hdfs.fileType")
                .map_or(mapping.report.file.to_owned(), |s| format!("{}:{}", mapping.report.file, s.line));
            let (path, why) = (
                sink.path("hdfs.fileType"),
                if sink.get("hdfs.fileType").is_some() { "" } else { ", Flume's default" },
            );
            mapping.report.problems.push(format!(
                "{place}: {path} is SequenceFile{why}: Cauce writes lines of JSON; write hdfs.fileType = DataStream or CompressedStream"
            ));
        }
        _ => {
            if let Some(setting) = sink.get("hdfs.fileType") {
                mapping.refuse(sink, setting, "hdfs.fileType", "must be DataStream or CompressedStream");
            }
        }
    }
    if let Some(setting) = sink.get("serializer").filter(|setting| !setting.value.eq_ignore_ascii_case("text")) {
        mapping.refuse(sink, setting, "serializer", "only TEXT is there: each line is a tweet's bytes as they came");
    }
    if let Some(setting) = sink.get("serializer.appendNewline").filter(|setting| !java_switch(&setting.value)) {
        mapping.refuse(
            sink,
            setting,
            "serializer.appendNewline",
            "every tweet ends its line: without line ends no reader could tell them apart",
        );
    }
}

fn compression(sink: &Component, name: &str, mapping: &mut Mapping<'_>) {
    let Some(setting) = sink.get("hdfs.codeC") else { return };
    let short = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
    match short.strip_suffix("codec").unwrap_or(&short) {
        "gzip" => mapping.state("lake.compression", "gzip", setting),
        "zstd" | "zstandard" => mapping.state("lake.compression", "zstd", setting),
        other @ ("snappy" | "bzip2" | "lz4" | "lzo" | "lzop" | "deflate" | "default") => {
            mapping.refuse(
                sink,
                setting,
                "hdfs.codeC",
                &format!("{other} is not there: use gzip, which everything reads, or zstd"),
            );
        }
        _ => mapping.refuse(sink, setting, "hdfs.codeC", "must be gzip or zstd"),
    }
    if sink.get("hdfs.fileSuffix").is_some() {
        mapping.report.notice(
            setting.line,
            "objects end with the suffix and the codec's own ending (.json.gz), which Flume left away",
        );
    }
}

fn batch(sink: &Component, mapping: &mut Mapping<'_>) {
    if let (Some(0), Some(setting)) = (mapping.number(sink, "hdfs.batchSize"), sink.get("hdfs.batchSize")) {
        mapping.refuse(sink, setting, "hdfs.batchSize", "must be above 0");
    }
}
