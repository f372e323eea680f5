//! What of a folder is opened and walked: regular files and folders. Opening a FIFO waits for a writer that may never come, a
//! device may do anything, and links can lead round in a circle; each of them is refused by its name.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::io_error;
use crate::store::{ErrorKind, StoreError};

/// Most linked folders one inside another. It bounds what folders that link to each other make of a walk.
const MOST_LINKS: usize = 3;

/// Opens a regular file to be read, or refuses at once.
pub(super) fn open(action: &str, path: &Path) -> Result<(File, Metadata), StoreError> {
    let fail = |error: io::Error| io_error(action, path, error);
    refuse_special(action, path, fs::metadata(path).map_err(fail)?.file_type())?;
    // Where a FIFO has taken its place since, this does not wait either.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(fail)?;
    let meta = file.metadata().map_err(fail)?;
    refuse_special(action, path, meta.file_type())?;
    Ok((file, meta))
}

/// Refuses what is no regular file: a folder as no object, anything else as what has no place in a lake.
pub(super) fn refuse_special(action: &str, path: &Path, kind: FileType) -> Result<(), StoreError> {
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(io_error(action, path, io::ErrorKind::IsADirectory.into()));
    }
    let what = if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    let detail = format!("it is {what}, and objects are regular files: remove it");
    Err(StoreError::new(ErrorKind::Corrupt, format!("{action} {}", path.display()), detail))
}

/// Refuses a linked folder whose walk would not end: one that is a folder above it, and one inside too many others. `folder`
/// is the link's name under the root.
pub(super) fn refuse_loop(root: &Path, folder: &str) -> Result<(), StoreError> {
    let path = root.join(folder.trim_end_matches('/'));
    let fail = |error: io::Error| io_error("list", &path, error);
    let id = |meta: Metadata| (meta.dev(), meta.ino());
    let target = id(fs::metadata(&path).map_err(fail)?);
    let mut links = 0;
    for above in path.ancestors().skip(1).take_while(|above| above.starts_with(root)) {
        if id(fs::metadata(above).map_err(fail)?) == target {
            let detail = format!("this link leads back to {}, which it lies in: remove it", above.display());
            return Err(StoreError::new(ErrorKind::Configuration, format!("list {}", path.display()), detail));
        }
        links += usize::from(above != root && fs::symlink_metadata(above).map_err(fail)?.is_symlink());
    }
    if links < MOST_LINKS {
        return Ok(());
    }
    let detail = format!("this link lies behind {links} other links to folders: put the folder itself here");
    Err(StoreError::new(ErrorKind::Configuration, format!("list {}", path.display()), detail))
}
