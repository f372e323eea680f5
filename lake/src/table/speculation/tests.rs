//! Skipping values with speculation and without it: the result is the same, in fewer steps.

use super::*;
use crate::tweet::cursor::{JsonCursor, Parsed};

/// Skips a value as a member of object 0; gives its length in bytes.
fn skip(speculation: &mut Speculation, value: &str, outer: u32) -> Parsed<usize> {
    speculation.begin_line(1);
    let mut cursor = JsonCursor::new(value.as_bytes());
    speculation.skip(&mut cursor, speculation.any_state(0), outer).map(|()| cursor.at())
}

fn plain(value: &str, outer: u32) -> Parsed<usize> {
    let mut cursor = JsonCursor::new(value.as_bytes());
    cursor.skip(outer).map(|()| cursor.at())
}

fn confidence(speculation: &Speculation) -> i16 {
    speculation.metadata[speculation.fragments[0].value_start.index()].confidence.0
}

#[test]
fn a_repeated_structure_takes_one_fragment_between_two_values() {
    let mut speculation = Speculation::default();
    let value = |n: u32| format!(r#"{{"a":[],"id":{n},"b":{{"c":null,"d":false}},"text":"{n}","e":true}}"#);
    assert_eq!(skip(&mut speculation, &value(1), 1), Ok(value(1).len()));
    let (fragments, after_misses) = (speculation.fragments.len(), confidence(&speculation));
    for n in 2..10 {
        assert_eq!(skip(&mut speculation, &value(n), 1), Ok(value(n).len()));
    }
    assert_eq!(speculation.fragments.len(), fragments);
    speculation.metadata.iter_mut().for_each(|metadata| metadata.confidence.0 = 0);
    assert_eq!(skip(&mut speculation, &value(10), 1), Ok(value(10).len()));
    assert_eq!(
        (confidence(&speculation), after_misses),
        (3, 3 * -MISS_COST as i16),
        "three fragments around two values"
    );
}

#[test]
fn all_elements_of_an_array_share_their_fragments() {
    let mut speculation = Speculation::default();
    let value = |elements: usize| {
        let element = r#"{"domain":{"id":"10","name":"a"},"entity":{"id":"7","name":"b"}}"#;
        format!("[{}]", vec![element; elements].join(","))
    };
    for elements in [3, 1] {
        assert_eq!(skip(&mut speculation, &value(elements), 1), Ok(value(elements).len()));
    }
    let fragments = speculation.fragments.len();
    speculation.metadata.iter_mut().for_each(|metadata| metadata.confidence.0 = 0);
    assert_eq!(skip(&mut speculation, &value(40), 1), Ok(value(40).len()));
    assert_eq!((speculation.fragments.len(), confidence(&speculation)), (fragments, 4 * 40 + 1));
}

#[test]
fn literals_that_vary_are_parsed_one_by_one() {
    let mut speculation = Speculation::default();
    let value = |n: u32| {
        let literal = |bit: u32| if n >> bit & 1 == 0 { "false" } else { "true" };
        let literals: Vec<String> = (0..16).map(|bit| format!(r#""w{bit}":{}"#, literal(bit))).collect();
        format!(r#"{{"id":{n},{}}}"#, literals.join(","))
    };
    for n in (0..2000).map(|n: u32| n.wrapping_mul(0x9e37_79b1) >> 16) {
        speculation.metadata.iter_mut().for_each(|metadata| metadata.confidence.0 = 0);
        assert_eq!(skip(&mut speculation, &value(n), 1), Ok(value(n).len()));
    }
    assert!(confidence(&speculation) > 0, "the last one missed");
    assert!(speculation.fragments.len() < 400, "{} fragments for 2000 values", speculation.fragments.len());
}

#[test]
fn speculation_accepts_exactly_what_the_grammar_accepts() {
    let values = [
        r#"{"a":1,"b":[2,3],"c":{"d":null,"e":"f"},"g":[],"h":[[4],[]],"i":true}"#,
        r#"{"a":1,"b":[],"c":{},"g":[5,6],"h":[[],[4]],"i":false}"#,
        r#"{ "a" : 1 , "b" : [ 2 , 3 ] , "c" : { } , "i" : null }"#,
    ];
    let mut speculation = Speculation::default();
    let mut check = |value: &str| {
        speculation.metadata.iter_mut().for_each(|metadata| metadata.confidence.0 = 0);
        assert_eq!(skip(&mut speculation, value, 1), plain(value, 1), "{value}");
    };
    values.iter().chain(&values).for_each(|value| check(value));
    for value in values {
        for at in 1..value.len() {
            for piece in ["", "{", "}", "[", "]", ",", ":", "\"", "7", "-", "n", "null", " ", "\t ", "[]", "{\"a\":"] {
                check(&format!("{}{piece}{}", &value[..at], &value[at..]));
                check(&format!("{}{piece}{}", &value[..at], &value[at + 1..]));
            }
            check(value);
        }
    }
}

#[test]
fn the_depth_limit_holds_wherever_a_fragment_was_learned() {
    let mut speculation = Speculation::default();
    for depth in [1, 60, 90, 94, 95, 96, 100, 125, 126, 127] {
        let value = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let wide = format!("[{value},{}]", r#"{"a":"#.repeat(depth - 1) + "2" + &"}".repeat(depth - 1));
        for outer in [0, 1, 2, 31, 32, 33, 100, 1, 127] {
            for value in [&value, &wide] {
                assert_eq!(skip(&mut speculation, value, outer), plain(value, outer), "{depth} levels in {outer}");
            }
        }
    }
}

#[test]
fn values_without_a_fixed_order_are_tried_rarely() {
    let mut speculation = Speculation::default();
    let mut tried = 0;
    for n in 0..2000 {
        let value = format!(r#"{{"a{n}":1,"b{n}":2,"c{n}":3}}"#);
        let fragments = speculation.fragments.len();
        assert_eq!(skip(&mut speculation, &value, 1), Ok(value.len()));
        tried += usize::from(speculation.fragments.len() > fragments);
    }
    assert!((5..200).contains(&tried), "tried {tried} times");
}

#[test]
fn all_fragments_are_dropped_above_the_limit() {
    let mut speculation = Speculation::default();
    for n in 0..3 * MAX_FRAGMENTS {
        let value = format!(r#"{{"a{n}":1,"b{n}":{{"c{n}":"x"}}}}"#);
        assert_eq!(skip(&mut speculation, &value, 1), Ok(value.len()));
        speculation.metadata.iter_mut().for_each(|metadata| metadata.confidence.0 = 0);
        assert!(speculation.fragments.len() <= MAX_FRAGMENTS);
    }
    let many: String = (0..MAX_FRAGMENTS).map(|n| format!(r#""a{n}":{n},"#)).collect();
    let value = format!(r#"{{{many}"z":0}}"#);
    assert_eq!(skip(&mut speculation, &value, 1), Ok(value.len()));
    assert_eq!(skip(&mut speculation, r#"{"a":1}"#, 1), Ok(7));
}

#[test]
fn fragments_match_at_the_end_of_a_line() {
    let mut speculation = Speculation::default();
    for value in [r#"{"a":1}"#, r#"{"a":1,"and some more":null}"#] {
        assert_eq!(skip(&mut speculation, value, 1), Ok(value.len()));
        speculation.metadata.iter_mut().for_each(|metadata| metadata.confidence.0 = 0);
        assert_eq!(skip(&mut speculation, value, 1), Ok(value.len()));
        assert_eq!(confidence(&speculation), 2);
        for end in 0..value.len() {
            assert_eq!(skip(&mut speculation, &value[..end], 1), plain(&value[..end], 1));
        }
    }
}
