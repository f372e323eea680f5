//! The table of options, row by row.

use super::*;

fn of(map: &[(&str, &str)]) -> Result<S3Options, SettingError> {
    S3Options::from_map(Caller::Agent, map.iter().copied())
}

#[test]
fn each_row_takes_a_good_value_and_changes_the_options() {
    for row in ROWS {
        let text = match (row.setting.name(), row.setting.kind) {
            ("endpoint_url", _) => "https://s3.example:9000",
            ("tags", _) => "team=data,kind=tweets",
            ("checksum", _) => "SHA256",
            (_, Kind::Switch) => "true",
            (_, Kind::Count) => "5",
            (_, Kind::Duration) => "45s",
            (_, Kind::Choice(words)) => words[0],
            (_, Kind::Text | Kind::Secret) => "value",
        };
        let mut options = S3Options::default();
        options.set(row.setting.name(), text).unwrap_or_else(|error| panic!("{}: {error}", row.setting.key));
        assert_ne!(options, S3Options::default(), "{} changes nothing", row.setting.key);
        options = S3Options::default();
        options.set(row.setting.name(), "").expect("an empty text is no value");
        assert_eq!(options, S3Options::default(), "an empty text sets {}", row.setting.key);
    }
}

#[test]
fn a_row_reads_into_its_own_field() {
    let options = of(&[
        ("endpoint_url", "http://127.0.0.1:8333"),
        ("region", "eu-west-1"),
        ("path_style", "false"),
        ("access_key_id", "id"),
        ("secret_access_key", "secret"),
        ("session_token", "token"),
        ("request_payer", "true"),
        ("storage_class", "STANDARD_IA"),
        ("sse", "aws:kms"),
        ("sse_kms_key_id", "alias/tweets"),
        ("tags", "team=data, kind = tweets"),
        ("acl", "bucket-owner-full-control"),
        ("checksum", "crc32c"),
        ("max_attempts", "7"),
        ("retry_timeout", "1m30s"),
    ]);
    let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = S3Options {
        endpoint_url: Some("http://127.0.0.1:8333".to_owned()),
        region: Some("eu-west-1".to_owned()),
        path_style: Some(false),
        credentials: Some(StaticCredentials {
            access_key_id: "id".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: Some("token".to_owned()),
        }),
        request_payer: true,
        storage_class: Some("STANDARD_IA".to_owned()),
        sse: Some("aws:kms".to_owned()),
        sse_kms_key_id: Some("alias/tweets".to_owned()),
        tags: vec![tag("team", "data"), tag("kind", "tweets")],
        acl: Some("bucket-owner-full-control".to_owned()),
        checksum: Algorithm::Crc32c,
        max_attempts: Some(7),
        retry_timeout: Some(Duration::from_secs(90)),
        ..S3Options::default()
    };
    assert_eq!(options, Ok(expected));
}

#[test]
fn a_value_that_cannot_be_is_refused_and_says_how_to_write_it() {
    for (name, text, words) in [
        ("endpoint_url", "127.0.0.1:8333", "is no server's address"),
        ("region", "wJalrXUtn/K7MDENG", "must be a region's name"),
        ("path_style", "yes", "\"yes\" must be true or false"),
        ("storage_class", "STANDARD IA", "such as STANDARD_IA"),
        ("sse", "AES128", "\"AES128\" must be one of AES256, aws:kms"),
        ("sse_kms_key_id", "a\nb", "printable ASCII"),
        ("tags", "team", "team=data"),
        ("tags", "=data", "team=data"),
        ("tags", "a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9,j=10,k=11", "at most ten"),
        ("acl", "everyone", "must be one of private"),
        ("checksum", "MD5", "must be one of CRC64NVME, CRC32, CRC32C, SHA256"),
        ("max_attempts", "0", "between 1 and"),
        ("max_attempts", "-1", "a whole number"),
        ("retry_timeout", "soon", "is no duration"),
    ] {
        let error = of(&[(name, text)]).expect_err("it was taken").to_string();
        assert!(error.starts_with(&format!("lake.s3.{name}: ")) && error.contains(words), "{error}");
    }
}

#[test]
fn an_address_that_is_none_is_refused_without_repeating_it() {
    let bad = [
        "127.0.0.1:8333",
        "http://",
        "http:///x",
        "http://:80",
        "ftp://host",
        "http://a b",
        "http://host:hush",
        "http://me:hush@host",
        "http://host?key=hush",
        "http://host#hush",
    ];
    for text in bad {
        let error = of(&[("endpoint_url", text)]).expect_err(text).to_string();
        assert!(!error.contains("hush"), "{error}");
    }
    for text in
        ["http://127.0.0.1:8333", "https://s3.example", "https://s3.example/base/", "http://[::1]:9000", "http://[::1]"]
    {
        assert!(of(&[("endpoint_url", text)]).is_ok(), "{text}");
    }
}

#[test]
fn options_that_do_not_go_together_are_refused_in_the_callers_words() {
    let key = [("sse_kms_key_id", "alias/tweets"), ("sse", "AES256")];
    let error = of(&key[..1]).expect_err("no encryption by KMS");
    assert_eq!(error.to_string(), "lake.s3.sse_kms_key_id needs lake.s3.sse = \"aws:kms\"");
    let error = S3Options::from_map(Caller::Python, key).expect_err("no encryption by KMS");
    assert_eq!(error.to_string(), "sse_kms_key_id needs sse=\"aws:kms\"");
    let error = of(&[("secret_access_key", "hush")]).expect_err("half a pair");
    assert_eq!(error.to_string(), "lake.s3.access_key_id is missing beside lake.s3.secret_access_key");
}

#[test]
fn a_token_without_keys_counts_as_not_given() {
    assert_eq!(of(&[("session_token", "hush")]), Ok(S3Options::default()));
}

#[test]
fn an_unknown_option_is_refused_with_the_nearest_one() {
    let error = of(&[("storage_clas", "GLACIER")]).expect_err("there is no such option");
    assert_eq!(error.to_string(), "there is no setting storage_clas (did you mean storage_class?)");
}
