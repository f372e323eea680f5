//! Replays a file: its lines as they are, v1.1 lines on v1.1 streams and v2 lines on v2 streams.
//!
//! Lines are not matched against rules and not changed. The file is read as it is sent, never whole.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use serde::Deserialize;

use super::truth::Sent;

/// A line of the file.
#[derive(Debug, Clone)]
pub(crate) struct ReplayLine {
    /// Its bytes, without the line end.
    pub(crate) bytes: Bytes,
    /// Whether it has v2's form.
    pub(crate) is_v2: bool,
    /// What is noted when it is sent; `None` where it is no tweet.
    pub(crate) sent: Option<Sent>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Head {
    id_str: Option<String>,
    timestamp_ms: Option<String>,
    data: Option<Data>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Data {
    id: Option<String>,
    created_at: Option<jiff::Timestamp>,
}

/// Reads lines from a file, plain or packed.
pub(crate) struct Replay {
    input: Box<dyn BufRead + Send>,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Replay")
    }
}

impl Replay {
    /// Opens the file; `.gz` and `.zst` are unpacked on the way.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(path: &Path) -> io::Result<Replay> {
        let file = File::open(path)?;
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let input: Box<dyn Read + Send> = match ending {
            "gz" => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(file))),
            "zst" => Box::new(zstd::stream::read::Decoder::new(file)?),
            _ => Box::new(file),
        };
        Ok(Replay { input: Box::new(BufReader::with_capacity(1 << 18, input)) })
    }

    /// The next line that is not blank; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read on.
    pub(crate) fn next(&mut self) -> io::Result<Option<ReplayLine>> {
        loop {
            let mut line = Vec::new();
            if self.input.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            while line.last().is_some_and(u8::is_ascii_whitespace) {
                line.pop();
            }
            if !line.is_empty() {
                return Ok(Some(classify(line)));
            }
        }
    }
}

fn classify(line: Vec<u8>) -> ReplayLine {
    let head: Head = serde_json::from_slice(&line).unwrap_or_default();
    let is_v2 = head.data.is_some();
    let (id, created_ms) = match head.data {
        Some(data) => (data.id, data.created_at.map(jiff::Timestamp::as_millisecond)),
        None => (head.id_str, head.timestamp_ms.and_then(|ms| ms.parse().ok())),
    };
    let sent = id.and_then(|id| id.parse::<u64>().ok()).map(|id| {
        let snowflake = (id >> 22) as i64 + super::clock::SNOWFLAKE_EPOCH_MS;
        Sent { id, created_ms: created_ms.unwrap_or(snowflake) }
    });
    ReplayLine { bytes: Bytes::from(line), is_v2, sent }
}
