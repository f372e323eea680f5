//! The hour: the unit in which a lake is written, closed, listed, read and converted.
//!
//! Pure: no clock. Hours are UTC and counted from 1970-01-01T00; a lake's time zone only changes the *name* of a
//! folder, never where an hour begins.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 3_600_000;

/// One UTC hour, written `2026-11-22T05`.
///
/// ```
/// use cauce_lake::Hour;
/// let hour: Hour = "2026-11-22T05".parse()?;
/// assert_eq!(Hour::containing(hour.start_ms() + 1), hour);
/// assert_eq!(hour.next().to_string(), "2026-11-22T06");
/// # Ok::<(), cauce_lake::hour::HourParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(i64);

impl Hour {
    /// The hour that contains an instant, given in milliseconds since 1970-01-01T00:00:00Z.
    pub fn containing(epoch_ms: i64) -> Hour {
        Hour(epoch_ms.div_euclid(HOUR_MS))
    }

    /// The hour with this number of whole hours since 1970-01-01T00.
    pub fn from_index(index: i64) -> Hour {
        Hour(index)
    }

    /// Whole hours since 1970-01-01T00.
    pub fn index(self) -> i64 {
        self.0
    }

    /// First millisecond of the hour.
    pub fn start_ms(self) -> i64 {
        self.0 * HOUR_MS
    }

    /// First millisecond after the hour.
    pub fn end_ms(self) -> i64 {
        (self.0 + 1) * HOUR_MS
    }

    /// Whether an instant lies in this hour.
    pub fn contains_ms(self, epoch_ms: i64) -> bool {
        Hour::containing(epoch_ms) == self
    }

    /// The hour after this one.
    #[must_use]
    pub fn next(self) -> Hour {
        Hour(self.0 + 1)
    }

    /// The hour before this one.
    #[must_use]
    pub fn previous(self) -> Hour {
        Hour(self.0 - 1)
    }

    /// Year, month, day and hour of day in UTC.
    pub fn civil(self) -> (i16, i8, i8, i8) {
        let at = self.date_time();
        (at.year(), at.month(), at.day(), at.hour())
    }

    /// The hour of a UTC date and hour of day; `None` if there is no such date or hour.
    pub fn from_civil(year: i16, month: i8, day: i8, hour: i8) -> Option<Hour> {
        let at = DateTime::new(year, month, day, hour, 0, 0, 0).ok()?;
        let seconds = TimeZone::UTC.to_timestamp(at).ok()?.as_second();
        Some(Hour(seconds.div_euclid(3600)))
    }

    fn date_time(self) -> DateTime {
        // Only arithmetic on absurd input gives hours outside jiff's range (years −9999 to 9999). They are clamped,
        // since no key is made from their names.
        let seconds = self.0.saturating_mul(3600).clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
        TimeZone::UTC.to_datetime(at)
    }
}

impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour) = self.civil();
        // `pad` respects width and alignment, for tables.
        f.pad(&format!("{year:04}-{month:02}-{day:02}T{hour:02}"))
    }
}

impl fmt::Debug for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not an hour or a range of hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not an hour: write it as 2026-11-22T05, or a range as 2026-11-22T00..2026-11-23T00 (end not included)"
)]
pub struct HourParseError {
    text: String,
}

impl FromStr for Hour {
    type Err = HourParseError;

    /// Reads exactly `YYYY-MM-DDTHH`.
    fn from_str(text: &str) -> Result<Hour, HourParseError> {
        let wrong = || HourParseError { text: text.to_owned() };
        let bytes = text.as_bytes();
        let shape_fits = bytes.len() == 13
            && bytes.iter().enumerate().all(|(i, b)| match i {
                4 | 7 => *b == b'-',
                10 => *b == b'T',
                _ => b.is_ascii_digit(),
            });
        if !shape_fits {
            return Err(wrong());
        }
        let number = |range: std::ops::Range<usize>| text[range].parse::<i16>().map_err(|_| wrong());
        let small = |range| number(range).and_then(|n| i8::try_from(n).map_err(|_| wrong()));
        Hour::from_civil(number(0..4)?, small(5..7)?, small(8..10)?, small(11..13)?).ok_or_else(wrong)
    }
}

impl serde::Serialize for Hour {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Hour {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Hour, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Consecutive hours, the end not included: `2026-11-22T00..2026-11-23T00`. A single hour is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourRange {
    /// First hour of the range.
    pub start: Hour,
    /// First hour after the range.
    pub end: Hour,
}

impl HourRange {
    /// The range of one hour.
    pub fn single(hour: Hour) -> HourRange {
        HourRange { start: hour, end: hour.next() }
    }

    /// Whether the range contains the hour.
    pub fn contains(&self, hour: Hour) -> bool {
        self.start <= hour && hour < self.end
    }

    /// The hours, from first to last.
    pub fn iter(&self) -> impl Iterator<Item = Hour> + use<> {
        (self.start.0..self.end.0).map(Hour)
    }
}

impl fmt::Display for HourRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl FromStr for HourRange {
    type Err = HourParseError;

    fn from_str(text: &str) -> Result<HourRange, HourParseError> {
        match text.split_once("..") {
            None => Ok(HourRange::single(text.parse()?)),
            Some((start, end)) => {
                let range = HourRange { start: start.parse()?, end: end.parse()? };
                if range.start < range.end { Ok(range) } else { Err(HourParseError { text: text.to_owned() }) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_written_and_read_back() {
        for text in ["2026-11-22T05", "1970-01-01T00", "2024-02-29T23", "1969-12-31T23"] {
            assert_eq!(text.parse::<Hour>().expect("valid hour").to_string(), text);
        }
    }

    #[test]
    fn a_text_that_is_no_hour_is_refused() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T5",
            "2026-11-22T24",
            "2026-02-30T00",
            "2026-11-22 05",
            "2026-11-22T05Z",
            "２026-11-22T05",
        ] {
            assert!(text.parse::<Hour>().is_err(), "{text:?} was read as an hour");
        }
    }

    #[test]
    fn the_last_millisecond_belongs_to_the_hour_and_the_next_does_not() {
        let hour: Hour = "2026-11-22T05".parse().expect("valid hour");
        assert!(hour.contains_ms(hour.end_ms() - 1));
        assert!(!hour.contains_ms(hour.end_ms()));
        assert_eq!(Hour::containing(-1).to_string(), "1969-12-31T23");
    }

    #[test]
    fn a_range_ends_before_its_end_and_must_not_be_empty() {
        let range: HourRange = "2026-11-22T23..2026-11-23T01".parse().expect("valid range");
        let hours: Vec<String> = range.iter().map(|h| h.to_string()).collect();
        assert_eq!(hours, ["2026-11-22T23", "2026-11-23T00"]);
        assert!("2026-11-22T05..2026-11-22T05".parse::<HourRange>().is_err());
        assert_eq!("2026-11-22T05".parse::<HourRange>().expect("one hour").iter().count(), 1);
    }
}
