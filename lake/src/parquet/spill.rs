//! A file on local disk in which an object grows before it is put: no reader of the store sees anything of it until it is
//! whole. Where the store is a local folder it grows in that one's workshop and becomes the object as it is.
//!
//! Each file is locked as long as its owner lives, so that the next conversion can tell what a killed one left behind and
//! remove it. The content's SHA-256 is made on the way.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tempfile::{Builder, NamedTempFile};

use super::ConvertError;
use crate::store::{Body, Store, StoreError, Workshop};

const PREFIX: &str = "cauce-convert-";
const BUFFER_BYTES: usize = 64 << 10;
/// So much is written before the disk is told to begin with it.
const WRITE_BACK_BYTES: u64 = 1 << 20;
/// Longer than any file is without its lock after it was made.
const UNLOCKED: Duration = Duration::from_secs(60);

/// Where files grow.
#[derive(Debug, Clone)]
pub(super) enum Folder {
    /// In the target's own folder for it: a file here becomes the object itself.
    Workshop(Workshop),
    /// In another one: a file here is copied, or sent.
    Elsewhere(PathBuf),
}

impl Folder {
    /// The given folder, or else the target's workshop, or where it has none `TMPDIR` or the system's own. What killed conversions
    /// left there is removed.
    pub(super) fn new(given: Option<&Path>, target: &dyn Store) -> Result<Folder, StoreError> {
        let folder = match (given, target.files()) {
            (Some(given), _) => Folder::Elsewhere(given.to_owned()),
            (None, Some(files)) => Folder::Workshop(files.workshop()?),
            (None, None) => Folder::Elsewhere(std::env::temp_dir()),
        };
        remove_left_behind(folder.path());
        Ok(folder)
    }

    fn path(&self) -> &Path {
        match self {
            Folder::Workshop(workshop) => workshop.folder(),
            Folder::Elsewhere(path) => path,
        }
    }

    /// A file here that could not be written. In the workshop it is the target that refuses, and another folder would not help.
    pub(super) fn failed(&self, error: io::Error) -> ConvertError {
        match self {
            Folder::Workshop(workshop) => workshop.failed(error).into(),
            Folder::Elsewhere(path) => ConvertError::Disk { folder: path.clone(), source: error },
        }
    }
}

/// A file that grows; it is removed when it is dropped.
pub(super) struct Spill {
    file: BufWriter<NamedTempFile>,
    hasher: Sha256,
    bytes: u64,
    /// Up to where the system was told to write it to the disk, if it should be at all.
    written_back: Option<u64>,
}

/// What became of a [`Spill`]: an object's body. The file goes when this is dropped.
pub(super) struct Spilled {
    _file: NamedTempFile,
    pub(super) body: Body,
    /// 64 hexadecimal digits.
    pub(super) sha256: String,
}

impl Spill {
    /// A new file in a folder.
    pub(super) fn new(folder: &Folder) -> io::Result<Spill> {
        let mut builder = Builder::new();
        builder.prefix(PREFIX);
        let is_object = matches!(folder, Folder::Workshop(_));
        if is_object {
            // As any other object; elsewhere it is nobody else's business.
            builder.permissions(Permissions::from_mode(0o666));
        }
        let file = match builder.tempfile_in(folder.path()) {
            // Another conversion into the same target has ended and taken the workshop for left.
            Err(error) if is_object && error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(folder.path())?;
                builder.tempfile_in(folder.path())?
            }
            made => made?,
        };
        file.as_file().try_lock()?;
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        Ok(Spill { file, hasher: Sha256::new(), bytes: 0, written_back: is_object.then_some(0) })
    }

    /// Has the disk begin with what was written: the sync before the file becomes an object is short then. Whether it
    /// succeeds is told by that sync.
    fn write_back(&mut self) {
        let there = self.bytes - self.file.buffer().len() as u64;
        if let Some(from) = self.written_back.as_mut().filter(|from| there >= **from + WRITE_BACK_BYTES) {
            begin_write_back(self.file.get_ref().as_file(), *from, there - *from);
            *from = there;
        }
    }

    /// Ends it.
    pub(super) fn finish(self) -> io::Result<Spilled> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let body = Body::File { path: file.path().to_owned(), bytes: self.bytes, crc64: None };
        Ok(Spilled { _file: file, body, sha256: hex::encode(self.hasher.finalize()) })
    }
}

impl Write for Spill {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        self.write_back();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no crate that is used here has this call")]
fn begin_write_back(file: &File, from: u64, bytes: u64) {
    use std::os::fd::AsRawFd;
    if let (Ok(from), Ok(bytes)) = (from.try_into(), bytes.try_into()) {
        // SAFETY: it takes an open file and numbers, and touches no memory.
        unsafe { libc::sync_file_range(file.as_raw_fd(), from, bytes, libc::SYNC_FILE_RANGE_WRITE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn begin_write_back(_: &File, _: u64, _: u64) {}

/// Removes what killed conversions left in a folder. What cannot be looked into belongs to somebody else.
fn remove_left_behind(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(file) = File::options().write(true).open(entry.path()) else { continue };
        // Between its making and its lock a file of a living process could be taken for a dead one's: it is empty then, and new.
        let old = |meta: &fs::Metadata| meta.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > UNLOCKED));
        if file.try_lock().is_ok() && file.metadata().is_ok_and(|meta| meta.len() > 0 || old(&meta)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_what_was_written_and_its_file_goes_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spill = Spill::new(&Folder::Elsewhere(folder.path().into())).expect("a file");
        spill.write_all(b"tweets").expect("the disk takes it");
        let spilled = spill.finish().expect("whole");
        let Body::File { path, bytes, .. } = &spilled.body else { panic!("no file") };
        assert_eq!((fs::read(path).expect("there"), *bytes), (b"tweets".to_vec(), 6));
        assert_eq!(spilled.sha256, hex::encode(Sha256::digest(b"tweets")));
        drop(spilled);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn only_files_whose_owner_is_gone_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut alive = Spill::new(&Folder::Elsewhere(folder.path().into())).expect("a file");
        alive.write_all(&[1; 2 * BUFFER_BYTES]).expect("the disk takes it");
        fs::write(folder.path().join(format!("{PREFIX}dead")), b"half").expect("the disk takes it");
        fs::write(folder.path().join("foreign"), b"x").expect("the disk takes it");
        remove_left_behind(folder.path());
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        assert_eq!(names.len(), 2, "{names:?}");
        assert_eq!(names[1], "foreign");
    }
}
