//! Objects that are far larger than they look: what becomes of them, and how much memory that takes.

use std::fs;
use std::io::Write;

use cauce_lake::manifest::Codec;

use crate::convert::{TWEETS, growing, numbers, place_of_compressed, read, tweets};
use crate::corpus::{BEGIN_MS, joined, snowflake, v2};
use crate::program::Place;

const MIB: u64 = 1 << 20;
const IN_MEMORY: &str = "memory takes it";

/// Bytes again and again until they are so many or more, compressed.
fn compressed(bytes: &[u8], until: u64, codec: Codec) -> Vec<u8> {
    let times = until.div_ceil(bytes.len() as u64);
    let fill = |to: &mut dyn Write| (0..times).for_each(|_| to.write_all(bytes).expect(IN_MEMORY));
    if codec == Codec::Gzip {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        fill(&mut encoder);
        encoder.finish().expect(IN_MEMORY)
    } else {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect(IN_MEMORY);
        fill(&mut encoder);
        encoder.finish().expect(IN_MEMORY)
    }
}

/// The peak of a conversion in MiB, what it ended with, and what it said.
fn convert(place: &Place, code: i32) -> (u64, String) {
    let (peak, ended) = place.start("convert --to parquet --threads 2").end_with_peak();
    assert_eq!(ended.code, Some(code), "{}", ended.err);
    (peak >> 10, ended.err + &ended.out)
}

#[test]
fn one_line_of_half_a_gigabyte_fails_its_hour_by_name() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        let bomb = compressed(&vec![b'0'; 1 << 20], 512 * MIB, codec);
        assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
        let place = place_of_compressed(&bomb, codec, 1);
        let (peak, said) = convert(&place, 1);
        assert!(said.contains("11-20-05/tweets.") && said.contains("is longer than 67108864 bytes"), "{said}");
        assert!(peak < 220, "{codec:?}: {peak} MiB");
        assert!(!place.path("parquet").join(TWEETS).exists());
        assert_eq!(growing(&place), [0; 0]);
    }
}

#[test]
fn many_lines_in_few_bytes_take_no_more_memory_than_others() {
    let text = format!("{}\n", v2(BEGIN_MS, snowflake(BEGIN_MS, 1), &"y".repeat(16_000)));
    // What is kept of a blank line or a reject is many times its length.
    for (name, line, bytes, rejects) in [
        ("one tweet", text.as_bytes(), 500 * MIB, 0),
        ("blank lines", b"\n", 24 * MIB, 0),
        ("rejects", b"x\n", MIB, 1 << 19),
    ] {
        let body = line.repeat(MIB as usize / line.len());
        let bomb = compressed(&body, bytes, Codec::Gzip);
        assert!(bomb.len() < MIB as usize, "{name}: {} bytes", bomb.len());
        let lines = bytes.div_ceil(body.len() as u64) * (body.len() / line.len()) as u64;
        let place = place_of_compressed(&bomb, Codec::Gzip, lines);
        let (peak, said) = convert(&place, 0);
        let tweets = read(fs::read(place.path("parquet").join(TWEETS)).expect("it is there"));
        assert_eq!(numbers(&tweets, "tweet_id").len(), usize::from(name == "one tweet"), "{name}: {said}");
        assert!(said.contains(&format!("rejects     {rejects}\n")), "{name}: {said}");
        assert!(peak < 120, "{name}: {peak} MiB");
    }
}

#[test]
fn a_window_of_zstd_is_held_up_to_128_mib_and_refused_above() {
    let windowed = |log: u32, bytes: u64| {
        let line = joined(&tweets(1, 1));
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect(IN_MEMORY);
        encoder.window_log(log).expect("zstd knows it");
        let times = bytes.div_ceil(line.len() as u64);
        (0..times).for_each(|_| encoder.write_all(&line).expect(IN_MEMORY));
        (encoder.finish().expect(IN_MEMORY), times)
    };
    // More than the window, so that all of it is filled.
    let (object, lines) = windowed(27, 160 * MIB);
    let (peak, said) = convert(&place_of_compressed(&object, Codec::Zstd, lines), 0);
    assert!(said.contains("rows        1\n"), "{said}");
    assert!(peak < 128 + 120, "{peak} MiB");
    let (object, lines) = windowed(31, 1);
    let place = place_of_compressed(&object, Codec::Zstd, lines);
    for line in ["convert --to parquet", "cat 2025-11-20T05", "verify 2025-11-20T05"] {
        let ended = place.ingest(line);
        let said = ended.err + &ended.out;
        assert_eq!(ended.code, Some(1), "{line}: {said}");
        assert!(said.contains("11-20-05/tweets.") && said.contains("window is larger than 128 MiB"), "{line}: {said}");
    }
    assert!(!place.path("parquet").join(TWEETS).exists());
}
