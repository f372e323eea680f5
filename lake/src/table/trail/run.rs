//! One run of bytes as it is remembered: its bytes in blocks that are compared at once, and what comes behind it.

/// Bytes of a run that are compared at once.
pub(super) const BLOCK: usize = 16;
/// Runs that are expected in one place.
pub(super) const CHOICES: usize = 6;

/// A place behind a run that was met, or where an object begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::table) struct Place(pub(super) u16);

/// A place of which nothing is remembered.
pub(super) const NOWHERE: Place = Place(u16::MAX);

/// What comes next behind a run of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::table) enum Next {
    /// A value that nobody wants.
    Unwanted,
    /// The value of this one of the object's wanted members.
    Wanted(u8),
    /// What stands behind the whole value: the run has left it.
    Nothing,
}

/// What a run of members comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::table) struct Members {
    pub(in crate::table) next: Next,
    /// One bit for each of the object's wanted members: whether it was null within the run.
    pub(in crate::table) nulls: u64,
}

/// Bytes to compare, and all bits of those that count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    bytes: u128,
    mask: u128,
}

/// What is looked at where a run is met; as long as a line of a processor's cache.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Run {
    pub(super) first: Block,
    /// How many blocks follow the first one, and where.
    pub(super) more: u8,
    pub(super) more_at: u32,
    /// Bytes of all of them.
    pub(super) length: u16,
    /// Whether it begins before a value that nobody wants: runs from before and from behind it are expected in one place.
    pub(super) is_value: bool,
    /// Runs that came behind this one, then [`NOWHERE`].
    pub(super) next: [Place; CHOICES],
    /// Where a value begins that comes behind this one and is not wanted.
    pub(super) inside: Place,
    pub(super) comes: Next,
    pub(super) nulls: u64,
}

impl Place {
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
    pub(super) fn is(&self, bytes: &[u8; BLOCK]) -> bool {
        (u128::from_ne_bytes(*bytes) ^ self.bytes) & self.mask == 0
    }
}

/// Whether a block is met near the end of a line, where there are fewer bytes than it has.
#[inline(never)]
pub(super) fn is_end(block: &Block, rest: &[u8]) -> bool {
    let mut bytes = [0; BLOCK];
    bytes[..rest.len()].copy_from_slice(rest);
    block.is(&bytes)
}
