//! The one walk over a line: checks all of its grammar and keeps where the wanted values stand. What is not wanted is
//! skipped; nothing is read, copied or judged yet, so that a line that turns out to be broken leaves nothing behind.

use super::shape::{Inside, Member, OWN, Object, Record, Shape};
use super::trail::{Members, Next, Place, Trail};
use crate::tweet::walk::{Fault, Walker};

/// Where a value stands in a line. The first byte of a line is never a wanted value, so that 0 means none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Slot {
    at: u32,
    /// Behind its last byte; the two highest bits are flags.
    end: u32,
}

/// The longest line that is read: two bits of an offset are flags, and offsets in a table have 31 bits.
pub(super) const LONGEST: usize = 1 << 30;
/// The text holds escapes.
const ESCAPED: u32 = 1 << 31;
/// The value stands where an object or an array was wanted that would hold the wanted one.
const MISPLACED: u32 = 1 << 30;

impl Slot {
    /// Absent, or null.
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

    /// The bytes of the value, quotes and brackets too.
    #[inline(always)]
    pub(super) fn bytes(self, line: &[u8]) -> &[u8] {
        &line[self.at as usize..(self.end & !(ESCAPED | MISPLACED)) as usize]
    }

    /// Whether it is an object.
    pub(super) fn is_object(self, line: &[u8]) -> bool {
        self.bytes(line).first() == Some(&b'{')
    }

    /// An object or array without anything in it.
    pub(super) fn is_empty(self, line: &[u8]) -> bool {
        let bytes = self.bytes(line);
        bytes.len() < 2 || bytes[1..bytes.len() - 1].iter().all(|byte| byte.is_ascii_whitespace())
    }

    /// The element of an array; `None` where this is none.
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

    /// All elements of an array, nulls as absent ones; `None` where this is none.
    pub(super) fn each_element(self, line: &[u8], mut each: impl FnMut(Slot)) -> Option<()> {
        let array = self.bytes(line);
        if array.first() != Some(&b'[') {
            return None;
        }
        let mut walker = Walker::new(array);
        let walk = walker.each_element(|walker| {
            let slot = value(walker, 1)?;
            each(if slot.is_none() { slot } else { Slot { at: slot.at + self.at, end: slot.end + self.at } });
            Ok(())
        });
        debug_assert!(walk.is_ok(), "the walk over the line has checked it");
        Some(())
    }

    fn misplaced(self) -> Slot {
        Slot { at: self.at, end: self.end | MISPLACED }
    }
}

/// The wanted values of some lines.
#[derive(Debug, Default)]
pub(super) struct Records {
    slots: Vec<Slot>,
    /// Kept from line to line; all of them must be read for one shape.
    trail: Trail,
}

impl Records {
    /// Forgets all lines.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
    }

    /// Walks through a whole line whose first byte is `{`, and keeps what `shape` wants of it. Gives where the line's record
    /// begins.
    pub(super) fn read(&mut self, walker: &mut Walker<'_>, shape: &Shape) -> Result<usize, Fault> {
        self.trail.begin_line(shape.objects);
        let base = self.slots.len();
        self.slots.resize(base + usize::from(shape.record.slots), Slot::NONE);
        self.object(walker, &shape.record.object, base, 1)?;
        walker.end()?;
        Ok(base)
    }

    /// A slot of the record that begins at `base`.
    #[inline(always)]
    pub(super) fn get(&self, base: usize, slot: u16) -> Slot {
        self.slots[base + usize::from(slot)]
    }

    /// The records of an array's elements, in order, whose first one the slot leads to.
    pub(super) fn elements(&self, base: usize, head: u16) -> impl Iterator<Item = usize> {
        let first = self.get(base, head).at as usize;
        std::iter::successors(Some(first), |&at| Some(self.slots[at].at as usize)).take_while(|&at| at != 0)
    }

    /// `depth` objects and arrays are open inside of the object whose brace comes next, itself among them.
    fn object(&mut self, walker: &mut Walker<'_>, object: &Object, base: usize, depth: u32) -> Result<(), Fault> {
        let Some(start) = self.trail.begin(object.number) else {
            return self.plain_object(walker, object, base, depth);
        };
        let (mut place, mut met, mut missed) = (start, 0, 0);
        // A bit for each wanted member that has been there.
        let mut seen = 0;
        loop {
            let next = match self.trail.members(place, walker.rest()) {
                // A null would have to take back what a member of the same name has left.
                Some((behind, length, members)) if members.nulls & seen == 0 => {
                    walker.pass(length);
                    place = behind;
                    met += 1;
                    members.next
                }
                _ => {
                    let at = walker.at();
                    let members = self.explore(walker, object, place, place == start, seen, depth)?;
                    place = self.trail.learn_members(place, object.number, walker.since(at), members);
                    missed += 1;
                    members.next
                }
            };
            match next {
                Next::Unwanted => self.trail.skip(walker, place, depth)?,
                Next::Wanted(member) => {
                    seen |= bit(member);
                    self.member(walker, &object.members[usize::from(member)], base, depth)?;
                }
                Next::Nothing => break,
            }
        }
        self.trail.end(object.number, met, missed);
        Ok(())
    }

    /// Walks through members, from an object's brace or from behind a member's value, up to the first value that may say
    /// something: that is where a run may end.
    #[cold]
    #[inline(never)]
    fn explore(
        &mut self,
        walker: &mut Walker<'_>,
        object: &Object,
        place: Place,
        is_first: bool,
        seen: u64,
        depth: u32,
    ) -> Result<Members, Fault> {
        let (at, mut nulls) = (walker.at(), 0);
        let mut is_there = if is_first { walker.open_object() } else { walker.next_member()? };
        while is_there {
            let member = walker.name()?.plain(|name| object.find(name));
            let own = member.map_or(0, bit);
            let says_nothing = match (walker.is_at_word(), member) {
                (true, None) => true,
                (true, Some(_)) => walker.rest()[0] == b'n' && own & !seen != 0,
                (false, _) => false,
            };
            if !says_nothing || !self.trail.holds_words(place, walker.at() - at) {
                return Ok(Members { next: member.map_or(Next::Unwanted, Next::Wanted), nulls });
            }
            walker.skip(depth)?;
            nulls |= own;
            is_there = walker.next_member()?;
        }
        Ok(Members { next: Next::Nothing, nulls })
    }

    /// The same where the order of members says nothing.
    #[inline(never)]
    fn plain_object(&mut self, walker: &mut Walker<'_>, object: &Object, base: usize, depth: u32) -> Result<(), Fault> {
        let anywhere = self.trail.anywhere(object.number);
        let mut is_there = walker.open_object();
        while is_there {
            match walker.name()?.plain(|name| object.find(name)) {
                None => self.trail.skip(walker, anywhere, depth)?,
                Some(member) => self.member(walker, &object.members[usize::from(member)], base, depth)?,
            }
            is_there = walker.next_member()?;
        }
        Ok(())
    }

    #[inline(always)]
    fn member(&mut self, walker: &mut Walker<'_>, member: &Member, base: usize, depth: u32) -> Result<(), Fault> {
        if let Inside::Nothing = member.inside {
            self.slots[base + usize::from(member.slot)] = value(walker, depth)?;
            return Ok(());
        }
        self.nested(walker, member, base, depth)
    }

    fn nested(&mut self, walker: &mut Walker<'_>, member: &Member, base: usize, depth: u32) -> Result<(), Fault> {
        let place = base + usize::from(member.slot);
        let first_byte = walker.peek_token();
        match &member.inside {
            Inside::Nothing => unreachable!("a plain value is taken at once"),
            Inside::Object(object, slots) => {
                if !self.slots[place].is_none() {
                    // The same name again: only the last one counts.
                    self.set_all(base, slots, Slot::NONE);
                }
                if first_byte == b'{' {
                    let at = walker.at();
                    self.object(walker, object, base, depth + 1)?;
                    self.slots[place] = span(at, walker.at());
                } else {
                    let value = value(walker, depth)?;
                    self.slots[place] = value;
                    if !value.is_none() {
                        self.set_all(base, slots, value.misplaced());
                    }
                }
            }
            Inside::List(head, record) => {
                self.slots[base + usize::from(*head)] = Slot::NONE;
                if first_byte == b'[' {
                    let at = walker.at();
                    self.list(walker, record, base + usize::from(*head), depth + 1)?;
                    self.slots[place] = span(at, walker.at());
                } else {
                    self.slots[place] = value(walker, depth)?;
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

    /// Adds a record for each element and links it to the one before, the first one to `link`.
    fn list(&mut self, walker: &mut Walker<'_>, shape: &Record, mut link: usize, depth: u32) -> Result<(), Fault> {
        walker.each_element(|walker| {
            let base = self.slots.len();
            self.slots[link].at = base as u32;
            link = base;
            self.slots.resize(base + usize::from(shape.slots), Slot::NONE);
            let at = walker.at();
            if !shape.object.is_empty() && walker.peek_token() == b'{' {
                self.object(walker, &shape.object, base, depth + 1)?;
                self.slots[base + usize::from(OWN)] = span(at, walker.at());
            } else {
                let value = value(walker, depth)?;
                self.slots[base + usize::from(OWN)] = value;
                if !value.is_none() {
                    self.set_all(base, &shape.object.slots(), value.misplaced());
                }
            }
            Ok(())
        })
    }
}

/// The bit of a wanted member. Some share one where there are more than 64: what one has done then counts for all of them.
#[inline(always)]
fn bit(member: u8) -> u64 {
    1 << (member % 64)
}

/// Takes the value that comes next, inside `depth` open objects and arrays.
#[inline(always)]
fn value(walker: &mut Walker<'_>, depth: u32) -> Result<Slot, Fault> {
    // White space may be left where the same run came with less of it before.
    let first_byte = walker.peek_token();
    let at = walker.at();
    if first_byte == b'"' {
        let escaped = walker.skip_text()?;
        let mut slot = span(at, walker.at());
        slot.end |= if escaped { ESCAPED } else { 0 };
        return Ok(slot);
    }
    walker.skip(depth)?;
    let slot = span(at, walker.at());
    // Only null begins with an n: the walk has checked the word.
    Ok(if first_byte == b'n' { Slot::NONE } else { slot })
}

#[inline(always)]
fn span(at: usize, end: usize) -> Slot {
    Slot { at: at as u32, end: end as u32 }
}
