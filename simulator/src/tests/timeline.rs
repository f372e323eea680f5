//! Which tweets come when: one timeline, its end, its speed, files in its place.

use std::sync::Arc;

use futures_util::StreamExt as _;

use super::*;
use crate::app::App;
use crate::connections::Selection;
use crate::encode::Encoder;
use crate::feed::Feed;
use crate::rules::expr::Expr;
use crate::truth::Truth;
use crate::wire::fields::Fields;

#[tokio::test]
async fn both_apis_share_one_timeline() {
    let simulator = start(Options { rate: 2000.0, count: Some(1000), ..flat_out(1) }).await;
    let mut new = get(&simulator, STREAM).await;
    let mut old = filter(&simulator, &[("track", "@realdonaldtrump,#trump")], "n1", &Credentials::default()).await;
    let (new, old) = tokio::join!(lines(&mut new, usize::MAX), lines(&mut old, usize::MAX));
    let new: HashSet<String> =
        new.iter().map(|line| value(line)["data"]["id"].as_str().expect("an id").to_owned()).collect();
    let old: Vec<String> =
        old.iter().map(|line| value(line)).filter_map(|line| line["id_str"].as_str().map(str::to_owned)).collect();
    assert_eq!(new.len(), 1000);
    assert!(old.len() > 500, "{}", old.len());
    assert!(old.iter().all(|id| new.contains(id)), "the second connection saw a tweet that the first did not");
}

#[tokio::test]
async fn the_same_seed_and_start_send_the_same_lines() {
    let options =
        || Options { start: Some("2026-03-01T00:00:00Z".parse().expect("a time")), seed: 42, ..flat_out(500) };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let simulator = start(options()).await;
        let mut answer = get(&simulator, &format!("{STREAM}?tweet.fields=entities,created_at")).await;
        let lines = lines(&mut answer, usize::MAX).await;
        // The rule's id is new with each start.
        runs.push(
            lines
                .iter()
                .map(|line| {
                    let value = value(line);
                    value["data"].to_string() + &value["includes"].to_string()
                })
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(runs[0].len(), 500);
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn after_the_end_of_a_counted_run_a_new_connection_is_quiet_and_stays() {
    let simulator = start(Options { heartbeat: Some(Duration::from_millis(20)), ..flat_out(3) }).await;
    let mut first = get(&simulator, STREAM).await;
    assert_eq!(lines(&mut first, usize::MAX).await.len(), 3);
    while simulator.connections() > 0 {
        tokio::task::yield_now().await;
    }
    let mut second = get(&simulator, STREAM).await;
    assert_eq!(second.chunk().await.expect("bytes").expect("a heartbeat"), "\r\n");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_come_after_twenty_seconds_of_silence_on_v2_and_thirty_on_v1() {
    let simulator = start(Options { rate: 0.0001, count: None, ..flat_out(1) }).await;
    let mut new = get(&simulator, STREAM).await;
    assert!(!lines(&mut new, 1).await.is_empty());
    for _ in 0..3 {
        let before = Instant::now();
        assert_eq!(new.chunk().await.expect("bytes").expect("a heartbeat"), "\r\n");
        let waited = before.elapsed();
        assert!((19_900..20_200).contains(&waited.as_millis()), "{waited:?}");
    }
    drop(new);
    let mut old = filter(&simulator, &[("track", "#trump")], "n1", &Credentials::default()).await;
    let before = Instant::now();
    assert_eq!(old.chunk().await.expect("bytes").expect("a heartbeat"), "\r\n");
    assert!((29_900..30_200).contains(&before.elapsed().as_millis()), "{:?}", before.elapsed());
}

#[tokio::test]
async fn a_file_is_replayed_as_it_is_each_api_its_own_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = r#"{"id_str":"2124423620158554112","timestamp_ms":"1795337035000","text":"a  b"}"#;
    let new = r#"{"data":{"id":"2124423620158554113","created_at":"2026-11-22T08:43:55.000Z","text":"ü"}}"#;
    let content = format!("{old}\n\n{new}\r\n{old}\n{new}");
    let plain = folder.path().join("lines.json");
    let packed = folder.path().join("lines.json.gz");
    let pressed = folder.path().join("lines.json.zst");
    std::fs::write(&plain, &content).expect("written");
    let mut encoder =
        flate2::write::GzEncoder::new(std::fs::File::create(&packed).expect("a file"), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, content.as_bytes()).expect("written");
    encoder.finish().expect("written");
    std::fs::write(&pressed, zstd::stream::encode_all(content.as_bytes(), 1).expect("pressed")).expect("written");
    for path in [plain, packed, pressed] {
        let truth = folder.path().join("truth");
        let simulator =
            start(Options { replay: Some(path.clone()), truth: Some(truth.clone()), ..flat_out(100) }).await;
        let mut answer = get(&simulator, STREAM).await;
        assert_eq!(lines(&mut answer, usize::MAX).await, [new, new], "{}", path.display());
        assert_eq!(
            std::fs::read_to_string(&truth).expect("the truth"),
            "2124423620158554113\t1795337035000\t1\n".repeat(2)
        );
        let simulator = start(Options { replay: Some(path), ..flat_out(100) }).await;
        let mut answer = filter(&simulator, &[("track", "nothing")], "n1", &Credentials::default()).await;
        assert_eq!(lines(&mut answer, usize::MAX).await, [old, old]);
    }
}

#[tokio::test]
async fn late_and_repeated_tweets_come_in_the_share_that_was_asked_for() {
    let simulator = start(Options { late_share: 0.1, duplicates: 0.1, ..flat_out(2000) }).await;
    let mut answer = get(&simulator, &format!("{STREAM}?tweet.fields=created_at")).await;
    let lines: Vec<Value> = lines(&mut answer, usize::MAX).await.iter().map(|line| value(line)).collect();
    let mut ids = HashSet::new();
    let mut latest = String::new();
    let (mut repeats, mut late) = (0, 0);
    for line in &lines {
        if !ids.insert(line["data"]["id"].as_str().expect("an id")) {
            repeats += 1;
            continue;
        }
        let created = line["data"]["created_at"].as_str().expect("a time").to_owned();
        late += usize::from(created < latest);
        latest = latest.max(created);
    }
    assert_eq!(ids.len(), 2000);
    assert!((130..280).contains(&repeats) && (90..260).contains(&late), "{repeats} repeats, {late} late");
}

#[tokio::test]
async fn backfill_brings_back_what_was_missed_where_the_plan_has_it() {
    let simulator = start(Options { rate: 500.0, count: Some(100), plan: Plan::Enterprise, ..flat_out(1) }).await;
    let mut first = get(&simulator, STREAM).await;
    let before = lines(&mut first, usize::MAX).await;
    let mut second = get(&simulator, &format!("{STREAM}?backfill_minutes=5")).await;
    assert_eq!(lines(&mut second, usize::MAX).await, before);
}

/// The lines of a feed whose log ran ahead of its reader.
async fn feed_behind(selection: Selection, turns: u64) -> Vec<String> {
    let options = Options { rate: 5.0, flat_out: false, heartbeat: Some(Duration::from_secs(1)), ..flat_out(turns) };
    let app = Arc::new(App::new(options, Truth::default(), None));
    let connection = app.connections.lock().add(selection.clone());
    let encoder = Encoder { selection, fields: Fields::default(), is_delimited: false, has_stall_warnings: true };
    let feed = Feed::new(&app, connection, encoder, 0, Duration::from_secs(20));
    crate::producer::begin(&app);
    while !app.timeline.has_ended() {
        // The clock is paused: these minutes take no time.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let blocks: Vec<_> = feed.into_stream().collect().await;
    let bytes: Vec<u8> = blocks.into_iter().flat_map(|block| block.expect("bytes")).collect();
    String::from_utf8(bytes).expect("UTF-8").lines().map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn a_v1_client_that_reads_too_slowly_learns_how_much_it_missed() {
    let lines = feed_behind(Selection::V1(Arc::new(Expr::All(Vec::new()))), 2148).await;
    assert_eq!(value(&lines[0])["limit"]["track"], 100);
    let warned: Vec<Value> =
        lines.iter().map(|line| value(line)).filter(|line| line.get("warning").is_some()).collect();
    assert_eq!(warned.len(), 1, "one warning in five minutes");
    assert!(warned[0]["warning"]["percent_full"].as_u64().expect("a number") >= 60);
    assert_eq!(lines.iter().filter(|line| line.starts_with("{\"created_at\"")).count(), 2048);
}

#[tokio::test(start_paused = true)]
async fn a_v2_client_that_reads_too_slowly_is_disconnected() {
    let lines = feed_behind(Selection::Sample, 2148).await;
    assert_eq!(lines.len(), 1);
    assert_eq!(value(&lines[0])["errors"][0]["disconnect_type"], "SlowReader");
}
