//! Batches of any length in, chunks of fixed length out: the same rows give the same chunks however they were cut before, and so
//! the same pages. Also how large rows are, by a measure that does not depend on the cut. Pure.

use std::collections::VecDeque;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};

/// Rows in a chunk: enough that what a hand-over costs does not count, few enough that some of them fit into the caches.
const CHUNK_ROWS: usize = 8192;
/// The same where whole lines are among the columns.
const RAW_CHUNK_ROWS: usize = 1024;

/// The same rows of every column, in pieces that follow each other.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) pieces: Vec<RecordBatch>,
    pub(super) rows: usize,
}

impl Chunk {
    /// The values in it, in bytes: what strings and numbers take, without what stands around them.
    pub(super) fn bytes(&self) -> u64 {
        self.pieces.iter().flat_map(|piece| piece.columns()).map(value_bytes).sum()
    }
}

/// Cuts batches.
#[derive(Debug)]
pub(super) struct Cutter {
    rows: usize,
    waiting: VecDeque<RecordBatch>,
    waiting_rows: usize,
}

impl Cutter {
    /// A cutter for tables of a schema.
    pub(super) fn new(schema: &Schema) -> Cutter {
        let raw = schema.fields().iter().any(|field| *field.data_type() == DataType::Binary);
        let rows = if raw { RAW_CHUNK_ROWS } else { CHUNK_ROWS };
        Cutter { rows, waiting: VecDeque::new(), waiting_rows: 0 }
    }

    /// Whether no row waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting_rows == 0
    }

    pub(super) fn push(&mut self, batch: RecordBatch) {
        if batch.num_rows() > 0 {
            self.waiting_rows += batch.num_rows();
            self.waiting.push_back(batch);
        }
    }

    /// The next chunk: a whole one, or one that is cut short at `most` rows, where a row group ends.
    pub(super) fn next(&mut self, most: usize) -> Option<Chunk> {
        let rows = self.rows.min(most.max(1));
        (self.waiting_rows >= rows).then(|| self.take(rows))
    }

    /// What is left, at the end.
    pub(super) fn rest(&mut self, most: usize) -> Option<Chunk> {
        let rows = self.waiting_rows.min(self.rows).min(most.max(1));
        (rows > 0).then(|| self.take(rows))
    }

    fn take(&mut self, rows: usize) -> Chunk {
        let mut chunk = Chunk { pieces: Vec::new(), rows };
        let mut missing = rows;
        while missing > 0 {
            let batch = self.waiting.pop_front().expect("there are as many rows waiting as are counted");
            if batch.num_rows() > missing {
                chunk.pieces.push(batch.slice(0, missing));
                self.waiting.push_front(batch.slice(missing, batch.num_rows() - missing));
                missing = 0;
            } else {
                missing -= batch.num_rows();
                chunk.pieces.push(batch);
            }
        }
        self.waiting_rows -= rows;
        chunk
    }
}

/// Bytes of an array's values; those of two parts add up to those of the whole.
fn value_bytes(array: &ArrayRef) -> u64 {
    let bytes = match array.data_type() {
        DataType::Utf8 => {
            let offsets = array.as_string::<i32>().value_offsets();
            offsets[offsets.len() - 1].abs_diff(offsets[0]) as usize
        }
        DataType::Binary => {
            let offsets = array.as_binary::<i32>().value_offsets();
            offsets[offsets.len() - 1].abs_diff(offsets[0]) as usize
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let (first, last) = (list.value_offsets()[0], list.value_offsets()[list.len()]);
            let (first, length) = (first.unsigned_abs() as usize, first.abs_diff(last) as usize);
            return value_bytes(&list.values().slice(first, length));
        }
        DataType::Struct(_) => return array.as_struct().columns().iter().map(value_bytes).sum(),
        other => array.len() * other.primitive_width().unwrap_or(1),
    };
    bytes as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, ListArray, StringArray, StructArray};
    use arrow::datatypes::{Field, Int64Type};
    use proptest::prelude::*;

    use super::*;

    fn batch(from: i64, rows: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + rows));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((from..from + rows).map(|n| n.to_string())));
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
            (from..from + rows).map(|n| Some(vec![Some(n); (n % 3) as usize])),
        ));
        let member = Arc::new(Field::new("text", DataType::Utf8, true));
        let structs: ArrayRef = Arc::new(StructArray::from(vec![(member, Arc::clone(&texts))]));
        RecordBatch::try_from_iter([("n", numbers), ("t", texts), ("l", lists), ("s", structs)]).expect("one length")
    }

    /// The first column of chunks, and their bytes.
    fn cut(batches: &[i64], most: usize) -> Vec<(Vec<i64>, u64)> {
        let mut from = 0;
        let mut cutter = Cutter { rows: 7, waiting: VecDeque::new(), waiting_rows: 0 };
        let mut chunks = Vec::new();
        for rows in batches {
            cutter.push(batch(from, *rows));
            from += rows;
            while let Some(chunk) = cutter.next(most) {
                chunks.push(chunk);
            }
        }
        while let Some(chunk) = cutter.rest(most) {
            chunks.push(chunk);
        }
        let numbers = |chunk: &Chunk| -> Vec<i64> {
            let columns = chunk.pieces.iter().map(|piece| piece.column(0).as_primitive::<Int64Type>());
            columns.flat_map(|column| column.values().iter().copied()).collect()
        };
        chunks.iter().map(|chunk| (numbers(chunk), chunk.bytes())).collect()
    }

    proptest! {
        #[test]
        fn chunks_do_not_depend_on_how_the_rows_came(cuts in prop::collection::vec(0_i64..20, 0..12), most in 1_usize..9) {
            let rows: i64 = cuts.iter().sum();
            let chunks = cut(&cuts, most);
            prop_assert_eq!(&chunks, &cut(&[rows], most));
            let all: Vec<i64> = chunks.iter().flat_map(|(numbers, _)| numbers.clone()).collect();
            prop_assert_eq!(all, (0..rows).collect::<Vec<_>>());
            prop_assert!(chunks.iter().all(|(numbers, _)| numbers.len() <= most.min(7)));
        }
    }
}
