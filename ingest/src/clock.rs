//! The machine's clock, compared with the time that servers report: the store, and the stream's API, by the `Date` header of
//! their answers.
//!
//! A clock that is ahead does lasting harm: hours of the future are closed for good, and lines go into wrong hours. While it is
//! ahead of any server by more than the limit, nothing is dated by it: the source is held back, the writer gets no ticks, and
//! no hour closes. A clock that is behind only causes a warning: lines go into earlier hours, as late ones where these are
//! closed. Tweets prove nothing about a clock that is ahead, because a stream may be a replay; a tweet from the future shows
//! that the clock is behind.
//!
//! An observation ages by a monotonic clock that also counts suspended time, so a step of the wall clock is noticed without
//! another request.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cauce_lake::store::ServerTime;
use jiff::{SignedDuration, Timestamp};

/// How often a held source checks the clock.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// This machine's time, milliseconds since the epoch.
#[cfg(not(feature = "failpoints"))]
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// This machine's time, milliseconds since the epoch. With the feature `failpoints` a test sets it wrong: the file that
/// `INGEST_CLOCK_FILE` names holds the milliseconds by which it is ahead.
#[cfg(feature = "failpoints")]
pub fn now_ms() -> i64 {
    use std::path::PathBuf;
    use std::sync::OnceLock;

    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let file = FILE.get_or_init(|| std::env::var_os("INGEST_CLOCK_FILE").map(PathBuf::from));
    let ahead = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    let ahead_ms = ahead.map_or(0, |text| text.trim().parse().expect("INGEST_CLOCK_FILE holds milliseconds"));
    Timestamp::now().as_millisecond() + ahead_ms
}

/// Whose time the clock is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The store.
    Store,
    /// The stream's API.
    Stream,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Peer::Store => "store",
            Peer::Stream => "stream",
        })
    }
}

/// How the clock compares with the time that servers report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClockState {
    /// Within the limit, or no server has reported its time.
    #[default]
    Right,
    /// Ahead by more than the limit.
    Ahead {
        /// Milliseconds.
        by_ms: i64,
        /// Ahead of which peer.
        of: Peer,
    },
    /// Behind by more than the limit.
    Behind {
        /// Milliseconds.
        by_ms: i64,
        /// Behind which peer.
        of: Peer,
    },
}

impl fmt::Display for ClockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClockState::Right => f.write_str("the clock is right"),
            ClockState::Ahead { by_ms, of } => write!(f, "the clock is {} ahead of the {of}", span(*by_ms)),
            ClockState::Behind { by_ms, of } => write!(f, "the clock is {} behind the {of}", span(*by_ms)),
        }
    }
}

/// A length of time for people.
pub(crate) fn span(millis: i64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// The time that a server reported, and when, by a clock that nobody sets.
#[derive(Debug, Clone, Copy)]
struct Observation {
    at_ms: i64,
    since_boot: Duration,
}

impl Observation {
    /// The server's time now.
    fn now_ms(self) -> i64 {
        let passed = since_boot().saturating_sub(self.since_boot);
        self.at_ms.saturating_add(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The agent's clock. Without a limit it is trusted.
#[derive(Debug, Default)]
pub struct Clock {
    /// 0 while there is none.
    limit_ms: AtomicI64,
    observations: Mutex<Observations>,
    /// Whether the source is to end without waiting for the clock.
    is_leaving: AtomicBool,
    /// Whether a server will report its time: no hour closes before.
    is_awaited: AtomicBool,
}

#[derive(Debug, Default)]
struct Observations {
    store: Option<Observation>,
    stream: Option<Observation>,
    last_of_store: Option<ServerTime>,
    state: ClockState,
}

impl Clock {
    /// Sets how far the clock may be ahead or behind; zero trusts it in any case.
    pub fn set_limit(&self, limit: Duration) {
        self.limit_ms.store(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// How far it may be ahead or behind, in milliseconds; `None` when it is trusted.
    pub fn limit_ms(&self) -> Option<i64> {
        Some(self.limit_ms.load(Ordering::Relaxed)).filter(|limit| *limit > 0)
    }

    /// Withholds [`Clock::closing_ms`] until a server has reported its time or lines have come.
    pub fn await_observation(&self) {
        self.is_awaited.store(true, Ordering::Relaxed);
    }

    /// Ends [`Clock::await_observation`] for a source that sends lines and never reports a time.
    pub fn accept_unobserved(&self) {
        self.is_awaited.store(false, Ordering::Relaxed);
    }

    /// Records the time that a server reported.
    pub fn observe(&self, peer: Peer, time: ServerTime) {
        let mut seen = self.lock();
        // The store is polled: its last answer is taken in once.
        if peer == Peer::Store && seen.last_of_store.replace(time) == Some(time) {
            return;
        }
        let since_boot = since_boot().saturating_sub(time.received.elapsed());
        let observation = Some(Observation { at_ms: time.at_ms, since_boot });
        match peer {
            Peer::Store => seen.store = observation,
            Peer::Stream => seen.stream = observation,
        }
        self.is_awaited.store(false, Ordering::Relaxed);
    }

    /// Records the creation time of a tweet: one from the future shows that the clock is behind.
    pub fn observe_tweet(&self, created_at_ms: i64) {
        let Some(limit) = self.limit_ms() else { return };
        if created_at_ms.saturating_sub(now_ms()) > limit {
            self.lock().stream = Some(Observation { at_ms: created_at_ms, since_boot: since_boot() });
            self.check();
        }
    }

    /// Whether any server has reported its time.
    pub fn has_observation(&self) -> bool {
        let seen = self.lock();
        seen.store.is_some() || seen.stream.is_some()
    }

    /// How far the clock is ahead, in milliseconds, of the server that it is furthest ahead of; negative when it is behind,
    /// `None` without an observation.
    pub fn ahead_ms(&self) -> Option<i64> {
        self.lock().skews(now_ms()).map(|(by_ms, _)| by_ms).max()
    }

    /// Compares the clock with the observations, and logs a change of state.
    pub fn check(&self) -> ClockState {
        self.checked().1
    }

    /// As [`Clock::check`], with the time that was compared.
    fn checked(&self) -> (i64, ClockState) {
        let Some(limit) = self.limit_ms() else { return (now_ms(), ClockState::Right) };
        let mut seen = self.lock();
        let now_ms = now_ms();
        let state = seen.judge(now_ms, limit);
        let before = std::mem::replace(&mut seen.state, state);
        drop(seen);
        if std::mem::discriminant(&before) != std::mem::discriminant(&state) {
            match state {
                ClockState::Ahead { .. } => tracing::error!(
                    "{state}: the source is held back and no hour closes until it is right; set the clock"
                ),
                ClockState::Behind { .. } => {
                    tracing::warn!("{state}: lines are stored with times that have passed; set the clock");
                }
                ClockState::Right => tracing::info!("{state} again"),
            }
        }
        (now_ms, state)
    }

    /// The state at the last check.
    pub fn state(&self) -> ClockState {
        self.lock().state
    }

    /// The time for what arrives; `None` while the clock is ahead.
    pub fn arrival_ms(&self) -> Option<i64> {
        match self.checked() {
            (_, ClockState::Ahead { .. }) => None,
            (now_ms, ClockState::Right | ClockState::Behind { .. }) => Some(now_ms),
        }
    }

    /// The time by which hours may close: [`Clock::arrival_ms`], and `None` too while an observation is awaited.
    pub fn closing_ms(&self) -> Option<i64> {
        let waits = self.is_awaited.load(Ordering::Relaxed) && self.limit_ms().is_some();
        self.arrival_ms().filter(|_| !waits)
    }

    /// The time for what cannot wait: that of a server while the clock is ahead of it.
    pub fn best_ms(&self) -> i64 {
        match self.checked() {
            (now_ms, ClockState::Ahead { by_ms, .. }) => now_ms.saturating_sub(by_ms),
            (now_ms, ClockState::Right | ClockState::Behind { .. }) => now_ms,
        }
    }

    /// Waits until the clock is not ahead; `false` after [`Clock::leave`] while it is.
    pub async fn right(&self) -> bool {
        while self.arrival_ms().is_none() {
            if self.is_leaving.load(Ordering::Relaxed) {
                return false;
            }
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
        true
    }

    /// Ends all waits in [`Clock::right`].
    pub fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Observations> {
        self.observations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observations {
    /// How far a time is ahead of each server's.
    fn skews(&self, now_ms: i64) -> impl Iterator<Item = (i64, Peer)> {
        let seen = [(Peer::Store, self.store), (Peer::Stream, self.stream)];
        seen.into_iter().filter_map(move |(of, seen)| Some((now_ms.saturating_sub(seen?.now_ms()), of)))
    }

    fn judge(&self, now_ms: i64, limit: i64) -> ClockState {
        let most = self.skews(now_ms).max_by_key(|(by_ms, _)| *by_ms);
        let least = self.skews(now_ms).min_by_key(|(by_ms, _)| *by_ms);
        match (most, least) {
            (Some((by_ms, of)), _) if by_ms > limit => ClockState::Ahead { by_ms, of },
            (_, Some((by_ms, of))) if by_ms < -limit => ClockState::Behind { by_ms: -by_ms, of },
            _ => ClockState::Right,
        }
    }
}

/// Time since the machine was booted, suspended time included.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)] // asks the C library for a number
fn since_boot() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is ours and lives longer than the call.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) } != 0;
    assert!(!failed, "every kernel that Rust runs on has this clock");
    SignedDuration::new(time.tv_sec, i32::try_from(time.tv_nsec).unwrap_or(0)).unsigned_abs()
}

/// Time since the first call; suspended time counts only where the system's monotonic clock includes it.
#[cfg(not(target_os = "linux"))]
fn since_boot() -> Duration {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed() + Duration::from_secs(3600)
}

/// A timestamp from milliseconds since the epoch; the epoch itself for a year outside of −9999 to 9999, which has no text.
pub fn instant(epoch_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(epoch_ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const MINUTE: i64 = 60_000;

    fn clock() -> Clock {
        let clock = Clock::default();
        clock.set_limit(Duration::from_secs(300));
        clock
    }

    /// The time of a server that our clock is so far ahead of.
    fn time(ahead_ms: i64) -> ServerTime {
        ServerTime { at_ms: now_ms() - ahead_ms, received: Instant::now() }
    }

    #[test]
    fn a_clock_is_ahead_when_any_server_says_so_and_dates_nothing_then() {
        let clock = clock();
        assert_eq!((clock.check(), clock.has_observation()), (ClockState::Right, false));
        clock.observe(Peer::Stream, time(4 * MINUTE));
        assert!(clock.arrival_ms().is_some());
        clock.observe(Peer::Store, time(365 * 24 * 60 * MINUTE));
        let verdict = clock.check();
        assert_eq!(verdict.to_string(), "the clock is 365 d ahead of the store");
        assert_eq!((clock.arrival_ms(), clock.closing_ms()), (None, None));
        assert!((now_ms() - clock.best_ms() - 365 * 24 * 60 * MINUTE).abs() < MINUTE);
        clock.observe(Peer::Store, time(-4 * MINUTE));
        assert_eq!(clock.check(), ClockState::Right);
    }

    #[test]
    fn a_clock_that_is_behind_is_said_and_used() {
        let clock = clock();
        clock.observe(Peer::Store, time(-20 * MINUTE));
        assert!(matches!(clock.check(), ClockState::Behind { of: Peer::Store, .. }));
        assert!(clock.closing_ms().is_some());
    }

    #[test]
    fn a_tweet_from_the_future_shows_a_clock_that_is_behind_and_an_old_one_nothing() {
        let clock = clock();
        clock.observe_tweet(now_ms() - 365 * 24 * 60 * MINUTE);
        assert_eq!(clock.check(), ClockState::Right);
        clock.observe_tweet(now_ms() + 20 * MINUTE);
        assert!(matches!(clock.state(), ClockState::Behind { of: Peer::Stream, .. }));
    }

    #[test]
    fn an_observation_ages() {
        let clock = clock();
        let hour = Duration::from_secs(3600);
        let Some(received) = Instant::now().checked_sub(hour) else { return };
        if since_boot() < hour {
            return;
        }
        clock.observe(Peer::Store, ServerTime { at_ms: now_ms() - 3_600_000, received });
        assert_eq!(clock.check(), ClockState::Right);
    }

    #[test]
    fn hours_wait_for_an_awaited_observation() {
        let clock = clock();
        clock.await_observation();
        assert_eq!((clock.closing_ms(), clock.arrival_ms().is_some()), (None, true));
        clock.observe(Peer::Stream, time(0));
        assert!(clock.closing_ms().is_some());
    }

    #[test]
    fn without_a_limit_the_clock_is_trusted() {
        let clock = Clock::default();
        clock.observe(Peer::Store, time(365 * 24 * 60 * MINUTE));
        clock.await_observation();
        assert_eq!((clock.check(), clock.closing_ms().is_some()), (ClockState::Right, true));
    }

    #[tokio::test]
    async fn whoever_waits_goes_on_when_the_clock_is_right_and_is_let_go_at_the_end() {
        let clock = clock();
        clock.observe(Peer::Store, time(60 * MINUTE));
        let setting = async {
            tokio::task::yield_now().await;
            clock.observe(Peer::Store, time(0));
        };
        assert!(tokio::join!(clock.right(), setting).0);
        clock.observe(Peer::Store, time(60 * MINUTE));
        clock.leave();
        assert!(!clock.right().await);
    }
}
