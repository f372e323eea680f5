//! [3]–[5] The writer: the one thread that owns the spool. It takes records out of the channel, puts each into its file,
//! commits groups, rolls files, decides when hours close, and journals what the uploads report.
//!
//! It never waits for the store and never compresses or hashes: these are [`Job`]s for [`crate::upload`], which reports
//! their outcomes into the [inbox](inbox::Inbox). Each job is journalled before it is handed over, so that a crash at any
//! point repeats jobs and never forgets one.

mod budget;
pub mod inbox;
mod intake;
mod lifecycle;
mod others;
mod rest;
mod undated;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use cauce_lake::Hour;
use cauce_lake::manifest::{IngestPath, ManifestName};
use tokio::sync::mpsc::UnboundedSender;

use crate::channel::{Accepting, Event};
use crate::close::{Author, Policy};
use crate::config::settings::{LakeSettings, RollRules, SuccessMarker};
use crate::record::ConnectionEvent;
use crate::spool::entry::{Entry, FileHead, FileId, Role};
use crate::spool::route::Router;
use crate::spool::{GROUP_BYTES, Spool, SpoolError};
use crate::status::Metrics;
use crate::upload::Job;
use inbox::Message;
use undated::Undated;

pub use rest::{OpenHour, Rest};

/// How often the writer notes that it is alive when nothing else is journalled: a stop is a gap from then on.
const ALIVE_MS: i64 = 5_000;

/// How far the agent has come in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Records come.
    Running,
    /// No more come; what is under way is finished.
    Draining,
    /// Nothing more is done.
    Leaving,
}

/// Lines with the same slot share a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Slot {
    role: Role,
    path: IngestPath,
    folder: SlotFolder,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum SlotFolder {
    Hour { hour: Hour, late: bool },
    Named(String),
}

/// What to do when the next commit is durable.
enum PostCommit {
    Seal(FileId),
    Upload(FileId),
    Discard(FileHead),
    Quarantine(FileHead),
    Put(ManifestName),
}

/// What a writer needs.
pub struct Parts {
    /// The spool, recovered.
    pub spool: Spool,
    /// The receiving end of the inbox.
    pub messages: Receiver<Message>,
    /// Where jobs go.
    pub jobs: UnboundedSender<Job>,
    /// The lake's settings.
    pub lake: LakeSettings,
    /// Whether the source goes on for ever.
    pub live: bool,
    /// Longest time between a record's arrival and its sync.
    pub fsync_interval: Duration,
    /// The spool's budget in bytes.
    pub spool_max_bytes: u64,
    /// Who signs the manifests.
    pub author: Author,
    /// The agent's numbers.
    pub metrics: Arc<Metrics>,
}

/// The writer. See the module's text.
pub struct Writer {
    spool: Spool,
    messages: Receiver<Message>,
    jobs: UnboundedSender<Job>,
    router: Router,
    policy: Policy,
    roll: RollRules,
    max_open: usize,
    marks_success: bool,
    live: bool,
    fsync_interval: Duration,
    budget: budget::Budget,
    author: Author,
    metrics: Arc<Metrics>,

    phase: Phase,
    now_ms: i64,
    last_line_ms: i64,
    /// Open files by what goes into them.
    slots: HashMap<Slot, FileId>,
    /// Batches in the group that is not committed yet: dropped, and their permits released, when it is.
    accepting: Vec<Accepting>,
    group_since: Option<Instant>,
    /// Batches that wait for a tweet to say where they belong.
    undated: Undated,
    /// What to do after the next commit.
    post_commit: Vec<PostCommit>,
    /// Hours that were closed, with their tweets; only where the input comes to an end.
    closed: Vec<(Hour, u64)>,
    /// Events deferred while the spool is over its budget.
    deferred: VecDeque<Event>,
    over_budget: bool,
    /// Work handed out and not yet reported.
    sealing: HashSet<FileId>,
    /// Files whose object found no room on the disk; another try is made when the disk was asked again.
    unsealed: Vec<FileId>,
    uploading: HashSet<FileId>,
    putting: HashSet<ManifestName>,
    /// The hour of which another agent has listed tweets that are in files of this spool.
    contested: Option<Hour>,
    /// Whether something happened that may let an hour close.
    may_close: bool,
    looked_at_ms: i64,
}

impl Writer {
    /// Makes a writer.
    pub fn new(parts: Parts) -> Writer {
        let Parts { spool, messages, jobs, lake, live, fsync_interval, spool_max_bytes, author, metrics } = parts;
        let marks_success = match lake.success_marker {
            SuccessMarker::Always => true,
            SuccessMarker::Never => false,
            SuccessMarker::Auto => lake.pattern.names_year(),
        };
        let now_ms = spool.state().last_ms;
        Writer {
            router: Router::new(&lake),
            policy: Policy::new(&lake, live),
            roll: lake.roll,
            max_open: lake.max_open_hours,
            marks_success,
            budget: budget::Budget::new(spool.dir().to_owned(), spool_max_bytes),
            spool,
            messages,
            jobs,
            live,
            fsync_interval,
            author,
            metrics,
            phase: Phase::Running,
            now_ms,
            last_line_ms: now_ms,
            slots: HashMap::new(),
            accepting: Vec::new(),
            group_since: None,
            undated: Undated::default(),
            post_commit: Vec::new(),
            closed: Vec::new(),
            deferred: VecDeque::new(),
            over_budget: false,
            sealing: HashSet::new(),
            unsealed: Vec::new(),
            uploading: HashSet::new(),
            putting: HashSet::new(),
            contested: None,
            may_close: true,
            looked_at_ms: i64::MIN,
        }
    }

    /// Runs until the source has ended or the agent drains, and everything under way is finished; or until told to
    /// leave. Returns what is left for the next start.
    ///
    /// # Errors
    /// When the spool's disk failed. What was accepted is safe.
    pub fn run(mut self) -> Result<Rest, SpoolError> {
        self.resume()?;
        while self.phase != Phase::Leaving && !self.is_finished() {
            self.metrics.health.beat();
            match self.messages.recv_timeout(self.patience()) {
                Ok(message) => self.take(message)?,
                Err(RecvTimeoutError::Timeout) => {}
                // All senders are gone: the agent failed elsewhere. What is accepted is durable.
                Err(RecvTimeoutError::Disconnected) => self.phase = Phase::Leaving,
            }
            // What is here already belongs to this group as long as its interval has not passed.
            while !self.commit_is_due() {
                match self.messages.try_recv() {
                    Ok(message) => self.take(message)?,
                    Err(_) => break,
                }
            }
            if self.commit_is_due() {
                self.commit()?;
            }
            self.look_around()?;
        }
        self.commit()?;
        if let Some(hour) = self.contested {
            // No stop in order: the next start has to look what others have stored.
            return Err(SpoolError::Contested { hour });
        }
        self.spool.stage(Entry::Stopped { at_ms: self.now_ms });
        self.spool.commit()?;
        Ok(Rest::of(self.spool.state(), self.now_ms, self.closed))
    }

    fn take(&mut self, message: Message) -> Result<(), SpoolError> {
        let event = match message {
            Message::Report(report) => return self.take_report(report),
            Message::Command(command) => return self.obey(command),
            Message::Stream(event) => event,
        };
        // An input that has ended brings nothing that needs room, and its hours can close.
        if matches!(event, Event::Ended) && self.deferred.iter().all(|event| matches!(event, Event::Tick { .. })) {
            self.deferred.clear();
        } else if self.phase == Phase::Running && (self.over_budget || !self.deferred.is_empty()) {
            // In order, so that a tick never overtakes the lines before it; of ticks in a row the last says it all.
            if matches!((self.deferred.back(), &event), (Some(Event::Tick { .. }), Event::Tick { .. })) {
                self.deferred.pop_back();
            }
            self.deferred.push_back(event);
            return Ok(());
        }
        self.take_in_order(event)
    }

    fn take_in_order(&mut self, event: Event) -> Result<(), SpoolError> {
        match event {
            Event::Batch(accepting) => self.take_batch(accepting)?,
            Event::Tick { now_ms } => {
                self.now_ms = self.now_ms.max(now_ms);
                if self.undated.is_overdue(self.now_ms) {
                    self.release_undated(None)?;
                }
            }
            Event::Connection { now_ms, event } => {
                self.now_ms = self.now_ms.max(now_ms);
                self.take_connection(event);
            }
            Event::Ended => {
                self.end_input()?;
            }
        }
        self.open_group();
        Ok(())
    }

    fn take_connection(&mut self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Up => {
                self.metrics.gap_open.set(0);
                if let Some(gap) = self.spool.state().open_gap() {
                    let millis = self.now_ms.saturating_sub(gap.from_ms);
                    self.metrics.gap_millis.inc_by(u64::try_from(millis).unwrap_or(0));
                    self.spool.stage(Entry::GapClosed { to_ms: self.now_ms });
                }
                // By creation the first tweet says where the run begins: a replayed stream bears older times.
                if self.router.by_arrival() {
                    self.begin_run(self.now_ms);
                }
            }
            ConnectionEvent::Down { last_byte_ms, cause } => {
                self.metrics.gap_open.set(1);
                if !self.router.closes() {
                    return;
                }
                let from_ms = if last_byte_ms > 0 { last_byte_ms.min(self.now_ms) } else { self.now_ms };
                if self.spool.state().open_gap().is_none() {
                    self.spool.stage(Entry::GapOpened { from_ms, cause });
                }
            }
        }
    }

    /// How long to wait for the next event.
    fn patience(&self) -> Duration {
        match self.group_since {
            Some(since) => self.fsync_interval.saturating_sub(since.elapsed()),
            None => Duration::from_secs(1),
        }
    }

    fn open_group(&mut self) {
        if self.group_since.is_none() && self.spool.has_staged() {
            self.group_since = Some(Instant::now());
        }
    }

    fn commit_is_due(&self) -> bool {
        self.spool.buffered() >= GROUP_BYTES
            || self.group_since.is_some_and(|since| since.elapsed() >= self.fsync_interval)
    }

    fn is_finished(&self) -> bool {
        self.phase == Phase::Draining
            && self.deferred.is_empty()
            && self.undated.is_empty()
            && self.post_commit.is_empty()
            && self.slots.is_empty()
            && self.sealing.is_empty()
            && self.unsealed.is_empty()
            && self.uploading.is_empty()
            && self.putting.is_empty()
            && !self.spool.has_staged()
            && !self.may_close
    }

    /// Commits the group and does what waited for it.
    fn commit(&mut self) -> Result<(), SpoolError> {
        self.group_since = None;
        if self.spool.has_staged() {
            let began = Instant::now();
            self.spool.commit()?;
            self.metrics.commits.inc();
            self.metrics.commit_micros.inc_by(u64::try_from(began.elapsed().as_micros()).unwrap_or(0));
        }
        let accepted: usize = self.accepting.iter().map(|accepting| accepting.batch.records.len()).sum();
        self.metrics.records_accepted.inc_by(accepted as u64);
        if accepted > 0 {
            self.metrics.last_record_ms.store(self.now_ms, Ordering::Relaxed);
        }
        self.accepting.clear();
        for action in std::mem::take(&mut self.post_commit) {
            self.carry_out(action)?;
        }
        self.watch_budget()
    }
}

#[cfg(test)]
mod sea;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
#[cfg(test)]
mod world_tests;
