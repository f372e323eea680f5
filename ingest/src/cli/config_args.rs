//! Arguments that say which configuration is meant; shared by the commands that need one.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::config::{Flag, FlumeRequest, Request};

/// Where the configuration is, and settings over it.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ConfigArgs {
    /// The cauce.toml; without it, one in the current folder is taken when it is there
    #[arg(short, long, value_name = "FILE", env = "CAUCE_CONFIG", value_parser = any_path())]
    config: Option<PathBuf>,
    /// The agent's name in the twitter.conf; not needed where the file holds one agent
    #[arg(short = 'n', long = "name", value_name = "AGENT", requires = "conf_file")]
    name: Option<String>,
    /// A Flume twitter.conf
    #[arg(short = 'f', long = "conf-file", value_name = "FILE")]
    conf_file: Option<PathBuf>,
    /// Any setting but a secret, such as lake.compression=zstd; may be repeated
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Where records come from: x-v2, x-v1, files or stdin
    #[arg(long, value_name = "TYPE")]
    source: Option<String>,
    /// Where the lake is: s3://bucket/prefix or a folder
    #[arg(long, value_name = "URL")]
    lake: Option<String>,
    /// The spool's folder
    #[arg(long, value_name = "FOLDER")]
    spool_dir: Option<String>,
}

/// Also takes nothing, which clap's own does not: a variable may be set to it.
fn any_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Key and value. Without `=` the key stays empty and is refused with the other problems: an error of clap's own would
/// repeat what was typed, which may be a secret.
pub(super) fn key_and_value(text: &str) -> (String, String) {
    let (key, value) = text.split_once('=').unwrap_or(("", text));
    (key.trim().to_owned(), value.to_owned())
}

impl ConfigArgs {
    pub(super) fn request(&self) -> Request {
        let named = [
            ("source.type", "--source", &self.source),
            ("lake.url", "--lake", &self.lake),
            ("spool.dir", "--spool-dir", &self.spool_dir),
        ];
        let named = named.into_iter().filter_map(|(key, flag, value)| {
            Some(Flag { key: key.to_owned(), value: value.clone()?, flag: flag.to_owned() })
        });
        let set = self.set.iter().map(|text| {
            let (key, value) = key_and_value(text);
            Flag { key, value, flag: "--set".to_owned() }
        });
        Request {
            // A variable that is set to nothing counts as not set.
            toml: self.config.clone().filter(|path| !path.as_os_str().is_empty()),
            flume: self.conf_file.clone().map(|file| FlumeRequest {
                agent: self.name.clone(),
                file,
                system: Vec::new(),
            }),
            flags: set.chain(named).collect(),
        }
    }
}
