//! Archives and compressed files that are empty, damaged, or made in a way that is not read.

use std::io::Write;

use serde_json::Value;

use crate::corpus::joined;
use crate::files::{self, gzip};
use crate::inputs::{bzip2, stores, tar, tweet, zip};
use crate::lake::Lake;
use crate::program::Place;

const MEMORY: &str = "writing to memory";

fn lake(place: &Place) -> Lake {
    Lake::folder(&place.path("lake"))
}

/// As `xz --format=lzma` writes it.
pub(crate) fn lzma(bytes: &[u8]) -> Vec<u8> {
    let options = liblzma::stream::LzmaOptions::new_preset(1).expect("a preset");
    let stream = liblzma::stream::Stream::new_lzma_encoder(&options).expect("an encoder");
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(bytes).expect(MEMORY);
    encoder.finish().expect(MEMORY)
}

#[test]
fn lzma_that_came_before_xz_is_read_and_what_is_cut_or_goes_on_is_named() {
    let lines: Vec<Vec<u8>> = (0..500).map(tweet).collect();
    let whole = lzma(&joined(&lines));
    let said = stores("a.json.lzma", &whole, &lines);
    assert!(said.contains("in lzma"), "{said}");
    stores("grab.tar.lzma", &lzma(&tar(&[("01.json", joined(&lines))])), &lines);
    for bytes in [whole[..whole.len() / 2].to_vec(), [whole.clone(), whole].concat()] {
        let place = files::place("");
        place.write("archive/a.json.lzma", bytes);
        let ended = place.ingest("run");
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert!(ended.err.lines().last().is_some_and(|last| last.contains("a.json.lzma")), "{}", ended.err);
        assert!(lake(&place).lines().iter().all(|line| lines.contains(line)));
    }
}

#[test]
fn an_archive_without_files_is_said_and_holds_no_reject() {
    let empty_tar = tar::Builder::new(Vec::new()).into_inner().expect(MEMORY);
    let by_gnu = [empty_tar.clone(), vec![0; 9 * 1024]].concat();
    for (name, bytes) in [
        ("empty.tar", empty_tar.clone()),
        ("empty-gnu.tar", by_gnu),
        ("empty.tar.gz", gzip(&empty_tar)),
        ("empty.zip", zip(&[])),
        ("folders.tar", tar(&[])),
    ] {
        let place = files::place("");
        place.write(&format!("archive/{name}"), bytes);
        let ended = place.done("run");
        assert_eq!((ended.number("accepted"), ended.number("rejects")), (0, 0), "{name}: {}", ended.err);
        assert!(ended.err.contains("the archive holds no files"), "{name}: {}", ended.err);
        assert_eq!(lake(&place).rejects(), [Value::Null; 0], "{name}");
        assert!(place.done("check").out.contains("without files in it"), "{name}");
        assert!(place.done("run").err.contains("file already read"), "{name}");
    }
}

/// Says of a zip's only member that it is made by another method, or that it is encrypted.
fn made_by(mut zip: Vec<u8>, method: u16, flags: u16) -> Vec<u8> {
    let central = memchr::memmem::find(&zip, b"PK\x01\x02").expect("a directory");
    // Where the flags stand in a member's own header and in the directory's; the method follows.
    for at in [6, central + 8] {
        zip[at..at + 2].copy_from_slice(&flags.to_le_bytes());
        zip[at + 2..at + 4].copy_from_slice(&method.to_le_bytes());
    }
    zip
}

#[test]
fn a_zip_whose_members_cannot_be_unpacked_is_refused_with_the_members_name_and_its_method() {
    let plain = zip(&[("2012/01.json", joined(&[tweet(1)]))]);
    for (method, flags, told) in [
        (14, 0, "compressed by LZMA (method 14)"),
        (9, 0, "compressed by Deflate64 (method 9)"),
        (97, 0, "compressed by method 97"),
        (8, 1, "encrypted"),
    ] {
        let place = files::place("");
        place.write("archive/0.json", joined(&[tweet(1)]));
        place.write("archive/grab.zip", made_by(plain.clone(), method, flags));
        let ended = place.ingest("run");
        assert_eq!(ended.code, Some(1), "{told}: {}", ended.err);
        let last = ended.err.lines().last().expect("a line");
        for part in ["grab.zip", "2012/01.json", told, "7z x", "nothing is stored"] {
            assert!(last.contains(part), "{part}: {last}");
        }
        assert!(lake(&place).lines().is_empty(), "{told}");
    }
}

#[test]
fn a_member_that_was_damaged_is_named_by_every_run_until_the_archive_is_replaced() {
    let lines: Vec<Vec<u8>> = (0..300).map(tweet).collect();
    let names = ["01.json.bz2", "02.json.bz2", "03.json.bz2"];
    let members: Vec<(&str, Vec<u8>)> =
        names.into_iter().zip(lines.chunks(100).map(|lines| bzip2(&joined(lines)))).collect();
    let mut damaged = members.clone();
    let cut = damaged[1].1.len() / 2;
    damaged[1].1.truncate(cut);
    for pack in [tar as fn(&[(&str, Vec<u8>)]) -> Vec<u8>, zip] {
        let place = files::place("");
        place.write("archive/grab", pack(&damaged));
        for run in 0..3 {
            let ended = place.ingest("run");
            assert_eq!(ended.code, Some(1), "run {run}: {}", ended.err);
            let last = ended.err.lines().last().expect("a line");
            assert!(last.contains("grab: 02.json.bz2:") && last.contains("1 of 1 files"), "run {run}: {last}");
            assert_eq!(ended.err.contains("file already read"), run > 0, "run {run}: {}", ended.err);
            assert_eq!(ended.number("accepted") > 0, run == 0, "run {run}: {}", ended.err);
        }
        place.write("archive/grab", pack(&members));
        let ended = place.done("run");
        assert_eq!(ended.number("duplicates") + ended.number("tweets"), 300, "{}", ended.err);
    }
}
