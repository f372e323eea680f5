//! What is gathered for the next group commit: lines of open files, and what the journal will say of them.

use std::collections::BTreeMap;

use cauce_lake::Hour;
use cauce_lake::tweet::Message;

use super::Spool;
use super::entry::FileId;
use crate::record::Position;

/// What the next group commit will say beside the staged entries.
#[derive(Default)]
pub(super) struct Group {
    pub(super) at_ms: i64,
    pub(super) records: usize,
    pub(super) max_event_ms: Option<i64>,
    pub(super) duplicates: BTreeMap<Option<Hour>, u64>,
    pub(super) rejects: BTreeMap<Hour, u64>,
    pub(super) positions: Vec<Position>,
}

impl Spool {
    /// Adds a line to an open file; it counts after the next [`Spool::commit`].
    pub fn append(&mut self, id: FileId, line: &[u8], received_at_ms: i64, tweet_id: Option<u64>) {
        let file = self.open.get_mut(&id).expect("lines go only into files that are open");
        file.buffer.extend_from_slice(line);
        file.buffer.push(b'\n');
        self.buffered += line.len() + 1;
        file.filling.lines += 1;
        file.filling.body_bytes += line.len() as u64;
        file.filling.last_ms = received_at_ms;
        let second = received_at_ms.div_euclid(1000);
        match file.arrivals.last_mut() {
            Some(last) if last.0 == second => last.1 = file.filling.lines,
            _ => file.arrivals.push((second, file.filling.lines)),
        }
        self.group.at_ms = self.group.at_ms.max(received_at_ms);
        self.group.records += 1;
        if let Some(tweet_id) = tweet_id.filter(|_| self.dedupe_window_ms > 0) {
            self.ids.insert(tweet_id);
            file.ids.push(tweet_id);
        }
    }

    /// Says what a message is that was appended to an open file, and how many tweets it says were left out.
    pub fn count_message(&mut self, id: FileId, message: Message, undelivered: u64) {
        let file = self.open.get_mut(&id).expect("messages go only into files that are open");
        file.messages.add(message, undelivered);
    }

    /// Counts a reject that was appended for the manifest of an hour.
    pub fn count_reject(&mut self, hour: Hour) {
        *self.group.rejects.entry(hour).or_default() += 1;
    }

    /// Counts a tweet that was left out because its id is stored.
    pub fn count_duplicate(&mut self, hour: Option<Hour>, received_at_ms: i64) {
        *self.group.duplicates.entry(hour).or_default() += 1;
        self.group.at_ms = self.group.at_ms.max(received_at_ms);
    }

    /// Notes the time a live tweet bears.
    pub fn note_event(&mut self, event_ms: i64) {
        self.group.max_event_ms = self.group.max_event_ms.max(Some(event_ms));
    }

    /// Notes where a finite source stands.
    pub fn note_position(&mut self, position: Position, received_at_ms: i64) {
        self.group.positions.retain(|other| other.file != position.file);
        self.group.positions.push(position);
        self.group.at_ms = self.group.at_ms.max(received_at_ms);
    }
}
