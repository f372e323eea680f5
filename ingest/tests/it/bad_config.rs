//! Configuration that cannot work: exit code 2, the file, line or key named, what to do said, nothing made.

use crate::program::Place;
use crate::seed::{LINE, seed};

/// A stream's configuration that is good.
const GOOD: &str = "\
[source]
type = \"x-v2\"
bearer_token = \"planted\"
keywords = [\"#cat\"]
[lake]
url = \"lake\"
";

#[test]
fn each_mistake_is_named_with_its_place_and_what_to_do() {
    let good = |more: &str| format!("{GOOD}{more}\n");
    let cases: &[(&str, String, &[&str])] = &[
        ("an unknown key", good("frobnicate = 1"), &["cauce.toml:7", "lake.frobnicate is no setting"]),
        ("a typo", good("compresion = \"gzip\""), &["cauce.toml:7", "did you mean lake.compression?"]),
        ("an unknown section", good("[laek]\nurl = \"x\""), &["cauce.toml:7", "laek"]),
        ("a wrong type", good("roll_count = \"many\""), &["cauce.toml:7", "lake.roll_count"]),
        ("a wrong unit", good("roll_interval = \"5 parsecs\""), &["cauce.toml:7", "lake.roll_interval"]),
        ("a wrong word", good("compression = \"snappy\""), &["cauce.toml:7", "gzip", "zstd"]),
        ("no TOML", good("roll_count ="), &["cauce.toml:7"]),
        ("a pattern without an hour", good("pattern = \"%Y-%m-%d\""), &["cauce.toml:7", "lake.pattern"]),
        ("an unknown escape", good("pattern = \"%m-%d-%H-%Q\""), &["cauce.toml:7", "lake.pattern", "%Q"]),
        ("a pattern that leaves", good("pattern = \"../%m-%d-%H\""), &["cauce.toml:7", "lake.pattern"]),
        ("a zone that is none", good("time_zone = \"Asia/Tokio\""), &["cauce.toml:7", "lake.time_zone"]),
        ("a zone with summer time", good("time_zone = \"Europe/Madrid\""), &["lake.time_zone", "%z"]),
        ("no lake", GOOD.replace("url = \"lake\"", ""), &["lake.url"]),
        ("no source of credentials", GOOD.replace("bearer_token = \"planted\"", ""), &["X_BEARER_TOKEN"]),
        ("nothing to look for", GOOD.replace("keywords = [\"#cat\"]", ""), &["source.keywords"]),
        (
            "plain http to elsewhere",
            GOOD.replace("[lake]", "base_url = \"http://api.example.com\"\n[lake]"),
            &["cauce.toml:5", "source.base_url", "https://"],
        ),
        (
            "a secret that is nowhere",
            GOOD.replace("planted", "${env:NO_SUCH_TOKEN}"),
            &["cauce.toml:3", "NO_SUCH_TOKEN"],
        ),
        ("a secret's file that is nowhere", GOOD.replace("planted", "${file:no/such}"), &["cauce.toml:3", "no/such"]),
    ];
    for (what, text, parts) in cases {
        let place = Place::new();
        place.write("cauce.toml", text);
        for command in ["run", "check"] {
            let ended = place.ingest(command);
            assert_eq!(ended.code, Some(2), "{what}: {}", ended.err);
            for part in *parts {
                assert!(ended.err.contains(part), "{what}: {part} is missing in {}", ended.err);
            }
            assert!(!ended.err.contains("planted"), "{what}: {}", ended.err);
        }
        assert!(!place.path("spool").exists() && !place.path("lake").exists(), "{what}: something was made");
    }
}

#[test]
fn the_good_one_is_good() {
    let place = Place::new();
    place.write("cauce.toml", GOOD);
    assert!(place.done("check").out.contains("The configuration is good."));
}

#[test]
fn a_variable_and_a_flag_are_named_as_such() {
    let mut place = Place::new();
    place.write("cauce.toml", GOOD).path("");
    place.set("CAUCE_LAKE__COMPRESION", "gzip");
    let ended = place.ingest("check");
    assert!(ended.err.contains("CAUCE_LAKE__COMPRESION"), "{}", ended.err);
    let place = Place::new();
    place.write("cauce.toml", GOOD);
    let ended = place.ingest("run --set lake.roll_count=many");
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("lake.roll_count") && ended.err.contains("--set"), "{}", ended.err);
}

#[test]
fn a_configuration_that_is_missing_or_unreadable_is_named() {
    let place = Place::new();
    place.write("folder.toml/x", "");
    for (line, parts) in [
        ("run -c none.toml", &["none.toml", "No such file"][..]),
        ("run -c folder.toml", &["folder.toml"]),
        ("run -n A -f none.conf", &["none.conf", "No such file"]),
        ("check -c none.toml", &["none.toml", "No such file"]),
    ] {
        let ended = place.ingest(line);
        assert_eq!(ended.code, Some(2), "{line}: {}", ended.err);
        assert!(parts.iter().all(|part| ended.err.contains(part)), "{line}: {}", ended.err);
    }
}

#[test]
fn files_to_read_that_are_not_there_are_named() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).expect("a folder is made");
    for (path, part) in
        [("none.json", "No such file"), ("none/*.json", "no file matches"), ("empty", "no file in the folder")]
    {
        let text = format!("[source]\ntype = \"files\"\npaths = [\"{path}\"]\n[lake]\nurl = \"lake\"\n");
        place.write("cauce.toml", text);
        let ended = place.ingest("run");
        assert_eq!(ended.code, Some(2), "{path}: {}", ended.err);
        let last = ended.err.lines().last().expect("a line");
        assert!(last.contains("source.paths") && last.contains(path) && last.contains(part), "{last}");
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "a test that does not run must say so")]
fn a_file_without_the_right_to_read_it_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    if rustix::process::geteuid().is_root() {
        println!("skipped: root may read everything");
        return;
    }
    let place = Place::new();
    place.write("archive/a.json", "").write("cauce.toml", GOOD);
    for file in ["archive/a.json", "cauce.toml"] {
        std::fs::set_permissions(place.path(file), std::fs::Permissions::from_mode(0o000)).expect("the file is ours");
    }
    for line in ["run", "run -c /dev/null --source files --lake lake --set source.paths=archive/a.json"] {
        let ended = place.ingest(line);
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        assert!(ended.err.contains("ermission denied"), "{}", ended.err);
    }
}

#[test]
fn mistakes_in_a_twitter_conf_name_its_line() {
    let sink = "TwitterAgent.sinks.s3hdfs.";
    for (what, more, part) in [
        ("snappy", "hdfs.fileType = CompressedStream\nTwitterAgent.sinks.s3hdfs.hdfs.codeC = snappy", "snappy"),
        ("a channel that is not there", "channel = Other", "Other"),
        ("an interval that is no number", "hdfs.rollInterval = soon", "rollInterval"),
    ] {
        let place = Place::new();
        let conf = seed().replace("<aws-access-key-id>:<aws-secret-access-key>@<bucket>", "bucket");
        place.write("twitter.conf", format!("{conf}\n{sink}{more}\n"));
        let line: Vec<&str> = LINE.split(' ').collect();
        let ended = crate::program::Program::start(place.command(place.flume_ng(), &line)).end();
        assert_eq!(ended.code, Some(2), "{what}: {}", ended.err);
        assert!(ended.err.contains("twitter.conf") && ended.err.contains(part), "{what}: {}", ended.err);
    }
}

/// Pasted where a name, a value or an address belongs: neither `check` nor `run` repeats it.
#[test]
fn a_secret_in_the_wrong_place_is_not_repeated_by_any_command() {
    const TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAMLheAAAAAAA0uSeidULvsea4JtiGRiSDSJSIEUifiRBkKG5E2XzMDjRfl76";
    let cases = [
        ("a token in place of a variable's name", GOOD.replace("planted", &format!("${{env:{TOKEN}}}")), ""),
        ("a password in place of a variable's name", GOOD.replace("planted", "${env:planted hush}"), ""),
        ("a token in place of a file's name", GOOD.replace("planted", &format!("${{file:{TOKEN}}}")), ""),
        (
            "a key in an endpoint's query",
            format!("{GOOD}[lake.s3]\nendpoint_url = \"http://h.example:1?key={TOKEN}\"\n"),
            "",
        ),
        (
            "a token as a keyword that is too long",
            GOOD.replace("#cat", &format!("{TOKEN} cat")),
            " --set source.max_rule_length=64",
        ),
        ("a token as an interval", format!("{GOOD}roll_interval = \"{TOKEN}\"\n"), ""),
        (
            "a token as an option",
            GOOD.to_owned(),
            " --set AAAAAAAAAAAAAAAAAAAAAMLheAAAAAAA0uSeidULvsea4JtiGRiSDSJSIEUifiRBkKG5E2XzMDjRfl76",
        ),
        (
            "a token as an argument",
            GOOD.to_owned(),
            " AAAAAAAAAAAAAAAAAAAAAMLheAAAAAAA0uSeidULvsea4JtiGRiSDSJSIEUifiRBkKG5E2XzMDjRfl76",
        ),
    ];
    for (what, text, more) in cases {
        for command in ["run", "check"] {
            let place = Place::new();
            place.write("cauce.toml", &text);
            let ended = place.ingest(&format!("{command}{more}"));
            assert_eq!(ended.code, Some(2), "{what}: {}", ended.err);
            for said in [&ended.err, &ended.out] {
                assert!(!said.contains(&TOKEN[20..]) && !said.contains("hush"), "{what}: {said}");
            }
        }
    }
    // A keyword that is taken is shown by its length.
    let place = Place::new();
    place.write("cauce.toml", GOOD.replace("#cat", TOKEN));
    let shown = place.done("check --all");
    assert!(shown.out.contains("one of them has the form of a token or key"), "{}", shown.out);
    assert!(shown.out.contains("characters, not shown") && !shown.out.contains(&TOKEN[20..]), "{}", shown.out);
}

#[test]
fn a_spool_and_a_local_lake_on_one_disk_are_said() {
    let place = Place::new();
    place.write("cauce.toml", GOOD);
    let said = "are on one file system";
    assert!(place.done("check").out.contains(said));
    assert!(!place.done("check --spool-dir /proc/spool").out.contains(said));
    assert!(!place.done("check --lake s3://bucket/x").out.contains(said));
}

#[test]
fn check_and_run_need_no_name_where_the_file_holds_one_agent() {
    let conf = seed().replace("<aws-access-key-id>:<aws-secret-access-key>@<bucket>", "bucket");
    let place = Place::new();
    place.write("twitter.conf", &conf);
    let line = "check -f twitter.conf --set lake.url=lake";
    let mut place = place;
    place.set("X_BEARER_TOKEN", "planted");
    assert!(place.done(line).out.contains("agent     twitteragent"));
    place.write("twitter.conf", format!("{conf}\nOther.sources = a\n"));
    for command in ["check", "run"] {
        let ended = place.ingest(&format!("{command} -f twitter.conf"));
        assert_eq!(ended.code, Some(2));
        assert!(ended.err.contains("it holds several agents, Other, TwitterAgent: give -n NAME"), "{}", ended.err);
    }
}
