//! What a `twitter.conf`'s components become: settings with the line they come from, Flume's defaults beneath them,
//! and words about what is ignored or refused. The three component files fill it.

use super::agent::{Component, Report, Setting};
use crate::config::knobs;
use crate::config::layers::{Entry, Origin, Value};
use crate::config::problem::suggestion;
use crate::config::validate::FromFlume;

/// Settings as they are gathered.
pub(super) struct Mapping<'a> {
    pub(super) report: Report<'a>,
    /// What the file says.
    pub(super) stated: Vec<(&'static str, Entry)>,
    /// What holds in Flume where the file says nothing. A `cauce.toml` goes over these.
    pub(super) defaults: Vec<(&'static str, String)>,
    /// What no setting can hold.
    pub(super) extras: FromFlume,
}

impl Mapping<'_> {
    pub(super) fn default(&mut self, key: &'static str, value: impl Into<String>) {
        self.defaults.push((key, value.into()));
    }

    /// A setting that is the file's value, perhaps in another form.
    pub(super) fn state(&mut self, key: &'static str, value: impl Into<String>, setting: &Setting) {
        let Some(knob) = knobs::find(key) else { return };
        let value = Value::from_text(knob.kind, &value.into());
        // A value that came from a reference is shown as the reference.
        let referred = setting.written.contains("${");
        let written = if referred { Value::Text(setting.written.clone()) } else { value.clone() };
        self.put(key, written, value, setting.line);
    }

    /// A setting that was taken out of a longer value and may be shown.
    pub(super) fn state_part(&mut self, key: &'static str, value: impl Into<String>, line: usize) {
        let value = Value::Text(value.into());
        self.put(key, value.clone(), value, line);
    }

    fn put(&mut self, key: &'static str, written: Value, resolved: Value, line: usize) {
        let origin = Origin::Line { file: self.report.file.into(), line };
        self.stated.push((key, Entry { written, resolved: Some(resolved), origin }));
    }

    pub(super) fn refuse(&mut self, component: &Component, setting: &Setting, key: &str, what: &str) {
        self.report.problem(setting.line, &format!("{}: {what}", component.path(key)));
    }

    /// A whole number as Java reads it: a sign is allowed, anything below zero counts as zero.
    pub(super) fn number(&mut self, component: &Component, key: &str) -> Option<u64> {
        let setting = component.get(key)?;
        match java_number(&setting.value) {
            Some(number) => Some(number),
            None => {
                self.refuse(component, setting, key, "must be a whole number, without unit");
                None
            }
        }
    }

    /// Says which keys have no meaning here; ours begin with `cauce.` and go straight to a section's settings.
    pub(super) fn unknown_keys(&mut self, component: &Component, known: &[&str], section: &str) {
        for (key, setting) in &component.settings {
            if known.contains(&key.as_str()) {
                continue;
            }
            if let Some(own) = key.strip_prefix("cauce.") {
                match knobs::find(&format!("{section}.{own}")) {
                    Some(knob) => self.state(knob.key, setting.value.clone(), setting),
                    None => {
                        let nearest = knobs::suggest(&format!("{section}.{own}"));
                        self.refuse(component, setting, key, &format!("there is no setting {section}.{own}{nearest}"));
                    }
                }
                continue;
            }
            let elsewhere = knobs::called_elsewhere(key).filter(|_| section == "source");
            let own = elsewhere.and_then(|knob| knob.strip_prefix("source."));
            let nearest = match own.filter(|own| known.contains(own)) {
                Some(own) => format!(" (did you mean {own}?)"),
                None => suggestion(key, known.iter().copied()),
            };
            self.report.notice(setting.line, &format!("{} is not known and is ignored{nearest}", component.path(key)));
        }
    }

    /// Says in one line which keys are accepted and not needed.
    pub(super) fn not_needed(&mut self, component: &Component, keys: &[&str], why: &str) {
        let written: Vec<&str> = keys.iter().copied().filter(|key| component.get(key).is_some()).collect();
        if let Some(line) = written.first().and_then(|key| component.get(key)).map(|setting| setting.line) {
            self.report.notice(
                line,
                &format!(
                    "{} {}: {why}",
                    written.join(", "),
                    if written.len() == 1 { "is ignored" } else { "are ignored" }
                ),
            );
        }
    }
}

pub(super) fn java_number(text: &str) -> Option<u64> {
    let number: i64 = text.trim().parse().ok()?;
    Some(u64::try_from(number).unwrap_or(0))
}

/// A switch as Java reads it: `true` in any case, everything else is false.
pub(super) fn java_switch(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("true")
}
