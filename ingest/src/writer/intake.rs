//! Records into spool files: what is a duplicate, which hour and which file, when a file is full.

use cauce_lake::Hour;
use cauce_lake::manifest::IngestPath;
use cauce_lake::rejects::KeptReject;
use cauce_lake::tweet::{Message, RejectReason, TweetHead};

use super::{Slot, SlotFolder, Writer};
use crate::channel::Accepting;
use crate::clock::instant;
use crate::record::{RecordKind, Reject};
use crate::spool::SpoolError;
use crate::spool::entry::{Entry, FileId, Role};
use crate::spool::roll;
use crate::status::metrics::Kind;
use crate::status::rejects::Rejected;

impl Writer {
    /// Takes a batch in, or lets it wait for the tweet that says where its messages belong.
    pub(super) fn take_batch(&mut self, accepting: Accepting) -> Result<(), SpoolError> {
        self.now_ms = self.now_ms.max(accepting.received_at_ms);
        if self.router.by_arrival() {
            return self.enter_batch(accepting, None);
        }
        if self.undated.is_another_input(&accepting.batch) {
            self.release_undated(None)?;
            self.undated.begin_input(&accepting.batch);
        }
        if self.undated.must_wait(&accepting.batch) {
            self.undated.wait(accepting);
            return Ok(());
        }
        let first_tweet_ms = accepting.batch.records.iter().find_map(|record| match &record.kind {
            RecordKind::Tweet(head) => Some(self.router.time_of(head.created_at_ms, accepting.received_at_ms)),
            _ => None,
        });
        self.release_undated(first_tweet_ms)?;
        self.enter_batch(accepting, first_tweet_ms)
    }

    /// Takes in the batches that wait for a tweet: it came with this time, or it will not come.
    pub(super) fn release_undated(&mut self, next_ms: Option<i64>) -> Result<(), SpoolError> {
        for accepting in self.undated.take() {
            self.enter_batch(accepting, next_ms)?;
        }
        Ok(())
    }

    /// The run is stopped: what waits for a tweet is left to the next run where its file can be read again.
    pub(super) fn leave_undated(&mut self) -> Result<(), SpoolError> {
        if self.undated.can_be_read_again() {
            drop(self.undated.take());
        }
        self.release_undated(None)
    }

    /// Takes a batch into the group that is being made. `next_ms` is the time of the next tweet, where that is known.
    fn enter_batch(&mut self, accepting: Accepting, next_ms: Option<i64>) -> Result<(), SpoolError> {
        let received_at_ms = accepting.received_at_ms;
        let batch = &accepting.batch;
        self.metrics.health.rejects.count_lines(batch.records.len() as u64, received_at_ms);
        // A stream may be a replay of the past: what it brings before its first tweet goes with the last one of the run before.
        let known_ms = self.spool.state().max_event_ms.filter(|_| self.live);
        for record in &batch.records {
            let line = &batch.block[record.start as usize..record.end as usize];
            let time_of = |own_ms: Option<i64>| {
                self.router.time_of(own_ms.or(self.undated.last_ms()).or(next_ms).or(known_ms), received_at_ms)
            };
            match &record.kind {
                RecordKind::Tweet(head) => self.take_tweet(line, *head, batch.path, received_at_ms)?,
                RecordKind::Message(message, event_ms) => {
                    let at_ms = time_of(*event_ms);
                    self.take_message(line, (*message, 0), batch.path, at_ms, received_at_ms)?;
                }
                RecordKind::Limit { undelivered, at_ms } => {
                    let at_ms = time_of(*at_ms);
                    self.take_message(line, (Message::Limit, *undelivered), batch.path, at_ms, received_at_ms)?;
                }
                RecordKind::Reject(reject) => {
                    let at_ms = time_of(None);
                    self.take_reject(line, reject, batch.path, at_ms, received_at_ms)?;
                }
            }
        }
        if let Some(position) = &batch.position {
            self.spool.note_position(position.clone(), received_at_ms);
        }
        self.metrics.batches.inc();
        self.accepting.push(accepting);
        Ok(())
    }

    pub(super) fn take_tweet(
        &mut self,
        line: &[u8],
        head: TweetHead,
        path: IngestPath,
        received_at_ms: i64,
    ) -> Result<(), SpoolError> {
        let at_ms = self.router.time_of(head.created_at_ms, received_at_ms);
        self.undated.tweet(at_ms);
        self.last_line_ms = self.last_line_ms.max(received_at_ms);
        if self.live {
            if let Some(event_ms) = head.created_at_ms.filter(|event_ms| *event_ms <= received_at_ms) {
                self.spool.note_event(event_ms);
            }
            self.begin_run(at_ms);
        }
        if self.spool.is_stored(head.id)? {
            self.metrics.duplicates.inc();
            self.spool.count_duplicate(self.router.closes().then(|| Hour::containing(at_ms)), received_at_ms);
            return Ok(());
        }
        let file = self.file_for(Role::Tweets, path, at_ms, received_at_ms)?;
        self.spool.append(file, line, received_at_ms, Some(head.id));
        self.metrics.tweets.inc();
        Ok(())
    }

    /// Takes in a message, with the number of tweets that it says were left out.
    fn take_message(
        &mut self,
        line: &[u8],
        (message, undelivered): (Message, u64),
        path: IngestPath,
        at_ms: i64,
        received_at_ms: i64,
    ) -> Result<(), SpoolError> {
        let file = self.file_for(Role::Messages, path, at_ms, received_at_ms)?;
        self.spool.append(file, line, received_at_ms, None);
        self.spool.count_message(file, message, undelivered);
        self.metrics.messages.get_or_create(&Kind::new(message.name())).inc();
        Ok(())
    }

    /// A live source's hours are closed without holes from the first one on.
    pub(super) fn begin_run(&mut self, at_ms: i64) {
        if self.live && self.router.closes() && self.spool.state().live_next.is_none() {
            self.spool.stage(Entry::LiveFrom { hour: Hour::containing(at_ms) });
        }
    }

    fn take_reject(
        &mut self,
        line: &[u8],
        reject: &Reject,
        path: IngestPath,
        at_ms: i64,
        received_at_ms: i64,
    ) -> Result<(), SpoolError> {
        let hour = self.router.closes().then(|| Hour::containing(at_ms));
        let kept = KeptReject {
            received_at: instant(received_at_ms),
            hour,
            reason: reject.text(),
            source: reject.origin.clone(),
            length: reject.bytes,
            bytes: line.to_vec(),
        };
        let file = self.reject_file(path, received_at_ms)?;
        self.spool.append(file, kept.to_line().as_bytes(), received_at_ms, None);
        if let Some(hour) = hour {
            self.spool.count_reject(hour);
        }
        let kind = reason_word(&reject.reason);
        self.metrics.rejects.get_or_create(&Kind::new(kind)).inc();
        let (reason, lost_bytes) = (kept.reason.as_str(), kept.lost());
        let rejected = Rejected { kind, place: &reject.origin, reason, bytes: reject.bytes, lost_bytes };
        self.metrics.health.rejects.add(&rejected, received_at_ms);
        Ok(())
    }

    /// The open file for tweets or messages of a time; a new one where there is none or it is full.
    fn file_for(&mut self, role: Role, path: IngestPath, at_ms: i64, now_ms: i64) -> Result<FileId, SpoolError> {
        let folder = if self.router.closes() {
            let hour = Hour::containing(at_ms);
            let late = self.spool.state().is_final(hour);
            if late && role == Role::Tweets {
                self.metrics.late.inc();
            }
            SlotFolder::Hour { hour, late }
        } else {
            SlotFolder::Named(self.router.target(self.spool.state(), role, path, at_ms).folder)
        };
        let slot = Slot { role, path, folder };
        if let Some(file) = self.open_in(&slot) {
            return Ok(file);
        }
        let target = self.router.target(self.spool.state(), role, path, at_ms);
        self.create(slot, target, at_ms, now_ms)
    }

    fn reject_file(&mut self, path: IngestPath, now_ms: i64) -> Result<FileId, SpoolError> {
        let target = self.router.rejects(path, now_ms);
        let slot = Slot { role: Role::Rejects, path, folder: SlotFolder::Named(target.folder.clone()) };
        match self.open_in(&slot) {
            Some(file) => Ok(file),
            None => self.create(slot, target, now_ms, now_ms),
        }
    }

    /// The slot's open file, unless it is full: then it is rolled.
    fn open_in(&mut self, slot: &Slot) -> Option<FileId> {
        let file = *self.slots.get(slot)?;
        let filling = self.spool.filling(file).expect("a slot's file is open");
        if !roll::is_full(&self.roll, filling) {
            return Some(file);
        }
        self.roll(file);
        None
    }

    fn create(
        &mut self,
        slot: Slot,
        target: crate::spool::entry::Target,
        at_ms: i64,
        now_ms: i64,
    ) -> Result<FileId, SpoolError> {
        if self.slots.len() >= self.max_open {
            self.roll_least_used();
        }
        let state = self.spool.state();
        let head = self.router.new_file(state, state.next_id, target, at_ms, now_ms);
        let id = head.id;
        tracing::debug!(key = %head.key, "spool file opened");
        self.spool.create(head)?;
        self.metrics.files_created.inc();
        self.slots.insert(slot, id);
        self.metrics.files_open.set(i64::try_from(self.slots.len()).unwrap_or(i64::MAX));
        Ok(id)
    }
}

fn reason_word(reason: &RejectReason) -> &'static str {
    match reason {
        RejectReason::InvalidUtf8 { .. } => "invalid-utf8",
        RejectReason::InvalidJson { .. } => "invalid-json",
        RejectReason::UnknownObject => "unknown-object",
        RejectReason::NoId => "no-id",
        RejectReason::NoTime => "no-time",
        RejectReason::TooLong => "too-long",
        RejectReason::Truncated => "truncated",
    }
}
