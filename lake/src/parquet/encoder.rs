//! One Parquet file in the making: batches in, columns encoded in parallel, row groups written as they are whole.
//!
//! A column, or a few narrow ones side by side, are a lane. A lane's work is done in order by one worker at a time, and different
//! lanes by as many workers as there are; so the bytes do not depend on how many there are. Lanes go before whatever else the
//! workers have to do: nothing can take the place of one that is most of the work, such as that of whole lines. What is on its
//! way is bounded: [`Encoder::push`] waits where more than a few chunks are. A row group that is ending and the next one may be
//! under way at the same time.
//!
//! Memory: a few chunks, an unfinished page a column, and the compressed pages of a row group or two.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::Arc;

use ::parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use ::parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::writer::SerializedFileWriter;
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::{DataType, FieldRef, Fields, SchemaRef};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::chunks::{Chunk, Cutter};
use super::columns;
use super::options::Compression;
use super::spill::{Folder, Spill, Spilled};
use crate::work::{JobHandle, Workers};

/// What the columns of a lane may cost together, see [`weight`].
const LANE_WEIGHT: usize = 8;
/// Chunks on their way at most.
const CHUNKS: usize = 3;
/// A row group of more bytes than this (see [`Chunk::bytes`]) ends, however few its rows are.
const GROUP_BYTES: u64 = 256 << 20;

/// The pages of one lane in one row group.
type Pages = Vec<ArrowColumnChunk>;

/// What a lane has to do next.
enum Step {
    /// A row group begins.
    Open(Vec<ArrowColumnWriter>),
    /// Rows of it, the lane's columns in pieces that follow each other; the chunk is on its way as long as one lane has
    /// them.
    Write(Vec<Vec<ArrayRef>>, Arc<OnItsWay>),
    /// It ends.
    Close,
}

/// Stands for a chunk of which not every lane is done; how many there are says the count of what is inside.
struct OnItsWay {
    _counted: Arc<()>,
}

/// Some columns: steps that wait, and their writers where no worker has them.
struct Lane {
    fields: Arc<[FieldRef]>,
    /// The number of its first column among all.
    first: usize,
    steps: VecDeque<Step>,
    writers: Option<Vec<ArrowColumnWriter>>,
}

/// What a worker gives back.
enum Done {
    Lane { lane: usize, writers: Vec<ArrowColumnWriter>, closed: Vec<Pages> },
    Written(Box<SerializedFileWriter<Spill>>),
}

/// A row group whose lanes are ending.
struct Group {
    pages: Vec<Option<Pages>>,
    missing: usize,
}

/// A file in the making.
pub(super) struct Encoder {
    workers: Workers,
    /// `None` while a worker writes a row group.
    file: Option<Box<SerializedFileWriter<Spill>>>,
    factory: ArrowRowGroupWriterFactory,
    cutter: Cutter,
    lanes: Vec<Lane>,
    /// Tasks of their own: work that a worker is free for must not wait until somebody looks here.
    running: FuturesUnordered<JobHandle<Result<Done, ParquetError>>>,
    /// Row groups that were begun and are not yet written, the oldest first.
    groups: VecDeque<Group>,
    /// How many row groups each lane has ended, less those that are written.
    ended: Vec<usize>,
    token: Arc<()>,
    group_rows: usize,
    open_rows: usize,
    open_bytes: u64,
    rows: u64,
}

impl Encoder {
    /// Begins a file.
    pub(super) fn new(
        schema: &SchemaRef,
        compression: Compression,
        group_rows: usize,
        folder: &Folder,
        workers: &Workers,
    ) -> Result<Encoder, ParquetError> {
        let descriptor = ArrowSchemaConverter::new().schema_root("tweets").convert(schema)?;
        let mut properties = columns::properties(&descriptor, compression);
        add_encoded_arrow_schema_to_metadata(schema, &mut properties);
        let spill = Spill::new(folder)?;
        let file = SerializedFileWriter::new(spill, descriptor.root_schema_ptr(), Arc::new(properties))?;
        let factory = ArrowRowGroupWriterFactory::new(&file, Arc::clone(schema));
        let lanes = lanes(schema.fields());
        Ok(Encoder {
            workers: workers.clone(),
            file: Some(Box::new(file)),
            factory,
            cutter: Cutter::new(schema),
            ended: vec![0; lanes.len()],
            lanes,
            running: FuturesUnordered::new(),
            groups: VecDeque::new(),
            token: Arc::new(()),
            group_rows: group_rows.max(1),
            open_rows: 0,
            open_bytes: 0,
            rows: 0,
        })
    }

    /// Takes rows; waits where enough of them are on their way.
    pub(super) async fn push(&mut self, batch: RecordBatch) -> Result<(), ParquetError> {
        self.rows += batch.num_rows() as u64;
        self.cutter.push(batch);
        while let Some(chunk) = self.cutter.next(self.group_rows - self.open_rows) {
            self.send(chunk).await?;
        }
        // Lanes that are done meanwhile get what has come for them since.
        while let Some(Some(done)) = self.running.next().now_or_never() {
            self.take(done?);
        }
        Ok(())
    }

    /// Whether there are rows whose row group has not ended: memory is held for them.
    pub(super) fn is_open(&self) -> bool {
        self.open_rows > 0 || !self.cutter.is_empty()
    }

    /// Ends the row group that is open, with all rows that came, and waits until it is written.
    pub(super) async fn rest(&mut self) -> Result<(), ParquetError> {
        while let Some(chunk) = self.cutter.rest(self.group_rows - self.open_rows) {
            self.send(chunk).await?;
        }
        self.close_group();
        while self.step().await? {}
        Ok(())
    }

    /// Rows taken so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the file.
    pub(super) async fn finish(mut self, entries: Vec<KeyValue>) -> Result<Spilled, ParquetError> {
        self.rest().await?;
        let mut file = self.file.take().expect("nothing is under way");
        for entry in entries {
            file.append_key_value_metadata(entry);
        }
        let done = self.workers.run(move || -> Result<Spilled, ParquetError> { Ok(file.into_inner()?.finish()?) });
        done.await
    }

    async fn send(&mut self, chunk: Chunk) -> Result<(), ParquetError> {
        // One is held here.
        while Arc::strong_count(&self.token) > CHUNKS {
            if !self.step().await? {
                break;
            }
        }
        if self.open_rows == 0 {
            self.open_group()?;
        }
        self.open_rows += chunk.rows;
        self.open_bytes += chunk.bytes();
        let token = Arc::new(OnItsWay { _counted: Arc::clone(&self.token) });
        for lane in &mut self.lanes {
            let own = lane.first..lane.first + lane.fields.len();
            let pieces = chunk.pieces.iter().map(|piece| piece.columns()[own.clone()].to_vec()).collect();
            lane.steps.push_back(Step::Write(pieces, Arc::clone(&token)));
        }
        if self.open_rows >= self.group_rows || self.open_bytes >= GROUP_BYTES {
            self.close_group();
        } else {
            self.start_lanes();
        }
        Ok(())
    }

    fn open_group(&mut self) -> Result<(), ParquetError> {
        let mut writers = self.factory.create_column_writers(self.groups.len())?.into_iter();
        for lane in &mut self.lanes {
            let own = writers.by_ref().take(lane.fields.iter().map(leaves).sum()).collect();
            lane.steps.push_back(Step::Open(own));
        }
        self.groups.push_back(Group { pages: self.lanes.iter().map(|_| None).collect(), missing: self.lanes.len() });
        Ok(())
    }

    fn close_group(&mut self) {
        if self.open_rows > 0 {
            self.lanes.iter_mut().for_each(|lane| lane.steps.push_back(Step::Close));
            (self.open_rows, self.open_bytes) = (0, 0);
        }
        self.start_lanes();
    }

    /// Gives every lane that has something to do and is not at it to the workers.
    fn start_lanes(&mut self) {
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            if lane.steps.is_empty() {
                continue;
            }
            let Some(writers) = lane.writers.take() else { continue };
            let (fields, steps) = (Arc::clone(&lane.fields), mem::take(&mut lane.steps));
            self.running.push(self.workers.start_first(move || run_lane(number, &fields, writers, steps)));
        }
    }

    /// Waits for the next piece of work to be done, and goes on from there; false when there is none.
    async fn step(&mut self) -> Result<bool, ParquetError> {
        let Some(done) = self.running.next().await else { return Ok(false) };
        self.take(done?);
        Ok(true)
    }

    fn take(&mut self, done: Done) {
        match done {
            Done::Written(file) => self.file = Some(file),
            Done::Lane { lane, writers, closed } => {
                self.lanes[lane].writers = Some(writers);
                for pages in closed {
                    let group = &mut self.groups[self.ended[lane]];
                    group.pages[lane] = Some(pages);
                    group.missing -= 1;
                    self.ended[lane] += 1;
                }
            }
        }
        self.start_lanes();
        self.write_group();
    }

    /// Gives the oldest row group to a worker, if it is whole and the file is here.
    fn write_group(&mut self) {
        if self.groups.front().is_none_or(|group| group.missing > 0) {
            return;
        }
        let Some(mut file) = self.file.take() else { return };
        let group = self.groups.pop_front().expect("it was just looked at");
        self.ended.iter_mut().for_each(|ended| *ended -= 1);
        self.running.push(self.workers.start_first(move || {
            let mut writer = file.next_row_group()?;
            for pages in group.pages.into_iter().flatten().flatten() {
                pages.append_to_row_group(&mut writer)?;
            }
            writer.close()?;
            Ok(Done::Written(file))
        }));
    }
}

/// Shares columns out: neighbours together until they are enough for a hand-over to be worth its while.
fn lanes(fields: &Fields) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    let (mut own, mut first, mut weight) = (Vec::new(), 0, 0);
    for (number, field) in fields.iter().enumerate() {
        if !own.is_empty() && weight + self::weight(field) > LANE_WEIGHT {
            lanes.push(Lane::new(mem::take(&mut own), first));
            (first, weight) = (number, 0);
        }
        own.push(Arc::clone(field));
        weight += self::weight(field);
    }
    lanes.extend((!own.is_empty()).then(|| Lane::new(own, first)));
    lanes
}

impl Lane {
    fn new(fields: Vec<FieldRef>, first: usize) -> Lane {
        Lane { fields: fields.into(), first, steps: VecDeque::new(), writers: Some(Vec::new()) }
    }
}

/// What a column costs, about: a number is 1.
fn weight(field: &FieldRef) -> usize {
    match field.data_type() {
        _ if columns::is_long(field.name()) => LANE_WEIGHT,
        DataType::Struct(members) => members.iter().map(weight).sum(),
        DataType::List(item) => 1 + weight(item),
        DataType::Utf8 | DataType::Binary => 2,
        _ => 1,
    }
}

/// How many columns of the file a field is.
fn leaves(field: &FieldRef) -> usize {
    match field.data_type() {
        DataType::Struct(members) => members.iter().map(leaves).sum(),
        DataType::List(item) => leaves(item),
        _ => 1,
    }
}

fn run_lane(
    lane: usize,
    fields: &[FieldRef],
    mut writers: Vec<ArrowColumnWriter>,
    steps: VecDeque<Step>,
) -> Result<Done, ParquetError> {
    let mut closed = Vec::new();
    for step in steps {
        match step {
            Step::Open(opened) => writers = opened,
            Step::Write(pieces, _token) => {
                let mut writers = writers.iter_mut();
                for (number, field) in fields.iter().enumerate() {
                    for leaf in compute_leaves(field, &whole(&pieces, number)?)? {
                        writers.next().expect("there is one for each leaf").write(&leaf)?;
                    }
                }
            }
            Step::Close => {
                let pages: Result<Pages, _> =
                    mem::take(&mut writers).into_iter().map(ArrowColumnWriter::close).collect();
                closed.push(pages?);
            }
        }
    }
    Ok(Done::Lane { lane, writers, closed })
}

/// One of the columns, in one piece.
fn whole(pieces: &[Vec<ArrayRef>], number: usize) -> Result<ArrayRef, ParquetError> {
    match pieces {
        [one] => Ok(Arc::clone(&one[number])),
        many => {
            let many: Vec<&dyn Array> = many.iter().map(|columns| columns[number].as_ref()).collect();
            Ok(concat(&many)?)
        }
    }
}

/// Whether a failure is one of the disk.
pub(super) fn disk_failure(error: &ParquetError) -> Option<&io::Error> {
    match error {
        ParquetError::External(source) => source.downcast_ref(),
        _ => None,
    }
}
