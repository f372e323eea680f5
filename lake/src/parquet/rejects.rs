//! The lines of an hour that did not read, one JSON object each, so that nothing is dropped in silence.
//!
//! | member | value |
//! |---|---|
//! | `object` | key of the object in the lake |
//! | `lake` | of several lakes read as one, which, counted from 0 |
//! | `line` | number of the line in it, from 1 |
//! | `offset` | decoded bytes of the object before the line |
//! | `reason` | why it did not read |
//! | `length` | bytes of the line |
//! | `bytes` | the line's first 64 KiB, base64 |

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::spill::{Folder, Spill, Spilled};
use crate::scan::RejectedLine;

/// A line of the file.
#[derive(Serialize)]
struct Reject<'a> {
    object: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lake: Option<usize>,
    line: u64,
    offset: u64,
    reason: String,
    length: u64,
    bytes: String,
}

/// The rejects of an hour. Nothing touches the disk before the first.
pub(super) struct Rejects {
    folder: Folder,
    spill: Option<Spill>,
}

impl Rejects {
    pub(super) fn new(folder: &Folder) -> Rejects {
        Rejects { folder: folder.clone(), spill: None }
    }

    /// Adds a line of the lake with this index; `None` where there is only one.
    pub(super) fn add(&mut self, line: &RejectedLine, lake: Option<usize>) -> io::Result<()> {
        if self.spill.is_none() {
            self.spill = Some(Spill::new(&self.folder)?);
        }
        let spill = self.spill.as_mut().expect("it was just made");
        let reject = Reject {
            object: line.key.as_str(),
            lake,
            line: line.line,
            offset: line.offset,
            reason: line.reason.to_string(),
            length: line.line_bytes,
            bytes: STANDARD.encode(&line.bytes),
        };
        serde_json::to_writer(&mut *spill, &reject)?;
        spill.write_all(b"\n")
    }

    /// The whole file; `None` where every line read.
    pub(super) fn finish(self) -> io::Result<Option<Spilled>> {
        self.spill.map(Spill::finish).transpose()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::Value;

    use super::*;
    use crate::store::{Body, Key};
    use crate::table::RejectReason;

    #[test]
    fn a_reject_is_written_with_its_place_and_its_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut rejects = Rejects::new(&Folder::Elsewhere(folder.path().into()));
        let line = RejectedLine {
            source: 0,
            key: Key::new("11-22-05/a.json").expect("a key"),
            line: 3,
            offset: 99,
            reason: RejectReason::TooLarge,
            bytes: Bytes::from_static(b"{\xff"),
            line_bytes: 70_000,
        };
        for lake in [None, Some(1)] {
            rejects.add(&line, lake).expect("the disk takes it");
        }
        let spilled = rejects.finish().expect("whole").expect("there were some");
        let Body::File { path, .. } = &spilled.body else { panic!("no file") };
        let text = std::fs::read_to_string(path).expect("JSON lines");
        let read: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let reason = RejectReason::TooLarge.to_string();
        let wanted = serde_json::json!({"object": "11-22-05/a.json", "line": 3, "offset": 99, "reason": reason, "length": 70_000, "bytes": "e/8="});
        assert_eq!((&read[0], &read[1]["lake"]), (&wanted, &1.into()));
    }

    #[test]
    fn without_rejects_there_is_no_file() {
        let rejects = Rejects::new(&Folder::Elsewhere("/nowhere".into()));
        assert!(rejects.finish().expect("nothing to write").is_none());
    }
}
