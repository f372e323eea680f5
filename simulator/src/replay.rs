//! Replays a file: its lines unchanged, v1.1 lines on v1.1 streams and v2 lines on v2 streams.
//!
//! Lines are not matched against rules. The file is read as it is sent, never as a whole.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use cauce_lake::tweet::{Api, LineKind, scan};

use crate::truth::Sent;

/// A line of the file.
#[derive(Debug, Clone)]
pub(crate) struct ReplayLine {
    /// Without line end.
    pub(crate) bytes: Bytes,
    pub(crate) is_v2: bool,
    /// What is recorded when it is sent; `None` if it is not a tweet.
    pub(crate) sent: Option<Sent>,
}

/// Reads lines of a file, plain or compressed.
pub(crate) struct Replay {
    input: Box<dyn BufRead + Send>,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Replay")
    }
}

impl Replay {
    /// Opens the file; `.gz` and `.zst` are decompressed while it is read.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub(crate) fn open(path: &Path) -> io::Result<Replay> {
        let file = File::open(path)?;
        let input: Box<dyn Read + Send> = match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(file))),
            Some("zst") => Box::new(zstd::stream::read::Decoder::new(file)?),
            _ => Box::new(file),
        };
        Ok(Replay { input: Box::new(BufReader::with_capacity(1 << 18, input)) })
    }

    /// The next line that is not blank; `None` at the end.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<ReplayLine>> {
        loop {
            let mut line = Vec::new();
            if self.input.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            line.truncate(line.trim_ascii_end().len());
            let (is_v2, sent) = match scan(&line) {
                LineKind::Blank => continue,
                LineKind::Tweet(head) => {
                    let created_ms = head.created_at_ms.unwrap_or_default();
                    (head.api == Api::V2, Some(Sent { id: head.id, created_ms }))
                }
                LineKind::Message(_) | LineKind::Control(_) | LineKind::Reject(_) => (false, None),
            };
            return Ok(Some(ReplayLine { bytes: line.into(), is_v2, sent }));
        }
    }
}
