//! [5] Closing: which hours take nothing more, and the manifests that say what is in them.
//!
//! Pure: what is decided here is journalled and carried out by [`crate::writer`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::instant;
use cauce_lake::Hour;
use cauce_lake::hour::HOUR_MS;
use cauce_lake::manifest::{DedupeHole, Gap, Guarantee, Manifest, ManifestName, ObjectEntry, VERSION};

use crate::config::settings::{LakeSettings, PartitionBy};
use crate::spool::entry::{FileId, Role};
use crate::spool::ids;
use crate::spool::state::{FileState, GapSpan, Stage, State};

/// The rules of closing.
#[derive(Debug, Clone)]
pub struct Policy {
    live: bool,
    partition_by: PartitionBy,
    lateness_ms: i64,
    repair_wait_ms: i64,
    catch_up_hours: i64,
}

impl Policy {
    /// Takes the rules from the lake's settings. `live`: the source goes on for ever.
    pub fn new(lake: &LakeSettings, live: bool) -> Policy {
        Policy {
            live,
            partition_by: lake.partition_by,
            lateness_ms: millis(lake.allowed_lateness),
            repair_wait_ms: millis(lake.repair_wait),
            catch_up_hours: millis(lake.max_catch_up) / HOUR_MS,
        }
    }

    /// The first hour of the run that a live source closes without holes, as far as it can be told now: for the journal,
    /// when it lies behind what the journal says. It leaves out hours that are closed already or too far back.
    pub fn run_start(&self, state: &State, now_ms: i64) -> Option<Hour> {
        let next = state.live_next.filter(|_| self.live)?;
        let reached = match self.partition_by {
            PartitionBy::ReceivedAt => Hour::containing(now_ms),
            // A replayed stream may be far behind the clock, so only its own tweets say how far it is.
            PartitionBy::CreatedAt => Hour::containing(state.max_event_ms?),
        };
        let mut first = next.max(Hour::from_index(reached.index() - self.catch_up_hours));
        while first < reached && state.is_final(first) {
            first = first.next();
        }
        (first > next).then_some(first)
    }

    /// The hours that a finite run closes when its input has come to an end, first to last: those that hold something, and
    /// what a live source had before it up to the last of them, so that its run has no holes. An hour that has not ended
    /// stays open for whatever runs next.
    pub fn at_the_end(&self, state: &State, now_ms: i64) -> Vec<Hour> {
        let open = state.hours.iter().filter(|(_, hour)| hour.frozen_ms.is_none()).map(|(hour, _)| *hour);
        let mut ended: BTreeSet<Hour> = open.filter(|hour| has_ended(*hour, now_ms)).collect();
        if let (Some(next), Some(last)) = (state.live_next, ended.last().copied()) {
            let first = next.index().max(last.index() - self.catch_up_hours);
            let run = (first..last.index()).map(Hour::from_index);
            ended.extend(run.filter(|hour| !state.is_final(*hour)));
        }
        ended.into_iter().collect()
    }

    /// The hours that take nothing more from now on, first to last. `last_line_ms` is when the last tweet arrived.
    pub fn due(&self, state: &State, now_ms: i64, last_line_ms: i64) -> Vec<Hour> {
        if !self.live {
            return Vec::new();
        }
        let mut due = Vec::new();
        if let Some(next) = state.live_next {
            // Hours before the run hold what was written long before it arrived. They close when nothing more has come
            // for the allowed lateness; nobody waits for the empty ones among them.
            let idle = |opened: i64| opened.saturating_add(self.lateness_ms) <= now_ms;
            let earlier = state.hours.range(..next).filter(|(_, hour)| hour.frozen_ms.is_none());
            let ended = earlier.filter(|(hour, state)| has_ended(**hour, now_ms) && idle(state.last_line_ms));
            due.extend(ended.map(|(hour, _)| *hour));
            let end = Hour::containing(now_ms).max(next);
            let run = (next.index()..end.index()).map(Hour::from_index);
            let ripe = |hour: &Hour| self.is_ripe(state, *hour, now_ms, last_line_ms);
            due.extend(run.take_while(ripe).filter(|hour| !state.is_final(*hour)));
        }
        due
    }

    fn is_ripe(&self, state: &State, hour: Hour, now_ms: i64, last_line_ms: i64) -> bool {
        if !has_ended(hour, now_ms) {
            return false;
        }
        if self.partition_by == PartitionBy::ReceivedAt {
            return true;
        }
        let late = hour.end_ms().saturating_add(self.lateness_ms);
        let proved = state.max_event_ms.is_some_and(|event_ms| event_ms >= late);
        let silent = now_ms >= late && now_ms.saturating_sub(last_line_ms) >= self.lateness_ms;
        let waits_for_repair = state.open_gap().is_some_and(|gap| {
            gap.overlaps(hour.start_ms(), hour.end_ms()) && now_ms < late.saturating_add(self.repair_wait_ms)
        });
        (proved || silent) && !waits_for_repair
    }
}

/// Whether an hour is over by the clock. Nothing closes one that is not: its tweets are still to come.
pub fn has_ended(hour: Hour, now_ms: i64) -> bool {
    hour.end_ms() <= now_ms
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4)
}

/// Who writes the manifests.
#[derive(Debug, Clone)]
pub struct Author {
    /// The agent's id.
    pub agent: String,
    /// Its epoch.
    pub epoch: u64,
    /// What is promised.
    pub guarantee: Guarantee,
}

/// A manifest and the files it speaks for.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its name.
    pub name: ManifestName,
    /// The manifest.
    pub manifest: Manifest,
    /// The files.
    pub files: Vec<FileId>,
}

/// The manifests that can be made now: of frozen hours whose files are all stored or put aside, and of late files that
/// are stored.
pub fn ready(state: &State, author: &Author, now_ms: i64) -> Vec<Planned> {
    let settled = |file: &FileState| matches!(file.stage, Stage::Stored { .. }) || file.aside().is_some();
    let mut planned = Vec::new();
    for (hour, hour_state) in &state.hours {
        let name = ManifestName::closing(*hour);
        let Some(frozen_ms) = hour_state.frozen_ms else { continue };
        if state.plans.contains_key(&name) || !state.files_of(*hour, false).all(settled) {
            continue;
        }
        let files: Vec<&FileState> = state.files_of(*hour, false).collect();
        let mut manifest = manifest(state, author, *hour, &files, hour_state.opened_ms, frozen_ms);
        manifest.duplicates = hour_state.duplicates;
        planned.push(Planned { name, manifest, files: file_ids(&files) });
    }
    let late = |file: &&FileState| file.head.target.late && !file.planned && matches!(file.stage, Stage::Stored { .. });
    let late_hours: BTreeSet<Hour> =
        state.files.values().filter(late).filter_map(|file| file.head.target.hour).collect();
    for hour in late_hours {
        // A late manifest follows the one that closes its hour, and they go one after the other.
        let Some(closed) = state.closed.get(&hour) else { continue };
        if state.plans.keys().any(|name| name.hour == hour) {
            continue;
        }
        let files: Vec<&FileState> = state.files_of(hour, true).filter(late).collect();
        let opened_ms = files.iter().map(|file| file.head.created_ms).min().unwrap_or(now_ms);
        let name = ManifestName { hour, late: Some(closed.late_manifests + 1) };
        let manifest = manifest(state, author, hour, &files, opened_ms, now_ms);
        planned.push(Planned { name, manifest, files: file_ids(&files) });
    }
    planned
}

fn file_ids(files: &[&FileState]) -> Vec<FileId> {
    files.iter().map(|file| file.head.id).collect()
}

fn manifest(
    state: &State,
    author: &Author,
    hour: Hour,
    files: &[&FileState],
    opened_ms: i64,
    closed_ms: i64,
) -> Manifest {
    let of = |role: Role| -> Vec<ObjectEntry> {
        files.iter().filter(|file| file.head.target.role == role).filter_map(|file| object(file)).collect()
    };
    let objects = of(Role::Tweets);
    let mut message_counts = BTreeMap::new();
    let stored = files.iter().filter(|file| matches!(file.stage, Stage::Stored { .. }));
    for (message, count) in stored.clone().flat_map(|file| &file.messages.kinds) {
        *message_counts.entry(message.name().to_owned()).or_default() += count;
    }
    let overlapping = state.gaps.iter().filter(|gap| gap.overlaps(hour.start_ms(), hour.end_ms()));
    Manifest {
        version: VERSION,
        hour,
        agent: author.agent.clone(),
        epoch: author.epoch,
        guarantee: author.guarantee,
        tweets: objects.iter().map(|object| object.lines).sum(),
        objects,
        messages: of(Role::Messages),
        message_counts,
        duplicates: 0,
        rejects: state.rejects.get(&hour).copied().unwrap_or(0),
        undelivered: stored.map(|file| file.messages.undelivered).sum(),
        gaps: overlapping.map(gap).collect(),
        repairs: Vec::new(),
        dedupe_holes: state.holes.iter().filter(|hole| hole.until_ms > opened_ms).map(dedupe_hole).collect(),
        opened_at: instant(opened_ms),
        closed_at: instant(closed_ms),
        tool_version: concat!("cauce ", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}

fn object(file: &FileState) -> Option<ObjectEntry> {
    let Stage::Stored { bytes, sha256, crc64 } = &file.stage else { return None };
    Some(ObjectEntry {
        key: file.head.key.clone(),
        bytes: *bytes,
        lines: file.lines,
        sha256: sha256.clone(),
        crc64nvme: Some(*crc64),
        codec: file.head.codec,
        path: file.head.target.path,
        arrivals: file.arrivals.clone(),
    })
}

fn gap(span: &GapSpan) -> Gap {
    Gap {
        from: instant(span.from_ms),
        to: span.to_ms.map(instant),
        cause: span.cause.clone(),
        repaired_by: None,
        tweets: 0,
    }
}

fn dedupe_hole(hole: &ids::DedupeHole) -> DedupeHole {
    DedupeHole {
        from: instant(hole.from_ms),
        to: instant(hole.to_ms),
        first_id: hole.span.map(|(first, _)| first),
        last_id: hole.span.map(|(_, last)| last),
    }
}

#[cfg(test)]
mod tests;
