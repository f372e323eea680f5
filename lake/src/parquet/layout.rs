//! Where the Parquet of an hour stands under its target, and that a target is no lake. Pure but for one look at the disk, which
//! resolves the links of two folders.
//!
//! | name under the target | what |
//! |---|---|
//! | `date=<YYYY-MM-DD>/hour=<HH>/tweets.parquet` | the hour's tweets, put once and whole |
//! | `date=<YYYY-MM-DD>/hour=<HH>/_SUCCESS` | a closed hour is done; empty, put last |
//!
//! | name under the rejects' place | what |
//! |---|---|
//! | `date=<YYYY-MM-DD>/hour=<HH>.jsonl` | lines of the hour that did not read, where there are any; put before the tweets |
//!
//! Spark, DuckDB, Polars, pandas and PyArrow take the target for one table with the columns `date` and `hour`. What is not
//! Parquet must be empty there: of those readers only Spark passes by other names than its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::target::Target;
use crate::hour::{Hour, HourRange};
use crate::names::SUCCESS_NAME;
use crate::store::{Key, StoreError, list_all};
use crate::url::LakeUrl;

/// A range of more days than this is listed as a whole.
const MAX_DAYS: i64 = 32;

/// The objects of one hour under the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Tweets,
    Success,
}

impl Part {
    const ALL: [Part; 2] = [Part::Tweets, Part::Success];

    fn file_name(self) -> &'static str {
        match self {
            Part::Tweets => "tweets.parquet",
            Part::Success => SUCCESS_NAME,
        }
    }
}

/// What the name of an hour's rejects ends with.
const REJECTS_EXTENSION: &str = ".jsonl";

/// The folder of an hour, without a slash at its end.
pub(super) fn folder(hour: Hour) -> String {
    let (year, month, day, hour) = hour.civil();
    format!("date={year:04}-{month:02}-{day:02}/hour={hour:02}")
}

/// The name of one of an hour's objects.
pub(super) fn key(hour: Hour, part: Part) -> Key {
    named(format!("{}/{}", folder(hour), part.file_name()))
}

/// The name of an hour's rejects, in the place for them.
pub(super) fn rejects_key(hour: Hour) -> Key {
    named(folder(hour) + REJECTS_EXTENSION)
}

fn named(name: String) -> Key {
    Key::new(name).expect("it holds only letters, digits and a little more")
}

/// The hour and the part that a name stands for; `None` for what others put there.
pub(super) fn parse(key: &str) -> Option<(Hour, Part)> {
    let (folder, name) = key.rsplit_once('/')?;
    let part = Part::ALL.into_iter().find(|part| part.file_name() == name)?;
    Some((parse_folder(folder)?, part))
}

/// The hour whose rejects have this name; `None` for what others put there.
fn parse_rejects(key: &str) -> Option<Hour> {
    parse_folder(key.strip_suffix(REJECTS_EXTENSION)?)
}

fn parse_folder(folder: &str) -> Option<Hour> {
    let (date, hour) = folder.strip_prefix("date=")?.split_once("/hour=")?;
    format!("{date}T{hour}").parse().ok()
}

/// What is at a target of one hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Present {
    /// Length of `tweets.parquet`, where it is there.
    pub(super) tweets: Option<u64>,
    pub(super) rejects: bool,
    pub(super) success: bool,
}

/// What is at a target of the hours of a range, or of all. A long range is one listing, a short one a listing a day.
pub(super) async fn present(target: &Target, range: Option<HourRange>) -> Result<BTreeMap<Hour, Present>, StoreError> {
    let mut found = BTreeMap::<Hour, Present>::new();
    for prefix in prefixes(range) {
        for object in list_all(target.tweets(), &prefix).await? {
            let Some((hour, part)) = parse(object.key.as_str()) else { continue };
            let hour = found.entry(hour).or_default();
            match part {
                Part::Tweets => hour.tweets = Some(object.bytes),
                Part::Success => hour.success = true,
            }
        }
        // Of one hour the folder has a slash at its end, and the rejects do not.
        let Some(rejects) = target.rejects() else { continue };
        let prefix = if prefix.contains("/hour=") { prefix.trim_end_matches('/') } else { &prefix };
        for object in list_all(rejects, prefix).await? {
            let Some(hour) = parse_rejects(object.key.as_str()) else { continue };
            found.entry(hour).or_default().rejects = true;
        }
    }
    Ok(found)
}

fn prefixes(range: Option<HourRange>) -> Vec<String> {
    let all = || vec!["date=".to_owned()];
    let Some(range) = range else { return all() };
    let days = range.start.index().div_euclid(24)..=(range.end.index() - 1).div_euclid(24);
    if range.start.next() == range.end {
        vec![folder(range.start) + "/"]
    } else if days.end() - days.start() < MAX_DAYS {
        let day = |day: i64| folder(Hour::from_index(day * 24)).split('/').next().unwrap_or_default().to_owned();
        days.map(|number| day(number) + "/").collect()
    } else {
        all()
    }
}

/// Whether two places are one, or one lies in the other: readers of either would meet what is not theirs, and a listing of a
/// lake would walk through all of its Parquet.
pub(super) fn share_a_root(one: &str, other: &str) -> bool {
    match (one.parse(), other.parse()) {
        (Ok(LakeUrl::S3 { bucket: a, prefix: x }), Ok(LakeUrl::S3 { bucket: b, prefix: y })) => {
            a == b && (within(&x, &y) || within(&y, &x))
        }
        (Ok(LakeUrl::Folder(a)), Ok(LakeUrl::Folder(b))) => {
            let (a, b) = (resolved(&a), resolved(&b));
            a.starts_with(&b) || b.starts_with(&a)
        }
        _ => false,
    }
}

/// Whether one prefix is another or lies under it.
fn within(inner: &str, outer: &str) -> bool {
    outer.is_empty() || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A folder as the disk sees it, with its links resolved as far as it exists.
pub(super) fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut missing = Vec::new();
    for ancestor in path.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            return missing.iter().rev().fold(real, |path, name| path.join(name));
        }
        missing.extend(ancestor.file_name());
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_and_read_back() {
        let hour: Hour = "2026-11-22T05".parse().expect("an hour");
        assert_eq!(key(hour, Part::Tweets).as_str(), "date=2026-11-22/hour=05/tweets.parquet");
        for part in Part::ALL {
            assert_eq!(parse(key(hour, part).as_str()), Some((hour, part)));
        }
        assert_eq!(rejects_key(hour).as_str(), "date=2026-11-22/hour=05.jsonl");
        assert_eq!(parse_rejects(rejects_key(hour).as_str()), Some(hour));
        assert_eq!(parse_rejects("date=2026-11-22/hour=05/_rejects.jsonl"), None);
        for foreign in ["date=2026-11-22/hour=5/tweets.parquet", "date=2026-11-22/hour=05/part-0.parquet", "x"] {
            assert_eq!(parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_range_is_listed_by_its_days() {
        let range = |text: &str| text.parse::<HourRange>().expect("a range");
        assert_eq!(prefixes(Some(range("2026-11-22T05"))), ["date=2026-11-22/hour=05/"]);
        assert_eq!(prefixes(Some(range("2026-11-22T23..2026-11-23T01"))), ["date=2026-11-22/", "date=2026-11-23/"]);
        assert_eq!(prefixes(Some(range("2026-11-22T00..2026-11-23T00"))), ["date=2026-11-22/"]);
        assert_eq!(prefixes(Some(range("2026-01-01T00..2026-11-23T00"))), ["date="]);
        assert_eq!(prefixes(None), ["date="]);
    }

    #[test]
    fn a_lake_and_its_parquet_never_share_a_root() {
        let shared = share_a_root;
        assert!(shared("s3://bucket/lake", "s3://bucket/lake"));
        assert!(shared("s3://bucket/lake", "s3://bucket/lake/parquet"));
        assert!(shared("s3://bucket/lake/x", "s3://bucket/lake"));
        assert!(shared("s3://bucket", "s3://bucket/parquet"));
        assert!(!shared("s3://bucket/lake", "s3://bucket/lake-parquet"));
        assert!(!shared("s3://bucket/lake", "s3://other/lake"));
        assert!(!shared("s3://bucket/lake", "/bucket/lake"));
    }

    #[test]
    fn folders_are_compared_as_the_disk_sees_them() {
        let place = tempfile::tempdir().expect("a folder");
        let path = |name: &str| place.path().join(name).display().to_string();
        std::fs::create_dir_all(place.path().join("lake")).expect("a folder");
        std::os::unix::fs::symlink(place.path().join("lake"), place.path().join("link")).expect("a link");
        assert!(share_a_root(&path("lake"), &path("lake/parquet")));
        assert!(share_a_root(&path("lake"), &path("link/not/yet")));
        assert!(!share_a_root(&path("lake"), &path("lake-parquet")));
    }
}
