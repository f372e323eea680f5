//! Speculative structure matching: programs write the names, commas, braces and literals of an object in nearly always
//! the same order, so the decoder remembers the bytes between two values as one *fragment* and compares it with the
//! input in a few instructions, instead of tokenizing it and looking up each name. The idea is Mison's (Li et al., VLDB
//! 2017).
//!
//! A fragment leads from one parser state to another and is tried only in the state that it was learned in, where the
//! same bytes always have the same effect. Speculation therefore changes how fast a line is parsed, never the result.

mod fragment;
mod skip;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::tweet::nesting::NestingStack;
use fragment::{BLOCK, Block, Fragment, MAX_SUCCESSORS, UNKNOWN, matches_at_end};
pub(super) use fragment::{Effect, FragmentId, NextValue};

/// A fragment ends at the first value after this many bytes.
const SPLIT_BYTES: usize = 128;
/// Fragments that are kept; when there are more, all are dropped.
const MAX_FRAGMENTS: usize = 4096;
/// Evictions after which the literals behind a fragment count as varying; fragments then end before the first literal.
const MAX_EVICTIONS: u8 = 2;
/// Cost of a miss, in units of one hit: a failed comparison plus a full parse.
const MISS_COST: i32 = 8;
/// Longest pause between two attempts, in values parsed without speculation: v2 writes some objects in ever new orders.
const MAX_PAUSE: i32 = 256;
const MAX_CONFIDENCE: i32 = 256;

/// The parser state in which a fragment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Context {
    /// In the selected object of this number: at its brace, or after the value of a member.
    Object(usize),
    /// In a skipped value. The preceding fragment tells apart objects whose members have the same names.
    Skipped(NestingStack, FragmentId),
}

/// The part of a fragment that matching does not read.
#[derive(Debug)]
struct Metadata {
    /// The nesting of a skipped value after the fragment.
    nesting: NestingStack,
    /// Successors that replaced another one because all were taken.
    evictions: u8,
    /// Fragments from here end before the first literal.
    literals_vary: bool,
    /// Whether to speculate in the value that begins here.
    confidence: Confidence,
}

/// A saturating counter of hits and misses. Below 0 speculation does not pay; each value parsed without it adds one.
#[derive(Debug, Clone, Copy, Default)]
struct Confidence(i16);

impl Confidence {
    #[inline(always)]
    fn allows(&mut self) -> bool {
        let pays = self.0 >= 0;
        self.0 += i16::from(!pays);
        pays
    }

    #[inline(always)]
    fn record(&mut self, hits: i32, misses: i32) {
        self.0 = (i32::from(self.0) + hits - MISS_COST * misses).clamp(-MAX_PAUSE, MAX_CONFIDENCE) as i16;
    }
}

/// The fragments learned so far.
#[derive(Debug, Default)]
pub(super) struct Speculation {
    /// The first ones are empty and stand for the beginnings of objects.
    fragments: Vec<Fragment>,
    metadata: Vec<Metadata>,
    blocks: Vec<Block>,
    by_bytes: HashMap<(Context, Box<[u8]>), FragmentId>,
}

impl Speculation {
    /// Prepares for a line of a shape with this many objects. Call it before each line.
    #[inline(always)]
    pub(super) fn begin_line(&mut self, objects: usize) {
        if self.fragments.is_empty() || self.fragments.len() >= MAX_FRAGMENTS {
            self.reset(objects);
        }
    }

    #[cold]
    fn reset(&mut self, objects: usize) {
        *self = Speculation::default();
        let effect = Effect { next: NextValue::End, nulls: 0 };
        (0..objects).for_each(|_| _ = self.add(&[], false, effect, NestingStack::default()));
    }

    /// Begins an object; `None` where speculation does not pay at present.
    #[inline(always)]
    pub(super) fn enter(&mut self, object: usize) -> Option<FragmentId> {
        self.metadata[object].confidence.allows().then_some(FragmentId(object as u16))
    }

    /// Ends an object and updates the confidence in it.
    #[inline(always)]
    pub(super) fn leave(&mut self, object: usize, hits: i32, misses: i32) {
        self.metadata[object].confidence.record(hits, misses);
    }

    /// The state that stands for all states of an object whose members are parsed without speculation.
    pub(super) fn any_state(&self, object: usize) -> FragmentId {
        FragmentId(object as u16)
    }

    /// The fragment that `rest` begins with, among the successors of `previous`.
    #[inline(always)]
    fn find(&self, previous: FragmentId, is_value: bool, rest: &[u8]) -> Option<(FragmentId, &Fragment)> {
        let previous = self.fragments.get(previous.index())?;
        let id = previous.successors[0];
        let fragment = self.fragments.get(id.index())?;
        if self.matches(fragment, is_value, rest) {
            Some((id, fragment))
        } else {
            self.find_other(previous, is_value, rest)
        }
    }

    #[inline(never)]
    fn find_other(&self, previous: &Fragment, is_value: bool, rest: &[u8]) -> Option<(FragmentId, &Fragment)> {
        for &id in &previous.successors[1..] {
            let fragment = self.fragments.get(id.index())?;
            if self.matches(fragment, is_value, rest) {
                return Some((id, fragment));
            }
        }
        None
    }

    #[inline(always)]
    fn matches(&self, fragment: &Fragment, is_value: bool, rest: &[u8]) -> bool {
        if fragment.is_value != is_value {
            return false;
        }
        match rest.split_first_chunk() {
            Some((first, rest)) => {
                fragment.first.matches(first) && (fragment.more == 0 || self.matches_more(fragment, rest))
            }
            // Only the last block of a fragment is shorter than a block.
            None => matches_at_end(&fragment.first, rest),
        }
    }

    #[inline(always)]
    fn matches_more(&self, fragment: &Fragment, mut rest: &[u8]) -> bool {
        for block in &self.blocks[fragment.more_at as usize..][..usize::from(fragment.more)] {
            match rest.split_first_chunk() {
                Some((bytes, after)) if block.matches(bytes) => rest = after,
                Some(_) => return false,
                None => return matches_at_end(block, rest),
            }
        }
        true
    }

    /// Matches the members that come next in an object: the fragment, its length in bytes, and its effect.
    #[inline(always)]
    pub(super) fn match_members(&self, previous: FragmentId, rest: &[u8]) -> Option<(FragmentId, usize, Effect)> {
        let (id, fragment) = self.find(previous, false, rest)?;
        Some((id, fragment.length.into(), Effect { next: fragment.next, nulls: fragment.nulls }))
    }

    /// Whether a fragment after `previous` that has this many bytes may take in another literal, such as `null`.
    pub(super) fn may_extend(&self, previous: FragmentId, bytes: usize) -> bool {
        bytes < SPLIT_BYTES && self.metadata.get(previous.index()).is_some_and(|metadata| !metadata.literals_vary)
    }

    /// Learns members that [`match_members`](Self::match_members) did not know; gives the new state.
    #[cold]
    #[inline(never)]
    pub(super) fn learn_members(
        &mut self,
        previous: FragmentId,
        object: usize,
        bytes: &[u8],
        effect: Effect,
    ) -> FragmentId {
        self.learn(previous, Context::Object(object), bytes, effect, NestingStack::default())
    }

    fn learn(
        &mut self,
        previous: FragmentId,
        context: Context,
        bytes: &[u8],
        effect: Effect,
        nesting: NestingStack,
    ) -> FragmentId {
        if bytes.len() > 2 * SPLIT_BYTES || previous == UNKNOWN {
            return UNKNOWN;
        }
        let id = match self.by_bytes.get(&(context, bytes.into())) {
            Some(&id) => id,
            None if self.fragments.len() >= MAX_FRAGMENTS => return UNKNOWN,
            None => {
                let is_value = matches!(context, Context::Skipped(before, _) if before.is_before_value());
                let id = self.add(bytes, is_value, effect, nesting);
                self.by_bytes.insert((context, bytes.into()), id);
                id
            }
        };
        self.add_successor(previous, id);
        id
    }

    fn add(&mut self, bytes: &[u8], is_value: bool, effect: Effect, nesting: NestingStack) -> FragmentId {
        let id = FragmentId(self.fragments.len() as u16);
        let (first, more) = bytes.split_at(bytes.len().min(BLOCK));
        let more_at = self.blocks.len();
        self.blocks.extend(more.chunks(BLOCK).map(Block::new));
        self.fragments.push(Fragment {
            first: Block::new(first),
            more: (self.blocks.len() - more_at) as u8,
            more_at: more_at as u32,
            length: bytes.len() as u16,
            is_value,
            successors: [UNKNOWN; MAX_SUCCESSORS],
            value_start: UNKNOWN,
            next: effect.next,
            nulls: effect.nulls,
        });
        let confidence = Confidence::default();
        self.metadata.push(Metadata { nesting, evictions: 0, literals_vary: false, confidence });
        id
    }

    /// Adds a successor. Where all are taken it replaces one, and where that happens again the literals are taken to
    /// vary.
    fn add_successor(&mut self, previous: FragmentId, id: FragmentId) {
        let (fragment, metadata) = (&mut self.fragments[previous.index()], &mut self.metadata[previous.index()]);
        if let Some(free) = fragment.successors.iter_mut().find(|known| **known == id || **known == UNKNOWN) {
            *free = id;
            return;
        }
        metadata.evictions = metadata.evictions.wrapping_add(1);
        if metadata.evictions == MAX_EVICTIONS && !metadata.literals_vary {
            metadata.literals_vary = true;
            fragment.successors = [UNKNOWN; MAX_SUCCESSORS];
            fragment.successors[0] = id;
        } else {
            fragment.successors[usize::from(metadata.evictions) % MAX_SUCCESSORS] = id;
        }
    }
}
