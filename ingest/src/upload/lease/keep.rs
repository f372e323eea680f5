//! The holder's heartbeat: renews the lease until the agent ends or the lease is lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{HEARTBEATS, Lease, LeaseError};
use crate::status::{LeaseState, Metrics};
use crate::upload::verdict;

impl Lease {
    /// How often it is renewed.
    pub(super) fn heartbeat(&self) -> Duration {
        self.timeout / HEARTBEATS
    }

    /// Renews the lease until it is lost, and returns how. A renewal that fails otherwise is tried again sooner; the status page
    /// says meanwhile that nothing can be stored. Ends when its task is aborted.
    pub async fn keep(self: Arc<Lease>, metrics: Arc<Metrics>) -> LeaseError {
        let every = self.heartbeat();
        let mut failing: Option<Instant> = None;
        loop {
            sleep(if failing.is_some() { every / 3 } else { every }).await;
            // A renewal that is given up may still land: the next one then finds our own record.
            let cause = match timeout(every, self.renew()).await {
                Ok(Ok(())) => {
                    if let Some(since) = failing.take() {
                        tracing::info!(after_s = since.elapsed().as_secs(), "the lease is renewed again");
                    }
                    metrics.set_lease(LeaseState::Held);
                    continue;
                }
                Ok(Err(lost)) if lost.is_loss() => return lost,
                Ok(Err(error)) => {
                    if failing.is_none() {
                        report(&error);
                    }
                    error.to_string()
                }
                Err(_) => {
                    let cause = format!("no answer within {:.1} s", every.as_secs_f32());
                    if failing.is_none() {
                        tracing::warn!(error = cause, "the lease cannot be renewed; it is tried again");
                    }
                    cause
                }
            };
            failing.get_or_insert_with(Instant::now);
            metrics.set_lease(LeaseState::Unrenewed { cause });
        }
    }
}

/// One line when renewals begin to fail.
fn report(error: &LeaseError) {
    match error {
        LeaseError::Store(store) if !verdict::needs_operator(store.kind()) => {
            tracing::warn!(%error, "the lease cannot be renewed; it is tried again");
        }
        _ => tracing::error!(
            %error,
            "the lease cannot be renewed; the spool keeps what is to be stored, and it is tried again"
        ),
    }
}
