//! The decoder: takes lines one by one, reports what each was, and builds the rows of a batch.

use arrow::array::RecordBatch;

use super::column::Column;
use super::fill::{Rejection, Row, wrong};
use super::plan::{DecodePlan, Referenced, RowPlan, ValuePath};
use super::projection::Projection;
use super::record::{MAX_LINE_BYTES, Records};
use super::reject::RejectReason;
use super::shape::OWN;
use super::value;
use crate::manifest::IngestPath;
use crate::tweet::cursor::JsonCursor;
use crate::tweet::{self, Api, LineKind, Message};

/// What is known of a line besides its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    /// How the line came into the lake; `None` if unknown.
    pub path: Option<IngestPath>,
    /// When the line arrived, in microseconds since the epoch; `None` if unknown.
    pub received_at_us: Option<i64>,
}

/// What a line was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// A tweet.
    Tweet {
        /// Rows added: one for the tweet, and with [`TableOptions::referenced`](super::TableOptions::referenced) one
        /// for each post it refers to.
        rows: u32,
    },
    /// A message about tweets.
    Message(Message),
    /// A message about the connection.
    Control,
    /// A heartbeat.
    Blank,
    /// Rejected; no row was added.
    Reject(RejectReason),
}

/// Rows of the table.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The selected columns.
    pub batch: RecordBatch,
    /// The id of each row's post, also where the column is not selected.
    pub ids: Vec<i64>,
    /// Whether each row is the post that its line is about; `false` for a referenced post.
    pub matched: Vec<bool>,
}

/// Decodes lines into rows. Use one per worker: it reuses its buffers from batch to batch.
#[derive(Debug)]
pub struct Decoder {
    projection: Projection,
    records: Records,
    /// The records of lines that are a v2 post themselves.
    flat: Records,
    batch: BatchBuilder,
}

/// A tweet whose selected values have been located.
#[derive(Debug)]
struct LocatedTweet<'a> {
    line: &'a [u8],
    api: Api,
    /// The index of its record.
    top: usize,
    /// Whether that record is in [`Decoder::flat`].
    is_flat: bool,
    /// The posts that a flattened one embeds, with the indices of their records.
    embedded: Vec<(&'a [u8], usize)>,
}

/// The columns that are being built.
#[derive(Debug)]
struct BatchBuilder {
    columns: Vec<Column>,
    ids: Vec<i64>,
    matched: Vec<bool>,
}

impl Decoder {
    /// A decoder without rows.
    pub fn new(projection: &Projection) -> Decoder {
        let columns = projection.schema().fields().iter().map(|field| Column::new(field.data_type())).collect();
        let batch = BatchBuilder { columns, ids: Vec::new(), matched: Vec::new() };
        let (records, flat) = (Records::default(), Records::default());
        Decoder { projection: projection.clone(), records, flat, batch }
    }

    /// Decodes a line, given without its line end. A rejected line adds nothing to the rows.
    pub fn push(&mut self, line: &[u8], origin: &Origin) -> Pushed {
        let plan = &self.projection.0.plan;
        self.records.clear();
        self.flat.clear();
        let tweet = match read(line, plan, &mut self.records, &mut self.flat) {
            Ok(tweet) => tweet,
            Err(other) => return other,
        };
        let records = if tweet.is_flat { &self.flat } else { &self.records };
        let before = self.batch.ids.len();
        let mut rows = Vec::new();
        let pending = rows_of(&tweet, plan, records, origin, &mut rows);
        match self.batch.add(&rows).and_then(|added| pending.map(|()| added)) {
            Ok(rows) => Pushed::Tweet { rows },
            Err(reason) => {
                self.batch.truncate(before);
                Pushed::Reject(*reason)
            }
        }
    }

    /// Decodes several lines, with the result of calling [`push`](Self::push) for each, but faster: each column takes
    /// the values of all lines before the next column does. Returns false, without adding a row, if a value does not
    /// fit its column.
    pub(crate) fn push_together(&mut self, lines: &[(&[u8], Origin)], pushed: &mut Vec<Pushed>) -> bool {
        let plan = &self.projection.0.plan;
        self.records.clear();
        self.flat.clear();
        pushed.clear();
        let mut tweets = Vec::with_capacity(lines.len());
        for (line, origin) in lines {
            pushed.push(match read(line, plan, &mut self.records, &mut self.flat) {
                Ok(tweet) => {
                    tweets.push((pushed.len(), origin, tweet));
                    Pushed::Tweet { rows: 0 }
                }
                Err(other) => other,
            });
        }
        let mut rows = Vec::with_capacity(tweets.len());
        for (index, origin, tweet) in &tweets {
            let records = if tweet.is_flat { &self.flat } else { &self.records };
            let before = rows.len();
            if rows_of(tweet, plan, records, origin, &mut rows).is_err() {
                return false;
            }
            pushed[*index] = Pushed::Tweet { rows: (rows.len() - before) as u32 };
        }
        self.batch.add_all(&rows)
    }

    /// Rows since the last batch.
    pub(crate) fn rows(&self) -> usize {
        self.batch.ids.len()
    }

    /// Bytes of memory that these rows take.
    pub(crate) fn bytes(&self) -> usize {
        self.batch.columns.iter().map(Column::bytes).sum::<usize>() + self.rows() * 9
    }

    /// Takes the rows since the last batch.
    pub fn finish(&mut self) -> Rows {
        let BatchBuilder { columns, ids, matched } = &mut self.batch;
        let columns = columns.iter_mut().map(Column::finish).collect();
        let batch = RecordBatch::try_new(self.projection.schema(), columns)
            .expect("every column has one value a row, of its field's type");
        Rows { batch, ids: std::mem::take(ids), matched: std::mem::take(matched) }
    }
}

/// Locates the selected values of a line that is a tweet; for any other line, tells what it is.
fn read<'a>(
    line: &'a [u8],
    plan: &DecodePlan,
    records: &mut Records,
    flat: &mut Records,
) -> Result<LocatedTweet<'a>, Pushed> {
    if line.len() > MAX_LINE_BYTES {
        return Err(Pushed::Reject(RejectReason::TooLarge));
    }
    locate(line, plan, records, flat).ok_or_else(|| classify(line))
}

fn locate<'a>(
    line: &'a [u8],
    plan: &DecodePlan,
    records: &mut Records,
    flat: &mut Records,
) -> Option<LocatedTweet<'a>> {
    simdutf8::basic::from_utf8(line).ok()?;
    let mut cursor = JsonCursor::new(line);
    if cursor.peek_token() != b'{' {
        return None;
    }
    let top = records.read(&mut cursor, &plan.line).ok()?;
    let (head, get) = (&plan.head, |slot| records.get(top, slot));
    let tweet = |api| Some(LocatedTweet { line, api, top, is_flat: false, embedded: Vec::new() });
    let data = get(head.data);
    if !data.is_none() {
        let is_tweet = data.is_object(line) && !(get(head.data_id.slot).is_none() && get(head.data_text).is_none());
        return if is_tweet { tweet(Api::V2) } else { None };
    }
    let is_text = |slot| value::is_text(get(slot), line);
    if !is_text(head.text) && !is_text(head.full_text) {
        return None;
    }
    // The first of these ids is `id_str`, which v2 does not have.
    if get(head.ids[0].slot).is_none() && head.v2_only.iter().any(|&mark| !get(mark).is_none()) {
        return locate_flat(line, plan.flat.as_deref()?, flat);
    }
    tweet(Api::V1)
}

/// Parses a line that is a v2 post itself once more, and the posts that it embeds where they are selected.
#[cold]
fn locate_flat<'a>(line: &'a [u8], plan: &DecodePlan, records: &mut Records) -> Option<LocatedTweet<'a>> {
    let top = records.read(&mut JsonCursor::new(line), &plan.line).ok()?;
    let mut posts: Vec<&[u8]> = Vec::new();
    for (list, text) in &plan.embedded {
        let elements = records.elements(top, list.head).filter(|&element| {
            // An unresolved reference has no text.
            !records.get(element, *text).is_none() && records.get(element, OWN).is_object(line)
        });
        posts.extend(elements.map(|element| records.get(element, OWN).bytes(line)));
    }
    let mut embedded = Vec::with_capacity(posts.len());
    for post in posts {
        embedded.push((post, records.read(&mut JsonCursor::new(post), &plan.line).ok()?));
    }
    Some(LocatedTweet { line, api: Api::V2, top, is_flat: true, embedded })
}

/// Classifies a line that is no tweet, with the function that classified it on its way into the lake.
#[cold]
fn classify(line: &[u8]) -> Pushed {
    match tweet::scan(line) {
        LineKind::Blank => Pushed::Blank,
        LineKind::Message(message) => Pushed::Message(message),
        LineKind::Control(_) => Pushed::Control,
        LineKind::Reject(reason) => Pushed::Reject(RejectReason::Line(reason)),
        LineKind::Tweet(head) => unreachable!("decoder and scan agree on what a tweet is: {}", head.id),
    }
}

/// A row to be filled from the record at `base`.
struct PendingRow<'a> {
    row: Row<'a>,
    fills: &'a RowPlan,
    base: usize,
}

/// Appends the rows of a line, each with its post's id.
fn rows_of<'a>(
    tweet: &LocatedTweet<'a>,
    plan: &'a DecodePlan,
    records: &'a Records,
    origin: &'a Origin,
    rows: &mut Vec<PendingRow<'a>>,
) -> Result<(), Rejection> {
    let plan = plan.flat.as_deref().filter(|_| tweet.is_flat).unwrap_or(plan);
    let (line, top, api) = (tweet.line, tweet.top, tweet.api);
    let mut row = Row { line, records, top, plan, origin, api, id: 0, matched: true };
    let (ids, fills) = match api {
        Api::V1 => (&plan.head.ids[..], &plan.v1),
        Api::V2 => (std::slice::from_ref(&plan.head.data_id), &plan.v2),
    };
    let no_id = || Box::new(RejectReason::Line(tweet::RejectReason::NoId));
    row.id = own_id(&row, ids, top)?.ok_or_else(no_id)?;
    rows.push(PendingRow { row, fills, base: top });
    for &(line, top) in &tweet.embedded {
        let post = Row { line, top, matched: false, ..row };
        let id = own_id(&post, ids, top)?.ok_or_else(|| wrong(&ids[0].name, "an id"))?;
        if id != row.id {
            rows.push(PendingRow { row: Row { id, ..post }, fills, base: top });
        }
    }
    // For a referenced post, unless it is the matched post itself.
    let mut refer = |ids: &[ValuePath], fills, base| {
        let id = own_id(&row, ids, base)?.ok_or_else(|| wrong(&ids[0].name, "an id"))?;
        if id != row.id {
            rows.push(PendingRow { row: Row { id, matched: false, ..row }, fills, base });
        }
        Ok(())
    };
    match (row.api, &plan.v2_referenced) {
        (Api::V1, _) => {
            for Referenced { object, ids, fills } in &plan.v1_referenced {
                if row.first(std::slice::from_ref(object), top)?.is_some() {
                    refer(ids, fills, top)?;
                }
            }
            Ok(())
        }
        (Api::V2, Some(fills)) => {
            let id = std::slice::from_ref(plan.includes.post_id());
            plan.includes.posts.each(&row)?.into_iter().try_for_each(|post| refer(id, fills, post))
        }
        (Api::V2, None) => Ok(()),
    }
}

impl BatchBuilder {
    /// Adds rows one after the other; returns how many.
    fn add(&mut self, rows: &[PendingRow<'_>]) -> Result<u32, Rejection> {
        for PendingRow { row, fills, base } in rows {
            row.add(fills, &mut self.columns, *base)?;
            self.ids.push(row.id);
            self.matched.push(row.matched);
        }
        Ok(rows.len() as u32)
    }

    /// Adds rows column by column; false, without adding any, if a value does not fit.
    fn add_all(&mut self, rows: &[PendingRow<'_>]) -> bool {
        let before = self.ids.len();
        for (index, column) in self.columns.iter_mut().enumerate() {
            let filled =
                rows.iter().try_for_each(|pending| pending.row.fill(&pending.fills[index], column, pending.base));
            if filled.is_err() {
                self.truncate(before);
                return false;
            }
        }
        self.ids.extend(rows.iter().map(|pending| pending.row.id));
        self.matched.extend(rows.iter().map(|pending| pending.row.matched));
        true
    }

    /// Removes all rows after the first `rows`.
    fn truncate(&mut self, rows: usize) {
        self.columns.iter_mut().for_each(|column| column.truncate(rows));
        self.ids.truncate(rows);
        self.matched.truncate(rows);
    }
}

/// The id of a post; `None` where it is missing or not a number.
fn own_id(row: &Row<'_>, ids: &[ValuePath], base: usize) -> Result<Option<i64>, Rejection> {
    let Some((path, slot)) = row.first(ids, base)? else { return Ok(None) };
    let too_large = |_| Box::new(RejectReason::IdTooLarge { member: path.name.to_string() });
    value::id(slot, row.line).map(|id| i64::try_from(id).map_err(too_large)).transpose()
}
