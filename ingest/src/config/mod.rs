//! Configuration: what was written (`cauce.toml`, a Flume `twitter.conf`, the environment, flags) becomes one checked
//! [`Settings`]. Nothing is connected to and nothing is made on disk here; files and variables are read in one step
//! ([`load`]), everything behind it is pure.

pub mod filters;
pub mod flume;
mod knobs;
mod layers;
mod outside;
mod print;
mod problem;
mod read;
pub(crate) mod redact;
pub mod rules;
mod secrets;
pub mod settings;
mod toml_file;
mod units;
mod validate;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use self::flume::FlumeRequest;
use self::layers::Layers;
pub use self::outside::Outside;
pub use self::print::reference;
pub use self::problem::ConfigError;
use self::problem::Problems;
use self::settings::LakeSettings;
pub use self::settings::Settings;
pub(crate) use self::units::{show_duration, show_size};
use self::validate::FromFlume;

/// What is to be read.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// A `cauce.toml` that has to be there (`-c`). Without it, one beside the `twitter.conf` or, where there is no
    /// `twitter.conf`, one in the current folder is taken when it is there.
    pub toml: Option<PathBuf>,
    /// A `twitter.conf`.
    pub flume: Option<FlumeRequest>,
    /// Settings by flags, the last over all others.
    pub flags: Vec<Flag>,
}

/// A setting by a flag.
#[derive(Debug, Clone)]
pub struct Flag {
    /// Section and name: `lake.url`.
    pub key: String,
    /// The value as typed.
    pub value: String,
    /// The flag as messages name it: `--lake`.
    pub flag: String,
}

/// A configuration that was read and found good.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What the program runs on.
    pub settings: Settings,
    layers: Layers,
}

impl Loaded {
    /// The configuration in force, one setting a line with where it was written; secrets are hidden. With `all` also
    /// what was left at its default.
    pub fn effective(&self, all: bool) -> String {
        print::effective(&self.layers, all)
    }
}

/// Reads and checks everything.
///
/// # Errors
/// All problems that could be found, each with where it was written.
pub fn load(request: &Request, outside: &Outside) -> Result<Loaded, ConfigError> {
    let (mut layers, extras) = gather(request, outside)?;
    secrets::fill_from_usual_variables(&mut layers, outside);
    resolve(&mut layers, &[""], outside)?;
    let settings = validate::settings(&layers, &extras)?;
    Ok(Loaded { settings, layers })
}

/// Reads `[lake]` alone, for commands that read a lake: nothing else has to be complete, and no reference elsewhere is
/// resolved. Returns it with what is worth saying.
///
/// # Errors
/// All problems that could be found, each with where it was written.
pub fn load_lake(request: &Request, outside: &Outside) -> Result<(LakeSettings, Vec<String>), ConfigError> {
    let (mut layers, mut extras) = gather(request, outside)?;
    extras.reading = true;
    resolve(&mut layers, &["lake."], outside)?;
    validate::lake_settings(&layers, &extras)
}

/// Reads everything but `[source]` and `[status]`, for a run without a source: no credentials are needed, no page is served.
///
/// # Errors
/// All problems that could be found, each with where it was written.
pub fn load_sourceless(request: &Request, outside: &Outside) -> Result<Settings, ConfigError> {
    let instead = [("source.type", "stdin"), ("status.listen", "off"), ("status.flume_listen", "off")];
    let mut request = request.clone();
    request.flags.extend(instead.map(|(key, value)| Flag {
        key: key.to_owned(),
        value: value.to_owned(),
        flag: format!("{key} of this command"),
    }));
    let (mut layers, extras) = gather(&request, outside)?;
    resolve(&mut layers, &["agent.", "channel.", "spool.", "dedupe.", "lake."], outside)?;
    validate::settings(&layers, &extras)
}

/// Reads `spool.dir` alone, for commands that look into a spool.
///
/// # Errors
/// All problems that could be found, each with where it was written.
pub fn load_spool_dir(request: &Request, outside: &Outside) -> Result<PathBuf, ConfigError> {
    let (mut layers, _) = gather(request, outside)?;
    resolve(&mut layers, &["spool.dir"], outside)?;
    validate::spool_dir(&layers)
}

fn gather(request: &Request, outside: &Outside) -> Result<(Layers, FromFlume), ConfigError> {
    let mut layers = Layers::default();
    let mut problems = Problems::default();
    let flume = request.flume.as_ref().map(|flume| flume::read(flume, outside, &mut problems)).transpose()?;
    if let Some(file) = &flume {
        file.put_defaults(&mut layers);
    }
    let beside = || match &request.flume {
        Some(flume) => flume::companion(flume),
        None => Some(PathBuf::from("cauce.toml")).filter(|path| path.is_file()),
    };
    let toml = request.toml.clone().or_else(beside);
    if let Some(path) = &toml {
        toml_file::read(path, &mut layers, &mut problems)?;
    }
    let mut extras = FromFlume::default();
    if let Some(file) = flume {
        file.put_stated(&mut layers);
        extras = file.extras;
        if let Some(path) = toml.as_deref().map(Path::display) {
            extras.notices.push(format!("{path} is read too, beneath the twitter.conf"));
        }
    }
    layers.put_variables(outside, &mut problems);
    if let Some(flume) = &request.flume {
        flume::system::put(&flume.system, &mut layers, &mut extras.notices, &mut problems);
    }
    for Flag { key, value, flag } in &request.flags {
        layers.put_flag(key, value, flag, &mut problems);
    }
    problems.check()?;
    Ok((layers, extras))
}

fn resolve(layers: &mut Layers, prefixes: &[&str], outside: &Outside) -> Result<(), ConfigError> {
    let mut problems = Problems::default();
    layers.resolve(prefixes, outside, &mut problems);
    problems.check()
}
