//! Typed reading of layers: each function takes one knob, falls back to its default and collects what is wrong with
//! where it was written. After the last one [`Problems::check`] decides; values read after a problem are never used.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::SecretString;

use super::knobs::{self, Kind};
use super::layers::{Layers, Value};
use super::problem::Problems;
use super::units;

/// Layers being read, and the problems found.
pub(super) struct Read<'a> {
    pub(super) layers: &'a Layers,
    pub(super) problems: Problems,
    pub(super) notices: Vec<String>,
    failed: BTreeSet<String>,
}

impl<'a> Read<'a> {
    pub(super) fn new(layers: &'a Layers) -> Read<'a> {
        Read { layers, problems: Problems::default(), notices: Vec::new(), failed: BTreeSet::new() }
    }

    /// Adds a problem with where the knob was written; the value is not quoted. Only the first of a knob counts: what
    /// follows comes from the value that stands in for the wrong one.
    pub(super) fn problem(&mut self, key: &str, what: &str) {
        if !self.failed.insert(key.to_owned()) {
            return;
        }
        let place = self.layers.entry(key).map_or(String::new(), |entry| format!("{}: ", entry.origin));
        self.problems.push(format!("{place}{key}: {what}"));
    }

    /// Whether something is wrong with one of these knobs.
    pub(super) fn has_problem(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.failed.contains(*key))
    }

    /// Adds a problem that quotes the value as it was written; never for secrets.
    pub(super) fn quoted_problem(&mut self, key: &str, what: &str) {
        let written = self.layers.entry(key).map_or(String::new(), |entry| entry.written.show());
        self.problem(key, &format!("{written} {what}"));
    }

    /// A text, or the default; `None` where there is neither, or an empty one was written.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let text = match self.layers.entry(key).map(|entry| entry.value()) {
            Some(Value::Text(text)) => text.trim(),
            Some(_) => {
                self.problem(key, "must be one text");
                return None;
            }
            None => knobs::find(key).map_or("", |knob| knob.default),
        };
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A text exactly as written: blanks and emptiness count.
    pub(super) fn exact_text(&mut self, key: &str) -> String {
        match self.layers.entry(key).map(|entry| entry.value()) {
            Some(Value::Text(text)) => text.clone(),
            _ => self.text(key).unwrap_or_default(),
        }
    }

    pub(super) fn secret(&mut self, key: &str) -> Option<SecretString> {
        self.text(key).map(SecretString::from)
    }

    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        match self.layers.entry(key).map(|entry| entry.value()) {
            Some(Value::List(texts)) => texts.clone(),
            Some(_) => {
                self.problem(key, "must be a list");
                Vec::new()
            }
            None => knobs::find(key).map_or(Vec::new(), |knob| {
                knob.default.split(',').filter(|text| !text.is_empty()).map(str::to_owned).collect()
            }),
        }
    }

    pub(super) fn switch(&mut self, key: &str) -> Option<bool> {
        match self.text(key)?.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.quoted_problem(key, "must be true or false");
                None
            }
        }
    }

    pub(super) fn count(&mut self, key: &str) -> u64 {
        let text = self.text(key).unwrap_or_default();
        text.parse().unwrap_or_else(|_| {
            self.quoted_problem(key, "must be a whole number, 0 or more");
            0
        })
    }

    pub(super) fn duration(&mut self, key: &str) -> Duration {
        let text = self.text(key).unwrap_or_default();
        units::duration(&text).unwrap_or_else(|why| {
            self.quoted_problem(key, &why);
            Duration::ZERO
        })
    }

    pub(super) fn size(&mut self, key: &str) -> u64 {
        let text = self.text(key).unwrap_or_default();
        units::size(&text).unwrap_or_else(|why| {
            self.quoted_problem(key, &why);
            0
        })
    }

    /// One of the knob's words.
    pub(super) fn choice(&mut self, key: &str) -> String {
        let text = self.text(key).unwrap_or_default();
        if let Some(Kind::Choice(words)) = knobs::find(key).map(|knob| knob.kind)
            && !words.contains(&text.as_str())
        {
            self.quoted_problem(key, &format!("must be one of {}", words.join(", ")));
        }
        text
    }

    /// Whether a value was written, by whatever layer.
    pub(super) fn is_written(&self, key: &str) -> bool {
        self.layers.entry(key).is_some()
    }
}
