//! Scans of small objects, in memory and as files: order, line numbers, batches and rejects.

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use futures_util::TryStreamExt;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::catalogue::fixture::{compress, put, tweet};
use crate::manifest::{Codec, IngestPath};
use crate::object::ObjectRef;
use crate::store::local::LocalStore;
use crate::store::memory::{Call, MemoryStore};
use crate::store::{ErrorKind, Store};
use crate::table::TableOptions;

fn run_time() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn key(n: usize) -> Key {
    Key::new(format!("11-22-05/tweets.{n:04}.json")).expect("a possible key")
}

/// Both inputs: objects that are read ahead, and files that the workers read. Dropping the folder deletes it.
fn stores() -> [(Arc<dyn Store>, Option<TempDir>); 2] {
    let folder = tempfile::tempdir().expect("a folder");
    [(Arc::new(MemoryStore::new()), None), (Arc::new(LocalStore::new(folder.path().into())), Some(folder))]
}

async fn sources(store: &Arc<dyn Store>, texts: &[String], arrivals: &[(i64, u64)]) -> Vec<Source> {
    coded_sources(store, &texts.iter().map(|text| (text.clone(), Codec::None)).collect::<Vec<_>>(), arrivals).await
}

async fn coded_sources(store: &Arc<dyn Store>, texts: &[(String, Codec)], arrivals: &[(i64, u64)]) -> Vec<Source> {
    let mut sources = Vec::new();
    for (n, (text, codec)) in texts.iter().enumerate() {
        let stored = compress(text, *codec).await;
        let object = ObjectRef {
            key: key(n),
            bytes: stored.len() as u64,
            codec: *codec,
            lines: None,
            listed: None,
            path: Some(IngestPath::Search),
            arrivals: arrivals.into(),
        };
        put(&**store, key(n).as_str(), stored).await;
        sources.push(Source::Object(Arc::clone(store), object));
    }
    sources
}

fn projection(columns: &[&str]) -> Projection {
    let columns = Some(columns.iter().map(|&name| name.to_owned()).collect());
    Projection::new(&TableOptions { columns, ..TableOptions::default() }).expect("columns of the table")
}

fn options(batch_rows: usize) -> ScanOptions {
    ScanOptions { batch_rows: NonZeroUsize::new(batch_rows).expect("not zero"), ..ScanOptions::default() }
}

/// A kind of line.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Tweet,
    Long,
    Message,
    Blank,
    Reject,
}

fn line(kind: Kind, id: u64) -> String {
    match kind {
        Kind::Tweet => tweet(id),
        Kind::Long => format!(r#"{{"data":{{"id":"{id}","text":"{}"}}}}"#, "x".repeat(200_000)),
        Kind::Message => r#"{"delete":{"status":{"id":1,"id_str":"1"}}}"#.to_owned(),
        Kind::Blank => "\r".to_owned(),
        Kind::Reject => format!("no tweet {id}"),
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        20 => Just(Kind::Tweet), 1 => Just(Kind::Long), 2 => Just(Kind::Message), 2 => Just(Kind::Blank), 2 => Just(Kind::Reject),
    ]
}

fn codecs() -> impl Strategy<Value = Codec> {
    prop_oneof![4 => Just(Codec::None), 1 => Just(Codec::Gzip)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn rows_come_in_order_and_every_line_is_accounted_for(
        objects in prop::collection::vec((prop::collection::vec(kinds(), 0..60), any::<bool>(), codecs()), 0..12),
        batch_rows in 1usize..90, threads in 1usize..4, file in any::<bool>(),
    ) {
        let (mut ids, mut rejects, mut counts, mut texts, mut next) = (Vec::new(), Vec::new(), Counts::default(), Vec::new(), 1u64);
        for (n, (kinds, ends, codec)) in objects.iter().enumerate() {
            let mut text = String::new();
            for (number, kind) in (1..).zip(kinds) {
                let line = line(*kind, next);
                counts.lines += 1;
                match kind {
                    Kind::Tweet | Kind::Long => {
                        counts.tweets += 1;
                        ids.push(i64::try_from(next).expect("small"));
                    }
                    Kind::Message => counts.messages += 1,
                    Kind::Blank => counts.blanks += 1,
                    Kind::Reject => {
                        counts.rejects += 1;
                        rejects.push((key(n), number, text.len() as u64, line.clone()));
                    }
                }
                next += 1;
                text += &line;
                text.push('\n');
            }
            if !ends {
                text.pop();
            }
            texts.push((text, *codec));
        }
        let scanned: Vec<Scanned> = run_time().block_on(async {
            let stores = stores();
            let sources = coded_sources(&stores[usize::from(file)].0, &texts, &[]).await;
            let workers = Workers::new(NonZeroUsize::new(threads));
            scan(sources, &projection(&["tweet_id"]), &workers, &options(batch_rows)).try_collect().await.expect("it reads")
        });
        let mut all = Counts::default();
        scanned.iter().for_each(|batch| all += batch.counts);
        prop_assert_eq!(all, counts);
        prop_assert_eq!(scanned.iter().map(|batch| batch.bytes).sum::<u64>(), texts.iter().map(|(text, _)| text.len() as u64).sum::<u64>());
        prop_assert_eq!(scanned.iter().flat_map(|batch| batch.rows.ids.clone()).collect::<Vec<_>>(), ids);
        let told: Vec<_> = scanned
            .iter()
            .flat_map(|batch| &batch.rejects)
            .map(|reject| (reject.key.clone(), reject.line, reject.offset, String::from_utf8_lossy(&reject.bytes).into_owned()))
            .collect();
        prop_assert_eq!(told, rejects);
        for (n, batch) in scanned.iter().enumerate() {
            let rows = batch.rows.batch.num_rows();
            prop_assert_eq!((rows, rows), (batch.rows.ids.len(), batch.rows.matched.len()));
            prop_assert!(rows >= batch_rows || n + 1 == scanned.len(), "batch {n} of {} has {rows} rows", scanned.len());
            prop_assert!(rows < 2 * batch_rows.max(1), "{rows} rows in a batch of {batch_rows}");
        }
    }
}

#[tokio::test]
async fn each_row_knows_when_and_how_its_line_came_in() {
    for (store, _folder) in stores() {
        let text: String = (1..=5).map(|id| tweet(id) + "\n").collect();
        let sources = sources(&store, &[text], &[(10, 2), (12, 5)]).await;
        let projection = projection(&["received_at", "ingest_path"]);
        let scanned: Vec<Scanned> =
            scan(sources, &projection, &Workers::default(), &options(100)).try_collect().await.expect("it reads");
        let batch = &scanned[0].rows.batch;
        let times = batch.column_by_name("received_at").expect("a column").as_primitive::<TimestampMicrosecondType>();
        assert_eq!(times.values(), &[10_000_000, 10_000_000, 12_000_000, 12_000_000, 12_000_000]);
        let paths = batch.column_by_name("ingest_path").expect("a column").as_string::<i32>();
        assert!(paths.iter().all(|path| path == Some("search")) && paths.len() == 5);
    }
}

/// Scans objects of one tweet each, the third of which cannot be read; returns the error, which must follow two
/// rows.
async fn error_behind_two_rows(sources: Vec<Source>, options: &ScanOptions) -> ReadError {
    let mut batches = scan(sources, &projection(&["tweet_id"]), &Workers::default(), options);
    let first = batches.next().await.expect("a batch").expect("it reads");
    assert_eq!(first.rows.ids, [1, 2]);
    let error = batches.next().await.expect("an item").expect_err("an object that cannot be read was passed by");
    assert_eq!((error.key(), error.offset()), (&key(2), 0));
    assert!(batches.next().await.is_none());
    error
}

#[tokio::test]
async fn an_error_comes_behind_the_rows_before_it() {
    for (store, _folder) in stores() {
        let mut texts: Vec<String> = (1..=4).map(|id| tweet(id) + "\n").collect();
        texts[2].insert_str(0, &" ".repeat(5000));
        let sources = sources(&store, &texts, &[]).await;
        let narrow = ReadOptions { max_line_bytes: 4000, ..ReadOptions::default() };
        let narrow = ScanOptions { read: narrow, ..options(100) };
        let error = error_behind_two_rows(sources.clone(), &narrow).await;
        assert!(matches!(error, ReadError::LineTooLong { offset: 0, max_line_bytes: 4000, .. }), "{error:?}");
        put(&*store, key(2).as_str(), tweet(3)).await;
        let error = error_behind_two_rows(sources.clone(), &options(100)).await;
        assert_eq!(error.kind(), ErrorKind::Corrupt, "it has another length than it was listed with");
        store.delete(&key(2)).await.expect("it is deleted");
        assert_eq!(error_behind_two_rows(sources, &options(100)).await.kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn of_a_long_reject_only_the_beginning_is_kept() {
    let text = format!("{}\n{}\n", "x".repeat(MAX_REJECT_BYTES + 1), tweet(1));
    let sources = sources(&stores()[0].0, &[text], &[]).await;
    let scanned: Vec<Scanned> = scan(sources, &projection(&["tweet_id"]), &Workers::default(), &options(100))
        .try_collect()
        .await
        .expect("it reads");
    let reject = &scanned[0].rejects[0];
    assert_eq!((reject.bytes.len(), reject.line_bytes), (MAX_REJECT_BYTES, MAX_REJECT_BYTES as u64 + 1));
}

#[tokio::test]
async fn nothing_is_read_before_the_first_poll_and_dropping_the_stream_ends_it() {
    let store = MemoryStore::new();
    let texts: Vec<String> = (1..=40).map(|id| tweet(id) + "\n").collect();
    let shared: Arc<dyn Store> = Arc::new(store.clone());
    let sources = sources(&shared, &texts, &[]).await;
    let gate = store.hold(Call::Read, "");
    let mut batches = scan(sources, &projection(&["tweet_id"]), &Workers::default(), &options(100));
    assert_eq!(store.count(Call::Read, ""), 0);
    tokio::select! {
        _ = batches.next() => unreachable!("no read can end"),
        () = gate.arrival() => {}
    }
    drop(batches);
    // The task ends at its next turn, and the reads with it.
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
    let begun = store.count(Call::Read, "");
    gate.open();
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.count(Call::Read, ""), begun);
}

#[test]
fn very_short_lines_are_shared_out_by_their_number_and_keep_their_places() {
    const LINES: u64 = 100_000;
    for (store, _folder) in stores() {
        let scanned = run_time().block_on(async {
            let sources = sources(&store, &["x\n".repeat(LINES as usize)], &[]).await;
            let options = ScanOptions { as_decoded: true, ..options(10_000) };
            scan(sources, &projection(&["tweet_id"]), &Workers::default(), &options).try_collect::<Vec<_>>().await
        });
        let scanned = scanned.expect("readable");
        assert!(scanned.iter().all(|one| one.rejects.len() <= 2 * 16_384), "{} shares", scanned.len());
        let places: Vec<_> =
            scanned.iter().flat_map(|one| &one.rejects).map(|reject| (reject.line, reject.offset)).collect();
        let wanted: Vec<_> = (1..=LINES).map(|line| (line, 2 * (line - 1))).collect();
        assert!(places == wanted, "{} rejects", places.len());
    }
}
