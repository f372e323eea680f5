//! The times of tweets: v1.1's `Wed Oct 10 20:19:24 +0000 2018`, v2's RFC 3339, and the time in a snowflake id, all in
//! milliseconds since the epoch. Pure arithmetic on bytes.

/// The epoch of snowflake ids, 2010-11-04T01:42:54.657Z.
pub const SNOWFLAKE_EPOCH_MS: i64 = 1_288_834_974_657;
/// Smaller ids are older than snowflakes: sequential numbers.
const FIRST_SNOWFLAKE: u64 = 30_000_000_000;

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// The time in a snowflake id, in milliseconds since the epoch; `None` for ids from before November 2010, and for ids
/// with the highest bit set, which are no snowflakes.
pub(crate) fn snowflake_ms(id: u64) -> Option<i64> {
    let id = i64::try_from(id).ok().filter(|_| id >= FIRST_SNOWFLAKE)?;
    Some((id >> 22) + SNOWFLAKE_EPOCH_MS)
}

/// Reads a `created_at` in either format; `None` when it has neither.
pub(crate) fn created_at_ms(text: &[u8]) -> Option<i64> {
    match text.first()? {
        b'0'..=b'9' => rfc3339_ms(text),
        _ => v1_ms(text),
    }
}

/// `Wed Oct 10 20:19:24 +0000 2018`. The weekday is not compared with the date.
fn v1_ms(text: &[u8]) -> Option<i64> {
    let mut field = text.split(|&byte| byte == b' ');
    let weekday = field.next()?;
    let month = MONTHS.iter().position(|&name| Some(&name[..]) == field.clone().next())? as i64 + 1;
    field.next();
    let day = number(field.next().filter(|day| day.len() == 2)?)?;
    let second = second_of_day(field.next()?)?;
    let offset = offset_s(field.next()?, false)?;
    let year = number(field.next().filter(|year| year.len() == 4)?)?;
    if field.next().is_some() || weekday.len() != 3 {
        return None;
    }
    Some((days(year, month, day)? * 86_400 + second - offset) * 1000)
}

/// `2018-10-10T20:19:24.000Z`, with any fraction (truncated to milliseconds) and any offset.
fn rfc3339_ms(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (&[b'T' | b't'], rest) = rest.split_at_checked(1)? else { return None };
    let (time, rest) = rest.split_at_checked(8)?;
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let day = days(number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?)?;
    let (mut ms, mut zone) = (0, rest);
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        ms = (0..3).fold(0, |ms, i| ms * 10 + if i < digits { i64::from(fraction[i] - b'0') } else { 0 });
        zone = &fraction[digits..];
    }
    let offset = if matches!(zone, b"Z" | b"z") { 0 } else { offset_s(zone, true)? };
    Some((day * 86_400 + second_of_day(time)? - offset) * 1000 + ms)
}

/// `20:19:24`. A leap second counts as the second before it, and so belongs to that hour.
fn second_of_day(text: &[u8]) -> Option<i64> {
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = text else { return None };
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
    (hour < 24 && minute < 60 && second <= 60).then(|| hour * 3600 + minute * 60 + second.min(59))
}

/// `+0200`, or `+02:00` with a colon.
fn offset_s(text: &[u8], colon: bool) -> Option<i64> {
    let (sign, hour, minute) = match *text {
        [sign, h1, h2, m1, m2] if !colon => (sign, number(&[h1, h2])?, number(&[m1, m2])?),
        [sign, h1, h2, b':', m1, m2] if colon => (sign, number(&[h1, h2])?, number(&[m1, m2])?),
        _ => return None,
    };
    let seconds = (hour < 24 && minute < 60).then_some(hour * 3600 + minute * 60)?;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// A short number of digits only.
fn number(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |n, byte| byte.is_ascii_digit().then(|| n * 10 + i64::from(byte - b'0')))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; `None` when there is no such date. Counted in years that
/// begin in March, so that the leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=in_month).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year;
    // Days from 1 March of year 0 to 1 January 1970.
    Some(days - 719_468)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_forms_of_a_time_are_read() {
        for (text, ms) in [
            ("Wed Oct 10 20:19:24 +0000 2018", 1_539_202_764_000),
            ("Wed Oct 10 22:19:24 +0200 2018", 1_539_202_764_000),
            ("Thu Jan 01 00:00:00 +0000 1970", 0),
            ("2018-10-10T20:19:24.000Z", 1_539_202_764_000),
            ("2018-10-10T20:19:24Z", 1_539_202_764_000),
            ("2018-10-10T20:19:24.5Z", 1_539_202_764_500),
            ("2018-10-10t20:19:24.123987z", 1_539_202_764_123),
            ("2018-10-10T15:49:24.100-04:30", 1_539_202_764_100),
            ("2016-12-31T23:59:60Z", 1_483_228_799_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ] {
            assert_eq!(created_at_ms(text.as_bytes()), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_not_taken_for_one() {
        for text in [
            "",
            "null",
            "1539202764000",
            "Wed Oct 10 20:19:24 +0000",
            "Wed Oct 10 20:19:24 +0000 2018 ",
            "Wed Okt 10 20:19:24 +0000 2018",
            "Wed Oct 32 20:19:24 +0000 2018",
            "Wed Oct 10 24:19:24 +0000 2018",
            "Wed Oct 10 20:19:24 *0000 2018",
            "Wed Oct 10 20:19:24 +0060 2018",
            "2018-10-10T20:19:24",
            "2018-10-10 20:19:24Z",
            "2018-10-10T20:19:24.Z",
            "2018-10-10T20:19:24.0+0000",
            "2018-13-10T20:19:24Z",
            "2018-02-29T20:19:24Z",
            "2018-1a-10T20:19:24Z",
            "2018-10-10T20:61:24Z",
            "2018-10-10T20:19:é4Z",
        ] {
            assert_eq!(created_at_ms(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn only_ids_since_november_2010_hold_a_time() {
        assert_eq!(snowflake_ms(20), None);
        assert_eq!(snowflake_ms(29_999_999_999), None);
        assert_eq!(snowflake_ms(30_000_000_000), Some(1_288_834_981_809));
        assert_eq!(snowflake_ms(1_050_118_621_198_921_728), Some(1_539_202_764_211));
        assert_eq!(snowflake_ms(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn every_time_reads_back_in_both_forms(ms in 0i64..253_370_764_800_000) {
            let time = jiff::Timestamp::from_millisecond(ms).expect("in jiff's range");
            prop_assert_eq!(created_at_ms(time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string().as_bytes()), Some(ms));
            let second = ms - ms.rem_euclid(1000);
            prop_assert_eq!(created_at_ms(time.strftime("%a %b %d %H:%M:%S +0000 %Y").to_string().as_bytes()), Some(second));
        }
    }
}
