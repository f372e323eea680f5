//! JSON values of tweets for `serde_json`.
//!
//! `object!` looks like `serde_json::json!`, but keeps the order of the members, leaves members out on a condition and
//! builds no tree: a line has some 200 members, and a map entry for each would halve the simulator's speed.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::ser::Formatter;

/// Members of an object: `()`, or a member and the members after it. A value of `None` is left out.
pub(crate) trait Members {
    fn serialize<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;
}

impl Members for () {
    fn serialize<M: SerializeMap>(&self, _: &mut M) -> Result<(), M::Error> {
        Ok(())
    }
}

impl<V: Serialize, R: Members> Members for (&'static str, Option<V>, R) {
    fn serialize<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let (key, value, rest) = self;
        if let Some(value) = value {
            map.serialize_entry(key, value)?;
        }
        rest.serialize(map)
    }
}

/// What `object!` gives.
pub(crate) struct Object<M>(pub(crate) M);

impl<M: Members> Serialize for Object<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.0.serialize(&mut map)?;
        map.end()
    }
}

/// An object with its members in order: `"key" => value` is always there, `"key" if condition => value` on a condition,
/// `"key" ? => option` if the option is `Some`.
macro_rules! object {
    ($($members:tt)*) => { $crate::wire::json::Object(members!($($members)*)) };
}

macro_rules! members {
    () => { () };
    ($key:literal => $value:expr $(, $($rest:tt)*)?) => { ($key, Some($value), members!($($($rest)*)?)) };
    ($key:literal ? => $value:expr $(, $($rest:tt)*)?) => { ($key, $value, members!($($($rest)*)?)) };
    ($key:literal if $condition:expr => $value:expr $(, $($rest:tt)*)?) => {
        ($key, ($condition).then(|| $value), members!($($($rest)*)?))
    };
}

/// An array of an iterator's items.
pub(crate) struct List<I>(pub(crate) I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for List<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// An array of the iterator's items, or `None` if there are none.
pub(crate) fn non_empty<I: Iterator + Clone>(items: I) -> Option<List<I>> {
    items.clone().next().map(|_| List(items))
}

/// A number as a string.
#[derive(Clone, Copy)]
pub(crate) struct Id(pub(crate) u64);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(itoa::Buffer::new().format(self.0))
    }
}

/// Milliseconds since the Unix epoch as a string.
pub(crate) fn millis(ms: i64) -> Id {
    Id(ms.max(0) as u64)
}

/// `{"type":"Point","coordinates":[…]}`.
pub(crate) fn point(coordinates: (f64, f64)) -> impl Serialize {
    object! { "type" => "Point", "coordinates" => coordinates }
}

/// Appends `value` to `out` as v2 writes it: UTF-8.
pub(crate) fn write_utf8(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("keys are strings and a Vec takes everything");
}

/// Appends `value` to `out` as v1.1 writes it: ASCII, with `/`, `<` and `>` escaped too.
pub(crate) fn write_ascii(out: &mut Vec<u8>, value: &impl Serialize) {
    let mut serializer = serde_json::Serializer::with_formatter(out, Ascii);
    value.serialize(&mut serializer).expect("keys are strings and a Vec takes everything");
}

struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut written = 0;
        for (at, letter) in fragment.char_indices() {
            if letter.is_ascii() && !matches!(letter, '/' | '<' | '>') {
                continue;
            }
            writer.write_all(&fragment.as_bytes()[written..at])?;
            written = at + letter.len_utf8();
            if letter == '/' {
                writer.write_all(b"\\/")?;
                continue;
            }
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let mut escape = *b"\\u0000";
                hex::encode_to_slice(unit.to_be_bytes(), &mut escape[2..]).map_err(io::Error::other)?;
                writer.write_all(&escape)?;
            }
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_comes_back_from_ascii(text in any::<String>()) {
            let mut out = Vec::new();
            write_ascii(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
            prop_assert!(out.is_ascii());
        }

        #[test]
        fn any_id_comes_back(value in any::<u64>()) {
            let mut out = Vec::new();
            write_utf8(&mut out, &Id(value));
            prop_assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), value.to_string());
        }
    }

    #[test]
    fn members_keep_their_order_and_absent_ones_are_left_out() {
        let mut out = Vec::new();
        let value = object! {
            "z" => (1, 2), "no" if false => 1, "a" if true => (), "b" ? => Some(object! {}), "c" ? => None::<u8>,
            "d" => List([1, 2].iter()), "e" ? => non_empty([0; 0].iter()),
        };
        write_utf8(&mut out, &value);
        assert_eq!(String::from_utf8(out).expect("UTF-8"), r#"{"z":[1,2],"a":null,"b":{},"d":[1,2]}"#);
    }
}
