//! When a spool file is finished. Pure.

use std::time::Duration;

use crate::config::settings::RollRules;

/// What the rules look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filling {
    /// When its first line arrived, milliseconds since the epoch.
    pub first_ms: i64,
    /// When its last line arrived.
    pub last_ms: i64,
    /// Bytes of its lines, line ends not counted (Flume counts bodies).
    pub body_bytes: u64,
    /// Lines.
    pub lines: u64,
}

/// Whether a file is full, so that the next line goes into a new one. Checked before each line, as Flume does: a file
/// holds exactly `count` lines, and may overshoot `bytes` by one line.
pub fn is_full(rules: &RollRules, filling: &Filling) -> bool {
    rules.count.is_some_and(|count| filling.lines >= count)
        || rules.bytes.is_some_and(|bytes| filling.body_bytes >= bytes)
}

/// When a file is finished by its age or idleness, milliseconds since the epoch; `None` when no rule says so.
pub fn due_ms(rules: &RollRules, filling: &Filling) -> Option<i64> {
    let after = |from: i64, span: Duration| from.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
    let by_age = rules.interval.map(|span| after(filling.first_ms, span));
    let by_idleness = rules.idle.map(|span| after(filling.last_ms, span));
    by_age.into_iter().chain(by_idleness).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Filling = Filling { first_ms: 1_000, last_ms: 1_000, body_bytes: 0, lines: 0 };

    /// Files that a stream of equal lines makes: the lines in each.
    fn files(rules: RollRules, lines: u64, body_bytes: u64) -> Vec<u64> {
        let mut files = vec![EMPTY];
        for _ in 0..lines {
            if is_full(&rules, files.last().expect("never empty")) {
                files.push(EMPTY);
            }
            let file = files.last_mut().expect("never empty");
            file.lines += 1;
            file.body_bytes += body_bytes;
        }
        files.iter().map(|file| file.lines).collect()
    }

    #[test]
    fn a_thousand_lines_at_a_hundred_a_file_make_ten_files() {
        let rules = RollRules { count: Some(100), ..RollRules::default() };
        assert_eq!(files(rules, 1_000, 1), [100; 10]);
    }

    #[test]
    fn a_file_may_overshoot_its_bytes_by_one_line() {
        let rules = RollRules { bytes: Some(1_024), ..RollRules::default() };
        assert_eq!(files(rules, 5, 600), [2, 2, 1]);
    }

    #[test]
    fn age_counts_from_the_first_line_and_idleness_from_the_last() {
        let filling = Filling { last_ms: 5_000, ..EMPTY };
        let rules = RollRules { interval: Some(Duration::from_secs(30)), ..RollRules::default() };
        assert_eq!(due_ms(&rules, &filling), Some(31_000));
        let rules = RollRules { idle: Some(Duration::from_secs(10)), ..rules };
        assert_eq!(due_ms(&rules, &filling), Some(15_000));
        assert_eq!(due_ms(&RollRules::default(), &filling), None);
    }

    #[test]
    fn with_every_rule_off_nothing_is_ever_full() {
        assert_eq!(files(RollRules::default(), 500, 5_000), [500]);
    }
}
