//! The options of a lake that every reader has: how its folders are named, and how S3 is reached.
//!
//! [`LakeOptions`] is one value that is handed on as it is: the command line, Python, Luigi and Spark read their options into it
//! by the tables [`ROWS`] and [`crate::store::s3::options::ROWS`], and know none of them by name. Pure: what the environment says
//! comes in as a function.

use std::collections::BTreeMap;

use crate::pattern::{Escapes, Pattern, PatternOptions};
use crate::setting::{Caller, Kind, Row, Setting, SettingError, choice, nearest};
use crate::store::s3::options as s3;
use crate::store::{S3Options, StaticCredentials};

/// The default pattern of folder names.
pub const DEFAULT_PATTERN: &str = "%m-%d-%h";

/// How to read a lake, without where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LakeOptions {
    /// Names of its folders.
    pub pattern: Option<String>,
    /// IANA zone in which they are named.
    pub time_zone: Option<String>,
    /// Rules of the pattern's escapes.
    pub flume_escapes: Escapes,
    /// How S3 is reached.
    pub s3: S3Options,
    /// What was given, as text, by name; without secrets.
    given: BTreeMap<&'static str, String>,
}

/// The options of the lake itself, in the order in which they are documented.
#[rustfmt::skip]
pub const ROWS: &[Row<LakeOptions>] = &[
    Row { setting: Setting { key: "lake.pattern", kind: Kind::Text, default: DEFAULT_PATTERN, or: "",
        what: "Names of hour folders, in Flume's escapes. It must fix month, day and hour.",
        change: "" },
        set: |options, text| { options.pattern = Some(text.to_owned()); Ok(()) } },
    Row { setting: Setting { key: "lake.time_zone", kind: Kind::Text, default: "UTC", or: "",
        what: "IANA zone in which folders are named. A zone with summer time needs `%z` in the pattern.",
        change: "" },
        set: |options, text| { options.time_zone = Some(text.to_owned()); Ok(()) } },
    Row { setting: Setting { key: "lake.flume_escapes", kind: Kind::Choice(&["cauce", "strict"]), default: "cauce", or: "",
        what: "`cauce`: `%h` is the hour and an unknown escape is an error. `strict`: Flume's own rules, by which both are empty.",
        change: "" },
        set: |options, text| { options.flume_escapes = escapes(text)?; Ok(()) } },
];

fn escapes(text: &str) -> Result<Escapes, String> {
    let word = choice(text, &["cauce", "strict"])?;
    Ok(if word == "strict" { Escapes::Strict } else { Escapes::Cauce })
}

/// Every option, the lake's own first.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    ROWS.iter().map(|row| &row.setting).chain(s3::ROWS.iter().map(|row| &row.setting))
}

impl LakeOptions {
    /// Reads options by their names without section (`region`), and from their variables (`CAUCE_LAKE__S3__REGION`) where they
    /// are not given. Keys come from one place, never half from each.
    ///
    /// # Errors
    /// An option that is unknown or cannot have its value, a variable that cannot be read, options that do not go together.
    pub fn read<'a>(
        caller: Caller,
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
        variable: impl Fn(&str) -> Result<Option<String>, SettingError>,
    ) -> Result<LakeOptions, SettingError> {
        let mut options = LakeOptions { s3: S3Options { caller, ..S3Options::default() }, ..LakeOptions::default() };
        options.set_all(given)?;
        let keys = options.s3.credentials.as_ref();
        let has_pair = keys.is_some_and(|keys| !keys.access_key_id.is_empty() || !keys.secret_access_key.is_empty());
        let has_token = has_pair || keys.is_some_and(|keys| keys.session_token.is_some());
        for setting in settings() {
            let is_given = match (setting.kind, setting.name()) {
                (Kind::Secret, "session_token") => has_token,
                (Kind::Secret, _) => has_pair,
                (_, name) => options.given.contains_key(name),
            };
            if is_given {
                continue;
            }
            let from = setting.variable();
            if let Some(text) = variable(&from)? {
                options.set(setting.name(), &text, Some(&from))?;
            }
        }
        options.s3.check()?;
        Ok(options)
    }

    /// These options with others over them, by their names without section. A key that is given takes the place of all keys.
    ///
    /// # Errors
    /// An option that is unknown or cannot have its value, or options that do not go together.
    pub fn with<'a>(&self, given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<LakeOptions, SettingError> {
        let mut over = self.without_keys();
        over.set_all(given)?;
        let is_key = |keys: &StaticCredentials| !keys.access_key_id.is_empty() || !keys.secret_access_key.is_empty();
        over.s3.credentials = over.s3.credentials.filter(is_key).or_else(|| self.s3.credentials.clone());
        over.s3.check()?;
        Ok(over)
    }

    fn set_all<'a>(&mut self, given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), SettingError> {
        given.into_iter().try_for_each(|(name, text)| self.set(name, text, None))
    }

    fn set(&mut self, name: &str, text: &str, variable: Option<&str>) -> Result<(), SettingError> {
        let Some(setting) = settings().find(|setting| setting.name() == name) else {
            let nearest = nearest(name, settings().map(Setting::name));
            return Err(SettingError::Unknown { name: name.to_owned(), nearest });
        };
        let set = match ROWS.iter().find(|row| row.setting.key == setting.key) {
            Some(row) => row.set(self, text),
            None if text.is_empty() => return Ok(()),
            None => match s3::ROWS.iter().find(|row| row.setting.key == setting.key) {
                Some(row) => row.set(&mut self.s3, text),
                None => unreachable!("a setting has a row"),
            },
        };
        set.map_err(|what| SettingError::Value {
            name: variable.map_or_else(|| self.s3.caller.mention(setting.key), str::to_owned),
            what: setting.wrong_value(text, &what),
        })?;
        if !setting.is_secret() {
            self.given.insert(setting.name(), text.to_owned());
        }
        Ok(())
    }

    /// What was given or came from variables, by name; without secrets. [`LakeOptions::read`] makes the same options of it.
    pub fn given(&self) -> &BTreeMap<&'static str, String> {
        &self.given
    }

    /// The same without keys: what may be stored or sent.
    #[must_use]
    pub fn without_keys(&self) -> LakeOptions {
        LakeOptions { s3: S3Options { credentials: None, ..self.s3.clone() }, ..self.clone() }
    }

    /// The pattern that the options name, for a reader: it takes what is there, folders that are no hours too.
    ///
    /// # Errors
    /// When it is no pattern, or has no unique folder an hour in its time zone.
    pub fn reading_pattern(&self) -> Result<Pattern, SettingError> {
        let options = PatternOptions {
            time_zone: self.time_zone.clone().filter(|zone| zone != "UTC"),
            escapes: self.flume_escapes,
            allow_open: true,
            ..PatternOptions::default()
        };
        let text = self.pattern.as_deref().unwrap_or(DEFAULT_PATTERN);
        Pattern::new(text, &options).map_err(|error| SettingError::Together(format!("pattern {text:?}: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<LakeOptions, SettingError> {
        LakeOptions::read(Caller::Python, given.iter().copied(), |name| {
            Ok(variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        })
    }

    #[test]
    fn every_setting_has_a_name_of_its_own_and_says_what_it_does() {
        let names: std::collections::BTreeSet<_> = settings().map(Setting::name).collect();
        assert_eq!(names.len(), settings().count());
        for setting in settings() {
            assert!(setting.what.ends_with('.') && setting.key.starts_with("lake."), "{setting:?}");
            assert!(setting.default.is_empty() || setting.or.is_empty(), "{setting:?}");
        }
    }

    #[test]
    fn what_is_given_wins_over_a_variable() {
        let variables = [("CAUCE_LAKE__S3__REGION", "us-east-1"), ("CAUCE_LAKE__PATTERN", "%Y-%m-%d-%H")];
        let options = read(&[("region", "eu-west-1")], &variables).expect("possible options");
        assert_eq!(options.s3.region.as_deref(), Some("eu-west-1"));
        assert_eq!(options.pattern.as_deref(), Some("%Y-%m-%d-%H"));
        assert_eq!(options.given().keys().copied().collect::<Vec<_>>(), ["pattern", "region"]);
    }

    #[test]
    fn an_unknown_option_is_refused_with_the_nearest_one() {
        let error = read(&[("endpont_url", "http://s3")], &[]).expect_err("there is no such option");
        assert_eq!(error.to_string(), "there is no setting endpont_url (did you mean endpoint_url?)");
        let error = read(&[("zzz", "1")], &[]).expect_err("there is no such option");
        assert_eq!(error.to_string(), "there is no setting zzz");
    }

    #[test]
    fn a_value_that_cannot_be_is_named_by_where_it_was_written() {
        let error = read(&[("path_style", "maybe")], &[]).expect_err("no switch");
        assert_eq!(error.to_string(), "path_style: \"maybe\" must be true or false");
        let error = read(&[], &[("CAUCE_LAKE__S3__PATH_STYLE", "maybe")]).expect_err("no switch");
        assert_eq!(error.to_string(), "CAUCE_LAKE__S3__PATH_STYLE: \"maybe\" must be true or false");
    }

    #[test]
    fn keys_come_from_one_place_and_stay_out_of_what_is_given() {
        let variables = [("CAUCE_LAKE__S3__SESSION_TOKEN", "hush"), ("CAUCE_LAKE__S3__ACCESS_KEY_ID", "other")];
        let keys = [("access_key_id", "id"), ("secret_access_key", "hush")];
        let options = read(&keys, &variables).expect("possible options");
        let found = options.s3.credentials.as_ref().expect("keys");
        assert_eq!((found.access_key_id.as_str(), &found.session_token), ("id", &None));
        assert!(options.given().is_empty());
        assert_eq!(options.without_keys().s3.credentials, None);
        assert!(!format!("{options:?}").contains("hush"));
        let half = read(&keys[..1], &[]).expect_err("half a pair");
        assert_eq!(half.to_string(), "secret_access_key is missing beside access_key_id");
    }

    #[test]
    fn what_was_given_makes_the_same_options_again() {
        let given =
            [("region", "eu-west-1"), ("tags", "a=1,b=2"), ("flume_escapes", "strict"), ("retry_timeout", "1m")];
        let options = read(&given, &[]).expect("possible options");
        let text: Vec<(&str, &str)> = options.given().iter().map(|(name, text)| (*name, text.as_str())).collect();
        assert_eq!(read(&text, &[]), Ok(options));
    }

    #[test]
    fn options_stand_over_others_and_a_key_over_all_keys() {
        let base = read(
            &[("region", "eu-west-1"), ("access_key_id", "a"), ("secret_access_key", "b"), ("session_token", "c")],
            &[],
        )
        .expect("possible options");
        let over = base.with([("region", "eu-west-2"), ("acl", "private")]).expect("possible options");
        assert_eq!((over.s3.region.as_deref(), &over.s3.credentials), (Some("eu-west-2"), &base.s3.credentials));
        let over = base.with([("access_key_id", "d"), ("secret_access_key", "e")]).expect("possible options");
        assert_eq!(over.s3.credentials.expect("keys").session_token, None);
        assert!(base.with([("access_key_id", "d")]).is_err(), "half a pair");
        let half = [("CAUCE_LAKE__S3__SESSION_TOKEN", "of the variables")];
        let given = read(&[("access_key_id", "a"), ("secret_access_key", "b")], &half).expect("possible options");
        assert_eq!(given.s3.credentials.expect("keys").session_token, None);
    }
}
