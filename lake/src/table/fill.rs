//! From the kept values of a line to a row: every column takes its value, or the row is refused with the reason.
//!
//! A refused row may have filled some columns already; the decoder takes that back.

use super::column::{Column, Full};
use super::plan::{Fill, ListPick, Pick, Plan, RowPlan, There};
use super::record::{Records, Slot};
use super::reject::RejectReason;
use super::{Origin, value};
use crate::manifest::IngestPath;
use crate::tweet::text::Text;
use crate::tweet::{Api, snowflake_ms};

/// Why a row is refused. Boxed: refusals are rare, and what is passed on the good way stays small.
pub(super) type Refused = Box<RejectReason>;

impl From<Full> for Refused {
    fn from(_: Full) -> Refused {
        Box::new(RejectReason::TooLarge)
    }
}

/// A row that is being filled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) line: &'a [u8],
    pub(super) records: &'a Records,
    /// Where the line's own record begins.
    pub(super) top: usize,
    pub(super) plan: &'a Plan,
    pub(super) origin: &'a Origin,
    pub(super) api: Api,
    /// The post's own id.
    pub(super) id: i64,
    /// Whether the line is about this post; `false` for one that it only refers to.
    pub(super) matched: bool,
}

impl<'a> Row<'a> {
    /// Adds the row to all columns. The post's record begins at `base`.
    pub(super) fn add(&self, plan: &RowPlan, columns: &mut [Column], base: usize) -> Result<(), Refused> {
        plan.iter().zip(columns).try_for_each(|(fill, column)| self.fill(fill, column, base))
    }

    pub(super) fn fill(&self, fill: &Fill, column: &mut Column, base: usize) -> Result<(), Refused> {
        match fill {
            Fill::Nothing => column.push_null(),
            Fill::Value(picks) => return self.value(picks, column, base),
            Fill::Struct(there, members) => {
                let Some(base) = self.record_of(there, base)? else {
                    column.push_null();
                    return Ok(());
                };
                return self.fill_struct(members, column, base);
            }
            Fill::List(arrays) => return self.list(arrays, column, base),
            Fill::Source(picks) => return self.source(picks, column, base),
            Fill::CreatedAt(ms, words) => return self.created_at(ms, words, column, base),
            Fill::TweetId => push_integer(column, Some(self.id)),
            Fill::Role => push_word(column, Some(if self.matched { "matched" } else { "referenced" }))?,
            Fill::IngestPath => push_word(column, self.origin.path.map(path_word))?,
            Fill::Api => push_word(column, Some(if self.api == Api::V1 { "v1" } else { "v2" }))?,
            Fill::ReceivedAt => push_integer(column, self.origin.received_at_us),
            Fill::Raw => match column {
                Column::Binary(texts) if self.matched => texts.push(|bytes| bytes.extend_from_slice(self.line))?,
                _ => column.push_null(),
            },
            Fill::V1(own) => return own.fill(self, column, base),
            Fill::V2(own) => return own.fill(self, column, base),
            Fill::Either(there, fills) => {
                let [first, second] = &**fills;
                let is_there = !self.get(base, there.slot).is_none();
                return self.fill(if is_there { first } else { second }, column, base);
            }
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn get(&self, base: usize, slot: u16) -> Slot {
        self.records.get(base, slot)
    }

    /// The first of the values that is there.
    #[inline]
    pub(super) fn first<'p>(&self, picks: &'p [Pick], base: usize) -> Result<Option<(&'p Pick, Slot)>, Refused> {
        for pick in picks {
            let slot = self.picked(pick, base)?;
            if !slot.is_none() {
                return Ok(Some((pick, slot)));
            }
        }
        Ok(None)
    }

    #[inline]
    fn picked(&self, pick: &Pick, base: usize) -> Result<Slot, Refused> {
        let slot = self.get(base, pick.slot);
        if slot.is_none() {
            return Ok(slot);
        }
        if slot.is_misplaced() {
            return Err(wrong(&pick.path, "where it belongs: what should hold it is no object"));
        }
        if pick.null_word && slot.bytes(self.line) == b"\"null\"" {
            return Ok(Slot::NONE);
        }
        match pick.element {
            Some(index) => slot.element(self.line, index).ok_or_else(|| wrong(&pick.path, "an array")),
            None => Ok(slot),
        }
    }

    #[inline]
    pub(super) fn value(&self, picks: &[Pick], column: &mut Column, base: usize) -> Result<(), Refused> {
        for pick in picks {
            let slot = self.get(base, pick.slot);
            if slot.is_none() {
                continue;
            }
            if pick.is_plain && !slot.is_misplaced() {
                return self.push(pick, slot, column);
            }
            let slot = self.picked(pick, base)?;
            if !slot.is_none() {
                return self.push(pick, slot, column);
            }
        }
        column.push_null();
        Ok(())
    }

    /// Adds a value that is there.
    #[inline(always)]
    fn push(&self, pick: &Pick, slot: Slot, column: &mut Column) -> Result<(), Refused> {
        let line = self.line;
        match column {
            Column::Text(texts) => match value::text(slot, line) {
                Some(text) => texts.push(|bytes| text.unescape_into(bytes))?,
                None => return Err(wrong(&pick.path, "a text")),
            },
            Column::Int64(numbers) => numbers.push(self.integer(pick, slot)?),
            Column::Int32(numbers) => numbers.push(self.small(pick, slot, "a whole number of 32 bits")?),
            Column::Int16(numbers) => numbers.push(self.small(pick, slot, "a whole number of 16 bits")?),
            Column::Int8(numbers) => numbers.push(self.small(pick, slot, "a whole number of 8 bits")?),
            Column::Float64(numbers) => match value::float(slot, line) {
                Some(number) => numbers.push(number),
                None => return Err(wrong(&pick.path, "a number of 64 bits")),
            },
            Column::Bool(bools) => match value::boolean(slot, line) {
                Some(value) => bools.push(Some(value)),
                None => return Err(wrong(&pick.path, "true or false")),
            },
            Column::Time(times) => match self.time(pick, slot) {
                Some(us) => times.push(us),
                None => return Err(wrong(&pick.path, "a time")),
            },
            Column::Binary(_) | Column::Struct(_) | Column::List(_) => unreachable!("these have fills of their own"),
        }
        Ok(())
    }

    #[inline]
    pub(super) fn integer(&self, pick: &Pick, slot: Slot) -> Result<i64, Refused> {
        value::integer(slot, self.line).ok_or_else(|| {
            if value::is_large(slot, self.line) {
                return Box::new(RejectReason::IdTooLarge { member: pick.path.to_string() });
            }
            wrong(&pick.path, "a whole number of 64 bits")
        })
    }

    #[inline]
    fn small<T: TryFrom<i64>>(&self, pick: &Pick, slot: Slot, expected: &'static str) -> Result<T, Refused> {
        let number = value::integer(slot, self.line).and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| wrong(&pick.path, expected))
    }

    fn time(&self, pick: &Pick, slot: Slot) -> Option<i64> {
        if pick.is_ms { value::ms_us(slot, self.line) } else { value::time_us(slot, self.line) }
    }

    /// The record that a struct's members are in; `None` where the struct is null.
    fn record_of(&self, there: &There, base: usize) -> Result<Option<usize>, Refused> {
        Ok(match there {
            There::Object(pick) => {
                let slot = self.picked(pick, base)?;
                if !slot.is_none() && !slot.is_object(self.line) {
                    return Err(wrong(&pick.path, "an object"));
                }
                (!slot.is_none() && !slot.is_empty(self.line)).then_some(base)
            }
            There::AnyOf(picks) => picks.iter().any(|pick| !self.get(base, pick.slot).is_none()).then_some(base),
            There::First(array) => {
                let Some(first) = self.elements(array, base)?.next() else { return Ok(None) };
                return match self.get(first, super::shape::OWN) {
                    slot if slot.is_none() => Ok(None),
                    slot if slot.is_object(self.line) => Ok(Some(first)),
                    _ => Err(wrong(&array.pick.path, "an array of objects")),
                };
            }
        })
    }

    pub(super) fn fill_struct(&self, members: &[Fill], column: &mut Column, base: usize) -> Result<(), Refused> {
        let Column::Struct(structs) = column else { unreachable!("the plan is made of the schema") };
        structs.nulls.push();
        members.iter().zip(&mut structs.members).try_for_each(|(fill, member)| self.fill(fill, member, base))
    }

    /// The records of an array's elements; none where the array is not there.
    pub(super) fn elements(&self, array: &ListPick, base: usize) -> Result<impl Iterator<Item = usize>, Refused> {
        let slot = self.picked(&array.pick, base)?;
        if !slot.is_none() && slot.bytes(self.line)[0] != b'[' {
            return Err(wrong(&array.pick.path, "an array"));
        }
        Ok(self.records.elements(base, array.head))
    }

    fn list(&self, arrays: &[(ListPick, Fill)], column: &mut Column, base: usize) -> Result<(), Refused> {
        for (array, item) in arrays {
            if self.get(base, array.pick.slot).is_none() {
                continue;
            }
            let Column::List(lists) = column else { unreachable!("the plan is made of the schema") };
            for element in self.elements(array, base)? {
                lists.length += 1;
                self.fill(item, &mut lists.items, element)?;
            }
            return Ok(lists.end_row()?);
        }
        column.push_null();
        Ok(())
    }

    /// The application's name, without the link around it that v1.1 has.
    fn source(&self, picks: &[Pick], column: &mut Column, base: usize) -> Result<(), Refused> {
        let Some((pick, slot)) = self.first(picks, base)? else {
            column.push_null();
            return Ok(());
        };
        let text = value::text(slot, self.line).ok_or_else(|| wrong(&pick.path, "a text"))?;
        let Column::Text(texts) = column else { unreachable!("the plan is made of the schema") };
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

    /// The millisecond that is told, else the one in the id, else the second in words.
    fn created_at(&self, ms: &[Pick], words: &[Pick], column: &mut Column, base: usize) -> Result<(), Refused> {
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

/// What stands behind the `<a …>` that a text begins with, where that can be told without taking its escapes apart: most
/// applications' names are a few bytes behind a long link.
fn behind_link(text: Text<'_>) -> Option<Text<'_>> {
    let link = text.raw.strip_prefix(b"<a ")?;
    let open = memchr::memchr(b'>', link)?;
    // An escape of a letter's number could be any character, that one too.
    let spelled = memchr::memmem::find(&link[..open], b"\\u").is_some();
    (!spelled).then(|| Text { raw: &link[open + 1..], escaped: text.escaped })
}

/// The reason that names a member of a wrong type.
#[cold]
pub(super) fn wrong(member: &str, expected: &'static str) -> Refused {
    Box::new(RejectReason::WrongType { member: member.to_owned(), expected })
}

pub(super) fn push_integer(column: &mut Column, value: Option<i64>) {
    match (column, value) {
        (Column::Int64(numbers), Some(value)) => numbers.push(value),
        (Column::Time(times), Some(value)) => times.push(value),
        (column, _) => column.push_null(),
    }
}

pub(super) fn push_word(column: &mut Column, word: Option<&str>) -> Result<(), Refused> {
    match (column, word) {
        (Column::Text(texts), Some(word)) => texts.push(|bytes| bytes.extend_from_slice(word.as_bytes()))?,
        (column, _) => column.push_null(),
    }
    Ok(())
}

fn path_word(path: IngestPath) -> &'static str {
    match path {
        IngestPath::Stream => "stream",
        IngestPath::Backfill => "backfill",
        IngestPath::Search => "search",
        IngestPath::Replay => "replay",
    }
}
