//! The log: to standard error, plain for people or JSON for machines.
//!
//! Plain is one line an event: time, level, message, fields. On a terminal the time is short and the level coloured;
//! elsewhere the time is whole and nothing is coloured. Control characters in anything that is logged are shown, not
//! obeyed: an error may repeat what a server said. Nothing waits for whoever reads the log: see `log_queue.rs`.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _};
use std::panic;

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::log_queue;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Plain,
    /// One JSON object a line.
    Json,
}

/// Why the log cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not understood.
    #[error("the log's filter is not understood: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// It was set up before.
    #[error("the log is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
    /// There is no thread to write it.
    #[error("the log cannot be written: {0}")]
    Thread(#[from] io::Error),
}

/// Who waits for whom: a log and its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogWriter {
    /// Lines are written at once, as for a command that ends by itself.
    Direct,
    /// Lines are queued and written by a thread, as for a service: it must not wait for a reader.
    Queued,
}

/// Sets up the log of this process. `filter` is in the form of tracing-subscriber (`warn,cauce_ingest=info`); what a person
/// may ask for is decided where the command line is read.
///
/// # Errors
/// When the filter is not understood, the log is set up already, or no thread can be started.
pub fn init(format: LogFormat, filter: &str, writer: LogWriter) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(filter)?;
    let writer = match writer {
        LogWriter::Direct => BoxMakeWriter::new(io::stderr),
        LogWriter::Queued => BoxMakeWriter::new(log_queue::to_stderr()?),
    };
    // Its own errors would be printed to standard error, and a failure to do so is a panic.
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).log_internal_errors(false);
    match format {
        LogFormat::Json => base.json().flatten_event(true).with_current_span(false).finish().try_init()?,
        LogFormat::Plain => {
            let terminal = io::stderr().is_terminal();
            let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            let lines = Lines { short_time: terminal };
            base.with_ansi(colour).event_format(lines).finish().try_init()?;
        }
    }
    if log_queue::is_used() {
        hook_panics();
    }
    Ok(())
}

/// Logs panics: the default hook writes to standard error itself, and may block there.
fn hook_panics() {
    panic::set_hook(Box::new(|panic| {
        tracing::error!(%panic, "a part of the program failed");
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            log_queue::say(&trace.to_string());
        }
    }));
}

/// The plain form.
struct Lines {
    short_time: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let now = Timestamp::now();
        if self.short_time {
            write!(to, "{} ", now.strftime("%H:%M:%S"))?;
        } else {
            write!(to, "{} ", now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ"))?;
        }
        let level = *event.metadata().level();
        match colour(level).filter(|_| to.has_ansi_escapes()) {
            Some(code) => write!(to, "\x1b[{code}m{level:<5}\x1b[0m ")?,
            None => write!(to, "{level:<5} ")?,
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        writeln!(to, "{}{}", fields.message, fields.rest)
    }
}

fn colour(level: Level) -> Option<&'static str> {
    match level {
        Level::ERROR => Some("31"),
        Level::WARN => Some("33"),
        Level::INFO => None,
        _ => Some("2"),
    }
}

/// An event's message and its other fields, ready to print.
#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            shown(&mut self.message, &text);
        } else {
            self.add(field, &text);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            shown(&mut self.message, value);
        } else if value.is_empty() || value.contains([' ', '"', '=']) {
            self.add(field, &format!("{value:?}"));
        } else {
            self.add(field, value);
        }
    }
}

impl Fields {
    fn add(&mut self, field: &Field, value: &str) {
        let name = field.name();
        self.rest.push_str("  ");
        self.rest.push_str(name.strip_prefix("r#").unwrap_or(name));
        self.rest.push('=');
        shown(&mut self.rest, value);
    }
}

/// Adds a text with its control characters made visible.
fn shown(to: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_control() {
            write!(to, "{}", c.escape_default()).expect("writing to a string does not fail");
        } else {
            to.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a logging function leaves in the plain log, without the time.
    fn logged(filter: &str, log: impl FnOnce()) -> Vec<String> {
        let sink = Sink::default();
        let writer = {
            let sink = sink.clone();
            move || sink.clone()
        };
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::try_new(filter).expect("a filter"))
            .with_writer(writer)
            .with_ansi(false)
            .event_format(Lines { short_time: false })
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = sink.0.lock().expect("not poisoned").clone();
        let text = String::from_utf8(bytes).expect("UTF-8");
        text.lines().map(|line| line.split_once(' ').expect("a time").1.to_owned()).collect()
    }

    #[test]
    fn a_line_holds_level_message_and_fields() {
        let lines = logged("info", || {
            tracing::info!(objects = 3, key = "11-22-05/tweets.1.json", "uploaded");
            tracing::warn!(cause = "no route to host", "store away");
        });
        assert_eq!(
            lines,
            ["INFO  uploaded  objects=3  key=11-22-05/tweets.1.json", "WARN  store away  cause=\"no route to host\""]
        );
    }

    #[test]
    fn control_characters_are_shown_and_cannot_make_a_second_line() {
        let lines = logged("info", || {
            tracing::error!(error = %"bad\x1b[31m\nERROR forged", "source failed");
        });
        assert_eq!(lines, ["ERROR source failed  error=bad\\u{1b}[31m\\nERROR forged"]);
    }
}
