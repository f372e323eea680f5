//! UTF-16 into UTF-8, piece by piece. A surrogate without its partner becomes the three bytes that UTF-8 forbids for it, so that
//! its line is a reject that keeps them, and nothing is replaced without a word.

use std::io::{self, ErrorKind, Read};

/// Bytes of one read.
const READ_BYTES: usize = 32 << 10;

/// Reads UTF-16, gives UTF-8.
pub(super) struct Utf16<R> {
    reader: R,
    is_big_endian: bool,
    buffer: Box<[u8]>,
    /// The first byte of a unit whose second one is still to come.
    half: Option<u8>,
    /// The first unit of a pair whose second one is still to come.
    high: Option<u16>,
    ready: Vec<u8>,
    at: usize,
    is_over: bool,
}

impl<R: Read> Utf16<R> {
    pub(super) fn new(reader: R, is_big_endian: bool) -> Utf16<R> {
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        Utf16 { reader, is_big_endian, buffer, half: None, high: None, ready: Vec::new(), at: 0, is_over: false }
    }

    fn take(&mut self, count: usize) {
        for index in 0..count {
            let byte = self.buffer[index];
            match self.half.take() {
                None => self.half = Some(byte),
                Some(first) => {
                    let bytes = [first, byte];
                    let unit = if self.is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
                    self.unit(unit);
                }
            }
        }
    }

    fn unit(&mut self, unit: u16) {
        if let Some(high) = self.high.take() {
            if (0xdc00..0xe000).contains(&unit) {
                let code = 0x10000 + ((u32::from(high) - 0xd800) << 10 | (u32::from(unit) - 0xdc00));
                let character = char::from_u32(code).expect("a pair of surrogates is a character");
                self.ready.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return;
            }
            self.lone(high);
        }
        match unit {
            0xd800..0xdc00 => self.high = Some(unit),
            0xdc00..0xe000 => self.lone(unit),
            _ => {
                let character = char::from_u32(u32::from(unit)).expect("no surrogate");
                self.ready.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }

    fn lone(&mut self, unit: u16) {
        let [high, low] = unit.to_be_bytes();
        self.ready.extend_from_slice(&[0xed, 0x80 | (high & 0x0f) << 2 | low >> 6, 0x80 | (low & 0x3f)]);
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() && !self.is_over {
            (self.at, self.is_over) = (0, false);
            self.ready.clear();
            match self.reader.read(&mut self.buffer) {
                Ok(0) => {
                    self.is_over = true;
                    if let Some(high) = self.high.take() {
                        self.lone(high);
                    }
                    // Half a unit: the byte as it is, which no line of UTF-8 holds behind a surrogate or ASCII.
                    self.ready.extend(self.half.take().map(|byte| byte | 0x80));
                }
                Ok(count) => self.take(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let count = buffer.len().min(self.ready.len() - self.at);
        buffer[..count].copy_from_slice(&self.ready[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
