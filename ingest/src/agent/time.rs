//! The clock of a running agent: observations are taken in, a start waits until the clock is right, and a spool from the
//! future is refused.

use std::sync::Arc;
use std::time::Duration;

use cauce_lake::manifest::AGENT_KEY;
use cauce_lake::{Key, Store};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{AgentError, TICK};
use crate::clock::{Clock, ClockState, Peer, now_ms, span};
use crate::config::Settings;
use crate::config::settings::SourceSettings;
use crate::source;
use crate::spool::state::State;

/// How often servers are asked again while the clock is ahead: the last observation may be wrong.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// The clock, and the servers that report the time.
pub(super) struct Watch {
    clock: Arc<Clock>,
    store: Arc<dyn Store>,
    source: SourceSettings,
    asked: Instant,
}

impl Watch {
    pub(super) fn new(clock: Arc<Clock>, store: Arc<dyn Store>, settings: &Settings) -> Watch {
        clock.set_limit(settings.agent.max_clock_skew);
        Watch { clock, store, source: settings.source.clone(), asked: Instant::now() }
    }

    /// Takes in the time that the store reported.
    pub(super) fn observe(&self) {
        if let Some(time) = self.store.server_time() {
            self.clock.observe(Peer::Store, time);
        }
    }

    /// Asks the stream's server where the store reports no time; then waits until the clock is not ahead. `false` when `stop`
    /// came first.
    pub(super) async fn right(&mut self, stop: &CancellationToken) -> bool {
        self.observe();
        if !self.clock.has_observation() && self.clock.limit_ms().is_some() {
            self.ask_stream().await;
        }
        if !self.clock.has_observation() && self.source.is_live() {
            self.clock.await_observation();
            tracing::warn!(
                "neither the store nor the stream has told the time yet: hours stay open until one of them does (agent.max_clock_skew = \"0\" turns this off)"
            );
        }
        while self.is_ahead().await {
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(TICK) => {}
            }
        }
        true
    }

    /// Looks at the clock, and asks again now and then while it is ahead.
    pub(super) async fn is_ahead(&mut self) -> bool {
        self.observe();
        let is_ahead = matches!(self.clock.check(), ClockState::Ahead { .. });
        if is_ahead && self.asked.elapsed() >= ASK_AGAIN {
            self.asked = Instant::now();
            self.ask_stream().await;
            if self.store.server_time().is_some() {
                let key = Key::new(AGENT_KEY).expect("a fixed name is a key");
                // Its answer's date is what is asked for, whatever the answer is.
                let _ = self.store.head(&key).await;
            }
        }
        is_ahead
    }

    async fn ask_stream(&self) {
        if let Some(time) = source::ask_time(&self.source).await {
            self.clock.observe(Peer::Stream, time);
        }
    }
}

/// Refuses a spool that an agent with a clock far ahead has left: what comes would be dated by it.
pub(super) fn refuse_future(state: &State, settings: &Settings) -> Result<(), AgentError> {
    let limit = settings.agent.max_clock_skew.as_millis();
    let ahead_ms = state.ahead_of(now_ms());
    if limit == 0 || u128::try_from(ahead_ms).is_ok_and(|ahead| ahead <= limit) || ahead_ms < 0 {
        return Ok(());
    }
    let dir = settings.spool.dir.display();
    Err(AgentError::Configuration(format!(
        "the spool {dir} was last used {} from now: if this machine's clock is behind, set it; if it was ahead then, \
         ingest spool reset-time --spool-dir {dir} brings the spool back to now, and loses nothing",
        span(ahead_ms)
    )))
}
