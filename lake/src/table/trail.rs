//! What stood behind what in the lines before: programs write names, commas, braces and words such as `null` in one order,
//! nearly always. Such a run of bytes, from behind one value up to the next, is remembered as a whole and compared with what
//! comes next in a few instructions, so that it need be neither cut into its parts nor looked up.
//!
//! A run leads from one state of the walk to another, and it is expected only where it led from before; the same bytes in the
//! same state come to the same. So what is remembered changes how fast a line is walked through, never what comes of it.

mod run;
mod skip;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::tweet::nest::Nest;
use run::{BLOCK, Block, CHOICES, NOWHERE, Run, is_end};
pub(super) use run::{Members, Next, Place};

/// A run ends before the first value behind so many bytes.
const LONG: usize = 128;
/// Runs that are remembered; then all are forgotten.
const MOST: usize = 4096;
/// A place where so many more came is one of words that vary: runs from there end before the first one.
const TOO_MANY: u8 = 2;
/// What a run that came unexpected costs, in runs that were met: to compare in vain, and to take it apart all the same.
const MISSED: i32 = 8;
/// Values that are walked through without, at most, before the next try: v2 writes some objects in ever new orders.
const PAUSE: i32 = 256;
const MOST_TRUST: i32 = 256;

/// What a run begins in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Beginning {
    /// The wanted object of this number: at its brace, or behind the value of one of its members.
    Object(usize),
    /// A value that nobody wants. The place behind the run before tells objects apart whose members have the same names.
    Skipped(Nest, Place),
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

/// Below 0 it does not pay at present to expect runs; each value that is walked through without brings the next try nearer.
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
    known: HashMap<(Beginning, Box<[u8]>), Place>,
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

    /// Remembers a run of members that came unexpected; gives the place behind it.
    #[cold]
    #[inline(never)]
    pub(super) fn learn_members(&mut self, place: Place, object: usize, bytes: &[u8], to: Members) -> Place {
        self.learn(place, Beginning::Object(object), bytes, to, Nest::default())
    }

    fn learn(&mut self, place: Place, from: Beginning, bytes: &[u8], to: Members, nest: Nest) -> Place {
        if bytes.len() > 2 * LONG || place == NOWHERE {
            return NOWHERE;
        }
        let next = match self.known.get(&(from, bytes.into())) {
            Some(&next) => next,
            None if self.runs.len() >= MOST => return NOWHERE,
            None => {
                let is_value = matches!(from, Beginning::Skipped(from, _) if from.is_before_value());
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
}
