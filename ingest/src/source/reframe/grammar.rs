//! JSON's grammar, one token at a time: which byte may begin the next one, and whether it ends the value.
//!
//! It knows nothing of bytes inside texts and numbers, and nothing of chunks.

/// Deepest nesting that is followed. A line may be nested less deep, so that what is refused here is refused there too.
const MAX_DEPTH: usize = 1024;

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    FirstName,
    Name,
    Colon,
    FirstValue,
    Value,
    Behind,
}

/// A token, by the byte that begins it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// One byte of structure.
    Mark,
    /// A text begins.
    Text {
        /// Whether it is the name of a member.
        is_name: bool,
    },
    /// A number or a word begins.
    Word,
}

/// A value while it is read.
#[derive(Debug, Clone)]
pub(super) struct Grammar {
    /// For each open bracket whether it is an object's.
    open: Vec<bool>,
    expect: Expect,
}

impl Grammar {
    /// Before a value.
    pub(super) fn new() -> Grammar {
        Grammar { open: Vec::new(), expect: Expect::Value }
    }

    /// Back to before a value.
    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.expect = Expect::Value;
    }

    /// How many objects and arrays are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Whether the value is whole, once its last token is.
    pub(super) fn is_done(&self) -> bool {
        self.open.is_empty() && self.expect == Expect::Behind
    }

    /// Takes the token that begins with `byte`; `None` where it cannot stand there.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> Option<Token> {
        use Expect::{Behind, Colon, FirstName, FirstValue, Name, Value};
        match (byte, self.expect) {
            (b'"', FirstName | Name) => {
                self.expect = Colon;
                return Some(Token::Text { is_name: true });
            }
            (b'"', FirstValue | Value) => {
                self.expect = Behind;
                return Some(Token::Text { is_name: false });
            }
            (b':', Colon) => self.expect = Value,
            (b',', Behind) => self.expect = if *self.open.last()? { Name } else { Value },
            (b'{' | b'[', FirstValue | Value) if self.open.len() < MAX_DEPTH => {
                self.open.push(byte == b'{');
                self.expect = if byte == b'{' { FirstName } else { FirstValue };
            }
            (b'}', FirstName | Behind) if self.open.last() == Some(&true) => {
                self.open.pop();
                self.expect = Behind;
            }
            (b']', FirstValue | Behind) if self.open.last() == Some(&false) => {
                self.open.pop();
                self.expect = Behind;
            }
            (b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z', FirstValue | Value) => {
                self.expect = Behind;
                return Some(Token::Word);
            }
            _ => return None,
        }
        Some(Token::Mark)
    }
}

/// White space between tokens.
#[inline]
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// What may stand in a number or a word.
#[inline]
pub(super) fn is_word(byte: u8) -> bool {
    matches!(byte, b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z')
}
