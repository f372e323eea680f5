//! Lines that are rejected, from outside: what a run says of them, what counts them, what shows them, what takes them back.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::corpus::{BEGIN_MS, joined, snowflake, v2};
use crate::files;
use crate::lake::Lake;
use crate::program::{Ended, INGEST, Place, Program};
use crate::simulator::Simulator;
use crate::streams;

fn lake(place: &Place) -> Lake {
    Lake::folder(&place.path("lake"))
}

fn tweet(n: u64) -> Vec<u8> {
    v2(BEGIN_MS + 1000 * n.cast_signed(), snowflake(BEGIN_MS, n), "text").into_bytes()
}

/// The last line of a run's log that says what it did.
fn done(ended: &Ended) -> &str {
    ended.err.lines().rfind(|line| line.contains("INFO  done ")).unwrap_or_else(|| panic!("{}", ended.err))
}

fn stdin(place: &Place) {
    place.write("cauce.toml", "[source]\ntype = \"stdin\"\n[lake]\nurl = \"lake\"\npartition_by = \"created_at\"\n");
}

/// Runs a shell's line in which `ingest` is the program.
fn shell(place: &Place, line: &str) -> Ended {
    let script = line.replace("ingest ", &format!("{INGEST} "));
    Program::start(place.command("/bin/sh", &["-c", &script])).end()
}

#[test]
fn a_run_says_how_many_lines_it_rejected_where_the_first_one_is_and_how_to_look_at_them() {
    let place = files::place("");
    let delete = b"{\"delete\":{\"status\":{\"id\":3,\"user_id\":4}}}".to_vec();
    let lines =
        [tweet(1), delete, b"[1]".to_vec(), b"no JSON".to_vec(), b"no JSON either".to_vec(), tweet(2), tweet(1)];
    place.write("archive/a.json", joined(&lines));
    let ended = place.done("run");
    let counts = ["tweets", "messages", "duplicates", "late", "rejects"].map(|name| ended.number(name));
    assert_eq!(counts, [2, 1, 1, 0, 3]);
    let done = done(&ended);
    assert!(done.contains("archive/a.json line 3: neither a tweet nor a known message"), "{done}");
    assert!(done.contains("ingest rejects"), "{done}");
    let warned: Vec<&str> = ended.err.lines().filter(|line| line.contains("line rejected")).collect();
    assert_eq!(warned.len(), 2, "one line for each kind: {}", ended.err);
    assert!(warned[1].contains("a.json line 4") && warned[1].contains("WARN"), "{}", warned[1]);
    let [hour] = &lake(&place).manifests().into_iter().collect::<Vec<_>>()[..] else { panic!("one hour") };
    assert_eq!(hour.1["rejects"], 3);
    let table = place.done("hours").out;
    let row: Vec<&str> = table.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(row.last(), Some(&"3"), "{table}");
}

#[test]
fn a_run_that_found_no_tweet_and_rejected_lines_fails() {
    let place = files::place("");
    place.write("archive/a.json", "{\"hello\":1}\n{\"hello\":2}\n");
    let ended = place.ingest("run");
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let last = ended.err.lines().last().expect("a line");
    assert!(
        last.contains("2 were rejected") && last.contains("a.json line 1: neither a tweet nor a known message"),
        "{last}"
    );
    // They are kept all the same, and the file is read.
    assert_eq!(lake(&place).rejects().len(), 2);
    assert_eq!(place.done("run").number("rejects"), 0);
}

#[test]
fn with_on_reject_fail_a_file_ends_at_its_first_reject_and_goes_on_there_when_it_is_corrected() {
    let place = files::place("");
    let mut lines = vec![tweet(1), tweet(2), b"broken".to_vec(), tweet(3)];
    place.write("archive/a.json", joined(&lines));
    for _ in 0..2 {
        let ended = place.ingest("run --set source.on_reject=fail");
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        let last = ended.err.lines().last().expect("a line");
        assert!(last.contains("a.json line 3: not JSON at byte 0") && last.contains("on_reject"), "{last}");
    }
    assert!(lake(&place).rejects().is_empty(), "the file still has it");
    lines[2] = tweet(9);
    place.write("archive/a.json", joined(&lines));
    place.done("run --set source.on_reject=fail");
    let mut stored = lake(&place).lines();
    stored.sort();
    lines.sort();
    assert_eq!(stored, lines);
}

#[test]
fn with_on_reject_fail_standard_input_ends_and_what_was_read_is_kept() {
    let place = Place::new();
    stdin(&place);
    place.write("input", joined(&[tweet(1), b"broken".to_vec(), tweet(2)]));
    let ended = shell(&place, "ingest run --set source.on_reject=fail < input");
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.lines().last().expect("a line").contains("standard input line 2"), "{}", ended.err);
    assert_eq!(lake(&place).rejects().len(), 1);
    place.done("close");
    assert_eq!(lake(&place).lines(), [tweet(1)]);
}

#[test]
fn rejects_are_shown_to_people_and_to_programs_by_the_hour_that_counts_them() {
    let place = files::place("");
    let later = v2(BEGIN_MS + 3_600_000, snowflake(BEGIN_MS + 3_600_000, 1), "text").into_bytes();
    let lines = [tweet(1), b"\xff\xfe\x1b[31m".to_vec(), later, b"{\"hello\":1}".to_vec()];
    place.write("archive/a.json", joined(&lines));
    place.done("run");
    let all = place.done("rejects").out;
    assert!(all.contains("a.json line 2") && all.contains("not UTF-8 at byte 0; 7 bytes"), "{all}");
    assert!(all.contains("\\xff\\xfe\\u{1b}[31m"), "{all}");
    assert!(all.ends_with("2 rejects\n"), "{all}");
    let second = place.done("rejects 2025-11-20T06 --json").out;
    let reject: Value = serde_json::from_str(&second).expect("one object");
    assert_eq!((&reject["hour"], &reject["length"]), (&json!("2025-11-20T06"), &json!(11)));
    assert_eq!(place.done("rejects --raw 2025-11-20T06").out, "{\"hello\":1}\n");
    assert_eq!(place.done("rejects --raw 2025-11-20T07").out, "");
}

/// A stored line of the rejects.
fn kept(line: &[u8]) -> Vec<u8> {
    let bytes = base64::engine::general_purpose::STANDARD.encode(line);
    json!({"received_at": "2025-11-20T05:30:00Z", "hour": "2025-11-20T05", "length": line.len(), "bytes": bytes,
        "reason": "neither a tweet nor a known message", "source": "connection 1 line 7"})
    .to_string()
    .into_bytes()
}

fn sorted(mut lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    lines.sort();
    lines
}

#[test]
fn what_a_later_version_can_read_goes_back_from_the_rejects_into_its_hour_once() {
    let place = Place::new();
    stdin(&place);
    place.write("input", joined(&[tweet(1)]));
    assert_eq!(shell(&place, "ingest run < input").code, Some(0));
    // What an earlier version kept that knew neither this form of a tweet nor this message, and a line that is neither for
    // this one.
    let warning = b"{\"warning\":{\"code\":\"FALLING_BEHIND\",\"message\":\"m\",\"percent_full\":60}}";
    let lines = [kept(&tweet(2)), kept(b"nonsense"), kept(warning), kept(&tweet(1))];
    place.write("lake/rejects/2025-11-20/rejects.1763616600000.jsonl", joined(&lines));
    let first = place.done("rejects --requeue").out;
    assert_eq!(
        first,
        "1 tweets (1 late) and 1 messages requeued; 1 tweets were stored before\n\
         0 lines were requeued before, 1 cannot be read, 0 were cut when they were kept\n"
    );
    let manifests = lake(&place).manifests();
    assert_eq!(manifests["2025-11-20T05.late-1"]["message_counts"], json!({"warning": 1}));
    // Without dedupe too.
    let second = place.done("rejects --requeue --set dedupe.window=0").out;
    let expected = "0 tweets (0 late) and 0 messages requeued; 0 tweets were stored before\n\
                    3 lines were requeued before, 1 cannot be read, 0 were cut when they were kept\n";
    assert_eq!(second, expected);
    assert_eq!(sorted(lake(&place).lines()), [tweet(1), tweet(2)], "its hour is closed, so one is late");
    assert_eq!(lake(&place).rejects().len(), 4, "objects never change, and nothing is rejected again");
}

#[test]
fn a_line_that_a_setting_made_a_reject_is_requeued_with_another_setting_by_its_hour() {
    let place = files::place("");
    // From before the ids that hold a time: by `created_at` nothing says which hour it belongs to.
    let old = b"{\"id\":20,\"id_str\":\"20\",\"text\":\"just setting up\",\"user\":{\"id\":1}}".to_vec();
    place.write("archive/a.json", joined(&[tweet(1), old.clone(), b"broken".to_vec()]));
    assert_eq!(place.done("run --set lake.partition_by=created_at").number("rejects"), 2);
    let requeued = |arguments: &str| {
        let ended = place.done(&format!("rejects --requeue --set lake.partition_by={arguments}"));
        (ended.number("tweets"), ended.number("rejects"))
    };
    assert_eq!(requeued("created_at"), (0, 0), "it still has no time");
    assert_eq!(requeued("received_at 2025-11-20T04"), (0, 0), "it is of another hour");
    assert_eq!(requeued("received_at 2025-11-20T05"), (1, 0));
    assert_eq!(requeued("received_at"), (0, 0));
    assert_eq!(lake(&place).rejects().len(), 2);
    assert_eq!(lake(&place).lines().iter().filter(|line| **line == old).count(), 1);
}

#[test]
fn rejects_are_not_requeued_while_an_agent_has_the_spool() {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 10");
    let place = streams::place(streams::V2, &simulator, "");
    place.write("lake/rejects/2025-11-20/rejects.1763616600000.jsonl", joined(&[kept(&tweet(2))]));
    let agent = place.start("run");
    agent.line("the lake is ours");
    let refused = place.ingest("rejects --requeue");
    assert_ne!(refused.code, Some(0));
    let last = refused.err.lines().last().expect("a line");
    assert!(last.contains("spool") && last.contains("another"), "{last}");
    assert_eq!(agent.stop().code, Some(0));
    // It needs no credentials of X, and does not connect.
    assert_eq!(place.done("rejects --requeue").number("tweets"), 1);
}

#[test]
fn a_line_of_millions_of_bytes_is_kept_whole_and_where_it_is_cut_the_log_says_what_is_lost() {
    let long = format!("{{\"no\":\"{}\"}}", "x".repeat(4_700_000 - 9)).into_bytes();
    assert_eq!(long.len(), 4_700_000);
    let place = files::place("");
    place.write("archive/a.json", joined(&[tweet(1), long.clone()]));
    place.done("run");
    let [reject] = &lake(&place).rejects()[..] else { panic!("one reject") };
    assert_eq!(reject["reason"], "neither a tweet nor a known message");
    assert_eq!(place.done("rejects --raw").out.as_bytes(), joined(std::slice::from_ref(&long)));

    let place = files::place("");
    place.write("archive/a.json", joined(&[tweet(1), long]));
    let ended = place.done("run --set source.max_line_bytes=1MiB");
    let warned = ended.err.lines().find(|line| line.contains("line rejected")).expect("a warning");
    assert!(warned.contains("bytes=4700000") && warned.contains("lost_bytes=4634464"), "{warned}");
    let raw = place.done("rejects --raw");
    assert!(raw.out.is_empty() && raw.err.contains("left out: 1 line"), "{}", raw.err);
}

#[test]
fn a_lake_whose_rules_have_changed_says_so_at_start() {
    let place = files::place("");
    place.write("archive/a.json", joined(&[tweet(1)]));
    let first = place.done("run");
    assert!(!first.err.contains("rules have changed"), "{}", first.err);
    let second = place.done("run --set lake.partition_by=received_at --set lake.pattern=%Y-%m-%d-%H");
    let warned = second.err.lines().find(|line| line.contains("rules have changed")).expect("a warning");
    for part in ["created_at", "received_at", "%m-%d-%h", "%Y-%m-%d-%H"] {
        assert!(warned.contains(part), "{warned}");
    }
    assert!(
        !place
            .done("run --set lake.partition_by=received_at --set lake.pattern=%Y-%m-%d-%H")
            .err
            .contains("rules have")
    );
}

#[test]
fn close_needs_no_source_closes_what_has_ended_and_exits() {
    let place = Place::new();
    stdin(&place);
    // A run that fails closes nothing: more of its input may come.
    place.write("input", joined(&[tweet(1), tweet(2), b"broken".to_vec()]));
    assert_eq!(shell(&place, "ingest run --set source.on_reject=fail < input").code, Some(1));
    assert!(lake(&place).manifests().is_empty());
    let x = "[source]\ntype = \"x-v2\"\nbearer_token = \"${env:NOT_THERE}\"\nkeywords = [\"a\"]\n";
    place.write("cauce.toml", format!("{x}[lake]\nurl = \"lake\"\npartition_by = \"created_at\"\n"));
    assert_eq!(place.done("close").out, "2025-11-20T05  closed  2 tweets\n1 hour closed, 0 stay open\n");
    assert_eq!(lake(&place).manifests()["2025-11-20T05"]["rejects"], 1);
    assert_eq!(place.done("close").out, "0 hours closed, 0 stay open\n");
}
