//! Re-framing held against `serde_json`, over any cutting into chunks.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn reframed<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut reframer, mut lines) = (Reframer::new(), Vec::new());
    chunks.for_each(|chunk| reframer.push(chunk, &mut lines));
    reframer.finish(&mut lines);
    lines
}

fn of(text: &str) -> String {
    let whole = reframed([text.as_bytes()].into_iter());
    for size in [1, 2, 3, 7] {
        assert_eq!(reframed(text.as_bytes().chunks(size)), whole, "in chunks of {size}: {text}");
    }
    String::from_utf8(whole).expect("UTF-8")
}

#[test]
fn each_value_becomes_a_line_whatever_is_around_it() {
    let lines = "{\"a\": 1}\n{\"b\":[1, {\"c\":\"}{][,\\\"\"}]}\n";
    for text in [
        "[{\"a\": 1},{\"b\":[1, {\"c\":\"}{][,\\\"\"}]}]",
        "[{\"a\": 1}, {\"b\":[1, {\"c\":\"}{][,\\\"\"}]}]\n",
        "[\n{\"a\": 1},\n{\"b\":[1, {\"c\":\"}{][,\\\"\"}]}\n]\n",
        "{\"a\": 1}{\"b\":[1, {\"c\":\"}{][,\\\"\"}]}",
        "{\"a\": 1},\r\n{\"b\":[1, {\"c\":\"}{][,\\\"\"}]},\r\n",
        "[[{\"a\": 1}],[{\"b\":[1, {\"c\":\"}{][,\\\"\"}]}]]",
        "[\n  {\n    \"a\"\n: 1},{\"b\":[1, {\"c\":\"}{][,\\\"\"}\n\n  ]\n}]",
    ] {
        assert_eq!(of(text), lines, "{text}");
    }
}

#[test]
fn numbers_escapes_and_the_order_of_members_stay_as_they_are() {
    let text = "[\n {\n  \"z\": 1.0e+05,\n  \"a\": \"\\u00E9\\/\\ud83d\",\n  \"big\": 12345678901234567890,\n  \"z\": -0\n }\n]";
    assert_eq!(of(text), "{\"z\": 1.0e+05,\"a\": \"\\u00E9\\/\\ud83d\",\"big\": 12345678901234567890,\"z\": -0}\n");
}

#[test]
fn lines_that_are_lines_already_stay_byte_for_byte() {
    let lines = "{\"a\" : 1 }\n{}\n{\"b\":\"\u{e9} \\n\"}\n";
    assert_eq!(of(lines), lines);
}

#[test]
fn a_broken_value_is_one_line_and_the_next_one_is_read() {
    assert_eq!(
        of("[\n{\"a\":1},\n{\"b\":\"cut o\n{\"c\":3},\n{\"d\":4}\n]"),
        "{\"a\":1}\n{\"b\":\"cut o\n{\"c\":3}\n{\"d\":4}\n"
    );
    assert_eq!(of("[\n{\"a\":1},\n{\"b\":\n{\"c\":3},\n{\"d\":4}\n]").lines().count(), 3);
    // Nothing nested in a broken value is taken for a value.
    let text = "[\n  {\n    \"a\": oh no,\n    \"inner\": \n    {\n      \"text\": \"x\"\n    }\n  },\n  {\n    \"b\": 2\n  }\n]";
    let lines = of(text);
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(lines.ends_with("\n{\"b\": 2}\n"), "{lines}");
}

#[test]
fn what_belongs_to_no_value_is_a_line_and_not_lost() {
    assert_eq!(of("[{\"a\":1} oops {\"b\":2}, 7, \"x\", null]}"), "{\"a\":1}\noops\n{\"b\":2}\n7\n\"x\"\nnull\n}\n");
    assert_eq!(of("\0\0\0{\"a\":1}"), "\0\0\0\n{\"a\":1}\n");
    assert_eq!(of("[{\"a\":1},{\"b\":"), "{\"a\":1}\n{\"b\":");
}

#[test]
fn deep_nesting_and_endless_white_space_take_no_memory() {
    let (mut reframer, mut lines) = (Reframer::new(), Vec::new());
    let mut longest = 0;
    reframer.push(b"{\"a\":", &mut lines);
    for byte in [b'[', b' ', b'\n'] {
        for _ in 0..100 {
            reframer.push(&vec![byte; 1 << 16], &mut lines);
            longest = longest.max(reframer.space.capacity());
            lines.clear();
        }
    }
    assert!(longest <= 4 * LONGEST_SPACE, "{longest}");
    assert!(reframer.grammar.depth() <= 1024);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z\\\\\"{}\\[\\],:\n\u{e9}\u{1f600} ]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"\\\\]{0,4}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn objects() -> impl Strategy<Value = Vec<Value>> {
    let object = prop::collection::btree_map("[a-z]{0,4}", value(), 0..4);
    prop::collection::vec(object.prop_map(|members| Value::Object(members.into_iter().collect())), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_writing_of_values_gives_each_of_them_as_a_line(
        values in objects(), pretty: bool, array: bool, comma in prop::sample::select(vec!["", ",", " , ", ",\n", "\n", "\r\n"]),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let written: Vec<String> = values.iter()
            .map(|value| if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }.expect("JSON"))
            .collect();
        let mut text = written.join(if array { "," } else { comma });
        if array {
            text = format!("[{text}]");
        }
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let lines = reframed(cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]));
        let lines = String::from_utf8(lines).expect("UTF-8");
        let read: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("a value")).collect();
        prop_assert_eq!(&read, &values);
        if !pretty {
            // Nothing at all changes in a value that was on one line.
            prop_assert_eq!(lines.lines().collect::<Vec<_>>(), written);
        }
    }

    #[test]
    fn any_bytes_in_any_chunks_give_the_same_lines_and_lose_nothing_but_separators(
        bytes in prop::collection::vec(prop_oneof![
            4 => prop::sample::select(b"{}[]\",:\\ \n\r\t0a-".to_vec()), 1 => any::<u8>(),
        ], 0..80),
        sizes in prop::collection::vec(1_usize..9, 1..6),
    ) {
        let whole = reframed([&bytes[..]].into_iter());
        let mut sizes = sizes.into_iter().cycle();
        let (mut chunks, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let end = (at + sizes.next().expect("a cycle")).min(bytes.len());
            chunks.push(&bytes[at..end]);
            at = end;
        }
        prop_assert_eq!(&reframed(chunks.into_iter()), &whole);
        let kept = |bytes: &[u8]| -> Vec<u8> {
            bytes.iter().copied().filter(|&byte| !is_space(byte) && !matches!(byte, b',' | b'[' | b']')).collect()
        };
        prop_assert_eq!(kept(&whole), kept(&bytes));
    }
}
