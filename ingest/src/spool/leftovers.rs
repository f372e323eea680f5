//! What lies in the spool's folders and the journal does not speak for: what a crash leaves, which may go, and what may
//! hold accepted lines, which never goes. Recovery does what is found here, `fsck` says it.
//!
//! A crash leaves empty files, the bytes of the one group that was being written (behind the accepted ends of open files,
//! and in files that are newer than all that the journal knows), copies that no entry names yet, an object whose seal was not
//! journalled, and what is stored already. A file is forgotten by the journal only after its bytes are durably gone. So anything else is damage: the
//! journal lost what it said. Then, and when the watermark says so, nothing that could be a torn group is taken for one.

use std::collections::BTreeSet;
use std::io::{self, Read};

use cauce_lake::manifest::Codec;

use super::disk::Disk;
use super::entry::FileId;
use super::folder::lines_at;
use super::state::{FileState, Stage, State};

/// Bytes that no entry of the journal speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The file that holds them, under the spool's folder.
    pub name: String,
    /// From this byte on: 0 but for the end of a file whose beginning is accepted.
    pub from: u64,
    /// How many.
    pub bytes: u64,
    /// Line ends in them; 0 for an object, whose lines are not counted.
    pub lines: u64,
}

/// What the journal does not speak for.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    /// Why what is there cannot be the torn end of one group.
    pub(super) doubt: Option<String>,
    /// Whole files that may hold accepted lines; objects among them.
    pub(super) unknown: Vec<Piece>,
    /// Ends of open files that may hold accepted lines.
    pub(super) ends: Vec<Piece>,
    /// Id files that the journal does not name and that may be needed to understand the rest.
    pub(super) unknown_runs: Vec<String>,
    /// Files that hold nothing, or nothing that was accepted, or what is stored or kept elsewhere.
    pub(super) spent: Vec<String>,
    /// Files of names that the spool never makes; they stay where they are.
    pub(super) foreign: Vec<String>,
}

/// The id and the ending of a data file's name.
pub(super) fn data_file(name: &str) -> Option<(FileId, &str)> {
    let (stem, ending) = name.split_once('.')?;
    let ours = stem.len() == 12 && stem.bytes().all(|byte| byte.is_ascii_digit());
    (ours && ["lines", "copy", "object"].contains(&ending)).then(|| Some((stem.parse().ok()?, ending)))?
}

fn is_run(name: &str) -> bool {
    name.strip_suffix(".ids").is_some_and(|stem| stem.len() == 10 && stem.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Looks for what the journal does not speak for. `doubt` is what the watermark says against the journal, `limit` the
/// most bytes that one group adds. Where the journal is not `synced`, a power cut may take the frames that speak for a file,
/// and leave the object that was made of it.
///
/// # Errors
/// When the disk failed.
pub(super) fn find(
    disk: &dyn Disk,
    state: &State,
    doubt: Option<String>,
    limit: u64,
    synced: bool,
) -> io::Result<Leftovers> {
    let mut found = Leftovers { doubt, ..Leftovers::default() };
    // What the group that was being written may have left: whether it did is known when all of it is.
    let (mut torn, mut copies) = (Vec::new(), Vec::new());
    let mut names = disk.list("data")?;
    names.sort();
    for name in names {
        let full = format!("data/{name}");
        let Some((id, ending)) = data_file(&name) else {
            found.foreign.push(full);
            continue;
        };
        match state.files.get(&id) {
            // A copy that the journal speaks for is given its name at this start.
            Some(file) if ending == "copy" && file.waits() && lines_at(disk, id)? == full => {}
            _ if ending == "copy" => copies.push(piece(disk, &full, 0)?),
            Some(file) => known(disk, file, full, ending, &mut found, &mut torn)?,
            None => {
                let piece = piece(disk, &full, 0)?;
                if piece.bytes == 0 || state.done.contains(&id) {
                    found.spent.push(full);
                } else if (ending == "lines" || !synced) && id >= state.next_id {
                    torn.push((piece, false));
                } else {
                    found.unknown.push(piece);
                }
            }
        }
    }
    let bytes: u64 = torn.iter().map(|(piece, _)| piece.bytes).sum();
    if let (None, Some(piece)) = (&found.doubt, found.unknown.first()) {
        found.doubt = Some(format!("the journal does not speak of {}, which no crash leaves", piece.name));
    }
    if found.doubt.is_none() && bytes > limit {
        let text = format!("{bytes} bytes lie behind the journal's last word, and one group holds at most {limit}");
        found.doubt = Some(text);
    }
    // The lines of a copy that no entry names are in the file that it was made of; unless the journal lost that entry.
    let is_needed = |piece: &Piece| found.doubt.is_some() && piece.bytes > 0;
    let (needed, spent): (Vec<Piece>, Vec<Piece>) = copies.into_iter().partition(is_needed);
    found.unknown.extend(needed);
    found.spent.extend(spent.into_iter().map(|piece| piece.name));
    for (piece, is_end) in torn {
        match (is_end, &found.doubt) {
            (true, Some(_)) => found.ends.push(piece),
            // The start cuts the ends of open files in any case.
            (true, None) => {}
            (false, Some(_)) => found.unknown.push(piece),
            (false, None) => found.spent.push(piece.name),
        }
    }
    find_runs(disk, state, &mut found)?;
    Ok(found)
}

fn known(
    disk: &dyn Disk,
    file: &FileState,
    name: String,
    ending: &str,
    found: &mut Leftovers,
    torn: &mut Vec<(Piece, bool)>,
) -> io::Result<()> {
    // An uncompressed file is its own object, so an object beside it was never made.
    let is_foreign_object = ending == "object" && file.head.codec == Codec::None;
    match file.stage {
        _ if is_foreign_object => match piece(disk, &name, 0)? {
            piece if piece.bytes == 0 => found.spent.push(name),
            piece => found.unknown.push(piece),
        },
        Stage::Open if ending == "lines" => {
            let piece = piece(disk, &name, file.end)?;
            if piece.bytes > 0 {
                torn.push((piece, true));
            }
        }
        // Its seal was not journalled; its lines are there.
        Stage::Open | Stage::Stored { .. } => found.spent.push(name),
        Stage::Sealed { .. } | Stage::Quarantined { .. } | Stage::Damaged { .. } => {}
    }
    Ok(())
}

fn find_runs(disk: &dyn Disk, state: &State, found: &mut Leftovers) -> io::Result<()> {
    let named: BTreeSet<String> = state.runs.iter().map(super::ids::RunInfo::name).collect();
    let mut names = disk.list("ids")?;
    names.sort();
    for name in names {
        let full = format!("ids/{name}");
        if !is_run(&name) {
            found.foreign.push(full);
        } else if named.contains(&full) {
        } else if found.doubt.is_some() {
            found.unknown_runs.push(full);
        } else {
            found.spent.push(full);
        }
    }
    Ok(())
}

/// What a file holds from a byte on.
pub(super) fn piece(disk: &dyn Disk, name: &str, from: u64) -> io::Result<Piece> {
    let mut piece = Piece { name: name.to_owned(), from, bytes: 0, lines: 0 };
    if disk.open_reader(name)?.length()? <= from {
        return Ok(piece);
    }
    let counts_lines = !name.ends_with(".object");
    let mut at = 0;
    let mut reader = disk.read(name)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return Ok(piece);
        }
        let skipped = usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX).min(read);
        let bytes = &buffer[skipped..read];
        piece.bytes += bytes.len() as u64;
        if counts_lines {
            piece.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        }
        at += read as u64;
    }
}

/// Whether the bytes of `part` are the first of `whole`.
pub(super) fn begins_with(mut whole: impl Read, mut part: impl Read) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = part.read(&mut right)?;
        if read == 0 {
            return Ok(true);
        }
        match whole.read_exact(&mut left[..read]) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            done => done?,
        }
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}

/// Files of the quarantine folder that hold what the journal does not speak for, by their names without an ending.
pub(super) fn kept(disk: &dyn Disk) -> io::Result<Vec<Piece>> {
    let mut names = match disk.list("quarantine") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    names.sort();
    let unknown = names.iter().filter(|name| number(name).is_some() && !name.ends_with(".ids"));
    unknown.map(|name| piece(disk, &format!("quarantine/{name}"), 0)).collect()
}

/// The number in a name such as `unknown.3.lines`.
fn number(name: &str) -> Option<u64> {
    let (number, ending) = name.strip_prefix("unknown.")?.split_once('.')?;
    ["lines", "object", "ids"].contains(&ending).then(|| number.parse().ok())?
}

/// Whether a name is one that the quarantine folder keeps for a person to look at: lines that were requeued but for some
/// that are neither tweets nor messages, and id files.
pub(super) fn was_kept(name: &str) -> bool {
    let taken = name.strip_prefix("taken.").map(|rest| format!("unknown.{rest}"));
    number(taken.as_deref().unwrap_or(name)).is_some()
}

/// A name in the quarantine folder that is free.
fn free_name(disk: &dyn Disk, ending: &str) -> io::Result<String> {
    let names = disk.list("quarantine")?;
    let of = |name: &String| number(name).or_else(|| number(&name.replacen("taken.", "unknown.", 1)));
    let last = names.iter().filter_map(of).max().unwrap_or(0);
    Ok(format!("quarantine/unknown.{}.{ending}", last + 1))
}

impl Leftovers {
    /// Copies the ends of open files into the quarantine folder, durably: the files are cut after that.
    pub(super) fn keep_ends(&self, disk: &dyn Disk) -> io::Result<Vec<(Piece, String)>> {
        let mut kept = Vec::new();
        for end in &self.ends {
            let name = match copied_before(disk, end)? {
                Some(name) => name,
                None => {
                    let name = free_name(disk, "lines")?;
                    copy_end(disk, end, &name)?;
                    name
                }
            };
            kept.push((end.clone(), name));
        }
        if !kept.is_empty() {
            disk.sync_folder("quarantine")?;
        }
        Ok(kept)
    }

    /// Moves whole files into the quarantine folder.
    pub(super) fn move_unknown(&self, disk: &dyn Disk) -> io::Result<Vec<(Piece, String)>> {
        let mut moved = Vec::new();
        for piece in &self.unknown {
            let (stem, ending) = piece.name.rsplit_once('.').unwrap_or((&piece.name, "lines"));
            // An object lies beside its lines, which come first.
            let lines = moved.iter().find(|(lines, _): &&(Piece, String)| lines.name == format!("{stem}.lines"));
            let name = match lines {
                Some((_, to)) if ending == "object" => to.replace(".lines", ".object"),
                _ => free_name(disk, if ending == "copy" { "lines" } else { ending })?,
            };
            disk.rename(&piece.name, &name)?;
            moved.push((piece.clone(), name));
        }
        if !moved.is_empty() {
            disk.sync_folder("quarantine")?;
            disk.sync_folder("data")?;
        }
        Ok(moved)
    }

    /// Moves id files that the journal does not name. The next id file may take the name of one of them.
    pub(super) fn move_runs(&self, disk: &dyn Disk) -> io::Result<()> {
        for run in &self.unknown_runs {
            disk.rename(run, &free_name(disk, "ids")?)?;
        }
        if self.unknown_runs.is_empty() {
            return Ok(());
        }
        disk.sync_folder("quarantine")?;
        disk.sync_folder("ids")
    }

    /// Removes what holds nothing. The checkpoint of this start may have given an id file a name of those found.
    pub(super) fn remove_spent(&self, disk: &dyn Disk, is_used: impl Fn(&str) -> bool) -> io::Result<()> {
        self.spent.iter().filter(|name| !is_used(name)).try_for_each(|name| disk.remove(name))?;
        // What is stored may be forgotten only when it is durably gone.
        if self.spent.is_empty() { Ok(()) } else { disk.sync_folder("data") }
    }
}

/// A start that did not come to its end has copied it already.
fn copied_before(disk: &dyn Disk, end: &Piece) -> io::Result<Option<String>> {
    for kept in kept(disk)?.into_iter().filter(|kept| kept.bytes == end.bytes && kept.lines == end.lines) {
        let mut reader = disk.read(&end.name)?;
        io::copy(&mut (&mut reader).take(end.from), &mut io::sink())?;
        if begins_with(disk.read(&kept.name)?, reader)? {
            return Ok(Some(kept.name));
        }
    }
    Ok(None)
}

fn copy_end(disk: &dyn Disk, end: &Piece, name: &str) -> io::Result<()> {
    let mut reader = disk.read(&end.name)?;
    io::copy(&mut (&mut reader).take(end.from), &mut io::sink())?;
    let mut file = disk.create(name)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return file.sync();
        }
        file.append(&buffer[..read])?;
    }
}
