//! Which hours are to be converted: what was asked for, held against what is there of it already.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};

use super::decide::{Decision, decide};
use super::hour::Common;
use super::layout::{self, Part, Present};
use super::source::{self, Source};
use super::stamp::{self, Stamp};
use super::target::Target;
use super::{ConvertError, HourReport, Outcome, put, schema_version};
use crate::catalogue::{CatalogueError, HourEntry};
use crate::faults::Faults;
use crate::hour::{Hour, HourRange};
use crate::pattern::Granularity;

/// Hours that are looked up at once: each costs a request or two.
const CONCURRENCY: usize = 16;

/// What a job reads.
#[derive(Debug)]
pub(super) enum What {
    /// An hour.
    Hour(Hour),
    /// A folder that is no hour, of which the hours of a range are wanted, or all.
    Folder(Box<HourEntry>, Option<HourRange>),
}

/// What is to be converted.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) what: What,
    pub(super) source: Source,
    pub(super) stamp: Stamp,
    /// What is at the target of an hour.
    there: There,
}

impl Job {
    /// What it reads, for messages.
    pub(super) fn name(&self) -> String {
        match &self.what {
            What::Hour(hour) => hour.to_string(),
            What::Folder(entry, _) => entry.name.clone(),
        }
    }
}

/// What is at the target of an hour, and whether it may go.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct There {
    pub(super) present: Present,
    pub(super) replace: bool,
}

/// What is to be done, and what is done already.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) jobs: Vec<Job>,
    pub(super) up_to_date: Vec<HourReport>,
    pub(super) failed: Vec<(String, ConvertError)>,
}

impl Plan {
    /// The first hour that is converted.
    pub(super) fn first_hour(&self) -> Option<Hour> {
        let first = |job: &Job| match &job.what {
            What::Hour(hour) => Some(*hour),
            What::Folder(entry, range) => {
                range.map(|range| range.start).or(entry.span_ms.map(|(start_ms, _)| Hour::containing(start_ms)))
            }
        };
        self.jobs.iter().filter_map(first).min()
    }
}

/// Looks up what was asked for.
pub(super) async fn make(common: &Common<'_>, ranges: &[HourRange], target: &Target) -> Result<Plan, ConvertError> {
    let whole = ranges.is_empty();
    let mut present = BTreeMap::new();
    for range in ranges.iter().copied().map(Some).chain(whole.then_some(None)) {
        present.extend(layout::present(target, range).await?);
    }
    let mut asked = asked(common, ranges).await?;
    // A marker is put last: what is asked for by no name and has one needs no second look.
    if whole && !common.options.replace {
        asked
            .hours
            .retain(|hour| !present.get(hour).is_some_and(|present| present.success && present.tweets.is_some()));
    }
    let mut plan = Plan::default();
    let mut faults = Faults::default();
    let mut looks = stream::iter(asked.hours)
        .map(|hour| look(common, hour, present.get(&hour).copied().unwrap_or_default(), target))
        .buffered(CONCURRENCY);
    while let Some((hour, looked)) = looks.next().await {
        common.watch().tick()?;
        plan.add(hour.to_string(), looked, common, &mut faults).await?;
    }
    for (entry, range) in asked.folders {
        let name = entry.name.clone();
        let looked = look_into_folder(common, entry, range, target).await;
        plan.add(name, looked, common, &mut faults).await?;
    }
    Ok(plan)
}

/// What a look at an hour says.
enum Looked {
    Todo(Box<Job>),
    Done(Vec<Hour>),
}

impl Plan {
    async fn add(
        &mut self,
        name: String,
        looked: Result<Looked, ConvertError>,
        common: &Common<'_>,
        faults: &mut Faults,
    ) -> Result<(), ConvertError> {
        let looked = match looked {
            Ok(looked) => looked,
            Err(error) if faults.end_all(error.reach(), error.kind(), common.lakes.lakes()).await => return Err(error),
            Err(error) => {
                self.failed.push((name, error));
                return Ok(());
            }
        };
        faults.passed();
        match looked {
            Looked::Todo(job) => self.jobs.push(*job),
            Looked::Done(hours) => self.up_to_date.extend(hours.into_iter().map(up_to_date)),
        }
        Ok(())
    }
}

fn up_to_date(hour: Hour) -> HourReport {
    HourReport {
        hour,
        outcome: Outcome::UpToDate,
        rows: 0,
        rejects: 0,
        duplicates: 0,
        deleted: 0,
        bytes_in: 0,
        bytes_out: 0,
    }
}

/// What was asked for, by the lakes' own listing.
#[derive(Default)]
struct Asked {
    hours: BTreeSet<Hour>,
    folders: Vec<(HourEntry, Option<HourRange>)>,
}

async fn asked(common: &Common<'_>, ranges: &[HourRange]) -> Result<Asked, ConvertError> {
    let mut asked = Asked::default();
    if !common.options.open {
        for range in ranges.iter().copied().map(Some).chain(ranges.is_empty().then_some(None)) {
            match range.filter(|range| *range == HourRange::single(range.start)) {
                Some(one) => drop(asked.hours.insert(one.start)),
                None => asked.hours.extend(closed_in(common, range).await?),
            }
        }
        return Ok(asked);
    }
    for range in ranges.iter().copied().map(Some).chain(ranges.is_empty().then_some(None)) {
        let listing = common.lakes.hours(range).await.map_err(CatalogueError::from)?;
        // Those cannot be told here, but must not be passed over in silence: each fails by its own name later.
        asked.hours.extend(
            listing.problems.iter().filter(|problem| problem.name.late.is_none()).map(|problem| problem.name.hour),
        );
        let mut found = false;
        for entry in listing.entries {
            found = true;
            match entry.hour() {
                Some(hour) => drop(asked.hours.insert(hour)),
                None => asked.folders.push((entry, range)),
            }
        }
        // An hour that was named and is not there is told by its name too.
        if let Some(one) = range.filter(|range| !found && *range == HourRange::single(range.start)) {
            asked.hours.insert(one.start);
        }
    }
    Ok(asked)
}

/// The hours of a range, or all, that are closed in each lake.
async fn closed_in(common: &Common<'_>, range: Option<HourRange>) -> Result<BTreeSet<Hour>, ConvertError> {
    let Some((first, others)) = common.lakes.lakes().split_first() else { return Ok(BTreeSet::new()) };
    let mut hours = first.closed_in(range).await?;
    for lake in others {
        hours = &hours & &lake.closed_in(range).await?;
    }
    Ok(hours)
}

/// The closed hours whose messages are considered, from the first hour that is converted on.
pub(super) async fn closed_since(common: &Common<'_>, first: Hour) -> Result<Vec<Hour>, ConvertError> {
    let until = common.options.messages_until;
    let hours = closed_in(common, None).await?;
    Ok(hours.range(first..).copied().filter(|hour| until.is_none_or(|until| *hour <= until)).collect())
}

fn wanted(common: &Common<'_>, source: &Source) -> Stamp {
    Stamp {
        source_sha256: source.sha256.clone(),
        closed: source.closed,
        options: common.options.text(&common.schema),
        schema_version: schema_version(),
        parts: None,
    }
}

async fn look(
    common: &Common<'_>,
    hour: Hour,
    present: Present,
    target: &Target,
) -> (Hour, Result<Looked, ConvertError>) {
    let looked = async {
        let late = common.options.late;
        let source = match source::closed(common.lakes, hour, late).await? {
            Some(source) => source,
            None => {
                let entry = common.lakes.hour(hour).await?;
                if !common.options.open {
                    return Err(ConvertError::NotClosed(hour));
                }
                source::open(&entry, late, None)
            }
        };
        let stamp = wanted(common, &source);
        match judge(common, &stamp, hour, present, target).await? {
            None => {
                if source.closed && !present.success {
                    put::mark(target.tweets(), hour).await?;
                }
                Ok(Looked::Done(vec![hour]))
            }
            Some(there) => Ok(Looked::Todo(Box::new(Job { what: What::Hour(hour), source, stamp, there }))),
        }
    };
    (hour, looked.await)
}

/// Holds what is there of an hour against what would be made; `None` where that is the same.
async fn judge(
    common: &Common<'_>,
    wanted: &Stamp,
    hour: Hour,
    present: Present,
    target: &Target,
) -> Result<Option<There>, ConvertError> {
    let key = layout::key(hour, Part::Tweets);
    let found = match present.tweets {
        Some(bytes) => Some(stamp::fetch(target.tweets(), &key, bytes).await?),
        None => None,
    };
    match decide(found.as_ref().map(Option::as_ref), wanted, common.options.replace) {
        Decision::Make => Ok(Some(There { present, replace: false })),
        Decision::Replace => Ok(Some(There { present, replace: true })),
        Decision::UpToDate => Ok(None),
        Decision::Refuse(why) => Err(ConvertError::Different { key, why }),
    }
}

async fn look_into_folder(
    common: &Common<'_>,
    entry: HourEntry,
    range: Option<HourRange>,
    target: &Target,
) -> Result<Looked, ConvertError> {
    let span = entry.span_ms.map(|(start_ms, end_ms)| HourRange {
        start: Hour::containing(start_ms),
        end: Hour::containing(end_ms - 1).next(),
    });
    // A range that holds all of the folder asks for all of it.
    let cut = range.filter(|range| span.is_none_or(|span| span.start < range.start || range.end < span.end));
    let source = source::open(&entry, common.options.late, cut);
    let stamp = wanted(common, &source);
    if !common.options.replace && entry.granularity != Granularity::Other {
        let mut same = Vec::new();
        let mut parts = None;
        for (hour, present) in layout::present(target, cut.or(span)).await? {
            let Some(bytes) = present.tweets else { continue };
            let found = stamp::fetch(target.tweets(), &layout::key(hour, Part::Tweets), bytes).await?;
            if let Some(found) = found.filter(|found| Stamp { parts: None, ..found.clone() } == stamp) {
                parts = found.parts;
                same.push(hour);
            }
        }
        if parts == Some(same.len() as u64) {
            return Ok(Looked::Done(same));
        }
    }
    let what = What::Folder(Box::new(entry), cut);
    Ok(Looked::Todo(Box::new(Job { what, source, stamp, there: There::default() })))
}

/// What is at the target of an hour that is about to be put.
pub(super) async fn there(common: &Common<'_>, job: &Job, hour: Hour, target: &Target) -> Result<There, ConvertError> {
    if let What::Hour(_) = job.what {
        return Ok(job.there);
    }
    // Which hours a folder gives is known only now.
    let present = layout::present(target, Some(HourRange::single(hour))).await?.remove(&hour).unwrap_or_default();
    let judged = judge(common, &job.stamp, hour, present, target).await?;
    // One that is the same already was put before this conversion was broken off; to put it again changes nothing.
    Ok(judged.unwrap_or(There { present, replace: true }))
}
