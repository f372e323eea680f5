//! What was written, before it is checked: one value a knob, from the highest layer that has it, with where it stands.
//! The layers, lowest first: defaults, Flume's defaults (under a `twitter.conf`), `cauce.toml`, `twitter.conf`,
//! `CAUCE_SECTION__KEY` variables, flags.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::knobs::{self, KNOBS, Kind, Knob};
use super::outside::Outside;
use super::problem::{Problems, suggestion};
use super::secrets;

/// A value as it was written. `Debug` shows nothing of it, because it may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Also numbers and switches.
    Text(String),
    /// Several texts.
    List(Vec<String>),
    /// Rules: value and, where there is one, tag.
    Rules(Vec<(String, Option<String>)>),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(hidden)")
    }
}

impl Value {
    /// A text from a variable or a flag, read as the knob wants it.
    pub(crate) fn from_text(kind: Kind, text: &str) -> Value {
        let pieces = || text.split(',').map(str::trim).filter(|piece| !piece.is_empty()).map(str::to_owned);
        match kind {
            // A list of nothing but commas is kept as it is, so that it can be called a mistake.
            Kind::List if pieces().next().is_none() => Value::List(vec![text.to_owned()]),
            Kind::List => Value::List(pieces().collect()),
            Kind::Rules => Value::Rules(pieces().map(|value| (value, None)).collect()),
            _ => Value::Text(text.to_owned()),
        }
    }

    /// For printing; only for knobs that are no secrets.
    pub(crate) fn show(&self) -> String {
        let quoted = |text: &String| format!("{text:?}");
        match self {
            Value::Text(text) => quoted(text),
            Value::List(texts) => format!("[{}]", texts.iter().map(quoted).collect::<Vec<_>>().join(", ")),
            Value::Rules(rules) => {
                let one = |(value, tag): &(String, Option<String>)| match tag {
                    Some(tag) => format!("{{ value = {value:?}, tag = {tag:?} }}"),
                    None => quoted(value),
                };
                format!("[{}]", rules.iter().map(one).collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn try_map<E>(&self, mut change: impl FnMut(&str) -> Result<String, E>) -> Result<Value, E> {
        Ok(match self {
            Value::Text(text) => Value::Text(change(text)?),
            Value::List(texts) => Value::List(texts.iter().map(|text| change(text)).collect::<Result<_, _>>()?),
            Value::Rules(rules) => {
                let rules = rules.iter().map(|(value, tag)| Ok((change(value)?, tag.clone())));
                Value::Rules(rules.collect::<Result<_, E>>()?)
            }
        })
    }
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nowhere: Flume's default, under a `twitter.conf`.
    FlumeDefault,
    /// A line of a file.
    Line {
        /// The file.
        file: Arc<str>,
        /// Its line, from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag, without its value.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::FlumeDefault => f.write_str("Flume's default"),
            Origin::Line { file, line } => write!(f, "{file}:{line}"),
            Origin::Variable(name) | Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// A value with where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// As it was written: references are not resolved. This is what may be shown.
    pub(crate) written: Value,
    /// With its references resolved, where there were any. Never shown.
    pub(crate) resolved: Option<Value>,
    /// Where it was written.
    pub(crate) origin: Origin,
}

impl Entry {
    /// The value to work with.
    pub(crate) fn value(&self) -> &Value {
        self.resolved.as_ref().unwrap_or(&self.written)
    }
}

/// One value a knob.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    entries: BTreeMap<&'static str, Entry>,
}

impl Layers {
    /// Puts a value over whatever is there.
    pub(crate) fn put(&mut self, knob: &'static Knob, written: Value, origin: Origin) {
        self.put_entry(knob, Entry { written, resolved: None, origin });
    }

    /// Puts an entry over whatever is there.
    pub(crate) fn put_entry(&mut self, knob: &'static Knob, entry: Entry) {
        self.entries.insert(knob.key, entry);
    }

    /// What is written for a knob; `None` where its default holds.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        debug_assert!(knobs::find(key).is_some(), "{key} is no knob");
        self.entries.get(key)
    }

    /// Takes every `CAUCE_SECTION__KEY` variable. An unknown one is a mistake: a typo there would otherwise be silent.
    pub(crate) fn put_variables(&mut self, outside: &Outside, problems: &mut Problems) {
        // These belong to the command line and are read there.
        const OTHERS: [&str; 3] = ["CAUCE_LOG", "CAUCE_LOG_FORMAT", "CAUCE_CONFIG"];
        for (name, text) in outside.variables() {
            if !name.starts_with("CAUCE_") || OTHERS.contains(&name) {
                continue;
            }
            match KNOBS.iter().find(|knob| knob.variable() == name) {
                Some(knob) => self.put(knob, Value::from_text(knob.kind, text), Origin::Variable(name.to_owned())),
                None => {
                    let names: Vec<String> = KNOBS.iter().map(Knob::variable).collect();
                    let nearest = suggestion(name, names.iter().map(String::as_str).chain(OTHERS));
                    problems.push(format!("{name}: there is no setting of this name{nearest}"));
                }
            }
        }
    }

    /// Takes `key=value` from a flag. Secrets are refused there, because a process list shows them.
    pub(crate) fn put_flag(&mut self, key: &str, text: &str, flag: &str, problems: &mut Problems) {
        match knobs::find(key) {
            None if key.is_empty() => problems.push(format!("{flag}: write it as section.key=value")),
            None => problems.push(format!("{flag}: there is no setting {key}{}", knobs::suggest(key))),
            Some(knob) if knob.is_secret() => problems.push(format!(
                "{flag}: {key} is a secret, and everyone on this machine can read a command line; set {} or write \
                 ${{file:…}} in cauce.toml",
                knob.variable()
            )),
            Some(knob) => self.put(knob, Value::from_text(knob.kind, text), Origin::Flag(flag.to_owned())),
        }
    }

    /// Resolves `${env:NAME}` and `${file:path}` in all values whose name begins with one of the prefixes.
    pub(crate) fn resolve(&mut self, prefixes: &[&str], outside: &Outside, problems: &mut Problems) {
        for (key, entry) in &mut self.entries {
            if entry.resolved.is_some() || !prefixes.iter().any(|prefix| key.starts_with(prefix)) {
                continue;
            }
            match entry.written.try_map(|text| secrets::resolve(text, outside)) {
                Ok(resolved) if resolved != entry.written => entry.resolved = Some(resolved),
                Ok(_) => {}
                Err(why) => problems.push(format!("{}: {key}: {why}", entry.origin)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_found_by_section_and_key_and_a_list_is_split_at_commas() {
        let mut layers = Layers::default();
        let mut problems = Problems::default();
        let outside = Outside::with_variables([
            ("CAUCE_SOURCE__KEYWORDS", "cat, dog ,"),
            ("CAUCE_LAKE__S3__ENDPOINT_URL", "http://127.0.0.1:1"),
            ("CAUCE_LOG", "debug"),
            ("OTHER", "x"),
        ]);
        layers.put_variables(&outside, &mut problems);
        problems.check().expect("no problem");
        let keywords = layers.entry("source.keywords").expect("keywords are there");
        assert_eq!(keywords.value(), &Value::List(vec!["cat".into(), "dog".into()]));
        assert_eq!(keywords.origin.to_string(), "CAUCE_SOURCE__KEYWORDS");
        assert!(layers.entry("lake.s3.endpoint_url").is_some());
    }

    #[test]
    fn an_unknown_variable_is_a_mistake_with_a_suggestion() {
        let mut problems = Problems::default();
        Layers::default().put_variables(&Outside::with_variables([("CAUCE_LAKE__PATERN", "x")]), &mut problems);
        let error = problems.check().expect_err("the typo was taken").to_string();
        assert_eq!(error, "CAUCE_LAKE__PATERN: there is no setting of this name (did you mean CAUCE_LAKE__PATTERN?)");
    }

    #[test]
    fn a_secret_on_the_command_line_is_refused() {
        let mut problems = Problems::default();
        Layers::default().put_flag("source.bearer_token", "hush", "--set source.bearer_token", &mut problems);
        let error = problems.check().expect_err("the secret was taken").to_string();
        assert!(error.contains("CAUCE_SOURCE__BEARER_TOKEN") && !error.contains("hush"), "{error}");
    }
}
