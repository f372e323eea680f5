//! Recovery: what a spool found on the disk is worth. The rules are in the text of [`super`].

use std::collections::BTreeMap;
use std::io::{self, Read};

use cauce_lake::manifest::Codec;

use super::SpoolError;
use super::commit::settle_open_files;
use super::disk::Disk;
use super::entry::{Append, Entry, FileHead, FileId};
use super::folder::{aside, copy_name, lines_at, lines_name, object_name};
use super::ids::{DedupeHole, IdIndex};
use super::journal::{self, Scanned};
use super::leftovers::{self, Leftovers, Piece};
use super::state::{FileState, Stage, State};
use super::watermark::{self, Watermark};

/// What recovery found, for a word at start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Whether there was a spool.
    pub found: bool,
    /// Whether the last agent stopped in order.
    pub stopped: bool,
    /// Whether a last group that was not accepted was left out.
    pub cut_group: bool,
    /// Files that were quarantined, with the reason.
    pub damaged: Vec<(FileHead, String)>,
    /// With the memory channel: lines that were lost with the machine's power.
    pub lost_lines: u64,
    /// Why the journal does not say all that was accepted, where it does not.
    pub doubt: Option<String>,
    /// What the journal does not speak for, and the file of the quarantine folder that keeps it now.
    pub unknown: Vec<(Piece, String)>,
    /// Files in the spool's folders whose names it never makes; they were left alone.
    pub foreign: Vec<String>,
    /// Id files that are damaged or gone, as far as ids are lost.
    pub holes: Vec<DedupeHole>,
}

pub(super) struct Recovered {
    pub(super) generation: u64,
    pub(super) state: State,
    pub(super) ids: Vec<u64>,
    pub(super) report: Recovery,
    pub(super) leftovers: Leftovers,
    pub(super) has_watermark: bool,
}

/// Frames that are known to have been accepted: those that the watermark covers.
pub(super) fn sure_frames(watermark: Option<Watermark>, generation: u64, scanned: &Scanned) -> usize {
    let covered = watermark.filter(|mark| mark.generation == generation);
    covered.map_or(0, |mark| scanned.ends.partition_point(|end| *end <= mark.journal_bytes))
}

/// Why a journal does not say all that was accepted, if so, and how many bytes one group may have added to files.
pub(super) fn doubt(watermark: Option<Watermark>, generation: u64, scanned: &Scanned) -> (Option<String>, u64) {
    let Some(watermark) = watermark else {
        let text =
            format!("the file {} is missing or damaged, so nothing says how far the journal went", watermark::NAME);
        return (Some(text), 0);
    };
    let end = scanned.ends.last().copied().unwrap_or(0);
    (watermark.behind(generation, end), watermark.group_limit)
}

/// A place up to which a file should check out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Point {
    pub(super) frame: usize,
    pub(super) end: u64,
    pub(super) lines: u64,
    pub(super) crc: u32,
}

pub(super) fn recover(disk: &dyn Disk, dir: &str) -> Result<Recovered, SpoolError> {
    let fail = |source| SpoolError::Disk { dir: dir.to_owned(), action: "recover".into(), source };
    let names = disk.list("").map_err(fail)?;
    let Some(generation) = names.iter().filter_map(|name| journal::generation_of(name)).max() else {
        // The first journal is durable before the first data file is made, so no crash leaves data alone.
        let files = disk.list("data").map_err(fail)?.len() + disk.list("ids").map_err(fail)?.len();
        if files > 0 {
            return Err(SpoolError::NoJournal { dir: dir.to_owned(), files });
        }
        let state = State { stopped: true, ..State::default() };
        return Ok(Recovered {
            generation: 0,
            state,
            ids: Vec::new(),
            report: Recovery::default(),
            leftovers: Leftovers::default(),
            has_watermark: false,
        });
    };
    let watermark = watermark::read(disk).map_err(fail)?;
    let mut scanned =
        journal::scan(disk, generation).map_err(|source| SpoolError::Journal { dir: dir.to_owned(), source })?;
    let (doubt, group_limit) = doubt(watermark, generation, &scanned);
    let sure = sure_frames(watermark, generation, &scanned);
    let mut report = Recovery { found: true, cut_group: scanned.torn_bytes > 0, ..Recovery::default() };
    let mut bad = check_files(disk, &scanned.frames).map_err(fail)?;
    let last = scanned.frames.len() - 1;
    if scanned.synced && last > 0 && sure <= last && bad.values().any(|(point, _)| point.frame == last) {
        let before = check_files(disk, &scanned.frames[..last]).map_err(fail)?;
        // The journal of the last group reached the disk and its data did not: it was never accepted. Where its absence
        // is no better, because what it allowed is done, it was accepted, and its data is damaged.
        if before.keys().all(|id| bad.contains_key(id)) {
            scanned.frames.pop();
            report.cut_group = true;
            bad = before;
        }
    }
    let mut state = fold(&scanned.frames);
    report.stopped = state.stopped;
    let mut cuts = BTreeMap::new();
    for (id, (_, good)) in bad {
        let Some(file) = state.files.get(&id) else { continue };
        if !scanned.synced && file.stage == Stage::Open {
            report.lost_lines += file.lines - good.lines;
            state.apply(&Entry::Cut { id, end: good.end, lines: good.lines, crc: good.crc });
            cuts.insert(id, good.end);
            continue;
        }
        let reason = if good.end == file.end {
            "its object changed on the disk; its lines did not".to_owned()
        } else {
            format!("its bytes changed on the disk after byte {}", good.end)
        };
        let head = file.head.clone();
        let Point { end, lines, crc, .. } = good;
        state.apply(&Entry::Damaged { id, reason: reason.clone(), end, lines, crc });
        report.damaged.push((head, reason));
    }
    let leftovers = leftovers::find(disk, &state, doubt, group_limit, scanned.synced).map_err(fail)?;
    report.unknown = leftovers.keep_ends(disk).map_err(fail)?;
    leftovers.move_runs(disk).map_err(fail)?;
    report.foreign.clone_from(&leftovers.foreign);
    report.doubt.clone_from(&leftovers.doubt);
    // What a torn group left behind the accepted end must never get into an object. And what can be read back may still
    // be in memory only: the killed agent's last group was perhaps never synced, or its sync failed.
    let sure = if scanned.synced { scanned.frames.len() - 1 } else { 1 };
    settle_open_files(disk, &state, &fold(&scanned.frames[..sure])).map_err(fail)?;
    let ids = ids_of(&scanned.frames, &cuts);
    // Numbers of generations rise even where an older journal was put back.
    let generation = watermark.map_or(generation, |mark| mark.generation.max(generation));
    Ok(Recovered { generation, state, ids, report, leftovers, has_watermark: watermark.is_some() })
}

pub(super) fn fold(frames: &[Vec<Entry>]) -> State {
    let mut state = State::default();
    frames.iter().flatten().for_each(|entry| state.apply(entry));
    state
}

/// Ids of the tweets that the frames add, without those whose lines were lost: they may come again.
fn ids_of(frames: &[Vec<Entry>], cuts: &BTreeMap<FileId, u64>) -> Vec<u64> {
    let mut ids = Vec::new();
    for entry in frames.iter().flatten() {
        match entry {
            Entry::Appended { files, .. } => {
                let kept = |append: &&Append| cuts.get(&append.id).is_none_or(|end| append.end <= *end);
                files.iter().filter(kept).for_each(|append| ids.extend(&append.ids));
            }
            Entry::Adopted { ids: new, .. } | Entry::Found { ids: new, .. } | Entry::Learnt { ids: new } => {
                ids.extend(new)
            }
            _ => {}
        }
    }
    ids
}

/// All the places that the journal names, by file, first to last.
pub(super) fn points(frames: &[Vec<Entry>]) -> BTreeMap<FileId, Vec<Point>> {
    let mut points: BTreeMap<FileId, Vec<Point>> = BTreeMap::new();
    for (frame, entries) in frames.iter().enumerate() {
        for entry in entries {
            match entry {
                Entry::Snapshot(state) => {
                    for file in state.files.values() {
                        let point = Point { frame, end: file.end, lines: file.lines, crc: file.crc };
                        points.entry(file.head.id).or_default().push(point);
                    }
                }
                Entry::Created(head) => {
                    points.entry(head.id).or_default().push(Point { frame, end: 0, lines: 0, crc: 0 });
                }
                Entry::Appended { files, .. } => {
                    for append in files {
                        let point = Point { frame, end: append.end, lines: append.lines, crc: append.crc };
                        points.entry(append.id).or_default().push(point);
                    }
                }
                _ => {}
            }
        }
    }
    points
}

/// Holds every file that is not stored against all the places the journal names, and returns for each that fails the
/// first place that does not check out and the last one that does.
fn check_files(disk: &dyn Disk, frames: &[Vec<Entry>]) -> io::Result<BTreeMap<FileId, (Point, Point)>> {
    let points = points(frames);
    let state = fold(frames);
    let mut bad = BTreeMap::new();
    for file in state.files.values() {
        let points = points.get(&file.head.id).map(Vec::as_slice).unwrap_or_default();
        if let Some(failure) = check_file(disk, file, points)? {
            bad.insert(file.head.id, failure);
        }
    }
    Ok(bad)
}

fn check_file(disk: &dyn Disk, file: &FileState, points: &[Point]) -> io::Result<Option<(Point, Point)>> {
    if !matches!(file.stage, Stage::Open | Stage::Sealed { .. }) {
        return Ok(None);
    }
    let mut reader = match disk.read(&lines_at(disk, file.head.id)?) {
        Ok(reader) => reader,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(points.iter().find(|point| point.end > 0).map(|first| (*first, Point::default())));
        }
        Err(error) => return Err(error),
    };
    if let Some(failure) = hold_against(&mut reader, points)? {
        return Ok(Some(failure));
    }
    let end = Point { frame: 0, end: file.end, lines: file.lines, crc: file.crc };
    if matches!(file.stage, Stage::Sealed { .. }) && reader.read(&mut [0])? > 0 {
        return Ok(Some((end, end)));
    }
    if let (Stage::Sealed { bytes, sha256, .. }, Codec::Gzip | Codec::Zstd) = (&file.stage, file.head.codec)
        && !object_is_whole(disk, &file.head, *bytes, sha256)?
    {
        return Ok(Some((end, end)));
    }
    Ok(None)
}

/// Holds bytes against places, and returns the first that does not check out with the last one that does.
pub(super) fn hold_against(mut reader: impl Read, points: &[Point]) -> io::Result<Option<(Point, Point)>> {
    let mut good = Point::default();
    let mut buffer = vec![0; 1 << 16];
    for point in points {
        let mut left = point.end - good.end;
        let mut crc = good.crc;
        while left > 0 {
            let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = reader.read(&mut buffer[..want])?;
            if read == 0 {
                return Ok(Some((*point, good)));
            }
            crc = crc32c::crc32c_append(crc, &buffer[..read]);
            left -= read as u64;
        }
        if crc != point.crc {
            return Ok(Some((*point, good)));
        }
        good = *point;
    }
    Ok(None)
}

pub(super) fn object_is_whole(disk: &dyn Disk, head: &FileHead, bytes: u64, sha256: &str) -> io::Result<bool> {
    match disk.read(&object_name(head)) {
        Ok(reader) => {
            let (length, hash, _) = super::seal::sums(reader)?;
            Ok(length == bytes && hash == sha256)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Moves what there is of a file into the quarantine folder.
pub(super) fn move_aside(disk: &dyn Disk, head: &FileHead) -> io::Result<()> {
    let (lines, object) = (lines_name(head.id), object_name(head));
    let moves = [(lines_at(disk, head.id)?, aside(&lines)), (object.clone(), aside(&object))];
    for (name, to) in moves {
        match disk.rename(&name, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    disk.sync_folder("quarantine")?;
    disk.sync_folder("data")
}

/// Does what the recovered state allows and cannot be taken back. Comes after the checkpoint: the killed agent's last
/// frame may be readable and not durable, and what it says was then not yet done.
pub(super) fn tidy(disk: &dyn Disk, recovered: &mut Recovered, ids: &IdIndex) -> io::Result<()> {
    finish_moves(disk, &recovered.state)?;
    name_copies(disk, &recovered.state)?;
    let moved = recovered.leftovers.move_unknown(disk)?;
    recovered.report.unknown.extend(moved);
    recovered.leftovers.remove_spent(disk, |name| ids.names_run(name))?;
    disk.remove("journal.new")
}

/// Gives copies that the state knows the names of files.
fn name_copies(disk: &dyn Disk, state: &State) -> io::Result<()> {
    let mut named = false;
    for file in state.files.values().filter(|file| file.waits()) {
        let copy = copy_name(file.head.id);
        if lines_at(disk, file.head.id)? == copy {
            disk.rename(&copy, &lines_name(file.head.id))?;
            named = true;
        }
    }
    if named { disk.sync_folder("data") } else { Ok(()) }
}

/// Moves aside what the state calls put aside and still lies in its old place.
fn finish_moves(disk: &dyn Disk, state: &State) -> io::Result<()> {
    let there = disk.list("data")?;
    let left = |name: String| there.iter().any(|there| name.ends_with(there.as_str()));
    for file in state.files.values().filter(|file| file.aside().is_some()) {
        let id = file.head.id;
        if left(lines_name(id)) || left(copy_name(id)) || left(object_name(&file.head)) {
            move_aside(disk, &file.head)?;
        }
    }
    Ok(())
}
