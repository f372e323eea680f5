//! JSON values into lines: arrays, pretty-printed values and values without line ends between them become one line a value.
//!
//! Pure, incremental, and in constant memory: bytes go in as they are read, bytes of lines come out. Tokens never change, that
//! is numbers, escapes and the order of members stay byte for byte. White space between tokens stays too, unless it holds a line
//! end (or is longer than [`LONGEST_SPACE`]): then it goes, because a line may hold none.
//!
//! A value that breaks the grammar becomes one line as well, which is a reject later. What follows is read again from the next
//! line that begins a value no deeper than the first value began; a nested tweet is never taken for one of its own.

mod grammar;
pub(super) mod outline;

use self::grammar::{Grammar, Token, is_space, is_word};

/// The longest white space that is kept.
const LONGEST_SPACE: usize = 1024;

/// Where the bytes stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between two values.
    Between,
    /// In a value, between two tokens.
    Value,
    /// In a text.
    Text,
    /// Behind a backslash in a text.
    Escape,
    /// In a number or a word.
    Word,
    /// In what belongs to no value, up to the next white space, comma or bracket.
    Stray,
    /// Behind a fault, in its line.
    Fault,
    /// Behind a fault, in the white space that begins a later line.
    FaultIndent,
}

/// Makes lines of values.
#[derive(Debug)]
pub(super) struct Reframer {
    place: Place,
    grammar: Grammar,
    /// White space since the last token, as far as earlier chunks held it.
    space: Vec<u8>,
    space_length: usize,
    space_breaks: bool,
    /// Bytes since the last line end.
    column: usize,
    /// Where the first value began in its line.
    first_column: Option<usize>,
}

impl Reframer {
    pub(super) fn new() -> Reframer {
        Reframer {
            place: Place::Between,
            grammar: Grammar::new(),
            space: Vec::new(),
            space_length: 0,
            space_breaks: false,
            column: 0,
            first_column: None,
        }
    }

    /// Takes the next bytes and appends what they give to `lines`.
    pub(super) fn push(&mut self, chunk: &[u8], lines: &mut Vec<u8>) {
        let mut at = 0;
        while at < chunk.len() {
            let rest = &chunk[at..];
            let taken = match self.place {
                Place::Between => self.between(rest, lines),
                Place::Value => self.value(rest, lines),
                Place::Text => self.text(rest, lines),
                Place::Escape => {
                    // A line end is none that could be escaped.
                    if rest[0] == b'\n' {
                        self.place = Place::Fault;
                        0
                    } else {
                        lines.push(rest[0]);
                        self.place = Place::Text;
                        1
                    }
                }
                Place::Word => {
                    let length = rest.iter().position(|&byte| !is_word(byte)).unwrap_or(rest.len());
                    lines.extend_from_slice(&rest[..length]);
                    if length < rest.len() {
                        self.end_token(lines);
                    }
                    length
                }
                Place::Stray => {
                    let ends = |byte: u8| is_space(byte) || matches!(byte, b',' | b'[' | b']' | b'{' | b'}' | b'"');
                    let length = rest.iter().position(|&byte| ends(byte)).unwrap_or(rest.len());
                    lines.extend_from_slice(&rest[..length]);
                    if length < rest.len() {
                        lines.push(b'\n');
                        self.place = Place::Between;
                    }
                    length
                }
                Place::Fault => {
                    let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                    lines.extend_from_slice(&rest[..length]);
                    if length == rest.len() {
                        length
                    } else {
                        self.place = Place::FaultIndent;
                        self.column = 0;
                        at += length + 1;
                        continue;
                    }
                }
                Place::FaultIndent => self.fault_indent(rest, lines),
            };
            self.count_columns(&rest[..taken]);
            at += taken;
        }
    }

    fn count_columns(&mut self, taken: &[u8]) {
        self.column = match memchr::memrchr(b'\n', taken) {
            Some(end) => taken.len() - end - 1,
            None => self.column + taken.len(),
        };
    }

    /// Up to the first byte of the next value; the brackets and commas of arrays around values go.
    fn between(&mut self, rest: &[u8], lines: &mut Vec<u8>) -> usize {
        let Some(start) = rest.iter().position(|&byte| !is_space(byte) && !matches!(byte, b',' | b'[' | b']')) else {
            return rest.len();
        };
        if start > 0 {
            return start;
        }
        let byte = rest[0];
        if byte != b'{' && byte != b'"' {
            self.place = Place::Stray;
            if byte == b'}' {
                lines.extend_from_slice(b"}\n");
                self.place = Place::Between;
                return 1;
            }
            return 0;
        }
        self.first_column.get_or_insert(self.column);
        self.grammar.clear();
        self.place = Place::Value;
        0
    }

    /// White space, and the byte that begins the next token behind it.
    fn value(&mut self, rest: &[u8], lines: &mut Vec<u8>) -> usize {
        let Some(start) = rest.iter().position(|&byte| !is_space(byte)) else {
            self.add_space(rest);
            return rest.len();
        };
        if start > 0 {
            self.add_space(&rest[..start]);
        }
        let begins_line = self.space_breaks;
        if self.space_length > 0 {
            if !self.space_breaks && self.space_length <= LONGEST_SPACE {
                lines.extend_from_slice(&self.space);
            }
            self.space.clear();
            (self.space_length, self.space_breaks) = (0, false);
        }
        let byte = rest[start];
        match self.grammar.take(byte) {
            Some(Token::Mark) => {
                lines.push(byte);
                self.end_token(lines);
            }
            Some(Token::Text { .. }) => {
                lines.push(byte);
                self.place = Place::Text;
            }
            Some(Token::Word) => {
                lines.push(byte);
                self.place = Place::Word;
            }
            None => {
                // Where the fault begins a line, the next value may begin right there.
                self.place = if begins_line { Place::FaultIndent } else { Place::Fault };
                return start;
            }
        }
        start + 1
    }

    fn add_space(&mut self, space: &[u8]) {
        self.space_length = self.space_length.saturating_add(space.len());
        self.space_breaks |= space.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
        if self.space_breaks || self.space_length > LONGEST_SPACE {
            self.space.clear();
        } else {
            self.space.extend_from_slice(space);
        }
    }

    fn text(&mut self, rest: &[u8], lines: &mut Vec<u8>) -> usize {
        let Some(end) = memchr::memchr3(b'"', b'\\', b'\n', rest) else {
            lines.extend_from_slice(rest);
            return rest.len();
        };
        if rest[end] == b'\n' {
            lines.extend_from_slice(&rest[..end]);
            self.place = Place::Fault;
            return end;
        }
        lines.extend_from_slice(&rest[..=end]);
        if rest[end] == b'"' {
            self.end_token(lines);
        } else {
            self.place = Place::Escape;
        }
        end + 1
    }

    fn end_token(&mut self, lines: &mut Vec<u8>) {
        self.place = Place::Value;
        if self.grammar.is_done() {
            lines.push(b'\n');
            self.place = Place::Between;
        }
    }

    /// Behind a fault a line goes on with what is broken, unless it begins a value where values began before.
    fn fault_indent(&mut self, rest: &[u8], lines: &mut Vec<u8>) -> usize {
        let byte = rest[0];
        if is_space(byte) {
            return 1;
        }
        let is_value = matches!(byte, b'{' | b'[') && self.first_column.is_none_or(|first| self.column <= first);
        if is_value {
            lines.push(b'\n');
            self.place = Place::Between;
        } else {
            lines.push(b' ');
            self.place = Place::Fault;
        }
        0
    }

    /// Ends the input. A value that is not whole stays without a line end.
    pub(super) fn finish(self, lines: &mut Vec<u8>) {
        if self.place == Place::Word && self.grammar.is_done() {
            lines.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests;
