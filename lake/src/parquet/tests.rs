//! Hours through the whole converter, from one local folder to another.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::file::metadata::ParquetMetaData;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::catalogue::fixture::{
    self, closed_hour, late_tweets, manifest, object, object_name, put, put_manifest, tweets,
};
use crate::hour::Hour;
use crate::lake::Lake;
use crate::manifest::Codec;
use crate::pattern::{Escapes, Pattern};
use crate::store::local::LocalStore;
use crate::store::{ErrorKind, Store};

mod faults;
mod rejects;

const HOUR: &str = "2026-11-22T05";

/// A lake and a target, each in a folder of its own.
struct Place {
    folder: TempDir,
    pattern: Pattern,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().expect("a folder"), pattern: fixture::pattern("%m-%d-%h", Escapes::Cauce) }
    }

    fn store(&self, name: &str) -> LocalStore {
        LocalStore::new(self.folder.path().join(name))
    }

    fn lakes(&self, names: &[&str]) -> Lakes {
        let lake = |name: &&str| Lake::new(Arc::new(self.store(name)), self.pattern.clone());
        Lakes::new(names.iter().map(lake).collect())
    }

    fn options(&self) -> ConvertOptions {
        ConvertOptions::default()
    }

    /// Where the Parquet goes, and beside it the rejects.
    fn places(&self) -> Target {
        Target::new(Arc::new(self.store("parquet")), Some(Arc::new(self.store("parquet-rejects"))))
    }

    /// Hidden folders that were left behind, by the names of their places.
    fn left(&self) -> Vec<&'static str> {
        let hidden = |name: &&str| self.folder.path().join(name).join(".cauce-stage").exists();
        ["parquet", "parquet-rejects"].into_iter().filter(hidden).collect()
    }

    async fn convert(&self, ranges: &[&str], options: &ConvertOptions) -> Result<Summary, ConvertError> {
        self.convert_with(ranges, options, 2, &mut |_| ControlFlow::Continue(())).await
    }

    async fn convert_with(
        &self,
        ranges: &[&str],
        options: &ConvertOptions,
        threads: usize,
        progress: &mut Callback<'_>,
    ) -> Result<Summary, ConvertError> {
        let ranges: Vec<HourRange> = ranges.iter().map(|range| range.parse().expect("a range")).collect();
        let workers = Workers::new(std::num::NonZeroUsize::new(threads));
        let (lakes, target) = (self.lakes(&["lake"]), self.places());
        let done = convert_hours(&lakes, &ranges, &target, options, &workers, progress).await;
        assert_eq!(self.left(), [""; 0], "a lock or a temporary file is left");
        done
    }

    /// What is in the target, by name.
    fn target(&self) -> Vec<String> {
        files(&self.folder.path().join("parquet"))
    }

    /// The same in the place of the rejects.
    fn rejects(&self) -> Vec<String> {
        files(&self.folder.path().join("parquet-rejects"))
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join("parquet").join(name)).expect("it is there")
    }

    fn read(&self, hour: &str) -> (Vec<RecordBatch>, ParquetMetaData) {
        let (date, hour) = hour.split_once('T').expect("an hour");
        let bytes = Bytes::from(self.bytes(&format!("date={date}/hour={hour}/tweets.parquet")));
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("Parquet");
        let footer = ParquetMetaData::clone(reader.metadata());
        (reader.build().expect("readable").collect::<Result<_, _>>().expect("whole"), footer)
    }

    /// The ids in an hour's file, in order.
    fn ids(&self, hour: &str) -> Vec<i64> {
        let ids = |batch: &RecordBatch| {
            batch.column_by_name("tweet_id").expect("the id").as_primitive::<Int64Type>().values().to_vec()
        };
        self.read(hour).0.iter().flat_map(ids).collect()
    }

    fn entry(&self, hour: &str, name: &str) -> Option<String> {
        let footer = self.read(hour).1;
        let entries = footer.file_metadata().key_value_metadata().expect("ours").clone();
        entries.into_iter().find(|entry| entry.key == name)?.value
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(folder).expect("below it").display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if !name.starts_with('.') {
                names.push(name);
            }
        }
    }
    names.sort();
    names
}

fn hour(text: &str) -> Hour {
    text.parse().expect("an hour")
}

#[tokio::test]
async fn an_hour_is_put_under_its_date_with_its_marker() {
    let place = Place::new();
    closed_hour(&place.store("lake"), &place.pattern, hour(HOUR), 1..1000, Codec::Gzip).await;
    let options = ConvertOptions { row_group_rows: 300, ..place.options() };
    let done = place.convert(&[HOUR], &options).await.expect("converted");
    assert_eq!((done.made(), done.total(|hour| hour.rows), done.failed.len()), (1, 999, 0));
    assert_eq!(place.target(), ["date=2026-11-22/hour=05/_SUCCESS", "date=2026-11-22/hour=05/tweets.parquet"]);
    assert_eq!(place.ids(HOUR), (1..1000).collect::<Vec<_>>());
    let (batches, footer) = place.read(HOUR);
    assert_eq!(batches[0].schema().fields(), table::schema().fields());
    let rows: Vec<i64> = footer.row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(rows, [300, 300, 300, 99]);
    assert_eq!(place.entry(HOUR, "cauce.rows").as_deref(), Some("999"));
    assert_eq!(done.hours[0].bytes_out, place.bytes("date=2026-11-22/hour=05/tweets.parquet").len() as u64);
}

#[tokio::test]
async fn a_rerun_does_nothing_until_it_is_told_to_replace() {
    let place = Place::new();
    closed_hour(&place.store("lake"), &place.pattern, hour(HOUR), 1..10, Codec::None).await;
    let options = place.options();
    place.convert(&[HOUR], &options).await.expect("converted");
    let before = place.bytes("date=2026-11-22/hour=05/tweets.parquet");
    let again = place.convert(&[HOUR], &options).await.expect("nothing to do");
    assert_eq!((again.made(), again.hours[0].outcome), (0, Outcome::UpToDate));
    // Asked for by no name it is not even looked at.
    assert!(place.convert(&[], &options).await.expect("nothing to do").hours.is_empty());

    let some = TableOptions { columns: Some(vec!["tweet_id".to_owned()]), ..TableOptions::default() };
    let other = ConvertOptions { table: some, ..options.clone() };
    let refused = place.convert(&[HOUR], &other).await.expect("one that is refused does not end the others");
    let (name, error) = &refused.failed[0];
    assert_eq!((name.as_str(), error.kind()), (HOUR, ErrorKind::PreconditionFailed));
    assert!(error.to_string().contains("hour=05/tweets.parquet was made with other options"), "{error}");
    assert_eq!(place.bytes("date=2026-11-22/hour=05/tweets.parquet"), before);

    let replace = ConvertOptions { replace: true, ..other };
    assert_eq!(place.convert(&[HOUR], &replace).await.expect("replaced").made(), 1);
    assert_eq!(place.read(HOUR).0[0].num_columns(), 1);
    assert_eq!(place.target().len(), 2);
}

#[tokio::test]
async fn a_copy_into_a_folder_that_was_killed_long_ago_is_removed() {
    let place = Place::new();
    closed_hour(&place.store("lake"), &place.pattern, hour(HOUR), 1..10, Codec::None).await;
    let hidden = place.folder.path().join("parquet/.cauce-stage");
    std::fs::create_dir_all(&hidden).expect("a folder is made");
    let file = std::fs::File::create(hidden.join("stage-1-0")).expect("a file is made");
    let yesterday = std::time::SystemTime::now() - std::time::Duration::from_hours(25);
    file.set_modified(yesterday).expect("the disk knows times");
    place.convert(&[HOUR], &place.options()).await.expect("converted");
    assert!(!hidden.exists());
}

#[tokio::test]
async fn a_missing_marker_is_put_by_the_next_run() {
    let place = Place::new();
    closed_hour(&place.store("lake"), &place.pattern, hour(HOUR), 1..10, Codec::None).await;
    place.convert(&[], &place.options()).await.expect("converted");
    let marker = "date=2026-11-22/hour=05/_SUCCESS";
    std::fs::remove_file(place.folder.path().join("parquet").join(marker)).expect("it is there");
    let again = place.convert(&[], &place.options()).await.expect("nothing to make");
    assert_eq!((again.made(), again.hours.len()), (0, 1));
    assert!(place.target().contains(&marker.to_owned()));
}

#[tokio::test]
async fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let place = Place::new();
    let lines = tweets(1..20_000);
    let store = place.store("lake");
    let (first, second) = lines.split_at(lines.len() / 3 + lines[lines.len() / 3..].find('\n').expect("a line") + 1);
    let objects = vec![
        object(&store, &object_name(&place.pattern, hour(HOUR), 1), first, Codec::Zstd).await,
        object(&store, &object_name(&place.pattern, hour(HOUR), 2), second, Codec::None).await,
    ];
    put_manifest(&store, &manifest(hour(HOUR), objects), None).await;
    let mut made = Vec::new();
    for threads in [1, 2, 4] {
        let options = ConvertOptions { row_group_rows: 9_000, replace: true, ..place.options() };
        place.convert_with(&[HOUR], &options, threads, &mut |_| ControlFlow::Continue(())).await.expect("converted");
        made.push(place.bytes("date=2026-11-22/hour=05/tweets.parquet"));
    }
    assert!(made[0] == made[1] && made[1] == made[2]);
    assert_eq!(place.ids(HOUR).len(), 19_999);
}

#[tokio::test]
async fn a_tweet_is_there_once_an_hour() {
    let place = Place::new();
    let ids = (1..500).chain(100..200).chain([1]);
    closed_hour(&place.store("lake"), &place.pattern, hour(HOUR), ids, Codec::None).await;
    let done = place.convert(&[HOUR], &place.options()).await.expect("converted");
    assert_eq!((done.hours[0].rows, done.hours[0].duplicates), (499, 101));
    assert_eq!(place.ids(HOUR), (1..500).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_empty_hour_is_a_file_without_rows() {
    let place = Place::new();
    put_manifest(&place.store("lake"), &manifest(hour(HOUR), vec![]), None).await;
    place.convert(&[], &place.options()).await.expect("converted");
    assert_eq!(place.ids(HOUR), [0_i64; 0]);
    assert_eq!(place.target().len(), 2);
    assert_eq!(place.read(HOUR).1.file_metadata().num_rows(), 0);
}

#[tokio::test]
async fn an_open_hour_is_provisional_until_it_closes() {
    let place = Place::new();
    let store = place.store("lake");
    let first = object(&store, &object_name(&place.pattern, hour(HOUR), 1), &tweets(1..10), Codec::None).await;
    let refused = place.convert(&[HOUR], &place.options()).await.expect("told");
    assert!(matches!(refused.failed[0].1, ConvertError::NotClosed(_)));
    assert!(place.convert(&[], &place.options()).await.expect("nothing is closed").hours.is_empty());
    let open = ConvertOptions { open: true, ..place.options() };
    place.convert(&[], &open).await.expect("converted");
    assert_eq!(place.target(), ["date=2026-11-22/hour=05/tweets.parquet"]);
    assert_eq!(place.entry(HOUR, "cauce.closed").as_deref(), Some("false"));
    assert_eq!(place.convert(&[HOUR], &open).await.expect("the same").made(), 0);

    let second = object(&store, &object_name(&place.pattern, hour(HOUR), 2), &tweets(10..20), Codec::None).await;
    assert_eq!(place.convert(&[HOUR], &open).await.expect("it has grown").made(), 1);
    assert_eq!(place.ids(HOUR).len(), 19);
    put_manifest(&store, &manifest(hour(HOUR), vec![first, second]), None).await;
    assert_eq!(place.convert(&[], &place.options()).await.expect("it has closed").made(), 1);
    assert_eq!(place.entry(HOUR, "cauce.closed").as_deref(), Some("true"));
    assert_eq!(place.target().len(), 2);
}

/// A v1.1 tweet that was written so many seconds into an hour.
fn written(at: Hour, seconds: i64, id: u64) -> String {
    let ms = at.start_ms() + seconds * 1000;
    format!(
        r#"{{"id_str":"{id}","id":{id},"text":"t","timestamp_ms":"{ms}","user":{{"id_str":"7","screen_name":"a"}}}}"#
    ) + "\n"
}

#[tokio::test]
async fn a_folder_of_a_day_is_split_by_the_time_of_its_tweets() {
    let place = Place::new();
    let (five, six) = (hour("2026-11-22T05"), hour("2026-11-22T06"));
    let lines: String =
        (0..100).map(|n| written(if n % 2 == 0 { five } else { six }, n, 1000 + n.unsigned_abs())).collect();
    let name = format!("11-22-/FlumeData.{}", five.start_ms() + 1);
    put(&place.store("lake"), &name, lines + "{\n").await;
    let columns = Some(vec!["tweet_id".to_owned(), "text".to_owned()]);
    let table = TableOptions { columns, ..TableOptions::default() };
    let open = ConvertOptions { open: true, table, ..place.options() };
    let done = place.convert(&[], &open).await.expect("converted");
    assert_eq!((done.made(), done.total(|hour| hour.rows), done.total(|hour| hour.rejects)), (2, 100, 1));
    let even: Vec<i64> = (0..100).filter(|n| n % 2 == 0).map(|n| 1000 + n).collect();
    assert_eq!(place.ids("2026-11-22T05"), even);
    assert_eq!(place.read("2026-11-22T05").0[0].num_columns(), 2);
    assert_eq!(place.target(), ["date=2026-11-22/hour=05/tweets.parquet", "date=2026-11-22/hour=06/tweets.parquet"]);
    assert_eq!(place.rejects(), ["date=2026-11-22/hour=05.jsonl"]);
    assert_eq!(place.convert(&[], &open).await.expect("the same").made(), 0);
    let one = place.convert(&["2026-11-22T06"], &open).await.expect("of one hour it is another cut");
    assert_eq!((one.made(), one.total(|hour| hour.rows)), (1, 50));
}

#[tokio::test]
async fn several_lakes_give_one_file_once_all_are_closed() {
    let place = Place::new();
    closed_hour(&place.store("a"), &place.pattern, hour(HOUR), 1..10, Codec::None).await;
    let (lakes, options, workers) = (place.lakes(&["a", "b"]), place.options(), Workers::default());
    let ranges = [HourRange::single(hour(HOUR))];
    let convert = async || {
        let target = place.places();
        convert_hours(&lakes, &ranges, &target, &options, &workers, &mut |_| ControlFlow::Continue(()))
            .await
            .expect("told")
    };
    assert!(matches!(convert().await.failed[0].1, ConvertError::NotClosed(_)));
    closed_hour(&place.store("b"), &place.pattern, hour(HOUR), 5..20, Codec::None).await;
    let done = convert().await;
    assert_eq!((done.hours[0].rows, done.hours[0].duplicates), (19, 5));
    assert_eq!(convert().await.made(), 0);
}

#[tokio::test]
async fn late_tweets_come_on_request() {
    let place = Place::new();
    let store = place.store("lake");
    closed_hour(&store, &place.pattern, hour(HOUR), 1..10, Codec::None).await;
    late_tweets(&store, &place.pattern, hour(HOUR), [50, 51], 1).await;
    let late = ConvertOptions { late: true, ..place.options() };
    place.convert(&[HOUR], &late).await.expect("converted");
    assert_eq!(place.ids(HOUR), [1, 2, 3, 4, 5, 6, 7, 8, 9, 50, 51]);
    late_tweets(&store, &place.pattern, hour(HOUR), [52], 2).await;
    let more = place.convert(&[HOUR], &late).await.expect("told");
    assert!(more.failed[0].1.to_string().contains("another source: late tweets came since"), "{}", more.failed[0].1);
}

#[tokio::test]
async fn tweets_that_a_later_hour_deletes_are_left_out_on_request() {
    let place = Place::new();
    let store = place.store("lake");
    closed_hour(&store, &place.pattern, hour(HOUR), 1..10, Codec::None).await;
    for (later, id) in [(1, 3), (2, 5)] {
        let later = Hour::from_index(hour(HOUR).index() + later);
        let name = format!("{}/_messages.{}.json", place.pattern.folder_of(later), later.start_ms() + 1);
        let line = format!("{{\"delete\":{{\"status\":{{\"id\":{id},\"id_str\":\"{id}\",\"user_id\":1}}}}}}\n");
        let messages = vec![object(&store, &name, &line, Codec::None).await];
        put_manifest(&store, &fixture_manifest(later, messages), None).await;
    }
    let without = ConvertOptions { without_deleted: true, ..place.options() };
    let done = place.convert(&[HOUR], &without).await.expect("converted");
    assert_eq!((place.ids(HOUR), done.hours[0].deleted), (vec![1, 2, 4, 6, 7, 8, 9], 2));
    let until = Some(hour(HOUR).next());
    let until = ConvertOptions { messages_until: until, replace: true, ..without };
    place.convert(&[HOUR], &until).await.expect("converted");
    assert_eq!(place.ids(HOUR), [1, 2, 4, 5, 6, 7, 8, 9]);
}

fn fixture_manifest(hour: Hour, messages: Vec<crate::manifest::ObjectEntry>) -> crate::manifest::Manifest {
    crate::manifest::Manifest { messages, ..manifest(hour, Vec::new()) }
}

#[tokio::test]
async fn an_end_that_is_asked_for_leaves_what_is_done_and_nothing_else() {
    let place = Place::new();
    for at in [hour(HOUR), hour(HOUR).next()] {
        closed_hour(&place.store("lake"), &place.pattern, at, 1..10_000, Codec::None).await;
    }
    let mut stop = |progress: &Progress| match progress.last {
        None => ControlFlow::Continue(()),
        Some(_) => ControlFlow::Break(()),
    };
    let one = ConvertOptions { jobs: 1, ..place.options() };
    let stopped = place.convert_with(&[], &one, 2, &mut stop).await;
    assert!(matches!(stopped, Err(ConvertError::Stopped)), "{stopped:?}");
    assert_eq!(place.target(), ["date=2026-11-22/hour=05/_SUCCESS", "date=2026-11-22/hour=05/tweets.parquet"]);
}

#[tokio::test]
async fn an_object_that_is_gone_fails_its_hour_and_no_other() {
    let place = Place::new();
    let store = place.store("lake");
    let gone = closed_hour(&store, &place.pattern, hour(HOUR), 1..10, Codec::None).await.objects[0].key.clone();
    closed_hour(&store, &place.pattern, hour(HOUR).next(), 10..20, Codec::None).await;
    store.delete(&gone).await.expect("it goes");
    let done = place.convert(&[], &place.options()).await.expect("the other one is converted");
    assert_eq!((done.made(), done.failed.len()), (1, 1));
    let (name, error) = &done.failed[0];
    assert_eq!((name.as_str(), error.kind()), (HOUR, ErrorKind::NotFound));
    let said = format!("{error}: {}", std::error::Error::source(error).expect("the read error"));
    assert!(said.contains(HOUR) && said.contains(gone.as_str()), "{said}");
    assert!(place.target().iter().all(|name| name.contains("hour=06")), "{:?}", place.target());
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_said_before_anything_is_read() {
    let place = Place::new();
    let inside = Target::new(Arc::new(place.store("lake/parquet")), None);
    let (lakes, options) = (place.lakes(&["lake"]), place.options());
    let mut progress = |_: &Progress| ControlFlow::Continue(());
    let shared = convert_hours(&lakes, &[], &inside, &options, &Workers::default(), &mut progress).await;
    assert!(matches!(shared, Err(ConvertError::SharedRoot { .. })));
    let some = TableOptions { columns: Some(vec!["tweet_ids".to_owned()]), ..TableOptions::default() };
    let unknown = place.convert(&[], &ConvertOptions { table: some, ..place.options() }).await;
    assert!(matches!(unknown, Err(ConvertError::Columns(_))));
    let missing = place.convert(&[HOUR], &place.options()).await.expect("told");
    assert_eq!(missing.failed[0].1.kind(), ErrorKind::NotFound);
}
