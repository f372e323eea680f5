//! Values that nobody wants, skipped along a trail and without one: the same must come of it, in fewer steps.

use super::*;
use crate::tweet::walk::{Fault, Walker};

/// Skips a value as a member of the object with number 0; how many bytes it was.
fn skip(trail: &mut Trail, value: &str, outer: u32) -> Result<usize, Fault> {
    trail.begin_line(1);
    let mut walker = Walker::new(value.as_bytes());
    trail.skip(&mut walker, trail.anywhere(0), outer).map(|()| walker.at())
}

fn plain(value: &str, outer: u32) -> Result<usize, Fault> {
    let mut walker = Walker::new(value.as_bytes());
    walker.skip(outer).map(|()| walker.at())
}

fn trust(trail: &Trail) -> i16 {
    trail.notes[trail.runs[0].inside.index()].trust.0
}

#[test]
fn what_comes_as_before_is_met_in_one_run_between_two_values() {
    let mut trail = Trail::default();
    let value = |n: u32| format!(r#"{{"a":[],"id":{n},"b":{{"c":null,"d":false}},"text":"{n}","e":true}}"#);
    assert_eq!(skip(&mut trail, &value(1), 1), Ok(value(1).len()));
    let (runs, missed) = (trail.runs.len(), trust(&trail));
    for n in 2..10 {
        assert_eq!(skip(&mut trail, &value(n), 1), Ok(value(n).len()));
    }
    assert_eq!(trail.runs.len(), runs);
    trail.notes.iter_mut().for_each(|notes| notes.trust.0 = 0);
    assert_eq!(skip(&mut trail, &value(10), 1), Ok(value(10).len()));
    assert_eq!((trust(&trail), missed), (3, 3 * -MISSED as i16), "three runs around two values");
}

#[test]
fn elements_of_an_array_come_to_the_same_runs_however_many_there_are() {
    let mut trail = Trail::default();
    let value = |elements: usize| {
        let element = r#"{"domain":{"id":"10","name":"a"},"entity":{"id":"7","name":"b"}}"#;
        format!("[{}]", vec![element; elements].join(","))
    };
    for elements in [3, 1] {
        assert_eq!(skip(&mut trail, &value(elements), 1), Ok(value(elements).len()));
    }
    let runs = trail.runs.len();
    trail.notes.iter_mut().for_each(|notes| notes.trust.0 = 0);
    assert_eq!(skip(&mut trail, &value(40), 1), Ok(value(40).len()));
    assert_eq!((trail.runs.len(), trust(&trail)), (runs, 4 * 40 + 1));
}

#[test]
fn words_that_vary_are_walked_through_by_themselves() {
    let mut trail = Trail::default();
    let value = |n: u32| {
        let word = |bit: u32| if n >> bit & 1 == 0 { "false" } else { "true" };
        let words: Vec<String> = (0..16).map(|bit| format!(r#""w{bit}":{}"#, word(bit))).collect();
        format!(r#"{{"id":{n},{}}}"#, words.join(","))
    };
    for n in (0..2000).map(|n: u32| n.wrapping_mul(0x9e37_79b1) >> 16) {
        trail.notes.iter_mut().for_each(|notes| notes.trust.0 = 0);
        assert_eq!(skip(&mut trail, &value(n), 1), Ok(value(n).len()));
    }
    assert!(trust(&trail) > 0, "the last one was not met");
    assert!(trail.runs.len() < 400, "{} runs for 2000 values", trail.runs.len());
}

#[test]
fn what_resembles_a_value_is_let_through_only_where_it_is_one() {
    let values = [
        r#"{"a":1,"b":[2,3],"c":{"d":null,"e":"f"},"g":[],"h":[[4],[]],"i":true}"#,
        r#"{"a":1,"b":[],"c":{},"g":[5,6],"h":[[],[4]],"i":false}"#,
        r#"{ "a" : 1 , "b" : [ 2 , 3 ] , "c" : { } , "i" : null }"#,
    ];
    let mut trail = Trail::default();
    let mut check = |value: &str| {
        trail.notes.iter_mut().for_each(|notes| notes.trust.0 = 0);
        assert_eq!(skip(&mut trail, value, 1), plain(value, 1), "{value}");
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
fn what_is_too_deep_in_one_place_is_not_let_through_because_it_was_not_in_another() {
    let mut trail = Trail::default();
    for depth in [1, 60, 90, 94, 95, 96, 100, 125, 126, 127] {
        let value = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let wide = format!("[{value},{}]", r#"{"a":"#.repeat(depth - 1) + "2" + &"}".repeat(depth - 1));
        for outer in [0, 1, 2, 31, 32, 33, 100, 1, 127] {
            for value in [&value, &wide] {
                assert_eq!(skip(&mut trail, value, outer), plain(value, outer), "{depth} levels in {outer}");
            }
        }
    }
}

#[test]
fn a_value_without_an_order_is_tried_now_and_then() {
    let mut trail = Trail::default();
    let mut tried = 0;
    for n in 0..2000 {
        let value = format!(r#"{{"a{n}":1,"b{n}":2,"c{n}":3}}"#);
        let runs = trail.runs.len();
        assert_eq!(skip(&mut trail, &value, 1), Ok(value.len()));
        tried += usize::from(trail.runs.len() > runs);
    }
    assert!((5..200).contains(&tried), "tried {tried} times");
}

#[test]
fn when_too_much_is_remembered_all_of_it_is_forgotten() {
    let mut trail = Trail::default();
    for n in 0..3 * MOST {
        let value = format!(r#"{{"a{n}":1,"b{n}":{{"c{n}":"x"}}}}"#);
        assert_eq!(skip(&mut trail, &value, 1), Ok(value.len()));
        trail.notes.iter_mut().for_each(|notes| notes.trust.0 = 0);
        assert!(trail.runs.len() <= MOST);
    }
    let many: String = (0..MOST).map(|n| format!(r#""a{n}":{n},"#)).collect();
    let value = format!(r#"{{{many}"z":0}}"#);
    assert_eq!(skip(&mut trail, &value, 1), Ok(value.len()));
    assert_eq!(skip(&mut trail, r#"{"a":1}"#, 1), Ok(7));
}

#[test]
fn the_end_of_a_line_is_met_as_well() {
    let mut trail = Trail::default();
    for value in [r#"{"a":1}"#, r#"{"a":1,"and some more":null}"#] {
        assert_eq!(skip(&mut trail, value, 1), Ok(value.len()));
        trail.notes.iter_mut().for_each(|notes| notes.trust.0 = 0);
        assert_eq!(skip(&mut trail, value, 1), Ok(value.len()));
        assert_eq!(trust(&trail), 2);
        for end in 0..value.len() {
            assert_eq!(skip(&mut trail, &value[..end], 1), plain(&value[..end], 1));
        }
    }
}
