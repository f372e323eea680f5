//! Bytes that change on the way to a real server: a proxy on loopback changes one in the middle of each body.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cauce_lake::store::{Algorithm, PutChecks};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A way to a server on which bodies change while it is told to.
struct Proxy {
    endpoint: String,
    changes: Arc<AtomicBool>,
}

impl Proxy {
    async fn to(server: &S3Server) -> Proxy {
        let to: SocketAddr = server.endpoint.trim_start_matches("http://").parse().expect("an address");
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", socket.local_addr().expect("a bound socket has an address"));
        let changes = Arc::new(AtomicBool::new(true));
        let flag = Arc::clone(&changes);
        tokio::spawn(async move {
            while let Ok((client, _)) = socket.accept().await {
                tokio::spawn(carry(client, to, Arc::clone(&flag)));
            }
        });
        Proxy { endpoint, changes }
    }
}

/// Carries requests, one after the other, and all answers.
async fn carry(client: TcpStream, to: SocketAddr, changes: Arc<AtomicBool>) -> std::io::Result<()> {
    let server = TcpStream::connect(to).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if from_client.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
        while bytes.len() < end + length {
            if from_client.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
        if head.starts_with("put ") && length > 0 && changes.load(Ordering::Relaxed) {
            bytes[end + length / 2] ^= 1;
        }
        to_server.write_all(&bytes[..end + length]).await?;
        bytes.drain(..end + length);
    }
}

fn hashed(name: &str, content: Vec<u8>) -> Put {
    let sha256 = Sha256::digest(&content).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    Put { key: key(name), body: Body::Bytes(content.into()), condition: Condition::IfAbsent, sha256: Some(sha256) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_change_on_the_way_are_never_taken_for_stored() {
    for server in each().await {
        let proxy = Proxy::to(server).await;
        let options = S3Options { endpoint_url: Some(proxy.endpoint.clone()), ..server.options() };
        let lake = S3Store::open(BUCKET, &fresh_prefix(), &options).await.expect("a possible configuration");
        let lake = lake.with_multipart(MULTIPART);
        let small = (0..5).map(|n| hashed(&format!("small-{n}"), vec![b'x'; 100 + 10_000 * n]));
        let large = (0..2).map(|n| hashed(&format!("large-{n}"), vec![b'x'; 9 * 1024 * 1024 + n]));
        let puts: Vec<Put> = small.chain(large).collect();
        for put in &puts {
            let error = lake.put(put.clone()).await.expect_err("other bytes came than were sent");
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        }
        proxy.changes.store(false, Ordering::Relaxed);
        for put in &puts {
            match lake.put(put.clone()).await {
                // The server had refused it.
                Ok(_) => {}
                // The server had stored it, and it is told from ours although it bears our hash.
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error}");
                    let there = lake.head(&put.key).await.expect("it is there");
                    assert_eq!(there.sha256, put.sha256);
                    assert_eq!(lake.confirm(put).await.expect_err("other bytes").kind(), ErrorKind::Corrupt);
                    let again = Put { condition: Condition::IfMatch(there.etag), ..put.clone() };
                    lake.put(again).await.expect("it is replaced");
                }
            }
            lake.confirm(put).await.expect("it is ours now");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_server_takes_checksums_and_tells_what_it_holds() {
    for server in each().await {
        let lake = store_at(server, BUCKET, &fresh_prefix()).await;
        assert_eq!(lake.put_checks(), None);
        lake.put(hashed("a", b"x".to_vec())).await.expect("it is put");
        lake.put(hashed("large", vec![b'x'; 9 * 1024 * 1024])).await.expect("it is put");
        let all =
            PutChecks { checksum: Algorithm::Crc64Nvme, takes_checksum: true, tells_checksum: true, etag_is_md5: true };
        assert_eq!(lake.put_checks(), Some(all), "{}", server.endpoint);
    }
}
