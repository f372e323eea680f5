//! Sealing: a finished spool file becomes the bytes of its object, once. Runs on a blocking thread, never on the
//! writer's: compressing and hashing take their time.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cauce_lake::manifest::Codec;
use sha2::{Digest, Sha256};

/// zstd's level: 3 is the library's default and costs hardly more than 1 on tweets.
const ZSTD_LEVEL: i32 = 3;
/// gzip's level; 6 would take four times as long for a tenth less.
const GZIP_LEVEL: u32 = 4;

/// What to seal.
#[derive(Debug, Clone)]
pub struct Task {
    /// The lines.
    pub lines: PathBuf,
    /// Accepted bytes of them.
    pub bytes: u64,
    /// How the object is compressed.
    pub codec: Codec,
    /// Where the object goes; the lines themselves where it is not compressed.
    pub object: PathBuf,
}

/// Makes the object's bytes durable and returns their length and SHA-256.
///
/// # Errors
/// When the disk failed, or the lines are fewer bytes than were accepted.
pub fn seal(task: &Task) -> io::Result<(u64, String)> {
    let lines = File::open(&task.lines)?;
    if lines.metadata()?.len() != task.bytes {
        let text = format!("{} is not {} bytes long", task.lines.display(), task.bytes);
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    match task.codec {
        Codec::None => {
            // With the memory channel this is the first sync; with the file channel it finds nothing to do.
            lines.sync_data()?;
            length_and_sha256(lines)
        }
        Codec::Gzip => {
            let object =
                flate2::write::GzEncoder::new(Hashing::create(&task.object)?, flate2::Compression::new(GZIP_LEVEL));
            copy(lines, object)?.finish()?.settle(&task.object)
        }
        Codec::Zstd => {
            let mut object = zstd::stream::write::Encoder::new(Hashing::create(&task.object)?, ZSTD_LEVEL)?;
            object.include_checksum(true)?;
            object.set_pledged_src_size(Some(task.bytes))?;
            copy(lines, object)?.finish()?.settle(&task.object)
        }
    }
}

/// Length and SHA-256 (64 hexadecimal digits) of what a reader gives.
///
/// # Errors
/// When reading fails.
pub fn length_and_sha256(reader: impl Read) -> io::Result<(u64, String)> {
    let hashing = copy(reader, Hashing { to: io::sink(), hash: Sha256::new(), bytes: 0 })?;
    Ok((hashing.bytes, hex(&hashing.hash.finalize())))
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Copies by pieces large enough that neither hashing nor compressing waits for the disk often.
fn copy<W: Write>(mut from: impl Read, mut to: W) -> io::Result<W> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(to),
            read => to.write_all(&buffer[..read])?,
        }
    }
}

/// Counts and hashes what passes through.
struct Hashing<W> {
    to: W,
    hash: Sha256,
    bytes: u64,
}

impl Hashing<File> {
    fn create(path: &Path) -> io::Result<Hashing<File>> {
        // A seal that was cut short by a crash left a file that nothing speaks of.
        let to = File::create(path)?;
        Ok(Hashing { to, hash: Sha256::new(), bytes: 0 })
    }

    fn settle(self, path: &Path) -> io::Result<(u64, String)> {
        self.to.sync_data()?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok((self.bytes, hex(&self.hash.finalize())))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
