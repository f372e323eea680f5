//! The partition pattern: names of hour folders, forwards and backwards.
//!
//! Interface agreed; see the functions' documentation.

use crate::hour::Hour;

/// Which rules the escapes follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Escapes {
    /// `%h` is the hour, 00 to 23; an unknown escape is an error.
    #[default]
    Cauce,
    /// Flume's own: `%h` and every unknown letter are empty.
    Strict,
}

/// `hdfs.round`: times are rounded down before they are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rounding {
    /// Multiple of the unit.
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

/// How a pattern is to be understood.
#[derive(Debug, Clone, Default)]
pub struct PatternOptions {
    /// IANA name of the zone; `None` is UTC.
    pub time_zone: Option<String>,
    /// Escapes.
    pub escapes: Escapes,
    /// Rounding.
    pub rounding: Option<Rounding>,
    /// Accept patterns that fix no single hour (a `twitter.conf` may hold them; they never close).
    pub allow_open: bool,
    /// Values of `%{name}` that are fixed for the whole run (Flume's static and host interceptors).
    pub headers: Vec<(String, String)>,
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

/// Something worth a word at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice(pub String);

/// A pattern that cannot be used; the text names the pattern, what is wrong and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(pub String);

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern;

/// What a folder's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderTime;

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// See DESIGN 4.1.
    pub fn new(_text: &str, _options: &PatternOptions) -> Result<Pattern, PatternError> {
        todo!()
    }
    /// The text it was made from.
    pub fn as_str(&self) -> &str {
        todo!()
    }
    /// What is worth saying at start.
    pub fn notices(&self) -> Vec<Notice> {
        todo!()
    }
    /// What its folders span.
    pub fn granularity(&self) -> Granularity {
        todo!()
    }
    /// Whether folder names hold the year.
    pub fn names_year(&self) -> bool {
        todo!()
    }
    /// The folder of an instant (no slash at its ends).
    pub fn folder_at(&self, _epoch_ms: i64) -> String {
        todo!()
    }
    /// The folder of an hour; only for [`Granularity::Hour`].
    pub fn folder_of(&self, hour: Hour) -> String {
        self.folder_at(hour.start_ms())
    }
    /// Reads a folder's name backwards; `None` when the pattern could not have made it.
    pub fn read(&self, _folder: &str) -> Option<FolderTime> {
        todo!()
    }
}

impl FolderTime {
    /// The hour the folder is of: its own where the name holds the year, otherwise that of the year which puts
    /// `epoch_ms` (from an object's name) into the hour, or nearest to it.
    pub fn hour_near(&self, _epoch_ms: i64) -> Option<Hour> {
        todo!()
    }
}
