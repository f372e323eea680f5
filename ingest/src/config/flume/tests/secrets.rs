//! Whatever is wrong in a `twitter.conf`: nothing panics, and no secret is ever repeated.

use super::*;

/// Neither what is said, nor what is printed, nor any error holds a secret, whatever else is wrong in the file.
#[test]
fn no_secret_is_ever_repeated() {
    let loaded = good(&with_wiring(&filled_in()));
    let mut texts = vec![
        format!("{:?}", loaded.settings),
        format!("{loaded:?}"),
        loaded.effective(true),
        loaded.settings.notices.join("\n"),
    ];
    let lines = with_wiring(&filled_in());
    // Each line in turn is broken in several ways.
    for at in 0..lines.lines().count() {
        for damage in ["", "\\u12 ", "x", "-"] {
            let broken: String = lines
                .lines()
                .enumerate()
                .map(|(line, text)| match (line == at, damage) {
                    (false, _) => format!("{text}\n"),
                    (true, "") => String::new(),
                    (true, "-") => format!("{}\n", text.replace([':', '@', '='], "")),
                    (true, _) => format!("{text}{damage}\n"),
                })
                .collect();
            match load_with(&broken, "TwitterAgent", &[], &[]) {
                Ok(loaded) => texts.push(format!("{:?}\n{}", loaded.settings, loaded.effective(true))),
                Err(error) => texts.push(error),
            }
        }
    }
    assert!(texts.len() > 80);
    for text in texts {
        assert!(!text.to_lowercase().contains("plant"), "{text}");
    }
}

/// A line of a file, often a sensible one.
fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "a.sources",
        "a.channels",
        "a.sinks",
        "a.sources.s.type",
        "a.sources.s.channels",
        "a.sources.s.keywords",
        "a.channels.c.type",
        "a.channels.c.capacity",
        "a.sinks.k.type",
        "a.sinks.k.channel",
        "a.sinks.k.hdfs.path",
        "a.sinks.k.hdfs.fileType",
        "a.sinks.k.hdfs.round",
        "a.sinks.k.hdfs.roundValue",
        "a.sources.s.interceptors",
        "a.sources.s.interceptors.i.type",
        "a..",
        ".",
        "a.configfilters",
        "",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec![
            "s",
            "c",
            "k",
            "memory",
            "hdfs",
            "com.cloudera.flume.source.TwitterSource",
            "x",
            "10",
            "true",
            "DataStream",
            "s3n://K:S@bucket/%m-%d-%h",
            "file:///tmp/%Y",
            "${a.sinks}",
            "${env:X:-y}",
            "i",
            "static",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,20}",
        "[%@:/<>a-z]{0,20}",
    ];
    (key, value).prop_map(|(key, value)| format!("{key} = {value}\n"))
}

proptest! {
    /// Whatever a file holds, it is read or refused.
    #[test]
    fn no_file_makes_it_panic(lines in proptest::collection::vec(line(), 0..30)) {
        let _ = load_with(&lines.concat(), "a", &[("X_BEARER_TOKEN", "t")], &[]);
    }
}
