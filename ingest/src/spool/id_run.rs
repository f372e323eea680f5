//! A run: ids in a file, sorted, written once. The index of its blocks is in memory, 16 bytes for 512 ids; a look-up reads
//! one block.
//!
//! ```text
//! run     = block* index trailer
//! block   = 512 × id:u64, sorted; the last one is filled up with its last id
//! index   = (first id:u64, crc of the block:u32)*
//! trailer = "CAUCEIDS" version:u32 blocks:u32 count:u64 crc of the index:u32 crc of the trailer:u32      32 bytes
//! ```

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
        if length != (blocks * (BLOCK_BYTES + INDEX_ENTRY_BYTES) + TRAILER_BYTES) as u64 {
            return Err(damaged("its length is wrong"));
        }
        let mut bytes = vec![0; blocks * INDEX_ENTRY_BYTES];
        reader.read_at(&mut bytes, (blocks * BLOCK_BYTES) as u64)?;
        if word(24) != crc32c::crc32c(&bytes) {
            return Err(damaged("its index is damaged"));
        }
        let index: Vec<(u64, u32)> = bytes
            .chunks_exact(INDEX_ENTRY_BYTES)
            .map(|entry| {
                let first = u64::from_le_bytes(entry[..8].try_into().expect("eight bytes"));
                (first, u32::from_le_bytes(entry[8..].try_into().expect("four bytes")))
            })
            .collect();
        // An empty run holds nothing: its span is none.
        let first = index.first().map_or(u64::MAX, |(first, _)| *first);
        let mut run = Run { info, index, first, last: 0, reader };
        if blocks > 0 {
            run.last = run.block(blocks - 1)?[BLOCK_IDS - 1];
        }
        Ok(run)
    }

    /// Whether it holds the id.
    pub(super) fn contains(&self, id: u64) -> io::Result<bool> {
        // Nearly every run is told by its span alone, so that comes before the index, which is seldom in the cache.
        if id < self.first || id > self.last {
            return Ok(false);
        }
        let after = self.index.partition_point(|(first, _)| *first <= id);
        Ok(self.block(after - 1)?.binary_search(&id).is_ok())
    }

    /// How many blocks it has.
    pub(super) fn blocks(&self) -> usize {
        self.index.len()
    }

    /// Its ids, from the first; the last block's filling repeats the last id.
    pub(super) fn ids(&self) -> impl Iterator<Item = io::Result<u64>> {
        (0..self.blocks()).flat_map(|number| {
            let (ids, failure) = match self.block(number) {
                Ok(ids) => (Some(ids), None),
                Err(error) => (None, Some(Err(error))),
            };
            ids.into_iter().flatten().map(Ok).chain(failure)
        })
    }

    fn block(&self, number: usize) -> io::Result<[u64; BLOCK_IDS]> {
        let mut bytes = [0; BLOCK_BYTES];
        self.reader.read_at(&mut bytes, (number * BLOCK_BYTES) as u64)?;
        if crc32c::crc32c(&bytes) != self.index[number].1 {
            let text = format!("{}: block {number} is damaged", self.info.name());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let mut ids = [0; BLOCK_IDS];
        for (id, bytes) in ids.iter_mut().zip(bytes.chunks_exact(8)) {
            *id = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        }
        Ok(ids)
    }
}
