//! Combines decoded rows, in order, to batches of the requested size. Concatenation copies the rows, so a worker does
//! it.

use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;

use super::decode::DecodedLines;
use super::{Counts, Scanned};
use crate::table::{Projection, Rows};
use crate::work::Workers;

/// Rows of more memory are never concatenated: a column's offsets have 32 bits.
const MAX_CONCATENATED: usize = 1 << 30;

/// Collects decoded rows for a batch.
pub(super) struct BatchMerger {
    schema: SchemaRef,
    batch_rows: usize,
    /// A batch ends before its parts take more memory than this.
    max_memory: usize,
    parts: Vec<DecodedLines>,
    rows: usize,
    memory: usize,
}

impl BatchMerger {
    pub(super) fn new(projection: &Projection, batch_rows: usize, max_memory: usize) -> BatchMerger {
        BatchMerger { schema: projection.schema(), batch_rows, max_memory, parts: Vec::new(), rows: 0, memory: 0 }
    }

    /// Adds the next rows; gives a batch when there are enough for one.
    pub(super) fn push(&mut self, part: DecodedLines) -> Option<BatchParts> {
        if self.memory + part.memory > MAX_CONCATENATED {
            let before = self.finish();
            (self.rows, self.memory) = (part.rows.batch.num_rows(), part.memory);
            self.parts.push(part);
            return before;
        }
        self.rows += part.rows.batch.num_rows();
        self.memory += part.memory;
        self.parts.push(part);
        if self.rows >= self.batch_rows || self.memory >= self.max_memory { self.finish() } else { None }
    }

    /// The rest, if there is any.
    pub(super) fn finish(&mut self) -> Option<BatchParts> {
        (self.rows, self.memory) = (0, 0);
        let parts = std::mem::take(&mut self.parts);
        (!parts.is_empty()).then(|| BatchParts { schema: self.schema.clone(), parts })
    }
}

/// The parts of one batch, at least one.
pub(super) struct BatchParts {
    schema: SchemaRef,
    parts: Vec<DecodedLines>,
}

impl BatchParts {
    /// Concatenates the parts.
    pub(super) async fn concatenate(mut self, workers: &Workers) -> Scanned {
        if self.parts.len() > 1 {
            return workers.run(move || self.concatenated()).await;
        }
        let DecodedLines { rows, counts, rejects, bytes, .. } = self.parts.remove(0);
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
