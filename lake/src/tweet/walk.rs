//! A walk over one line of JSON: checks the whole grammar (RFC 8259) and hands out members on the way.
//!
//! It is the inner loop of the way of a tweet: every byte is looked at once, nested values are skipped with a bit stack
//! instead of recursion, and nothing is allocated. It must not know what a tweet is, and it needs bytes that are UTF-8.

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

    /// A byte that has been walked through.
    #[inline(always)]
    pub(crate) fn byte(&self, at: usize) -> u8 {
        self.line[at]
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

    /// Passes by a member's name and its colon, of which it is known that they come next, and stops at the value.
    #[inline(always)]
    pub(crate) fn pass(&mut self, bytes: usize) {
        self.at += bytes;
        self.peek_token();
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

    /// Skips the object or array that comes next. Each bit of `stack` is one open level, 1 for an object.
    fn skip_nested(&mut self, outer: u32) -> Result<(), Fault> {
        let mut stack: u128 = 0;
        let mut depth = 0;
        'value: loop {
            match self.peek() {
                b'"' => {
                    self.text()?;
                }
                open @ (b'{' | b'[') => {
                    if outer + depth >= MAX_DEPTH {
                        return self.fault("at most 127 levels of nesting");
                    }
                    depth += 1;
                    stack = stack << 1 | u128::from(open == b'{');
                    self.at += 1;
                    let next = self.peek_token();
                    // '}' and ']' stand two behind their opening characters.
                    if next == open + 2 {
                        self.at += 1;
                        depth -= 1;
                        stack >>= 1;
                        if depth == 0 {
                            return Ok(());
                        }
                    } else {
                        if open == b'{' {
                            self.name()?;
                        }
                        continue 'value;
                    }
                }
                b'-' | b'0'..=b'9' => self.number()?,
                b'n' => self.literal(b"null")?,
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                _ => return self.fault("a value"),
            }
            // A value has ended: close levels until a comma opens the way to the next one.
            loop {
                let in_object = stack & 1 == 1;
                match self.peek_token() {
                    b',' => {
                        self.at += 1;
                        self.peek_token();
                        if in_object {
                            self.name()?;
                        }
                        continue 'value;
                    }
                    b'}' if in_object => {}
                    b']' if !in_object => {}
                    _ if in_object => return self.fault("',' or '}'"),
                    _ => return self.fault("',' or ']'"),
                }
                self.at += 1;
                depth -= 1;
                stack >>= 1;
                if depth == 0 {
                    return Ok(());
                }
            }
        }
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
        if !self.peek().is_ascii_digit() {
            return self.fault("a digit");
        }
        // Ids are long: eight digits at a time.
        while let Some(eight) = self.line[self.at..].first_chunk::<8>()
            && are_digits(u64::from_le_bytes(*eight))
        {
            self.at += 8;
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
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

/// Whether eight bytes are all digits: each has the high half 3, and still has it with 6 added, which takes what is above 9
/// over the edge.
#[inline(always)]
pub(crate) fn are_digits(word: u64) -> bool {
    const HIGH_HALVES: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    const THREES: u64 = 0x3030_3030_3030_3030;
    word & HIGH_HALVES == THREES && word.wrapping_add(0x0606_0606_0606_0606) & HIGH_HALVES == THREES
}
