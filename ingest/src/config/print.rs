//! The configuration as it is in force, for people: each knob with its value and where it was written. Secrets are
//! shown as hidden, references as they were written.

use super::knobs::{KNOBS, Kind, Knob};
use super::layers::Layers;
use super::redact::redact;

/// What stands in place of a secret.
pub(crate) const HIDDEN: &str = "(hidden)";

/// Lines such as `lake.pattern = "%m-%d-%h"   # cauce.toml:4`; defaults too when `all`.
pub(crate) fn effective(layers: &Layers, all: bool) -> String {
    let lines: Vec<(String, String)> = KNOBS
        .iter()
        .filter_map(|knob| match layers.entry(knob.key) {
            Some(entry) => {
                let shown =
                    if knob.is_secret() { HIDDEN.to_owned() } else { bare(knob, redact(&entry.written.show())) };
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

/// Every setting there is as Markdown, one table a section: what stands in `docs/configuration.md`.
pub fn reference() -> String {
    let mut text = String::new();
    let mut section = "";
    for knob in KNOBS.iter() {
        let (of, name) = knob.key.rsplit_once('.').unwrap_or(("", knob.key));
        if of != section {
            section = of;
            text +=
                &format!("\n### `[{section}]`\n\n| setting | value | default | what it does |\n|---|---|---|---|\n");
        }
        let value = match knob.kind {
            Kind::Text => "text".to_owned(),
            Kind::Secret => "secret".to_owned(),
            Kind::List => "list".to_owned(),
            Kind::Rules => "rules".to_owned(),
            Kind::Switch => "`true` or `false`".to_owned(),
            Kind::Count => "number".to_owned(),
            Kind::Duration => "duration".to_owned(),
            Kind::Size => "size".to_owned(),
            Kind::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        };
        let default = match (knob.kind, knob.default) {
            (_, "") => knob.or.to_owned(),
            (Kind::List, list) => list.split(',').map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" "),
            (_, default) => format!("`{default}`"),
        };
        let what = format!("{} {}", knob.what, knob.change);
        text += &format!("| `{name}` | {value} | {default} | {} |\n", what.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documentation is part of the repository, so a knob cannot change without it.
    #[test]
    fn the_documentation_holds_every_setting_as_it_is() {
        let page = include_str!("../../../docs/configuration.md");
        assert!(page.contains(&reference()), "put the output of `ingest check --reference` into docs/configuration.md");
    }
}
