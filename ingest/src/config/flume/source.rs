//! Flume's Twitter sources become `[source]`: the v2 filtered stream, or v1.1 where it is asked for by
//! `sources.NAME.cauce.type = x-v1` or `CAUCE_SOURCE__TYPE=x-v1`.

use super::agent::{Component, Setting};
use super::mapping::{Mapping, java_switch};
use super::path::is_placeholder;
use crate::config::outside::Outside;

const CLOUDERA: &str = "com.cloudera.flume.source.TwitterSource";
const APACHE: &str = "org.apache.flume.source.twitter.TwitterSource";

const CREDENTIALS: [(&str, &str); 4] = [
    ("consumerKey", "source.consumer_key"),
    ("consumerSecret", "source.consumer_secret"),
    ("accessToken", "source.access_token"),
    ("accessTokenSecret", "source.access_token_secret"),
];

/// What forks of the Twitter source have beside the keywords, by setting; the first name that is set counts.
const FILTERS: [(&str, &[&str]); 3] = [
    ("source.follow", &["follow", "follows", "followIds", "userIds"]),
    ("source.locations", &["locations", "location"]),
    ("source.languages", &["languages", "language", "lang"]),
];

const KNOWN: [&str; 12] = [
    "type",
    "channels",
    "consumerKey",
    "consumerSecret",
    "accessToken",
    "accessTokenSecret",
    "keywords",
    "batchSize",
    "maxBatchSize",
    "maxBatchDurationMillis",
    "interceptors",
    "selector.type",
];

pub(super) fn map(source: &Component, outside: &Outside, mapping: &mut Mapping<'_>) {
    let Some(kind) = source.get("type") else { return };
    if kind.value != CLOUDERA && kind.value != APACHE {
        let what = format!(
            "Cauce reads from X, files and standard input: use {CLOUDERA}, or a cauce.toml without a twitter.conf; other sources are not there"
        );
        mapping.refuse(source, kind, "type", &what);
        return;
    }
    mapping.default("source.type", "x-v2");
    if kind.value == APACHE {
        mapping.report.notice(
            kind.line,
            "tweets are written as lines of JSON as they come, not as the Avro that Apache Flume's source makes",
        );
    }
    for (key, knob) in CREDENTIALS {
        let absent = |why: &str| format!("{}: {} {why}", mapping.report.file, source.path(key));
        match source.get(key) {
            None => mapping.extras.missing.push((knob, absent("is not set"))),
            Some(setting) if is_placeholder(&setting.value) => {
                mapping.extras.missing.push((
                    knob,
                    format!("{}:{}: {} is still a placeholder", mapping.report.file, setting.line, source.path(key)),
                ));
            }
            Some(setting) => mapping.state(knob, &setting.value, setting),
        }
    }
    if let Some(setting) = source.get("keywords") {
        mapping.state("source.keywords", &setting.value, setting);
    }
    filters(source, mapping);
    mapping.not_needed(
        source,
        &["batchSize", "maxBatchSize", "maxBatchDurationMillis"],
        "batches are bounded by the channel's transactionCapacity",
    );
    if let Some(setting) =
        source.get("selector.type").filter(|setting| !setting.value.eq_ignore_ascii_case("replicating"))
    {
        mapping.refuse(
            source,
            setting,
            "selector.type",
            "there is one channel, so nothing can be selected: take it out",
        );
    }
    let own = interceptors(source, outside, mapping);
    let mut known: Vec<&str> = KNOWN.to_vec();
    known.extend(own.iter().map(String::as_str));
    known.extend(FILTERS.iter().flat_map(|(_, names)| names.iter().copied()));
    // What belongs to an interceptor was looked at with it.
    known.extend(source.settings.keys().filter(|key| key.starts_with("interceptors.")).map(String::as_str));
    mapping.unknown_keys(source, &known, "source");
}

/// The filters of forks. Cloudera's and Apache's own sources ignored them, so that they are said.
fn filters(source: &Component, mapping: &mut Mapping<'_>) {
    for (knob, names) in FILTERS {
        let mut set = names.iter().filter_map(|name| Some((*name, source.get(name)?)));
        let Some((name, setting)) = set.next() else { continue };
        mapping.state(knob, &setting.value, setting);
        let what = format!("{} is taken as {knob}: {}", source.path(name), consequence(knob));
        mapping.report.notice(setting.line, &what);
        for (other, setting) in set {
            mapping.report.notice(setting.line, &format!("{} is ignored beside {name}", source.path(other)));
        }
    }
}

fn consequence(knob: &str) -> &'static str {
    match knob {
        "source.languages" => "only tweets in these languages come; Cloudera's own source ignored it",
        "source.follow" => "tweets by, to and repeated from these accounts come too",
        _ => "tweets from these areas come too",
    }
}

/// Interceptors that only add fixed headers or the time of arrival are taken over; the others change or drop tweets.
fn interceptors(source: &Component, outside: &Outside, mapping: &mut Mapping<'_>) -> Vec<String> {
    let Some(list) = source.get("interceptors") else { return Vec::new() };
    let mut known = Vec::new();
    for name in list.value.split_whitespace() {
        let key = |part: &str| format!("interceptors.{name}.{part}");
        let value = |part: &str| source.value(&key(part)).map(str::to_owned);
        known.extend(["type", "preserveExisting", "useIP", "hostHeader", "key", "value", "headerName"].map(key));
        let Some(kind) = source.get(&key("type")) else {
            mapping.refuse(source, list, &key("type"), "is not set, for which Flume drops the source");
            continue;
        };
        let keeps = value("preserveExisting");
        match short_name(&kind.value).as_str() {
            "timestamp" => {
                if !keeps.as_deref().is_some_and(java_switch) {
                    mapping.state("lake.partition_by", "received_at", &Setting { written: String::new(), ..kind.clone() });
                }
            }
            "host" => {
                let header = value("hostHeader").unwrap_or_else(|| "host".to_owned());
                let names = outside.host_names();
                let by_address = value("useIP").is_none_or(|text| java_switch(&text));
                mapping.extras.headers.push((header, if by_address { names.ip } else { names.localhost }));
            }
            "static" => {
                let or = |part: &str| value(part).unwrap_or_else(|| part.to_owned());
                mapping.extras.headers.push((or("key"), or("value")));
            }
            _ => mapping.refuse(
                source,
                kind,
                &key("type"),
                "this interceptor would change or drop tweets: Cauce stores what came; only timestamp, host and static are taken over",
            ),
        }
    }
    known
}

fn short_name(kind: &str) -> String {
    let class = kind.rsplit('.').next().unwrap_or(kind);
    let class = class.split('$').next().unwrap_or(class);
    class.strip_suffix("Interceptor").unwrap_or(class).to_ascii_lowercase()
}
