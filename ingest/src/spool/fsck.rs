//! A check of a whole spool that changes nothing: the journal, every file at every commit, sealed objects, id files, and
//! what lies around. With an agent at work only what is committed is held against the journal.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::SpoolError;
use super::disk::{Disk, RealDisk};
use super::entry::FileId;
use super::folder::{aside, lines_at, lines_name, object_name};
use super::ids;
use super::inspect::View;
use super::journal::{self, JournalError, RESTORE};
use super::leftovers::{self, Leftovers};
use super::recovery::{self, Point};
use super::state::{FileState, Stage};
use super::{reserve, watermark};

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file it is about, under the spool's folder.
    pub name: String,
    /// From which byte on.
    pub offset: Option<u64>,
    /// What is there.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Frames of the journal that were read.
    pub frames: usize,
    /// Spool files that were read.
    pub files: usize,
    /// Id files that were read.
    pub runs: usize,
    /// Whether an agent works on the spool.
    pub running: bool,
    /// What a person must look at.
    pub problems: Vec<Finding>,
    /// What is worth saying and mends itself.
    pub notes: Vec<Finding>,
}

/// Checks a spool. A damaged journal is a problem in the report; nothing else can be checked then.
///
/// # Errors
/// When there is no spool, or on an I/O error.
pub fn check(dir: &Path) -> Result<Report, SpoolError> {
    let view = match View::open(dir) {
        Ok(view) => view,
        Err(SpoolError::Journal { source, .. }) => return unreadable(dir, source),
        Err(other) => return Err(other),
    };
    let fail = |source| SpoolError::Disk { dir: dir.display().to_string(), action: "check it".into(), source };
    let report = Report { frames: view.frames, running: view.running, ..Report::default() };
    let disk = RealDisk::new(dir);
    let doubt = view.doubt.clone();
    let leftovers = match view.running {
        true => Leftovers::default(),
        false => leftovers::find(&disk, &view.state, doubt, view.group_limit, view.synced).map_err(fail)?,
    };
    let mut check = Check { disk, view, report, leftovers };
    check.torn_end();
    check.leftovers().map_err(fail)?;
    check.files().map_err(fail)?;
    check.runs();
    check.strays().map_err(fail)?;
    Ok(check.report)
}

fn unreadable(dir: &Path, error: JournalError) -> Result<Report, SpoolError> {
    let (name, offset, what, remedy) = match error {
        JournalError::Io { source, .. } => {
            return Err(SpoolError::Disk { dir: dir.display().to_string(), action: "read the journal".into(), source });
        }
        JournalError::Damaged { name, offset, what } => {
            (name, Some(offset), format!("{what}; nothing behind it can be trusted"), RESTORE)
        }
        JournalError::NotAJournal { name } => {
            (name, Some(0), "it does not begin as a journal does".to_owned(), RESTORE)
        }
        JournalError::Version { name, version } => {
            (name, Some(8), format!("it has format {version}"), "use the version of ingest that wrote it")
        }
    };
    let problem = Finding { name, offset, what, remedy: remedy.to_owned() };
    Ok(Report { problems: vec![problem], ..Report::default() })
}

struct Check {
    disk: RealDisk,
    view: View,
    report: Report,
    leftovers: Leftovers,
}

impl Check {
    fn problem(&mut self, name: &str, offset: Option<u64>, what: String, remedy: &str) {
        self.report.problems.push(Finding { name: name.to_owned(), offset, what, remedy: remedy.to_owned() });
    }

    fn note(&mut self, name: &str, offset: Option<u64>, what: String, remedy: &str) {
        self.report.notes.push(Finding { name: name.to_owned(), offset, what, remedy: remedy.to_owned() });
    }

    fn torn_end(&mut self) {
        let (name, torn) = (self.view.journal.clone(), self.view.torn_bytes);
        if let Some(doubt) = self.view.doubt.clone().filter(|_| !self.view.running) {
            let name = if self.view.has_watermark { name.as_str() } else { watermark::NAME };
            self.problem(name, None, doubt, "the next start keeps what the journal does not speak for in quarantine/");
            return;
        }
        if torn == 0 {
            return;
        }
        let remedy = if self.view.running {
            "the agent is writing a group"
        } else {
            "nothing to do: it was never accepted, and the next start leaves it out"
        };
        self.note(&name, None, format!("its last {torn} bytes are a torn group"), remedy);
    }

    fn files(&mut self) -> io::Result<()> {
        let files: Vec<FileState> = self.view.state.files.values().cloned().collect();
        for file in files {
            match &file.stage {
                Stage::Open | Stage::Sealed { .. } => self.file(&file)?,
                Stage::Stored { .. } => continue,
                Stage::Quarantined { .. } | Stage::Damaged { .. } => self.file_aside(&file)?,
            }
            self.report.files += 1;
        }
        Ok(())
    }

    /// A file that waits: at every commit, and its object.
    fn file(&mut self, file: &FileState) -> io::Result<()> {
        let name = lines_name(file.head.id);
        let points = self.view.points.remove(&file.head.id).unwrap_or_default();
        let place = lines_at(&self.disk, file.head.id)?;
        let reader = match self.disk.read(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !self.has_moved_on(file.head.id) {
                    self.problem(&name, None, format!("it is not there; {} lines were accepted", file.lines), DAMAGED);
                }
                return Ok(());
            }
            opened => opened?,
        };
        if let Some((bad, good)) = recovery::hold_against(reader, &points)? {
            self.bad_bytes(file, &name, bad, good);
            return Ok(());
        }
        let length = self.disk.open_reader(&place).and_then(|reader| reader.length()).unwrap_or(file.end);
        let kept = self.leftovers.ends.iter().any(|end| end.name == name);
        if file.stage == Stage::Open && length > file.end && !self.view.running && !kept {
            let what = format!("{} bytes behind the accepted end", length - file.end);
            self.note(
                &name,
                Some(file.end),
                what,
                "nothing to do: they were never accepted, and the next start cuts them",
            );
        }
        let Stage::Sealed { bytes, sha256, .. } = &file.stage else { return Ok(()) };
        let object = object_name(&file.head);
        if !recovery::object_is_whole(&self.disk, &file.head, *bytes, sha256)? && !self.has_moved_on(file.head.id) {
            let what = "the object is not what was sealed: its length or SHA-256 differs".to_owned();
            let remedy = "the next start puts the file aside; its lines check out, so ingest spool requeue mends it";
            self.problem(&object, None, what, remedy);
        }
        Ok(())
    }

    fn bad_bytes(&mut self, file: &FileState, name: &str, bad: Point, good: Point) {
        let what = format!("bytes {} to {} are not those that were accepted", good.end, bad.end);
        let is_sure = bad.frame < self.view.sure_frames;
        let in_last_group = bad.frame > 0 && bad.frame + 1 == self.view.frames && !is_sure;
        if self.view.synced && in_last_group && !self.view.running {
            let remedy = "nothing to do: the last group did not reach the disk, was never accepted, and is left out";
            self.note(name, Some(good.end), what, remedy);
        } else if !self.view.synced && file.stage == Stage::Open {
            let remedy = "the next start cuts the file there; channel.type = \"file\" keeps such lines";
            self.problem(name, Some(good.end), what, remedy);
        } else {
            self.problem(name, Some(good.end), what, DAMAGED);
        }
    }

    fn file_aside(&mut self, file: &FileState) -> io::Result<()> {
        let name = aside(&lines_name(file.head.id));
        let reason = file.aside().unwrap_or_default().to_owned();
        let (end, lines, crc) = super::inspect::proved(file);
        let points = [Point { frame: 0, end, lines, crc }];
        let whole = match self.view.lines(file)? {
            None => false,
            Some(reader) => recovery::hold_against(reader, &points)?.is_none(),
        };
        if !whole {
            let what = format!("it was put aside ({reason}), and its bytes are not there or changed since");
            self.problem(&name, None, what, "restore it from a copy; ingest spool requeue --salvage lets it go");
        } else if lines < file.lines {
            let what = format!("it was put aside ({reason}); {lines} of its {} lines check out", file.lines);
            self.problem(&name, Some(end), what, "ingest spool requeue --salvage takes those that check out");
        } else {
            let what = format!("it was put aside ({reason}); all its {lines} lines check out");
            self.problem(&name, None, what, "ingest spool requeue gives it a new key");
        }
        Ok(())
    }

    /// Whether a running agent has stored a file, or put it aside, since the journal was read.
    fn has_moved_on(&self, id: FileId) -> bool {
        self.view.running
            && View::open(&self.view.dir).is_ok_and(|now| {
                now.state.files.get(&id).is_none_or(|file| !matches!(file.stage, Stage::Open | Stage::Sealed { .. }))
            })
    }

    fn runs(&mut self) {
        for hole in self.view.state.holes.clone() {
            let at = crate::clock::instant;
            let mut what =
                format!("ids that arrived from {} to {} are lost to dedupe", at(hole.from_ms), at(hole.to_ms));
            if let Some((first, last)) = hole.span {
                what.push_str(&format!(" (of those from {first} to {last})"));
            }
            let remedy = format!(
                "tweets of them that come again before {} are stored again; manifests say so",
                at(hole.until_ms)
            );
            self.note("ids/", None, what, &remedy);
        }
        for run in self.view.state.runs.clone() {
            self.report.runs += 1;
            let Err(error) = ids::check(&self.disk, &run) else { continue };
            if error.kind() == io::ErrorKind::NotFound && self.view.running {
                // The agent has merged it into a newer one.
                continue;
            }
            let remedy =
                "the next start uses what checks out; tweets of ids that are lost are stored again if they come again";
            self.problem(&run.name(), None, error.to_string(), remedy);
        }
    }

    /// What the journal does not speak for, as the next start would take it.
    fn leftovers(&mut self) -> io::Result<()> {
        let Leftovers { unknown, ends, unknown_runs, spent, foreign, .. } = std::mem::take(&mut self.leftovers);
        for piece in unknown.iter().chain(&ends) {
            let what = format!("{} lines, {} bytes that the journal does not speak for", piece.lines, piece.bytes);
            let remedy = "the next start moves them to quarantine/; ingest spool requeue takes them from there";
            self.problem(&piece.name, (piece.from > 0).then_some(piece.from), what, remedy);
        }
        for name in &foreign {
            let what = "the spool never makes a file of this name".to_owned();
            self.problem(name, None, what, "move it away; the agent leaves it alone");
        }
        for name in spent {
            let what = "the journal does not speak of it: a crash left it, and nothing accepted is in it".to_owned();
            self.note(&name, None, what, "nothing to do: the next start removes it");
        }
        for name in unknown_runs {
            let what = "the journal does not speak of it".to_owned();
            self.note(&name, None, what, "nothing to do: the next start moves it to quarantine/");
        }
        self.leftovers.ends = ends;
        for kept in leftovers::kept(&self.disk)? {
            let what = format!("{} lines, {} bytes that the journal did not speak for", kept.lines, kept.bytes);
            self.problem(&kept.name, None, what, "ingest spool requeue takes its lines; those stored already stay out");
        }
        Ok(())
    }

    /// Names in the spool's own folder and in `quarantine/` that mean nothing to it.
    fn strays(&mut self) -> io::Result<()> {
        let state = &self.view.state;
        let mut known: BTreeSet<String> =
            ["lock", watermark::NAME, reserve::NAME, "data", "ids", "quarantine"].map(str::to_owned).into();
        known.insert(self.view.journal.clone());
        for file in state.files.values() {
            known.extend([lines_name(file.head.id), object_name(&file.head)].map(|name| aside(&name)));
        }
        known.extend(leftovers::kept(&self.disk)?.into_iter().map(|kept| kept.name));
        for folder in ["", "quarantine"] {
            let mut names = match self.disk.list(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                listed => listed?,
            };
            names.sort();
            for name in names {
                let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                if !known.contains(&name) {
                    self.stray(folder, &name);
                }
            }
        }
        Ok(())
    }

    fn stray(&mut self, folder: &str, name: &str) {
        let file_name = name.rsplit('/').next().unwrap_or(name);
        let ours = match folder {
            "" => name == "journal.new" || journal::generation_of(name).is_some(),
            _ => leftovers::was_kept(file_name) || leftovers::data_file(file_name).is_some(),
        };
        if !ours {
            let what = "the spool never makes a file of this name".to_owned();
            self.problem(name, None, what, "move it away; the agent leaves it alone");
        } else if folder == "quarantine" {
            let what = "the journal does not speak of it: its lines were requeued, as far as they could be".to_owned();
            self.note(name, None, what, "look at it if lines were lost, then delete it");
        } else if !self.view.running {
            let what = "the journal does not speak of it: a crash left it".to_owned();
            self.note(name, None, what, "nothing to do: the next start removes it");
        }
    }
}

const DAMAGED: &str = "let the next start put it aside; ingest spool requeue --salvage takes what checks out, the rest stays in quarantine/";

#[cfg(test)]
mod tests;
