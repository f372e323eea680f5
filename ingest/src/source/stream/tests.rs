//! The engine against scripted connections, with a clock that stands still unless all wait.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use futures_util::stream;
use proptest::prelude::*;

use super::*;
use crate::channel::{Event, channel};
use crate::config::settings::OnReject;
use crate::record::Batch;

const LIMITS: Limits =
    Limits { max_line_bytes: 1 << 20, batch_records: 3, needs_time: false, on_reject: OnReject::Keep };
const STALL: Duration = Duration::from_secs(30);
const TWEET: &str = "{\"data\":{\"id\":\"1454638400000000000\",\"text\":\"a\"}}";
const GOODBYE: &str = "{\"errors\":[{\"title\":\"operational-disconnect\",\"disconnect_type\":\
    \"OperationalDisconnect\",\"detail\":\"S\",\"type\":\"https://api.x.com/2/problems/operational-disconnect\"}]}";

/// Answers in order; the last one of a test is fatal, so that the run comes to an end.
struct Script {
    answers: VecDeque<Result<ByteStream, Refused>>,
    connects: Arc<Mutex<Vec<Instant>>>,
}

#[async_trait]
impl Dialect for Script {
    async fn connect(&mut self) -> Result<ByteStream, Refused> {
        self.connects.lock().expect("no panic").push(Instant::now());
        self.answers.pop_front().unwrap_or_else(|| Err(Refused::credentials("the script is over".to_owned())))
    }

    fn hear(&mut self, word: Control) -> Option<Drop> {
        matches!(word, Control::Problem { what: Some(_), .. }).then(|| Drop::new("disconnect", Failure::Dropped))
    }
}

fn chunks(texts: &[&str]) -> ByteStream {
    let chunks: Vec<_> = texts.iter().map(|text| Ok(Bytes::copy_from_slice(text.as_bytes()))).collect();
    stream::iter(chunks).boxed()
}

fn then_silence(bytes: ByteStream) -> ByteStream {
    bytes.chain(stream::pending()).boxed()
}

fn then_broken(bytes: ByteStream) -> ByteStream {
    bytes.chain(stream::iter([Err(TransportError("reset".to_owned()))])).boxed()
}

fn refused() -> Result<ByteStream, Refused> {
    Err(Refused::Retry {
        cause: "refused".to_owned(),
        failure: Failure::Network,
        detail: "nobody there".to_owned(),
        is_counted: false,
    })
}

#[derive(Debug, Default)]
struct Told {
    /// Batches, and the connection's ups and downs, in short.
    events: Vec<String>,
    lines: Vec<String>,
    rejects: Vec<String>,
    /// Seconds between attempts.
    waits: Vec<f64>,
    metrics: Arc<Metrics>,
}

async fn play(answers: Vec<Result<ByteStream, Refused>>) -> Told {
    let (sender, receiver) = channel(1000, 0);
    let connects = Arc::new(Mutex::new(Vec::new()));
    let metrics = Arc::new(Metrics::default());
    let script = Script { answers: answers.into(), connects: Arc::clone(&connects) };
    let source = Box::new(Stream::new(script, LIMITS, STALL, Arc::clone(&metrics)));
    let end = source.run(sender, CancellationToken::new()).await;
    assert!(matches!(end, Err(SourceError::Credentials(_))), "{end:?}");
    let mut told = Told { metrics, ..Told::default() };
    for event in receiver {
        match event {
            Event::Batch(accepting) => {
                let Batch { block, records, path, position } = accepting.batch;
                assert!(records.len() <= LIMITS.batch_records && !records.is_empty());
                assert_eq!((path, position), (IngestPath::Stream, None));
                told.events.push(format!("{} lines", records.len()));
                for record in records {
                    let line = block.slice(record.start as usize..record.end as usize);
                    told.lines.push(String::from_utf8(line.to_vec()).expect("UTF-8"));
                    if let RecordKind::Reject(reject) = record.kind {
                        told.rejects.push(reject.origin);
                    }
                }
            }
            Event::Connection { event: ConnectionEvent::Up, .. } => told.events.push("up".to_owned()),
            Event::Connection { event: ConnectionEvent::Down { cause, .. }, .. } => told.events.push(cause),
            other => panic!("{other:?}"),
        }
    }
    let connects = connects.lock().expect("no panic");
    told.waits = connects.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    told
}

#[tokio::test(start_paused = true)]
async fn a_word_that_ends_the_stream_closes_it_and_a_proven_connection_is_renewed_at_once() {
    let text = format!("{TWEET}\r\n{GOODBYE}\r\n");
    let told = play(vec![Ok(then_silence(chunks(&[&text]))), Ok(chunks(&[TWEET, "\r\n"]))]).await;
    assert_eq!(told.events, ["up", "2 lines", "disconnect", "up", "1 lines", "closed"]);
    assert_eq!(told.waits, [0.0, 0.0]);
    assert_eq!(told.metrics.connects.get_or_create(&Kind::new("connected")).get(), 2);
    assert_eq!(told.metrics.disconnects.get_or_create(&Kind::new("disconnect")).get(), 1);
    assert_eq!(told.metrics.connected.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_brings_only_control_messages_is_not_proven_by_them() {
    let limit = "{\"limit\":{\"track\":3}}\r\n";
    let told = play((0..6).map(|_| Ok(chunks(&[limit]))).collect()).await;
    assert!(told.waits.iter().zip([4.0, 8.0, 16.0]).all(|(wait, least)| *wait >= least), "{:?}", told.waits);
    assert_eq!(told.metrics.limited.get(), 6 * 3, "each connection has a count of its own");
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_stall_and_heartbeats_are_not_silence() {
    let beats = stream::unfold(0, |beat| async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        (beat < 30).then(|| (Ok(Bytes::from_static(b"\r\n")), beat + 1))
    });
    let told = play(vec![Ok(then_silence(beats.boxed())), Ok(then_silence(chunks(&["{\"data\""])))]).await;
    assert_eq!(told.events, ["up", "stall", "up", "stall"]);
    let up = 30.0 * 20.0;
    assert!((up..up + 60.0).contains(&told.waits[0]), "{:?}", told.waits);
    assert_eq!(told.metrics.records_received.get_or_create(&Kind::new("heartbeat")).get(), 30);
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_line_goes_with_its_connection_and_a_whole_one_without_line_end_stays() {
    let half = format!("{TWEET}\r\n{}", &TWEET[..20]);
    for (bytes, cause) in [(then_broken(chunks(&[&half])), "broken"), (chunks(&[&half]), "closed")] {
        let told = play(vec![Ok(bytes)]).await;
        assert_eq!(told.events, ["up", "1 lines", cause]);
        assert_eq!(told.lines, [TWEET]);
        assert_eq!(told.rejects, [""; 0]);
    }
    let told = play(vec![Ok(chunks(&[TWEET, "\n", TWEET])), Ok(chunks(&[GOODBYE]))]).await;
    assert_eq!(told.events, ["up", "1 lines", "1 lines", "closed", "up", "1 lines", "disconnect"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_failures_to_connect_open_one_gap_and_climb_the_ladder() {
    let told = play(vec![refused(), refused(), refused(), Ok(chunks(&["\r\n"]))]).await;
    assert_eq!(told.events, ["refused", "up", "closed"]);
    for (wait, expected) in told.waits.iter().zip([0.25, 0.5, 0.75, 5.0]) {
        // The clock of the tests counts in milliseconds.
        assert!((expected * 0.8 - 0.001..=expected * 1.2 + 0.002).contains(wait), "{:?}", told.waits);
    }
    assert_eq!(told.metrics.connects.get_or_create(&Kind::new("refused")).get(), 3);
}

#[tokio::test(start_paused = true)]
async fn connections_that_end_at_once_make_no_tight_loop() {
    let told = play((0..40).map(|_| Ok(chunks(&[]))).collect()).await;
    assert!(told.waits[..5].iter().zip([4.0, 8.0, 16.0, 32.0, 64.0]).all(|(wait, least)| *wait >= least));
    for first in 0..told.waits.len() {
        let mut passed = 0.0;
        let within = told.waits[first..].iter().take_while(|wait| {
            passed += **wait;
            passed < 900.0
        });
        assert!(within.count() < 45);
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_connections_wait_seconds_and_used_up_credits_a_quarter_of_an_hour() {
    let retry = |cause: &str, failure| Err(Refused::retry(cause, failure, "S"));
    let limited = Failure::RateLimited { reset_in: Some(Duration::from_secs(300)) };
    let told = play(vec![
        retry("too-many-connections", Failure::TooManyConnections),
        retry("too-many-connections", Failure::TooManyConnections),
        retry("rate-limited", limited),
        retry("credits", Failure::Paused),
    ])
    .await;
    assert_eq!(told.events, ["too-many-connections"]);
    for (wait, bounds) in told.waits.iter().zip([4.0..=6.01, 8.0..=12.01, 300.0..=360.1, 720.0..=1080.1]) {
        assert!(bounds.contains(wait), "{:?}", told.waits);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_connection_and_a_wait_at_once() {
    let connected = Ok(then_silence(chunks(&[TWEET, "\r\n"])));
    let waiting = Err(Refused::retry("x", Failure::Paused, ""));
    for (answer, batches) in [(connected, 1), (waiting, 0)] {
        let (sender, receiver) = channel(10, 0);
        let script = Script { answers: VecDeque::from([answer]), connects: Arc::default() };
        let source = Box::new(Stream::new(script, LIMITS, STALL, Arc::default()));
        let stop = CancellationToken::new();
        let running = tokio::spawn(source.run(sender, stop.clone()));
        // The paused clock moves only when all wait, so the source has read what there is.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let asked = Instant::now();
        stop.cancel();
        running.await.expect("no panic").expect("a stop is no error");
        assert!(asked.elapsed() < Duration::from_millis(5), "{:?}", asked.elapsed());
        assert_eq!(receiver.iter().filter(|event| matches!(event, Event::Batch(_))).count(), batches);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_channel_stops_the_reading_and_is_no_stall() {
    let line = format!("{TWEET}\r\n");
    let chunk = Bytes::from(line.repeat(GATHER_BYTES / line.len() + 1));
    let in_chunk = chunk.len() / line.len();
    let pulled = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&pulled);
    let bytes = stream::iter((0..4).map(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(chunk.clone())
    }));
    let (sender, receiver) = channel(5, 0);
    let script = Script { answers: VecDeque::from([Ok(bytes.boxed())]), connects: Arc::default() };
    let source = Box::new(Stream::new(script, LIMITS, STALL, Arc::default()));
    let running = tokio::spawn(source.run(sender.clone(), CancellationToken::new()));
    tokio::time::sleep(STALL * 20).await;
    assert_eq!(pulled.load(Ordering::Relaxed), 1, "it reads on though the channel is full");
    drop(sender);
    let accepting = tokio::task::spawn_blocking(move || {
        let mut told = (0, Vec::new());
        for event in receiver {
            match event {
                Event::Batch(accepting) => told.0 += accepting.batch.records.len(),
                Event::Connection { event: ConnectionEvent::Down { cause, .. }, .. } => told.1.push(cause),
                _ => {}
            }
        }
        told
    });
    assert!(running.await.expect("no panic").is_err(), "the script ends with an error");
    assert_eq!(accepting.await.expect("no panic"), (4 * in_chunk, vec!["closed".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_reject_names_its_connection_and_line() {
    let told =
        play(vec![Ok(chunks(&["\r\n"])), Ok(chunks(&[TWEET, "\r\n\r\nExceeded connection limit for user\r\n"]))]).await;
    assert_eq!(told.rejects, ["connection 2 line 3"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn lines_do_not_depend_on_how_the_network_cuts_them(sizes in proptest::collection::vec(1_usize..200, 1..40)) {
        let text = format!("{TWEET}\r\n\r\n{TWEET}\n{{\"delete\":{{\"status\":{{\"id\":1,\"user_id\":2}}}}}}\r\n{TWEET}\r\n");
        let mut rest = text.as_str();
        let mut cut = Vec::new();
        for size in sizes.into_iter().cycle() {
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            cut.push(chunk);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let told = runtime.block_on(play(vec![Ok(chunks(&cut))]));
        let expected: Vec<&str> = text.split("\n").map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty()).collect();
        prop_assert_eq!(told.lines, expected);
    }
}

fn tweets(created_at_ms: i64) -> Batch {
    let LineKind::Tweet(head) = scan(TWEET.as_bytes()) else { panic!("it is a tweet") };
    let head = cauce_lake::tweet::TweetHead { created_at_ms: Some(created_at_ms), ..head };
    let kind = RecordKind::Tweet(head);
    let records = vec![crate::record::Record { start: 0, end: 0, kind }];
    Batch { block: bytes::Bytes::new(), records, path: IngestPath::Stream, position: None }
}

#[test]
fn a_wait_of_our_own_counts_until_a_younger_tweet_or_a_silence_shows_that_the_stream_caught_up() {
    let mut held = Held::default();
    held.sent(HELD_AFTER / 2, 1_000);
    assert_eq!(held.since_ms, None);
    held.sent(Duration::from_secs(60), 1_000);
    held.sent(Duration::from_secs(10), 62_000);
    held.read(&tweets(72_000));
    held.waited(QUIET / 2);
    assert_eq!(held.since_ms, Some(1_000));
    held.read(&tweets(72_001));
    assert_eq!(held.since_ms, None);
    held.sent(Duration::from_secs(60), 80_000);
    held.waited(QUIET);
    assert_eq!(held.since_ms, None);
}
