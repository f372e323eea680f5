//! The `.lzma` format that came before xz. It has no checksum, and nothing may follow the end of its stream.

use std::io::{self, BufRead, Read};

use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;

use super::XZ_MEMORY;

/// A decoder that does not pass over bytes behind the end.
pub(super) struct Lzma<R: BufRead>(XzDecoder<R>);

impl<R: BufRead> Lzma<R> {
    pub(super) fn new(reader: R) -> io::Result<Lzma<R>> {
        let stream = Stream::new_lzma_decoder(XZ_MEMORY).map_err(io::Error::from)?;
        Ok(Lzma(XzDecoder::new_stream(reader, stream)))
    }
}

impl<R: BufRead> Read for Lzma<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        if count == 0 && !buffer.is_empty() && !self.0.get_mut().fill_buf()?.is_empty() {
            let text = "there are bytes behind the end of the .lzma stream; decompress the file first, with `xz -d`";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(count)
    }
}
