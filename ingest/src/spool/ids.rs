//! Dedupe by tweet id: exact, surviving restarts, in bounded memory.
//!
//! Ids stored since the last checkpoint are a hash set in memory, and stand in the journal. A checkpoint writes them as
//! one sorted *run* file ([`super::id_run`]) and forgets the set. A look-up reads one block of 4 KiB from a run whose span of
//! ids holds the id, and nothing from the others. Live ids rise with time, so nearly all look-ups end in memory.
//!
//! Runs become few by being written again with the next one: small ones each time, so that restarts leave no heap of files,
//! and middling ones when there are some of them. A run is dropped as a whole when its last id is older than the window.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use hashbrown::HashSet;
use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::id_run::{self, BLOCK_IDS, Run};
use super::reserve;

pub use super::id_run::RunInfo;

/// So many ids in memory are written out: 200 seconds of 10,000 a second.
pub const CHECKPOINT_IDS: usize = 2_000_000;
/// Runs of up to so many blocks (65,536 ids) are written again with the next one.
const SMALL_RUN_BLOCKS: usize = 128;
/// Runs that are no larger (4 Mi ids) are written again when there are so many of them with the new one. A larger limit
/// would hold up the writer for longer at a time, a smaller one leave more files to look into.
const MIDDLING_RUN_BLOCKS: usize = (4 << 20) / BLOCK_IDS;
const MIDDLING_RUNS: usize = 4;

impl LostIds {
    /// What is lost to dedupe by it.
    pub(super) fn hole(&self, window_ms: i64) -> DedupeHole {
        DedupeHole {
            from_ms: self.last_ms.saturating_sub(window_ms).max(0),
            to_ms: self.last_ms,
            until_ms: self.last_ms.saturating_add(window_ms),
            span: self.span,
        }
    }
}

/// All ids stored within the window.
#[derive(Default)]
pub struct IdIndex {
    hot: HashSet<u64>,
    runs: Vec<Run>,
    lost: Vec<LostIds>,
    /// The number of the next run, above those of all that were named, damaged ones too.
    next_number: u64,
}

/// Ids that were stored and are not known any more, because an id file was damaged: a tweet of them that comes again
/// within the dedupe window is stored again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedupeHole {
    /// Since when its ids arrived at the earliest, milliseconds since the epoch.
    pub from_ms: i64,
    /// When they arrived at the latest.
    pub to_ms: i64,
    /// Until when they would have been known.
    pub until_ms: i64,
    /// The first and the last id that can be among them; `None` where any can.
    pub span: Option<(u64, u64)>,
}

/// Ids that were stored and are not known any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostIds {
    /// The file they were in.
    pub file: String,
    /// When the last id of that file arrived, milliseconds since the epoch.
    pub last_ms: i64,
    /// The first and the last id that can be among them; `None` where any can.
    pub span: Option<(u64, u64)>,
}

impl IdIndex {
    /// Opens the runs that a snapshot names. What is damaged is left out, as little of it as can be:
    /// [`IdIndex::take_lost`] tells.
    ///
    /// # Errors
    /// When the disk failed in another way than by damage.
    pub fn open(disk: &dyn Disk, runs: &[RunInfo]) -> io::Result<IdIndex> {
        let mut index = IdIndex::default();
        for info in runs {
            index.next_number = index.next_number.max(info.number + 1);
            match Run::open_damaged(disk, info.clone()) {
                Ok(run) => index.runs.push(run),
                Err(error) if id_run::is_damage(&error) => {
                    index.lost.push(LostIds { file: info.name(), last_ms: info.last_ms, span: None });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(index)
    }

    /// Ids that were found lost since this was asked before: of files that are gone or cut, and of blocks that more than
    /// one flipped bit has changed.
    pub fn take_lost(&mut self) -> Vec<LostIds> {
        let mut lost = std::mem::take(&mut self.lost);
        for run in &self.runs {
            let of = |span| LostIds { file: run.info.name(), last_ms: run.info.last_ms, span: Some(span) };
            lost.extend(run.take_lost().into_iter().map(of));
        }
        lost
    }

    /// Whether the id is stored.
    ///
    /// # Errors
    /// When a run cannot be read for another reason than damage.
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

    /// Says of runs that a clock far ahead dated that their ids arrived at `at_ms`.
    pub fn reset_time(&mut self, at_ms: i64) {
        self.runs.iter_mut().for_each(|run| run.info.last_ms = run.info.last_ms.min(at_ms));
    }

    /// Whether a file is one of the runs.
    pub fn names_run(&self, name: &str) -> bool {
        self.runs.iter().any(|run| run.info.name() == name)
    }

    /// Ids since the last checkpoint.
    pub fn hot_len(&self) -> usize {
        self.hot.len()
    }

    /// How many runs there are.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Writes the ids since the last checkpoint as a run, durably, and returns all runs that a snapshot should name:
    /// those whose last id arrived at `keep_from_ms` or later, and the new one, which holds the ids of those that are
    /// not named any more. The set in memory stays until [`IdIndex::settle`], because the snapshot may yet fail.
    ///
    /// # Errors
    /// When the disk failed.
    pub fn write_run(&self, disk: &dyn Disk, last_ms: i64, keep_from_ms: i64) -> io::Result<Vec<RunInfo>> {
        match self.write_next(disk, last_ms, keep_from_ms, false) {
            Err(error) if reserve::is_full(&error) => self.write_next(disk, last_ms, keep_from_ms, true),
            written => written,
        }
    }

    fn write_next(&self, disk: &dyn Disk, last_ms: i64, keep_from_ms: i64, is_full: bool) -> io::Result<Vec<RunInfo>> {
        let within: Vec<&Run> = self.runs.iter().filter(|run| run.info.last_ms >= keep_from_ms).collect();
        let middling = within.iter().filter(|run| run.blocks() <= MIDDLING_RUN_BLOCKS).count();
        let limit = if middling + 1 >= MIDDLING_RUNS { MIDDLING_RUN_BLOCKS } else { SMALL_RUN_BLOCKS };
        // On a full disk only the new ids are written; nothing is merged, which would take room for a copy.
        let is_due = |run: &&Run| !is_full && (run.blocks() <= limit || run.is_flawed());
        let (again, kept): (Vec<&Run>, Vec<&Run>) = within.into_iter().partition(is_due);
        let mut infos: Vec<RunInfo> = kept.iter().map(|run| run.info.clone()).collect();
        if self.hot.is_empty() && again.len() <= 1 && again.iter().all(|run| !run.is_flawed()) {
            infos.extend(again.iter().map(|run| run.info.clone()));
            return Ok(infos);
        }
        let mut hot: Vec<u64> = self.hot.iter().copied().collect();
        hot.sort_unstable();
        let last = self.runs.iter().map(|run| run.info.number + 1).max().unwrap_or(0);
        let number = last.max(self.next_number);
        let last_ms = again.iter().map(|run| run.info.last_ms).fold(last_ms, i64::max);
        let info = RunInfo { number, last_ms };
        let mut sorted: Vec<Box<dyn Iterator<Item = io::Result<u64>> + '_>> = vec![Box::new(hot.into_iter().map(Ok))];
        sorted.extend(again.iter().map(|run| Box::new(run.ids()) as Box<dyn Iterator<Item = io::Result<u64>>>));
        let written = id_run::write(disk, &info, Merged::of(sorted)?);
        if written.is_err() {
            // Its part would take room that something else needs.
            let _ = disk.remove(&info.name());
        }
        written?;
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

/// Sorted ids out of several sorted sources, each once. A source is read as far as it is needed, so that runs of any size
/// are merged in a little memory.
struct Merged<I> {
    sources: Vec<I>,
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    last: Option<u64>,
}

impl<I: Iterator<Item = io::Result<u64>>> Merged<I> {
    fn of(sources: Vec<I>) -> io::Result<Merged<I>> {
        let mut merged = Merged { heads: BinaryHeap::with_capacity(sources.len()), sources, last: None };
        (0..merged.sources.len()).try_for_each(|number| merged.advance(number))?;
        Ok(merged)
    }

    fn advance(&mut self, number: usize) -> io::Result<()> {
        if let Some(id) = self.sources[number].next() {
            self.heads.push(Reverse((id?, number)));
        }
        Ok(())
    }
}

impl<I: Iterator<Item = io::Result<u64>>> Iterator for Merged<I> {
    type Item = io::Result<u64>;

    fn next(&mut self) -> Option<io::Result<u64>> {
        loop {
            let Reverse((id, number)) = self.heads.pop()?;
            if let Err(error) = self.advance(number) {
                return Some(Err(error));
            }
            if self.last.replace(id) != Some(id) {
                return Some(Ok(id));
            }
        }
    }
}

/// Reads a whole run and holds it against its checksums.
///
/// # Errors
/// When it is missing or damaged, saying what is wrong.
pub(super) fn check(disk: &dyn Disk, info: &RunInfo) -> io::Result<()> {
    Run::open(disk, info.clone())?.check()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::disk::RealDisk;
    use super::super::id_run::TRAILER_BYTES;
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

    /// A run of 700 ids in two blocks.
    fn one_run(folder: &tempfile::TempDir) -> (RealDisk, IdIndex, Vec<RunInfo>) {
        let disk = disk(folder);
        let mut ids = IdIndex::default();
        (0..700).for_each(|id| ids.insert(id * 3));
        let runs = ids.write_run(&disk, 1_000, 0).expect("written");
        ids.settle(&disk, &runs).expect("settled");
        (disk, ids, runs)
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_run_is_told_by_the_check_and_mended_by_the_next_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let (disk, _, runs) = one_run(&folder);
        let path = folder.path().join(runs[0].name());
        let good = std::fs::read(&path).expect("readable");
        for at in (0..good.len()).step_by(397).chain(good.len() - TRAILER_BYTES - 24..good.len()) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            std::fs::write(&path, &bad).expect("writable");
            assert!(check(&disk, &runs[0]).is_err(), "byte {at} was changed and nobody noticed");
            let mut ids = IdIndex::open(&disk, &runs).expect("a flipped bit is no reason to stop");
            for id in 0..2_100 {
                assert_eq!(ids.contains(id).expect("readable"), id % 3 == 0, "byte {at}, id {id}");
            }
            assert_eq!(ids.take_lost(), [], "byte {at}");
            // The next checkpoint leaves a file that is whole again.
            let next = ids.write_run(&disk, 1_000, 0).expect("written");
            ids.settle(&disk, &next).expect("settled");
            assert!(next != runs && check(&disk, &next[0]).is_ok(), "byte {at}");
            std::fs::remove_file(folder.path().join(next[0].name())).expect("there");
        }
    }

    #[test]
    fn a_block_that_cannot_be_mended_is_a_hole_of_its_own_ids_and_of_no_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let (disk, mut running, runs) = one_run(&folder);
        let path = folder.path().join(runs[0].name());
        let mut bad = std::fs::read(&path).expect("readable");
        bad[100..140].fill(0xaa);
        std::fs::write(&path, &bad).expect("writable");
        let mut started = IdIndex::open(&disk, &runs).expect("readable");
        for ids in [&mut running, &mut started] {
            for id in 0..2_100 {
                let known = id % 3 == 0 && id >= 512 * 3;
                assert_eq!(ids.contains(id).expect("damage is no reason to stop"), known, "id {id}");
            }
            let hole = LostIds { file: runs[0].name(), last_ms: 1_000, span: Some((0, 512 * 3 - 1)) };
            assert_eq!(ids.take_lost(), [hole]);
            assert_eq!(ids.take_lost(), [], "a hole is said once");
        }
    }

    #[test]
    fn a_run_that_is_gone_or_cut_is_left_out_and_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let (disk, _, runs) = one_run(&folder);
        let path = folder.path().join(runs[0].name());
        let good = std::fs::read(&path).expect("readable");
        for cut in [None, Some(0), Some(31), Some(5_000), Some(good.len() - 1)] {
            match cut {
                None => std::fs::remove_file(&path).expect("there"),
                Some(cut) => std::fs::write(&path, &good[..cut]).expect("writable"),
            }
            let mut ids = IdIndex::open(&disk, &runs).expect("a lost file is no reason to stop");
            assert!(!ids.contains(3).expect("readable"));
            assert_eq!(ids.take_lost(), [LostIds { file: runs[0].name(), last_ms: 1_000, span: None }], "{cut:?}");
            ids.insert(5);
            let next = ids.write_run(&disk, 2_000, 0).expect("written");
            assert!(next[0].number > runs[0].number, "what is left of the old file is not written over");
        }
    }

    #[test]
    fn middling_runs_become_one_large_one_and_large_ones_stay_as_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = disk(&folder);
        let mut ids = IdIndex::default();
        let (middling, rounds) = (2 * (SMALL_RUN_BLOCKS * BLOCK_IDS) as u64, 5);
        for round in 0..rounds {
            // Every second id of its span, the others one round later, so that runs overlap.
            (0..middling).for_each(|at| ids.insert(round * middling + at * 2));
            let last_ms = i64::try_from(round).expect("small");
            let runs = ids.write_run(&disk, last_ms, 0).expect("written");
            ids.settle(&disk, &runs).expect("settled");
            assert!(runs.len() <= MIDDLING_RUNS, "{} runs", runs.len());
            assert_eq!(runs.iter().map(|run| run.last_ms).max(), Some(last_ms));
        }
        let files = std::fs::read_dir(folder.path().join("ids")).expect("a folder").count();
        assert_eq!(files, ids.runs());
        for id in (0..rounds * middling).step_by(64) {
            assert!(ids.contains(id).expect("readable"), "{id} is forgotten");
        }
        assert!(!ids.contains(1).expect("readable"));
    }
}
