//! A spool that an agent with a clock far ahead has left, brought back to now: no file and no line is touched.

use cauce_lake::Hour;

use super::entry::Entry;
use super::state::State;
use super::{Spool, SpoolError};

/// What was brought back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimeReset {
    /// By how many milliseconds the spool was ahead.
    pub ahead_ms: i64,
    /// Hours of the future that hold lines: they are closed as they are.
    pub filled: Vec<Hour>,
    /// Hours of the future that are closed in the lake, as far as the spool knows.
    pub closed: Vec<Hour>,
}

impl State {
    /// By how many milliseconds the latest time that the spool knows of, or the hour it would close next, is ahead of a
    /// time; 0 or less when they are not.
    pub fn ahead_of(&self, now_ms: i64) -> i64 {
        // The hour that has begun may be the next one: closed, it is followed by the one after it.
        let next = self.live_next.map_or(i64::MIN, |hour| hour.previous().start_ms());
        self.last_ms.max(next).saturating_sub(now_ms)
    }

    /// Forgets all that lies behind `at_ms`. Lines in hours of the future stay there, and these hours take nothing more: their
    /// manifests are made when their files are stored.
    pub(super) fn reset_time(&mut self, at_ms: i64) {
        let is_future = |hour: Hour| hour.start_ms() > at_ms;
        self.last_ms = self.last_ms.min(at_ms);
        self.max_event_ms = self.max_event_ms.map(|event_ms| event_ms.min(at_ms));
        let holds: Vec<Hour> = self.files.values().filter_map(|file| file.head.target.hour).collect();
        // What is known of closed hours of the future is learnt again from the lake: it may have been put right there.
        self.closed.retain(|hour, _| !is_future(*hour));
        self.plans.retain(|name, plan| !is_future(name.hour) || !plan.files.is_empty());
        let plans = &self.plans;
        self.hours
            .retain(|hour, _| !is_future(*hour) || holds.contains(hour) || plans.keys().any(|name| name.hour == *hour));
        for (hour, state) in &mut self.hours {
            state.opened_ms = state.opened_ms.min(at_ms);
            state.last_line_ms = state.last_line_ms.min(at_ms);
            state.frozen_ms = state.frozen_ms.map(|frozen_ms| frozen_ms.min(at_ms));
            if is_future(*hour) {
                state.frozen_ms.get_or_insert(at_ms);
            }
        }
        for gap in &mut self.gaps {
            gap.from_ms = gap.from_ms.min(at_ms);
            gap.to_ms = gap.to_ms.map(|to_ms| to_ms.min(at_ms));
        }
        if let Some(next) = self.live_next.filter(|next| is_future(*next)) {
            let frozen = self.hours.iter().filter(|(_, state)| state.frozen_ms.is_some()).map(|(hour, _)| *hour);
            let last = self.closed.keys().copied().chain(frozen).filter(|hour| !is_future(*hour)).max();
            // Without one the run begins with the hour that has begun.
            self.live_next = Some(last.map_or(Hour::containing(at_ms), Hour::next).min(next));
        }
        // A folder whose name holds no year is that of the same hour of this year too.
        self.numbers.values_mut().for_each(|number| *number = (*number).min(at_ms));
        for run in &mut self.runs {
            run.last_ms = run.last_ms.min(at_ms);
        }
        for hole in &mut self.holes {
            hole.until_ms -= (hole.to_ms - at_ms).max(0);
            hole.to_ms = hole.to_ms.min(at_ms);
            hole.from_ms = hole.from_ms.min(at_ms);
        }
    }
}

impl Spool {
    /// Brings the spool back to `now_ms`, durably. What lies in it stays.
    ///
    /// # Errors
    /// When the disk failed.
    pub fn reset_time(&mut self, now_ms: i64) -> Result<TimeReset, SpoolError> {
        let ahead_ms = self.state.ahead_of(now_ms);
        if ahead_ms <= 0 {
            return Ok(TimeReset { ahead_ms, ..TimeReset::default() });
        }
        let is_future = |hour: &Hour| hour.start_ms() > now_ms;
        let filled = self.state.files.values().filter_map(|file| file.head.target.hour).filter(|hour| is_future(hour));
        let mut filled: Vec<Hour> = filled.collect();
        filled.sort_unstable();
        filled.dedup();
        let closed = self.state.closed.keys().copied().filter(|hour| is_future(hour)).collect();
        self.ids.reset_time(now_ms);
        self.stage(Entry::TimeReset { at_ms: now_ms });
        self.commit()?;
        self.checkpoint()?;
        Ok(TimeReset { ahead_ms, filled, closed })
    }
}

#[cfg(test)]
mod tests {
    use cauce_lake::Key;
    use cauce_lake::manifest::{Codec, IngestPath, ManifestName};

    use super::*;
    use crate::spool::Options;
    use crate::spool::entry::{FileHead, Role, Target};
    use crate::spool::state::Stage;

    const DAY: i64 = 86_400_000;

    fn head(id: u64, hour: Hour) -> FileHead {
        let folder = format!("h{}", hour.index());
        let target = Target {
            folder: folder.clone(),
            hour: Some(hour),
            role: Role::Tweets,
            late: false,
            path: IngestPath::Stream,
        };
        let number = hour.start_ms();
        let key = Key::new(format!("{folder}/tweets.{number}.json")).expect("a key");
        FileHead { id, target, key, codec: Codec::None, created_ms: number }
    }

    fn open(dir: &std::path::Path) -> Spool {
        let options = Options { dir: dir.to_owned(), durable: true, dedupe_window_ms: DAY, group_limit: 8 << 20 };
        Spool::open(&options).expect("it opens").0
    }

    #[test]
    fn a_spool_from_the_future_comes_back_to_now_with_all_its_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = Hour::from_index(498_000);
        let now_ms = now.start_ms() + 60_000;
        let ahead = Hour::from_index(498_000 + 365 * 24);
        let mut spool = open(folder.path());
        // An earlier run closed the hour before last, a later one is a year ahead.
        spool.stage(Entry::LiveFrom { hour: now.previous().previous() });
        spool.stage(Entry::Frozen { hour: now.previous().previous(), at_ms: now.previous().start_ms() });
        spool.stage(Entry::Closed { name: ManifestName::closing(now.previous().previous()) });
        spool.create(head(0, now)).expect("created");
        spool.append(0, b"one", now_ms, Some(1));
        spool.commit().expect("committed");
        spool.finish(0);
        spool.stage(Entry::Started { at_ms: ahead.start_ms() });
        spool.stage(Entry::GapOpened { from_ms: now_ms, cause: "agent-stopped".into() });
        spool.stage(Entry::GapClosed { to_ms: ahead.start_ms() });
        spool.stage(Entry::Frozen { hour: ahead.previous(), at_ms: ahead.start_ms() });
        spool.stage(Entry::Planned { name: ManifestName::closing(ahead.previous()), bytes: vec![], files: vec![] });
        spool.stage(Entry::KnownClosed { names: vec![ManifestName::closing(ahead.previous().previous())] });
        spool.create(head(1, ahead)).expect("created");
        spool.append(1, b"two", ahead.start_ms() + 1, Some(2));
        spool.commit().expect("committed");
        spool.finish(1);
        assert_eq!(spool.state().live_next, Some(ahead));
        let files = spool.state().files.clone();

        let reset = spool.reset_time(now_ms).expect("it is reset");
        assert_eq!(reset.ahead_ms, ahead.start_ms() + 1 - now_ms);
        assert_eq!(
            (reset.filled.as_slice(), reset.closed.as_slice()),
            (&[ahead][..], &[ahead.previous().previous()][..])
        );
        drop(spool);
        let mut spool = open(folder.path());
        let state = spool.state();
        assert_eq!((state.last_ms, state.live_next), (now_ms, Some(now.previous())));
        assert_eq!(state.files, files);
        assert!(state.files.values().all(|file| file.stage == Stage::Open));
        assert_eq!(state.hours.keys().copied().collect::<Vec<_>>(), [now, ahead]);
        assert_eq!((state.hours[&now].frozen_ms, state.hours[&ahead].frozen_ms), (None, Some(now_ms)));
        assert!(state.plans.is_empty() && state.closed.keys().all(|hour| *hour < now));
        assert_eq!(state.gaps[0].to_ms, Some(now_ms));
        assert!(spool.is_stored(1).expect("known") && spool.is_stored(2).expect("known"));
        // Its ids go after their window, and not after a year.
        let state = spool.state().clone();
        assert_eq!(spool.reset_time(now_ms).expect("nothing to do").ahead_ms, 0);
        assert_eq!(*spool.state(), state);
        spool.stage(Entry::Alive { at_ms: now_ms + 2 * DAY });
        spool.commit().expect("committed");
        spool.checkpoint().expect("summed up");
        assert!(!spool.is_stored(2).expect("forgotten"));
    }
}
