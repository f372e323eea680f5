//! First bytes, written by hand, and what they are.

use super::*;

fn is(layout: Layout, content: Content) -> Verdict<Form> {
    Verdict::Is(Form { layout, content })
}

const V1: &str = r#"{"created_at":"Wed Oct 10 20:19:24 +0000 2018","id":1,"id_str":"1","text":"a","user":{}}"#;
const V2: &str = r#"{"data":{"id":"1","text":"a"}}"#;
const FLAT: &str = r#"{"id":"1","text":"a","author_id":"7","author":{"id":"7"},"__twarc":{}}"#;
const BARE: &str = r#"{"id":"1","text":"a","edit_history_tweet_ids":["1"]}"#;
const PAGE: &str = r#"{"data":[{"id":"1","text":"a"}],"meta":{"result_count":1}}"#;

#[test]
fn the_ways_in_which_json_is_written_down_are_told_apart() {
    let pretty = V1.replace("{\"created", "{\n  \"created");
    for (written, expected) in [
        (format!("{V1}\n"), is(Layout::Lines, Content::Statuses1)),
        (format!("\r\n\r\n{V2}\r\n"), is(Layout::Lines, Content::Stream2)),
        (format!("{FLAT}\n{FLAT}"), is(Layout::Lines, Content::Flattened2)),
        (format!("{BARE}\n"), is(Layout::Lines, Content::Bare2)),
        (format!("\0\0\0{V1}\n"), is(Layout::Lines, Content::Statuses1)),
        ("{\"delete\":{\"status\":{}}}\n".to_owned(), is(Layout::Lines, Content::Messages)),
        (format!("[{V1},{V1}]"), is(Layout::Array, Content::Statuses1)),
        (format!("[\n{BARE},\n{BARE}\n]\n"), is(Layout::Array, Content::Bare2)),
        (format!("[[{BARE}],[{BARE}]]\n"), is(Layout::Array, Content::Bare2)),
        (format!("{pretty}\n{pretty}\n"), is(Layout::Spread, Content::Statuses1)),
        (format!("{V2}{V2}"), is(Layout::Joined, Content::Stream2)),
        (format!("{V2},\n{V2},\n"), is(Layout::Joined, Content::Stream2)),
        (format!("{PAGE}\n{PAGE}\n"), is(Layout::Pages, Content::Page2)),
        (format!("{{\"meta\":{{\"result_count\":0}}}}\n{PAGE}\n"), is(Layout::Pages, Content::Page2)),
        (format!("{PAGE}{PAGE}\n"), is(Layout::Pages, Content::Page2)),
        (format!("[{PAGE}]"), is(Layout::Array, Content::Page2)),
        (format!("{{\"statuses\":[{V1}]}}"), is(Layout::Pages, Content::Search1)),
        // What a crash has cut is a line, and so is what is no JSON at all.
        (format!("{{\"data\":{{\"id\":\"1\"\n{V2}\n"), is(Layout::Lines, Content::Stream2)),
        (format!("nonsense\n{V2}\n"), is(Layout::Lines, Content::Unknown)),
        (format!("[1,2]\n{V2}\n"), is(Layout::Lines, Content::Unknown)),
        (String::new(), is(Layout::Lines, Content::Unknown)),
        ("\n\n".to_owned(), is(Layout::Lines, Content::Unknown)),
    ] {
        assert_eq!(text(written.as_bytes(), true, false), expected, "{written}");
    }
}

#[test]
fn nothing_is_decided_before_it_can_be_and_a_whole_line_is_enough() {
    for written in [format!("{V1}\n"), format!("{V2}\r\n"), format!("[{V1},"), format!("{PAGE}\n")] {
        for length in 0..written.len() - 1 {
            assert_eq!(text(&written.as_bytes()[..length], false, false), Verdict::More, "{}", &written[..length]);
        }
        assert!(matches!(text(written.as_bytes(), false, false), Verdict::Is(_)), "{written}");
    }
    assert_eq!(text(format!("[{V1}").as_bytes(), false, true), is(Layout::Array, Content::Statuses1));
    let long_page = &PAGE.as_bytes()[..30];
    assert_eq!(text(long_page, false, true), is(Layout::Pages, Content::Page2));
}

#[test]
fn what_cannot_be_read_is_named() {
    for (written, expected) in [
        ("window.YTD.tweets.part0 = [ {\n", Refusal::PersonalArchive),
        (
            "{\"id\":\"tag:search.twitter.com,2005:1\",\"objectType\":\"activity\",\"actor\":{},\"verb\":\"post\"}\n",
            Refusal::ActivityStreams,
        ),
        ("{\"_type\": \"snscrape.modules.twitter.Tweet\", \"url\": \"x\"}\n", Refusal::Snscrape),
        ("\"{\\\"id\\\":1}\"\n", Refusal::DumpedTwice),
        ("[\"{\\\"id\\\":1}\"]\n", Refusal::DumpedTwice),
        ("{'id': 1, 'text': u'a'}\n", Refusal::PythonRepr),
        ("[{'id': 1}]\n", Refusal::PythonRepr),
        ("{u'id': 1}\n", Refusal::PythonRepr),
        ("Status(_api=<tweepy.api.API object at 0x1>, id=1)\n", Refusal::PythonRepr),
        ("id,created_at,text\n1,2,3\n", Refusal::Csv),
        ("\"tweet_id\";\"lang\"\n", Refusal::Csv),
        ("lang\tuser_id\ttext\n", Refusal::Csv),
        ("1454638400000000000\n1454638400000000001\n", Refusal::TweetIds),
        ("\n<!DOCTYPE html>\n<html>", Refusal::Html),
        ("<?xml version=\"1.0\"?>", Refusal::Xml),
        ("{\"data\":[{\"id\":\"1\",\"username\":\"x\"}]}\n", Refusal::Users),
    ] {
        assert_eq!(text(written.as_bytes(), true, false), Verdict::Refused(expected.clone()), "{written}");
        assert!(expected.to_string().len() > 20);
    }
    for (bytes, expected) in [
        (&b"Obj\x01\x04\x14avro.codec"[..], Refusal::Avro),
        (b"PAR1\x15\x04", Refusal::Parquet),
        (b"SEQ\x06!org.apache.hadoop.io.LongWritable", Refusal::SequenceFile),
    ] {
        assert_eq!(container(bytes, true, false), Verdict::Refused(expected));
    }
}

#[test]
fn text_that_only_resembles_a_table_or_a_list_of_ids_is_read_line_by_line() {
    for written in ["Hello, text\nworld\n", "1234\n", "a,b,c\n", "see: id, {\"text\"}\n", ""] {
        assert_eq!(text(written.as_bytes(), true, false), is(Layout::Lines, Content::Unknown), "{written}");
    }
}

#[test]
fn compression_and_encoding_tell_themselves_as_soon_as_they_can() {
    for (bytes, expected) in [
        (&b"\x1f\x8b"[..], Container::Gzip),
        (b"\x28\xb5\x2f\xfd", Container::Zstd),
        (b"\x5e\x2a\x4d\x18", Container::Zstd),
        (b"BZh9", Container::Bzip2),
        (b"\xfd7zXZ\0", Container::Xz),
        (b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff", Container::Lzma),
        (b"PK\x03\x04", Container::Zip),
        (b"{", Container::Text),
        (b"no json\n", Container::Text),
    ] {
        assert_eq!(container(bytes, false, false), Verdict::Is(expected), "{bytes:?}");
        for length in 0..bytes.len() - 1 {
            assert_eq!(container(&bytes[..length], false, false), Verdict::More, "{bytes:?} {length}");
        }
    }
    assert_eq!(container(&[b'x'; 511], false, false), Verdict::More);
    assert_eq!(container(&[b'x'; 512], false, false), Verdict::Is(Container::Text));
    let wide = |is_big_endian, has_bom| Verdict::Is(Encoding::Utf16 { is_big_endian, has_bom });
    for (bytes, expected) in [
        (&b"\xef\xbb\xbf{"[..], Verdict::Is(Encoding::Utf8Bom)),
        (b"\xff\xfe{\0", wide(false, true)),
        (b"\xfe\xff\0{", wide(true, true)),
        (b"{\0\"\0", wide(false, false)),
        (b"\0{\0\"", wide(true, false)),
        (b"\0\0\0{\"", Verdict::Is(Encoding::Utf8)),
        (b"{\"", Verdict::Is(Encoding::Utf8)),
        (b"\xef\xbb", Verdict::More),
    ] {
        assert_eq!(encoding(bytes, false), expected, "{bytes:?}");
    }
}

#[test]
fn zeros_are_a_tar_without_members_or_come_before_a_line() {
    for (zeros, is_whole, is_full, expected) in [
        (1024, false, false, Verdict::More),
        (1024, true, false, Verdict::Is(Container::Tar)),
        (10_240, true, false, Verdict::Is(Container::Tar)),
        (512, true, false, Verdict::Is(Container::Text)),
        (1025, true, false, Verdict::Is(Container::Text)),
        (ZEROS_BYTES, false, true, Verdict::Is(Container::Text)),
    ] {
        assert_eq!(container(&vec![0; zeros], is_whole, is_full), expected, "{zeros} zeros");
    }
    let line = [vec![0; 1024], V1.as_bytes().to_vec()].concat();
    assert_eq!(container(&line, false, false), Verdict::Is(Container::Text));
}

#[test]
fn a_bracket_is_no_lzma_unless_the_header_of_one_follows() {
    for text in ["]", "],\n{\"id\":1}\n and more", "] some text that goes on"] {
        assert_eq!(container(text.as_bytes(), true, false), Verdict::Is(Container::Text), "{text}");
    }
}
