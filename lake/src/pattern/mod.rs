//! The partition pattern: names of hour folders, rendered and parsed.
//!
//! Ingestion renders an instant to a folder (`escape`, with times from `moment`); listing parses a folder to a span of
//! time (`reverse`). `folder` decides whether folders of a pattern can close, `zone` whether a time zone may name them.
//! The escapes are Flume's, with the differences that [`Escapes`] and [`Pattern`] describe. Pure: no clock, no I/O; the
//! time zone database is compiled in.
//!
//! | escape | meaning | | escape | meaning |
//! |---|---|---|---|---|
//! | `%Y` `%y` | year, 4 or 2 digits | | `%H` `%k` | hour 00–23, padded or not |
//! | `%m` `%n` | month, padded or not | | `%I` `%l` | hour 01–12, padded or not |
//! | `%b` `%B` | month's name, short or full | | `%p` | AM or PM |
//! | `%d` `%e` | day, padded or not | | `%M` `%S` | minute, second |
//! | `%j` | day of the year, 3 digits | | `%s` | epoch seconds, after rounding |
//! | `%a` `%A` | weekday, short or full | | `%t` | epoch milliseconds, never rounded |
//! | `%D` | `%m/%d/%y` | | `%z` | offset, `+0000` |
//! | `%c` | `%a %b %e %H:%M:%S %Y` | | `%h` | the hour 00–23; empty under [`Escapes::Strict`] |
//! | `%{name}` | a header of the run | | `%[localhost]` `%[IP]` `%[FQDN]` | this host |
//! | `%%` | a percent sign | | | |

mod escape;
mod folder;
mod moment;
mod reverse;
mod zone;

#[cfg(test)]
mod tests;

use std::fmt;

use jiff::tz::TimeZone;

use crate::hour::{Hour, HourRange};
use crate::store::Key;
use escape::Part;
use moment::{Moment, Quantity};

pub use reverse::{FolderSpan, FolderTime};

/// The rules for escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Escapes {
    /// `%h` is the hour, 00 to 23; any other unknown escape is an error, or empty if open patterns are allowed.
    #[default]
    Cauce,
    /// Flume's own rules: `%h` and all unknown letters are empty.
    Strict,
}

/// `hdfs.round`: rounds times down before they are rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rounding {
    /// A number of units: 1 to 60 seconds or minutes, 1 to 24 hours.
    pub value: u32,
    /// The unit of `value`.
    pub unit: RoundUnit,
}

/// Unit of [`Rounding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoundUnit {
    /// Seconds.
    Second,
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
}

/// This host's names, for `%[localhost]`, `%[IP]` and `%[FQDN]`. The caller looks them up once per run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNames {
    /// The host name.
    pub localhost: String,
    /// An IP address of the host.
    pub ip: String,
    /// The fully qualified domain name.
    pub fqdn: String,
}

/// How to compile a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PatternOptions {
    /// IANA name of the zone, or Java's `GMT+5:30`; `None` is UTC.
    pub time_zone: Option<String>,
    /// The rules for escapes.
    pub escapes: Escapes,
    /// Rounds times down; `None` does not.
    pub rounding: Option<Rounding>,
    /// Accept patterns whose folders are not single hours and never close (a `twitter.conf` may have them), and escapes
    /// that Flume leaves empty or unchanged.
    pub allow_open: bool,
    /// Values of `%{name}` for the whole run (Flume's static and host interceptors). The last value of a name counts.
    pub headers: Vec<(String, String)>,
    /// This host's names; `None` makes `%[…]` an error.
    pub host: Option<HostNames>,
}

/// The span of a pattern's folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// One hour: such folders can close.
    Hour,
    /// A day.
    Day,
    /// Anything else (minutes, months, a host's name): such folders never close.
    Other,
}

impl fmt::Display for Granularity {
    /// `hour`, `day` or `other`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Granularity::Hour => "hour",
            Granularity::Day => "day",
            Granularity::Other => "other",
        })
    }
}

/// A notice for the operator about a pattern, logged at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice(pub String);

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An invalid pattern. The message names the pattern, the fault and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(pub String);

/// A compiled pattern, which names a lake's folders.
///
/// By default the folders must be single hours, so that they can close. A pattern therefore names month, day and hour
/// and nothing finer: `%H`, `%k`, `%h`, or `%I` with `%p` name the hour; `%j` names month and day only together with a
/// year, since leap years shift it. [`PatternOptions::allow_open`] accepts other patterns, too.
///
/// ```
/// use cauce_lake::pattern::{Pattern, PatternOptions};
/// use cauce_lake::Hour;
///
/// let pattern = Pattern::new("%m-%d-%h", &PatternOptions::default())?;
/// let hour: Hour = "2026-11-22T05".parse()?;
/// assert_eq!(pattern.folder_of(hour), "11-22-05");
///
/// // Parsing: the name contains no year; the milliseconds in an object's name supply it.
/// let time = pattern.read("11-22-05").expect("a folder of this pattern");
/// assert_eq!(time.hour_near(hour.start_ms() + 123), Some(hour));
/// assert!(pattern.read("11-22-").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    options: PatternOptions,
    parts: Vec<Part>,
    zone: TimeZone,
    notices: Vec<Notice>,
    granularity: Granularity,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text && self.options == other.options
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Pattern {
    /// Compiles a pattern. Leading, trailing and repeated slashes are dropped.
    ///
    /// # Errors
    /// When an escape is unknown (see [`Escapes`]); when a folder would not be a valid key, or would collide with the
    /// lake's own objects; when the zone is unknown or cannot name hours; when Flume refuses the rounding; and, unless
    /// [`PatternOptions::allow_open`] is set, when a folder is not exactly one hour or cannot be parsed.
    pub fn new(text: &str, options: &PatternOptions) -> Result<Pattern, PatternError> {
        let refuse = |reason: String| PatternError(format!("the pattern {text:?} cannot name folders: {reason}"));
        let zone = zone::load(options.time_zone.as_deref())?;
        options.rounding.map_or(Ok(()), moment::check_rounding)?;
        let escape::Compiled { parts, mut notices, of_the_run } = escape::compile(text, options)?;
        let parts = folder::tidy(parts);
        if parts.is_empty() && !options.allow_open {
            return Err(PatternError(format!("the pattern {text:?} is empty: write %m-%d-%H, or dt=%Y-%m-%d/hour=%H")));
        }
        if let Some(reason) = folder::collision(&parts) {
            return Err(refuse(reason));
        }
        // A Wednesday in September: the longest name of any date.
        let sample = escape::render(&parts, &Moment::at(1_790_811_296_789, &zone, None));
        if !parts.is_empty() {
            Key::new(sample.as_str()).map_err(|error| refuse(error.to_string()))?;
        }
        if let Some(segment) = folder::hidden_segment(&parts) {
            let said = format!("Spark and Hadoop hide names that begin with _ or ., such as its {segment:?}");
            if !options.allow_open {
                return Err(refuse(said));
            }
            notices.push(Notice(said));
        }
        if let Some(hostile) = sample.chars().find(|c| ":*?{}[]".contains(*c)) {
            notices.push(Notice(format!(
                "folders such as {sample:?} hold {hostile:?}, which Spark and Hadoop cannot open"
            )));
        }

        let folder::Reach { granularity, open } = folder::reach(&parts, &of_the_run, options.rounding);
        if granularity == Granularity::Hour {
            let names_offset = shows(&parts, Quantity::Offset);
            if let Some(fault) = zone::fault(&zone, names_offset) {
                let name = options.time_zone.as_deref().unwrap_or("UTC");
                return Err(refuse(format!("the time zone {name:?} cannot name folders of hours: {fault}")));
            }
        } else {
            let open = open.join("; ");
            if !options.allow_open {
                return Err(refuse(format!(
                    "{open}. A folder must be one hour, or it could never close; only a twitter.conf may hold others"
                )));
            }
            notices.push(Notice(format!("folders of this pattern never close: {open}")));
        }
        Ok(Pattern { text: text.to_owned(), options: options.clone(), parts, zone, notices, granularity })
    }

    /// The pattern's text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The options it was compiled with.
    pub fn options(&self) -> &PatternOptions {
        &self.options
    }

    /// Notices for the operator, to be logged at start.
    pub fn notices(&self) -> Vec<Notice> {
        self.notices.clone()
    }

    /// The span of its folders.
    pub fn granularity(&self) -> Granularity {
        self.granularity
    }

    /// Whether folder names contain the year. Two digits count: such a name repeats only after a century, and
    /// [`FolderTime::hour_near`] takes the century from its hint.
    pub fn names_year(&self) -> bool {
        [Quantity::Year, Quantity::ShortYear, Quantity::EpochSecond, Quantity::EpochMs]
            .into_iter()
            .any(|quantity| shows(&self.parts, quantity))
    }

    /// The folder of an instant, without slashes at its ends. Only an open pattern without parts gives an empty one.
    pub fn folder_at(&self, epoch_ms: i64) -> String {
        escape::render(&self.parts, &Moment::at(epoch_ms, &self.zone, self.options.rounding))
    }

    /// The folder of an hour, for patterns of [`Granularity::Hour`].
    pub fn folder_of(&self, hour: Hour) -> String {
        self.folder_at(hour.start_ms())
    }

    /// Parses a folder's name, without slashes at its ends; `None` if the pattern does not render such a name.
    pub fn read(&self, folder: &str) -> Option<FolderTime> {
        reverse::read(self, folder)
    }

    /// The number of `/`-separated segments of a folder; an object's key has one more.
    pub fn depth(&self) -> usize {
        folder::depth(&self.parts)
    }

    /// The common prefix of all folders, such as `dt=` for `dt=%Y-%m-%d/hour=%H`; often empty.
    pub(crate) fn literal_prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            _ => "",
        }
    }

    /// The common prefix of all folders of a range, such as `dt=2026-11-` for a few days of a month, so that one
    /// listing covers them. It also covers folders of other years with the same names. Empty if they share no prefix.
    pub(crate) fn listing_prefix(&self, range: &HourRange) -> String {
        let last_ms = range.end.start_ms().saturating_sub(1).max(range.start.start_ms());
        let [first, last] =
            [range.start.start_ms(), last_ms].map(|ms| Moment::at(ms, &self.zone, self.options.rounding));
        let begin = moment::timestamp(range.start.start_ms());
        if self.zone.following(begin).next().is_some_and(|change| change.timestamp() <= moment::timestamp(last_ms)) {
            // The offset changes within the range, so equal ends do not imply an equal middle.
            return self.literal_prefix().to_owned();
        }
        let shared = self.parts.iter().take_while(|part| match part {
            Part::Literal(_) => true,
            Part::Field(field) => field.quantity == Quantity::Offset || first.same(&last, field.quantity.unit()),
        });
        escape::render(&self.parts[..shared.count()], &first)
    }
}

fn shows(parts: &[Part], quantity: Quantity) -> bool {
    parts.iter().any(|part| matches!(part, Part::Field(field) if field.quantity == quantity))
}
