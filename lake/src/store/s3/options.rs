//! Every option of S3, once: [`ROWS`] says its name, what its value looks like and what it does; [`S3Options`] holds its value.
//!
//! A new option is a field, a row, and a line where a client or a request is made (`config.rs`, `headers.rs`). `cauce.toml`,
//! variables, flags, Python, Luigi and Spark read their options by the rows. Pure.

use std::fmt;
use std::time::Duration;

use crate::setting::{Caller, Kind, Row, Setting, SettingError, choice, count, duration, switch};
use crate::store::s3::checksum::Algorithm;

/// Access key and secret given explicitly, instead of AWS's own chain. Its `Debug` form hides all of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StaticCredentials {
    /// The access key id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// For temporary credentials.
    pub session_token: Option<String>,
}

impl fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticCredentials(hidden)")
    }
}

/// How to reach S3 and what goes along with requests. Everything left out comes from AWS's own chain and variables, or is the
/// bucket's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Options {
    /// Another server than AWS, such as `http://127.0.0.1:8333`.
    pub endpoint_url: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Bucket in the path instead of the host name; default: true where `endpoint_url` is set.
    pub path_style: Option<bool>,
    /// Explicit credentials.
    pub credentials: Option<StaticCredentials>,
    /// Requests say that their sender pays (`x-amz-request-payer: requester`).
    pub request_payer: bool,
    /// Storage class of objects of data. Manifests, markers and the lease keep the bucket's default: they are read often.
    pub storage_class: Option<String>,
    /// Encryption by the server: `AES256` or `aws:kms`.
    pub sse: Option<String>,
    /// Key of AWS's KMS, with `aws:kms`.
    pub sse_kms_key_id: Option<String>,
    /// Tags of objects of data, as names and values.
    pub tags: Vec<(String, String)>,
    /// Canned ACL of what is put.
    pub acl: Option<String>,
    /// Checksum that goes along with a put.
    pub checksum: Algorithm,
    /// Whether requests go by S3's transfer acceleration.
    pub accelerate: bool,
    /// How often a request is sent at most; `None`: three times, and more often while a read is throttled.
    pub max_attempts: Option<u32>,
    /// How long a request is repeated, from its first attempt on; `None`: 15 s while a read is throttled.
    pub retry_timeout: Option<Duration>,
    /// Who wrote these options: messages name them as they are written there.
    pub caller: Caller,
}

/// Most characters of a value that becomes part of a header.
const MOST_CHARACTERS: usize = 2048;
/// Most tags of an object.
const MOST_TAGS: usize = 10;
/// Most attempts: with the longest wait between two of them, this is an hour.
const MOST_ATTEMPTS: u32 = 1_000;

const ACLS: &[&str] = &[
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
];

/// Every option, in the order in which they are documented. An empty text leaves an option unset.
#[rustfmt::skip]
pub const ROWS: &[Row<S3Options>] = &[
    Row { setting: Setting { key: "lake.s3.endpoint_url", kind: Kind::Text, default: "", or: "AWS",
        what: "Another server than AWS, such as `http://127.0.0.1:8333`.",
        change: "" },
        set: |options, text| { check_url(text)?; options.endpoint_url = Some(text.to_owned()); Ok(()) } },
    Row { setting: Setting { key: "lake.s3.region", kind: Kind::Text, default: "", or: "AWS's own variables and files",
        what: "Region of the bucket.",
        change: "" },
        set: |options, text| { options.region = Some(region(text)?); Ok(()) } },
    Row { setting: Setting { key: "lake.s3.path_style", kind: Kind::Switch, default: "", or: "true where endpoint_url is set",
        what: "Bucket in the path instead of the host's name.",
        change: "" },
        set: |options, text| { options.path_style = Some(switch(text)?); Ok(()) } },
    Row { setting: Setting { key: "lake.s3.access_key_id", kind: Kind::Secret, default: "", or: "AWS's own chain",
        what: "Access key, for servers that are not in AWS's own files and variables.",
        change: "" },
        set: |options, text| { options.keys().access_key_id = text.to_owned(); Ok(()) } },
    Row { setting: Setting { key: "lake.s3.secret_access_key", kind: Kind::Secret, default: "", or: "AWS's own chain",
        what: "Its secret.",
        change: "" },
        set: |options, text| { options.keys().secret_access_key = text.to_owned(); Ok(()) } },
    Row { setting: Setting { key: "lake.s3.session_token", kind: Kind::Secret, default: "", or: "none",
        what: "Session token, where the two are temporary.",
        change: "" },
        set: |options, text| { options.keys().session_token = Some(text.to_owned()); Ok(()) } },
    Row { setting: Setting { key: "lake.s3.request_payer", kind: Kind::Switch, default: "false", or: "",
        what: "Whether requests accept that their sender pays for them, as a requester-pays bucket demands.",
        change: "" },
        set: |options, text| { options.request_payer = switch(text)?; Ok(()) } },
    Row { setting: Setting { key: "lake.s3.storage_class", kind: Kind::Text, default: "", or: "the bucket's own, STANDARD",
        what: "Storage class of objects of data, such as `STANDARD_IA` or `INTELLIGENT_TIERING`. Manifests, `_SUCCESS` and the lease keep the default.",
        change: "`GLACIER` and `DEEP_ARCHIVE`: readers need each object restored first." },
        set: |options, text| { options.storage_class = Some(storage_class(text)?); Ok(()) } },
    Row { setting: Setting { key: "lake.s3.sse", kind: Kind::Choice(&["AES256", "aws:kms"]), default: "", or: "the bucket's own encryption",
        what: "Encryption by the server, said with each put.",
        change: "`aws:kms`: whoever reads needs `kms:Decrypt`." },
        set: |options, text| { options.sse = Some(choice(text, &["AES256", "aws:kms"])?); Ok(()) } },
    Row { setting: Setting { key: "lake.s3.sse_kms_key_id", kind: Kind::Text, default: "", or: "AWS's own key for S3",
        what: "Id or ARN of the KMS key, with `sse = \"aws:kms\"`.",
        change: "" },
        set: |options, text| { options.sse_kms_key_id = Some(header_text(text)?); Ok(()) } },
    Row { setting: Setting { key: "lake.s3.tags", kind: Kind::Text, default: "", or: "none",
        what: "Tags of objects of data, such as `team=data,kind=tweets`; at most ten. Needs `s3:PutObjectTagging`.",
        change: "" },
        set: |options, text| { options.tags = tags(text)?; Ok(()) } },
    Row { setting: Setting { key: "lake.s3.acl", kind: Kind::Choice(ACLS), default: "", or: "the bucket's own",
        what: "Canned ACL of what is put, such as `bucket-owner-full-control` for another account's bucket. Needs `s3:PutObjectAcl`.",
        change: "" },
        set: |options, text| { options.acl = Some(choice(text, ACLS)?); Ok(()) } },
    Row { setting: Setting { key: "lake.s3.checksum", kind: Kind::Choice(Algorithm::NAMES), default: "CRC64NVME", or: "",
        what: "Checksum that goes along with each put, which the server compares, keeps and tells.",
        change: "" },
        set: |options, text| { options.checksum = text.parse()?; Ok(()) } },
    Row { setting: Setting { key: "lake.s3.accelerate", kind: Kind::Switch, default: "false", or: "",
        what: "Whether requests go by S3's transfer acceleration, which the bucket must have switched on. AWS only.",
        change: "" },
        set: |options, text| { options.accelerate = switch(text)?; Ok(()) } },
    Row { setting: Setting { key: "lake.s3.max_attempts", kind: Kind::Count, default: "", or: "3, and more often while a read is throttled",
        what: "How often a request is sent at most when it fails.",
        change: "1: a failure is reported at once." },
        set: |options, text| { options.max_attempts = Some(attempts(text)?); Ok(()) } },
    Row { setting: Setting { key: "lake.s3.retry_timeout", kind: Kind::Duration, default: "", or: "15s while a read is throttled",
        what: "How long a failing request is repeated, counted from its first attempt. A read that is throttled (503, 429) is repeated as long as this lasts, unless `max_attempts` is set.",
        change: "Longer: readers survive a longer throttling. Shorter: the error is reported sooner." },
        set: |options, text| { options.retry_timeout = Some(duration(text)?); Ok(()) } },
];

impl S3Options {
    /// Reads one option by its name without section, such as `region`, into these; an empty text changes nothing.
    ///
    /// # Errors
    /// When there is no such option, or the text is no value of it.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), SettingError> {
        let known = || ROWS.iter().map(|row| row.setting.name());
        let Some(row) = ROWS.iter().find(|row| row.setting.name() == name) else {
            let nearest = crate::setting::nearest(name, known());
            return Err(SettingError::Unknown { name: name.to_owned(), nearest });
        };
        if text.is_empty() {
            return Ok(());
        }
        row.set(self, text).map_err(|what| SettingError::Value {
            name: self.caller.mention(row.setting.key),
            what: row.setting.wrong_value(text, &what),
        })
    }

    /// Options by their names without section, such as `endpoint_url`.
    ///
    /// # Errors
    /// When one is unknown or cannot have its value, or they do not go together.
    pub fn from_map<'a>(
        caller: Caller,
        map: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<S3Options, SettingError> {
        let mut options = S3Options { caller, ..S3Options::default() };
        for (name, text) in map {
            options.set(name, text)?;
        }
        options.check()?;
        Ok(options)
    }

    /// Holds the options against each other, once all of them are read. A session token without a key counts as not given.
    ///
    /// # Errors
    /// Half a pair of keys, or a KMS key without `aws:kms`.
    pub fn check(&mut self) -> Result<(), SettingError> {
        let missing = |key: &'static str, beside: &'static str| {
            let (key, beside) = (self.caller.mention(key), self.caller.mention(beside));
            Err(SettingError::Together(format!("{key} is missing beside {beside}")))
        };
        if let Some(keys) = &self.credentials {
            match (keys.access_key_id.is_empty(), keys.secret_access_key.is_empty()) {
                (false, true) => return missing("lake.s3.secret_access_key", "lake.s3.access_key_id"),
                (true, false) => return missing("lake.s3.access_key_id", "lake.s3.secret_access_key"),
                (true, true) => self.credentials = None,
                (false, false) => {}
            }
        }
        if self.sse_kms_key_id.is_some() && self.sse.as_deref() != Some("aws:kms") {
            let key = self.caller.mention("lake.s3.sse_kms_key_id");
            let needed = self.caller.assignment("lake.s3.sse", "aws:kms");
            return Err(SettingError::Together(format!("{key} needs {needed}")));
        }
        Ok(())
    }

    fn keys(&mut self) -> &mut StaticCredentials {
        self.credentials.get_or_insert_default()
    }
}

/// Says what is wrong with an endpoint, without repeating one that may hold a password.
pub(super) fn check_url(url: &str) -> Result<(), String> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    let port = host.rsplit_once(':').filter(|_| !host.ends_with(']')).map_or("", |(_, port)| port);
    let is_address = !host.is_empty()
        && !host.starts_with(':')
        && (port.is_empty() || port.parse::<u16>().is_ok())
        && !url.contains(['@', '?', '#'])
        && !url.chars().any(|c| c.is_whitespace() || c.is_control());
    if is_address {
        return Ok(());
    }
    Err("is no server's address: write it as https://host:port, without user, password, ? and #; keys go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned())
}

/// A region stands in the host's name and in messages: a key that was put here would, too.
fn region(text: &str) -> Result<String, String> {
    let is_name = text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_name { Ok(text.to_owned()) } else { Err("must be a region's name such as us-east-1".to_owned()) }
}

/// Servers other than AWS have classes of their own, so that any name may be one.
fn storage_class(text: &str) -> Result<String, String> {
    let is_name = text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_name { Ok(text.to_owned()) } else { Err("must be a storage class such as STANDARD_IA".to_owned()) }
}

fn header_text(text: &str) -> Result<String, String> {
    let is_possible = text.len() <= MOST_CHARACTERS && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_possible { Ok(text.to_owned()) } else { Err("must be printable ASCII without blanks".to_owned()) }
}

fn tags(text: &str) -> Result<Vec<(String, String)>, String> {
    let wrong = || {
        "must be names and values such as team=data,kind=tweets, at most ten: names of 1 to 128, values of at most 256 characters"
            .to_owned()
    };
    let tags: Vec<(String, String)> = text
        .split(',')
        .map(|tag| {
            let (name, value) = tag.split_once('=').ok_or_else(wrong)?;
            let (name, value) = (name.trim(), value.trim());
            let possible = (1..=128).contains(&name.chars().count()) && value.chars().count() <= 256;
            if possible { Ok((name.to_owned(), value.to_owned())) } else { Err(wrong()) }
        })
        .collect::<Result<_, _>>()?;
    if tags.len() <= MOST_TAGS { Ok(tags) } else { Err(wrong()) }
}

fn attempts(text: &str) -> Result<u32, String> {
    let attempts = count(text)?;
    if (1..=MOST_ATTEMPTS).contains(&attempts) {
        Ok(attempts)
    } else {
        Err(format!("must be between 1 and {MOST_ATTEMPTS}"))
    }
}

#[cfg(test)]
mod tests;
