//! The disk under the spool, behind a trait so that tests can run the same code on a simulated disk that loses and
//! tears what was not synced. Names are relative to the spool's folder, at most one folder deep.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::folder::FILE_MODE;
use super::reserve;

/// A file being written at its end.
pub trait DiskFile: Send + Sync {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// When not all of them were written; what is at the end then is unknown.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes all bytes so far durable. After an error the file must not be trusted or synced again.
    ///
    /// # Errors
    /// When the disk failed: the bytes may be lost.
    fn sync(&self) -> io::Result<()>;
}

/// A finished file, read anywhere in it.
pub trait DiskReader: Send + Sync {
    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// When the file ends before the buffer is full, or the disk failed.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Length in bytes.
    ///
    /// # Errors
    /// When the disk failed.
    fn length(&self) -> io::Result<u64>;
}

/// A folder on a disk.
pub trait Disk: Send + Sync {
    /// Makes a new, empty file; there must be none of that name.
    ///
    /// # Errors
    /// On an I/O error.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Cuts a file at `length` and makes it durable. Its length, and its bytes from `from` on, are written again first:
    /// after a failed sync they may be readable and yet in memory only, and a second sync alone would not write them.
    ///
    /// # Errors
    /// When the disk says no, or the file is shorter than `length`.
    fn settle(&self, name: &str, from: u64, length: u64) -> io::Result<()>;

    /// Writes over a file's first bytes, of which it has at least so many. Nothing is synced.
    ///
    /// # Errors
    /// When there is no such file, or the disk says no.
    fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// A file's content, from its beginning.
    ///
    /// # Errors
    /// When there is none, or the disk says no.
    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>>;

    /// A finished file, to be read anywhere in it.
    ///
    /// # Errors
    /// When there is none, or the disk says no.
    fn open_reader(&self, name: &str) -> io::Result<Box<dyn DiskReader>>;

    /// Names in a folder (`""` is the spool's own), without order.
    ///
    /// # Errors
    /// On an I/O error.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Gives a file another name, over whatever is there.
    ///
    /// # Errors
    /// On an I/O error.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file; succeeds when there is none.
    ///
    /// # Errors
    /// On an I/O error.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// When the disk failed.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
}

/// A folder of the operating system.
#[derive(Debug, Clone)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// The folder at `root`, which is there.
    pub fn new(root: &Path) -> RealDisk {
        RealDisk { root: root.to_owned() }
    }

    /// Where a name lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

struct RealFile {
    file: File,
    root: PathBuf,
    length: u64,
}

struct RealReader(File);

impl DiskReader for RealReader {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

impl DiskFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut outcome = self.file.write_all(bytes);
        if outcome.as_ref().is_err_and(reserve::is_full) && reserve::release(&self.root) {
            // A short write leaves a known beginning of the bytes: unlike after a failed sync they may be written again.
            self.file.set_len(self.length)?;
            outcome = self.file.write_all(bytes);
        }
        self.length += bytes.len() as u64;
        outcome
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Disk for RealDisk {
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let make = || OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).open(self.path(name));
        let file = match make() {
            Err(error) if reserve::is_full(&error) && reserve::release(&self.root) => make()?,
            made => made?,
        };
        // The umask can only have taken rights away.
        file.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
        Ok(Box::new(RealFile { file, root: self.root.clone(), length: 0 }))
    }

    fn settle(&self, name: &str, from: u64, length: u64) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(self.path(name))?;
        let there = file.metadata()?.len();
        if there < length {
            let text = format!("{name} holds {there} bytes of {length}");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        // Even where nothing is cut: an earlier cut may have failed to reach the disk.
        file.set_len(length)?;
        let mut buffer = vec![0; 1 << 18];
        let mut at = from;
        while at < length {
            let piece = buffer.len().min(usize::try_from(length - at).unwrap_or(usize::MAX));
            file.read_exact_at(&mut buffer[..piece], at)?;
            file.write_all_at(&buffer[..piece], at)?;
            at += piece as u64;
        }
        file.sync_all()
    }

    fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().write(true).open(self.path(name))?.write_all_at(bytes, 0)
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(self.path(name))?))
    }

    fn open_reader(&self, name: &str) -> io::Result<Box<dyn DiskReader>> {
        Ok(Box::new(RealReader(File::open(self.path(name))?)))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(self.path(folder))?;
        entries.map(|entry| entry.map(|e| e.file_name().to_string_lossy().into_owned())).collect()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        File::open(self.path(folder))?.sync_all()
    }
}
