//! Files as a source: replay and back-loading of archives, one file after the other in a fixed order.
//!
//! All files are recognised before the first one is read, and none is read where one is of a kind that is refused.
//!
//! Each batch carries its position, so that a crash resumes inside a file (in an archive: inside a member) and a second run reads
//! nothing again. A file is known by its path, size and SHA-256. Of one that has only grown what is new is read; another one that
//! has changed is read anew, and the dedupe behind sorts out what is known.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cauce_lake::manifest::IngestPath;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::archive::{self, Member, Next};
use super::batches::Limits;
use super::input::{End, Input};
use super::unpack::{self, Kind, Opened, Unreadable};
use super::{Positions, Source, SourceError};
use crate::channel::Sender;
use crate::record::{Batch, Position};
use crate::status::{Metrics, SourceState};

/// The files to read, found and in order.
#[derive(Debug)]
pub(crate) struct Files {
    files: Vec<Found>,
    positions: Positions,
    limits: Limits,
    metrics: Arc<Metrics>,
    /// Whether it was said that lines are not those of the file.
    is_told: bool,
}

/// A file, and the name under which its position is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    path: PathBuf,
    name: String,
}

impl Files {
    /// Finds the files that `paths` name: files, folders (all files under them but hidden ones, by name) and patterns
    /// (their matches by name). A file that is named twice is read once.
    pub(crate) fn find(
        paths: &[String],
        positions: Positions,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Result<Files, SourceError> {
        let mut files: Vec<Found> = Vec::new();
        let mut names = hashbrown::HashSet::new();
        for path in paths {
            for found in expand(path)? {
                let found = identify(found)?;
                if names.insert(found.name.clone()) {
                    files.push(found);
                }
            }
        }
        refuse_unreadable(&files)?;
        Ok(Files { files, positions, limits, metrics, is_told: false })
    }

    /// Reads all files on the calling thread. Files that cannot be read to their end are named in the error, after the
    /// others have been read.
    fn read(mut self, out: &Sender, stop: &CancellationToken, runtime: &Handle) -> Result<(), SourceError> {
        let mut broken: Vec<String> = Vec::new();
        let count = self.files.len();
        for file in std::mem::take(&mut self.files) {
            let before = broken.len();
            match self.read_file(&file, out, stop, runtime, &mut broken) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(Unreadable::Rejected(line)) => return Err(SourceError::Input(line.to_string())),
                Err(error) => broken.push(format!("{}: {error}", file.path.display())),
            }
            for fault in &broken[before..] {
                tracing::error!(file = file.name, %fault, "file cannot be read to its end; what came before is kept");
            }
        }
        if broken.is_empty() {
            return Ok(());
        }
        Err(SourceError::Input(format!(
            "{} of {count} files could not be read to the end; all else is stored, and its hours stay open: put whole \
             files in their place and run again, or close the hours as they are with `ingest close`: {}",
            broken.len().min(count),
            broken.join("; ")
        )))
    }

    /// Reads one file; false when asked to stop. Members of archives that cannot be read are added to `broken`.
    fn read_file(
        &mut self,
        file: &Found,
        out: &Sender,
        stop: &CancellationToken,
        runtime: &Handle,
        broken: &mut Vec<String>,
    ) -> Result<bool, Unreadable> {
        let known = self.positions.get(&file.name);
        let Some((mut position, has_grown)) = measure(file, known, stop)? else { return Ok(false) };
        match known {
            Some(known) if has_grown => {
                tracing::info!(
                    file = file.name,
                    bytes = position.bytes,
                    known = known.bytes,
                    "file has grown; reading what is new"
                );
                (position.member, position.offset) = (known.member, known.offset);
                position.damaged.clone_from(&known.damaged);
            }
            Some(known) if known.sha256 != position.sha256 || known.bytes != position.bytes => {
                tracing::warn!(file = file.name, "file has changed since it was read; reading it anew");
            }
            Some(known) if known.done => {
                tracing::info!(file = file.name, "file already read");
                let again = known.damaged.iter().map(|member| format!("{}: {member}", file.path.display()));
                broken.extend(again);
                return Ok(true);
            }
            Some(known) => {
                tracing::info!(file = file.name, member = known.member, offset = known.offset, "going on inside file");
                (position.member, position.offset) = (known.member, known.offset);
                position.damaged.clone_from(&known.damaged);
            }
            None => {}
        }
        let mut send = |batch| runtime.block_on(out.send(batch));
        let bytes = File::open(&file.path)?;
        let reader = match unpack::open(bytes)? {
            Opened::Lines(reader, kind) => {
                self.tell(file, &kind, position.bytes);
                let name = file.path.display().to_string();
                let input = Input { is_last: true, has_grown, ..self.input(name, position) };
                return match input.read(reader, stop, send) {
                    End::Done => Ok(true),
                    End::Stopped => Ok(false),
                    End::Rejected(line) => Err(Unreadable::Rejected(line)),
                    End::Broken(error) => Err(error.into()),
                };
            }
            Opened::Tar(reader, kind) => {
                tracing::info!(file = file.name, bytes = position.bytes, form = %kind, "reading archive");
                Some(reader)
            }
            Opened::Zip => {
                tracing::info!(file = file.name, bytes = position.bytes, form = "zip", "reading archive");
                None
            }
        };
        let from = position.member;
        let mut next = position.clone();
        let (mut is_stopped, mut rejected, mut is_empty) = (false, None, from == 0);
        broken.extend(next.damaged.iter().map(|member| format!("{}: {member}", file.path.display())));
        let read = |member: Member<'_>| {
            is_empty = false;
            let in_archive = member.name.clone();
            // A member that was read a part of goes on there.
            let offset = if member.number == from { position.offset } else { 0 };
            next = Position { member: member.number, offset, ..next.clone() };
            let name = format!("{}: {}", file.path.display(), member.name);
            let end = match member.open() {
                Ok((reader, kind)) => {
                    self.tell_once(&kind);
                    let input = Input { has_grown: has_grown && offset > 0, ..self.input(name.clone(), next.clone()) };
                    input.read(reader, stop, &mut send)
                }
                Err(error) => End::Broken(io::Error::other(error)),
            };
            // What follows is another member, whatever became of this one.
            next = Position { member: next.member + 1, offset: 0, ..next.clone() };
            match end {
                End::Done => {}
                End::Broken(error) => {
                    broken.push(format!("{name}: {error}"));
                    // The next run does not read it again, and names it again. Many of them are named by the first.
                    if next.damaged.len() < SHOWN {
                        next.damaged.push(format!("{in_archive}: {error}"));
                    }
                }
                End::Rejected(line) => {
                    rejected = Some(line);
                    return Next::Stop;
                }
                End::Stopped => {
                    is_stopped = true;
                    return Next::Stop;
                }
            }
            Next::Go
        };
        match reader {
            Some(reader) => archive::each_of_tar(reader, from, read)?,
            None => archive::each_of_zip(File::open(&file.path)?, from, read)?,
        }
        if let Some(line) = rejected {
            return Err(Unreadable::Rejected(line));
        }
        if is_stopped {
            return Ok(false);
        }
        if is_empty {
            tracing::warn!(file = file.name, "{NO_MEMBERS}");
        }
        let position = Position { done: true, ..next };
        let last =
            Batch { block: Bytes::new(), records: Vec::new(), path: IngestPath::Replay, position: Some(position) };
        Ok(send(last).is_ok())
    }

    fn input(&self, name: String, position: Position) -> Input {
        Input {
            position: Some(position),
            name,
            fills: true,
            is_last: false,
            has_grown: false,
            limits: self.limits,
            metrics: Arc::clone(&self.metrics),
        }
    }

    fn tell(&mut self, file: &Found, kind: &Kind, bytes: u64) {
        tracing::info!(file = file.name, bytes, form = %kind, "reading file");
        self.tell_once(kind);
    }

    fn tell_once(&mut self, kind: &Kind) {
        if !kind.is_plain() && !self.is_told {
            self.is_told = true;
            tracing::info!(form = %kind, "{REFRAMED}");
        }
    }
}

/// What is said of the first input whose lines are made of its values.
pub(super) const REFRAMED: &str =
    "each value is stored as one line of UTF-8; nothing but white space between its tokens changes";

/// What is said of an archive in which no file is.
pub(super) const NO_MEMBERS: &str = "the archive holds no files, so no lines are read from it";

/// What a file is, as people say it.
///
/// # Errors
/// When it cannot be read, or is of a kind that is refused.
fn inspect(path: &Path) -> Result<String, Unreadable> {
    let mut first = None;
    let mut read = |member: Member<'_>| {
        let name = member.name.clone();
        first = Some((name, member.open().map(|(_, kind)| kind.to_string())));
        Next::Stop
    };
    let outer = match unpack::open(File::open(path)?)? {
        Opened::Lines(_, kind) => return Ok(kind.to_string()),
        Opened::Tar(reader, kind) => {
            archive::each_of_tar(reader, 0, &mut read)?;
            kind.to_string()
        }
        Opened::Zip => {
            archive::each_of_zip(File::open(path)?, 0, &mut read)?;
            "zip".to_owned()
        }
    };
    match first {
        None => Ok(format!("{outer} without files in it")),
        Some((name, Ok(kind))) => Ok(format!("{outer}; its first member {name}: {kind}")),
        Some((_, Err(error))) => Err(error),
    }
}

/// Makes sure that no file is of a kind that is refused.
fn refuse_unreadable(files: &[Found]) -> Result<(), SourceError> {
    let refused = |file: &Found| match inspect(&file.path) {
        Err(Unreadable::Refused(refusal)) => Some(format!("{}: {refusal}", file.path.display())),
        // A damaged file is read as far as it goes.
        Ok(_) | Err(Unreadable::Broken(_) | Unreadable::Rejected(_)) => None,
    };
    let refused: Vec<String> = files.iter().filter_map(refused).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let (count, all) = (refused.len(), files.len());
    let more = if count > SHOWN { format!("; and {} more", count - SHOWN) } else { String::new() };
    let shown = refused[..count.min(SHOWN)].join("; ");
    Err(SourceError::Input(format!("{count} of {all} files cannot be read, and nothing is stored: {shown}{more}")))
}

/// Names of files in one message.
const SHOWN: usize = 10;

/// A file, and what it is or why it cannot be read.
pub(crate) type Described = (PathBuf, Result<String, String>);

/// What each file is that `paths` name, as people say it, or why it cannot be read.
///
/// # Errors
/// When a path cannot be followed.
pub(crate) fn describe(paths: &[String]) -> Result<Vec<Described>, SourceError> {
    let mut described = Vec::new();
    for path in paths {
        for file in expand(path)? {
            let what = inspect(&file).map_err(|error| error.to_string());
            described.push((file, what));
        }
    }
    Ok(described)
}

#[async_trait]
impl Source for Files {
    fn is_live(&self) -> bool {
        false
    }

    async fn run(self: Box<Self>, out: Sender, stop: CancellationToken) -> Result<(), SourceError> {
        let metrics = Arc::clone(&self.metrics);
        metrics.set_source(SourceState::Reading);
        let runtime = Handle::current();
        let reading = tokio::task::spawn_blocking(move || self.read(&out, &stop, &runtime));
        let end = reading.await;
        metrics.set_source(SourceState::Ended);
        end.unwrap_or_else(|error| Err(SourceError::Input(format!("reading files failed: {error}"))))
    }
}

/// The files that one path of the configuration names.
fn expand(path: &str) -> Result<Vec<PathBuf>, SourceError> {
    // A name with brackets in it may be a pattern or a name; what is there wins.
    if Path::new(path).exists() || !path.contains(['*', '?', '[']) {
        let mut files = Vec::new();
        walk(Path::new(path), &mut files)?;
        if files.is_empty() {
            return Err(SourceError::Configuration(format!("source.paths: there is no file in the folder {path}")));
        }
        return Ok(files);
    }
    let wrong = |error: &dyn std::fmt::Display| SourceError::Configuration(format!("source.paths: {path}: {error}"));
    let matches = glob::glob(path).map_err(|error| wrong(&error))?;
    let mut files = Vec::new();
    let mut matched: Vec<PathBuf> = matches.collect::<Result<_, _>>().map_err(|error| wrong(&error))?;
    matched.sort();
    for path in matched {
        walk(&path, &mut files)?;
    }
    if files.is_empty() {
        return Err(wrong(&"no file matches this pattern"));
    }
    Ok(files)
}

/// Adds the file, or all files under the folder, by name.
fn walk(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), SourceError> {
    let wrong = |error: io::Error| SourceError::Configuration(format!("source.paths: {}: {error}", path.display()));
    if !fs::metadata(path).map_err(wrong)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(wrong)?;
    let mut entries: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(wrong)?;
    entries.sort();
    for entry in entries {
        if entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            tracing::debug!(file = %entry.display(), "hidden file left out");
            continue;
        }
        walk(&entry, files)?;
    }
    Ok(())
}

/// Makes sure that the file can be opened, and gives it its lasting name.
fn identify(path: PathBuf) -> Result<Found, SourceError> {
    let wrong =
        |what: &dyn std::fmt::Display| SourceError::Configuration(format!("source.paths: {}: {what}", path.display()));
    let metadata = fs::metadata(&path).map_err(|error| wrong(&error))?;
    if !metadata.is_file() {
        return Err(wrong(&"no regular file; read pipes with source.type = \"stdin\""));
    }
    File::open(&path).map_err(|error| wrong(&error))?;
    let canonical = fs::canonicalize(&path).map_err(|error| wrong(&error))?;
    let name = canonical.to_str().ok_or_else(|| wrong(&"its name is not UTF-8; rename it"))?.to_owned();
    Ok(Found { path, name })
}

/// Reads the file once for its size and hash, and says whether it is the known one with more behind it. `None` when asked to
/// stop.
fn measure(file: &Found, known: Option<&Position>, stop: &CancellationToken) -> io::Result<Option<(Position, bool)>> {
    let hex = |hash: Sha256| -> String { hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect() };
    let mut reader = File::open(&file.path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let (mut bytes, mut begins_as_known) = (0, false);
    loop {
        if stop.is_cancelled() {
            return Ok(None);
        }
        let count = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        match known {
            Some(known) if (bytes..bytes + count as u64).contains(&known.bytes) => {
                let (before, behind) = buffer[..count].split_at((known.bytes - bytes) as usize);
                hash.update(before);
                begins_as_known = hex(hash.clone()) == known.sha256;
                hash.update(behind);
            }
            _ => hash.update(&buffer[..count]),
        }
        bytes += count as u64;
    }
    let has_grown = begins_as_known && known.is_some_and(|known| known.bytes > 0);
    let sha256 = hex(hash);
    let position =
        Position { file: file.name.clone(), bytes, sha256, member: 0, offset: 0, done: false, damaged: Vec::new() };
    Ok(Some((position, has_grown)))
}

#[cfg(test)]
mod tests;
