//! When to connect again: the schedule of waits by kind of failure, and the pace that keeps all attempts together within
//! the API's budget of 50 connects in 15 minutes.
//!
//! Pure: the caller brings randomness and clock, and does the waiting. Both X sources use it; it must not know of HTTP.

use std::time::Duration;

use rand::{Rng, RngExt as _};

/// Why there is no connection, as far as the wait depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// An established connection ended.
    Dropped,
    /// No answer: name, TCP, TLS, time-outs.
    Network,
    /// An answer that may pass by itself, such as a 503.
    Http,
    /// Another connection of ours still counts as open at the other side, dead or alive.
    TooManyConnections,
    /// Too many requests; `reset_in` is what the answer said about the end of its window.
    RateLimited {
        /// Time until the window ends; zero where it has already ended.
        reset_in: Option<Duration>,
    },
    /// Nothing but the account's owner or the calendar can help: credits, monthly cap. Asked again now and then.
    Paused,
}

const NETWORK_STEP: Duration = Duration::from_millis(250);
const NETWORK_MOST: Duration = Duration::from_secs(16);
const HTTP_FIRST: Duration = Duration::from_secs(5);
const HTTP_MOST: Duration = Duration::from_secs(320);
const TOO_MANY: [u64; 5] = [5, 10, 20, 40, 60];
const LIMITED_LEAST: Duration = Duration::from_secs(60);
const LIMITED_MOST: Duration = Duration::from_secs(15 * 60);
const PROBE: Duration = Duration::from_secs(15 * 60);

/// A connection that has been up for this long counts as proven even if it brought no line.
pub const PROVEN_AFTER: Duration = Duration::from_secs(60);

/// Failures of one kind in a row.
#[derive(Debug, Clone, Copy, Default)]
struct Runs {
    network: u32,
    http: u32,
    too_many: u32,
    limited: u32,
}

/// The waits between attempts. Each kind of failure has its own ladder, and all of them start again only after a
/// connection has proven itself: answers of 200 that end at once must not make a tight loop.
#[derive(Debug)]
pub struct Schedule<R> {
    rng: R,
    runs: Runs,
    is_proven: bool,
}

impl<R: Rng> Schedule<R> {
    /// A schedule at its start.
    pub fn new(rng: R) -> Schedule<R> {
        Schedule { rng, runs: Runs::default(), is_proven: false }
    }

    /// To be called when a connection has brought its first line of data, or has been up for [`PROVEN_AFTER`].
    pub fn proven(&mut self) {
        self.runs = Runs::default();
        self.is_proven = true;
    }

    /// How long to wait before the next attempt.
    pub fn wait(&mut self, failure: Failure) -> Duration {
        let was_proven = std::mem::take(&mut self.is_proven);
        let runs = &mut self.runs;
        match failure {
            Failure::Dropped if was_proven => Duration::ZERO,
            Failure::Network => {
                let wait = NETWORK_STEP.saturating_mul(climb(&mut runs.network) + 1).min(NETWORK_MOST);
                self.jitter(wait)
            }
            Failure::Dropped | Failure::Http => {
                let wait = doubled(HTTP_FIRST, climb(&mut runs.http), HTTP_MOST);
                self.jitter(wait)
            }
            Failure::TooManyConnections => {
                let rung = climb(&mut runs.too_many) as usize;
                self.jitter(Duration::from_secs(TOO_MANY[rung.min(TOO_MANY.len() - 1)]))
            }
            Failure::RateLimited { reset_in } => {
                let ladder = doubled(LIMITED_LEAST, climb(&mut runs.limited), LIMITED_MOST);
                let wait = reset_in.unwrap_or(ladder).clamp(LIMITED_LEAST, LIMITED_MOST);
                // Only later, never sooner: a request before the reset lengthens the penalty.
                let late = 1.0 + self.rng.random_range(0.0..0.2);
                wait.mul_f64(late).min(LIMITED_MOST)
            }
            Failure::Paused => self.jitter(PROBE),
        }
    }

    fn jitter(&mut self, wait: Duration) -> Duration {
        wait.mul_f64(self.rng.random_range(0.8..=1.2))
    }
}

/// The rung to stand on now; the next call stands on the one above.
fn climb(run: &mut u32) -> u32 {
    let rung = *run;
    *run = run.saturating_add(1);
    rung
}

fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times)).min(most)
}

/// Keeps connects within 45 in any 15 minutes, whatever the reason for each: 15 at once, then one every 30 s.
///
/// A burst of all 45 would be allowed too, but would then hold the stream off for a quarter of an hour; so no attempt
/// ever waits longer than 30 s for its turn. Times are monotonic and count from any one moment.
#[derive(Debug, Clone)]
pub struct Pace {
    tokens: f64,
    at: Duration,
}

const PACE_BURST: f64 = 15.0;
const PACE_SECONDS_A_TOKEN: f64 = 30.0;

impl Default for Pace {
    fn default() -> Pace {
        Pace { tokens: PACE_BURST, at: Duration::ZERO }
    }
}

impl Pace {
    /// Takes a turn, and says how long to wait before using it.
    pub fn take(&mut self, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.tokens = (self.tokens + passed / PACE_SECONDS_A_TOKEN).min(PACE_BURST) - 1.0;
        Duration::from_secs_f64((-self.tokens).max(0.0) * PACE_SECONDS_A_TOKEN)
    }

    /// Gives a turn back: the attempt did not reach the other side, so it did not count there.
    pub fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(PACE_BURST);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn schedule(seed: u64) -> Schedule<ChaCha8Rng> {
        Schedule::new(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Asks for `expected.len()` waits and holds each against its value, give or take the jitter.
    fn ladder(failure: Failure, expected: &[f64]) {
        let mut schedule = schedule(7);
        for (rung, expected) in expected.iter().enumerate() {
            let wait = schedule.wait(failure).as_secs_f64();
            assert!((expected * 0.799..=expected * 1.201).contains(&wait), "{failure:?} rung {rung}: {wait}");
        }
    }

    #[test]
    fn each_kind_of_failure_has_its_ladder() {
        ladder(Failure::Network, &[0.25, 0.5, 0.75, 1.0, 1.25]);
        ladder(Failure::Http, &[5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 320.0]);
        ladder(Failure::TooManyConnections, &[5.0, 10.0, 20.0, 40.0, 60.0, 60.0]);
        ladder(Failure::Paused, &[900.0, 900.0]);
    }

    #[test]
    fn network_failures_end_at_sixteen_seconds() {
        let mut schedule = schedule(1);
        let last = (0..200).map(|_| schedule.wait(Failure::Network)).last().expect("a wait");
        assert!((12.8..=19.2).contains(&last.as_secs_f64()), "{last:?}");
    }

    #[test]
    fn a_proven_connection_is_renewed_at_once_and_only_once() {
        let mut schedule = schedule(2);
        schedule.proven();
        assert_eq!(schedule.wait(Failure::Dropped), Duration::ZERO);
        assert!(schedule.wait(Failure::Dropped) >= Duration::from_secs(4), "the second connection had shown nothing");
        assert!(schedule.wait(Failure::Dropped) >= Duration::from_secs(8));
    }

    #[test]
    fn ladders_start_again_after_a_proven_connection_and_not_before() {
        let mut schedule = schedule(3);
        for _ in 0..5 {
            schedule.wait(Failure::Http);
        }
        assert!(schedule.wait(Failure::Http) >= Duration::from_secs(128));
        schedule.wait(Failure::Network);
        assert!(schedule.wait(Failure::Http) >= Duration::from_secs(256), "another kind of failure is no success");
        schedule.proven();
        assert!(schedule.wait(Failure::Http) <= Duration::from_secs(6));
    }

    #[test]
    fn a_rate_limit_is_waited_out_within_bounds() {
        let limited = |seconds: u64| Failure::RateLimited { reset_in: Some(Duration::from_secs(seconds)) };
        for (reset, least, most) in [(0, 60, 72), (30, 60, 72), (300, 300, 360), (36_000, 900, 900)] {
            let wait = schedule(reset).wait(limited(reset)).as_secs_f64();
            assert!((f64::from(least)..=f64::from(most)).contains(&wait), "reset in {reset}: {wait}");
        }
    }

    #[test]
    fn a_rate_limit_that_names_no_end_doubles() {
        let mut schedule = schedule(4);
        let waits: Vec<f64> =
            (0..6).map(|_| schedule.wait(Failure::RateLimited { reset_in: None }).as_secs_f64()).collect();
        for (wait, least) in waits.iter().zip([60.0, 120.0, 240.0, 480.0, 900.0, 900.0]) {
            assert!((least..=(least * 1.2_f64).min(900.0)).contains(wait), "{waits:?}");
        }
    }

    #[test]
    fn an_attempt_that_reached_nobody_does_not_use_up_the_pace() {
        let mut pace = Pace::default();
        for _ in 0..1000 {
            assert_eq!(pace.take(Duration::ZERO), Duration::ZERO);
            pace.give_back();
        }
    }

    fn any_failure() -> impl Strategy<Value = Failure> {
        prop_oneof![
            Just(Failure::Dropped),
            Just(Failure::Network),
            Just(Failure::Http),
            Just(Failure::TooManyConnections),
            proptest::option::of(0_u64..100_000)
                .prop_map(|reset| Failure::RateLimited { reset_in: reset.map(Duration::from_secs) }),
            Just(Failure::Paused),
        ]
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_probe_and_only_a_proven_drop_waits_not_at_all(
            seed: u64, steps in proptest::collection::vec((any_failure(), any::<bool>()), 1..60),
        ) {
            let mut schedule = schedule(seed);
            for (failure, proven) in steps {
                if proven {
                    schedule.proven();
                }
                let wait = schedule.wait(failure);
                prop_assert!(wait <= PROBE.mul_f64(1.2));
                prop_assert_eq!(wait.is_zero(), proven && failure == Failure::Dropped);
            }
        }

        #[test]
        fn no_quarter_of_an_hour_sees_more_than_45_connects(pauses in proptest::collection::vec(0_u64..40_000, 50..300)) {
            let mut pace = Pace::default();
            let mut now = Duration::ZERO;
            let mut connects: Vec<Duration> = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause);
                let wait = pace.take(now);
                prop_assert!(wait <= Duration::from_secs(30));
                now += wait;
                connects.push(now);
            }
            for (index, first) in connects.iter().enumerate() {
                let within = connects[index..].iter().filter(|at| **at < *first + Duration::from_secs(900)).count();
                prop_assert!(within <= 45, "{} connects from {:?}", within, first);
            }
        }
    }
}
