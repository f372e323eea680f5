//! Hours to Parquet: the last step of a tweet's way inside this crate.
//!
//! An hour's lines are decoded by [`scan`](crate::scan), encoded column by column in parallel (`encoder`) into a file on local
//! disk (`spill`), and put whole, once, under a name that says its hour (`layout`, `put`). What the file says of its own making
//! (`stamp`) tells a rerun that there is nothing to do (`decide`). A conversion that fails or is killed leaves nothing that a
//! reader could take for data.
//!
//! It reads closed hours as their manifests list them, and on request what is open (`split` for folders that are no hours). It
//! never changes a lake.

mod chunks;
mod columns;
mod ddl;
mod decide;
mod deletes;
mod encoder;
mod error;
mod hour;
mod ids;
mod layout;
mod options;
mod plan;
mod progress;
mod put;
mod rejects;
mod source;
mod spill;
mod split;
mod stamp;
mod target;
#[cfg(test)]
mod tests;

use std::sync::Mutex;

use arrow::datatypes::{Schema, SchemaRef};
use futures_util::{StreamExt, stream};

use crate::faults::Faults;
use crate::hour::HourRange;
use crate::lakes::Lakes;
use crate::store::{ErrorKind, Reach};
use crate::table::{self, Projection, TableOptions};
use crate::work::Workers;
use hour::{Common, Making};
use plan::{Job, What};
use progress::Watch;
use spill::Folder;

pub use ddl::{DdlError, Dialect, DialectError, ddl};
pub use error::ConvertError;
pub use options::{Compression, CompressionError, ConvertOptions};
pub use progress::{Callback, HourReport, Outcome, Progress, Summary};
pub use target::{Target, rejects_beside};

/// A copy into a folder that has not grown for so long is nobody's any more.
const LEFT_BEHIND_MS: i64 = 24 * 3_600_000;

/// Converts hours of lakes to Parquet in a target.
///
/// `ranges` names the hours: of a range of one the hour must be there, of a longer one those that are there are taken; without
/// any range, all hours that are closed and not yet converted. `progress` is called at most ten times a second and
/// after each hour, and may cancel the conversion.
///
/// An hour that fails for a reason of its own, such as a missing, archived or locked object, is listed in
/// [`Summary::failed`], and the other hours are converted. [`Faults`] says which errors are of all hours.
///
/// # Errors
/// [`ConvertError::SharedRoot`], [`ConvertError::SharedRejects`] and [`ConvertError::Columns`] before anything is read; a store or a disk that fails; and
/// [`ConvertError::Stopped`]. Hours that were done by then stay.
pub async fn convert_hours(
    lakes: &Lakes,
    ranges: &[HourRange],
    target: &Target,
    options: &ConvertOptions,
    workers: &Workers,
    progress: &mut Callback<'_>,
) -> Result<Summary, ConvertError> {
    target.refuse_shared_roots(lakes.lakes().iter().map(|lake| lake.store().as_ref()))?;
    let _leaving = Leaving(target);
    convert_into(lakes, ranges, target, options, workers, progress).await
}

async fn convert_into(
    lakes: &Lakes,
    ranges: &[HourRange],
    target: &Target,
    options: &ConvertOptions,
    workers: &Workers,
    progress: &mut Callback<'_>,
) -> Result<Summary, ConvertError> {
    let schema = Projection::new(&options.table)?.schema();
    let mut common = Common {
        lakes,
        options,
        projection: Projection::new(&with_time(options, &schema))?,
        schema,
        workers,
        deleted: None,
        watch: Mutex::new(Watch::new(progress)),
    };
    let plan = plan::make(&common, ranges, target).await?;
    common.watch().add_work(plan.jobs.len() as u64, plan.jobs.iter().map(|job| job.source.bytes).sum());
    common.deleted = match plan.first_hour().filter(|_| options.without_deleted) {
        Some(first) => Some(deletes::read(lakes, plan::closed_since(&common, first).await?).await?),
        None => None,
    };
    let mut summary = Summary { hours: plan.up_to_date, ..Summary::default() };
    for (name, error) in plan.failed {
        summary.failed(name, error, options);
    }
    if plan.jobs.is_empty() {
        // A target to which nothing is to be added need not be writable.
        return summary.told(&common);
    }
    let tweets = target.tweets();
    let folder = Folder::new(options.temp_dir.as_deref(), tweets)?;
    if tweets.files().is_some() {
        // Copies that were killed half-way. That this fails is told by the first put. In a bucket unfinished uploads may be somebody
        // else's, and are left to its lifecycle rule.
        let _ = tweets.clean_up(jiff::Timestamp::now().as_millisecond() - LEFT_BEHIND_MS).await;
    }
    let convert = |job| convert(&common, &folder, job, target);
    let mut done = stream::iter(&plan.jobs).map(convert).buffered(options.jobs.max(1));
    let mut faults = Faults::default();
    while let Some((job, result)) = done.next().await {
        match result {
            Ok(reports) => {
                faults.passed();
                summary.hours.extend(reports);
            }
            Err(error) if faults.end_all(error.reach(), error.kind(), lakes.lakes()).await => return Err(error),
            Err(error) => summary.failed(job.name(), error, options),
        }
    }
    drop(done);
    summary.told(&common)
}

impl Summary {
    /// Takes in an hour that was not converted.
    fn failed(&mut self, name: String, error: ConvertError, options: &ConvertOptions) {
        let archived = options.skip_archived && error.kind() == ErrorKind::Archived;
        if archived { &mut self.archived } else { &mut self.failed }.push((name, error));
    }

    /// As it is told: in order, with the time it took.
    ///
    /// # Errors
    /// The last error where nothing was done and no error is known to be of one hour alone: then the store has failed.
    fn told(mut self, common: &Common<'_>) -> Result<Summary, ConvertError> {
        if self.hours.is_empty() && self.archived.is_empty() {
            let only_doubtful = self.failed.iter().all(|(_, error)| error.reach() != Reach::Object);
            if let Some((_, error)) = self.failed.pop_if(|_| only_doubtful) {
                return Err(error);
            }
        }
        self.hours.sort_by_key(|report| report.hour);
        for left_out in [&mut self.failed, &mut self.archived] {
            left_out.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        self.elapsed = common.watch().elapsed();
        Ok(self)
    }
}

/// Where folders are split by the time of their tweets, this is decoded too, wanted or not.
fn with_time(options: &ConvertOptions, schema: &SchemaRef) -> TableOptions {
    let mut table = options.table.clone();
    if let Some(columns) = table.columns.as_mut().filter(|_| options.open && !has_time(schema)) {
        columns.push(split::TIME.to_owned());
    }
    table
}

fn has_time(schema: &Schema) -> bool {
    schema.column_with_name(split::TIME).is_some()
}

/// Leaves a target as it ends, however that is.
struct Leaving<'t>(&'t Target);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// The version of the tweets table that is written.
fn schema_version() -> String {
    table::SCHEMA_VERSION.to_owned()
}

/// One job from its lines to the target.
async fn convert<'j>(
    common: &Common<'_>,
    folder: &Folder,
    job: &'j Job,
    target: &Target,
) -> (&'j Job, Result<Vec<HourReport>, ConvertError>) {
    (job, try_convert(common, folder, job, target).await)
}

async fn try_convert(
    common: &Common<'_>,
    folder: &Folder,
    job: &Job,
    target: &Target,
) -> Result<Vec<HourReport>, ConvertError> {
    let fetched;
    let (entry, split) = match &job.what {
        // With the times of arrival, which the plan of many hours would not hold in memory.
        What::Hour(hour) => {
            fetched = common.lakes.hour(*hour).await?;
            (&fetched, None)
        }
        What::Folder(entry, range) => (entry.as_ref(), Some(*range)),
    };
    let mut making = Making::new(common, folder, entry, split);
    making.read().await?;
    let made = making.finish(&job.stamp).await?;
    let mut reports = Vec::with_capacity(made.hours.len());
    for (whole, counted) in &made.hours {
        let there = plan::there(common, job, whole.hour, target).await?;
        let mut putting = std::pin::pin!(put::put(target, whole, there.present, there.replace));
        let mut ticks = tokio::time::interval(progress::INTERVAL);
        // What is being put is let finish, whoever asks for an end.
        let mut stopped = Ok(());
        loop {
            tokio::select! {
                biased;
                done = &mut putting => break done?,
                _ = ticks.tick() => stopped = stopped.and(common.watch().tick()),
            }
        }
        reports.push(HourReport {
            hour: whole.hour,
            outcome: Outcome::Made,
            rows: counted.rows,
            rejects: counted.rejects,
            duplicates: counted.duplicates,
            deleted: counted.deleted,
            bytes_in: if reports.is_empty() { made.bytes_in } else { 0 },
            bytes_out: whole.tweets.body.len(),
        });
        stopped?;
    }
    common.watch().done(&reports);
    Ok(reports)
}
