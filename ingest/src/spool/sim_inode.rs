//! A file of the simulated disk: what is readable, what is on the disk, and what of the difference a power cut leaves.

use std::collections::BTreeSet;

const SECTOR: usize = 512;

/// Numbers from a seed (splitmix64): the same for ever, so that committed regressions keep their meaning.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64, salt: u64) -> Chance {
        Chance(seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).expect("smaller than `end`")
    }
}

#[derive(Clone, Default)]
pub(super) struct Inode {
    /// What reads give.
    pub(super) cache: Vec<u8>,
    /// What the disk surely holds.
    pub(super) disk: Vec<u8>,
    /// Sectors and length that a sync would write.
    dirty: BTreeSet<usize>,
    length_dirty: bool,
    /// Lengths between writes since the last sync.
    ends: Vec<usize>,
    /// How often it was synced.
    pub(super) syncs: u64,
}

impl Inode {
    /// A file that is on the disk as a whole.
    pub(super) fn durable(bytes: Vec<u8>) -> Inode {
        Inode { cache: bytes.clone(), disk: bytes, ..Inode::default() }
    }

    /// Notes that bytes were written again, and with them the length.
    pub(super) fn touch(&mut self, from: usize, to: usize) {
        if to > from {
            self.dirty.extend(from / SECTOR..=(to - 1) / SECTOR);
        }
        self.length_dirty = true;
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        let from = self.cache.len();
        self.ends.push(from);
        self.cache.extend_from_slice(bytes);
        self.touch(from, self.cache.len());
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.cache.truncate(length);
        self.ends.retain(|end| *end <= length);
        self.dirty.retain(|sector| sector * SECTOR < length);
        self.length_dirty = true;
    }

    pub(super) fn sync(&mut self) {
        if self.length_dirty {
            self.disk.resize(self.cache.len(), 0);
        }
        for sector in &self.dirty {
            let start = (sector * SECTOR).min(self.disk.len()).min(self.cache.len());
            let end = ((sector + 1) * SECTOR).min(self.disk.len()).min(self.cache.len());
            self.disk[start..end].copy_from_slice(&self.cache[start..end]);
        }
        self.settled();
    }

    /// The disk said no: any part is written, and nothing waits for another sync.
    pub(super) fn sync_failed(&mut self, chance: &mut Chance) {
        self.disk = self.survivor(chance);
        self.settled();
    }

    fn settled(&mut self) {
        self.dirty.clear();
        self.ends.clear();
        self.length_dirty = false;
    }

    /// What a power cut leaves.
    pub(super) fn survivor(&self, chance: &mut Chance) -> Vec<u8> {
        let (all, none) = match chance.below(8) {
            0 => (true, false),
            1 => (false, true),
            _ => (false, false),
        };
        let grain = if chance.below(2) == 0 { SECTOR } else { 4096 };
        let longest = self.cache.len().max(self.disk.len());
        let length = match chance.below(4) {
            _ if !self.length_dirty || none => self.disk.len(),
            _ if all => self.cache.len(),
            0 => self.disk.len(),
            1 if !self.ends.is_empty() => self.ends[chance.below(self.ends.len())],
            2 => {
                self.disk.len().min(self.cache.len())
                    + chance.below(longest - self.disk.len().min(self.cache.len()) + 1)
            }
            _ => self.cache.len(),
        };
        let mut bytes = self.disk.clone();
        bytes.resize(longest, 0);
        let mut fate = (usize::MAX, 0);
        for sector in &self.dirty {
            let piece = sector * SECTOR / grain;
            if fate.0 != piece {
                fate = (piece, chance.below(3));
            }
            // Written, not written, or written as it was at an earlier time.
            let upto = match fate.1 {
                _ if all => self.cache.len(),
                _ if none => 0,
                0 => self.cache.len(),
                1 => 0,
                _ => self.ends.get(chance.below(self.ends.len() + 1)).copied().unwrap_or(0),
            };
            let start = (sector * SECTOR).min(upto);
            let end = ((sector + 1) * SECTOR).min(upto);
            bytes[start..end].copy_from_slice(&self.cache[start..end]);
        }
        bytes.resize(length, 0);
        bytes
    }
}
