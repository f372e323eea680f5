//! The signals that ask an agent to stop.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for SIGTERM, SIGINT and SIGHUP: nothing is there to be read anew, so the last one means what the others mean.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// `None` where the agent was started to outlive its terminal (`nohup`).
    hangup: Option<Signal>,
}

impl Signals {
    /// Begins to listen; from then on no signal finds the default action.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn listen() -> anyhow::Result<Signals> {
        let listening = |kind| signal(kind).context("cannot listen for signals");
        Ok(Signals {
            terminate: listening(SignalKind::terminate())?,
            interrupt: listening(SignalKind::interrupt())?,
            hangup: if is_hangup_ignored() { None } else { Some(listening(SignalKind::hangup())?) },
        })
    }

    /// Waits for the next one and says which it was.
    pub(super) async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = hangup => "SIGHUP",
        }
    }
}

/// Whether SIGHUP was ignored when the program was started.
#[allow(unsafe_code)] // asks the C library; nothing is changed
fn is_hangup_ignored() -> bool {
    // SAFETY: a zeroed `sigaction` is a valid place for the answer, and without a new action none is set.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGHUP, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}
