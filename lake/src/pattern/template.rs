//! A text with escapes that is only ever written, never read back: Flume applies them to `hdfs.filePrefix` too.
//!
//! The forward half of [`Pattern`](super::Pattern) and its first step. Pure.

use jiff::tz::TimeZone;

use super::escape::{self, Part};
use super::moment::{self, Moment};
use super::{Notice, PatternError, PatternOptions, Rounding, zone};

/// A compiled text such as a `twitter.conf`'s `hdfs.filePrefix`.
///
/// ```
/// use cauce_lake::pattern::{PatternOptions, Template};
/// let prefix = Template::new("tweets-%H%M", &PatternOptions::default())?;
/// assert_eq!(prefix.render(1_458_839_106_789), "tweets-1705");
/// # Ok::<(), cauce_lake::pattern::PatternError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Template {
    pub(super) parts: Vec<Part>,
    pub(super) zone: TimeZone,
    pub(super) notices: Vec<Notice>,
    /// The `%{…}` and `%[…]` in it, as they were written.
    pub(super) of_the_run: Vec<String>,
    rounding: Option<Rounding>,
}

impl Template {
    /// Compiles a text. What it may be is not checked: only a [`Pattern`](super::Pattern) must name folders.
    ///
    /// # Errors
    /// For an escape that is unknown (see [`Escapes`](super::Escapes)), a zone that is unknown, a rounding that Flume refuses.
    pub fn new(text: &str, options: &PatternOptions) -> Result<Template, PatternError> {
        let zone = zone::load(options.time_zone.as_deref())?;
        options.rounding.map_or(Ok(()), moment::check_rounding)?;
        let escape::Compiled { parts, notices, of_the_run } = escape::compile(text, options)?;
        Ok(Template { parts, zone, notices, of_the_run, rounding: options.rounding })
    }

    /// The text for an instant, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn render(&self, epoch_ms: i64) -> String {
        escape::render(&self.parts, &Moment::at(epoch_ms, &self.zone, self.rounding))
    }

    /// What is worth saying at start.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }
}
