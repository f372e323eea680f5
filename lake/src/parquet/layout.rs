//! Where the Parquet of an hour stands under its target, and that a target is no lake. Pure but for one look at the disk, which
//! resolves the links of two folders.
//!
//! | name under the target | what |
//! |---|---|
//! | `date=<YYYY-MM-DD>/hour=<HH>/tweets.parquet` | the hour's tweets, put once and whole |
//! | `date=<YYYY-MM-DD>/hour=<HH>/_rejects.jsonl` | lines that did not read, where there are any; put before the tweets |
//! | `date=<YYYY-MM-DD>/hour=<HH>/_SUCCESS` | a closed hour is done; empty, put last |
//!
//! Spark, DuckDB, Polars and PyArrow take `date` and `hour` for columns, and pass by what begins with an underscore.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ConvertError;
use crate::hour::{Hour, HourRange};
use crate::manifest::SUCCESS_NAME;
use crate::store::{Key, Store, StoreError, list_all};
use crate::url::LakeUrl;

/// A range of more days than this is listed as a whole.
const MAX_DAYS: i64 = 32;

/// The objects of one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Tweets,
    Rejects,
    Success,
}

impl Part {
    const ALL: [Part; 3] = [Part::Tweets, Part::Rejects, Part::Success];

    fn file_name(self) -> &'static str {
        match self {
            Part::Tweets => "tweets.parquet",
            Part::Rejects => "_rejects.jsonl",
            Part::Success => SUCCESS_NAME,
        }
    }
}

/// The folder of an hour, without a slash at its end.
pub(super) fn folder(hour: Hour) -> String {
    let (year, month, day, hour) = hour.civil();
    format!("date={year:04}-{month:02}-{day:02}/hour={hour:02}")
}

/// The name of one of an hour's objects.
pub(super) fn key(hour: Hour, part: Part) -> Key {
    let name = format!("{}/{}", folder(hour), part.file_name());
    Key::new(name).expect("it holds only letters, digits and a little more")
}

/// The hour and the part that a name stands for; `None` for what others put there.
pub(super) fn parse(key: &str) -> Option<(Hour, Part)> {
    let (date, rest) = key.strip_prefix("date=")?.split_once("/hour=")?;
    let (hour, name) = rest.split_once('/')?;
    let part = Part::ALL.into_iter().find(|part| part.file_name() == name)?;
    Some((format!("{date}T{hour}").parse().ok()?, part))
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
pub(super) async fn present(
    target: &dyn Store,
    range: Option<HourRange>,
) -> Result<BTreeMap<Hour, Present>, StoreError> {
    let mut found = BTreeMap::<Hour, Present>::new();
    for prefix in prefixes(range) {
        for object in list_all(target, &prefix).await? {
            let Some((hour, part)) = parse(object.key.as_str()) else { continue };
            let hour = found.entry(hour).or_default();
            match part {
                Part::Tweets => hour.tweets = Some(object.bytes),
                Part::Rejects => hour.rejects = true,
                Part::Success => hour.success = true,
            }
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

/// Refuses a target that holds a lake or lies in one: readers of either would meet what is not theirs, and a listing of the
/// lake would walk through all of its Parquet.
///
/// # Errors
/// [`ConvertError::SharedRoot`].
pub(super) fn refuse_shared_root(lake: &str, target: &str) -> Result<(), ConvertError> {
    let shared = match (lake.parse(), target.parse()) {
        (Ok(LakeUrl::S3 { bucket: a, prefix: x }), Ok(LakeUrl::S3 { bucket: b, prefix: y })) => {
            a == b && (within(&x, &y) || within(&y, &x))
        }
        (Ok(LakeUrl::Folder(a)), Ok(LakeUrl::Folder(b))) => {
            let (a, b) = (resolved(&a), resolved(&b));
            a.starts_with(&b) || b.starts_with(&a)
        }
        _ => false,
    };
    if shared {
        return Err(ConvertError::SharedRoot { lake: lake.to_owned(), target: target.to_owned() });
    }
    Ok(())
}

/// Whether one prefix is another or lies under it.
fn within(inner: &str, outer: &str) -> bool {
    outer.is_empty() || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A folder as the disk sees it, with its links resolved as far as it exists.
fn resolved(path: &Path) -> PathBuf {
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
        let shared = |lake: &str, target: &str| refuse_shared_root(lake, target).is_err();
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
        assert!(refuse_shared_root(&path("lake"), &path("lake/parquet")).is_err());
        assert!(refuse_shared_root(&path("lake"), &path("link/not/yet")).is_err());
        assert!(refuse_shared_root(&path("lake"), &path("lake-parquet")).is_ok());
    }
}
