//! A file's bytes in chunks, as a stream read away from the threads that drive sockets or one by one for a thread that may
//! block: large positioned reads into buffers that are used again once whoever read them lets go. Fresh memory would cost a page fault for every 4 KiB, a fifth of the reading.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::io_error;
use crate::store::{ByteStream, ErrorKind, StoreError};

/// How much of a file one step carries: enough that the hand-over between threads is nothing beside it, and little enough
/// that it still lies in the cache when its lines are looked at.
const CHUNK_BYTES: usize = 512 * 1024;
/// Buffers that are kept while nobody uses them, 8 MiB.
const MOST_KEPT: usize = 16;

/// Buffers of [`CHUNK_BYTES`] that wait for their next use.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<Box<[u8]>>>);

impl Buffers {
    fn take(&self) -> Box<[u8]> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| vec![0; CHUNK_BYTES].into_boxed_slice())
    }

    fn give_back(&self, buffer: Box<[u8]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST_KEPT {
            kept.push(buffer);
        }
    }
}

/// A buffer that goes back when the last [`Bytes`] over it is dropped.
struct Lent {
    buffer: Box<[u8]>,
    len: usize,
    home: Arc<Buffers>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.buffer));
    }
}

/// The bytes of a range of an open file. `path` is for messages.
pub(super) fn chunks(file: File, range: Range<u64>, path: PathBuf, buffers: Arc<Buffers>) -> ByteStream {
    let reading = Arc::new((file, path, buffers));
    let steps = stream::try_unfold((reading, range.start), move |(reading, at)| async move {
        let left = range.end.saturating_sub(at);
        if left == 0 {
            return Ok(None);
        }
        let step = Arc::clone(&reading);
        let read = tokio::task::spawn_blocking(move || next_chunk(&step, at, left)).await;
        match read {
            Ok(Ok(chunk)) => {
                let at = at + chunk.len() as u64;
                Ok(Some((chunk, (reading, at))))
            }
            Ok(Err(error)) => Err(error),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {
                let action = format!("read {}", reading.1.display());
                Err(StoreError::new(ErrorKind::Io, action, "the run time is shutting down"))
            }
        }
    });
    steps.boxed()
}

/// The bytes of a whole file of this length, read by whoever asks for them.
pub(super) fn blocking(
    file: File,
    bytes: u64,
    path: PathBuf,
    buffers: Arc<Buffers>,
) -> impl Iterator<Item = Result<Bytes, StoreError>> + Send {
    let (reading, mut at) = ((file, path, buffers), 0);
    std::iter::from_fn(move || {
        let chunk = (at < bytes).then(|| next_chunk(&reading, at, bytes - at))?;
        at = chunk.as_ref().map_or(bytes, |chunk| at + chunk.len() as u64);
        Some(chunk)
    })
}

fn next_chunk((file, path, buffers): &(File, PathBuf, Arc<Buffers>), at: u64, left: u64) -> Result<Bytes, StoreError> {
    let want = usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
    let mut lent = Lent { buffer: buffers.take(), len: 0, home: Arc::clone(buffers) };
    loop {
        match file.read_at(&mut lent.buffer[..want], at) {
            Ok(0) => return Err(ends_early(path, at)),
            Ok(got) => {
                lent.len = got;
                // What is far smaller than a buffer, such as the lines of a quiet hour, must not hold one.
                return Ok(if got * 4 < CHUNK_BYTES {
                    Bytes::copy_from_slice(lent.as_ref())
                } else {
                    Bytes::from_owner(lent)
                });
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io_error("read", path, error)),
        }
    }
}

pub(super) fn ends_early(path: &Path, end: u64) -> StoreError {
    StoreError::new(
        ErrorKind::Corrupt,
        format!("read {}", path.display()),
        format!("the file ends after {end} bytes, before the end of what was asked for"),
    )
}
