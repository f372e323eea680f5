//! [1] Sources: where records come from.
//!
//! A source reads, frames, tells what each line is ([`cauce_lake::tweet::scan`]) and sends batches into the channel. It
//! knows nothing of hours, spool or store. Live sources (the X streams) reconnect for ever and report when they are
//! connected; finite ones (files, standard input) come to an end and say where they stand with each batch.

mod archive;
mod batches;
mod files;
pub mod framing;
mod http;
mod input;
mod recognise;
pub mod reconnect;
mod reframe;
pub mod rejects;
#[cfg(test)]
mod simulator_tests;
pub(crate) mod stdin;
mod stream;
mod unpack;
mod x_v1;
mod x_v2;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use cauce_lake::store::ServerTime;
use cauce_lake::{HourRange, Lake, Store};
use tokio_util::sync::CancellationToken;

use self::batches::Limits;
use crate::channel::Sender;
use crate::config::settings::{PartitionBy, Settings, SourceSettings};
use crate::record::Position;
use crate::status::Metrics;

pub(crate) use self::files::describe;

/// Why a source gave up. Everything that may pass by itself is retried inside the source and never ends here.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The other side refused our credentials, and asking again will not help. Exit code 3.
    #[error("{0}")]
    Credentials(String),
    /// The configuration cannot work (bad rule, plan without streaming, missing file). Exit code 2.
    #[error("{0}")]
    Configuration(String),
    /// An input could not be read. Exit code 1.
    #[error("{0}")]
    Input(String),
}

/// Where finite sources stood at the last start, by file.
pub type Positions = BTreeMap<String, Position>;

/// A source of records.
#[async_trait]
pub trait Source: Send {
    /// Whether it goes on for ever (X streams) or ends (files, standard input).
    fn is_live(&self) -> bool;

    /// Reads until the input's end or until `stop` is cancelled, then returns. Lines that were already read when `stop`
    /// is cancelled are still sent.
    ///
    /// # Errors
    /// When it cannot go on, and waiting would not help.
    async fn run(self: Box<Self>, out: Sender, stop: CancellationToken) -> Result<(), SourceError>;
}

/// A source that is at its end at once: for a run that only takes up what the spool holds.
pub(crate) struct Nothing;

#[async_trait]
impl Source for Nothing {
    fn is_live(&self) -> bool {
        false
    }

    async fn run(self: Box<Self>, _: Sender, _: CancellationToken) -> Result<(), SourceError> {
        Ok(())
    }
}

/// Makes the source that `settings` describe. Nothing is connected yet; files are looked for, and not read.
///
/// `positions` is where finite sources stood at the last start, by [`Position::file`].
///
/// # Errors
/// When the settings cannot work: a missing or unreadable file, a pattern that matches nothing.
pub fn build(settings: &Settings, positions: Positions, metrics: Arc<Metrics>) -> Result<Box<dyn Source>, SourceError> {
    let limits = |max_line_bytes| limits(settings, max_line_bytes);
    Ok(match &settings.source {
        SourceSettings::XV2(x) => {
            let (limits, stall_timeout) = (limits(x.max_line_bytes), x.stall_timeout);
            let dialect = x_v2::XV2::new(x.clone(), &settings.agent.id, Arc::clone(&metrics.clock))?;
            Box::new(stream::Stream::new(dialect, limits, stall_timeout, metrics))
        }
        SourceSettings::XV1(x) => {
            let (limits, stall_timeout) = (limits(x.max_line_bytes), x.stall_timeout);
            let dialect = x_v1::XV1::new(x.clone(), Arc::clone(&metrics))?;
            Box::new(stream::Stream::new(dialect, limits, stall_timeout, metrics))
        }
        SourceSettings::Files { paths, max_line_bytes } => {
            Box::new(files::Files::find(paths, positions, limits(*max_line_bytes), metrics)?)
        }
        SourceSettings::Stdin { max_line_bytes } => {
            Box::new(stdin::Stdin::new(stdin::reader(), limits(*max_line_bytes), metrics))
        }
    })
}

fn limits(settings: &Settings, max_line_bytes: usize) -> Limits {
    Limits {
        max_line_bytes,
        batch_records: settings.channel.transaction_capacity,
        needs_time: settings.lake.partition_by == PartitionBy::CreatedAt,
        on_reject: settings.on_reject,
    }
}

/// Makes the source that gives back what this version can read of a lake's rejects: those of `hours`, or all where there are
/// none. `found` counts the others.
pub(crate) fn of_rejects(
    settings: &Settings,
    store: Arc<dyn Store>,
    hours: Vec<HourRange>,
    positions: Positions,
    metrics: Arc<Metrics>,
    found: Arc<rejects::Found>,
) -> Box<dyn Source> {
    let lake = Lake::new(store, settings.lake.pattern.clone());
    let limits = limits(settings, settings.source.max_line_bytes());
    Box::new(rejects::Rejects { lake, hours, positions, limits, metrics, found })
}

/// Asks the server of a live source for the time; `None` where there is none, or it does not say.
pub async fn ask_time(settings: &SourceSettings) -> Option<ServerTime> {
    match settings {
        SourceSettings::XV2(x) => http::ask_time(&x.base_url).await,
        SourceSettings::XV1(x) => http::ask_time(&x.base_url).await,
        SourceSettings::Files { .. } | SourceSettings::Stdin { .. } => None,
    }
}

/// Asks whether the source that `settings` describe can be reached and takes our credentials, changes nothing, and says
/// what was found.
///
/// # Errors
/// When it cannot be reached, refuses, or a file is missing.
pub async fn probe(settings: &Settings) -> Result<String, SourceError> {
    match &settings.source {
        SourceSettings::XV2(x) => {
            let mut dialect = x_v2::XV2::new(x.clone(), &settings.agent.id, Arc::default())?;
            dialect.probe().await.map_err(|refused| match refused {
                http::Refused::Fatal { error, .. } => error,
                http::Refused::Retry { cause, detail, .. } => {
                    SourceError::Input(format!("{} cannot be asked ({cause}): {detail}", x.base_url))
                }
            })
        }
        SourceSettings::XV1(_) => Ok("not asked: v1.1 has no call that shows more than the stream itself".into()),
        SourceSettings::Files { .. } => {
            build(settings, Positions::new(), Arc::default())?;
            Ok("the files are there".into())
        }
        SourceSettings::Stdin { .. } => Ok("standard input is always there".into()),
    }
}
