//! Where a walk stands within a value: which objects and arrays are open, and what may come next. Pure, and a few words of
//! memory, however deep the value is.

/// What is open within a value that is being walked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Nest {
    /// A bit each, 1 for an object, the innermost the lowest; above them a 1.
    open: u128,
    pub(super) next: NextToken,
}

/// What comes next in a value that is being walked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum NextToken {
    Value,
    /// The first value of an array, or the bracket that closes it.
    FirstValue,
    /// What stands behind a value.
    Separator,
}

impl Default for Nest {
    fn default() -> Nest {
        Nest { open: 1, next: NextToken::Value }
    }
}

impl Nest {
    #[inline(always)]
    pub(crate) fn is_before_value(self) -> bool {
        self.next != NextToken::Separator
    }

    /// Whether the whole value is left behind.
    #[inline(always)]
    pub(crate) fn is_done(self) -> bool {
        self.open == 1 && self.next == NextToken::Separator
    }

    /// A value was taken.
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
