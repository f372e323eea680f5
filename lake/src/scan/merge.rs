//! Parts, in order, into batches of the wanted size. Putting them together copies rows, so a worker does it.

use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;

use super::decode::Part;
use super::{Counts, Scanned};
use crate::table::{Projection, Rows};
use crate::work::Workers;

/// Parts that hold more are never put together: a column's offsets have 32 bits.
const MOST_TOGETHER: usize = 1 << 30;

/// Gathers parts.
pub(super) struct Merge {
    schema: SchemaRef,
    batch_rows: usize,
    /// A batch is given out before its parts hold more than that.
    most_held: usize,
    parts: Vec<Part>,
    rows: usize,
    held: usize,
}

impl Merge {
    pub(super) fn new(projection: &Projection, batch_rows: usize, most_held: usize) -> Merge {
        Merge { schema: projection.schema(), batch_rows, most_held, parts: Vec::new(), rows: 0, held: 0 }
    }

    /// Takes the next part; gives a batch when there is enough for one.
    pub(super) fn push(&mut self, part: Part) -> Option<Batch> {
        if self.held + part.held > MOST_TOGETHER {
            let before = self.finish();
            (self.rows, self.held) = (part.rows.batch.num_rows(), part.held);
            self.parts.push(part);
            return before;
        }
        self.rows += part.rows.batch.num_rows();
        self.held += part.held;
        self.parts.push(part);
        if self.rows >= self.batch_rows || self.held >= self.most_held { self.finish() } else { None }
    }

    /// What is left, if there is something.
    pub(super) fn finish(&mut self) -> Option<Batch> {
        (self.rows, self.held) = (0, 0);
        let parts = std::mem::take(&mut self.parts);
        (!parts.is_empty()).then(|| Batch { schema: self.schema.clone(), parts })
    }
}

/// The parts of one batch.
pub(super) struct Batch {
    schema: SchemaRef,
    parts: Vec<Part>,
}

impl Batch {
    /// Puts the parts together.
    pub(super) async fn make(mut self, workers: &Workers) -> Scanned {
        if self.parts.len() > 1 {
            return workers.run(move || self.concatenated()).await;
        }
        let Part { rows, counts, rejects, bytes, .. } = self.parts.remove(0);
        Scanned { rows, counts, rejects, bytes }
    }

    fn concatenated(self) -> Scanned {
        let batches = self.parts.iter().map(|part| &part.rows.batch);
        let batch = concat_batches(&self.schema, batches).expect("parts of one projection have one schema");
        let mut all = Scanned {
            rows: Rows { batch, ids: Vec::new(), matched: Vec::new() },
            counts: Counts::default(),
            rejects: Vec::new(),
            bytes: 0,
        };
        for part in self.parts {
            all.rows.ids.extend(part.rows.ids);
            all.rows.matched.extend(part.rows.matched);
            all.counts += part.counts;
            all.rejects.extend(part.rejects);
            all.bytes += part.bytes;
        }
        all
    }
}
