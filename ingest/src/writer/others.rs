//! What the writer does when a name of ours is taken: by an object with a part of a file's lines or more than those, or by
//! a manifest. Both come from another spool of this lake, or from a copy of this one.

use cauce_lake::manifest::ManifestName;

use super::{After, Writer};
use crate::spool::SpoolError;
use crate::spool::entry::{Entry, FileId};
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
        let (lines, key) = (file.lines, file.head.key.clone());
        let (of_object, of_rest) = common.messages.split(&file.messages, &object.messages);
        let mut rest = None;
        if common.lines < lines {
            let head = self.spool.split(id, common.lines, common.bytes, of_rest)?;
            self.after.push(After::Seal(head.id));
            rest = Some(head.key.to_string());
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

    /// Another manifest has the name of one that was planned. What it lists is done; what it does not list is late.
    pub(super) fn take_refusal(&mut self, name: ManifestName, listing: &Listing) {
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
    }
}
