//! Standard input as a source: `zcat archive.gz | ingest run`, or whatever writes lines into a pipe.
//!
//! Lines go on as soon as one read brings them; nothing waits for a full buffer. A pipe cannot be read again, so there is
//! no position to resume from.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio_util::sync::CancellationToken;

use super::archive::{self, Next};
use super::batches::Limits;
use super::files::{NO_MEMBERS, REFRAMED};
use super::input::{CalledOff, End, Input};
use super::recognise::Refusal;
use super::unpack::{self, Kind, Opened, Unreadable};
use super::{Source, SourceError};
use crate::channel::{Closed, Sender};
use crate::record::Batch;
use crate::status::{Metrics, SourceState};

/// Standard input after [`keep`].
static KEPT: OnceLock<File> = OnceLock::new();

/// Keeps standard input from programs that this one starts: the `credential_process` of an AWS profile inherits it, and would
/// take lines that are then lost. To be called before the store is asked for anything. What is no open file stays as it is.
pub(crate) fn keep() {
    let Ok(own) = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3) else { return };
    if File::open("/dev/null").is_ok_and(|nothing| rustix::stdio::dup2_stdin(&nothing).is_ok()) {
        // A second call finds nothing in it.
        let _ = KEPT.set(File::from(own));
    }
}

/// Standard input, kept or not.
pub(crate) fn reader() -> Box<dyn Read + Send> {
    match KEPT.get() {
        Some(kept) => Box::new(kept),
        None => Box::new(io::stdin()),
    }
}

/// Standard input, or another pipe.
pub(crate) struct Stdin {
    reader: Box<dyn Read + Send>,
    limits: Limits,
    metrics: Arc<Metrics>,
}

impl Stdin {
    pub(crate) fn new(reader: impl Read + Send + 'static, limits: Limits, metrics: Arc<Metrics>) -> Stdin {
        Stdin { reader: Box::new(reader), limits, metrics }
    }
}

#[async_trait]
impl Source for Stdin {
    fn is_live(&self) -> bool {
        false
    }

    async fn run(self: Box<Self>, out: Sender, stop: CancellationToken) -> Result<(), SourceError> {
        let metrics = Arc::clone(&self.metrics);
        metrics.set_source(SourceState::Reading);
        let (ended, mut end) = oneshot::channel();
        let turn = Turn::default();
        let thread = {
            let (turn, stop, runtime) = (turn.clone(), stop.clone(), Handle::current());
            // A thread of its own and not the runtime's: a read from a silent pipe cannot be called off, and the
            // runtime would wait for it when the program ends.
            std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
                let reader = Turnwise { inner: self.reader, turn, held: None };
                let reading = Reading { limits: self.limits, metrics: self.metrics, stop };
                let end = reading.read(reader, |batch| runtime.block_on(out.send(batch)));
                // Nobody listens any more where the source was stopped meanwhile.
                let _ = ended.send(end);
            })
        };
        thread.map_err(|error| SourceError::Input(format!("no thread to read standard input with: {error}")))?;
        let end = tokio::select! {
            end = &mut end => end.ok(),
            () = stop.cancelled() => {
                // Whoever holds the turn works on bytes that were read; once we have it, none are left.
                *turn.0.lock().await = true;
                Some(Ok(()))
            }
        };
        metrics.set_source(SourceState::Ended);
        match end {
            Some(Ok(())) => Ok(()),
            Some(Err(Unreadable::Rejected(line))) => Err(SourceError::Input(line.to_string())),
            Some(Err(Unreadable::Refused(refusal))) => {
                Err(SourceError::Input(format!("standard input cannot be read: {refusal}")))
            }
            Some(Err(Unreadable::Broken(error))) => {
                tracing::error!(%error, "standard input cannot be read to its end; what came before is kept");
                Err(SourceError::Input(format!("standard input could not be read to its end: {error}")))
            }
            None => Err(SourceError::Input("reading standard input failed".to_owned())),
        }
    }
}

/// Standard input while it is read.
struct Reading {
    limits: Limits,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
}

impl Reading {
    fn read(&self, reader: impl Read, mut send: impl FnMut(Batch) -> Result<(), Closed>) -> Result<(), Unreadable> {
        let opened = match unpack::open(reader) {
            Err(Unreadable::Broken(error)) if is_called_off(&error) => return Ok(()),
            opened => opened?,
        };
        match opened {
            Opened::Lines(lines, kind) => {
                tell(&kind);
                match self.input("standard input".to_owned()).read(lines, &self.stop, send) {
                    End::Done | End::Stopped => Ok(()),
                    End::Rejected(line) => Err(Unreadable::Rejected(line)),
                    End::Broken(error) => Err(error.into()),
                }
            }
            Opened::Zip => Err(Unreadable::Refused(Refusal::UnseekableZip)),
            Opened::Tar(tar, _) => {
                let (mut broken, mut is_told, mut is_empty) = (None::<Unreadable>, false, true);
                let outcome = archive::each_of_tar(tar, 0, |member| {
                    is_empty = false;
                    let name = format!("standard input: {}", member.name);
                    let end = match member.open() {
                        Ok((lines, kind)) => {
                            if !is_told {
                                is_told = !kind.is_plain();
                                tell(&kind);
                            }
                            self.input(name.clone()).read(lines, &self.stop, &mut send)
                        }
                        Err(error) => End::Broken(io::Error::other(error)),
                    };
                    match end {
                        End::Done => Next::Go,
                        End::Stopped => Next::Stop,
                        End::Rejected(line) => {
                            broken = Some(Unreadable::Rejected(line));
                            Next::Stop
                        }
                        End::Broken(error) => {
                            broken.get_or_insert_with(|| io::Error::other(format!("{name}: {error}")).into());
                            Next::Go
                        }
                    }
                });
                if is_empty && outcome.is_ok() {
                    tracing::warn!("{NO_MEMBERS}");
                }
                match outcome {
                    Err(error) if !is_called_off(&error) => Err(error.into()),
                    _ => broken.map_or(Ok(()), Err),
                }
            }
        }
    }

    fn input(&self, name: String) -> Input {
        Input {
            position: None,
            name,
            fills: false,
            is_last: true,
            has_grown: false,
            limits: self.limits,
            metrics: Arc::clone(&self.metrics),
        }
    }
}

fn tell(kind: &Kind) {
    if kind.is_plain() {
        tracing::info!(form = %kind, "reading standard input");
    } else {
        tracing::info!(form = %kind, "reading standard input; {REFRAMED}");
    }
}

fn is_called_off(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<CalledOff>())
}

/// Held by the reading thread while it works on bytes that it has read, and free while it waits for more; `true` once the
/// source has ended, after which bytes that still come are left alone.
#[derive(Clone, Default)]
struct Turn(Arc<Mutex<bool>>);

/// A reader that gives up the turn while it waits.
struct Turnwise<R> {
    inner: R,
    turn: Turn,
    held: Option<OwnedMutexGuard<bool>>,
}

impl<R: Read> Read for Turnwise<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.held = None;
        let outcome = self.inner.read(buffer);
        let held = Arc::clone(&self.turn.0).blocking_lock_owned();
        if *held {
            return Err(io::Error::other(CalledOff));
        }
        self.held = Some(held);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::channel::{Event, channel};
    use crate::config::settings::OnReject;
    use crate::record::RecordKind;

    const LIMITS: Limits =
        Limits { max_line_bytes: 1 << 20, batch_records: 100, needs_time: false, on_reject: OnReject::Keep };
    const DELETE: &[u8] =
        b"{\"delete\":{\"status\":{\"id\":3,\"id_str\":\"3\",\"user_id\":4,\"user_id_str\":\"4\"}}}\n";

    #[tokio::test]
    async fn lines_of_a_pipe_that_stays_open_go_on_at_once_and_a_stop_does_not_wait_for_its_end() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let (sender, receiver) = channel(10, 0);
        let stop = CancellationToken::new();
        let source = Box::new(Stdin::new(reader, LIMITS, Arc::new(Metrics::default())));
        let running = tokio::spawn(source.run(sender, stop.clone()));
        writer.write_all(DELETE).expect("room in the pipe");
        let event = tokio::task::spawn_blocking(move || (receiver.recv(), receiver)).await.expect("it ends");
        let (Ok(Event::Batch(first)), receiver) = event else { panic!("no batch") };
        assert_eq!(first.batch.records.len(), 1);
        assert_eq!(first.batch.position, None);
        stop.cancel();
        running.await.expect("no panic").expect("a stop is no error");
        drop(writer);
        assert!(receiver.recv().is_err(), "nothing is sent after the end");
    }

    #[tokio::test]
    async fn the_end_of_the_pipe_ends_the_source_and_its_last_line_needs_no_line_end() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        writer.write_all(&[DELETE, &DELETE[..DELETE.len() - 1]].concat()).expect("room in the pipe");
        drop(writer);
        let (sender, receiver) = channel(10, 0);
        let source = Box::new(Stdin::new(reader, LIMITS, Arc::new(Metrics::default())));
        source.run(sender, CancellationToken::new()).await.expect("it ends well");
        let mut kinds = Vec::new();
        while let Ok(Event::Batch(batch)) = receiver.recv() {
            kinds.extend(batch.batch.records.into_iter().map(|record| record.kind));
        }
        assert!(matches!(kinds[..], [RecordKind::Message(..), RecordKind::Message(..)]), "{kinds:?}");
    }
}
