//! The built program as a person or a script meets it: names, exit codes, what is printed where, and no secret in it.

use std::path::Path;
use std::process::{Command, Output};

const SEED: &str = include_str!("../../src/config/flume/testdata/twitter.conf");
const PROGRAM: &str = env!("CARGO_BIN_EXE_ingest");

/// Runs a program in a folder with no variables but these.
fn call(program: &Path, folder: &Path, line: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program);
    command.args(line.split_whitespace()).current_dir(folder).env_clear().envs(variables.iter().copied());
    command.output().expect("the program starts")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn as_flume_ng_it_takes_the_old_agents_file_and_line() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let link = folder.path().join("flume-ng");
    std::os::unix::fs::symlink(PROGRAM, &link).expect("link made");
    let conf = SEED
        .replace("<twitter-consumer-key>", "plant-a")
        .replace("<twitter-consumer-secret>", "plant-b")
        .replace("<aws-access-key-id>", "PLANTC")
        .replace("<aws-secret-access-key>", "plant/d")
        .replace("<bucket>", "tweets-bucket");
    std::fs::write(folder.path().join("twitter.conf"), conf).expect("file written");
    let line = "agent -n TwitterAgent -c conf -f twitter.conf -Dflume.root.logger=INFO,console --dryrun";
    let output = call(&link, folder.path(), line, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let text = out(&output) + &err(&output);
    for part in
        ["lake      s3://tweets-bucket\n", "rule      @realdonaldtrump OR #trump\n", "at 30s of age", "no such folder"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.to_lowercase().contains("plant"), "{text}");
}

#[test]
fn as_flume_ng_it_fails_with_a_code_where_flume_exits_with_0() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let link = folder.path().join("flume-ng");
    std::os::unix::fs::symlink(PROGRAM, &link).expect("link made");
    std::fs::write(folder.path().join("twitter.conf"), SEED).expect("file written");
    for (line, part) in [
        ("agent -n TwitterAgent -f none.conf", "cannot read none.conf"),
        ("agent -f twitter.conf", "give -n NAME"),
        ("agent -n Other -f twitter.conf", "it holds TwitterAgent"),
        ("agent -n TwitterAgent -f twitter.conf", "set X_CONSUMER_KEY"),
        ("agent -n A -z zookeeper:2181", "not from ZooKeeper"),
        ("frob", "must be agent, version or help"),
    ] {
        let output = call(&link, folder.path(), line, &[]);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(err(&output).contains(part), "{line}: {}", err(&output));
    }
    assert_eq!(call(&link, folder.path(), "help", &[]).status.code(), Some(0));
}

#[test]
fn check_says_what_is_wrong_on_standard_error_and_exits_with_2() {
    let folder = tempfile::tempdir().expect("temporary folder");
    std::fs::write(folder.path().join("cauce.toml"), "[lake]\nurl = \"lake\"\npatern = \"%m\"\n")
        .expect("file written");
    let output = call(Path::new(PROGRAM), folder.path(), "check --source stdin", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(err(&output), "ingest: cauce.toml:3: lake.patern is no setting (did you mean lake.pattern?)\n");
    assert_eq!(out(&output), "");
}

#[test]
fn check_shows_what_is_in_force_and_makes_nothing_on_disk() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let variables = [
        ("CAUCE_LAKE__URL", "lake"),
        ("CAUCE_SOURCE__KEYWORDS", "#cat"),
        ("X_BEARER_TOKEN", "plant"),
        // What is set to nothing counts as not set.
        ("CAUCE_CONFIG", ""),
        ("CAUCE_LOG", ""),
        ("CAUCE_LOG_FORMAT", ""),
        ("CAUCE_SPOOL__DIR", ""),
    ];
    let output = call(Path::new(PROGRAM), folder.path(), "check --set lake.compression=zstd", &variables);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let text = out(&output);
    for part in [
        "rule      #cat\n",
        "source.bearer_token = (hidden)",
        "# X_BEARER_TOKEN",
        "# --set",
        "The configuration is good.\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!(text + &err(&output)).contains("plant"));
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder read").count(), 0);
}

#[test]
fn a_command_that_is_not_there_is_a_usage_error() {
    let folder = tempfile::tempdir().expect("temporary folder");
    assert_eq!(call(Path::new(PROGRAM), folder.path(), "chek", &[]).status.code(), Some(2));
    let secret = call(Path::new(PROGRAM), folder.path(), "check --set source.bearer_token=plant", &[]);
    assert_eq!(secret.status.code(), Some(2));
    assert!(!err(&secret).contains("plant"));
}
