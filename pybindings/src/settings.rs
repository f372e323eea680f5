//! What says which lake is meant: arguments over `CAUCE_LAKE__…` variables over defaults ([`crate::options`]). Read once, when a
//! `Lake` is made; no request is made and no client built here.
//!
//! Keys never leave: neither a pickle nor a text made of settings holds them.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cauce_lake::read::ReadOptions;
use cauce_lake::store::S3Options;
use cauce_lake::{LakeUrl, Pattern};

use crate::options::{LakeOptions, variable};

/// With less, one request at a time would be too large.
const LEAST_MEMORY_BYTES: usize = 1 << 20;

/// What was given.
pub(crate) struct Given {
    pub(crate) urls: Vec<String>,
    pub(crate) options: LakeOptions,
    pub(crate) concurrency: Option<usize>,
    pub(crate) memory_bytes: Option<usize>,
    pub(crate) timeout: Option<f64>,
}

/// Settings that can be used.
pub(crate) struct Settings {
    pub(crate) urls: Vec<LakeUrl>,
    pub(crate) pattern: Pattern,
    pub(crate) options: LakeOptions,
    pub(crate) read: ReadOptions,
    /// Stands for AWS's own variables, so that a lake made after they changed gets a client of its own.
    aws_variables: u64,
}

impl Given {
    /// Checks all of it.
    ///
    /// # Errors
    /// A sentence that says what is wrong; it never repeats a key.
    pub(crate) fn settle(mut self) -> Result<Settings, String> {
        if self.urls.is_empty() {
            self.urls.extend(variable("CAUCE_LAKE__URL").map_err(|error| error.to_string())?);
        }
        if self.urls.is_empty() {
            return Err("no lake is given: say cauce.Lake(\"s3://bucket/prefix\"), or set CAUCE_LAKE__URL".to_owned());
        }
        let urls = self.urls.iter().map(|text| url(text)).collect::<Result<Vec<_>, _>>()?;
        let pattern = self.options.values.reading_pattern().map_err(|error| error.to_string())?;
        let read = read_options(self.concurrency, self.memory_bytes, self.timeout)?;
        Ok(Settings { urls, pattern, options: self.options, read, aws_variables: aws_variables() })
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

    /// How S3 is reached.
    pub(crate) fn s3(&self) -> &S3Options {
        &self.options.values.s3
    }

    /// Whether both mean the same lake, whoever reads it.
    pub(crate) fn same_lake(&self, other: &Settings) -> bool {
        self.urls == other.urls
            && self.pattern.as_str() == other.pattern.as_str()
            && self.pattern.options() == other.pattern.options()
            && self.s3().endpoint_url == other.s3().endpoint_url
    }

    /// Whether one client serves both.
    pub(crate) fn share_client(&self, other: &Settings) -> bool {
        self.same_lake(other) && self.s3() == other.s3() && self.aws_variables == other.aws_variables
    }
}
