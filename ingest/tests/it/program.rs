//! The built program as a process: started in a folder of its own with no variables but those given, watched through what
//! it writes, stopped by signals, killed when the test is over whatever became of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The program under test.
pub(crate) const INGEST: &str = env!("CARGO_BIN_EXE_ingest");
/// How long anything may take that takes a second on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at that nobody announces.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Looks until there is an answer; fails with `what` when it does not come.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// A folder that programs run in, with variables they all get.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

impl Place {
    pub(crate) fn new() -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Any port: the default one may be another test's, or a real agent's.
        let variables = BTreeMap::from([("CAUCE_STATUS__LISTEN".to_owned(), "127.0.0.1:0".to_owned())]);
        Place { folder, variables }
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Place {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Place {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a name in the folder")).expect("a folder is made");
        fs::write(path, bytes).expect("a file is written");
        self
    }

    /// A link to the program under Flume's name.
    pub(crate) fn flume_ng(&self) -> PathBuf {
        let link = self.path("flume-ng");
        if !link.exists() {
            std::os::unix::fs::symlink(INGEST, &link).expect("a link is made");
        }
        link
    }

    pub(crate) fn command(&self, program: impl AsRef<Path>, line: &[&str]) -> Command {
        let mut command = Command::new(program.as_ref());
        command.args(line).current_dir(self.folder.path()).env_clear().envs(&self.variables);
        command
    }

    /// Starts `ingest` with this command line.
    pub(crate) fn start(&self, line: &str) -> Program {
        Program::start(self.command(INGEST, &words(line)))
    }

    /// Runs `ingest` with this command line to its end.
    pub(crate) fn ingest(&self, line: &str) -> Ended {
        self.start(line).end()
    }

    /// Runs `ingest` and asks for success.
    pub(crate) fn done(&self, line: &str) -> Ended {
        let ended = self.ingest(line);
        assert_eq!(ended.code, Some(0), "ingest {line}:\n{}{}", ended.out, ended.err);
        ended
    }
}

pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[derive(Default)]
struct Output {
    out: Vec<u8>,
    err: Vec<u8>,
    closed: u8,
}

#[derive(Default)]
struct Watched {
    output: Mutex<Output>,
    news: Condvar,
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Output> {
        self.output.lock().expect("no reader panics")
    }
}

/// A running program.
pub(crate) struct Program {
    child: Child,
    watched: Arc<Watched>,
    readers: Vec<JoinHandle<()>>,
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// A number of the last log line, such as `accepted` of `done accepted=900 …`.
    pub(crate) fn number(&self, name: &str) -> u64 {
        let line =
            self.err.lines().rfind(|line| line.contains("INFO  done ")).unwrap_or_else(|| panic!("{}", self.err));
        let found = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
        found.unwrap_or_else(|| panic!("no {name} in {line}"))
    }
}

impl Program {
    pub(crate) fn start(mut command: Command) -> Program {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let watched = Arc::new(Watched::default());
        let out = child.stdout.take().expect("a pipe");
        let err = child.stderr.take().expect("a pipe");
        let readers = vec![
            watch(out, Arc::clone(&watched), |output| &mut output.out),
            watch(err, Arc::clone(&watched), |output| &mut output.err),
        ];
        Program { child, watched, readers }
    }

    /// Starts a program whose standard error goes elsewhere and is not watched.
    pub(crate) fn with_stderr(mut command: Command, stderr: impl Into<Stdio>) -> Program {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let watched = Arc::new(Watched::default());
        watched.lock().closed = 1;
        let out = child.stdout.take().expect("a pipe");
        let readers = vec![watch(out, Arc::clone(&watched), |output| &mut output.out)];
        Program { child, watched, readers }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.watched.lock().out).into_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.watched.lock().err).into_owned()
    }

    /// Waits for a line with `part` in it, on standard output or standard error.
    pub(crate) fn line(&self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut output = self.watched.lock();
        loop {
            for bytes in [&output.out, &output.err] {
                let text = String::from_utf8_lossy(bytes);
                // The last piece may not have been written to its end yet.
                let whole = text.rfind('\n').map_or("", |end| &text[..end]);
                if let Some(line) = whole.lines().find(|line| line.contains(part)) {
                    return line.to_owned();
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let err = || String::from_utf8_lossy(&output.err);
            assert!(output.closed < 2, "it ended without {part:?}:\n{}", err());
            assert!(!left.is_zero(), "waited in vain for {part:?}:\n{}", err());
            output = self.watched.news.wait_timeout(output, left).expect("no reader panics").0;
        }
    }

    /// Where the status page is.
    pub(crate) fn status(&self) -> String {
        let line = self.line("status page");
        line.split("address=").nth(1).expect("the line holds the address").trim().to_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().cast_signed()).expect("a process has a number");
        kill_process(pid, signal).expect("the process is ours");
    }

    /// Asks it to stop and waits for its end.
    pub(crate) fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.end()
    }

    /// Ends it as a power cut would, but for the machine's memory.
    pub(crate) fn kill(self) -> Ended {
        self.signal(Signal::KILL);
        self.end()
    }

    /// The most memory that it has had so far, in KiB; `None` when it has ended.
    pub(crate) fn peak_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse().expect("a number"))
    }

    /// Waits for its end, and looks at its memory until then: what has ended has none to tell of.
    pub(crate) fn end_with_peak(self) -> (u64, Ended) {
        let mut peak = None;
        until("the program has ended", || {
            let now = self.peak_kib();
            peak = now.or(peak);
            now.is_none().then_some(())
        });
        (peak.expect("it was seen running"), self.end())
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let status = until(&format!("process {} ends; it said:\n{}", self.pid(), self.err()), || {
            self.child.try_wait().expect("the process is ours")
        });
        for reader in self.readers.drain(..) {
            reader.join().expect("no reader panics");
        }
        Ended { code: status.code(), signal: status.signal(), out: self.out(), err: self.err() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn watch(
    pipe: impl Read + Send + 'static,
    watched: Arc<Watched>,
    part: fn(&mut Output) -> &mut Vec<u8>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        loop {
            let count = match pipe.fill_buf() {
                Ok([]) | Err(_) => break,
                Ok(bytes) => {
                    part(&mut watched.lock()).extend_from_slice(bytes);
                    bytes.len()
                }
            };
            pipe.consume(count);
            watched.news.notify_all();
        }
        watched.lock().closed += 1;
        watched.news.notify_all();
    })
}
