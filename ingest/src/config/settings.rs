//! The checked settings that the rest of the program runs on. Everything here is typed, complete and possible: defaults
//! are filled in, references to the environment and to files are resolved, the pattern is compiled.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use cauce_lake::manifest::Codec;
use cauce_lake::store::S3Options;
use cauce_lake::{LakeUrl, Pattern};
use secrecy::SecretString;
use url::Url;

use super::filters::Area;

/// All of it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[agent]`
    pub agent: AgentSettings,
    /// `[source]`
    pub source: SourceSettings,
    /// `[source] on_reject`
    pub on_reject: OnReject,
    /// `[channel]`
    pub channel: ChannelSettings,
    /// `[spool]`
    pub spool: SpoolSettings,
    /// `[dedupe] window`: one copy of a tweet id is stored within this time of arrival; zero turns it off.
    pub dedupe_window: Duration,
    /// `[lake]` and what says how it is written
    pub lake: LakeSettings,
    /// `[status]`
    pub status: StatusSettings,
    /// What is worth saying once at start: what a pattern means, what was ignored, what was wired by itself.
    pub notices: Vec<String>,
}

/// `[agent]`
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// Name of the one agent that writes the lake: `[a-z0-9-]{1,32}`.
    pub id: String,
    /// How long a stop may take to seal and upload; what is left stays in the spool.
    pub drain_timeout: Duration,
    /// How far the clock may be ahead of store and stream; zero trusts it in any case.
    pub max_clock_skew: Duration,
    /// How long the lease on the lake stands without a renewal: another spool's agent waits for so long before it takes it.
    pub lease_timeout: Duration,
    /// `--take-over`: takes the lake at once, whoever holds it. No setting, because it is meant for one start.
    pub take_over: bool,
}

/// `[source]`
#[derive(Debug, Clone)]
pub enum SourceSettings {
    /// X API v2 filtered stream.
    XV2(XV2Settings),
    /// v1.1 `statuses/filter` or `statuses/sample`.
    XV1(XV1Settings),
    /// Files.
    Files {
        /// Paths and glob patterns, in the order in which they are read (a pattern's matches by name).
        paths: Vec<String>,
        /// Longest line, in decoded bytes.
        max_line_bytes: usize,
    },
    /// Standard input.
    Stdin {
        /// Longest line, in bytes.
        max_line_bytes: usize,
    },
}

/// What becomes of a line that is neither a tweet nor a known message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnReject {
    /// It is kept apart, and the source goes on.
    Keep,
    /// It ends the source.
    Fail,
}

impl SourceSettings {
    /// Whether it goes on for ever.
    pub fn is_live(&self) -> bool {
        matches!(self, SourceSettings::XV1(_) | SourceSettings::XV2(_))
    }

    /// Longest line, in decoded bytes.
    pub fn max_line_bytes(&self) -> usize {
        match self {
            SourceSettings::XV2(x) => x.max_line_bytes,
            SourceSettings::XV1(x) => x.max_line_bytes,
            SourceSettings::Files { max_line_bytes, .. } | SourceSettings::Stdin { max_line_bytes } => *max_line_bytes,
        }
    }
}

/// X API v2.
#[derive(Debug, Clone)]
pub struct XV2Settings {
    /// Where the API is; `https`, or `http` to loopback only.
    pub base_url: Url,
    /// How we show who we are.
    pub auth: XV2Auth,
    /// The rules the stream is to have, each as long as the plan allows at most; empty with `sample`.
    pub rules: Vec<Rule>,
    /// The 1 % sample stream instead of the filtered one.
    pub sample: bool,
    /// Query parameters of the stream: fields and expansions.
    pub fields: Vec<(String, String)>,
    /// `backfill_minutes`, 0 to 5; only some plans allow it.
    pub backfill_minutes: u8,
    /// Longest line, in decoded bytes.
    pub max_line_bytes: usize,
    /// Silence on the socket after which the connection counts as dead.
    pub stall_timeout: Duration,
}

/// A rule of the filtered stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The expression.
    pub value: String,
    /// Its tag; ours begin with the agent's prefix, so that foreign rules are left alone.
    pub tag: String,
}

/// v2 credentials.
#[derive(Debug, Clone)]
pub enum XV2Auth {
    /// A bearer token.
    Bearer(SecretString),
    /// Consumer key and secret, exchanged for a bearer token at `/oauth2/token`.
    Consumer {
        /// The key.
        key: SecretString,
        /// The secret.
        secret: SecretString,
    },
}

/// v1.1.
#[derive(Debug, Clone)]
pub struct XV1Settings {
    /// Where the API is; `https`, or `http` to loopback only.
    pub base_url: Url,
    /// OAuth 1.0a, all four.
    pub auth: XV1Auth,
    /// `track` phrases.
    pub keywords: Vec<String>,
    /// Ids of `follow`: what these users write and repeat, and what is written to them or repeated from them.
    pub follow: Vec<u64>,
    /// Areas of `locations`. Without keywords, accounts and areas there is only the sample.
    pub locations: Vec<Area>,
    /// Tags of `language`, which narrow all of these; empty for every language.
    pub languages: Vec<String>,
    /// The sample stream instead of a filter.
    pub sample: bool,
    /// Longest line, in decoded bytes.
    pub max_line_bytes: usize,
    /// Silence on the socket after which the connection counts as dead.
    pub stall_timeout: Duration,
}

/// OAuth 1.0a credentials.
#[derive(Debug, Clone)]
pub struct XV1Auth {
    /// Consumer key.
    pub consumer_key: SecretString,
    /// Consumer secret.
    pub consumer_secret: SecretString,
    /// Access token.
    pub access_token: SecretString,
    /// Access token secret.
    pub access_token_secret: SecretString,
}

/// `[channel]`
#[derive(Debug, Clone)]
pub struct ChannelSettings {
    /// Whether a record is synced to disk before it counts as accepted (`type = "file"`), or at the seal of its file
    /// only (`type = "memory"`).
    pub durable: bool,
    /// Records read and not yet accepted.
    pub capacity: usize,
    /// Records in one batch at most.
    pub transaction_capacity: usize,
}

/// `[spool]`
#[derive(Debug, Clone)]
pub struct SpoolSettings {
    /// Its folder.
    pub dir: PathBuf,
    /// Budget in bytes; when it is full the source is held back.
    pub max_bytes: u64,
    /// Longest time between a record's arrival and its sync.
    pub fsync_interval: Duration,
}

/// Which time says into which hour a tweet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionBy {
    /// When it arrived.
    ReceivedAt,
    /// When it was written.
    CreatedAt,
}

/// When a spool file is finished; each rule is off when `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RollRules {
    /// Age since its first line.
    pub interval: Option<Duration>,
    /// Bytes of lines without their line ends, before compression; checked before a line is added, as Flume does.
    pub bytes: Option<u64>,
    /// Lines.
    pub count: Option<u64>,
    /// Time since its last line (Flume's `hdfs.idleTimeout`).
    pub idle: Option<Duration>,
}

/// Whether `_SUCCESS` is written beside a closed hour's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuccessMarker {
    /// Where the pattern names the year, so that the marker cannot be another year's.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `[lake]`
#[derive(Debug, Clone)]
pub struct LakeSettings {
    /// Where it is.
    pub url: LakeUrl,
    /// `[lake.s3]`
    pub s3: S3Options,
    /// The partition pattern.
    pub pattern: Pattern,
    /// Which time names the hour.
    pub partition_by: PartitionBy,
    /// First part of an object's name.
    pub file_prefix: String,
    /// Ending of an object's name, before the codec's.
    pub file_suffix: String,
    /// How objects are compressed.
    pub codec: Codec,
    /// When spool files are finished.
    pub roll: RollRules,
    /// With `created_at`: how long after an hour's end its tweets may come.
    pub allowed_lateness: Duration,
    /// With `created_at`: spool files open at once; the oldest untouched is finished first.
    pub max_open_hours: usize,
    /// How long an hour with an open gap waits for its repair.
    pub repair_wait: Duration,
    /// Hours that passed while the agent was down are closed up to this far back.
    pub max_catch_up: Duration,
    /// `_SUCCESS`.
    pub success_marker: SuccessMarker,
    /// Go on with a lower guarantee where the store ignores `If-None-Match`.
    pub allow_unsafe_store: bool,
}

/// `[status]`
#[derive(Debug, Clone)]
pub struct StatusSettings {
    /// Where `/metrics`, `/livez` and `/readyz` are served; `None` turns them off.
    pub listen: Option<SocketAddr>,
    /// Whether that address was asked for, and is not the default.
    pub is_listen_given: bool,
    /// Names that the pages answer to, beside addresses and names without a dot: `agent.example.org`, `*.example.org`, `*`.
    pub allowed_hosts: Vec<String>,
    /// Where Flume's JSON metrics are served, when asked for (`-Dflume.monitoring.type=http`).
    pub flume_listen: Option<SocketAddr>,
    /// Names for Flume's JSON: (source, channel, sink) as in the `twitter.conf`.
    pub flume_names: (String, String, String),
}

#[cfg(test)]
impl Settings {
    /// Settings for tests: standard input into hours by creation, a durable channel, no status page. What a test is about
    /// it sets itself.
    pub(crate) fn for_tests(spool: &std::path::Path) -> Settings {
        Settings {
            agent: AgentSettings {
                id: "agent".into(),
                drain_timeout: Duration::from_secs(20),
                max_clock_skew: Duration::ZERO,
                lease_timeout: Duration::from_secs(60),
                take_over: false,
            },
            source: SourceSettings::Stdin { max_line_bytes: 1 << 20 },
            on_reject: OnReject::Keep,
            channel: ChannelSettings { durable: true, capacity: 10_000, transaction_capacity: 100 },
            spool: SpoolSettings {
                dir: spool.to_owned(),
                max_bytes: 1 << 30,
                fsync_interval: Duration::from_millis(5),
            },
            dedupe_window: Duration::from_secs(86_400),
            lake: LakeSettings::for_tests("%m-%d-%h"),
            status: StatusSettings {
                listen: None,
                is_listen_given: true,
                allowed_hosts: vec![],
                flume_listen: None,
                flume_names: ("s".into(), "c".into(), "k".into()),
            },
            notices: vec![],
        }
    }
}

#[cfg(test)]
impl LakeSettings {
    /// A lake for tests, with any pattern that Flume would take.
    pub(crate) fn for_tests(pattern: &str) -> LakeSettings {
        let options = cauce_lake::pattern::PatternOptions { allow_open: true, ..Default::default() };
        LakeSettings {
            url: LakeUrl::Folder("unused".into()),
            s3: S3Options::default(),
            pattern: Pattern::new(pattern, &options).expect("a test's pattern is valid"),
            partition_by: PartitionBy::CreatedAt,
            file_prefix: "tweets".into(),
            file_suffix: ".json".into(),
            codec: Codec::None,
            roll: RollRules::default(),
            allowed_lateness: Duration::from_secs(600),
            max_open_hours: 24,
            repair_wait: Duration::from_secs(1_800),
            max_catch_up: Duration::from_secs(31 * 86_400),
            success_marker: SuccessMarker::Always,
            allow_unsafe_store: false,
        }
    }
}
