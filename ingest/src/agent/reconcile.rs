//! What was written to the lake by others since this spool last had it, learnt before the first record is taken: by another
//! spool, by a copy of this one, or by this one before it was put back to an earlier state.
//!
//! The journal holds the epoch in which the spool last had the lake. A start that finds another one there, or that follows a
//! kill (the spool may be a copy of a running one), goes through the open hours and takes over what is stored there and
//! unknown. Manifests that the journal does not speak of are read in any case where they may list files of ours.

use std::sync::Arc;

use cauce_lake::hour::HourRange;
use cauce_lake::manifest::{HOURS_PREFIX, ManifestName};
use cauce_lake::{Hour, Store};
use jiff::Timestamp;

use super::AgentError;
use super::adopt::{self, Adopted};
use super::damaged;
use super::duplicates;
use super::learn;
use super::start::patiently_asked;
use crate::config::Settings;
use crate::spool::Spool;
use crate::spool::entry::{Entry, FileId};
use crate::spool::reconcile::{self, Unknown};
use crate::spool::state::{Plan, State};
use crate::upload::look;

/// What may have happened in the lake since the spool last had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    /// Nothing: it is the spool that had it last, and it ended in order.
    Nothing,
    /// It is the spool that had it last, or a copy of it that was made while it ran.
    PerhapsACopy,
    /// Another spool has had it, or a copy of this one, or a start of this one came no further.
    AnotherEpoch,
    /// No agent has run on this spool.
    NewSpool,
}

impl Meanwhile {
    /// `previous` is the epoch that the lake was in before this start.
    fn of(state: &State, previous: Option<u64>) -> Meanwhile {
        match () {
            () if !state.has_run() => Meanwhile::NewSpool,
            () if state.epoch != previous => Meanwhile::AnotherEpoch,
            () if state.stopped => Meanwhile::Nothing,
            () => Meanwhile::PerhapsACopy,
        }
    }

    /// The hours in which unknown objects are looked for; `None` for all that are open.
    fn range(self, state: &State, live: bool, now_ms: i64) -> Option<HourRange> {
        if self != Meanwhile::PerhapsACopy {
            return None;
        }
        // A copy knows the hours that were open when it was made. What a live source has brought since lies in one of these
        // or behind the last that is closed; a finite source brings again what came behind its place in the copy.
        let now = Hour::containing(now_ms);
        let first = state.hours.keys().next().copied().into_iter().chain(state.live_next).min().unwrap_or(now);
        let last = state.hours.keys().next_back().copied().unwrap_or(first);
        let end = if live { now.max(last) } else { last };
        Some(HourRange { start: first, end: end.next().max(first.next()) })
    }
}

/// Brings the spool to where the lake is. What is staged here becomes durable with the first commit of this start; a start
/// that fails before it does the same again. Returns how many tweets were left out of what the spool holds, because others have
/// stored them.
///
/// `previous` is the epoch that the lake was in before this start, `epoch` the one it is in now.
pub(super) async fn reconcile(
    spool: &mut Spool,
    store: &Arc<dyn Store>,
    settings: &Settings,
    live: bool,
    (previous, epoch): (Option<u64>, u64),
) -> Result<u64, AgentError> {
    let meanwhile = Meanwhile::of(spool.state(), previous);
    let now_ms = Timestamp::now().as_millisecond();
    let (last_ms, ours) = (spool.state().last_ms, spool.state().epoch);
    let found = unknown_manifests(spool.state(), &**store).await?;
    let read = read_concerned(spool.state(), &**store, &found).await?;
    let names: Vec<ManifestName> = found.iter().map(|(name, _)| *name).collect();
    let entries = reconcile::entries(spool.state(), &names, &read);
    let listed = |entry: &Entry| if let Entry::Listed { ids } = entry { ids.len() } else { 0 };
    let done: usize = entries.iter().map(listed).sum();
    let arrived = own_plans(spool.state(), &read);
    let of_others = found.len() - arrived.len();
    let arrived: Vec<FileId> = arrived.into_iter().flat_map(|plan| plan.files.clone()).collect();
    let objects = learn::objects(spool.state());
    entries.into_iter().for_each(|entry| spool.stage(entry));

    damaged::replace(spool, &**store).await?;
    // What manifests list is known before objects are taken over: those may hold the same tweets.
    let learnt = learn::learn(spool, &**store, settings.dedupe_window, &found, &objects, now_ms).await?;
    let mut duplicates = duplicates::leave_out_of_stored(spool, &**store, &learnt, &arrived, now_ms).await?;
    duplicates += duplicates::leave_out(spool, &learnt, now_ms)?;
    let mut adopted = Adopted::default();
    if meanwhile != Meanwhile::Nothing {
        let range = meanwhile.range(spool.state(), live, now_ms);
        adopted = adopt::adopt(spool, store, &settings.lake, live, range).await?;
        duplicates += adopted.duplicates;
    }
    let cause = if meanwhile == Meanwhile::NewSpool { "spool-lost" } else { "other-spool" };
    // The journal of a new spool covers no time, so everything since the last stored object may be missing.
    let since_ms = if meanwhile == Meanwhile::NewSpool { adopted.last_ms } else { last_ms };
    let somebody_wrote = adopted.objects > 0 || (meanwhile == Meanwhile::AnotherEpoch && of_others > 0);
    if live && somebody_wrote && since_ms > 0 {
        spool.stage(Entry::GapOpened { from_ms: since_ms, cause: cause.into() });
    }
    spool.stage(Entry::LakeTaken { epoch });
    if somebody_wrote || done > 0 {
        tracing::warn!(
            lake_epoch = previous,
            spool_epoch = ours,
            manifests = of_others,
            files_done = done,
            objects = adopted.objects,
            hours = adopted.hours,
            lines = adopted.lines,
            foreign = adopted.foreign,
            duplicates,
            ids = learnt.len(),
            "another spool, or a copy of this one, has written the lake: what it listed of ours is done, what it stored in open hours is taken over, and tweets that both accepted are left out here; what it had accepted and not stored is in that spool, and lost if it never comes back"
        );
    } else {
        tracing::info!(
            lake_epoch = previous,
            spool_epoch = ours,
            ids = learnt.len(),
            "the lake is as this spool knows it"
        );
    }
    Ok(duplicates)
}

/// The manifests that the journal does not speak of, each with when it was put (0 where the store does not say).
async fn unknown_manifests(state: &State, store: &dyn Store) -> Result<Vec<(ManifestName, i64)>, AgentError> {
    let there = patiently_asked(|| cauce_lake::store::list_all(store, HOURS_PREFIX)).await?;
    let named = there.iter().filter_map(|object| {
        let name = ManifestName::parse(object.key.as_str())?;
        Some((name, object.modified_ms))
    });
    let is_known = |name: &ManifestName| {
        state.closed.get(&name.hour).is_some_and(|closed| closed.late_manifests >= name.late.unwrap_or(0))
    };
    Ok(named.filter(|(name, _)| !is_known(name)).collect())
}

async fn read_concerned(
    state: &State,
    store: &dyn Store,
    found: &[(ManifestName, i64)],
) -> Result<Vec<Unknown>, AgentError> {
    let concerned = reconcile::concerned(state);
    let mut read = Vec::new();
    for (name, _) in found.iter().filter(|(name, _)| concerned.contains(&name.hour)) {
        let there = patiently_asked(|| look::read_manifest(store, *name)).await?;
        read.extend(there.map(|(bytes, listing)| Unknown { name: *name, bytes, listing }));
    }
    Ok(read)
}

/// The plans of this spool whose manifests are in the lake: their put was not confirmed any more.
fn own_plans<'a>(state: &'a State, read: &[Unknown]) -> Vec<&'a Plan> {
    let plans = read.iter().filter_map(|there| Some((there, state.plans.get(&there.name)?)));
    plans.filter(|(there, plan)| plan.bytes == there.bytes).map(|(_, plan)| plan).collect()
}
