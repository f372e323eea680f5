//! [4] Upload: objects and manifests into the store, exactly once each.
//!
//! Takes [`Job`]s, seals files on blocking threads, puts objects with `If-None-Match: *` and the hash as metadata, and
//! reports when the store holds them, byte for byte. A put that cannot be confirmed is retried without a limit, with the
//! same bytes under the same key: the spool keeps them until it is journalled that they are stored.

pub mod circuit;
mod job;
pub mod lease;
pub mod look;
pub mod probe;
mod report;
mod turns;
pub mod verdict;

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use cauce_lake::manifest::{Manifest, ManifestName};
use cauce_lake::store::{Body, Condition, ETag, ErrorKind, ObjectMeta, Put};
use cauce_lake::{Key, Store, StoreError};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::failpoint;
use crate::spool::reconcile::Listing;
use crate::spool::seal;
use crate::status::Metrics;
use circuit::Told;
use lease::{Lease, LeaseError};
use look::LookError;
use turns::Turns;
use verdict::Verdict;

pub use job::{FileLines, Job, Upload};
pub use report::{ReportSink, UploadReport};

/// Files compressed and hashed at once: one, so that the stream keeps a core.
const SEALS_AT_ONCE: usize = 1;
/// First and longest wait of one put after its own failure, while the store answers others. A store that is away is the
/// [`circuit`]'s business.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// What uploads need.
#[derive(Clone)]
pub struct Uploader {
    store: Arc<dyn Store>,
    lease: Arc<Lease>,
    reports: ReportSink,
    metrics: Arc<Metrics>,
    turns: Turns,
    seals: Arc<Semaphore>,
    /// Whether objects are put only where nothing is; false for a store that ignores conditions anyway.
    conditional: bool,
}

/// The lake is not ours any more.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Fenced(pub(crate) LeaseError);

impl Uploader {
    /// Makes an uploader that reports to `reports`.
    pub fn new(store: Arc<dyn Store>, lease: Arc<Lease>, reports: ReportSink, metrics: Arc<Metrics>) -> Uploader {
        let conditional = lease.honours_conditions();
        let turns = Turns::new(Arc::clone(&metrics));
        let seals = Arc::new(Semaphore::new(SEALS_AT_ONCE));
        Uploader { store, lease, reports, metrics, turns, seals, conditional }
    }

    /// Does jobs until none is left and no more can come, or until `leave` is cancelled: what is under way then is left
    /// for the next start.
    ///
    /// # Errors
    /// [`Fenced`] when another agent has the lake.
    pub async fn run(self, mut jobs: UnboundedReceiver<Job>, leave: CancellationToken) -> Result<(), Fenced> {
        let mut under_way: JoinSet<Result<(), Fenced>> = JoinSet::new();
        let mut more = true;
        while more || !under_way.is_empty() {
            tokio::select! {
                () = leave.cancelled() => return Ok(()),
                next = jobs.recv(), if more => match next {
                    Some(job) => drop(under_way.spawn(self.clone().carry_out(job))),
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

    pub(crate) async fn carry_out(self, job: Job) -> Result<(), Fenced> {
        let outcome = match job {
            Job::Seal { id, task } => {
                let _turn = self.seals.acquire().await.expect("the semaphore is never closed");
                match tokio::task::spawn_blocking(move || seal::seal(&task)).await {
                    Ok(Ok((bytes, sha256, crc64))) => {
                        failpoint::hit("seal.hashed");
                        UploadReport::Sealed { id, bytes, sha256, crc64 }
                    }
                    Ok(Err(error)) => UploadReport::DiskFailed { id, action: "seal", error },
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                }
            }
            Job::Upload(upload) => self.upload(upload).await?,
            Job::Manifest { name, bytes, success } => self.close(name, bytes, success).await?,
        };
        self.reports.send(outcome);
        Ok(())
    }

    async fn upload(&self, upload: Upload) -> Result<UploadReport, Fenced> {
        let Upload { id, ref key, object, bytes, sha256, crc64, ref lines, .. } = upload.clone();
        let put = self.put(key.clone(), Body::File { path: object, bytes, crc64: Some(crc64) }, sha256);
        failpoint::hit("upload.before-put");
        let settled = self.settle(put).await?;
        failpoint::hit("upload.after-put");
        match settled {
            Settled::Seen(there) if self.is_listed(&upload, &there).await => return Ok(UploadReport::Listed { id }),
            Settled::Put | Settled::Seen(_) => {}
            Settled::Foreign(what, there) => return Ok(self.look_into(upload, what, there).await),
        }
        self.metrics.objects_stored.inc();
        self.metrics.bytes_stored.inc_by(bytes);
        self.metrics.lines_stored.inc_by(lines.count);
        Ok(UploadReport::Stored { id })
    }

    /// Whether a manifest lists what lies under a file's key. Asked wherever the answer to a put of ours does not show that
    /// the object was not there before: then another spool may have stored and listed the same.
    async fn is_listed(&self, upload: &Upload, there: &ObjectMeta) -> bool {
        let (Some(hour), Some(sha256)) = (upload.hour, &there.sha256) else { return false };
        self.ask(|| look::is_listed(&*self.store, hour, &upload.key, sha256)).await
    }

    /// Looks into an object that lies under a file's key and is another one: a copy of this spool, or another spool of this
    /// lake, may have stored a part of the file's lines, or more than those.
    async fn look_into(&self, upload: Upload, what: String, there: ObjectMeta) -> UploadReport {
        let id = upload.id;
        let Upload { codec, role, lines, .. } = &upload;
        let read = self.ask(async || {
            match look::read_object(&*self.store, &there, *codec, *role, Some(&lines.there), 0).await {
                Ok(found) => Ok(Ok(found)),
                Err(LookError::Disk(error)) => Ok(Err(error)),
                Err(LookError::Store(error)) => Err(error),
            }
        });
        match read.await {
            Err(error) => UploadReport::DiskFailed { id, action: "compare", error },
            Ok(None) => UploadReport::Foreign { id, what },
            Ok(Some((object, common))) => {
                let listed = self.is_listed(&upload, &there).await;
                UploadReport::Found { id, object, common, listed }
            }
        }
    }

    /// Asks the store something until it answers.
    async fn ask<T, F>(&self, mut question: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut waits = schedule();
        loop {
            let turn = self.turns.wait().await;
            match question().await {
                Ok(answer) => {
                    turn.answered();
                    return answer;
                }
                Err(error) => {
                    let failure = Failure::of(error);
                    turn.failed(failure.told, &failure.error);
                    if !failure.is_outage() {
                        tokio::time::sleep(waits.next().unwrap_or(WAITS.1)).await;
                    }
                }
            }
        }
    }

    async fn close(&self, name: ManifestName, bytes: Vec<u8>, success: Option<Key>) -> Result<UploadReport, Fenced> {
        let sha256 = seal::hex(&Sha256::digest(&bytes));
        let planned = Bytes::from(bytes);
        let put = self.put(name.key(), Body::Bytes(planned.clone()), sha256);
        failpoint::hit("manifest.before-put");
        if let Settled::Foreign(..) = self.settle(put).await? {
            let there = self.ask(|| look::read_manifest(&*self.store, name)).await;
            // One that was taken away since lists nothing; the name counts as used all the same.
            let (theirs, listing) = there.unwrap_or_default();
            let ids = self.tweets_of_others(name, &planned, &theirs).await;
            return Ok(UploadReport::ManifestForeign { name, listing, ids });
        }
        failpoint::hit("manifest.after-put");
        if let Some(key) = success {
            // The marker says nothing by itself; putting it again changes nothing.
            let marker = Put { key, body: Body::Bytes(Bytes::new()), condition: Condition::Always, sha256: None };
            self.settle(marker).await?;
            failpoint::hit("success.after-put");
        }
        Ok(UploadReport::ManifestStored { name })
    }

    /// The tweets that a manifest lists in objects which the manifest that was planned under its name does not list.
    async fn tweets_of_others(&self, name: ManifestName, planned: &[u8], theirs: &[u8]) -> Vec<u64> {
        let read = |bytes: &[u8]| Manifest::from_bytes(&name.key(), bytes).ok();
        let ours = read(planned).map(|manifest| Listing::of(&manifest)).unwrap_or_default();
        let objects = read(theirs).map(|manifest| manifest.objects).unwrap_or_default();
        let mut ids = Vec::new();
        for object in objects.iter().filter(|object| !ours.holds(&object.key, &object.sha256)) {
            ids.extend(self.ask(|| look::ids_of(&*self.store, object)).await);
        }
        ids
    }

    fn put(&self, key: Key, body: Body, sha256: String) -> Put {
        let condition = if self.conditional { Condition::IfAbsent } else { Condition::Always };
        Put { key, body, condition, sha256: Some(sha256) }
    }

    /// Puts until it is settled what lies there.
    async fn settle(&self, put: Put) -> Result<Settled, Fenced> {
        let mut waits = None;
        loop {
            let turn = self.turns.wait().await;
            let (verdict, failure, there) = self.attempt(&put).await?;
            let waits_with_all = failure.as_ref().is_some_and(Failure::is_outage);
            match failure {
                Some(failure) => turn.failed(failure.told, &failure.error),
                None => turn.answered(),
            }
            match (verdict, there) {
                (Verdict::Stored, None) => return Ok(Settled::Put),
                (Verdict::Stored, Some(there)) => return Ok(Settled::Seen(there)),
                (Verdict::Foreign(what), Some(there)) => return Ok(Settled::Foreign(what, there)),
                (Verdict::Again | Verdict::Foreign(_), _) if waits_with_all => {}
                (Verdict::Again | Verdict::Foreign(_), _) => {
                    let wait = waits.get_or_insert_with(schedule).next().unwrap_or(WAITS.1);
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Puts once, and looks where that is needed: what became of it, what went wrong on the way, what was seen.
    async fn attempt(&self, put: &Put) -> Result<(Verdict, Option<Failure>, Option<ObjectMeta>), Fenced> {
        match self.lease.check().await {
            Ok(()) => {}
            Err(LeaseError::Store(error)) => return Ok((Verdict::Again, Some(Failure::of(error)), None)),
            Err(lost) if lost.is_loss() => return Err(Fenced(lost)),
            // It was good when the agent started. Nothing is put while it is unclear whose the lake is.
            Err(unclear) => {
                let error = StoreError::new(ErrorKind::Corrupt, "look whose the lake is", unclear.to_string());
                return Ok((Verdict::Again, Some(Failure::of(error)), None));
            }
        }
        let error = match self.store.put(put.clone()).await {
            Ok(_) => return Ok((Verdict::Stored, None, None)),
            Err(error) => error,
        };
        let Some(sha256) = put.sha256.as_deref().filter(|_| verdict::must_look(&error)) else {
            return Ok((Verdict::Again, Some(Failure::of(error)), None));
        };
        let looked = self.store.head(&put.key).await;
        let verdict = verdict::decide(&looked, put.body.len(), sha256);
        tracing::debug!(key = %put.key, %error, ?verdict, "a put failed and a look decided");
        if let (Verdict::Stored, Ok(there)) = (&verdict, &looked) {
            let (verdict, failure) = self.confirm(put, there.etag.clone()).await;
            return Ok((verdict, failure, Some(there.clone())));
        }
        let (failure, there) = match looked {
            Err(look) if look.kind() != ErrorKind::NotFound => (Some(Failure::of(look)), None),
            // The look was answered, so the store is there, whatever became of the put.
            Err(_) => (Some(Failure { told: Told::Answered, error }), None),
            Ok(there) => (None, Some(there)),
        };
        Ok((verdict, failure, there))
    }
}

impl Uploader {
    /// An object that bears our length and hash may have been changed on its way in: its content decides, and one that was is
    /// replaced, as long as it is the one that was looked at.
    async fn confirm(&self, put: &Put, etag: ETag) -> (Verdict, Option<Failure>) {
        match self.store.confirm(put).await {
            Ok(()) => (Verdict::Stored, None),
            Err(changed) if changed.kind() == ErrorKind::Corrupt => {
                tracing::error!(key = %put.key, error = %changed, "an object was changed on its way to the store; it is put again");
                match self.store.put(Put { condition: Condition::IfMatch(etag), ..put.clone() }).await {
                    Ok(_) => (Verdict::Stored, None),
                    Err(error) => (Verdict::Again, Some(Failure::of(error))),
                }
            }
            Err(error) => (Verdict::Again, Some(Failure::of(error))),
        }
    }
}

/// What a put came to.
enum Settled {
    /// The store took it: nothing was there before.
    Put,
    /// The object is there, and this put or an earlier one may have put it there.
    Seen(ObjectMeta),
    /// Another one is there; what it is in words, and as the store told it.
    Foreign(String, ObjectMeta),
}

/// What went wrong with an attempt, and what that says of the store.
struct Failure {
    told: Told,
    error: StoreError,
}

impl Failure {
    /// A failure of an attempt's last request.
    fn of(error: StoreError) -> Failure {
        let told = verdict::tells(error.kind());
        Failure { told, error }
    }

    /// Whether nothing but the store's absence stands in the way, so that waiting for a turn is all the waiting needed.
    fn is_outage(&self) -> bool {
        self.told == Told::Away && !verdict::needs_operator(self.error.kind())
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

/// An error with what led to it.
pub(crate) fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(deeper) = source {
        text = format!("{text}: {deeper}");
        source = deeper.source();
    }
    text
}
