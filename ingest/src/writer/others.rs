//! What the writer does when a name of ours is taken: by an object with a part of a file's lines or more than those, or by
//! a manifest. Both come from another spool of this lake, or from a copy of this one.

use cauce_lake::Key;
use cauce_lake::manifest::ManifestName;

use super::{Phase, PostCommit, Writer};
use crate::spool::SpoolError;
use crate::spool::entry::{Entry, FileId};
use crate::spool::id_set::IdSet;
use crate::spool::reconcile::{self, Listing};
use crate::upload::look::{Common, StoredObject};

impl Writer {
    /// An object of this lake lies under a file's key. It holds the first `common` lines of the file: the others get a file
    /// of their own, and the object takes the file's place, unless a manifest lists it already.
    pub(super) fn take_found(
        &mut self,
        id: FileId,
        object: StoredObject,
        common: Common,
        listed: bool,
    ) -> Result<(), SpoolError> {
        let Some(file) = self.spool.state().files.get(&id) else { return Ok(()) };
        let (lines, key, messages) = (file.lines, file.head.key.clone(), file.messages.clone());
        if !listed && self.is_known_elsewhere(id, &object.ids)? {
            return self.give_another_key(id, &key);
        }
        let (of_object, of_rest) = common.messages.split(&messages, &object.messages);
        let mut rest = None;
        if common.lines < lines {
            let stored = object.ids.iter().copied().collect();
            let (head, duplicates) = self.spool.split(id, common.lines, &stored, of_rest)?;
            self.metrics.duplicates.inc_by(duplicates);
            if let Some(head) = head {
                self.post_commit.push(PostCommit::Seal(head.id));
                rest = Some(head.key.to_string());
            }
        }
        tracing::warn!(
            %key, file = id, lines, stored = common.lines, listed, rest,
            "another spool has stored an object under this key: lines that it does not hold go under a key of their own"
        );
        let StoredObject { bytes, sha256, crc64, lines, ids, .. } = object;
        self.spool.stage(if listed {
            Entry::Listed { ids: vec![id] }
        } else {
            Entry::Found { id, bytes, lines, ours: common.lines, sha256, crc64, ids, messages: of_object }
        });
        Ok(())
    }

    /// Whether this spool has accepted, taken over or seen listed one of these tweets otherwise than in a file.
    fn is_known_elsewhere(&mut self, id: FileId, tweets: &[u64]) -> Result<bool, SpoolError> {
        let known = self.spool.known_among(tweets)?;
        if known.is_empty() {
            return Ok(false);
        }
        // Lines that are not committed are in no file yet.
        self.commit()?;
        let holders = self.spool.waiting_among(&known)?;
        Ok(holders.len() < known.len() || holders.into_values().any(|holder| holder != id))
    }

    /// An object under a file's key holds tweets that are stored elsewhere, so it cannot take the file's place. It is left to the
    /// spool that put it there and to the next start, and the file gets another key.
    fn give_another_key(&mut self, id: FileId, key: &Key) -> Result<(), SpoolError> {
        tracing::warn!(%key, file = id, "another spool has stored an object under this key with tweets that are stored elsewhere: the file goes under a key of its own");
        self.spool.leave_out(id, &IdSet::default(), true, self.now_ms)?;
        let head = self.spool.state().files.last_key_value().map(|(id, _)| *id);
        self.post_commit.extend(head.map(PostCommit::Seal));
        Ok(())
    }

    /// Another manifest has the name of one that was planned. What it lists is done; what it does not list is late. Where it
    /// lists tweets that are in files of this spool too, the agent ends: a start compares them.
    pub(super) fn take_refusal(
        &mut self,
        name: ManifestName,
        listing: &Listing,
        tweets: &[u64],
    ) -> Result<(), SpoolError> {
        if self.holds_some_of(name, listing, tweets)? {
            tracing::error!(
                key = %name.key(),
                "another agent has put this manifest, with tweets that this one has accepted too: this one ends, and its next start leaves them out"
            );
            self.contested = Some(name.hour);
            self.phase = Phase::Leaving;
            return Ok(());
        }
        let state = self.spool.state();
        let mut ids = reconcile::listed(state, name.hour, listing);
        // An upload that is under way finds out by itself.
        ids.retain(|id| !self.uploading.contains(id));
        let late = state.plans.get(&name).map_or(0, |plan| plan.files.iter().filter(|id| !ids.contains(id)).count());
        tracing::warn!(
            key = %name.key(), objects = listing.len(), listed = ids.len(), late,
            "another spool has put this manifest: it stays; what it lists of ours is done, the rest is listed as late"
        );
        if !ids.is_empty() {
            self.spool.stage(Entry::Listed { ids });
        }
        self.spool.stage(Entry::Refused { name });
        Ok(())
    }

    /// Whether files that a manifest does not list hold some of these tweets, or may hold them where they are in the store.
    fn holds_some_of(&mut self, name: ManifestName, listing: &Listing, tweets: &[u64]) -> Result<bool, SpoolError> {
        let known = self.spool.known_among(tweets)?;
        if known.is_empty() {
            return Ok(false);
        }
        self.commit()?;
        let done = reconcile::listed(self.spool.state(), name.hour, listing);
        let mut stored = self.spool.state().files.values().filter(|file| !file.waits() && file.aside().is_none());
        Ok(stored.any(|file| known.may_meet(file) && !done.contains(&file.head.id))
            || self.spool.waiting_among(&known)?.values().any(|id| !done.contains(id)))
    }
}
