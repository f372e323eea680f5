//! Which rows stay: each tweet once an hour, the first that came, and none that a delete names, if so asked. Matched rows and
//! referenced ones are told apart: a post may be there as both. Pure.
//!
//! Memory: 8 to 18 bytes an id.

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;
use hashbrown::HashSet;

/// Ids of tweets.
pub(super) type Ids = HashSet<i64>;

/// Ids that were met. Those of a stream nearly always rise, and one above all before it is new without being looked for.
#[derive(Debug, Default)]
struct Met {
    rising: Vec<i64>,
    others: Ids,
}

impl Met {
    /// Whether it is met for the first time.
    fn insert(&mut self, id: i64) -> bool {
        if self.rising.last().is_none_or(|last| *last < id) {
            self.rising.push(id);
            return true;
        }
        self.rising.binary_search(&id).is_err() && self.others.insert(id)
    }
}

/// The rows of an hour so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    matched: Met,
    referenced: Met,
    pub(super) duplicates: u64,
    pub(super) deleted: u64,
}

impl Seen {
    /// Leaves out rows whose id came before or is among the deleted. `ids` and `matched` stand for the rows of the batch.
    pub(super) fn keep(
        &mut self,
        batch: RecordBatch,
        ids: &[i64],
        matched: impl Fn(usize) -> bool,
        deleted: Option<&Ids>,
    ) -> Result<RecordBatch, ArrowError> {
        // Nearly always all of them stay, and nothing is copied.
        let mut keep: Option<Vec<bool>> = None;
        for (row, id) in ids.iter().enumerate() {
            let seen = if matched(row) { &mut self.matched } else { &mut self.referenced };
            let stays = if deleted.is_some_and(|deleted| deleted.contains(id)) {
                self.deleted += 1;
                false
            } else if !seen.insert(*id) {
                self.duplicates += 1;
                false
            } else {
                true
            };
            if !stays {
                keep.get_or_insert_with(|| vec![true; ids.len()])[row] = false;
            }
        }
        match keep {
            None => Ok(batch),
            Some(keep) => filter_record_batch(&batch, &BooleanArray::from(keep)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use proptest::prelude::*;

    use super::*;

    fn kept(seen: &mut Seen, ids: &[i64], matched: bool, deleted: Option<&Ids>) -> Vec<i64> {
        let column: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
        let batch = RecordBatch::try_from_iter([("id", column)]).expect("one length");
        let kept = seen.keep(batch, ids, |_| matched, deleted).expect("the same length");
        kept.column(0).as_primitive::<Int64Type>().values().to_vec()
    }

    proptest! {
        #[test]
        fn an_id_is_new_once_in_whatever_order_they_come(ids in prop::collection::vec(-5_i64..20, 0..60)) {
            let (mut met, mut expected) = (Met::default(), Ids::new());
            for id in ids {
                prop_assert_eq!(met.insert(id), expected.insert(id));
            }
        }
    }

    #[test]
    fn the_first_of_an_id_stays_in_each_role() {
        let mut seen = Seen::default();
        assert_eq!(kept(&mut seen, &[1, 2, 1], true, None), [1, 2]);
        assert_eq!(kept(&mut seen, &[2, 3], true, None), [3]);
        assert_eq!(kept(&mut seen, &[1, 3], false, None), [1, 3]);
        assert_eq!((seen.duplicates, seen.deleted), (2, 0));
    }

    #[test]
    fn what_a_delete_names_is_left_out_and_counted() {
        let mut seen = Seen::default();
        let deleted = Ids::from_iter([2, 9]);
        assert_eq!(kept(&mut seen, &[1, 2, 2, 3], true, Some(&deleted)), [1, 3]);
        assert_eq!((seen.duplicates, seen.deleted), (0, 2));
    }
}
