//! A run: ids in a file, sorted, written once. The index of its blocks is in memory, 16 bytes for 512 ids; a look-up reads
//! one block.
//!
//! ```text
//! run     = block* index trailer
//! block   = 512 × id:u64, sorted; the last one is filled up with its last id
//! index   = (first id:u64, crc of the block:u32)*
//! trailer = "CAUCEIDS" version:u32 blocks:u32 count:u64 crc of the index:u32 crc of the trailer:u32      32 bytes
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::disk::{Disk, DiskReader};

const MAGIC: &[u8; 8] = b"CAUCEIDS";
const VERSION: u32 = 1;
/// Ids in a block.
pub(super) const BLOCK_IDS: usize = 512;
const BLOCK_BYTES: usize = BLOCK_IDS * 8;
const INDEX_ENTRY_BYTES: usize = 12;
pub(super) const TRAILER_BYTES: usize = 32;
/// Blocks are written so many bytes at once.
const WRITE_BYTES: usize = 64 * BLOCK_BYTES;

/// A run, as the journal's snapshot names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Number of its file.
    pub number: u64,
    /// When its last id arrived, milliseconds since the epoch; after that and the window the run is dropped.
    pub last_ms: i64,
}

impl RunInfo {
    /// The name of its file.
    pub fn name(&self) -> String {
        format!("ids/{:010}.ids", self.number)
    }
}

/// A run that is there.
pub(super) struct Run {
    pub(super) info: RunInfo,
    index: Vec<(u64, u32)>,
    first: u64,
    last: u64,
    reader: Box<dyn DiskReader>,
    flaws: RefCell<Flaws>,
}

/// What was found wrong in a run.
#[derive(Default)]
struct Flaws {
    is_flawed: bool,
    /// Blocks that are lost, with their span of ids until that is reported.
    lost: BTreeMap<usize, Option<(u64, u64)>>,
}

/// Writes ids, which come sorted, each once, as a run, durably.
pub(super) fn write(disk: &dyn Disk, info: &RunInfo, ids: impl Iterator<Item = io::Result<u64>>) -> io::Result<()> {
    // A crash between writing a run and naming it in a snapshot leaves a file that nobody knows of.
    disk.remove(&info.name())?;
    let mut file = disk.create(&info.name())?;
    let (mut index, mut bytes, mut block) =
        (Vec::new(), Vec::with_capacity(WRITE_BYTES), Vec::with_capacity(BLOCK_IDS));
    let (mut count, mut blocks) = (0u64, 0u32);
    let mut end_block = |block: &mut Vec<u64>, bytes: &mut Vec<u8>| {
        let Some(fill) = block.last().copied() else { return };
        block.resize(BLOCK_IDS, fill);
        let start = bytes.len();
        block.iter().for_each(|id| bytes.extend(id.to_le_bytes()));
        index.extend(block[0].to_le_bytes());
        index.extend(crc32c::crc32c(&bytes[start..]).to_le_bytes());
        block.clear();
        blocks += 1;
    };
    for id in ids {
        block.push(id?);
        count += 1;
        if block.len() == BLOCK_IDS {
            end_block(&mut block, &mut bytes);
            if bytes.len() >= WRITE_BYTES {
                file.append(&bytes)?;
                bytes.clear();
            }
        }
    }
    end_block(&mut block, &mut bytes);
    bytes.extend(&index);
    let trailer = bytes.len();
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(blocks.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(crc32c::crc32c(&index).to_le_bytes());
    let crc = crc32c::crc32c(&bytes[trailer..]);
    bytes.extend(crc.to_le_bytes());
    file.append(&bytes)?;
    file.sync()?;
    disk.sync_folder("ids")
}

/// Whether an error means that a file is not what was written, or cannot be read any more; others say nothing of it.
pub(super) fn is_damage(error: &io::Error) -> bool {
    const BAD_SECTOR: i32 = 5; // EIO
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
        || error.raw_os_error() == Some(BAD_SECTOR)
}

impl Run {
    /// Opens a run: its end and its index are checked, its blocks when they are read.
    pub(super) fn open(disk: &dyn Disk, info: RunInfo) -> io::Result<Run> {
        let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", info.name()));
        let reader = disk.open_reader(&info.name())?;
        let length = reader.length()?;
        let mut trailer = [0; TRAILER_BYTES];
        let trailer_at = length.checked_sub(TRAILER_BYTES as u64).ok_or_else(|| damaged("it is too short"))?;
        reader.read_at(&mut trailer, trailer_at)?;
        let word = |at: usize| u32::from_le_bytes(trailer[at..at + 4].try_into().expect("four bytes"));
        if &trailer[..8] != MAGIC || word(8) != VERSION || word(28) != crc32c::crc32c(&trailer[..28]) {
            return Err(damaged("its end is damaged"));
        }
        let blocks = word(12) as usize;
        if length != length_of(blocks) {
            return Err(damaged("its length is wrong"));
        }
        let index = read_index(&*reader, blocks)?;
        if word(24) != crc32c::crc32c(&index) {
            return Err(damaged("its index is damaged"));
        }
        let mut run = Run::of(info, &index, reader);
        if blocks > 0 {
            run.last = run.block(blocks - 1)?[BLOCK_IDS - 1];
        }
        Ok(run)
    }

    /// Opens a run that may be damaged: blocks that check out against what its index says of them are used, whatever has
    /// become of the rest.
    ///
    /// # Errors
    /// When it is not there, was cut, or cannot be read: nothing of it can be told from damage then.
    pub(super) fn open_damaged(disk: &dyn Disk, info: RunInfo) -> io::Result<Run> {
        match Run::open(disk, info.clone()) {
            Err(error) if is_damage(&error) && error.kind() != io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let reader = disk.open_reader(&info.name())?;
        let length = reader.length()?;
        let blocks = usize::try_from(length / (BLOCK_BYTES + INDEX_ENTRY_BYTES) as u64).unwrap_or(usize::MAX);
        if blocks == 0 || length != length_of(blocks) {
            let text = format!("{}: its length is wrong", info.name());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let index = read_index(&*reader, blocks)?;
        let mut run = Run::of(info, &index, reader);
        run.flaws.borrow_mut().is_flawed = true;
        // Any entry of the index may be the damaged one: only blocks bound the span. So none is left out here.
        (run.first, run.last) = (0, u64::MAX);
        for number in 0..blocks {
            if let Some(ids) = run.whole_block(number)? {
                run.index[number].0 = ids[0];
            }
        }
        // Look-ups search the index, so it has to be in order where an entry of it is damaged.
        let lost: Vec<usize> = run.flaws.borrow().lost.keys().copied().collect();
        for number in lost {
            let before = number.checked_sub(1).map_or(0, |before| run.index[before].0);
            run.index[number].0 = before;
        }
        Ok(run)
    }

    fn of(info: RunInfo, index: &[u8], reader: Box<dyn DiskReader>) -> Run {
        let index: Vec<(u64, u32)> = index
            .chunks_exact(INDEX_ENTRY_BYTES)
            .map(|entry| {
                let first = u64::from_le_bytes(entry[..8].try_into().expect("eight bytes"));
                (first, u32::from_le_bytes(entry[8..].try_into().expect("four bytes")))
            })
            .collect();
        // An empty run holds nothing: its span is none.
        let first = index.first().map_or(u64::MAX, |(first, _)| *first);
        Run { info, index, first, last: 0, reader, flaws: RefCell::default() }
    }

    /// Whether it holds the id, as far as its blocks can be read.
    pub(super) fn contains(&self, id: u64) -> io::Result<bool> {
        // Nearly every run is told by its span alone, so that comes before the index, which is seldom in the cache.
        if id < self.first || id > self.last {
            return Ok(false);
        }
        let after = self.index.partition_point(|(first, _)| *first <= id);
        let Some(number) = after.checked_sub(1) else { return Ok(false) };
        Ok(self.whole_block(number)?.is_some_and(|block| block.binary_search(&id).is_ok()))
    }

    /// How many blocks it has.
    pub(super) fn blocks(&self) -> usize {
        self.index.len()
    }

    /// Whether something in it was found damaged: it is written again by the next checkpoint.
    pub(super) fn is_flawed(&self) -> bool {
        self.flaws.borrow().is_flawed
    }

    /// Spans of ids (first and last) of blocks that were found lost since this was asked before.
    pub(super) fn take_lost(&self) -> Vec<(u64, u64)> {
        let mut flaws = self.flaws.borrow_mut();
        flaws.lost.values_mut().filter_map(Option::take).collect()
    }

    /// Its ids, from the first, without those of lost blocks; the last block's filling repeats the last id.
    pub(super) fn ids(&self) -> impl Iterator<Item = io::Result<u64>> {
        (0..self.blocks()).flat_map(|number| {
            let (ids, failure) = match self.whole_block(number) {
                Ok(ids) => (ids, None),
                Err(error) => (None, Some(Err(error))),
            };
            ids.into_iter().flatten().map(Ok).chain(failure)
        })
    }

    /// Reads every block and holds it against its checksum.
    pub(super) fn check(&self) -> io::Result<()> {
        (0..self.blocks()).try_for_each(|number| self.block(number).map(drop))
    }

    /// A block, mended where one flipped bit in it is all that is wrong; `None` where it is lost.
    fn whole_block(&self, number: usize) -> io::Result<Option<[u64; BLOCK_IDS]>> {
        if self.flaws.borrow().lost.contains_key(&number) {
            return Ok(None);
        }
        let (first, wanted) = self.index[number];
        let bytes = match self.bytes(number) {
            Ok(bytes) => Some(bytes),
            Err(error) if is_damage(&error) => None,
            Err(error) => return Err(error),
        };
        let mut is_whole = false;
        let mended = bytes.and_then(|bytes| {
            let (ids, crc) = (ids_in(bytes), crc32c::crc32c(&bytes));
            is_whole = crc == wanted && ids[0] == first;
            match crc == wanted {
                // Where the index says another first id, it is the index that changed.
                true => Some(ids),
                // So it is where its checksum is a bit away.
                false if (crc ^ wanted).count_ones() == 1 && ids[0] == first => Some(ids),
                false => mend(bytes, wanted).map(ids_in).filter(|ids| ids[0] == first),
            }
        });
        if is_whole {
            return Ok(mended);
        }
        let mut flaws = self.flaws.borrow_mut();
        flaws.is_flawed = true;
        if mended.is_none() {
            let next = self.index.get(number + 1).map_or(self.last, |(first, _)| first.saturating_sub(1));
            flaws.lost.insert(number, Some((self.index[number].0, next)));
        }
        Ok(mended)
    }

    fn bytes(&self, number: usize) -> io::Result<[u8; BLOCK_BYTES]> {
        let mut bytes = [0; BLOCK_BYTES];
        self.reader.read_at(&mut bytes, (number * BLOCK_BYTES) as u64)?;
        Ok(bytes)
    }

    fn block(&self, number: usize) -> io::Result<[u64; BLOCK_IDS]> {
        let bytes = self.bytes(number)?;
        if crc32c::crc32c(&bytes) != self.index[number].1 {
            let text = format!("{}: block {number} is damaged", self.info.name());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(ids_in(bytes))
    }
}

fn length_of(blocks: usize) -> u64 {
    (blocks * (BLOCK_BYTES + INDEX_ENTRY_BYTES) + TRAILER_BYTES) as u64
}

fn read_index(reader: &dyn DiskReader, blocks: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; blocks * INDEX_ENTRY_BYTES];
    reader.read_at(&mut bytes, (blocks * BLOCK_BYTES) as u64)?;
    Ok(bytes)
}

fn ids_in(bytes: [u8; BLOCK_BYTES]) -> [u64; BLOCK_IDS] {
    let mut ids = [0; BLOCK_IDS];
    for (id, bytes) in ids.iter_mut().zip(bytes.chunks_exact(8)) {
        *id = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    }
    ids
}

/// Finds the one bit that makes a block what its checksum says. CRC32C tells any two, and any three, flipped bits in so
/// short a block from none, so there is at most one such bit, and two flipped ones are never taken for it.
fn mend(mut bytes: [u8; BLOCK_BYTES], crc: u32) -> Option<[u8; BLOCK_BYTES]> {
    // A checksum changes with each bit in a way of its own, whatever the other bits are: that of a bit of the last byte is
    // its value run through the polynomial, and each byte before that takes another such run.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let through = |sum: u32| (0..8).fold(sum, |sum, _| if sum & 1 == 1 { sum >> 1 ^ POLYNOMIAL } else { sum >> 1 });
    let difference = crc32c::crc32c(&bytes) ^ crc;
    for bit in 0..8 {
        let mut change = through(1 << bit);
        for at in (0..BLOCK_BYTES).rev() {
            if change == difference {
                bytes[at] ^= 1 << bit;
                return Some(bytes);
            }
            change = through(change);
        }
    }
    None
}
