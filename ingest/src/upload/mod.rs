//! [4] Upload: objects and manifests into the store, exactly once each.
//!
//! Takes [`Work`] from the writer, seals files on blocking threads, puts objects with `If-None-Match: *` and the hash as
//! metadata, and tells the writer when something is confirmed. A put that cannot be confirmed is tried again for ever,
//! with the same bytes under the same key: the spool holds them until the writer has journalled that they are stored.

pub mod lease;
pub mod probe;
pub mod verdict;

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use cauce_lake::manifest::ManifestName;
use cauce_lake::store::{Body, Condition, ErrorKind, Put};
use cauce_lake::{Key, Store, StoreError};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::channel::Sender;
use crate::failpoint;
use crate::spool::seal;
use crate::status::metrics::Kind;
use crate::status::{Metrics, StoreState};
use crate::writer::{Inner, Work};
use lease::{Lease, LeaseError};
use verdict::Verdict;

/// Objects under way at once. More would not be quicker from one machine, and each holds a connection.
const UPLOADS_AT_ONCE: usize = 4;
/// Files compressed and hashed at once: one, so that the stream keeps a core.
const SEALS_AT_ONCE: usize = 1;
/// First and longest wait after a failure.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// What uploads need.
#[derive(Clone)]
pub struct Uploader {
    store: Arc<dyn Store>,
    lease: Arc<Lease>,
    writer: Sender,
    metrics: Arc<Metrics>,
    uploads: Arc<Semaphore>,
    seals: Arc<Semaphore>,
    /// Whether objects are put only where nothing is; false for a store that ignores conditions anyway.
    conditional: bool,
}

/// The lake is not ours any more.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Fenced(LeaseError);

impl Uploader {
    /// Makes an uploader. `writer` is the channel by which it reports.
    pub fn new(store: Arc<dyn Store>, lease: Arc<Lease>, writer: Sender, metrics: Arc<Metrics>) -> Uploader {
        let conditional = lease.honours_conditions();
        let uploads = Arc::new(Semaphore::new(UPLOADS_AT_ONCE));
        let seals = Arc::new(Semaphore::new(SEALS_AT_ONCE));
        Uploader { store, lease, writer, metrics, uploads, seals, conditional }
    }

    /// Does work until there is none and none can come, or until `leave` is cancelled: what is under way then is left
    /// for the next start.
    ///
    /// # Errors
    /// [`Fenced`] when another agent has the lake.
    pub async fn run(self, mut work: UnboundedReceiver<Work>, leave: CancellationToken) -> Result<(), Fenced> {
        let mut under_way: JoinSet<Result<(), Fenced>> = JoinSet::new();
        let mut more = true;
        while more || !under_way.is_empty() {
            tokio::select! {
                () = leave.cancelled() => return Ok(()),
                next = work.recv(), if more => match next {
                    Some(work) => drop(under_way.spawn(self.clone().carry_out(work))),
                    None => more = false,
                },
                Some(done) = under_way.join_next() => match done {
                    Ok(outcome) => outcome?,
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                },
            }
        }
        Ok(())
    }

    async fn carry_out(self, work: Work) -> Result<(), Fenced> {
        let outcome = match work {
            Work::Seal { id, task } => {
                let _turn = self.seals.acquire().await.expect("the semaphore is never closed");
                match tokio::task::spawn_blocking(move || seal::seal(&task)).await {
                    Ok(Ok((bytes, sha256))) => {
                        failpoint::hit("seal.hashed");
                        Inner::Sealed { id, bytes, sha256 }
                    }
                    Ok(Err(error)) => Inner::SealFailed { id, error },
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                }
            }
            Work::Upload { id, key, object, bytes, sha256, lines } => {
                let _turn = self.uploads.acquire().await.expect("the semaphore is never closed");
                let put = self.put(key, Body::File { path: object, bytes }, sha256);
                failpoint::hit("upload.before-put");
                let settled = self.settle(put).await?;
                failpoint::hit("upload.after-put");
                match settled {
                    None => {
                        self.metrics.objects_stored.inc();
                        self.metrics.bytes_stored.inc_by(bytes);
                        self.metrics.lines_stored.inc_by(lines);
                        Inner::Stored { id }
                    }
                    Some(what) => Inner::Foreign { id, what },
                }
            }
            Work::Manifest { name, bytes, success } => self.close(name, bytes, success).await?,
        };
        // A writer that is gone has left the rest for the next start.
        let _ = self.writer.inner(outcome);
        Ok(())
    }

    async fn close(&self, name: ManifestName, bytes: Vec<u8>, success: Option<Key>) -> Result<Inner, Fenced> {
        let sha256 = seal::hex(&Sha256::digest(&bytes));
        let put = self.put(name.key(), Body::Bytes(Bytes::from(bytes)), sha256);
        failpoint::hit("manifest.before-put");
        if self.settle(put).await?.is_some() {
            return Ok(Inner::ManifestForeign { name });
        }
        failpoint::hit("manifest.after-put");
        if let Some(key) = success {
            // The marker says nothing by itself; putting it again changes nothing.
            let marker = Put { key, body: Body::Bytes(Bytes::new()), condition: Condition::Always, sha256: None };
            self.settle(marker).await?;
            failpoint::hit("success.after-put");
        }
        Ok(Inner::ManifestStored { name })
    }

    fn put(&self, key: Key, body: Body, sha256: String) -> Put {
        let condition = if self.conditional { Condition::IfAbsent } else { Condition::Always };
        Put { key, body, condition, sha256: Some(sha256) }
    }

    /// Puts until it is settled: `None` when our object is there, otherwise what is there instead.
    async fn settle(&self, put: Put) -> Result<Option<String>, Fenced> {
        let mut waits = None;
        loop {
            match self.attempt(&put).await? {
                Verdict::Stored => {
                    self.metrics.set_store(StoreState::Up);
                    return Ok(None);
                }
                Verdict::Foreign(what) => return Ok(Some(what)),
                Verdict::Again => {
                    let wait = waits.get_or_insert_with(schedule).next().unwrap_or(WAITS.1);
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn attempt(&self, put: &Put) -> Result<Verdict, Fenced> {
        match self.lease.check().await {
            Ok(()) => {}
            Err(LeaseError::Store(error)) => {
                self.failed(&error);
                return Ok(Verdict::Again);
            }
            // It was good when the agent started. Nothing is put while nobody can tell whose the lake is.
            Err(unclear @ LeaseError::Malformed { .. }) => {
                self.failed(&StoreError::new(ErrorKind::Corrupt, "look whose the lake is", unclear.to_string()));
                return Ok(Verdict::Again);
            }
            Err(fenced) => return Err(Fenced(fenced)),
        }
        let error = match self.store.put(put.clone()).await {
            Ok(_) => return Ok(Verdict::Stored),
            Err(error) => error,
        };
        let Some(sha256) = put.sha256.as_deref().filter(|_| verdict::must_look(&error)) else {
            self.failed(&error);
            return Ok(Verdict::Again);
        };
        let looked = self.store.head(&put.key).await;
        let verdict = verdict::decide(&looked, put.body.len(), sha256);
        if verdict == Verdict::Again {
            self.failed(&error);
        } else {
            tracing::debug!(key = %put.key, %error, ?verdict, "a put failed and a look decided");
        }
        Ok(verdict)
    }

    fn failed(&self, error: &StoreError) {
        self.metrics.set_store(StoreState::Away { cause: error.to_string() });
        self.metrics.store_errors.get_or_create(&Kind::new(format!("{:?}", error.kind()).to_lowercase())).inc();
        if verdict::needs_operator(error.kind()) {
            tracing::error!(%error, "the store refuses; the spool keeps what is to be stored, and it is tried again");
        } else {
            tracing::warn!(%error, "the store does not answer; it is tried again");
        }
    }
}

fn schedule() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(WAITS.0)
        .with_max_delay(WAITS.1)
        .without_max_times()
        .with_jitter()
        .build()
}
