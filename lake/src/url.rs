//! Where a lake is: `s3://bucket/prefix` or a folder.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A lake's address without its pattern. It never holds credentials.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LakeUrl {
    /// A bucket and a prefix in it (without slashes at its ends; may be empty).
    S3 {
        /// The bucket.
        bucket: String,
        /// The prefix under which the lake lies.
        prefix: String,
    },
    /// A local folder.
    Folder(PathBuf),
}

/// A text that is no lake's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LakeUrlError {
    /// Nothing given.
    #[error("the lake's URL is empty: give s3://bucket/prefix or a folder")]
    Empty,
    /// `user:secret@` before the bucket.
    #[error(
        "the lake's URL holds credentials: take them out, and give them by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile"
    )]
    Credentials,
    /// The bucket's name is not possible.
    #[error("{0:?} is no bucket's name: 3 to 63 letters, digits, dots, hyphens and underscores")]
    Bucket(String),
    /// Another scheme.
    #[error("{0:?} is no scheme Cauce can write to: give s3://bucket/prefix, file:///folder or a folder")]
    Scheme(String),
}

impl FromStr for LakeUrl {
    type Err = LakeUrlError;

    /// Reads `s3://`, `s3a://` and `s3n://` (one thing by three names), `file://` and plain paths.
    fn from_str(text: &str) -> Result<LakeUrl, LakeUrlError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(LakeUrlError::Empty);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(LakeUrl::Folder(PathBuf::from(text)));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => Ok(LakeUrl::Folder(PathBuf::from(rest.strip_prefix("localhost").unwrap_or(rest)))),
            "s3" | "s3a" | "s3n" => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                // No bucket's name holds an `@` or a colon: keys stand there, perhaps with slashes, perhaps without their `@`.
                // A prefix may hold both.
                if bucket.contains(['@', ':']) {
                    return Err(LakeUrlError::Credentials);
                }
                let possible = (3..=63).contains(&bucket.len())
                    && bucket.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
                if !possible {
                    return Err(LakeUrlError::Bucket(bucket.to_owned()));
                }
                let prefix = prefix.split('/').filter(|s| !s.is_empty()).collect::<Vec<_>>().join("/");
                Ok(LakeUrl::S3 { bucket: bucket.to_owned(), prefix })
            }
            // What is longer than any scheme stands there by mistake, and may be a key.
            _ if scheme.len() > 16 => Err(LakeUrlError::Scheme("…".to_owned())),
            other => Err(LakeUrlError::Scheme(other.to_owned())),
        }
    }
}

impl fmt::Display for LakeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LakeUrl::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            LakeUrl::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            LakeUrl::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_s3_schemes_are_one_thing() {
        for text in ["s3://bucket/a/b", "s3a://bucket/a/b/", "S3N://bucket//a/b"] {
            let url: LakeUrl = text.parse().expect("valid URL");
            assert_eq!(url.to_string(), "s3://bucket/a/b");
        }
    }

    #[test]
    fn credentials_in_the_url_are_refused_without_repeating_them() {
        for text in
            ["s3://AKIA:hush@bucket/x", "s3n://AKIA:hush/hush@bucket/x", "s3://AKIA:hush/bucket/x", "s3://hush@bucket"]
        {
            let error = text.parse::<LakeUrl>().expect_err("credentials were taken");
            assert_eq!(error, LakeUrlError::Credentials);
            assert!(!error.to_string().contains("hush"));
        }
    }

    #[test]
    fn a_prefix_may_hold_an_at_sign() {
        let url: LakeUrl = "s3://bucket/user@example/tweets".parse().expect("valid URL");
        assert_eq!(url, LakeUrl::S3 { bucket: "bucket".into(), prefix: "user@example/tweets".into() });
    }

    #[test]
    fn a_plain_path_and_a_file_url_are_folders() {
        assert_eq!("./lake".parse(), Ok(LakeUrl::Folder("./lake".into())));
        assert_eq!("file:///srv/lake".parse(), Ok(LakeUrl::Folder("/srv/lake".into())));
        assert!("hdfs://x/y".parse::<LakeUrl>().is_err());
        assert!("s3://b/x".parse::<LakeUrl>().is_err());
    }
}
