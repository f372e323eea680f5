//! [3] A file of which an object in the store holds the first lines already: the others go into a file of their own.
//!
//! The copy is synced before the frame that speaks for it, and the old file stays until that frame is durable. A crash
//! before it leaves the old file as it was and a copy that no entry speaks of.

use std::fmt;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use super::disk::Disk;
use super::entry::{Append, Entry, FileHead, FileId, MessageCounts};
use super::folder::lines_name;
use super::state::FileState;
use super::{Spool, SpoolError, route};

/// A file's accepted lines, for whoever does not own the spool. They do not change.
#[derive(Clone)]
pub struct Lines {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) name: String,
    pub(super) bytes: u64,
}

impl Lines {
    /// Reads them from the first on.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn open(&self) -> io::Result<BufReader<impl Read + Send + use<>>> {
        Ok(BufReader::with_capacity(1 << 16, self.disk.read(&self.name)?.take(self.bytes)))
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("name", &self.name).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// What copying the end of a file gave.
struct Copied {
    bytes: u64,
    crc: u32,
    /// CRC32C of the first line.
    first: u32,
}

impl Spool {
    /// Makes a file of a sealed file's lines from `lines` on, which begin at byte `bytes` and are `messages`, and returns its
    /// head. The caller stages in the same group what becomes of the old file, with what its other messages are.
    ///
    /// # Errors
    /// When the disk says no, or the file's bytes are not those that were accepted.
    pub fn split(
        &mut self,
        id: FileId,
        lines: u64,
        bytes: u64,
        messages: MessageCounts,
    ) -> Result<FileHead, SpoolError> {
        let old = self.state.files.get(&id).expect("the caller has looked it up").clone();
        let new = self.state.next_id;
        let copied = self.guarded("copy the end of a data file", |spool| spool.copy_end(&old, new, bytes))?;
        let key = route::rest_of(&old.head.key, lines, copied.first);
        let head = FileHead { id: new, key, ..old.head };
        let arrivals = old.arrivals.iter().filter(|(_, so_far)| *so_far > lines);
        let append = Append {
            id: new,
            end: copied.bytes,
            lines: old.lines - lines,
            crc: copied.crc,
            arrivals: arrivals.map(|(second, so_far)| (*second, so_far - lines)).collect(),
            // They are known since the lines came first.
            ids: Vec::new(),
            messages,
        };
        self.stage(Entry::Created(head.clone()));
        self.stage(Entry::Appended {
            // Nothing arrived: a later time here would shorten the gap that a stop is.
            at_ms: self.state.last_ms,
            max_event_ms: None,
            files: vec![append],
            duplicates: Vec::new(),
            rejects: Vec::new(),
            positions: Vec::new(),
        });
        Ok(head)
    }

    fn copy_end(&self, old: &FileState, new: FileId, from: u64) -> io::Result<Copied> {
        let name = lines_name(old.head.id);
        let mut reader = self.disk.read(&name)?.take(old.end);
        let to = lines_name(new);
        // A copy that a crash cut short may be left.
        self.disk.remove(&to)?;
        let mut file = self.disk.create(&to)?;
        let mut copied = Copied { bytes: 0, crc: 0, first: 0 };
        let (mut at, mut whole_crc, mut in_first) = (0, 0, true);
        let mut buffer = vec![0; 1 << 18];
        loop {
            let read = reader.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            whole_crc = crc32c::crc32c_append(whole_crc, &buffer[..read]);
            let skipped = usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX).min(read);
            at += read as u64;
            let piece = &buffer[skipped..read];
            if in_first {
                let end = memchr::memchr(b'\n', piece);
                copied.first = crc32c::crc32c_append(copied.first, &piece[..end.unwrap_or(piece.len())]);
                in_first = end.is_none();
            }
            copied.crc = crc32c::crc32c_append(copied.crc, piece);
            copied.bytes += piece.len() as u64;
            file.append(piece)?;
        }
        if (at, whole_crc) != (old.end, old.crc) {
            let text = format!("{name} holds other bytes than were accepted");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        file.sync()?;
        self.disk.sync_folder("data")?;
        Ok(copied)
    }
}
