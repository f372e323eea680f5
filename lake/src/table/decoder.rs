//! The decoder: takes lines one by one, says what each was, and gives the rows as a batch.

use arrow::array::RecordBatch;

use super::column::Column;
use super::fill::{Refused, Row, wrong};
use super::plan::{Pick, Plan, Referenced, RowPlan};
use super::projection::Projection;
use super::record::{LONGEST, Records};
use super::reject::RejectReason;
use super::shape::OWN;
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
    /// Of lines that are a v2 post themselves.
    flat: Records,
    batch: Batch,
}

/// A tweet whose wanted values are kept.
#[derive(Debug)]
struct Kept<'a> {
    line: &'a [u8],
    api: Api,
    /// Where its record begins.
    top: usize,
    /// Whether that is among the records of [`Decoder::flat`].
    is_flat: bool,
    /// The posts that a flattened one embeds, and where their records begin.
    embedded: Vec<(&'a [u8], usize)>,
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
        let (records, flat) = (Records::default(), Records::default());
        Decoder { projection: projection.clone(), records, flat, batch }
    }

    /// Takes a line, without its line end. A line that is refused leaves nothing in the rows.
    pub fn push(&mut self, line: &[u8], origin: &Origin) -> Pushed {
        let plan = &self.projection.0.plan;
        self.records.clear();
        self.flat.clear();
        let kept = match read(line, plan, &mut self.records, &mut self.flat) {
            Ok(kept) => kept,
            Err(other) => return other,
        };
        let records = if kept.is_flat { &self.flat } else { &self.records };
        let before = self.batch.ids.len();
        let mut rows = Vec::new();
        let planned = rows_of(&kept, plan, records, origin, &mut rows);
        match self.batch.add(&rows).and_then(|added| planned.map(|()| added)) {
            Ok(rows) => Pushed::Tweet { rows },
            Err(reason) => {
                self.batch.truncate(before);
                Pushed::Reject(*reason)
            }
        }
    }

    /// Takes some lines together, and says what each was: as [`push`](Self::push) one after the other, but in less time, for a
    /// column takes its values of all of them before the next one does. False where a row does not fit its columns: nothing was
    /// taken then.
    pub fn push_together(&mut self, lines: &[(&[u8], Origin)], pushed: &mut Vec<Pushed>) -> bool {
        let plan = &self.projection.0.plan;
        self.records.clear();
        self.flat.clear();
        pushed.clear();
        let mut tweets = Vec::with_capacity(lines.len());
        for (line, origin) in lines {
            pushed.push(match read(line, plan, &mut self.records, &mut self.flat) {
                Ok(kept) => {
                    tweets.push((pushed.len(), origin, kept));
                    Pushed::Tweet { rows: 0 }
                }
                Err(other) => other,
            });
        }
        let mut rows = Vec::with_capacity(tweets.len());
        for (place, origin, kept) in &tweets {
            let records = if kept.is_flat { &self.flat } else { &self.records };
            let before = rows.len();
            if rows_of(kept, plan, records, origin, &mut rows).is_err() {
                return false;
            }
            pushed[*place] = Pushed::Tweet { rows: (rows.len() - before) as u32 };
        }
        self.batch.add_all(&rows)
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

/// Keeps a line's wanted values, and says which form of a tweet it is and where its record begins, or what else it is.
fn read<'a>(line: &'a [u8], plan: &Plan, records: &mut Records, flat: &mut Records) -> Result<Kept<'a>, Pushed> {
    if line.len() > LONGEST {
        return Err(Pushed::Reject(RejectReason::TooLarge));
    }
    walk(line, plan, records, flat).ok_or_else(|| no_tweet(line))
}

fn walk<'a>(line: &'a [u8], plan: &Plan, records: &mut Records, flat: &mut Records) -> Option<Kept<'a>> {
    simdutf8::basic::from_utf8(line).ok()?;
    let mut walker = Walker::new(line);
    if walker.peek_token() != b'{' {
        return None;
    }
    let top = records.read(&mut walker, &plan.line).ok()?;
    let (head, get) = (&plan.head, |slot| records.get(top, slot));
    let kept = |api| Some(Kept { line, api, top, is_flat: false, embedded: Vec::new() });
    let data = get(head.data);
    if !data.is_none() {
        let is_tweet = data.is_object(line) && !(get(head.data_id.slot).is_none() && get(head.data_text).is_none());
        return if is_tweet { kept(Api::V2) } else { None };
    }
    let is_text = |slot| value::is_text(get(slot), line);
    if !is_text(head.text) && !is_text(head.full_text) {
        return None;
    }
    // The first of the ids is `id_str`, which v2 does not have.
    if get(head.ids[0].slot).is_none() && head.marks_of_v2.iter().any(|&mark| !get(mark).is_none()) {
        return walk_flat(line, plan.flat.as_deref()?, flat);
    }
    kept(Api::V1)
}

/// Walks once more through a line that is a v2 post itself, and through the posts that it embeds, where they are asked for.
#[cold]
fn walk_flat<'a>(line: &'a [u8], plan: &Plan, records: &mut Records) -> Option<Kept<'a>> {
    let top = records.read(&mut Walker::new(line), &plan.line).ok()?;
    let mut posts: Vec<&[u8]> = Vec::new();
    for (list, text) in &plan.embedded {
        let elements = records.elements(top, list.head).filter(|&element| {
            // A reference that was not resolved is no post.
            !records.get(element, *text).is_none() && records.get(element, OWN).is_object(line)
        });
        posts.extend(elements.map(|element| records.get(element, OWN).bytes(line)));
    }
    let mut embedded = Vec::with_capacity(posts.len());
    for post in posts {
        embedded.push((post, records.read(&mut Walker::new(post), &plan.line).ok()?));
    }
    Some(Kept { line, api: Api::V2, top, is_flat: true, embedded })
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

/// A row that is to be filled, from the record at `base`.
struct Planned<'a> {
    row: Row<'a>,
    fills: &'a RowPlan,
    base: usize,
}

/// The rows of a line, each with its post's id.
fn rows_of<'a>(
    kept: &Kept<'a>,
    plan: &'a Plan,
    records: &'a Records,
    origin: &'a Origin,
    rows: &mut Vec<Planned<'a>>,
) -> Result<(), Refused> {
    let plan = plan.flat.as_deref().filter(|_| kept.is_flat).unwrap_or(plan);
    let (line, top, api) = (kept.line, kept.top, kept.api);
    let mut row = Row { line, records, top, plan, origin, api, id: 0, matched: true };
    let (ids, fills) = match api {
        Api::V1 => (&plan.head.ids[..], &plan.v1),
        Api::V2 => (std::slice::from_ref(&plan.head.data_id), &plan.v2),
    };
    let no_id = || Box::new(RejectReason::Line(tweet::RejectReason::NoId));
    row.id = own_id(&row, ids, top)?.ok_or_else(no_id)?;
    rows.push(Planned { row, fills, base: top });
    for &(line, top) in &kept.embedded {
        let post = Row { line, top, matched: false, ..row };
        let id = own_id(&post, ids, top)?.ok_or_else(|| wrong(&ids[0].path, "an id"))?;
        if id != row.id {
            rows.push(Planned { row: Row { id, ..post }, fills, base: top });
        }
    }
    // Of a post that the line only refers to: not the matched one once more.
    let mut refer = |ids: &[Pick], fills, base| {
        let id = own_id(&row, ids, base)?.ok_or_else(|| wrong(&ids[0].path, "an id"))?;
        if id != row.id {
            rows.push(Planned { row: Row { id, matched: false, ..row }, fills, base });
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

impl Batch {
    /// Adds the rows of a line, one after the other; gives how many.
    fn add(&mut self, rows: &[Planned<'_>]) -> Result<u32, Refused> {
        for Planned { row, fills, base } in rows {
            row.add(fills, &mut self.columns, *base)?;
            self.ids.push(row.id);
            self.matched.push(row.matched);
        }
        Ok(rows.len() as u32)
    }

    /// Adds rows, a column after the other; false, and none is added, where one is refused.
    fn add_all(&mut self, rows: &[Planned<'_>]) -> bool {
        let before = self.ids.len();
        for (place, column) in self.columns.iter_mut().enumerate() {
            let filled =
                rows.iter().try_for_each(|planned| planned.row.fill(&planned.fills[place], column, planned.base));
            if filled.is_err() {
                self.truncate(before);
                return false;
            }
        }
        self.ids.extend(rows.iter().map(|planned| planned.row.id));
        self.matched.extend(rows.iter().map(|planned| planned.row.matched));
        true
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
