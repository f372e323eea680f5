//! What a writer leaves behind when it ends: for the last words of a run.

use cauce_lake::Hour;

use crate::close::has_ended;
use crate::spool::state::State;

/// What a writer leaves behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rest {
    /// Spool files whose bytes are not in the store.
    pub files: u64,
    /// Hours that hold something and are not closed, and why.
    pub open: Vec<(Hour, OpenHour)>,
    /// Hours that were closed, with their tweets; empty for a live source.
    pub closed: Vec<(Hour, u64)>,
}

/// Why an hour that holds something is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenHour {
    /// It has not ended by the clock.
    Running {
        /// Milliseconds until it ends.
        left_ms: i64,
    },
    /// Its manifest waits until all its files are in the store.
    NotStored {
        /// Files that are not.
        files: u64,
    },
    /// It has ended, and the run was stopped before it closed it.
    Ended,
}

impl Rest {
    pub(super) fn of(state: &State, now_ms: i64, closed: Vec<(Hour, u64)>) -> Rest {
        let files = state.files.values().filter(|file| file.spooled_bytes() > 0).count() as u64;
        let open = state.hours.keys().map(|hour| (*hour, OpenHour::of(state, *hour, now_ms)));
        Rest { files, open: open.collect(), closed }
    }
}

impl OpenHour {
    fn of(state: &State, hour: Hour, now_ms: i64) -> OpenHour {
        let waits = state.files_of(hour, false).filter(|file| file.spooled_bytes() > 0 && file.aside().is_none());
        if !has_ended(hour, now_ms) {
            return OpenHour::Running { left_ms: hour.end_ms() - now_ms };
        }
        match waits.count() as u64 {
            0 if !state.is_final(hour) => OpenHour::Ended,
            files => OpenHour::NotStored { files },
        }
    }
}
