//! The lines of some objects on their way to Python: opened from entries of a lake, handed out one by one with the place where
//! each stands. Used by everything that reads lines; what becomes of a line is decided there.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cauce_lake::Lakes;
use cauce_lake::catalogue::HourEntry;
use cauce_lake::read::{self, LineBlock, ReadError, ReadOptions, Source};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use crate::errors;
use crate::feed::Feed;
use crate::process::Process;

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinePlace {
    /// Which of the objects.
    pub(crate) object: usize,
    /// The line in it, counted from 1.
    pub(crate) line: u64,
    /// Decoded bytes before it.
    pub(crate) offset: u64,
}

/// Lines as they come.
pub(crate) struct LineSource {
    keys: Vec<Arc<str>>,
    feed: Feed<Result<LineBlock, ReadError>>,
    /// What is there and not yet given out. Who holds it makes no Python object but bytes and strings, which run no code.
    cursor: Mutex<Cursor>,
}

impl LineSource {
    /// Begins to read the objects of these entries; with `late` those of their late tweets.
    pub(crate) fn open(
        py: Python<'_>,
        process: &'static Process,
        lakes: &Lakes,
        entries: &[Arc<HourEntry>],
        late: bool,
        options: &ReadOptions,
    ) -> LineSource {
        let sources: Vec<Source> = entries.iter().flat_map(|entry| lakes.sources(entry, late)).collect();
        let keys = sources.iter().map(|source| Arc::from(source.key().as_str())).collect();
        let blocks = read::lines(sources, options);
        let feed = Feed::start(py, process, blocks, |block| block.as_ref().map_or(0, |block| block.bytes().len()));
        LineSource { keys, feed, cursor: Mutex::default() }
    }

    /// The next line, made into something; `None` at the end.
    ///
    /// # Errors
    /// When an object cannot be read; nothing comes after it.
    pub(crate) fn next<T>(&self, py: Python<'_>, make: impl Fn(&[u8]) -> T) -> PyResult<Option<T>> {
        loop {
            if let Some(made) = self.cursor(py).next(&make) {
                return Ok(Some(made));
            }
            if !self.refill(py)? {
                return Ok(None);
            }
        }
    }

    /// The next line and its place; `None` at the end.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(crate) fn next_at(&self, py: Python<'_>) -> PyResult<Option<(Bytes, LinePlace)>> {
        loop {
            if let Some(line) = self.cursor(py).next_at() {
                return Ok(Some(line));
            }
            if !self.refill(py)? {
                return Ok(None);
            }
        }
    }

    /// The next block as it was read; `None` at the end. Not to be mixed with lines.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(crate) fn next_block(&self, py: Python<'_>) -> PyResult<Option<Bytes>> {
        match self.feed.next(py)? {
            None => Ok(None),
            Some(Ok(block)) => Ok(Some(block.bytes().clone())),
            Some(Err(error)) => Err(self.fail(py, &error)),
        }
    }

    /// The object's name under the lake's root.
    pub(crate) fn key(&self, place: LinePlace) -> &str {
        &self.keys[place.object]
    }

    /// What is read, for a person.
    pub(crate) fn told(&self) -> String {
        match &self.keys[..] {
            [] => "no object".to_owned(),
            [key] => key.to_string(),
            [first, .., last] => format!("{} objects, {first} to {last}", self.keys.len()),
        }
    }

    /// Ends the reading; what is there is given up too.
    pub(crate) fn close(&self, py: Python<'_>) {
        self.feed.close();
        *self.cursor(py) = Cursor::default();
    }

    fn refill(&self, py: Python<'_>) -> PyResult<bool> {
        match self.feed.next(py)? {
            None => Ok(false),
            Some(Ok(block)) => {
                self.cursor(py).blocks.push_back(block);
                Ok(true)
            }
            Some(Err(error)) => Err(self.fail(py, &error)),
        }
    }

    /// What comes after an object that could not be read would look as if it were the rest.
    fn fail(&self, py: Python<'_>, error: &ReadError) -> PyErr {
        self.feed.close();
        errors::read(py, error)
    }

    fn cursor(&self, py: Python<'_>) -> MutexGuard<'_, Cursor> {
        self.cursor.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blocks that wait, and how far the first one is given out.
#[derive(Default)]
struct Cursor {
    blocks: VecDeque<LineBlock>,
    /// Bytes of the first block that are given out.
    at: usize,
    object: usize,
    /// Lines of the object that are given out.
    lines: u64,
}

impl Cursor {
    fn next_at(&mut self) -> Option<(Bytes, LinePlace)> {
        let (range, place) = self.advance()?;
        let block = self.blocks.front()?;
        Some((block.bytes().slice(range), place))
    }

    fn next<T>(&mut self, make: impl Fn(&[u8]) -> T) -> Option<T> {
        let (range, _) = self.advance()?;
        let block = self.blocks.front()?;
        Some(make(&block.bytes()[range]))
    }

    /// Goes on to the next line, which lies in the first block.
    fn advance(&mut self) -> Option<(Range<usize>, LinePlace)> {
        loop {
            let block = self.blocks.front()?;
            let rest = &block.bytes()[self.at..];
            if rest.is_empty() {
                self.blocks.pop_front();
                self.at = 0;
                continue;
            }
            if block.object() != self.object {
                self.object = block.object();
                self.lines = 0;
            }
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let place =
                LinePlace { object: self.object, line: self.lines + 1, offset: block.offset() + self.at as u64 };
            let range = self.at..self.at + length;
            self.lines += 1;
            self.at = (self.at + length + 1).min(block.bytes().len());
            return Some((range, place));
        }
    }
}
