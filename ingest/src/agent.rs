//! The agent: wires source, channel, spool, upload and close, supervises them, and drains them in that order.

mod adopt;
mod learn;
mod reconcile;
mod start;
mod time;

use std::sync::Arc;
use std::time::Duration;

use cauce_lake::manifest::Guarantee;
use cauce_lake::{Hour, Store};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::channel::{Sender, dated_channel};
use crate::close::Author;
use crate::config::Settings;
use crate::source::{self, Positions, Source, SourceError};
use crate::spool::{Spool, SpoolError};
use crate::status::metrics::sum;
use crate::status::{self, Metrics, StoreState};
use crate::upload::lease::Lease;
use crate::upload::{Fenced, Uploader};
use crate::writer::{Inner, OpenHour, Parts, Rest, Writer};
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
}

/// How often the writer is told the time when nothing arrives.
const TICK: Duration = Duration::from_millis(200);
/// How long the writer may take to end when it was told to leave at once: it commits once more.
const LEAVE_PATIENCE: Duration = Duration::from_secs(10);

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

/// Says where a page is: with port 0 nobody could know otherwise.
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
    let live = source.is_live();
    let (lease, guarantee) = tokio::select! {
        prepared = take_lake(&mut spool, &store, settings, live) => prepared?,
        () = stop.cancelled() => return Ok(Report::default()),
    };
    // Before anything is dated. A clock that was set back meanwhile may leave the spool in the future.
    let mut watch = Watch::new(Arc::clone(&metrics.clock), Arc::clone(&store), settings);
    if !watch.right(&stop).await {
        return Ok(Report::default());
    }
    time::refuse_future(spool.state(), settings)?;
    metrics.set_store(StoreState::Up);
    metrics.started_at.set(Timestamp::now().as_second());
    metrics.spool_max_bytes.set(i64::try_from(settings.spool.max_bytes).unwrap_or(i64::MAX));
    metrics.channel_capacity.set(i64::try_from(settings.channel.capacity).unwrap_or(i64::MAX));

    let (channel, events) = dated_channel(settings.channel.capacity, spool.state().last_ms, Arc::clone(&metrics.clock));
    let (work, todo) = mpsc::unbounded_channel();
    let author = Author { agent: settings.agent.id.clone(), epoch: lease.epoch(), guarantee };
    tracing::info!(lake = %store.location(), agent = author.agent, epoch = author.epoch, %guarantee, "the lake is ours");

    let leave = CancellationToken::new();
    let uploader = Uploader::new(store, lease, channel.clone(), Arc::clone(&metrics));
    let uploads = tokio::spawn(uploader.run(todo, leave.clone()));
    let writer = Writer::new(Parts {
        spool,
        events,
        work,
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

    let steps = Steps { channel, source, uploads, writer, reading, leave, metrics: Arc::clone(&metrics) };
    let outcome = steps.supervise(live, settings.agent.drain_timeout, stop, stop_now).await;
    ticks.abort();
    let rest = outcome?;
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
    })
}

/// Takes the lake, and learns from it what the spool does not know.
pub(crate) async fn take_lake(
    spool: &mut Spool,
    store: &Arc<dyn Store>,
    settings: &Settings,
    live: bool,
) -> Result<(Arc<Lease>, Guarantee), AgentError> {
    let lease = Arc::new(start::take_lease(store, &settings.agent.id).await?);
    let guarantee = start::guarantee(settings, &lease)?;
    reconcile::reconcile(spool, store, settings, live, (lease.previous(), lease.epoch())).await?;
    start::clean_up(&**store).await;
    Ok((lease, guarantee))
}

/// The running steps.
struct Steps {
    channel: Sender,
    source: JoinHandle<Result<(), SourceError>>,
    uploads: JoinHandle<Result<(), Fenced>>,
    writer: oneshot::Receiver<Result<Rest, SpoolError>>,
    reading: CancellationToken,
    leave: CancellationToken,
    metrics: Arc<Metrics>,
}

impl Steps {
    /// Waits until something ends, then ends the rest in order: source, channel, spool, uploads. Returns what is left in
    /// the spool.
    async fn supervise(
        mut self,
        live: bool,
        drain_timeout: Duration,
        stop: CancellationToken,
        stop_now: CancellationToken,
    ) -> Result<Rest, AgentError> {
        let source_done = tokio::select! {
            done = &mut self.source => Some(done),
            () = stop.cancelled() => None,
            done = &mut self.writer => return Err(self.writer_ended(done)),
            done = &mut self.uploads => return self.uploads_ended(done).await,
        };
        self.reading.cancel();
        self.metrics.health.set_stopping();
        let deadline = Instant::now() + drain_timeout;
        let source_outcome = match source_done {
            Some(done) => done,
            None => {
                tracing::info!("stopping: reading ends, what was read is stored");
                // A source that waits for room cannot end, and would use up the time to drain.
                self.channel.let_in();
                tokio::select! {
                    done = &mut self.source => done,
                    () = tokio::time::sleep_until(deadline) => { self.source.abort(); Ok(Ok(())) }
                    () = stop_now.cancelled() => { self.source.abort(); Ok(Ok(())) }
                }
            }
        };
        let failure = match source_outcome {
            Ok(outcome) => outcome.err().map(AgentError::from),
            Err(panic) => Some(AgentError::Failed(format!("the source failed: {panic}"))),
        };
        if let Some(failure) = &failure {
            self.metrics.health.set_fatal(failure.to_string());
        }
        let complete = !live && failure.is_none() && !stop.is_cancelled();
        // A closed channel means that the writer is gone already; its outcome says why.
        let _ = if complete { self.channel.ended() } else { self.channel.inner(Inner::Drain) };
        let left = self.drain(complete, deadline, &stop, &stop_now, drain_timeout).await?;
        match failure {
            Some(failure) => Err(failure),
            None => Ok(left),
        }
    }

    /// Waits for the writer to finish what is under way: without a limit after a complete input, otherwise until the
    /// deadline.
    async fn drain(
        &mut self,
        complete: bool,
        deadline: Instant,
        stop: &CancellationToken,
        stop_now: &CancellationToken,
        drain_timeout: Duration,
    ) -> Result<Rest, AgentError> {
        let limit = async {
            if complete {
                stop.cancelled().await;
                tokio::time::sleep(drain_timeout).await;
            } else {
                tokio::time::sleep_until(deadline).await;
            }
        };
        tokio::select! {
            done = &mut self.writer => return flatten(done),
            done = &mut self.uploads => return self.uploads_ended(done).await,
            () = limit => tracing::warn!("the time to drain is over; what is not stored stays in the spool, durable"),
            () = stop_now.cancelled() => tracing::warn!("leaving at once; what is not stored stays in the spool"),
        }
        self.leave.cancel();
        self.leave_writer().await
    }

    async fn leave_writer(&mut self) -> Result<Rest, AgentError> {
        let _ = self.channel.inner(Inner::Leave);
        match tokio::time::timeout(LEAVE_PATIENCE, &mut self.writer).await {
            Ok(done) => flatten(done),
            Err(_) => {
                Err(AgentError::Failed("the spool's disk did not answer in time; what was accepted is safe".into()))
            }
        }
    }

    fn writer_ended(&self, done: Result<Result<Rest, SpoolError>, oneshot::error::RecvError>) -> AgentError {
        self.leave.cancel();
        self.source.abort();
        match flatten(done) {
            Ok(_) => AgentError::Failed("the writer ended by itself".into()),
            Err(error) => error,
        }
    }

    /// The uploads end in order only when the writer has, whose outcome then follows.
    async fn uploads_ended(
        &mut self,
        done: Result<Result<(), Fenced>, tokio::task::JoinError>,
    ) -> Result<Rest, AgentError> {
        let failure = match done {
            Ok(Ok(())) => return flatten((&mut self.writer).await),
            Ok(Err(fenced)) => AgentError::Configuration(fenced.to_string()),
            Err(panic) => AgentError::Failed(format!("the uploads failed: {panic}")),
        };
        self.source.abort();
        // What was accepted is committed before the agent goes.
        self.leave_writer().await?;
        Err(failure)
    }
}

fn flatten(done: Result<Result<Rest, SpoolError>, oneshot::error::RecvError>) -> Result<Rest, AgentError> {
    match done {
        Ok(Ok(left)) => Ok(left),
        Ok(Err(error)) => Err(AgentError::Failed(error.to_string())),
        Err(_) => Err(AgentError::Failed("the writer failed; what was accepted is safe".into())),
    }
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
            // Nobody listens any more when the agent failed elsewhere.
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
