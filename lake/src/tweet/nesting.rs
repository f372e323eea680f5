//! The state of a parser within one value: which objects and arrays are open, and which token may come next. It takes a
//! few words of memory, however deep the value is.

/// The open objects and arrays of a value that is being parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NestingStack {
    /// One bit a level, 1 for an object, the innermost level lowest; above them a 1.
    open: u128,
    pub(super) next: NextToken,
}

/// The token that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum NextToken {
    Value,
    /// The first value of an array, or its closing bracket.
    FirstValue,
    /// A comma or a closing bracket.
    Separator,
}

impl Default for NestingStack {
    fn default() -> NestingStack {
        NestingStack { open: 1, next: NextToken::Value }
    }
}

impl NestingStack {
    #[inline(always)]
    pub(crate) fn is_before_value(self) -> bool {
        self.next != NextToken::Separator
    }

    /// Whether the whole value has been parsed.
    #[inline(always)]
    pub(crate) fn is_done(self) -> bool {
        self.open == 1 && self.next == NextToken::Separator
    }

    /// Records that the value which comes next has been parsed.
    #[inline(always)]
    pub(crate) fn leave_value(&mut self) {
        self.next = NextToken::Separator;
    }

    #[inline(always)]
    pub(crate) fn in_object(self) -> bool {
        self.open & 1 == 1
    }

    #[inline(always)]
    pub(crate) fn depth(self) -> u32 {
        u128::BITS - 1 - self.open.leading_zeros()
    }

    #[inline(always)]
    pub(super) fn open(&mut self, is_object: bool) {
        self.open = self.open << 1 | u128::from(is_object);
        self.next = NextToken::FirstValue;
    }

    #[inline(always)]
    pub(super) fn close(&mut self) {
        self.open >>= 1;
        self.next = NextToken::Separator;
    }
}
