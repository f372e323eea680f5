//! Lines that the journal did not speak for, back into the queue: out of `quarantine/unknown.*`, each into the hour that
//! its tweet was written in.
//!
//! They may be stored already, so tweets pass dedupe as those of a source do. Each group that is committed says how far
//! the file is read; after a crash the next try goes on from there.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};

use cauce_lake::manifest::IngestPath;
use cauce_lake::tweet::{self, LineKind, Message};
use jiff::Timestamp;

use super::super::entry::{FileId, Role, Target};
use super::super::route::Router;
use super::super::{GROUP_BYTES, Spool, SpoolError, seal};
use super::RequeueError;
use crate::record::Position;

/// What became of the lines of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Tweets, messages and rejects that wait for the next `ingest run` now.
    pub lines: u64,
    /// Tweets that are stored already, or wait already.
    pub duplicates: u64,
    /// Lines that are none of these; their file stays in the quarantine folder as `taken.*`.
    pub left: u64,
}

/// What a line is to be.
enum Line {
    Kept { role: Role, id: Option<u64>, message: Option<Message>, at_ms: Option<i64> },
    Blank,
    Unreadable,
}

impl Spool {
    /// Takes the lines of `quarantine/unknown.<number>.*` into files of their hours, which the next start seals and uploads.
    /// `router` has the lake's rules, `now_ms` is the time.
    ///
    /// # Errors
    /// When there is no such file, or the disk failed; what is committed until then is kept, and another try goes on.
    pub fn requeue_unknown(&mut self, number: u64, router: &Router, now_ms: i64) -> Result<Taken, RequeueError> {
        let mut taken = Taken::default();
        let mut found = false;
        // An object beside its lines holds the same again: tweets are known by then, and other lines are left out.
        for ending in ["lines", "object"] {
            let name = format!("quarantine/unknown.{number}.{ending}");
            let copy_of = (ending == "object" && found).then(|| taken.lines + taken.duplicates);
            match self.disk.open_reader(&name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => drop(opened.map_err(|source| self.failed(&format!("read {name}"), source))?),
            }
            let of_this = self.take_lines(&name, router, now_ms, copy_of.is_some())?;
            found = true;
            taken.lines += of_this.lines;
            taken.left += of_this.left;
            taken.duplicates += if copy_of.is_some() { 0 } else { of_this.duplicates };
            let done = if of_this.left == 0 {
                self.disk.remove(&name)
            } else {
                self.disk.rename(&name, &name.replacen("unknown.", "taken.", 1))
            };
            done.and_then(|()| self.disk.sync_folder("quarantine"))
                .map_err(|source| self.failed("tidy quarantine/", source))?;
        }
        if found { Ok(taken) } else { Err(RequeueError::NoUnknown { number }) }
    }

    fn take_lines(&mut self, name: &str, router: &Router, now_ms: i64, tweets_only: bool) -> Result<Taken, SpoolError> {
        let read = |source: io::Error| (format!("read {name}"), source);
        let whole = self.disk.read(name).and_then(seal::sums).map_err(read);
        let (bytes, sha256, _) = whole.map_err(|(action, source)| self.failed(&action, source))?;
        let mut position =
            Position { file: name.to_owned(), bytes, sha256, member: 0, offset: 0, done: false, damaged: Vec::new() };
        let known = self.state.positions.get(name);
        if let Some(known) = known.filter(|known| (known.bytes, &known.sha256) == (position.bytes, &position.sha256)) {
            position.offset = known.offset;
        }
        let opened = self.disk.read(name).and_then(decoded).and_then(|mut reader| {
            io::copy(&mut (&mut reader).take(position.offset), &mut io::sink())?;
            Ok(reader)
        });
        let mut reader = opened.map_err(|source| self.failed(&format!("read {name}"), source))?;
        let mut taken = Taken::default();
        let mut files: BTreeMap<Target, FileId> = BTreeMap::new();
        let (mut line, mut arrived_ms) = (Vec::new(), 0);
        loop {
            line.clear();
            let read =
                reader.read_until(b'\n', &mut line).map_err(|source| self.failed(&format!("read {name}"), source))?;
            if read > 0 {
                position.offset += read as u64;
                let body = line.strip_suffix(b"\n").unwrap_or(&line);
                self.take_line(body, router, now_ms, tweets_only, &mut files, &mut arrived_ms, &mut taken)?;
            }
            if read == 0 || self.buffered() >= GROUP_BYTES {
                position.done = read == 0;
                self.note_position(position.clone(), arrived_ms);
                self.commit()?;
            }
            if read == 0 {
                break;
            }
        }
        files.into_values().for_each(|id| self.finish(id));
        // The file goes away after this.
        self.checkpoint()?;
        Ok(taken)
    }

    #[expect(clippy::too_many_arguments, reason = "one step of one loop, whose state they are")]
    fn take_line(
        &mut self,
        line: &[u8],
        router: &Router,
        now_ms: i64,
        tweets_only: bool,
        files: &mut BTreeMap<Target, FileId>,
        arrived_ms: &mut i64,
        taken: &mut Taken,
    ) -> Result<(), SpoolError> {
        let (role, id, message, at_ms) = match kind(line) {
            Line::Kept { role, id, message, at_ms } => (role, id, message, at_ms),
            Line::Blank => return Ok(()),
            Line::Unreadable => {
                taken.left += 1;
                return Ok(());
            }
        };
        if let Some(id) = id
            && self.is_stored(id)?
        {
            taken.duplicates += 1;
            return Ok(());
        }
        if tweets_only && id.is_none() {
            return Ok(());
        }
        // Nothing says when it arrived; a tweet of a stream arrives when it is written.
        let at_ms = at_ms.unwrap_or(now_ms).min(now_ms);
        *arrived_ms = at_ms.max(*arrived_ms);
        let target = match role {
            Role::Rejects => router.rejects(IngestPath::Replay, at_ms),
            Role::Tweets | Role::Messages => router.target(&self.state, role, IngestPath::Replay, at_ms),
        };
        let file = match files.get(&target) {
            Some(file) => *file,
            None => {
                let head = router.new_file(
                    &self.state,
                    self.state.next_id,
                    target.clone(),
                    at_ms,
                    now_ms.max(self.state.last_ms),
                );
                let file = head.id;
                self.create(head)?;
                files.insert(target, file);
                file
            }
        };
        self.append(file, line, *arrived_ms, id);
        if let Some(message) = message {
            // How many tweets a limit message speaks of is not told by itself: what the ones before it said is not known.
            self.count_message(file, message, 0);
        }
        taken.lines += 1;
        Ok(())
    }
}

fn kind(line: &[u8]) -> Line {
    match tweet::scan(line) {
        LineKind::Tweet(head) => {
            Line::Kept { role: Role::Tweets, id: Some(head.id), message: None, at_ms: head.created_at_ms }
        }
        LineKind::Message(message) => of_message(message, line),
        LineKind::Control(control) => of_message(control.message(), line),
        LineKind::Blank => Line::Blank,
        LineKind::Reject(_) => match serde_json::from_slice::<Kept>(line) {
            Ok(kept) => {
                let at_ms = Some(kept.received_at.as_millisecond());
                Line::Kept { role: Role::Rejects, id: None, message: None, at_ms }
            }
            Err(_) => Line::Unreadable,
        },
    }
}

fn of_message(message: Message, line: &[u8]) -> Line {
    let at_ms = tweet::message_ms(message, line);
    Line::Kept { role: Role::Messages, id: None, message: Some(message), at_ms }
}

/// A line of a file of rejects.
#[derive(serde::Deserialize)]
struct Kept {
    received_at: Timestamp,
    #[serde(rename = "reason")]
    _reason: String,
    #[serde(rename = "bytes")]
    _bytes: String,
}

/// What a file holds, whether it is compressed or not.
fn decoded(reader: Box<dyn Read + Send>) -> io::Result<Box<dyn BufRead>> {
    let mut reader = BufReader::with_capacity(1 << 18, reader);
    let first = reader.fill_buf()?;
    Ok(if first.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(reader)))
    } else if first.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Box::new(BufReader::new(zstd::stream::read::Decoder::with_buffer(reader)?))
    } else {
        Box::new(reader)
    })
}

#[cfg(test)]
#[path = "unknown_tests.rs"]
mod tests;
