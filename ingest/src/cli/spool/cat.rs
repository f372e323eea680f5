//! `ingest spool cat`: the accepted lines of spool files, the bytes as they will be stored, quarantined ones too. What is
//! written was held against the journal's checksum on its way.

use std::io::{Read, Write};

use super::super::Failure;
use super::super::lake_args::{Step, note, write_failure};
use super::{SpoolArgs, failure};
use crate::config::Outside;
use crate::spool::inspect::{View, proved};
use crate::spool::state::{FileState, Stage};

/// Arguments of `ingest spool cat`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    spool: SpoolArgs,
    /// Numbers or keys of files, as ls shows them; all that the spool holds where none is named
    #[arg(value_name = "ID|KEY")]
    files: Vec<String>,
}

pub(super) fn cat(args: &Args, outside: &Outside, out: &mut dyn Write, err: &mut dyn Write) -> Step {
    let view = View::open(&args.spool.dir(outside)?)?;
    let mut damaged = 0;
    for file in select(&view, &args.files)? {
        if !write_lines(&view, file, out, err)? {
            damaged += 1;
        }
    }
    out.flush().map_err(write_failure)?;
    match damaged {
        0 => Ok(()),
        count => Err(failure(format!("{count} files are not what was accepted; ingest spool fsck says more"))),
    }
}

fn select<'a>(view: &'a View, asked: &[String]) -> Result<Vec<&'a FileState>, Failure> {
    let files = view.state.files.values();
    if asked.is_empty() {
        return Ok(files.filter(|file| !matches!(file.stage, Stage::Stored { .. })).collect());
    }
    let mut selected = Vec::with_capacity(asked.len());
    for name in asked {
        let is_meant = |file: &&FileState| name.parse() == Ok(file.head.id) || file.head.key.as_str() == name;
        let file = files.clone().find(is_meant);
        let file =
            file.ok_or_else(|| failure(format!("the spool has no file {name}; ingest spool ls shows those it has")))?;
        if matches!(file.stage, Stage::Stored { .. }) {
            return Err(failure(format!("file {} is in the store already, as {}", file.head.id, file.head.key)));
        }
        selected.push(file);
    }
    Ok(selected)
}

/// Writes what is accepted of a file; whether it was all of it.
fn write_lines(view: &View, file: &FileState, out: &mut dyn Write, err: &mut dyn Write) -> Result<bool, Failure> {
    let id = file.head.id;
    let (end, lines, crc) = proved(file);
    let unreadable = |error: std::io::Error| failure(format!("file {id} cannot be read: {error}"));
    let Some(reader) = view.lines(file).map_err(unreadable)? else {
        if view.running {
            note(err, &format!("file {id} was stored meanwhile, as {}", file.head.key))?;
            return Ok(true);
        }
        if end > 0 {
            note(err, &format!("the bytes of file {id} are not there"))?;
        }
        return Ok(end == 0 && lines == file.lines);
    };
    let mut reader = reader.take(end);
    let mut buffer = vec![0; 1 << 18];
    let mut found = 0;
    loop {
        let read = reader.read(&mut buffer).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        found = crc32c::crc32c_append(found, &buffer[..read]);
        out.write_all(&buffer[..read]).map_err(write_failure)?;
    }
    if found != crc {
        note(err, &format!("the bytes of file {id} are not those that were accepted: do not trust what was written"))?;
        return Ok(false);
    }
    if lines < file.lines {
        note(err, &format!("file {id} is damaged: {lines} of its {} lines check out and were written", file.lines))?;
        return Ok(false);
    }
    Ok(true)
}
