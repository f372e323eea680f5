//! Values that nobody wants, skipped along a trail: texts and numbers are walked over, and what stands between them is met.

use super::{Beginning, LONG, MOST, Members, NOWHERE, Next, Place, Trail};
use crate::tweet::nest::Nest;
use crate::tweet::walk::{Fault, MAX_DEPTH, Walker};

/// Open levels above which nothing is remembered: the same bytes may be too deep in one place and not in another.
const DEEP: u32 = 32;

impl Trail {
    /// Skips the value that comes next behind a place, inside `outer` open objects and arrays.
    #[inline(always)]
    pub(in crate::table) fn skip(&mut self, walker: &mut Walker<'_>, place: Place, outer: u32) -> Result<(), Fault> {
        match walker.rest() {
            [b'{' | b'[', ..] => self.skip_nested(walker, place, outer),
            _ => {
                // The same run, and more white space than before.
                walker.peek_token();
                walker.skip(outer)
            }
        }
    }

    fn skip_nested(&mut self, walker: &mut Walker<'_>, place: Place, outer: u32) -> Result<(), Fault> {
        let start = self.inside(place);
        if outer > DEEP || !self.notes.get_mut(start.index()).is_some_and(|notes| notes.trust.begin()) {
            return walker.skip(outer);
        }
        let (mut place, mut met, mut missed) = (start, 0, 0);
        let mut is_before_value = true;
        loop {
            if let Some((next, run)) = self.meet(place, is_before_value, walker.rest()) {
                walker.pass(run.length.into());
                place = next;
                met += 1;
                if run.comes == Next::Nothing {
                    break;
                }
            } else {
                let mut nest = self.notes[place.index()].nest;
                if !is_before_value {
                    nest.leave_value();
                }
                place = self.explore(walker, place, &mut nest, outer)?;
                missed += 1;
                if nest.is_done() {
                    break;
                }
            }
            is_before_value = !walker.text_or_number()?;
        }
        self.notes[start.index()].trust.end(met, missed);
        Ok(())
    }

    /// Where a value begins that comes behind a place.
    #[inline(always)]
    fn inside(&mut self, place: Place) -> Place {
        let inside = self.runs.get(place.index()).map_or(NOWHERE, |run| run.inside);
        if inside == NOWHERE { self.begin_inside(place) } else { inside }
    }

    #[cold]
    fn begin_inside(&mut self, place: Place) -> Place {
        if place == NOWHERE || self.runs.len() >= MOST {
            return NOWHERE;
        }
        let inside = self.add(&[], false, Members { next: Next::Nothing, nulls: 0 }, Nest::default());
        self.runs[place.index()].inside = inside;
        inside
    }

    /// Goes on to where a run may end, and remembers it; to the end of the value where it cannot be remembered.
    #[cold]
    #[inline(never)]
    fn explore(&mut self, walker: &mut Walker<'_>, place: Place, nest: &mut Nest, outer: u32) -> Result<Place, Fault> {
        if nest.is_before_value() {
            // The same run, and more white space than before.
            walker.peek_token();
        }
        let (at, from) = (walker.at(), *nest);
        let words = self.holds_words(place, 0);
        loop {
            walker.step(nest, outer)?;
            let ends = nest.is_before_value()
                && (walker.is_at_text_or_number() || !words && walker.is_at_word() || walker.at() - at > LONG);
            if ends || nest.is_done() {
                break;
            }
        }
        let next = self.learn_skipped(place, from, walker.since(at), *nest);
        while next == NOWHERE && !nest.is_done() {
            walker.step(nest, outer)?;
        }
        Ok(next)
    }

    /// Remembers a run that came unexpected in a value that nobody wants; nothing, where it could be too deep elsewhere.
    #[cold]
    fn learn_skipped(&mut self, place: Place, from: Nest, bytes: &[u8], nest: Nest) -> Place {
        let opened = bytes.iter().filter(|&&byte| matches!(byte, b'{' | b'[')).count();
        if from.depth() as usize + opened > (MAX_DEPTH - DEEP) as usize {
            return NOWHERE;
        }
        let next = if nest.is_done() { Next::Nothing } else { Next::Unwanted };
        // Members stand in an order. What closes something ends that: each element of an array comes to the same places.
        let before = if bytes[0] == b',' && from.in_object() { place } else { NOWHERE };
        self.learn(place, Beginning::Skipped(from, before), bytes, Members { next, nulls: 0 }, nest)
    }
}
