//! Columns under construction: Arrow's own layout (values, offsets, validity bits) in growing vectors, so that
//! finishing a column copies nothing. [`Column::truncate`] removes a rejected row.
//!
//! Nothing here depends on tweets or JSON.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, BooleanBufferBuilder, ListArray, PrimitiveArray,
    StringArray, StructArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, FieldRef, Fields, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};

use super::validity::Validity;

/// The column is full: Arrow's offsets have 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// A column, a member of a struct, or the items of a list.
#[derive(Debug)]
pub(super) enum Column {
    Int8(Numbers<Int8Type>),
    Int16(Numbers<Int16Type>),
    Int32(Numbers<Int32Type>),
    Int64(Numbers<Int64Type>),
    Float64(Numbers<Float64Type>),
    Time(Numbers<TimestampMicrosecondType>),
    Bool(Bools),
    Text(Texts),
    Binary(Texts),
    Struct(Structs),
    List(Lists),
}

impl Column {
    pub(super) fn new(data_type: &DataType) -> Column {
        match data_type {
            DataType::Int8 => Column::Int8(Numbers::default()),
            DataType::Int16 => Column::Int16(Numbers::default()),
            DataType::Int32 => Column::Int32(Numbers::default()),
            DataType::Int64 => Column::Int64(Numbers::default()),
            DataType::Float64 => Column::Float64(Numbers::default()),
            DataType::Timestamp(..) => Column::Time(Numbers::default()),
            DataType::Boolean => Column::Bool(Bools::default()),
            DataType::Utf8 => Column::Text(Texts::default()),
            DataType::Binary => Column::Binary(Texts::default()),
            DataType::Struct(fields) => Column::Struct(Structs::new(fields)),
            DataType::List(item) => Column::List(Lists::new(item)),
            other => unreachable!("the table has no column of {other}"),
        }
    }

    pub(super) fn push_null(&mut self) {
        match self {
            Column::Int8(numbers) => numbers.push_null(),
            Column::Int16(numbers) => numbers.push_null(),
            Column::Int32(numbers) => numbers.push_null(),
            Column::Int64(numbers) => numbers.push_null(),
            Column::Float64(numbers) => numbers.push_null(),
            Column::Time(numbers) => numbers.push_null(),
            Column::Bool(bools) => bools.push(None),
            Column::Text(texts) | Column::Binary(texts) => texts.push_null(),
            Column::Struct(structs) => {
                structs.nulls.push_null();
                structs.members.iter_mut().for_each(Column::push_null);
            }
            Column::List(lists) => lists.push_null(),
        }
    }

    /// Removes all rows after the first `rows`.
    pub(super) fn truncate(&mut self, rows: usize) {
        match self {
            Column::Int8(numbers) => numbers.truncate(rows),
            Column::Int16(numbers) => numbers.truncate(rows),
            Column::Int32(numbers) => numbers.truncate(rows),
            Column::Int64(numbers) => numbers.truncate(rows),
            Column::Float64(numbers) => numbers.truncate(rows),
            Column::Time(numbers) => numbers.truncate(rows),
            Column::Bool(bools) => bools.truncate(rows),
            Column::Text(texts) | Column::Binary(texts) => texts.truncate(rows),
            Column::Struct(structs) => {
                structs.nulls.truncate(rows);
                structs.members.iter_mut().for_each(|member| member.truncate(rows));
            }
            Column::List(lists) => lists.truncate(rows),
        }
    }

    /// Bytes of values and offsets so far.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Column::Int8(numbers) => numbers.values.len(),
            Column::Int16(numbers) => numbers.values.len() * 2,
            Column::Int32(numbers) => numbers.values.len() * 4,
            Column::Int64(numbers) => numbers.values.len() * 8,
            Column::Float64(numbers) => numbers.values.len() * 8,
            Column::Time(numbers) => numbers.values.len() * 8,
            Column::Bool(bools) => bools.values.len() / 8,
            Column::Text(texts) | Column::Binary(texts) => texts.bytes.len() + texts.offsets.len() * 4,
            Column::Struct(structs) => structs.members.iter().map(Column::bytes).sum(),
            Column::List(lists) => lists.offsets.len() * 4 + lists.items.bytes(),
        }
    }

    /// Takes all rows as an array.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Column::Int8(numbers) => numbers.finish(),
            Column::Int16(numbers) => numbers.finish(),
            Column::Int32(numbers) => numbers.finish(),
            Column::Int64(numbers) => numbers.finish(),
            Column::Float64(numbers) => numbers.finish(),
            Column::Time(numbers) => Arc::new(numbers.array().with_timezone("UTC")),
            Column::Bool(bools) => Arc::new(BooleanArray::new(bools.values.finish(), bools.nulls.finish())),
            Column::Text(texts) => texts.finish_text(),
            Column::Binary(texts) => {
                let (offsets, bytes, nulls) = texts.take();
                Arc::new(BinaryArray::new(offsets, bytes, nulls))
            }
            Column::Struct(structs) => {
                let rows = structs.nulls.len();
                let members = structs.members.iter_mut().map(Column::finish).collect();
                let array =
                    StructArray::try_new_with_length(structs.fields.clone(), members, structs.nulls.finish(), rows);
                Arc::new(array.expect("every member has one value a row"))
            }
            Column::List(lists) => lists.finish(),
        }
    }
}

/// Capacity for the next batch: the size of the last one and an eighth more, since batches are of similar size and
/// growing would copy.
fn room(last: usize) -> usize {
    last + last / 8
}

/// Numbers and timestamps.
#[derive(Debug)]
pub(super) struct Numbers<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    nulls: Validity,
}

impl<T: ArrowPrimitiveType> Default for Numbers<T> {
    fn default() -> Numbers<T> {
        Numbers { values: Vec::new(), nulls: Validity::default() }
    }
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    #[inline]
    pub(super) fn push(&mut self, value: T::Native) {
        self.values.push(value);
        self.nulls.push();
    }

    #[inline]
    fn push_null(&mut self) {
        self.values.push(T::Native::default());
        self.nulls.push_null();
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.nulls.truncate(rows);
    }

    fn array(&mut self) -> PrimitiveArray<T> {
        let empty = Vec::with_capacity(room(self.values.len()));
        let values = std::mem::replace(&mut self.values, empty);
        PrimitiveArray::new(ScalarBuffer::from(values), self.nulls.finish())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.array())
    }
}

/// Booleans, one bit each.
#[derive(Debug)]
pub(super) struct Bools {
    values: BooleanBufferBuilder,
    nulls: Validity,
}

impl Default for Bools {
    fn default() -> Bools {
        Bools { values: BooleanBufferBuilder::new(0), nulls: Validity::default() }
    }
}

impl Bools {
    pub(super) fn push(&mut self, value: Option<bool>) {
        self.values.append(value.unwrap_or_default());
        match value {
            Some(_) => self.nulls.push(),
            None => self.nulls.push_null(),
        }
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.nulls.truncate(rows);
    }
}

/// Strings or binary values, concatenated, with the offsets of their ends.
#[derive(Debug)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    /// One more than the number of rows.
    offsets: Vec<i32>,
    nulls: Validity,
}

impl Default for Texts {
    fn default() -> Texts {
        Texts { bytes: Vec::new(), offsets: vec![0], nulls: Validity::default() }
    }
}

impl Texts {
    /// Adds a row with the bytes that `write` appends. They must be UTF-8 in a column of strings.
    ///
    /// # Errors
    /// When the column exceeds 2 GiB; the caller must then truncate the row.
    #[inline]
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Full> {
        write(&mut self.bytes);
        let end = i32::try_from(self.bytes.len()).map_err(|_| Full)?;
        self.offsets.push(end);
        self.nulls.push();
        Ok(())
    }

    #[inline]
    fn push_null(&mut self) {
        let end = self.end();
        self.offsets.push(end);
        self.nulls.push_null();
    }

    #[inline]
    fn end(&self) -> i32 {
        *self.offsets.last().expect("offsets start with 0")
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        let end = self.end();
        self.bytes.truncate(end as usize);
        self.nulls.truncate(rows);
    }

    fn take(&mut self) -> (OffsetBuffer<i32>, Buffer, Option<NullBuffer>) {
        let mut offsets = Vec::with_capacity(room(self.offsets.len()));
        offsets.push(0);
        let offsets = std::mem::replace(&mut self.offsets, offsets);
        let empty = Vec::with_capacity(room(self.bytes.len()));
        let bytes = std::mem::replace(&mut self.bytes, empty);
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(bytes), self.nulls.finish())
    }

    #[expect(unsafe_code, reason = "validating every string again would take a tenth of the decoding time")]
    fn finish_text(&mut self) -> ArrayRef {
        let (offsets, bytes, nulls) = self.take();
        if cfg!(debug_assertions) {
            return Arc::new(StringArray::new(offsets, bytes, nulls));
        }
        // SAFETY: every row was appended by
        // `push`, whose callers append whole strings of a line that was validated as UTF-8, `char`s and string
        // literals; so each row, and with it the whole buffer, is UTF-8. `truncate` cuts between rows.
        Arc::new(unsafe { StringArray::new_unchecked(offsets, bytes, nulls) })
    }
}

/// Structs: one column per member.
#[derive(Debug)]
pub(super) struct Structs {
    fields: Fields,
    pub(super) members: Vec<Column>,
    pub(super) nulls: Validity,
}

impl Structs {
    fn new(fields: &Fields) -> Structs {
        let members = fields.iter().map(|field| Column::new(field.data_type())).collect();
        Structs { fields: fields.clone(), members, nulls: Validity::default() }
    }
}

/// Lists: all items in one column, with the offset of each row's end.
#[derive(Debug)]
pub(super) struct Lists {
    field: FieldRef,
    pub(super) items: Box<Column>,
    /// Items so far, including those of an unfinished row.
    pub(super) length: usize,
    offsets: Vec<i32>,
    nulls: Validity,
}

impl Lists {
    fn new(item: &FieldRef) -> Lists {
        Lists {
            field: item.clone(),
            items: Box::new(Column::new(item.data_type())),
            length: 0,
            offsets: vec![0],
            nulls: Validity::default(),
        }
    }

    /// Ends a row that consists of the items pushed since the last end.
    ///
    /// # Errors
    /// When there are more than 2^31 items; the caller must then truncate the row.
    #[inline]
    pub(super) fn end_row(&mut self) -> Result<(), Full> {
        self.offsets.push(i32::try_from(self.length).map_err(|_| Full)?);
        self.nulls.push();
        Ok(())
    }

    #[inline]
    fn push_null(&mut self) {
        let end = *self.offsets.last().expect("offsets start with 0");
        self.offsets.push(end);
        self.nulls.push_null();
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.length = *self.offsets.last().expect("offsets start with 0") as usize;
        self.items.truncate(self.length);
        self.nulls.truncate(rows);
    }

    fn finish(&mut self) -> ArrayRef {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        self.length = 0;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Arc::new(ListArray::new(self.field.clone(), offsets, self.items.finish(), self.nulls.finish()))
    }
}
