//! The watermark: how far the journal was accepted, kept apart from it.
//!
//! After each group whose syncs are done its few bytes are written over, without a sync of their own: after a killed
//! process they tell the end of the journal exactly, after a power cut they may tell an earlier one, and never a later
//! one. A journal that ends before its watermark has lost what was accepted (it was cut, or an older copy was put back),
//! so nothing that it does not speak for may be taken for a torn group.
//!
//! ```text
//! watermark = "CAUCEMRK" generation:u64 journal bytes:u64 group limit:u64 crc:u32       little-endian, 36 bytes
//! ```

use std::io::{self, Read};

use super::disk::Disk;

/// Its name in the spool's folder.
pub(super) const NAME: &str = "watermark";

const MAGIC: &[u8; 8] = b"CAUCEMRK";
const BYTES: usize = 36;

/// How far the journal was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Watermark {
    /// The journal's generation.
    pub(super) generation: u64,
    /// Its length after the last group that was accepted.
    pub(super) journal_bytes: u64,
    /// Most bytes that one group of this agent could add to the data files.
    pub(super) group_limit: u64,
}

impl Watermark {
    fn to_bytes(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.generation.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.journal_bytes.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.group_limit.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..32]);
        bytes[32..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Watermark> {
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let is_whole = bytes.len() == BYTES
            && bytes.starts_with(MAGIC)
            && crc32c::crc32c(&bytes[..32]).to_le_bytes() == bytes[32..];
        is_whole.then(|| Watermark { generation: word(8), journal_bytes: word(16), group_limit: word(24) })
    }

    /// Why a journal that ends here has lost accepted groups, if it has.
    pub(super) fn behind(&self, generation: u64, good_bytes: u64) -> Option<String> {
        if self.generation > generation {
            return Some(format!(
                "the journal is of generation {generation}, and generation {} was in use: an older one was put back",
                self.generation
            ));
        }
        (self.generation == generation && self.journal_bytes > good_bytes).then(|| {
            format!("the journal ends at byte {good_bytes}, and groups up to byte {} were accepted", self.journal_bytes)
        })
    }
}

/// Reads it; `None` when there is none, or its bytes do not check out.
///
/// # Errors
/// When the disk failed.
pub(super) fn read(disk: &dyn Disk) -> io::Result<Option<Watermark>> {
    let mut bytes = Vec::new();
    match disk.read(NAME) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?.take(BYTES as u64 + 1).read_to_end(&mut bytes)?,
    };
    Ok(Watermark::from_bytes(&bytes))
}

/// Writes it over, without a sync.
///
/// # Errors
/// When the disk failed. The one before then still holds.
pub(super) fn write(disk: &dyn Disk, watermark: Watermark) -> io::Result<()> {
    disk.overwrite(NAME, &watermark.to_bytes())
}

/// Makes a first one, durably.
///
/// # Errors
/// When the disk failed.
pub(super) fn begin(disk: &dyn Disk, watermark: Watermark) -> io::Result<()> {
    disk.remove(NAME)?;
    let mut file = disk.create(NAME)?;
    file.append(&watermark.to_bytes())?;
    file.sync()?;
    disk.sync_folder("")
}

#[cfg(test)]
mod tests {
    use super::super::disk::RealDisk;
    use super::*;

    #[test]
    fn it_is_read_back_and_a_changed_byte_makes_it_unknown() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = RealDisk::new(folder.path());
        assert_eq!(read(&disk).expect("readable"), None);
        let watermark = Watermark { generation: 3, journal_bytes: 1_533, group_limit: 9 };
        begin(&disk, Watermark::default()).expect("written");
        write(&disk, watermark).expect("written");
        assert_eq!(read(&disk).expect("readable"), Some(watermark));
        let path = folder.path().join(NAME);
        let good = std::fs::read(&path).expect("readable");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).expect("writable");
            assert_eq!(read(&disk).expect("readable"), None, "byte {at}");
        }
    }

    #[test]
    fn only_a_journal_that_ends_before_it_is_behind() {
        let watermark = Watermark { generation: 3, journal_bytes: 100, group_limit: 0 };
        for (generation, bytes, behind) in
            [(3, 100, false), (3, 101, false), (4, 28, false), (3, 99, true), (2, 900, true)]
        {
            assert_eq!(watermark.behind(generation, bytes).is_some(), behind, "{generation} {bytes}");
        }
    }
}
