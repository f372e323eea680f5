//! Files as a source: replay and back-loading of archives, one file after the other in a fixed order.
//!
//! Each batch carries its position, so that a crash resumes inside a file and a second run reads nothing again. A file is
//! known by its path, size and SHA-256; a changed one is read anew, and the dedupe behind sorts out what is known.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::batches::Limits;
use super::input::{End, Input, decoded};
use super::{Positions, Source, SourceError};
use crate::channel::{Position, Sender};
use crate::status::{Metrics, SourceState};

/// The files to read, found and in order.
#[derive(Debug)]
pub(crate) struct Files {
    files: Vec<Found>,
    positions: Positions,
    limits: Limits,
    metrics: Arc<Metrics>,
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
        Ok(Files { files, positions, limits, metrics })
    }

    /// Reads all files on the calling thread. Files that cannot be read to their end are named in the error, after the
    /// others have been read.
    fn read(mut self, out: &Sender, stop: &CancellationToken, runtime: &Handle) -> Result<(), SourceError> {
        let mut broken: Vec<String> = Vec::new();
        let count = self.files.len();
        for file in std::mem::take(&mut self.files) {
            let end = match self.read_file(&file, out, stop, runtime) {
                Ok(end) => end,
                Err(error) => End::Broken(error),
            };
            match end {
                End::Done => {}
                End::Stopped => return Ok(()),
                End::Rejected(line) => return Err(SourceError::Input(line.to_string())),
                End::Broken(error) => {
                    tracing::error!(file = file.name, %error, "file cannot be read to its end; what came before is kept");
                    broken.push(format!("{}: {error}", file.path.display()));
                }
            }
        }
        if broken.is_empty() {
            return Ok(());
        }
        Err(SourceError::Input(format!(
            "{} of {count} files could not be read to the end, all else is stored: {}",
            broken.len(),
            broken.join("; ")
        )))
    }

    fn read_file(&self, file: &Found, out: &Sender, stop: &CancellationToken, runtime: &Handle) -> io::Result<End> {
        let Some(mut position) = measure(file, stop)? else { return Ok(End::Stopped) };
        match self.positions.get(&file.name) {
            Some(known) if known.sha256 != position.sha256 || known.bytes != position.bytes => {
                tracing::warn!(file = file.name, "file has changed since it was read; reading it anew");
            }
            Some(known) if known.done => {
                tracing::info!(file = file.name, "file already read");
                return Ok(End::Done);
            }
            Some(known) => {
                tracing::info!(file = file.name, offset = known.offset, "going on inside file");
                position.offset = known.offset;
            }
            None => tracing::info!(file = file.name, bytes = position.bytes, "reading file"),
        }
        let reader = decoded(File::open(&file.path)?)?;
        let input = Input {
            position: Some(position),
            name: file.path.display().to_string(),
            fills: true,
            limits: self.limits,
            metrics: Arc::clone(&self.metrics),
        };
        Ok(input.read(reader, stop, |batch| runtime.block_on(out.send(batch))))
    }
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

/// Reads the file once for its size and hash. `None` when asked to stop.
fn measure(file: &Found, stop: &CancellationToken) -> io::Result<Option<Position>> {
    let mut reader = File::open(&file.path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
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
        hash.update(&buffer[..count]);
        bytes += count as u64;
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(Position { file: file.name.clone(), bytes, sha256, offset: 0, done: false }))
}

#[cfg(test)]
mod tests;
