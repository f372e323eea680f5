//! What the state makes of hours that end: frozen, planned, closed, refused. Called by [`State::apply`] alone.

use cauce_lake::Hour;
use cauce_lake::manifest::ManifestName;

use super::state::{FileState, Stage, State};

impl State {
    pub(super) fn freeze(&mut self, hour: Hour, at_ms: i64) {
        self.open_hour(hour, at_ms).frozen_ms = Some(at_ms);
        if let Some(next) = self.live_next
            && hour >= next
        {
            self.live_next = Some(hour.next());
        }
    }

    pub(super) fn withdraw(&mut self, name: ManifestName) {
        let plan = self.plans.remove(&name);
        for id in plan.iter().flat_map(|plan| &plan.files) {
            if let Some(file) = self.files.get_mut(id) {
                file.planned = false;
            }
        }
        if let Some(rejects) = plan.map(|plan| plan.rejects).filter(|rejects| *rejects > 0) {
            *self.rejects.entry(name.hour).or_default() += rejects;
        }
    }

    /// Takes note of a manifest in the lake. One that closes an hour leaves no place for files of that hour but in late
    /// manifests, except where it may be the one that is planned here: the outcome of its put tells.
    pub(super) fn know_closed(&mut self, name: ManifestName) {
        let closed = self.closed.entry(name.hour).or_default();
        closed.late_manifests = closed.late_manifests.max(name.late.unwrap_or(0));
        if name.late.is_none() && !self.plans.contains_key(&name) {
            self.hours.remove(&name.hour);
            let of_hour = |file: &&mut FileState| file.head.target.hour == Some(name.hour);
            self.files.values_mut().filter(of_hour).for_each(|file| file.head.target.late = true);
        }
    }

    pub(super) fn refuse(&mut self, name: ManifestName) {
        self.withdraw(name);
        self.know_closed(name);
    }

    pub(super) fn close(&mut self, name: ManifestName) {
        let plan = self.plans.remove(&name);
        for id in plan.iter().flat_map(|plan| &plan.files) {
            let Some(file) = self.files.get(id) else { continue };
            if name.late.is_none() {
                self.numbers.remove(&file.head.target.folder);
            }
            // A quarantined file stays known until it is requeued or thrown away by hand.
            if matches!(file.stage, Stage::Stored { .. }) {
                self.files.remove(id);
            }
        }
        self.know_closed(name);
        if name.late.is_none() {
            self.hours.remove(&name.hour);
            self.forget_gaps();
        }
    }

    /// Drops gaps that end before everything that may still be closed.
    fn forget_gaps(&mut self) {
        let first_open = self.hours.keys().next().copied();
        let Some(keep_from) = first_open.into_iter().chain(self.live_next).min() else { return };
        self.gaps.retain(|gap| gap.to_ms.is_none_or(|to| to > keep_from.start_ms()));
    }
}
