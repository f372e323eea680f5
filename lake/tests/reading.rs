//! Lakes as readers see them, each case on the in-memory store, a local folder and (where it is installed) moto's S3 server:
//! all must give the same answers.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use cauce_lake::catalogue::fixture::{
    closed_hour, late_tweets, manifest, object, object_name, pattern, put, put_manifest, tweets,
};
use cauce_lake::catalogue::{CatalogueError, HourEntry, UnreadReason};
use cauce_lake::manifest::{Codec, Gap, ObjectEntry};
use cauce_lake::pattern::{Escapes, Granularity};
use cauce_lake::read::ReadOptions;
use cauce_lake::store::local::LocalStore;
use cauce_lake::store::memory::{Call, MemoryStore};
use cauce_lake::store::s3::S3Store;
use cauce_lake::store::servers::{self, S3Server};
use cauce_lake::verify::{Problem, VerifyReport, verify_hour};
use cauce_lake::{Hour, HourRange, Lake, Lakes, Pattern, Store};
use futures_util::{StreamExt, TryStreamExt};
use proptest::prelude::*;

const BUCKET: &str = "cauce-reading";
static MOTO: LazyLock<Option<S3Server>> = LazyLock::new(servers::moto);
static NEXT_PREFIX: AtomicUsize = AtomicUsize::new(0);

#[path = "reading/verify.rs"]
mod verify;

/// Runs a case on every store and holds the answers against each other.
async fn on_all<T, F, Running>(case: F) -> T
where
    T: PartialEq + std::fmt::Debug,
    F: Fn(Arc<dyn Store>) -> Running,
    Running: Future<Output = T>,
{
    let in_memory = case(Arc::new(MemoryStore::new())).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let in_folder = case(Arc::new(LocalStore::new(folder.path().join("lake")))).await;
    assert_eq!(in_folder, in_memory, "a folder answers otherwise than memory");
    let server = tokio::task::spawn_blocking(|| LazyLock::force(&MOTO).as_ref()).await.expect("the server starts");
    if let Some(server) = server {
        server.create_bucket(BUCKET).await;
        let prefix = format!("lakes/{}", NEXT_PREFIX.fetch_add(1, Ordering::Relaxed));
        let store = S3Store::open(BUCKET, &prefix, &server.options()).await.expect("a possible configuration");
        assert_eq!(case(Arc::new(store)).await, in_memory, "S3 answers otherwise than memory");
    }
    in_memory
}

fn hour(text: &str) -> Hour {
    text.parse().expect("an hour")
}

fn range(text: &str) -> Option<HourRange> {
    Some(text.parse().expect("a range"))
}

fn yearless() -> Pattern {
    pattern("%m-%d-%h", Escapes::Cauce)
}

async fn text(lake: &Lake, entry: &HourEntry, late: bool) -> String {
    let blocks: Vec<_> = lake.lines(entry, late, &ReadOptions::default()).try_collect().await.expect("readable");
    let bytes = blocks.iter().flat_map(|block| block.bytes().iter().copied()).collect();
    String::from_utf8(bytes).expect("text")
}

/// What is worth comparing of a listing.
type Row = (String, Granularity, bool, usize, Option<u64>, u64, usize, u64);

fn rows(entries: &[HourEntry]) -> Vec<Row> {
    let row = |entry: &HourEntry| {
        let name = entry.name.clone();
        let numbers = (entry.objects.len(), entry.tweets, entry.bytes, entry.gaps.len(), entry.late);
        (name, entry.granularity, entry.closed, numbers.0, numbers.1, numbers.2, numbers.3, numbers.4)
    };
    entries.iter().map(row).collect()
}

async fn verified(lake: &Lake, at: Hour) -> VerifyReport {
    verify_hour(lake, at).await.expect("the store answers").expect("a closed hour")
}

#[tokio::test]
async fn closed_and_open_hours_late_tweets_and_gaps_are_listed_and_read() {
    let (rows, texts) = on_all(|store| async move {
        let pattern = yearless();
        let first = hour("2026-11-22T04");
        let mut entries = Vec::new();
        let codecs = [Codec::None, Codec::Gzip, Codec::Zstd];
        for (at, codec) in (0..).zip(codecs) {
            let ids = [at * 10 + 1, at * 10 + 2];
            let name = object_name(&pattern, first, i64::try_from(at).expect("small"));
            entries.push(object(store.as_ref(), &name, &tweets(ids), codec).await);
        }
        let mut closing = manifest(first, entries);
        closing.gaps.push(Gap {
            from: "2026-11-22T04:10:00Z".parse().expect("a time"),
            to: None,
            cause: "stall".to_owned(),
            repaired_by: None,
            tweets: 0,
        });
        put_manifest(store.as_ref(), &closing, None).await;
        put(store.as_ref(), "11-22-04/_SUCCESS", "").await;
        late_tweets(store.as_ref(), &pattern, first, [31], 1).await;
        late_tweets(store.as_ref(), &pattern, first, [32, 33], 2).await;
        // An hour in which nothing came, and one that is open.
        put_manifest(store.as_ref(), &manifest(hour("2026-11-22T05"), vec![]), None).await;
        let open = object_name(&pattern, hour("2026-11-22T06"), 7);
        object(store.as_ref(), &open, &tweets([41]), Codec::Gzip).await;
        put(store.as_ref(), "11-22-06/_messages.1795327200001.json", "{}\n").await;
        put(store.as_ref(), "rejects/2026-11-22/rejects.1795327200001.jsonl", "{}\n").await;
        put(store.as_ref(), "_agent.json", "{}").await;

        let lake = Lake::new(store, pattern);
        let listing = lake.hours(None).await.expect("listed");
        assert!(listing.problems.is_empty() && listing.unread.objects == 0, "{listing:?}");
        let mut texts = Vec::new();
        for entry in &listing.entries {
            let single = lake.hour(entry.hour().expect("an hour")).await.expect("found");
            assert_eq!(rows(std::slice::from_ref(&single)), rows(std::slice::from_ref(entry)));
            texts.push((text(&lake, entry, false).await, text(&lake, &single, true).await));
        }
        (rows(&listing.entries), texts)
    })
    .await;
    let names: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    assert_eq!(names, ["2026-11-22T04", "2026-11-22T05", "2026-11-22T06"]);
    let states: Vec<_> = rows.iter().map(|row| (row.2, row.3, row.4, row.6, row.7)).collect();
    assert_eq!(states, [(true, 3, Some(6), 1, 3), (true, 0, Some(0), 0, 0), (false, 1, None, 0, 0)]);
    assert_eq!(texts[0], (tweets([1, 2, 11, 12, 21, 22]), tweets([31, 32, 33])));
    assert_eq!(texts[1], (String::new(), String::new()));
    assert_eq!(texts[2], (tweets([41]), String::new()));
}

#[tokio::test]
async fn two_years_of_a_pattern_without_a_year_are_told_apart() {
    for closed in [true, false] {
        let names = on_all(|store| async move {
            let pattern = yearless();
            let years = [hour("2025-11-22T05"), hour("2026-11-22T05")];
            for (at, ids) in years.into_iter().zip([1..4, 4..6]) {
                if closed {
                    closed_hour(store.as_ref(), &pattern, at, ids, Codec::None).await;
                } else {
                    object(store.as_ref(), &object_name(&pattern, at, 1), &tweets(ids), Codec::None).await;
                }
            }
            let lake = Lake::new(store, pattern);
            let listing = lake.hours(None).await.expect("listed");
            for (at, ids) in years.into_iter().zip([1..4, 4..6]) {
                let ranged = lake.hours(Some(HourRange::single(at))).await.expect("listed");
                assert_eq!(ranged.entries.len(), 1);
                assert_eq!(text(&lake, &ranged.entries[0], false).await, tweets(ids.clone()));
                let single = lake.hour(at).await.expect("found");
                assert_eq!((single.closed, text(&lake, &single, false).await), (closed, tweets(ids.clone())));
                if closed {
                    let report = verified(&lake, at).await;
                    assert_eq!((report.problems, report.lines), (vec![], ids.end - ids.start));
                } else {
                    assert_eq!(verify_hour(&lake, at).await.expect("an answer"), None);
                }
            }
            listing.entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>()
        })
        .await;
        assert_eq!(names, ["2025-11-22T05", "2026-11-22T05"]);
    }
}

#[tokio::test]
async fn an_open_hour_of_this_year_stands_beside_the_closed_one_of_last_year() {
    let states = on_all(|store| async move {
        let pattern = yearless();
        closed_hour(store.as_ref(), &pattern, hour("2025-11-22T05"), 1..3, Codec::None).await;
        let open = object_name(&pattern, hour("2026-11-22T05"), 1);
        object(store.as_ref(), &open, &tweets([9]), Codec::None).await;
        let lake = Lake::new(store, pattern);
        assert!(verified(&lake, hour("2025-11-22T05")).await.is_clean(), "the open hour's object is no stray");
        let listing = lake.hours(range("2025-01-01T00..2027-01-01T00")).await.expect("listed");
        listing.entries.into_iter().map(|entry| (entry.name, entry.closed)).collect::<Vec<_>>()
    })
    .await;
    assert_eq!(states, [("2025-11-22T05".to_owned(), true), ("2026-11-22T05".to_owned(), false)]);
}

#[tokio::test]
async fn a_bucket_that_flume_wrote_is_listed_by_days_and_read() {
    // 2016-03-24T17:05:06.789Z and a second later; 2017's folder has the same name.
    let numbers = [1_458_839_106_789_i64, 1_458_839_107_790, 1_490_375_106_789];
    // By our rules %h is the hour, and Flume's folders are read all the same.
    for escapes in [Escapes::Cauce, Escapes::Strict] {
        let seen = on_all(|store| async move {
            for (number, id) in numbers.into_iter().zip(1..) {
                put(store.as_ref(), &format!("03-24-/tweets.{number}.json"), tweets([id])).await;
            }
            put(store.as_ref(), "03-24-_$folder$", "").await;
            put(store.as_ref(), "03-24-/tweets.1458839108790.json.tmp", "{").await;
            let lake = Lake::new(store, pattern("%m-%d-%h", escapes));
            let listing = lake.hours(None).await.expect("listed");
            assert_eq!(listing.unread.objects, 1, "only the temporary file is left out");
            let day = lake.hours(range("2016-03-24T20..2016-03-24T21")).await.expect("listed");
            assert_eq!(rows(&day.entries), rows(&listing.entries[..1]));
            let found = lake.hour(hour("2016-03-24T17")).await;
            assert!(matches!(found, Err(CatalogueError::HourNotFound { .. })), "a day is no hour");
            let mut seen = Vec::new();
            for entry in &listing.entries {
                let what = (entry.name.clone(), entry.granularity, entry.closed, entry.tweets);
                seen.push((what, text(&lake, entry, false).await));
            }
            seen
        })
        .await;
        let day = |name: &str| (name.to_owned(), Granularity::Day, false, None);
        assert_eq!(seen, [(day("2016-03-24"), tweets([1, 2])), (day("2017-03-24"), tweets([3]))]);
    }
}

#[tokio::test]
async fn folders_of_minutes_are_listed_and_never_closed() {
    let rows = on_all(|store| async move {
        let pattern = pattern("%Y-%m-%d/%H%M", Escapes::Strict);
        for (folder, id) in [("2026-11-22/0510", 1), ("2026-11-22/0520", 2), ("2026-11-23/0000", 3)] {
            put(store.as_ref(), &format!("{folder}/tweets.{}.json", 1_795_323_600_000_i64 + id), tweets([1])).await;
        }
        put(store.as_ref(), "2026-11-22/tweets.1795323600000.json", tweets([1])).await;
        let lake = Lake::new(store, pattern);
        let all = lake.hours(None).await.expect("listed");
        let (key, reason) = all.unread.example.expect("one is left out");
        assert_eq!((key.as_str(), reason), ("2026-11-22/tweets.1795323600000.json", UnreadReason::Folder));
        let some = lake.hours(range("2026-11-22T05")).await.expect("listed");
        assert_eq!(some.entries.len(), 2);
        rows(&all.entries)
    })
    .await;
    let seen: Vec<_> = rows.iter().map(|row| (row.0.as_str(), row.1, row.2)).collect();
    let minute = |name| (name, Granularity::Other, false);
    assert_eq!(seen, [minute("2026-11-22T05:10"), minute("2026-11-22T05:20"), minute("2026-11-23T00")]);
}

#[tokio::test]
async fn a_manifest_that_cannot_be_trusted_is_told_and_spares_the_other_hours() {
    let told = on_all(|store| async move {
        let pattern = yearless();
        let (good, outside, torn) = (hour("2026-11-22T04"), hour("2026-11-22T05"), hour("2026-11-22T06"));
        closed_hour(store.as_ref(), &pattern, good, 1..3, Codec::None).await;
        let away = closed_hour(store.as_ref(), &pattern, outside, 3..5, Codec::None).await;
        let json = String::from_utf8(away.to_bytes()).expect("text");
        let json = json.replace(away.objects[0].key.as_str(), "../other/secret.json");
        put(store.as_ref(), "_hours/2026-11-22T05.json", json).await;
        closed_hour(store.as_ref(), &pattern, torn, 5..7, Codec::None).await;
        put(store.as_ref(), "_hours/2026-11-22T06.json", "{\"version\":").await;
        put(store.as_ref(), "_hours/2026-11-22T04.late-1.json", "[]").await;

        let lake = Lake::new(store, pattern);
        let listing = lake.hours(None).await.expect("the listing goes on");
        assert_eq!(listing.entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["2026-11-22T04"]);
        for at in [outside, torn] {
            assert!(matches!(lake.hour(at).await, Err(CatalogueError::Manifest(_))));
            let error = verify_hour(&lake, at).await.expect_err("the manifest was taken").to_string();
            assert!(error.contains(&format!("_hours/{at}.json")), "{error}");
        }
        // The hour itself is whole; who asks for its late tweets hears that they are not.
        let entry = lake.hour(good).await.expect("found");
        assert_eq!(text(&lake, &entry, false).await, tweets(1..3));
        let late = lake
            .lines(&entry, true, &ReadOptions::default())
            .next()
            .await
            .expect("an item")
            .expect_err("the late manifest was passed by");
        assert_eq!(late.key().as_str(), "_hours/2026-11-22T04.late-1.json");
        assert!(matches!(verified(&lake, good).await.problems[..], [Problem::LateManifest { .. }]));
        listing.problems.into_iter().map(|problem| problem.error.to_string()).collect::<Vec<_>>()
    })
    .await;
    assert_eq!(told.len(), 3);
    assert!(told[1].contains("_hours/2026-11-22T05.json") && told[1].contains("../other/secret.json"), "{told:?}");
}

#[tokio::test]
async fn several_lakes_are_one_in_which_an_hour_is_closed_when_it_is_closed_in_each() {
    let (one, two): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    let (pattern, other) = (yearless(), pattern("dt=%Y-%m-%d/hour=%H", Escapes::Cauce));
    let (both, open, alone) = (hour("2026-11-22T04"), hour("2026-11-22T05"), hour("2026-11-22T06"));
    closed_hour(one.as_ref(), &pattern, both, 1..3, Codec::None).await;
    closed_hour(two.as_ref(), &other, both, 3..6, Codec::Gzip).await;
    late_tweets(two.as_ref(), &other, both, [9], 1).await;
    closed_hour(one.as_ref(), &pattern, open, 10..12, Codec::None).await;
    object(two.as_ref(), &object_name(&other, open, 1), &tweets([12]), Codec::None).await;
    closed_hour(one.as_ref(), &pattern, alone, 20..21, Codec::None).await;

    let lakes = Lakes::new(vec![Lake::new(one, pattern), Lake::new(Arc::clone(&two), other)]);
    let listing = lakes.hours(None).await.expect("listed");
    let states: Vec<_> =
        listing.entries.iter().map(|entry| (entry.closed, entry.tweets, entry.objects.len())).collect();
    assert_eq!(states, [(true, Some(5), 2), (false, None, 2), (false, None, 1)]);
    let wanted = BTreeSet::from([both, open, alone]);
    assert_eq!(lakes.closed(&wanted).await.expect("listed"), BTreeSet::from([both]));
    let mut read = Vec::new();
    for (entry, late) in [(&listing.entries[0], false), (&listing.entries[0], true), (&listing.entries[1], false)] {
        let blocks: Vec<_> = lakes.lines(entry, late, &ReadOptions::default()).try_collect().await.expect("readable");
        read.push(blocks.iter().map(|block| String::from_utf8_lossy(block.bytes()).into_owned()).collect::<String>());
    }
    assert_eq!(read, [tweets(1..6), tweets([9]), tweets(10..13)]);
    assert_eq!(lakes.hour(both).await.expect("found").tweets, Some(5));
    let nowhere = lakes.hour(hour("2027-01-01T00")).await.expect_err("there is none").to_string();
    assert!(nowhere.contains("2027-01-01T00") && nowhere.contains("memory:"), "{nowhere}");

    put(two.as_ref(), "_hours/2026-11-22T04.json", "{}").await;
    let listing = lakes.hours(None).await.expect("listed");
    assert_eq!((listing.entries.len(), listing.problems.len()), (2, 1), "half an hour is not shown as a whole");
}

#[tokio::test]
async fn fifteen_hundred_hours_are_listed_in_pages_and_a_range_asks_for_its_pages_only() {
    let store = MemoryStore::new();
    let lake = Lake::new(Arc::new(store.clone()), yearless());
    let first = hour("2026-10-01T00");
    let all: Vec<Hour> = (0..1500).map(|n| Hour::from_index(first.index() + n)).collect();
    for at in &all {
        put_manifest(&store, &manifest(*at, vec![]), None).await;
    }
    let before = store.count(Call::List, "_hours/");
    let listing = lake.hours(None).await.expect("listed");
    assert_eq!(listing.entries.iter().filter_map(HourEntry::hour).collect::<Vec<_>>(), all);
    // One in vain: nobody says that the lake ends on the second page.
    assert_eq!(store.count(Call::List, "_hours/") - before, 3);

    let (calls, gets) = (store.calls().len(), store.count(Call::Get, ""));
    let day = HourRange { start: all[1400], end: all[1424] };
    let listing = lake.hours(Some(day)).await.expect("listed");
    assert_eq!(listing.entries.iter().filter_map(HourEntry::hour).collect::<Vec<_>>(), all[1400..1424]);
    assert_eq!(store.count(Call::Get, "") - gets, 24);
    let lists: Vec<_> = store.calls().split_off(calls).into_iter().filter(|(call, _)| *call == Call::List).collect();
    assert!(lists.len() <= 4, "{lists:?}");

    let gets = store.count(Call::Get, "");
    let asked: BTreeSet<Hour> = all[..30].iter().copied().chain([first.previous()]).collect();
    assert_eq!(lake.closed(&asked).await.expect("listed"), all[..30].iter().copied().collect());
    assert_eq!(store.count(Call::Get, ""), gets, "asking what is closed reads no manifest");
}

#[tokio::test]
async fn a_store_that_fails_is_an_error_and_not_an_empty_lake() {
    use cauce_lake::store::ErrorKind;
    use cauce_lake::store::memory::Fault;
    for call in [Call::List, Call::Get] {
        let store = MemoryStore::new();
        let lake = Lake::new(Arc::new(store.clone()), yearless());
        closed_hour(&store, lake.pattern(), hour("2026-11-22T05"), 1..2, Codec::None).await;
        store.inject(call, "", 0, usize::MAX, Fault::Fail(ErrorKind::AccessDenied));
        assert_eq!(lake.hours(None).await.expect_err("listed nothing").kind(), ErrorKind::AccessDenied);
        let error = lake.hour(hour("2026-11-22T05")).await.expect_err("found nothing");
        assert_eq!(error.kind(), ErrorKind::AccessDenied);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn hours_come_back_in_order_whatever_was_closed_and_what_is_open(
        indices in prop::collection::btree_map(430_000i64..520_000, (any::<bool>(), 0u32..3), 0..40),
        yearly in any::<bool>(), window in (430_000i64..520_000, 1i64..3000),
    ) {
        let pattern = if yearly { pattern("dt=%Y-%m-%d/hour=%H", Escapes::Cauce) } else { yearless() };
        let run_time = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a run time");
        let (listed, ranged) = run_time.block_on(async {
            let store = MemoryStore::new();
            for (index, (closed, late)) in &indices {
                let at = Hour::from_index(*index);
                let entry = object(&store, &object_name(&pattern, at, 1), &tweets([1]), Codec::None).await;
                if *closed {
                    put_manifest(&store, &manifest(at, vec![entry]), None).await;
                    for number in 1..=*late {
                        late_tweets(&store, &pattern, at, [u64::from(number) + 1], number).await;
                    }
                }
            }
            let lake = Lake::new(Arc::new(store), pattern.clone());
            let range = HourRange { start: Hour::from_index(window.0), end: Hour::from_index(window.0 + window.1) };
            (lake.hours(None).await.expect("listed"), lake.hours(Some(range)).await.expect("listed"))
        });
        let seen = |entries: &[HourEntry]| -> Vec<_> {
            entries.iter().map(|entry| (entry.hour().expect("an hour").index(), entry.closed, entry.late)).collect()
        };
        let wanted: Vec<_> = indices.iter().map(|(index, (closed, late))| (*index, *closed, if *closed { u64::from(*late) } else { 0 })).collect();
        prop_assert_eq!(seen(&listed.entries), wanted.clone());
        let inside: Vec<_> = wanted.into_iter().filter(|(index, ..)| (window.0..window.0 + window.1).contains(index)).collect();
        prop_assert_eq!(seen(&ranged.entries), inside);
    }
}
