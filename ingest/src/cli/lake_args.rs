//! Arguments that say which lake is meant; shared by the commands that read one, with what these commands say in common.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use cauce_lake::catalogue::{CatalogueError, Listing};
use cauce_lake::pattern::Granularity;
use cauce_lake::read::ReadError;
use cauce_lake::setting::Caller;
use cauce_lake::store::{self, ErrorKind as StoreErrorKind, S3Options};
use cauce_lake::verify::VerifyError;
use cauce_lake::{Lake, LakeUrl, Lakes};
use clap::builder::{OsStringValueParser, TypedValueParser};

use super::option_args::OptionArgs;
use super::{Exit, Failure, Outcome};
use crate::config::settings::LakeSettings;
use crate::config::{self, Flag, FlumeRequest, Outside, Request};

/// Which lake is read: a configuration's, or others by their URLs.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct LakeArgs {
    /// A cauce.toml, of which [lake] is read; without it, one in the current folder is taken when it is there
    #[arg(short, long, value_name = "FILE", env = "CAUCE_CONFIG", value_parser = any_path())]
    pub(super) config: Option<PathBuf>,
    /// The agent's name in the twitter.conf; not needed where the file holds one agent
    #[arg(short = 'n', long = "name", value_name = "AGENT", requires = "conf_file")]
    pub(super) name: Option<String>,
    /// A Flume twitter.conf, whose sink's path is the lake
    #[arg(short = 'f', long = "conf-file", value_name = "FILE")]
    pub(super) conf_file: Option<PathBuf>,
    /// Where the lake is: s3://bucket/prefix or a folder; repeat it to read several lakes as one
    #[arg(long, value_name = "URL")]
    pub(super) lake: Vec<String>,
    #[command(flatten)]
    pub(super) options: OptionArgs,
}

/// Also takes nothing, which clap's own does not: a variable may be set to it.
fn any_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

impl LakeArgs {
    /// The lakes that are meant. No request is made yet.
    pub(super) async fn open(&self, outside: &Outside, err: &mut dyn Write) -> Result<Lakes, Failure> {
        let urls: Vec<Option<&String>> =
            if self.lake.is_empty() { vec![None] } else { self.lake.iter().map(Some).collect() };
        let mut lakes = Vec::with_capacity(urls.len());
        for url in urls {
            let (settings, notices) = self.load(url, outside)?;
            // What a pattern of hours means was said by `check`; folders that are no hours may surprise.
            if settings.pattern.granularity() != Granularity::Hour && lakes.is_empty() {
                notices.iter().try_for_each(|notice| note(err, notice))?;
            }
            // A store of a folder that is not there yet is an empty one; for a reader it is a path with a slip in it.
            if let LakeUrl::Folder(path) = &settings.url
                && !path.is_dir()
            {
                let error = anyhow::anyhow!("there is no folder {}: nothing was written there yet", path.display());
                return Err(Failure { exit: Exit::Store, error });
            }
            let store = store::open(&settings.url, &settings.s3).await?;
            lakes.push(Lake::new(store, settings.pattern));
        }
        Ok(Lakes::new(lakes))
    }

    /// How S3 is reached: the configuration's way, for what is read and what is written.
    pub(super) fn s3(&self, outside: &Outside) -> Result<S3Options, Failure> {
        Ok(self.load(self.lake.first(), outside)?.0.s3)
    }

    fn load(&self, url: Option<&String>, outside: &Outside) -> Result<(LakeSettings, Vec<String>), Failure> {
        let (mut settings, notices) = config::load_lake(&self.request(url), outside)?;
        settings.s3.caller = Caller::CommandLine;
        Ok((settings, notices))
    }

    /// The configuration that is meant, with the lake at `url` where that is given.
    pub(super) fn request(&self, url: Option<&String>) -> Request {
        let url = url.map(|url| Flag { key: "lake.url".to_owned(), value: url.clone(), flag: "--lake".to_owned() });
        Request {
            toml: self.config.clone().filter(|path| !path.as_os_str().is_empty()),
            flume: self.conf_file.clone().map(|file| FlumeRequest {
                agent: self.name.clone(),
                file,
                system: Vec::new(),
            }),
            flags: url.into_iter().chain(self.options.flags()).collect(),
        }
    }
}

/// A step of an answer.
pub(super) type Step = Result<(), Failure>;

/// Says something beside the answer.
pub(super) fn note(err: &mut dyn Write, text: &str) -> Step {
    say(err, &format!("note: {}\n", shown(text)))
}

/// `1 hour`, `2 hours`.
pub(super) fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// Writes a part of the answer or of what stands beside it.
pub(super) fn say(out: &mut dyn Write, text: &str) -> Step {
    out.write_all(text.as_bytes()).map_err(write_failure)
}

/// Why an answer could not be written. A reader that has gone away (`| head`) is told apart by [`ends_quietly`].
pub(super) fn write_failure(error: std::io::Error) -> Failure {
    Failure { exit: Exit::Failure, error: anyhow::Error::new(error).context("cannot write the answer") }
}

/// What a command ends with. A reader that has gone away is no failure: who says `| head` has got what they wanted.
pub(super) fn ends_quietly(answer: Step) -> Outcome {
    let gone = |failure: &Failure| {
        failure.error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    };
    match answer {
        Err(failure) if !gone(&failure) => Err(failure),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Text from outside, such as an object's name, without what a terminal would obey: control characters and those that turn
/// the direction of writing.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
        if character.is_control() || turns {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Says which manifests cannot be trusted; these are failures, but no reason to keep the rest back.
pub(super) fn tell_problems(listing: &Listing, err: &mut dyn Write) -> Step {
    listing
        .problems
        .iter()
        .try_for_each(|problem| say(err, &format!("problem: {}\n", shown(&problem.error.to_string()))))
}

pub(super) fn exit_for(kind: StoreErrorKind) -> Exit {
    match kind {
        StoreErrorKind::NotFound | StoreErrorKind::Corrupt | StoreErrorKind::Archived => Exit::Failure,
        _ => Exit::Store,
    }
}

impl From<CatalogueError> for Failure {
    fn from(error: CatalogueError) -> Failure {
        let exit = exit_for(error.kind());
        match error {
            CatalogueError::Store(error) => Failure { exit, error: error.into() },
            // These say all of it in their own text.
            other => Failure { exit, error: anyhow::Error::msg(shown(&other.to_string())) },
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        Failure { exit: exit_for(error.kind()), error: error.into() }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Failure {
        match error {
            VerifyError::Catalogue(error) => error.into(),
            VerifyError::Read(error) => error.into(),
            other => Failure { exit: exit_for(other.kind()), error: other.into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(shown("a\u{1b}[31m\n\u{202e}é日"), "a\\u{1b}[31m\\n\\u{202e}é日");
    }

    #[test]
    fn only_a_reader_that_has_gone_ends_quietly() {
        let failure = |kind: ErrorKind| Err(write_failure(kind.into()));
        assert!(ends_quietly(failure(ErrorKind::BrokenPipe)).is_ok());
        assert!(ends_quietly(failure(ErrorKind::StorageFull)).is_err());
    }

    #[test]
    fn damage_is_a_failure_and_a_store_that_does_not_answer_is_one_of_the_store() {
        assert_eq!(exit_for(StoreErrorKind::Corrupt), Exit::Failure);
        assert_eq!(exit_for(StoreErrorKind::AccessDenied), Exit::Store);
    }
}
