//! Sizes as people write them: `64KiB`, `128MiB`, `0`; durations are read by the lake's own rules. Pure.

pub(crate) use cauce_lake::setting::{duration, show_duration};

/// Reads a size in bytes: `64KiB`, `128MiB`, `10GB`, `0`, or a plain number of bytes.
///
/// # Errors
/// A text that says how to write one.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    text.trim().parse::<bytesize::ByteSize>().map(|size| size.as_u64()).map_err(|_| {
        "is no size: write a number and a unit, such as \"64KiB\", \"128MiB\", \"10GiB\", or \"0\"".to_owned()
    })
}

/// Writes a size the way [`size`] reads it.
pub(crate) fn show_size(bytes: u64) -> String {
    for (unit, factor) in [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in
            [("0", 0), ("1024", 1024), ("64KiB", 65_536), ("128MiB", 134_217_728), ("10GB", 10_000_000_000)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "big", "12XiB", "-1"] {
            assert!(size(text).is_err(), "{text:?} was read as a size");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(bytes in 0u64..1 << 50) {
            prop_assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = size(&text);
        }
    }
}
