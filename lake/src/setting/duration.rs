//! Durations as people write them: `5m`, `20ms`, `1h30m`, `0`. Pure.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a duration: whole numbers with `ms`, `s`, `m`, `h` or `d`, several may follow each other; `0` needs no unit.
///
/// # Errors
/// A text that says how to write one.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || "is no duration: write a number and a unit, such as \"20ms\", \"30s\", \"5m\", \"24h\", or \"0\"".to_owned();
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let unit_end = digits + rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let (_, factor) = UNITS.iter().find(|(unit, _)| *unit == &rest[digits..unit_end]).ok_or_else(wrong)?;
        millis = number.checked_mul(*factor).and_then(|more| millis.checked_add(more)).ok_or_else(wrong)?;
        rest = rest[unit_end..].trim_start();
    }
    if text.is_empty() { Err(wrong()) } else { Ok(Duration::from_millis(millis)) }
}

/// Writes a duration the way [`duration`] reads it.
pub fn show_duration(value: Duration) -> String {
    let mut rest = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, factor) in [UNITS[4], UNITS[3], UNITS[2], UNITS[1], UNITS[0]] {
        if rest >= factor {
            text.push_str(&format!("{}{unit}", rest / factor));
            rest %= factor;
        }
    }
    if text.is_empty() { "0".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("20ms", 20),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "m", "5x", "-5s", "1.5h", "5 m", "18446744073709551615d", "５m"] {
            assert!(duration(text).is_err(), "{text:?} was read as a duration");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(millis in 0u64..10_000_000_000) {
            prop_assert_eq!(duration(&show_duration(Duration::from_millis(millis))), Ok(Duration::from_millis(millis)));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = duration(&text);
        }
    }
}
