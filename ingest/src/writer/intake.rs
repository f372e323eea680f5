//! Records into spool files: what is a duplicate, which hour and which file, when a file is full.

use base64::Engine as _;
use cauce_lake::Hour;
use cauce_lake::manifest::IngestPath;
use cauce_lake::tweet::{RejectReason, TweetHead};

use super::{Place, Slot, Writer};
use crate::channel::{Accepting, RecordKind, Reject};
use crate::close::instant;
use crate::spool::SpoolError;
use crate::spool::entry::{Entry, FileId, Role};
use crate::spool::roll;
use crate::status::metrics::Kind;

impl Writer {
    /// Takes a batch into the group that is being made.
    pub(super) fn take_batch(&mut self, accepting: Accepting) -> Result<(), SpoolError> {
        let received_at_ms = accepting.received_at_ms;
        self.now_ms = self.now_ms.max(received_at_ms);
        let batch = &accepting.batch;
        for record in &batch.records {
            let line = &batch.block[record.start as usize..record.end as usize];
            match &record.kind {
                RecordKind::Tweet(head) => self.take_tweet(line, *head, batch.path, received_at_ms)?,
                RecordKind::Message(_, event_ms) => {
                    let at_ms = self.router.time_of(*event_ms, received_at_ms);
                    let file = self.file_for(Role::Messages, batch.path, at_ms, received_at_ms)?;
                    self.spool.append(file, line, received_at_ms, None);
                }
                RecordKind::Reject(reject) => self.take_reject(line, reject, batch.path, received_at_ms)?,
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
        received_at_ms: i64,
    ) -> Result<(), SpoolError> {
        let file = self.reject_file(path, received_at_ms)?;
        let text = reject_line(line, reject, received_at_ms);
        self.metrics.rejects.get_or_create(&Kind::new(reason_word(&reject.reason))).inc();
        self.spool.append(file, text.as_bytes(), received_at_ms, None);
        Ok(())
    }

    /// The open file for tweets or messages of a time; a new one where there is none or it is full.
    fn file_for(&mut self, role: Role, path: IngestPath, at_ms: i64, now_ms: i64) -> Result<FileId, SpoolError> {
        let place = if self.router.closes() {
            let hour = Hour::containing(at_ms);
            let late = self.spool.state().is_final(hour);
            if late && role == Role::Tweets {
                self.metrics.late.inc();
            }
            Place::Hour(hour, late)
        } else {
            Place::Folder(self.router.target(self.spool.state(), role, path, at_ms).folder)
        };
        let slot = Slot { role, path, place };
        if let Some(file) = self.open_in(&slot) {
            return Ok(file);
        }
        let target = self.router.target(self.spool.state(), role, path, at_ms);
        self.create(slot, target, at_ms, now_ms)
    }

    fn reject_file(&mut self, path: IngestPath, now_ms: i64) -> Result<FileId, SpoolError> {
        let target = self.router.rejects(path, now_ms);
        let slot = Slot { role: Role::Rejects, path, place: Place::Folder(target.folder.clone()) };
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

/// A reject as it is kept: one line of JSON, the bytes in base64 because they may be anything.
fn reject_line(line: &[u8], reject: &Reject, received_at_ms: i64) -> String {
    serde_json::json!({
        "received_at": instant(received_at_ms).to_string(),
        "reason": reason_text(&reject.reason),
        "source": reject.origin,
        "length": reject.bytes,
        "bytes": base64::engine::general_purpose::STANDARD.encode(line),
    })
    .to_string()
}

fn reason_word(reason: &RejectReason) -> &'static str {
    match reason {
        RejectReason::InvalidUtf8 { .. } => "invalid-utf8",
        RejectReason::InvalidJson { .. } => "invalid-json",
        RejectReason::UnknownObject => "unknown-object",
        RejectReason::NoId => "no-id",
        RejectReason::TooLong => "too-long",
        RejectReason::Truncated => "truncated",
    }
}

fn reason_text(reason: &RejectReason) -> String {
    match reason {
        RejectReason::InvalidUtf8 { offset } => format!("not UTF-8 at byte {offset}"),
        RejectReason::InvalidJson { offset, expected } => format!("not JSON at byte {offset}: {expected}"),
        RejectReason::UnknownObject => "neither a tweet nor a known message".into(),
        RejectReason::NoId => "a tweet without a usable id".into(),
        RejectReason::TooLong => "longer than source.max_line_bytes; these are its first bytes".into(),
        RejectReason::Truncated => "the input ended inside the line".into(),
    }
}
