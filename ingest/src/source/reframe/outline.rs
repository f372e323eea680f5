//! What the first value of an input looks like: the names of its members, and how it ends. Pure.

use super::grammar::{Grammar, Token, is_space, is_word};

/// How the first value ends in the bytes that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is whole; the offset is that of the first byte behind it.
    Whole(usize),
    /// It breaks the grammar.
    Broken,
    /// The bytes end before it does.
    Open,
}

/// A first value.
#[derive(Debug)]
pub(crate) struct Outline<'a> {
    /// The members of the object, with the beginning of each value; a member whose value has not begun is left out.
    pub(crate) members: Vec<(&'a [u8], &'a [u8])>,
    /// The names of the members of the first object in the list `data`.
    pub(crate) data_names: Vec<&'a [u8]>,
    /// Whether a line end stands between two of its tokens.
    pub(crate) is_spread: bool,
    /// Whether a line end stands behind its first bracket.
    pub(crate) opens_with_line_end: bool,
    pub(crate) ending: Ending,
}

/// How much of a member's value is shown.
const SHOWN: usize = 64;

impl<'a> Outline<'a> {
    /// Looks at the value that `bytes` begin with.
    pub(crate) fn of(bytes: &'a [u8]) -> Outline<'a> {
        let mut outline = Outline {
            members: Vec::new(),
            data_names: Vec::new(),
            is_spread: false,
            opens_with_line_end: matches!(bytes.get(1), Some(b'\n' | b'\r')),
            ending: Ending::Open,
        };
        let mut grammar = Grammar::new();
        let mut name: &[u8] = &[];
        let (mut wants_value, mut first_of_data) = (false, true);
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            if is_space(byte) {
                outline.is_spread |= matches!(byte, b'\n' | b'\r') && grammar.depth() > 0;
                at += 1;
                continue;
            }
            let Some(token) = grammar.take(byte) else {
                outline.ending = Ending::Broken;
                return outline;
            };
            let depth = grammar.depth();
            if wants_value && byte != b':' {
                outline.members.push((name, &bytes[at..bytes.len().min(at + SHOWN)]));
                wants_value = false;
            }
            if depth == 2 && byte == b'}' {
                first_of_data = false;
            }
            let end = match token {
                Token::Mark => at + 1,
                Token::Word => at + bytes[at..].iter().position(|&byte| !is_word(byte)).unwrap_or(bytes.len() - at),
                Token::Text { is_name } => {
                    let Some(length) = text_length(&bytes[at + 1..]) else { return outline };
                    let text = &bytes[at + 1..at + 1 + length];
                    if text.contains(&b'\n') {
                        outline.ending = Ending::Broken;
                        return outline;
                    }
                    if is_name && depth == 1 {
                        (name, wants_value) = (text, true);
                    } else if is_name && depth == 3 && name == b"data" && first_of_data {
                        outline.data_names.push(text);
                    }
                    at + length + 2
                }
            };
            if grammar.is_done() && (token != Token::Word || end < bytes.len()) {
                outline.ending = Ending::Whole(end);
                return outline;
            }
            at = end;
        }
        outline
    }

    /// Whether there is a member of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The beginning of a member's value.
    pub(crate) fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.members.iter().find(|(member, _)| *member == name.as_bytes()).map(|(_, value)| *value)
    }
}

/// The bytes of a text up to its closing quote; `None` where that is not there.
fn text_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', &bytes[at..])?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
        if at > bytes.len() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_endings_are_found_in_any_part_of_a_value() {
        let text = br#"{"data":[{"id":"1","name":{"x":1}},{"late":1}], "meta":{"data":[{}]},"t":"\"}"}x"#;
        let outline = Outline::of(text);
        let names: Vec<&[u8]> = outline.members.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, [&b"data"[..], b"meta", b"t"]);
        assert_eq!(outline.data_names, [&b"id"[..], b"name"]);
        assert_eq!((outline.ending, outline.is_spread), (Ending::Whole(text.len() - 1), false));
        assert!(outline.value("data").is_some_and(|value| value.starts_with(b"[{\"id")));
        for cut in 0..text.len() - 1 {
            assert_eq!(Outline::of(&text[..cut]).ending, Ending::Open, "{cut}");
        }
        assert_eq!(Outline::of(b"{\"a\":1 {").ending, Ending::Broken);
        assert_eq!(Outline::of(b"{\"a\":\"x\ny\"}").ending, Ending::Broken);
        assert!(Outline::of(b"{\n \"a\":1}").is_spread);
    }
}
