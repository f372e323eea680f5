//! `[lake]`: where it is, how its folders and objects are named, and when spool files are finished.

use std::time::Duration;

use cauce_lake::manifest::Codec;
use cauce_lake::pattern::{Escapes, PatternOptions};
use cauce_lake::store::{S3Options, s3};
use cauce_lake::{LakeUrl, Pattern};

use super::FromFlume;
use crate::config::layers::Origin;
use crate::config::read::Read;
use crate::config::settings::{LakeSettings, PartitionBy, RollRules, SuccessMarker};

pub(super) fn lake(read: &mut Read<'_>, flume: &FromFlume) -> Option<LakeSettings> {
    let url = lake_url(read, flume);
    let s3 = s3(read, flume, url.as_ref());
    let pattern = pattern(read, flume);
    let partition_by = match read.choice("lake.partition_by").as_str() {
        "created_at" => PartitionBy::CreatedAt,
        _ => PartitionBy::ReceivedAt,
    };
    let file_prefix = read.exact_text("lake.file_prefix");
    if file_prefix.is_empty() || file_prefix.starts_with(['_', '.']) || !is_name_part(&file_prefix) {
        let what = "must be letters, digits, dots, hyphens and underscores, and not begin with _ or . (Hadoop and Spark hide such names)";
        read.problem("lake.file_prefix", what);
    }
    let file_suffix = read.exact_text("lake.file_suffix");
    if !is_name_part(&file_suffix) {
        read.problem("lake.file_suffix", "must be letters, digits, dots, hyphens and underscores");
    }
    let codec = match read.choice("lake.compression").as_str() {
        "gzip" => Codec::Gzip,
        "zstd" => Codec::Zstd,
        _ => Codec::None,
    };
    let some = |duration: Duration| (!duration.is_zero()).then_some(duration);
    let roll = RollRules {
        interval: some(read.duration("lake.roll_interval")),
        bytes: Some(read.size("lake.roll_bytes")).filter(|bytes| *bytes > 0),
        count: Some(read.count("lake.roll_count")).filter(|count| *count > 0),
        idle: some(read.duration("lake.roll_idle")),
    };
    let max_open_hours = read.count("lake.max_open_hours");
    if !(1..=10_000).contains(&max_open_hours) {
        read.problem("lake.max_open_hours", "must be between 1 and 10000");
    }
    let success_marker = match read.choice("lake.success_marker").as_str() {
        "always" => SuccessMarker::Always,
        "never" => SuccessMarker::Never,
        _ => SuccessMarker::Auto,
    };
    let allowed_lateness = read.duration("lake.allowed_lateness");
    let repair_wait = read.duration("lake.repair_wait");
    let max_catch_up = read.duration("lake.max_catch_up");
    let allow_unsafe_store = read.switch("lake.allow_unsafe_store").unwrap_or(false);
    Some(LakeSettings {
        url: url?,
        s3,
        pattern: pattern?,
        partition_by,
        file_prefix,
        file_suffix,
        codec,
        roll,
        allowed_lateness,
        max_open_hours: usize::try_from(max_open_hours).unwrap_or(usize::MAX),
        repair_wait,
        max_catch_up,
        success_marker,
        allow_unsafe_store,
    })
}

fn lake_url(read: &mut Read<'_>, flume: &FromFlume) -> Option<LakeUrl> {
    let Some(text) = read.text("lake.url") else {
        match flume.missing.iter().find(|(key, _)| *key == "lake.url") {
            Some((_, why)) => read.problems.push(why.clone()),
            None => read.problems.push(
                "lake.url is missing: say where the lake is, as s3://bucket/prefix or a folder (--lake, CAUCE_LAKE__URL)",
            ),
        }
        return None;
    };
    // The error's own text may hold what stands in the bucket's place, which must not be a key; and a slip in the scheme
    // must not make a folder that is named after one.
    let lower = text.to_ascii_lowercase();
    let after_scheme = ["s3:", "s3a:", "s3n:"].iter().find_map(|scheme| lower.strip_prefix(scheme));
    if let Some(rest) = after_scheme
        && (!rest.starts_with("//")
            || (rest.trim_start_matches('/').split('/').next().unwrap_or(rest).contains(':')
                && text.parse::<LakeUrl>().is_err()))
    {
        read.problem("lake.url", "must be written as s3://bucket/prefix, without keys");
        return None;
    }
    let is_from_a_file = read.layers.entry("lake.url").is_some_and(|entry| matches!(entry.origin, Origin::Line { .. }));
    read.notices.extend(flume.local_folder.iter().filter(|_| is_from_a_file).cloned());
    match text.parse() {
        Ok(url) => Some(url),
        Err(why) => {
            read.problem("lake.url", &format!("{why}"));
            None
        }
    }
}

fn s3(read: &mut Read<'_>, flume: &FromFlume, url: Option<&LakeUrl>) -> S3Options {
    let mut options = S3Options::default();
    for row in s3::options::ROWS {
        let Some(text) = read.text(row.setting.key) else { continue };
        match row.set(&mut options, &text) {
            Err(what) if row.setting.is_repeatable() => read.quoted_problem(row.setting.key, &what),
            Err(what) => read.problem(row.setting.key, &what),
            Ok(()) => {}
        }
    }
    if let Err(why) = options.check() {
        read.problems.push(why.to_string());
    }
    if let (None, Some(why), Some(LakeUrl::S3 { .. })) = (&options.credentials, &flume.lacks_aws_keys, url) {
        read.problems.push(why.clone());
    }
    options
}

/// The one place where a pattern is compiled.
fn pattern(read: &mut Read<'_>, flume: &FromFlume) -> Option<Pattern> {
    let text = read.exact_text("lake.pattern");
    let from_flume = flume.allow_open
        && read
            .layers
            .entry("lake.pattern")
            .is_some_and(|entry| matches!(entry.origin, Origin::Line { .. } | Origin::FlumeDefault));
    let strict = read.choice("lake.flume_escapes") == "strict";
    let zone = read.text("lake.time_zone").filter(|zone| zone != "UTC");
    let options = PatternOptions {
        time_zone: zone,
        escapes: if strict { Escapes::Strict } else { Escapes::Cauce },
        rounding: flume.rounding.filter(|_| from_flume),
        allow_open: from_flume || strict || flume.reading,
        headers: flume.headers.clone(),
        host: flume.host.clone(),
    };
    match Pattern::new(&text, &options) {
        Ok(pattern) => {
            read.notices.extend(pattern.notices().into_iter().map(|notice| notice.0));
            Some(pattern)
        }
        Err(why) => {
            // What is right in UTC is wrong because of the zone.
            let in_utc = PatternOptions { time_zone: None, ..options };
            let key = if Pattern::new(&text, &in_utc).is_ok() { "lake.time_zone" } else { "lake.pattern" };
            read.problem(key, &why.to_string());
            None
        }
    }
}

fn is_name_part(text: &str) -> bool {
    text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}
