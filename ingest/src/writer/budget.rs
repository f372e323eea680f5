//! When the spool is full: at `spool.max_bytes`, or before that when its disk has no more room. Then the source is held
//! back until objects are stored.
//!
//! The disk is asked at most once a second; in between our own bytes are counted. What is left for lines is what is free
//! less the reserve as far as it is not taken, less a group that may be on its way, less what compressing the open files
//! may take: objects are what makes room, so there must be room for them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cauce_lake::manifest::Codec;

use super::{Phase, Writer};
use crate::channel::Event;
use crate::spool::entry::Entry;
use crate::spool::state::{Stage, State};
use crate::spool::{GROUP_BYTES, SpoolError, reserve};

/// How long an answer of the disk is good for.
const LOOK: Duration = Duration::from_secs(1);
/// A file's object takes at most this part of its lines; tweets compress to a fourth and less.
const OBJECT_SHARE: u64 = 2;

/// The room that the spool may take.
pub(super) struct Budget {
    dir: PathBuf,
    max_bytes: u64,
    reserve_bytes: u64,
    looked_at: Option<Instant>,
    /// Free for lines when the disk was asked last.
    free: u64,
    /// What the spool held then.
    spooled_then: u64,
    /// Whether the disk, and not `max_bytes`, was the limit.
    is_disk_full: bool,
}

impl Budget {
    pub(super) fn new(dir: PathBuf, max_bytes: u64) -> Budget {
        let reserve_bytes = reserve::wanted(&dir, max_bytes).unwrap_or(0);
        Budget { dir, max_bytes, reserve_bytes, looked_at: None, free: u64::MAX, spooled_then: 0, is_disk_full: false }
    }

    /// Whether the disk's last answer is too old.
    pub(super) fn is_due(&self) -> bool {
        self.looked_at.is_none_or(|at| at.elapsed() >= LOOK)
    }

    /// Bytes that the spool may hold now, and whether it holds them.
    pub(super) fn limit(&mut self, state: &State) -> (u64, bool) {
        let spooled = state.spooled_bytes();
        if self.is_due() {
            self.look(spooled);
        }
        let unsealed: u64 = state
            .files
            .values()
            .filter(|file| file.stage == Stage::Open && file.head.codec != Codec::None)
            .map(|file| file.end)
            .sum();
        // With some room more than none it goes on, so that it does not go on and stop with each object.
        let slack = if self.is_disk_full { GROUP_BYTES as u64 } else { 0 };
        let written = spooled.saturating_sub(self.spooled_then);
        let kept = written.saturating_add(unsealed / OBJECT_SHARE).saturating_add(GROUP_BYTES as u64 + slack);
        let room = self.free.saturating_sub(kept);
        let limit = self.max_bytes.min(spooled.saturating_add(room));
        self.is_disk_full = room == 0;
        (limit, spooled >= limit)
    }

    fn look(&mut self, spooled: u64) {
        self.looked_at = Some(Instant::now());
        // A disk that does not answer shows what is wrong at the next write.
        let Ok(space) = reserve::disk(&self.dir) else { return };
        let missing = self.reserve_bytes.saturating_sub(reserve::taken(&self.dir));
        self.free = space.free.saturating_sub(missing);
        self.spooled_then = spooled;
        // Made again only where it is not at once in the way.
        if missing > 0 && self.free > GROUP_BYTES as u64 {
            match reserve::take(&self.dir, self.reserve_bytes) {
                Ok(true) => {}
                Ok(false) => tracing::debug!("there is no room for the spool's reserve"),
                Err(error) => {
                    tracing::warn!(%error, "the spool's reserve cannot be made; a full disk may end the agent")
                }
            }
        }
    }
}

impl Writer {
    /// Holds the source back while the spool is full, and lets it go on.
    pub(super) fn watch_budget(&mut self) -> Result<(), SpoolError> {
        let bytes = self.spool.state().spooled_bytes();
        self.metrics.spool_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        let (max_bytes, over) = self.budget.limit(self.spool.state());
        self.metrics.spool_max_bytes.set(i64::try_from(max_bytes).unwrap_or(i64::MAX));
        if over && !self.over_budget {
            let disk_full = self.budget.is_disk_full;
            tracing::warn!(
                bytes,
                max_bytes,
                disk_full,
                "the spool is full: the source is held back until objects are stored, or the disk has room"
            );
        }
        if !over && self.over_budget {
            tracing::info!(bytes, "the spool has room again");
            // That nothing came was our doing: it is no silence after which an hour may close.
            self.last_line_ms = self.metrics.clock.best_ms().max(self.now_ms);
        }
        self.over_budget = over;
        if over && self.phase == Phase::Running && self.sealing.is_empty() && self.uploading.is_empty() {
            // Open files alone fill it: no rule would roll them while nothing comes in, and nothing else makes room.
            self.roll_all();
        }
        // A full spool cannot be helped by waiting once the agent drains: the few records read already go in.
        while !self.over_budget || self.phase != Phase::Running {
            let Some(event) = self.deferred.pop_front() else { break };
            self.take_in_order(event)?;
            if self.commit_is_due() {
                break;
            }
        }
        Ok(())
    }

    /// The run is stopped: takes in what was read while the spool was full, before its files are rolled and before the last
    /// commit counts. Where the disk has no room for it, it is dropped. None of it was accepted: a file is read again from
    /// there, and for a stream it is the beginning of a gap.
    pub(super) fn take_deferred(&mut self) -> Result<(), SpoolError> {
        if self.over_budget {
            self.budget.looked_at = None;
        }
        let (mut dropped, mut since_ms) = (0, None);
        while let Some(event) = self.deferred.pop_front() {
            match event {
                Event::Batch(accepting) if since_ms.is_some() || self.has_no_room() => {
                    since_ms.get_or_insert(accepting.received_at_ms);
                    dropped += accepting.batch.records.len();
                }
                // An input of which something was dropped has not come to its end.
                Event::Ended if since_ms.is_some() => {}
                event => self.take_in_order(event)?,
            }
        }
        if self.over_budget && self.has_no_room() {
            dropped += self.undated.take().iter().map(|accepting| accepting.batch.records.len()).sum::<usize>();
        }
        self.leave_undated()?;
        if let Some(from_ms) = since_ms.filter(|_| self.live && self.router.closes())
            && self.spool.state().open_gap().is_none()
        {
            self.spool.stage(Entry::GapOpened { from_ms, cause: "spool-full".into() });
        }
        if dropped > 0 {
            tracing::warn!(
                records = dropped,
                "the spool's disk has no room for what was read last: it was not accepted and is dropped"
            );
        }
        Ok(())
    }

    /// Whether the disk has no room for another line.
    fn has_no_room(&mut self) -> bool {
        self.over_budget && self.budget.limit(self.spool.state()).1 && self.budget.is_disk_full
    }

    /// Room may come without a commit: another program makes it, or an object that could not be made has another try.
    pub(super) fn look_for_room(&mut self) -> Result<(), SpoolError> {
        if !self.budget.is_due() || (!self.over_budget && self.unsealed.is_empty()) {
            return Ok(());
        }
        for id in std::mem::take(&mut self.unsealed) {
            self.post_commit.push(super::PostCommit::Seal(id));
            self.group_since.get_or_insert_with(Instant::now);
        }
        self.watch_budget()
    }
}
