//! The journal file: frames, one a group commit, each with its sequence number and checksum.
//!
//! ```text
//! file  = header frame*
//! header = "CAUCEJNL" version:u32 synced:u32 generation:u64 crc:u32   28 bytes; crc over the 24 before it
//! frame  = length:u32 sequence:u64 crc:u32 payload[length]        crc over generation, sequence and payload
//! ```
//!
//! Numbers are little-endian, checksums CRC32C, the payload is a postcard list of entries. A frame counts whole or not
//! at all. `synced` is 1 where each frame is synced before the next is written (`channel = "file"`): then only the last
//! frame can be torn, and a good frame behind a bad one means damage. With 0 whatever followed the last sync may be
//! missing in any order, and the journal simply ends at the first bad frame. The generation stands in every checksum, so that bytes of another journal never pass for a frame of this one.

use std::io::{self, Read};

use super::disk::{Disk, DiskFile};
use super::entry::Entry;

/// Version of the format, in the header.
pub const VERSION: u32 = 3;

const MAGIC: &[u8; 8] = b"CAUCEJNL";
const HEADER_BYTES: usize = 28;
const FRAME_HEADER_BYTES: usize = 16;
/// Longest payload a reader believes in; a group never comes near it.
const MAX_PAYLOAD_BYTES: usize = 1 << 30;

/// The journal's name for a generation.
pub fn name(generation: u64) -> String {
    format!("journal.{generation:010}")
}

/// The generation a name tells of.
pub fn generation_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("journal.")?;
    (digits.len() == 10).then(|| digits.parse().ok())?
}

/// A journal that cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk failed.
    #[error("{name}: {source}")]
    Io {
        /// The file.
        name: String,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// It was written by a later version of the program.
    #[error(
        "{name} has format {version}, this program reads {VERSION}: start the version that wrote it and stop it in order first"
    )]
    Version {
        /// The file.
        name: String,
        /// Its version.
        version: u32,
    },
    /// It does not begin as a journal does.
    #[error("{name} is not a journal: it does not begin as one, and nothing was changed; {RESTORE}")]
    NotAJournal {
        /// The file.
        name: String,
    },
    /// Its bytes are not those that were written, and that is not the torn end of the last group.
    #[error("{name} is damaged at byte {offset}: {what}; nothing was changed; {RESTORE}")]
    Damaged {
        /// The file.
        name: String,
        /// First byte of what does not check out.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
}

/// What to do about a journal that cannot be read.
pub(super) const RESTORE: &str = "put back a whole copy of this file (what that copy does not speak for is kept in \
     quarantine/), or move the spool's folder away, keep it, start with an empty one and requeue the old data/*.lines \
     there, as docs/operations.md says under \"A damaged journal\"";

/// What reading a journal file gave.
#[derive(Debug)]
pub struct Scanned {
    /// Whether each frame was synced before the next one was written.
    pub synced: bool,
    /// What the good frames say, from the first.
    pub frames: Vec<Vec<Entry>>,
    /// Where each of them ends in the file.
    pub ends: Vec<u64>,
    /// Bytes after the last good frame: a torn end.
    pub torn_bytes: u64,
}

/// A journal being written.
pub struct Journal {
    file: Box<dyn DiskFile>,
    generation: u64,
    sequence: u64,
    bytes: u64,
    buffer: Vec<u8>,
}

impl Journal {
    /// Makes the journal of a generation, with its first frame, durably under its own name.
    ///
    /// It is written under another name and renamed when it is whole, so that a crash never leaves half a generation.
    ///
    /// # Errors
    /// When the disk failed.
    pub fn create(disk: &dyn Disk, generation: u64, synced: bool, first: &[Entry]) -> io::Result<Journal> {
        let staged = "journal.new";
        disk.remove(staged)?;
        let mut file = disk.create(staged)?;
        file.append(&header(VERSION, synced, generation))?;
        let mut journal = Journal { file, generation, sequence: 0, bytes: HEADER_BYTES as u64, buffer: Vec::new() };
        journal.append(first)?;
        journal.sync()?;
        disk.rename(staged, &name(generation))?;
        disk.sync_folder("")?;
        Ok(journal)
    }

    /// Adds one frame; it is durable after the next [`Journal::sync`].
    ///
    /// # Errors
    /// When the disk failed; the journal must not be written any more.
    pub fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        self.buffer.clear();
        self.buffer.resize(FRAME_HEADER_BYTES, 0);
        let buffer = std::mem::take(&mut self.buffer);
        let mut buffer = postcard::to_extend(entries, buffer)
            .map_err(|error| io::Error::other(format!("journal entry: {error}")))?;
        let payload = &buffer[FRAME_HEADER_BYTES..];
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        let crc = frame_crc(self.generation, self.sequence, payload);
        buffer[0..4].copy_from_slice(&length.to_le_bytes());
        buffer[4..12].copy_from_slice(&self.sequence.to_le_bytes());
        buffer[12..16].copy_from_slice(&crc.to_le_bytes());
        self.file.append(&buffer)?;
        self.sequence += 1;
        self.bytes += buffer.len() as u64;
        self.buffer = buffer;
        Ok(())
    }

    /// The file, to be synced beside the data files.
    pub fn file(&self) -> &dyn DiskFile {
        &*self.file
    }

    /// Makes all frames durable.
    ///
    /// # Errors
    /// When the disk failed; the journal must not be written any more.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its generation.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// Reads a journal file.
///
/// # Errors
/// When the disk failed, the version is not ours, or the file is damaged anywhere but at its end.
pub fn scan(disk: &dyn Disk, generation: u64) -> Result<Scanned, JournalError> {
    let name = name(generation);
    let io = |source| JournalError::Io { name: name.clone(), source };
    let mut bytes = Vec::new();
    disk.read(&name).map_err(io)?.read_to_end(&mut bytes).map_err(io)?;
    if !bytes.starts_with(MAGIC) {
        return Err(JournalError::NotAJournal { name });
    }
    // A generation is renamed into its place when it is whole and synced, so a bad header is never a torn one.
    let damaged = |offset: usize, what| JournalError::Damaged { name: name.clone(), offset: offset as u64, what };
    let head = bytes.get(..HEADER_BYTES).filter(|head| header_crc(head) == u32_at(head, 24));
    let Some(head) = head else { return Err(damaged(0, "its header does not check out")) };
    let (version, synced) = (u32_at(head, 8), u32_at(head, 12) == 1);
    if version != VERSION {
        return Err(JournalError::Version { name, version });
    }
    if *head != header(version, synced, generation) {
        return Err(damaged(0, "its header is that of another journal"));
    }
    let (mut frames, mut ends) = (Vec::new(), Vec::new());
    let mut offset = HEADER_BYTES;
    while let Some((end, entries)) = frame_at(&bytes, offset, generation, frames.len() as u64) {
        frames.push(entries);
        ends.push(end as u64);
        offset = end;
    }
    if frames.is_empty() {
        return Err(damaged(offset, "its first frame does not check out"));
    }
    // A torn end is the last group's. A good frame behind a bad one means damage, and cutting would lose what was accepted.
    let later = (offset + 1..bytes.len()).any(|at| {
        let Some(sequence) = bytes.get(at + 4..at + 12) else { return false };
        let sequence = u64::from_le_bytes(sequence.try_into().expect("eight bytes"));
        let plausible = sequence > frames.len() as u64 && sequence < frames.len() as u64 + 1_000_000;
        plausible && frame_at(&bytes, at, generation, sequence).is_some()
    });
    if synced && later {
        return Err(damaged(offset, "a frame does not check out, and good ones follow"));
    }
    Ok(Scanned { frames, ends, synced, torn_bytes: (bytes.len() - offset) as u64 })
}

fn frame_at(bytes: &[u8], offset: usize, generation: u64, sequence: u64) -> Option<(usize, Vec<Entry>)> {
    let head = bytes.get(offset..offset + FRAME_HEADER_BYTES)?;
    let length = u32_at(head, 0) as usize;
    let written = u64::from_le_bytes(head[4..12].try_into().expect("eight bytes"));
    if length > MAX_PAYLOAD_BYTES || written != sequence {
        return None;
    }
    let start = offset + FRAME_HEADER_BYTES;
    let payload = bytes.get(start..start.checked_add(length)?)?;
    if frame_crc(generation, sequence, payload) != u32_at(head, 12) {
        return None;
    }
    Some((start + length, postcard::from_bytes(payload).ok()?))
}

fn header(version: u32, synced: bool, generation: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[0..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&version.to_le_bytes());
    header[12..16].copy_from_slice(&u32::from(synced).to_le_bytes());
    header[16..24].copy_from_slice(&generation.to_le_bytes());
    let crc = header_crc(&header);
    header[24..28].copy_from_slice(&crc.to_le_bytes());
    header
}

fn header_crc(header: &[u8]) -> u32 {
    crc32c::crc32c(&header[..HEADER_BYTES - 4])
}

fn frame_crc(generation: u64, sequence: u64, payload: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&generation.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &sequence.to_le_bytes());
    crc32c::crc32c_append(crc, payload)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[cfg(test)]
mod tests {
    use super::super::disk::RealDisk;
    use super::*;

    fn written(synced: bool) -> (tempfile::TempDir, RealDisk, Vec<Vec<Entry>>) {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = RealDisk::new(folder.path());
        let frames: Vec<Vec<Entry>> = (0..5).map(|at_ms| vec![Entry::Alive { at_ms }; 3]).collect();
        let mut journal = Journal::create(&disk, 7, synced, &frames[0]).expect("created");
        for frame in &frames[1..] {
            journal.append(frame).expect("appended");
        }
        (folder, disk, frames)
    }

    #[test]
    fn frames_are_read_back_as_they_were_written() {
        let (_folder, disk, frames) = written(true);
        let scanned = scan(&disk, 7).expect("readable");
        assert_eq!((scanned.frames, scanned.torn_bytes, scanned.synced), (frames, 0, true));
    }

    #[test]
    fn a_journal_cut_behind_its_first_frame_gives_its_whole_frames() {
        let (folder, disk, frames) = written(true);
        let path = folder.path().join(name(7));
        let good = std::fs::read(&path).expect("readable");
        let first = usize::try_from(scan(&disk, 7).expect("readable").ends[0]).expect("small");
        for cut in 0..good.len() {
            std::fs::write(&path, &good[..cut]).expect("writable");
            if cut < first {
                // It was renamed into its place with its first frame whole.
                let error = scan(&disk, 7).expect_err("no crash leaves this");
                assert_eq!(matches!(error, JournalError::NotAJournal { .. }), cut < MAGIC.len(), "{cut}: {error}");
                continue;
            }
            let scanned = scan(&disk, 7).expect("a torn end is no damage");
            assert_eq!(scanned.frames, frames[..scanned.frames.len()]);
            assert!(scanned.frames.len() < frames.len());
        }
    }

    #[test]
    fn a_flipped_bit_before_the_last_frame_is_damage_and_in_it_a_torn_end() {
        let (folder, disk, frames) = written(true);
        let path = folder.path().join(name(7));
        let good = std::fs::read(&path).expect("readable");
        let last_frame = good.len() - (good.len() - HEADER_BYTES) / frames.len();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).expect("writable");
            match scan(&disk, 7) {
                Ok(scanned) => {
                    assert!(at >= last_frame, "byte {at} was changed and nobody noticed");
                    assert!(scanned.torn_bytes > 0);
                }
                Err(error) => assert!(at < last_frame, "byte {at}: {error}"),
            }
        }
    }

    #[test]
    fn an_unsynced_journal_ends_at_its_first_bad_frame() {
        let (folder, disk, frames) = written(false);
        let path = folder.path().join(name(7));
        let mut bytes = std::fs::read(&path).expect("readable");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, &bytes).expect("writable");
        let scanned = scan(&disk, 7).expect("no damage");
        assert!(scanned.frames.len() < frames.len());
    }

    #[test]
    fn a_file_of_something_else_is_not_called_a_damaged_journal() {
        let (folder, disk, _) = written(true);
        let path = folder.path().join(name(7));
        let mut bytes = std::fs::read(&path).expect("readable");
        std::fs::write(&path, "{\"id\":1}\n".repeat(50)).expect("writable");
        let error = scan(&disk, 7).expect_err("no journal");
        assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
        assert!(!error.to_string().contains("is damaged"), "{error}");
        bytes[9] ^= 1;
        std::fs::write(&path, &bytes).expect("writable");
        assert!(matches!(scan(&disk, 7), Err(JournalError::Damaged { offset: 0, .. })), "a header that changed");
    }

    #[test]
    fn a_journal_of_a_later_version_is_refused() {
        let (folder, disk, _) = written(true);
        let path = folder.path().join(name(7));
        let mut bytes = std::fs::read(&path).expect("readable");
        bytes[..HEADER_BYTES].copy_from_slice(&header(VERSION + 1, true, 7));
        std::fs::write(&path, &bytes).expect("writable");
        assert!(matches!(scan(&disk, 7), Err(JournalError::Version { version, .. }) if version == VERSION + 1));
    }
}
