//! The least of a table that a scan can be built on: one column, the tweet's id. The real one takes its place.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::manifest::IngestPath;
use crate::tweet::{self, LineKind, Message};

#[derive(Debug, Clone)]
pub struct Projection(SchemaRef);

impl Default for Projection {
    fn default() -> Projection {
        Projection(Arc::new(Schema::new(vec![Field::new("tweet_id", DataType::Int64, true)])))
    }
}

impl Projection {
    pub fn schema(&self) -> SchemaRef {
        self.0.clone()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RejectReason {
    Line(tweet::RejectReason),
    TooLarge,
}

pub(super) struct Origin {
    pub(super) path: Option<IngestPath>,
    pub(super) received_at_us: Option<i64>,
}

pub(super) enum Pushed {
    Tweet { rows: u32 },
    Message(Message),
    Control,
    Blank,
    Reject(RejectReason),
}

pub(super) struct Decoder(SchemaRef, Vec<i64>);

impl Decoder {
    pub(super) fn new(projection: &Projection) -> Decoder {
        Decoder(projection.schema(), Vec::new())
    }

    pub(super) fn push(&mut self, line: &[u8], _: &Origin) -> Pushed {
        match tweet::scan(line) {
            LineKind::Tweet(head) => {
                self.1.push(i64::try_from(head.id).unwrap_or(i64::MAX));
                Pushed::Tweet { rows: 1 }
            }
            LineKind::Message(message) => Pushed::Message(message),
            LineKind::Control(_) => Pushed::Control,
            LineKind::Blank => Pushed::Blank,
            LineKind::Reject(reason) => Pushed::Reject(RejectReason::Line(reason)),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.1.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.1.len() * 8
    }

    pub(super) fn finish(&mut self) -> Rows {
        let ids = std::mem::take(&mut self.1);
        let column: ArrayRef = Arc::new(Int64Array::from(ids.clone()));
        let batch = RecordBatch::try_new(self.0.clone(), vec![column]).expect("one column of its type");
        Rows { batch, ids }
    }
}

#[derive(Debug)]
pub struct Rows {
    pub batch: RecordBatch,
    pub ids: Vec<i64>,
}

pub(super) struct ArrivalCursor;

impl ArrivalCursor {
    pub(super) fn new(_: &[(i64, u64)]) -> ArrivalCursor {
        ArrivalCursor
    }

    pub(super) fn received_at_us(&mut self, _: u64) -> Option<i64> {
        None
    }
}
