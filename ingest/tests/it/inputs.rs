//! Files as people have them, through the program: archives, encodings, layouts and pages are read, each line once and as it
//! came; what cannot be read is refused by name before anything is stored.

use std::io::Write;

use serde_json::Value;

use crate::corpus::{BEGIN_MS, expected, joined, mixed, snowflake, v1, v2};
use crate::files::{self, gzip, zstd};
use crate::http::metric;
use crate::lake::Lake;
use crate::program::{INGEST, Place, Program, until};

const MEMORY: &str = "memory takes it";

pub(crate) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).expect(MEMORY);
    encoder.finish().expect(MEMORY)
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).expect(MEMORY);
    encoder.finish().expect(MEMORY)
}

/// A tar of files, with a folder and a hidden file that are left out.
pub(crate) fn tar(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |name: &str, kind: tar::EntryType, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).expect(MEMORY);
    };
    add("2012", tar::EntryType::Directory, b"");
    add("2012/._01.json", tar::EntryType::Regular, b"no tweets");
    for (name, bytes) in members {
        add(name, tar::EntryType::Regular, bytes);
    }
    builder.into_inner().expect(MEMORY)
}

pub(crate) fn zip(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).expect(MEMORY);
        writer.write_all(bytes).expect(MEMORY);
    }
    writer.finish().expect(MEMORY).into_inner()
}

fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

pub(crate) fn tweet(n: u64) -> Vec<u8> {
    let at_ms = BEGIN_MS + 1000 * n.cast_signed();
    let (id, text) = (snowflake(at_ms, n), format!("tweet {n} é😀 \"}},{{\""));
    if n.is_multiple_of(2) { v1(at_ms, id, &text) } else { v2(at_ms, id, &text) }.into_bytes()
}

fn text_of(lines: &[Vec<u8>], separator: &str) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| std::str::from_utf8(line).expect("UTF-8")).collect();
    lines.join(separator)
}

fn lake(place: &Place) -> Lake {
    Lake::folder(&place.path("lake"))
}

fn sorted(mut lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    lines.sort();
    lines
}

/// Runs over one file and asks for exactly these lines and no reject; gives what the program said.
pub(crate) fn stores(name: &str, bytes: &[u8], lines: &[Vec<u8>]) -> String {
    let place = files::place("");
    place.write(&format!("archive/{name}"), bytes);
    let ended = place.done("run");
    let lake = lake(&place);
    assert!(sorted(lake.lines()) == sorted(lines.to_vec()), "{name}: {} lines\n{}", lake.lines().len(), ended.err);
    assert_eq!(lake.rejects(), [Value::Null; 0], "{name}");
    let again = place.done("run");
    assert!(again.err.contains("file already read"), "{name}: {}", again.err);
    assert_eq!(again.number("accepted"), 0, "{name}");
    ended.err
}

/// A member of an archive.
type Member = (&'static str, Vec<u8>);

fn hours_of_a_day(compress: fn(&[u8]) -> Vec<u8>) -> (Vec<Member>, Vec<Vec<u8>>) {
    let lines: Vec<Vec<u8>> = (0..400).map(tweet).collect();
    let names = ["2012/01/01/00/00.json", "2012/01/01/00/01.json", "2012/01/01/00/02.json", "2012/01/01/00/03.json"];
    (names.into_iter().zip(lines.chunks(100).map(|lines| compress(&joined(lines)))).collect(), lines)
}

#[test]
fn archives_and_compressed_files_are_read_member_by_member() {
    for compress in [bzip2 as fn(&[u8]) -> Vec<u8>, gzip, xz, zstd, <[u8]>::to_vec] {
        let (members, lines) = hours_of_a_day(compress);
        stores("grab.tar", &tar(&members), &lines);
        stores("grab.zip", &zip(&members), &lines);
    }
    let (members, lines) = hours_of_a_day(bzip2);
    for compress in [gzip as fn(&[u8]) -> Vec<u8>, bzip2, xz, zstd] {
        stores("grab.tar.x", &compress(&tar(&members)), &lines);
        stores("a.json.x", &compress(&joined(&lines)), &lines);
    }
}

#[test]
fn text_in_utf_16_or_with_a_byte_order_mark_is_stored_as_utf_8() {
    let lines: Vec<Vec<u8>> = (0..20).map(tweet).collect();
    let said = stores("powershell.json", &utf16(&(text_of(&lines, "\r\n") + "\r\n")), &lines);
    assert!(said.contains("UTF-16") && said.matches("stored as one line of UTF-8").count() == 1, "{said}");
    stores("windows.json", format!("\u{feff}{}\n", text_of(&lines, "\n")).as_bytes(), &lines);
}

#[test]
fn values_in_any_layout_become_one_line_each_and_that_is_said_once() {
    let lines: Vec<Vec<u8>> = (0..20).map(tweet).collect();
    for (name, text) in [
        ("one line", format!("[{}]", text_of(&lines, ","))),
        ("python", format!("[{}]\n", text_of(&lines, ", "))),
        ("an item a line", format!("[\n{}\n]\n", text_of(&lines, ",\n"))),
        ("with commas", format!("{},\n", text_of(&lines, ",\n"))),
        ("no line ends", text_of(&lines, "")),
    ] {
        let said = stores("a.json", text.as_bytes(), &lines);
        assert_eq!(said.matches("stored as one line").count(), 1, "{name}: {said}");
    }
    // Pretty-printed: compact again but for the blanks behind colons, and every token is as it was.
    let values: Vec<Value> = lines.iter().map(|line| serde_json::from_slice(line).expect("JSON")).collect();
    for text in [
        serde_json::to_string_pretty(&values).expect("JSON"),
        values.iter().map(|value| serde_json::to_string_pretty(value).expect("JSON") + "\n").collect(),
    ] {
        let place = files::place("");
        place.write("archive/a.json", text);
        place.done("run");
        let stored = lake(&place).lines();
        assert_eq!(stored.len(), lines.len());
        for line in stored {
            let value: Value = serde_json::from_slice(&line).expect("JSON");
            assert!(values.contains(&value), "{value}");
        }
    }
    let said = stores("plain.json", &joined(&lines), &lines);
    assert!(!said.contains("stored as one line"), "{said}");
}

fn page(first: u64) -> (String, Vec<Vec<u8>>) {
    let id = |n: u64| snowflake(BEGIN_MS + 1000 * n.cast_signed(), n);
    let data =
        |n: u64| format!(r#"{{"id":"{}","text":"p","author_id":"{}","edit_history_tweet_ids":["{0}"]}}"#, id(n), n % 2);
    let users = [r#"{"id":"0","username":"zero"}"#, r#"{"id":"1","username":"one"}"#];
    let numbers: Vec<u64> = (first..first + 3).collect();
    let all: Vec<String> = numbers.iter().map(|&n| data(n)).collect();
    let page = format!(
        r#"{{"data":[{}],"includes":{{"users":[{}]}},"errors":[{{"title":"Not Found Error"}}],"meta":{{"result_count":3}},"__twarc":{{"version":"2.14"}}}}"#,
        all.join(","),
        users.join(",")
    );
    let line = |&n: &u64| format!(r#"{{"data":{},"includes":{{"users":[{}]}}}}"#, data(n), users[(n % 2) as usize]);
    (page, numbers.iter().map(line).map(String::into_bytes).collect())
}

#[test]
fn pages_of_v2_become_one_line_a_tweet_with_its_own_includes() {
    let pages: Vec<(String, Vec<Vec<u8>>)> = [1, 10, 20].map(page).into();
    let texts: Vec<&str> = pages.iter().map(|(page, _)| page.as_str()).collect();
    let lines: Vec<Vec<u8>> = pages.iter().flat_map(|(_, lines)| lines.clone()).collect();
    for text in [texts.join("\n") + "\n", format!("[{}]", texts.join(",")), texts.join("")] {
        stores("pages.jsonl", text.as_bytes(), &lines);
    }
}

#[test]
fn flattened_and_bare_tweets_of_v2_are_stored_as_they_are() {
    let id = |n: u64| snowflake(BEGIN_MS, n);
    let flat = format!(
        r#"{{"id":"{}","text":"a","author_id":"7","author":{{"id":"7","username":"x"}},"__twarc":{{"version":"2.14"}}}}"#,
        id(1)
    );
    let bare = format!(
        r#"{{"public_metrics":{{"like_count":1}},"id":"{}","text":"b","edit_history_tweet_ids":["1"]}}"#,
        id(2)
    );
    let lines: Vec<Vec<u8>> = [flat, bare].map(String::into_bytes).into();
    stores("flat.jsonl", &joined(&lines), &lines);
}

#[test]
fn killed_inside_an_archive_it_goes_on_in_the_member_where_it_was() {
    for (name, pack) in [("grab.tar", tar as fn(&[(&str, Vec<u8>)]) -> Vec<u8>), ("grab.zip", zip)] {
        let lines = mixed(60_000, 8);
        let names: Vec<String> = (0..6).map(|n| format!("2012/{n:02}.json")).collect();
        let members: Vec<(&str, Vec<u8>)> = names
            .iter()
            .map(String::as_str)
            .zip(lines.chunks(lines.len().div_ceil(6)).map(|lines| {
                // In an array, so that what is counted are bytes of lines and not of the member; first a value without an
                // id, which is there twice when it is read twice.
                bzip2(format!("[{{\"hello\":1}},\n{}]", text_of(lines, ",\n")).as_bytes())
            }))
            .collect();
        let place = files::place("roll_count = 2000");
        place.write(&format!("archive/{name}"), pack(&members));
        let mut kills = 0;
        for threshold in [1.0, 25_000.0] {
            let agent = place.start("run");
            let status = agent.status();
            until("lines are accepted", || {
                (metric(&status, "cauce_records_accepted_total") >= threshold).then_some(())
            });
            kills += u32::from(agent.kill().signal == Some(9));
        }
        assert_eq!(kills, 2, "it had ended before it was killed");
        let ended = place.done("run");
        let going_on = ended.err.lines().find(|line| line.contains("going on inside file")).expect("it goes on");
        let member = going_on.split_whitespace().find_map(|word| word.strip_prefix("member=")?.parse().ok());
        assert!(member.is_some_and(|member: u64| member > 0), "{going_on}");
        let wanted: Vec<Vec<u8>> = expected(&lines).hours.into_values().flatten().collect();
        assert!(sorted(lake(&place).lines()) == sorted(wanted), "{name}: other lines");
        assert_eq!(lake(&place).rejects().len(), members.len(), "{name}");
    }
}

#[test]
fn a_damaged_member_is_named_and_the_others_are_read() {
    let (mut members, lines) = hours_of_a_day(bzip2);
    let cut = members[1].1.len() / 2;
    members[1].1.truncate(cut);
    let place = files::place("");
    place.write("archive/grab.tar", tar(&members));
    let ended = place.ingest("run");
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("grab.tar: 2012/01/01/00/01.json:"), "{}", ended.err);
    let stored = lake(&place).lines();
    assert!(lines[200..].iter().all(|line| stored.contains(line)), "what follows is read");

    // An archive that is itself cut short goes on where it is whole again.
    let place = files::place("");
    let (members, lines) = hours_of_a_day(bzip2);
    let whole = tar(&members);
    place.write("archive/grab.tar", &whole[..whole.len() / 2]);
    let ended = place.ingest("run");
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("cut short"), "{}", ended.err);
    place.write("archive/grab.tar", &whole);
    let ended = place.done("run");
    assert!(ended.err.contains("file has grown"), "{}", ended.err);
    assert_eq!(sorted(lake(&place).lines()), sorted(lines));
}

#[test]
fn what_cannot_be_read_is_refused_by_name_before_anything_is_stored() {
    let activity = r#"{"id":"tag:search.twitter.com,2005:1","objectType":"activity","verb":"post","actor":{"objectType":"person"},"body":"a"}"#;
    let window = {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect(MEMORY);
        encoder.window_log(31).expect("zstd knows it");
        encoder.write_all(&tweet(1)).expect(MEMORY);
        encoder.finish().expect(MEMORY)
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("tweets.js", b"window.YTD.tweets.part0 = [ { \"tweet\" : {} } ]".to_vec(), "personal archive"),
        ("gnip.json", format!("{activity}\n").into_bytes(), "Activity Streams"),
        ("gnip.json.gz", gzip(format!("{activity}\n").as_bytes()), "Activity Streams"),
        ("gnip.tar", tar(&[("a/01.json.bz2", bzip2(activity.as_bytes()))]), "Activity Streams"),
        ("scraped.jsonl", br#"{"_type": "snscrape.modules.twitter.Tweet", "url": "u"}"#.to_vec(), "snscrape"),
        ("twice.json", b"\"{\\\"id\\\": 1, \\\"text\\\": \\\"a\\\"}\"\n".to_vec(), "dumped twice"),
        ("repr.txt", b"{'id': 1, 'text': u'a'}\n".to_vec(), "Python"),
        ("a.avro", b"Obj\x01\x04\x14avro.codec\x08null".to_vec(), "Avro"),
        ("a.parquet", b"PAR1\x15\x04\x15\x10".to_vec(), "Parquet"),
        ("a.csv", b"id,created_at,text\n1,2,3\n".to_vec(), "CSV"),
        ("ids.txt", b"1454638400000000000\n1454638400000000001\n".to_vec(), "tweet ids"),
        ("a.json", b"<!DOCTYPE html>\n<html></html>\n".to_vec(), "HTML"),
        ("flume", b"SEQ\x06!org.apache.hadoop.io.LongWritable".to_vec(), "SequenceFile"),
        (
            "archive.zip",
            zip(&[("Your archive.html", b"<html>".to_vec()), ("data/tweets.js", b"window".to_vec())]),
            "personal archive",
        ),
        ("nested.tar", tar(&[("inner.tar", tar(&[("a.json", tweet(1))]))]), "archive in an archive"),
        ("long.zst", window, "zstd -d --long=31"),
    ];
    for (name, bytes, told) in cases {
        let place = files::place("");
        place.write("archive/0.json", joined(&[tweet(1)])).write(&format!("archive/{name}"), &bytes);
        let ended = place.ingest("run");
        assert_eq!(ended.code, Some(1), "{name}: {}", ended.err);
        let last = ended.err.lines().last().expect("a line");
        assert!(last.contains(name) && last.contains(told) && last.contains("nothing is stored"), "{name}: {last}");
        assert_eq!((lake(&place).lines().len(), lake(&place).rejects().len()), (0, 0), "{name}");
        let checked = place.ingest("check");
        assert_eq!(checked.code, Some(1), "{name}: {}", checked.out);
        let line = checked.out.lines().find(|line| line.starts_with("input ") && line.contains(name));
        assert!(line.is_some_and(|line| line.contains(told)), "{name}: {}", checked.out);
    }
}

#[test]
fn check_says_for_each_path_what_it_is() {
    let place = files::place("");
    place.write("archive/a.json", joined(&[tweet(0)])).write("archive/b.json.gz", gzip(page(1).0.as_bytes()));
    place.write("archive/c.tar", tar(&[("01.json.bz2", bzip2(&joined(&[tweet(1)])))]));
    place.write("archive/d.json", utf16(&format!("[{}]", text_of(&[tweet(1)], ","))));
    let out = place.done("check").out;
    for line in [
        "archive/a.json: v1.1 tweets, one a line\n",
        "archive/b.json.gz: pages of v2 tweets, in gzip\n",
        "archive/c.tar: tar; its first member 01.json.bz2: v2 tweets as in the stream, one a line, in bzip2\n",
        "archive/d.json: v2 tweets as in the stream in an array, in UTF-16\n",
    ] {
        assert!(out.contains(line), "{line}{out}");
    }
}

#[test]
fn zeros_before_a_line_are_a_reject_and_the_line_is_kept() {
    for zeros in [100, 5 << 20] {
        let place = files::place("");
        let bytes = [joined(&[tweet(1)]), vec![0; zeros], joined(&[tweet(2), tweet(3)])].concat();
        place.write("archive/a.json", bytes);
        place.done("run");
        assert_eq!(sorted(lake(&place).lines()), sorted(vec![tweet(1), tweet(2), tweet(3)]));
        let [reject] = &lake(&place).rejects()[..] else { panic!("{:?}", lake(&place).rejects().len()) };
        assert!(reject["source"].as_str().is_some_and(|source| source.ends_with("a.json line 2")), "{reject}");
    }
}

#[test]
fn zeros_behind_gzip_are_padding() {
    let lines: Vec<Vec<u8>> = (0..20).map(tweet).collect();
    stores("tape.json.gz", &[gzip(&joined(&lines)), vec![0; 10_240]].concat(), &lines);
}

#[test]
fn of_a_file_that_has_grown_only_what_is_new_is_read() {
    let lines: Vec<Vec<u8>> = (0..40).map(tweet).collect();
    for (name, pack) in [("a.json", <[u8]>::to_vec as fn(&[u8]) -> Vec<u8>), ("a.json.gz", gzip)] {
        let place = files::place("");
        let half = lines[20].len() / 2;
        // It ends inside of a line, as a file does that is being written.
        let first = [joined(&lines[..20]), lines[20][..half].to_vec()].concat();
        let second = [lines[20][half..].to_vec(), b"\n".to_vec(), joined(&lines[21..39]), lines[39].clone()].concat();
        place.write(&format!("archive/{name}"), pack(&first));
        assert_eq!(place.done("run").number("accepted"), 21, "{name}: the half is a reject");
        place.write(&format!("archive/{name}"), [pack(&first), pack(&second)].concat());
        let grown = place.done("run");
        assert!(grown.err.contains("file has grown"), "{name}: {}", grown.err);
        assert_eq!((grown.number("accepted"), grown.number("duplicates")), (20, 0), "{name}");
        // The last line had no line end and was whole: it is not read once more.
        place.write(
            &format!("archive/{name}"),
            [pack(&first), pack(&second), pack(b"\n"), pack(&joined(&[tweet(40)]))].concat(),
        );
        let grown = place.done("run");
        assert_eq!((grown.number("accepted"), grown.number("duplicates")), (1, 0), "{name}");
        let wanted = [&lines[..], &[tweet(40)]].concat();
        assert_eq!(sorted(lake(&place).lines()), sorted(wanted), "{name}");
        assert_eq!(lake(&place).rejects().len(), 1, "{name}");
    }
}

#[test]
fn standard_input_may_be_a_tar_or_pages_and_a_zip_is_refused() {
    let place = || {
        let place = Place::new();
        place
            .write("cauce.toml", "[source]\ntype = \"stdin\"\n[lake]\nurl = \"lake\"\npartition_by = \"created_at\"\n");
        place
    };
    let run = |place: &Place, bytes: &[u8]| {
        place.write("input", bytes);
        let script = format!("{INGEST} run < input");
        Program::start(place.command("/bin/sh", &["-c", &script])).end()
    };
    let (members, lines) = hours_of_a_day(bzip2);
    let (page, tweets) = page(1);
    for (bytes, wanted) in [(gzip(&tar(&members)), &lines), (page.into_bytes(), &tweets)] {
        let place = place();
        let ended = run(&place, &bytes);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert_eq!(sorted(lake(&place).lines()), sorted(wanted.clone()));
    }
    let place = place();
    let ended = run(&place, &zip(&members));
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("zip archive, which cannot be read from a pipe"), "{}", ended.err);
    assert_eq!(lake(&place).lines().len(), 0);
}
