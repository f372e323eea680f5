//! Reads the lines of plain local files on a thread that may block: the bytes are still in the processor's cache when
//! the same thread decodes them, and no byte passes between threads.

use std::sync::Arc;

use super::content::{self, ChecksumCheck};
use super::cutter::Cutter;
use super::{LineBlock, ReadError, Source};
use crate::manifest::Codec;
use crate::object::ObjectRef;
use crate::store::{FileContent, Key, Store, StoreError};

/// The lines of sources that are all [plain files](is_plain_file), in order.
pub(crate) struct FileLines {
    sources: Arc<[Source]>,
    /// The index of the object that is read, or read next.
    object: usize,
    open: Option<(FileContent, ChecksumCheck)>,
    cutter: Cutter,
    max_line_bytes: usize,
    done: bool,
}

/// Whether [`FileLines`] can read a source.
pub(crate) fn is_plain_file(source: &Source) -> bool {
    matches!(source, Source::Object(store, object) if object.codec == Codec::None && store.files().is_some())
}

impl FileLines {
    /// Opens no file before the first line is requested.
    pub(crate) fn new(sources: Arc<[Source]>, max_line_bytes: usize) -> FileLines {
        let cutter = Cutter::new(0, max_line_bytes);
        FileLines { sources, object: 0, open: None, cutter, max_line_bytes, done: false }
    }

    /// The next block; `None` at the end and after an error. Blocks the thread.
    pub(crate) fn next(&mut self) -> Option<Result<LineBlock, ReadError>> {
        loop {
            if let Some(block) = self.cutter.pop() {
                return Some(Ok(block));
            }
            if self.done || self.object == self.sources.len() {
                return None;
            }
            // All whole lines before the one that is too long have been given.
            let failed = if self.cutter.is_too_long() {
                let (offset, max_line_bytes) = (self.cutter.offset(), self.max_line_bytes);
                ReadError::LineTooLong { key: self.key(), offset, max_line_bytes }
            } else {
                let Err(source) = self.step() else { continue };
                ReadError::Store { key: self.key(), offset: self.cutter.offset(), source }
            };
            self.done = true;
            self.open = None;
            return Some(Err(failed));
        }
    }

    /// Reads the next chunk, or opens the next file.
    fn step(&mut self) -> Result<(), StoreError> {
        let Some((open, check)) = &mut self.open else {
            self.cutter = Cutter::new(self.object, self.max_line_bytes);
            self.open = Some(self.begin()?);
            return Ok(());
        };
        match open.chunks.next() {
            Some(chunk) => {
                let chunk = chunk?;
                check.update(&chunk);
                self.cutter.push(&chunk);
            }
            None => {
                check.finish()?;
                self.cutter.finish();
                self.open = None;
                self.object += 1;
            }
        }
        Ok(())
    }

    fn key(&self) -> Key {
        self.sources[self.object].key().clone()
    }

    fn source(&self) -> (&Arc<dyn Store>, &ObjectRef) {
        match &self.sources[self.object] {
            Source::Object(store, object) => (store, object),
            Source::Unreadable { .. } => unreachable!("all sources are plain files"),
        }
    }

    fn begin(&self) -> Result<(FileContent, ChecksumCheck), StoreError> {
        let (store, object) = self.source();
        let open = store.files().expect("all sources are plain files").open(&object.key)?;
        if open.bytes == object.bytes {
            return Ok((open, ChecksumCheck::of(&**store, object)));
        }
        Err(content::another_length(&**store, object, open.bytes))
    }
}
