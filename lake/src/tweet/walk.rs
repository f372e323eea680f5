//! A walk over one line of JSON: checks the whole grammar (RFC 8259) and hands out members on the way.
//!
//! It is the inner loop of the way of a tweet: every byte is looked at once, nested values are skipped with a bit stack
//! instead of recursion, and nothing is allocated. It must not know what a tweet is, and it needs bytes that are UTF-8.

use super::nest::{Nest, NextToken};
use super::plain::plain_end;
use super::text::Text;

/// Deepest nesting that is accepted: what `serde_json` reads by default, so that no stored line is unreadable later.
pub(crate) const MAX_DEPTH: u32 = 127;

/// Where a line stops being JSON, and what should stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Bytes before it.
    pub(crate) offset: usize,
    /// What was expected.
    pub(crate) expected: &'static str,
}

/// A value of which the grammar has been checked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    /// A text.
    Text(Text<'a>),
    /// A number as it stands in the line.
    Number(&'a [u8]),
    /// An object with its braces.
    Object(&'a [u8]),
    /// An array with its brackets.
    Array(&'a [u8]),
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
}

/// A place in a line.
#[derive(Debug)]
pub(crate) struct Walker<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Walker<'a> {
    pub(crate) fn new(line: &'a [u8]) -> Walker<'a> {
        Walker { line, at: 0 }
    }

    /// The next byte, 0 at the end: no JSON has a NUL outside of a text, so one test finds both.
    #[inline(always)]
    fn peek(&self) -> u8 {
        self.line.get(self.at).copied().unwrap_or(0)
    }

    /// How many bytes have been walked through.
    #[inline(always)]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Skips white space and gives the byte behind it.
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
    fn fault<T>(&self, expected: &'static str) -> Result<T, Fault> {
        Err(Fault { offset: self.at, expected })
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        self.peek_token();
        if self.at < self.line.len() { self.fault("the end of the line") } else { Ok(()) }
    }

    /// Walks through an object whose `{` comes next. `each` gets every name, unescaped, and must take the value with
    /// [`Walker::value`] or, one level deeper, with this function.
    #[inline(always)]
    pub(crate) fn members<F>(&mut self, mut each: F) -> Result<(), Fault>
    where
        F: FnMut(&mut Walker<'a>, &[u8]) -> Result<(), Fault>,
    {
        if !self.open_object() {
            return Ok(());
        }
        loop {
            let name = self.name()?;
            name.plain(|name| each(self, name))?;
            if !self.next_member()? {
                return Ok(());
            }
        }
    }

    /// Opens the object whose `{` comes next, and says whether it has members; it is left behind if it has none.
    #[inline(always)]
    pub(crate) fn open_object(&mut self) -> bool {
        self.at += 1;
        let is_empty = self.peek_token() == b'}';
        self.at += usize::from(is_empty);
        !is_empty
    }

    /// Behind a member's value: whether there is another member, whose name comes next then; else the object is left behind.
    #[inline(always)]
    pub(crate) fn next_member(&mut self) -> Result<bool, Fault> {
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

    /// What has not been walked through.
    #[inline(always)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.line[self.at..]
    }

    /// Passes by bytes of which it is known what they are, and what comes of them.
    #[inline(always)]
    pub(crate) fn pass(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// What has been walked through since.
    #[inline(always)]
    pub(crate) fn since(&self, at: usize) -> &'a [u8] {
        &self.line[at..self.at]
    }

    /// Walks through an array whose `[` comes next. `each` must take every value.
    #[inline(always)]
    pub(crate) fn each_element<F>(&mut self, mut each: F) -> Result<(), Fault>
    where
        F: FnMut(&mut Walker<'a>) -> Result<(), Fault>,
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

    /// A member's name and its colon; stops at the value.
    #[inline(always)]
    pub(crate) fn name(&mut self) -> Result<Text<'a>, Fault> {
        if self.peek() != b'"' {
            return self.fault("a name in quotes");
        }
        let name = self.text()?;
        if self.peek_token() != b':' {
            return self.fault("':'");
        }
        self.at += 1;
        self.peek_token();
        Ok(name)
    }

    /// Takes the value that comes next, inside `outer` open objects and arrays.
    #[inline]
    pub(crate) fn value(&mut self, outer: u32) -> Result<Value<'a>, Fault> {
        let start = self.at;
        match self.peek() {
            b'"' => Ok(Value::Text(self.text()?)),
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
    pub(crate) fn skip(&mut self, outer: u32) -> Result<(), Fault> {
        match self.peek() {
            b'"' => self.text().map(|_| ()),
            b'{' | b'[' => self.skip_nested(outer),
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.literal(b"null"),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            _ => self.fault("a value"),
        }
    }

    /// Skips the text whose opening quote comes next, and says whether it holds escapes.
    #[inline(always)]
    pub(crate) fn skip_text(&mut self) -> Result<bool, Fault> {
        Ok(self.text()?.escaped)
    }

    /// Skips the object or array that comes next.
    fn skip_nested(&mut self, outer: u32) -> Result<(), Fault> {
        let mut nest = Nest::default();
        loop {
            self.step_value(&mut nest, outer)?;
            while !nest.is_before_value() {
                if nest.is_done() {
                    return Ok(());
                }
                self.step_behind(&mut nest)?;
            }
        }
    }

    /// Goes a step through the value that comes next, inside `outer` open objects and arrays: over a whole text, number or word,
    /// over what opens an object, its first name and colon too, over a comma and the name behind it, or over what closes.
    pub(crate) fn step(&mut self, nest: &mut Nest, outer: u32) -> Result<(), Fault> {
        if nest.is_before_value() { self.step_value(nest, outer) } else { self.step_behind(nest) }
    }

    #[inline(always)]
    fn step_value(&mut self, nest: &mut Nest, outer: u32) -> Result<(), Fault> {
        match self.peek() {
            b'"' => {
                self.text()?;
            }
            open @ (b'{' | b'[') => {
                if outer + nest.depth() >= MAX_DEPTH {
                    return self.fault("at most 127 levels of nesting");
                }
                nest.open(open == b'{');
                if open == b'[' {
                    self.at += 1;
                    self.peek_token();
                } else if self.open_object() {
                    self.name()?;
                    nest.next = NextToken::Value;
                } else {
                    nest.close();
                }
                return Ok(());
            }
            b']' if nest.next == NextToken::FirstValue => {
                self.at += 1;
                nest.close();
                return Ok(());
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b'n' => self.literal(b"null")?,
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            _ => return self.fault("a value"),
        }
        nest.next = NextToken::Separator;
        Ok(())
    }

    #[inline(always)]
    fn step_behind(&mut self, nest: &mut Nest) -> Result<(), Fault> {
        let in_object = nest.in_object();
        match self.peek_token() {
            b',' => {
                self.at += 1;
                self.peek_token();
                if in_object {
                    self.name()?;
                }
                nest.next = NextToken::Value;
                return Ok(());
            }
            b'}' if in_object => {}
            b']' if !in_object => {}
            _ if in_object => return self.fault("',' or '}'"),
            _ => return self.fault("',' or ']'"),
        }
        self.at += 1;
        nest.close();
        Ok(())
    }

    /// Goes over a text or a number, if one comes next.
    #[inline(always)]
    pub(crate) fn text_or_number(&mut self) -> Result<bool, Fault> {
        match self.peek() {
            b'"' => self.text().map(|_| true),
            b'-' | b'0'..=b'9' => self.number().map(|()| true),
            _ => Ok(false),
        }
    }

    /// Whether a text or a number comes next.
    pub(crate) fn is_at_text_or_number(&self) -> bool {
        matches!(self.peek(), b'"' | b'-' | b'0'..=b'9')
    }

    /// Whether `null`, `true` or `false` comes next, by its first letter.
    #[inline(always)]
    pub(crate) fn is_at_word(&self) -> bool {
        matches!(self.peek(), b'n' | b't' | b'f')
    }

    /// The text whose opening quote comes next.
    #[inline(always)]
    fn text(&mut self) -> Result<Text<'a>, Fault> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at = plain_end(self.line, self.at);
            match self.line.get(self.at) {
                Some(b'"') => {
                    let raw = &self.line[start..self.at];
                    self.at += 1;
                    return Ok(Text { raw, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    // Escapes come in runs where a text is not Latin.
                    while self.peek() == b'\\' {
                        self.escape()?;
                    }
                }
                Some(_) => return self.fault("an escape instead of a control character"),
                None => return self.fault("a closing quote"),
            }
        }
    }

    /// The escape whose backslash comes next.
    #[inline]
    fn escape(&mut self) -> Result<(), Fault> {
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
    fn number(&mut self) -> Result<(), Fault> {
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
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        // Ids are long: eight digits at a time.
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
    fn literal(&mut self, word: &'static [u8]) -> Result<(), Fault> {
        if !self.line[self.at..].starts_with(word) {
            return self.fault("true, false or null");
        }
        self.at += word.len();
        Ok(())
    }
}

/// How many of eight bytes, from the first on, are digits. A digit is at most 9 without its high half, 3; what is more than
/// that reaches a byte's highest bit with 0x76 added. That can carry a bit into a later byte, which no longer counts.
#[inline(always)]
pub(crate) fn leading_digits(word: u64) -> usize {
    let values = word ^ 0x3030_3030_3030_3030;
    let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    others.trailing_zeros() as usize / 8
}
