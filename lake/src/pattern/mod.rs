//! The partition pattern: names of hour folders, forwards and backwards.
//!
//! Used where a record gets its folder and where a lake is listed. Forwards an instant becomes a folder (`escape`, with
//! times from `moment`), backwards a folder becomes a span of time (`reverse`); `folder` decides whether folders can
//! close, `zone` whether a zone may name them. The escapes are Flume's, with the decisions of ours that [`Escapes`] and
//! [`Pattern`] state. Pure: no clock, no I/O; the zone database is compiled in.
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
mod template;
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
pub use template::Template;
pub use zone::check_zone;

/// Which rules the escapes follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Escapes {
    /// `%h` is the hour, 00 to 23; another unknown escape is an error, or empty where open patterns are allowed.
    #[default]
    Cauce,
    /// Flume's own: `%h` and every unknown letter are empty.
    Strict,
}

/// `hdfs.round`: times are rounded down before they are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rounding {
    /// Multiple of the unit: 1 to 60 seconds or minutes, 1 to 24 hours.
    pub value: u32,
    /// The unit.
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

/// What this host is called, for `%[localhost]`, `%[IP]` and `%[FQDN]`. The caller looks it up, once a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNames {
    /// The host's own name.
    pub localhost: String,
    /// Its address.
    pub ip: String,
    /// Its full name.
    pub fqdn: String,
}

/// How a pattern is to be understood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PatternOptions {
    /// IANA name of the zone, or Java's `GMT+5:30`; `None` is UTC.
    pub time_zone: Option<String>,
    /// Escapes.
    pub escapes: Escapes,
    /// Rounding.
    pub rounding: Option<Rounding>,
    /// Accept patterns that fix no single hour (a `twitter.conf` may hold them; they never close), and escapes that Flume
    /// would leave empty or as they stand.
    pub allow_open: bool,
    /// Values of `%{name}` that are fixed for the whole run (Flume's static and host interceptors). The last of a name wins.
    pub headers: Vec<(String, String)>,
    /// This host's names; without them `%[…]` is an error.
    pub host: Option<HostNames>,
}

/// What a folder named by a pattern spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// One hour: such folders can close.
    Hour,
    /// A day.
    Day,
    /// Anything else (minutes, months, a host's name): never closes.
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

/// Something worth a word at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice(pub String);

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A pattern that cannot be used; the text names the pattern, what is wrong and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(pub String);

/// A compiled pattern: the names of a lake's folders.
///
/// A lake's own pattern names month, day and hour and nothing finer, so that each folder is one hour and can close:
/// `%H`, `%k`, `%h` or `%I` with `%p` name the hour; `%j` names month and day only together with a year, because after
/// February it means another day in a leap year. [`PatternOptions::allow_open`] takes others too.
///
/// ```
/// use cauce_lake::pattern::{Pattern, PatternOptions};
/// use cauce_lake::Hour;
///
/// let pattern = Pattern::new("%m-%d-%h", &PatternOptions::default())?;
/// let hour: Hour = "2026-11-22T05".parse()?;
/// assert_eq!(pattern.folder_of(hour), "11-22-05");
///
/// // Backwards: the name holds no year, so the milliseconds in an object's name find it.
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
    /// Compiles a pattern. Slashes at its ends and doubled ones are dropped.
    ///
    /// # Errors
    /// When an escape is unknown (see [`Escapes`]); when folders would be no clean keys, or would stand where the lake
    /// keeps its own objects; when the zone is unknown or cannot name hours; when rounding has a value that Flume refuses; and,
    /// unless [`PatternOptions::allow_open`], when a folder is not exactly one hour or cannot be read back.
    pub fn new(text: &str, options: &PatternOptions) -> Result<Pattern, PatternError> {
        let refuse = |reason: String| PatternError(format!("the pattern {text:?} cannot name folders: {reason}"));
        let Template { parts, zone, mut notices, of_the_run, .. } = Template::new(text, options)?;
        let parts = folder::tidy(parts);
        if parts.is_empty() && !options.allow_open {
            return Err(PatternError(format!("the pattern {text:?} is empty: write %m-%d-%H, or dt=%Y-%m-%d/hour=%H")));
        }
        if let Some(reason) = folder::collision(&parts) {
            return Err(refuse(reason));
        }
        // A Wednesday in September: no date has a longer name.
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

    /// The text it was made from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it was made with.
    pub fn options(&self) -> &PatternOptions {
        &self.options
    }

    /// What is worth saying at start.
    pub fn notices(&self) -> Vec<Notice> {
        self.notices.clone()
    }

    /// What its folders span.
    pub fn granularity(&self) -> Granularity {
        self.granularity
    }

    /// Whether folder names hold the year. Two digits count: such a name comes again only after a century, and
    /// [`FolderTime::hour_near`] still takes the century from its hint.
    pub fn names_year(&self) -> bool {
        [Quantity::Year, Quantity::ShortYear, Quantity::EpochSecond, Quantity::EpochMs]
            .into_iter()
            .any(|quantity| shows(&self.parts, quantity))
    }

    /// The folder of an instant (no slash at its ends). Empty only for an open pattern that holds nothing.
    pub fn folder_at(&self, epoch_ms: i64) -> String {
        escape::render(&self.parts, &Moment::at(epoch_ms, &self.zone, self.options.rounding))
    }

    /// The folder of an hour; only for [`Granularity::Hour`].
    pub fn folder_of(&self, hour: Hour) -> String {
        self.folder_at(hour.start_ms())
    }

    /// Reads a folder's name (no slash at its ends) backwards; `None` when the pattern could not have made it.
    pub fn read(&self, folder: &str) -> Option<FolderTime> {
        reverse::read(self, folder)
    }

    /// How many `/`-separated segments a folder has: an object's key has one more.
    pub fn depth(&self) -> usize {
        folder::depth(&self.parts)
    }

    /// What all folders begin with, such as `dt=` for `dt=%Y-%m-%d/hour=%H`; often empty.
    pub fn literal_prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            _ => "",
        }
    }

    /// What the folders of all hours in a range begin with, such as `dt=2026-11-` for a few days of a month: one sweep over
    /// this prefix sees them all. Other years' folders of the same name are in it too. Empty where they share nothing.
    pub fn listing_prefix(&self, range: &HourRange) -> String {
        let last_ms = range.end.start_ms().saturating_sub(1).max(range.start.start_ms());
        let [first, last] =
            [range.start.start_ms(), last_ms].map(|ms| Moment::at(ms, &self.zone, self.options.rounding));
        let begin = moment::timestamp(range.start.start_ms());
        if self.zone.following(begin).next().is_some_and(|change| change.timestamp() <= moment::timestamp(last_ms)) {
            // The clock is set somewhere in the range, so equal ends do not mean an equal middle.
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
