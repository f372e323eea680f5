//! What the crash tests expect of a spool: the lines of each file and the stage it has come to, told apart from the
//! spool's own bookkeeping, and how a recovered spool is held against that.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use cauce_lake::manifest::Codec;

use super::entry::{Entry, FileHead, FileId};
use super::folder::{lines_name, object_name};
use super::sim_disk::SimDisk;
use super::state::{Stage, State};
use super::{Recovery, Spool};

/// Ids of tweets are smaller.
pub(super) const TWEETS: u64 = 80;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Open,
    Sealed,
    Stored,
    Quarantined,
}

#[derive(Debug, Clone)]
pub(super) struct ModelFile {
    pub(super) head: FileHead,
    pub(super) step: Step,
    /// Each line with its tweet.
    pub(super) lines: Vec<(u64, String)>,
    /// So many lines are on the disk for sure, with the memory channel too.
    pub(super) safe: usize,
}

impl ModelFile {
    pub(super) fn text(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|(_, line)| line.bytes().chain([b'\n'])).collect()
    }
}

/// What is known at a commit.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// What the running spool said of itself.
    pub(super) state: State,
    pub(super) files: BTreeMap<FileId, ModelFile>,
    pub(super) ids: BTreeSet<u64>,
}

impl Known {
    /// Takes in what memory lost with the power: the ends of open files, as the recovered spool tells them.
    fn cut(&mut self, recovered: &State) -> u64 {
        let mut lost = 0;
        for file in self.files.values_mut().filter(|file| file.step == Step::Open) {
            let Some(now) = recovered.files.get(&file.head.id).filter(|now| now.lines < file.lines.len() as u64) else {
                continue;
            };
            let left = usize::try_from(now.lines).expect("small");
            for (tweet, _) in file.lines.drain(left..) {
                self.ids.remove(&tweet);
                lost += 1;
            }
            self.state.apply(&Entry::Cut { id: file.head.id, end: now.end, lines: now.lines, crc: now.crc });
        }
        lost
    }

    /// Everything so far is on the disk.
    pub(super) fn secure(&mut self) {
        self.files.values_mut().for_each(|file| file.safe = file.lines.len());
    }
}

/// How a spool was brought back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Return {
    /// Whether the power was gone, at any time since the last commit, with nothing synced but what must be.
    pub(super) may_lose_ends: bool,
    /// Whether recoveries failed before.
    pub(super) tried_before: bool,
}

/// Finds the one of `candidates` which the recovered spool is, and checks everything that the disk holds against it.
pub(super) fn check(
    spool: &Spool,
    recovery: &Recovery,
    disk: &SimDisk,
    candidates: &[Known],
    how: Return,
) -> Result<Known, String> {
    if !recovery.damaged.is_empty() {
        return Err(format!("damage was reported after a mere crash: {:?}", recovery.damaged));
    }
    let mut found = None;
    for candidate in candidates.iter().rev() {
        let mut known = candidate.clone();
        let lost = if how.may_lose_ends { known.cut(spool.state()) } else { 0 };
        known.state.runs.clear();
        if known.state == *spool.state() {
            found = Some((known, lost));
            break;
        }
    }
    let Some((known, lost)) = found else {
        let expected = candidates.last().map(|known| &known.state);
        return Err(format!("the state is none of those possible:\n{:#?}\nfor example {expected:#?}", spool.state()));
    };
    if (how.tried_before && recovery.lost_lines > lost) || (!how.tried_before && recovery.lost_lines != lost) {
        return Err(format!("{} lines are said to be lost, and {lost} are", recovery.lost_lines));
    }
    let mut expected_names = BTreeSet::new();
    for file in known.files.values() {
        check_file(spool, disk, file, &mut expected_names)?;
    }
    for name in disk.names() {
        let stray = name.starts_with("data/") && !expected_names.contains(&name) || name == "journal.new";
        if stray {
            return Err(format!("{name} was left over"));
        }
    }
    if !recovery.unknown.is_empty() || recovery.doubt.is_some() || !recovery.foreign.is_empty() {
        return Err(format!("after a mere crash the journal is said not to speak for all: {recovery:?}"));
    }
    if disk.names().iter().filter(|name| name.starts_with("journal.")).count() != 1 {
        return Err(format!("old journals were left over: {:?}", disk.names()));
    }
    for tweet in 0..TWEETS {
        let stored = spool.is_stored(tweet).map_err(|error| error.to_string())?;
        if stored != known.ids.contains(&tweet) {
            return Err(format!("tweet {tweet}: stored is said to be {stored}"));
        }
    }
    Ok(known)
}

fn check_file(spool: &Spool, disk: &SimDisk, file: &ModelFile, expected: &mut BTreeSet<String>) -> Result<(), String> {
    let id = file.head.id;
    let state = spool.state().files.get(&id).ok_or_else(|| format!("file {id} is forgotten"))?;
    let step = match state.stage {
        Stage::Open => Step::Open,
        Stage::Sealed { .. } => Step::Sealed,
        Stage::Stored { .. } => Step::Stored,
        Stage::Quarantined { .. } | Stage::Damaged { .. } => Step::Quarantined,
    };
    if step != file.step || state.head.key != file.head.key || state.lines != file.lines.len() as u64 {
        return Err(format!("file {id} is {state:?} and should be {file:?}"));
    }
    if file.lines.len() < file.safe {
        return Err(format!("file {id} lost lines that were on the disk: {} of {}", file.lines.len(), file.safe));
    }
    let (lines, object) = (lines_name(id), object_name(&file.head));
    let aside = |name: &str| name.replace("data/", "quarantine/");
    let (lines_at, object_at) = match step {
        Step::Stored => return Ok(()),
        Step::Quarantined => (aside(&lines), aside(&object)),
        Step::Open | Step::Sealed => (lines.clone(), object.clone()),
    };
    if disk.bytes(&lines_at).unwrap_or_default() != file.text() {
        return Err(format!("{lines_at} holds other lines than {:?}", file.lines));
    }
    expected.insert(lines_at);
    if step == Step::Sealed || step == Step::Quarantined {
        let bytes = disk.bytes(&object_at).ok_or_else(|| format!("{object_at} is gone"))?;
        let mut text = Vec::new();
        let read = match file.head.codec {
            Codec::None => bytes.as_slice().read_to_end(&mut text),
            Codec::Gzip => flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut text),
            Codec::Zstd => {
                zstd::stream::read::Decoder::new(bytes.as_slice()).and_then(|mut d| d.read_to_end(&mut text))
            }
        };
        if read.is_err() || text != file.text() {
            return Err(format!("{object_at} is not the object of its lines: {read:?}"));
        }
        expected.insert(object_at);
    }
    Ok(())
}
