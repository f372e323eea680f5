//! The reserve: a file that takes room on the spool's disk so that the journal can be written when nothing else can.
//!
//! It is made at the start. A write that finds the disk full removes it and is done again, so what makes room (the frame
//! that says an object is stored, a manifest, a checkpoint, the object of a file that is to go up) still reaches the
//! disk; lines are held back before that (`writer/budget.rs`). It is made again when there is room.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate, fstatvfs};

use super::folder::FILE_MODE;

/// Its name in the spool's folder.
pub(super) const NAME: &str = "reserve";

/// Most bytes it takes: a group, its journal frame, and a checkpoint with its ids.
const MOST_BYTES: u64 = 64 << 20;
/// It takes no more than this part of the disk, or of the spool's budget.
const SHARE: u64 = 16;

/// How much it should take, for a spool of at most `max_bytes`.
///
/// # Errors
/// When the disk cannot be asked.
pub(crate) fn wanted(dir: &Path, max_bytes: u64) -> io::Result<u64> {
    Ok(MOST_BYTES.min(max_bytes / SHARE).min(disk(dir)?.total / SHARE))
}

/// The disk under a folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space {
    /// Bytes that this user may still write.
    pub(crate) free: u64,
    /// Bytes in all.
    pub(crate) total: u64,
}

/// Asks how much room there is.
///
/// # Errors
/// When the folder is not there.
pub(crate) fn disk(dir: &Path) -> io::Result<Space> {
    let disk = fstatvfs(File::open(dir)?)?;
    Ok(Space { free: disk.f_bavail.saturating_mul(disk.f_frsize), total: disk.f_blocks.saturating_mul(disk.f_frsize) })
}

/// Bytes that it takes now.
pub(crate) fn taken(dir: &Path) -> u64 {
    std::fs::metadata(dir.join(NAME)).map_or(0, |meta| meta.len())
}

/// Makes it, or makes it larger; whether it takes `bytes` now.
///
/// # Errors
/// When the disk failed in another way than by being full.
pub(crate) fn take(dir: &Path, bytes: u64) -> io::Result<bool> {
    if taken(dir) >= bytes {
        return Ok(true);
    }
    let path = dir.join(NAME);
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(&path);
    let taken = file.and_then(|file| fallocate(&file, FallocateFlags::empty(), 0, bytes).map_err(io::Error::from));
    match taken {
        Ok(()) => Ok(true),
        Err(error) if is_full(&error) || error.kind() == io::ErrorKind::Unsupported => {
            // Where only a part of it could be had, the part would be in the way of everything else.
            release(dir);
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Gives its room back; whether there was any.
pub(crate) fn release(dir: &Path) -> bool {
    std::fs::remove_file(dir.join(NAME)).is_ok()
}

/// Whether an error says that there is no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
