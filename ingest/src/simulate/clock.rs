//! Times as the simulator writes them: snowflake ids, the two wire forms of `created_at`, and the way from a turn of the
//! timeline to the time at which its tweet was written.
//!
//! Pure: no clock is read here. Written by hand rather than through a calendar library because every line needs several
//! of these and the stand-in must not be the slowest part of a benchmark.

/// First millisecond of the snowflake calendar, 2010-11-04T01:42:54.657Z.
pub(crate) const SNOWFLAKE_EPOCH_MS: i64 = 1_288_834_974_657;

/// The id of something made at `created_ms`; `low` are the 22 bits below the time.
pub(crate) fn snowflake(created_ms: i64, low: u64) -> u64 {
    let since = u64::try_from(created_ms - SNOWFLAKE_EPOCH_MS).unwrap_or(0);
    (since << 22) | (low & 0x3f_ffff)
}

/// A moment taken apart, in UTC.
struct Civil {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
}

/// The proleptic Gregorian calendar by era arithmetic; exact for every time a tweet can have.
fn civil(ms: i64) -> Civil {
    let seconds = ms.div_euclid(1000);
    let days = seconds.div_euclid(86_400);
    let rest = seconds.rem_euclid(86_400);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Civil {
        year,
        month: usize::try_from(month).unwrap_or(1),
        day,
        weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
        hour: rest / 3600,
        minute: rest / 60 % 60,
        second: rest % 60,
    }
}

fn two(out: &mut Vec<u8>, value: i64) {
    let value = value.rem_euclid(100);
    out.extend_from_slice(&[b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
}

fn four(out: &mut Vec<u8>, value: i64) {
    two(out, value / 100);
    two(out, value);
}

/// v2's form, whole seconds: `2026-11-22T05:00:00.000Z`.
pub(crate) fn write_v2(out: &mut Vec<u8>, ms: i64) {
    let at = civil(ms);
    four(out, at.year);
    out.push(b'-');
    two(out, at.month as i64);
    out.push(b'-');
    two(out, at.day);
    out.push(b'T');
    two(out, at.hour);
    out.push(b':');
    two(out, at.minute);
    out.push(b':');
    two(out, at.second);
    out.extend_from_slice(b".000Z");
}

/// v1.1's form, whole seconds: `Sun Nov 22 05:00:00 +0000 2026`.
pub(crate) fn write_v1(out: &mut Vec<u8>, ms: i64) {
    const DAYS: [&[u8]; 7] = [b"Sun ", b"Mon ", b"Tue ", b"Wed ", b"Thu ", b"Fri ", b"Sat "];
    const MONTHS: [&[u8]; 12] =
        [b"Jan ", b"Feb ", b"Mar ", b"Apr ", b"May ", b"Jun ", b"Jul ", b"Aug ", b"Sep ", b"Oct ", b"Nov ", b"Dec "];
    let at = civil(ms);
    out.extend_from_slice(DAYS[at.weekday]);
    out.extend_from_slice(MONTHS[at.month - 1]);
    two(out, at.day);
    out.push(b' ');
    two(out, at.hour);
    out.push(b':');
    two(out, at.minute);
    out.push(b':');
    two(out, at.second);
    out.extend_from_slice(b" +0000 ");
    four(out, at.year);
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{Timestamp, tz::TimeZone};

    #[test]
    fn both_forms_agree_with_the_calendar_library_over_forty_years() {
        for step in 0..4000_i64 {
            let ms = 1_142_899_200_000 + step * 315_569_987;
            let zoned = Timestamp::from_millisecond(ms).expect("in range").to_zoned(TimeZone::UTC);
            let (mut v1, mut v2) = (Vec::new(), Vec::new());
            write_v1(&mut v1, ms);
            write_v2(&mut v2, ms);
            assert_eq!(String::from_utf8(v1).expect("ascii"), zoned.strftime("%a %b %d %H:%M:%S +0000 %Y").to_string());
            assert_eq!(String::from_utf8(v2).expect("ascii"), zoned.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string());
        }
    }

    #[test]
    fn the_time_of_a_snowflake_can_be_read_back() {
        let id = snowflake(1_795_323_600_123, 0x2a_aaaa);
        assert_eq!((id >> 22) as i64 + SNOWFLAKE_EPOCH_MS, 1_795_323_600_123);
        assert_eq!(id & 0x3f_ffff, 0x2a_aaaa);
    }
}
