//! gzip with any number of members. Zeros behind a member are padding, as tapes and block devices leave it, and end nothing but it.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Decompresses all members.
pub(super) struct Gzip<R> {
    state: State<R>,
}

enum State<R> {
    Member(Box<GzDecoder<R>>),
    Between(R),
    Over,
}

impl<R: BufRead> Gzip<R> {
    pub(super) fn new(reader: R) -> Gzip<R> {
        Gzip { state: State::Member(Box::new(GzDecoder::new(reader))) }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match &mut self.state {
                State::Over => return Ok(0),
                State::Member(decoder) => {
                    let count = decoder.read(buffer)?;
                    if count > 0 {
                        return Ok(count);
                    }
                    let State::Member(decoder) = std::mem::replace(&mut self.state, State::Over) else { return Ok(0) };
                    self.state = State::Between(decoder.into_inner());
                }
                State::Between(reader) => {
                    let ahead = reader.fill_buf()?;
                    if ahead.is_empty() {
                        self.state = State::Over;
                        return Ok(0);
                    }
                    let zeros = ahead.iter().take_while(|byte| **byte == 0).count();
                    let is_padding = zeros == ahead.len();
                    reader.consume(zeros);
                    if !is_padding {
                        let State::Between(reader) = std::mem::replace(&mut self.state, State::Over) else {
                            return Ok(0);
                        };
                        self.state = State::Member(Box::new(GzDecoder::new(reader)));
                    }
                }
            }
        }
    }
}
