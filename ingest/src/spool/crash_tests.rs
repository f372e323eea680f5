//! Any run of the spool with crashes, power cuts and failing disks anywhere, on a simulated disk, against a model: each
//! accepted line is in its file once and in order, a group counts whole or not at all, and nothing else is known after
//! the recovery than before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cauce_lake::manifest::{Codec, IngestPath, ManifestName};
use cauce_lake::{Hour, Key};
use proptest::prelude::*;

use super::crash_acts::{Act, Crash, Do, acts, crash};
use super::crash_model::{self, Known, ModelFile, Return, Step, TWEETS};
use super::entry::{Entry, FileHead, FileId, Role, Target};
use super::id_set::IdSet;
use super::seal::seal_on;
use super::sim_disk::SimDisk;
use super::{Options, Recovery, Spool, SpoolError};
use crate::record::Position;

const FIRST_HOUR: i64 = 498_000;

enum After {
    Seal(FileId),
    Discard(FileHead),
    Quarantine(FileHead),
}

pub(super) struct Run {
    pub(super) disk: SimDisk,
    durable: bool,
    spool: Spool,
    now_ms: i64,
    slots: BTreeMap<u64, FileId>,
    after: Vec<After>,
    /// What a recovery may find: with the file channel the last commit, with the memory channel any commit since the
    /// last one that was synced.
    pub(super) possible: Vec<Known>,
    /// With what is not committed.
    live: Known,
    critical: bool,
    used: BTreeSet<String>,
}

pub(super) fn options(durable: bool) -> Options {
    Options {
        dir: "spool".into(),
        durable,
        dedupe_window_ms: 86_400_000,
        group_limit: crate::spool::group_limit(1 << 20, 100),
    }
}

pub(super) fn open(disk: &SimDisk, durable: bool) -> Result<(Spool, Recovery), SpoolError> {
    Spool::on_disk(&options(durable), Arc::new(disk.clone()), None)
}

pub(super) fn head(spool: &Spool, slot: u64) -> FileHead {
    let hour = Hour::from_index(FIRST_HOUR + i64::try_from(slot / 2).expect("small"));
    let late = spool.state().is_final(hour);
    let folder = format!("{}{hour}", if late { "late/" } else { "" });
    let number = spool.state().numbers.get(&folder).map_or(hour.start_ms() + 1, |last| last + 1);
    let codec = [Codec::None, Codec::Gzip, Codec::None, Codec::Zstd][usize::try_from(slot).expect("small")];
    let key = Key::new(format!("{folder}/tweets.{number}.json{}", codec.extension())).expect("valid key");
    let target = Target { folder, hour: Some(hour), role: Role::Tweets, late, path: IngestPath::Stream };
    FileHead { id: spool.state().next_id, target, key, codec, created_ms: hour.start_ms() }
}

impl Run {
    pub(super) fn new(durable: bool) -> Run {
        let disk = SimDisk::default();
        let spool = open(&disk, durable).expect("the spool opens").0;
        let live = Known { state: spool.state().clone(), ..Known::default() };
        Run {
            disk,
            durable,
            spool,
            now_ms: 1_000,
            slots: BTreeMap::new(),
            after: Vec::new(),
            possible: vec![live.clone()],
            live,
            critical: false,
            used: BTreeSet::new(),
        }
    }

    pub(super) fn run(&mut self, step: &Do) -> Result<(), String> {
        self.now_ms += 137;
        if matches!(step.act, Act::Crash) {
            return self.crash(&step.crash, false);
        }
        self.disk.arm(step.fault);
        let outcome = self.act(&step.act);
        if let Err((error, attempted)) = outcome {
            let again = self.spool.commit();
            let only_read = ["look up an id", "look for"].iter().any(|action| error.to_string().contains(action));
            if !only_read && !matches!(again, Err(SpoolError::Broken { .. })) {
                return Err(format!("after {error} the spool went on: {again:?}"));
            }
            return self.crash(&step.crash, attempted);
        }
        self.disk.arm(None);
        Ok(())
    }

    /// Does one thing. A failure tells whether a group was being committed.
    fn act(&mut self, act: &Act) -> Result<(), (SpoolError, bool)> {
        match act {
            Act::Line { slot, tweet, size } => self.line(*slot, *tweet, *size).map_err(|error| (error, false))?,
            Act::Roll { slot } => self.roll(*slot),
            Act::Commit => self.commit()?,
            Act::Store { nth } => {
                if let Some(head) = self.sealed(*nth, Step::Stored) {
                    self.stage(Entry::Stored { id: head.id });
                    self.after.push(After::Discard(head));
                }
            }
            Act::Foreign { nth } => {
                if let Some(head) = self.sealed(*nth, Step::Quarantined) {
                    self.stage(Entry::Quarantined { id: head.id, reason: "foreign".into() });
                    self.after.push(After::Quarantine(head));
                }
            }
            Act::Listed { nth } => {
                if let Some(id) = self.sure(*nth) {
                    self.live.files.remove(&id);
                    self.stage(Entry::Listed { ids: vec![id] });
                }
            }
            Act::LeaveOut { nth, every } => self.leave_out(*nth, *every).map_err(|error| (error, false))?,
            Act::Freeze { hour } => {
                self.stage(Entry::Frozen { hour: Hour::from_index(FIRST_HOUR + hour), at_ms: self.now_ms });
                let slots = u64::try_from(*hour).expect("small") * 2;
                (slots..slots + 2).for_each(|slot| self.roll(slot));
            }
            Act::Plan => self.plan(),
            Act::Close { refused } => self.close(*refused),
            Act::Note { which } => self.note(*which),
            Act::Checkpoint => {
                while self.spool.has_staged() {
                    self.commit()?;
                }
                self.spool.checkpoint().map_err(|error| (error, false))?;
                self.live.secure();
                self.possible = vec![self.live.clone()];
            }
            Act::Crash => {}
        }
        Ok(())
    }

    fn stage(&mut self, entry: Entry) {
        self.critical |= !matches!(entry, Entry::Alive { .. });
        self.spool.stage(entry);
    }

    fn line(&mut self, slot: u64, tweet: u64, size: usize) -> Result<(), SpoolError> {
        if self.spool.is_stored(tweet)? {
            let hour = Hour::from_index(FIRST_HOUR + i64::try_from(slot / 2).expect("small"));
            self.spool.count_duplicate(Some(hour), self.now_ms);
            return Ok(());
        }
        let id = match self.slots.get(&slot) {
            Some(id) => *id,
            None => {
                let head = head(&self.spool, slot);
                assert!(!self.used.contains(&head.key.to_string()), "key {} is used again", head.key);
                self.spool.create(head.clone())?;
                self.live
                    .files
                    .insert(head.id, ModelFile { head: head.clone(), step: Step::Open, lines: vec![], safe: 0 });
                self.slots.insert(slot, head.id);
                head.id
            }
        };
        let text = "x".repeat(size);
        let line = format!(r#"{{"data":{{"id":"{tweet}","text":"{} {text}"}}}}"#, self.now_ms);
        self.spool.append(id, line.as_bytes(), self.now_ms, Some(tweet));
        self.live.files.get_mut(&id).expect("it was made").lines.push((tweet, line));
        self.live.ids.insert(tweet);
        Ok(())
    }

    fn roll(&mut self, slot: u64) {
        if let Some(id) = self.slots.remove(&slot) {
            self.after.push(After::Seal(id));
        }
    }

    /// A sealed file. Only what the journal says already is uploaded.
    fn sure(&self, nth: usize) -> Option<FileId> {
        let sure = self.possible.last().expect("never empty");
        let ids: Vec<FileId> = sure.files.values().filter(|f| f.step == Step::Sealed).map(|f| f.head.id).collect();
        let id = *ids.get(nth.checked_rem(ids.len())?)?;
        self.live.files.get(&id).filter(|file| file.step == Step::Sealed).map(|_| id)
    }

    fn sealed(&mut self, nth: usize, step: Step) -> Option<FileHead> {
        let file = self.live.files.get_mut(&self.sure(nth)?)?;
        file.step = step;
        Some(file.head.clone())
    }

    /// Others have stored some of a file's tweets.
    fn leave_out(&mut self, nth: usize, every: u64) -> Result<(), SpoolError> {
        let Some(id) = self.sure(nth) else { return Ok(()) };
        let stored: IdSet = (0..TWEETS).filter(|tweet| tweet % every == 0).collect();
        let next = self.spool.state().next_id;
        let left_out = self.spool.leave_out(id, &stored, false, self.now_ms)?;
        let old = &self.live.files[&id];
        let mut lines = old.lines.clone();
        lines.retain(|(tweet, _)| !stored.contains(*tweet));
        assert_eq!(left_out, (old.lines.len() - lines.len()) as u64, "lines left out of file {id}");
        if left_out == 0 {
            return Ok(());
        }
        self.critical = true;
        self.live.files.remove(&id);
        if let Some(file) = self.spool.state().files.get(&next) {
            let head = file.head.clone();
            self.after.push(After::Seal(next));
            let safe = lines.len();
            self.live.files.insert(next, ModelFile { head, step: Step::Open, lines, safe });
        }
        Ok(())
    }

    fn plan(&mut self) {
        let state = self.spool.state();
        let ready = state.hours.iter().find(|(hour, frozen)| {
            let stored = |id: &FileId| self.live.files.get(id).is_some_and(|file| file.step == Step::Stored);
            let name = ManifestName::closing(**hour);
            frozen.frozen_ms.is_some()
                && !state.plans.contains_key(&name)
                && state.files_of(**hour, false).all(|file| stored(&file.head.id))
        });
        let Some((hour, _)) = ready else { return };
        let files = state.files_of(*hour, false).map(|file| file.head.id).collect();
        let entry = Entry::Planned { name: ManifestName::closing(*hour), bytes: vec![1; 1_500], files };
        self.stage(entry);
    }

    fn close(&mut self, refused: bool) {
        let sure = self.possible.last().expect("never empty");
        let Some((name, plan)) = sure.state.plans.iter().next().map(|(name, plan)| (*name, plan.clone())) else {
            return;
        };
        if !self.spool.state().plans.contains_key(&name) {
            return;
        }
        if refused {
            self.stage(Entry::Refused { name });
        } else {
            plan.files.iter().for_each(|id| drop(self.live.files.remove(id)));
            self.stage(Entry::Closed { name });
        }
    }

    fn note(&mut self, which: u8) {
        let hour = Hour::from_index(FIRST_HOUR);
        let at_ms = self.now_ms;
        match which {
            0 => self.stage(Entry::Alive { at_ms }),
            // Long enough for a journal frame to be torn between sectors.
            1 => self.stage(Entry::GapOpened { from_ms: at_ms, cause: "stall ".repeat(250) }),
            2 => self.stage(Entry::GapClosed { to_ms: at_ms }),
            3 => self.stage(Entry::LiveFrom { hour }),
            4 => {
                self.stage(Entry::KnownClosed { names: vec![ManifestName::closing(Hour::from_index(FIRST_HOUR - 1))] })
            }
            5 => self.stage(Entry::Stopped { at_ms }),
            _ => {
                let offset = at_ms.unsigned_abs();
                let file = Position {
                    file: "in.json".into(),
                    bytes: 1 << 20,
                    sha256: "00".into(),
                    member: 0,
                    offset,
                    done: false,
                    damaged: Vec::new(),
                };
                self.spool.note_position(file, at_ms);
            }
        }
    }

    fn commit(&mut self) -> Result<(), (SpoolError, bool)> {
        // As long as the journal was not reached, nothing of the group can be found.
        self.spool.commit().map_err(|error| {
            let attempted = !matches!(&error, SpoolError::Disk { action, .. } if action == "write the data files");
            (error, attempted)
        })?;
        self.live.state = self.spool.state().clone();
        self.used.extend(self.live.files.values().map(|file| file.head.key.to_string()));
        if self.durable || self.critical {
            self.possible.clear();
            self.critical = false;
        }
        self.possible.push(self.live.clone());
        self.carry_out().map_err(|error| (error, false))
    }

    fn carry_out(&mut self) -> Result<(), SpoolError> {
        for after in std::mem::take(&mut self.after) {
            match after {
                After::Seal(id) => {
                    self.spool.finish(id);
                    let task = self.spool.seal_task(id).expect("known");
                    // The writer ends when a seal fails; here the spool is told so that the run ends alike.
                    let (bytes, sha256, crc64) = self.spool.guarded("seal", |_| seal_on(&self.disk, &task))?;
                    let file = self.live.files.get_mut(&id).expect("known");
                    file.step = Step::Sealed;
                    // Until the journal says so it is an open file that lies on the disk as a whole.
                    file.safe = file.lines.len();
                    for known in &mut self.possible {
                        if let Some(file) = known.files.get_mut(&id) {
                            file.safe = file.lines.len();
                        }
                    }
                    self.stage(Entry::Sealed { id, bytes, sha256, crc64 });
                }
                After::Discard(head) => self.spool.discard(&head)?,
                After::Quarantine(head) => self.spool.quarantine(&head)?,
            }
        }
        Ok(())
    }

    fn crash(&mut self, crash: &Crash, attempted: bool) -> Result<(), String> {
        if attempted {
            self.live.state = self.spool.state().clone();
            self.possible.push(self.live.clone());
        }
        let mut lost_power = false;
        let mut fall = |disk: &SimDisk, power: Option<u64>| {
            disk.restart();
            if let Some(seed) = power {
                disk.power_cut(seed);
                lost_power = true;
            }
        };
        fall(&self.disk, crash.power);
        let mut recovered = None;
        let mut tried_before = false;
        for (fault, power) in &crash.failing {
            self.disk.arm(Some(*fault));
            recovered = open(&self.disk, self.durable).ok();
            if recovered.is_some() {
                break;
            }
            tried_before = true;
            fall(&self.disk, *power);
        }
        self.disk.arm(None);
        let (spool, recovery) = match recovered {
            Some(recovered) => recovered,
            None => open(&self.disk, self.durable).map_err(|error| format!("recovery: {error}"))?,
        };
        self.spool = spool;
        let candidates = if self.durable || lost_power {
            self.possible.as_slice()
        } else {
            &self.possible[self.possible.len() - 1 - usize::from(attempted)..]
        };
        let how = Return { may_lose_ends: !self.durable && lost_power, tried_before };
        self.live = crash_model::check(&self.spool, &recovery, &self.disk, candidates, how)?;
        // Files that the memory channel forgot as a whole were never seen by anyone.
        let forgotten = self.possible.iter().flat_map(|known| known.files.values());
        for file in forgotten.filter(|file| !self.live.files.contains_key(&file.head.id)) {
            if file.step == Step::Open {
                self.used.remove(&file.head.key.to_string());
            }
        }
        self.live.secure();
        self.possible = vec![self.live.clone()];
        self.slots.clear();
        self.after.clear();
        self.critical = false;
        self.stage(Entry::Started { at_ms: self.now_ms });
        let open: Vec<FileHead> =
            self.live.files.values().filter(|file| file.step == Step::Open).map(|file| file.head.clone()).collect();
        for head in open {
            if self.live.files[&head.id].lines.is_empty() {
                self.live.files.remove(&head.id);
                self.stage(Entry::Dropped { id: head.id });
                self.after.push(After::Discard(head));
            } else {
                self.after.push(After::Seal(head.id));
            }
        }
        Ok(())
    }
}

/// Some seconds of them; `PROPTEST_CASES` asks for more.
pub(super) fn cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig { cases: 400, ..config },
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn with_the_file_channel_no_crash_loses_or_doubles_anything_accepted(acts in acts(), last in crash()) {
        let mut run = Run::new(true);
        for step in acts.iter().chain([&Do { act: Act::Crash, fault: None, crash: last }]) {
            run.run(step).map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn with_the_memory_channel_a_power_cut_costs_ends_of_open_files_and_nothing_else(acts in acts(), last in crash()) {
        let mut run = Run::new(false);
        for step in acts.iter().chain([&Do { act: Act::Crash, fault: None, crash: last }]) {
            run.run(step).map_err(TestCaseError::fail)?;
        }
    }
}
