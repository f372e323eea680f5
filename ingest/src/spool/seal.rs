//! Sealing: a finished spool file becomes the bytes of its object, once. Runs on a blocking thread, never on the
//! writer's: compressing and hashing take their time.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use cauce_lake::checksum::{Crc64, Crc64Hasher};
use cauce_lake::manifest::Codec;
use sha2::{Digest, Sha256};

use super::disk::{Disk, DiskFile, RealDisk};
use super::reserve;

/// zstd's level: 3 is the library's default and costs hardly more than 1 on tweets.
const ZSTD_LEVEL: i32 = 3;
/// gzip's level; 6 would take four times as long for a tenth less.
const GZIP_LEVEL: u32 = 4;

/// What to seal.
#[derive(Debug, Clone)]
pub struct Task {
    /// The spool's folder.
    pub dir: PathBuf,
    /// The lines, by their name in it.
    pub lines: String,
    /// Accepted bytes of them.
    pub bytes: u64,
    /// CRC32C of those.
    pub crc: u32,
    /// How the object is compressed.
    pub codec: Codec,
    /// Where the object goes; the lines themselves where it is not compressed.
    pub object: String,
}

/// What is known of an object's bytes: length, SHA-256 (64 hexadecimal digits) and CRC-64/NVME.
pub type Sums = (u64, String, Crc64);

/// Makes the lines and the object durable and returns the object's sums.
///
/// # Errors
/// When the disk failed, or the lines are not those that were accepted.
pub fn seal(task: &Task) -> io::Result<Sums> {
    let disk = RealDisk::new(&task.dir);
    let sealed = seal_on(&disk, task);
    if sealed.as_ref().is_err_and(reserve::is_full) && task.codec != Codec::None {
        // A part of an object takes room that others need.
        disk.remove(&task.object)?;
    }
    sealed
}

/// As [`seal`], on any disk.
pub(crate) fn seal_on(disk: &dyn Disk, task: &Task) -> io::Result<Sums> {
    // With the memory channel this is their first sync; with the file channel it finds nothing to do. The name must be
    // durable too, and is so with the sync of the folder below.
    disk.settle(&task.lines, task.bytes, task.bytes)?;
    let lines = Checked { from: disk.read(&task.lines)?, bytes: 0, crc: 0 };
    let (sealed, lines) = match task.codec {
        Codec::None => {
            let (hashing, lines) = copy(lines, Hashing::new(io::sink()))?;
            (hashing.outcome(), lines)
        }
        Codec::Gzip => {
            let to = Hashing::new(Object::create(disk, &task.object)?);
            let encoder = flate2::write::GzEncoder::new(to, flate2::Compression::new(GZIP_LEVEL));
            let (encoder, lines) = copy(lines, encoder)?;
            (encoder.finish()?.settle()?, lines)
        }
        Codec::Zstd => {
            let to = Hashing::new(Object::create(disk, &task.object)?);
            let mut encoder = zstd::stream::write::Encoder::new(to, ZSTD_LEVEL)?;
            encoder.include_checksum(true)?;
            encoder.set_pledged_src_size(Some(task.bytes))?;
            let (encoder, lines) = copy(lines, encoder)?;
            (encoder.finish()?.settle()?, lines)
        }
    };
    if (lines.bytes, lines.crc) != (task.bytes, task.crc) {
        let text = format!("{} holds other bytes than were accepted", task.lines);
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    disk.sync_folder("data")?;
    Ok(sealed)
}

/// The sums of what a reader gives.
///
/// # Errors
/// When reading fails.
pub fn sums(reader: impl Read) -> io::Result<Sums> {
    let (hashing, _) = copy(reader, Hashing::new(io::sink()))?;
    Ok(hashing.outcome())
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Copies by pieces large enough that neither hashing nor compressing waits for the disk often.
fn copy<R: Read, W: Write>(mut from: R, mut to: W) -> io::Result<(W, R)> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok((to, from)),
            read => to.write_all(&buffer[..read])?,
        }
    }
}

/// Counts the lines' bytes and sums them up.
struct Checked<R> {
    from: R,
    bytes: u64,
    crc: u32,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.crc = crc32c::crc32c_append(self.crc, &buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// The object's file.
struct Object(Box<dyn DiskFile>);

impl Object {
    fn create(disk: &dyn Disk, name: &str) -> io::Result<Object> {
        // A seal that was cut short by a crash left a file that nothing speaks of.
        disk.remove(name)?;
        Ok(Object(disk.create(name)?))
    }
}

impl Write for Object {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts and hashes what passes through.
struct Hashing<W> {
    to: W,
    hash: Sha256,
    crc64: Crc64Hasher,
    bytes: u64,
}

impl<W> Hashing<W> {
    fn new(to: W) -> Hashing<W> {
        Hashing { to, hash: Sha256::new(), crc64: Crc64Hasher::default(), bytes: 0 }
    }

    fn outcome(self) -> Sums {
        (self.bytes, hex(&self.hash.finalize()), self.crc64.finish())
    }
}

impl Hashing<Object> {
    fn settle(self) -> io::Result<Sums> {
        self.to.0.sync()?;
        Ok(self.outcome())
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.crc64.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
