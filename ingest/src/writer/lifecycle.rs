//! The life of files and hours: rolled, sealed, stored; frozen, planned, closed.

use std::cmp::Reverse;

use cauce_lake::manifest::{ManifestName, success_key};
use cauce_lake::{Hour, Key};

use super::inbox::Command;
use super::{ALIVE_MS, Phase, PostCommit, Writer};
use crate::clock;
use crate::close;
use crate::failpoint;
use crate::spool::entry::{Entry, FileHead, FileId, Role};
use crate::spool::roll;
use crate::spool::state::Stage;
use crate::spool::{SpoolError, reserve};
use crate::upload::{FileLines, Job, Upload, UploadReport};

/// How often timers are looked at, in milliseconds of the stream's time.
const LOOK_MS: i64 = 100;
/// Files that no rule would ever roll and whose hour does not end (rejects, late tweets, folders that are no hours) are
/// rolled after this idleness.
const ORPHAN_IDLE_MS: i64 = 300_000;

impl Writer {
    /// Takes up what the last agent left: files it was writing are sealed, sealed ones uploaded, manifests put.
    pub(super) fn resume(&mut self) -> Result<(), SpoolError> {
        let now_ms = clock::now_ms().max(self.now_ms);
        let state = self.spool.state();
        let in_order = state.stopped;
        let stopped_since = (state.last_ms > 0 && state.open_gap().is_none()).then_some(state.last_ms);
        let files: Vec<(FileId, Stage, u64, bool)> = state
            .files
            .values()
            .map(|file| (file.head.id, file.stage.clone(), file.end, file.head.target.hour.is_some()))
            .collect();
        let plans: Vec<ManifestName> = state.plans.keys().copied().collect();
        // A finite run over a live source's spool may close its hours: their manifests tell of the stop, too.
        let is_run = self.live || state.live_next.is_some();
        self.spool.stage(Entry::Started { at_ms: now_ms });
        self.note_rules();
        if let Some(from_ms) = stopped_since.filter(|_| is_run && self.router.closes()) {
            let cause = if in_order { "agent-stopped" } else { "agent-killed" };
            self.spool.stage(Entry::GapOpened { from_ms, cause: cause.into() });
            self.metrics.gap_open.set(1);
        }
        self.now_ms = now_ms;
        self.last_line_ms = now_ms;
        for (id, stage, end, has_manifest) in files {
            match stage {
                // Its first group was never accepted: it holds nothing.
                Stage::Open if end == 0 => self.forget_empty(id),
                Stage::Open => self.post_commit.push(PostCommit::Seal(id)),
                Stage::Sealed { .. } => self.post_commit.push(PostCommit::Upload(id)),
                // Its bytes went with the recovery, and no manifest will ever speak for it.
                Stage::Stored { .. } if !has_manifest => self.spool.stage(Entry::Dropped { id }),
                Stage::Stored { .. } | Stage::Quarantined { .. } | Stage::Damaged { .. } => {}
            }
        }
        self.post_commit.extend(plans.into_iter().map(PostCommit::Put));
        self.commit()
    }

    /// Keeps the lake's rules in the journal, and says where they are others than those of the spool.
    fn note_rules(&mut self) {
        let now = self.router.rules();
        match &self.spool.state().rules {
            Some(before) if *before == now => return,
            Some(before) => tracing::warn!(
                pattern_before = before.pattern,
                pattern = now.pattern,
                time_zone_before = before.time_zone,
                time_zone = now.time_zone,
                partition_by_before = before.partition_by,
                partition_by = now.partition_by,
                "the lake's rules have changed since this spool was written: hours that are still open may hold tweets by both"
            ),
            None => {}
        }
        self.spool.stage(Entry::Rules(now));
    }

    fn forget_empty(&mut self, id: FileId) {
        let head = self.spool.state().files[&id].head.clone();
        self.spool.stage(Entry::Dropped { id });
        self.post_commit.push(PostCommit::Discard(head));
    }

    /// Timers: what is due by age, which hours take nothing more, what can be closed.
    pub(super) fn look_around(&mut self) -> Result<(), SpoolError> {
        let due = self.now_ms.saturating_sub(self.looked_at_ms) >= LOOK_MS;
        if due && self.phase == Phase::Running {
            self.looked_at_ms = self.now_ms;
            self.roll_aged();
            self.freeze_ripe();
            self.metrics.health.rejects.say_due(self.now_ms);
            if self.now_ms.saturating_sub(self.spool.state().last_ms) >= ALIVE_MS {
                self.spool.stage(Entry::Alive { at_ms: self.now_ms });
            }
        }
        if self.may_close {
            self.may_close = false;
            self.plan_manifests();
        }
        self.open_group();
        self.look_for_room()
    }

    fn roll_aged(&mut self) {
        let aged: Vec<FileId> = self
            .spool
            .open_files()
            .filter(|(_, filling)| {
                let due_ms = roll::due_ms(&self.roll, filling).unwrap_or(i64::MAX);
                let idle_ms = filling.last_ms.saturating_add(ORPHAN_IDLE_MS);
                self.now_ms >= due_ms || self.now_ms >= idle_ms
            })
            .map(|(id, _)| id)
            .collect();
        aged.into_iter().for_each(|id| self.roll(id));
    }

    /// Rolls the file that has gone longest without a line, to make room for another.
    pub(super) fn roll_least_used(&mut self) {
        let open = self.slots.values().filter_map(|id| self.spool.filling(*id).map(|filling| (filling.last_ms, *id)));
        if let Some(Reverse((_, id))) = open.map(Reverse).max() {
            self.roll(id);
        }
    }

    /// Takes no more lines into a file; it is sealed when what it holds is committed.
    pub(super) fn roll(&mut self, id: FileId) {
        let before = self.slots.len();
        self.slots.retain(|_, open| *open != id);
        if self.slots.len() < before {
            self.metrics.files_open.set(i64::try_from(self.slots.len()).unwrap_or(i64::MAX));
            self.post_commit.push(PostCommit::Seal(id));
            self.group_since.get_or_insert_with(std::time::Instant::now);
        }
    }

    fn freeze_ripe(&mut self) {
        if !self.router.closes() {
            return;
        }
        if let Some(hour) = self.policy.run_start(self.spool.state(), self.now_ms) {
            self.spool.stage(Entry::LiveFrom { hour });
        }
        for hour in self.policy.due(self.spool.state(), self.now_ms, self.last_line_ms) {
            self.freeze(hour);
        }
    }

    pub(super) fn freeze(&mut self, hour: Hour) {
        self.spool.stage(Entry::Frozen { hour, at_ms: self.now_ms });
        let files: Vec<FileId> = self.spool.state().files_of(hour, false).map(|file| file.head.id).collect();
        files.into_iter().for_each(|id| self.roll(id));
        self.may_close = true;
    }

    /// The source has come to its end: every hour that holds something and has ended is closed.
    pub(super) fn end_input(&mut self) -> Result<(), SpoolError> {
        self.release_undated(None)?;
        if !self.live && self.router.closes() {
            let ended = self.policy.at_the_end(self.spool.state(), self.now_ms);
            ended.into_iter().for_each(|hour| self.freeze(hour));
        }
        self.drain();
        Ok(())
    }

    fn drain(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Draining;
            self.roll_all();
            self.may_close = true;
            self.group_since.get_or_insert_with(std::time::Instant::now);
        }
    }

    /// Rolls every open file.
    pub(super) fn roll_all(&mut self) {
        let open: Vec<FileId> = self.slots.values().copied().collect();
        open.into_iter().for_each(|id| self.roll(id));
    }

    fn plan_manifests(&mut self) {
        // Files whose last lines are not committed, or whose seal is not yet journalled, are not stored: `ready` waits.
        for planned in close::ready(self.spool.state(), &self.author, self.now_ms) {
            let name = planned.name;
            let bytes = planned.manifest.to_bytes();
            self.spool.stage(Entry::Planned { name, bytes, files: planned.files });
            self.post_commit.push(PostCommit::Put(name));
            self.putting.insert(name);
        }
    }

    /// Takes the outcome of a job.
    pub(super) fn take_report(&mut self, report: UploadReport) -> Result<(), SpoolError> {
        match report {
            UploadReport::Sealed { id, bytes, sha256, crc64 } => {
                self.sealing.remove(&id);
                self.metrics.files_sealed.inc();
                self.spool.stage(Entry::Sealed { id, bytes, sha256, crc64 });
                self.post_commit.push(PostCommit::Upload(id));
                self.uploading.insert(id);
            }
            UploadReport::DiskFailed { id, action: "seal", error } if reserve::is_full(&error) => {
                // Nothing accepted is touched: the lines are there, and what there was of the object is gone.
                self.sealing.remove(&id);
                self.unsealed.push(id);
                tracing::warn!(file = id, %error, "there is no room for a file's object; it is tried again");
            }
            UploadReport::DiskFailed { id, action, error } => {
                let dir = self.spool.lines_path(id).display().to_string();
                return Err(SpoolError::Disk { dir, action: action.into(), source: error });
            }
            UploadReport::Stored { id } => {
                self.uploading.remove(&id);
                let head = self.head(id);
                self.spool.stage(Entry::Stored { id });
                self.post_commit.extend(head.map(PostCommit::Discard));
                self.may_close = true;
            }
            UploadReport::Foreign { id, what } => {
                self.uploading.remove(&id);
                self.metrics.files_quarantined.inc();
                let head = self.head(id);
                if let Some(head) = &head {
                    tracing::error!(key = %head.key, there = %what, file = id, "another object lies under this key; the file is quarantined and nothing is overwritten");
                }
                self.spool.stage(Entry::Quarantined { id, reason: what });
                self.post_commit.extend(head.map(PostCommit::Quarantine));
                self.may_close = true;
            }
            UploadReport::Listed { id } => {
                self.uploading.remove(&id);
                self.spool.stage(Entry::Listed { ids: vec![id] });
                self.may_close = true;
            }
            UploadReport::Found { id, object, common, listed } => {
                self.uploading.remove(&id);
                self.take_found(id, object, common, listed)?;
                self.may_close = true;
            }
            UploadReport::ManifestStored { name } => {
                self.putting.remove(&name);
                let tweets = self.planned_lines(name);
                self.spool.stage(Entry::Closed { name });
                self.may_close = true;
                match name.late {
                    None => {
                        self.metrics.hours_closed.inc();
                        self.metrics.last_closed_hour.set(name.hour.start_ms() / 1000);
                        if !self.live {
                            self.closed.push((name.hour, tweets));
                        }
                        tracing::info!(hour = %name.hour, tweets, "hour closed");
                    }
                    Some(number) => tracing::info!(hour = %name.hour, number, tweets, "late tweets listed"),
                }
            }
            UploadReport::ManifestForeign { name, listing, ids } => {
                self.putting.remove(&name);
                self.take_refusal(name, &listing, &ids)?;
                self.may_close = true;
            }
        }
        self.open_group();
        Ok(())
    }

    /// Obeys a command of the agent, after what was deferred.
    pub(super) fn obey(&mut self, command: Command) -> Result<(), SpoolError> {
        self.take_deferred()?;
        match command {
            Command::Drain => self.drain(),
            Command::Leave => self.phase = Phase::Leaving,
        }
        self.open_group();
        Ok(())
    }

    fn planned_lines(&self, name: ManifestName) -> u64 {
        let state = self.spool.state();
        let files = state.plans.get(&name).into_iter().flat_map(|plan| &plan.files);
        let tweets = files.filter_map(|id| state.files.get(id)).filter(|file| file.head.target.role == Role::Tweets);
        tweets.map(|file| file.lines).sum()
    }

    fn head(&self, id: FileId) -> Option<FileHead> {
        self.spool.state().files.get(&id).map(|file| file.head.clone())
    }

    /// Does what waited for a commit. A job that the uploader does not take any more is repeated by the next start.
    pub(super) fn carry_out(&mut self, action: PostCommit) -> Result<(), SpoolError> {
        match action {
            PostCommit::Seal(id) => {
                self.spool.finish(id);
                let Some(task) = self.spool.seal_task(id) else { return Ok(()) };
                self.sealing.insert(id);
                self.hand_out(Job::Seal { id, task });
            }
            PostCommit::Upload(id) => {
                failpoint::hit("seal.journalled");
                let Some(file) = self.spool.state().files.get(&id) else { return Ok(()) };
                let Stage::Sealed { bytes, sha256, crc64 } = &file.stage else { return Ok(()) };
                let Some(there) = self.spool.lines(id) else { return Ok(()) };
                let job = Job::Upload(Upload {
                    id,
                    key: file.head.key.clone(),
                    object: self.spool.object_path(&file.head),
                    bytes: *bytes,
                    sha256: sha256.clone(),
                    crc64: *crc64,
                    codec: file.head.codec,
                    role: file.head.target.role,
                    hour: file.head.target.hour,
                    lines: FileLines { count: file.lines, there },
                });
                self.uploading.insert(id);
                self.hand_out(job);
            }
            PostCommit::Discard(head) => {
                failpoint::hit("delete.before");
                self.spool.discard(&head)?;
                failpoint::hit("delete.after");
                let file = self.spool.state().files.get(&head.id);
                if file.is_some_and(|file| matches!(file.stage, Stage::Stored { .. }) && head.target.hour.is_none()) {
                    // No manifest will ever speak for it.
                    self.spool.stage(Entry::Dropped { id: head.id });
                }
            }
            PostCommit::Quarantine(head) => self.spool.quarantine(&head)?,
            PostCommit::Put(name) => {
                failpoint::hit("manifest.journalled");
                let Some(plan) = self.spool.state().plans.get(&name) else { return Ok(()) };
                let job = Job::Manifest { name, bytes: plan.bytes.clone(), success: self.success_marker(name) };
                self.putting.insert(name);
                self.hand_out(job);
            }
        }
        Ok(())
    }

    fn success_marker(&self, name: ManifestName) -> Option<Key> {
        let marked = self.marks_success && self.router.closes() && name.late.is_none();
        marked.then(|| success_key(&self.router.folder_of(name.hour)).expect("a pattern's folder makes a valid key"))
    }

    fn hand_out(&self, job: Job) {
        if self.jobs.send(job).is_err() {
            tracing::debug!("the uploads have ended; what is left stays in the spool");
        }
    }
}
