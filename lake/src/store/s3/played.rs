//! A socket that plays S3 servers as they were met: old ones, ones that store nothing, ones that know no MD5, and ones that ask
//! for less speed. It keeps the requests it got.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use md5::Digest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::S3Store;
use crate::store::{S3Options, StaticCredentials};

/// How a server behaves.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Manners {
    /// Refuses a put with a checksum it does not know.
    pub(super) knows_no_checksums: bool,
    /// Refuses a HEAD that asks for the checksum.
    pub(super) knows_no_checksum_mode: bool,
    /// The same of an upload in parts alone.
    pub(super) knows_no_checksums_of_parts: bool,
    /// Says that it stored what it did not.
    pub(super) stores_nothing: bool,
    /// Its ETags are no MD5 but look like one.
    pub(super) counts_versions: bool,
    /// Stores other bytes than it was sent.
    pub(super) changes_bytes: bool,
}

/// A server of one object, and the requests it got.
#[derive(Debug, Clone, Default)]
pub(super) struct Played {
    pub(super) manners: Manners,
    pub(super) object: Arc<Mutex<Option<Bytes>>>,
    pub(super) parts: Arc<Mutex<Vec<Bytes>>>,
    pub(super) requests: Arc<Mutex<Vec<Request>>>,
    pub(super) throttles_until: Arc<Mutex<Option<Instant>>>,
}

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Bytes,
}

impl Played {
    pub(super) async fn serve(self) -> S3Store {
        self.serve_with(S3Options::default()).await
    }

    /// A store that reaches this server with these options and the account's keys.
    pub(super) async fn serve_with(self, options: S3Options) -> S3Store {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", socket.local_addr().expect("a bound socket has an address"));
        tokio::spawn(async move {
            while let Ok((connection, _)) = socket.accept().await {
                tokio::spawn(self.clone().converse(connection));
            }
        });
        let credentials = StaticCredentials {
            access_key_id: "id".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: None,
        };
        let options = S3Options {
            endpoint_url: Some(endpoint),
            region: Some("us-east-1".to_owned()),
            credentials: Some(credentials),
            ..options
        };
        S3Store::open("tweets", "lake", &options).await.expect("a possible configuration")
    }

    /// Answers every request with `SlowDown` from now on for so long.
    pub(super) fn throttle_for(&self, time: Duration) {
        *self.throttles_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
    }

    async fn converse(self, mut connection: TcpStream) -> Option<()> {
        loop {
            let request = request(&mut connection).await?;
            let answer = self.answer(&request);
            self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            connection.write_all(&answer).await.ok()?;
        }
    }

    fn answer(&self, request: &Request) -> Vec<u8> {
        let until = *self.throttles_until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_some_and(|until| Instant::now() < until) {
            let body = if request.method == "HEAD" { "" } else { "<Error><Code>SlowDown</Code></Error>" };
            let head = format!("HTTP/1.1 503 Slow Down\r\ncontent-length: {}\r\n\r\n", body.len());
            return (head + body).into_bytes();
        }
        let empty = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").into_bytes();
        let mut object = self.object.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if request.path.contains("partNumber=") {
            parts.push(request.body.clone());
            return format!("HTTP/1.1 200 OK\r\netag: {}\r\ncontent-length: 0\r\n\r\n", self.tag(&request.body))
                .into_bytes();
        }
        if request.method == "POST" {
            if self.manners.knows_no_checksums_of_parts && request.headers.keys().any(|name| name.contains("checksum"))
            {
                return empty("501 Not Implemented");
            }
            let body = if request.path.contains("uploads") {
                "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
            } else {
                *object = Some(parts.concat().into());
                "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>"
            };
            return format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes();
        }
        if request.method == "PUT" {
            if self.manners.knows_no_checksums && request.headers.keys().any(|name| name.contains("checksum")) {
                return empty("501 Not Implemented");
            }
            if !self.manners.stores_nothing {
                let mut body = request.body.to_vec();
                if self.manners.changes_bytes {
                    body[0] ^= 1;
                }
                *object = Some(body.into());
            }
            return format!("HTTP/1.1 200 OK\r\netag: {}\r\ncontent-length: 0\r\n\r\n", self.tag(&request.body))
                .into_bytes();
        }
        if self.manners.knows_no_checksum_mode && request.headers.contains_key("x-amz-checksum-mode") {
            return empty("501 Not Implemented");
        }
        let Some(object) = object.as_ref() else { return empty("404 Not Found") };
        let head = format!("HTTP/1.1 200 OK\r\netag: {}\r\ncontent-length: {}\r\n\r\n", self.tag(object), object.len());
        let body = if request.method == "HEAD" { &[][..] } else { &object[..] };
        [head.as_bytes(), body].concat()
    }

    fn tag(&self, content: &[u8]) -> String {
        let md5 = md5::Md5::digest(content).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        if self.manners.counts_versions { format!("\"{:032}\"", 7) } else { format!("\"{md5}\"") }
    }

    pub(super) fn requests(&self, method: &str) -> Vec<Request> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().filter(|request| request.method == method).cloned().collect()
    }
}

async fn request(connection: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let headers: HashMap<String, String> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().expect("a length"));
    while bytes.len() < end + length {
        connection.read_buf(&mut bytes).await.ok()?;
    }
    let body = Bytes::copy_from_slice(&bytes[end..end + length]);
    let mut words = head.split(' ').map(str::to_owned);
    Some(Request { method: words.next()?, path: words.next()?, headers, body })
}
