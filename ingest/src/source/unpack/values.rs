//! Values of JSON as lines, and pages as one line a tweet.
//!
//! A value is held until it is whole, up to [`PAGE_BYTES`], to see whether it is a page; a longer one goes on as it comes, and the
//! framing behind bounds it like any line. A page gives its lines one by one: together they may be many times its size.

use std::io::{self, ErrorKind, Read};
use std::sync::LazyLock;

use cauce_lake::tweet::page::Page;
use memchr::memmem::Finder;

use crate::source::reframe::Reframer;

/// Bytes of one read.
const READ_BYTES: usize = 64 << 10;
/// The largest page that is taken apart. The API's largest has 500 tweets, about 5 MB.
const PAGE_BYTES: usize = 32 << 20;
/// Lines of a page that are made at once, in bytes.
const READY_BYTES: usize = 256 << 10;

/// Reads text in any layout, gives lines.
pub(super) struct Values<R> {
    reader: R,
    reframer: Option<Reframer>,
    buffer: Box<[u8]>,
    /// Lines that are not yet looked at, the last one perhaps not whole.
    lines: Vec<u8>,
    looked: usize,
    /// Up to here there is no line end behind `looked`.
    searched: usize,
    /// Set inside a value that is too long for a page.
    is_long: bool,
    page: Option<(Page, usize)>,
    ready: Vec<u8>,
    at: usize,
    end: Option<io::Result<()>>,
}

impl<R: Read> Values<R> {
    pub(super) fn new(reader: R) -> Values<R> {
        Values {
            reader,
            reframer: Some(Reframer::new()),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            lines: Vec::new(),
            looked: 0,
            searched: 0,
            is_long: false,
            page: None,
            ready: Vec::new(),
            at: 0,
            end: None,
        }
    }

    /// Bytes that are held, for tests.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.lines.capacity() + self.ready.capacity() + self.page.as_ref().map_or(0, |(page, _)| page.bytes())
    }

    /// Makes more ready; false where nothing more comes.
    fn advance(&mut self) -> bool {
        self.ready.clear();
        self.at = 0;
        if self.page.is_some() {
            self.write_page();
            return true;
        }
        let search = self.searched.max(self.looked);
        if let Some(length) = memchr::memchr(b'\n', &self.lines[search..]) {
            self.line(search - self.looked + length + 1);
            return true;
        }
        if self.lines.len() - self.looked > PAGE_BYTES || self.is_long {
            self.is_long = true;
            self.ready.extend(self.lines.drain(..).skip(self.looked));
            (self.looked, self.searched) = (0, 0);
            if !self.ready.is_empty() {
                return true;
            }
        }
        self.lines.drain(..self.looked);
        self.looked = 0;
        self.searched = self.lines.len();
        let Some(reframer) = &mut self.reframer else {
            std::mem::swap(&mut self.ready, &mut self.lines);
            self.searched = 0;
            return !self.ready.is_empty();
        };
        match self.reader.read(&mut self.buffer) {
            Ok(0) => self.end = Some(Ok(())),
            Ok(count) => reframer.push(&self.buffer[..count], &mut self.lines),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.end = Some(Err(error)),
        }
        if self.end.is_some()
            && let Some(reframer) = self.reframer.take()
        {
            reframer.finish(&mut self.lines);
        }
        true
    }

    /// Takes all whole lines up to the next page.
    fn line(&mut self, first: usize) {
        let mut length = first;
        loop {
            let line = &self.lines[self.looked..self.looked + length];
            if !std::mem::take(&mut self.is_long) && may_be_page(line) {
                match Page::read(line[..length - 1].to_vec()) {
                    Ok(page) => {
                        self.looked += length;
                        self.page = Some((page, 0));
                        return;
                    }
                    Err(_) => self.ready.extend_from_slice(&self.lines[self.looked..self.looked + length]),
                }
            } else {
                self.ready.extend_from_slice(&self.lines[self.looked..self.looked + length]);
            }
            self.looked += length;
            match memchr::memchr(b'\n', &self.lines[self.looked..]) {
                Some(next) => length = next + 1,
                None => return,
            }
        }
    }

    fn write_page(&mut self) {
        let Some((page, tweet)) = &mut self.page else { return };
        while *tweet < page.len() && self.ready.len() < READY_BYTES {
            page.write_line(*tweet, &mut self.ready);
            self.ready.push(b'\n');
            *tweet += 1;
        }
        if *tweet == page.len() {
            self.page = None;
        }
    }
}

/// Whether a line may be a page; most lines are none, and this is cheaper than to read them.
fn may_be_page(line: &[u8]) -> bool {
    static LISTS: LazyLock<[Finder<'static>; 2]> =
        LazyLock::new(|| [Finder::new("\"data\""), Finder::new("\"statuses\"")]);
    LISTS.iter().any(|list| {
        list.find_iter(line).any(|at| {
            let behind = line[at + list.needle().len()..].iter().filter(|byte| !byte.is_ascii_whitespace());
            behind.take(2).eq(b":[")
        })
    })
}

impl<R: Read> Read for Values<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() {
            if !self.advance() {
                return self.end.take().unwrap_or(Ok(())).map(|()| 0);
            }
        }
        let count = buffer.len().min(self.ready.len() - self.at);
        buffer[..count].copy_from_slice(&self.ready[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
