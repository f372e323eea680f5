//! The pattern's time zone: looked up by its IANA name in the bundled database, and checked for whether it may name
//! folders.
//!
//! An hour's folder must be exactly one UTC hour. A zone's offset must therefore be a whole number of hours and never
//! decrease. Only the time since 2006 counts, since there are no older tweets.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::PatternError;

/// 2006-01-01T00:00:00Z; the first tweet was posted in March 2006.
const FIRST_TWEETS: i64 = 1_136_073_600;
/// 2040-01-01T00:00:00Z: a zone that changes its offset later has a rule for daylight saving time.
const FAR: i64 = 2_208_988_800;
/// 2100-01-01T00:00:00Z: rules never end, so the search has to.
const END: i64 = 4_102_444_800;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Looks up a zone; `None` is UTC.
pub(super) fn load(name: Option<&str>) -> Result<TimeZone, PatternError> {
    let Some(name) = name else { return Ok(TimeZone::UTC) };
    if let Some(offset) = java_offset(name) {
        return Ok(TimeZone::fixed(offset));
    }
    match TimeZone::get(name) {
        Ok(zone) if !zone.is_unknown() => Ok(zone),
        _ => Err(PatternError(format!("{name:?} is no time zone: {}", nearest(name)))),
    }
}

/// Java's format, `GMT+5:30` or `GMT-3`; IANA's `GMT+0` is the same.
fn java_offset(name: &str) -> Option<Offset> {
    let rest = name.strip_prefix("GMT")?;
    let (sign, rest) = match rest.as_bytes().first()? {
        b'+' => (1, &rest[1..]),
        b'-' => (-1, &rest[1..]),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "00"));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !matches!(hours.len(), 1..=2) || minutes.len() != 2 || !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then(|| Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()).flatten()
}

fn nearest(name: &str) -> String {
    let wanted = name.to_ascii_lowercase();
    let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    jiff::tz::db()
        .available()
        .map(|known| {
            let lower = known.as_str().to_ascii_lowercase();
            // `Tokyo` means Asia/Tokyo: compare with the city as well as with the whole name.
            let whole = strsim::damerau_levenshtein(&wanted, &lower);
            let city = strsim::damerau_levenshtein(&last(&wanted), &last(&lower));
            (whole.min(city), whole, known.as_str().to_owned())
        })
        .min()
        .filter(|(distance, ..)| *distance <= 3)
        .map_or_else(
            || "write an IANA name such as UTC or Asia/Tokyo".to_owned(),
            |(.., known)| format!("{known:?} is near; write an IANA name, or UTC"),
        )
}

/// Why a zone cannot name folders of hours; `None` if it can. `names_offset`: the pattern contains `%z`.
pub(super) fn fault(zone: &TimeZone, names_offset: bool) -> Option<String> {
    let mut before = zone.to_offset(at(FIRST_TWEETS));
    let mut back = None;
    if is_odd(before) {
        return Some(odd(before, zone));
    }
    for change in zone.following(at(FIRST_TWEETS)).take_while(|change| change.timestamp() < at(END)) {
        if is_odd(change.offset()) {
            return Some(odd(change.offset(), zone));
        }
        if change.offset() < before && !names_offset {
            back = back.or(Some(change.timestamp()));
        }
        before = change.offset();
    }
    back.map(|moment| {
        format!(
            "its clock goes back (as at {moment:.0}), and then two hours share a folder's name; write {} or put %z into the pattern",
            fixed(zone)
        )
    })
}

fn is_odd(offset: Offset) -> bool {
    offset.seconds() % 3600 != 0
}

fn odd(offset: Offset, zone: &TimeZone) -> String {
    format!("it is or was {offset} from UTC, so that its hours are not those of UTC; write {}", fixed(zone))
}

/// The zones to write instead, with the present offset of this zone.
fn fixed(zone: &TimeZone) -> String {
    let offset = zone.to_offset(at(FAR));
    if zone.following(at(FAR)).next().is_some() || is_odd(offset) || offset.seconds() == 0 {
        return "UTC".to_owned();
    }
    // The sign in these IANA names is inverted.
    format!("Etc/GMT{:+} (today's time there) or UTC,", -offset.seconds() / 3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule of [`Pattern::new`](super::super::Pattern::new) for a zone.
    fn check_zone(name: &str, names_offset: bool) -> Result<(), PatternError> {
        let zone = load(Some(name))?;
        match fault(&zone, names_offset) {
            None => Ok(()),
            Some(fault) => Err(PatternError(format!("the time zone {name:?} cannot name folders of hours: {fault}"))),
        }
    }

    #[test]
    fn zones_without_changes_and_on_whole_hours_are_taken() {
        for name in
            ["UTC", "Asia/Tokyo", "asia/shanghai", "America/Bogota", "America/Phoenix", "Etc/GMT+3", "EST", "GMT-3"]
        {
            assert_eq!(check_zone(name, false), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_zone_whose_clock_goes_back_needs_the_offset_in_the_name() {
        for name in ["Europe/Berlin", "America/New_York", "Africa/Casablanca", "Europe/Dublin"] {
            let error = check_zone(name, false).expect_err(name).to_string();
            assert!(error.contains(name) && error.contains("%z") && error.contains("UTC"), "{error}");
            assert_eq!(check_zone(name, true), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_zone_that_gave_up_summer_time_is_told_its_fixed_name() {
        for (name, fixed) in [("Europe/Istanbul", "Etc/GMT-3"), ("America/Sao_Paulo", "Etc/GMT+3")] {
            let error = check_zone(name, false).expect_err(name).to_string();
            assert!(error.contains(fixed), "{error}");
            assert_eq!(check_zone(fixed, false), Ok(()));
        }
    }

    #[test]
    fn a_zone_off_whole_hours_is_refused_with_or_without_the_offset() {
        for name in ["Asia/Kolkata", "Australia/Lord_Howe", "America/Caracas", "GMT+5:30"] {
            for names_offset in [false, true] {
                let error = check_zone(name, names_offset).expect_err(name).to_string();
                assert!(error.contains("not those of UTC") && !error.contains("%z"), "{error}");
            }
        }
    }

    #[test]
    fn an_unknown_zone_is_refused_and_the_nearest_named() {
        for (name, near) in
            [("Asia/Tokio", "Asia/Tokyo"), ("Tokyo", "Asia/Tokyo"), ("Europe/Berlln", "Europe/Berlin"), ("", "UTC")]
        {
            let error = check_zone(name, false).expect_err(name).to_string();
            assert!(error.contains(near), "{error}");
        }
        assert!(check_zone("Etc/Unknown", false).is_err());
        assert!(check_zone("GMT+99", false).is_err());
    }
}
