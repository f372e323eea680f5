//! The writer's inbox: one queue for stream events, upload reports and commands, in the order in which they were sent.

use std::sync::mpsc;

use crate::channel::{Closed, Event};
use crate::upload::{ReportSink, UploadReport};

/// What the writer takes out of its inbox.
#[derive(Debug)]
pub enum Message {
    /// An event of the channel.
    Stream(Event),
    /// The outcome of a job.
    Report(UploadReport),
    /// A command of the agent.
    Command(Command),
}

/// What the agent commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// The source is stopped: seal and upload what there is, then end.
    Drain,
    /// End at once; what is accepted stays in the spool.
    Leave,
}

/// The sending end of the inbox.
#[derive(Debug, Clone)]
pub struct Inbox(mpsc::Sender<Message>);

/// Makes an inbox.
pub fn inbox() -> (Inbox, mpsc::Receiver<Message>) {
    let (queue, messages) = mpsc::channel();
    (Inbox(queue), messages)
}

impl Inbox {
    /// Delivers an event of the channel.
    ///
    /// # Errors
    /// [`Closed`] when the writer is gone.
    pub fn event(&self, event: Event) -> Result<(), Closed> {
        self.0.send(Message::Stream(event)).map_err(|_| Closed)
    }

    /// Sends a command. A writer that is gone needs none.
    pub fn command(&self, command: Command) {
        let _ = self.0.send(Message::Command(command));
    }

    /// Where the uploader reports.
    pub fn reports(&self) -> ReportSink {
        let queue = self.0.clone();
        ReportSink::new(move |report| {
            let _ = queue.send(Message::Report(report));
        })
    }
}
