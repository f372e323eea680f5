//! Flags for a lake's options: one for each row of the lake's tables, so that an option of a row is a flag without more code.
//!
//! Secrets have none, because everyone on a machine can read a command line.

use std::sync::LazyLock;

use cauce_lake::options;
use cauce_lake::setting::{Kind, Setting};
use clap::{Arg, ArgMatches, Command};

use crate::config::Flag;

/// Options that were given as flags.
#[derive(Debug, Clone, Default)]
pub(super) struct OptionArgs {
    given: Vec<(&'static str, &'static str, String)>,
}

/// Each option with its flag's name: `endpoint-url`.
static FLAGS: LazyLock<Vec<(&'static Setting, &'static str)>> = LazyLock::new(|| {
    let flag = |setting: &'static Setting| {
        let name: &'static str = Box::leak(setting.name().replace('_', "-").into_boxed_str());
        (setting, name)
    };
    options::settings().filter(|setting| !setting.is_secret()).map(flag).collect()
});

impl OptionArgs {
    /// As the configuration takes flags.
    pub(super) fn flags(&self) -> impl Iterator<Item = Flag> {
        self.given.iter().map(|(key, name, value)| Flag {
            key: (*key).to_owned(),
            value: value.clone(),
            flag: format!("--{name}"),
        })
    }
}

fn arg(setting: &'static Setting, name: &'static str) -> Arg {
    let value = match setting.kind {
        Kind::Choice(words) => words.join("|"),
        Kind::Switch => "true|false".to_owned(),
        Kind::Count => "N".to_owned(),
        Kind::Duration => "DURATION".to_owned(),
        Kind::Text | Kind::Secret => name.rsplit('-').next().unwrap_or(name).to_uppercase(),
    };
    let is_of_s3 = setting.key.starts_with("lake.s3.");
    // A value's name must live as long as the program.
    let value: &'static str = Box::leak(value.into_boxed_str());
    let arg = Arg::new(name)
        .long(name)
        .value_name(value)
        .help(setting.what.trim_end_matches('.').replace('`', ""))
        .hide_short_help(is_of_s3);
    let arg = if is_of_s3 { arg.help_heading("S3 options") } else { arg };
    match setting.kind {
        Kind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        _ => arg,
    }
}

impl clap::Args for OptionArgs {
    fn augment_args(command: Command) -> Command {
        FLAGS.iter().fold(command, |command, (setting, name)| command.arg(arg(setting, name)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        OptionArgs::augment_args(command)
    }
}

impl clap::FromArgMatches for OptionArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<OptionArgs, clap::Error> {
        let given = FLAGS.iter().filter_map(|(setting, name)| {
            let value = matches.get_one::<String>(name)?;
            Some((setting.key, *name, value.clone()))
        });
        Ok(OptionArgs { given: given.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = OptionArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: OptionArgs,
    }

    #[test]
    fn every_option_but_a_secret_is_a_flag_of_the_setting() {
        for setting in options::settings() {
            let name = setting.name().replace('_', "-");
            let parsed = Line::try_parse_from(["ingest", &format!("--{name}=x")]);
            if setting.is_secret() {
                assert!(parsed.is_err(), "{name} is a secret and a flag");
                continue;
            }
            let flags: Vec<Flag> = parsed.unwrap_or_else(|error| panic!("{error}")).options.flags().collect();
            let [flag] = &flags[..] else { panic!("{flags:?}") };
            assert_eq!((flag.key.as_str(), flag.value.as_str()), (setting.key, "x"));
            assert_eq!(flag.flag, format!("--{name}"));
        }
    }

    #[test]
    fn a_switch_needs_no_value() {
        let line = Line::try_parse_from(["ingest", "--request-payer"]).expect("a switch alone");
        assert_eq!(line.options.flags().next().map(|flag| flag.value).as_deref(), Some("true"));
    }
}
