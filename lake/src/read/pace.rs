//! How many requests at once pay: measured, not guessed.
//!
//! A store that answers within two milliseconds is near: there a few requests fill the link, and more of them only fight for
//! the processors. A far one is asked for as much at once as its answers need to fill the time until their first byte, and
//! then for twice as much as long as that brings more bytes a second, but only while the reader waits.
//!
//! Pure: times come in as values.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Requests at once to begin with, and for a store that is near.
const START: usize = 4;
/// Most requests at once.
const MOST: usize = 64;
/// A first byte within this time comes from nearby.
const NEAR: Duration = Duration::from_millis(2);
/// How many of the last answers tell how far away the store is. The quickest of them counts: the others waited for a
/// connection or for a processor.
const RECENT: usize = 16;
/// Growth that brings less than this much more bytes a second is taken back.
const WORTH: f64 = 1.1;
/// Rounds until growth is tried again after it brought nothing.
const REST: u32 = 16;

/// One answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// From the request to the answer's head.
    pub(super) first_byte: Duration,
    /// From there to the end of the body.
    pub(super) transfer: Duration,
    /// Length of the body.
    pub(super) bytes: u64,
}

/// The number of requests at once.
#[derive(Debug)]
pub(super) struct Pace {
    limit: usize,
    is_fixed: bool,
    recent: VecDeque<Sample>,
    /// The reader has waited in this round.
    has_waited: bool,
    /// A round is as many answers as there were requests at once.
    round: Round,
    /// Bytes a second of the round before, and the limit that made them.
    best: Option<(f64, usize)>,
    resting: u32,
}

#[derive(Debug, Default)]
struct Round {
    begun: Option<Duration>,
    answers: usize,
    bytes: u64,
}

impl Pace {
    /// Finds out how many pay, or keeps to a given number.
    pub(super) fn new(fixed: Option<NonZeroUsize>) -> Pace {
        Pace {
            limit: fixed.map_or(START, NonZeroUsize::get),
            is_fixed: fixed.is_some(),
            recent: VecDeque::with_capacity(RECENT),
            has_waited: false,
            round: Round::default(),
            best: None,
            resting: 0,
        }
    }

    /// Requests at once.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The reader waits for bytes.
    pub(super) fn waited(&mut self) {
        self.has_waited = true;
    }

    /// An answer is complete; `now` is any clock that does not run backwards.
    pub(super) fn finished(&mut self, now: Duration, sample: Sample) {
        if self.is_fixed {
            return;
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        let is_first = self.recent.is_empty();
        self.recent.push_back(sample);
        let quickest = |part: fn(&Sample) -> Duration| self.recent.iter().map(part).min().unwrap_or_default();
        let (first_byte, transfer) = (quickest(|sample| sample.first_byte), quickest(|sample| sample.transfer));
        if first_byte < NEAR {
            (self.limit, self.best, self.round) = (START, None, Round::default());
            return;
        }
        if is_first && self.has_waited {
            let fill = first_byte.as_secs_f64() / transfer.as_secs_f64().max(1e-6);
            // The conversion saturates, and so does the limit.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is positive and clamped")]
            let wanted = fill.min(1e6) as usize + 1;
            self.limit = wanted.clamp(START, MOST);
        }
        self.round.bytes += sample.bytes;
        self.round.answers += 1;
        let begun = *self.round.begun.get_or_insert(now);
        if self.round.answers > self.limit {
            let rate = self.round.bytes as f64 / (now - begun).as_secs_f64().max(1e-6);
            self.round_ended(rate);
            self.round = Round { begun: Some(now), ..Round::default() };
        }
    }

    fn round_ended(&mut self, rate: f64) {
        // A reader that never waits is served well enough.
        if !std::mem::take(&mut self.has_waited) {
            return;
        }
        if self.resting > 0 {
            self.resting -= 1;
            if self.resting == 0 {
                self.best = None;
            }
            return;
        }
        match self.best {
            Some((best, before)) if rate < best * WORTH => {
                self.limit = before;
                self.resting = REST;
            }
            _ => {
                self.best = Some((rate, self.limit));
                self.limit = (self.limit * 2).min(MOST);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Answers of a store over a link: its limit of bytes a second is shared by all requests, and so is each one's own.
    fn limit_after(answers: usize, first_byte_ms: f64, link: f64, each: f64, waits: bool) -> usize {
        let mut pace = Pace::new(None);
        let mut now = 0.0;
        for _ in 0..answers {
            if waits {
                pace.waited();
            }
            let at_once = pace.limit() as f64;
            let transfer = MIB as f64 / each.min(link / at_once);
            let first_byte = first_byte_ms / 1e3;
            now += (first_byte + transfer) / at_once;
            let [first_byte, transfer] = [first_byte, transfer].map(Duration::from_secs_f64);
            pace.finished(Duration::from_secs_f64(now), Sample { first_byte, transfer, bytes: MIB });
        }
        pace.limit()
    }

    #[test]
    fn a_store_nearby_is_asked_for_little_at_once() {
        assert_eq!(limit_after(500, 0.3, 3e9, 3e9, true), START);
    }

    #[test]
    fn the_first_answer_of_a_far_store_already_raises_the_number() {
        assert_eq!(limit_after(1, 20.0, 3e9, 3e9, true), 15);
        // Four more would bring next to nothing.
        assert!(limit_after(400, 20.0, 3e9, 3e9, true) >= 60);
    }

    #[test]
    fn a_store_that_sends_each_body_slowly_is_asked_for_more_until_the_link_is_full() {
        assert_eq!(limit_after(600, 20.0, 3e9, 90e6, true), MOST);
        let full = limit_after(100, 20.0, 100e6, 90e6, true);
        assert!(full <= 2 * START, "{full} requests at once on a link that two fill");
    }

    #[test]
    fn a_reader_that_never_waits_does_not_raise_the_number() {
        assert_eq!(limit_after(500, 20.0, 3e9, 90e6, false), START);
    }

    #[test]
    fn a_given_number_stays() {
        let mut pace = Pace::new(NonZeroUsize::new(7));
        pace.waited();
        let sample = Sample { first_byte: Duration::from_secs(1), transfer: Duration::ZERO, bytes: 1 };
        pace.finished(Duration::from_secs(1), sample);
        assert_eq!(pace.limit(), 7);
    }
}
