//! The spool's folder: its parts, the names of files in it, and the lock that keeps a second agent out.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use cauce_lake::manifest::Codec;

use super::SpoolError;
use super::entry::{FileHead, FileId};

/// How often, and after which pauses, the lock is tried: whoever only looks has it for a moment.
const LOCK_TRIES: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The name of a file's lines.
pub(super) fn lines_name(id: FileId) -> String {
    format!("data/{id:012}.lines")
}

/// The name of a file's object.
pub(super) fn object_name(head: &FileHead) -> String {
    match head.codec {
        Codec::None => lines_name(head.id),
        Codec::Gzip | Codec::Zstd => format!("data/{:012}.object", head.id),
    }
}

/// Where a file of `data/` lies when it was put aside.
pub(super) fn aside(name: &str) -> String {
    name.replacen("data/", "quarantine/", 1)
}

pub(super) fn make_folders(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    for folder in ["", "data", "ids", "quarantine"] {
        builder.create(dir.join(folder))?;
    }
    // The folders' own names must outlive a power cut too.
    File::open(dir)?.sync_all()?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

pub(super) fn take_lock(dir: &Path, shown: &str) -> Result<File, SpoolError> {
    let fail = |source| SpoolError::Disk { dir: shown.to_owned(), action: "lock it".into(), source };
    let lock = File::options().create(true).truncate(false).write(true).open(dir.join("lock")).map_err(fail)?;
    let mut tries = LOCK_TRIES;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(std::fs::TryLockError::WouldBlock) if tries > 1 => {
                tries -= 1;
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(std::fs::TryLockError::WouldBlock) => return Err(SpoolError::Locked { dir: shown.to_owned() }),
            Err(std::fs::TryLockError::Error(source)) => return Err(fail(source)),
        }
    }
}

/// Whether an agent has the lock. Looking holds it for a moment, shared; [`take_lock`] waits for that.
pub(super) fn is_locked(dir: &Path) -> io::Result<bool> {
    let lock = match File::open(dir.join("lock")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(std::fs::TryLockError::WouldBlock) => Ok(true),
        Err(std::fs::TryLockError::Error(source)) => Err(source),
    }
}
