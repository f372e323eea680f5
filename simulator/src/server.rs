//! Starts and stops a simulator.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cauce_http::serve::{Bounds, serve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::endpoints;
use crate::options::Options;
use crate::replay::Replay;
use crate::truth::Truth;

/// Why a simulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// An address or a file cannot be used.
    #[error("{what}")]
    Io {
        /// What was tried, on what.
        what: String,
        /// The system's error.
        source: io::Error,
    },
    /// An option is out of range.
    #[error("{0}")]
    Options(String),
    /// A rule given at the start is not valid.
    #[error("rule {value:?} is refused: {details}")]
    Rule {
        /// The rule.
        value: String,
        /// The reason, as the rules endpoint gives it.
        details: String,
    },
}

/// How long a stop waits for clients to read their last bytes.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// A stream has sent its request, so it is never closed for another connection; at the limit the next client waits.
const BOUNDS: Bounds = Bounds {
    connections: 256,
    head_timeout: Duration::from_secs(10),
    head_bytes: 64 << 10,
    keep_alive: true,
    lifetime: None,
};

/// A running simulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    /// Where it listens, with the port it got.
    pub addr: SocketAddr,
    app: Arc<App>,
    task: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Starts a simulator in this process. The timeline begins with the first stream connection.
    ///
    /// # Errors
    /// If the address, a file, an option or a rule cannot be used.
    pub async fn start(options: Options) -> Result<Simulator, SimulateError> {
        options.check().map_err(SimulateError::Options)?;
        let failed = |what: String| move |source| SimulateError::Io { what, source };
        let replay = match &options.replay {
            Some(path) => {
                Some(Replay::open(path).map_err(failed(format!("cannot open {} to replay it", path.display())))?)
            }
            None => None,
        };
        let cannot_listen = || failed(format!("cannot listen on {}; is the port in use", options.listen));
        let listener = TcpListener::bind(options.listen).await.map_err(cannot_listen())?;
        let addr = listener.local_addr().map_err(cannot_listen())?;
        let truth = match &options.truth {
            Some(path) => {
                Truth::create(path).map_err(failed(format!("cannot write the ground truth to {}", path.display())))?
            }
            None => Truth::default(),
        };
        let app = Arc::new(App::new(options, truth, replay));
        for value in &app.options.rules {
            let added = app.rule_book.lock().insert(value, None);
            added.map_err(|error| SimulateError::Rule { value: value.clone(), details: error.to_string() })?;
        }
        let router = endpoints::router(Arc::clone(&app));
        let task = tokio::spawn(serve(listener, router, BOUNDS, app.stop.clone()));
        Ok(Simulator { addr, app, task: Some(task) })
    }

    /// The base URL for clients, such as `http://127.0.0.1:8089`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Tweets handed to sockets so far, over all connections, repeats included.
    pub fn sent(&self) -> u64 {
        self.app.truth.sent()
    }

    /// Open streams.
    pub fn connections(&self) -> usize {
        let open = self.app.connections.lock();
        open.count(true) + open.count(false)
    }

    /// Ends all streams and waits until the port is free again.
    pub async fn stop(mut self) {
        self.app.stop.cancel();
        if let Some(mut task) = self.task.take()
            && tokio::time::timeout(STOP_TIMEOUT, &mut task).await.is_err()
        {
            // A client that does not read keeps its connection open; the port is freed all the same.
            task.abort();
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.app.stop.cancel();
    }
}
