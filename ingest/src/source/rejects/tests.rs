//! A requeue as the channel sees it: which lines come, what their positions say, and what a second one leaves out.

use std::collections::BTreeSet;

use cauce_lake::pattern::PatternOptions;
use cauce_lake::store::memory::MemoryStore;
use cauce_lake::store::{Body, Condition, Put};
use cauce_lake::{Key, Pattern, Store};
use proptest::prelude::*;

use super::*;
use crate::channel::{Event, channel};
use crate::config::settings::OnReject;

/// A line that reads as a tweet, one that reads as a message without a time, or one that does not read.
fn kept(number: usize, kind: u8) -> String {
    let bytes = match kind {
        0 => format!(r#"{{"data":{{"id":"{}","text":"a"}}}}"#, (1_000_000_000_000_u64 + number as u64) << 22),
        1 => r#"{"delete":{"status":{"id":3,"user_id":4}}}"#.to_owned(),
        _ => "nonsense".to_owned(),
    };
    let length = bytes.len() as u64 + u64::from(kind == 3);
    let reject = KeptReject {
        received_at: "2026-11-22T06:00:01Z".parse().expect("valid time"),
        hour: Some("2026-11-22T05".parse().expect("valid hour")),
        reason: "r".into(),
        source: format!("line {number}"),
        length,
        bytes: bytes.into_bytes(),
    };
    reject.to_line() + "\n"
}

async fn lake(lines: &[String]) -> Lake {
    let store = Arc::new(MemoryStore::new());
    let key = Key::new("rejects/2026-11-22/rejects.1.jsonl").expect("valid key");
    let body = Body::Bytes(Bytes::from(lines.concat()));
    store.put(Put { key, body, condition: Condition::Always, sha256: None }).await.expect("stored");
    Lake::new(store, Pattern::new("%m-%d-%h", &PatternOptions::default()).expect("valid pattern"))
}

/// What a requeue sends: batches, and what it counts.
async fn requeue(lake: &Lake, positions: Positions, batch_records: usize) -> (Vec<Batch>, Arc<Found>) {
    let found = Arc::new(Found::default());
    let limits = Limits { max_line_bytes: 1 << 20, batch_records, needs_time: true, on_reject: OnReject::Keep };
    let (lake, hours, metrics) = (lake.clone(), Vec::new(), Arc::default());
    let source = Box::new(Rejects { lake, hours, positions, limits, metrics, found: Arc::clone(&found) });
    let (sender, receiver) = channel(1_000, 0);
    source.run(sender, CancellationToken::new()).await.expect("it ends well");
    let batches = std::iter::from_fn(|| match receiver.recv() {
        Ok(Event::Batch(accepting)) => Some(accepting.batch),
        _ => None,
    });
    (batches.collect(), found)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn each_readable_line_is_sent_once_whichever_batches_were_accepted_before(
        kinds in proptest::collection::vec(0_u8..4, 0..40), batch_records in 1_usize..5, accepted in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let lines: Vec<String> = kinds.iter().enumerate().map(|(n, kind)| kept(n, *kind)).collect();
            let readable = kinds.iter().filter(|kind| **kind < 2).count();
            let lake = lake(&lines).await;
            let (all, found) = requeue(&lake, Positions::new(), batch_records).await;
            let count = |batches: &[Batch]| batches.iter().map(|batch| batch.records.len()).sum::<usize>();
            prop_assert_eq!(count(&all), readable);
            prop_assert!(all.iter().all(|batch| batch.records.len() <= batch_records));
            prop_assert_eq!(found.cut.load(Ordering::Relaxed), kinds.iter().filter(|kind| **kind == 3).count() as u64);
            let (before, rest): (Vec<_>, Vec<_>) =
                all.into_iter().enumerate().partition(|(n, _)| accepted >> (n % 64) & 1 == 1);
            let positions = before.iter().filter_map(|(_, batch)| batch.position.clone());
            let positions = positions.map(|position| (position.file.clone(), position)).collect();
            let (again, found) = requeue(&lake, positions, batch_records).await;
            let texts = |batches: &[Batch]| -> BTreeSet<String> {
                batches.iter().flat_map(|batch| batch.records.iter().map(|record| {
                    String::from_utf8_lossy(&batch.block[record.start as usize..record.end as usize]).into_owned()
                })).collect()
            };
            let taken: usize = before.iter().map(|(_, batch)| batch.records.len()).sum();
            prop_assert_eq!(found.taken_before.load(Ordering::Relaxed), taken as u64);
            let rest: Vec<Batch> = rest.into_iter().map(|(_, batch)| batch).collect();
            prop_assert_eq!((count(&again), texts(&again)), (readable - taken, texts(&rest)));
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_message_without_a_time_goes_to_the_hour_that_counts_its_reject() {
    let lake = lake(&[kept(0, 1)]).await;
    let (batches, _) = requeue(&lake, Positions::new(), 10).await;
    let RecordKind::Message(_, Some(at_ms)) = batches[0].records[0].kind else { panic!("{batches:?}") };
    let hour: cauce_lake::Hour = "2026-11-22T05".parse().expect("valid hour");
    assert_eq!(at_ms, hour.start_ms());
}
