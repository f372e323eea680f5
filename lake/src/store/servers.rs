//! Real S3 servers for tests, started on loopback and stopped with the test process: moto's (Python), and VersityGW, an
//! independent one written in Go.
//!
//! Where a server is comes from `CAUCE_TEST_MOTO` and `CAUCE_TEST_GO_S3` (a path each), or else from the `PATH`. A test
//! whose server is absent says `skipped: …` and passes, unless `CAUCE_TEST_REQUIRE` (`moto,go-s3`) names it.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::s3::config;
use super::{S3Options, StaticCredentials};

/// A server ends when its standard input does, and its folder (`$0`) goes with it: so it never outlives the test process,
/// however that dies, and one that is kept in a static for a whole test binary leaves nothing behind either.
const UNTIL_INPUT_ENDS: &str = r#"exec 3<&0
{ cat >/dev/null; kill -9 $$; rm -rf "$0" || rm -rf "$0"; } <&3 >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-"#;

/// Serves moto's S3 on a port of the system's choice and says which one it is. One request at a time, for moto looks at a
/// condition and writes without a lock between. Before 5.2.5 it ends uploads in parts with an answer that is none of S3's.
const MOTO: &str = "
import threading
from importlib.metadata import version
if tuple(int(n) for n in version('moto').split('.')[:3]) < (5, 2, 5):
    raise SystemExit('moto ' + version('moto') + ' is too old, 5.2.5 will do')
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
application = DomainDispatcherApplication(create_backend_app)
lock = threading.Lock()
def one_at_a_time(environ, start_response):
    with lock:
        return list(application(environ, start_response))
server = make_server('127.0.0.1', 0, one_at_a_time, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
";

const START_LIMIT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A running S3 server, which knows one account. It stops on drop.
#[derive(Debug)]
pub struct S3Server {
    /// Its address.
    pub endpoint: String,
    /// The account's access key id.
    pub access_key: String,
    /// The account's secret.
    pub secret: String,
    /// Its region.
    pub region: String,
    /// Everything the server writes, and its data.
    folder: TempDir,
    process: Child,
    input: Option<ChildStdin>,
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}

impl S3Server {
    /// How a store reaches this server.
    pub fn options(&self) -> S3Options {
        S3Options {
            endpoint_url: Some(self.endpoint.clone()),
            region: Some(self.region.clone()),
            credentials: Some(StaticCredentials {
                access_key_id: self.access_key.clone(),
                secret_access_key: self.secret.clone(),
                session_token: None,
            }),
            ..S3Options::default()
        }
    }

    /// A client of AWS's SDK, for what a store does not do.
    pub async fn client(&self) -> aws_sdk_s3::Client {
        let (config, _) =
            config::load("any", &self.options()).await.expect("the server's own address is a possible one");
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// Makes a bucket; one that is there already will do.
    pub async fn create_bucket(&self, bucket: &str) {
        let made = self.client().await.create_bucket().bucket(bucket).send().await;
        if let Err(error) = made.map_err(aws_sdk_s3::error::SdkError::into_service_error)
            && !error.is_bucket_already_owned_by_you()
            && !error.is_bucket_already_exists()
        {
            panic!("no bucket on {}: {error:?}\n{}", self.endpoint, self.output());
        }
    }

    /// What the server has written so far.
    pub fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// Starts moto's server; `None` where it is not installed.
pub fn moto() -> Option<S3Server> {
    let script = find("moto", "CAUCE_TEST_MOTO", "moto_server")?;
    let (folder, log) = scratch();
    let mut command = Command::new("sh");
    command.args(["-c", UNTIL_INPUT_ENDS]).arg(folder.path()).arg(interpreter(&script)).args(["-c", MOTO]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().expect("a shell starts");
    let mut port = String::new();
    let input = process.stdin.take();
    let output = process.stdout.take().expect("standard output is a pipe");
    BufReader::new(output).read_line(&mut port).expect("standard output reads");
    let mut server = S3Server {
        endpoint: String::new(),
        access_key: "moto".to_owned(),
        secret: "moto-takes-any-secret".to_owned(),
        region: "us-east-1".to_owned(),
        folder,
        process,
        input,
    };
    let Ok(port) = port.trim().parse::<u16>() else {
        // Its standard output has ended, so its last words are all written.
        return absent("moto", &format!("{} does not start it: {}", script.display(), server.output().trim()));
    };
    server.endpoint = format!("http://127.0.0.1:{port}");
    Some(server)
}

/// Starts VersityGW over a temporary folder; `None` where it is not installed.
pub fn go_s3() -> Option<S3Server> {
    let binary = find("go-s3", "CAUCE_TEST_GO_S3", "versitygw")?;
    // It cannot say which port it got when asked for any. A free port may be taken by others before it binds it; then it
    // ends, and the next one is tried.
    let mut words = String::new();
    for _ in 0..5 {
        match start_versitygw(&binary) {
            Ok(server) => return Some(server),
            Err(said) => words = said,
        }
    }
    panic!("{} does not start:\n{words}", binary.display())
}

/// The server, or what it said before it ended.
fn start_versitygw(binary: &Path) -> Result<S3Server, String> {
    let (folder, log) = scratch();
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("the scratch folder is writable");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let (access_key, secret, region) = ("cauce-test", "only-for-loopback", "us-east-1");
    let mut command = Command::new("sh");
    command.args(["-c", UNTIL_INPUT_ENDS]).arg(folder.path()).arg(binary);
    command.args(["--port", &format!("127.0.0.1:{port}"), "--region", region, "--quiet", "--keep-alive", "posix"]);
    // It keeps metadata in extended attributes. Its other way, a sidecar folder, pairs new bodies with old tags in a race.
    command.arg(&data);
    command.env("ROOT_ACCESS_KEY_ID", access_key).env("ROOT_SECRET_ACCESS_KEY", secret);
    let errors = log.try_clone().expect("a file handle can be doubled");
    let mut process = command.stdin(Stdio::piped()).stdout(log).stderr(errors).spawn().expect("a shell starts");
    let input = process.stdin.take();
    let mut server = S3Server {
        endpoint: format!("http://127.0.0.1:{port}"),
        access_key: access_key.to_owned(),
        secret: secret.to_owned(),
        region: region.to_owned(),
        folder,
        process,
        input,
    };
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if server.process.try_wait().is_ok_and(|ended| ended.is_some()) {
            return Err(server.output());
        }
        assert!(begun.elapsed() < START_LIMIT, "{} does not answer:\n{}", binary.display(), server.output());
        thread::sleep(LOOK_AGAIN);
    }
    Ok(server)
}

fn scratch() -> (TempDir, fs::File) {
    let folder = TempDir::with_prefix("cauce-s3-server-").expect("a temporary folder");
    let log = fs::File::create(folder.path().join("log")).expect("the temporary folder is writable");
    (folder, log)
}

fn find(name: &str, variable: &str, program: &str) -> Option<PathBuf> {
    let found = match env::var_os(variable).filter(|value| !value.is_empty()) {
        Some(path) => Some(PathBuf::from(path)),
        None => env::var_os("PATH")
            .and_then(|path| env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())),
    };
    let words = format!("{variable} names no program, and {program} is not on the PATH");
    found.filter(|path| path.is_file()).or_else(|| absent(name, &words))
}

/// Says that a server is not there, or fails where it must be.
#[expect(clippy::print_stdout, reason = "a test that does not run must say so")]
fn absent<T>(name: &str, why: &str) -> Option<T> {
    let required = env::var("CAUCE_TEST_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|word| word.trim() == name), "no S3 server {name}: {why}");
    println!("skipped: no S3 server {name}: {why}");
    None
}

/// The Python that a script of its environment starts with.
fn interpreter(script: &Path) -> PathBuf {
    let mut start = Vec::new();
    let read = fs::File::open(script).and_then(|file| file.take(4096).read_to_end(&mut start));
    let first = String::from_utf8_lossy(&start).lines().next().unwrap_or_default().to_owned();
    match (read, first.strip_prefix("#!")) {
        (Ok(_), Some(python)) if !python.contains("/env ") => PathBuf::from(python.trim()),
        _ => PathBuf::from("python3"),
    }
}
