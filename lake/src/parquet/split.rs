//! The rows of a folder that is no hour, by the hours in which they were written. Pure.
//!
//! A referenced post goes with the one that refers to it. The hour is that of `created_at`; where a row has none, that of its
//! id.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, TimestampMicrosecondType};
use arrow::error::ArrowError;

use crate::hour::Hour;
use crate::table::Rows;
use crate::tweet::time::SNOWFLAKE_EPOCH_MS;

/// The column that says when a post was written.
pub(super) const TIME: &str = "created_at";

/// Rows of one hour.
pub(super) struct Piece {
    pub(super) hour: Hour,
    pub(super) batch: RecordBatch,
    pub(super) ids: Vec<i64>,
    pub(super) matched: Vec<bool>,
}

impl Piece {
    /// All rows, of whatever time, as those of an hour.
    pub(super) fn whole(hour: Hour, rows: Rows) -> Piece {
        Piece { hour, batch: rows.batch, ids: rows.ids, matched: rows.matched }
    }
}

/// Splits rows, with the columns that are written of them.
pub(super) fn by_hour(rows: Rows, schema: &Schema) -> Result<Vec<Piece>, ArrowError> {
    let mut of_row = Vec::with_capacity(rows.ids.len());
    let times = rows.batch.column_by_name(TIME).and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
    for (row, id) in rows.ids.iter().enumerate() {
        let time = times.filter(|times| times.is_valid(row)).map(|times| times.value(row).div_euclid(1000));
        let own = || Hour::containing(time.unwrap_or((id >> 22) + SNOWFLAKE_EPOCH_MS));
        let referrer = of_row.last().copied().filter(|_| !rows.matched[row]);
        of_row.push(referrer.unwrap_or_else(own));
    }
    let wanted: Result<Vec<usize>, _> =
        schema.fields().iter().map(|field| rows.batch.schema_ref().index_of(field.name())).collect();
    let batch = rows.batch.project(&wanted?)?;
    let mut hours = BTreeMap::<Hour, Vec<bool>>::new();
    for (row, hour) in of_row.iter().enumerate() {
        hours.entry(*hour).or_insert_with(|| vec![false; of_row.len()])[row] = true;
    }
    if let Some((hour, _)) = hours.first_key_value().filter(|_| hours.len() == 1) {
        return Ok(vec![Piece { hour: *hour, batch, ids: rows.ids, matched: rows.matched }]);
    }
    let piece = |(hour, inside): (Hour, Vec<bool>)| {
        let ids = rows.ids.iter().zip(&inside).filter(|(_, inside)| **inside).map(|(id, _)| *id).collect();
        let matched = rows.matched.iter().zip(&inside).filter(|(_, inside)| **inside).map(|(matched, _)| *matched);
        let matched = matched.collect();
        let batch = filter_record_batch(&batch, &BooleanArray::from(inside))?;
        Ok(Piece { hour, batch, ids, matched })
    };
    hours.into_iter().map(piece).collect()
}
