//! A simulator of the X API as a process, and the tweets that it sent.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::program::{Ended, Place, Program};

/// A running simulator. It ends with the test.
pub(crate) struct Simulator {
    program: Program,
    pub(crate) url: String,
    truth: PathBuf,
}

/// A tweet that was handed to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) id: u64,
    pub(crate) created_ms: i64,
    pub(crate) connection: u64,
}

impl Simulator {
    /// Starts one with these options.
    pub(crate) fn start(place: &Place, options: &str) -> Simulator {
        let program = place.start(&format!("simulate --listen 127.0.0.1:0 --truth truth.txt {options}"));
        let line = program.line("listening on ");
        let url = line.rsplit(' ').next().expect("the line holds the address").to_owned();
        Simulator { program, url, truth: place.path("truth.txt") }
    }

    /// What was sent so far, in order.
    pub(crate) fn truth(&self) -> Vec<Sent> {
        let text = std::fs::read_to_string(&self.truth).expect("the truth is a text file");
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(read).collect()
    }

    /// The ids that were sent so far, in order, by connection.
    pub(crate) fn by_connection(&self) -> BTreeMap<u64, Vec<u64>> {
        let mut ids: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for sent in self.truth() {
            ids.entry(sent.connection).or_default().push(sent.id);
        }
        ids
    }

    pub(crate) fn stop(self) -> Ended {
        self.program.stop()
    }
}

fn read(line: &str) -> Sent {
    let mut fields = line.split('\t');
    let mut field = || fields.next().expect("three fields");
    Sent {
        id: field().parse().expect("an id"),
        created_ms: field().parse().expect("a time"),
        connection: field().parse().expect("a number"),
    }
}
