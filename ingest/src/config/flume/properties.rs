//! The grammar of Java's properties files, as UTF-8, with line numbers. Pure; no input makes it panic.
//!
//! Own code in place of a crate: the one there is reads `\uD83D\uDE00` as two broken characters, takes bytes for
//! Windows-1252 and can panic.

/// One property, in the order of the file. The file may hold a key more than once: the last one counts.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Property {
    /// Its key, trimmed.
    pub(crate) key: String,
    /// Its value, trimmed; never empty.
    pub(crate) value: String,
    /// The line it begins on, from 1.
    pub(crate) line: usize,
}

/// What a file holds.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Properties {
    /// Properties with a value.
    pub(crate) properties: Vec<Property>,
    /// Keys without a value, which count as absent, with their lines.
    pub(crate) empty: Vec<(String, usize)>,
}

/// A file that is no properties file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong there; never quotes the line.
    pub(crate) what: &'static str,
}

/// Characters that the grammar takes for blanks within a line.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

/// Reads a file's bytes.
///
/// # Errors
/// When they are no UTF-8, or hold a `\u` that is not followed by four hexadecimal digits.
pub(crate) fn parse(bytes: &[u8]) -> Result<Properties, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|error| Malformed {
        line: 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count(),
        what: "the file is no UTF-8 text",
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut result = Properties::default();
    for logical in logical_lines(text) {
        let (key, value) = split(&logical);
        let line = logical[0].1;
        let (key, value) = (unescape(key)?, unescape(value)?);
        if value.is_empty() {
            result.empty.push((key, line));
        } else {
            result.properties.push(Property { key, value, line });
        }
    }
    Ok(result)
}

/// A logical line: its characters, each with the natural line it stands on. Never empty.
type Logical = Vec<Placed>;

/// A character with its line.
type Placed = (char, usize);

fn logical_lines(text: &str) -> Vec<Logical> {
    let natural: Vec<&str> = natural_lines(text);
    let mut lines = Vec::new();
    let mut at = 0;
    while at < natural.len() {
        let first = natural[at].trim_start_matches(is_blank);
        if first.is_empty() || first.starts_with(['#', '!']) {
            at += 1;
            continue;
        }
        let mut logical = Logical::new();
        loop {
            let piece = natural[at].trim_start_matches(is_blank);
            let backslashes = piece.len() - piece.trim_end_matches('\\').len();
            let continues = backslashes % 2 == 1;
            let piece = if continues { &piece[..piece.len() - 1] } else { piece };
            at += 1;
            logical.extend(piece.chars().map(|c| (c, at)));
            if !continues || at == natural.len() {
                break;
            }
        }
        if !logical.is_empty() {
            lines.push(logical);
        }
    }
    lines
}

/// Lines end with LF, CR or CR LF.
fn natural_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(['\n', '\r']) {
        lines.push(&rest[..end]);
        let after = &rest[end..];
        rest = after.strip_prefix("\r\n").unwrap_or(&after[1..]);
    }
    lines.push(rest);
    lines
}

/// The key ends at the first `=`, `:` or blank without a backslash; blanks and one `=` or `:` after it belong to neither.
fn split(logical: &[Placed]) -> (&[Placed], &[Placed]) {
    let mut end = 0;
    while end < logical.len() && !is_blank(logical[end].0) && !matches!(logical[end].0, '=' | ':') {
        end += if logical[end].0 == '\\' { 2 } else { 1 };
    }
    let end = end.min(logical.len());
    let skip_blanks = |from: usize| from + logical[from..].iter().take_while(|(c, _)| is_blank(*c)).count();
    let mut start = skip_blanks(end);
    if logical.get(start).is_some_and(|(c, _)| matches!(c, '=' | ':')) {
        start = skip_blanks(start + 1);
    }
    (&logical[..end], &logical[start..])
}

/// Resolves the escapes and trims as Java does: everything up to and including the blank.
fn unescape(raw: &[Placed]) -> Result<String, Malformed> {
    let mut units: Vec<u16> = Vec::with_capacity(raw.len());
    let mut buffer = [0; 2];
    let mut at = 0;
    while at < raw.len() {
        let (c, line) = raw[at];
        at += 1;
        let literal = if c != '\\' {
            c
        } else {
            let Some((escaped, _)) = raw.get(at) else { break };
            at += 1;
            match escaped {
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                'f' => '\x0c',
                'u' => {
                    let digits: String = raw[at..].iter().take(4).map(|(c, _)| *c).collect();
                    let is_hex = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                    let unit = if is_hex { u16::from_str_radix(&digits, 16).ok() } else { None };
                    let what = "a \\u must be followed by four hexadecimal digits; for a backslash write two";
                    units.push(unit.ok_or(Malformed { line, what })?);
                    at += 4;
                    continue;
                }
                other => *other,
            }
        };
        units.extend_from_slice(literal.encode_utf16(&mut buffer));
    }
    let line = raw.first().map_or(1, |(_, line)| *line);
    let text =
        String::from_utf16(&units).map_err(|_| Malformed { line, what: "a \\u holds half of a character pair" })?;
    Ok(text.trim_matches(|c: char| c <= ' ').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let properties = parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text:?}: {error:?}")).properties;
        properties.into_iter().map(|property| (property.key, property.value)).collect()
    }

    #[test]
    fn the_grammar_is_java_s() {
        for (text, key, value) in [
            ("a=1#x", "a", "1#x"),
            ("a b c", "a", "b c"),
            ("a:b=c", "a", "b=c"),
            ("a==b", "a", "=b"),
            ("a = : b", "a", ": b"),
            ("=v", "", "v"),
            ("  a\t=\t 1  ", "a", "1"),
            ("k = x,\\\n   #trump", "k", "x,#trump"),
            ("k = x\\\n\nl = 2", "k", "x"),
            ("k = x\\\\\nl = 2", "k", "x\\"),
            ("k = x\\\\\\\n y", "k", "x\\y"),
            ("k = x\\", "k", "x"),
            ("a\\=b\\:c\\ d = 1", "a=b:c d", "1"),
            ("k = \\#a\\q", "k", "#aq"),
            ("k = a\\tb\\nc", "k", "a\tb\nc"),
            ("k = caf\\u00e9", "k", "café"),
            ("k = café", "k", "café"),
            ("k = \\uD83D\\uDE00", "k", "😀"),
            ("# c \\\nk = 1", "k", "1"),
            ("!c\rk = 1\r\n", "k", "1"),
            ("\u{feff}k = 1", "k", "1"),
            ("\x0ck\x0c1", "k", "1"),
            ("k = \\ x", "k", "x"),
        ] {
            let (first_key, first_value) = read(text).remove(0);
            assert_eq!((first_key.as_str(), first_value.as_str()), (key, value), "{text:?}");
        }
    }

    #[test]
    fn lines_are_counted_over_continuations_and_comments() {
        let text = "# one\n\nk = a,\\\r\n  b\nl = 2\n";
        let lines: Vec<usize> =
            parse(text.as_bytes()).expect("a good file").properties.iter().map(|p| p.line).collect();
        assert_eq!(lines, [3, 5]);
    }

    #[test]
    fn a_key_without_a_value_counts_as_absent() {
        let properties = parse(b"k\nl =\nm = \\\n").expect("a good file");
        assert_eq!(properties.properties.len(), 0);
        assert_eq!(properties.empty, [("k".to_owned(), 1), ("l".to_owned(), 2), ("m".to_owned(), 3)]);
    }

    #[test]
    fn a_bad_u_and_bad_utf_8_are_refused_with_their_line() {
        for (bytes, line) in [
            (&b"a = 1\nk = \\u12G4"[..], 2),
            (b"k = \\uu0041", 1),
            (b"k = \\u12", 1),
            (b"k = a,\\\n \\u1", 2),
            (b"k = \\uD83D", 1),
            (b"a = 1\nk = \xff", 2),
        ] {
            assert_eq!(parse(bytes).err().map(|error| error.line), Some(line), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn no_text_of_special_characters_makes_it_panic(text in "[a=: \\\\\\\\\n\r#!uU0\t\x0c]{0,60}") {
            if let Ok(read) = parse(text.as_bytes()) {
                prop_assert!(read.properties.iter().all(|property| !property.value.is_empty()));
            }
        }

        #[test]
        fn plain_keys_and_values_come_back(key in "[a-zA-Z0-9_.]{1,20}", value in "[a-zA-Z0-9%/@#,=:<>-]{1,40}") {
            prop_assert_eq!(read(&format!("{key} = {value}\n")), [(key, value)]);
        }
    }
}
