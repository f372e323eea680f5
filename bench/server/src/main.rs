//! A read-only, S3-shaped server that must never be the bottleneck of a benchmark.
//!
//! It loads one folder into memory, each file an object of whatever bucket is asked for, and answers GET, HEAD, ranges and
//! both versions of ListObjects over plain HTTP/1.1. Ahead of each answer it may wait (`LATENCY_MS`), as a store far away
//! does. Anything goes in: it reads no credentials and checks no signature. It is no store and proves nothing about
//! correctness: the tests use real servers for that.
//!
//! One thread a connection: HTTP/1.1 has one request at a time on each, so the wait is a sleep and an answer is one
//! `writev` of a head made at the start and the object's bytes. It prints `port N` and ends when its standard input closes.

mod list;
mod objects;
mod request;
mod serve;

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use objects::Objects;

/// A connection's stack: the deepest call is a listing, which keeps its text on the heap.
const STACK_BYTES: usize = 128 * 1024;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the only way this program reports")]
            {
                eprintln!("bench server: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| io::Error::other("give the folder to serve"))?;
    let latency = match std::env::var("LATENCY_MS") {
        Ok(text) => Duration::from_millis(
            text.parse().map_err(|_| io::Error::other("LATENCY_MS is no number of milliseconds"))?,
        ),
        Err(_) => Duration::ZERO,
    };
    let objects = Arc::new(Objects::load(Path::new(&folder))?);
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut out = io::stdout();
    writeln!(out, "port {}", listener.local_addr()?.port())?;
    out.flush()?;
    thread::Builder::new().stack_size(STACK_BYTES).spawn(move || accept(&listener, &objects, latency))?;
    // Whoever started the server holds the other end: when that process ends, however it ends, so does this one.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn accept(listener: &TcpListener, objects: &Arc<Objects>, latency: Duration) {
    for stream in listener.incoming().flatten() {
        let objects = Arc::clone(objects);
        let talk = move || {
            // A client that goes away in the middle is its own business.
            let _ = serve::connection(stream, &objects, latency);
        };
        // Where no thread can be had the connection is dropped: the client sees it at once.
        let _ = thread::Builder::new().stack_size(STACK_BYTES).spawn(talk);
    }
}
