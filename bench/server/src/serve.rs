//! One connection: reads heads, waits, writes answers. The only file of the server with sockets in it.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::list;
use crate::objects::Objects;
use crate::request::Request;

/// A head is some hundred bytes, and a kilobyte more where it is signed.
const HEAD_BYTES: usize = 16 * 1024;

/// Answers until the client goes.
///
/// # Errors
/// Those of the socket.
pub(crate) fn connection(mut stream: TcpStream, objects: &Objects, latency: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; HEAD_BYTES];
    let mut filled = 0;
    loop {
        let end = loop {
            if let Some(at) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            let read = match buffer.get_mut(filled..) {
                Some(rest) if !rest.is_empty() => stream.read(rest)?,
                _ => return Ok(()), // a head that does not fit is none of ours
            };
            if read == 0 {
                return Ok(());
            }
            filled += read;
        };
        let Some(request) = Request::parse(&buffer[..end]) else { return Ok(()) };
        buffer.copy_within(end..filled, 0);
        filled -= end;
        if !latency.is_zero() {
            thread::sleep(latency);
        }
        answer(&mut stream, objects, &request)?;
        if request.is_last || request.has_body {
            return Ok(()); // a body was not read, so what follows on this connection is no head
        }
    }
}

fn answer(stream: &mut TcpStream, objects: &Objects, request: &Request) -> io::Result<()> {
    match request.method.as_str() {
        "GET" if request.key.is_empty() => text(stream, "200 OK", &list::page(objects, request)),
        "HEAD" if request.key.is_empty() => text(stream, "200 OK", ""),
        method @ ("GET" | "HEAD") => {
            let Some(object) = objects.get(&request.key) else {
                let body = error("NoSuchKey", &request.key);
                return text(stream, "404 Not Found", if method == "GET" { &body } else { "" });
            };
            let is_head = method == "HEAD";
            let Some(range) = request.range else {
                return write_both(stream, &object.head, if is_head { &[] } else { &object.body });
            };
            let Some(range) = range.within(object.body.len()) else {
                return text(stream, "416 Range Not Satisfiable", &error("InvalidRange", &request.key));
            };
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\n{}Content-Range: bytes {}-{}/{}\r\nContent-Length: {}\r\n\r\n",
                object.fields,
                range.start,
                range.end - 1,
                object.body.len(),
                range.len()
            );
            write_both(stream, head.as_bytes(), if is_head { &[] } else { &object.body[range] })
        }
        _ => text(stream, "501 Not Implemented", &error("NotImplemented", &request.key)),
    }
}

fn error(code: &str, key: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{code}</Message><Key>{key}</Key></Error>"
    )
}

fn text(stream: &mut TcpStream, status: &str, body: &str) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n", body.len());
    write_both(stream, head.as_bytes(), body.as_bytes())
}

/// Head and body in as few calls as the kernel allows, without copying them together.
fn write_both(stream: &mut TcpStream, head: &[u8], body: &[u8]) -> io::Result<()> {
    let mut slices = [IoSlice::new(head), IoSlice::new(body)];
    let mut left: &mut [IoSlice<'_>] = &mut slices;
    let mut total = head.len() + body.len();
    while total > 0 {
        let written = stream.write_vectored(left)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        total -= written;
        IoSlice::advance_slices(&mut left, written);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn talk(objects: Objects, requests: &str) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback binds");
        let mut client = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        let (stream, _) = listener.accept().expect("the client connects");
        let server = thread::spawn(move || connection(stream, &objects, Duration::ZERO));
        client.write_all(requests.as_bytes()).expect("it is sent");
        let mut answers = String::new();
        client.read_to_string(&mut answers).expect("the server closes");
        server.join().expect("no panic").expect("no error");
        answers
    }

    #[test]
    fn one_connection_gives_objects_ranges_and_refusals_in_turn() {
        let objects = Objects::new(vec![("a/b".into(), b"0123456789".to_vec())]);
        let answers = talk(
            objects,
            "GET /x/a/b HTTP/1.1\r\n\r\nHEAD /x/a/b HTTP/1.1\r\n\r\nGET /x/a/b HTTP/1.1\r\nRange: bytes=2-4\r\n\r\n\
             GET /x/none HTTP/1.1\r\n\r\nPUT /x/a/b HTTP/1.1\r\nConnection: close\r\n\r\n",
        );
        let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        assert_eq!(statuses, ["200", "200", "206", "404", "501"]);
        assert!(answers.contains("\r\n\r\n0123456789HTTP/1.1 200"), "{answers}");
        assert!(answers.contains("Content-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234HTTP/1.1"), "{answers}");
        assert_eq!(answers.matches("Content-Length: 10\r\n").count(), 2);
    }
}
