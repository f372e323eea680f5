//! Converts the bytes of one value to a number, a timestamp, a boolean or a string.
//!
//! Numbers may be written in a string (`"4"`), as X sometimes writes ids, counts and milliseconds. Any other deviation
//! from the column's type is an error.

use super::record::Slot;
use crate::tweet::cursor::{JsonCursor, leading_digits};
use crate::tweet::text::{JsonStr, SHORT};
use crate::tweet::time;

/// The string in a slot; `None` where it has another type.
#[inline(always)]
pub(super) fn text(slot: Slot, line: &[u8]) -> Option<JsonStr<'_>> {
    match slot.bytes(line) {
        [b'"', raw @ .., b'"'] => Some(JsonStr { raw, escaped: slot.is_escaped() }),
        _ => None,
    }
}

pub(super) fn is_text(slot: Slot, line: &[u8]) -> bool {
    text(slot, line).is_some()
}

/// Whether the slot contains the string `wanted`.
pub(super) fn same(slot: Slot, line: &[u8], wanted: &[u8]) -> bool {
    match text(slot, line) {
        Some(text) if text.escaped => {
            let mut plain = Vec::new();
            text.unescape_into(&mut plain);
            plain == wanted
        }
        Some(text) => text.raw == wanted,
        None => false,
    }
}

/// Calls `read` with a number, or with the value of a short string.
#[inline(always)]
fn plain<T>(slot: Slot, line: &[u8], read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    match slot.bytes(line) {
        [b'"', raw @ .., b'"'] if slot.is_escaped() => {
            read(JsonStr { raw, escaped: true }.unescape_short(&mut [0; SHORT])?)
        }
        [b'"', raw @ .., b'"'] => read(raw),
        number => read(number),
    }
}

/// A 64-bit integer.
#[inline(always)]
pub(super) fn integer(slot: Slot, line: &[u8]) -> Option<i64> {
    plain(slot, line, signed)
}

/// An id in the format that [`crate::tweet::scan`] accepts for tweets: digits only, below 2^64.
pub(super) fn id(slot: Slot, line: &[u8]) -> Option<u64> {
    plain(slot, line, unsigned)
}

/// Whether this is an integer of 2^63 or more, for a precise rejection.
pub(super) fn is_large(slot: Slot, line: &[u8]) -> bool {
    let large = |digits: &[u8]| (digits.len() > 18 && digits.iter().all(u8::is_ascii_digit)).then_some(());
    plain(slot, line, large).is_some()
}

#[inline(always)]
fn signed(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => unsigned(digits).and_then(|n| 0i64.checked_sub_unsigned(n)),
        digits => unsigned(digits).and_then(|n| i64::try_from(n).ok()),
    }
}

/// Parses digits only, below 2^64.
#[inline(always)]
pub(super) fn unsigned(mut digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return if digits.is_empty() { None } else { long(digits) };
    }
    let mut n = 0u64;
    while let Some((eight, rest)) = digits.split_first_chunk::<8>() {
        n = n * 100_000_000 + eight_digits(u64::from_le_bytes(*eight))?;
        digits = rest;
    }
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        n = n * 10 + u64::from(digit);
    }
    Some(n)
}

#[cold]
fn long(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |n, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// Parses eight digits at once, the first one in the lowest byte: neighbours are combined to pairs, pairs to groups of
/// four, those to all eight.
#[inline(always)]
fn eight_digits(word: u64) -> Option<u64> {
    if leading_digits(word) < 8 {
        return None;
    }
    let digits = word & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

/// A finite 64-bit float.
pub(super) fn float(slot: Slot, line: &[u8]) -> Option<f64> {
    plain(slot, line, |text| {
        // Rust also accepts `inf`, `+1` and `1.`; JSON does not.
        if !is_number(text) {
            return None;
        }
        std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
    })
}

/// Whether the bytes are one JSON number.
fn is_number(text: &[u8]) -> bool {
    let mut cursor = JsonCursor::new(text);
    matches!(text.first(), Some(b'-' | b'0'..=b'9')) && cursor.skip(0).is_ok() && cursor.at() == text.len()
}

pub(super) fn boolean(slot: Slot, line: &[u8]) -> Option<bool> {
    match slot.bytes(line) {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// A timestamp in the format of v1.1 or v2, in microseconds.
pub(super) fn time_us(slot: Slot, line: &[u8]) -> Option<i64> {
    text(slot, line)?;
    plain(slot, line, time::created_at_ms)?.checked_mul(1000)
}

/// Milliseconds since the epoch, converted to microseconds.
pub(super) fn ms_us(slot: Slot, line: &[u8]) -> Option<i64> {
    integer(slot, line)?.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_read_as_the_standard_library_reads_them(n: u64, text in "[0-9:/ ]{0,21}") {
            prop_assert_eq!(unsigned(n.to_string().as_bytes()), Some(n));
            prop_assert_eq!(unsigned(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn eight_bytes_are_a_number_only_if_all_are_digits(word: [u8; 8]) {
            let expected = word.iter().all(u8::is_ascii_digit).then(|| {
                word.iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0'))
            });
            prop_assert_eq!(eight_digits(u64::from_le_bytes(word)), expected);
        }
    }
}
