//! The ground truth: a record of each tweet that was handed to a socket, so that a test can tell what must be stored.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// One tweet that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) id: u64,
    pub(crate) created_ms: i64,
}

/// Counts tweets, and writes a line for each if there is a file.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    file: Option<Mutex<BufWriter<File>>>,
    sent: AtomicU64,
}

impl Truth {
    /// Creates the file, or truncates it.
    ///
    /// # Errors
    /// If it cannot be created.
    pub(crate) fn create(path: &Path) -> io::Result<Truth> {
        let file = BufWriter::new(File::create(path)?);
        Ok(Truth { file: Some(Mutex::new(file)), sent: AtomicU64::new(0) })
    }

    /// Records what `connection` was sent. The lines are in the file, not synced, when this returns.
    pub(crate) fn record(&self, connection: u64, sent: &[Sent]) {
        self.sent.fetch_add(sent.len() as u64, Ordering::Relaxed);
        let Some(file) = &self.file else { return };
        let mut file = file.lock();
        let written = sent
            .iter()
            .try_for_each(|one| writeln!(file, "{}\t{}\t{connection}", one.id, one.created_ms))
            .and_then(|()| file.flush());
        if let Err(error) = written {
            tracing::error!(%error, "cannot write the ground truth; it is not complete");
        }
    }

    /// Tweets sent so far, over all connections, repeats included.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}
