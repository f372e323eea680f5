//! Decoding: handwritten lines, each for one case of the mapping.
//!
//! [`dom`] is an independent, simple decoder of whole lines; [`against_dom`] compares both on samples, random and broken lines.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use serde_json::{Map, Value, json};

use super::*;

mod against_dom;
mod dom;
mod edge_cases;
mod flattened;
mod lines;
mod mapping;

fn options(columns: &[&str]) -> TableOptions {
    TableOptions { columns: Some(columns.iter().map(|&name| name.to_owned()).collect()), ..TableOptions::default() }
}

/// A value of an array as JSON; times are microseconds, bytes are converted to strings.
fn json_at(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Binary => String::from_utf8_lossy(array.as_binary::<i32>().value(row)).into(),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => array.as_primitive::<arrow::datatypes::Float64Type>().value(row).into(),
        DataType::Timestamp(..) => array.as_primitive::<TimestampMicrosecondType>().value(row).into(),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|item| json_at(&items, item)).collect()
        }
        DataType::Struct(fields) => {
            let members = array.as_struct();
            let named = fields.iter().zip(members.columns());
            named.map(|(field, member)| (field.name().clone(), json_at(member, row))).collect::<Map<_, _>>().into()
        }
        other => panic!("the table has no {other}"),
    }
}

/// The rows of a batch as JSON objects.
fn rows_json(rows: &Rows) -> Vec<Value> {
    let schema = rows.batch.schema();
    let row = |row| {
        let columns = schema.fields().iter().zip(rows.batch.columns());
        columns.map(|(field, array)| (field.name().clone(), json_at(array, row))).collect::<Map<_, _>>().into()
    };
    (0..rows.batch.num_rows()).map(row).collect()
}

/// Decodes a single line.
fn decode(options: &TableOptions, line: &[u8]) -> (Pushed, Vec<Value>) {
    let mut decoder = Decoder::new(&Projection::new(options).expect("columns of the table"));
    let pushed = decoder.push(line, &Origin::default());
    (pushed, rows_json(&decoder.finish()))
}

/// The one row of a line.
fn row(columns: &[&str], line: &str) -> Value {
    let (pushed, mut rows) = decode(&options(columns), line.as_bytes());
    assert_eq!(pushed, Pushed::Tweet { rows: 1 }, "{line}");
    rows.remove(0)
}

const FEW: &[&str] = &["tweet_id", "created_at", "text", "lang", "author_id", "author.username", "hashtags.tag"];

#[test]
fn a_v1_status_becomes_a_row() {
    let line = r##"{"created_at":"Sun Oct 31 00:00:00 +0000 2021","id":1454638400000000000,"id_str":"1454638400000000000",
        "text":"\u00e9 \ud83d\ude00 #a","user":{"id":7,"id_str":"7","screen_name":"x"},"lang":"fr",
        "entities":{"hashtags":[{"text":"a","indices":[4,6]}]},"timestamp_ms":"1635638400123"}"##;
    assert_eq!(
        row(FEW, line),
        json!({
            "tweet_id": 1_454_638_400_000_000_000_i64, "created_at": 1_635_638_400_123_000_i64, "text": "é 😀 #a",
            "lang": "fr", "author_id": 7, "author": {"username": "x"}, "hashtags": [{"tag": "a"}],
        })
    );
}

#[test]
fn a_v2_post_becomes_a_row() {
    let line = r##"{"includes":{"users":[{"id":"8","username":"y"},{"username":"x","id":"7"}]},
        "data":{"author_id":"7","id":"1454638400000000000","text":"#a","lang":"fr",
        "entities":{"hashtags":[{"start":0,"end":2,"tag":"a"}]}}}"##;
    assert_eq!(
        row(FEW, line),
        json!({
            "tweet_id": 1_454_638_400_000_000_000_i64, "created_at": 1_635_647_795_091_000_i64, "text": "#a",
            "lang": "fr", "author_id": 7, "author": {"username": "x"}, "hashtags": [{"tag": "a"}],
        })
    );
}
