//! The agent: wires source, channel, spool, upload and close, supervises them, and drains them in that order.

mod adopt;
mod damaged;
mod duplicates;
mod hold;
mod learn;
mod reconcile;
mod start;
mod steps;
mod time;

use std::sync::Arc;
use std::time::Duration;

use cauce_lake::{Hour, HourRange, Store};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::channel::{self, Sender};
use crate::close::Author;
use crate::config::Settings;
use crate::source::rejects::Found;
use crate::source::{self, Positions, Source, SourceError};
use crate::spool::{Spool, SpoolError};
use crate::status::metrics::sum;
use crate::status::{self, Metrics, StoreState};
use crate::upload::Uploader;
use crate::writer::inbox::inbox;
use crate::writer::{OpenHour, Parts, Rest, Writer};
use hold::Hold;
#[cfg(test)]
pub(crate) use start::take_lake;
use steps::Steps;
use time::Watch;

/// Why the agent ended other than by its input's end or a request to stop.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The source refused our credentials. Exit code 3.
    #[error("{0}")]
    SourceCredentials(String),
    /// The configuration cannot work: a wrong path, a lake that belongs to another agent. Exit code 2.
    #[error("{0}")]
    Configuration(String),
    /// The store cannot be used: wrong bucket or keys, or it ignores conditions. Exit code 4.
    #[error("{0}")]
    Store(String),
    /// Another agent has taken the lake. Exit code 5.
    #[error("{0}")]
    Fenced(String),
    /// The spool or an input failed. Exit code 1.
    #[error("{0}")]
    Failed(String),
}

/// What an agent did, for the last line it prints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Records accepted since the start.
    pub accepted: u64,
    /// Tweets among them that are new, late ones included.
    pub tweets: u64,
    /// Messages among them.
    pub messages: u64,
    /// Tweets that came after their hour was closed.
    pub late: u64,
    /// Rejects among them.
    pub rejects: u64,
    /// Place and reason of the first reject.
    pub first_reject: Option<String>,
    /// Tweets left out because their id was stored already.
    pub duplicates: u64,
    /// Objects confirmed in the store.
    pub objects: u64,
    /// Hours closed.
    pub hours_closed: u64,
    /// Spool files left for the next start.
    pub left_in_spool: u64,
    /// Hours that were closed, with their tweets; empty for a live source.
    pub closed: Vec<(Hour, u64)>,
    /// Hours that hold something and are still open, and why.
    pub open: Vec<(Hour, OpenHour)>,
    /// Why a finite input was not read to its end. What was read of it is stored.
    pub damage: Option<String>,
}

impl Report {
    /// The outcome of the run, from its report.
    ///
    /// # Errors
    /// [`AgentError::Failed`] where an input was not read to its end.
    pub fn outcome(&self) -> Result<(), AgentError> {
        self.damage.as_ref().map_or(Ok(()), |text| Err(AgentError::Failed(text.clone())))
    }
}

/// Interval of ticks while no record arrives.
const TICK: Duration = Duration::from_millis(200);

/// Runs until the source ends, `stop` is cancelled or something fails for good.
///
/// When `stop` is cancelled the agent stops reading, commits, seals and uploads within `drain_timeout`; what is left
/// stays in the spool. When `stop_now` is cancelled too (a second signal) it leaves at once; what was accepted is durable.
///
/// # Errors
/// See [`AgentError`].
pub async fn run(
    settings: Settings,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    stop_now: CancellationToken,
) -> Result<Report, AgentError> {
    let serving = CancellationToken::new();
    let _ends_serving = serving.clone().drop_guard();
    serve_status(&settings, &metrics, &serving).await?;
    let store = cauce_lake::store::open(&settings.lake.url, &settings.lake.s3).await.map_err(store_error)?;
    let build = |positions| source::build(&settings, positions, Arc::clone(&metrics));
    run_on(&settings, store, build, Arc::clone(&metrics), stop, stop_now).await
}

/// Runs without a source: stores what the spool holds, closes the hours that have ended by the clock, and waits for nothing
/// else. For spools that no agent works on; `stop` and `stop_now` as with [`run`].
///
/// # Errors
/// See [`AgentError`].
pub async fn close(
    settings: Settings,
    stop: CancellationToken,
    stop_now: CancellationToken,
) -> Result<Report, AgentError> {
    let store = cauce_lake::store::open(&settings.lake.url, &settings.lake.s3).await.map_err(store_error)?;
    let nothing = |_| -> Result<Box<dyn Source>, SourceError> { Ok(Box::new(source::Nothing)) };
    run_on(&settings, store, nothing, Arc::default(), stop, stop_now).await
}

/// Takes the lines of the lake's rejects that this version can read back into the queue, those of `hours` or all, and then does
/// what [`close`] does. A line that was requeued once from this spool is left out. `found` counts what is not requeued.
///
/// # Errors
/// See [`AgentError`].
pub async fn requeue_rejects(
    settings: Settings,
    hours: Vec<HourRange>,
    found: Arc<Found>,
    stop: CancellationToken,
    stop_now: CancellationToken,
) -> Result<Report, AgentError> {
    let store = cauce_lake::store::open(&settings.lake.url, &settings.lake.s3).await.map_err(store_error)?;
    let metrics: Arc<Metrics> = Arc::default();
    let (of, counts) = (Arc::clone(&store), Arc::clone(&metrics));
    let rejects = |positions| Ok(source::of_rejects(&settings, of, hours, positions, counts, found));
    run_on(&settings, store, rejects, metrics, stop, stop_now).await
}

/// Serves the status page, and Flume's numbers where they are asked for, until `serving` is cancelled.
async fn serve_status(
    settings: &Settings,
    metrics: &Arc<Metrics>,
    serving: &CancellationToken,
) -> Result<(), AgentError> {
    let refused = |error: status::BindError| AgentError::Configuration(error.to_string());
    let hosts = status::Hosts::new(&settings.status.allowed_hosts);
    if let Some(address) = settings.status.listen {
        match status::bind(address, "status.listen").await {
            Ok(listener) => {
                tell_address(&listener, "status page");
                let state = status::StatusState::new(Arc::clone(metrics), hosts.clone());
                tokio::spawn(status::serve(listener, state, serving.clone()));
            }
            // The default address, and a run that ends by itself: the page is not needed.
            Err(error) if !settings.status.is_listen_given && !settings.source.is_live() => {
                tracing::warn!(%error, "going on without the status page");
            }
            Err(error) => return Err(refused(error)),
        }
    }
    if let Some(address) = settings.status.flume_listen {
        let listener = status::bind(address, "flume.monitoring.port").await.map_err(refused)?;
        tell_address(&listener, "numbers as Flume's JSON");
        let (source, channel, sink) = settings.status.flume_names.clone();
        let names = status::flume::Names { source, channel, sink };
        tokio::spawn(status::flume::serve(listener, Arc::clone(metrics), names, hosts, serving.clone()));
    }
    Ok(())
}

/// Logs the address of a page, which port 0 leaves to the system.
fn tell_address(listener: &tokio::net::TcpListener, page: &str) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(page, address = %format_args!("http://{address}"), "serving");
    }
}

/// Runs on a store that is open, with a source that is made when it is known where an earlier run stood.
async fn run_on(
    settings: &Settings,
    store: Arc<dyn Store>,
    source: impl FnOnce(Positions) -> Result<Box<dyn Source>, SourceError>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    stop_now: CancellationToken,
) -> Result<Report, AgentError> {
    let (mut spool, _) = start::open_spool(settings).await?;
    time::refuse_future(spool.state(), settings)?;
    let source = source(spool.state().positions.clone())?;
    let mut hold = tokio::select! {
        taken = Hold::take(&mut spool, &store, settings, &metrics) => taken?,
        () = stop.cancelled() => return Ok(Report::default()),
    };
    let outcome = hold_on(settings, spool, store, source, &mut hold, metrics, stop, stop_now).await;
    if !matches!(outcome, Err(AgentError::Fenced(_))) {
        hold.release().await;
    }
    outcome
}

/// Runs while the lake is held.
#[expect(clippy::too_many_arguments, reason = "what a run is made of, passed on once")]
async fn hold_on(
    settings: &Settings,
    mut spool: Spool,
    store: Arc<dyn Store>,
    source: Box<dyn Source>,
    hold: &mut Hold,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    stop_now: CancellationToken,
) -> Result<Report, AgentError> {
    let live = source.is_live();
    let lease = Arc::clone(hold.lease());
    let (guarantee, duplicates) = tokio::select! {
        learnt = start::learn_lake(&mut spool, &store, settings, live, &lease) => learnt?,
        lost = hold.lost() => return Err(lost),
        () = stop.cancelled() => return Ok(Report::default()),
    };
    // Before anything is dated. A clock that was set back meanwhile may leave the spool in the future.
    let mut watch = Watch::new(Arc::clone(&metrics.clock), Arc::clone(&store), settings);
    let is_right = tokio::select! {
        is_right = watch.right(&stop) => is_right,
        lost = hold.lost() => return Err(lost),
    };
    if !is_right {
        return Ok(Report::default());
    }
    time::refuse_future(spool.state(), settings)?;
    metrics.set_store(StoreState::Up);
    metrics.duplicates.inc_by(duplicates);
    metrics.started_at.set(Timestamp::now().as_second());
    metrics.spool_max_bytes.set(i64::try_from(settings.spool.max_bytes).unwrap_or(i64::MAX));
    metrics.channel_capacity.set(i64::try_from(settings.channel.capacity).unwrap_or(i64::MAX));

    let (inbox, messages) = inbox();
    let deliver = {
        let inbox = inbox.clone();
        move |event| inbox.event(event)
    };
    let channel = channel::open(settings.channel.capacity, spool.state().last_ms, Arc::clone(&metrics.clock), deliver);
    let (jobs, todo) = mpsc::unbounded_channel();
    let author = Author { agent: settings.agent.id.clone(), epoch: lease.epoch(), guarantee };
    tracing::info!(lake = %store.location(), agent = author.agent, epoch = author.epoch, %guarantee, "the lake is ours");

    let leave = CancellationToken::new();
    let uploader = Uploader::new(store, lease, inbox.reports(), Arc::clone(&metrics));
    let (leave_uploads, uploads_gone) = (leave.clone(), CancellationToken::new());
    let gone = uploads_gone.clone().drop_guard();
    let uploads = tokio::spawn(async move {
        let _gone = gone;
        uploader.run(todo, leave_uploads).await
    });
    let writer = Writer::new(Parts {
        spool,
        messages,
        jobs,
        lake: settings.lake.clone(),
        live,
        fsync_interval: settings.spool.fsync_interval,
        spool_max_bytes: settings.spool.max_bytes,
        author,
        metrics: Arc::clone(&metrics),
    });
    let writer = start_writer(writer, Arc::clone(&metrics))?;
    let reading = CancellationToken::new();
    let source = tokio::spawn(source.run(channel.clone(), reading.clone()));
    let ticks = tokio::spawn(tick(channel.clone(), Arc::clone(&metrics), watch));

    let steps = Steps {
        channel,
        inbox,
        source,
        uploads,
        writer,
        hold,
        reading,
        leave: leave.clone(),
        metrics: Arc::clone(&metrics),
    };
    let outcome = steps.supervise(live, settings.agent.drain_timeout, stop, stop_now).await;
    ticks.abort();
    // Nothing may be put any more when the lease is given back.
    leave.cancel();
    uploads_gone.cancelled().await;
    let (rest, damage) = outcome?;
    Ok(Report {
        accepted: metrics.records_accepted.get(),
        tweets: metrics.tweets.get(),
        messages: sum(&metrics.messages),
        late: metrics.late.get(),
        rejects: sum(&metrics.rejects),
        first_reject: metrics.health.rejects.first(),
        duplicates: metrics.duplicates.get(),
        objects: metrics.objects_stored.get(),
        hours_closed: metrics.hours_closed.get(),
        left_in_spool: rest.files,
        closed: rest.closed,
        open: rest.open,
        damage,
    })
}

fn start_writer(
    writer: Writer,
    metrics: Arc<Metrics>,
) -> Result<oneshot::Receiver<Result<Rest, SpoolError>>, AgentError> {
    let (done, outcome) = oneshot::channel();
    std::thread::Builder::new()
        .name("writer".into())
        .spawn(move || {
            let outcome = writer.run();
            metrics.health.writer_ended();
            // The receiver is gone when the agent failed elsewhere.
            let _ = done.send(outcome);
        })
        .map_err(|error| AgentError::Failed(format!("no thread for the writer: {error}")))?;
    Ok(outcome)
}

/// Tells the writer the time until the channel is closed.
async fn tick(channel: Sender, metrics: Arc<Metrics>, mut watch: Watch) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        metrics.channel_size.set(i64::try_from(channel.len()).unwrap_or(i64::MAX));
        // It may ask servers, while nothing has to be told.
        watch.is_ahead().await;
        if channel.tick().is_err() {
            return;
        }
    }
}

fn store_error(error: cauce_lake::StoreError) -> AgentError {
    AgentError::Store(error.to_string())
}

impl From<SourceError> for AgentError {
    fn from(error: SourceError) -> AgentError {
        match error {
            SourceError::Credentials(text) => AgentError::SourceCredentials(text),
            SourceError::Configuration(text) => AgentError::Configuration(text),
            SourceError::Input(text) => AgentError::Failed(text),
        }
    }
}

#[cfg(test)]
mod tests;
