//! Writes JSON into a buffer that is used again and again, without a document in between.
//!
//! Commas look after themselves: a member or element gets one unless it is the first after a bracket. v1.1 wrote ASCII
//! only, with `\u` escapes and `\/`; v2 writes UTF-8.

/// A JSON writer over a buffer.
pub(crate) struct Json<'a> {
    out: &'a mut Vec<u8>,
    ascii: bool,
}

impl<'a> Json<'a> {
    /// A writer that appends to `out`; with `ascii` everything beyond ASCII is escaped, and slashes too.
    pub(crate) fn new(out: &'a mut Vec<u8>, ascii: bool) -> Json<'a> {
        Json { out, ascii }
    }

    /// The comma before an element of a list, where one belongs.
    pub(crate) fn item(&mut self) -> &mut Self {
        if !matches!(self.out.last(), Some(b'{' | b'[')) {
            self.out.push(b',');
        }
        self
    }

    /// A member's name; its value must follow. Names are plain ASCII.
    pub(crate) fn key(&mut self, key: &str) -> &mut Self {
        self.item();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self
    }

    /// Bytes that are JSON already.
    pub(crate) fn raw(&mut self, bytes: &str) -> &mut Self {
        self.out.extend_from_slice(bytes.as_bytes());
        self
    }

    /// `{`
    pub(crate) fn open(&mut self) -> &mut Self {
        self.raw("{")
    }

    /// `}`
    pub(crate) fn close(&mut self) -> &mut Self {
        self.raw("}")
    }

    /// `[`
    pub(crate) fn list(&mut self) -> &mut Self {
        self.raw("[")
    }

    /// `]`
    pub(crate) fn end_list(&mut self) -> &mut Self {
        self.raw("]")
    }

    /// A whole number.
    pub(crate) fn number(&mut self, mut value: u64) -> &mut Self {
        let mut digits = [0_u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[at..]);
        self
    }

    /// A whole number as a string, as v2 writes ids.
    pub(crate) fn id(&mut self, value: u64) -> &mut Self {
        self.raw("\"").number(value).raw("\"")
    }

    /// `true` or `false`.
    pub(crate) fn bool(&mut self, value: bool) -> &mut Self {
        self.raw(if value { "true" } else { "false" })
    }

    /// A number with a fraction.
    pub(crate) fn float(&mut self, value: f64) -> &mut Self {
        use std::io::Write as _;
        write!(self.out, "{value}").expect("a Vec takes everything");
        self
    }

    /// A string.
    pub(crate) fn str(&mut self, text: &str) -> &mut Self {
        self.out.push(b'"');
        let bytes = text.as_bytes();
        let mut from = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            let plain =
                byte >= b' ' && byte != b'"' && byte != b'\\' && !(self.ascii && (byte >= 0x80 || byte == b'/'));
            if plain {
                continue;
            }
            if at < from {
                continue; // a later byte of a character that is written already
            }
            self.out.extend_from_slice(&bytes[from..at]);
            from = at + self.escape(text, at);
        }
        self.out.extend_from_slice(&bytes[from..]);
        self.out.push(b'"');
        self
    }

    /// Writes the escaped form of the character at `at`; returns its length in the text.
    fn escape(&mut self, text: &str, at: usize) -> usize {
        match text.as_bytes()[at] {
            b'\n' => self.raw("\\n"),
            b'"' => self.raw("\\\""),
            b'\\' => self.raw("\\\\"),
            b'/' => self.raw("\\/"),
            _ => {
                let letter = text[at..].chars().next().unwrap_or('\u{fffd}');
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    const HEX: &[u8; 16] = b"0123456789abcdef";
                    self.raw("\\u");
                    self.out.extend([12, 8, 4, 0].map(|shift| HEX[usize::from(*unit >> shift) & 15]));
                }
                return letter.len_utf8();
            }
        };
        1
    }

    /// A moment in v2's form.
    pub(crate) fn time_v2(&mut self, ms: i64) -> &mut Self {
        self.out.push(b'"');
        crate::simulate::clock::write_v2(self.out, ms);
        self.raw("\"")
    }

    /// A moment in v1.1's form.
    pub(crate) fn time_v1(&mut self, ms: i64) -> &mut Self {
        self.out.push(b'"');
        crate::simulate::clock::write_v1(self.out, ms);
        self.raw("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_comes_back_through_a_parser(text in any::<String>(), ascii in any::<bool>()) {
            let mut out = Vec::new();
            Json::new(&mut out, ascii).str(&text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
            prop_assert!(!ascii || out.is_ascii());
        }

        #[test]
        fn any_number_comes_back(value in any::<u64>()) {
            let mut out = Vec::new();
            Json::new(&mut out, false).number(value);
            prop_assert_eq!(serde_json::from_slice::<u64>(&out).expect("JSON"), value);
        }
    }

    #[test]
    fn commas_stand_between_members_and_elements_only() {
        let mut out = Vec::new();
        let mut json = Json::new(&mut out, false);
        json.open().key("a").list().item().number(1).item().number(2).end_list().key("b").open().close().close();
        assert_eq!(out, br#"{"a":[1,2],"b":{}}"#);
    }
}
