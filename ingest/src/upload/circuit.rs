//! Who may ask the store now: one judgement for all uploads and manifests, so that a store that is away is asked by one of
//! them at a time and not by each in a rhythm of its own, and is seen soon after it is back. Pure: times are given.
//!
//! While the store answers, so many attempts may be under way. A request to slow down takes that number to half, answers
//! in a row bring it back one by one; that is no outage. When an attempt ends without an answer, or a single one at a
//! time is still told to slow down, the store is away: from then on one attempt at a time probes it, after waits that
//! double, until one is answered. Attempts that were under way when it went away say nothing new when they fail too.

use std::time::Duration;

use tokio::time::Instant;

/// Attempts under way at most. More would not be quicker from one machine, and each holds a connection.
pub const MOST_AT_ONCE: usize = 4;
/// First and longest wait before a probe. The longest is what a store that is back waits for its backlog.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// Answers in a row after which one more attempt may be under way.
const ANSWERS_TO_SPEED_UP: u32 = 8;

/// What an attempt told of the store, whatever became of what it wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Its last request was answered.
    Answered,
    /// The store asked for less speed.
    SlowDown,
    /// Its last request was not answered, or refused so that everything else would be too.
    Away,
}

/// Whether an attempt may begin.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// It has begun; [`Circuit::tell`] says how it ended.
    Go(Pass),
    /// Ask again at this time.
    At(Instant),
    /// Ask again when another attempt has ended.
    Later,
}

/// An attempt that has begun; it ends once.
#[derive(Debug, PartialEq, Eq)]
pub struct Pass {
    probe: bool,
}

/// What has changed, for a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The store went away.
    Away,
    /// It is back, after this time.
    Back(Duration),
    /// So many attempts may be under way now, fewer than before.
    Slower(usize),
}

#[derive(Debug, Clone, Copy)]
struct Outage {
    since: Instant,
    wait: Duration,
    probe_at: Instant,
}

/// The judgement. See the module's text.
#[derive(Debug)]
pub struct Circuit {
    most: usize,
    under_way: usize,
    answers: u32,
    outage: Option<Outage>,
}

impl Default for Circuit {
    fn default() -> Circuit {
        Circuit { most: MOST_AT_ONCE, under_way: 0, answers: 0, outage: None }
    }
}

impl Circuit {
    /// Asks whether an attempt may begin.
    pub fn ask(&mut self, now: Instant) -> Turn {
        let most = if self.outage.is_some() { 1 } else { self.most };
        if self.under_way >= most {
            return Turn::Later;
        }
        match self.outage {
            Some(outage) if now < outage.probe_at => Turn::At(outage.probe_at),
            outage => {
                self.under_way += 1;
                Turn::Go(Pass { probe: outage.is_some() })
            }
        }
    }

    /// Takes in how an attempt ended. `dice` is a random number from 0 to 1: agents that lost the same store are not to
    /// come back at the same moment.
    pub fn tell(&mut self, pass: Pass, told: Told, now: Instant, dice: f64) -> Option<Change> {
        let is_probe = pass.probe;
        self.give_up(pass);
        let back = |outage: Outage| Change::Back(now.saturating_duration_since(outage.since));
        match told {
            Told::Answered => {
                self.answers += 1;
                if self.answers >= ANSWERS_TO_SPEED_UP && self.most < MOST_AT_ONCE {
                    (self.most, self.answers) = (self.most + 1, 0);
                }
                self.outage.take().map(back)
            }
            Told::SlowDown if self.outage.is_none() && self.most > 1 => {
                (self.most, self.answers) = (self.most / 2, 0);
                Some(Change::Slower(self.most))
            }
            // Even one at a time is too much for it.
            Told::SlowDown | Told::Away => {
                self.answers = 0;
                let spread = |wait: Duration| now + wait.mul_f64(0.5 + dice / 2.0);
                match &mut self.outage {
                    None => {
                        self.outage = Some(Outage { since: now, wait: WAITS.0, probe_at: spread(WAITS.0) });
                        return Some(Change::Away);
                    }
                    Some(outage) if is_probe => {
                        outage.wait = (outage.wait * 2).min(WAITS.1);
                        outage.probe_at = spread(outage.wait);
                    }
                    Some(_) => {}
                }
                None
            }
        }
    }

    /// Whether the store is away.
    pub fn is_away(&self) -> bool {
        self.outage.is_some()
    }

    /// An attempt ended that nothing can be learnt from.
    pub fn give_up(&mut self, _pass: Pass) {
        self.under_way -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(circuit: &mut Circuit, now: Instant) -> Pass {
        match circuit.ask(now) {
            Turn::Go(pass) => pass,
            other => panic!("{other:?}"),
        }
    }

    fn several(circuit: &mut Circuit, count: usize, now: Instant) -> Vec<Pass> {
        (0..count).map(|_| go(circuit, now)).collect()
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_store_that_answers_is_asked_by_four_at_once() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        let first = go(&mut circuit, now);
        several(&mut circuit, MOST_AT_ONCE - 1, now);
        assert_eq!(circuit.ask(now), Turn::Later);
        assert_eq!(circuit.tell(first, Told::Answered, now, 1.0), None);
        go(&mut circuit, now);
        assert_eq!(circuit.ask(now), Turn::Later);
    }

    #[test]
    fn a_store_that_is_away_is_probed_by_one_after_waits_that_double_up_to_ten_seconds() {
        let (mut circuit, mut now) = (Circuit::default(), Instant::now());
        let began = now;
        let first = go(&mut circuit, now);
        let others = several(&mut circuit, 2, now);
        assert_eq!(circuit.tell(first, Told::Away, now, 1.0), Some(Change::Away));
        // The others were on their way: while one of them is, nobody else asks, and their failures make no wait longer.
        assert_eq!(circuit.ask(now + seconds(1.0)), Turn::Later);
        for pass in others {
            assert_eq!(circuit.tell(pass, Told::Away, now, 1.0), None);
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            let Turn::At(at) = circuit.ask(now) else { panic!("nobody may ask yet") };
            waits.push((at - now).as_secs_f64());
            now = at;
            let probe = go(&mut circuit, now);
            assert_eq!(circuit.ask(now), Turn::Later);
            assert_eq!(circuit.tell(probe, Told::Away, now, 1.0), None);
        }
        assert_eq!(waits, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]);
        now += seconds(10.0);
        let probe = go(&mut circuit, now);
        assert_eq!(circuit.tell(probe, Told::Answered, now, 1.0), Some(Change::Back(now - began)));
        several(&mut circuit, MOST_AT_ONCE, now);
    }

    #[test]
    fn waits_are_spread_over_their_second_half() {
        let now = Instant::now();
        for (dice, wanted) in [(0.0, 0.125), (0.5, 0.1875), (1.0, 0.25)] {
            let mut circuit = Circuit::default();
            let pass = go(&mut circuit, now);
            circuit.tell(pass, Told::Away, now, dice);
            assert_eq!(circuit.ask(now), Turn::At(now + seconds(wanted)));
        }
    }

    #[test]
    fn a_store_that_asks_for_less_speed_is_not_away_and_gets_it_back_step_by_step() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        for most in [2, 1] {
            let pass = go(&mut circuit, now);
            assert_eq!(circuit.tell(pass, Told::SlowDown, now, 1.0), Some(Change::Slower(most)));
            let passes = several(&mut circuit, most, now);
            assert_eq!(circuit.ask(now), Turn::Later, "{most}");
            passes.into_iter().for_each(|pass| circuit.give_up(pass));
        }
        for _ in 0..3 * ANSWERS_TO_SPEED_UP {
            let pass = go(&mut circuit, now);
            assert_eq!(circuit.tell(pass, Told::Answered, now, 1.0), None);
        }
        several(&mut circuit, MOST_AT_ONCE, now);
        assert_eq!(circuit.ask(now), Turn::Later);
    }

    #[test]
    fn a_store_to_which_one_at_a_time_is_too_much_is_away() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        let told = [0, 1, 2].map(|_| {
            let pass = go(&mut circuit, now);
            circuit.tell(pass, Told::SlowDown, now, 1.0)
        });
        assert_eq!(told, [Some(Change::Slower(2)), Some(Change::Slower(1)), Some(Change::Away)]);
        let later = now + seconds(3.0);
        let probe = go(&mut circuit, later);
        assert_eq!(circuit.tell(probe, Told::SlowDown, later, 1.0), None);
        assert_eq!(circuit.ask(later), Turn::At(later + seconds(0.5)));
        let probe = go(&mut circuit, later + seconds(0.5));
        assert_eq!(circuit.tell(probe, Told::Answered, later, 1.0), Some(Change::Back(seconds(3.0))));
    }

    #[test]
    fn an_answer_to_an_attempt_from_before_ends_the_outage() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        let (first, second) = (go(&mut circuit, now), go(&mut circuit, now));
        circuit.tell(first, Told::Away, now, 1.0);
        assert!(matches!(circuit.tell(second, Told::Answered, now, 1.0), Some(Change::Back(_))));
        go(&mut circuit, now);
    }
}
