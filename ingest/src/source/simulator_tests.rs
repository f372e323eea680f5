//! The stream sources read from the simulator: both sides agree on authentication, rules, framing and ids.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cauce_simulator::{Options, Simulator};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::channel::{Event, channel};
use crate::config::settings::*;
use crate::record::RecordKind;
use crate::source;
use crate::status::Metrics;

fn settings(source: SourceSettings) -> Settings {
    Settings { source, ..Settings::for_tests(Path::new("unused")) }
}

/// Runs the source until it has handed over `count` tweets; their ids and times.
async fn tweets(source: SourceSettings, count: usize) -> Vec<(u64, Option<i64>)> {
    let (sender, receiver) = channel(10_000, 0);
    let metrics = Arc::new(Metrics::default());
    let source = source::build(&settings(source), source::Positions::new(), metrics).expect("a source");
    let stop = CancellationToken::new();
    let running = tokio::spawn(source.run(sender, stop.clone()));
    let tweets = tokio::task::spawn_blocking(move || {
        let mut tweets = Vec::new();
        while tweets.len() < count {
            match receiver.recv().expect("the source goes on") {
                Event::Batch(batch) => {
                    tweets.extend(batch.batch.records.iter().filter_map(|record| match &record.kind {
                        RecordKind::Tweet(head) => Some((head.id, head.created_at_ms)),
                        RecordKind::Message(..) | RecordKind::Limit { .. } => None,
                        RecordKind::Reject(reject) => panic!("a reject: {reject:?}"),
                    }))
                }
                _ => continue,
            }
        }
        stop.cancel();
        // Taking on until the source ends lets it hand over what it had read.
        while receiver.recv().is_ok() {}
        tweets
    });
    let tweets = tweets.await.expect("tweets");
    running.await.expect("no panic").expect("no error");
    tweets
}

async fn start(truth: &Path, rules: &[&str]) -> Simulator {
    let rules = rules.iter().map(|rule| (*rule).to_owned()).collect();
    let options =
        Options { flat_out: true, count: Some(1500), truth: Some(truth.to_owned()), rules, ..Options::default() };
    Simulator::start(options).await.expect("it starts")
}

fn recorded(truth: &Path) -> Vec<(u64, i64)> {
    let text = std::fs::read_to_string(truth).expect("the truth");
    let number = |field: Option<&str>| field.expect("a field").parse::<i64>().expect("a number");
    text.lines()
        .map(|line| {
            let mut fields = line.split('\t');
            (number(fields.next()) as u64, number(fields.next()))
        })
        .collect()
}

#[tokio::test]
async fn the_v2_source_with_an_old_key_pair_gets_every_tweet_that_was_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let truth = folder.path().join("truth");
    let simulator = start(&truth, &[]).await;
    let secret = |text: &str| SecretString::from(text.to_owned());
    let source = SourceSettings::XV2(XV2Settings {
        base_url: simulator.base_url().parse().expect("a URL"),
        auth: XV2Auth::Consumer { key: secret("sim-consumer-key"), secret: secret("sim-consumer-secret") },
        rules: vec![Rule { value: "@realdonaldtrump OR #trump".into(), tag: "fl:agent:1".into() }],
        sample: false,
        fields: vec![("tweet.fields".into(), "created_at,entities".into())],
        backfill_minutes: 0,
        max_line_bytes: 1 << 20,
        stall_timeout: Duration::from_secs(30),
    });
    let got = tweets(source, 1500).await;
    let sent: Vec<(u64, Option<i64>)> =
        recorded(&truth).into_iter().map(|(id, ms)| (id, Some(ms / 1000 * 1000))).collect();
    assert_eq!(got, sent);
}

#[tokio::test]
async fn the_v1_source_gets_every_tweet_that_was_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let truth = folder.path().join("truth");
    let simulator = start(&truth, &["@realdonaldtrump OR #trump"]).await;
    let secret = |text: &str| SecretString::from(text.to_owned());
    let source = SourceSettings::XV1(XV1Settings {
        base_url: simulator.base_url().parse().expect("a URL"),
        auth: XV1Auth {
            consumer_key: secret("sim-consumer-key"),
            consumer_secret: secret("sim-consumer-secret"),
            access_token: secret("sim-access-token"),
            access_token_secret: secret("sim-access-token-secret"),
        },
        keywords: vec!["@realdonaldtrump".into(), "#Trump".into()],
        follow: vec![],
        locations: vec![],
        languages: vec![],
        sample: false,
        max_line_bytes: 1 << 20,
        stall_timeout: Duration::from_secs(90),
    });
    let got = tweets(source, 1500).await;
    let sent: Vec<(u64, Option<i64>)> = recorded(&truth).into_iter().map(|(id, ms)| (id, Some(ms))).collect();
    assert_eq!(got, sent);
}
