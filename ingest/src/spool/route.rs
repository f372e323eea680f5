//! Into which file a record goes: its hour by the lake's rule, its folder by the pattern, the key of a new file.
//!
//! Pure: the state and the time are given.

use cauce_lake::manifest::{Codec, IngestPath, LATE_PREFIX, REJECTS_PREFIX, epoch_ms_in_name};
use cauce_lake::pattern::Granularity;
use cauce_lake::{Hour, Key, Pattern};

use super::entry::{FileHead, FileId, LakeRules, Role, Target};
use super::state::State;
use crate::config::settings::{LakeSettings, PartitionBy};

/// Name of files with messages, before the number.
const MESSAGES_PREFIX: &str = "_messages";
/// Name of files with rejects, before the number.
const REJECTS_FILE_PREFIX: &str = "rejects";

/// The lake's rules for names.
#[derive(Debug, Clone)]
pub struct Router {
    pattern: Pattern,
    partition_by: PartitionBy,
    file_prefix: String,
    file_suffix: String,
    codec: Codec,
    closes: bool,
}

impl Router {
    /// Takes the rules from the lake's settings.
    pub fn new(lake: &LakeSettings) -> Router {
        Router {
            closes: lake.pattern.granularity() == Granularity::Hour,
            pattern: lake.pattern.clone(),
            partition_by: lake.partition_by,
            file_prefix: lake.file_prefix.clone(),
            file_suffix: lake.file_suffix.clone(),
            codec: lake.codec,
        }
    }

    /// The time that names a record's hour: when it was written, or when it arrived where that is the rule, is not
    /// known, or lies in the future.
    pub fn time_of(&self, event_ms: Option<i64>, received_at_ms: i64) -> i64 {
        match (self.partition_by, event_ms) {
            (PartitionBy::CreatedAt, Some(event_ms)) if event_ms <= received_at_ms => event_ms,
            _ => received_at_ms,
        }
    }

    /// Whether hours are those in which records arrive.
    pub fn by_arrival(&self) -> bool {
        self.partition_by == PartitionBy::ReceivedAt
    }

    /// Whether the lake's folders are hours, which can close.
    pub fn closes(&self) -> bool {
        self.closes
    }

    /// These rules as the journal remembers them.
    pub fn rules(&self) -> LakeRules {
        let partition_by = match self.partition_by {
            PartitionBy::ReceivedAt => "received_at",
            PartitionBy::CreatedAt => "created_at",
        };
        LakeRules {
            pattern: self.pattern.as_str().to_owned(),
            time_zone: self.pattern.options().time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            partition_by: partition_by.to_owned(),
        }
    }

    /// The folder of an hour.
    pub fn folder_of(&self, hour: Hour) -> String {
        self.pattern.folder_of(hour)
    }

    /// The target of tweets or messages at a time.
    pub fn target(&self, state: &State, role: Role, path: IngestPath, at_ms: i64) -> Target {
        let hour = self.closes.then(|| Hour::containing(at_ms));
        let late = hour.is_some_and(|hour| state.is_final(hour));
        let folder = self.pattern.folder_at(at_ms);
        let folder = if late { format!("{LATE_PREFIX}{folder}") } else { folder };
        Target { folder, hour, role, late, path }
    }

    /// The target of rejects that arrived at a time.
    pub fn rejects(&self, path: IngestPath, received_at_ms: i64) -> Target {
        let (year, month, day, _) = Hour::containing(received_at_ms).civil();
        let folder = format!("{REJECTS_PREFIX}{year:04}-{month:02}-{day:02}");
        Target { folder, hour: None, role: Role::Rejects, late: false, path }
    }

    /// The head of a new file for a target. `at_ms` is the time of its first record, `now_ms` the time.
    pub fn new_file(&self, state: &State, id: FileId, target: Target, at_ms: i64, now_ms: i64) -> FileHead {
        let number = number(state, &target, at_ms, now_ms);
        let (prefix, suffix) = match target.role {
            Role::Tweets => (self.file_prefix.as_str(), self.file_suffix.as_str()),
            Role::Messages => (MESSAGES_PREFIX, ".json"),
            Role::Rejects => (REJECTS_FILE_PREFIX, ".jsonl"),
        };
        let codec = if target.role == Role::Tweets { self.codec } else { Codec::None };
        let slash = if target.folder.is_empty() { "" } else { "/" };
        let key = format!("{}{slash}{prefix}.{number}{suffix}{}", target.folder, codec.extension());
        let key = Key::new(key).expect("a checked pattern, prefix and suffix make a valid key");
        FileHead { id, target, key, codec, created_ms: now_ms }
    }
}

/// The head of a new file for the lines of one that was put aside: a new number in its folder, or in that of late tweets
/// when its hour takes nothing more.
pub fn again(state: &State, id: FileId, old: &FileHead, now_ms: i64) -> FileHead {
    let mut old = old.clone();
    old.target.late |= old.target.hour.is_some_and(|hour| state.is_final(hour));
    in_place_of(state, id, &old, now_ms)
}

/// The head of a new file that takes the place of another, also in an hour that takes nothing more: a new number in its folder.
pub fn in_place_of(state: &State, id: FileId, old: &FileHead, now_ms: i64) -> FileHead {
    let mut target = old.target.clone();
    if target.late && !target.folder.starts_with(LATE_PREFIX) {
        target.folder = format!("{LATE_PREFIX}{}", target.folder);
    }
    let name = old.key.file_name();
    let written = epoch_ms_in_name(name);
    let number = number(state, &target, written.unwrap_or(old.created_ms), now_ms);
    let name = match number_in(name) {
        Some((at, digits)) => format!("{}{number}{}", &name[..at], &name[at + digits..]),
        // The numbers of 1970's first months are too short to be told from other parts of a name.
        None => format!("{number}.{name}"),
    };
    let slash = if target.folder.is_empty() { "" } else { "/" };
    let key = Key::new(format!("{}{slash}{name}", target.folder)).expect("a valid key with another number stays valid");
    FileHead { id, target, key, codec: old.codec, created_ms: now_ms }
}

/// The key for the lines of a file that an object under its key does not hold. It follows from the file alone: a copy of the
/// spool that comes to the same point takes the same key, and finds there what the other has stored. `lines` of the file are
/// in the object, and `crc` is the CRC32C of the first one that is not.
pub fn rest_of(key: &Key, lines: u64, crc: u32) -> Key {
    let name = key.file_name();
    let mark = format!("{lines}-{crc:08x}");
    let name = match number_in(name) {
        Some((at, digits)) => format!("{}.{mark}{}", &name[..at + digits], &name[at + digits..]),
        None => format!("{mark}.{name}"),
    };
    let slash = if key.folder().is_empty() { "" } else { "/" };
    Key::new(format!("{}{slash}{name}", key.folder())).expect("a valid key with a mark stays valid")
}

/// Where the number of milliseconds stands in a file's name, and how many digits it has.
fn number_in(name: &str) -> Option<(usize, usize)> {
    let digits = epoch_ms_in_name(name)?.to_string();
    Some((name.rfind(&digits)?, digits.len()))
}

/// The number in a file's name: the time, inside the file's hour, and never one that its folder has seen.
fn number(state: &State, target: &Target, at_ms: i64, now_ms: i64) -> i64 {
    let (first, last) = match target.hour {
        Some(hour) => (hour.start_ms(), hour.end_ms() - 1),
        None => (0, i64::MAX),
    };
    let wanted = if now_ms <= last && now_ms >= first { now_ms } else { at_ms };
    // Flume's counter is the clock and one more, and so is ours: readers of both see the same kind of name.
    let seen = state.numbers.get(&target.folder).copied().unwrap_or(i64::MIN);
    let number = (wanted + 1).max(seen.saturating_add(1)).max(first);
    if number <= last {
        return number;
    }
    // The hour's last millisecond is used: go back to the latest number that is free.
    let taken: std::collections::BTreeSet<i64> = state
        .files
        .values()
        .filter(|file| file.head.target.folder == target.folder)
        .filter_map(|file| epoch_ms_in_name(file.head.key.file_name()))
        .collect();
    (first..=last).rev().find(|number| !taken.contains(number)).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::super::entry::Entry;
    use super::*;

    fn router(pattern: &str, partition_by: PartitionBy) -> Router {
        let file_prefix = "p".into();
        let (file_suffix, codec) = (String::new(), Codec::Gzip);
        let lake = LakeSettings::for_tests(pattern);
        Router::new(&LakeSettings { partition_by, file_prefix, file_suffix, codec, ..lake })
    }

    fn keys(router: &Router, at_ms: i64, now_ms: i64, files: u64) -> Vec<String> {
        let mut state = State::default();
        (0..files)
            .map(|id| {
                let target = router.target(&state, Role::Tweets, IngestPath::Stream, at_ms);
                let head = router.new_file(&state, id, target, at_ms, now_ms);
                state.apply(&Entry::Created(head.clone()));
                head.key.to_string()
            })
            .collect()
    }

    #[test]
    fn with_a_frozen_clock_files_are_numbered_from_the_next_millisecond_on() {
        let router = router("static", PartitionBy::ReceivedAt);
        let now_ms = 1_458_839_106_789;
        let expected: Vec<String> = (1..=10).map(|n| format!("static/p.{}.gz", now_ms + n)).collect();
        assert_eq!(keys(&router, now_ms, now_ms, 10), expected);
    }

    #[test]
    fn a_number_lies_inside_its_hour_even_at_the_hours_end() {
        let router = router("%m-%d-%h", PartitionBy::CreatedAt);
        let hour: Hour = "2026-11-22T05".parse().expect("valid hour");
        for (at_ms, now_ms) in [(hour.end_ms() - 1, hour.end_ms() + 5), (hour.start_ms(), hour.end_ms() - 1)] {
            let keys = keys(&router, at_ms, now_ms, 3);
            let numbers: Vec<i64> = keys.iter().map(|key| epoch_ms_in_name(key).expect("a number")).collect();
            assert!(numbers.iter().all(|number| hour.contains_ms(*number)), "{keys:?}");
            assert!(numbers[0] != numbers[1] && numbers[1] != numbers[2] && numbers[0] != numbers[2], "{keys:?}");
            assert!(keys.iter().all(|key| key.starts_with("11-22-05/p.")));
        }
    }

    #[test]
    fn a_time_in_the_future_or_none_at_all_is_the_arrival() {
        let router = router("%m-%d-%h", PartitionBy::CreatedAt);
        assert_eq!(router.time_of(Some(5), 10), 5);
        assert_eq!(router.time_of(Some(11), 10), 10);
        assert_eq!(router.time_of(None, 10), 10);
    }

    #[test]
    fn the_key_of_a_rest_says_where_it_begins_and_keeps_the_number() {
        let rest = |key: &str| rest_of(&Key::new(key).expect("valid key"), 60, 0xab).to_string();
        assert_eq!(rest("05/tweets.1795323600123.json.gz"), "05/tweets.1795323600123.60-000000ab.json.gz");
        assert_eq!(rest("1795323600123json"), "1795323600123.60-000000abjson");
        assert_eq!(rest("05/tweets.json"), "05/60-000000ab.tweets.json");
        let again = rest("05/tweets.1795323600123.7-00000001.json");
        assert_eq!(epoch_ms_in_name(again.rsplit('/').next().expect("a name")), Some(1_795_323_600_123), "{again}");
    }
}
