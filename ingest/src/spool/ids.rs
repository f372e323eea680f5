//! Dedupe by tweet id: exact, surviving restarts, in bounded memory.
//!
//! Ids stored since the last checkpoint are a hash set in memory, and stand in the journal. A checkpoint writes them as
//! one sorted *run* file and forgets the set. A run keeps the first id of each block of 512 in memory (1/64 of its size):
//! a look-up reads one block of 4 KiB from a run whose span of ids holds the id, and nothing from the others. Live ids
//! rise with time, so nearly all look-ups end in memory.
//!
//! ```text
//! run     = block* index trailer
//! block   = 512 × id:u64, sorted; the last one is filled up with its last id
//! index   = (first id:u64, crc of the block:u32)*
//! trailer = "CAUCEIDS" version:u32 blocks:u32 count:u64 crc of the index:u32 crc of the trailer:u32      32 bytes
//! ```

use std::io;

use hashbrown::HashSet;
use serde::{Deserialize, Serialize};

use super::disk::{Disk, DiskReader};

const MAGIC: &[u8; 8] = b"CAUCEIDS";
const VERSION: u32 = 1;
const BLOCK_IDS: usize = 512;
const BLOCK_BYTES: usize = BLOCK_IDS * 8;
const INDEX_ENTRY_BYTES: usize = 12;
const TRAILER_BYTES: usize = 32;
/// Runs of up to so many blocks (65,536 ids) are written again with the next one.
const SMALL_RUN_BLOCKS: usize = 128;

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

struct Run {
    info: RunInfo,
    index: Vec<(u64, u32)>,
    last: u64,
    reader: Box<dyn DiskReader>,
}

/// All ids stored within the window.
#[derive(Default)]
pub struct IdIndex {
    hot: HashSet<u64>,
    runs: Vec<Run>,
}

impl IdIndex {
    /// Opens the runs that a snapshot names.
    ///
    /// # Errors
    /// When one is missing or damaged, naming it.
    pub fn open(disk: &dyn Disk, runs: &[RunInfo]) -> io::Result<IdIndex> {
        let runs = runs.iter().map(|info| Run::open(disk, info.clone())).collect::<io::Result<_>>()?;
        Ok(IdIndex { hot: HashSet::new(), runs })
    }

    /// Whether the id is stored.
    ///
    /// # Errors
    /// When a run cannot be read or is damaged: then nobody can say, and the agent must stop rather than guess.
    pub fn contains(&self, id: u64) -> io::Result<bool> {
        if self.hot.contains(&id) {
            return Ok(true);
        }
        for run in self.runs.iter().rev() {
            if run.contains(id)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes in an id that is stored now.
    pub fn insert(&mut self, id: u64) {
        self.hot.insert(id);
    }

    /// Whether a file is one of the runs.
    pub fn names_run(&self, name: &str) -> bool {
        self.runs.iter().any(|run| run.info.name() == name)
    }

    /// Ids since the last checkpoint.
    pub fn hot_len(&self) -> usize {
        self.hot.len()
    }

    /// Writes the ids since the last checkpoint as a run, durably, and returns all runs that a snapshot should name:
    /// those whose last id arrived at `keep_from_ms` or later, and the new one. Small runs go into the new one, so that
    /// many restarts do not leave many files. The set in memory stays until [`IdIndex::settle`], because the snapshot
    /// may yet fail.
    ///
    /// # Errors
    /// When the disk failed.
    pub fn write_run(&self, disk: &dyn Disk, last_ms: i64, keep_from_ms: i64) -> io::Result<Vec<RunInfo>> {
        let within = self.runs.iter().filter(|run| run.info.last_ms >= keep_from_ms);
        let (small, large): (Vec<&Run>, Vec<&Run>) = within.partition(|run| run.index.len() <= SMALL_RUN_BLOCKS);
        let mut infos: Vec<RunInfo> = large.iter().map(|run| run.info.clone()).collect();
        if self.hot.is_empty() && small.len() <= 1 {
            infos.extend(small.iter().map(|run| run.info.clone()));
            return Ok(infos);
        }
        let mut sorted: Vec<u64> = self.hot.iter().copied().collect();
        for run in &small {
            for number in 0..run.index.len() {
                sorted.extend(run.block(number)?);
            }
        }
        sorted.sort_unstable();
        sorted.dedup();
        let number = self.runs.iter().map(|run| run.info.number + 1).max().unwrap_or(0);
        let last_ms = small.iter().map(|run| run.info.last_ms).fold(last_ms, i64::max);
        let info = RunInfo { number, last_ms };
        write_run(disk, &info, &sorted)?;
        infos.push(info);
        Ok(infos)
    }

    /// Takes the runs of a snapshot that is durable now: drops the set in memory and the files no longer named.
    ///
    /// # Errors
    /// When the new run cannot be read back.
    pub fn settle(&mut self, disk: &dyn Disk, infos: &[RunInfo]) -> io::Result<()> {
        self.hot = HashSet::new();
        let (kept, dropped): (Vec<Run>, Vec<Run>) =
            std::mem::take(&mut self.runs).into_iter().partition(|run| infos.contains(&run.info));
        self.runs = kept;
        for info in infos {
            if !self.runs.iter().any(|run| run.info == *info) {
                self.runs.push(Run::open(disk, info.clone())?);
            }
        }
        for run in dropped {
            disk.remove(&run.info.name())?;
        }
        Ok(())
    }
}

/// Reads a whole run and holds it against its checksums.
///
/// # Errors
/// When it is missing or damaged, saying what is wrong.
pub(super) fn check(disk: &dyn Disk, info: &RunInfo) -> io::Result<()> {
    let run = Run::open(disk, info.clone())?;
    (0..run.index.len()).try_for_each(|number| run.block(number).map(drop))
}

fn write_run(disk: &dyn Disk, info: &RunInfo, sorted: &[u64]) -> io::Result<()> {
    // A crash between writing a run and naming it in a snapshot leaves a file that nobody knows of.
    disk.remove(&info.name())?;
    let mut file = disk.create(&info.name())?;
    let mut index = Vec::new();
    let mut bytes = Vec::with_capacity(BLOCK_BYTES);
    for block in sorted.chunks(BLOCK_IDS) {
        bytes.clear();
        let fill = block.last().copied().unwrap_or_default();
        for id in block.iter().copied().chain(std::iter::repeat(fill)).take(BLOCK_IDS) {
            bytes.extend(id.to_le_bytes());
        }
        index.extend(block[0].to_le_bytes());
        index.extend(crc32c::crc32c(&bytes).to_le_bytes());
        file.append(&bytes)?;
    }
    let blocks = u32::try_from(sorted.len().div_ceil(BLOCK_IDS)).map_err(io::Error::other)?;
    let mut trailer = Vec::with_capacity(TRAILER_BYTES);
    trailer.extend(MAGIC);
    trailer.extend(VERSION.to_le_bytes());
    trailer.extend(blocks.to_le_bytes());
    trailer.extend((sorted.len() as u64).to_le_bytes());
    trailer.extend(crc32c::crc32c(&index).to_le_bytes());
    trailer.extend(crc32c::crc32c(&trailer).to_le_bytes());
    file.append(&index)?;
    file.append(&trailer)?;
    file.sync()?;
    disk.sync_folder("ids")
}

impl Run {
    fn open(disk: &dyn Disk, info: RunInfo) -> io::Result<Run> {
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
        let mut run = Run { info, index, last: 0, reader };
        run.last = match blocks {
            0 => 0,
            _ => run.block(blocks - 1)?[BLOCK_IDS - 1],
        };
        Ok(run)
    }

    fn contains(&self, id: u64) -> io::Result<bool> {
        let after = self.index.partition_point(|(first, _)| *first <= id);
        if after == 0 || id > self.last {
            return Ok(false);
        }
        Ok(self.block(after - 1)?.binary_search(&id).is_ok())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::disk::RealDisk;
    use super::*;

    fn disk(folder: &tempfile::TempDir) -> RealDisk {
        std::fs::create_dir(folder.path().join("ids")).expect("the folder is new");
        RealDisk::new(folder.path())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn an_id_is_known_in_memory_in_a_run_and_after_a_restart(
            first in proptest::collection::hash_set(0u64..5_000, 0..2_000),
            second in proptest::collection::hash_set(any::<u64>(), 0..600),
            asked in proptest::collection::vec(0u64..5_000, 50),
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let disk = disk(&folder);
            let mut ids = IdIndex::default();
            first.iter().for_each(|id| ids.insert(*id));
            let runs = ids.write_run(&disk, 10, 0).expect("written");
            ids.settle(&disk, &runs).expect("settled");
            second.iter().for_each(|id| ids.insert(*id));
            let runs = ids.write_run(&disk, 20, 0).expect("written");
            let again = IdIndex::open(&disk, &runs).expect("readable");
            for id in asked.iter().chain(&first).chain(&second) {
                let known = first.contains(id) || second.contains(id);
                prop_assert_eq!(ids.contains(*id).expect("readable"), known);
                prop_assert_eq!(again.contains(*id).expect("readable"), known);
            }
        }
    }

    #[test]
    fn a_run_whose_ids_are_older_than_the_window_is_dropped_with_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = disk(&folder);
        let mut ids = IdIndex::default();
        ids.insert(1);
        let runs = ids.write_run(&disk, 1_000, 0).expect("written");
        ids.settle(&disk, &runs).expect("settled");
        ids.insert(2);
        let runs = ids.write_run(&disk, 5_000, 2_000).expect("written");
        ids.settle(&disk, &runs).expect("settled");
        assert_eq!(runs.len(), 1);
        assert_eq!((ids.contains(1).expect("readable"), ids.contains(2).expect("readable")), (false, true));
        assert_eq!(std::fs::read_dir(folder.path().join("ids")).expect("a folder").count(), 1);
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_run_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = disk(&folder);
        let mut ids = IdIndex::default();
        (0..700).for_each(|id| ids.insert(id * 3));
        let runs = ids.write_run(&disk, 1_000, 0).expect("written");
        let path = folder.path().join(runs[0].name());
        let good = std::fs::read(&path).expect("readable");
        for at in (0..good.len()).step_by(97).chain(good.len() - TRAILER_BYTES..good.len()) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            std::fs::write(&path, &bad).expect("writable");
            let read =
                IdIndex::open(&disk, &runs).and_then(|ids| (0..2_100).try_for_each(|id| ids.contains(id).map(drop)));
            assert!(read.is_err(), "byte {at} was changed and nobody noticed");
        }
    }
}
