//! How fast a lake is listed, read and decoded: `read_speed closed|hours|lines|scan URL RANGE [TIMES]`.
//!
//! `closed` lists the names of the closed hours, `hours` their manifests and the open ones too, `lines` counts the lines of
//! the range's hours, `scan` decodes them. Each line of the output is one run, in this process, the first one with the start
//! of the S3 client. The store is told by AWS's own variables; `CONCURRENCY` and `MEMORY_MIB` set the options of the reading.

use std::fmt::Debug;
use std::ops::Range;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use cauce_lake::pattern::PatternOptions;
use cauce_lake::read::{self, ReadOptions};
use cauce_lake::scan::{self, ScanOptions};
use cauce_lake::store::{self, Content, ETag, List, ListPage, ObjectMeta, Put, S3Options, StoreError};
use cauce_lake::table::{Projection, TableOptions};
use cauce_lake::work::Workers;
use cauce_lake::{HourRange, Key, Lake, LakeUrl, Pattern, Store};
use futures_util::TryStreamExt;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[expect(clippy::print_stderr, reason = "the only way this program reports errors")]
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("read_speed: {error}");
            let mut source = error.source();
            while let Some(error) = source {
                eprintln!("  because: {error}");
                source = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn run() -> Result<(), Failure> {
    let begun = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, url, range, rest @ ..] = &arguments[..] else {
        return Err("give closed|hours|lines|scan URL RANGE [TIMES]".into());
    };
    let times: usize = rest.first().map_or(Ok(5), |times| times.parse())?;
    let range: HourRange = range.parse()?;
    let options = ReadOptions {
        concurrency: variable("CONCURRENCY")?,
        max_memory_bytes: variable("MEMORY_MIB")?.map_or(64 << 20, |mib: usize| mib << 20),
        ..ReadOptions::default()
    };
    let run_time = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    run_time.block_on(async {
        let inner = store::open(&url.parse::<LakeUrl>()?, &S3Options::default()).await?;
        let opened = begun.elapsed();
        let counting = Arc::new(Counting { inner, requests: AtomicU64::new(0) });
        let pattern = Pattern::new("%m-%d-%h", &PatternOptions::default())?;
        let lake = Lake::new(Arc::<Counting>::clone(&counting), pattern);
        println!("opened after {:.1} ms", opened.as_secs_f64() * 1e3);
        for _ in 0..times {
            let begun = Instant::now();
            let before = counting.requests.load(Ordering::Relaxed);
            let (count, bytes) = measure(what, &lake, range, &options).await?;
            let seconds = begun.elapsed().as_secs_f64();
            let requests = counting.requests.load(Ordering::Relaxed) - before;
            println!(
                "{what}: {count} in {:.1} ms, {:.0} MB/s, {requests} requests, peak {} MiB",
                seconds * 1e3,
                bytes as f64 / seconds / 1e6,
                peak_mib()
            );
        }
        Ok(())
    })
}

fn variable<T: FromStr<Err: Debug>>(name: &str) -> Result<Option<T>, Failure> {
    std::env::var(name).ok().map(|text| text.parse().map_err(|error| format!("{name}: {error:?}").into())).transpose()
}

async fn measure(what: &str, lake: &Lake, range: HourRange, options: &ReadOptions) -> Result<(u64, u64), Failure> {
    if what == "closed" {
        return Ok((lake.closed_in(Some(range)).await?.len() as u64, 0));
    }
    if what == "hours" {
        return Ok((lake.hours(Some(range)).await?.entries.len() as u64, 0));
    }
    let entries = lake.hours(Some(range)).await?.entries;
    let sources = entries.iter().flat_map(|entry| lake.sources(entry, false)).collect();
    let (mut count, mut bytes) = (0, 0);
    match what {
        "lines" => {
            let mut blocks = read::lines(sources, options);
            while let Some(block) = blocks.try_next().await? {
                count += block.lines().count() as u64;
                bytes += block.bytes().len() as u64;
            }
        }
        "scan" => {
            let options = ScanOptions { read: options.clone(), ..ScanOptions::default() };
            let mut batches = scan::scan(sources, &projection()?, &Workers::default(), &options);
            while let Some(batch) = batches.try_next().await? {
                count += batch.counts.lines;
                bytes += batch.bytes;
            }
        }
        _ => return Err(format!("{what}: no such measurement").into()),
    }
    Ok((count, bytes))
}

/// The whole table, or the columns that `COLUMNS` names.
fn projection() -> Result<Projection, Failure> {
    let columns = std::env::var("COLUMNS").ok().map(|names| names.split(',').map(str::to_owned).collect());
    Ok(Projection::new(&TableOptions { columns, ..TableOptions::default() })?)
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Counts the requests on their way to the store.
#[derive(Debug)]
struct Counting {
    inner: Arc<dyn Store>,
    requests: AtomicU64,
}

impl Counting {
    fn count(&self) -> &dyn Store {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.inner.as_ref()
    }
}

#[async_trait]
impl Store for Counting {
    fn location(&self) -> String {
        self.inner.location()
    }
    async fn put(&self, put: Put) -> Result<ETag, StoreError> {
        self.count().put(put).await
    }
    async fn head(&self, key: &Key) -> Result<ObjectMeta, StoreError> {
        self.count().head(key).await
    }
    async fn get(&self, key: &Key) -> Result<(Bytes, ETag), StoreError> {
        self.count().get(key).await
    }
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Content, StoreError> {
        self.count().read(key, range).await
    }
    async fn list(&self, list: &List) -> Result<ListPage, StoreError> {
        self.count().list(list).await
    }
    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.count().delete(key).await
    }
    async fn clean_up(&self, older_than_ms: i64) -> Result<u64, StoreError> {
        self.count().clean_up(older_than_ms).await
    }
}
