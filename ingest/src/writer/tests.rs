//! The writer with times that a test gives it.

use std::sync::mpsc;

use cauce_lake::hour::HOUR_MS;
use cauce_lake::manifest::{Guarantee, Manifest};

use super::*;
use crate::config::settings::PartitionBy;
use crate::spool::Options;

/// A writer whose live source names hours by arrival, what it hands out, and the way to tell it something.
struct Started {
    tell: mpsc::Sender<Event>,
    todo: tokio::sync::mpsc::UnboundedReceiver<Work>,
    running: std::thread::JoinHandle<Result<u64, SpoolError>>,
    _folder: tempfile::TempDir,
}

fn start() -> Started {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { dir: folder.path().to_owned(), durable: true, dedupe_window_ms: 86_400_000 };
    let (spool, _) = Spool::open(&options).expect("the spool opens");
    let (tell, events) = mpsc::channel();
    let (work, todo) = tokio::sync::mpsc::unbounded_channel();
    let lake = LakeSettings { partition_by: PartitionBy::ReceivedAt, ..LakeSettings::for_tests("%m-%d-%h") };
    let writer = Writer::new(Parts {
        spool,
        events,
        work,
        lake,
        live: true,
        fsync_interval: Duration::from_millis(1),
        spool_max_bytes: 1 << 30,
        author: Author { agent: "agent".into(), epoch: 1, guarantee: Guarantee::ExactlyOnce },
        metrics: Arc::new(Metrics::default()),
    });
    Started { tell, todo, running: std::thread::spawn(move || writer.run()), _folder: folder }
}

impl Started {
    fn tell(&self, event: Event) {
        self.tell.send(event).expect("the writer runs");
    }

    /// Takes the next manifest, which is to be that of this hour, as stored.
    fn closes(&mut self, hour: Hour) -> Manifest {
        let Some(Work::Manifest { name, bytes, .. }) = self.todo.blocking_recv() else {
            panic!("no manifest for {hour}")
        };
        assert_eq!(name, ManifestName::closing(hour));
        self.tell(Event::Inner(Inner::ManifestStored { name }));
        Manifest::from_bytes(&name.key(), &bytes).expect("a good manifest")
    }

    /// Ends the writer, which has handed out nothing more.
    fn end(mut self) {
        self.tell(Event::Inner(Inner::Leave));
        self.running.join().expect("it does not panic").expect("it ends in order");
        assert!(self.todo.blocking_recv().is_none(), "something more was closed");
    }
}

#[test]
fn a_clock_that_is_set_forward_closes_the_hours_it_skipped_as_empty_and_set_back_none_again() {
    let mut writer = start();
    let now_ms = jiff::Timestamp::now().as_millisecond() + 60_000;
    let first = Hour::containing(now_ms);
    writer.tell(Event::Connection { now_ms, event: ConnectionEvent::Up });
    writer.tell(Event::Tick { now_ms: now_ms + 3 * HOUR_MS });
    for hour in [first, first.next(), first.next().next()] {
        let manifest = writer.closes(hour);
        assert_eq!((manifest.tweets, manifest.objects.len()), (0, 0));
    }
    // Back, and on from there: the hours have been.
    writer.tell(Event::Tick { now_ms });
    writer.tell(Event::Tick { now_ms: now_ms + HOUR_MS });
    // An hour further than the first step: one more is over, and it is the next one.
    writer.tell(Event::Tick { now_ms: now_ms + 4 * HOUR_MS });
    writer.closes(Hour::from_index(first.index() + 3));
    writer.end();
}

#[test]
fn a_broken_connection_is_a_gap_in_the_manifests_of_the_hours_it_overlaps() {
    let mut writer = start();
    let first = Hour::containing(jiff::Timestamp::now().as_millisecond()).next();
    let minute = |minute: i64| first.start_ms() + minute * 60_000;
    let down = ConnectionEvent::Down { last_byte_ms: minute(10), cause: "reset".into() };
    writer.tell(Event::Connection { now_ms: minute(1), event: ConnectionEvent::Up });
    writer.tell(Event::Connection { now_ms: minute(11), event: down });
    writer.tell(Event::Connection { now_ms: minute(70), event: ConnectionEvent::Up });
    writer.tell(Event::Tick { now_ms: minute(180) });
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
