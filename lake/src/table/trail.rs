//! What stood behind what in the lines before: programs write names, commas, braces and words such as `null` in one order,
//! nearly always. Such a run of bytes, from behind one value up to the next, is remembered as a whole and compared with what
//! comes next in a few instructions, so that it need be neither cut into its parts nor looked up.
//!
//! A run leads from one state of the walk to another, and it is expected only where it led from before; the same bytes in the
//! same state come to the same. So what is remembered changes how fast a line is walked through, never what comes of it.

use std::collections::HashMap;

use crate::tweet::walk::{Fault, MAX_DEPTH, Nest, Walker};

/// Bytes of a run that are compared at once.
const BLOCK: usize = 16;
/// A run ends before the first value behind so many bytes.
const LONG: usize = 128;
/// Runs that are remembered; then all are forgotten.
const MOST: usize = 4096;
/// Runs that are expected in one place.
const CHOICES: usize = 6;
/// A place where so many more came is one of words that vary: runs from there end before the first one.
const TOO_MANY: u8 = 2;
/// What a run that came unexpected costs, in runs that were met: to compare in vain, and to take it apart all the same.
const MISSED: i32 = 8;
/// Values that are walked through without, at most, before the next try: v2 writes some objects in ever new orders.
const PAUSE: i32 = 256;
const MOST_TRUST: i32 = 256;
/// Open levels above which nothing is remembered: the same bytes may be too deep in one place and not in another.
const DEEP: u32 = 32;

/// A place behind a run that was met, or where an object begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place(u16);

/// A place of which nothing is remembered.
const NOWHERE: Place = Place(u16::MAX);

/// What a run begins in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum From {
    /// The wanted object of this number: at its brace, or behind the value of one of its members.
    Object(usize),
    /// A value that nobody wants. The place behind the run before tells objects apart whose members have the same names.
    Skipped(Nest, Place),
}

/// What comes next behind a run of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A value that nobody wants.
    Unwanted,
    /// The value of this one of the object's wanted members.
    Wanted(u8),
    /// What stands behind the whole value: the run has left it.
    Nothing,
}

/// What a run of members comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Members {
    pub(super) next: Next,
    /// One bit for each of the object's wanted members: whether it was null within the run.
    pub(super) nulls: u64,
}

/// Bytes to compare, and all bits of those that count.
#[derive(Debug, Clone, Copy)]
struct Block {
    bytes: u128,
    mask: u128,
}

/// What is looked at where a run is met; as long as a line of a processor's cache.
#[derive(Debug)]
#[repr(align(64))]
struct Run {
    first: Block,
    /// How many blocks follow the first one, and where.
    more: u8,
    more_at: u32,
    /// Bytes of all of them.
    length: u16,
    /// Whether it begins before a value that nobody wants: runs from before and from behind it are expected in one place.
    is_value: bool,
    /// Runs that came behind this one, then [`NOWHERE`].
    next: [Place; CHOICES],
    /// Where a value begins that comes behind this one and is not wanted.
    inside: Place,
    comes: Next,
    nulls: u64,
}

/// The rest of what is known of a run.
#[derive(Debug)]
struct Notes {
    /// What a value that nobody wants comes to.
    nest: Nest,
    /// Runs that came although there were as many as are expected in one place.
    overflow: u8,
    /// Runs from here end before the first word.
    varies: bool,
    /// Whether runs are expected at all in what begins here.
    trust: Trust,
}

#[derive(Debug, Clone, Copy, Default)]
struct Trust(i16);

impl Trust {
    #[inline(always)]
    fn begin(&mut self) -> bool {
        let pays = self.0 >= 0;
        self.0 += i16::from(!pays);
        pays
    }

    #[inline(always)]
    fn end(&mut self, met: i32, missed: i32) {
        self.0 = (i32::from(self.0) + met - MISSED * missed).clamp(-PAUSE, MOST_TRUST) as i16;
    }
}

/// What has been remembered.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// The first ones stand for the beginnings of objects.
    runs: Vec<Run>,
    notes: Vec<Notes>,
    blocks: Vec<Block>,
    known: HashMap<(From, Box<[u8]>), Place>,
}

impl Trail {
    /// Makes room for objects with numbers below this, before a line.
    #[inline(always)]
    pub(super) fn begin_line(&mut self, objects: usize) {
        if self.runs.is_empty() || self.runs.len() >= MOST {
            self.begin_anew(objects);
        }
    }

    #[cold]
    fn begin_anew(&mut self, objects: usize) {
        *self = Trail::default();
        let to = Members { next: Next::Nothing, nulls: 0 };
        (0..objects).for_each(|_| _ = self.add(&[], false, to, Nest::default()));
    }

    /// Where an object begins; `None` where its members should not be expected at present.
    #[inline(always)]
    pub(super) fn begin(&mut self, object: usize) -> Option<Place> {
        self.notes[object].trust.begin().then_some(Place(object as u16))
    }

    /// Judges by an object that has been walked through.
    #[inline(always)]
    pub(super) fn end(&mut self, object: usize, met: i32, missed: i32) {
        self.notes[object].trust.end(met, missed);
    }

    /// The place that stands for all places in an object whose members are not expected.
    pub(super) fn anywhere(&self, object: usize) -> Place {
        Place(object as u16)
    }

    /// The run that comes next.
    #[inline(always)]
    fn meet(&self, place: Place, is_value: bool, rest: &[u8]) -> Option<(Place, &Run)> {
        let here = self.runs.get(place.index())?;
        let next = here.next[0];
        let run = self.runs.get(next.index())?;
        if self.is_next(run, is_value, rest) { Some((next, run)) } else { self.meet_another(here, is_value, rest) }
    }

    #[inline(never)]
    fn meet_another(&self, here: &Run, is_value: bool, rest: &[u8]) -> Option<(Place, &Run)> {
        for &next in &here.next[1..] {
            let run = self.runs.get(next.index())?;
            if self.is_next(run, is_value, rest) {
                return Some((next, run));
            }
        }
        None
    }

    #[inline(always)]
    fn is_next(&self, run: &Run, is_value: bool, rest: &[u8]) -> bool {
        if run.is_value != is_value {
            return false;
        }
        match rest.split_first_chunk() {
            Some((first, rest)) => run.first.is(first) && (run.more == 0 || self.is_more(run, rest)),
            // Only the last block counts for less than it has.
            None => is_end(&run.first, rest),
        }
    }

    #[inline(always)]
    fn is_more(&self, run: &Run, mut rest: &[u8]) -> bool {
        for block in &self.blocks[run.more_at as usize..][..usize::from(run.more)] {
            match rest.split_first_chunk() {
                Some((bytes, behind)) if block.is(bytes) => rest = behind,
                Some(_) => return false,
                None => return is_end(block, rest),
            }
        }
        true
    }

    /// The run of members that comes next in an object: its place, its bytes, and what it comes to.
    #[inline(always)]
    pub(super) fn members(&self, place: Place, rest: &[u8]) -> Option<(Place, usize, Members)> {
        let (next, run) = self.meet(place, false, rest)?;
        Some((next, run.length.into(), Members { next: run.comes, nulls: run.nulls }))
    }

    /// Whether a run from here may hold another word, such as null, behind so many bytes.
    pub(super) fn holds_words(&self, place: Place, bytes: usize) -> bool {
        bytes < LONG && self.notes.get(place.index()).is_some_and(|notes| !notes.varies)
    }

    /// Remembers a run of members that came unexpected.
    #[cold]
    #[inline(never)]
    pub(super) fn learn_members(&mut self, place: Place, object: usize, bytes: &[u8], to: Members) -> Place {
        self.learn(place, From::Object(object), bytes, to, Nest::default())
    }

    #[cold]
    fn learn_skipped(&mut self, place: Place, from: Nest, bytes: &[u8], nest: Nest) -> Place {
        let opened = bytes.iter().filter(|&&byte| matches!(byte, b'{' | b'[')).count();
        if from.depth() as usize + opened > (MAX_DEPTH - DEEP) as usize {
            return NOWHERE;
        }
        let next = if nest.is_done() { Next::Nothing } else { Next::Unwanted };
        // Members stand in an order. What closes something ends that: each element of an array comes to the same places.
        let before = if bytes[0] == b',' && from.in_object() { place } else { NOWHERE };
        self.learn(place, From::Skipped(from, before), bytes, Members { next, nulls: 0 }, nest)
    }

    fn learn(&mut self, place: Place, from: From, bytes: &[u8], to: Members, nest: Nest) -> Place {
        if bytes.len() > 2 * LONG || place == NOWHERE {
            return NOWHERE;
        }
        let next = match self.known.get(&(from, bytes.into())) {
            Some(&next) => next,
            None if self.runs.len() >= MOST => return NOWHERE,
            None => {
                let is_value = matches!(from, From::Skipped(from, _) if from.is_before_value());
                let next = self.add(bytes, is_value, to, nest);
                self.known.insert((from, bytes.into()), next);
                next
            }
        };
        self.expect(place, next);
        next
    }

    fn add(&mut self, bytes: &[u8], is_value: bool, to: Members, nest: Nest) -> Place {
        let place = Place(self.runs.len() as u16);
        let (first, more) = bytes.split_at(bytes.len().min(BLOCK));
        let more_at = self.blocks.len();
        self.blocks.extend(more.chunks(BLOCK).map(Block::new));
        self.runs.push(Run {
            first: Block::new(first),
            more: (self.blocks.len() - more_at) as u8,
            more_at: more_at as u32,
            length: bytes.len() as u16,
            is_value,
            next: [NOWHERE; CHOICES],
            inside: NOWHERE,
            comes: to.next,
            nulls: to.nulls,
        });
        self.notes.push(Notes { nest, overflow: 0, varies: false, trust: Trust::default() });
        place
    }

    /// From now on `next` is expected behind `place`, too.
    fn expect(&mut self, place: Place, next: Place) {
        let (run, notes) = (&mut self.runs[place.index()], &mut self.notes[place.index()]);
        if let Some(free) = run.next.iter_mut().find(|choice| **choice == next || **choice == NOWHERE) {
            *free = next;
            return;
        }
        notes.overflow = notes.overflow.wrapping_add(1);
        if notes.overflow == TOO_MANY && !notes.varies {
            notes.varies = true;
            run.next = [NOWHERE; CHOICES];
            run.next[0] = next;
        } else {
            run.next[usize::from(notes.overflow) % CHOICES] = next;
        }
    }

    /// Skips the value that comes next behind a place, inside `outer` open objects and arrays.
    #[inline(always)]
    pub(super) fn skip(&mut self, walker: &mut Walker<'_>, place: Place, outer: u32) -> Result<(), Fault> {
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
}

impl Place {
    #[inline(always)]
    fn index(self) -> usize {
        self.0.into()
    }
}

impl Block {
    fn new(part: &[u8]) -> Block {
        let (mut bytes, mut mask) = ([0; BLOCK], [0; BLOCK]);
        bytes[..part.len()].copy_from_slice(part);
        mask[..part.len()].fill(0xff);
        Block { bytes: u128::from_ne_bytes(bytes), mask: u128::from_ne_bytes(mask) }
    }

    #[inline(always)]
    fn is(&self, bytes: &[u8; BLOCK]) -> bool {
        (u128::from_ne_bytes(*bytes) ^ self.bytes) & self.mask == 0
    }
}

/// Whether a block is met near the end of a line, where there are fewer bytes than it has.
#[inline(never)]
fn is_end(block: &Block, rest: &[u8]) -> bool {
    let mut bytes = [0; BLOCK];
    bytes[..rest.len()].copy_from_slice(rest);
    block.is(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Skips a value as a member of the object with number 0; how many bytes it was.
    fn skip(trail: &mut Trail, value: &str, outer: u32) -> Result<usize, Fault> {
        trail.begin_line(1);
        let mut walker = Walker::new(value.as_bytes());
        trail.skip(&mut walker, trail.anywhere(0), outer).map(|()| walker.at())
    }

    fn plain(value: &str, outer: u32) -> Result<usize, Fault> {
        let mut walker = Walker::new(value.as_bytes());
        walker.skip(outer).map(|()| walker.at())
    }

    fn trust(trail: &Trail) -> i16 {
        trail.notes[trail.runs[0].inside.index()].trust.0
    }

    #[test]
    fn what_comes_as_before_is_met_in_one_run_between_two_values() {
        let mut trail = Trail::default();
        let value = |n: u32| format!(r#"{{"a":[],"id":{n},"b":{{"c":null,"d":false}},"text":"{n}","e":true}}"#);
        assert_eq!(skip(&mut trail, &value(1), 1), Ok(value(1).len()));
        let (runs, missed) = (trail.runs.len(), trust(&trail));
        for n in 2..10 {
            assert_eq!(skip(&mut trail, &value(n), 1), Ok(value(n).len()));
        }
        assert_eq!(trail.runs.len(), runs);
        trail.notes.iter_mut().for_each(|notes| notes.trust.0 = 0);
        assert_eq!(skip(&mut trail, &value(10), 1), Ok(value(10).len()));
        assert_eq!((trust(&trail), missed), (3, 3 * -MISSED as i16), "three runs around two values");
    }

    #[test]
    fn elements_of_an_array_come_to_the_same_runs_however_many_there_are() {
        let mut trail = Trail::default();
        let value = |elements: usize| {
            let element = r#"{"domain":{"id":"10","name":"a"},"entity":{"id":"7","name":"b"}}"#;
            format!("[{}]", vec![element; elements].join(","))
        };
        for elements in [3, 1] {
            assert_eq!(skip(&mut trail, &value(elements), 1), Ok(value(elements).len()));
        }
        let runs = trail.runs.len();
        trail.notes.iter_mut().for_each(|notes| notes.trust.0 = 0);
        assert_eq!(skip(&mut trail, &value(40), 1), Ok(value(40).len()));
        assert_eq!((trail.runs.len(), trust(&trail)), (runs, 4 * 40 + 1));
    }

    #[test]
    fn words_that_vary_are_walked_through_by_themselves() {
        let mut trail = Trail::default();
        let value = |n: u32| {
            let word = |bit: u32| if n >> bit & 1 == 0 { "false" } else { "true" };
            let words: Vec<String> = (0..16).map(|bit| format!(r#""w{bit}":{}"#, word(bit))).collect();
            format!(r#"{{"id":{n},{}}}"#, words.join(","))
        };
        for n in (0..2000).map(|n: u32| n.wrapping_mul(0x9e37_79b1) >> 16) {
            trail.notes.iter_mut().for_each(|notes| notes.trust.0 = 0);
            assert_eq!(skip(&mut trail, &value(n), 1), Ok(value(n).len()));
        }
        assert!(trust(&trail) > 0, "the last one was not met");
        assert!(trail.runs.len() < 400, "{} runs for 2000 values", trail.runs.len());
    }

    #[test]
    fn what_resembles_a_value_is_let_through_only_where_it_is_one() {
        let values = [
            r#"{"a":1,"b":[2,3],"c":{"d":null,"e":"f"},"g":[],"h":[[4],[]],"i":true}"#,
            r#"{"a":1,"b":[],"c":{},"g":[5,6],"h":[[],[4]],"i":false}"#,
            r#"{ "a" : 1 , "b" : [ 2 , 3 ] , "c" : { } , "i" : null }"#,
        ];
        let mut trail = Trail::default();
        let mut check = |value: &str| {
            trail.notes.iter_mut().for_each(|notes| notes.trust.0 = 0);
            assert_eq!(skip(&mut trail, value, 1), plain(value, 1), "{value}");
        };
        values.iter().chain(&values).for_each(|value| check(value));
        for value in values {
            for at in 1..value.len() {
                for piece in
                    ["", "{", "}", "[", "]", ",", ":", "\"", "7", "-", "n", "null", " ", "\t ", "[]", "{\"a\":"]
                {
                    check(&format!("{}{piece}{}", &value[..at], &value[at..]));
                    check(&format!("{}{piece}{}", &value[..at], &value[at + 1..]));
                }
                check(value);
            }
        }
    }

    #[test]
    fn what_is_too_deep_in_one_place_is_not_let_through_because_it_was_not_in_another() {
        let mut trail = Trail::default();
        for depth in [1, 60, 90, 94, 95, 96, 100, 125, 126, 127] {
            let value = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
            let wide = format!("[{value},{}]", r#"{"a":"#.repeat(depth - 1) + "2" + &"}".repeat(depth - 1));
            for outer in [0, 1, 2, 31, 32, 33, 100, 1, 127] {
                for value in [&value, &wide] {
                    assert_eq!(skip(&mut trail, value, outer), plain(value, outer), "{depth} levels in {outer}");
                }
            }
        }
    }

    #[test]
    fn a_value_without_an_order_is_tried_now_and_then() {
        let mut trail = Trail::default();
        let mut tried = 0;
        for n in 0..2000 {
            let value = format!(r#"{{"a{n}":1,"b{n}":2,"c{n}":3}}"#);
            let runs = trail.runs.len();
            assert_eq!(skip(&mut trail, &value, 1), Ok(value.len()));
            tried += usize::from(trail.runs.len() > runs);
        }
        assert!((5..200).contains(&tried), "tried {tried} times");
    }

    #[test]
    fn when_too_much_is_remembered_all_of_it_is_forgotten() {
        let mut trail = Trail::default();
        for n in 0..3 * MOST {
            let value = format!(r#"{{"a{n}":1,"b{n}":{{"c{n}":"x"}}}}"#);
            assert_eq!(skip(&mut trail, &value, 1), Ok(value.len()));
            trail.notes.iter_mut().for_each(|notes| notes.trust.0 = 0);
            assert!(trail.runs.len() <= MOST);
        }
        let many: String = (0..MOST).map(|n| format!(r#""a{n}":{n},"#)).collect();
        let value = format!(r#"{{{many}"z":0}}"#);
        assert_eq!(skip(&mut trail, &value, 1), Ok(value.len()));
        assert_eq!(skip(&mut trail, r#"{"a":1}"#, 1), Ok(7));
    }

    #[test]
    fn the_end_of_a_line_is_met_as_well() {
        let mut trail = Trail::default();
        for value in [r#"{"a":1}"#, r#"{"a":1,"and some more":null}"#] {
            assert_eq!(skip(&mut trail, value, 1), Ok(value.len()));
            trail.notes.iter_mut().for_each(|notes| notes.trust.0 = 0);
            assert_eq!(skip(&mut trail, value, 1), Ok(value.len()));
            assert_eq!(trust(&trail), 2);
            for end in 0..value.len() {
                assert_eq!(skip(&mut trail, &value[..end], 1), plain(&value[..end], 1));
            }
        }
    }
}
