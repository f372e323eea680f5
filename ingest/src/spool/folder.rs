//! The spool's folder: its parts, the names of files in it, and the lock that keeps a second agent out.

use std::fs::File;
use std::io;
use std::path::Path;

use cauce_lake::manifest::Codec;

use super::SpoolError;
use super::entry::{FileHead, FileId};

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
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(SpoolError::Locked { dir: shown.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => Err(fail(source)),
    }
}
