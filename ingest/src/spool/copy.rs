//! [3] Lines copied into a new file of the spool: the rest of a file, the good beginning of a damaged one, what is left of a
//! file or an object when duplicates are taken out.
//!
//! A copy is written and synced as `data/<file>.copy`. One journal frame says what file it is and, where another file's lines
//! are in it, that the other one is done with; then it is renamed to `data/<file>.lines`. A crash before the frame leaves a
//! `.copy` that no entry names: the next start removes it. A crash between frame and rename leaves a `.copy` of a file that the journal
//! names: recovery reads the lines there and finishes the rename. So each line is in exactly one file that the journal
//! speaks for, at any moment.

use std::io::{self, BufRead, BufReader};
use std::sync::Arc;

use super::disk::{Disk, DiskFile};
use super::entry::{Append, Entry, FileHead, FileId, MessageCounts, Role};
use super::folder::{copy_name, lines_at};
use super::recovery::Point;
use super::state::FileState;
use super::{Spool, SpoolError};
use cauce_lake::Hour;
use cauce_lake::tweet::{LineKind, scan};

/// Bytes that are gathered before they are written.
const PIECE_BYTES: usize = 1 << 18;

/// A copy being written.
pub struct Copy {
    disk: Arc<dyn Disk>,
    file: Box<dyn DiskFile>,
    buffer: Vec<u8>,
    /// When the lines of the source arrived, and how many of them were passed.
    arrivals: Vec<(i64, u64)>,
    passed: u64,
    append: Append,
    first_crc: Option<u32>,
}

/// A copy that is durable under its staging name.
pub struct Copied {
    pub(super) append: Append,
    /// CRC32C of its first line; 0 where it has none.
    pub(super) first_crc: u32,
    /// Lines of the source that were left out.
    pub(super) left_out: u64,
}

impl Copied {
    /// Its lines.
    pub fn lines(&self) -> u64 {
        self.append.lines
    }

    /// Lines of the source that were left out.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

/// A line's tweet id, where it is a tweet.
pub(super) fn tweet_id(line: &[u8]) -> Option<u64> {
    match scan(line) {
        LineKind::Tweet(head) => Some(head.id),
        _ => None,
    }
}

impl Copy {
    fn begin(disk: Arc<dyn Disk>, id: FileId, arrivals: Vec<(i64, u64)>) -> io::Result<Copy> {
        let name = copy_name(id);
        // One that was given up may be left.
        disk.remove(&name)?;
        let file = disk.create(&name)?;
        let (ids, messages) = (Vec::new(), MessageCounts::default());
        let append = Append { id, end: 0, lines: 0, crc: 0, arrivals: Vec::new(), ids, messages };
        Ok(Copy { disk, file, buffer: Vec::new(), arrivals, passed: 0, append, first_crc: None })
    }

    /// Passes the next line of the source, given without its line end, and takes it if it is `kept`. `id` is that of its tweet.
    ///
    /// # Errors
    /// When the disk failed.
    pub fn pass(&mut self, line: &[u8], id: Option<u64>, kept: bool) -> io::Result<()> {
        let number = self.passed;
        self.passed += 1;
        if !kept {
            return Ok(());
        }
        let append = &mut self.append;
        append.lines += 1;
        append.ids.extend(id);
        let at = self.arrivals.partition_point(|(_, so_far)| *so_far <= number);
        if let Some((second, _)) = self.arrivals.get(at) {
            match append.arrivals.last_mut() {
                Some(last) if last.0 == *second => last.1 = append.lines,
                _ => append.arrivals.push((*second, append.lines)),
            }
        }
        self.first_crc.get_or_insert_with(|| crc32c::crc32c(line));
        self.buffer.extend_from_slice(line);
        self.buffer.push(b'\n');
        if self.buffer.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.append(&self.buffer)?;
        self.append.crc = crc32c::crc32c_append(self.append.crc, &self.buffer);
        self.append.end += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn end(mut self) -> io::Result<Copied> {
        if self.append.lines == 0 {
            self.disk.remove(&copy_name(self.append.id))?;
        } else {
            self.flush()?;
            self.file.sync()?;
            self.disk.sync_folder("data")?;
        }
        let left_out = self.passed - self.append.lines;
        Ok(Copied { append: self.append, first_crc: self.first_crc.unwrap_or(0), left_out })
    }
}

impl Spool {
    /// Begins a copy of lines that arrived so (seconds since the epoch, lines so far). It becomes the spool's next file, so one is
    /// written at a time.
    ///
    /// # Errors
    /// When the disk failed.
    pub fn begin_copy(&mut self, arrivals: Vec<(i64, u64)>) -> Result<Copy, SpoolError> {
        let id = self.state.next_id;
        self.guarded("make a copy", |spool| Copy::begin(Arc::clone(&spool.disk), id, arrivals))
    }

    /// Makes a copy durable.
    ///
    /// # Errors
    /// When the disk failed.
    pub fn end_copy(&mut self, copy: Copy) -> Result<Copied, SpoolError> {
        self.guarded("write a copy", |_| copy.end())
    }

    /// Removes a copy that nothing is to be made of.
    ///
    /// # Errors
    /// When the disk failed.
    pub fn drop_copy(&mut self, copy: Copy) -> Result<(), SpoolError> {
        self.remove_copy(copy.append.id)
    }

    /// As [`Spool::drop_copy`], for a copy that is durable.
    ///
    /// # Errors
    /// When the disk failed.
    pub fn drop_copied(&mut self, copied: Copied) -> Result<(), SpoolError> {
        self.remove_copy(copied.append.id)
    }

    fn remove_copy(&mut self, id: FileId) -> Result<(), SpoolError> {
        self.guarded("remove a copy", |spool| spool.disk.remove(&copy_name(id)))
    }

    /// Copies those of a file's lines that `keep` wants, by their number and tweet id; ids are read from tweets only. `name` is where the lines
    /// are, `good` how many of them check out.
    pub(super) fn copy_lines(
        &mut self,
        file: &FileState,
        name: &str,
        good: Point,
        mut keep: impl FnMut(u64, Option<u64>) -> bool,
    ) -> Result<Copied, SpoolError> {
        let mut copy = self.begin_copy(file.arrivals.clone())?;
        let is_tweet = file.head.target.role == Role::Tweets;
        self.guarded("copy lines of a data file", |spool| {
            let crc = each_line(&*spool.disk, name, good.end, |number, line| {
                let id = if is_tweet { tweet_id(line) } else { None };
                copy.pass(line, id, keep(number, id))
            })?;
            if (crc, copy.passed) != (good.crc, good.lines) {
                let text = format!("{name} holds other bytes than were accepted");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            Ok(())
        })?;
        self.end_copy(copy)
    }

    /// Stages that a copy is a file of this head, whose lines are `messages`, and that lines left out of it are duplicates of an hour.
    /// Stages no file where the copy has no line.
    pub fn stage_copy(
        &mut self,
        head: &FileHead,
        copied: Copied,
        messages: MessageCounts,
        duplicates: Option<(Hour, u64)>,
    ) {
        let has_lines = copied.append.lines > 0;
        let append = Append { messages, ..copied.append };
        append.ids.iter().for_each(|id| self.ids.insert(*id));
        if has_lines {
            debug_assert_eq!(head.id, append.id, "a copy becomes the file that it was begun for");
            self.copies.push(head.id);
            self.stage(Entry::Created(head.clone()));
        }
        self.stage(Entry::Appended {
            // Nothing arrived: a later time here would shorten the gap that a stop is.
            at_ms: self.state.last_ms,
            max_event_ms: None,
            files: if has_lines { vec![append] } else { Vec::new() },
            duplicates: duplicates
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(|(hour, count)| (Some(hour), count))
                .collect(),
            rejects: Vec::new(),
            positions: Vec::new(),
        });
    }

    /// Gives copies the names of files. The frame that speaks for them is durable.
    pub(super) fn name_copies(&mut self) -> Result<(), SpoolError> {
        for id in std::mem::take(&mut self.copies) {
            self.folder_changed = true;
            self.guarded("name a copy", |spool| spool.disk.rename(&copy_name(id), &super::folder::lines_name(id)))?;
        }
        Ok(())
    }

    /// Where a file's lines are: a copy has its staging name until the frame that speaks for it is durable.
    pub(super) fn lines_at(&self, id: FileId) -> io::Result<String> {
        lines_at(&*self.disk, id)
    }
}

/// Calls for each of the lines in a file's first `end` bytes, without its line end, and returns the bytes' CRC32C.
pub(super) fn each_line(
    disk: &dyn Disk,
    name: &str,
    end: u64,
    mut look: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<u32> {
    let mut reader = BufReader::with_capacity(PIECE_BYTES, io::Read::take(disk.read(name)?, end));
    let (mut line, mut crc, mut number) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(crc);
        }
        crc = crc32c::crc32c_append(crc, &line);
        look(number, line.strip_suffix(b"\n").unwrap_or(&line))?;
        number += 1;
    }
}
