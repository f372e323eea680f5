//! A file on local disk in which an object grows before it is put: the store sees nothing of it until it is whole.
//!
//! Each file is locked as long as its owner lives, so that the next conversion can tell what a killed one left behind and
//! remove it. The content's SHA-256 is made on the way.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tempfile::{Builder, NamedTempFile};

use crate::store::Body;

const PREFIX: &str = "cauce-convert-";
const BUFFER_BYTES: usize = 64 << 10;
/// Longer than any file is without its lock after it was made.
const UNLOCKED: Duration = Duration::from_secs(60);

/// A file that grows; it is removed when it is dropped.
pub(super) struct Spill {
    file: BufWriter<NamedTempFile>,
    hasher: Sha256,
    bytes: u64,
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
    pub(super) fn new(folder: &Path) -> io::Result<Spill> {
        let file = Builder::new().prefix(PREFIX).tempfile_in(folder)?;
        file.as_file().try_lock()?;
        Ok(Spill { file: BufWriter::with_capacity(BUFFER_BYTES, file), hasher: Sha256::new(), bytes: 0 })
    }

    /// Ends it.
    pub(super) fn finish(self) -> io::Result<Spilled> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let body = Body::File { path: file.path().to_owned(), bytes: self.bytes };
        Ok(Spilled { _file: file, body, sha256: hex(&self.hasher.finalize()) })
    }
}

impl Write for Spill {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A hash as 64 hexadecimal digits.
pub(super) fn hex(hash: &[u8]) -> String {
    use std::fmt::Write as _;
    hash.iter().fold(String::with_capacity(hash.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Where such files go when nobody says otherwise: `TMPDIR`, or the system's own.
pub(super) fn default_folder() -> PathBuf {
    std::env::temp_dir()
}

/// Removes what killed conversions left in a folder. What cannot be looked into belongs to somebody else.
pub(super) fn remove_left_behind(folder: &Path) {
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
        let mut spill = Spill::new(folder.path()).expect("a file");
        spill.write_all(b"tweets").expect("the disk takes it");
        let spilled = spill.finish().expect("whole");
        let Body::File { path, bytes } = &spilled.body else { panic!("no file") };
        assert_eq!((fs::read(path).expect("there"), *bytes), (b"tweets".to_vec(), 6));
        assert_eq!(spilled.sha256, hex(&Sha256::digest(b"tweets")));
        drop(spilled);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn only_files_whose_owner_is_gone_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut alive = Spill::new(folder.path()).expect("a file");
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
