//! What an input is, told by its first bytes and never by its name. Pure: it looks at bytes and asks for more.
//!
//! [`container`] tells compression and archives apart, [`text`] the ways in which JSON is written down and what it holds. What
//! cannot be read is refused by name ([`Refusal`]) before anything of it is stored.

mod refusal;

use std::fmt;

pub(crate) use self::refusal::Refusal;
use super::reframe::outline::{Ending, Outline};

/// How many first bytes are looked at, at most. A first value that is longer is judged by its beginning.
pub(super) const HEAD_BYTES: usize = 256 << 10;

/// How many zeros are looked at, at most, for what follows them: a line, or nothing, as in a tar without members.
pub(super) const ZEROS_BYTES: usize = 256 << 10;

/// What the bytes are before they are text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    /// What came before xz.
    Lzma,
    Tar,
    Zip,
    Text,
}

/// How text is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    /// With a byte-order mark, which is no part of the text.
    Utf8Bom,
    Utf16 {
        is_big_endian: bool,
        has_bom: bool,
    },
}

/// How values stand in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Layout {
    /// One a line: read as they are.
    Lines,
    /// In an array.
    Array,
    /// Over several lines each.
    Spread,
    /// Without line ends between them, or with commas.
    Joined,
    /// Pages of results.
    Pages,
}

/// What the values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Content {
    Stream2,
    Flattened2,
    Bare2,
    Page2,
    Statuses1,
    Search1,
    Messages,
    Unknown,
}

/// How a text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pub(crate) layout: Layout,
    pub(crate) content: Content,
}

/// What the first bytes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict<T> {
    /// They are too few.
    More,
    Is(T),
    Refused(Refusal),
}

/// Tells compression and archives apart. `is_whole` says that nothing follows, `is_full` that no more than this will be looked at.
pub(super) fn container(head: &[u8], is_whole: bool, is_full: bool) -> Verdict<Container> {
    use Container::{Bzip2, Gzip, Lzma, Tar, Text, Xz, Zip, Zstd};
    const MAGIC: [(&[u8], Result<Container, Refusal>); 20] = [
        (b"\x1f\x8b", Ok(Gzip)),
        (b"\x28\xb5\x2f\xfd", Ok(Zstd)),
        (b"BZh", Ok(Bzip2)),
        (b"\xfd7zXZ\0", Ok(Xz)),
        (b"PK\x03\x04", Ok(Zip)),
        (b"PK\x05\x06", Ok(Zip)),
        (b"PK\x07\x08", Ok(Zip)),
        (b"Obj\x01", Err(Refusal::Avro)),
        (b"PAR1", Err(Refusal::Parquet)),
        (b"ORC", Err(Refusal::Orc)),
        (b"SEQ\x06", Err(Refusal::SequenceFile)),
        (b"SQLite format 3\0", Err(Refusal::Sqlite)),
        (b"7z\xbc\xaf\x27\x1c", Err(Refusal::SevenZip)),
        (b"Rar!\x1a\x07", Err(Refusal::Rar)),
        (b"\x04\x22\x4d\x18", Err(Refusal::Lz4)),
        (b"\xff\x06\0\0sNaPpY", Err(Refusal::Snappy)),
        (b"%PDF-", Err(Refusal::Pdf)),
        (b"version https://git-lfs", Err(Refusal::LfsPointer)),
        (b"\xff\xfe\0\0", Err(Refusal::Utf32)),
        (b"\0\0\xfe\xff", Err(Refusal::Utf32)),
    ];
    let mut may_follow = false;
    for (magic, meaning) in &MAGIC {
        if head.starts_with(magic) {
            return match meaning {
                Ok(container) => Verdict::Is(*container),
                Err(refusal) => Verdict::Refused(refusal.clone()),
            };
        }
        may_follow |= magic.starts_with(head);
    }
    // A skippable frame of zstd, as pzstd writes it.
    if head.len() >= 4 && head[0] & 0xf0 == 0x50 && head[1..4] == [0x2a, 0x4d, 0x18] {
        return Verdict::Is(Zstd);
    }
    if head.first() == Some(&0x5d) && (head.len() >= LZMA_HEADER_BYTES || !is_whole) {
        return match head.len() {
            ..LZMA_HEADER_BYTES => Verdict::More,
            _ => Verdict::Is(if is_lzma(head) { Lzma } else { Text }),
        };
    }
    // Two blocks of zeros end a tar, and are all that one without members has.
    if head.len() >= 512 && head.iter().all(|byte| *byte == 0) {
        return match () {
            () if is_whole => {
                Verdict::Is(if head.len() >= 1024 && head.len().is_multiple_of(512) { Tar } else { Text })
            }
            () if is_full => Verdict::Is(Text),
            () => Verdict::More,
        };
    }
    if is_whole || is_full {
        return Verdict::Is(if is_tar(head) { Tar } else { Text });
    }
    // JSON tells itself by its first byte; what else may be a tar begins with a member's name.
    let is_json = head.first().is_some_and(|byte| matches!(byte, b'{' | b'[' | b'"' | b' ' | b'\t' | b'\r' | b'\n'));
    match head.len() {
        0 => Verdict::More,
        _ if is_json => Verdict::Is(Text),
        1..4 if may_follow || head[0] & 0xf0 == 0x50 => Verdict::More,
        _ if may_follow => Verdict::More,
        512.. => Verdict::Is(if is_tar(head) { Tar } else { Text }),
        _ if head.contains(&b'\n') => Verdict::Is(Text),
        _ => Verdict::More,
    }
}

/// Bytes of the header of the `.lzma` format: properties, size of the dictionary, length of the content.
const LZMA_HEADER_BYTES: usize = 13;

/// Whether the header of the `.lzma` format stands first, which has no signature: the usual properties, a dictionary of 2ⁿ or
/// 2ⁿ + 2ⁿ⁻¹ bytes, and a length that is below 256 GiB or not told. xz asks the same of such a file.
fn is_lzma(head: &[u8]) -> bool {
    let (dictionary, length) = (&head[1..5], &head[5..LZMA_HEADER_BYTES]);
    let dictionary = u32::from_le_bytes(dictionary.try_into().expect("four bytes"));
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
    let is_even = dictionary.count_ones() == 1;
    let is_three_halves = dictionary.count_ones() == 2 && (dictionary & (dictionary >> 1)) != 0;
    (is_even || is_three_halves || dictionary == u32::MAX) && (length == u64::MAX || length < 256 << 30)
}

/// Whether a tar's header stands first: its checksum is the sum of its bytes, with blanks in place of itself.
fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..512) else { return false };
    if header[0] == 0 {
        return false;
    }
    let digits = header[148..156].iter().skip_while(|byte| **byte == b' ').take_while(|byte| byte.is_ascii_digit());
    let told = digits.fold(0u32, |sum, digit| sum.wrapping_mul(8).wrapping_add(u32::from(digit & 7)));
    let sum: u32 = header
        .iter()
        .enumerate()
        .map(|(at, &byte)| u32::from(if (148..156).contains(&at) { b' ' } else { byte }))
        .sum();
    told == sum
}

/// Tells how text is written down, by its byte-order mark or the zeros beside its first bracket.
pub(super) fn encoding(head: &[u8], is_whole: bool) -> Verdict<Encoding> {
    let wide = |is_big_endian, has_bom| Verdict::Is(Encoding::Utf16 { is_big_endian, has_bom });
    match *head {
        [0xef, 0xbb, 0xbf, ..] => Verdict::Is(Encoding::Utf8Bom),
        [0xff, 0xfe, ..] => wide(false, true),
        [0xfe, 0xff, ..] => wide(true, true),
        [b'{' | b'[', 0, _, 0, ..] => wide(false, false),
        [0, b'{' | b'[', 0, _, ..] => wide(true, false),
        [0xef] | [0xef, 0xbb] | [0xff] | [0xfe] | [] if !is_whole => Verdict::More,
        [b'{' | b'[', 0] | [b'{' | b'[', 0, _] | [0] | [0, b'{' | b'['] | [0, b'{' | b'[', 0] if !is_whole => {
            Verdict::More
        }
        _ => Verdict::Is(Encoding::Utf8),
    }
}

/// Tells how values stand in a text in UTF-8, and what they are. `is_full` says that no more than this will be looked at.
pub(super) fn text(head: &[u8], is_whole: bool, is_full: bool) -> Verdict<Form> {
    let is_last = is_whole || is_full;
    let start = head.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0));
    let Some(start) = start else {
        let lines = Form { layout: Layout::Lines, content: Content::Unknown };
        return if is_last { Verdict::Is(lines) } else { Verdict::More };
    };
    let text = &head[start..];
    match text[0] {
        b'{' => object(text, is_whole, is_last),
        b'[' => array(text, is_whole, is_last),
        _ => other(text, is_last),
    }
}

fn object(text: &[u8], is_whole: bool, is_last: bool) -> Verdict<Form> {
    if !is_last && text.len() < 4 {
        return Verdict::More;
    }
    if [&b"{'"[..], b"{u'", b"{b'"].iter().any(|repr| text.starts_with(repr)) {
        return Verdict::Refused(Refusal::PythonRepr);
    }
    let outline = Outline::of(text);
    if outline.ending == Ending::Open && !is_last {
        return Verdict::More;
    }
    let content = match content(&outline) {
        Ok(content) => content,
        Err(refusal) => return Verdict::Refused(refusal),
    };
    let one_by_one = match content {
        Content::Page2 | Content::Search1 => Layout::Pages,
        _ if outline.is_spread => Layout::Spread,
        _ => Layout::Lines,
    };
    let layout = match outline.ending {
        Ending::Whole(end) => {
            let behind = text[end..].iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
            match behind {
                None if !is_last => return Verdict::More,
                None | Some(b'\n') => one_by_one,
                Some(_) if one_by_one == Layout::Pages => Layout::Pages,
                Some(_) => Layout::Joined,
            }
        }
        // A line that a crash has cut is followed by others; a value that is spread begins with a line end.
        Ending::Broken if outline.opens_with_line_end => Layout::Spread,
        Ending::Broken => Layout::Lines,
        Ending::Open if is_whole && !outline.is_spread => Layout::Lines,
        Ending::Open => one_by_one,
    };
    Verdict::Is(Form { layout, content })
}

fn array(text: &[u8], is_whole: bool, is_last: bool) -> Verdict<Form> {
    let Some(first) = text[1..].iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'[')) else {
        return if is_last {
            Verdict::Is(Form { layout: Layout::Array, content: Content::Unknown })
        } else {
            Verdict::More
        };
    };
    let value = &text[1 + first..];
    let form = |layout, content| Verdict::Is(Form { layout, content });
    match value[0] {
        b'{' => match object(value, is_whole, is_last) {
            Verdict::Is(Form { content, .. }) => form(Layout::Array, content),
            other => other,
        },
        b']' => form(Layout::Array, Content::Unknown),
        b'"' | b'\'' => match other(value, is_last) {
            Verdict::Is(Form { content, .. }) => form(Layout::Lines, content),
            other => other,
        },
        _ => form(Layout::Lines, Content::Unknown),
    }
}

/// What the members of a first object say that it is.
fn content(outline: &Outline<'_>) -> Result<Content, Refusal> {
    let has = |name| outline.has(name);
    if has("objectType") && has("verb") && has("actor") {
        return Err(Refusal::ActivityStreams);
    }
    let is_snscrape = outline.value("_type").is_some_and(|value| value.starts_with(b"\"snscrape."));
    if is_snscrape || (has("renderedContent") && has("outlinks")) {
        return Err(Refusal::Snscrape);
    }
    let is_list = |name| outline.value(name).is_some_and(|value| value.starts_with(b"["));
    if is_list("data") {
        let has = |name: &str| outline.data_names.contains(&name.as_bytes());
        if has("username") && !has("text") {
            return Err(Refusal::Users);
        }
        return Ok(Content::Page2);
    }
    if is_list("statuses") {
        return Ok(Content::Search1);
    }
    // A page on which nothing was found.
    if !has("data") && !has("id") && outline.value("meta").is_some_and(|meta| meta.starts_with(b"{")) {
        return Ok(Content::Page2);
    }
    const MARKS: [&str; 5] =
        ["author_id", "edit_history_tweet_ids", "public_metrics", "note_tweet", "referenced_tweets"];
    const MESSAGES: [&str; 8] =
        ["delete", "scrub_geo", "status_withheld", "user_withheld", "limit", "warning", "disconnect", "info"];
    Ok(match () {
        () if has("data") => Content::Stream2,
        () if has("id_str") => Content::Statuses1,
        () if has("text") && MARKS.into_iter().any(has) && has("author") => Content::Flattened2,
        () if has("text") && MARKS.into_iter().any(has) => Content::Bare2,
        () if has("text") || has("full_text") => Content::Statuses1,
        () if MESSAGES.into_iter().any(has) => Content::Messages,
        () => Content::Unknown,
    })
}

/// What begins with no bracket.
fn other(text: &[u8], is_last: bool) -> Verdict<Form> {
    const BEGINNINGS: [(&[u8], Refusal); 13] = [
        (b"window.YTD.", Refusal::PersonalArchive),
        (b"<!doctype html", Refusal::Html),
        (b"<html", Refusal::Html),
        (b"<?xml", Refusal::Xml),
        (b"\"{\\\"", Refusal::DumpedTwice),
        (b"\"{\\n", Refusal::DumpedTwice),
        (b"'{\"", Refusal::PythonRepr),
        (b"b'{", Refusal::PythonRepr),
        (b"b\"{", Refusal::PythonRepr),
        (b"ordereddict(", Refusal::PythonRepr),
        (b"status(_api", Refusal::PythonRepr),
        (b"tweet(", Refusal::PythonRepr),
        (b"<tweet ", Refusal::PythonRepr),
    ];
    for (beginning, refusal) in BEGINNINGS {
        let length = text.len().min(beginning.len());
        if text[..length].eq_ignore_ascii_case(&beginning[..length]) {
            match length == beginning.len() {
                true => return Verdict::Refused(refusal),
                false if !is_last => return Verdict::More,
                false => {}
            }
        }
    }
    let end = memchr::memchr(b'\n', text);
    if end.is_none() && !is_last {
        return Verdict::More;
    }
    let line = text[..end.unwrap_or(text.len())].trim_ascii_end();
    // A tweet's id has at most 20 digits; more of them are something else.
    if (5..=20).contains(&line.len()) && line.iter().all(u8::is_ascii_digit) {
        return Verdict::Refused(Refusal::TweetIds);
    }
    if is_table_head(line) {
        return Verdict::Refused(Refusal::Csv);
    }
    Verdict::Is(Form { layout: Layout::Lines, content: Content::Unknown })
}

/// Whether a line names columns, at least one of them as tables of tweets do.
fn is_table_head(line: &[u8]) -> bool {
    const COLUMNS: [&[u8]; 16] = [
        b"id",
        b"id_str",
        b"tweet_id",
        b"tweetid",
        b"status_id",
        b"text",
        b"full_text",
        b"tweet",
        b"content",
        b"created_at",
        b"date",
        b"user",
        b"user_id",
        b"username",
        b"screen_name",
        b"author_id",
    ];
    let is_name = |cell: &[u8]| {
        cell.len() <= 80 && cell.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.-/ []#".contains(byte))
    };
    [b',', b'\t', b';', b'|'].into_iter().any(|separator| {
        let cells: Vec<&[u8]> = line
            .split(|&byte| byte == separator)
            .map(|cell| cell.trim_ascii())
            .map(|cell| cell.strip_prefix(b"\"").and_then(|cell| cell.strip_suffix(b"\"")).unwrap_or(cell))
            .collect();
        let is_known = |cell: &&&[u8]| COLUMNS.iter().any(|column| cell.eq_ignore_ascii_case(column));
        let known = cells.iter().filter(is_known).count();
        cells.len() > 1 && cells.iter().all(|cell| is_name(cell)) && (known > 1 || is_known(&&cells[0]))
    })
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Container::Gzip => "gzip",
            Container::Zstd => "zstd",
            Container::Bzip2 => "bzip2",
            Container::Xz => "xz",
            Container::Lzma => "lzma",
            Container::Tar => "tar",
            Container::Zip => "zip",
            Container::Text => "text",
        })
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = match self.content {
            Content::Stream2 => "v2 tweets as in the stream",
            Content::Flattened2 => "flattened v2 tweets",
            Content::Bare2 => "v2 tweets without includes",
            Content::Page2 => "v2 tweets",
            Content::Statuses1 | Content::Search1 => "v1.1 tweets",
            Content::Messages => "v1.1 messages",
            Content::Unknown => "JSON values",
        };
        match self.layout {
            Layout::Lines if self.content == Content::Unknown => f.write_str("text that is read line by line"),
            Layout::Lines => write!(f, "{content}, one a line"),
            Layout::Array => write!(f, "{content} in an array"),
            Layout::Spread => write!(f, "{content}, each over several lines"),
            Layout::Joined => write!(f, "{content} without line ends between them"),
            Layout::Pages => write!(f, "pages of {content}"),
        }
    }
}

#[cfg(test)]
mod tests;
