//! The checks of [`conformance`](super::conformance) on listings: order, pages, prefixes and folders.

#![expect(missing_docs, reason = "the names are the sentences")]

use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::conformance::{create, key};
use super::{List, ListPage, Store, list_all};

async fn create_all(store: &Arc<dyn Store>, names: impl IntoIterator<Item = String>) {
    stream::iter(names)
        .map(|name| {
            let store = store.clone();
            async move { create(&*store, &name, b"x").await }
        })
        .buffer_unordered(16)
        .for_each(|_| async {})
        .await;
}

async fn page(store: &Arc<dyn Store>, prefix: &str, after: Option<&str>, folders: bool) -> ListPage {
    let list = List { prefix: prefix.to_owned(), after: after.map(str::to_owned), folders };
    store.list(&list).await.unwrap_or_else(|error| panic!("{list:?} fails: {error}"))
}

fn names(page: &ListPage) -> Vec<&str> {
    page.objects.iter().map(|object| object.key.as_str()).collect()
}

pub async fn a_listing_is_ordered_by_the_bytes_of_the_whole_key(store: Arc<dyn Store>) {
    let mut all = [
        "a-b",
        "a.b",
        "a/b",
        "a/b-/x",
        "a/b./x",
        "a/c/x",
        "a0",
        "a!",
        "A/x",
        "b",
        "a/ü",
        "a/z",
        "_hours/x",
        "11-22-/y",
        "11-22-05/y",
    ];
    create_all(&store, all.map(str::to_owned)).await;
    all.sort_unstable();
    assert_eq!(names(&page(&store, "", None, false).await), all);
}

pub async fn a_prefix_may_end_within_a_name(store: Arc<dyn Store>) {
    create_all(
        &store,
        ["_hours/2026-11-22T05.json", "_hours/2026-12-01T00.json", "_hours/2025-01-01T00.json", "_hour"]
            .map(str::to_owned),
    )
    .await;
    assert_eq!(
        names(&page(&store, "_hours/2026-1", None, false).await),
        ["_hours/2026-11-22T05.json", "_hours/2026-12-01T00.json"]
    );
    assert_eq!(page(&store, "_hou", None, false).await.objects.len(), 4);
    assert_eq!(names(&page(&store, "_hour", None, true).await), ["_hour"]);
    assert_eq!(page(&store, "_hour", None, true).await.folders, ["_hours/"]);
}

pub async fn a_listing_says_length_and_time(store: Arc<dyn Store>) {
    create(&*store, "a/b", b"12345").await;
    let first = page(&store, "a/", None, false).await.objects.remove(0);
    assert_eq!((first.bytes, first.key), (5, key("a/b")));
    assert!(first.modified_ms > 1_600_000_000_000, "last written at {} ms", first.modified_ms);
}

pub async fn nothing_under_a_prefix_is_an_empty_page(store: Arc<dyn Store>) {
    for prefix in ["", "a", "a/", "a/b/c"] {
        for folders in [false, true] {
            let page = page(&store, prefix, None, folders).await;
            assert!(page.objects.is_empty() && page.folders.is_empty() && page.next.is_none());
        }
    }
    create(&*store, "a/b", b"x").await;
    assert!(page(&store, "a/b/", None, false).await.objects.is_empty());
    store.delete(&key("a/b")).await.expect("it is deleted");
    assert!(page(&store, "", None, true).await.folders.is_empty(), "a folder without objects is listed");
}

pub async fn a_prefix_does_not_leave_the_root(store: Arc<dyn Store>) {
    create(&*store, "a/b", b"x").await;
    for prefix in ["../", "..", "a/../", "./", "/", "a//", "/a"] {
        assert!(list_all(&*store, prefix).await.expect("it lists").is_empty(), "{prefix:?} finds something");
    }
}

pub async fn a_long_listing_comes_in_pages(store: Arc<dyn Store>) {
    let mut all: Vec<String> = (0..1500).map(|n| format!("h/{:02}/{n:04}", n % 7)).collect();
    create_all(&store, all.clone()).await;
    create_all(&store, ["g", "i"].map(str::to_owned)).await;
    all.sort_unstable();
    let first = page(&store, "h/", None, false).await;
    assert_eq!(names(&first), all[..1000]);
    let next = first.next.expect("there is more");
    let second = page(&store, "h/", Some(&next), false).await;
    assert_eq!(names(&second), all[1000..]);
    assert_eq!(second.next, None);
    let listed = list_all(&*store, "h").await.expect("it lists");
    assert!(listed.iter().map(|object| object.key.as_str()).eq(all.iter().map(String::as_str)));
}

pub async fn a_listing_goes_on_after_any_text(store: Arc<dyn Store>) {
    let all = ["a/b", "a/c/d", "a0", "b/x", "c"];
    create_all(&store, all.map(str::to_owned)).await;
    let afters = [
        ("", 5),
        ("a", 5),
        ("a/", 5),
        ("a/b", 4),
        ("a/b0", 4),
        ("a/c/", 4),
        ("a/c/d", 3),
        ("a/z", 3),
        ("a0", 2),
        ("aa", 2),
        ("b/", 2),
        ("b/x", 1),
        ("bz", 1),
        ("c", 0),
        ("z", 0),
    ];
    for (after, left) in afters {
        assert_eq!(names(&page(&store, "", Some(after), false).await), all[5 - left..], "after {after:?}");
    }
    assert_eq!(names(&page(&store, "a/", Some("a/b"), false).await), ["a/c/d"]);
    assert!(page(&store, "a/", Some("b"), false).await.objects.is_empty());
}

pub async fn folders_are_listed_once_each_and_in_order(store: Arc<dyn Store>) {
    let all =
        ["11-22-05/a", "11-22-05/b", "11-22-06/a", "11-22-06.x", "_hours/x", "late/11-22-05/a", "late/11-22-07/a", "z"];
    create_all(&store, all.map(str::to_owned)).await;
    let top = page(&store, "", None, true).await;
    assert_eq!(top.folders, ["11-22-05/", "11-22-06/", "_hours/", "late/"]);
    assert_eq!(names(&top), ["11-22-06.x", "z"]);
    let late = page(&store, "late/", None, true).await;
    assert_eq!(late.folders, ["late/11-22-05/", "late/11-22-07/"]);
    let rest = page(&store, "", Some("11-22-06/"), true).await;
    assert_eq!((rest.folders, rest.objects.len()), (vec!["_hours/".to_owned(), "late/".to_owned()], 1));
    let inside = page(&store, "11-22-05/", None, true).await;
    assert_eq!((names(&inside), inside.folders.len()), (vec!["11-22-05/a", "11-22-05/b"], 0));
}

pub async fn many_folders_come_in_pages(store: Arc<dyn Store>) {
    let mut all: Vec<String> = (0..1010).map(|n| format!("f{n:04}/")).collect();
    create_all(&store, all.iter().map(|folder| format!("{folder}x"))).await;
    let first = page(&store, "", None, true).await;
    assert_eq!(first.folders, all[..1000]);
    let second = page(&store, "", first.next.as_deref(), true).await;
    assert_eq!((second.folders, second.next), (all.split_off(1000), None));
}
