//! Lines of a live stream that are no tweets, from a server that sends what a test says: rejects show on the pages of status, and
//! errors that do not end the connection leave it open.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use crate::corpus::{BEGIN_MS, snowflake, v2};
use crate::http::{metric, page};
use crate::lake::Lake;
use crate::program::{Place, Program, until};

/// A server with nothing but v2's sample stream.
struct Server {
    url: String,
    connections: Receiver<TcpStream>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (opened, connections) = channel();
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let socket = socket.expect("loopback works");
                let opened = opened.clone();
                std::thread::spawn(move || {
                    let _ = answer(socket).map(|stream| stream.map(|stream| opened.send(stream)));
                });
            }
        });
        Server { url, connections }
    }

    /// The next connection that was opened to the stream.
    fn connection(&self) -> TcpStream {
        self.connections.recv_timeout(std::time::Duration::from_secs(60)).expect("the agent connects")
    }
}

/// Answers one request; gives back the connection where it is one to the stream.
fn answer(mut socket: TcpStream) -> std::io::Result<Option<TcpStream>> {
    let mut head = String::new();
    let mut reader = BufReader::new(socket.try_clone()?);
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    if head.starts_with("GET /2/tweets/sample/stream") {
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")?;
        return Ok(Some(socket));
    }
    socket.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    Ok(None)
}

fn send(to: &mut TcpStream, lines: &[String]) {
    let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    to.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).expect("the agent reads");
}

fn tweet(n: u64) -> String {
    v2(BEGIN_MS + 1000 * n.cast_signed(), snowflake(BEGIN_MS, n), "text")
}

fn agent(place: &Place, server: &Server) -> Program {
    let source = format!("type = \"x-v2\"\nbearer_token = \"a-token\"\nsample = true\nbase_url = \"{}\"", server.url);
    let lake = "url = \"lake\"\npartition_by = \"created_at\"";
    place.write("cauce.toml", format!("[source]\n{source}\n[lake]\n{lake}\n"));
    place.start("run")
}

/// Waits until the agent has accepted so many lines.
fn accepted(status: &str, lines: u64) {
    let is_there = || metric(status, "cauce_records_accepted_total") as u64 >= lines;
    until("the lines are accepted", || is_there().then_some(()));
}

#[test]
fn a_live_stream_that_brings_rejects_is_ready_and_says_how_many_and_why() {
    let (server, place) = (Server::start(), Place::new());
    let agent = agent(&place, &server);
    let status = agent.status();
    let mut stream = server.connection();
    let mut lines: Vec<String> = (0..7).map(tweet).collect();
    lines.extend((0..3).map(|n| format!("{{\"hello\":{n}}}")));
    send(&mut stream, &lines);
    accepted(&status, 10);
    let expected = "ready: connected, rejecting 30 % of lines: neither a tweet nor a known message";
    let says = |expected: &str| page(&format!("{status}/readyz")).filter(|(_, text)| text.trim() == expected);
    let (code, _) = until("/readyz says so", || says(expected));
    assert_eq!(code, 200);
    let ended = agent.stop();
    assert_eq!((ended.code, ended.number("rejects")), (Some(0), 3), "{}", ended.err);
    assert_eq!(Lake::folder(&place.path("lake")).rejects().len(), 3);
}

#[test]
fn an_errors_only_line_that_names_no_disconnect_leaves_the_connection_open_and_is_stored() {
    let (server, place) = (Server::start(), Place::new());
    let agent = agent(&place, &server);
    let status = agent.status();
    let mut stream = server.connection();
    let error = "{\"errors\":[{\"title\":\"Not Found Error\",\"type\":\"https://api.x.com/2/problems/resource-not-found\",\
                 \"detail\":\"Could not find user\"}]}";
    send(&mut stream, &[tweet(1), error.to_owned(), tweet(2)]);
    accepted(&status, 3);
    // The same connection still counts: on another one this tweet would not come.
    send(&mut stream, &[tweet(3)]);
    accepted(&status, 4);
    assert!(server.connections.try_recv().is_err(), "the agent has connected again");
    let ended = agent.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let counts = ["tweets", "messages", "rejects"].map(|name| ended.number(name));
    assert_eq!(counts, [3, 1, 0]);
    assert_eq!(Lake::folder(&place.path("lake")).lines().len(), 3);
    // A line that does name one ends it.
    let agent = place.start("run");
    let status = agent.status();
    let mut stream = server.connection();
    send(
        &mut stream,
        &[tweet(4), error.replace("\"title\"", "\"disconnect_type\":\"OperationalDisconnect\",\"title\"")],
    );
    accepted(&status, 2);
    drop(server.connection());
    assert_eq!(agent.stop().code, Some(0));
}
