//! A lake as the tests see it: read through the store and nothing else of the program's, so that an error in the reading
//! commands cannot hide one in what is written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use cauce_lake::store::servers::{self, S3Server};
use cauce_lake::store::{self, list_all};
use cauce_lake::{LakeUrl, Store, StoreError};
use futures_util::TryStreamExt;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::program::Place;

/// What asynchronous parts of the tests run on.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a run time"));

/// One server of each kind for the whole run; each lake has a prefix of its own.
static MOTO: LazyLock<Option<S3Server>> = LazyLock::new(servers::moto);
static GO_S3: LazyLock<Option<S3Server>> = LazyLock::new(servers::go_s3);
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// moto's server, which takes any credentials.
pub(crate) fn moto() -> Option<&'static S3Server> {
    MOTO.as_ref()
}

/// The Go server, which checks signatures.
pub(crate) fn go_s3() -> Option<&'static S3Server> {
    GO_S3.as_ref()
}

/// A bucket that is there now and has not been before.
pub(crate) fn fresh_bucket(server: &S3Server) -> String {
    let bucket = format!("tweets-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    RUNTIME.block_on(server.create_bucket(&bucket));
    bucket
}

/// Lets programs in this place find a server, with its own account.
pub(crate) fn introduce(place: &mut Place, server: &S3Server) {
    place
        .set("CAUCE_LAKE__S3__ENDPOINT_URL", &server.endpoint)
        .set("AWS_REGION", &server.region)
        .set("AWS_ACCESS_KEY_ID", &server.access_key)
        .set("AWS_SECRET_ACCESS_KEY", &server.secret);
}

/// A lake, opened with the rights of its owner.
#[derive(Clone)]
pub(crate) struct Lake {
    store: Arc<dyn Store>,
}

/// An object of tweets: its key and its lines.
pub(crate) type Objects = BTreeMap<String, Vec<u8>>;

impl Lake {
    pub(crate) fn folder(path: &Path) -> Lake {
        Lake::open(path.to_str().expect("a path of text"), &store::S3Options::default())
    }

    pub(crate) fn bucket(server: &S3Server, bucket: &str) -> Lake {
        Lake::open(&format!("s3://{bucket}"), &server.options())
    }

    fn open(url: &str, options: &store::S3Options) -> Lake {
        let url: LakeUrl = url.parse().expect("a lake's URL");
        Lake { store: RUNTIME.block_on(store::open(&url, options)).expect("the store opens") }
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let listed = RUNTIME.block_on(list_all(&*self.store, "")).expect("the lake is listed");
        listed.iter().map(|object| object.key.as_str().to_owned()).collect()
    }

    pub(crate) fn bytes(&self, key: &str) -> Vec<u8> {
        let key = cauce_lake::Key::new(key).expect("a key from a listing");
        let content = async { self.store.read(&key, None).await?.chunks.try_collect::<Vec<_>>().await };
        let chunks: Result<Vec<Bytes>, StoreError> = RUNTIME.block_on(content);
        chunks.expect("a listed object is there").concat()
    }

    /// Aborts all uploads in parts that are not finished; says how many there were.
    pub(crate) fn abort_uploads(&self) -> u64 {
        const LATER_MS: i64 = 10_000_000_000_000;
        RUNTIME.block_on(self.store.clean_up(LATER_MS)).expect("the server can list them")
    }

    /// All objects under hour folders that are no messages, decompressed.
    pub(crate) fn objects(&self) -> Objects {
        let is_tweets = |key: &String| {
            key.split_once('/').is_some_and(|(folder, name)| {
                !folder.starts_with('_')
                    && folder != "rejects"
                    && !name.contains("_messages.")
                    && !name.starts_with("_SUCCESS")
            })
        };
        self.keys()
            .into_iter()
            .filter(is_tweets)
            .map(|key| {
                let bytes = plain(&key, self.bytes(&key));
                (key, bytes)
            })
            .collect()
    }

    /// Every stored tweet's line.
    pub(crate) fn lines(&self) -> Vec<Vec<u8>> {
        self.objects().into_values().flat_map(|bytes| lines(&bytes)).collect()
    }

    /// Every stored tweet's id, in no order; one that is stored twice is there twice.
    pub(crate) fn ids(&self) -> Vec<u64> {
        self.lines().iter().map(|line| tweet_id(line)).collect()
    }

    /// The manifests of closed hours.
    pub(crate) fn manifests(&self) -> BTreeMap<String, Value> {
        let keys = self.keys().into_iter().filter_map(|key| {
            let hour = key.strip_prefix("_hours/")?.strip_suffix(".json")?.to_owned();
            Some((key, hour))
        });
        keys.map(|(key, hour)| (hour, serde_json::from_slice(&self.bytes(&key)).expect("a manifest is JSON"))).collect()
    }

    /// The rejects, one JSON object each.
    pub(crate) fn rejects(&self) -> Vec<Value> {
        let keys = self.keys().into_iter().filter(|key| key.starts_with("rejects/"));
        let read = |key: String| lines(&plain(&key, self.bytes(&key)));
        keys.flat_map(read).map(|line| serde_json::from_slice(&line).expect("a reject is JSON")).collect()
    }

    /// Lists again and again until [`Listing::end`], and keeps every key that was ever there.
    pub(crate) fn watch(&self) -> Listing {
        let over = Arc::new(AtomicBool::new(false));
        let (lake, stop) = (self.clone(), Arc::clone(&over));
        let watcher = std::thread::spawn(move || {
            let mut seen = std::collections::BTreeSet::new();
            while !stop.load(Ordering::Relaxed) {
                seen.extend(lake.keys());
            }
            seen
        });
        Listing { over, watcher }
    }
}

/// A listing under way.
pub(crate) struct Listing {
    over: Arc<AtomicBool>,
    watcher: std::thread::JoinHandle<std::collections::BTreeSet<String>>,
}

impl Listing {
    /// Every key that was seen.
    pub(crate) fn end(self) -> std::collections::BTreeSet<String> {
        self.over.store(true, Ordering::Relaxed);
        self.watcher.join().expect("the lake could be listed all the time")
    }
}

/// The lines of an object, each of which must have its end.
pub(crate) fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "the last line has no end");
    let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    lines.pop();
    lines
}

fn plain(key: &str, bytes: Vec<u8>) -> Vec<u8> {
    let mut plain = Vec::new();
    match key.rsplit_once('.').map(|(_, extension)| extension) {
        Some("gz") => {
            let mut reader = flate2::read::MultiGzDecoder::new(bytes.as_slice());
            std::io::Read::read_to_end(&mut reader, &mut plain).expect("whole gzip");
        }
        Some("zst") => plain = zstd::decode_all(bytes.as_slice()).expect("whole zstd"),
        _ => plain = bytes,
    }
    plain
}

/// The id of a v1.1 or v2 tweet, by a full parse.
pub(crate) fn tweet_id(line: &[u8]) -> u64 {
    let tweet: Value = serde_json::from_slice(line).expect("a stored tweet is JSON");
    let id = tweet.pointer("/data/id").or_else(|| tweet.get("id_str")).and_then(Value::as_str);
    id.expect("a tweet has an id").parse().expect("an id is a number")
}

/// Sorted, and each only once.
#[track_caller]
pub(crate) fn each_once(mut ids: Vec<u64>) -> Vec<u64> {
    ids.sort_unstable();
    let twice: Vec<&[u64]> = ids.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{} ids are stored twice: {twice:?}", twice.len());
    ids
}
