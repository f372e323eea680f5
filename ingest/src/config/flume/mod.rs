//! A Flume `twitter.conf`, read by Flume's rules: grammar, substitution, wiring, and what each component means here.
//! Reading the file and the environment is the only I/O.

mod agent;
mod channel;
mod mapping;
mod path;
mod properties;
mod sink;
mod source;
mod substitute;
pub(crate) mod system;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use self::agent::Report;
use self::mapping::Mapping;
use super::knobs;
use super::layers::{Entry, Layers, Origin, Value};
use super::outside::Outside;
use super::problem::{ConfigError, Problems};
use super::validate::FromFlume;

/// Which agent of which file.
#[derive(Debug, Clone, Default)]
pub struct FlumeRequest {
    /// The agent's name (`-n`). Without it the file must hold one agent.
    pub agent: Option<String>,
    /// The file (`-f`).
    pub file: PathBuf,
    /// System properties (`-Dkey=value`), in the order in which they were given.
    pub system: Vec<(String, String)>,
}

/// What a file says, ready to be put over and under a `cauce.toml`.
pub(crate) struct FlumeFile {
    stated: Vec<(&'static str, Entry)>,
    defaults: Vec<(&'static str, String)>,
    /// What no setting can hold.
    pub(crate) extras: FromFlume,
}

impl FlumeFile {
    /// Puts Flume's defaults in: beneath a `cauce.toml`.
    pub(crate) fn put_defaults(&self, layers: &mut Layers) {
        for (key, text) in &self.defaults {
            if let Some(knob) = knobs::find(key) {
                layers.put(knob, Value::from_text(knob.kind, text), Origin::FlumeDefault);
            }
        }
    }

    /// Puts in what the file says: over a `cauce.toml`.
    pub(crate) fn put_stated(&self, layers: &mut Layers) {
        for (key, entry) in &self.stated {
            if let Some(knob) = knobs::find(key) {
                layers.put_entry(knob, entry.clone());
            }
        }
    }
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read, or nothing of it can run. What is wrong inside components is added to `problems`.
pub(crate) fn read(
    request: &FlumeRequest,
    outside: &Outside,
    problems: &mut Problems,
) -> Result<FlumeFile, ConfigError> {
    let name = request.file.display();
    let bytes = std::fs::read(&request.file).map_err(|why| ConfigError::one(format!("cannot read {name}: {why}")))?;
    parse(&bytes, request, outside, problems)
}

fn parse(
    bytes: &[u8],
    request: &FlumeRequest,
    outside: &Outside,
    problems: &mut Problems,
) -> Result<FlumeFile, ConfigError> {
    let file = request.file.display().to_string();
    let properties =
        properties::parse(bytes).map_err(|error| ConfigError::one(format!("{file}:{}: {}", error.line, error.what)))?;
    let agent = agent::named(&properties, request.agent.as_deref(), &file).map_err(ConfigError::one)?;
    let refused = |(line, what): &(usize, String)| format!("{file}:{line}: {what}");
    let env_filters = substitute::env_filters(&properties.properties, &agent).unwrap_or_else(|filters| {
        filters.iter().for_each(|filter| problems.push(refused(filter)));
        Vec::new()
    });
    let lookup =
        substitute::Lookup { outside, system: &request.system, properties: &properties.properties, env_filters };
    let mut notices = Vec::new();
    let mut report = Report { file: &file, notices: &mut notices, problems };
    let wired = agent::wire(&properties, &agent, &lookup, &mut report);
    let mut mapping = Mapping { report, stated: Vec::new(), defaults: Vec::new(), extras: FromFlume::default() };
    if let Some(wired) = wired {
        mapping.default("agent.id", agent_id(&agent));
        source::map(&wired.source, outside, &mut mapping);
        channel::map(&wired.channel, &wired.sink, &mut mapping);
        sink::map(&wired.sink, outside, &mut mapping);
        mapping.extras.names = Some((wired.source.name, wired.channel.name, wired.sink.name));
    }
    let Mapping { stated, defaults, mut extras, .. } = mapping;
    extras.notices = notices;
    problems.check()?;
    Ok(FlumeFile { stated, defaults, extras })
}

/// The agent's id from its name in Flume: small letters, digits and hyphens.
fn agent_id(name: &str) -> String {
    let id: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .take(32)
        .collect();
    let id = id.trim_matches('-');
    if id.is_empty() { "agent".to_owned() } else { id.to_owned() }
}

/// The `cauce.toml` beside a `twitter.conf`, or the one that `-Dcauce.config` names.
pub(crate) fn companion(request: &FlumeRequest) -> Option<PathBuf> {
    if let Some((_, path)) = request.system.iter().rev().find(|(key, _)| key == "cauce.config") {
        return Some(PathBuf::from(path));
    }
    let beside = request.file.parent().unwrap_or(Path::new("")).join("cauce.toml");
    beside.is_file().then_some(beside)
}
