//! Texts as they stand in a line, and what they say without their escapes. Only names, ids, times and words of the stream are
//! ever unescaped; a tweet's own text never is.

/// Longest name or id that is looked for in its escaped form, in bytes; a `u64` has at most 20 digits.
pub(super) const SHORT: usize = 32;

/// A text between its quotes, as it stands in the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    /// The bytes without the quotes.
    pub(super) raw: &'a [u8],
    /// Whether a backslash is among them.
    pub(super) escaped: bool,
}

impl<'a> Text<'a> {
    /// The text without escapes, in `buffer` if there are any; `None` when it is longer than the buffer.
    pub(super) fn unescape_short(self, buffer: &mut [u8; SHORT]) -> Option<&[u8]> {
        let mut length = 0;
        for character in self.characters() {
            let end = length + character.len_utf8();
            character.encode_utf8(buffer.get_mut(length..end)?);
            length = end;
        }
        Some(&buffer[..length])
    }

    /// The text without escapes, for messages: a lone surrogate becomes U+FFFD.
    pub(super) fn to_text(self) -> String {
        self.characters().collect()
    }

    fn characters(self) -> impl Iterator<Item = char> + 'a {
        let text = std::str::from_utf8(self.raw).expect("the line was checked to be UTF-8, and quotes are ASCII");
        let mut rest = text.chars();
        std::iter::from_fn(move || {
            let character = rest.next()?;
            if character != '\\' {
                return Some(character);
            }
            Some(match rest.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let (first, behind) = hex4(rest.as_str());
                    rest = behind.chars();
                    match behind.strip_prefix("\\u").map(hex4) {
                        Some((second @ 0xdc00..0xe000, behind)) if (0xd800..0xdc00).contains(&first) => {
                            rest = behind.chars();
                            char::from_u32(0x10000 + ((first - 0xd800) << 10 | (second - 0xdc00)))
                        }
                        _ => char::from_u32(first),
                    }
                    .unwrap_or(char::REPLACEMENT_CHARACTER)
                }
                same => same,
            })
        })
    }
}

/// The number in the four hexadecimal digits of a checked escape, and what stands behind them.
fn hex4(text: &str) -> (u32, &str) {
    let (digits, rest) = text.split_at(4);
    (u32::from_str_radix(digits, 16).expect("the walk checked the four digits"), rest)
}
