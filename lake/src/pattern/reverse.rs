//! Parsing: a folder's name is read into the values that it shows, and those into a span of time.
//!
//! A name is accepted only if some instant renders to exactly that name. Pure: where a name contains no year, the
//! caller's hint (an object's epoch milliseconds) decides, never a clock.

use std::fmt;

use jiff::Span as CivilSpan;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::escape::{Field, Part, Style};
use super::folder::unit_of;
use super::moment::{Moment, Quantity, Unit, timestamp};
use super::{Granularity, Pattern, RoundUnit, Rounding};
use crate::hour::{HOUR_MS, Hour};

/// Dates repeat their weekdays after this many years, which bounds the search.
const CALENDAR_CYCLE: i16 = 400;
/// 2008-07-01, the middle of a leap year: a hint for asking whether any such time exists.
const ANY_TIME: i64 = 1_214_870_400_000;

/// The values that a name shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Shown([Option<i64>; Quantity::COUNT]);

impl Shown {
    fn get(&self, quantity: Quantity) -> Option<i64> {
        self.0[quantity as usize]
    }

    /// Adds a value; `None` if the name already shows a different one.
    fn with(mut self, quantity: Quantity, value: i64) -> Option<Shown> {
        match self.0[quantity as usize].replace(value) {
            Some(before) if before != value => None,
            _ => Some(self),
        }
    }

    fn small(&self, quantity: Quantity) -> Option<i8> {
        self.get(quantity).and_then(|value| i8::try_from(value).ok())
    }

    /// The hour of the day, from the 24-hour or the 12-hour clock.
    fn hour(&self) -> Option<i8> {
        self.small(Quantity::Hour).or_else(|| {
            let (hour, half) = (self.small(Quantity::Hour12)?, self.small(Quantity::AmPm)?);
            Some(hour % 12 + 12 * half)
        })
    }

    /// Whether both clocks agree, for names without a date to check them with.
    fn clocks_agree(&self) -> bool {
        let Some(hour) = self.get(Quantity::Hour) else { return true };
        self.get(Quantity::Hour12).is_none_or(|twelve| twelve % 12 == hour % 12)
            && self.get(Quantity::AmPm).is_none_or(|half| half == i64::from(hour >= 12))
    }

    /// Whether an instant has these values, down to the unit.
    fn fits(&self, moment: &Moment, unit: Unit) -> bool {
        Quantity::ALL.into_iter().all(|quantity| {
            quantity.unit() > unit || self.get(quantity).is_none_or(|value| value == moment.value(quantity))
        })
    }
}

/// The time in a folder's name.
///
/// If the name contains the year, this is one span. Otherwise the methods take a hint and return the span of that name
/// that contains the hint or is nearest to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderTime {
    shown: Shown,
    unit: Option<Unit>,
    granularity: Granularity,
    zone: TimeZone,
    rounding: Option<Rounding>,
}

/// The span of time of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSpan {
    /// First millisecond, since 1970-01-01T00:00:00Z.
    pub start_ms: i64,
    /// First millisecond after it.
    pub end_ms: i64,
    /// The span of the pattern's folders.
    pub granularity: Granularity,
    name: String,
}

impl fmt::Display for FolderSpan {
    /// `2026-11-22T05` for an hour (UTC), `2026-11-22` for a day (of the pattern's zone), `2026-11` and `2026` for
    /// months and years, `2026-11-22T05:10` for minutes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

/// Parses a name; `None` if no instant renders to it.
pub(super) fn read(pattern: &Pattern, folder: &str) -> Option<FolderTime> {
    read_parts(pattern, &pattern.parts, folder, Shown::default())
}

/// Tries all widths of the first part, the longest first. Only open patterns ever have a second match.
fn read_parts(pattern: &Pattern, parts: &[Part], text: &str, shown: Shown) -> Option<FolderTime> {
    match parts.split_first() {
        None if text.is_empty() => finish(pattern, shown),
        None => None,
        Some((Part::Literal(literal), rest)) => read_parts(pattern, rest, text.strip_prefix(literal.as_str())?, shown),
        Some((Part::Field(field), rest)) => widths(*field, text).rev().find_map(|width| {
            let value = value(*field, text.get(..width)?)?;
            read_parts(pattern, rest, &text[width..], shown.with(field.quantity, value)?)
        }),
    }
}

fn finish(pattern: &Pattern, shown: Shown) -> Option<FolderTime> {
    let time = FolderTime {
        shown,
        unit: unit_of(|quantity| shown.get(quantity).is_some()),
        granularity: pattern.granularity,
        zone: pattern.zone.clone(),
        rounding: pattern.options.rounding,
    };
    let possible = if time.unit.is_some() { time.near(ANY_TIME).is_some() } else { shown.clocks_agree() };
    possible.then_some(time)
}

/// The possible widths of the field at the start of the text, in bytes.
fn widths(field: Field, text: &str) -> std::ops::RangeInclusive<usize> {
    match field.style {
        Style::Padded(width) => width..=width,
        Style::Plain => 1..=2,
        Style::Long => 1..=20,
        Style::Offset => 5..=5,
        Style::ShortName => 3..=3,
        Style::Name => {
            let width = field.names().iter().find(|name| text.starts_with(**name)).map_or(0, |name| name.len());
            width..=width
        }
    }
}

/// Parses a field; `None` unless its value is written exactly so.
fn value(field: Field, text: &str) -> Option<i64> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let found = match field.style {
        Style::Padded(_) => text.parse().ok().filter(|_| digits(text)),
        Style::Plain | Style::Long => {
            let bare = if field.style == Style::Long { text.strip_prefix('-').unwrap_or(text) } else { text };
            let canonical = digits(bare) && (!bare.starts_with('0') || text == "0");
            text.parse().ok().filter(|_| canonical)
        }
        Style::ShortName | Style::Name => {
            let written = |name: &str| if field.style == Style::ShortName { &name[..3] == text } else { name == text };
            let index = field.names().iter().position(|name| written(name))?;
            i64::try_from(index).ok().map(|index| index + field.quantity.smallest())
        }
        Style::Offset => {
            let (sign, clock) = text.split_at_checked(1)?;
            let (hours, minutes) = clock.split_at_checked(2).filter(|_| digits(clock))?;
            let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
            let east = hours * 60 + minutes;
            match sign {
                "+" if minutes < 60 => Some(east),
                "-" if minutes < 60 && east > 0 => Some(-east),
                _ => None,
            }
        }
    }?;
    (field.quantity.smallest()..=field.quantity.largest()).contains(&found).then_some(found)
}

impl FolderTime {
    /// The hour of the folder: if the name has no year, that of the year which puts `epoch_ms` (from an object's name)
    /// into the hour, or nearest to it. `None` if the name does not determine a single UTC hour.
    pub fn hour_near(&self, epoch_ms: i64) -> Option<Hour> {
        let (start, end) = self.near(epoch_ms)?;
        let hour = Hour::containing(start);
        (end <= hour.end_ms()).then_some(hour)
    }

    /// The span of the folder, with the year chosen as by [`hour_near`](Self::hour_near). `None` if the name contains
    /// neither a year nor a month.
    pub fn span_near(&self, epoch_ms: i64) -> Option<FolderSpan> {
        let (start_ms, end_ms) = self.near(epoch_ms)?;
        Some(FolderSpan { start_ms, end_ms, granularity: self.granularity, name: self.name(start_ms) })
    }

    fn name(&self, start_ms: i64) -> String {
        let local = Moment::at(start_ms, &self.zone, None).local;
        match self.unit {
            Some(Unit::Year) => format!("{:04}", local.year()),
            Some(Unit::Month) => format!("{:04}-{:02}", local.year(), local.month()),
            Some(Unit::Day) => local.date().to_string(),
            _ => {
                let (hour, into) = (Hour::containing(start_ms), start_ms.rem_euclid(HOUR_MS) / 1000);
                match (into / 60, into % 60) {
                    (0, 0) => hour.to_string(),
                    (minute, 0) => format!("{hour}:{minute:02}"),
                    (minute, second) => format!("{hour}:{minute:02}:{second:02}"),
                }
            }
        }
    }

    /// The span with this name that contains the hint or is nearest to it.
    fn near(&self, hint: i64) -> Option<(i64, i64)> {
        let unit = self.unit?;
        let mut nearest = Nearest { hint, best: None };
        let exact = match (self.shown.get(Quantity::EpochMs), self.shown.get(Quantity::EpochSecond)) {
            (Some(ms), _) => Some(ms),
            (None, Some(second)) => Some(second.checked_mul(1000)?),
            (None, None) => None,
        };
        if let Some(start) = exact {
            nearest.offer(self.span(start, unit));
        } else if let Some(year) = self.shown.get(Quantity::Year) {
            self.in_year(i16::try_from(year).ok()?, unit, &mut nearest);
        } else {
            let about = self.zone.to_datetime(timestamp(hint)).year();
            for distance in 0..=CALENDAR_CYCLE {
                let found_before = nearest.best.is_some();
                self.in_year(about - distance, unit, &mut nearest);
                if distance > 0 {
                    self.in_year(about + distance, unit, &mut nearest);
                }
                // The other side may still be nearer one year further out, but never two.
                if found_before {
                    break;
                }
            }
        }
        nearest.best.map(|(_, span)| span)
    }

    fn in_year(&self, year: i16, unit: Unit, nearest: &mut Nearest) {
        let short = self.shown.get(Quantity::ShortYear);
        if !(0..=9999).contains(&year) || short.is_some_and(|short| short != i64::from(year % 100)) {
            return;
        }
        if let Some(civil) = self.civil(year, unit) {
            for start in self.starts(civil, unit).into_iter().flatten() {
                nearest.offer(self.span(start, unit));
            }
        }
    }

    /// The first local time of the span in a year.
    fn civil(&self, year: i16, unit: Unit) -> Option<DateTime> {
        let (month, day) = (self.shown.small(Quantity::Month), self.shown.small(Quantity::Day));
        let date = match (unit, month, day) {
            (Unit::Year, ..) => Date::new(year, 1, 1),
            (Unit::Month, month, _) => Date::new(year, month?, 1),
            (_, Some(month), Some(day)) => Date::new(year, month, day),
            _ => {
                let day_of_year = i16::try_from(self.shown.get(Quantity::DayOfYear)?).ok()?;
                Date::new(year, 1, 1).and_then(|first| first.with().day_of_year(day_of_year).build())
            }
        };
        let at = |unit_wanted, value: Option<i8>| if unit >= unit_wanted { value } else { Some(0) };
        let hour = at(Unit::Hour, self.shown.hour())?;
        let minute = at(Unit::Minute, self.shown.small(Quantity::Minute))?;
        let second = at(Unit::Second, self.shown.small(Quantity::Second))?;
        DateTime::from_parts(date.ok()?, jiff::civil::Time::new(hour, minute, second, 0).ok()?).into()
    }

    /// The instants of a local time: two where the clock was set back, at most one for days and longer units.
    fn starts(&self, civil: DateTime, unit: Unit) -> [Option<i64>; 2] {
        let Ok(as_utc) = TimeZone::UTC.to_timestamp(civil) else { return [None; 2] };
        let east = |seconds: i32| Some(as_utc.as_millisecond() - i64::from(seconds) * 1000);
        if unit >= Unit::Hour
            && let Some(minutes) = self.shown.get(Quantity::Offset)
        {
            return [Some(as_utc.as_millisecond() - minutes * 60_000), None];
        }
        match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => [east(offset.seconds()), None],
            // A unit may begin inside the gap and end after it.
            AmbiguousOffset::Gap { before, .. } => [east(before.seconds()), None],
            AmbiguousOffset::Fold { before, after } => {
                [east(before.seconds()), east(after.seconds()).filter(|_| unit >= Unit::Hour)]
            }
        }
    }

    /// The span that begins at an instant, if that instant has the name's values.
    fn span(&self, start: i64, unit: Unit) -> Option<(i64, i64)> {
        let moment = Moment::at(start, &self.zone, self.rounding);
        if !self.shown.fits(&moment, unit) {
            return None;
        }
        let fixed = match unit {
            Unit::Year => return Some((start, self.later(start, CivilSpan::new().years(1)))),
            Unit::Month => return Some((start, self.later(start, CivilSpan::new().months(1)))),
            Unit::Day => return Some((start, self.later(start, CivilSpan::new().days(1)))),
            Unit::Hour => HOUR_MS,
            Unit::Minute => 60_000,
            Unit::Second => 1000,
            Unit::Millisecond => return Some((start, start.saturating_add(1))),
        };
        let rounded = self.rounding.map_or(0, |rounding| {
            // The end of the day, hour or minute cuts off a multiple that does not divide it.
            let (unit_ms, into, whole) = match rounding.unit {
                RoundUnit::Second => (1000, moment.value(Quantity::Second), 60),
                RoundUnit::Minute => (60_000, moment.value(Quantity::Minute), 60),
                RoundUnit::Hour => (HOUR_MS, moment.value(Quantity::Hour), 24),
            };
            unit_ms * i64::from(rounding.value).min(whole - into)
        });
        Some((start, start.saturating_add(fixed.max(rounded))))
    }

    /// The start of the next day, month or year.
    fn later(&self, start: i64, step: CivilSpan) -> i64 {
        let date = Moment::at(start, &self.zone, None).local.date();
        let next = date.checked_add(step).ok().and_then(|next| {
            let midnight = next.at(0, 0, 0, 0);
            self.zone.to_timestamp(midnight).ok()
        });
        // Only the last year of the calendar has no successor.
        next.map_or(i64::MAX, |next| next.as_millisecond())
    }
}

struct Nearest {
    hint: i64,
    best: Option<(u64, (i64, i64))>,
}

impl Nearest {
    fn offer(&mut self, span: Option<(i64, i64)>) {
        let Some((start, end)) = span else { return };
        let distance = if self.hint < start {
            start.abs_diff(self.hint)
        } else if self.hint >= end {
            self.hint.abs_diff(end).saturating_add(1)
        } else {
            0
        };
        if self.best.is_none_or(|(best, _)| distance < best) {
            self.best = Some((distance, (start, end)));
        }
    }
}
