//! From the located values of a line to a row: every column takes its value, or the row is rejected with a reason.
//!
//! A rejected row may already have filled some columns; the decoder removes those values.

use super::column::{Column, Full};
use super::plan::{DecodePlan, Fill, ListPath, Presence, RowPlan, ValuePath};
use super::record::{Records, Slot};
use super::reject::RejectReason;
use super::{Origin, value};
use crate::manifest::IngestPath;
use crate::tweet::Api;
use crate::tweet::text::JsonStr;
use crate::tweet::time::snowflake_ms;

/// Why a row is rejected. Boxed, to keep the common result small.
pub(super) type Rejection = Box<RejectReason>;

impl From<Full> for Rejection {
    fn from(_: Full) -> Rejection {
        Box::new(RejectReason::TooLarge)
    }
}

/// A row that is being filled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) line: &'a [u8],
    pub(super) records: &'a Records,
    /// The index of the line's own record.
    pub(super) top: usize,
    pub(super) plan: &'a DecodePlan,
    pub(super) origin: &'a Origin,
    pub(super) api: Api,
    /// The id of the row's post.
    pub(super) id: i64,
    /// Whether the line is about this post; `false` for a referenced post.
    pub(super) matched: bool,
}

impl<'a> Row<'a> {
    /// Adds the row to all columns. `base` is the post's record.
    pub(super) fn add(&self, plan: &RowPlan, columns: &mut [Column], base: usize) -> Result<(), Rejection> {
        plan.iter().zip(columns).try_for_each(|(fill, column)| self.fill(fill, column, base))
    }

    pub(super) fn fill(&self, fill: &Fill, column: &mut Column, base: usize) -> Result<(), Rejection> {
        match fill {
            Fill::Nothing => column.push_null(),
            Fill::Value(paths) => return self.value(paths, column, base),
            Fill::Struct(presence, members) => {
                let Some(base) = self.record_of(presence, base)? else {
                    column.push_null();
                    return Ok(());
                };
                return self.fill_struct(members, column, base);
            }
            Fill::List(arrays) => return self.list(arrays, column, base),
            Fill::Source(paths) => return self.source(paths, column, base),
            Fill::CreatedAt(ms, words) => return self.created_at(ms, words, column, base),
            Fill::TweetId => push_integer(column, Some(self.id)),
            Fill::Role => push_string(column, Some(if self.matched { "matched" } else { "referenced" }))?,
            Fill::IngestPath => push_string(column, self.origin.path.map(path_name))?,
            Fill::Api => push_string(column, Some(if self.api == Api::V1 { "v1" } else { "v2" }))?,
            Fill::ReceivedAt => push_integer(column, self.origin.received_at_us),
            Fill::Raw => match column {
                Column::Binary(texts) if self.matched => texts.push(|bytes| bytes.extend_from_slice(self.line))?,
                _ => column.push_null(),
            },
            Fill::V1(own) => return own.fill(self, column, base),
            Fill::V2(own) => return own.fill(self, column, base),
            Fill::Either(path, fills) => {
                let [first, second] = &**fills;
                let is_present = !self.get(base, path.slot).is_none();
                return self.fill(if is_present { first } else { second }, column, base);
            }
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn get(&self, base: usize, slot: u16) -> Slot {
        self.records.get(base, slot)
    }

    /// The first of these values that is present.
    #[inline]
    pub(super) fn first<'p>(
        &self,
        paths: &'p [ValuePath],
        base: usize,
    ) -> Result<Option<(&'p ValuePath, Slot)>, Rejection> {
        for path in paths {
            let slot = self.resolve(path, base)?;
            if !slot.is_none() {
                return Ok(Some((path, slot)));
            }
        }
        Ok(None)
    }

    #[inline]
    fn resolve(&self, path: &ValuePath, base: usize) -> Result<Slot, Rejection> {
        let slot = self.get(base, path.slot);
        if slot.is_none() {
            return Ok(slot);
        }
        if slot.is_misplaced() {
            return Err(wrong(&path.name, "where it belongs: what should contain it is not an object"));
        }
        if path.null_string && slot.bytes(self.line) == b"\"null\"" {
            return Ok(Slot::NONE);
        }
        match path.element {
            Some(index) => slot.element(self.line, index).ok_or_else(|| wrong(&path.name, "an array")),
            None => Ok(slot),
        }
    }

    #[inline]
    pub(super) fn value(&self, paths: &[ValuePath], column: &mut Column, base: usize) -> Result<(), Rejection> {
        for path in paths {
            let slot = self.get(base, path.slot);
            if slot.is_none() {
                continue;
            }
            if path.is_plain && !slot.is_misplaced() {
                return self.push(path, slot, column);
            }
            let slot = self.resolve(path, base)?;
            if !slot.is_none() {
                return self.push(path, slot, column);
            }
        }
        column.push_null();
        Ok(())
    }

    /// Adds a value of the record that was `found`; null if none was.
    pub(super) fn value_of(
        &self,
        found: Option<usize>,
        paths: &[ValuePath],
        column: &mut Column,
    ) -> Result<(), Rejection> {
        let Some(base) = found else {
            column.push_null();
            return Ok(());
        };
        self.value(paths, column, base)
    }

    /// Adds a present value.
    #[inline(always)]
    fn push(&self, path: &ValuePath, slot: Slot, column: &mut Column) -> Result<(), Rejection> {
        let line = self.line;
        match column {
            Column::Text(texts) => match value::text(slot, line) {
                Some(text) => texts.push(|bytes| text.unescape_into(bytes))?,
                None => return Err(wrong(&path.name, "a string")),
            },
            Column::Int64(numbers) => numbers.push(self.integer(path, slot)?),
            Column::Int32(numbers) => numbers.push(self.small(path, slot, "a 32-bit integer")?),
            Column::Int16(numbers) => numbers.push(self.small(path, slot, "a 16-bit integer")?),
            Column::Int8(numbers) => numbers.push(self.small(path, slot, "an 8-bit integer")?),
            Column::Float64(numbers) => match value::float(slot, line) {
                Some(number) => numbers.push(number),
                None => return Err(wrong(&path.name, "a 64-bit number")),
            },
            Column::Bool(bools) => match value::boolean(slot, line) {
                Some(value) => bools.push(Some(value)),
                None => return Err(wrong(&path.name, "true or false")),
            },
            Column::Time(times) => match self.time(path, slot) {
                Some(us) => times.push(us),
                None => return Err(wrong(&path.name, "a time")),
            },
            Column::Binary(_) | Column::Struct(_) | Column::List(_) => {
                unreachable!("these types have variants of `Fill` of their own")
            }
        }
        Ok(())
    }

    #[inline]
    pub(super) fn integer(&self, path: &ValuePath, slot: Slot) -> Result<i64, Rejection> {
        value::integer(slot, self.line).ok_or_else(|| {
            if value::is_large(slot, self.line) {
                return Box::new(RejectReason::IdTooLarge { member: path.name.to_string() });
            }
            wrong(&path.name, "a 64-bit integer")
        })
    }

    #[inline]
    fn small<T: TryFrom<i64>>(&self, path: &ValuePath, slot: Slot, expected: &'static str) -> Result<T, Rejection> {
        let number = value::integer(slot, self.line).and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| wrong(&path.name, expected))
    }

    fn time(&self, path: &ValuePath, slot: Slot) -> Option<i64> {
        if path.is_ms { value::ms_us(slot, self.line) } else { value::time_us(slot, self.line) }
    }

    /// The record that contains the members of a struct; `None` where the struct is null.
    fn record_of(&self, presence: &Presence, base: usize) -> Result<Option<usize>, Rejection> {
        Ok(match presence {
            Presence::Object(path) => {
                let slot = self.resolve(path, base)?;
                if !slot.is_none() && !slot.is_object(self.line) {
                    return Err(wrong(&path.name, "an object"));
                }
                (!slot.is_none() && !slot.is_empty(self.line)).then_some(base)
            }
            Presence::AnyOf(paths) => paths.iter().any(|path| !self.get(base, path.slot).is_none()).then_some(base),
            Presence::First(array) => {
                let Some(first) = self.elements(array, base)?.next() else { return Ok(None) };
                return match self.get(first, super::shape::OWN) {
                    slot if slot.is_none() => Ok(None),
                    slot if slot.is_object(self.line) => Ok(Some(first)),
                    _ => Err(wrong(&array.array.name, "an array of objects")),
                };
            }
        })
    }

    pub(super) fn fill_struct(&self, members: &[Fill], column: &mut Column, base: usize) -> Result<(), Rejection> {
        let Column::Struct(structs) = column else { unreachable!("the plan follows the schema") };
        structs.nulls.push();
        members.iter().zip(&mut structs.members).try_for_each(|(fill, member)| self.fill(fill, member, base))
    }

    /// The records of an array's elements; none where the array is absent.
    pub(super) fn elements(&self, array: &ListPath, base: usize) -> Result<impl Iterator<Item = usize>, Rejection> {
        let slot = self.resolve(&array.array, base)?;
        if !slot.is_none() && slot.bytes(self.line)[0] != b'[' {
            return Err(wrong(&array.array.name, "an array"));
        }
        Ok(self.records.elements(base, array.head))
    }

    fn list(&self, arrays: &[(ListPath, Fill)], column: &mut Column, base: usize) -> Result<(), Rejection> {
        for (array, item) in arrays {
            if self.get(base, array.array.slot).is_none() {
                continue;
            }
            let Column::List(lists) = column else { unreachable!("the plan follows the schema") };
            for element in self.elements(array, base)? {
                lists.length += 1;
                self.fill(item, &mut lists.items, element)?;
            }
            return Ok(lists.end_row()?);
        }
        column.push_null();
        Ok(())
    }

    /// The name of the application, without the link around it that v1.1 writes.
    fn source(&self, paths: &[ValuePath], column: &mut Column, base: usize) -> Result<(), Rejection> {
        let Some((path, slot)) = self.first(paths, base)? else {
            column.push_null();
            return Ok(());
        };
        let text = value::text(slot, self.line).ok_or_else(|| wrong(&path.name, "a string"))?;
        let Column::Text(texts) = column else { unreachable!("the plan follows the schema") };
        texts.push(|bytes| {
            let start = bytes.len();
            if let Some(behind) = behind_link(text) {
                behind.unescape_into(bytes);
            } else {
                text.unescape_into(bytes);
                let Some(link) = bytes[start..].strip_prefix(b"<a ") else { return };
                let Some(open) = link.iter().position(|&byte| byte == b'>') else { return };
                bytes.drain(start..start + b"<a ".len() + open + 1);
            }
            if bytes[start..].ends_with(b"</a>") {
                bytes.truncate(bytes.len() - b"</a>".len());
            }
        })?;
        Ok(())
    }

    /// `timestamp_ms` if present, else the time in the id, else `created_at`.
    fn created_at(
        &self,
        ms: &[ValuePath],
        words: &[ValuePath],
        column: &mut Column,
        base: usize,
    ) -> Result<(), Rejection> {
        if self.first(ms, base)?.is_some() {
            return self.value(ms, column, base);
        }
        match snowflake_ms(self.id as u64) {
            Some(ms) => push_integer(column, Some(ms * 1000)),
            None => return self.value(words, column, base),
        }
        Ok(())
    }
}

/// The bytes after the `<a …>` that a string begins with, if they can be found without unescaping: for most
/// applications a short name follows a long link.
fn behind_link(text: JsonStr<'_>) -> Option<JsonStr<'_>> {
    let link = text.raw.strip_prefix(b"<a ")?;
    let open = memchr::memchr(b'>', link)?;
    // An escape by code point could be any character, also the closing bracket.
    let spelled = memchr::memmem::find(&link[..open], b"\\u").is_some();
    (!spelled).then(|| JsonStr { raw: &link[open + 1..], escaped: text.escaped })
}

/// A rejection that names a member of the wrong type.
#[cold]
pub(super) fn wrong(member: &str, expected: &'static str) -> Rejection {
    Box::new(RejectReason::WrongType { member: member.to_owned(), expected })
}

pub(super) fn push_integer(column: &mut Column, value: Option<i64>) {
    match (column, value) {
        (Column::Int64(numbers), Some(value)) => numbers.push(value),
        (Column::Time(times), Some(value)) => times.push(value),
        (column, _) => column.push_null(),
    }
}

pub(super) fn push_string(column: &mut Column, string: Option<&str>) -> Result<(), Rejection> {
    match (column, string) {
        (Column::Text(texts), Some(string)) => texts.push(|bytes| bytes.extend_from_slice(string.as_bytes()))?,
        (column, _) => column.push_null(),
    }
    Ok(())
}

fn path_name(path: IngestPath) -> &'static str {
    match path {
        IngestPath::Stream => "stream",
        IngestPath::Backfill => "backfill",
        IngestPath::Search => "search",
        IngestPath::Replay => "replay",
    }
}
