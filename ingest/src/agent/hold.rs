//! Holding the lake: waits for the lease at a start, keeps it renewed beside everything else, and gives it back at the end.

use std::sync::Arc;
use std::time::Duration;

use cauce_lake::Store;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::start::patiently;
use super::{AgentError, store_error};
use crate::config::Settings;
use crate::config::settings::AgentSettings;
use crate::spool::entry::Entry;
use crate::spool::{Spool, SpoolError};
use crate::status::{LeaseState, Metrics};
use crate::upload::lease::{Attempt, Claim, Held, Lease, LeaseError, Observation, Taken, Title};

/// How often a waiting agent says so.
const SAY_AGAIN: Duration = Duration::from_secs(10);
/// Longest pause between two looks of a waiting agent, and its share of the lease's time.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const LOOKS: u32 = 12;
/// How long giving the lease back may take. Who is not given it waits for it a little.
const RELEASE_PATIENCE: Duration = Duration::from_secs(2);

/// The lake, held by a lease that is renewed.
pub(super) struct Hold {
    lease: Arc<Lease>,
    heartbeat: AbortOnDropHandle<LeaseError>,
    metrics: Arc<Metrics>,
}

/// Why the lease could not be taken.
#[derive(Debug, thiserror::Error)]
enum TakeError {
    #[error(transparent)]
    Lease(#[from] LeaseError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// Takes the lease, waiting for its holder where another spool's agent has it.
pub(super) async fn take_lease(
    spool: &mut Spool,
    store: &Arc<dyn Store>,
    settings: &Settings,
    metrics: &Metrics,
) -> Result<Lease, AgentError> {
    let mut waiting = Waiting::default();
    let asking = Mutex::new((claim(&settings.agent, spool), Observation::default(), spool));
    let passes =
        |error: &TakeError| matches!(error, TakeError::Lease(LeaseError::Store(error)) if error.kind().is_transient());
    let taken = loop {
        let attempt = patiently(passes, || async {
            let (claim, observation, spool) = &mut *asking.lock().await;
            let journal = |epoch| -> Result<(), TakeError> {
                spool.stage(Entry::Claimed { epoch });
                Ok(spool.commit()?)
            };
            Lease::attempt(store, claim, observation, journal).await
        });
        match attempt.await.map_err(refused)? {
            Attempt::Taken(taken) => break taken,
            Attempt::Held(held) => waiting.wait(&held, metrics).await,
        }
    };
    report(&taken);
    Ok(taken.lease)
}

impl Hold {
    /// Takes the lease and begins to renew it.
    pub(super) async fn take(
        spool: &mut Spool,
        store: &Arc<dyn Store>,
        settings: &Settings,
        metrics: &Arc<Metrics>,
    ) -> Result<Hold, AgentError> {
        let lease = Arc::new(take_lease(spool, store, settings, metrics).await?);
        metrics.set_lease(LeaseState::Held);
        let heartbeat = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&lease).keep(Arc::clone(metrics))));
        Ok(Hold { lease, heartbeat, metrics: Arc::clone(metrics) })
    }

    pub(super) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// Waits until the lake is lost, which it says at once on the status page and in the log. Must not be asked again then.
    pub(super) async fn lost(&mut self) -> AgentError {
        match (&mut self.heartbeat).await {
            Ok(lost) => fenced(&self.metrics, &lost),
            Err(panic) => AgentError::Failed(format!("the lease's heartbeat failed: {panic}")),
        }
    }

    /// Gives the lease back, so that the next agent need not wait. Nothing of ours may be on its way to the store any more.
    pub(super) async fn release(self) {
        self.heartbeat.abort();
        // A renewal under way holds the lease's lock until it is gone.
        let _ = self.heartbeat.await;
        let released = tokio::time::timeout(RELEASE_PATIENCE, self.lease.release()).await;
        self.metrics.set_lease(LeaseState::None);
        let cause = match released {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the store does not answer".to_owned(),
        };
        tracing::warn!(
            cause,
            "the lease could not be given back: an agent with another spool waits until it has run out"
        );
    }
}

/// Says that the lake is lost, and makes an end of it.
pub(super) fn fenced(metrics: &Metrics, lost: &LeaseError) -> AgentError {
    let reason = lost.to_string();
    match lost {
        LeaseError::Superseded { theirs, ours, .. } => tracing::error!(
            agent = theirs.id,
            host = theirs.host,
            process = theirs.process,
            epoch = theirs.epoch,
            ours,
            "another agent has taken the lake: this one stops; what it accepted and did not store is in its spool"
        ),
        _ => tracing::error!(
            reason,
            "the lake is lost: this agent stops; what it accepted and did not store is in its spool"
        ),
    }
    metrics.set_lease(LeaseState::None);
    metrics.health.set_fatal(reason.clone());
    AgentError::Fenced(reason)
}

fn claim(settings: &AgentSettings, spool: &Spool) -> Claim {
    Claim {
        id: settings.id.clone(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        process: std::process::id(),
        spool: spool.state().spool_id.clone(),
        claimed: spool.state().claimed_epoch,
        timeout: settings.lease_timeout,
        take_over: settings.take_over,
    }
}

fn refused(error: TakeError) -> AgentError {
    match error {
        TakeError::Lease(LeaseError::Store(error)) => store_error(error),
        TakeError::Lease(other) => AgentError::Configuration(other.to_string()),
        TakeError::Spool(error) => AgentError::Failed(error.to_string()),
    }
}

/// Says from whom the lease was taken, where it was anybody else's.
fn report(taken: &Taken) {
    let Some(from) = taken.lease.previous() else { return };
    let (host, process, epoch, heartbeat) =
        (&from.host, from.process, from.epoch, from.heartbeat_at.map(tracing::field::display));
    match taken.title {
        Title::Free => {}
        Title::Expired => tracing::warn!(
            host,
            process,
            epoch,
            heartbeat,
            "the agent that held the lake has not renewed its lease: it is taken over"
        ),
        Title::Fenced => tracing::warn!(
            host,
            process,
            epoch,
            heartbeat,
            "the lake is taken over from an agent that holds it (--take-over): that one stops, and keeps in its spool what it had not stored"
        ),
    }
    if !taken.lease.honours_match() {
        tracing::warn!(
            "the store ignores If-Match: of two agents that start at the same moment, both may run for some seconds"
        );
    }
}

/// When a waiting agent last said so.
#[derive(Default)]
struct Waiting {
    said: Option<Instant>,
}

impl Waiting {
    async fn wait(&mut self, held: &Held, metrics: &Metrics) {
        let (unchanged_s, left_s) = (held.unchanged.as_secs(), held.left.as_secs_f64().ceil());
        let holder = held.holder.holder();
        let holder = format!(
            "{holder} holds it; unchanged for {unchanged_s} s, taken over after {left_s} s more without a heartbeat"
        );
        metrics.set_lease(LeaseState::Waiting { holder });
        if self.said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
            self.said = Some(Instant::now());
            let from = &held.holder;
            tracing::info!(
                host = from.host,
                process = from.process,
                epoch = from.epoch,
                heartbeat = from.heartbeat_at.map(tracing::field::display),
                unchanged_s,
                left_s,
                "another agent holds the lake: waiting until it stops or its heartbeat does (ingest run --take-over does not wait)"
            );
        }
        let pause = LOOK_AGAIN.min((held.unchanged + held.left) / LOOKS).min(held.left);
        tokio::time::sleep(pause).await;
    }
}
