//! Where a lake is: `s3://bucket/prefix` or a folder.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A lake's address without its pattern. It never holds credentials.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LakeUrl {
    /// A bucket and a prefix in it (without slashes at its ends; may be empty).
    S3 {
        /// The bucket, or the ARN of an access point.
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
                if let Some((access_point, prefix)) = access_point(rest) {
                    return Ok(LakeUrl::S3 { bucket: access_point.to_owned(), prefix: joined(prefix) });
                }
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
                Ok(LakeUrl::S3 { bucket: bucket.to_owned(), prefix: joined(prefix) })
            }
            // What is longer than any scheme stands there by mistake, and may be a key.
            _ if scheme.len() > 16 => Err(LakeUrlError::Scheme("…".to_owned())),
            other => Err(LakeUrlError::Scheme(other.to_owned())),
        }
    }
}

/// A prefix without empty parts.
fn joined(prefix: &str) -> String {
    prefix.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// The ARN of an access point at the beginning of a text, and what follows it:
/// `arn:aws:s3:eu-west-1:123456789012:accesspoint/name`, or `arn:aws:s3-outposts:…:outpost/op-1/accesspoint/name`. All of its
/// fields are checked, so that no key is taken for one.
fn access_point(text: &str) -> Option<(&str, &str)> {
    let mut fields = text.splitn(6, ':');
    let (arn, partition, service) = (fields.next()?, fields.next()?, fields.next()?);
    let (region, account, resource) = (fields.next()?, fields.next()?, fields.next()?);
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_arn = arn == "arn"
        && (partition == "aws" || partition.starts_with("aws-"))
        && matches!(service, "s3" | "s3-outposts")
        && is_word(region)
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit());
    let kind =
        |text: &str| ["accesspoint/", "accesspoint:"].iter().find(|kind| text.starts_with(**kind)).map(|k| k.len());
    let before_name = match resource.strip_prefix("outpost").filter(|_| service == "s3-outposts") {
        Some(outpost) => {
            let rest = outpost.strip_prefix(['/', ':'])?;
            let id = rest.find(['/', ':'])?;
            let start = resource.len() - rest.len() + id + 1;
            start + kind(&resource[start..]).filter(|_| is_word(&rest[..id]))?
        }
        None => kind(resource)?,
    };
    let name = resource[before_name..].split('/').next().filter(|name| is_word(name))?;
    let end = text.len() - resource.len() + before_name + name.len();
    is_arn.then(|| (&text[..end], &text[end..]))
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
    fn an_access_point_stands_in_a_buckets_place() {
        for arn in [
            "arn:aws:s3:eu-west-1:123456789012:accesspoint/tweets",
            "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint:tweets",
            "arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-01ac5d28/accesspoint/tweets",
        ] {
            for (text, prefix) in [("", ""), ("/", ""), ("/a//b/", "a/b")] {
                let url: LakeUrl = format!("s3://{arn}{text}").parse().expect("valid URL");
                assert_eq!(url, LakeUrl::S3 { bucket: arn.to_owned(), prefix: prefix.to_owned() });
                assert_eq!(url.to_string().parse(), Ok(url));
            }
        }
        for text in [
            "s3://arn:hush@bucket/x",
            "s3://arn:aws:s3:eu-west-1:hush:accesspoint/tweets",
            "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/hush@x",
            "s3://arn:aws:s3:eu-west-1:123456789012:bucket/hush",
        ] {
            let error = text.parse::<LakeUrl>().expect_err("no access point");
            assert_eq!(error, LakeUrlError::Credentials, "{text}");
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
