//! Skips values that no column selects: strings and numbers are parsed, the bytes between them are matched with
//! fragments.

use super::{Context, Effect, FragmentId, MAX_FRAGMENTS, NextValue, SPLIT_BYTES, Speculation, UNKNOWN};
use crate::tweet::cursor::{JsonCursor, MAX_DEPTH, Parsed};
use crate::tweet::nesting::NestingStack;

/// Nothing is learned inside more open levels than this: the same bytes may exceed [`MAX_DEPTH`] in one place only.
const MAX_OUTER_DEPTH: u32 = 32;

impl Speculation {
    /// Skips the next value, inside `outer` open objects and arrays.
    #[inline(always)]
    pub(in crate::table) fn skip(&mut self, cursor: &mut JsonCursor<'_>, previous: FragmentId, outer: u32) -> Parsed {
        match cursor.rest() {
            [b'{' | b'[', ..] => self.skip_nested(cursor, previous, outer),
            _ => {
                // The fragment matched, and more white space follows than when it was learned.
                cursor.peek_token();
                cursor.skip(outer)
            }
        }
    }

    fn skip_nested(&mut self, cursor: &mut JsonCursor<'_>, previous: FragmentId, outer: u32) -> Parsed {
        let start = self.value_start(previous);
        if outer > MAX_OUTER_DEPTH
            || !self.metadata.get_mut(start.index()).is_some_and(|metadata| metadata.confidence.allows())
        {
            return cursor.skip(outer);
        }
        let (mut previous, mut hits, mut misses) = (start, 0, 0);
        let mut is_before_value = true;
        loop {
            if let Some((id, fragment)) = self.find(previous, is_before_value, cursor.rest()) {
                cursor.advance(fragment.length.into());
                previous = id;
                hits += 1;
                if fragment.next == NextValue::End {
                    break;
                }
            } else {
                let mut nesting = self.metadata[previous.index()].nesting;
                if !is_before_value {
                    nesting.leave_value();
                }
                previous = self.parse_fragment(cursor, previous, &mut nesting, outer)?;
                misses += 1;
                if nesting.is_done() {
                    break;
                }
            }
            is_before_value = !cursor.skip_string_or_number()?;
        }
        self.metadata[start.index()].confidence.record(hits, misses);
        Ok(())
    }

    /// The state at the beginning of a value that follows a fragment.
    #[inline(always)]
    fn value_start(&mut self, previous: FragmentId) -> FragmentId {
        let start = self.fragments.get(previous.index()).map_or(UNKNOWN, |fragment| fragment.value_start);
        if start == UNKNOWN { self.add_value_start(previous) } else { start }
    }

    #[cold]
    fn add_value_start(&mut self, previous: FragmentId) -> FragmentId {
        if previous == UNKNOWN || self.fragments.len() >= MAX_FRAGMENTS {
            return UNKNOWN;
        }
        let effect = Effect { next: NextValue::End, nulls: 0 };
        let start = self.add(&[], false, effect, NestingStack::default());
        self.fragments[previous.index()].value_start = start;
        start
    }

    /// Parses up to where a fragment may end, and learns it. Where it cannot be learned, parses to the end of the
    /// value.
    #[cold]
    #[inline(never)]
    fn parse_fragment(
        &mut self,
        cursor: &mut JsonCursor<'_>,
        previous: FragmentId,
        nesting: &mut NestingStack,
        outer: u32,
    ) -> Parsed<FragmentId> {
        if nesting.is_before_value() {
            // The fragment matched, and more white space follows than when it was learned.
            cursor.peek_token();
        }
        let (at, before) = (cursor.at(), *nesting);
        let takes_literals = self.may_extend(previous, 0);
        loop {
            cursor.step(nesting, outer)?;
            let ends = nesting.is_before_value()
                && (cursor.is_at_string_or_number()
                    || !takes_literals && cursor.is_at_literal()
                    || cursor.at() - at > SPLIT_BYTES);
            if ends || nesting.is_done() {
                break;
            }
        }
        let id = self.learn_skipped(previous, before, cursor.since(at), *nesting);
        while id == UNKNOWN && !nesting.is_done() {
            cursor.step(nesting, outer)?;
        }
        Ok(id)
    }

    /// Learns a fragment of a skipped value, unless its brackets could exceed [`MAX_DEPTH`] somewhere else.
    #[cold]
    fn learn_skipped(
        &mut self,
        previous: FragmentId,
        before: NestingStack,
        bytes: &[u8],
        nesting: NestingStack,
    ) -> FragmentId {
        let opened = bytes.iter().filter(|&&byte| matches!(byte, b'{' | b'[')).count();
        if before.depth() as usize + opened > (MAX_DEPTH - MAX_OUTER_DEPTH) as usize {
            return UNKNOWN;
        }
        let next = if nesting.is_done() { NextValue::End } else { NextValue::Skipped };
        // The members of an object follow one another in an order. A closing bracket ends it, so that all elements of
        // an array share their fragments.
        let predecessor = if bytes[0] == b',' && before.in_object() { previous } else { UNKNOWN };
        self.learn(previous, Context::Skipped(before, predecessor), bytes, Effect { next, nulls: 0 }, nesting)
    }
}
