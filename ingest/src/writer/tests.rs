//! The writer with times that a test gives it.

use std::sync::mpsc;

use cauce_lake::hour::HOUR_MS;
use cauce_lake::manifest::{Guarantee, Manifest};

use super::*;
use crate::config::settings::PartitionBy;
use crate::spool::Options;

#[test]
fn a_clock_that_is_set_forward_closes_the_hours_it_skipped_as_empty_and_set_back_none_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { dir: folder.path().to_owned(), durable: true, dedupe_window_ms: 86_400_000 };
    let (spool, _) = Spool::open(&options).expect("the spool opens");
    let (tell, events) = mpsc::channel();
    let (work, mut todo) = tokio::sync::mpsc::unbounded_channel();
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
    let running = std::thread::spawn(move || writer.run());
    let tell = |event| tell.send(event).expect("the writer runs");

    let now_ms = jiff::Timestamp::now().as_millisecond() + 60_000;
    let first = Hour::containing(now_ms);
    tell(Event::Connection { now_ms, event: ConnectionEvent::Up });
    tell(Event::Tick { now_ms: now_ms + 3 * HOUR_MS });
    for hour in [first, first.next(), first.next().next()] {
        let Some(Work::Manifest { name, bytes, .. }) = todo.blocking_recv() else { panic!("no manifest for {hour}") };
        assert_eq!(name, ManifestName::closing(hour));
        let manifest = Manifest::from_bytes(&name.key(), &bytes).expect("a good manifest");
        assert_eq!((manifest.tweets, manifest.objects.len()), (0, 0));
        tell(Event::Inner(Inner::ManifestStored { name }));
    }
    // Back, and on from there: the hours have been.
    tell(Event::Tick { now_ms });
    tell(Event::Tick { now_ms: now_ms + HOUR_MS });
    // An hour further than the first step: one more is over, and it is the next one.
    tell(Event::Tick { now_ms: now_ms + 4 * HOUR_MS });
    let Some(Work::Manifest { name, .. }) = todo.blocking_recv() else { panic!("no manifest for the fourth hour") };
    assert_eq!(name, ManifestName::closing(Hour::from_index(first.index() + 3)));
    tell(Event::Inner(Inner::Leave));
    running.join().expect("it does not panic").expect("it ends in order");
    assert!(todo.blocking_recv().is_none(), "something was closed again");
}
