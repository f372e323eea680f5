//! Adaptive concurrency: finds the number of concurrent requests that maximises throughput by measuring.
//!
//! A store that answers within two milliseconds is nearby: a few requests fill its link, and more only compete for the
//! processors. A distant store gets as many requests as are needed to cover the time to their first byte, and then
//! twice as many as long as that increases the bytes per second, but only while the consumer waits.
//!
//! Pure: times are passed in as values.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Initial number of requests, and the number for a nearby store.
const START: usize = 4;
/// The most requests at once.
const MOST: usize = 64;
/// A store is nearby if a first byte arrives within this time.
const NEAR: Duration = Duration::from_millis(2);
/// The number of last responses that determine the distance. The fastest of them counts: the others waited for a
/// connection or a processor.
const RECENT: usize = 16;
/// Growth that increases throughput by less than this factor is undone.
const WORTH: f64 = 1.1;
/// Rounds to wait before trying to grow again after growth was undone.
const REST: u32 = 16;

/// The measurement of one response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measurement {
    /// From the request to the head of the response.
    pub(super) first_byte: Duration,
    /// From there to the end of the body.
    pub(super) transfer: Duration,
    /// Length of the body.
    pub(super) bytes: u64,
}

/// The limit of concurrent requests.
#[derive(Debug)]
pub(super) struct ConcurrencyLimit {
    limit: usize,
    is_fixed: bool,
    recent: VecDeque<Measurement>,
    /// The consumer has waited in this round.
    has_waited: bool,
    /// A round consists of as many responses as the limit.
    round: Round,
    /// Bytes per second of the previous round, and its limit.
    best: Option<(f64, usize)>,
    resting: u32,
}

#[derive(Debug, Default)]
struct Round {
    begun: Option<Duration>,
    answers: usize,
    bytes: u64,
}

impl ConcurrencyLimit {
    /// An adaptive limit, or a fixed one.
    pub(super) fn new(fixed: Option<NonZeroUsize>) -> ConcurrencyLimit {
        ConcurrencyLimit {
            limit: fixed.map_or(START, NonZeroUsize::get),
            is_fixed: fixed.is_some(),
            recent: VecDeque::with_capacity(RECENT),
            has_waited: false,
            round: Round::default(),
            best: None,
            resting: 0,
        }
    }

    /// The present limit.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Records that the consumer waits for bytes.
    pub(super) fn waited(&mut self) {
        self.has_waited = true;
    }

    /// Records a complete response; `now` is from any monotonic clock.
    pub(super) fn finished(&mut self, now: Duration, measurement: Measurement) {
        if self.is_fixed {
            return;
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        let is_first = self.recent.is_empty();
        self.recent.push_back(measurement);
        let quickest = |part: fn(&Measurement) -> Duration| self.recent.iter().map(part).min().unwrap_or_default();
        let (first_byte, transfer) =
            (quickest(|measurement| measurement.first_byte), quickest(|measurement| measurement.transfer));
        if first_byte < NEAR {
            (self.limit, self.best, self.round) = (START, None, Round::default());
            return;
        }
        if is_first && self.has_waited {
            let fill = first_byte.as_secs_f64() / transfer.as_secs_f64().max(1e-6);
            // The conversion saturates, and the limit is clamped.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is positive and clamped")]
            let wanted = fill.min(1e6) as usize + 1;
            self.limit = wanted.clamp(START, MOST);
        }
        self.round.bytes += measurement.bytes;
        self.round.answers += 1;
        let begun = *self.round.begun.get_or_insert(now);
        if self.round.answers > self.limit {
            let rate = self.round.bytes as f64 / (now - begun).as_secs_f64().max(1e-6);
            self.round_ended(rate);
            self.round = Round { begun: Some(now), ..Round::default() };
        }
    }

    fn round_ended(&mut self, rate: f64) {
        // A consumer that never waits needs no more.
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
        let mut concurrency = ConcurrencyLimit::new(None);
        let mut now = 0.0;
        for _ in 0..answers {
            if waits {
                concurrency.waited();
            }
            let at_once = concurrency.limit() as f64;
            let transfer = MIB as f64 / each.min(link / at_once);
            let first_byte = first_byte_ms / 1e3;
            now += (first_byte + transfer) / at_once;
            let [first_byte, transfer] = [first_byte, transfer].map(Duration::from_secs_f64);
            concurrency.finished(Duration::from_secs_f64(now), Measurement { first_byte, transfer, bytes: MIB });
        }
        concurrency.limit()
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
        let mut concurrency = ConcurrencyLimit::new(NonZeroUsize::new(7));
        concurrency.waited();
        let measurement = Measurement { first_byte: Duration::from_secs(1), transfer: Duration::ZERO, bytes: 1 };
        concurrency.finished(Duration::from_secs(1), measurement);
        assert_eq!(concurrency.limit(), 7);
    }
}
