//! Trouble around an agent that must not touch it: a log that is not read, idle connections to its pages, a lost terminal.

use std::fs::{self, File};
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::http::{metric, page, text};
use crate::lake::Lake;
use crate::program::{INGEST, PATIENCE, Place, Program, until, words};
use crate::simulator::Simulator;
use crate::streams::{V2, place};

/// Objects of few tweets, each with lines in the log: more than any pipe holds.
const TALKATIVE: &str = "roll_count = 5";

/// What a pipe holds.
const PIPE_BYTES: usize = 64 << 10;

/// Beyond the drain: what the agent may need to commit once more, to give up on its log and to end.
const LEAVING: Duration = Duration::from_secs(10);

fn talkative(place: &Place) -> Command {
    place.command(INGEST, &words("--log-level debug run"))
}

fn objects(place: &Place) -> usize {
    Lake::folder(&place.path("lake")).keys().iter().filter(|key| key.contains("/tweets.")).count()
}

/// Lets an agent run whose log goes to `stderr`, until it has written many lines, and stops it.
fn runs_on_and_stops(what: &str, stderr: impl Into<Stdio>) {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 500");
    let place = place(V2, &simulator, TALKATIVE);
    let agent = Program::with_stderr(talkative(&place), stderr);
    until(&format!("objects are stored with {what}"), || (objects(&place) > 100).then_some(()));
    let began = Instant::now();
    let ended = agent.stop();
    assert_eq!((ended.code, ended.signal), (Some(0), None), "{what}");
    assert!(began.elapsed() < LEAVING, "{what}: {:?}", began.elapsed());
}

/// A pipe without room for another byte.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut filling = writer.try_clone().expect("another end");
    // Ends at the latest when the reader is gone.
    std::thread::spawn(move || {
        let filled = filling.write_all(&[b'\n'; PIPE_BYTES]);
        drop(filled);
    });
    until("the pipe is full", || {
        let ready = rustix::io::ioctl_fionread(&reader).expect("a pipe");
        (ready >= PIPE_BYTES as u64).then_some(())
    });
    (reader, writer)
}

#[test]
fn a_log_into_a_closed_pipe_ends_nothing() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    runs_on_and_stops("a closed pipe", writer);
}

#[test]
fn a_log_onto_a_full_disk_ends_nothing() {
    runs_on_and_stops("a full disk", File::options().write(true).open("/dev/full").expect("the device"));
}

#[test]
fn a_log_into_a_pipe_that_nobody_reads_blocks_nothing() {
    let (reader, writer) = full_pipe();
    runs_on_and_stops("a full pipe", writer);
    drop(reader);
}

#[test]
fn a_failure_is_said_in_bounded_time_where_nobody_reads() {
    let (reader, writer) = full_pipe();
    let place = Place::new();
    let began = Instant::now();
    let ended = Program::with_stderr(place.command(INGEST, &words("run -c missing.toml")), writer).end();
    assert_eq!(ended.code, Some(2));
    assert!(began.elapsed() < LEAVING, "{:?}", began.elapsed());
    drop(reader);
}

#[test]
fn a_hangup_drains_as_sigterm_does() {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 200");
    let place = place(V2, &simulator, "");
    let agent = place.start("run");
    let status = agent.status();
    until("tweets are accepted", || (metric(&status, "cauce_records_accepted_total") >= 20.0).then_some(()));
    agent.signal(Signal::HUP);
    let ended = agent.end();
    assert_eq!((ended.code, ended.signal), (Some(0), None), "{}", ended.err);
    assert_eq!(ended.number("left_in_spool"), 0);
    assert!(ended.err.contains("SIGHUP"), "{}", ended.err);
}

#[test]
fn a_hangup_that_nohup_ignores_stays_ignored() {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 200");
    let place = place(V2, &simulator, "");
    let agent = Program::start(place.command("/bin/sh", &["-c", &format!("trap '' HUP; exec {INGEST} run")]));
    let status = agent.status();
    until("tweets are accepted", || (metric(&status, "cauce_records_accepted_total") >= 20.0).then_some(()));
    agent.signal(Signal::HUP);
    let before = metric(&status, "cauce_records_accepted_total");
    until("more is accepted", || (metric(&status, "cauce_records_accepted_total") > before + 20.0).then_some(()));
    let ended = agent.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(!ended.err.contains("SIGHUP"), "{}", ended.err);
}

/// Opens so many connections; half of them send the beginning of a request.
fn sit_on(address: &str, connections: usize) -> Vec<TcpStream> {
    let connect = |number: usize| {
        let mut stream = TcpStream::connect_timeout(&address.parse().expect("an address"), PATIENCE).ok()?;
        if number.is_multiple_of(2) {
            // One that is closed already is one less.
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ").ok()?;
        }
        Some(stream)
    };
    (0..connections).filter_map(connect).collect()
}

/// Files that a process has open.
fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("the process runs").count()
}

fn soft_and_hard(pid: u32) -> (String, String) {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("the process runs");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a line").to_owned();
    let mut numbers = line.split_whitespace().skip(3).map(str::to_owned);
    (numbers.next().expect("the soft limit"), numbers.next().expect("the hard limit"))
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_it_may_be() {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 200");
    let place = place(V2, &simulator, "");
    let agent = Program::start(place.command("/bin/sh", &["-c", &format!("ulimit -Sn 64; exec {INGEST} run")]));
    agent.status();
    let (soft, hard) = soft_and_hard(agent.pid());
    assert_eq!(soft, hard);
    assert_ne!(soft, "64");
    assert_eq!(agent.stop().code, Some(0));
}

#[test]
fn idle_connections_to_the_status_pages_do_not_touch_the_agent() {
    let stand_in = Place::new();
    let simulator = Simulator::start(&stand_in, "--rate 200");
    let mut place = place(V2, &simulator, "roll_count = 20\n[status]\nflume_listen = \"127.0.0.1:0\"");
    place.set("CAUCE_LOG", "debug");
    // Too few files for all that come.
    let agent = Program::start(place.command("/bin/sh", &["-c", &format!("ulimit -n 250; exec {INGEST} run")]));
    let status = agent.status();
    let flume = agent.line("Flume's JSON").split("address=").nth(1).expect("an address").trim().to_owned();
    let address = |url: &str| url.strip_prefix("http://").expect("our own URL").to_owned();
    let idle = [sit_on(&address(&status), 400), sit_on(&address(&flume), 400)];
    // A whole request is answered at once.
    let began = Instant::now();
    let before = metric(&status, "cauce_objects_stored_total");
    assert!(text(&format!("{flume}/metrics")).contains("ChannelSize"));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(open_files(agent.pid()) < 250, "{}", open_files(agent.pid()));
    until("objects go on", || (metric(&status, "cauce_objects_stored_total") > before + 5.0).then_some(()));
    // Idle connections are closed within seconds.
    until("the idle connections are closed", || {
        let is_gone = |mut stream: &TcpStream| {
            stream.set_read_timeout(Some(Duration::from_millis(1))).expect("a socket");
            !matches!(stream.read(&mut [0; 512]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
        };
        idle.iter().flatten().all(is_gone).then_some(())
    });
    let ended = agent.stop();
    assert_eq!((ended.code, ended.number("left_in_spool")), (Some(0), 0), "{}", ended.err);
    drop(idle);
}

#[test]
fn idle_connections_to_the_simulator_end_no_stream() {
    let stand_in = Place::new();
    let line = "simulate --listen 127.0.0.1:0 --rate 200 --truth truth.txt";
    let script = format!("ulimit -n 1500; exec {INGEST} {line}");
    let simulator = Program::start(stand_in.command("/bin/sh", &["-c", &script]));
    let url = simulator.line("listening on ").rsplit(' ').next().expect("an address").to_owned();
    let place = Place::new();
    let source = "type = \"x-v2\"\nbearer_token = \"sim-bearer-token\"\nkeywords = [\"#Trump\"]";
    place.write("cauce.toml", format!("[source]\n{source}\nbase_url = \"{url}\"\n[lake]\nurl = \"lake\"\n"));
    let agent = place.start("run");
    let status = agent.status();
    until("tweets are accepted", || (metric(&status, "cauce_records_accepted_total") >= 20.0).then_some(()));
    let idle = sit_on(url.strip_prefix("http://").expect("our own URL"), 700);
    let before = metric(&status, "cauce_records_accepted_total");
    until("more is accepted", || (metric(&status, "cauce_records_accepted_total") > before + 100.0).then_some(()));
    assert!(open_files(simulator.pid()) < 500, "{}", open_files(simulator.pid()));
    // Another client finds room.
    assert_eq!(page(&format!("{url}/2/tweets/search/stream/rules")).map(|(code, _)| code), Some(401));
    let ended = agent.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(!ended.err.contains("disconnected"), "{}", ended.err);
    drop(idle);
}
