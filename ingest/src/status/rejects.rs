//! The rejects of a run as people see them: the first one's place, a warning when a kind comes first and then at most once a
//! minute, and their share of the last minute's lines for `/readyz`.
//!
//! The writer tells of each batch; the lock is held for a few additions. No text of a line is kept here.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Between two warnings about kinds that are known.
const SAY_EVERY_MS: i64 = 60_000;
/// The window over which their share is told, and its parts, which leave it one after the other.
const WINDOW_MS: i64 = 60_000;
const PART_MS: i64 = 5_000;
/// A smaller share of the lines is not worth a word on `/readyz`.
const SHOWN_PERCENT: u64 = 5;

/// A reject as it is told of.
#[derive(Debug, Clone, Copy)]
pub struct Rejected<'a> {
    /// Its kind, one word with hyphens.
    pub kind: &'static str,
    /// Where it stood.
    pub place: &'a str,
    /// Why it is one.
    pub reason: &'a str,
    /// Length of the line in bytes.
    pub bytes: u64,
    /// Bytes of it that are not kept.
    pub lost_bytes: u64,
}

/// What `/readyz` says of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Of the lines of the last minute, rounded down.
    pub percent: u64,
    /// Why the last of them was rejected.
    pub reason: String,
}

/// The rejects of a run.
#[derive(Debug, Default)]
pub struct Rejects(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    first: Option<String>,
    reason: String,
    kinds: BTreeMap<&'static str, u64>,
    unsaid: BTreeMap<&'static str, u64>,
    unsaid_lost_bytes: u64,
    said_ms: i64,
    parts: VecDeque<Part>,
}

#[derive(Debug)]
struct Part {
    begins_ms: i64,
    lines: u64,
    rejects: u64,
}

impl Rejects {
    /// Counts lines of all kinds that were taken in, rejects included.
    pub fn count_lines(&self, lines: u64, now_ms: i64) {
        self.known().part(now_ms).lines += lines;
    }

    /// Takes a reject in, and warns of it where it is the first of its kind.
    pub fn add(&self, reject: &Rejected<'_>, now_ms: i64) {
        let mut known = self.known();
        known.part(now_ms).rejects += 1;
        known.first.get_or_insert_with(|| format!("{}: {}", reject.place, reject.reason));
        reject.reason.clone_into(&mut known.reason);
        let count = known.kinds.entry(reject.kind).or_default();
        *count += 1;
        if *count == 1 {
            known.said_ms = now_ms;
            drop(known);
            let Rejected { kind, place, reason, bytes, lost_bytes } = *reject;
            tracing::warn!(
                kind,
                place,
                reason,
                bytes,
                lost_bytes,
                "line rejected; `ingest rejects` shows what is kept of it"
            );
            return;
        }
        *known.unsaid.entry(reject.kind).or_default() += 1;
        known.unsaid_lost_bytes += reject.lost_bytes;
    }

    /// Warns of those that were not told of yet, at most once a minute.
    pub fn say_due(&self, now_ms: i64) {
        let mut known = self.known();
        if known.unsaid.is_empty() || now_ms.saturating_sub(known.said_ms) < SAY_EVERY_MS {
            return;
        }
        known.said_ms = now_ms;
        let kinds = std::mem::take(&mut known.unsaid);
        let lost_bytes = std::mem::take(&mut known.unsaid_lost_bytes);
        drop(known);
        let mut text = String::new();
        for (kind, count) in &kinds {
            let comma = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{comma}{count} {kind}");
        }
        tracing::warn!(
            rejects = kinds.values().sum::<u64>(),
            kinds = text,
            lost_bytes,
            "more lines rejected; `ingest rejects` shows them"
        );
    }

    /// Place and reason of the first one.
    pub fn first(&self) -> Option<String> {
        self.known().first.clone()
    }

    /// Their share of the last minute's lines, where it is worth a word.
    pub fn share(&self, now_ms: i64) -> Option<Share> {
        let known = self.known();
        let recent = known.parts.iter().filter(|part| part.begins_ms > now_ms.saturating_sub(WINDOW_MS));
        let (lines, rejects) =
            recent.fold((0, 0), |(lines, rejects), part| (lines + part.lines, rejects + part.rejects));
        let percent = (rejects * 100).checked_div(lines.max(rejects))?;
        (percent >= SHOWN_PERCENT).then(|| Share { percent, reason: known.reason.clone() })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn part(&mut self, now_ms: i64) -> &mut Part {
        let begins_ms = now_ms.div_euclid(PART_MS) * PART_MS;
        if self.parts.back().is_none_or(|part| part.begins_ms < begins_ms) {
            self.parts.retain(|part| part.begins_ms > now_ms.saturating_sub(WINDOW_MS));
            self.parts.push_back(Part { begins_ms, lines: 0, rejects: 0 });
        }
        self.parts.back_mut().expect("one was just added")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(reason: &str) -> Rejected<'_> {
        Rejected { kind: "invalid-json", place: "a line 1", reason, bytes: 7, lost_bytes: 0 }
    }

    #[test]
    fn their_share_is_that_of_the_last_minute() {
        let rejects = Rejects::default();
        assert_eq!(rejects.share(0), None);
        rejects.count_lines(10, 1_000);
        (0..3).for_each(|_| rejects.add(&reject("not JSON at byte 0"), 1_000));
        let share = Share { percent: 30, reason: "not JSON at byte 0".into() };
        assert_eq!(rejects.share(2_000), Some(share.clone()));
        assert_eq!(rejects.share(59_000), Some(share));
        assert_eq!(rejects.share(61_000), None);
        rejects.count_lines(100, 62_000);
        rejects.add(&reject("x"), 62_000);
        assert_eq!(rejects.share(62_000), None, "one of a hundred");
    }

    #[test]
    fn the_first_one_keeps_its_place() {
        let rejects = Rejects::default();
        rejects.add(&reject("not JSON at byte 0"), 0);
        rejects.add(&Rejected { place: "b line 9", ..reject("y") }, 0);
        assert_eq!(rejects.first().as_deref(), Some("a line 1: not JSON at byte 0"));
    }
}
