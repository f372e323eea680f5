//! A store that misbehaves: it stands between the agent and a real S3 server and, when a test says so, answers late, loses
//! what it was asked or what it has to say, refuses, lies, or is away.
//!
//! A request a connection, passed on byte by byte: the host that the client signed stays what it was.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::lake::RUNTIME;

/// What the agent asks of the store.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// The path, with its bucket and its query.
    pub(crate) path: String,
    /// How many requests came before it since the proxy was told how to behave.
    pub(crate) number: u64,
    /// How many of those put objects: what is to happen to every second or third put goes by this, for an agent that tries
    /// again asks in a rhythm of its own.
    pub(crate) puts: u64,
}

impl Asked {
    /// Whether an object is put that is not the agent's own.
    pub(crate) fn puts_object(&self) -> bool {
        self.method == "PUT" && !self.path.contains("/_agent.json")
    }
}

/// What is done to a request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Carried out, and answered after this time.
    Late(Duration),
    /// Carried out when the test says so.
    Hold(CancellationToken),
    /// Carried out; the connection is closed without an answer.
    LoseAnswer,
    /// Not carried out; the connection is closed.
    LoseRequest,
    /// Carried out; answered with this status and body all the same.
    DoAndSay(u16, String),
    /// Not carried out; answered with this status and body.
    Say(u16, String),
    /// Carried out with one byte in the middle of the body changed.
    ChangeByte,
    /// The same, and the connection is closed without an answer.
    ChangeByteAndLoseAnswer,
    /// Not carried out; answered as if the object were stored.
    PretendStored,
}

/// The body of an error, as S3 sends it.
pub(crate) fn error(code: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>by the test</Message></Error>"
    )
}

type Behaviour = Box<dyn FnMut(&Asked) -> Option<Fault> + Send>;

/// How to behave, and what was asked since that was said.
struct Told {
    behaviour: Behaviour,
    requests: u64,
    puts: u64,
}

impl Told {
    fn new(behaviour: Behaviour) -> Told {
        Told { behaviour, requests: 0, puts: 0 }
    }
}

struct Shared {
    backend: String,
    behaviour: Mutex<Told>,
    faults: AtomicU64,
}

impl Shared {
    fn behaviour(&self) -> MutexGuard<'_, Told> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The proxy. It is away when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    open: CancellationToken,
    /// Keeps the port while nobody listens there.
    _port: TcpSocket,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.open.cancel();
    }
}

impl Proxy {
    /// Stands before a server and behaves.
    pub(crate) fn before(server_endpoint: &str) -> Proxy {
        let backend = server_endpoint.strip_prefix("http://").expect("the test servers speak plain HTTP").to_owned();
        let port = socket("127.0.0.1:0".parse().expect("an address"));
        let address = port.local_addr().expect("a bound socket has an address");
        let shared =
            Shared { backend, behaviour: Mutex::new(Told::new(Box::new(|_| None))), faults: AtomicU64::new(0) };
        let mut proxy = Proxy { address, shared: Arc::new(shared), open: CancellationToken::new(), _port: port };
        proxy.come_back();
        proxy
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks this for every request from now on what is to be done to it.
    pub(crate) fn misbehave(&self, behaviour: impl FnMut(&Asked) -> Option<Fault> + Send + 'static) {
        *self.shared.behaviour() = Told::new(Box::new(behaviour));
    }

    /// How often something was done to a request.
    pub(crate) fn faults(&self) -> u64 {
        self.shared.faults.load(Ordering::Relaxed)
    }

    /// Breaks all connections and refuses new ones.
    pub(crate) fn go_away(&mut self) {
        self.open.cancel();
    }

    /// Listens again, on the same port.
    pub(crate) fn come_back(&mut self) {
        self.open = CancellationToken::new();
        let _runtime = RUNTIME.enter();
        let listener = socket(self.address).listen(1024).expect("the port is ours");
        RUNTIME.spawn(listen(listener, Arc::clone(&self.shared), self.open.clone()));
    }
}

fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option of every system");
    socket.bind(address).expect("the port is free or ours");
    socket
}

async fn listen(listener: TcpListener, shared: Arc<Shared>, open: CancellationToken) {
    loop {
        let client = tokio::select! {
            () = open.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((client, _)) = client else { continue };
        let (shared, open) = (Arc::clone(&shared), open.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = open.cancelled() => {}
                // A client that went away is the client's business.
                _ = serve(client, &shared) => {}
            }
        });
    }
}

async fn serve(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let Some((head, body)) = read_request(&mut client).await? else { return Ok(()) };
    let mut words = head.split(' ').map(str::to_owned);
    let mut word = || words.next().unwrap_or_default();
    let (method, path) = (word(), word());
    let fault = {
        let mut told = shared.behaviour();
        let asked = Asked { method, path, number: told.requests, puts: told.puts };
        told.requests += 1;
        told.puts += u64::from(asked.puts_object());
        (told.behaviour)(&asked)
    };
    shared.faults.fetch_add(u64::from(fault.is_some()), Ordering::Relaxed);
    let answer = match fault {
        None => carry_out(shared, &head, &body).await?,
        Some(Fault::Late(by)) => {
            let answer = carry_out(shared, &head, &body).await?;
            tokio::time::sleep(by).await;
            answer
        }
        Some(Fault::Hold(until)) => {
            until.cancelled().await;
            carry_out(shared, &head, &body).await?
        }
        Some(Fault::LoseAnswer) => {
            carry_out(shared, &head, &body).await?;
            return Ok(());
        }
        Some(Fault::LoseRequest) => return Ok(()),
        Some(Fault::DoAndSay(status, text)) => {
            carry_out(shared, &head, &body).await?;
            answer(status, &text)
        }
        Some(Fault::Say(status, text)) => answer(status, &text),
        Some(Fault::ChangeByte) => carry_out(shared, &head, &changed(body)).await?,
        Some(Fault::ChangeByteAndLoseAnswer) => {
            carry_out(shared, &head, &changed(body)).await?;
            return Ok(());
        }
        Some(Fault::PretendStored) => {
            b"HTTP/1.1 200 OK\r\netag: \"stored\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec()
        }
    };
    client.write_all(&answer).await?;
    client.shutdown().await
}

fn changed(mut body: Vec<u8>) -> Vec<u8> {
    let middle = body.len() / 2;
    if let Some(byte) = body.get_mut(middle) {
        *byte ^= 1;
    }
    body
}

/// A request's head, without what concerns one connection alone, and its body; nothing when the client left.
async fn read_request(client: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let mut body = bytes.split_off(end + 4);
    let head = String::from_utf8(bytes).expect("a head is text");
    let (mut kept, mut length, mut waits) = (String::new(), 0, false);
    for line in head.trim_end().split("\r\n") {
        let lower = line.to_ascii_lowercase();
        assert!(!lower.starts_with("transfer-encoding:"), "the proxy needs bodies with a length");
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length is a number");
        }
        waits |= lower.starts_with("expect:");
        if !lower.starts_with("expect:") && !lower.starts_with("connection:") {
            kept.push_str(line);
            kept.push_str("\r\n");
        }
    }
    if waits {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    while body.len() < length {
        if client.read_buf(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some((kept + "Connection: close\r\n\r\n", body)))
}

/// The server's answer, to its last byte.
async fn carry_out(shared: &Shared, head: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(&shared.backend).await?;
    server.write_all(head.as_bytes()).await?;
    server.write_all(body).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    Ok(answer)
}

fn answer(status: u16, text: &str) -> Vec<u8> {
    let length = text.len();
    format!("HTTP/1.1 {status} By the test\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}")
        .into_bytes()
}
