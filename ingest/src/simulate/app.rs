//! What all requests share: options, rules, connections, limits, and the pump that moves the timeline on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::auth::Nonces;
use super::connections::{Connections, Wants};
use super::limits::Window;
use super::options::Options;
use super::replay::Replay;
use super::rule_book::{Rule, RuleBook};
use super::rules::wish::Demand;
use super::schedule::{Schedule, Turn};
use super::timeline::{Entry, Payload, Timeline};
use super::truth::Truth;
use super::tweet::dice::Dice;
use super::tweet::generate::Generator;
use super::tweet::model::Tweet;

/// Turns made at a time.
const CHUNK: usize = 256;
/// Turns that the log holds flat out: what the fastest reader may be ahead of the slowest.
const FLAT_OUT_TURNS: usize = 2048;
/// Minutes that the log holds in time, for backfill and slow readers.
const KEPT_SECONDS: f64 = 300.0;
/// How late a late tweet is at most.
const MAX_LATE_MS: u64 = 600_000;

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Counters of requests.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) connects: Window,
    pub(crate) list_rules: Window,
    pub(crate) change_rules: Window,
    pub(crate) v1_connects: Window,
}

/// The service.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) options: Options,
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) truth: Truth,
    pub(crate) stop: CancellationToken,
    rules: Mutex<RuleBook>,
    connections: Mutex<Connections>,
    limits: Mutex<Limits>,
    nonces: Mutex<Nonces>,
    begun: AtomicBool,
    replay: Mutex<Option<Replay>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl App {
    /// The service with these options; nothing happens until the first connection.
    pub(crate) fn new(options: Options, truth: Truth, replay: Option<Replay>) -> App {
        let flat_out = options.rate <= 0.0;
        let kept = (options.rate * KEPT_SECONDS) as usize;
        let capacity = if flat_out { FLAT_OUT_TURNS } else { kept.clamp(FLAT_OUT_TURNS, 30_000) };
        let first_rule = super::clock::snowflake(now_ms(), 0);
        App {
            timeline: Arc::new(Timeline::new(capacity, flat_out)),
            truth,
            stop: CancellationToken::new(),
            rules: Mutex::new(RuleBook::new(options.plan, first_rule)),
            connections: Mutex::default(),
            limits: Mutex::new(Limits {
                connects: Window::new(options.connects_per_window, 900),
                list_rules: Window::new(450, 900),
                change_rules: Window::new(100, 900),
                v1_connects: Window::new(options.v1_connects_per_minute, 60),
            }),
            nonces: Mutex::default(),
            begun: AtomicBool::new(false),
            replay: Mutex::new(replay),
            options,
        }
    }

    /// The rules as they are now.
    pub(crate) fn rules(&self) -> Arc<Vec<Rule>> {
        lock(&self.rules).rules()
    }

    /// The rules, to be changed.
    pub(crate) fn rule_book(&self) -> MutexGuard<'_, RuleBook> {
        lock(&self.rules)
    }

    /// The open connections.
    pub(crate) fn connections(&self) -> MutexGuard<'_, Connections> {
        lock(&self.connections)
    }

    /// The counters of requests.
    pub(crate) fn limits(&self) -> MutexGuard<'_, Limits> {
        lock(&self.limits)
    }

    /// The nonces that were used.
    pub(crate) fn nonces(&self) -> MutexGuard<'_, Nonces> {
        lock(&self.nonces)
    }

    /// Whose wishes the next tweets should meet.
    fn demands(&self) -> Vec<Demand> {
        let mut demands = Vec::new();
        for wants in self.connections().wants() {
            match wants {
                Wants::Rules => demands.extend(self.rules().iter().map(|rule| Demand::Rule(Arc::clone(&rule.expr)))),
                Wants::Filter(filter) => demands.push(Demand::Filter(Arc::clone(filter))),
                Wants::SampleV2 | Wants::SampleV1 => demands.push(Demand::Anything),
            }
        }
        if demands.is_empty() {
            // Nobody listens: what the app's rules match goes on happening.
            demands.extend(self.rules().iter().map(|rule| Demand::Rule(Arc::clone(&rule.expr))));
        }
        demands
    }

    /// Starts the timeline with the first connection.
    pub(crate) fn begin(self: &Arc<App>) {
        if self.begun.swap(true, Ordering::Relaxed) {
            return;
        }
        let maker = Maker::new(&self.options, lock(&self.replay).take());
        let schedule = Schedule::new(&self.options, now_ms());
        tokio::spawn(Arc::clone(self).pump(schedule, maker));
    }

    async fn pump(self: Arc<App>, mut schedule: Schedule, mut maker: Maker) {
        let begin = Instant::now();
        while let Some(due) = schedule.due() {
            let room = self.timeline.room();
            if room == 0 {
                tokio::select! {
                    () = self.stop.cancelled() => return,
                    () = self.timeline.reader_moved() => continue,
                }
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep_until(begin + due), if !schedule.flat_out() => {}
                () = std::future::ready(()), if schedule.flat_out() => {}
            }
            let mut turns = Vec::new();
            while turns.len() < room.min(CHUNK) && schedule.due().is_some_and(|due| due <= begin.elapsed()) {
                turns.push(schedule.take(now_ms()));
            }
            let app = Arc::clone(&self);
            let made = tokio::task::spawn_blocking(move || {
                let entries = maker.make(&turns, &app.demands());
                (maker, entries)
            });
            let Ok((back, (entries, ended))) = made.await else {
                tracing::error!("the maker of tweets has failed; the stream ends");
                break;
            };
            maker = back;
            self.timeline.add(entries, ended || schedule.due().is_none());
            if ended {
                return;
            }
        }
        self.timeline.add(Vec::new(), true);
    }
}

/// Makes entries of turns, by chance or from a file.
#[derive(Debug)]
struct Maker {
    generator: Generator,
    replay: Option<Replay>,
    seed: u64,
    late_share: f64,
    duplicates: f64,
    /// Tweets that may be repeated or deleted.
    past: VecDeque<Arc<Tweet>>,
}

impl Maker {
    fn new(options: &Options, replay: Option<Replay>) -> Maker {
        Maker {
            generator: Generator::new(options.seed),
            replay,
            seed: options.seed,
            late_share: options.late_share,
            duplicates: options.duplicates,
            past: VecDeque::new(),
        }
    }

    /// The entries of these turns, and whether nothing follows.
    fn make(&mut self, turns: &[Turn], demands: &[Demand]) -> (Vec<Entry>, bool) {
        let mut entries = Vec::with_capacity(turns.len());
        for turn in turns {
            if let Some(replay) = &mut self.replay {
                match replay.next() {
                    Ok(Some(line)) => entries.push(Entry { payload: Payload::Line(line), repeat: None, delete: None }),
                    Ok(None) => return (entries, true),
                    Err(error) => {
                        tracing::error!(%error, "cannot read the file to replay any further");
                        return (entries, true);
                    }
                }
            } else {
                entries.push(self.generate(*turn, demands));
            }
        }
        (entries, false)
    }

    fn generate(&mut self, turn: Turn, demands: &[Demand]) -> Entry {
        let mut dice = Dice::new(self.seed ^ 0x1a7e, turn.number);
        let late = if dice.share(self.late_share) { dice.below(MAX_LATE_MS) as i64 } else { 0 };
        let tweet = self.generator.tweet(turn.number, turn.created_ms - late, demands);
        let mut entry = Entry { payload: Payload::Tweet(Arc::clone(&tweet)), repeat: None, delete: None };
        if !self.past.is_empty() && dice.share(self.duplicates) {
            entry.repeat = Some(Arc::clone(dice.pick(self.past.make_contiguous())));
        }
        if !self.past.is_empty() && dice.chance(20) {
            let at = dice.below(self.past.len() as u64) as usize;
            entry.delete = self.past.remove(at).map(|deleted| (deleted, turn.created_ms));
        }
        self.past.push_back(tweet);
        if self.past.len() > 200 {
            self.past.pop_front();
        }
        entry
    }
}
