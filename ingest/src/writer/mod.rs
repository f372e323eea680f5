//! [3]–[5] The writer: the one thread that owns the spool. It takes records out of the channel, puts each into its file,
//! commits groups, rolls files, decides when hours close, and journals what the uploads report.
//!
//! It never waits for the store and never compresses or hashes: that is [`Work`], handed to [`crate::upload`], whose
//! outcomes come back through the channel as [`Inner`]. Everything it hands out is journalled first, so that a crash at
//! any point repeats work and never forgets any.

mod budget;
mod intake;
mod lifecycle;
mod others;
mod rest;
mod undated;
mod work;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use cauce_lake::Hour;
use cauce_lake::checksum::Crc64;
use cauce_lake::manifest::{IngestPath, ManifestName};
use tokio::sync::mpsc::UnboundedSender;

use crate::channel::{Accepting, ConnectionEvent, Event};
use crate::close::{Author, Policy};
use crate::config::settings::{LakeSettings, RollRules, SuccessMarker};
use crate::spool::entry::{Entry, FileHead, FileId, Role};
use crate::spool::reconcile::Listing;
use crate::spool::route::Router;
use crate::spool::{GROUP_BYTES, Spool, SpoolError};
use crate::status::Metrics;
use crate::upload::look::{Common, StoredObject};
use undated::Undated;

pub use rest::{OpenHour, Rest};

/// How often the writer notes that it is alive when nothing else is journalled: a stop is a gap from then on.
const ALIVE_MS: i64 = 5_000;

/// What the rest of the agent tells the writer.
#[derive(Debug)]
pub enum Inner {
    /// A file's object is made.
    Sealed {
        /// The file.
        id: FileId,
        /// Length of the object.
        bytes: u64,
        /// Its SHA-256.
        sha256: String,
        /// Its CRC-64/NVME.
        crc64: Crc64,
    },
    /// The disk failed under a file that was to be stored.
    DiskFailed {
        /// The file.
        id: FileId,
        /// What was to be done with it.
        action: &'static str,
        /// What the disk said.
        error: std::io::Error,
    },
    /// An object is confirmed in the store.
    Stored {
        /// The file.
        id: FileId,
    },
    /// Another object lies under the file's key.
    Foreign {
        /// The file.
        id: FileId,
        /// What lies there.
        what: String,
    },
    /// The file's object is in the store, and a manifest of another spool lists it.
    Listed {
        /// The file.
        id: FileId,
    },
    /// Another object of an agent of this lake lies under the file's key.
    Found {
        /// The file.
        id: FileId,
        /// The object.
        object: StoredObject,
        /// With how many of the file's lines it begins.
        common: Common,
        /// Whether a manifest lists it.
        listed: bool,
    },
    /// A manifest, and the marker that goes with it, are confirmed in the store.
    ManifestStored {
        /// Its name.
        name: ManifestName,
    },
    /// Another manifest lies under its name.
    ManifestForeign {
        /// Its name.
        name: ManifestName,
        /// What that one lists.
        listing: Listing,
        /// The tweets in its objects that the manifest of this spool does not list.
        ids: Vec<u64>,
    },
    /// The source is stopped: seal and upload what there is, then end.
    Drain,
    /// End at once; what is accepted stays in the spool.
    Leave,
}

pub use work::{FileLines, Upload, Work};

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

/// Lines with the same place share a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Slot {
    role: Role,
    path: IngestPath,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    Hour(Hour, bool),
    Folder(String),
}

/// What to do when the next commit is durable.
enum After {
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
    /// The receiving end of the channel.
    pub events: Receiver<Event>,
    /// Where work goes.
    pub work: UnboundedSender<Work>,
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
    events: Receiver<Event>,
    work: UnboundedSender<Work>,
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
    /// Batches in the group that is not committed yet: dropped, and their places given back, when it is.
    accepting: Vec<Accepting>,
    group_since: Option<Instant>,
    /// Batches that wait for a tweet to say where they belong.
    undated: Undated,
    /// What to do after the next commit.
    after: Vec<After>,
    /// Hours that were closed, with their tweets; only where the input comes to an end.
    closed: Vec<(Hour, u64)>,
    /// Events kept back while the spool is over its budget.
    held: VecDeque<Event>,
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
        let Parts { spool, events, work, lake, live, fsync_interval, spool_max_bytes, author, metrics } = parts;
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
            events,
            work,
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
            after: Vec::new(),
            closed: Vec::new(),
            held: VecDeque::new(),
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
            match self.events.recv_timeout(self.patience()) {
                Ok(event) => self.take(event)?,
                Err(RecvTimeoutError::Timeout) => {}
                // All senders are gone: the agent failed elsewhere. What is accepted is durable.
                Err(RecvTimeoutError::Disconnected) => self.phase = Phase::Leaving,
            }
            // What is here already belongs to this group as long as its interval has not passed.
            while !self.commit_is_due() {
                match self.events.try_recv() {
                    Ok(event) => self.take(event)?,
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

    fn take(&mut self, event: Event) -> Result<(), SpoolError> {
        if let Event::Inner(inner) = event {
            return self.take_inner(inner);
        }
        // An input that has ended brings nothing that needs room, and its hours can close.
        if matches!(event, Event::Ended) && self.held.iter().all(|held| matches!(held, Event::Tick { .. })) {
            self.held.clear();
        } else if self.phase == Phase::Running && (self.over_budget || !self.held.is_empty()) {
            // In order, so that a tick never overtakes the lines before it; of ticks in a row the last says it all.
            if matches!((self.held.back(), &event), (Some(Event::Tick { .. }), Event::Tick { .. })) {
                self.held.pop_back();
            }
            self.held.push_back(event);
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
            Event::Inner(inner) => self.take_inner(inner)?,
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
            && self.held.is_empty()
            && self.undated.is_empty()
            && self.after.is_empty()
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
        for after in std::mem::take(&mut self.after) {
            self.carry_out(after)?;
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
