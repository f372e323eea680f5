//! How fast lines become Arrow on one core: `cargo run --release --example table_speed -- FILE [projection]`.
//!
//! Reads the whole file, then decodes it in turn for each projection, seven times, and prints the median. Nothing but the
//! decoder is timed, and where the system tells it (Linux) only time on the processor counts, so that other work on the machine
//! disturbs less. The projection `benchmark` is the one that the comparisons with other tools use.

#![expect(clippy::print_stdout, reason = "this is a program that prints")]

use std::time::{Duration, Instant};

use cauce_lake::table::{Decoder, Origin, Projection, Pushed, TableOptions};
use cauce_lake::tweet::{self, LineKind};

const BENCHMARK: &[&str] = &[
    "tweet_id",
    "created_at",
    "text",
    "lang",
    "source",
    "author_id",
    "author.username",
    "author.name",
    "author.followers",
    "author.verified",
    "metrics.retweets",
    "metrics.likes",
    "metrics.replies",
    "metrics.quotes",
    "reply_to_tweet_id",
    "reply_to_user_id",
    "retweeted_id",
    "quoted_id",
    "conversation_id",
    "hashtags.tag",
    "mentions.user_id",
    "mentions.username",
    "urls.expanded",
    "place.full_name",
    "place.country",
    "lon",
    "lat",
    "possibly_sensitive",
];
const FIVE: &[&str] = &["tweet_id", "created_at", "lang", "author_id", "text"];

/// Rows in a batch, as the Parquet converter has about.
const BATCH_BYTES: usize = 16 << 20;
const ROUNDS: usize = 7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: table_speed FILE [projection]")?;
    let only = arguments.next();
    let bytes = std::fs::read(&file)?;
    let columns = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    let whole = TableOptions::default();
    let projections = [
        ("one", TableOptions { columns: columns(&["tweet_id"]), ..whole.clone() }),
        ("five", TableOptions { columns: columns(FIVE), ..whole.clone() }),
        ("benchmark", TableOptions { columns: columns(BENCHMARK), ..whole.clone() }),
        ("whole", whole.clone()),
        ("raw", TableOptions { raw: true, ..whole.clone() }),
        ("referenced", TableOptions { referenced: true, ..whole }),
    ];
    for (name, options) in projections {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let mut decoder = Decoder::new(&Projection::new(&options)?);
        let mut rounds: Vec<(Duration, [u64; 3])> = (0..ROUNDS).map(|_| decode(&mut decoder, &bytes)).collect();
        rounds.sort_unstable();
        let (time, [lines, rows, rejects]) = rounds[ROUNDS / 2];
        let speed = bytes.len() as f64 / time.as_secs_f64() / 1e6;
        println!("{name:10} {speed:7.0} MB/s  {lines} lines  {rows} rows  {rejects} rejects");
    }
    if only.as_ref().is_none_or(|only| only == "scan") {
        let mut rounds: Vec<_> = (0..ROUNDS).map(|_| scan(&bytes)).collect();
        rounds.sort_unstable();
        let (time, tweets) = rounds[ROUNDS / 2];
        println!("{:10} {:7.0} MB/s  {tweets} tweets", "scan", bytes.len() as f64 / time.as_secs_f64() / 1e6);
    }
    Ok(())
}

/// A clock that counts this thread's time on the processor, or time itself where that is not told.
struct Clock {
    start: Instant,
    on_processor: Option<Duration>,
}

impl Clock {
    fn on_processor() -> Option<Duration> {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        stat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }

    fn start() -> Clock {
        Clock { start: Instant::now(), on_processor: Clock::on_processor() }
    }

    fn elapsed(&self) -> Duration {
        let on_processor = Clock::on_processor().zip(self.on_processor);
        on_processor.map_or_else(|| self.start.elapsed(), |(now, start)| now - start)
    }
}

/// One round: how long it took, lines, rows and rejects.
fn decode(decoder: &mut Decoder, bytes: &[u8]) -> (Duration, [u64; 3]) {
    let (mut lines, mut rows, mut rejects, mut batch) = (0, 0, 0, 0);
    let start = Clock::start();
    for line in self::lines(bytes) {
        match decoder.push(line, &Origin::default()) {
            Pushed::Tweet { rows: added } => rows += u64::from(added),
            Pushed::Reject(_) => rejects += 1,
            _ => {}
        }
        lines += 1;
        batch += line.len();
        if batch >= BATCH_BYTES {
            std::hint::black_box(decoder.finish());
            batch = 0;
        }
    }
    std::hint::black_box(decoder.finish());
    (start.elapsed(), [lines, rows, rejects])
}

/// One round of telling lines apart, which the decoder does too: how long it took, and tweets.
fn scan(bytes: &[u8]) -> (Duration, usize) {
    let start = Clock::start();
    let tweets = lines(bytes).filter(|line| matches!(tweet::scan(line), LineKind::Tweet(_))).count();
    (start.elapsed(), tweets)
}

fn lines(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
        let is_end = rest.is_empty();
        rest = rest.get(line.len() + 1..).unwrap_or_default();
        (!is_end).then_some(line)
    })
}
