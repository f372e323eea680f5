//! Whole configurations: layers over each other, what is refused, and that no secret is repeated.

use std::path::PathBuf;
use std::time::Duration;

use cauce_lake::LakeUrl;
use cauce_lake::manifest::Codec;
use secrecy::ExposeSecret;

use super::settings::{PartitionBy, RollRules, SourceSettings, XV2Auth};
use super::{Flag, Loaded, Outside, Request, load, load_lake};

const SMALL: &str = "[source]\nkeywords = [\"cat\"]\nbearer_token = \"plant-token\"\n[lake]\nurl = \"./lake\"\n";

fn request(text: &str) -> (tempfile::TempDir, Request) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("cauce.toml");
    std::fs::write(&path, text).expect("file written");
    (folder, Request { toml: Some(path), ..Request::default() })
}

fn load_with(text: &str, variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Loaded, String> {
    let (_folder, mut request) = request(text);
    let flag = |(key, value): &(&str, &str)| Flag {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
        flag: "--set".to_owned(),
    };
    request.flags = flags.iter().map(flag).collect();
    load(&request, &Outside::with_variables(variables.iter().copied())).map_err(|error| error.to_string())
}

fn good(text: &str) -> Loaded {
    load_with(text, &[], &[]).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn refused(text: &str) -> String {
    match load_with(text, &[], &[]) {
        Ok(_) => panic!("it was taken:\n{text}"),
        Err(error) => error,
    }
}

/// The small file with one line more in a section of its own.
fn and(section: &str, line: &str) -> String {
    let header = format!("[{section}]\n");
    if SMALL.contains(&header) {
        SMALL.replace(&header, &format!("{header}{line}\n"))
    } else {
        format!("{SMALL}{header}{line}\n")
    }
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let settings = good(SMALL).settings;
    assert_eq!((settings.agent.id.as_str(), settings.agent.drain_timeout), ("agent", Duration::from_secs(25)));
    assert!(settings.channel.durable);
    assert_eq!((settings.channel.capacity, settings.channel.transaction_capacity), (10_000, 1_000));
    assert_eq!(settings.spool.dir, PathBuf::from("spool"));
    assert_eq!((settings.spool.max_bytes, settings.spool.fsync_interval), (10 << 30, Duration::from_millis(20)));
    assert_eq!(settings.dedupe_window, Duration::from_secs(86_400));
    let lake = &settings.lake;
    assert_eq!(lake.url, LakeUrl::Folder("./lake".into()));
    assert_eq!(
        (lake.pattern.as_str(), lake.partition_by, lake.codec),
        ("%m-%d-%h", PartitionBy::ReceivedAt, Codec::None)
    );
    let roll = RollRules { interval: Some(Duration::from_secs(300)), bytes: Some(128 << 20), count: None, idle: None };
    assert_eq!(lake.roll, roll);
    assert_eq!(settings.status.listen, "127.0.0.1:9108".parse().ok());
    assert_eq!(settings.status.flume_listen, None);
    let SourceSettings::XV2(source) = &settings.source else { panic!("no x-v2") };
    assert_eq!(
        (source.max_line_bytes, source.stall_timeout, source.backfill_minutes),
        (16 << 20, Duration::from_secs(30), 0)
    );
    assert!(source.fields.iter().any(|(name, value)| name == "tweet.fields" && value.contains("created_at")));
}

#[test]
fn a_flag_is_over_a_variable_and_a_variable_over_the_file() {
    let text = and("lake", "file_prefix = \"file\"");
    let prefix = |variables: &[(&str, &str)], flags: &[(&str, &str)]| {
        load_with(&text, variables, flags).map(|loaded| loaded.settings.lake.file_prefix)
    };
    let variable = [("CAUCE_LAKE__FILE_PREFIX", "variable")];
    assert_eq!(prefix(&[], &[]), Ok("file".to_owned()));
    assert_eq!(prefix(&variable, &[]), Ok("variable".to_owned()));
    assert_eq!(prefix(&variable, &[("lake.file_prefix", "flag")]), Ok("flag".to_owned()));
    assert_eq!(prefix(&[("CAUCE_LAKE__FILE_PREFIX", "")], &[]), Ok("file".to_owned()));
}

#[test]
fn problems_name_where_they_were_written_and_come_together() {
    let text = and("lake", "roll_interval = \"5x\"").replace("./lake", "hdfs://x/y");
    let error = refused(&text);
    assert!(error.starts_with("the configuration has 2 problems"), "{error}");
    assert!(error.contains("cauce.toml:5: lake.roll_interval: \"5x\" is no duration"), "{error}");
    assert!(error.contains("cauce.toml:6: lake.url: \"hdfs\" is no scheme"), "{error}");
    let error = load_with(SMALL, &[("CAUCE_CHANNEL__CAPACITY", "many")], &[]).expect_err("no number");
    assert_eq!(error, "CAUCE_CHANNEL__CAPACITY: channel.capacity: \"many\" must be a whole number, 0 or more");
}

#[test]
fn impossible_values_are_refused_with_what_to_write() {
    for (section, line, part) in [
        ("agent", "id = \"Agent One\"", "must be 1 to 32 letters a-z"),
        ("agent", "id = \"\"", "must be 1 to 32 letters a-z"),
        ("source", "max_line_bytes = \"1KiB\"", "must be between 64KiB and 256MiB"),
        ("source", "backfill_minutes = 6", "must be between 0 and 5"),
        ("source", "type = \"x-v3\"", "must be one of x-v2, x-v1, files, stdin"),
        ("source", "base_url = \"http://example.com\"", "plain http would show the tokens"),
        ("source", "base_url = \"http://127.0.0.1.example.com\"", "plain http would show the tokens"),
        ("source", "base_url = \"https://me:plant@example.com\"", "must not hold a user or password"),
        ("source", "base_url = \"ftp://example.com\"", "must begin with https://"),
        ("source", "base_url = \"example\"", "is no address"),
        ("source", "sample = true", "the sample stream takes no filters: leave out source.keywords"),
        ("source", "tweet_fields = [\"a&b=c\"]", "must be names of fields"),
        ("source", "stall_timeout = \"10ms\"", "must be at least 1s"),
        ("channel", "capacity = 0", "must be between 1 and 10000000"),
        ("channel", "transaction_capacity = 20000", "must be between 1 and channel.capacity, which is 10000"),
        ("spool", "max_bytes = \"1MiB\"", "must be at least 16MiB"),
        ("lake", "url = \"s3://AKIA:plant/bucket\"", "without keys"),
        ("lake", "url = \"s3n:/AKIA:plant@bucket\"", "without keys"),
        ("lake", "url = \"s3://AKIA:plant@bucket\"", "lake.url"),
        ("lake", "s3.region = \"wJalrXUtn/K7MDENG\"", "must be a region's name"),
        ("lake", "pattern = \"%m-%d\"", "cannot name folders"),
        ("lake", "pattern = \"%q\"", "lake.pattern"),
        ("lake", "time_zone = \"Europe/Madrid\"", "cannot name folders of hours"),
        ("lake", "time_zone = \"Asia/Kolkata\"", "cannot name folders of hours"),
        ("lake", "time_zone = \"Mars/Base\"", "is no time zone"),
        ("lake", "file_prefix = \"_x\"", "not begin with _ or ."),
        ("lake", "file_prefix = \"a/b\"", "must be letters"),
        ("lake", "file_suffix = \".json?\"", "must be letters"),
        ("lake", "compression = \"gz\"", "must be one of none, gzip, zstd"),
        ("lake", "max_open_hours = 0", "must be between 1 and 10000"),
        ("lake.s3", "endpoint_url = \"127.0.0.1:8333\"", "is no server's address"),
        ("lake.s3", "access_key_id = \"plant\"", "lake.s3.secret_access_key is missing"),
        ("status", "listen = \"9108\"", "must be an address and a port"),
        ("status", "flume_listen = \"127.0.0.1:9108\"", "is the address of status.listen"),
    ] {
        let mut text = and(section, line);
        if line.starts_with("url") {
            text = text.replace("url = \"./lake\"\n", "");
        }
        let error = refused(&text);
        assert!(error.contains(part), "{line}: {error}");
        assert!(!error.contains("plant"), "{error}");
    }
}

#[test]
fn plain_http_is_taken_for_loopback_only() {
    for host in ["127.0.0.1:1", "127.9.9.9", "[::1]:8080", "localhost:8080", "LOCALHOST"] {
        good(&and("source", &format!("base_url = \"http://{host}\"")));
    }
    good(&and("source", "base_url = \"https://example.com/api\""));
}

#[test]
fn missing_credentials_are_named_with_their_usual_variable() {
    let text = SMALL.replace("bearer_token = \"plant-token\"\n", "");
    let error = refused(&text);
    assert!(
        error.contains("source.bearer_token is missing: set X_BEARER_TOKEN, or X_CONSUMER_KEY and X_CONSUMER_SECRET"),
        "{error}"
    );
    let half = load_with(&text, &[("X_CONSUMER_KEY", "plant")], &[]).expect_err("half a pair");
    assert!(
        half.contains("source.consumer_secret is missing: set X_CONSUMER_SECRET") && !half.contains("plant"),
        "{half}"
    );
    let loaded = load_with(&text, &[("X_BEARER_TOKEN", "plant")], &[]).expect("a good file");
    let SourceSettings::XV2(source) = &loaded.settings.source else { panic!("no x-v2") };
    assert!(matches!(&source.auth, XV2Auth::Bearer(token) if token.expose_secret() == "plant"));
    assert!(!format!("{loaded:?}{}", loaded.effective(true)).contains("plant"));
    let v1 = refused(&and("source", "type = \"x-v1\""));
    for variable in ["X_CONSUMER_KEY", "X_CONSUMER_SECRET", "X_ACCESS_TOKEN", "X_ACCESS_TOKEN_SECRET"] {
        assert!(v1.contains(variable), "{v1}");
    }
}

#[test]
fn a_missing_reference_names_the_key_and_the_variable() {
    let text = SMALL.replace("plant-token", "${env:X_BEARER_TOKEN}");
    let error = refused(&text);
    assert!(
        error.contains("cauce.toml:3: source.bearer_token: the environment variable X_BEARER_TOKEN is not set"),
        "{error}"
    );
    let loaded = load_with(&text, &[("X_BEARER_TOKEN", "plant")], &[]).expect("a good file");
    assert!(loaded.effective(false).contains("source.bearer_token = (hidden)"));
    // A reference elsewhere is shown as it was written, never as what it leads to.
    let text = and("lake", "file_prefix = \"${env:P}\"");
    let loaded = load_with(&text, &[("P", "plant")], &[]).expect("a good file");
    assert_eq!(loaded.settings.lake.file_prefix, "plant");
    assert!(loaded.effective(true).contains("lake.file_prefix = \"${env:P}\""));
    let error = load_with(&text, &[("P", "pl/ant")], &[]).expect_err("no name");
    assert!(!error.contains("pl/ant"), "{error}");
}

#[test]
fn keywords_and_rules_add_up_and_one_of_them_is_needed() {
    let text = and("source", "rules = [{ value = \"dog has:media\", tag = \"dogs\" }, \"(cat OR #cat OR @cat)\"]");
    let SourceSettings::XV2(source) = good(&text).settings.source else { panic!("no x-v2") };
    let rules: Vec<(&str, &str)> = source.rules.iter().map(|rule| (rule.value.as_str(), rule.tag.as_str())).collect();
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0].0, "(cat OR #cat OR @cat)");
    assert_eq!(rules[1], ("dog has:media", "cauce:agent:dogs"));
    assert!(refused(&SMALL.replace("keywords = [\"cat\"]\n", "")).contains("source.keywords is missing"));
    for nothing in ["[]", "[\",\"]", "[\" \"]"] {
        let error = refused(&SMALL.replace("[\"cat\"]", nothing));
        assert!(error.contains("source.keywords"), "{error}");
    }
    let error = load_with(SMALL, &[("CAUCE_SOURCE__KEYWORDS", ",")], &[]).expect_err("no keyword");
    assert!(error.contains("CAUCE_SOURCE__KEYWORDS: source.keywords: holds no keyword"), "{error}");
}

#[test]
fn files_need_paths_and_standard_input_needs_nothing() {
    let files = "[source]\ntype = \"files\"\n[lake]\nurl = \"lake\"\n";
    assert!(refused(files).contains("a source of files needs paths"));
    let loaded = load_with(files, &[("CAUCE_SOURCE__PATHS", "a.json,b/*.gz")], &[]).expect("a good file");
    assert!(matches!(loaded.settings.source, SourceSettings::Files { paths, .. } if paths == ["a.json", "b/*.gz"]));
    let stdin = good(&files.replace("files", "stdin"));
    assert!(matches!(stdin.settings.source, SourceSettings::Stdin { max_line_bytes: 16_777_216 }));
}

#[test]
fn a_missing_file_is_named_and_so_is_a_missing_lake() {
    let request = Request { toml: Some(PathBuf::from("no/such/cauce.toml")), ..Request::default() };
    let error = load(&request, &Outside::default()).expect_err("there is no file").to_string();
    assert!(error.starts_with("cannot read no/such/cauce.toml"), "{error}");
    assert!(refused("[source]\ntype = \"stdin\"\n").contains("lake.url is missing"));
}

#[test]
fn the_lake_alone_is_read_without_credentials_for_the_source() {
    let (_folder, request) = request("[source]\nbearer_token = \"${env:NOT_SET}\"\n[lake]\nurl = \"s3://bucket/x\"\n");
    let outside = Outside::with_variables([("CAUCE_LAKE__S3__REGION", "eu-west-1")]);
    let (lake, _) = load_lake(&request, &outside).expect("a good lake");
    assert_eq!(lake.url.to_string(), "s3://bucket/x");
    assert_eq!(lake.s3.region.as_deref(), Some("eu-west-1"));
}

#[test]
fn accounts_areas_and_languages_become_rules_and_what_v2_cannot_do_is_refused_with_the_reason() {
    let rules = |lines: &str| {
        let text = SMALL.replace("keywords = [\"cat\"]", lines);
        let SourceSettings::XV2(source) = good(&text).settings.source else { panic!("no x-v2") };
        source.rules.into_iter().map(|rule| rule.value).collect::<Vec<_>>()
    };
    assert_eq!(
        rules("keywords = [\"#cat\"]\nfollow = [\"@NASA\"]\nlanguages = [\"en\", \"es\"]"),
        ["(#cat OR from:NASA OR to:NASA OR retweets_of:NASA) (lang:en OR lang:es)"]
    );
    assert_eq!(rules("locations = [\"-105.3,39.96,-105.2,40.09\"]"), ["bounding_box:[-105.3 39.96 -105.2 40.09]"]);
    // Rules of one's own are X's language already.
    assert_eq!(rules("follow = [\"7\"]\nlanguages = [\"en\"]\nrules = [\"dog\"]")[1], "dog");
    for (lines, part) in [
        (
            "locations = [\"-122.75,36.8,-121.75,37.8\"]",
            "source.locations: the area -122.75,36.8,-121.75,37.8 is 55 by 69 miles",
        ),
        ("locations = [\"1,2,3\"]", "source.locations: holds 3 numbers"),
        ("languages = [\"en\"]", "source.languages: narrow what keywords"),
        ("keywords = [\"#a\"]\nlanguages = [\"zh-HK\"]", "source.languages: v2 has no language"),
        ("follow = [\"@123\"]", "source.follow: item 1: X reads a handle of digits alone as an id"),
        ("follow = [\"\"]", "source.follow: holds nothing"),
        ("sample = true\nkeywords = [\"#a\"]\nlanguages = [\"en\"]", "leave out source.keywords, source.languages"),
    ] {
        let error = refused(&SMALL.replace("keywords = [\"cat\"]", lines));
        assert!(error.contains("cauce.toml:") && error.contains(part), "{lines}: {error}");
    }
}

#[test]
fn v1_1_takes_areas_of_any_size_and_accounts_by_their_ids() {
    let keys = "consumer_key = \"a\"\nconsumer_secret = \"b\"\naccess_token = \"c\"\naccess_token_secret = \"d\"\ntype = \"x-v1\"";
    let v1 = |lines: &str| SMALL.replace("keywords = [\"cat\"]", &format!("{keys}\n{lines}"));
    let loaded = good(&v1("follow = [\"12\"]\nlocations = [\"-180,-90,180,90\"]\nlanguages = [\"en\"]"));
    let SourceSettings::XV1(source) = loaded.settings.source else { panic!("no x-v1") };
    assert_eq!((source.follow, source.locations.len(), source.languages), (vec![12], 1, vec!["en".to_owned()]));
    assert!(refused(&v1("follow = [\"@nasa\"]")).contains("v1.1 follows accounts by their ids"));
    assert!(refused(&v1("languages = [\"en\"]")).contains("narrow what keywords"));
    assert!(refused(&v1("sample = true\nfollow = [\"1\"]")).contains("leave out source.follow"));
}

#[test]
fn the_sample_stream_of_v2_needs_no_filter() {
    let SourceSettings::XV2(source) = good(&SMALL.replace("keywords = [\"cat\"]", "sample = true")).settings.source
    else {
        panic!("no x-v2")
    };
    assert!(source.sample && source.rules.is_empty());
}

#[test]
fn names_that_other_collectors_use_lead_to_the_setting() {
    for (name, known) in [
        ("track", "keywords"),
        ("lang", "languages"),
        ("language", "languages"),
        ("users", "follow"),
        ("accounts", "follow"),
        ("bounding_box", "locations"),
        ("location", "locations"),
        ("folow", "follow"),
    ] {
        let error = refused(&and("source", &format!("{name} = [\"x\"]")));
        assert!(error.contains(&format!("source.{name} is no setting (did you mean source.{known}?)")), "{error}");
    }
}

/// A token as X gives it, a key and a secret as AWS does, and a password without any form.
const PASTED: [&str; 4] = [
    "AAAAAAAAAAAAAAAAAAAAAMLheAAAAAAA0%2BuSeid%2BULvsea4JtiGRiSDSJSI%3DEUifiRBkKG5E2XzMDjRfl76ZC9Ub0wnz4XsNiRVBChTYbJcE3F",
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
];

/// Whatever knob a secret is pasted into, neither an error nor a printed configuration repeats it.
#[test]
fn a_secret_in_the_wrong_place_is_never_repeated() {
    let mut said = Vec::new();
    for secret in PASTED {
        let say = |loaded: Result<Loaded, String>| match loaded {
            Ok(loaded) => loaded.effective(true) + &loaded.settings.notices.join("\n"),
            Err(error) => error,
        };
        for knob in super::knobs::KNOBS.iter() {
            // As the value, by a file's line, a variable and a flag; and where a reference's name belongs.
            let (section, name) = knob.key.rsplit_once('.').expect("a section");
            said.push(say(load_with(SMALL, &[(&knob.variable(), secret)], &[])));
            said.push(say(load_with(SMALL, &[], &[(knob.key, secret)])));
            for value in [secret.to_owned(), format!("${{env:{secret}}}"), format!("${{file:{secret}}}")] {
                let line = match knob.kind {
                    super::knobs::Kind::List | super::knobs::Kind::Rules => format!("{name} = [\"{value}\"]"),
                    _ => format!("{name} = \"{value}\""),
                };
                let base =
                    SMALL.lines().filter(|line| !line.starts_with(&format!("{name} ="))).collect::<Vec<_>>().join("\n");
                let header = format!("[{section}]");
                let text = if base.contains(&header) {
                    base.replace(&header, &format!("{header}\n{line}"))
                } else {
                    format!("{base}\n{header}\n{line}\n")
                };
                said.push(say(load_with(&text, &[], &[])));
            }
        }
        let in_addresses = [
            format!("http://h.example:8333?key={secret}"),
            format!("http://ID:{secret}@h.example:8333"),
            format!("s3://ID:{secret}@bucket"),
            format!("{secret}://bucket"),
            format!("s3://{secret}/x"),
        ];
        for (key, address) in ["lake.s3.endpoint_url", "source.base_url", "lake.url"]
            .iter()
            .flat_map(|key| in_addresses.iter().map(move |address| (*key, address.as_str())))
        {
            said.push(say(load_with(SMALL, &[], &[(key, address)])));
        }
        // As a name of a setting, of a variable, of a section.
        said.push(say(load_with(&and("source", &format!("\"{secret}\" = 1")), &[], &[])));
        said.push(say(load_with(SMALL, &[(&format!("CAUCE_{secret}"), "x")], &[])));
        said.push(say(load_with(SMALL, &[], &[(secret, "x"), ("", secret)])));
    }
    assert!(said.len() > 1_000);
    for text in said {
        for secret in PASTED {
            let pieces = secret.split(['/', '%']).filter(|piece| piece.len() > 12);
            assert!(
                pieces.clone().all(|piece| !text.contains(piece) && !text.contains(&piece.to_lowercase())),
                "{text}"
            );
        }
    }
}
