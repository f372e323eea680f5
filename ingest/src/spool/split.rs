//! [3] A file of which an object in the store holds the first lines already: the others go into a file of their own.

use std::fmt;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use super::disk::Disk;
use super::entry::{FileHead, FileId, MessageCounts};
use super::folder::lines_name;
use super::id_set::IdSet;
use super::recovery::Point;
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
    /// On an I/O error.
    pub fn open(&self) -> io::Result<BufReader<impl Read + Send + use<>>> {
        Ok(BufReader::with_capacity(1 << 16, self.disk.read(&self.name)?.take(self.bytes)))
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("name", &self.name).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Spool {
    /// Makes a file of a sealed file's lines from `lines` on, which are `messages`, without the tweets of `stored`, which are in the
    /// same object and count as duplicates, and returns its head, `None` where nothing is left, and the number of duplicates. The caller
    /// stages in the same group what becomes of the old file, with what its other messages are.
    ///
    /// # Errors
    /// On an I/O error, or when the file's bytes are not those that were accepted.
    pub fn split(
        &mut self,
        id: FileId,
        lines: u64,
        stored: &IdSet,
        messages: MessageCounts,
    ) -> Result<(Option<FileHead>, u64), SpoolError> {
        let old = self.state.files.get(&id).expect("the caller has looked it up").clone();
        let whole = Point { frame: 0, end: old.end, lines: old.lines, crc: old.crc };
        let is_stored = |id: u64| stored.contains(id);
        let copied = self.copy_lines(&old, &lines_name(id), whole, |number, tweet| {
            number >= lines && !tweet.is_some_and(is_stored)
        })?;
        let has_lines = copied.append.lines > 0;
        let key = route::rest_of(&old.head.key, lines, copied.first_crc);
        let head = FileHead { id: copied.append.id, key, ..old.head };
        let duplicates = copied.left_out - lines;
        self.stage_copy(&head, copied, messages, head.target.hour.map(|hour| (hour, duplicates)));
        Ok((has_lines.then_some(head), duplicates))
    }
}
