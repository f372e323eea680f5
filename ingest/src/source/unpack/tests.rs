//! Inputs in memory through all layers: the lines that come out, and what is kept of broken ones.

use std::io::{Cursor, Write};

use proptest::prelude::*;

use super::*;

fn lines(bytes: Vec<u8>) -> (String, String) {
    let Opened::Lines(mut reader, kind) =
        open(Cursor::new(bytes)).map_err(|error| error.to_string()).expect("it opens")
    else {
        panic!("an archive")
    };
    let mut text = Vec::new();
    reader.read_to_end(&mut text).expect("readable");
    (String::from_utf8(text).expect("UTF-8"), kind.to_string())
}

fn refused(bytes: Vec<u8>) -> String {
    match open(Cursor::new(bytes)) {
        Err(Unreadable::Refused(refusal)) => refusal.to_string(),
        Err(other) => panic!("not refused: {other}"),
        Ok(_) => panic!("it was read"),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn wide(text: &str, is_big_endian: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(|unit: u16| if is_big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

const TWEET: &str = "{\"id\":1,\"id_str\":\"1\",\"text\":\"\u{e9} \u{1f600}\"}";

#[test]
fn each_compression_is_read_through_all_its_parts() {
    let text = format!("{TWEET}\n{TWEET}\n");
    for (name, compress) in [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("bzip2", bzip2), ("xz", xz)] {
        let parts = [compress(&text.as_bytes()[..10]), compress(b""), compress(&text.as_bytes()[10..])].concat();
        assert_eq!(lines(parts), (text.clone(), format!("v1.1 tweets, one a line, in {name}")));
    }
    assert_eq!(lines(gzip(&bzip2(text.as_bytes()))), (text, "v1.1 tweets, one a line, in bzip2 in gzip".to_owned()));
}

#[test]
fn zeros_behind_gzip_are_padding_and_what_else_follows_is_a_fault() {
    let text = format!("{TWEET}\n");
    let padded = [gzip(text.as_bytes()), vec![0; 10_000]].concat();
    assert_eq!(lines(padded).0, text);
    let again = [gzip(text.as_bytes()), vec![0; 512], gzip(text.as_bytes())].concat();
    assert_eq!(lines(again).0, text.repeat(2));
    for behind in [&b"rest"[..], b"\0\0rest"] {
        let Ok(Opened::Lines(mut reader, _)) = open(Cursor::new([&gzip(text.as_bytes())[..], behind].concat())) else {
            panic!("it begins well")
        };
        let mut read = Vec::new();
        assert!(reader.read_to_end(&mut read).is_err());
        assert_eq!(read, text.as_bytes());
    }
}

#[test]
fn a_window_that_is_too_large_is_told_with_the_remedy() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("memory");
    encoder.window_log(31).expect("zstd knows it");
    encoder.write_all(TWEET.as_bytes()).expect("memory");
    let told = refused(encoder.finish().expect("memory"));
    assert!(told.contains("2048 MiB") && told.contains("zstd -d --long=31"), "{told}");
}

#[test]
fn text_in_utf_16_and_with_a_byte_order_mark_is_read() {
    let text = format!("{TWEET}\r\n{TWEET}\r\n");
    for is_big_endian in [false, true] {
        let (read, kind) = lines(wide(&text, is_big_endian));
        assert_eq!((read.as_str(), kind.as_str()), (text.as_str(), "v1.1 tweets, one a line, in UTF-16"));
    }
    assert_eq!(lines(format!("\u{feff}{text}").into_bytes()).0, text);
    assert_eq!(lines(gzip(&wide(&format!("[{TWEET},{TWEET}]"), false))).0, format!("{TWEET}\n{TWEET}\n"));
}

#[test]
fn a_surrogate_without_its_partner_makes_no_valid_line() {
    let mut bytes = wide("{\"text\":\"", false);
    bytes.extend([0x3d, 0xd8]);
    bytes.extend(wide("\"}\n{}\n", false).split_off(2));
    let Ok(Opened::Lines(mut reader, _)) = open(Cursor::new(bytes)) else { panic!("text") };
    let mut read = Vec::new();
    reader.read_to_end(&mut read).expect("readable");
    assert_eq!(read, b"{\"text\":\"\xed\xa0\xbd\"}\n{}\n");
}

#[test]
fn pages_become_one_line_a_tweet_wherever_they_stand() {
    let page = |n: u32| {
        format!(
            "{{\"data\":[{{\"id\":\"{n}\",\"text\":\"a\",\"author_id\":\"7\"}},{{\"id\":\"{}\",\"text\":\"b\"}}],\"includes\":{{\"users\":[{{\"id\":\"7\"}}]}},\"meta\":{{}}}}",
            n + 1
        )
    };
    let wanted = |n: u32| {
        format!(
            "{{\"data\":{{\"id\":\"{n}\",\"text\":\"a\",\"author_id\":\"7\"}},\"includes\":{{\"users\":[{{\"id\":\"7\"}}]}}}}\n{{\"data\":{{\"id\":\"{}\",\"text\":\"b\"}}}}\n",
            n + 1
        )
    };
    let both = wanted(1) + &wanted(3);
    for text in [
        format!("{}\n{}\n", page(1), page(3)),
        format!("[{},{}]", page(1), page(3)),
        format!("{}{}", page(1), page(3)),
        format!("{},\n{}", page(1).replace(",\"includes", ",\n\"includes"), page(3)),
    ] {
        assert_eq!(lines(text.into_bytes()).0, both);
    }
}

#[test]
fn a_page_gives_its_lines_without_holding_them_all() {
    // Every tweet brings the same large post along: together they are 60 times the page.
    let post = format!("{{\"id\":\"9\",\"text\":\"{}\"}}", "x".repeat(1 << 20));
    let tweets: Vec<String> = (100..160)
        .map(|n| {
            format!("{{\"id\":\"{n}\",\"text\":\"a\",\"referenced_tweets\":[{{\"type\":\"quoted\",\"id\":\"9\"}}]}}")
        })
        .collect();
    let page = format!("{{\"data\":[{}],\"includes\":{{\"tweets\":[{post}]}}}}", tweets.join(","));
    let mut values = values::Values::new(Cursor::new(page.into_bytes()));
    let (mut buffer, mut total) = (vec![0; 1 << 16], 0);
    loop {
        let count = values.read(&mut buffer).expect("readable");
        if count == 0 {
            break;
        }
        total += count;
        assert!(values.held() < 6 << 20, "{} bytes", values.held());
    }
    assert!(total > 60 << 20);
}

#[test]
fn endless_layers_are_refused() {
    let mut bytes = gzip(TWEET.as_bytes());
    for _ in 0..4 {
        bytes = gzip(&bytes);
    }
    assert!(refused(bytes).contains("again and again"));
}

#[test]
fn what_comes_before_a_fault_is_read_and_the_fault_is_told() {
    let text: String =
        (0..2000).map(|n| format!("[{{\"id\":{n},\"id_str\":\"{n}\",\"text\":\"{}\"}}]\n", n * 7919)).collect();
    for whole in [gzip(text.as_bytes()), xz(text.as_bytes()), bzip2(text.as_bytes())] {
        let mut cut = whole;
        cut.truncate(cut.len() - 20);
        let Ok(Opened::Lines(mut reader, _)) = open(Cursor::new(cut)) else { panic!("lines") };
        let mut read = Vec::new();
        assert!(reader.read_to_end(&mut read).is_err());
        assert!(text.replace(['[', ']'], "").as_bytes().starts_with(&read));
    }
}

proptest! {
    #[test]
    fn any_utf_16_is_read_as_the_standard_library_reads_it(text in "[a-z\u{e9}\u{4e00}\u{1f600}\n]{0,60}", big: bool, sizes in prop::collection::vec(1_usize..7, 1..5)) {
        struct Bits<'a>(&'a [u8], std::iter::Cycle<std::vec::IntoIter<usize>>);
        impl Read for Bits<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let count = self.1.next().unwrap_or(1).min(self.0.len()).min(buffer.len());
                buffer[..count].copy_from_slice(&self.0[..count]);
                self.0 = &self.0[count..];
                Ok(count)
            }
        }
        let bytes = wide(&text, big).split_off(2);
        let mut read = String::new();
        utf16::Utf16::new(Bits(&bytes, sizes.into_iter().cycle()), big).read_to_string(&mut read).expect("UTF-8");
        prop_assert_eq!(read, text);
    }
}
