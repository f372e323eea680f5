//! The ground truth: one line a tweet that was handed to a socket, so that an outside oracle can say what must be stored.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// One tweet that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) id: u64,
    pub(crate) created_ms: i64,
}

/// Counts what was sent and writes it down where a file was named.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    file: Option<Mutex<BufWriter<File>>>,
    sent: AtomicU64,
}

impl Truth {
    /// Starts a new file, if one is named.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn create(path: Option<&Path>) -> io::Result<Truth> {
        let file = path.map(File::create).transpose()?.map(|file| Mutex::new(BufWriter::new(file)));
        Ok(Truth { file, sent: AtomicU64::new(0) })
    }

    /// Notes what `connection` was sent; on disk (not synced) when this returns.
    pub(crate) fn note(&self, connection: u64, sent: &[Sent]) {
        if sent.is_empty() {
            return;
        }
        self.sent.fetch_add(sent.len() as u64, Ordering::Relaxed);
        let Some(file) = &self.file else { return };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
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
