//! What the journal means: the state of the spool is its entries applied one after the other, and nothing else. The
//! running agent and the recovery after a crash use the same [`State::apply`], so they cannot disagree.
//!
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use cauce_lake::Hour;
use cauce_lake::checksum::Crc64;
use cauce_lake::manifest::{ManifestName, epoch_ms_in_name};
use serde::{Deserialize, Serialize};

use super::entry::{Append, Entry, FileHead, FileId, LakeRules, MessageCounts};
use super::ids::{DedupeHole, RunInfo};
use crate::record::Position;

/// How far a file has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It takes lines, or was taking them when the agent stopped.
    Open,
    /// Its object's bytes are made and wait for their upload.
    Sealed {
        /// Length of the object in bytes.
        bytes: u64,
        /// Its SHA-256.
        sha256: String,
        /// Its CRC-64/NVME.
        crc64: Crc64,
    },
    /// The object is in the store; the file is gone and its entry waits for the manifest.
    Stored {
        /// Length of the object in bytes.
        bytes: u64,
        /// Its SHA-256.
        sha256: String,
        /// Its CRC-64/NVME.
        crc64: Crc64,
    },
    /// It was put aside with all its bytes.
    Quarantined {
        /// Why.
        reason: String,
    },
    /// It was put aside because its bytes are not those that were accepted.
    Damaged {
        /// What is wrong.
        reason: String,
        /// How many bytes from its beginning check out, up to the end of a commit.
        end: u64,
        /// Lines in them.
        lines: u64,
        /// Their CRC32C.
        crc: u32,
    },
}

/// A spool file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// What it is.
    pub head: FileHead,
    /// Accepted bytes.
    pub end: u64,
    /// Accepted lines.
    pub lines: u64,
    /// CRC32C of the accepted bytes.
    pub crc: u32,
    /// (seconds since the epoch, lines so far), one a second in which lines arrived.
    pub arrivals: Vec<(i64, u64)>,
    /// What its messages are.
    pub messages: MessageCounts,
    /// The lowest and the highest id of its tweets.
    pub id_span: Option<(u64, u64)>,
    /// How far it has come.
    pub stage: Stage,
    /// Whether a manifest that speaks for it is made.
    pub planned: bool,
}

impl FileState {
    /// A file without a line.
    pub fn new(head: FileHead) -> FileState {
        FileState {
            head,
            end: 0,
            lines: 0,
            crc: 0,
            arrivals: Vec::new(),
            messages: MessageCounts::default(),
            id_span: None,
            stage: Stage::Open,
            planned: false,
        }
    }

    fn see_ids(&mut self, ids: &[u64]) {
        for id in ids {
            let (first, last) = self.id_span.unwrap_or((*id, *id));
            self.id_span = Some((first.min(*id), last.max(*id)));
        }
    }

    /// Whether its lines wait on this disk to be stored.
    pub fn waits(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Sealed { .. })
    }

    /// Bytes it takes on the disk until it is stored.
    pub fn spooled_bytes(&self) -> u64 {
        match self.stage {
            Stage::Open | Stage::Sealed { .. } | Stage::Quarantined { .. } | Stage::Damaged { .. } => self.end,
            Stage::Stored { .. } => 0,
        }
    }

    /// Why it was put aside, where it was.
    pub fn aside(&self) -> Option<&str> {
        match &self.stage {
            Stage::Quarantined { reason } | Stage::Damaged { reason, .. } => Some(reason),
            Stage::Open | Stage::Sealed { .. } | Stage::Stored { .. } => None,
        }
    }
}

/// An hour that is not closed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourState {
    /// When the agent opened it, milliseconds since the epoch.
    pub opened_ms: i64,
    /// When its last line arrived.
    pub last_line_ms: i64,
    /// Since when nothing more goes in.
    pub frozen_ms: Option<i64>,
    /// Tweets left out because their id was already stored.
    pub duplicates: u64,
}

/// What is remembered of a closed hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClosedHour {
    /// Number of the last late manifest; 0 when there is none.
    pub late_manifests: u32,
}

/// A span without a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapSpan {
    /// Milliseconds since the epoch.
    pub from_ms: i64,
    /// `None` while it is open.
    pub to_ms: Option<i64>,
    /// Why.
    pub cause: String,
}

impl GapSpan {
    /// Whether it overlaps a span of time; an open gap reaches for ever.
    pub fn overlaps(&self, from_ms: i64, to_ms: i64) -> bool {
        self.from_ms < to_ms && self.to_ms.is_none_or(|end| end > from_ms)
    }
}

/// A manifest that is made and not yet confirmed in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The files it speaks for.
    pub files: Vec<FileId>,
    /// Rejects that it counts.
    pub rejects: u64,
}

/// Everything the spool knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Number for the next file.
    pub next_id: FileId,
    /// Files that are not stored, or whose manifest is not confirmed.
    pub files: BTreeMap<FileId, FileState>,
    /// Files that are not known any more and whose bytes may still be on the disk.
    pub done: BTreeSet<FileId>,
    /// Hours that hold something or are frozen, and are not closed.
    pub hours: BTreeMap<Hour, HourState>,
    /// Closed hours.
    pub closed: BTreeMap<Hour, ClosedHour>,
    /// Last number used in a key, by folder. Kept for hours that are not closed and for late folders.
    pub numbers: BTreeMap<String, i64>,
    /// Rejects that no manifest counts yet, by hour.
    pub rejects: BTreeMap<Hour, u64>,
    /// Manifests on their way.
    pub plans: BTreeMap<ManifestName, Plan>,
    /// Gaps that overlap hours which are not closed.
    pub gaps: Vec<GapSpan>,
    /// Where finite sources stand, by file.
    pub positions: BTreeMap<String, Position>,
    /// The first hour a live source has not closed yet; `None` before the first connection.
    pub live_next: Option<Hour>,
    /// The lake's rules under which the spool was written; `None` before its first agent.
    pub rules: Option<LakeRules>,
    /// Latest time the spool knows of, milliseconds since the epoch.
    pub last_ms: i64,
    /// Latest time a tweet bears.
    pub max_event_ms: Option<i64>,
    /// Whether the agent stopped in order, or never ran.
    pub stopped: bool,
    /// The epoch in which an agent last wrote the lake from this spool.
    pub epoch: Option<u64>,
    /// Id files on the disk; set by a checkpoint only.
    pub runs: Vec<RunInfo>,
    /// Ids that dedupe has lost, until they would have been forgotten anyhow.
    pub holes: Vec<DedupeHole>,
    /// Made once with the spool, 32 hexadecimal digits: what the lease knows it by.
    pub spool_id: String,
    /// The highest epoch in which this spool has asked for the lease.
    pub claimed_epoch: u64,
}

impl State {
    /// Takes in one entry. Entries that speak of files or hours nobody knows are ignored: a journal that recovery cut
    /// never holds them, and a reader of a damaged one should see as much as there is.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Snapshot(state) => *self = State::clone(state),
            Entry::Started { at_ms } => {
                self.stopped = false;
                self.see(*at_ms);
            }
            Entry::Stopped { at_ms } => {
                self.stopped = true;
                self.see(*at_ms);
            }
            Entry::Alive { at_ms } => self.see(*at_ms),
            Entry::Created(head) => self.create(head),
            Entry::Appended { at_ms, max_event_ms, files, duplicates, rejects, positions } => {
                self.see(*at_ms);
                self.max_event_ms = self.max_event_ms.max(*max_event_ms);
                for append in files {
                    self.append(append, *at_ms);
                }
                for (hour, count) in duplicates {
                    if let Some(state) = hour.and_then(|hour| self.hours.get_mut(&hour)) {
                        state.duplicates += count;
                    }
                }
                for (hour, count) in rejects {
                    *self.rejects.entry(*hour).or_default() += count;
                }
                for position in positions {
                    self.positions.insert(position.file.clone(), position.clone());
                }
            }
            Entry::Cut { id, end, lines, crc } => {
                if let Some(file) = self.files.get_mut(id) {
                    file.end = *end;
                    file.lines = *lines;
                    file.crc = *crc;
                    keep_arrivals(&mut file.arrivals, *lines);
                    // Which of its messages are left is not known.
                    file.messages = MessageCounts::default();
                }
            }
            Entry::Dropped { id } => {
                self.files.remove(id);
                self.done.remove(id);
            }
            Entry::Sealed { id, bytes, sha256, crc64 } => {
                self.stage(*id, Stage::Sealed { bytes: *bytes, sha256: sha256.clone(), crc64: *crc64 });
            }
            Entry::Stored { id } => self.stored(*id),
            Entry::Quarantined { id, reason } => self.stage(*id, Stage::Quarantined { reason: reason.clone() }),
            Entry::Damaged { id, reason, end, lines, crc } => {
                let stage = Stage::Damaged { reason: reason.clone(), end: *end, lines: *lines, crc: *crc };
                self.stage(*id, stage);
            }
            Entry::LiveFrom { hour } => {
                self.live_next = self.live_next.max(Some(*hour));
            }
            Entry::Rules(rules) => self.rules = Some(rules.clone()),
            Entry::Frozen { hour, at_ms } => self.freeze(*hour, *at_ms),
            Entry::Planned { name, bytes, files } => {
                for id in files {
                    if let Some(file) = self.files.get_mut(id) {
                        file.planned = true;
                    }
                }
                let rejects = self.rejects.remove(&name.hour).unwrap_or(0);
                self.plans.insert(*name, Plan { bytes: bytes.clone(), files: files.clone(), rejects });
            }
            Entry::Closed { name } => self.close(*name),
            Entry::Refused { name } => self.refuse(*name),
            Entry::KnownClosed { names } => names.iter().for_each(|name| self.know_closed(*name)),
            Entry::Adopted { head, bytes, lines, sha256, crc64, ids, messages } => {
                self.create(head);
                self.stage(head.id, Stage::Stored { bytes: *bytes, sha256: sha256.clone(), crc64: *crc64 });
                if let Some(file) = self.files.get_mut(&head.id) {
                    file.lines = *lines;
                    file.messages.clone_from(messages);
                    file.see_ids(ids);
                }
            }
            Entry::TimeReset { at_ms } => self.reset_time(*at_ms),
            Entry::LakeTaken { epoch } => self.epoch = Some(*epoch),
            Entry::Listed { ids } | Entry::Superseded { ids } => ids.iter().for_each(|id| self.done_with(*id)),
            Entry::Found { id, bytes, lines, ours, sha256, crc64, ids, messages } => {
                self.stage(*id, Stage::Sealed { bytes: *bytes, sha256: sha256.clone(), crc64: *crc64 });
                if let Some(file) = self.files.get_mut(id) {
                    // When the lines arrived that are not ours is not known.
                    keep_arrivals(&mut file.arrivals, if lines > ours { 0 } else { *lines });
                    file.lines = *lines;
                    file.messages.clone_from(messages);
                    file.see_ids(ids);
                }
                self.stored(*id);
            }
            Entry::Withdrawn { name } => self.withdraw(*name),
            Entry::Learnt { ids: _ } => {}
            Entry::Claimed { epoch } => self.claimed_epoch = self.claimed_epoch.max(*epoch),
            Entry::GapOpened { from_ms, cause } => {
                if self.open_gap().is_none() {
                    self.gaps.push(GapSpan { from_ms: *from_ms, to_ms: None, cause: cause.clone() });
                }
            }
            Entry::IdsLost(hole) => {
                self.holes.retain(|known| known.until_ms > self.last_ms);
                if !self.holes.contains(hole) {
                    self.holes.push(hole.clone());
                }
            }
            Entry::GapClosed { to_ms } => {
                if let Some(gap) = self.gaps.iter_mut().find(|gap| gap.to_ms.is_none()) {
                    gap.to_ms = Some((*to_ms).max(gap.from_ms));
                }
            }
        }
    }

    /// Whether an agent has run on this spool. One that ended before it could take the lake has left a journal and nothing
    /// in it: for the next one the spool is still new.
    pub fn has_run(&self) -> bool {
        self.last_ms > 0
    }

    /// The gap that is open, if one is.
    pub fn open_gap(&self) -> Option<&GapSpan> {
        self.gaps.iter().find(|gap| gap.to_ms.is_none())
    }

    /// Whether what comes for this hour is late.
    pub fn is_final(&self, hour: Hour) -> bool {
        self.closed.contains_key(&hour) || self.hours.get(&hour).is_some_and(|state| state.frozen_ms.is_some())
    }

    /// The files of an hour that its manifest speaks for, late ones or the others.
    pub fn files_of(&self, hour: Hour, late: bool) -> impl Iterator<Item = &FileState> {
        self.files.values().filter(move |file| {
            let target = &file.head.target;
            target.hour == Some(hour) && target.late == late
        })
    }

    /// Bytes on the disk that are not yet confirmed in the store.
    pub fn spooled_bytes(&self) -> u64 {
        self.files.values().map(FileState::spooled_bytes).sum()
    }

    /// Forgets holes whose ids dedupe would not know any more in any case. The window may have become shorter.
    pub(super) fn fit_holes(&mut self, window_ms: i64) {
        for hole in &mut self.holes {
            hole.until_ms = hole.until_ms.min(hole.to_ms.saturating_add(window_ms));
        }
        let last_ms = self.last_ms;
        self.holes.retain(|hole| hole.until_ms > last_ms);
    }

    fn see(&mut self, at_ms: i64) {
        self.last_ms = self.last_ms.max(at_ms);
    }

    fn create(&mut self, head: &FileHead) {
        self.next_id = self.next_id.max(head.id + 1);
        if let Some(number) = epoch_ms_in_name(head.key.file_name()) {
            let last = self.numbers.entry(head.target.folder.clone()).or_insert(number);
            *last = (*last).max(number);
        }
        if let (Some(hour), false) = (head.target.hour, head.target.late) {
            self.open_hour(hour, head.created_ms);
        }
        self.files.insert(head.id, FileState::new(head.clone()));
    }

    pub(super) fn open_hour(&mut self, hour: Hour, at_ms: i64) -> &mut HourState {
        self.hours.entry(hour).or_insert(HourState {
            opened_ms: at_ms,
            last_line_ms: at_ms,
            frozen_ms: None,
            duplicates: 0,
        })
    }

    fn append(&mut self, append: &Append, at_ms: i64) {
        let Some(file) = self.files.get_mut(&append.id) else { return };
        file.end = append.end;
        file.lines = append.lines;
        file.crc = append.crc;
        file.messages.clone_from(&append.messages);
        file.see_ids(&append.ids);
        for (second, lines) in &append.arrivals {
            match file.arrivals.last_mut() {
                Some(last) if last.0 == *second => last.1 = *lines,
                _ => file.arrivals.push((*second, *lines)),
            }
        }
        if let (Some(hour), false) = (file.head.target.hour, file.head.target.late) {
            self.open_hour(hour, at_ms).last_line_ms = at_ms;
        }
    }

    fn stage(&mut self, id: FileId, stage: Stage) {
        if let Some(file) = self.files.get_mut(&id) {
            file.stage = stage;
        }
    }

    fn done_with(&mut self, id: FileId) {
        if self.files.remove(&id).is_some_and(|file| file.waits()) {
            self.done.insert(id);
        }
    }

    fn stored(&mut self, id: FileId) {
        // What no manifest will speak for is dropped when its bytes are gone: a file is never forgotten before.
        let Some(file) = self.files.get_mut(&id) else { return };
        if let Stage::Sealed { bytes, sha256, crc64 } = &file.stage {
            file.stage = Stage::Stored { bytes: *bytes, sha256: sha256.clone(), crc64: *crc64 };
        }
    }
}

/// Keeps the arrivals of a file's first lines. The second in which the cut falls keeps those of its lines that are left.
fn keep_arrivals(arrivals: &mut Vec<(i64, u64)>, lines: u64) {
    let whole = arrivals.partition_point(|(_, so_far)| *so_far < lines);
    arrivals.truncate(if lines == 0 { 0 } else { whole + 1 });
    if let Some(last) = arrivals.last_mut() {
        last.1 = lines;
    }
}
