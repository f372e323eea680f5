//! The stand-in's life: bind, serve, stop.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::app::App;
use super::endpoints;
use super::options::Options;
use super::replay::Replay;
use super::rule_book::NewRule;
use super::truth::Truth;
use crate::serve::{Bounds, serve};

/// Why the stand-in could not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}; is the port in use")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The file to replay cannot be opened.
    #[error("cannot open {} to replay it", path.display())]
    Replay {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of the ground truth cannot be made.
    #[error("cannot write the ground truth to {}", path.display())]
    Truth {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A number is out of bounds.
    #[error("{0}")]
    Options(String),
    /// A rule given at the start is none.
    #[error("rule {value:?} is refused: {details}")]
    Rule {
        /// The rule.
        value: String,
        /// Why, as the rules endpoint says it.
        details: String,
    },
}

/// How long a stop waits for clients to take their last bytes.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// A stream has sent its request, so it is never closed for another connection; at the limit the next client waits.
const BOUNDS: Bounds = Bounds {
    connections: 256,
    head_timeout: Duration::from_secs(10),
    head_bytes: 64 << 10,
    keep_alive: true,
    lifetime: None,
};

/// The X API's stand-in.
#[derive(Debug)]
pub struct Server;

/// A stand-in that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, with the real port.
    pub addr: SocketAddr,
    app: Arc<App>,
    task: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts the stand-in inside this process; the timeline begins with the first stream connection.
    ///
    /// # Errors
    /// When the address, a file or an option cannot be used.
    pub async fn start(options: Options) -> Result<Running, SimulateError> {
        check(&options)?;
        let address = options.listen;
        let bind_error = |source| SimulateError::Bind { address, source };
        let replay = options
            .replay
            .as_ref()
            .map(|path| Replay::open(path).map_err(|source| SimulateError::Replay { path: path.clone(), source }));
        let replay = replay.transpose()?;
        let listener = TcpListener::bind(address).await.map_err(bind_error)?;
        let addr = listener.local_addr().map_err(bind_error)?;
        let truth = Truth::create(options.truth.as_deref()).map_err(|source| {
            let path = options.truth.clone().unwrap_or_default();
            SimulateError::Truth { path, source }
        })?;
        let app = Arc::new(App::new(options, truth, replay));
        start_rules(&app)?;
        let router = endpoints::router(Arc::clone(&app));
        let stopped = app.stop.clone();
        let task = tokio::spawn(serve(listener, router, BOUNDS, stopped));
        Ok(Running { addr, app, task: Some(task) })
    }
}

fn check(options: &Options) -> Result<(), SimulateError> {
    let wrong = |what: &str| Err(SimulateError::Options(what.to_owned()));
    if !(options.rate >= 0.0 && options.rate <= 1e6) {
        return wrong("rate must be from 0 to 1,000,000 tweets a second");
    }
    if !(options.speedup > 0.0 && options.speedup <= 1e6) {
        return wrong("speedup must be more than 0 and at most 1,000,000");
    }
    for (name, share) in [("late-share", options.late_share), ("duplicates", options.duplicates)] {
        if !(0.0..=1.0).contains(&share) {
            return wrong(&format!("{name} must be from 0 to 1"));
        }
    }
    if options.start.is_some_and(|start| start.as_millisecond() < 1_456_000_000_000) {
        return wrong("start must not be before 2016-03-01, ids were different then");
    }
    Ok(())
}

fn start_rules(app: &App) -> Result<(), SimulateError> {
    for value in &app.options.rules {
        let new = NewRule { value: value.clone(), tag: None };
        let (_, answer) = app.rule_book().add(&[new], false, "");
        if answer.get("data").is_none() {
            let details = answer["errors"][0]["details"][0].as_str().or(answer["errors"][0]["title"].as_str());
            return Err(SimulateError::Rule {
                value: value.clone(),
                details: details.unwrap_or("too many rules").to_owned(),
            });
        }
    }
    Ok(())
}

impl Running {
    /// `http://127.0.0.1:8089`, as a client's base URL.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Tweets handed to sockets so far, over all connections, repeats included.
    pub fn sent(&self) -> u64 {
        self.app.truth.sent()
    }

    /// Streams that are open now.
    pub fn connections(&self) -> usize {
        let open = self.app.connections();
        open.count(true) + open.count(false)
    }

    /// Ends all streams and waits until the port is free again.
    pub async fn stop(mut self) {
        self.app.stop.cancel();
        if let Some(mut task) = self.task.take()
            && tokio::time::timeout(STOP_TIMEOUT, &mut task).await.is_err()
        {
            // A client that does not read holds its connection open; the port is given free all the same.
            task.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.app.stop.cancel();
    }
}
