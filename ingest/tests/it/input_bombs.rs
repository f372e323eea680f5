//! Inputs that are far larger than they look: each is read in bounded memory, and what follows it is stored.

use std::io::{Cursor, Read, Write};

use crate::corpus::{BEGIN_MS, joined, snowflake, v2};
use crate::files;
use crate::inputs::{tar, zip};
use crate::lake::Lake;

const MIB: usize = 1 << 20;
const MEMORY: &str = "memory takes it";

fn tweet() -> Vec<u8> {
    v2(BEGIN_MS, snowflake(BEGIN_MS, 1), "after").into_bytes()
}

/// Bytes again and again, through a compressor.
fn fill(to: &mut dyn Write, bytes: u8, mib: usize) {
    let block = vec![bytes; MIB];
    (0..mib).for_each(|_| to.write_all(&block).expect(MEMORY));
}

fn bzip2(bytes: u8, mib: usize) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    fill(&mut encoder, bytes, mib);
    encoder.finish().expect(MEMORY)
}

fn xz(bytes: u8, mib: usize) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    fill(&mut encoder, bytes, mib);
    encoder.finish().expect(MEMORY)
}

fn gzip(prefix: &[u8], bytes: u8, mib: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(prefix).expect(MEMORY);
    fill(&mut encoder, bytes, mib);
    encoder.finish().expect(MEMORY)
}

/// A tar whose one header says that a name is so long.
fn tar_with_a_long_name(mib: usize) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path("@LongLink").expect("a short name");
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size((mib * MIB) as u64);
    header.set_cksum();
    gzip(header.as_bytes(), b'n', mib)
}

fn zip_of_zeros(mib: usize) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("a.json", zip::write::SimpleFileOptions::default()).expect(MEMORY);
    fill(&mut writer, b'0', mib);
    writer.finish().expect(MEMORY).into_inner()
}

#[test]
fn a_bomb_of_any_kind_is_read_in_bounded_memory() {
    let cases: Vec<(&str, Vec<u8>, i32)> = vec![
        ("bzip2", bzip2(b'0', 96), 0),
        ("xz", xz(b'0', 256), 0),
        ("zip", zip_of_zeros(256), 0),
        ("tar", tar(&[("a.json.xz", xz(b'0', 256)), ("b.json.gz", gzip(b"", b'[', 64))]), 0),
        ("zip of xz", zip(&[("a.json.xz", xz(b'0', 256))]), 0),
        ("a long name in a tar", tar_with_a_long_name(256), 1),
        ("UTF-16", gzip(b"\xff\xfe{\0", b'0', 256), 0),
        ("deep JSON", gzip(b"[\n{\n\"a\":\n", b'[', 256), 0),
        ("an endless text in an array", gzip(b"[{\"a\":\"", b'x', 256), 0),
        ("endless white space in an object", gzip(b"[{\"a\":", b' ', 256), 0),
        ("an endless page", gzip(b"{\"data\":[{\"text\":\"", b'x', 256), 0),
        (
            "layers",
            {
                let mut bytes = gzip(b"", b'0', 256);
                let mut outer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                std::io::copy(&mut bytes.as_slice().by_ref(), &mut outer).expect(MEMORY);
                bytes = outer.finish().expect(MEMORY);
                bytes
            },
            0,
        ),
    ];
    for (name, bomb, code) in cases {
        assert!(bomb.len() < 8 * MIB, "{name}: {} bytes", bomb.len());
        let place = files::place("");
        place.write("archive/a", &bomb).write("archive/b.json", joined(&[tweet()]));
        let (peak, ended) = place.start("run").end_with_peak();
        assert_eq!(ended.code, Some(code), "{name}: {}", ended.err);
        assert!(peak < 200 << 10, "{name}: {peak} KiB");
        assert_eq!(Lake::folder(&place.path("lake")).lines(), [tweet()], "{name}: {}", ended.err);
    }
}
