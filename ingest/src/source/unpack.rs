//! From the bytes of an input to lines of JSON: decompression, encoding and layout by what [`super::recognise`] finds, in layers.
//!
//! Each layer is a reader around the one below. Memory is bounded by each decoder's window (gzip 32 KiB, bzip2 4 MB, xz and zstd
//! 128 MiB), the first bytes that are looked at, and one page of results, whatever an input decompresses to. Plain lines in UTF-8
//! pass through untouched.

mod gzip;
mod head;
mod lzma;
mod utf16;
mod values;

use std::fmt;
use std::io::{self, BufReader, Read};

use self::head::Head;
use super::batches::RejectedLine;
use super::recognise::{self, Container, Encoding, Form, HEAD_BYTES, Layout, Refusal};

/// Bytes on disk of one read where a decoder stands between.
const RAW_BYTES: usize = 128 << 10;
/// The largest window of xz, with some room for its tables.
const XZ_MEMORY: u64 = (128 << 20) + (16 << 20);
/// Layers of compression around a text.
const MAX_LAYERS: usize = 3;

/// Why an input is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is of a kind that is refused.
    #[error("{0}")]
    Refused(Refusal),
    /// Its bytes cannot be read.
    #[error(transparent)]
    Broken(#[from] io::Error),
    /// A line of it is a reject, and `source.on_reject` says that none may be.
    #[error("{0}")]
    Rejected(RejectedLine),
}

/// What an input is, layer by layer from the outside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    layers: Vec<&'static str>,
    is_wide: bool,
    form: Option<Form>,
}

impl Kind {
    /// Whether its lines are those of the input, byte for byte.
    pub(crate) fn is_plain(&self) -> bool {
        !self.is_wide && self.form.is_none_or(|form| form.layout == Layout::Lines)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(form) = self.form {
            write!(f, "{form}")?;
            separator = ", in ";
        }
        if self.is_wide {
            write!(f, "{separator}UTF-16")?;
            separator = " in ";
        }
        for layer in self.layers.iter().rev() {
            write!(f, "{separator}{layer}")?;
            separator = " in ";
        }
        Ok(())
    }
}

/// An opened input.
pub(crate) enum Opened<'r> {
    /// Lines, decoded.
    Lines(Box<dyn Read + 'r>, Kind),
    /// A tar, decompressed.
    Tar(Box<dyn Read + 'r>, Kind),
    /// A zip, not inside of anything.
    Zip,
}

/// Finds out what `reader` gives and puts the layers around it that it needs. Reads no more than it has to.
///
/// # Errors
/// When it cannot be read, or is of a kind that is refused.
pub(crate) fn open<'r>(reader: impl Read + 'r) -> Result<Opened<'r>, Unreadable> {
    let mut layers = Vec::new();
    let mut reader: Box<dyn Read + 'r> = Box::new(reader);
    loop {
        let mut head = Head::new(reader);
        let container = head.decide_at(recognise::ZEROS_BYTES, recognise::container)?;
        if layers.len() == MAX_LAYERS && !matches!(container, Container::Text | Container::Tar) {
            return Err(Unreadable::Refused(Refusal::Layers));
        }
        if container == Container::Zstd
            && let Some(bytes) = zstd_window(head.ahead())
            && bytes > 128 << 20
        {
            return Err(Unreadable::Refused(Refusal::Window(bytes)));
        }
        let raw = |head| BufReader::with_capacity(RAW_BYTES, head);
        reader = match container {
            Container::Gzip => Box::new(gzip::Gzip::new(raw(head))),
            Container::Zstd => Box::new(zstd::Decoder::with_buffer(raw(head))?),
            Container::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(raw(head))),
            Container::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED);
                let stream = stream.map_err(io::Error::from)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(raw(head), stream))
            }
            Container::Lzma => Box::new(lzma::Lzma::new(raw(head))?),
            Container::Zip if layers.is_empty() => return Ok(Opened::Zip),
            Container::Zip => return Err(Unreadable::Refused(Refusal::UnseekableZip)),
            Container::Tar => {
                layers.push("tar");
                return Ok(Opened::Tar(Box::new(head), Kind { layers, is_wide: false, form: None }));
            }
            Container::Text => return text(head, layers),
        };
        layers.push(match container {
            Container::Gzip => "gzip",
            Container::Zstd => "zstd",
            Container::Bzip2 => "bzip2",
            Container::Lzma => "lzma",
            _ => "xz",
        });
    }
}

fn text<'r>(mut head: Head<Box<dyn Read + 'r>>, layers: Vec<&'static str>) -> Result<Opened<'r>, Unreadable> {
    let encoding = head.decide(4, recognise::encoding)?;
    let is_wide = matches!(encoding, Encoding::Utf16 { .. });
    let mut head = match encoding {
        Encoding::Utf8 => head,
        Encoding::Utf8Bom => {
            head.skip(3);
            head
        }
        Encoding::Utf16 { is_big_endian, has_bom } => {
            head.skip(if has_bom { 2 } else { 0 });
            Head::new(Box::new(utf16::Utf16::new(head, is_big_endian)) as Box<dyn Read + 'r>)
        }
    };
    let form = head.decide_at(HEAD_BYTES, recognise::text)?;
    let kind = Kind { layers, is_wide, form: Some(form) };
    let lines: Box<dyn Read + 'r> =
        if form.layout == Layout::Lines { Box::new(head) } else { Box::new(values::Values::new(head)) };
    Ok(Opened::Lines(lines, kind))
}

/// The window that a zstd frame asks for (RFC 8878, section 3.1.1.1); `None` where its header does not say.
fn zstd_window(head: &[u8]) -> Option<u64> {
    let (&descriptor, &window) = (head.get(4)?, head.get(5)?);
    if !head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || descriptor & 0x20 != 0 {
        return None;
    }
    let base = 1u64 << (10 + (window >> 3));
    Some(base + base / 8 * u64::from(window & 7))
}

#[cfg(test)]
mod tests;
