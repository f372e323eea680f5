//! The state that all requests share: options, rules, connections, rate limits, timeline.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::auth::Nonces;
use crate::connections::{Connections, Selection};
use crate::limits::Window;
use crate::options::Options;
use crate::replay::Replay;
use crate::rule_book::{Rule, RuleBook};
use crate::rules::expr::Expr;
use crate::timeline::Timeline;
use crate::truth::Truth;
use crate::tweet::id::snowflake;

/// Turns that the log holds if there is no pace: how far the fastest reader may be ahead of the slowest.
const FLAT_OUT_TURNS: usize = 2048;
/// Seconds that the log holds at a pace, for backfill and slow readers.
const KEPT_SECONDS: f64 = 300.0;

/// Milliseconds since the Unix epoch.
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

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) options: Options,
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) truth: Truth,
    pub(crate) stop: CancellationToken,
    /// Taken by the producer when the timeline begins.
    pub(crate) replay: Mutex<Option<Replay>>,
    pub(crate) rule_book: Mutex<RuleBook>,
    pub(crate) connections: Mutex<Connections>,
    pub(crate) limits: Mutex<Limits>,
    pub(crate) nonces: Mutex<Nonces>,
}

impl App {
    pub(crate) fn new(options: Options, truth: Truth, replay: Option<Replay>) -> App {
        let kept = options.pace().map(|rate| (rate * KEPT_SECONDS) as usize);
        let capacity = kept.map_or(FLAT_OUT_TURNS, |kept| kept.clamp(FLAT_OUT_TURNS, 30_000));
        App {
            timeline: Arc::new(Timeline::new(capacity, options.pace().is_none())),
            truth,
            stop: CancellationToken::new(),
            replay: Mutex::new(replay),
            rule_book: Mutex::new(RuleBook::new(options.plan, snowflake(now_ms(), 0))),
            connections: Mutex::default(),
            limits: Mutex::new(Limits {
                connects: Window::new(options.connects, 900),
                list_rules: Window::new(450, 900),
                change_rules: Window::new(100, 900),
                v1_connects: Window::new(options.v1_connects, 60),
            }),
            nonces: Mutex::default(),
            options,
        }
    }

    /// The current rules.
    pub(crate) fn rules(&self) -> Arc<Vec<Rule>> {
        self.rule_book.lock().rules()
    }

    /// What the next tweets should match: the rules of the open connections, or the app's rules if there are none.
    pub(crate) fn wanted(&self) -> Vec<Arc<Expr>> {
        let rules = || self.rules().iter().map(|rule| Arc::clone(&rule.expr)).collect::<Vec<_>>();
        let mut wanted = Vec::new();
        for selection in self.connections.lock().selections() {
            match selection {
                Selection::Rules => wanted.extend(rules()),
                Selection::Sample => wanted.push(Arc::new(Expr::All(Vec::new()))),
                Selection::V1(filter) => wanted.push(Arc::clone(filter)),
            }
        }
        if wanted.is_empty() { rules() } else { wanted }
    }
}
