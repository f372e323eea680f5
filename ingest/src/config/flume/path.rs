//! `hdfs.path`: where it leads, which keys stand in it, and where the pattern begins. Pure. No error quotes any of it,
//! because a path of Flume's day holds the secret.

use percent_encoding::percent_decode_str;

/// A path taken apart.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// The lake's URL, without keys; or that the bucket is still a placeholder.
    pub(super) url: Result<String, String>,
    /// The rest: from the first segment with an escape. May be empty.
    pub(super) pattern: String,
    /// Keys.
    pub(super) keys: Keys,
    /// The scheme is `s3n`, which knows no roles.
    pub(super) is_s3n: bool,
    /// Where it is a folder of this machine, although Flume would have written elsewhere.
    pub(super) elsewhere: Option<Elsewhere>,
}

/// Where Flume would have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// The path names HDFS.
    Hdfs,
    /// The path has no scheme: Hadoop's default file system, which is usually HDFS.
    HadoopsDefault,
}

/// Keys in a path.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Keys {
    /// The path has no place for keys: a folder.
    NotNeeded,
    /// None are written.
    Absent,
    /// Both are.
    Given { id: String, secret: String },
    /// One or both are left as placeholders.
    Placeholders,
}

/// Whether a value was never filled in: `<twitter-consumer-key>`.
pub(super) fn is_placeholder(text: &str) -> bool {
    text.len() > 2 && text.starts_with('<') && text.ends_with('>')
}

/// Takes a path apart.
///
/// # Errors
/// A text without anything of the path.
pub(super) fn parse(path: &str) -> Result<Location, String> {
    let Some((scheme, rest)) = path.split_once("://") else {
        // A slip in the scheme must not make a folder that is named after the secret.
        let lower = path.to_ascii_lowercase();
        if ["s3:", "s3a:", "s3n:", "s3//", "s3a//", "s3n//"].iter().any(|start| lower.starts_with(start)) {
            return Err("the scheme is not written as s3n:// or s3a://".to_owned());
        }
        // Hadoop also takes file:/folder.
        return Ok(match path.strip_prefix("file:") {
            Some(path) => folder(path),
            None => Location { elsewhere: Some(Elsewhere::HadoopsDefault), ..folder(path) },
        });
    };
    match scheme.to_ascii_lowercase().as_str() {
        "file" => Ok(folder(rest.strip_prefix("localhost").unwrap_or(rest))),
        scheme @ ("s3" | "s3a" | "s3n") => s3(rest, scheme == "s3n"),
        "hdfs" | "viewfs" | "webhdfs" => {
            let (_, path) = rest.split_once('/').unwrap_or((rest, ""));
            let location = folder(&format!("/{path}"));
            if location.url.as_deref() == Ok("/") {
                return Err("Cauce writes to S3 or a local folder, not to HDFS, and the path names no folder: write \
                            s3a://bucket/… or file:///…"
                    .to_owned());
            }
            Ok(Location { elsewhere: Some(Elsewhere::Hdfs), ..location })
        }
        _ => Err("Cauce writes to S3 or a local folder: write s3a://bucket/… or file:///…".to_owned()),
    }
}

fn folder(path: &str) -> Location {
    let (root, pattern) = split_root(path.trim_start_matches('/'));
    let url = match (path.starts_with('/'), root.is_empty()) {
        (true, _) => format!("/{root}"),
        (false, true) => ".".to_owned(),
        (false, false) => root,
    };
    Location { url: Ok(url), pattern, keys: Keys::NotNeeded, is_s3n: false, elsewhere: None }
}

fn s3(rest: &str, is_s3n: bool) -> Result<Location, String> {
    let (keys, rest) = match split_at_sign(rest) {
        Some((keys, rest)) => (read_keys(keys)?, rest),
        None => (Keys::Absent, rest),
    };
    let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.contains([':', '%']) {
        // Keys without an @ behind them, or an escape: neither may be repeated.
        return Err("no bucket can be found in it: write s3a://bucket/… or s3n://KEY:SECRET@bucket/…".to_owned());
    }
    let (root, pattern) = split_root(path);
    let url = if is_placeholder(bucket) {
        Err(format!("the placeholder {bucket} is still there: write the bucket's name"))
    } else {
        Ok(format!("s3://{bucket}/{root}").trim_end_matches('/').to_owned())
    };
    Ok(Location { url, pattern, keys, is_s3n, elsewhere: None })
}

/// Splits keys from bucket and path. A secret may hold `/` and even `@`, a path may hold `@`: the last `@` counts that a
/// bucket's name follows.
fn split_at_sign(rest: &str) -> Option<(&str, &str)> {
    let signs: Vec<usize> = rest.match_indices('@').map(|(at, _)| at).collect();
    let names_bucket = |at: &&usize| {
        let bucket = rest[**at + 1..].split('/').next().unwrap_or("");
        let is_name = (3..=63).contains(&bucket.len())
            && bucket.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        is_placeholder(bucket) || is_name
    };
    let at = *signs.iter().rev().find(names_bucket).or(signs.last())?;
    Some((&rest[..at], &rest[at + 1..]))
}

fn read_keys(keys: &str) -> Result<Keys, String> {
    let Some((id, secret)) = keys.split_once(':') else {
        return if keys.is_empty() || is_placeholder(keys) {
            Ok(Keys::Placeholders)
        } else {
            Err("there is an access key in it, but no secret: write s3n://KEY:SECRET@bucket/…, or no keys at all"
                .to_owned())
        };
    };
    if [id, secret].iter().any(|key| key.is_empty() || is_placeholder(key)) {
        return Ok(Keys::Placeholders);
    }
    Ok(Keys::Given { id: decode(id), secret: decode(secret) })
}

/// A secret is written raw, percent-encoded, or with the percent doubled (which is what Flume itself needed).
fn decode(key: &str) -> String {
    percent_decode_str(&key.replace("%%", "%")).decode_utf8_lossy().into_owned()
}

/// The root is what stands before the first segment with an escape.
fn split_root(path: &str) -> (String, String) {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let first = segments.iter().position(|segment| segment.contains('%')).unwrap_or(segments.len());
    (segments[..first].join("/"), segments[first..].join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> (String, String, Option<(String, String)>) {
        let location = parse(path).unwrap_or_else(|why| panic!("{path}: {why}"));
        let keys = match location.keys {
            Keys::Given { id, secret } => Some((id, secret)),
            _ => None,
        };
        (location.url.unwrap_or_else(|why| panic!("{path}: {why}")), location.pattern, keys)
    }

    #[test]
    fn keys_are_taken_raw_encoded_or_doubly_encoded() {
        for (written, secret) in [
            ("sec", "sec"),
            ("a/b", "a/b"),
            ("a%2Fb", "a/b"),
            ("a%%2Fb", "a/b"),
            ("a+b", "a+b"),
            ("a%2Bb", "a+b"),
            ("a/b/c+d==", "a/b/c+d=="),
            ("a@b", "a@b"),
            ("a:b", "a:b"),
        ] {
            let (url, pattern, keys) = parts(&format!("s3n://AKIA:{written}@bucket/%m-%d-%h"));
            assert_eq!((url.as_str(), pattern.as_str()), ("s3://bucket", "%m-%d-%h"));
            assert_eq!(keys, Some(("AKIA".to_owned(), secret.to_owned())), "{written}");
        }
    }

    #[test]
    fn the_root_ends_before_the_first_escape() {
        for (path, url, pattern) in [
            ("s3a://bucket/a//b/%Y/%m/%d/%H", "s3://bucket/a/b", "%Y/%m/%d/%H"),
            ("S3://bucket/a", "s3://bucket/a", ""),
            ("s3n://K:S@bucket", "s3://bucket", ""),
            ("file:///srv/lake/%m", "/srv/lake", "%m"),
            ("file:/srv/lake/%m/x", "/srv/lake", "%m/x"),
            ("/srv/%m", "/srv", "%m"),
            ("/%m", "/", "%m"),
            ("lake/%m", "lake", "%m"),
            ("%m", ".", "%m"),
            ("hdfs://localhost:9000/user/me/%Y/%m", "/user/me", "%Y/%m"),
            ("hdfs:///user/me", "/user/me", ""),
        ] {
            let (got_url, got_pattern, _) = parts(path);
            assert_eq!((got_url.as_str(), got_pattern.as_str()), (url, pattern), "{path}");
        }
    }

    #[test]
    fn placeholders_are_seen_and_a_bucket_must_be_named() {
        let keys = |path: &str| parse(path).map(|location| location.keys == Keys::Placeholders);
        assert_eq!(keys("s3n://<aws-access-key-id>:<aws-secret-access-key>@bucket/%m"), Ok(true));
        assert_eq!(keys("s3n://AKIA:<aws-secret-access-key>@bucket/%m"), Ok(true));
        assert_eq!(keys("s3n://@bucket/%m"), Ok(true));
        let unnamed = parse("s3n://K:S@<bucket>/%m").unwrap_or_else(|why| panic!("{why}"));
        assert!(unnamed.url.expect_err("a placeholder was taken").contains("<bucket>"));
        assert_eq!(unnamed.pattern, "%m");
    }

    #[test]
    fn no_error_repeats_a_secret() {
        for path in [
            "s3n://AKIA:hush/bucket/%m",
            "s3n://hush@bucket/%m",
            "hdfs://hush:8020",
            "hdfs://hush:8020/%m",
            "gs://hush/x",
            "s3n://K:hush%m",
            "s3n:/K:hush@b/%m",
            "S3N//Khushb/%m",
        ] {
            let error = parse(path).err().unwrap_or_else(|| panic!("{path} was taken"));
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
