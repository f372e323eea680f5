//! One fragment: its bytes in blocks that are compared with one instruction each, its effect and its successors.

/// Bytes that are compared at once.
pub(super) const BLOCK: usize = 16;
/// Fragments that are tried after one fragment.
pub(super) const MAX_SUCCESSORS: usize = 6;

/// Index of a fragment, and with it the parser state after that fragment. The beginning of an object has one, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::table) struct FragmentId(pub(super) u16);

/// A state in which nothing has been learned.
pub(super) const UNKNOWN: FragmentId = FragmentId(u16::MAX);

/// The value that follows a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::table) enum NextValue {
    /// One that no column selects.
    Skipped,
    /// That of the object's selected member with this index.
    Selected(u8),
    /// None: the fragment ends the whole object or array.
    End,
}

/// What parsing a fragment's bytes results in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::table) struct Effect {
    pub(in crate::table) next: NextValue,
    /// One bit for each selected member of the object: whether the fragment sets it to null.
    pub(in crate::table) nulls: u64,
}

/// Bytes to compare, and a mask of those that count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    bytes: u128,
    mask: u128,
}

/// What matching reads; aligned to cache lines.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Fragment {
    pub(super) first: Block,
    /// How many blocks follow the first one.
    pub(super) more: u8,
    /// The index of the second block.
    pub(super) more_at: u32,
    /// Length in bytes.
    pub(super) length: u16,
    /// Whether it begins before a skipped value: fragments from before and after that value share a predecessor.
    pub(super) is_value: bool,
    /// Fragments that came after this one, then [`UNKNOWN`].
    pub(super) successors: [FragmentId; MAX_SUCCESSORS],
    /// The state at the beginning of a skipped value after this fragment.
    pub(super) value_start: FragmentId,
    pub(super) next: NextValue,
    pub(super) nulls: u64,
}

impl FragmentId {
    #[inline(always)]
    pub(super) fn index(self) -> usize {
        self.0.into()
    }
}

impl Block {
    pub(super) fn new(part: &[u8]) -> Block {
        let (mut bytes, mut mask) = ([0; BLOCK], [0; BLOCK]);
        bytes[..part.len()].copy_from_slice(part);
        mask[..part.len()].fill(0xff);
        Block { bytes: u128::from_ne_bytes(bytes), mask: u128::from_ne_bytes(mask) }
    }

    #[inline(always)]
    pub(super) fn matches(&self, bytes: &[u8; BLOCK]) -> bool {
        (u128::from_ne_bytes(*bytes) ^ self.bytes) & self.mask == 0
    }
}

/// Matches a block near the end of a line, where fewer bytes are left than a block has.
#[inline(never)]
pub(super) fn matches_at_end(block: &Block, rest: &[u8]) -> bool {
    let mut bytes = [0; BLOCK];
    bytes[..rest.len()].copy_from_slice(rest);
    block.matches(&bytes)
}
