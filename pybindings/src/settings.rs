//! What says which lake is meant: arguments over `CAUCE_LAKE__…` variables over defaults. Read once, when a `Lake` is made;
//! no request is made and no client built here.
//!
//! Keys never leave: neither a pickle nor a text made of settings holds them.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cauce_lake::pattern::{Escapes, PatternOptions};
use cauce_lake::read::ReadOptions;
use cauce_lake::store::{S3Options, StaticCredentials};
use cauce_lake::{LakeUrl, Pattern};

/// How folders are named where nobody says it.
const DEFAULT_PATTERN: &str = "%m-%d-%h";
/// With less, one request at a time would be too large.
const LEAST_MEMORY_BYTES: usize = 1 << 20;

/// The settings as texts: what was given, or nothing.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) urls: Vec<String>,
    pub(crate) pattern: Option<String>,
    pub(crate) time_zone: Option<String>,
    pub(crate) flume_escapes: Option<String>,
    pub(crate) endpoint_url: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) path_style: Option<bool>,
    pub(crate) access_key_id: Option<String>,
    pub(crate) secret_access_key: Option<String>,
    pub(crate) session_token: Option<String>,
    pub(crate) concurrency: Option<usize>,
    pub(crate) memory_bytes: Option<usize>,
    pub(crate) timeout: Option<f64>,
}

/// Settings that can be used.
pub(crate) struct Settings {
    pub(crate) urls: Vec<LakeUrl>,
    pub(crate) pattern: Pattern,
    pub(crate) s3: S3Options,
    pub(crate) read: ReadOptions,
    /// Stands for AWS's own variables, so that a lake made after they changed gets a client of its own.
    aws_variables: u64,
}

/// A variable. One that is set to nothing counts as not set: container files often pass empty ones on.
fn variable(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(value) if value.starts_with("${") => {
            Err(format!("{name} is a reference, which only ingest follows: give the value itself"))
        }
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name} is no text")),
    }
}

fn switch(name: &str) -> Result<Option<bool>, String> {
    match variable(name)?.as_deref() {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => Err(format!("{name}: {other:?} must be true or false")),
    }
}

impl Given {
    /// Puts variables in where nothing was given. Keys come from one place, never half from each.
    fn or_from_variables(mut self) -> Result<Given, String> {
        let or = |given: Option<String>, name| given.map_or_else(|| variable(name), |given| Ok(Some(given)));
        if self.urls.is_empty() {
            self.urls.extend(variable("CAUCE_LAKE__URL")?);
        }
        self.pattern = or(self.pattern, "CAUCE_LAKE__PATTERN")?;
        self.time_zone = or(self.time_zone, "CAUCE_LAKE__TIME_ZONE")?;
        self.flume_escapes = or(self.flume_escapes, "CAUCE_LAKE__FLUME_ESCAPES")?;
        self.endpoint_url = or(self.endpoint_url, "CAUCE_LAKE__S3__ENDPOINT_URL")?;
        self.region = or(self.region, "CAUCE_LAKE__S3__REGION")?;
        if self.path_style.is_none() {
            self.path_style = switch("CAUCE_LAKE__S3__PATH_STYLE")?;
        }
        if self.access_key_id.is_none() && self.secret_access_key.is_none() {
            self.access_key_id = variable("CAUCE_LAKE__S3__ACCESS_KEY_ID")?;
            self.secret_access_key = variable("CAUCE_LAKE__S3__SECRET_ACCESS_KEY")?;
            self.session_token = or(self.session_token, "CAUCE_LAKE__S3__SESSION_TOKEN")?;
        }
        Ok(self)
    }

    /// Checks all of it.
    ///
    /// # Errors
    /// A sentence that says what is wrong; it never repeats a key.
    pub(crate) fn settle(self) -> Result<Settings, String> {
        let given = self.or_from_variables()?;
        if given.urls.is_empty() {
            return Err("no lake is given: say cauce.Lake(\"s3://bucket/prefix\"), or set CAUCE_LAKE__URL".to_owned());
        }
        let urls = given.urls.iter().map(|text| url(text)).collect::<Result<Vec<_>, _>>()?;
        let escapes = match given.flume_escapes.as_deref() {
            None | Some("cauce") => Escapes::Cauce,
            Some("strict") => Escapes::Strict,
            Some(other) => return Err(format!("flume_escapes: {other:?} must be \"cauce\" or \"strict\"")),
        };
        let options = PatternOptions {
            time_zone: given.time_zone.filter(|zone| zone != "UTC"),
            escapes,
            // Readers take what is there, folders that are no hours too.
            allow_open: true,
            ..PatternOptions::default()
        };
        let text = given.pattern.as_deref().unwrap_or(DEFAULT_PATTERN);
        let pattern = Pattern::new(text, &options).map_err(|error| format!("pattern {text:?}: {error}"))?;
        let credentials = match (given.access_key_id, given.secret_access_key) {
            (Some(access_key_id), Some(secret_access_key)) => {
                Some(StaticCredentials { access_key_id, secret_access_key, session_token: given.session_token })
            }
            (None, None) => None,
            (Some(_), None) => return Err("secret_access_key is missing beside access_key_id".to_owned()),
            (None, Some(_)) => return Err("access_key_id is missing beside secret_access_key".to_owned()),
        };
        let s3 = S3Options {
            endpoint_url: given.endpoint_url,
            region: given.region,
            path_style: given.path_style,
            credentials,
        };
        let read = read_options(given.concurrency, given.memory_bytes, given.timeout)?;
        Ok(Settings { urls, pattern, s3, read, aws_variables: aws_variables() })
    }
}

fn read_options(
    concurrency: Option<usize>,
    memory_bytes: Option<usize>,
    timeout: Option<f64>,
) -> Result<ReadOptions, String> {
    let mut options = ReadOptions::default();
    if let Some(concurrency) = concurrency {
        let some = NonZeroUsize::new(concurrency).ok_or("concurrency must be at least 1")?;
        options.concurrency = Some(some);
    }
    if let Some(bytes) = memory_bytes {
        if bytes < LEAST_MEMORY_BYTES {
            return Err(format!("memory_bytes must be at least {LEAST_MEMORY_BYTES}"));
        }
        options.max_memory_bytes = bytes;
    }
    if let Some(seconds) = timeout {
        let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero());
        options.stall_timeout = duration.ok_or_else(|| format!("timeout: {seconds} must be seconds, more than 0"))?;
    }
    Ok(options)
}

/// A folder is made absolute: it stays the same when the program changes its own.
pub(crate) fn url(text: &str) -> Result<LakeUrl, String> {
    // What stands in the bucket's place may be a key, so it is not repeated.
    let lower = text.to_ascii_lowercase();
    if ["s3:", "s3a:", "s3n:"].iter().any(|scheme| lower.starts_with(scheme)) && !lower.contains("://") {
        return Err("the lake's URL must be written as s3://bucket/prefix".to_owned());
    }
    match text.parse().map_err(|error: cauce_lake::url::LakeUrlError| error.to_string())? {
        LakeUrl::Folder(path) => folder(&path),
        s3 => Ok(s3),
    }
}

fn folder(path: &Path) -> Result<LakeUrl, String> {
    let absolute: PathBuf =
        std::path::absolute(path).map_err(|error| format!("the folder {} cannot be used: {error}", path.display()))?;
    Ok(LakeUrl::Folder(absolute))
}

/// A number that changes with any of AWS's variables.
fn aws_variables() -> u64 {
    let mut variables: Vec<_> =
        env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"AWS_")).collect();
    variables.sort();
    let mut hasher = DefaultHasher::new();
    variables.hash(&mut hasher);
    hasher.finish()
}

impl Settings {
    /// A folder that is to be read and is not there.
    pub(crate) fn missing_folder(&self) -> Option<&Path> {
        self.urls.iter().find_map(|url| match url {
            LakeUrl::Folder(path) if !path.is_dir() => Some(path.as_path()),
            _ => None,
        })
    }

    /// The URLs as texts.
    pub(crate) fn locations(&self) -> Vec<String> {
        self.urls.iter().map(ToString::to_string).collect()
    }

    pub(crate) fn time_zone(&self) -> &str {
        self.pattern.options().time_zone.as_deref().unwrap_or("UTC")
    }

    pub(crate) fn flume_escapes(&self) -> &'static str {
        match self.pattern.options().escapes {
            Escapes::Cauce => "cauce",
            Escapes::Strict => "strict",
        }
    }

    /// Whether both mean the same lake, whoever reads it.
    pub(crate) fn same_lake(&self, other: &Settings) -> bool {
        self.urls == other.urls
            && self.pattern.as_str() == other.pattern.as_str()
            && self.pattern.options() == other.pattern.options()
            && self.s3.endpoint_url == other.s3.endpoint_url
    }

    /// Whether one client serves both.
    pub(crate) fn share_client(&self, other: &Settings) -> bool {
        self.same_lake(other) && self.s3 == other.s3 && self.aws_variables == other.aws_variables
    }
}
