//! What `/livez` and `/readyz` say: pure judgement of a snapshot, one plain sentence each.
//!
//! *Alive* means that a restart would not help; *ready* means that tweets are coming in and are being stored. An agent that can
//! store nothing is not ready, though its spool takes what comes: the sentence says how much room is left.

use super::health::{LeaseState, Snapshot, SourceState, StoreState, WriterState};
use super::rejects::Share;
use super::{Health, Metrics};
use crate::clock;

/// A writer that gave no sign for this long counts as dead. A sync on a busy disk takes seconds, not a minute.
const WRITER_SILENCE_SECONDS: u64 = 60;
/// A connection without a tweet for this long is called quiet. Shorter pauses are usual on a narrow rule.
const QUIET_SECONDS: i64 = 60;

/// An answer: what holds, and why, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) good: bool,
    pub(crate) sentence: String,
}

fn good(sentence: impl Into<String>) -> Verdict {
    Verdict { good: true, sentence: sentence.into() }
}

fn bad(sentence: impl Into<String>) -> Verdict {
    Verdict { good: false, sentence: sentence.into() }
}

/// The numbers that a judgement needs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Numbers {
    /// Milliseconds since the epoch; 0 before the first byte.
    pub(crate) last_byte_ms: i64,
    /// Milliseconds since the epoch; 0 before the first record.
    pub(crate) last_record_ms: i64,
    pub(crate) spool_bytes: i64,
    /// 0 while not known.
    pub(crate) spool_max_bytes: i64,
    /// What is known of the clock.
    pub(crate) clock: clock::ClockState,
}

impl Numbers {
    pub(crate) fn of(metrics: &Metrics) -> Numbers {
        use std::sync::atomic::Ordering::Relaxed;
        Numbers {
            last_byte_ms: metrics.last_byte_ms.load(Relaxed),
            last_record_ms: metrics.last_record_ms.load(Relaxed),
            spool_bytes: metrics.spool_bytes.get(),
            spool_max_bytes: metrics.spool_max_bytes.get(),
            clock: metrics.clock.check(),
        }
    }

    fn spool_is_full(self) -> bool {
        self.spool_max_bytes > 0 && self.spool_bytes >= self.spool_max_bytes
    }

    fn spool(self) -> String {
        let size = |bytes: i64| bytesize::ByteSize(u64::try_from(bytes).unwrap_or(0));
        if self.spool_max_bytes > 0 {
            format!("{} of {} used", size(self.spool_bytes), size(self.spool_max_bytes))
        } else {
            format!("{} used", size(self.spool_bytes))
        }
    }
}

/// Whether the process does its work, or only sits there.
pub(crate) fn alive(health: &Health) -> Verdict {
    let snapshot = health.snapshot();
    match snapshot.writer {
        WriterState::NotStarted => good("alive: starting, the writer has not begun"),
        WriterState::Ended => good("alive: the writer has ended, the agent is finishing"),
        WriterState::Beating { seconds_ago } if seconds_ago < WRITER_SILENCE_SECONDS => good("alive"),
        WriterState::Beating { seconds_ago } => {
            bad(format!("not alive: the writer gave no sign for {}, is the spool's disk stuck?", span(seconds_ago)))
        }
    }
}

/// Whether tweets come in and are stored.
pub(crate) fn ready(health: &Health, numbers: Numbers, now_ms: i64) -> Verdict {
    let snapshot = health.snapshot();
    if let Some(reason) = &snapshot.fatal {
        return bad(format!("not ready: the agent cannot go on: {reason}"));
    }
    if snapshot.stopping {
        return bad("not ready: stopping, what was accepted is being uploaded");
    }
    let lived = alive(health);
    if !lived.good {
        return bad(lived.sentence.replacen("not alive", "not ready", 1));
    }
    if let clock @ clock::ClockState::Ahead { .. } = numbers.clock {
        return bad(format!("not ready: {clock}: the source is held back and no hour closes until it is right"));
    }
    if let LeaseState::Waiting { holder } = &snapshot.lease.state {
        return bad(format!("not ready: waiting for the lease on the lake: {holder}"));
    }
    let held_for = span_ms(now_ms - snapshot.source.since_ms);
    let source = match &snapshot.source.state {
        SourceState::Starting => return bad("not ready: starting, the source has not begun"),
        SourceState::Connecting => return bad(format!("not ready: connecting to the source for {held_for}")),
        SourceState::Waiting { cause } => {
            return bad(format!("not ready: not connected for {held_for}, the source waits to try again: {cause}"));
        }
        SourceState::Stalled => {
            return bad(format!("not ready: stalled for {held_for}: the source went silent, connecting anew"));
        }
        SourceState::BlockedByCredits => {
            return bad(format!(
                "not ready: blocked by credits for {held_for}: the account has none left; it goes on by itself when \
                 there are new ones"
            ));
        }
        SourceState::BlockedByAuth => {
            return bad("not ready: blocked by auth: the source refuses the credentials; check them and start again");
        }
        SourceState::Connected => match health.rejects.share(now_ms) {
            Some(share) => rejecting("connected", &share),
            None => connected(numbers, now_ms, snapshot.source.since_ms),
        },
        SourceState::Reading => match health.rejects.share(now_ms) {
            Some(share) => rejecting("reading", &share),
            None => "reading".to_owned(),
        },
        SourceState::Ended => "the input has ended, its hours are being closed".to_owned(),
    };
    let hindrance = hindrance(&snapshot, now_ms);
    match hindrance {
        _ if numbers.spool_is_full() => {
            let why = hindrance.unwrap_or_else(|| "uploads are slower than the source".to_owned());
            bad(format!("not ready: the spool is full ({}), the source is held back; {why}", numbers.spool()))
        }
        None => good(format!("ready: {source}")),
        Some(why) => bad(format!("not ready: {source}, spooling ({}); {why}", numbers.spool())),
    }
}

/// Why nothing can be stored, if so.
fn hindrance(snapshot: &Snapshot, now_ms: i64) -> Option<String> {
    let store_for = span_ms(now_ms - snapshot.store.since_ms);
    let lease_for = span_ms(now_ms - snapshot.lease.since_ms);
    match (&snapshot.store.state, &snapshot.lease.state) {
        (StoreState::Away { cause }, _) => Some(format!("store away for {store_for}: {cause}")),
        (_, LeaseState::Unrenewed { cause }) => Some(format!("the lease is not renewed for {lease_for}: {cause}")),
        (StoreState::Unknown, _) => Some("the store has not answered yet".to_owned()),
        (StoreState::Up, LeaseState::None | LeaseState::Waiting { .. }) => Some("the lake is not ours yet".to_owned()),
        (StoreState::Up, LeaseState::Held) => None,
    }
}

fn connected(numbers: Numbers, now_ms: i64, since_ms: i64) -> String {
    let last_record_ms = numbers.last_record_ms.max(since_ms);
    let without_record = (now_ms - last_record_ms) / 1000;
    let last_byte = span_ms(now_ms - numbers.last_byte_ms.max(since_ms));
    if without_record < QUIET_SECONDS {
        "connected".to_owned()
    } else {
        format!("connected, quiet: no tweet for {}, last sign of life {last_byte} ago", span_ms(without_record * 1000))
    }
}

fn rejecting(state: &str, share: &Share) -> String {
    format!("{state}, rejecting {} % of lines: {}", share.percent, share.reason)
}

fn span_ms(millis: i64) -> String {
    span(u64::try_from(millis / 1000).unwrap_or(0))
}

/// A length of time for people: one or two units.
fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rejects::Rejected;
    use super::*;

    /// An agent whose writer beats and whose states began now; `later` is seconds from now.
    fn say(source: SourceState, store: StoreState, numbers: Numbers, later: i64) -> (bool, String) {
        let health = Health::default();
        health.beat();
        health.set_source(source);
        health.set_store(store);
        health.set_lease(LeaseState::Held);
        let began = health.snapshot().source.since_ms;
        let verdict = ready(&health, numbers, began + later * 1000);
        (verdict.good, verdict.sentence)
    }

    fn away() -> StoreState {
        StoreState::Away { cause: "no connection".into() }
    }

    const HALF: Numbers = Numbers {
        last_byte_ms: 0,
        last_record_ms: 0,
        spool_bytes: 1 << 20,
        spool_max_bytes: 2 << 20,
        clock: clock::ClockState::Right,
    };
    const FULL: Numbers = Numbers { spool_bytes: 2 << 20, ..HALF };

    #[test]
    fn each_state_of_the_source_has_its_own_sentence() {
        use SourceState::*;
        let cause = || "the server closed the stream".to_owned();
        let table = [
            (Starting, false, "not ready: starting, the source has not begun"),
            (Connecting, false, "not ready: connecting to the source for 5 s"),
            (
                Waiting { cause: cause() },
                false,
                "not ready: not connected for 5 s, the source waits to try again: the server closed the stream",
            ),
            (Stalled, false, "not ready: stalled for 5 s: the source went silent, connecting anew"),
            (
                BlockedByCredits,
                false,
                "not ready: blocked by credits for 5 s: the account has none left; it goes on by itself when there are \
                 new ones",
            ),
            (
                BlockedByAuth,
                false,
                "not ready: blocked by auth: the source refuses the credentials; check them and start again",
            ),
            (Connected, true, "ready: connected"),
            (Reading, true, "ready: reading"),
            (Ended, true, "ready: the input has ended, its hours are being closed"),
        ];
        for (state, expected, sentence) in table {
            assert_eq!(say(state, StoreState::Up, HALF, 5), (expected, sentence.to_owned()));
        }
    }

    #[test]
    fn a_connection_without_tweets_is_quiet_and_ready() {
        let (ok, sentence) = say(SourceState::Connected, StoreState::Up, HALF, 240);
        assert!(ok);
        assert_eq!(sentence, "ready: connected, quiet: no tweet for 4 min, last sign of life 4 min ago");
    }

    #[test]
    fn a_stream_of_rejects_is_ready_and_says_what_it_rejects() {
        let health = Health::default();
        health.beat();
        health.set_source(SourceState::Connected);
        health.set_store(StoreState::Up);
        health.set_lease(LeaseState::Held);
        let now_ms = health.snapshot().source.since_ms;
        let (place, reason) = ("connection 1 line 3", "not JSON at byte 0: expected a value");
        let rejected = Rejected { kind: "invalid-json", place, reason, bytes: 3, lost_bytes: 0 };
        health.rejects.count_lines(10, now_ms);
        (0..3).for_each(|_| health.rejects.add(&rejected, now_ms));
        let sentence = "ready: connected, rejecting 30 % of lines: not JSON at byte 0: expected a value";
        assert_eq!(ready(&health, HALF, now_ms), good(sentence));
        assert_eq!(ready(&health, HALF, now_ms + 50_000).sentence, sentence);
        assert!(!ready(&health, HALF, now_ms + 120_000).sentence.contains("rejecting"));
    }

    #[test]
    fn while_nothing_can_be_stored_an_agent_is_not_ready_and_says_how_full_its_spool_is() {
        assert_eq!(
            say(SourceState::Connected, away(), HALF, 10),
            (
                false,
                "not ready: connected, spooling (1.0 MiB of 2.0 MiB used); store away for 10 s: no connection".into()
            )
        );
        assert_eq!(
            say(SourceState::Connected, away(), FULL, 10),
            (
                false,
                "not ready: the spool is full (2.0 MiB of 2.0 MiB used), the source is held back; store away for 10 s: \
                 no connection"
                    .into()
            )
        );
        let (ok, sentence) = say(SourceState::Connected, StoreState::Up, FULL, 10);
        assert!(!ok && sentence.ends_with("uploads are slower than the source"), "{sentence}");
        assert!(!say(SourceState::Connected, StoreState::Unknown, HALF, 10).0);
    }

    #[test]
    fn readiness_and_the_number_of_the_store_agree_in_every_state() {
        let stores = || [StoreState::Unknown, StoreState::Up, away()];
        let (holder, cause) = (String::new, || "access denied".to_owned());
        let leases = || {
            [
                LeaseState::None,
                LeaseState::Waiting { holder: holder() },
                LeaseState::Held,
                LeaseState::Unrenewed { cause: cause() },
            ]
        };
        for store in stores() {
            for lease in leases() {
                let health = Health::default();
                health.beat();
                health.set_source(SourceState::Connected);
                health.set_store(store.clone());
                health.set_lease(lease.clone());
                let verdict = ready(&health, HALF, health.snapshot().lease.since_ms);
                assert_eq!(verdict.good, health.snapshot().can_store(), "{store:?} {lease:?}: {}", verdict.sentence);
            }
        }
    }

    #[test]
    fn a_waiting_agent_and_an_unrenewed_lease_have_their_own_sentences() {
        let health = Health::default();
        health.set_lease(LeaseState::Waiting { holder: "agent \"a\" holds it".into() });
        let waiting = ready(&health, HALF, 0);
        assert_eq!(waiting, bad("not ready: waiting for the lease on the lake: agent \"a\" holds it"));
        health.beat();
        health.set_source(SourceState::Connected);
        health.set_store(StoreState::Up);
        health.set_lease(LeaseState::Unrenewed { cause: "access denied".into() });
        let unrenewed = ready(&health, HALF, health.snapshot().lease.since_ms + 5_000);
        let sentence = "not ready: connected, spooling (1.0 MiB of 2.0 MiB used); the lease is not renewed for 5 s: access \
                        denied";
        assert_eq!(unrenewed, bad(sentence));
    }

    #[test]
    fn a_fatal_error_and_a_stop_outrank_everything() {
        let health = Health::default();
        health.set_source(SourceState::Connected);
        health.set_stopping();
        let stopping = ready(&health, HALF, 0);
        assert_eq!(stopping.sentence, "not ready: stopping, what was accepted is being uploaded");
        health.set_fatal("the spool's disk is read-only");
        let fatal = ready(&health, HALF, 0);
        assert_eq!(fatal, bad("not ready: the agent cannot go on: the spool's disk is read-only"));
    }

    #[test]
    fn a_length_of_time_is_one_or_two_units() {
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3_660, "1 h 1 min"), (90_000, "1 d 1 h")] {
            assert_eq!(span(seconds), text);
        }
    }
}
