//! Ids of tweets that are stored elsewhere, and the files of the spool in which the same tweets wait.

use std::collections::BTreeMap;
use std::io;

use super::copy::{each_line, tweet_id};
use super::entry::{Entry, FileId, Role};
use super::recovery::Point;
use super::state::FileState;
use super::{Spool, SpoolError, route};

/// A set of tweet ids, 8 bytes each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdSet(Vec<u64>);

impl FromIterator<u64> for IdSet {
    fn from_iter<I: IntoIterator<Item = u64>>(ids: I) -> IdSet {
        let mut ids: Vec<u64> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        IdSet(ids)
    }
}

impl IdSet {
    /// Whether an id is in it.
    pub fn contains(&self, id: u64) -> bool {
        self.0.binary_search(&id).is_ok()
    }

    /// How many ids it holds.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a file may hold tweets of it.
    pub fn may_meet(&self, file: &FileState) -> bool {
        let Some((first, last)) = file.id_span.filter(|_| file.head.target.role == Role::Tweets) else { return false };
        let at = self.0.partition_point(|id| *id < first);
        self.0.get(at).is_some_and(|id| *id <= last)
    }
}

impl Spool {
    /// Which of these tweets the spool has accepted, taken over or learnt of within the dedupe window.
    ///
    /// # Errors
    /// When the id files cannot be read.
    pub fn known_among(&self, ids: &[u64]) -> Result<IdSet, SpoolError> {
        let mut known = Vec::new();
        for id in ids {
            if self.is_stored(*id)? {
                known.push(*id);
            }
        }
        Ok(known.into_iter().collect())
    }

    /// Which of these tweets wait on this disk, each with its file. What is not committed is not looked at.
    ///
    /// # Errors
    /// On an I/O error.
    pub fn waiting_among(&self, ids: &IdSet) -> Result<BTreeMap<u64, FileId>, SpoolError> {
        let mut waiting = BTreeMap::new();
        for file in self.state.files.values().filter(|file| file.waits()) {
            waiting.extend(self.tweets_among(file, ids)?.into_iter().map(|id| (id, file.head.id)));
        }
        Ok(waiting)
    }

    fn tweets_among(&self, file: &FileState, ids: &IdSet) -> Result<Vec<u64>, SpoolError> {
        let mut found = Vec::new();
        if ids.may_meet(file) {
            let read = self.lines_at(file.head.id).and_then(|name| {
                each_line(&*self.disk, &name, file.end, |_, line| {
                    found.extend(tweet_id(line).filter(|id| ids.contains(*id)));
                    Ok(())
                })
            });
            read.map_err(|source| self.failed("look for tweets in a data file", source))?;
        }
        Ok(found)
    }

    /// Takes tweets that are stored elsewhere out of a file that waits: what is left of it is a new file under a new key. Returns how many
    /// were left out; 0 where the file holds none of them, and then it stays as it is, unless its key is `taken`. The file must not take lines any
    /// more. Messages and rejects bear no id and are all kept.
    ///
    /// # Errors
    /// On an I/O error, or when the file's bytes are not those that were accepted.
    pub fn leave_out(&mut self, id: FileId, stored: &IdSet, taken: bool, now_ms: i64) -> Result<u64, SpoolError> {
        let Some(file) = self.state.files.get(&id).filter(|file| file.waits()).cloned() else { return Ok(0) };
        debug_assert!(!self.open.contains_key(&id), "file {id} takes lines");
        if !taken && self.tweets_among(&file, stored)?.is_empty() {
            return Ok(0);
        }
        let name = self.lines_at(id).map_err(|source| self.failed("look for a data file", source))?;
        let whole = Point { frame: 0, end: file.end, lines: file.lines, crc: file.crc };
        let copied =
            self.copy_lines(&file, &name, whole, |_, tweet| !tweet.is_some_and(|tweet| stored.contains(tweet)))?;
        let left_out = copied.left_out;
        self.replace_by_copy(&file, copied, now_ms);
        Ok(left_out)
    }

    /// Stages that a copy takes the place of a file, whose other lines are duplicates.
    pub fn replace_by_copy(&mut self, file: &FileState, copied: super::copy::Copied, now_ms: i64) {
        let id = file.head.id;
        let plans: Vec<_> =
            self.state.plans.iter().filter(|(_, plan)| plan.files.contains(&id)).map(|(name, _)| *name).collect();
        plans.into_iter().for_each(|name| self.stage(Entry::Withdrawn { name }));
        let head = route::in_place_of(&self.state, copied.append.id, &file.head, now_ms.max(self.state.last_ms));
        let duplicates = file.head.target.hour.filter(|_| copied.left_out > 0).map(|hour| (hour, copied.left_out));
        let messages = file.messages.clone();
        self.stage_copy(&head, copied, messages, duplicates);
        self.stage(Entry::Superseded { ids: vec![id] });
    }

    /// As an error of this spool.
    pub fn disk_failed(&self, action: &str, source: io::Error) -> SpoolError {
        self.failed(action, source)
    }
}
