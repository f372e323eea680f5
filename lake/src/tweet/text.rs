//! Texts as they stand in a line, and what they say without their escapes. On the way into a lake only names, ids, times and
//! words of the stream are ever unescaped; the table of tweets unescapes what it takes.

/// Longest name or id that is looked for in its escaped form, in bytes; a `u64` has at most 20 digits.
pub(crate) const SHORT: usize = 32;

/// A text between its quotes, as it stands in the line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    /// The bytes without the quotes.
    pub(crate) raw: &'a [u8],
    /// Whether a backslash is among them.
    pub(crate) escaped: bool,
}

impl<'a> Text<'a> {
    /// The text without escapes, in `buffer` if there are any; `None` when it is longer than the buffer.
    pub(crate) fn unescape_short(self, buffer: &mut [u8; SHORT]) -> Option<&[u8]> {
        let mut length = 0;
        for character in self.characters() {
            let end = length + character.len_utf8();
            character.encode_utf8(buffer.get_mut(length..end)?);
            length = end;
        }
        Some(&buffer[..length])
    }

    /// Calls `look` with a name without its escapes.
    #[inline(always)]
    pub(crate) fn plain<T>(self, look: impl FnOnce(&[u8]) -> T) -> T {
        if self.escaped {
            // A name too long for the buffer is none we look for, and its raw form holds a backslash, as none of ours does.
            return look(self.unescape_short(&mut [0; SHORT]).unwrap_or(self.raw));
        }
        look(self.raw)
    }

    /// The text without escapes, for messages: a lone surrogate becomes U+FFFD.
    pub(crate) fn to_text(self) -> String {
        self.characters().collect()
    }

    /// Appends the text without escapes; a lone surrogate becomes U+FFFD.
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

    /// The characters that the text says.
    fn characters(self) -> impl Iterator<Item = char> + 'a {
        let mut rest = self.raw;
        std::iter::from_fn(move || match *rest {
            [] => None,
            [b'\\', ref behind @ ..] => {
                let (character, behind) = escape(behind);
                rest = behind;
                Some(character)
            }
            _ => {
                let text = std::str::from_utf8(rest).expect("the line was checked to be UTF-8, and quotes are ASCII");
                let character = text.chars().next()?;
                rest = &rest[character.len_utf8()..];
                Some(character)
            }
        })
    }
}

/// The character of a checked escape, whose backslash is left out, and what stands behind it.
#[inline]
fn escape(rest: &[u8]) -> (char, &[u8]) {
    let (kind, rest) = rest.split_first().expect("the walk checked that an escape is whole");
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

/// The character of `\uXXXX`, of which the digits come next, or of a pair of surrogates.
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

/// The number in the four hexadecimal digits of a checked escape, and what stands behind them.
#[inline]
fn hex4(rest: &[u8]) -> (u32, &[u8]) {
    let (digits, rest) = rest.split_at(4);
    let number = digits.iter().fold(0, |number, digit| {
        // Letters, of either case, are 9 above their low half.
        (number << 4) | (u32::from(digit & 0xf) + if *digit > b'9' { 9 } else { 0 })
    });
    (number, rest)
}
