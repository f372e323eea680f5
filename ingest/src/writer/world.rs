//! A lake in memory and some spools on simulated disks, of which any may start, be killed, be lost, or be put back to an
//! earlier state at any time; puts may land long after whoever sent them is gone. All that decides is the real code: spool,
//! writer, uploads, lease and the start of an agent. What the world knows beside it is which lines were accepted where.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use cauce_lake::Store;
use cauce_lake::manifest::{Codec, Manifest, ManifestName};
use cauce_lake::store::{Body, Put};
use cauce_lake::tweet::{LineKind, scan};

use super::inbox::inbox;
pub(super) use super::sea::Fault;
use super::sea::{Sea, SimDiskOf};
use super::*;
use crate::agent::take_lake;
use crate::config::Settings;
use crate::spool::sim_disk::SimDisk;
use crate::spool::{Options, seal};
use crate::upload::{UploadReport, Uploader};

/// 2026-01-05T10, the first of the hours that lines are of.
pub(super) const FIRST: i64 = 491_002;
pub(super) const SPOOLS: usize = 3;

/// An agent at work.
struct Running {
    writer: Writer,
    todo: tokio::sync::mpsc::UnboundedReceiver<Job>,
    pending: VecDeque<Job>,
    uploader: Uploader,
    /// Lines that are not committed.
    fresh: Vec<u64>,
}

/// A spool's disk and the lines that were accepted on it.
#[derive(Clone, Default)]
pub(super) struct Kept {
    disk: SimDisk,
    accepted: BTreeSet<u64>,
}

pub(super) struct World {
    runtime: tokio::runtime::Runtime,
    sea: Arc<Sea>,
    settings: Settings,
    spools: Vec<Kept>,
    running: Vec<Option<Running>>,
    copies: Vec<Kept>,
    /// The hour and the minute of each line that came in; they are numbered from 1.
    lines: Vec<(i64, i64)>,
}

impl World {
    pub(super) fn new(codec: Codec) -> World {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let mut settings = Settings::for_tests(std::path::Path::new("unused"));
        settings.lake.codec = codec;
        // Whether an agent may take the lake is the lease's own tests' business: here each start does.
        settings.agent.take_over = true;
        World {
            runtime: runtime.expect("a runtime"),
            sea: Arc::new(Sea::default()),
            settings,
            // Each a disk of its own: a clone of a disk is the same one.
            spools: (0..SPOOLS).map(|_| Kept::default()).collect(),
            running: (0..SPOOLS).map(|_| None).collect(),
            copies: Vec::new(),
            lines: Vec::new(),
        }
    }

    fn dir(n: usize) -> PathBuf {
        PathBuf::from(format!("spool-{n}"))
    }

    fn open(&self, n: usize) -> (Spool, Arc<crate::upload::lease::Lease>) {
        let disk = &self.spools[n].disk;
        disk.restart();
        let options = Options { dir: World::dir(n), durable: true, dedupe_window_ms: 86_400_000, group_limit: 8 << 20 };
        let (mut spool, recovery) = Spool::open_on(&options, disk).expect("the spool opens");
        assert!(recovery.damaged.is_empty() && recovery.unknown.is_empty(), "spool {n}: {recovery:?}");
        self.sea.disks.lock().expect("no panic").insert(World::dir(n), SimDiskOf(disk.clone()));
        let store: Arc<dyn Store> = Arc::clone(&self.sea) as Arc<dyn Store>;
        let taken = self.runtime.block_on(take_lake(&mut spool, &store, &self.settings, false));
        (spool, taken.expect("the lake is ours").0)
    }

    /// Starts an agent on a spool, unless one runs there. Others may run on other spools.
    pub(super) fn start(&mut self, n: usize) {
        if self.running[n].is_some() {
            return;
        }
        let (spool, lease) = self.open(n);
        let (inbox, messages) = inbox();
        let (jobs, todo) = tokio::sync::mpsc::unbounded_channel();
        let metrics = Arc::new(Metrics::default());
        let guarantee = cauce_lake::manifest::Guarantee::ExactlyOnce;
        let author = Author { agent: "agent".into(), epoch: lease.epoch(), guarantee };
        let store: Arc<dyn Store> = Arc::clone(&self.sea) as Arc<dyn Store>;
        let uploader = Uploader::new(store, lease, inbox.reports(), Arc::clone(&metrics));
        let mut writer = Writer::new(Parts {
            spool,
            messages,
            jobs,
            lake: self.settings.lake.clone(),
            live: false,
            fsync_interval: Duration::from_millis(1),
            spool_max_bytes: 1 << 30,
            author,
            metrics,
        });
        writer.resume().expect("the disk works");
        self.running[n] = Some(Running { writer, todo, pending: VecDeque::new(), uploader, fresh: Vec::new() });
    }

    /// A start that takes the lake and gets no further.
    pub(super) fn half_start(&mut self, n: usize) {
        if self.running[n].is_none() {
            drop(self.open(n));
        }
    }

    /// A new line of an hour comes in; `minute` names the file where it makes one.
    pub(super) fn line(&mut self, n: usize, hour: i64, minute: i64) {
        if self.running[n].is_some() {
            self.lines.push((hour, minute));
            self.take(n, self.lines());
        }
    }

    /// A new line comes in on all spools whose agents run: each of them is connected.
    pub(super) fn line_for_all(&mut self, hour: i64, minute: i64) {
        self.lines.push((hour, minute));
        (0..SPOOLS).for_each(|n| self.take(n, self.lines()));
    }

    /// A line that came in before, here or on another spool, comes again.
    pub(super) fn line_again(&mut self, n: usize, nth: usize) {
        if let Some(at) = nth.checked_rem(self.lines.len()) {
            self.take(n, at as u64 + 1);
        }
    }

    fn take(&mut self, n: usize, number: u64) {
        let Some(running) = &mut self.running[n] else { return };
        let (hour, minute) = self.lines[usize::try_from(number).expect("small") - 1];
        let at_ms = Hour::from_index(FIRST + hour).start_ms() + minute * 60_000;
        let line = format!(r#"{{"data":{{"id":"{number}","text":"a line"}}}}"#);
        let LineKind::Tweet(mut head) = scan(line.as_bytes()) else { panic!("{line} is a tweet") };
        head.created_at_ms = Some(at_ms);
        let now_ms = running.writer.now_ms;
        running.writer.take_tweet(line.as_bytes(), head, IngestPath::Replay, now_ms).expect("the disk works");
        running.fresh.push(number);
    }

    pub(super) fn roll(&mut self, n: usize) {
        if let Some(running) = &mut self.running[n] {
            running.writer.roll_all();
        }
    }

    /// The hour takes nothing more, if it holds something.
    pub(super) fn freeze(&mut self, n: usize, hour: i64) {
        let Some(running) = &mut self.running[n] else { return };
        let hour = Hour::from_index(FIRST + hour);
        if running.writer.spool.state().hours.get(&hour).is_some_and(|state| state.frozen_ms.is_none()) {
            running.writer.freeze(hour);
        }
    }

    /// Plans what is ready and commits: what came in counts as accepted.
    pub(super) fn commit(&mut self, n: usize) {
        let Some(running) = &mut self.running[n] else { return };
        running.writer.look_around().expect("the disk works");
        running.writer.commit().expect("the disk works");
        self.spools[n].accepted.extend(running.fresh.drain(..));
    }

    /// Something that was handed out is done, perhaps with a fault.
    pub(super) fn carry(&mut self, n: usize, nth: usize, fault: Option<Fault>) {
        let Some(running) = &mut self.running[n] else { return };
        while let Ok(work) = running.todo.try_recv() {
            running.pending.push_back(work);
        }
        let Some(at) = nth.checked_rem(running.pending.len()) else { return };
        let work = running.pending.remove(at).expect("it is one of them");
        if let Job::Seal { id, task } = work {
            let (bytes, sha256, crc64) = seal::seal_on(&self.spools[n].disk, &task).expect("the disk works");
            running.writer.take_report(UploadReport::Sealed { id, bytes, sha256, crc64 }).expect("the disk works");
            return;
        }
        *self.sea.fault.lock().expect("no panic") = fault;
        let carried = self.runtime.block_on(running.uploader.clone().carry_out(work));
        *self.sea.fault.lock().expect("no panic") = None;
        if carried.is_err() {
            // Another agent has the lake: this one ends.
            return self.kill(n, None);
        }
        while let Ok(message) = running.writer.messages.try_recv() {
            running.writer.take(message).expect("the disk works");
        }
        if running.writer.phase == Phase::Leaving {
            // Another agent has listed what is here too: this one ends, to be started again.
            self.commit(n);
            self.kill(n, None);
        }
    }

    /// Goes on without faults for some rounds.
    pub(super) fn work(&mut self, n: usize, rounds: usize) {
        for _ in 0..rounds {
            self.commit(n);
            let most = 64;
            for _ in 0..most {
                let is_idle = |running: &Running| running.todo.is_empty() && running.pending.is_empty();
                if self.running[n].as_ref().is_none_or(is_idle) {
                    break;
                }
                self.carry(n, 0, None);
            }
        }
    }

    /// The next put is on its way, and whoever sent it will not hear of it.
    pub(super) fn send(&mut self, n: usize) {
        let running = self.running[n].as_mut().expect("it runs");
        let work = running.todo.try_recv().expect("there is something to put");
        let Job::Manifest { name, bytes, .. } = work else { panic!("a manifest is next: {work:?}") };
        let (body, sha256) = (Body::Bytes(Bytes::from(bytes)), Some("ab".repeat(32)));
        let put = Put { key: name.key(), body, condition: cauce_lake::store::Condition::IfAbsent, sha256 };
        self.sea.on_their_way.lock().expect("no panic").push(put);
    }

    /// A put that was on its way arrives.
    pub(super) fn land(&mut self, nth: usize) {
        let put = {
            let mut puts = self.sea.on_their_way.lock().expect("no panic");
            let Some(at) = nth.checked_rem(puts.len()) else { return };
            puts.remove(at)
        };
        // Where something is already it changes nothing.
        let _ = self.runtime.block_on(self.sea.memory.put(put));
    }

    pub(super) fn land_all(&mut self) {
        while !self.sea.on_their_way.lock().expect("no panic").is_empty() {
            self.land(0);
        }
    }

    /// The process is killed, or the machine's power goes.
    pub(super) fn kill(&mut self, n: usize, power: Option<u64>) {
        if self.running[n].take().is_some()
            && let Some(seed) = power
        {
            self.spools[n].disk.power_cut(seed);
        }
    }

    /// The agent is stopped in order; what is not stored is left.
    pub(super) fn stop(&mut self, n: usize) {
        self.commit(n);
        let Some(mut running) = self.running[n].take() else { return };
        running.writer.spool.stage(Entry::Stopped { at_ms: running.writer.now_ms });
        running.writer.spool.commit().expect("the disk works");
    }

    /// A copy of a spool is made, while it runs or not.
    pub(super) fn copy(&mut self, n: usize) {
        let Kept { disk, accepted } = &self.spools[n];
        self.copies.push(Kept { disk: disk.fork(), accepted: accepted.clone() });
    }

    /// A copy takes the place of a spool, whose own disk is gone.
    pub(super) fn restore(&mut self, nth: usize, n: usize) {
        let Some(at) = nth.checked_rem(self.copies.len()) else { return };
        self.kill(n, None);
        let Kept { disk, accepted } = &self.copies[at];
        self.spools[n] = Kept { disk: disk.fork(), accepted: accepted.clone() };
    }

    /// The spool's disk is gone.
    pub(super) fn lose(&mut self, n: usize) {
        self.kill(n, None);
        self.spools[n] = Kept::default();
    }

    /// Time passes: looks at the lease do not stand any more.
    pub(super) fn wait(&mut self) {
        self.runtime.block_on(tokio::time::advance(Duration::from_secs(2)));
    }

    /// A spool comes back, and everything in it is brought to its end.
    pub(super) fn finish(&mut self, n: usize) -> Result<(), String> {
        self.kill(n, None);
        self.start(n);
        self.end(n)
    }

    /// A running agent's input ends, and everything is brought to its end.
    pub(super) fn end(&mut self, n: usize) -> Result<(), String> {
        self.running[n].as_mut().expect("it runs").writer.end_input().expect("the disk works");
        for _ in 0..200 {
            self.work(n, 1);
            let Some(running) = &self.running[n] else {
                self.start(n);
                self.running[n].as_mut().expect("it runs").writer.end_input().expect("the disk works");
                continue;
            };
            if running.writer.is_finished() && running.pending.is_empty() && running.todo.is_empty() {
                let state = running.writer.spool.state();
                let left: Vec<_> = state.files.values().map(|file| (file.head.key.to_string(), &file.stage)).collect();
                if !left.is_empty() || !state.plans.is_empty() || !state.hours.is_empty() {
                    return Err(format!("spool {n} ended with {left:?}, {:?}, {:?}", state.plans, state.hours));
                }
                self.stop(n);
                return Ok(());
            }
        }
        Err(format!("spool {n} does not come to its end"))
    }

    /// How often each line is listed, and whether each manifest says what is there.
    pub(super) fn listed(&self) -> Result<BTreeMap<u64, u64>, String> {
        let memory = &self.sea.memory;
        let mut lines: BTreeMap<u64, u64> = BTreeMap::new();
        let mut keys = BTreeSet::new();
        for name in memory.keys().iter().filter_map(|key| ManifestName::parse(key)) {
            let bytes = memory.content(name.key().as_str()).expect("it is there");
            let manifest = Manifest::from_bytes(&name.key(), &bytes).map_err(|error| error.to_string())?;
            for object in manifest.objects {
                if !keys.insert(object.key.clone()) {
                    return Err(format!("{} is listed twice", object.key));
                }
                let bytes = memory.content(object.key.as_str()).ok_or_else(|| format!("{} is gone", object.key))?;
                let meta = self.runtime.block_on(memory.head(&object.key)).expect("it is there");
                let text = match object.codec {
                    Codec::Gzip => {
                        let mut text = String::new();
                        let mut reader = flate2::read::GzDecoder::new(&bytes[..]);
                        std::io::Read::read_to_string(&mut reader, &mut text).expect("whole gzip");
                        text
                    }
                    _ => String::from_utf8(bytes.to_vec()).expect("UTF-8"),
                };
                if (bytes.len() as u64, Some(&object.sha256)) != (object.bytes, meta.sha256.as_ref())
                    || text.lines().count() as u64 != object.lines
                    || object.arrivals.last().is_some_and(|last| last.1 != object.lines)
                {
                    return Err(format!("{object:?} is listed and is not so"));
                }
                for line in text.lines() {
                    let LineKind::Tweet(head) = scan(line.as_bytes()) else { panic!("{line} is a tweet") };
                    *lines.entry(head.id).or_default() += 1;
                }
            }
        }
        Ok(lines)
    }

    /// Each line that was accepted on a spool that is still there is listed once, and no other more than once.
    pub(super) fn check(&self) -> Result<(), String> {
        let listed = self.listed()?;
        let wanted: BTreeSet<u64> = self.spools.iter().flat_map(|spool| spool.accepted.iter().copied()).collect();
        let missing: Vec<_> = wanted.iter().filter(|line| !listed.contains_key(line)).collect();
        let twice: Vec<_> = listed.iter().filter(|(_, times)| **times > 1).collect();
        if missing.is_empty() && twice.is_empty() {
            return Ok(());
        }
        Err(format!("listed nowhere: {missing:?}, more than once: {twice:?}, the lake: {:?}", self.sea.memory.keys()))
    }

    /// How many lines came in so far; they are numbered from 1.
    pub(super) fn lines(&self) -> u64 {
        self.lines.len() as u64
    }
}
