//! A setting as data: its name, what its value looks like, its default and what it does.
//!
//! Each option of a lake ([`crate::options`]) and of S3 ([`crate::store::s3::options`]) is one [`Row`] of a table. Configuration
//! files, variables, flags, Python's keywords, `luigi.cfg` and Spark's options are all read by these tables. Pure: nothing here
//! reads the environment or a file.

mod duration;

use std::fmt;

pub use duration::{duration, show_duration};

/// What a setting's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A text that no message, log or pickle may hold.
    Secret,
    /// `true` or `false`.
    Switch,
    /// A whole number.
    Count,
    /// `20ms`, `5m`, `0`.
    Duration,
    /// One of a few words.
    Choice(&'static [&'static str]),
}

impl Kind {
    /// In one word: `text`, `secret`, `switch`, `count`, `duration` or `choice`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Secret => "secret",
            Kind::Switch => "switch",
            Kind::Count => "count",
            Kind::Duration => "duration",
            Kind::Choice(_) => "choice",
        }
    }
}

/// A setting, without its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Section and name as in `cauce.toml`: `lake.s3.region`.
    pub key: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// Its default, written as in a variable; empty where there is none or where it depends on something.
    pub default: &'static str,
    /// What the default depends on; empty otherwise.
    pub or: &'static str,
    /// What it is.
    pub what: &'static str,
    /// What raising and lowering it, or the other choice, does; empty where there is nothing to say.
    pub change: &'static str,
}

impl Setting {
    /// Its name without the section: `region`.
    pub fn name(&self) -> &'static str {
        name_of(self.key)
    }

    /// The variable that sets it: `CAUCE_LAKE__S3__REGION`.
    pub fn variable(&self) -> String {
        format!("CAUCE_{}", self.key.replace('.', "__").to_uppercase())
    }

    /// Whether a message may repeat a value that is wrong: not where it can hold a secret, or an address with one.
    pub fn is_repeatable(&self) -> bool {
        !matches!(self.kind, Kind::Text | Kind::Secret)
    }

    /// What is wrong with a value, with the value itself where it may be repeated.
    pub(crate) fn wrong_value(&self, text: &str, what: &str) -> String {
        if self.is_repeatable() { format!("{text:?} {what}") } else { what.to_owned() }
    }

    /// Whether its value must not be shown.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }
}

fn name_of(key: &'static str) -> &'static str {
    key.rsplit_once('.').map_or(key, |(_, name)| name)
}

/// A setting and how its text gets into the options `T`.
pub struct Row<T> {
    /// The setting.
    pub setting: Setting,
    /// Reads a text into the options; the error says what a value must be, and does not repeat it.
    pub(crate) set: fn(&mut T, &str) -> Result<(), String>,
}

impl<T> Row<T> {
    /// Reads the setting's text into `options`.
    ///
    /// # Errors
    /// What the value must be, without the value.
    pub fn set(&self, options: &mut T, text: &str) -> Result<(), String> {
        (self.set)(options, text)
    }
}

impl<T> fmt::Debug for Row<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.setting.fmt(f)
    }
}

/// Who wrote the settings, so that a message names one as it is written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Caller {
    /// `cauce.toml`: `lake.s3.region`.
    #[default]
    Agent,
    /// A reading command: `--region`.
    CommandLine,
    /// A call in Python: `region=`.
    Python,
    /// `luigi.cfg`: `[cauce] region`.
    Luigi,
    /// `.option("region", …)` of Spark.
    Spark,
}

impl Caller {
    /// Every caller.
    pub const ALL: [Caller; 5] = [Caller::Agent, Caller::CommandLine, Caller::Python, Caller::Luigi, Caller::Spark];

    /// The caller of this word, as [`Caller::word`] gives it.
    pub fn from_word(word: &str) -> Option<Caller> {
        Caller::ALL.into_iter().find(|caller| caller.word() == word)
    }

    /// In one word: `agent`, `command-line`, `python`, `luigi` or `spark`.
    pub fn word(self) -> &'static str {
        match self {
            Caller::Agent => "agent",
            Caller::CommandLine => "command-line",
            Caller::Python => "python",
            Caller::Luigi => "luigi",
            Caller::Spark => "spark",
        }
    }

    /// A setting as this caller writes it, such as `lake.s3.region`, `--region` or `region=`.
    pub fn name(self, key: &'static str) -> String {
        let name = name_of(key);
        match self {
            Caller::Agent => key.to_owned(),
            Caller::CommandLine => format!("--{}", name.replace('_', "-")),
            Caller::Python => format!("{name}="),
            Caller::Luigi => format!("[cauce] {name}"),
            Caller::Spark => format!(".option({:?}, …)", camel_case(name)),
        }
    }

    /// The same where it is spoken of and not set: a keyword of Python without its `=`.
    pub fn mention(self, key: &'static str) -> String {
        if self == Caller::Python { name_of(key).to_owned() } else { self.name(key) }
    }

    /// A setting with a value as this caller writes it, such as `lake.s3.region = "eu-west-1"` or `--region eu-west-1`.
    pub fn assignment(self, key: &'static str, value: &str) -> String {
        match self {
            Caller::Agent => format!("{key} = {value:?}"),
            Caller::CommandLine => format!("{} {value}", self.name(key)),
            Caller::Python => format!("{}={value:?}", name_of(key)),
            Caller::Luigi => format!("{} = {value}", self.name(key)),
            Caller::Spark => format!(".option({:?}, {value:?})", camel_case(name_of(key))),
        }
    }

    /// Where the URL of a lake or a target is written.
    pub fn url(self) -> &'static str {
        match self {
            Caller::Agent => "lake.url",
            Caller::CommandLine => "lake.url or --lake",
            Caller::Python => "the URL",
            Caller::Luigi => "the URL in [cauce]",
            Caller::Spark => "the URL in load(…)",
        }
    }
}

/// A name as Spark writes it: `endpointUrl` for `endpoint_url`.
pub fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        text.push_str(&first.to_uppercase());
        text.push_str(rest);
    }
    text
}

/// The known name that is nearest to a mistyped one, when it is near enough to be meant.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&typed, &name.to_lowercase()), name))
        .filter(|(nearness, _)| *nearness > 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Settings that cannot be used. No secret stands in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no setting of this name.
    #[error("there is no setting {name}{}", .nearest.map_or(String::new(), |name| format!(" (did you mean {name}?)")))]
    Unknown {
        /// The name as it was given.
        name: String,
        /// The known one that is nearest to it.
        nearest: Option<&'static str>,
    },
    /// A value that the setting cannot have.
    #[error("{name}: {what}")]
    Value {
        /// The setting, or its variable, as it was written.
        name: String,
        /// What the value must be.
        what: String,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Together(String),
}

pub(crate) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

pub(crate) fn count(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "must be a whole number, 0 or more".to_owned())
}

pub(crate) fn choice(text: &str, words: &[&str]) -> Result<String, String> {
    if words.contains(&text) { Ok(text.to_owned()) } else { Err(format!("must be one of {}", words.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_sees_a_setting_as_it_writes_it() {
        let key = "lake.s3.endpoint_url";
        let written = Caller::ALL.map(|caller| (caller.name(key), caller.assignment(key, "http://s3")));
        let expected = [
            ("lake.s3.endpoint_url", "lake.s3.endpoint_url = \"http://s3\""),
            ("--endpoint-url", "--endpoint-url http://s3"),
            ("endpoint_url=", "endpoint_url=\"http://s3\""),
            ("[cauce] endpoint_url", "[cauce] endpoint_url = http://s3"),
            (".option(\"endpointUrl\", …)", ".option(\"endpointUrl\", \"http://s3\")"),
        ];
        assert_eq!(written, expected.map(|(name, assignment)| (name.to_owned(), assignment.to_owned())));
    }

    #[test]
    fn a_caller_is_found_by_its_word() {
        for caller in Caller::ALL {
            assert_eq!(Caller::from_word(caller.word()), Some(caller));
        }
        assert_eq!(Caller::from_word("nobody"), None);
    }

    #[test]
    fn a_typo_gets_the_nearest_name_and_nonsense_gets_none() {
        let known = ["roll_interval", "roll_bytes", "pattern"];
        assert_eq!(nearest("roll_intervall", known), Some("roll_interval"));
        assert_eq!(nearest("patern", known), Some("pattern"));
        assert_eq!(nearest("zzz", known), None);
    }
}
