//! A look into a spool, which changes nothing and takes no lock: what its journal says at this moment. An agent may be at
//! work on it; a frame it is writing at the journal's end is simply not there yet.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::SpoolError;
use super::disk::{Disk, RealDisk};
use super::entry::FileId;
use super::folder::{aside, copy_name, is_locked, lines_name};
use super::journal::{self, JournalError, Scanned};
use super::leftovers::{self, Piece};
use super::recovery::{self, Point};
use super::state::{FileState, Stage, State};
use super::watermark::{self, Watermark};

/// A look is begun again so often when the agent changed to a new journal meanwhile.
const TRIES: u32 = 5;

/// What a spool's journal says.
pub struct View {
    /// The spool's folder.
    pub dir: PathBuf,
    /// Whether an agent works on it.
    pub running: bool,
    /// The journal's name.
    pub journal: String,
    /// Whether each group is synced before it is accepted.
    pub synced: bool,
    /// Frames in the journal.
    pub frames: usize,
    /// Bytes of a torn end: a group that was not accepted, or is being written.
    pub torn_bytes: u64,
    /// What the frames mean.
    pub state: State,
    /// Frames that the watermark calls accepted.
    pub(super) sure_frames: usize,
    /// Why the journal does not say all that was accepted.
    pub(super) doubt: Option<String>,
    pub(super) group_limit: u64,
    pub(super) has_watermark: bool,
    pub(super) points: BTreeMap<FileId, Vec<Point>>,
}

impl View {
    /// Reads a spool's journal.
    ///
    /// # Errors
    /// When there is no spool, on an I/O error, or when the journal is damaged.
    pub fn open(dir: &Path) -> Result<View, SpoolError> {
        let shown = dir.display().to_string();
        let fail = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => SpoolError::Missing { dir: shown.clone() },
            _ => SpoolError::Disk { dir: shown.clone(), action: "read it".into(), source },
        };
        let disk = RealDisk::new(dir);
        let mut tries = TRIES;
        loop {
            let running = is_locked(dir).map_err(fail)?;
            // Before the journal, which an agent may carry on meanwhile.
            let watermark = watermark::read(&disk).map_err(fail)?;
            let names = disk.list("").map_err(fail)?;
            let newest = names.iter().filter_map(|name| journal::generation_of(name)).max();
            let Some(generation) = newest else { return Err(SpoolError::Missing { dir: shown }) };
            match journal::scan(&disk, generation) {
                Ok(scanned) => return Ok(View::of(dir, running, generation, watermark, &scanned)),
                // The agent summed its journal up and removed this one.
                Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && tries > 1 => {
                    tries -= 1;
                }
                Err(source) => return Err(SpoolError::Journal { dir: shown, source }),
            }
        }
    }

    fn of(dir: &Path, running: bool, generation: u64, watermark: Option<Watermark>, scanned: &Scanned) -> View {
        let (doubt, group_limit) = recovery::doubt(watermark, generation, scanned);
        View {
            has_watermark: watermark.is_some(),
            sure_frames: recovery::sure_frames(watermark, generation, scanned),
            doubt,
            group_limit,
            dir: dir.to_owned(),
            running,
            journal: journal::name(generation),
            synced: scanned.synced,
            frames: scanned.frames.len(),
            torn_bytes: scanned.torn_bytes,
            state: recovery::fold(&scanned.frames),
            points: recovery::points(&scanned.frames),
        }
    }

    /// What lies in the quarantine folder and the journal does not speak for.
    ///
    /// # Errors
    /// On an I/O error.
    pub fn unknown(&self) -> io::Result<Vec<Piece>> {
        leftovers::kept(&RealDisk::new(&self.dir))
    }

    /// Opens a file's lines, wherever they lie; `None` when the spool does not hold them (any more). What is read may go
    /// beyond the accepted end.
    ///
    /// # Errors
    /// On an I/O error.
    pub fn lines(&self, file: &FileState) -> io::Result<Option<Box<dyn Read + Send>>> {
        let disk = RealDisk::new(&self.dir);
        let name = lines_name(file.head.id);
        // A file may be put aside between the look at the journal and this one.
        let copy = copy_name(file.head.id);
        let places =
            if file.aside().is_some() { [aside(&name), name, copy] } else { [name.clone(), copy, aside(&name)] };
        for place in places {
            match disk.read(&place) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => return read.map(Some),
            }
        }
        Ok(None)
    }
}

/// How much of a file from its beginning is known to be what was accepted: bytes, lines and their CRC32C.
pub fn proved(file: &FileState) -> (u64, u64, u32) {
    match file.stage {
        Stage::Damaged { end, lines, crc, .. } => (end, lines, crc),
        _ => (file.end, file.lines, file.crc),
    }
}
