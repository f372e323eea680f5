//! Lines with the shapes of real ones: those in `tests/data`, which were written for these tests, and in addition real ones
//! from `../shared/data` beside the workspace, where that exists.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Lines of a v1.1 stream, one of a lookup and one of 2006: extended, retweet, quote, media, geo, withheld, edited.
pub(crate) const V1: &str = include_str!("../../../tests/data/v1.jsonl");
/// Lines of a v2 stream: references, media, poll, geo, withheld, note, edited, renamed members, includes first.
pub(crate) const V2: &str = include_str!("../../../tests/data/v2.jsonl");
/// Messages, control messages, a blank line and rejects.
pub(crate) const OTHER: &str = include_str!("../../../tests/data/other.jsonl");

fn shared_data() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the workspace");
    let data = workspace.ancestors().skip(1).map(|above| above.join("shared/data")).find(|data| data.is_dir());
    data.filter(|data| data.join("twitter.json").is_file())
}

/// All v1.1 statuses.
pub(crate) fn v1_statuses() -> Vec<Value> {
    let mut statuses: Vec<Value> = V1.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(statuses.len(), 14);
    if let Some(data) = shared_data() {
        let page = std::fs::read(data.join("twitter.json")).expect("readable");
        let mut page: Value = serde_json::from_slice(&page).expect("JSON");
        let real = page["statuses"].as_array_mut().expect("statuses");
        assert_eq!(real.len(), 100);
        statuses.append(real);
    }
    statuses
}

/// All v2 lines and pages, as text: some of the real ones are damaged on purpose.
pub(crate) fn v2_pages() -> Vec<String> {
    let mut pages: Vec<String> = V2.lines().map(str::to_owned).collect();
    assert_eq!(pages.len(), 12);
    for entry in shared_data().into_iter().flat_map(|data| std::fs::read_dir(data.join("v2")).expect("readable")) {
        let text = std::fs::read_to_string(entry.expect("readable").path()).expect("UTF-8");
        pages.extend(text.lines().map(str::to_owned));
    }
    pages
}

/// The tweets of a page, or the tweet of a line.
pub(crate) fn tweets_of(page: &Value) -> Vec<Value> {
    let tweets = match &page["data"] {
        Value::Array(tweets) => tweets.clone(),
        tweet => vec![tweet.clone()],
    };
    tweets.into_iter().filter(Value::is_object).collect()
}
