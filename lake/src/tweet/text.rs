//! JSON strings as they are written in a line, and their values. Ingestion unescapes only names, ids, times and control
//! messages; the table unescapes the strings it selects.

/// Longest name or id that is compared in its unescaped form, in bytes; a `u64` has at most 20 digits.
pub(crate) const SHORT: usize = 32;

/// A JSON string as written, without its quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonStr<'a> {
    pub(crate) raw: &'a [u8],
    /// Whether it contains a backslash.
    pub(crate) escaped: bool,
}

impl<'a> JsonStr<'a> {
    /// The value, in `buffer` if there are escapes; `None` when it is longer than the buffer.
    pub(crate) fn unescape_short(self, buffer: &mut [u8; SHORT]) -> Option<&[u8]> {
        let mut length = 0;
        for character in self.chars() {
            let end = length + character.len_utf8();
            character.encode_utf8(buffer.get_mut(length..end)?);
            length = end;
        }
        Some(&buffer[..length])
    }

    /// Calls `look` with the value of a name.
    #[inline(always)]
    pub(crate) fn with_unescaped<T>(self, look: impl FnOnce(&[u8]) -> T) -> T {
        if self.escaped {
            // A longer name is none of ours, and the raw form contains a backslash, which none of ours does.
            return look(self.unescape_short(&mut [0; SHORT]).unwrap_or(self.raw));
        }
        look(self.raw)
    }

    /// The value; a lone surrogate becomes U+FFFD.
    pub(crate) fn to_string_lossy(self) -> String {
        self.chars().collect()
    }

    /// Appends the value; a lone surrogate becomes U+FFFD.
    #[inline(always)]
    pub(crate) fn unescape_into(self, out: &mut Vec<u8>) {
        if self.escaped {
            self.unescape_all(out);
        } else {
            out.extend_from_slice(self.raw);
        }
    }

    fn unescape_all(self, out: &mut Vec<u8>) {
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            out.extend_from_slice(&rest[..at]);
            let (character, behind) = escape(&rest[at + 1..]);
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            rest = behind;
        }
        out.extend_from_slice(rest);
    }

    /// The characters of the value.
    fn chars(self) -> impl Iterator<Item = char> + 'a {
        let mut rest = self.raw;
        std::iter::from_fn(move || match *rest {
            [] => None,
            [b'\\', ref behind @ ..] => {
                let (character, behind) = escape(behind);
                rest = behind;
                Some(character)
            }
            _ => {
                let text = std::str::from_utf8(rest).expect("the line was validated as UTF-8, and quotes are ASCII");
                let character = text.chars().next()?;
                rest = &rest[character.len_utf8()..];
                Some(character)
            }
        })
    }
}

/// The character of a validated escape, given without its backslash, and the bytes after it.
#[inline]
fn escape(rest: &[u8]) -> (char, &[u8]) {
    let (kind, rest) = rest.split_first().expect("the cursor has validated the escape");
    let character = match kind {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(rest),
        same => char::from(*same),
    };
    (character, rest)
}

/// The character of `\uXXXX`, given from its digits on, or of a surrogate pair.
#[inline]
fn unicode(rest: &[u8]) -> (char, &[u8]) {
    let (first, rest) = hex4(rest);
    if (0xd800..0xdc00).contains(&first)
        && let Some(second) = rest.strip_prefix(b"\\u")
        && let (second @ 0xdc00..0xe000, rest) = hex4(second)
    {
        let character = char::from_u32(0x10000 + ((first - 0xd800) << 10 | (second - 0xdc00)));
        return (character.expect("a pair of surrogates is a character"), rest);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), rest)
}

/// The value of the four hexadecimal digits of a validated escape, and the bytes after them.
#[inline]
fn hex4(rest: &[u8]) -> (u32, &[u8]) {
    let (digits, rest) = rest.split_at(4);
    let number = digits.iter().fold(0, |number, digit| {
        // The low half of a letter, in either case, is 9 below its value.
        (number << 4) | (u32::from(digit & 0xf) + if *digit > b'9' { 9 } else { 0 })
    });
    (number, rest)
}
