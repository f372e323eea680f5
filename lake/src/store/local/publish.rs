//! How an object comes into a local folder, and out of it.
//!
//! A put writes a file in the hidden folder (or finds it there, where whoever made it let it grow in the workshop), syncs it, gives it its name in one step (a hard link where the name must be
//! free, a rename otherwise) and syncs its folder, so that the name survives a power cut too; with it, from there up to the
//! root, the folder above each whose own name is not yet known to be durable.
//! Whatever takes a name away from a file (overwriting, deleting, `IfMatch`) holds one exclusive lock for that step: between
//! `IfMatch`'s comparison and its rename nothing can come. Creating needs no lock, the file system decides.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf, absolute};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{MutexGuard, PoisonError};
use std::time::SystemTime;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use sha2::{Digest, Sha256};

use super::{HIDDEN, LocalStore, crc64_of, hex, io_error, is_hidden, modified_ms, regular, sha256};
use crate::store::{Body, Condition, ETag, ErrorKind, Key, Put, StoreError};

/// Staging files are named by process and this number, so that two puts never share one.
static NEXT_STAGE: AtomicU64 = AtomicU64::new(0);

const LOCK: &str = "lock";
const STAGE: &str = "stage-";

/// What tells a folder from another one that was made in its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Made {
    device: u64,
    inode: u64,
    at: SystemTime,
}

/// A file in the hidden folder; removed on drop unless it was given its name by a rename, or is somebody else's.
struct Staged {
    path: PathBuf,
    ours: bool,
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.ours {
            // What stays behind here is removed by the next clean-up.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl LocalStore {
    pub(super) fn put_blocking(&self, put: &Put) -> Result<ETag, StoreError> {
        let target = self.path(&put.key);
        if is_hidden(&put.key) {
            let detail = format!("names under {HIDDEN} are kept for files that are being written");
            return Err(StoreError::new(ErrorKind::AccessDenied, format!("write {}", target.display()), detail));
        }
        let fail = |error: io::Error| write_error(&target, error);
        let folder = target.parent().unwrap_or(&self.root);
        self.make_folders(folder).map_err(fail)?;
        let (mut staged, tag) = self.stage(put)?;
        match &put.condition {
            Condition::IfAbsent => {
                let created = create(&staged.path, &target);
                match created {
                    Ok(moved) => staged.ours &= !moved,
                    // The file may be our own from before a crash, its name not yet on disk: whoever is told that it
                    // is there goes on as if it were safe.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        self.sync_folders(folder).map_err(fail)?;
                        return Err(io_error("create", &target, error));
                    }
                    Err(error) => return Err(fail(error)),
                }
            }
            Condition::Always => {
                let _lock = self.lock().map_err(fail)?;
                fs::rename(&staged.path, &target).map_err(fail)?;
                staged.ours = false;
            }
            Condition::IfMatch(expected) => {
                let _lock = self.lock().map_err(fail)?;
                let found = match regular::open("replace", &target) {
                    Ok((file, _)) => Some(sha256(file).map_err(fail)?),
                    Err(error) if error.kind() == ErrorKind::NotFound && !target.is_dir() => None,
                    Err(error) => return Err(error),
                };
                if found.as_deref() != Some(expected.0.as_str()) {
                    return Err(StoreError::new(
                        ErrorKind::PreconditionFailed,
                        format!("replace {}", target.display()),
                        if found.is_some() { "the file has changed meanwhile" } else { "there is no such file" },
                    ));
                }
                fs::rename(&staged.path, &target).map_err(fail)?;
                staged.ours = false;
            }
        }
        self.sync_folders(folder).map_err(fail)?;
        Ok(tag)
    }

    /// The hidden folder, made when it is missing.
    pub(super) fn make_workshop(&self) -> Result<PathBuf, StoreError> {
        let hidden = self.root.join(HIDDEN);
        self.make_folders(&hidden).map_err(|error| write_error(&hidden, error))?;
        Ok(hidden)
    }

    /// Writes and syncs the content under a hidden name; the tag is the given hash, or else the one computed. A file that has
    /// grown in the hidden folder is taken as it is; the copy of another one is compared with the given checksum.
    fn stage(&self, put: &Put) -> Result<(Staged, ETag), StoreError> {
        let hidden = self.make_workshop()?;
        let (staged, file) = match &put.body {
            Body::Bytes(bytes) => {
                let (staged, mut file) = new_stage_file(&hidden)?;
                file.write_all(bytes).map_err(|error| write_error(&staged.path, error))?;
                (staged, file)
            }
            Body::File { path: from, bytes, .. } => {
                let source = File::open(from).map_err(|error| body_error(from, error))?;
                let (staged, file, found) = if from.parent().is_some_and(|folder| is_same(folder, &hidden)) {
                    let found = source.metadata().map_err(|error| body_error(from, error))?.len();
                    (Staged { path: from.clone(), ours: false }, source, found)
                } else {
                    let (staged, mut file) = new_stage_file(&hidden)?;
                    let copied = io::copy(&mut io::Read::take(source, *bytes), &mut file);
                    let copied = copied.map_err(|error| write_error(&staged.path, error))?;
                    (staged, file, copied)
                };
                if found != *bytes {
                    let detail = format!("it holds {found} bytes where {bytes} were to be sent");
                    return Err(StoreError::new(ErrorKind::Corrupt, format!("read {}", from.display()), detail));
                }
                (staged, file)
            }
        };
        let fail = |error: io::Error| write_error(&staged.path, error);
        if let (Body::File { path: from, crc64, .. }, true) = (&put.body, staged.ours) {
            let copy = || File::open(&staged.path).map_err(fail);
            let difference = match (crc64, &put.sha256) {
                (Some(wanted), _) => {
                    let found = crc64_of(copy()?).map_err(fail)?;
                    (found != *wanted).then(|| format!("CRC-64 {found} and not {wanted}"))
                }
                (None, Some(wanted)) => {
                    let found = sha256(copy()?).map_err(fail)?;
                    (found != *wanted).then(|| format!("SHA-256 {found} and not {wanted}"))
                }
                (None, None) => None,
            };
            if let Some(difference) = difference {
                let detail =
                    format!("its copy in {} has {difference}: check the disks and the memory", staged.path.display());
                return Err(StoreError::new(ErrorKind::Corrupt, format!("copy {}", from.display()), detail));
            }
        }
        let tag = match (&put.sha256, &put.body) {
            (Some(given), _) => given.clone(),
            (None, Body::Bytes(bytes)) => hex(&Sha256::digest(bytes)),
            (None, Body::File { .. }) => sha256(File::open(&staged.path).map_err(fail)?).map_err(fail)?,
        };
        file.sync_all().map_err(fail)?;
        Ok((staged, ETag(tag)))
    }

    pub(super) fn delete_blocking(&self, key: &Key) -> Result<(), StoreError> {
        let target = self.path(key);
        let fail = |error: io::Error| io_error("delete", &target, error);
        if is_hidden(key) || !target.is_file() {
            return Ok(());
        }
        let _lock = self.lock().map_err(fail)?;
        match fs::remove_file(&target) {
            Ok(()) => self.sync_folders(target.parent().unwrap_or(&self.root)).map_err(fail),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(fail(error)),
        }
    }

    pub(super) fn clean_up_blocking(&self, older_than_ms: i64) -> Result<u64, StoreError> {
        let hidden = self.root.join(HIDDEN);
        let entries = match fs::read_dir(&hidden) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(io_error("look into", &hidden, error)),
        };
        let mut removed = 0;
        for entry in entries {
            let entry = entry.map_err(|error| io_error("look into", &hidden, error))?;
            if !entry.file_name().to_string_lossy().starts_with(STAGE) {
                continue;
            }
            // A file that is gone by now was finished by its writer.
            let Ok(meta) = entry.metadata() else { continue };
            if modified_ms(&meta) < older_than_ms && fs::remove_file(entry.path()).is_ok() {
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// The lock that whatever replaces or removes a file holds; it goes with the returned file.
    pub(super) fn lock(&self) -> io::Result<File> {
        let hidden = self.root.join(HIDDEN);
        let path = hidden.join(LOCK);
        // A FIFO in its place would wait for a reader.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).custom_flags(libc::O_NONBLOCK);
        loop {
            fs::create_dir_all(&hidden)?;
            let file = match options.open(&path) {
                // The folder was left, and removed, between the two steps.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            file.lock()?;
            // A lock file that was removed while this waited for it keeps nobody out.
            if is_at(&file, &path)? {
                return Ok(file);
            }
        }
    }

    /// Removes the hidden folder where no file is in it but the lock, and nobody holds that.
    pub(super) fn remove_workshop(&self) {
        let hidden = self.root.join(HIDDEN);
        let path = hidden.join(LOCK);
        let opened = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&path);
        if let Ok(file) = opened
            && file.try_lock().is_ok()
            && is_at(&file, &path).unwrap_or(false)
        {
            let _ = fs::remove_file(&path);
        }
        let _ = fs::remove_dir(&hidden);
    }

    /// Makes names durable: those in `folder`, and those of the folders on the way to it from the root.
    fn sync_folders(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()?;
        for folder in folder.ancestors().take_while(|folder| *folder != self.root) {
            let meta = fs::metadata(folder)?;
            // Where the file system does not tell when it was made, nothing is known of it.
            let made = meta.created().ok().map(|at| Made { device: meta.dev(), inode: meta.ino(), at });
            if made.is_none() || self.durable().get(folder) != made.as_ref() {
                File::open(above(folder))?.sync_all()?;
                if let Some(made) = made {
                    self.durable().insert(folder.to_owned(), made);
                }
            }
        }
        Ok(())
    }

    fn durable(&self) -> MutexGuard<'_, HashMap<PathBuf, Made>> {
        // What was noted before a panic is true all the same.
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a folder and what is missing above it. The names of the root and of those above it are synced at once, the others
    /// with the first file in them.
    fn make_folders(&self, folder: &Path) -> io::Result<()> {
        if folder.as_os_str().is_empty() || folder.is_dir() {
            return Ok(());
        }
        self.make_folders(above(folder))?;
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            other => other?,
        }
        if folder.starts_with(&self.root) && folder != self.root {
            Ok(())
        } else {
            File::open(above(folder))?.sync_all()
        }
    }
}

/// Whether an open file is the one at a path.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether two paths name one folder, be one of them relative.
fn is_same(one: &Path, other: &Path) -> bool {
    matches!((absolute(one), absolute(other)), (Ok(one), Ok(other)) if one == other)
}

/// The folder above, also of one that is named by a relative path.
fn above(folder: &Path) -> &Path {
    folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new file in the hidden folder. A name may be taken: by a dead process, or by one in another container that has our
/// number too.
fn new_stage_file(hidden: &Path) -> Result<(Staged, File), StoreError> {
    loop {
        let number = NEXT_STAGE.fetch_add(1, Ordering::Relaxed);
        let path = hidden.join(format!("{STAGE}{}-{number}", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((Staged { path, ours: true }, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // Left and removed by somebody else, see `remove_workshop`; where the root is gone too it is made anew with it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(hidden).map_err(|error| write_error(hidden, error))?;
            }
            Err(error) => return Err(write_error(&path, error)),
        }
    }
}

/// Gives a staged file a name that must be free. True where the staged name is gone with that.
fn create(staged: &Path, target: &Path) -> io::Result<bool> {
    match fs::hard_link(staged, target) {
        Ok(()) => Ok(false),
        Err(error) if no_links(&error) => create_by_rename(staged, target).map(|()| true),
        Err(error) => Err(error),
    }
}

/// For file systems without hard links (some network and FUSE ones).
pub(super) fn create_by_rename(staged: &Path, target: &Path) -> io::Result<()> {
    renameat_with(CWD, staged, CWD, target, RenameFlags::NOREPLACE).map_err(io::Error::from)
}

fn no_links(error: &io::Error) -> bool {
    // EPERM is what Linux documents for a file system without hard links; others say that they do not know the call.
    let code = error.raw_os_error();
    error.kind() == io::ErrorKind::Unsupported
        || error.kind() == io::ErrorKind::TooManyLinks
        || code == Some(rustix::io::Errno::PERM.raw_os_error())
        || code == Some(rustix::io::Errno::NOSYS.raw_os_error())
        || code == Some(rustix::io::Errno::OPNOTSUPP.raw_os_error())
}

/// As [`io_error`], where a missing or present file means something else than it does to a reader.
pub(super) fn write_error(path: &Path, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::NotFound => plain(path, "a folder on the way there vanished", error),
        io::ErrorKind::IsADirectory | io::ErrorKind::AlreadyExists => {
            plain(path, "there is a folder of this name already", error)
        }
        _ => io_error("write", path, error),
    }
}

fn plain(path: &Path, detail: &str, error: io::Error) -> StoreError {
    StoreError::new(ErrorKind::Io, format!("write {}", path.display()), detail).with_source(error)
}

/// A body's file that cannot be read says nothing about the object: it must not look like a missing object.
fn body_error(path: &Path, error: io::Error) -> StoreError {
    let text = error.to_string();
    StoreError::new(ErrorKind::Io, format!("read {} to put it", path.display()), text).with_source(error)
}
