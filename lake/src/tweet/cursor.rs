//! A cursor over one line of JSON: checks the whole grammar (RFC 8259) and hands out members on the way.
//!
//! This is the inner loop of ingestion: it reads every byte once, skips nested values with a bit stack instead of
//! recursion, and allocates nothing. It knows nothing of tweets, and its input must be UTF-8.

use super::nesting::{NestingStack, NextToken};
use super::plain::plain_end;
use super::text::JsonStr;

/// The deepest nesting that is accepted: the default of `serde_json`, so that other readers can read every stored line.
pub(crate) const MAX_DEPTH: u32 = 127;

/// Where a line stops being JSON, and what was expected there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// Bytes before the error.
    pub(crate) offset: usize,
    pub(crate) expected: &'static str,
}

/// The result of parsing.
pub(crate) type Parsed<T = ()> = Result<T, SyntaxError>;

/// A value whose grammar has been checked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    /// A string, without its quotes.
    String(JsonStr<'a>),
    /// A number, as written.
    Number(&'a [u8]),
    /// An object with its braces.
    Object(&'a [u8]),
    /// An array with its brackets.
    Array(&'a [u8]),
    /// `true` or `false`. `true` or `false`.
    Bool,
    Null,
}

/// A position in a line.
#[derive(Debug)]
pub(crate) struct JsonCursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> JsonCursor<'a> {
    pub(crate) fn new(line: &'a [u8]) -> JsonCursor<'a> {
        JsonCursor { line, at: 0 }
    }

    /// The next byte, 0 at the end: JSON has no NUL outside of strings, so one comparison finds both.
    #[inline(always)]
    fn peek(&self) -> u8 {
        self.line.get(self.at).copied().unwrap_or(0)
    }

    /// Bytes parsed so far.
    #[inline(always)]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Skips white space and gives the byte after it.
    #[inline(always)]
    pub(crate) fn peek_token(&mut self) -> u8 {
        loop {
            let byte = self.peek();
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return byte;
            }
            self.at += 1;
        }
    }

    #[cold]
    fn fault<T>(&self, expected: &'static str) -> Parsed<T> {
        Err(SyntaxError { offset: self.at, expected })
    }

    /// Checks that only white space is left.
    pub(crate) fn end(&mut self) -> Parsed {
        self.peek_token();
        if self.at < self.line.len() { self.fault("the end of the line") } else { Ok(()) }
    }

    /// Parses the object whose `{` comes next. `each` gets every name, unescaped, and must parse the value with
    /// [`JsonCursor::value`] or, one level deeper, with this function.
    #[inline(always)]
    pub(crate) fn members<F>(&mut self, mut each: F) -> Parsed
    where
        F: FnMut(&mut JsonCursor<'a>, &[u8]) -> Parsed,
    {
        if !self.open_object() {
            return Ok(());
        }
        loop {
            let name = self.name()?;
            name.with_unescaped(|name| each(self, name))?;
            if !self.next_member()? {
                return Ok(());
            }
        }
    }

    /// Opens the object whose `{` comes next; false, and the object is parsed, if it has no members.
    #[inline(always)]
    pub(crate) fn open_object(&mut self) -> bool {
        self.at += 1;
        let is_empty = self.peek_token() == b'}';
        self.at += usize::from(is_empty);
        !is_empty
    }

    /// After a member's value: true, and the next name comes next, or false, and the object is parsed.
    #[inline(always)]
    pub(crate) fn next_member(&mut self) -> Parsed<bool> {
        match self.peek_token() {
            b',' => {
                self.at += 1;
                self.peek_token();
                Ok(true)
            }
            b'}' => {
                self.at += 1;
                Ok(false)
            }
            _ => self.fault("',' or '}'"),
        }
    }

    /// The bytes that are still to be parsed.
    #[inline(always)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.line[self.at..]
    }

    /// Skips bytes whose effect on the parser is known.
    #[inline(always)]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// The bytes parsed since the position `at`.
    #[inline(always)]
    pub(crate) fn since(&self, at: usize) -> &'a [u8] {
        &self.line[at..self.at]
    }

    /// Parses the array whose `[` comes next. `each` must parse every value.
    #[inline(always)]
    pub(crate) fn each_element<F>(&mut self, mut each: F) -> Parsed
    where
        F: FnMut(&mut JsonCursor<'a>) -> Parsed,
    {
        self.at += 1;
        if self.peek_token() == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            each(self)?;
            match self.peek_token() {
                b',' => {
                    self.at += 1;
                    self.peek_token();
                }
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fault("',' or ']'"),
            }
        }
    }

    /// Parses a member's name and its colon, up to the value.
    #[inline(always)]
    pub(crate) fn name(&mut self) -> Parsed<JsonStr<'a>> {
        if self.peek() != b'"' {
            return self.fault("a name in quotes");
        }
        let name = self.string()?;
        if self.peek_token() != b':' {
            return self.fault("':'");
        }
        self.at += 1;
        self.peek_token();
        Ok(name)
    }

    /// Parses the value that comes next, inside `outer` open objects and arrays.
    #[inline]
    pub(crate) fn value(&mut self, outer: u32) -> Parsed<Value<'a>> {
        let start = self.at;
        match self.peek() {
            b'"' => Ok(Value::String(self.string()?)),
            b'{' => {
                self.skip_nested(outer)?;
                Ok(Value::Object(&self.line[start..self.at]))
            }
            b'[' => {
                self.skip_nested(outer)?;
                Ok(Value::Array(&self.line[start..self.at]))
            }
            b'-' | b'0'..=b'9' => {
                self.number()?;
                Ok(Value::Number(&self.line[start..self.at]))
            }
            b'n' => self.literal(b"null").map(|()| Value::Null),
            b't' => self.literal(b"true").map(|()| Value::Bool),
            b'f' => self.literal(b"false").map(|()| Value::Bool),
            _ => self.fault("a value"),
        }
    }

    /// Skips the value that comes next, inside `outer` open objects and arrays.
    #[inline(always)]
    pub(crate) fn skip(&mut self, outer: u32) -> Parsed {
        match self.peek() {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' => self.skip_nested(outer),
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.literal(b"null"),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            _ => self.fault("a value"),
        }
    }

    /// Skips the string whose opening quote comes next; true if it contains escapes.
    #[inline(always)]
    pub(crate) fn skip_string(&mut self) -> Parsed<bool> {
        Ok(self.string()?.escaped)
    }

    /// Skips the object or array that comes next.
    fn skip_nested(&mut self, outer: u32) -> Parsed {
        let mut nesting = NestingStack::default();
        loop {
            self.step_value(&mut nesting, outer)?;
            while !nesting.is_before_value() {
                if nesting.is_done() {
                    return Ok(());
                }
                self.step_separator(&mut nesting)?;
            }
        }
    }

    /// Makes one step through the value that comes next, inside `outer` open objects and arrays: over a string, number
    /// or literal, an opening bracket with the first name and its colon, a comma with the following name, or a closing
    /// bracket.
    pub(crate) fn step(&mut self, nesting: &mut NestingStack, outer: u32) -> Parsed {
        if nesting.is_before_value() { self.step_value(nesting, outer) } else { self.step_separator(nesting) }
    }

    #[inline(always)]
    fn step_value(&mut self, nesting: &mut NestingStack, outer: u32) -> Parsed {
        match self.peek() {
            b'"' => {
                self.string()?;
            }
            open @ (b'{' | b'[') => {
                if outer + nesting.depth() >= MAX_DEPTH {
                    return self.fault("at most 127 levels of nesting");
                }
                nesting.open(open == b'{');
                if open == b'[' {
                    self.at += 1;
                    self.peek_token();
                } else if self.open_object() {
                    self.name()?;
                    nesting.next = NextToken::Value;
                } else {
                    nesting.close();
                }
                return Ok(());
            }
            b']' if nesting.next == NextToken::FirstValue => {
                self.at += 1;
                nesting.close();
                return Ok(());
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b'n' => self.literal(b"null")?,
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            _ => return self.fault("a value"),
        }
        nesting.next = NextToken::Separator;
        Ok(())
    }

    #[inline(always)]
    fn step_separator(&mut self, nesting: &mut NestingStack) -> Parsed {
        let in_object = nesting.in_object();
        match self.peek_token() {
            b',' => {
                self.at += 1;
                self.peek_token();
                if in_object {
                    self.name()?;
                }
                nesting.next = NextToken::Value;
                return Ok(());
            }
            b'}' if in_object => {}
            b']' if !in_object => {}
            _ if in_object => return self.fault("',' or '}'"),
            _ => return self.fault("',' or ']'"),
        }
        self.at += 1;
        nesting.close();
        Ok(())
    }

    /// Skips a string or a number, if one comes next.
    #[inline(always)]
    pub(crate) fn skip_string_or_number(&mut self) -> Parsed<bool> {
        match self.peek() {
            b'"' => self.string().map(|_| true),
            b'-' | b'0'..=b'9' => self.number().map(|()| true),
            _ => Ok(false),
        }
    }

    /// Whether a string or a number comes next.
    pub(crate) fn is_at_string_or_number(&self) -> bool {
        matches!(self.peek(), b'"' | b'-' | b'0'..=b'9')
    }

    /// Whether `null`, `true` or `false` comes next, by its first letter.
    #[inline(always)]
    pub(crate) fn is_at_literal(&self) -> bool {
        matches!(self.peek(), b'n' | b't' | b'f')
    }

    /// Parses the string whose opening quote comes next.
    #[inline(always)]
    fn string(&mut self) -> Parsed<JsonStr<'a>> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at = plain_end(self.line, self.at);
            match self.line.get(self.at) {
                Some(b'"') => {
                    let raw = &self.line[start..self.at];
                    self.at += 1;
                    return Ok(JsonStr { raw, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    // Strings in scripts other than Latin have one escape after the other.
                    while self.peek() == b'\\' {
                        self.escape()?;
                    }
                }
                Some(_) => return self.fault("an escape instead of a control character"),
                None => return self.fault("a closing quote"),
            }
        }
    }

    /// Parses the escape whose backslash comes next.
    #[inline]
    fn escape(&mut self) -> Parsed {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_ascii_hexdigit() {
                        return self.fault("four hexadecimal digits");
                    }
                    self.at += 1;
                }
            }
            _ => return self.fault("one of \"\\/bfnrtu after a backslash"),
        }
        Ok(())
    }

    #[inline]
    fn number(&mut self) -> Parsed {
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Parsed {
        let start = self.at;
        // Ids are long: read eight digits at a time.
        while let Some(eight) = self.line[self.at..].first_chunk() {
            let digits = leading_digits(u64::from_le_bytes(*eight));
            self.at += digits;
            if digits < 8 {
                return if self.at > start { Ok(()) } else { self.fault("a digit") };
            }
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { self.fault("a digit") }
    }

    #[inline]
    fn literal(&mut self, literal: &'static [u8]) -> Parsed {
        if !self.line[self.at..].starts_with(literal) {
            return self.fault("true, false or null");
        }
        self.at += literal.len();
        Ok(())
    }
}

/// How many of eight bytes, from the first on, are digits. A digit XOR 0x30 is at most 9; adding 0x76 to anything
/// larger sets the highest bit of its byte. The addition may carry into a later byte, which does not count any more.
#[inline(always)]
pub(crate) fn leading_digits(word: u64) -> usize {
    let values = word ^ 0x3030_3030_3030_3030;
    let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    others.trailing_zeros() as usize / 8
}
