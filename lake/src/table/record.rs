//! The pass over a line: validates all of its grammar and locates the selected values. Other values are skipped.
//! Nothing is converted or copied yet, so an invalid line leaves nothing to undo.

use super::shape::{Member, MemberKind, OWN, Object, Record, Shape};
use super::speculation::{Effect, FragmentId, NextValue, Speculation};
use crate::tweet::cursor::{JsonCursor, Parsed};

/// The position of a value in a line. A line's first byte is never a selected value, so 0 means none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Slot {
    at: u32,
    /// The end of the value; the two highest bits are flags.
    end: u32,
}

/// The longest line that is accepted: two bits of an offset are flags, and offsets in a table have 31 bits.
pub(super) const MAX_LINE_BYTES: usize = 1 << 30;
/// The value is a string with escapes.
const ESCAPED: u32 = 1 << 31;
/// The value takes the place of an object or array that should contain the selected one.
const MISPLACED: u32 = 1 << 30;

impl Slot {
    /// Absent or null.
    pub(super) const NONE: Slot = Slot { at: 0, end: 0 };

    #[inline(always)]
    pub(super) fn is_none(self) -> bool {
        self.at == 0
    }

    pub(super) fn is_misplaced(self) -> bool {
        self.end & MISPLACED != 0
    }

    pub(super) fn is_escaped(self) -> bool {
        self.end & ESCAPED != 0
    }

    /// The bytes of the value, with quotes or brackets.
    #[inline(always)]
    pub(super) fn bytes(self, line: &[u8]) -> &[u8] {
        &line[self.at as usize..(self.end & !(ESCAPED | MISPLACED)) as usize]
    }

    /// Whether the value is an object.
    pub(super) fn is_object(self, line: &[u8]) -> bool {
        self.bytes(line).first() == Some(&b'{')
    }

    /// Whether an object or array is empty.
    pub(super) fn is_empty(self, line: &[u8]) -> bool {
        let bytes = self.bytes(line);
        bytes.len() < 2 || bytes[1..bytes.len() - 1].iter().all(|byte| byte.is_ascii_whitespace())
    }

    /// An element of an array; `None` where the value is no array.
    pub(super) fn element(self, line: &[u8], index: u8) -> Option<Slot> {
        let (mut found, mut count) = (Slot::NONE, 0);
        self.each_element(line, |slot| {
            if count == index {
                found = slot;
            }
            count = count.saturating_add(1);
        })?;
        Some(found)
    }

    /// Visits all elements of an array; `None` where the value is no array.
    pub(super) fn each_element(self, line: &[u8], mut each: impl FnMut(Slot)) -> Option<()> {
        let array = self.bytes(line);
        if array.first() != Some(&b'[') {
            return None;
        }
        let mut cursor = JsonCursor::new(array);
        let parsed = cursor.each_element(|cursor| {
            let slot = value(cursor, 1)?;
            each(if slot.is_none() { slot } else { Slot { at: slot.at + self.at, end: slot.end + self.at } });
            Ok(())
        });
        debug_assert!(parsed.is_ok(), "the pass over the line has validated it");
        Some(())
    }

    fn misplaced(self) -> Slot {
        Slot { at: self.at, end: self.end | MISPLACED }
    }
}

/// The located values of some lines.
#[derive(Debug, Default)]
pub(super) struct Records {
    slots: Vec<Slot>,
    /// Learned from earlier lines, which must all have been read with one shape.
    speculation: Speculation,
}

impl Records {
    /// Removes all records; keeps what was learned.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
    }

    /// Parses a whole line whose first byte is `{` and locates the values in `shape`. Returns the index of the line's
    /// record.
    pub(super) fn read(&mut self, cursor: &mut JsonCursor<'_>, shape: &Shape) -> Parsed<usize> {
        self.speculation.begin_line(shape.objects);
        let base = self.slots.len();
        self.slots.resize(base + usize::from(shape.record.slots), Slot::NONE);
        self.object(cursor, &shape.record.object, base, 1)?;
        cursor.end()?;
        Ok(base)
    }

    /// A slot of the record at `base`.
    #[inline(always)]
    pub(super) fn get(&self, base: usize, slot: u16) -> Slot {
        self.slots[base + usize::from(slot)]
    }

    /// The records of an array's elements, in order; the slot `head` links to the first one.
    pub(super) fn elements(&self, base: usize, head: u16) -> impl Iterator<Item = usize> {
        let first = self.get(base, head).at as usize;
        std::iter::successors(Some(first), |&at| Some(self.slots[at].at as usize)).take_while(|&at| at != 0)
    }

    /// Parses the object whose brace comes next. `depth` objects and arrays are open inside it, itself included.
    fn object(&mut self, cursor: &mut JsonCursor<'_>, object: &Object, base: usize, depth: u32) -> Parsed {
        let Some(start) = self.speculation.enter(object.number) else {
            return self.object_without_speculation(cursor, object, base, depth);
        };
        let (mut previous, mut hits, mut misses) = (start, 0, 0);
        // A bit for each selected member that has been seen.
        let mut seen = 0;
        loop {
            let next = match self.speculation.match_members(previous, cursor.rest()) {
                // A null would have to clear what an earlier member of the same name has set.
                Some((id, length, effect)) if effect.nulls & seen == 0 => {
                    cursor.advance(length);
                    previous = id;
                    hits += 1;
                    effect.next
                }
                _ => {
                    let at = cursor.at();
                    let effect = self.parse_members(cursor, object, previous, previous == start, seen, depth)?;
                    previous = self.speculation.learn_members(previous, object.number, cursor.since(at), effect);
                    misses += 1;
                    effect.next
                }
            };
            match next {
                NextValue::Skipped => self.speculation.skip(cursor, previous, depth)?,
                NextValue::Selected(member) => {
                    seen |= bit(member);
                    self.member(cursor, &object.members[usize::from(member)], base, depth)?;
                }
                NextValue::End => break,
            }
        }
        self.speculation.leave(object.number, hits, misses);
        Ok(())
    }

    /// Parses members, from an object's brace or after a member's value, up to the first value that a fragment cannot
    /// contain.
    #[cold]
    #[inline(never)]
    fn parse_members(
        &mut self,
        cursor: &mut JsonCursor<'_>,
        object: &Object,
        previous: FragmentId,
        is_first: bool,
        seen: u64,
        depth: u32,
    ) -> Parsed<Effect> {
        let (at, mut nulls) = (cursor.at(), 0);
        let mut has_member = if is_first { cursor.open_object() } else { cursor.next_member()? };
        while has_member {
            let member = cursor.name()?.with_unescaped(|name| object.find(name));
            let own = member.map_or(0, bit);
            let is_inert = match (cursor.is_at_literal(), member) {
                (true, None) => true,
                (true, Some(_)) => cursor.rest()[0] == b'n' && own & !seen != 0,
                (false, _) => false,
            };
            if !is_inert || !self.speculation.may_extend(previous, cursor.at() - at) {
                return Ok(Effect { next: member.map_or(NextValue::Skipped, NextValue::Selected), nulls });
            }
            cursor.skip(depth)?;
            nulls |= own;
            has_member = cursor.next_member()?;
        }
        Ok(Effect { next: NextValue::End, nulls })
    }

    /// Parses an object without speculation on its members.
    #[inline(never)]
    fn object_without_speculation(
        &mut self,
        cursor: &mut JsonCursor<'_>,
        object: &Object,
        base: usize,
        depth: u32,
    ) -> Parsed {
        let state = self.speculation.any_state(object.number);
        let mut has_member = cursor.open_object();
        while has_member {
            match cursor.name()?.with_unescaped(|name| object.find(name)) {
                None => self.speculation.skip(cursor, state, depth)?,
                Some(member) => self.member(cursor, &object.members[usize::from(member)], base, depth)?,
            }
            has_member = cursor.next_member()?;
        }
        Ok(())
    }

    #[inline(always)]
    fn member(&mut self, cursor: &mut JsonCursor<'_>, member: &Member, base: usize, depth: u32) -> Parsed {
        if let MemberKind::Value = member.kind {
            self.slots[base + usize::from(member.slot)] = value(cursor, depth)?;
            return Ok(());
        }
        self.nested(cursor, member, base, depth)
    }

    fn nested(&mut self, cursor: &mut JsonCursor<'_>, member: &Member, base: usize, depth: u32) -> Parsed {
        let slot = base + usize::from(member.slot);
        let first_byte = cursor.peek_token();
        match &member.kind {
            MemberKind::Value => unreachable!("the caller takes scalars"),
            MemberKind::Object(object, slots) => {
                if !self.slots[slot].is_none() {
                    // The same name again: only the last member counts.
                    self.set_all(base, slots, Slot::NONE);
                }
                if first_byte == b'{' {
                    let at = cursor.at();
                    self.object(cursor, object, base, depth + 1)?;
                    self.slots[slot] = span(at, cursor.at());
                } else {
                    let value = value(cursor, depth)?;
                    self.slots[slot] = value;
                    if !value.is_none() {
                        self.set_all(base, slots, value.misplaced());
                    }
                }
            }
            MemberKind::List(head, record) => {
                self.slots[base + usize::from(*head)] = Slot::NONE;
                if first_byte == b'[' {
                    let at = cursor.at();
                    self.list(cursor, record, base + usize::from(*head), depth + 1)?;
                    self.slots[slot] = span(at, cursor.at());
                } else {
                    self.slots[slot] = value(cursor, depth)?;
                }
            }
        }
        Ok(())
    }

    fn set_all(&mut self, base: usize, slots: &[u16], value: Slot) {
        for &slot in slots {
            self.slots[base + usize::from(slot)] = value;
        }
    }

    /// Adds a record for each element and links it to the previous one, the first one to `link`.
    fn list(&mut self, cursor: &mut JsonCursor<'_>, shape: &Record, mut link: usize, depth: u32) -> Parsed {
        cursor.each_element(|cursor| {
            let base = self.slots.len();
            self.slots[link].at = base as u32;
            link = base;
            self.slots.resize(base + usize::from(shape.slots), Slot::NONE);
            let at = cursor.at();
            if !shape.object.is_empty() && cursor.peek_token() == b'{' {
                self.object(cursor, &shape.object, base, depth + 1)?;
                self.slots[base + usize::from(OWN)] = span(at, cursor.at());
            } else {
                let value = value(cursor, depth)?;
                self.slots[base + usize::from(OWN)] = value;
                if !value.is_none() {
                    self.set_all(base, &shape.object.slots(), value.misplaced());
                }
            }
            Ok(())
        })
    }
}

/// The bit of a selected member. With more than 64 members some share a bit, which is conservative: a set bit only
/// forgoes a match.
#[inline(always)]
fn bit(member: u8) -> u64 {
    1 << (member % 64)
}

/// Locates the value that comes next, inside `depth` open objects and arrays.
#[inline(always)]
fn value(cursor: &mut JsonCursor<'_>, depth: u32) -> Parsed<Slot> {
    // White space may be left, where a fragment matched that was learned with less of it.
    let first_byte = cursor.peek_token();
    let at = cursor.at();
    if first_byte == b'"' {
        let escaped = cursor.skip_string()?;
        let mut slot = span(at, cursor.at());
        slot.end |= if escaped { ESCAPED } else { 0 };
        return Ok(slot);
    }
    cursor.skip(depth)?;
    let slot = span(at, cursor.at());
    // Only null begins with an n: the cursor has validated the literal.
    Ok(if first_byte == b'n' { Slot::NONE } else { slot })
}

#[inline(always)]
fn span(at: usize, end: usize) -> Slot {
    Slot { at: at as u32, end: end as u32 }
}
