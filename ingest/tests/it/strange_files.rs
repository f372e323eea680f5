//! Local lakes with what no agent puts there: FIFOs, devices, circles of links, a manifest of a gibibyte, and objects that changed
//! after their hour was closed.

use std::fs;
use std::path::Path;

use cauce_lake::manifest::Codec;
use rustix::fs::{CWD, FileType, mknodat};

use crate::convert::{HOUR, TWEETS, place, tweets};
use crate::corpus::joined;
use crate::program::{Ended, Place};

const MANIFEST: &str = "lake/_hours/2025-11-20T05.json";

fn fifo(path: &Path) {
    if path.exists() {
        fs::remove_file(path).expect("it can be removed");
    }
    mknodat(CWD, path, FileType::Fifo, 0o600.into(), 0).expect("a FIFO can be made");
}

/// The hour's first object.
fn object(place: &Place) -> std::path::PathBuf {
    let folder = fs::read_dir(place.path("lake/11-20-05")).expect("the hour's folder");
    let mut names: Vec<_> = folder.map(|entry| entry.expect("it lists").path()).collect();
    names.sort();
    names.remove(0)
}

/// A command that fails and says all of these words. One that waits for ever fails the test by its patience.
fn fails(place: &Place, line: &str, words: &[&str]) -> Ended {
    let ended = place.ingest(line);
    assert!(ended.code.is_some_and(|code| code != 0), "{line} succeeded: {}", ended.out);
    let said = format!("{}{}", ended.out, ended.err);
    for word in words {
        assert!(said.contains(word), "{line} does not say {word:?}: {said}");
    }
    ended
}

#[test]
fn a_fifo_or_a_device_in_the_place_of_an_object_is_named_and_nothing_waits_for_it() {
    let lines = joined(&tweets(0, 20));
    for codec in [Codec::None, Codec::Zstd] {
        let place = place(&[(&lines, codec)]);
        let object = object(&place);
        let name = object.file_name().and_then(|name| name.to_str()).expect("text").to_owned();
        let device = |path: &Path| {
            fs::remove_file(path).expect("it can be removed");
            std::os::unix::fs::symlink("/dev/zero", path).expect("a link can be made");
        };
        for (make, what) in [(&fifo as &dyn Fn(&Path), "it is a FIFO"), (&device, "it is a device")] {
            make(&object);
            for command in ["cat", "verify", "convert --to parquet"] {
                fails(&place, &format!("{command} {HOUR}"), &[&name, what, "remove it"]);
            }
            place.done("hours");
        }
    }
}

#[test]
fn a_fifo_in_the_place_of_a_manifest_or_of_the_agents_object_is_named() {
    let place = place(&[(&joined(&tweets(0, 20)), Codec::None)]);
    fifo(&place.path(MANIFEST));
    for command in ["hours", &format!("cat {HOUR}"), &format!("verify {HOUR}")] {
        fails(&place, command, &["2025-11-20T05.json", "it is a FIFO"]);
    }
    fifo(&place.path("lake/_agent.json"));
    place.write("archive/a.json", joined(&tweets(0, 5)));
    place.write("cauce.toml", "[source]\ntype = \"files\"\npaths = [\"archive\"]\n");
    fails(&place, "run", &["_agent.json", "it is a FIFO"]);
}

#[test]
fn a_circle_of_links_is_named() {
    let place = place(&[(&joined(&tweets(0, 20)), Codec::None)]);
    std::os::unix::fs::symlink("..", place.path("lake/11-20-05/round")).expect("a link can be made");
    fails(&place, "hours", &["11-20-05/round", "remove it"]);
    // The hour's objects come from its manifest.
    place.done(&format!("cat {HOUR}"));
}

#[test]
fn a_manifest_of_a_gibibyte_is_refused_by_its_name() {
    let place = place(&[(&joined(&tweets(0, 20)), Codec::None)]);
    fs::File::create(place.path(MANIFEST)).and_then(|file| file.set_len(1 << 30)).expect("it takes no room");
    for command in ["hours".to_owned(), format!("cat {HOUR}"), format!("verify {HOUR}")] {
        fails(&place, &command, &["2025-11-20T05.json", "it has 1073741824 bytes", "remove or replace it"]);
    }
}

#[test]
fn an_object_that_changed_after_its_hour_was_closed_is_named_and_never_converted() {
    let lines = joined(&tweets(0, 200));
    for codec in [Codec::None, Codec::Gzip, Codec::Zstd] {
        let place = place(&[(&lines, codec)]);
        let object = object(&place);
        let mut content = fs::read(&object).expect("it reads");
        // In the time in gzip's head, which says nothing of the lines: only the manifest's checksum tells.
        let at = if codec == Codec::Gzip { 4 } else { content.len() / 2 };
        content[at] ^= 1;
        fs::write(&object, content).expect("it is writable");
        let key = object.file_name().and_then(|name| name.to_str()).expect("text").to_owned();
        for command in ["cat", "convert --to parquet"] {
            fails(&place, &format!("{command} {HOUR}"), &[&key, HOUR, "ingest verify 2025-11-20T05", "backup"]);
        }
        assert!(!place.path("parquet").join(TWEETS).exists());
        fails(&place, &format!("verify {HOUR}"), &[&key, "sha256"]);
    }
}
