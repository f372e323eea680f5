//! Members of tar and zip archives, in the archive's order, each opened as an input of its own.
//!
//! Blocking. A tar is read as it comes, so that it may be compressed or come from a pipe; a zip by its directory, which stands at
//! its end. Nothing is written to disk, so that a member's path is but a name. Hidden members are left out, as hidden files are.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::recognise::Refusal;
use super::unpack::{self, Kind, Opened, Unreadable};

/// The longest name of a member that is read, with its extended header.
const HEADER_BYTES: u64 = 1 << 20;
/// The most members of a zip: its directory is held in memory.
const ZIP_MEMBERS: usize = 1 << 20;

/// A member that is a file.
pub(crate) struct Member<'r> {
    /// Its number among all entries of the archive, from 0.
    pub(crate) number: u64,
    pub(crate) name: String,
    /// Its bytes, as they are in the archive; `Err` where they cannot be read.
    pub(crate) bytes: Result<Box<dyn Read + 'r>, Unreadable>,
}

impl<'r> Member<'r> {
    /// Its lines, and what it is.
    ///
    /// # Errors
    /// When it cannot be read, is of a kind that is refused, or is itself an archive.
    pub(crate) fn open(self) -> Result<(Box<dyn Read + 'r>, Kind), Unreadable> {
        match unpack::open(self.bytes?)? {
            Opened::Lines(lines, kind) => Ok((lines, kind)),
            Opened::Tar(..) | Opened::Zip => Err(Unreadable::Refused(Refusal::Nested)),
        }
    }
}

/// What `each` wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Go,
    Stop,
}

/// Gives the members of a tar from number `from` on.
///
/// # Errors
/// When the archive itself is damaged or cut short.
pub(crate) fn each_of_tar(reader: impl Read, from: u64, mut each: impl FnMut(Member<'_>) -> Next) -> io::Result<()> {
    let mut archive = tar::Archive::new(reader);
    // Archives that were put one behind the other are read on.
    archive.set_ignore_zeros(true);
    let (mut long_name, mut told_size) = (None, None);
    for (number, entry) in archive.entries()?.raw(true).enumerate() {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname() {
            let name = header_bytes(&mut entry)?;
            long_name =
                Some(String::from_utf8_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned());
            continue;
        }
        if kind.is_pax_local_extensions() {
            let bytes = header_bytes(&mut entry)?;
            for extension in tar::PaxExtensions::new(&bytes) {
                let extension = extension?;
                match extension.key_bytes() {
                    b"path" => long_name = Some(String::from_utf8_lossy(extension.value_bytes()).into_owned()),
                    b"size" => told_size = extension.value().ok().and_then(|size| size.parse::<u64>().ok()),
                    _ => {}
                }
            }
            continue;
        }
        let name = long_name.take().unwrap_or_else(|| String::from_utf8_lossy(&entry.path_bytes()).into_owned());
        let size = entry.header().entry_size()?;
        if told_size.take().is_some_and(|told| told != size) {
            let text = format!("its member {name} is larger than 8 GiB; unpack the archive first");
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        if (number as u64) < from || is_hidden(&name) {
            continue;
        }
        let bytes: Result<Box<dyn Read>, Unreadable> = if kind.is_gnu_sparse() {
            Err(io::Error::new(io::ErrorKind::Unsupported, "it is a sparse file; unpack the archive first").into())
        } else if kind.is_file() || kind.is_contiguous() {
            Ok(Box::new(Whole { reader: entry, left: size }))
        } else {
            continue;
        };
        if each(Member { number: number as u64, name, bytes }) == Next::Stop {
            break;
        }
    }
    Ok(())
}

fn header_bytes(entry: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.take(HEADER_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > HEADER_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "an extended header of the tar is larger than 1 MiB"));
    }
    Ok(bytes)
}

/// Gives the members of a zip from number `from` on.
///
/// # Errors
/// When its directory cannot be read.
pub(crate) fn each_of_zip(file: File, from: u64, mut each: impl FnMut(Member<'_>) -> Next) -> Result<(), Unreadable> {
    let mut archive = zip::ZipArchive::new(io::BufReader::new(file)).map_err(broken_zip)?;
    if archive.len() > ZIP_MEMBERS {
        return Err(broken_zip("it has more than a million members; unpack it first").into());
    }
    if archive.file_names().any(is_personal) {
        return Err(Unreadable::Refused(Refusal::PersonalArchive));
    }
    refuse_methods(&mut archive)?;
    for index in 0..archive.len() {
        if (index as u64) < from {
            continue;
        }
        let name = archive.name_for_index(index).unwrap_or_default().to_owned();
        if name.ends_with('/') || is_hidden(&name) {
            continue;
        }
        let bytes: Result<Box<dyn Read>, Unreadable> = match archive.by_index(index) {
            Ok(member) => Ok(Box::new(member)),
            Err(error) => Err(broken_zip(error).into()),
        };
        if each(Member { number: index as u64, name, bytes }) == Next::Stop {
            break;
        }
    }
    Ok(())
}

/// Makes sure that all members can be decompressed, before any is read.
fn refuse_methods(archive: &mut zip::ZipArchive<io::BufReader<File>>) -> Result<(), Unreadable> {
    for index in 0..archive.len() {
        // One whose own header is damaged is named when it is read.
        let Ok(member) = archive.by_index_raw(index) else { continue };
        let name = member.name().to_owned();
        #[expect(deprecated, reason = "there is no other way to a method that the crate does not know")]
        let number = member.compression().to_u16();
        if name.ends_with('/') || is_hidden(&name) || (matches!(number, 0 | 8 | 12) && !member.encrypted()) {
            continue;
        }
        let known = [
            (1, "Shrink"),
            (6, "Implode"),
            (9, "Deflate64"),
            (14, "LZMA"),
            (93, "Zstandard"),
            (95, "xz"),
            (98, "PPMd"),
        ];
        let known = known.into_iter().find(|(of, _)| *of == number).map(|(_, method)| method);
        let method = known.map_or(format!("method {number}"), |method| format!("{method} (method {number})"));
        let method = (!member.encrypted()).then_some(method);
        return Err(Unreadable::Refused(Refusal::ZipMember { name, method }));
    }
    Ok(())
}

fn broken_zip(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::other(error)
}

/// Members by which X's personal archive is known.
fn is_personal(name: &str) -> bool {
    matches!(name, "data/tweets.js" | "data/tweet.js" | "data/account.js" | "tweet.js")
}

fn is_hidden(name: &str) -> bool {
    let mut parts = Path::new(name).components().map(|part| part.as_os_str().as_encoded_bytes());
    parts.any(|part| (part.starts_with(b".") && part != b"." && part != b"..") || part == b"__MACOSX")
}

/// A reader that must give so many bytes: a tar that is cut short does not say so itself.
struct Whole<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left -= (count as u64).min(self.left);
        if count == 0 && !buffer.is_empty() && self.left > 0 {
            self.left = 0;
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut short"));
        }
        Ok(count)
    }
}
