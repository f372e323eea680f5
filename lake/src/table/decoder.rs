//! The decoder: takes lines one by one, says what each was, and gives the rows as a batch.

use arrow::array::RecordBatch;

use super::column::Column;
use super::fill::{Refused, Row, wrong};
use super::plan::{Pick, Plan, Referenced, RowPlan};
use super::projection::Projection;
use super::record::{LONGEST, Records};
use super::reject::RejectReason;
use super::value;
use crate::manifest::IngestPath;
use crate::tweet::walk::Walker;
use crate::tweet::{self, Api, LineKind, Message};

/// Where a line comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    /// How it came into the lake; `None` where that is not known.
    pub path: Option<IngestPath>,
    /// When it arrived, microseconds since the epoch; `None` where that is not known.
    pub received_at_us: Option<i64>,
}

/// What a line was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// A tweet; that many rows were added, one and those of the posts it refers to.
    Tweet {
        /// Rows added.
        rows: u32,
    },
    /// A message about tweets.
    Message(Message),
    /// A word of the stream.
    Control,
    /// A heartbeat.
    Blank,
    /// No row was added, for this reason.
    Reject(RejectReason),
}

/// Rows of the table.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The columns that were asked for.
    pub batch: RecordBatch,
    /// The id of each row's post, whether or not the column is asked for.
    pub ids: Vec<i64>,
    /// For each row whether its line was about this post; `false` for one that was only referred to.
    pub matched: Vec<bool>,
}

/// Decodes lines into rows. One a worker; it keeps its memory from batch to batch.
#[derive(Debug)]
pub struct Decoder {
    projection: Projection,
    records: Records,
    batch: Batch,
}

/// The rows so far.
#[derive(Debug)]
struct Batch {
    columns: Vec<Column>,
    ids: Vec<i64>,
    matched: Vec<bool>,
}

impl Decoder {
    /// An empty one.
    pub fn new(projection: &Projection) -> Decoder {
        let columns = projection.schema().fields().iter().map(|field| Column::new(field.data_type())).collect();
        let batch = Batch { columns, ids: Vec::new(), matched: Vec::new() };
        Decoder { projection: projection.clone(), records: Records::default(), batch }
    }

    /// Takes a line, without its line end. A line that is refused leaves nothing in the rows.
    pub fn push(&mut self, line: &[u8], origin: &Origin) -> Pushed {
        if line.len() > LONGEST {
            return Pushed::Reject(RejectReason::TooLarge);
        }
        let plan = &self.projection.0.plan;
        let Some(api) = read(line, plan, &mut self.records) else { return no_tweet(line) };
        let row = Row { line, records: &self.records, plan, origin, api, id: 0, matched: true };
        let before = self.batch.ids.len();
        match self.batch.add(row) {
            Ok(()) => Pushed::Tweet { rows: (self.batch.ids.len() - before) as u32 },
            Err(reason) => {
                self.batch.truncate(before);
                Pushed::Reject(*reason)
            }
        }
    }

    /// Rows since the last batch.
    pub fn rows(&self) -> usize {
        self.batch.ids.len()
    }

    /// Bytes that these rows take.
    pub fn bytes(&self) -> usize {
        self.batch.columns.iter().map(Column::bytes).sum::<usize>() + self.rows() * 9
    }

    /// The rows since the last batch; the decoder begins anew.
    pub fn finish(&mut self) -> Rows {
        let Batch { columns, ids, matched } = &mut self.batch;
        let columns = columns.iter_mut().map(Column::finish).collect();
        let batch = RecordBatch::try_new(self.projection.schema(), columns)
            .expect("every column has one value a row, of the type the schema tells");
        Rows { batch, ids: std::mem::take(ids), matched: std::mem::take(matched) }
    }
}

/// Keeps a line's wanted values, and says which form of a tweet it is, if it is one.
fn read(line: &[u8], plan: &Plan, records: &mut Records) -> Option<Api> {
    simdutf8::basic::from_utf8(line).ok()?;
    let mut walker = Walker::new(line);
    if walker.peek_token() != b'{' {
        return None;
    }
    records.read(&mut walker, &plan.line).ok()?;
    let (head, get) = (&plan.head, |slot| records.get(0, slot));
    let data = get(head.data);
    if !data.is_none() {
        let is_tweet = data.is_object(line) && !(get(head.data_id.slot).is_none() && get(head.data_text).is_none());
        return is_tweet.then_some(Api::V2);
    }
    let is_text = |slot| value::is_text(get(slot), line);
    (is_text(head.text) || is_text(head.full_text)).then_some(Api::V1)
}

/// Says what a line is that is no tweet, by the judgement that decided what was stored.
#[cold]
fn no_tweet(line: &[u8]) -> Pushed {
    match tweet::scan(line) {
        LineKind::Blank => Pushed::Blank,
        LineKind::Message(message) => Pushed::Message(message),
        LineKind::Control(_) => Pushed::Control,
        LineKind::Reject(reason) => Pushed::Reject(RejectReason::Line(reason)),
        LineKind::Tweet(head) => unreachable!("the walk takes what the scan takes, tweet {}", head.id),
    }
}

impl Batch {
    /// Adds the rows of a line.
    fn add(&mut self, mut row: Row<'_>) -> Result<(), Refused> {
        let plan = row.plan;
        let (ids, fills) = match row.api {
            Api::V1 => (&plan.head.ids[..], &plan.v1),
            Api::V2 => (std::slice::from_ref(&plan.head.data_id), &plan.v2),
        };
        let no_id = || Box::new(RejectReason::Line(tweet::RejectReason::NoId));
        row.id = own_id(&row, ids, 0)?.ok_or_else(no_id)?;
        self.add_row(&row, fills, 0)?;
        let matched = row.id;
        row.matched = false;
        match (row.api, &plan.v2_referenced) {
            (Api::V1, _) => {
                for Referenced { object, ids, fills } in &plan.v1_referenced {
                    if row.first(std::slice::from_ref(object), 0)?.is_some() {
                        self.add_referenced(row, ids, fills, 0, matched)?;
                    }
                }
            }
            (Api::V2, Some(fills)) => {
                let id = std::slice::from_ref(plan.includes.post_id());
                for post in plan.includes.posts.each(&row)? {
                    self.add_referenced(row, id, fills, post, matched)?;
                }
            }
            (Api::V2, None) => {}
        }
        Ok(())
    }

    /// Adds the row of a post that the line only refers to: not of the matched one once more.
    fn add_referenced(
        &mut self,
        mut row: Row<'_>,
        ids: &[Pick],
        fills: &RowPlan,
        base: usize,
        matched: i64,
    ) -> Result<(), Refused> {
        row.id = own_id(&row, ids, base)?.ok_or_else(|| wrong(&ids[0].path, "an id"))?;
        if row.id == matched {
            return Ok(());
        }
        self.add_row(&row, fills, base)
    }

    fn add_row(&mut self, row: &Row<'_>, fills: &RowPlan, base: usize) -> Result<(), Refused> {
        row.add(fills, &mut self.columns, base)?;
        self.ids.push(row.id);
        self.matched.push(row.matched);
        Ok(())
    }

    /// Takes back all rows behind the first `rows`.
    fn truncate(&mut self, rows: usize) {
        self.columns.iter_mut().for_each(|column| column.truncate(rows));
        self.ids.truncate(rows);
        self.matched.truncate(rows);
    }
}

/// The id of a post; `None` where it has none that is one.
fn own_id(row: &Row<'_>, ids: &[Pick], base: usize) -> Result<Option<i64>, Refused> {
    let Some((pick, slot)) = row.first(ids, base)? else { return Ok(None) };
    let too_large = |_| Box::new(RejectReason::IdTooLarge { member: pick.path.to_string() });
    value::id(slot, row.line).map(|id| i64::try_from(id).map_err(too_large)).transpose()
}
