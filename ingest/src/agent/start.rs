//! What an agent does before it takes its first record: the spool recovered, the lake taken, what an earlier
//! process left cleaned up.

use std::sync::Arc;
use std::time::Duration;

use cauce_lake::manifest::Guarantee;
use cauce_lake::{Store, StoreError};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{AgentError, store_error};
use crate::clock::instant;
use crate::config::Settings;
use crate::spool::{Options, Recovery, Spool, SpoolError, group_limit};
use crate::upload::lease::Lease;
use crate::upload::said;

/// How long a store that does not answer is waited for at start, by each question put to it, and how often it is asked.
pub(super) const STORE_PATIENCE: Duration = Duration::from_secs(30);
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(1);
/// Multipart uploads and staging files older than this were left by a process that is gone.
const ORPHAN_AGE_MS: i64 = 24 * 3_600_000;

pub(super) async fn open_spool(settings: &Settings) -> Result<(Spool, Recovery), AgentError> {
    let window = settings.dedupe_window.as_millis();
    let options = Options {
        dir: settings.spool.dir.clone(),
        durable: settings.channel.durable,
        dedupe_window_ms: i64::try_from(window).unwrap_or(i64::MAX),
        group_limit: group_limit(settings.source.max_line_bytes(), settings.channel.transaction_capacity),
    };
    let opened = tokio::task::spawn_blocking(move || Spool::open(&options)).await;
    let (spool, recovery) = opened
        .map_err(|panic| AgentError::Failed(format!("the spool could not be opened: {panic}")))?
        .map_err(|error| match error {
            SpoolError::Locked { .. } => AgentError::Configuration(error.to_string()),
            other => AgentError::Failed(other.to_string()),
        })?;
    report_recovery(&recovery, &spool);
    Ok((spool, recovery))
}

fn report_recovery(recovery: &Recovery, spool: &Spool) {
    let files = spool.state().files.values().filter(|file| file.spooled_bytes() > 0).count();
    if recovery.found {
        let (stopped, bytes) = (recovery.stopped, spool.state().spooled_bytes());
        tracing::info!(stopped_in_order = stopped, files, bytes, "spool found; what it holds is stored first");
    }
    if recovery.cut_group {
        tracing::info!("the last group of the spool was not accepted before the crash and was left out");
    }
    if recovery.lost_lines > 0 {
        tracing::error!(
            lines = recovery.lost_lines,
            "lines of open files were lost with the machine's power; channel.type = \"file\" keeps them"
        );
    }
    let aside = spool.state().files.values().filter(|file| file.aside().is_some()).count();
    if aside > 0 {
        tracing::error!(
            files = aside,
            "files lie in the spool's quarantine and are not stored; ingest spool ls shows them, requeue takes them back"
        );
    }
    report_unknown(recovery);
    for (head, reason) in &recovery.damaged {
        tracing::error!(file = head.id, key = %head.key, reason, "a spool file is damaged and was put into the spool's quarantine folder");
    }
}

/// What the journal should have spoken for and does not.
fn report_unknown(recovery: &Recovery) {
    if let Some(doubt) = &recovery.doubt {
        if recovery.unknown.is_empty() {
            tracing::warn!(
                reason = doubt,
                "the spool's journal may have lost its end; nothing lies in the spool that it does not speak for"
            );
        } else {
            let (files, lines, bytes) = recovery.unknown.iter().fold((0, 0, 0), |(files, lines, bytes), (piece, _)| {
                (files + 1, lines + piece.lines, bytes + piece.bytes)
            });
            tracing::error!(
                files,
                lines,
                bytes,
                reason = doubt,
                "the spool's journal does not speak for all that lies in the spool: it was moved to quarantine/ and is not stored; stop the agent, run ingest spool requeue --all, start it again"
            );
        }
    }
    for (piece, kept) in &recovery.unknown {
        tracing::error!(
            from = piece.name,
            offset = piece.from,
            to = kept,
            lines = piece.lines,
            bytes = piece.bytes,
            "moved to quarantine/: the journal does not speak for it"
        );
    }
    for name in &recovery.foreign {
        tracing::warn!(name, "a file in the spool's folder that the spool never makes; it is left alone");
    }
    for hole in &recovery.holes {
        tracing::error!(
            from = %instant(hole.from_ms),
            to = %instant(hole.to_ms),
            first_id = hole.span.map(|(first, _)| first),
            last_id = hole.span.map(|(_, last)| last),
            until = %instant(hole.until_ms),
            "an id file of the spool is damaged or gone: tweets that arrived in this span of time and come again are stored again; the manifests of the hours until then say so"
        );
    }
}

/// Asks the store again while it does not answer, because machines start in any order. What waiting does not mend is an
/// error at once.
pub(super) async fn patiently<T, E, F>(passes: impl Fn(&E) -> bool, mut ask: impl FnMut() -> F) -> Result<T, E>
where
    E: std::error::Error,
    F: Future<Output = Result<T, E>>,
{
    let began = Instant::now();
    loop {
        match ask().await {
            Err(error) if passes(&error) && began.elapsed() < STORE_PATIENCE => {
                tracing::warn!(error = said(&error), "the store does not answer; it is tried again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// As [`patiently`], for what fails with the store's own errors.
pub(super) async fn patiently_asked<T, F>(ask: impl FnMut() -> F) -> Result<T, AgentError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    patiently(|error: &StoreError| error.kind().is_transient(), ask).await.map_err(store_error)
}

/// Says what the store was found to check: nothing else tells the operator that an old server checks less.
pub(super) fn say_checks(store: &dyn Store) {
    let Some(checks) = store.put_checks() else { return };
    if checks.takes_checksum {
        tracing::info!(%checks, "each object is compared with what the store says of it before its copy in the spool goes");
    } else {
        tracing::warn!(%checks, "the store refuses checksums (x-amz-checksum-crc64nvme): objects are put without, and compared with what the store says of them");
    }
}

/// Learns from the lake, which is ours now, what the spool does not know. Returns what the manifests will promise, and how many tweets
/// were left out of the spool.
pub(super) async fn learn_lake(
    spool: &mut Spool,
    store: &Arc<dyn Store>,
    settings: &Settings,
    live: bool,
    lease: &Lease,
) -> Result<(Guarantee, u64), AgentError> {
    let guarantee = guarantee(settings, lease)?;
    say_checks(&**store);
    // The same epoch of another spool is another epoch: a record that was deleted is begun anew.
    let (ours, known) = (spool.state().spool_id.clone(), spool.state().epoch);
    let previous = lease.previous().filter(|record| record.spool == ours || Some(record.epoch) != known);
    let epochs = (previous.map(|record| record.epoch), lease.epoch());
    let duplicates = super::reconcile::reconcile(spool, store, settings, live, epochs).await?;
    clean_up(&**store).await;
    Ok((guarantee, duplicates))
}

/// Takes the lake as a start does, for tests that do the rest themselves.
#[cfg(test)]
pub(crate) async fn take_lake(
    spool: &mut Spool,
    store: &Arc<dyn Store>,
    settings: &Settings,
    live: bool,
) -> Result<(Arc<Lease>, Guarantee), AgentError> {
    let lease = Arc::new(super::hold::take_lease(spool, store, settings, &crate::status::Metrics::default()).await?);
    let (guarantee, _) = learn_lake(spool, store, settings, live, &lease).await?;
    Ok((lease, guarantee))
}

pub(super) fn guarantee(settings: &Settings, lease: &Lease) -> Result<Guarantee, AgentError> {
    if !lease.honours_conditions() {
        if !settings.lake.allow_unsafe_store {
            return Err(AgentError::Store(format!(
                "the store at {} ignores If-None-Match, so an object could be overwritten unseen: use another server, or set lake.allow_unsafe_store = true to go on with a lower guarantee",
                settings.lake.url
            )));
        }
        tracing::warn!("the store ignores If-None-Match: the guarantee is lowered to unsafe-store");
    }
    Ok(match (settings.channel.durable, lease.honours_conditions()) {
        (false, _) => Guarantee::AtMostOnce,
        (true, true) => Guarantee::ExactlyOnce,
        (true, false) => Guarantee::UnsafeStore,
    })
}

pub(super) async fn clean_up(store: &dyn Store) {
    match store.clean_up(Timestamp::now().as_millisecond() - ORPHAN_AGE_MS).await {
        Ok(0) => {}
        Ok(uploads) => tracing::info!(uploads, "unfinished uploads of an earlier process were removed"),
        Err(error) => {
            tracing::warn!(%error, "unfinished uploads could not be looked for; a lifecycle rule of the bucket can remove them")
        }
    }
}
