//! What a spool makes of manifests that it did not write: which of its files they list, which of its plans they leave no
//! place for.
//!
//! No object gets into two manifests, because a manifest of an hour is made only by whoever knows what all earlier ones of
//! that hour list, and because their names are taken one after the other by puts of which one succeeds: the one that closes
//! the hour, then late ones by number. Whoever comes second is refused, reads the one that came first, and goes on from there.
//!
//! Pure: the manifests are read by [`crate::agent`] and [`crate::upload`].

use std::collections::BTreeSet;

use cauce_lake::manifest::{Manifest, ManifestName};
use cauce_lake::{Hour, Key};

use super::entry::{Entry, FileId};
use super::state::{Stage, State};

/// What a manifest of another spool lists: each object's key and SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing(BTreeSet<(Key, String)>);

impl Listing {
    /// What a manifest lists.
    pub fn of(manifest: &Manifest) -> Listing {
        let objects = manifest.objects.iter().chain(&manifest.messages);
        Listing(objects.map(|object| (object.key.clone(), object.sha256.clone())).collect())
    }

    /// Whether an object is listed, byte for byte.
    pub fn holds(&self, key: &Key, sha256: &str) -> bool {
        self.0.contains(&(key.clone(), sha256.to_owned()))
    }

    /// How many objects are listed.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A manifest in the lake that the journal does not speak of.
#[derive(Debug, Clone)]
pub struct Unknown {
    /// Its name.
    pub name: ManifestName,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What it lists; nothing where it cannot be read.
    pub listing: Listing,
}

/// The hours whose manifests concern the spool: it has files of them, or plans.
pub fn concerned(state: &State) -> BTreeSet<Hour> {
    let files = state.files.values().filter_map(|file| file.head.target.hour);
    files.chain(state.plans.keys().map(|name| name.hour)).collect()
}

/// The files of an hour whose objects a manifest lists.
pub fn listed(state: &State, hour: Hour, listing: &Listing) -> Vec<FileId> {
    let of_hour = state.files.values().filter(|file| file.head.target.hour == Some(hour));
    of_hour
        .filter(|file| match &file.stage {
            Stage::Sealed { sha256, .. } | Stage::Stored { sha256, .. } => listing.holds(&file.head.key, sha256),
            Stage::Open | Stage::Quarantined { .. } | Stage::Damaged { .. } => false,
        })
        .map(|file| file.head.id)
        .collect()
}

/// What is to be journalled when these manifests were found in the lake: `names` all that the journal does not speak of,
/// `unknown` those of them that concern the spool.
pub fn entries(state: &State, names: &[ManifestName], unknown: &[Unknown]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let done: BTreeSet<FileId> =
        unknown.iter().flat_map(|manifest| listed(state, manifest.name.hour, &manifest.listing)).collect();
    for (name, plan) in &state.plans {
        match unknown.iter().find(|manifest| manifest.name == *name) {
            // Ours arrived: its put will find it there, and everything is as planned.
            Some(there) if there.bytes == plan.bytes => {}
            Some(_) => entries.push(Entry::Refused { name: *name }),
            // The next plan takes the same name, so that this one cannot arrive any more once that has.
            None if plan.files.iter().any(|id| done.contains(id)) => entries.push(Entry::Withdrawn { name: *name }),
            None => {}
        }
    }
    let ours = |id: &FileId| {
        let mut plans = state.plans.iter().filter(|(_, plan)| plan.files.contains(id));
        plans.any(|(name, plan)| unknown.iter().any(|there| there.name == *name && there.bytes == plan.bytes))
    };
    let ids: Vec<FileId> = done.into_iter().filter(|id| !ours(id)).collect();
    if !ids.is_empty() {
        entries.push(Entry::Listed { ids });
    }
    if !names.is_empty() {
        entries.push(Entry::KnownClosed { names: names.to_vec() });
    }
    entries
}

#[cfg(test)]
mod tests {
    use cauce_lake::checksum::Crc64;
    use cauce_lake::manifest::{Codec, IngestPath};

    use super::super::entry::{FileHead, Role, Target};
    use super::*;

    const HOUR: i64 = 491_002;

    fn key(id: FileId) -> Key {
        Key::new(format!("late/x/tweets.{}.json", 1_767_607_200_000_u64 + id)).expect("valid key")
    }

    /// A closed hour with late files that are stored, of which the first ones are planned.
    fn state(files: FileId, planned: Vec<FileId>) -> (State, ManifestName) {
        let hour = Hour::from_index(HOUR);
        let mut state = State::default();
        state.apply(&Entry::KnownClosed { names: vec![ManifestName { hour, late: Some(1) }] });
        for id in 0..files {
            let target = Target {
                folder: "late/x".into(),
                hour: Some(hour),
                role: Role::Tweets,
                late: true,
                path: IngestPath::Stream,
            };
            let (key, codec, created_ms) = (key(id), Codec::None, hour.start_ms());
            state.apply(&Entry::Created(FileHead { id, target, key, codec, created_ms }));
            state.apply(&Entry::Sealed { id, bytes: 1, sha256: format!("{id}"), crc64: Crc64::of(b"x") });
            state.apply(&Entry::Stored { id });
        }
        let name = ManifestName { hour, late: Some(2) };
        state.apply(&Entry::Planned { name, bytes: b"ours".to_vec(), files: planned });
        (state, name)
    }

    fn unknown(name: ManifestName, bytes: &[u8], files: &[FileId]) -> Unknown {
        let listing = Listing(files.iter().map(|id| (key(*id), format!("{id}"))).collect());
        Unknown { name, bytes: bytes.to_vec(), listing }
    }

    fn applied(mut state: State, found: &[Unknown]) -> State {
        let names: Vec<ManifestName> = found.iter().map(|there| there.name).collect();
        entries(&state, &names, found).iter().for_each(|entry| state.apply(entry));
        state
    }

    #[test]
    fn a_plan_of_which_another_manifest_lists_a_part_is_made_again_without_it() {
        let (state, name) = state(3, vec![0, 1, 2]);
        let other = ManifestName { late: Some(1), ..name };
        let after = applied(state, &[unknown(other, b"theirs", &[1])]);
        assert!(after.plans.is_empty(), "{:?}", after.plans);
        let left: Vec<_> = after.files.values().map(|file| (file.head.id, file.planned)).collect();
        assert_eq!(left, [(0, false), (2, false)]);
        assert_eq!(after.closed[&name.hour].late_manifests, 1, "the next plan takes the same name");
    }

    #[test]
    fn a_plan_whose_name_another_manifest_has_is_made_again_under_the_next_one_with_what_that_does_not_list() {
        let (state, name) = state(3, vec![0, 1]);
        let after = applied(state, &[unknown(name, b"theirs", &[1, 2])]);
        assert!(after.plans.is_empty(), "{:?}", after.plans);
        assert_eq!(after.files.keys().copied().collect::<Vec<_>>(), [0]);
        assert_eq!(after.closed[&name.hour].late_manifests, 2);
    }

    #[test]
    fn a_plan_that_arrived_before_its_answer_stays_as_it_is() {
        let (state, name) = state(2, vec![0, 1]);
        let after = applied(state, &[unknown(name, b"ours", &[0, 1])]);
        assert_eq!((after.plans.len(), after.files.len()), (1, 2));
    }

    #[test]
    fn an_object_of_other_bytes_under_the_same_key_is_not_ours() {
        let (state, name) = state(1, vec![]);
        let listing = Listing(BTreeSet::from([(key(0), "other".to_owned())]));
        let other = Unknown { name, bytes: b"theirs".to_vec(), listing };
        assert_eq!(applied(state, &[other]).files.len(), 1);
    }
}
