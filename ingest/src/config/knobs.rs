//! Every knob there is: its name in `cauce.toml`, its kind, its default and what it does. Reading, suggestions, the
//! names of `CAUCE_…` variables, the printed configuration and `docs/configuration.md` all come from this one table.

use std::sync::LazyLock;

use cauce_lake::options;
use cauce_lake::setting::{self, Setting};
use cauce_lake::store::s3;

/// What a knob's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A text that is never shown and cannot be given on a command line.
    Secret,
    /// Texts; in a variable or a flag they are separated by commas.
    List,
    /// Rules of the filtered stream: texts, or tables with `value` and `tag`.
    Rules,
    /// `true` or `false`.
    Switch,
    /// A whole number.
    Count,
    /// `20ms`, `5m`, `0`.
    Duration,
    /// `128MiB`, `0`.
    Size,
    /// One of a few words.
    Choice(&'static [&'static str]),
}

/// One knob.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Knob {
    /// Section and name: `lake.s3.region`.
    pub(crate) key: &'static str,
    /// What its value looks like.
    pub(crate) kind: Kind,
    /// Its default, written as in a variable; empty where there is none or where it depends on something.
    pub(crate) default: &'static str,
    /// What the default depends on, or that there has to be a value; empty otherwise.
    pub(crate) or: &'static str,
    /// What it is.
    pub(crate) what: &'static str,
    /// What raising and lowering it, or the other choice, does; empty where there is nothing to say.
    pub(crate) change: &'static str,
}

impl From<&Setting> for Knob {
    fn from(setting: &Setting) -> Knob {
        let Setting { key, kind, default, or, what, change } = *setting;
        let kind = match kind {
            setting::Kind::Text => Kind::Text,
            setting::Kind::Secret => Kind::Secret,
            setting::Kind::Switch => Kind::Switch,
            setting::Kind::Count => Kind::Count,
            setting::Kind::Duration => Kind::Duration,
            setting::Kind::Choice(words) => Kind::Choice(words),
        };
        Knob { key, kind, default, or, what, change }
    }
}

impl Knob {
    /// The variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("CAUCE_{}", self.key.replace('.', "__").to_uppercase())
    }

    /// Whether its value must not be shown.
    pub(crate) fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }
}

/// The knob of this name.
pub(crate) fn find(key: &str) -> Option<&'static Knob> {
    KNOBS.iter().find(|knob| knob.key == key)
}

/// Names near to one that is not known, or the setting that other collectors call so.
pub(crate) fn suggest(key: &str) -> String {
    let (section, name) = key.rsplit_once('.').unwrap_or(("source", key));
    if section == "source"
        && let Some(known) = called_elsewhere(name)
    {
        return format!(" (did you mean {known}?)");
    }
    super::problem::suggestion(key, KNOBS.iter().map(|knob| knob.key))
}

/// The setting that other collectors call so.
pub(crate) fn called_elsewhere(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    ELSEWHERE.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(known, _)| *known)
}

/// What twarc, tweepy, v1.1 and Flume's forks call our settings.
const ELSEWHERE: [(&str, &[&str]); 6] = [
    ("source.keywords", &["track", "term", "terms", "hashtag", "hashtags", "query", "phrases", "words"]),
    (
        "source.follow",
        &[
            "follows",
            "user",
            "users",
            "user_id",
            "user_ids",
            "account",
            "accounts",
            "handles",
            "from",
            "screen_name",
            "screen_names",
            "usernames",
        ],
    ),
    (
        "source.locations",
        &[
            "location",
            "bounding_box",
            "bounding_boxes",
            "bbox",
            "boxes",
            "geo",
            "geocode",
            "places",
            "coordinates",
            "area",
            "areas",
        ],
    ),
    ("source.languages", &["language", "lang", "langs"]),
    ("source.rules", &["rule", "filter", "filters"]),
    ("source.sample", &["sample_stream", "random", "spritzer"]),
];

/// Values of `source.type`.
pub(crate) const SOURCE_TYPES: &[&str] = &["x-v2", "x-v1", "files", "stdin"];

/// All of them, by section, in the order in which they are documented and printed. What every reader of a lake has too stands in
/// the tables of `cauce_lake`.
pub(crate) static KNOBS: LazyLock<Vec<Knob>> = LazyLock::new(|| {
    let of_lake = options::ROWS.iter().map(|row| Knob::from(&row.setting));
    let of_s3 = s3::options::ROWS.iter().map(|row| Knob::from(&row.setting));
    let own = |knobs: &'static [Knob]| knobs.iter().copied();
    own(UP_TO_LAKE).chain(of_lake).chain(own(LAKE)).chain(of_s3).chain(own(AFTER_LAKE)).collect()
});

/// Settings before those that every reader of a lake has.
#[rustfmt::skip]
const UP_TO_LAKE: &[Knob] = &[
    Knob { key: "agent.id", kind: Kind::Text, default: "agent", or: "",
        what: "Name of the one agent that writes the lake: 1 to 32 letters a-z, digits and hyphens.",
        change: "Another name means another agent: the lake it finds is then not its own." },
    Knob { key: "agent.drain_timeout", kind: Kind::Duration, default: "25s", or: "",
        what: "How long a stop may take to seal and upload. What is left stays in the spool and goes up at the next start.",
        change: "Longer: more is in the store when the process ends. Shorter: a faster stop. Keep it below the time after which your supervisor kills (Docker: 10 s, Kubernetes: 30 s)." },
    Knob { key: "agent.max_clock_skew", kind: Kind::Duration, default: "5m", or: "",
        what: "How far the clock may be ahead of what store and stream say the time is. Beyond that nothing is read and no hour closes until it is right; one that is so far behind is warned of.",
        change: "Longer: wrong hours for longer. Shorter: a store whose own clock is wrong stops the agent. 0: the clock is trusted." },
    Knob { key: "agent.lease_timeout", kind: Kind::Duration, default: "60s", or: "",
        what: "How long the lease on the lake stands without a heartbeat, 2 s to 1 h: after that time an agent with another spool takes the lake. The holder renews it four times in it.",
        change: "Shorter: a standby takes over sooner from an agent that died, and the store gets more requests. Longer: the other way round. An agent that stops in order gives the lease back, whatever is set here." },

    Knob { key: "source.type", kind: Kind::Choice(SOURCE_TYPES), default: "x-v2", or: "",
        what: "Where records come from: X API v2 filtered stream, v1.1 streams, files, or standard input.",
        change: "" },
    Knob { key: "source.base_url", kind: Kind::Text, default: "", or: "https://api.x.com for x-v2, https://stream.twitter.com for x-v1",
        what: "Where the API is. Plain http is taken for loopback only, because tokens would be readable on the way.",
        change: "Point it at `ingest simulate` to try things out." },
    Knob { key: "source.bearer_token", kind: Kind::Secret, default: "", or: "X_BEARER_TOKEN where no consumer key is given",
        what: "x-v2: the app's bearer token.",
        change: "" },
    Knob { key: "source.consumer_key", kind: Kind::Secret, default: "", or: "X_CONSUMER_KEY",
        what: "The app's key. x-v2 exchanges key and secret for a bearer token.",
        change: "" },
    Knob { key: "source.consumer_secret", kind: Kind::Secret, default: "", or: "X_CONSUMER_SECRET",
        what: "The app's secret.",
        change: "" },
    Knob { key: "source.access_token", kind: Kind::Secret, default: "", or: "X_ACCESS_TOKEN",
        what: "x-v1: the user's token.",
        change: "" },
    Knob { key: "source.access_token_secret", kind: Kind::Secret, default: "", or: "X_ACCESS_TOKEN_SECRET",
        what: "x-v1: the user's token secret.",
        change: "" },
    Knob { key: "source.keywords", kind: Kind::List, default: "", or: "none",
        what: "Flume's track list: a tweet is wanted when it matches any of them, and it matches one of several words when it holds all of them. x-v2 translates them to rules.",
        change: "" },
    Knob { key: "source.follow", kind: Kind::List, default: "", or: "none",
        what: "Accounts, as user ids or (x-v2) handles: what they write and repeat, replies to them and retweets of them are wanted, whatever the keywords.",
        change: "" },
    Knob { key: "source.locations", kind: Kind::List, default: "", or: "none",
        what: "Areas, four numbers each as in v1.1, `west,south,east,north` in degrees: tweets from there are wanted, whatever the keywords. x-v2 takes areas of less than 25 miles a side.",
        change: "" },
    Knob { key: "source.languages", kind: Kind::List, default: "", or: "every language",
        what: "Languages, such as `en` or `zh-CN`: of what keywords, accounts and areas ask for only tweets in one of them are wanted. Rules of your own stay as they are.",
        change: "" },
    Knob { key: "source.rules", kind: Kind::Rules, default: "", or: "none",
        what: "x-v2: rules in X's own language, as `{ value = \"cat has:media\", tag = \"cats\" }` or a plain text. They are added to what the other filters give. Every tag gets the prefix `cauce:<agent.id>:`.",
        change: "" },
    Knob { key: "source.max_rule_length", kind: Kind::Count, default: "1024", or: "",
        what: "x-v2: longest rule in characters; keywords are packed into rules up to it.",
        change: "Your plan says what is allowed (512, 1,024 or 2,048). Higher: fewer rules." },
    Knob { key: "source.sample", kind: Kind::Switch, default: "false", or: "",
        what: "The sample stream, some 1 % of all tweets, instead of a filter; x-v2 has it for accounts whose plan includes it. Never a default: no filter at all is an error.",
        change: "" },
    Knob { key: "source.paths", kind: Kind::List, default: "", or: "needed for files",
        what: "files: paths, folders and glob patterns, read in this order.",
        change: "" },
    Knob { key: "source.on_reject", kind: Kind::Choice(&["keep", "fail"]), default: "keep", or: "",
        what: "What becomes of a line that is neither a tweet nor a known message. `keep`: it is kept apart under `rejects/`, and the source goes on.",
        change: "`fail`: the run ends at the first one with exit code 1 and its place. A file is read again from that line on; from a stream or standard input the line is kept." },
    Knob { key: "source.max_line_bytes", kind: Kind::Size, default: "16MiB", or: "",
        what: "Longest line in decoded bytes, 64KiB to 256MiB. A longer one is kept as a reject with its first 64 KiB.",
        change: "Higher: more memory for a broken line. Lower: long posts become rejects; below 1MiB that happens to real ones." },
    Knob { key: "source.stall_timeout", kind: Kind::Duration, default: "", or: "30s for x-v2, 90s for x-v1",
        what: "X sources: silence on the socket after which the connection counts as dead. X sends a heartbeat every 20 s (v2) or 30 s (v1.1).",
        change: "Lower: a dead connection is seen sooner, but one late heartbeat costs a reconnect. Higher: longer gaps." },
    Knob { key: "source.backfill_minutes", kind: Kind::Count, default: "0", or: "",
        what: "x-v2: minutes (0 to 5) that X sends again after a reconnect. Only some plans have it; others refuse the connection.",
        change: "Higher: longer gaps are repaired, with more repeated tweets." },
    Knob { key: "source.tweet_fields", kind: Kind::List, or: "", what: "x-v2: `tweet.fields` asked for.",
        default: "attachments,author_id,context_annotations,conversation_id,created_at,display_text_range,edit_controls,edit_history_tweet_ids,entities,geo,id,in_reply_to_user_id,lang,note_tweet,possibly_sensitive,public_metrics,referenced_tweets,reply_settings,text,withheld",
        change: "Fewer: smaller lines, empty columns." },
    Knob { key: "source.expansions", kind: Kind::List, or: "", what: "x-v2: `expansions` asked for.",
        default: "author_id,in_reply_to_user_id,referenced_tweets.id,referenced_tweets.id.author_id,entities.mentions.username,attachments.media_keys,attachments.poll_ids,geo.place_id",
        change: "Without `referenced_tweets.id` the full text of retweeted posts is missing; with it X may bill those posts too." },
    Knob { key: "source.user_fields", kind: Kind::List, or: "", what: "x-v2: `user.fields` asked for.",
        default: "created_at,description,entities,id,location,name,pinned_tweet_id,profile_image_url,protected,public_metrics,url,username,verified,verified_type,withheld",
        change: "Fewer: smaller lines, empty columns." },
    Knob { key: "source.media_fields", kind: Kind::List, or: "", what: "x-v2: `media.fields` asked for.",
        default: "alt_text,duration_ms,height,media_key,preview_image_url,public_metrics,type,url,variants,width",
        change: "Fewer: smaller lines, empty columns." },
    Knob { key: "source.place_fields", kind: Kind::List, or: "", what: "x-v2: `place.fields` asked for.",
        default: "contained_within,country,country_code,full_name,geo,id,name,place_type",
        change: "Fewer: smaller lines, empty columns." },
    Knob { key: "source.poll_fields", kind: Kind::List, or: "", what: "x-v2: `poll.fields` asked for.",
        default: "duration_minutes,end_datetime,id,options,voting_status",
        change: "Fewer: smaller lines, empty columns." },

    Knob { key: "channel.type", kind: Kind::Choice(&["file", "memory"]), default: "file", or: "",
        what: "`file`: a record is accepted once it and its journal entry are on disk. `memory`: nothing is synced before a spool file is sealed.",
        change: "`memory`: fewer disk writes, but a killed process loses up to `channel.capacity` records and a power cut the open files." },
    Knob { key: "channel.capacity", kind: Kind::Count, default: "10000", or: "",
        what: "Records read and not yet accepted.",
        change: "Higher: longer bursts are absorbed, at about 5 kB of memory a record. Lower: the source is held back sooner." },
    Knob { key: "channel.transaction_capacity", kind: Kind::Count, default: "1000", or: "",
        what: "Records in one batch at most; never more than `channel.capacity`.",
        change: "Higher: fewer, larger commits." },

    Knob { key: "spool.dir", kind: Kind::Text, default: "spool", or: "",
        what: "Folder for what is accepted and not yet in the store. One agent a folder; keep it on a local disk.",
        change: "" },
    Knob { key: "spool.max_bytes", kind: Kind::Size, default: "10GiB", or: "",
        what: "Budget of the spool; less where its disk has less room, of which a sixteenth (64 MiB at most) is kept in reserve. When it is full the source is held back.",
        change: "Higher: a longer outage of the store is bridged." },
    Knob { key: "spool.fsync_interval", kind: Kind::Duration, default: "20ms", or: "",
        what: "channel `file`: longest time between a record's arrival and its sync.",
        change: "Higher: fewer syncs, more records at risk in a power cut before they count as accepted. 0: every batch is synced." },

    Knob { key: "dedupe.window", kind: Kind::Duration, default: "24h", or: "",
        what: "A tweet id is stored once within this time. 0 turns it off.",
        change: "Longer: later repeats are found, with more id files on disk." },

    Knob { key: "lake.url", kind: Kind::Text, default: "", or: "needed",
        what: "Where the lake is: `s3://bucket/prefix` or a folder.",
        change: "" },
];

/// What only the writer of a lake has.
#[rustfmt::skip]
const LAKE: &[Knob] = &[
    Knob { key: "lake.partition_by", kind: Kind::Choice(&["received_at", "created_at"]), default: "received_at", or: "",
        what: "Which time names a tweet's hour: when it arrived, or when it was written.",
        change: "" },
    Knob { key: "lake.file_prefix", kind: Kind::Text, default: "tweets", or: "",
        what: "First part of an object's name.",
        change: "" },
    Knob { key: "lake.file_suffix", kind: Kind::Text, default: ".json", or: "",
        what: "Ending of an object's name; the codec's ending follows.",
        change: "" },
    Knob { key: "lake.compression", kind: Kind::Choice(&["none", "gzip", "zstd"]), default: "none", or: "",
        what: "How objects are compressed.",
        change: "`zstd` is the smallest and fastest; `gzip` is read by everything." },
    Knob { key: "lake.roll_interval", kind: Kind::Duration, default: "5m", or: "",
        what: "Age at which a spool file is finished and uploaded. 0 turns the rule off; the end of the hour always finishes it.",
        change: "Longer: fewer, larger objects. Shorter: tweets are in the store sooner." },
    Knob { key: "lake.roll_bytes", kind: Kind::Size, default: "128MiB", or: "",
        what: "Bytes of lines, before compression, at which a spool file is finished. 0 turns the rule off.",
        change: "Larger: fewer objects. Smaller: less is sent again when an upload breaks off." },
    Knob { key: "lake.roll_count", kind: Kind::Count, default: "0", or: "",
        what: "Lines at which a spool file is finished. 0 turns the rule off.",
        change: "" },
    Knob { key: "lake.roll_idle", kind: Kind::Duration, default: "0", or: "",
        what: "Time without a line after which a spool file is finished (Flume's `hdfs.idleTimeout`). 0 turns the rule off.",
        change: "Shorter: a quiet stream's tweets are in the store sooner, in more objects." },
    Knob { key: "lake.allowed_lateness", kind: Kind::Duration, default: "10m", or: "",
        what: "With created_at: how long after an hour's end its tweets may come before it is closed.",
        change: "Longer: fewer late tweets. Shorter: hours close sooner." },
    Knob { key: "lake.max_open_hours", kind: Kind::Count, default: "24", or: "",
        what: "With created_at: spool files open at once; the oldest untouched one is finished first.",
        change: "Higher: fewer small objects when old tweets are loaded, more open files." },
    Knob { key: "lake.repair_wait", kind: Kind::Duration, default: "30m", or: "",
        what: "How long an hour with an open gap waits for its repair before it is closed.",
        change: "Longer: more hours close whole. Shorter: they close sooner, and the repair is recorded where it arrives." },
    Knob { key: "lake.max_catch_up", kind: Kind::Duration, default: "31d", or: "",
        what: "Hours that passed while the agent was down are closed up to this far back.",
        change: "" },
    Knob { key: "lake.success_marker", kind: Kind::Choice(&["auto", "always", "never"]), default: "auto", or: "",
        what: "Whether `_SUCCESS` is written beside a closed hour's objects; `auto`: where the pattern names the year.",
        change: "`always` with a pattern without a year: last year's marker is found before this year's hour is closed." },
    Knob { key: "lake.allow_unsafe_store", kind: Kind::Switch, default: "false", or: "",
        what: "Go on, with a lower guarantee, where the store ignores `If-None-Match`.",
        change: "" },
];

/// Settings after those of the lake.
#[rustfmt::skip]
const AFTER_LAKE: &[Knob] = &[
    Knob { key: "status.listen", kind: Kind::Text, default: "127.0.0.1:9108", or: "",
        what: "Where `/metrics`, `/livez` and `/readyz` are served: address and port, or `off`.",
        change: "An address that is not loopback shows them to the network, without a password." },
    Knob { key: "status.allowed_hosts", kind: Kind::List, default: "", or: "none",
        what: "Names by which the status pages may be asked, beside addresses, this machine's name and names without a dot: `agent.example.org`, `*.example.org`, or `*` for all.",
        change: "`*` lets any web page that somebody on this machine opens read them (DNS rebinding)." },
    Knob { key: "status.flume_listen", kind: Kind::Text, default: "off", or: "",
        what: "Where Flume's JSON metrics are served; `-Dflume.monitoring.type=http` sets it to 127.0.0.1:41414.",
        change: "As above." },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_knob_has_one_name_one_variable_and_a_text() {
        let mut variables: Vec<String> = KNOBS.iter().map(Knob::variable).collect();
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), KNOBS.len());
        for knob in KNOBS.iter() {
            assert!(knob.what.ends_with('.'), "{}", knob.key);
            assert!(!knob.is_secret() || knob.default.is_empty(), "{} has a secret default", knob.key);
        }
        for (known, names) in ELSEWHERE {
            assert!(
                find(known).is_some() && names.iter().all(|name| find(&format!("source.{name}")).is_none()),
                "{known}"
            );
        }
        assert_eq!(find("lake.s3.endpoint_url").map(Knob::variable).as_deref(), Some("CAUCE_LAKE__S3__ENDPOINT_URL"));
    }
}
