//! The running steps: supervised together, and drained in the order of a tweet's way when one ends or a stop is asked for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::AgentError;
use super::hold::{self, Hold};
use crate::channel::Sender;
use crate::source::SourceError;
use crate::spool::SpoolError;
use crate::status::Metrics;
use crate::upload::Fenced;
use crate::writer::Rest;
use crate::writer::inbox::{Command, Inbox};

/// How long the writer may take to end after [`Command::Leave`]: it commits once more.
const LEAVE_PATIENCE: Duration = Duration::from_secs(10);

/// The running steps.
pub(super) struct Steps<'a> {
    pub(super) channel: Sender,
    pub(super) inbox: Inbox,
    pub(super) source: JoinHandle<Result<(), SourceError>>,
    pub(super) uploads: JoinHandle<Result<(), Fenced>>,
    pub(super) writer: oneshot::Receiver<Result<Rest, SpoolError>>,
    pub(super) hold: &'a mut Hold,
    pub(super) reading: CancellationToken,
    pub(super) leave: CancellationToken,
    pub(super) metrics: Arc<Metrics>,
}

impl Steps<'_> {
    /// Waits until something ends, then ends the rest in order: source, channel, spool, uploads. Returns what is left in
    /// the spool, and why a finite input was not read to its end: all else went on as usual then.
    pub(super) async fn supervise(
        mut self,
        live: bool,
        drain_timeout: Duration,
        stop: CancellationToken,
        stop_now: CancellationToken,
    ) -> Result<(Rest, Option<String>), AgentError> {
        let source_done = tokio::select! {
            done = &mut self.source => Some(done),
            () = stop.cancelled() => None,
            done = &mut self.writer => return Err(self.writer_ended(done)),
            done = &mut self.uploads => return Ok((self.uploads_ended(done).await?, None)),
            lost = self.hold.lost() => return Err(self.leave_for(lost).await),
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
        let (mut damage, mut failure) = (None, None);
        match source_outcome {
            Ok(Err(SourceError::Input(text))) if !live => damage = Some(text),
            Ok(outcome) => failure = outcome.err().map(AgentError::from),
            Err(panic) => failure = Some(AgentError::Failed(format!("the source failed: {panic}"))),
        }
        if let Some(text) = failure.as_ref().map(ToString::to_string).or_else(|| damage.clone()) {
            self.metrics.health.set_fatal(text);
        }
        let complete = !live && failure.is_none() && damage.is_none() && !stop.is_cancelled();
        if complete {
            // A closed channel means that the writer is gone already; its outcome says why.
            let _ = self.channel.ended();
        } else {
            self.inbox.command(Command::Drain);
        }
        let left = self.drain(complete, deadline, &stop, &stop_now, drain_timeout).await?;
        match failure {
            Some(failure) => Err(failure),
            None => Ok((left, damage)),
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
            lost = self.hold.lost() => return Err(self.leave_for(lost).await),
            () = limit => tracing::warn!("the time to drain is over; what is not stored stays in the spool, durable"),
            () = stop_now.cancelled() => tracing::warn!("leaving at once; what is not stored stays in the spool"),
        }
        self.leave.cancel();
        self.leave_writer().await
    }

    async fn leave_writer(&mut self) -> Result<Rest, AgentError> {
        self.inbox.command(Command::Leave);
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
            Ok(Err(Fenced(lost))) => hold::fenced(&self.metrics, &lost),
            Err(panic) => AgentError::Failed(format!("the uploads failed: {panic}")),
        };
        Err(self.leave_for(failure).await)
    }

    /// Ends all steps because of a failure. What was accepted is committed before the agent goes.
    async fn leave_for(&mut self, failure: AgentError) -> AgentError {
        self.leave.cancel();
        self.source.abort();
        self.leave_writer().await.err().unwrap_or(failure)
    }
}

fn flatten(done: Result<Result<Rest, SpoolError>, oneshot::error::RecvError>) -> Result<Rest, AgentError> {
    match done {
        Ok(Ok(left)) => Ok(left),
        Ok(Err(error)) => Err(AgentError::Failed(error.to_string())),
        Err(_) => Err(AgentError::Failed("the writer failed; what was accepted is safe".into())),
    }
}
