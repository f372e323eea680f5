//! Whole `twitter.conf` files: the old agent's own file, wiring, components, and what is said about them.

use std::time::Duration;

use cauce_lake::LakeUrl;
use cauce_lake::manifest::Codec;
use cauce_lake::pattern::Granularity;
use proptest::prelude::*;
use secrecy::ExposeSecret;

use crate::config::settings::{PartitionBy, RollRules, SourceSettings, XV2Auth};
use crate::config::{FlumeRequest, Loaded, Outside, Request, load};

/// The file of the agent that Cauce replaces, as it was.
const SEED: &str = include_str!("testdata/twitter.conf");

/// 2026-11-22T05:00:00.123Z
const NOW: i64 = 1_795_323_600_123;

fn filled_in() -> String {
    SEED.replace("<twitter-consumer-key>", "plant-key")
        .replace("<twitter-consumer-secret>", "plant-secret")
        .replace("<twitter-access-token>", "plant-token")
        .replace("<twitter-access-token-secret>", "plant-token-secret")
        .replace("<aws-access-key-id>", "PLANTID")
        .replace("<aws-secret-access-key>", "plant/aws+secret")
        .replace("<bucket>", "tweets-bucket")
}

fn with_wiring(text: &str) -> String {
    format!(
        "{text}\nTwitterAgent.sources.Twitter.channels = MemChannel\nTwitterAgent.sinks.s3hdfs.channel = MemChannel\n"
    )
}

fn load_with(text: &str, agent: &str, variables: &[(&str, &str)], system: &[(&str, &str)]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("twitter.conf");
    std::fs::write(&file, text).expect("file written");
    let system = system.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let agent = (!agent.is_empty()).then(|| agent.to_owned());
    let flume = FlumeRequest { agent, file, system };
    let request = Request { flume: Some(flume), ..Request::default() };
    let outside = Outside::with_variables(variables.iter().copied());
    let shorten = |text: String| text.replace(&format!("{}/", folder.path().display()), "");
    load(&request, &outside)
        .map(|mut loaded| {
            loaded.settings.notices = loaded.settings.notices.into_iter().map(shorten).collect();
            loaded
        })
        .map_err(|error| shorten(error.to_string()))
}

fn good(text: &str) -> Loaded {
    load_with(text, "TwitterAgent", &[], &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> String {
    match load_with(text, "TwitterAgent", &[], &[]) {
        Ok(_) => panic!("it was taken:\n{text}"),
        Err(error) => error,
    }
}

/// The filled-in and wired file with one property more; the last of a key wins.
fn and(more: &str) -> String {
    with_wiring(&filled_in()) + more
}

/// ... and without the lines that hold a text.
fn without(part: &str) -> String {
    let text = with_wiring(&filled_in());
    text.lines().filter(|line| !line.contains(part)).map(|line| format!("{line}\n")).collect()
}

fn says(loaded: &Loaded, part: &str) -> bool {
    loaded.settings.notices.iter().any(|notice| notice.contains(part))
}

#[test]
fn the_old_agents_file_works_with_its_credentials_put_in() {
    for text in [filled_in(), with_wiring(&filled_in())] {
        let settings = good(&text).settings;
        assert_eq!(settings.agent.id, "twitteragent");
        let SourceSettings::XV2(source) = &settings.source else { panic!("{:?}", settings.source) };
        let XV2Auth::Consumer { key, secret } = &source.auth else { panic!("no consumer pair") };
        assert_eq!((key.expose_secret(), secret.expose_secret()), ("plant-key", "plant-secret"));
        assert_eq!(source.rules.len(), 1);
        assert_eq!(source.rules[0].value, "@realdonaldtrump OR #trump");
        assert_eq!(source.base_url.as_str(), "https://api.x.com/");
        assert!(!settings.channel.durable);
        assert_eq!((settings.channel.capacity, settings.channel.transaction_capacity), (10_000, 1_000));
        let lake = &settings.lake;
        assert_eq!(lake.url, LakeUrl::S3 { bucket: "tweets-bucket".to_owned(), prefix: String::new() });
        let keys = lake.s3.credentials.as_ref().expect("the keys of the path");
        assert_eq!((keys.access_key_id.as_str(), keys.secret_access_key.as_str()), ("PLANTID", "plant/aws+secret"));
        assert_eq!(lake.pattern.folder_at(NOW), "11-22-05");
        assert_eq!(lake.partition_by, PartitionBy::ReceivedAt);
        assert_eq!(
            (lake.file_prefix.as_str(), lake.file_suffix.as_str(), lake.codec),
            ("tweets", ".json", Codec::None)
        );
        let thirty_seconds = RollRules { interval: Some(Duration::from_secs(30)), ..RollRules::default() };
        assert_eq!(lake.roll, thirty_seconds);
        assert_eq!(lake.max_open_hours, 5);
        let names = ("Twitter".to_owned(), "MemChannel".to_owned(), "s3hdfs".to_owned());
        assert_eq!(settings.status.flume_names, names);
    }
}

#[test]
fn a_single_channel_is_wired_by_itself_and_that_is_said() {
    let loaded = good(&filled_in());
    assert!(
        says(&loaded, "source Twitter has no \"channels\" line: it is wired to MemChannel"),
        "{:?}",
        loaded.settings.notices
    );
    assert!(says(&loaded, "sink s3hdfs has no \"channel\" line: it is wired to MemChannel"));
    assert!(!says(&good(&with_wiring(&filled_in())), "is wired to"));
}

#[test]
fn what_differs_from_flume_is_said_at_start() {
    let loaded = good(&filled_in());
    for part in ["rollInterval is not set", "named in UTC", "%h"] {
        assert!(says(&loaded, part), "{part}: {:?}", loaded.settings.notices);
    }
}

#[test]
fn strict_escapes_give_flumes_own_folders() {
    let loaded = good(&and("TwitterAgent.sinks.s3hdfs.hdfs.strictEscapes = true\n"));
    assert_eq!(loaded.settings.lake.pattern.folder_at(NOW), "11-22-");
    assert_eq!(loaded.settings.lake.pattern.granularity(), Granularity::Day);
}

#[test]
fn placeholders_are_taken_from_the_environment() {
    let text = SEED.replace("<bucket>", "tweets-bucket");
    let variables = [
        ("X_CONSUMER_KEY", "k"),
        ("X_CONSUMER_SECRET", "s"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let settings = load_with(&text, "TwitterAgent", &variables, &[]).expect("a good file").settings;
    // AWS's own chain reads its variables itself.
    assert_eq!(settings.lake.s3.credentials, None);
    let bearer = [("X_BEARER_TOKEN", "b"), ("AWS_PROFILE", "p")];
    let settings = load_with(&text, "TwitterAgent", &bearer, &[]).expect("a good file").settings;
    let SourceSettings::XV2(source) = settings.source else { panic!("no x-v2") };
    assert!(matches!(source.auth, XV2Auth::Bearer(_)));
}

#[test]
fn credentials_that_are_nowhere_are_named_one_by_one_in_one_error() {
    let error = refused(SEED);
    for part in [
        "sources.Twitter.consumerKey is still a placeholder: set X_CONSUMER_KEY",
        "sources.Twitter.consumerSecret is still a placeholder: set X_CONSUMER_SECRET",
        "the placeholder <bucket> is still there",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = refused(&SEED.replace("<bucket>", "tweets-bucket"));
    assert!(error.contains("twitter.conf:11: sinks.s3hdfs.hdfs.path holds placeholders in place of AWS keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"), "{error}");
    let v1 = load_with(SEED, "TwitterAgent", &[("CAUCE_SOURCE__TYPE", "x-v1")], &[]).expect_err("no credentials");
    for variable in ["X_CONSUMER_KEY", "X_CONSUMER_SECRET", "X_ACCESS_TOKEN", "X_ACCESS_TOKEN_SECRET"] {
        assert!(v1.contains(variable), "{variable}: {v1}");
    }
    assert!(refused(&without("consumerKey")).contains("sources.Twitter.consumerKey is not set: set X_CONSUMER_KEY"));
}

#[test]
fn a_bucket_from_elsewhere_keeps_the_files_pattern() {
    let text = with_wiring(SEED).replace("%m-%d-%h", "raw/%Y/%m/%d/%H");
    let variables = [("CAUCE_LAKE__URL", "./lake"), ("X_BEARER_TOKEN", "t")];
    let lake = load_with(&text, "TwitterAgent", &variables, &[]).expect("a good file").settings.lake;
    assert_eq!((lake.url.to_string().as_str(), lake.pattern.as_str()), ("./lake", "%Y/%m/%d/%H"));
}

#[test]
fn s3n_without_keys_needs_the_environment_and_s3a_may_have_a_role() {
    let text =
        |scheme: &str| and(&format!("TwitterAgent.sinks.s3hdfs.hdfs.path = {scheme}://tweets-bucket/%m-%d-%H\n"));
    assert!(refused(&text("s3n")).contains("holds no AWS keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
    assert!(says(&good(&text("s3a")), "an instance's role is expected"));
    let one = load_with(&text("s3n"), "TwitterAgent", &[("AWS_ACCESS_KEY_ID", "id")], &[]).expect_err("half a pair");
    assert!(one.contains("set AWS_SECRET_ACCESS_KEY,"), "{one}");
}

#[test]
fn v1_1_is_there_where_it_is_asked_for() {
    let text = and("TwitterAgent.sources.Twitter.cauce.type = x-v1\n");
    let by_key = good(&text);
    let text = with_wiring(&filled_in());
    let by_variable = load_with(&text, "TwitterAgent", &[("CAUCE_SOURCE__TYPE", "x-v1")], &[]).expect("a good file");
    for loaded in [by_key, by_variable] {
        let SourceSettings::XV1(source) = loaded.settings.source else { panic!("no x-v1") };
        assert_eq!(source.keywords, ["@realdonaldtrump", "#Trump"]);
        assert_eq!(source.auth.access_token_secret.expose_secret(), "plant-token-secret");
    }
}

#[test]
fn keywords_of_nothing_but_commas_are_a_mistake_and_none_at_all_too() {
    let error = refused(&and("TwitterAgent.sources.Twitter.keywords = ,\n"));
    assert!(error.contains("source.keywords: holds no keyword"), "{error}");
    let error = refused(&without("keywords"));
    assert!(error.contains("source.keywords is missing"), "{error}");
}

/// Flume's wiring rules: what is dropped is said, and an agent that cannot run is an error.
#[test]
fn wiring_follows_flume_and_every_dropped_component_is_said() {
    let second = "TwitterAgent.channels = MemChannel Other\nTwitterAgent.channels.Other.type = memory\n";
    let unwired = filled_in() + second;
    let error = refused(&unwired);
    assert!(error.contains("source Twitter is dropped: it has no \"channels\" line"), "{error}");
    assert!(error.contains("sink s3hdfs is dropped: it has no \"channel\" line"), "{error}");

    let loaded = good(&and(second));
    assert!(says(&loaded, "channel Other is dropped: no source and no sink"), "{:?}", loaded.settings.notices);

    let swapped = filled_in()
        + "TwitterAgent.sources.Twitter.channel = MemChannel\nTwitterAgent.sinks.s3hdfs.channels = MemChannel\n";
    let loaded = good(&swapped);
    assert!(says(&loaded, "sources.Twitter.channel is ignored: a source is wired by \"channels\""));
    assert!(says(&loaded, "sinks.s3hdfs.channels is ignored: a sink is wired by \"channel\""));

    for (more, part) in [
        (
            "TwitterAgent.sources.Twitter.channels = MemChanel\n",
            "\"MemChanel\", which is not there (did you mean MemChannel?)",
        ),
        ("TwitterAgent.sinks.s3hdfs.channel = Nope\n", "sink s3hdfs names the channel \"Nope\", which is not there"),
        (
            "TwitterAgent.sources = Twitter Second\nTwitterAgent.sources.Second.type = seq\n",
            "has 2 sources (Twitter, Second)",
        ),
        ("TwitterAgent.sinks = s3hdfs log\nTwitterAgent.sinks.log.type = logger\n", "has 2 sinks (s3hdfs, log)"),
        ("TwitterAgent.sinks = Twittr\n", "sink Twittr is dropped: nothing is set for it"),
        ("TwitterAgent.sources = a,b\n", "no source left to run"),
        ("TwitterAgent.channels = None\n", "no channel that can be used"),
        ("TwitterAgent.sinkgroups = g1\n", "sink groups (g1) are not supported"),
    ] {
        let error = refused(&and(more));
        assert!(error.contains(part), "{more}{error}");
    }
    assert!(refused(&without("channels.MemChannel.type")).contains("no channel that can be used"));
    let known = good(&and("TwitterAgent.sources.Twitter.channels = MemChannel Nope\n"));
    assert!(says(&known, "names the channel \"Nope\", which is not there"));
}

#[test]
fn a_file_may_hold_several_agents_and_a_wrong_name_lists_them() {
    let text = and("Other.sources = a\n");
    assert!(says(&good(&text), "only TwitterAgent is run; the file also holds Other"));
    let error = load_with(&text, "twitterAgent", &[], &[]).expect_err("there is no such agent");
    assert!(
        error.contains(
            "there is no agent \"twitterAgent\" in it (did you mean TwitterAgent?); it holds Other, TwitterAgent"
        ),
        "{error}"
    );
}

#[test]
fn unknown_keys_and_odd_lines_are_said_and_never_their_values() {
    let text = and(
        "TwitterAgent.sinks.s3hdfs.hdfs.rollIntervall = plant-x\nplant-line\nTwitterAgent.sink.x = plant-y\nTwitterAgent.sources.Twitter.plant\n",
    );
    let loaded = good(&text);
    assert!(
        says(&loaded, "sinks.s3hdfs.hdfs.rollIntervall is not known and is ignored (did you mean hdfs.rollInterval?)"),
        "{:?}",
        loaded.settings.notices
    );
    assert!(says(&loaded, "\"sink\" is no part of an agent, and the line is ignored (did you mean sinks?)"));
    assert!(!says(&loaded, "plant-"));
}

#[test]
fn roll_rules_are_flumes_defaults_where_nothing_is_said() {
    let loaded = good(&without("hdfs.roll"));
    let flumes = RollRules { interval: Some(Duration::from_secs(30)), bytes: Some(1024), count: Some(10), idle: None };
    assert_eq!(loaded.settings.lake.roll, flumes);
    let loaded = good(&and(
        "TwitterAgent.sinks.s3hdfs.hdfs.rollInterval = 0\nTwitterAgent.sinks.s3hdfs.hdfs.idleTimeout = 60\n",
    ));
    let idle = RollRules { idle: Some(Duration::from_secs(60)), ..RollRules::default() };
    assert_eq!(loaded.settings.lake.roll, idle);
}

#[test]
fn formats_that_are_not_there_are_refused_with_what_to_use() {
    let sink = "TwitterAgent.sinks.s3hdfs.";
    for (more, part) in [
        ("hdfs.fileType = SequenceFile", "write hdfs.fileType = DataStream or CompressedStream"),
        ("hdfs.codeC = gzip", "Flume refuses a codec with DataStream"),
        ("hdfs.fileType = CompressedStream", "needs hdfs.codeC = gzip or zstd"),
        ("hdfs.fileType = Parquet", "must be DataStream or CompressedStream"),
        ("serializer = avro_event", "only TEXT is there"),
        ("serializer.appendNewline = false", "every tweet ends its line"),
        ("hdfs.filePrefix = t-%H", "escapes are for the path"),
        ("hdfs.rollCount = 10k", "must be a whole number"),
        ("hdfs.batchSize = 0", "must be above 0"),
        ("hdfs.path = hdfs://namenode/%m", "not to HDFS"),
        ("type = logger", "sinks of type logger are not there"),
    ] {
        let error = refused(&and(&format!("{sink}{more}\n")));
        assert!(error.contains(part), "{more}: {error}");
    }
    assert!(refused(&without("fileType")).contains("SequenceFile, Flume's default"));
    let compressed =
        |codec: &str| and(&format!("{sink}hdfs.fileType = compressedstream\n{sink}hdfs.codeC = {codec}\n"));
    for codec in ["gzip", "GZIP", "org.apache.hadoop.io.compress.GzipCodec"] {
        assert_eq!(good(&compressed(codec)).settings.lake.codec, Codec::Gzip);
    }
    for codec in ["snappy", "bzip2", "lz4", "lzo", "deflate", "org.apache.hadoop.io.compress.SnappyCodec"] {
        assert!(refused(&compressed(codec)).contains("use gzip, which everything reads, or zstd"), "{codec}");
    }
    assert_eq!(good(&and(&format!("{sink}hdfs.codeC = none\n"))).settings.lake.codec, Codec::None);
}

#[test]
fn channels_become_durable_or_stay_in_memory() {
    let channel = |lines: &[&str]| {
        and(&lines.iter().map(|line| format!("TwitterAgent.channels.MemChannel.{line}\n")).collect::<String>())
    };
    let file = good(&channel(&["type = file", "dataDirs = /srv/flume/data, /srv/b"])).settings;
    assert!(file.channel.durable);
    assert_eq!(file.spool.dir.to_string_lossy(), "/srv/flume/data/cauce-spool");
    let spill = good(&channel(&["type = SPILLABLEMEMORY"]));
    assert!(spill.settings.channel.durable && says(&spill, "a spillable channel becomes a durable one"));
    // Flume's memory channel alone goes on with its default where a number is none.
    let odd = good(
        &channel(&["capacity = many"])
            .replace("transactionCapacity = 1000", "transactionCapacity = 50")
            .replace("batchSize = 100", "batchSize = 50"),
    );
    assert_eq!(odd.settings.channel.capacity, 100);
    assert!(says(&odd, "Flume's default of 100 holds"));
    assert!(refused(&channel(&["capacity = 10"])).contains("must be between 1 and channel.capacity, which is 10"));
    assert!(refused(&channel(&["type = jdbc"])).contains("channels of type jdbc are not there"));
}

#[test]
fn times_come_from_the_tweet_unless_the_clock_is_asked_for() {
    let text = without("useLocalTimeStamp");
    assert_eq!(good(&text).settings.lake.partition_by, PartitionBy::CreatedAt);
    let timestamp = "TwitterAgent.sources.Twitter.interceptors = i1\nTwitterAgent.sources.Twitter.interceptors.i1.type = timestamp\n";
    assert_eq!(good(&(text.clone() + timestamp)).settings.lake.partition_by, PartitionBy::ReceivedAt);
    let keep = format!("{timestamp}TwitterAgent.sources.Twitter.interceptors.i1.preserveExisting = true\n");
    assert_eq!(good(&(text + &keep)).settings.lake.partition_by, PartitionBy::CreatedAt);
}

#[test]
fn interceptors_add_fixed_headers_and_others_are_refused() {
    let source = "TwitterAgent.sources.Twitter.interceptors";
    let fixed = format!(
        "{source} = s\n{source}.s.type = static\n{source}.s.key = dc\n{source}.s.value = madrid\nTwitterAgent.sinks.s3hdfs.hdfs.path = /srv/x/%{{dc}}/%m-%d-%H\n"
    );
    let settings = good(&and(&fixed)).settings;
    assert_eq!(settings.lake.pattern.folder_at(NOW), "madrid/11-22-05");
    let filter = format!("{source} = f\n{source}.f.type = regex_filter\n");
    assert!(refused(&and(&filter)).contains("this interceptor would change or drop tweets"));
}

#[test]
fn references_are_resolved_and_a_missing_one_is_named() {
    let text = with_wiring(&filled_in().replace("plant-secret", "${env:MY_SECRET}"));
    let error = load_with(&text, "TwitterAgent", &[], &[]).expect_err("the variable is not set");
    assert!(
        error.contains("twitter.conf:6: sources.Twitter.consumerSecret: the environment variable MY_SECRET is not set"),
        "{error}"
    );
    let loaded = load_with(&text, "TwitterAgent", &[("MY_SECRET", "hush")], &[]).expect("a good file");
    let SourceSettings::XV2(source) = &loaded.settings.source else { panic!("no x-v2") };
    let XV2Auth::Consumer { secret, .. } = &source.auth else { panic!("no consumer pair") };
    assert_eq!(secret.expose_secret(), "hush");
    let external = and("TwitterAgent.configfilters = f\nTwitterAgent.configfilters.f.type = external\n");
    assert!(refused(&external).contains("would run a command"));
}

#[test]
fn monitoring_is_served_on_loopback() {
    let text = with_wiring(&filled_in());
    let listen = |system: &[(&str, &str)]| {
        load_with(&text, "TwitterAgent", &[], system).map(|loaded| loaded.settings.status.flume_listen)
    };
    assert_eq!(listen(&[]), Ok(None));
    let http = ("flume.monitoring.type", "http");
    assert_eq!(listen(&[http]), Ok("127.0.0.1:41414".parse().ok()));
    assert_eq!(listen(&[http, ("flume.monitoring.port", "5")]), Ok("127.0.0.1:5".parse().ok()));
    assert!(listen(&[http, ("flume.monitoring.port", "x")]).is_err());
}

#[test]
fn a_cauce_toml_beside_it_lies_between_flumes_defaults_and_the_file() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("twitter.conf");
    std::fs::write(&file, with_wiring(&filled_in())).expect("file written");
    let toml =
        "[lake]\nroll_interval = \"5m\"\nfile_prefix = \"other\"\n[source]\nbase_url = \"http://127.0.0.1:8080\"\n";
    std::fs::write(folder.path().join("cauce.toml"), toml).expect("file written");
    let flume = FlumeRequest { agent: Some("TwitterAgent".to_owned()), file, system: Vec::new() };
    let request = Request { flume: Some(flume), ..Request::default() };
    let settings = load(&request, &Outside::default()).expect("good files").settings;
    assert_eq!(settings.lake.roll.interval, Some(Duration::from_secs(300)));
    assert_eq!(settings.lake.file_prefix, "tweets");
    let SourceSettings::XV2(source) = &settings.source else { panic!("no x-v2") };
    assert_eq!(source.base_url.port(), Some(8080));
    assert!(settings.notices.iter().any(|notice| notice.contains("cauce.toml is read too")));
}

#[test]
fn a_small_channel_has_small_batches() {
    let text = without("transactionCapacity") + "TwitterAgent.channels.MemChannel.capacity = 50\n";
    let channel = good(&text).settings.channel;
    assert_eq!((channel.capacity, channel.transaction_capacity), (50, 50));
}

mod secrets;
mod tutorials;
