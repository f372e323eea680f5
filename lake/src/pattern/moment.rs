//! An instant as a pattern sees it: local fields in the pattern's zone, after rounding.
//!
//! Rendering writes the values of each [`Quantity`], parsing compares them. Rounding follows Flume 1.7 and later: in
//! the pattern's zone, not that of the machine. Pure.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{PatternError, RoundUnit, Rounding};

/// A value of an instant that an escape can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    Year,
    /// The year's last two digits.
    ShortYear,
    Month,
    Day,
    DayOfYear,
    /// 0 is Monday.
    Weekday,
    Hour,
    /// 1 to 12.
    Hour12,
    /// 0 before noon, 1 after.
    AmPm,
    /// Minutes east of UTC, rounded towards zero.
    Offset,
    Minute,
    Second,
    /// After rounding; converted to seconds towards zero, as Java does.
    EpochSecond,
    /// Never rounded.
    EpochMs,
}

/// Units of time, from coarse to fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl Quantity {
    pub(super) const COUNT: usize = 14;
    pub(super) const ALL: [Quantity; Quantity::COUNT] = [
        Quantity::Year,
        Quantity::ShortYear,
        Quantity::Month,
        Quantity::Day,
        Quantity::DayOfYear,
        Quantity::Weekday,
        Quantity::Hour,
        Quantity::Hour12,
        Quantity::AmPm,
        Quantity::Offset,
        Quantity::Minute,
        Quantity::Second,
        Quantity::EpochSecond,
        Quantity::EpochMs,
    ];

    /// The coarsest unit within which the value is constant.
    pub(super) fn unit(self) -> Unit {
        match self {
            Quantity::Year | Quantity::ShortYear => Unit::Year,
            Quantity::Month => Unit::Month,
            Quantity::Day | Quantity::DayOfYear | Quantity::Weekday => Unit::Day,
            Quantity::Hour | Quantity::Hour12 | Quantity::AmPm | Quantity::Offset => Unit::Hour,
            Quantity::Minute => Unit::Minute,
            Quantity::Second | Quantity::EpochSecond => Unit::Second,
            Quantity::EpochMs => Unit::Millisecond,
        }
    }

    /// The smallest possible value.
    pub(super) fn smallest(self) -> i64 {
        match self {
            Quantity::Month | Quantity::Day | Quantity::DayOfYear | Quantity::Hour12 => 1,
            Quantity::Offset => -26 * 60,
            Quantity::EpochSecond | Quantity::EpochMs => i64::MIN,
            _ => 0,
        }
    }

    /// The largest value that is accepted when parsing.
    pub(super) fn largest(self) -> i64 {
        match self {
            Quantity::Year => 9999,
            Quantity::ShortYear => 99,
            Quantity::Month | Quantity::Hour12 => 12,
            Quantity::Day => 31,
            Quantity::DayOfYear => 366,
            Quantity::Weekday => 6,
            Quantity::Hour => 23,
            Quantity::AmPm => 1,
            Quantity::Offset => 26 * 60,
            Quantity::Minute | Quantity::Second => 59,
            Quantity::EpochSecond | Quantity::EpochMs => i64::MAX,
        }
    }
}

/// An instant in a time zone.
#[derive(Debug)]
pub(super) struct Moment {
    /// The local date and time, after rounding.
    pub(super) local: DateTime,
    offset_seconds: i32,
    rounded_ms: i64,
    epoch_ms: i64,
}

impl Moment {
    pub(super) fn at(epoch_ms: i64, zone: &TimeZone, rounding: Option<Rounding>) -> Moment {
        let rounded_ms = rounding.map_or(epoch_ms, |rounding| round_down(epoch_ms, zone, rounding));
        let (local, offset_seconds) = local(rounded_ms, zone);
        Moment { local, offset_seconds, rounded_ms, epoch_ms }
    }

    pub(super) fn value(&self, quantity: Quantity) -> i64 {
        let at = &self.local;
        match quantity {
            Quantity::Year => at.year().into(),
            Quantity::ShortYear => at.year().rem_euclid(100).into(),
            Quantity::Month => at.month().into(),
            Quantity::Day => at.day().into(),
            Quantity::DayOfYear => at.day_of_year().into(),
            Quantity::Weekday => at.weekday().to_monday_zero_offset().into(),
            Quantity::Hour => at.hour().into(),
            Quantity::Hour12 => i64::from(at.hour() + 11) % 12 + 1,
            Quantity::AmPm => i64::from(at.hour() >= 12),
            Quantity::Offset => (self.offset_seconds / 60).into(),
            Quantity::Minute => at.minute().into(),
            Quantity::Second => at.second().into(),
            Quantity::EpochSecond => self.rounded_ms / 1000,
            Quantity::EpochMs => self.epoch_ms,
        }
    }

    /// Whether two instants, with one offset from the first to the second, are in one unit.
    pub(super) fn same(&self, other: &Moment, unit: Unit) -> bool {
        let all = |units: &[Quantity]| units.iter().all(|&q| self.value(q) == other.value(q));
        use Quantity as Q;
        match unit {
            Unit::Year => all(&[Q::Year]),
            Unit::Month => all(&[Q::Year, Q::Month]),
            Unit::Day => all(&[Q::Year, Q::DayOfYear]),
            Unit::Hour => all(&[Q::Year, Q::DayOfYear, Q::Hour]),
            Unit::Minute => all(&[Q::Year, Q::DayOfYear, Q::Hour, Q::Minute]),
            Unit::Second => all(&[Q::EpochSecond]),
            Unit::Millisecond => all(&[Q::EpochMs]),
        }
    }
}

/// The instant, clamped to the calendar's range (years −9999 to 9999).
pub(super) fn timestamp(epoch_ms: i64) -> Timestamp {
    let within = epoch_ms.clamp(Timestamp::MIN.as_second() * 1000, Timestamp::MAX.as_second() * 1000);
    Timestamp::from_millisecond(within).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn local(epoch_ms: i64, zone: &TimeZone) -> (DateTime, i32) {
    let at = timestamp(epoch_ms);
    let offset = zone.to_offset(at);
    (offset.to_datetime(at), offset.seconds())
}

/// Flume's limits: 1 to 60 seconds or minutes, 1 to 24 hours.
pub(super) fn check_rounding(rounding: Rounding) -> Result<(), PatternError> {
    let (most, unit) = match rounding.unit {
        RoundUnit::Second => (60, "seconds"),
        RoundUnit::Minute => (60, "minutes"),
        RoundUnit::Hour => (24, "hours"),
    };
    if (1..=most).contains(&rounding.value) {
        return Ok(());
    }
    Err(PatternError(format!("times cannot be rounded down to {} {unit}: write 1 to {most}", rounding.value)))
}

/// Rounds a local field down to a multiple and clears the finer ones. Flume fails for times before 1970; here they are
/// rounded like all others.
fn round_down(epoch_ms: i64, zone: &TimeZone, rounding: Rounding) -> i64 {
    let (at, _) = local(epoch_ms, zone);
    let value = i64::from(rounding.value.max(1));
    let whole_second = epoch_ms.saturating_sub(epoch_ms.rem_euclid(1000));
    let seconds = match rounding.unit {
        RoundUnit::Second => i64::from(at.second()) % value,
        RoundUnit::Minute => i64::from(at.second()) + i64::from(at.minute()) % value * 60,
        RoundUnit::Hour if value == 1 => i64::from(at.second()) + i64::from(at.minute()) * 60,
        RoundUnit::Hour => {
            // The offset may have changed since the multiple, so compute with local time.
            let hour = i64::from(at.hour()) / value * value;
            let floor = at.date().at(i8::try_from(hour).unwrap_or(0), 0, 0, 0);
            return zone.to_timestamp(floor).map_or(whole_second, |floor| floor.as_millisecond());
        }
    };
    whole_second.saturating_sub(seconds * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_takes_flumes_values_only() {
        for (value, unit, good) in [
            (0, RoundUnit::Second, false),
            (60, RoundUnit::Second, true),
            (61, RoundUnit::Minute, false),
            (24, RoundUnit::Hour, true),
            (25, RoundUnit::Hour, false),
        ] {
            assert_eq!(check_rounding(Rounding { value, unit }).is_ok(), good, "{value} {unit:?}");
        }
    }

    #[test]
    fn absurd_instants_are_clamped_to_the_calendar() {
        for epoch_ms in [i64::MIN, i64::MAX] {
            for unit in [RoundUnit::Second, RoundUnit::Minute, RoundUnit::Hour] {
                let moment = Moment::at(epoch_ms, &TimeZone::UTC, Some(Rounding { value: 2, unit }));
                assert_eq!(moment.value(Quantity::Year).abs(), 9999);
            }
        }
    }

    #[test]
    fn every_quantity_has_its_own_place() {
        for (place, quantity) in Quantity::ALL.into_iter().enumerate() {
            assert_eq!(quantity as usize, place);
        }
    }
}
