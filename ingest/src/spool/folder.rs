//! The spool's folder: its parts, the names of files in it, and the lock that keeps a second agent out.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cauce_lake::manifest::Codec;

use super::SpoolError;
use super::disk::Disk;
use super::entry::{FileHead, FileId};
use super::{reserve, watermark};

/// Modes of all that the spool makes, whatever the umask.
pub(super) const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;
const STICKY: u32 = 0o1000;
/// How often, and after which pauses, the lock is tried: whoever only looks has it for a moment.
const LOCK_TRIES: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The name of a file's lines.
pub(super) fn lines_name(id: FileId) -> String {
    format!("data/{id:012}.lines")
}

/// The name of a file's lines as long as the journal does not speak for them durably, where they are a copy.
pub(super) fn copy_name(id: FileId) -> String {
    format!("data/{id:012}.copy")
}

/// Where a file's lines are: under their name, or under that of a copy that a crash left there.
pub(super) fn lines_at(disk: &dyn Disk, id: FileId) -> io::Result<String> {
    let is_there = |name: &str| match disk.open_reader(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        opened => opened.map(|_| true),
    };
    let (lines, copy) = (lines_name(id), copy_name(id));
    Ok(if !is_there(&lines)? && is_there(&copy)? { copy } else { lines })
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

/// Makes the spool's folders, or makes those that are there its owner's alone: tweets that wait are no one else's.
pub(super) fn make_folders(dir: &Path) -> Result<(), SpoolError> {
    let shown = dir.display().to_string();
    let fail = |source| SpoolError::Disk { dir: shown.clone(), action: "make its folders".into(), source };
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(FOLDER_MODE);
    for folder in ["", "data", "ids", "quarantine"] {
        let path = dir.join(folder);
        builder.create(&path).map_err(fail)?;
        let meta = fs::metadata(&path).map_err(fail)?;
        // A folder such as /tmp belongs to all users of the machine: taking it away from them is not ours to do.
        if meta.permissions().mode() & STICKY != 0 {
            return Err(SpoolError::Shared { dir: path.display().to_string() });
        }
        tighten(&path, &meta, FOLDER_MODE)?;
    }
    for (path, meta) in files(dir).map_err(fail)? {
        tighten(&path, &meta, FILE_MODE)?;
    }
    // The folders' own names must outlive a power cut too.
    let sync = |path: &Path| File::open(path).and_then(|folder| folder.sync_all()).map_err(fail);
    sync(dir)?;
    sync(dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// The files that the spool makes, as far as they are there. Links are not followed.
fn files(dir: &Path) -> io::Result<Vec<(PathBuf, fs::Metadata)>> {
    let mut found = Vec::new();
    for folder in ["", "data", "ids", "quarantine"] {
        for entry in fs::read_dir(dir.join(folder))? {
            let entry = entry?;
            let name = entry.file_name();
            let own = name.to_str().is_some_and(|name| {
                !folder.is_empty()
                    || ["lock", watermark::NAME, reserve::NAME].contains(&name)
                    || name.starts_with("journal.")
            });
            let meta = entry.metadata()?;
            if own && meta.is_file() {
                found.push((entry.path(), meta));
            }
        }
    }
    Ok(found)
}

fn tighten(path: &Path, meta: &fs::Metadata, mode: u32) -> Result<(), SpoolError> {
    let now = meta.permissions().mode() & 0o777;
    if now == mode {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|source| SpoolError::OpenToOthers {
        path: path.display().to_string(),
        now,
        mode,
        source,
    })
}

pub(super) fn take_lock(dir: &Path, shown: &str) -> Result<File, SpoolError> {
    let fail = |source| SpoolError::Disk { dir: shown.to_owned(), action: "lock it".into(), source };
    let options = || File::options().create(true).truncate(false).write(true).mode(FILE_MODE).to_owned();
    let open = || options().open(dir.join("lock"));
    let lock = match open() {
        Err(error) if reserve::is_full(&error) && reserve::release(dir) => open(),
        opened => opened,
    };
    let lock = lock.map_err(fail)?;
    lock.set_permissions(fs::Permissions::from_mode(FILE_MODE)).map_err(fail)?;
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
