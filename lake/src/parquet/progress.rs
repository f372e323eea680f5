//! How far a conversion is: told while it runs, at most ten times a second and after each hour, and summed up at its end.
//! Whoever is told may ask for an end. Pure but for the clock.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::ConvertError;
use crate::hour::Hour;

/// Least time between two tellings that are not of an hour that is done.
pub(super) const INTERVAL: Duration = Duration::from_millis(100);

/// What became of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its Parquet was made.
    Made,
    /// It was there already, of the same source and options.
    UpToDate,
}

/// An hour that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourReport {
    /// The hour.
    pub hour: Hour,
    /// What became of it; the numbers are 0 where nothing was done.
    pub outcome: Outcome,
    /// Rows in its Parquet.
    pub rows: u64,
    /// Lines that did not read.
    pub rejects: u64,
    /// Rows left out because their id had come before.
    pub duplicates: u64,
    /// Rows left out because a delete names them.
    pub deleted: u64,
    /// Bytes read, as stored.
    pub bytes_in: u64,
    /// Bytes of its `tweets.parquet`.
    pub bytes_out: u64,
}

/// How far a conversion is.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Hours done; folders that are no hours count as one each.
    pub hours_done: u64,
    /// Hours to be done.
    pub hours: u64,
    /// Bytes read, as stored.
    pub bytes_in: u64,
    /// Bytes to be read.
    pub bytes_in_total: u64,
    /// Rows made.
    pub rows: u64,
    /// Lines that did not read.
    pub rejects: u64,
    /// Time since the conversion began.
    pub elapsed: Duration,
    /// The hour that has just been done, where this is told because of it.
    pub last: Option<HourReport>,
}

/// What a whole conversion came to.
#[derive(Debug, Default)]
pub struct Summary {
    /// Hours that are done, in the order of time.
    pub hours: Vec<HourReport>,
    /// Hours and folders that failed for a reason of their own, by name; the others are done.
    pub failed: Vec<(String, ConvertError)>,
    /// Hours and folders that were left out because an object of theirs is archived, by name; see
    /// [`ConvertOptions::skip_archived`](super::ConvertOptions::skip_archived).
    pub archived: Vec<(String, ConvertError)>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Summary {
    /// The sum of a number over all hours.
    pub fn total(&self, number: impl Fn(&HourReport) -> u64) -> u64 {
        self.hours.iter().map(number).sum()
    }

    /// How many hours were made.
    pub fn made(&self) -> usize {
        self.hours.iter().filter(|hour| hour.outcome == Outcome::Made).count()
    }
}

/// Who is told. [`ControlFlow::Break`] ends the conversion; hours that are not done leave nothing behind.
pub type Callback<'a> = dyn FnMut(&Progress) -> ControlFlow<()> + Send + 'a;

/// Counts, and tells.
pub(super) struct Watch<'a> {
    progress: Progress,
    begun: Instant,
    told: Option<Instant>,
    stopped: bool,
    callback: &'a mut Callback<'a>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(callback: &'a mut Callback<'a>) -> Watch<'a> {
        Watch { progress: Progress::default(), begun: Instant::now(), told: None, stopped: false, callback }
    }

    /// There is more to do.
    pub(super) fn add_work(&mut self, hours: u64, bytes: u64) {
        self.progress.hours += hours;
        self.progress.bytes_in_total += bytes;
    }

    /// Something has been read.
    pub(super) fn read(&mut self, bytes: u64, rows: u64, rejects: u64) -> Result<(), ConvertError> {
        self.progress.bytes_in += bytes;
        self.progress.rows += rows;
        self.progress.rejects += rejects;
        self.tick()
    }

    /// Time passes.
    pub(super) fn tick(&mut self) -> Result<(), ConvertError> {
        if self.told.is_none_or(|told| told.elapsed() >= INTERVAL) {
            self.tell(None);
        }
        if self.stopped { Err(ConvertError::Stopped) } else { Ok(()) }
    }

    /// An hour, or a folder with its hours, is done; its reports are told one by one.
    pub(super) fn done(&mut self, reports: &[HourReport]) {
        self.progress.hours_done += 1;
        reports.iter().for_each(|report| self.tell(Some(*report)));
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    fn tell(&mut self, last: Option<HourReport>) {
        self.told = Some(Instant::now());
        self.progress.elapsed = self.begun.elapsed();
        self.progress.last = last;
        self.stopped |= (self.callback)(&self.progress).is_break();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_at_once_then_seldom_then_for_each_hour() {
        let mut told = Vec::new();
        let mut callback = |progress: &Progress| {
            told.push((progress.rows, progress.last.is_some()));
            ControlFlow::Continue(())
        };
        let mut watch = Watch::new(&mut callback);
        for _ in 0..1000 {
            watch.read(10, 1, 0).expect("nobody asked for an end");
        }
        let report = HourReport {
            hour: Hour::from_index(0),
            outcome: Outcome::Made,
            rows: 1000,
            rejects: 0,
            duplicates: 0,
            deleted: 0,
            bytes_in: 10_000,
            bytes_out: 1,
        };
        watch.done(&[report]);
        assert_eq!(told.first(), Some(&(1, false)));
        assert_eq!(told.last(), Some(&(1000, true)));
        assert!(told.len() < 100, "told {} times", told.len());
    }

    #[test]
    fn an_end_that_was_asked_for_is_not_forgotten() {
        let mut callback = |_: &Progress| ControlFlow::Break(());
        let mut watch = Watch::new(&mut callback);
        for _ in 0..2 {
            assert!(matches!(watch.read(1, 1, 0), Err(ConvertError::Stopped)));
        }
    }
}
