//! Files in the manner of the tutorials that people start from: what was copied a hundred times starts, and what it means
//! here is said.

use super::*;

/// The file that most tutorials have, with a channel that is too small for the sink's batches, on HDFS.
const TUTORIAL: &str = "\
# Naming the components on the current agent.
TwitterAgent.sources = Twitter
TwitterAgent.channels = MemChannel
TwitterAgent.sinks = HDFS

# Describing/Configuring the source
TwitterAgent.sources.Twitter.type = com.cloudera.flume.source.TwitterSource
TwitterAgent.sources.Twitter.consumerKey = plant-key
TwitterAgent.sources.Twitter.consumerSecret = plant-secret
TwitterAgent.sources.Twitter.accessToken = plant-token
TwitterAgent.sources.Twitter.accessTokenSecret = plant-token-secret
TwitterAgent.sources.Twitter.keywords = hadoop, big data, analytics

# Describing/Configuring the sink
TwitterAgent.sinks.HDFS.type = hdfs
TwitterAgent.sinks.HDFS.hdfs.path = hdfs://localhost:9000/user/flume/tweets/%Y/%m/%d/%H
TwitterAgent.sinks.HDFS.hdfs.fileType = DataStream
TwitterAgent.sinks.HDFS.hdfs.writeFormat = Text
TwitterAgent.sinks.HDFS.hdfs.batchSize = 1000
TwitterAgent.sinks.HDFS.hdfs.rollSize = 0
TwitterAgent.sinks.HDFS.hdfs.rollCount = 10000

# Describing/Configuring the channel
TwitterAgent.channels.MemChannel.type = memory
TwitterAgent.channels.MemChannel.capacity = 10000
TwitterAgent.channels.MemChannel.transactionCapacity = 100

# Binding the source and sink to the channel
TwitterAgent.sources.Twitter.channels = MemChannel
TwitterAgent.sinks.HDFS.channel = MemChannel
";

const PATH: &str = "hdfs://localhost:9000/user/flume/tweets/%Y/%m/%d/%H";

fn tutorial(more: &str) -> Loaded {
    good(&format!("{TUTORIAL}{more}\n"))
}

fn says_once(loaded: &Loaded, part: &str) {
    let notices = &loaded.settings.notices;
    assert_eq!(notices.iter().filter(|notice| notice.contains(part)).count(), 1, "{part}: {notices:?}");
}

#[test]
fn a_batch_above_the_transaction_starts_and_is_said_to_mean_nothing() {
    let loaded = tutorial("");
    says_once(
        &loaded,
        "twitter.conf:19: sinks.HDFS.hdfs.batchSize is 1000, more than the 100 of channels.MemChannel.transactionCapacity",
    );
    assert_eq!(loaded.settings.channel.transaction_capacity, 100);
    // Flume's memory channel has 100 where nothing is said.
    let unsaid = TUTORIAL.replace("TwitterAgent.channels.MemChannel.transactionCapacity = 100\n", "");
    says_once(&good(&unsaid), "more than the 100 of");
    assert!(!says(&tutorial("TwitterAgent.channels.MemChannel.transactionCapacity = 1000"), "rolls back for ever"));
}

#[test]
fn a_channel_of_another_name_is_one_line_with_the_one_that_is_there() {
    let elsewhere = TUTORIAL
        .replace("channels = MemChannel\nTwitterAgent.sinks.HDFS", "channels = Channel-1\nTwitterAgent.sinks.HDFS");
    let both = elsewhere.replace("HDFS.channel = MemChannel", "HDFS.channel = Channel-1");
    assert_eq!(
        refused(&both),
        "twitter.conf:29: source Twitter and sink HDFS name the channel \"Channel-1\", which is not there (did you mean MemChannel?)"
    );
    assert_eq!(
        refused(&elsewhere),
        "twitter.conf:29: source Twitter names the channel \"Channel-1\", which is not there (did you mean MemChannel?)"
    );
    let listed = TUTORIAL.replace("TwitterAgent.channels = MemChannel", "TwitterAgent.channels = Channel-1");
    let error = refused(&listed);
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(
        error.contains("channel Channel-1 is dropped: nothing is set for it (did you mean MemChannel?)"),
        "{error}"
    );
}

#[test]
fn a_path_on_hdfs_or_without_a_scheme_is_a_local_folder_and_that_is_said() {
    for (path, folder, part) in [
        (PATH, "/user/flume/tweets", "names HDFS, to which Cauce does not write"),
        ("hdfs://namenode/user/me/%Y/%m/%d/%H", "/user/me", "names HDFS"),
        ("hdfs:///user/me", "/user/me", "names HDFS"),
        ("/user/flume/tweets/", "/user/flume/tweets", "has no scheme"),
        ("tweets/%Y%m%d%H", "tweets", "has no scheme"),
    ] {
        let loaded = good(&TUTORIAL.replace(PATH, path));
        says_once(&loaded, part);
        says_once(&loaded, &format!("tweets go to the local folder {folder} of this machine"));
        assert_eq!(loaded.settings.lake.url, LakeUrl::Folder(folder.into()), "{path}");
    }
    // A folder that is meant, and a lake from elsewhere, need no word.
    let meant = good(&TUTORIAL.replace(PATH, "file:///srv/tweets/%Y/%m/%d/%H"));
    let moved = load_with(TUTORIAL, "TwitterAgent", &[("CAUCE_LAKE__URL", "s3://bucket/x")], &[]).expect("a good file");
    for loaded in [meant, moved] {
        assert!(!says(&loaded, "local folder"), "{:?}", loaded.settings.notices);
    }
}

#[test]
fn the_guides_word_for_the_default_zone_is_utc_and_said() {
    for word in ["Local Time", "local time"] {
        let loaded = tutorial(&format!("TwitterAgent.sinks.HDFS.hdfs.timeZone = {word}"));
        says_once(&loaded, "names no zone and was GMT to Flume: folders are named in UTC");
        assert_eq!(loaded.settings.lake.pattern.folder_at(NOW), "2026/11/22/05");
    }
}

#[test]
fn filters_of_forks_are_taken_and_said() {
    let loaded = tutorial("TwitterAgent.sources.Twitter.language = en\nTwitterAgent.sources.Twitter.follow = 12,@NASA");
    says_once(&loaded, "sources.Twitter.language is taken as source.languages: only tweets in these languages come");
    says_once(&loaded, "sources.Twitter.follow is taken as source.follow");
    let SourceSettings::XV2(source) = &loaded.settings.source else { panic!("no x-v2") };
    assert_eq!(source.rules.len(), 1);
    assert!(
        source.rules[0].value.contains(" OR from:12 OR to:12 OR retweets_of:12 OR from:NASA"),
        "{:?}",
        source.rules
    );
    assert!(source.rules[0].value.ends_with(") lang:en"), "{:?}", source.rules);
    let both = tutorial("TwitterAgent.sources.Twitter.languages = en\nTwitterAgent.sources.Twitter.lang = es");
    says_once(&both, "sources.Twitter.lang is ignored beside languages");
    let users =
        tutorial("TwitterAgent.sources.Twitter.users = 12\nTwitterAgent.sources.Twitter.bounding_box = 1,2,3,4");
    says_once(&users, "sources.Twitter.users is not known and is ignored (did you mean follow?)");
    says_once(&users, "sources.Twitter.bounding_box is not known and is ignored (did you mean locations?)");
    let world = refused(&format!("{TUTORIAL}TwitterAgent.sources.Twitter.locations = -180,-90,180,90\n"));
    assert!(world.contains("twitter.conf:31: source.locations: the area -180,-90,180,90 is"), "{world}");
    // v1.1 takes any area.
    let v1 = tutorial(
        "TwitterAgent.sources.Twitter.locations = -180,-90,180,90\nTwitterAgent.sources.Twitter.cauce.type = x-v1",
    );
    let SourceSettings::XV1(source) = &v1.settings.source else { panic!("no x-v1") };
    assert_eq!(source.locations.len(), 1);
}

#[test]
fn the_only_agent_needs_no_name_and_several_are_listed() {
    let nameless = |text: &str| load_with(text, "", &[], &[]);
    assert_eq!(nameless(TUTORIAL).expect("a good file").settings.agent.id, "twitteragent");
    // A slip makes no agent.
    let slip = format!("{TUTORIAL}TwiterAgent.sinks.HDFS.hdfs.rollInterval = 5\n");
    assert_eq!(nameless(&slip).expect("a good file").settings.agent.id, "twitteragent");
    let two = format!("{TUTORIAL}Other.sources = a\n");
    let error = nameless(&two).expect_err("two agents");
    assert_eq!(error, "twitter.conf: it holds several agents, Other, TwitterAgent: give -n NAME");
    assert!(nameless("# empty\n").expect_err("no agent").contains("there is no agent in it"));
}

/// Lines that tutorials differ in.
fn variant() -> impl Strategy<Value = String> {
    let lines = [
        ("sinks.HDFS.hdfs.batchSize", vec!["1", "100", "1000", "100000"]),
        ("channels.MemChannel.transactionCapacity", vec!["100", "1000", "10000"]),
        (
            "sinks.HDFS.hdfs.path",
            vec![
                PATH,
                "hdfs://localhost:54310/flume/Tweets/",
                "/user/hive/warehouse/tweets/%Y/%m/%d/%H/",
                "flume/tweets",
                "s3n://K:S@tweets-bucket/%m-%d-%h",
            ],
        ),
        ("sinks.HDFS.hdfs.timeZone", vec!["Local Time", "UTC", "Asia/Tokyo"]),
        ("sinks.HDFS.hdfs.useLocalTimeStamp", vec!["true", "false"]),
        ("sources.Twitter.language", vec!["en", "en,es", "pt"]),
        ("sources.Twitter.follow", vec!["12", "12, 34"]),
        ("sources.Twitter.keywords", vec!["hadoop, big data", "#trump", "@nasa,mars 2020"]),
        ("sinks.HDFS.hdfs.rollInterval", vec!["0", "600"]),
        ("sources.Twitter.batchSize", vec!["5000"]),
    ];
    let one = lines.map(|(key, values)| {
        proptest::option::of(prop::sample::select(values))
            .prop_map(move |value| value.map_or(String::new(), |value| format!("TwitterAgent.{key} = {value}\n")))
    });
    one.into_iter().collect::<Vec<_>>().prop_map(|lines| lines.concat())
}

proptest! {
    /// Whatever tutorials combine starts, and no notice or printed setting holds a credential.
    #[test]
    fn every_mixture_of_tutorials_starts(more in variant()) {
        let loaded = load_with(&format!("{TUTORIAL}{more}"), "", &[], &[]);
        let loaded = loaded.map_err(|why| TestCaseError::fail(format!("{more}{why}")))?;
        let said = loaded.settings.notices.join("\n") + &loaded.effective(true);
        prop_assert!(!said.contains("plant"), "{}", said);
    }
}
