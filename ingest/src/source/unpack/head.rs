//! A reader whose first bytes can be looked at before they are read.

use std::io::{self, ErrorKind, Read};

use super::Unreadable;
use crate::source::recognise::Verdict;

/// Bytes of one read ahead, at most.
const STEP_BYTES: usize = 16 << 10;

/// A reader with the bytes that were read ahead.
pub(super) struct Head<R> {
    bytes: Vec<u8>,
    at: usize,
    reader: R,
    /// The end that was met while looking ahead.
    end: Option<io::Result<()>>,
}

impl<R: Read> Head<R> {
    pub(super) fn new(reader: R) -> Head<R> {
        Head { bytes: Vec::new(), at: 0, reader, end: None }
    }

    /// What was read ahead.
    pub(super) fn ahead(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// Leaves out bytes that were read ahead.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Reads ahead until `judge`, which gets the bytes and whether they are all there are, can decide.
    pub(super) fn decide<T>(
        &mut self,
        most: usize,
        judge: impl Fn(&[u8], bool) -> Verdict<T>,
    ) -> Result<T, Unreadable> {
        self.decide_at(most, |bytes, is_whole, is_full| judge(bytes, is_whole || is_full))
    }

    /// The same with a judge that also knows whether no more bytes will be looked at. What comes before a fault of the input is
    /// judged as if it were all; the fault is met when it is read.
    pub(super) fn decide_at<T>(
        &mut self,
        most: usize,
        judge: impl Fn(&[u8], bool, bool) -> Verdict<T>,
    ) -> Result<T, Unreadable> {
        // Twice as many bytes each time: a judge looks at all of them anew.
        let mut wanted = 1;
        loop {
            let is_full = self.ahead().len() >= most;
            let is_whole = self.end.is_some();
            if self.ahead().len() >= wanted || is_whole || is_full {
                match judge(self.ahead(), is_whole, is_full) {
                    Verdict::Is(found) => return Ok(found),
                    Verdict::Refused(refusal) => return Err(Unreadable::Refused(refusal)),
                    Verdict::More if is_whole || is_full => {
                        return Err(io::Error::other("its first bytes cannot be told").into());
                    }
                    Verdict::More => wanted = self.next_look(),
                }
            }
            self.read_ahead();
        }
    }

    /// After a line end it may be decided; else after as much again.
    fn next_look(&self) -> usize {
        let length = self.ahead().len();
        if self.ahead().last() == Some(&b'\n') || length < STEP_BYTES { length + 1 } else { length * 2 }
    }

    fn read_ahead(&mut self) {
        let length = self.bytes.len();
        self.bytes.resize(length + STEP_BYTES, 0);
        let outcome = loop {
            match self.reader.read(&mut self.bytes[length..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        self.bytes.truncate(length + outcome.as_ref().map_or(0, |&count| count));
        match outcome {
            Ok(0) => self.end = Some(Ok(())),
            Ok(_) => {}
            Err(error) => self.end = Some(Err(error)),
        }
    }
}

impl<R: Read> Read for Head<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at < self.bytes.len() {
            let count = buffer.len().min(self.bytes.len() - self.at);
            buffer[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
            self.at += count;
            if self.at == self.bytes.len() {
                (self.bytes, self.at) = (Vec::new(), 0);
            }
            return Ok(count);
        }
        match &self.end {
            Some(Ok(())) => Ok(0),
            Some(Err(_)) => self.end.replace(Ok(())).expect("it was just there").map(|()| 0),
            None => self.reader.read(buffer),
        }
    }
}
