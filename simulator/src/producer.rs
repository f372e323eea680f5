//! Fills the timeline: takes the turns that are due and makes an entry of each, generated or replayed.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use crate::app::{App, now_ms};
use crate::generator::Generator;
use crate::options::Options;
use crate::replay::Replay;
use crate::rng::Rng;
use crate::rules::expr::Expr;
use crate::schedule::{Schedule, Turn};
use crate::timeline::{Entry, Payload};
use crate::tweet::model::Tweet;

/// Turns taken at a time.
const CHUNK: usize = 256;
/// Largest delay of a late tweet.
const MAX_LATE_MS: u64 = 600_000;
/// Tweets that may be repeated or deleted.
const PAST: usize = 200;

/// Starts the timeline at the first call; later calls do nothing.
pub(crate) fn begin(app: &Arc<App>) {
    if app.timeline.begin() {
        let producer = Producer {
            app: Arc::clone(app),
            generator: Generator::new(app.options.seed),
            replay: app.replay.lock().take(),
            past: VecDeque::new(),
        };
        tokio::spawn(run(Arc::clone(app), producer));
    }
}

/// Ends when there is no turn left, when the file to replay ends, or when the simulator stops.
async fn run(app: Arc<App>, mut producer: Producer) {
    let mut schedule = Schedule::new(&app.options, now_ms());
    let begin = Instant::now();
    let mut has_ended = false;
    while let Some(due) = schedule.due().filter(|_| !has_ended) {
        let room = app.timeline.room();
        let ready = async {
            if room == 0 {
                app.timeline.reader_moved().await;
            } else if !due.is_zero() {
                tokio::time::sleep_until(begin + due).await;
            }
        };
        tokio::select! {
            biased;
            () = app.stop.cancelled() => return,
            () = ready => {}
        }
        if room == 0 {
            continue;
        }
        let mut turns = Vec::new();
        while turns.len() < room.min(CHUNK) && schedule.due().is_some_and(|due| due <= begin.elapsed()) {
            turns.push(schedule.take(now_ms()));
        }
        let produced = tokio::task::spawn_blocking(move || {
            let (entries, is_end) = producer.entries(&turns);
            (producer, entries, is_end)
        });
        let Ok((returned, entries, is_end)) = produced.await else {
            tracing::error!("the generator has panicked; the stream ends");
            break;
        };
        (producer, has_ended) = (returned, is_end);
        app.timeline.add(entries);
    }
    app.timeline.end();
}

struct Producer {
    app: Arc<App>,
    generator: Generator,
    replay: Option<Replay>,
    past: VecDeque<Arc<Tweet>>,
}

impl Producer {
    /// The entries of these turns, and whether they are the last.
    fn entries(&mut self, turns: &[Turn]) -> (Vec<Entry>, bool) {
        let wanted = self.app.wanted();
        let mut entries = Vec::with_capacity(turns.len());
        for turn in turns {
            let Some(replay) = &mut self.replay else {
                entries.push(self.generate(*turn, &wanted));
                continue;
            };
            match replay.next_line() {
                Ok(Some(line)) => entries.push(Entry { payload: Payload::Line(line), repeat: None, delete: None }),
                Ok(None) => return (entries, true),
                Err(error) => {
                    tracing::error!(%error, "cannot read the file to replay; the stream ends");
                    return (entries, true);
                }
            }
        }
        (entries, false)
    }

    fn generate(&mut self, turn: Turn, wanted: &[Arc<Expr>]) -> Entry {
        let Options { seed, late_share, duplicates, .. } = self.app.options;
        let mut rng = Rng::numbered(seed, b'e', turn.number);
        let late_ms = if rng.share(late_share) { rng.below(MAX_LATE_MS) as i64 } else { 0 };
        let tweet = self.generator.tweet(turn.number, turn.created_ms - late_ms, wanted);
        let mut entry = Entry { payload: Payload::Tweet(Arc::clone(&tweet)), repeat: None, delete: None };
        if !self.past.is_empty() && rng.share(duplicates) {
            entry.repeat = Some(Arc::clone(rng.pick(self.past.make_contiguous())));
        }
        if !self.past.is_empty() && rng.chance(20) {
            let at = rng.below(self.past.len() as u64) as usize;
            entry.delete = self.past.remove(at).map(|deleted| (deleted, turn.created_ms));
        }
        self.past.push_back(tweet);
        if self.past.len() > PAST {
            self.past.pop_front();
        }
        entry
    }
}
