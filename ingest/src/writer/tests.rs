//! The writer with times that a test gives it.

use std::sync::mpsc;

use cauce_lake::Key;
use cauce_lake::checksum::Crc64;
use cauce_lake::hour::HOUR_MS;
use cauce_lake::manifest::{Codec, Guarantee, Manifest};

use super::inbox::Command;
use super::*;
use crate::config::settings::PartitionBy;
use crate::spool::entry::Target;
use crate::spool::inspect::View;
use crate::spool::state::{Stage, State};
use crate::spool::{Options, seal};
use crate::upload::{Upload, UploadReport};

/// A writer whose live source names hours by arrival, its inbox, and the jobs that it hands over.
struct Started {
    queue: mpsc::Sender<Message>,
    todo: tokio::sync::mpsc::UnboundedReceiver<Job>,
    running: std::thread::JoinHandle<Result<Rest, SpoolError>>,
    folder: tempfile::TempDir,
}

fn spool_in(folder: &tempfile::TempDir) -> Spool {
    let options = Options {
        dir: folder.path().to_owned(),
        durable: true,
        dedupe_window_ms: 86_400_000,
        group_limit: crate::spool::group_limit(1 << 20, 100),
    };
    Spool::open(&options).expect("the spool opens").0
}

fn start() -> Started {
    start_in(tempfile::tempdir().expect("a folder"), Duration::from_millis(1))
}

fn start_in(folder: tempfile::TempDir, fsync_interval: Duration) -> Started {
    let spool = spool_in(&folder);
    let (queue, messages) = mpsc::channel();
    let (jobs, todo) = tokio::sync::mpsc::unbounded_channel();
    let lake = LakeSettings { partition_by: PartitionBy::ReceivedAt, ..LakeSettings::for_tests("%m-%d-%h") };
    let writer = Writer::new(Parts {
        spool,
        messages,
        jobs,
        lake,
        live: true,
        fsync_interval,
        spool_max_bytes: 1 << 30,
        author: Author { agent: "agent".into(), epoch: 1, guarantee: Guarantee::ExactlyOnce },
        metrics: Arc::new(Metrics::default()),
    });
    Started { queue, todo, running: std::thread::spawn(move || writer.run()), folder }
}

impl Started {
    fn send(&self, message: Message) {
        self.queue.send(message).expect("the writer runs");
    }

    fn event(&self, event: Event) {
        self.send(Message::Stream(event));
    }

    /// What the journal says of the spool, for whoever reads it now.
    fn journalled(&self) -> State {
        View::open(self.folder.path()).expect("the journal is readable").state
    }

    /// Takes the next manifest, which is to be that of this hour, as stored.
    fn closes(&mut self, hour: Hour) -> Manifest {
        let Some(Job::Manifest { name, bytes, .. }) = self.todo.blocking_recv() else {
            panic!("no manifest for {hour}")
        };
        assert_eq!(self.journalled().plans.get(&name).map(|plan| &plan.bytes), Some(&bytes), "{hour}");
        assert_eq!(name, ManifestName::closing(hour));
        self.send(Message::Report(UploadReport::ManifestStored { name }));
        Manifest::from_bytes(&name.key(), &bytes).expect("a good manifest")
    }

    /// Ends the writer, which has handed out nothing more.
    fn end(mut self) {
        self.send(Message::Command(Command::Leave));
        self.running.join().expect("it does not panic").expect("it ends in order");
        assert!(self.todo.blocking_recv().is_none(), "something more was closed");
    }
}

#[test]
fn a_clock_that_is_set_forward_closes_the_hours_it_skipped_as_empty_and_set_back_none_again() {
    let mut writer = start();
    let now_ms = jiff::Timestamp::now().as_millisecond() + 60_000;
    let first = Hour::containing(now_ms);
    writer.event(Event::Connection { now_ms, event: ConnectionEvent::Up });
    writer.event(Event::Tick { now_ms: now_ms + 3 * HOUR_MS });
    for hour in [first, first.next(), first.next().next()] {
        let manifest = writer.closes(hour);
        assert_eq!((manifest.tweets, manifest.objects.len()), (0, 0));
    }
    // Back, and on from there: the hours have been.
    writer.event(Event::Tick { now_ms });
    writer.event(Event::Tick { now_ms: now_ms + HOUR_MS });
    // An hour further than the first step: one more is over, and it is the next one.
    writer.event(Event::Tick { now_ms: now_ms + 4 * HOUR_MS });
    writer.closes(Hour::from_index(first.index() + 3));
    writer.end();
}

#[test]
fn a_broken_connection_is_a_gap_in_the_manifests_of_the_hours_it_overlaps() {
    let mut writer = start();
    let first = Hour::containing(jiff::Timestamp::now().as_millisecond()).next();
    let minute = |minute: i64| first.start_ms() + minute * 60_000;
    let down = ConnectionEvent::Down { last_byte_ms: minute(10), cause: "reset".into() };
    writer.event(Event::Connection { now_ms: minute(1), event: ConnectionEvent::Up });
    writer.event(Event::Connection { now_ms: minute(11), event: down });
    writer.event(Event::Connection { now_ms: minute(70), event: ConnectionEvent::Up });
    writer.event(Event::Tick { now_ms: minute(180) });
    for hour in [first, first.next()] {
        let gaps = writer.closes(hour).gaps;
        let spans: Vec<_> =
            gaps.iter().map(|gap| (gap.from.as_millisecond(), gap.to.map(|to| to.as_millisecond()))).collect();
        assert_eq!(spans, [(minute(10), Some(minute(70)))], "{hour}");
        assert_eq!(gaps[0].cause, "reset");
    }
    assert_eq!(writer.closes(first.next().next()).gaps, []);
    writer.end();
}

#[test]
fn what_is_handed_out_stands_in_the_journal_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let hour = Hour::containing(now_ms);
    let target =
        Target { folder: "x".into(), hour: Some(hour), role: Role::Tweets, late: false, path: IngestPath::Stream };
    let key = Key::new(format!("x/tweets.{}.json", hour.start_ms() + 1)).expect("valid key");
    // What an agent leaves that was killed while it wrote the file.
    let mut spool = spool_in(&folder);
    spool.stage(Entry::Started { at_ms: now_ms });
    spool.stage(Entry::LiveFrom { hour });
    spool.create(FileHead { id: 0, target, key, codec: Codec::None, created_ms: now_ms }).expect("made");
    spool.append(0, b"{}", now_ms, None);
    spool.commit().expect("committed");
    drop(spool);

    // A group takes its time here, so that whatever does not wait for it comes visibly before.
    let mut writer = start_in(folder, Duration::from_millis(300));
    let Some(Job::Seal { id, task }) = writer.todo.blocking_recv() else { panic!("nothing to seal") };
    let (bytes, sha256, crc64) = seal::seal(&task).expect("sealed");
    let sealed = Stage::Sealed { bytes, sha256: sha256.clone(), crc64 };
    writer.send(Message::Report(UploadReport::Sealed { id, bytes, sha256, crc64 }));
    let Some(Job::Upload(Upload { object, .. })) = writer.todo.blocking_recv() else { panic!("nothing to upload") };
    assert_eq!(writer.journalled().files[&id].stage, sealed);
    assert!(object.exists());
    writer.send(Message::Report(UploadReport::Stored { id }));
    writer.event(Event::Tick { now_ms: hour.end_ms() });
    let manifest = writer.closes(hour);
    assert_eq!((manifest.tweets, manifest.objects.len()), (1, 1));
    assert_eq!(manifest.objects[0].crc64nvme, Some(Crc64::of(b"{}\n")), "readers compare what they read with it");
    assert!(!object.exists(), "it is stored, and the journal said so");
    writer.end();
}
