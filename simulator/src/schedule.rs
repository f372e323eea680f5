//! When each turn of the timeline is due, and the `created_at` of its tweet. Pure.
//!
//! `created_at` is a function of the turn and not of the clock, so runs with the same seed and start are equal; only what
//! would lie in the future is moved to the present.

use std::time::Duration;

use crate::options::Options;
use crate::rng::Rng;

/// The rate that `created_at` follows if tweets are sent as fast as possible.
const NOMINAL_RATE: f64 = 50.0;
/// Without `--count`, `created_at` reaches the present after this time at the earliest.
const OPEN_END: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// From 0.
    pub(crate) number: u64,
    /// `created_at` of its tweet, milliseconds since the Unix epoch.
    pub(crate) created_ms: i64,
}

/// The turns to come.
#[derive(Debug)]
pub(crate) struct Schedule {
    next: u64,
    /// When the next turn is due at the (nominal) rate, in nanoseconds since the begin. `created_at` follows it.
    due_ns: u64,
    interval_ns: f64,
    is_flat_out: bool,
    count: Option<u64>,
    speedup: f64,
    start_ms: i64,
    jitter: Option<Rng>,
}

impl Schedule {
    /// The turns of a run that begins at `now_ms`.
    pub(crate) fn new(options: &Options, now_ms: i64) -> Schedule {
        let is_flat_out = options.pace().is_none();
        let rate = options.pace().unwrap_or(NOMINAL_RATE);
        let wall_s = options.count.map_or(OPEN_END.as_secs_f64(), |count| count as f64 / rate);
        // At speed 1 created_at is the present. Faster, or flat out, it must start early enough not to pass it.
        let back_s = if is_flat_out || options.speedup > 1.0 { wall_s * options.speedup } else { 0.0 };
        let start_ms = options.start.map_or(now_ms - (back_s * 1000.0) as i64, |start| start.as_millisecond());
        Schedule {
            next: 0,
            due_ns: 0,
            interval_ns: 1e9 / rate,
            is_flat_out,
            count: options.count,
            speedup: options.speedup,
            start_ms,
            jitter: options.jitter.then(|| Rng::new(options.seed, b"jitter")),
        }
    }

    /// When the next turn is due since the begin; `None` if there is none left.
    pub(crate) fn due(&self) -> Option<Duration> {
        let is_over = self.count.is_some_and(|count| self.next >= count);
        (!is_over).then(|| if self.is_flat_out { Duration::ZERO } else { Duration::from_nanos(self.due_ns) })
    }

    /// The next turn. Its `created_at` is at most `now_ms`.
    pub(crate) fn take(&mut self, now_ms: i64) -> Turn {
        let created_ms = self.start_ms + (self.due_ns as f64 * self.speedup / 1e6) as i64;
        let turn = Turn { number: self.next, created_ms: created_ms.min(now_ms) };
        self.next += 1;
        match &mut self.jitter {
            // Exponential distances make a Poisson process.
            Some(rng) => self.due_ns += (rng.exponential() * self.interval_ns) as u64,
            None => self.due_ns = (self.next as f64 * self.interval_ns) as u64,
        }
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(rate: f64, speedup: f64, count: Option<u64>) -> Options {
        Options { rate, speedup, count, ..Options::default() }
    }

    const NOW: i64 = 1_795_323_600_000;

    #[test]
    fn fifty_a_second_are_twenty_milliseconds_apart_in_both_times() {
        let mut schedule = Schedule::new(&options(50.0, 1.0, None), NOW);
        for turn in 0..1000_i64 {
            assert_eq!(schedule.due(), Some(Duration::from_millis(turn as u64 * 20)));
            assert_eq!(schedule.take(NOW + 100_000).created_ms, NOW + turn * 20);
        }
    }

    #[test]
    fn a_run_of_known_length_ends_at_the_present() {
        let mut schedule = Schedule::new(&options(50.0, 360.0, Some(1500)), NOW);
        let turns: Vec<Turn> = std::iter::from_fn(|| schedule.due().map(|_| schedule.take(NOW))).collect();
        assert_eq!(turns.len(), 1500);
        assert_eq!(turns[0].created_ms, NOW - 30 * 360 * 1000);
        assert_eq!(turns[1499].created_ms, NOW - 7200);
    }

    #[test]
    fn no_tweet_is_written_in_the_future() {
        let options = Options {
            start: Some(jiff::Timestamp::from_millisecond(NOW - 1000).expect("in range")),
            ..options(0.0, 1000.0, None)
        };
        let mut schedule = Schedule::new(&options, NOW);
        assert!((0..1000).all(|_| schedule.take(NOW).created_ms <= NOW));
    }

    #[test]
    fn flat_out_every_turn_is_due_at_once() {
        let mut schedule = Schedule::new(&options(0.0, 1.0, Some(3)), NOW);
        while let Some(due) = schedule.due() {
            assert_eq!(due, Duration::ZERO);
            schedule.take(NOW);
        }
        assert_eq!(schedule.next, 3);
    }

    #[test]
    fn jitter_keeps_the_rate() {
        let mut schedule = Schedule::new(&Options { jitter: true, ..options(100.0, 1.0, None) }, NOW);
        for _ in 0..10_000 {
            schedule.take(NOW);
        }
        let seconds = schedule.due().expect("no end").as_secs_f64();
        assert!((95.0..105.0).contains(&seconds), "{seconds}");
    }
}
