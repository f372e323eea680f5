//! The configuration as it is in force, for people: each knob with its value and where it was written. Secrets are
//! shown as hidden, references as they were written.

use super::knobs::{KNOBS, Kind, Knob};
use super::layers::Layers;

/// What stands in place of a secret.
pub(crate) const HIDDEN: &str = "(hidden)";

/// Lines such as `lake.pattern = "%m-%d-%h"   # cauce.toml:4`; defaults too when `all`.
pub(crate) fn effective(layers: &Layers, all: bool) -> String {
    let lines: Vec<(String, String)> = KNOBS
        .iter()
        .filter_map(|knob| match layers.entry(knob.key) {
            Some(entry) => {
                let shown = if knob.is_secret() { HIDDEN.to_owned() } else { bare(knob, entry.written.show()) };
                Some((format!("{} = {shown}", knob.key), entry.origin.to_string()))
            }
            None if all => {
                let shown = match (knob.default, knob.or) {
                    ("", or) => format!("({or})"),
                    (default, _) => default.to_owned(),
                };
                Some((format!("{} = {shown}", knob.key), "default".to_owned()))
            }
            None => None,
        })
        .collect();
    // Long lists must not push everybody else's comment out of sight.
    let width = lines.iter().map(|(text, _)| text.chars().count()).filter(|width| *width <= 72).max().unwrap_or(0);
    lines.into_iter().map(|(text, origin)| format!("{text:width$}  # {origin}\n")).collect()
}

/// Numbers and switches go without quotes.
fn bare(knob: &Knob, shown: String) -> String {
    match knob.kind {
        Kind::Count | Kind::Switch => shown.trim_matches('"').to_owned(),
        _ => shown,
    }
}
