//! One row a code or status, and what is said to people.

use super::*;

fn place() -> Place {
    Place { bucket: "tweets".to_owned(), whereabouts: "at http://127.0.0.1:8333".to_owned(), caller: Caller::Agent }
}

fn answer(code: &str, status: u16) -> Failure {
    let code = Some(code).filter(|code| !code.is_empty()).map(str::to_owned);
    Failure { code, status: Some(status), ..Failure::default() }
}

#[test]
fn a_code_decides_and_a_status_where_the_code_is_unknown() {
    for (code, status, kind) in [
        ("NoSuchKey", 404, ErrorKind::NotFound),
        ("", 404, ErrorKind::NotFound),
        ("NoSuchBucket", 404, ErrorKind::NoSuchBucket),
        ("PreconditionFailed", 412, ErrorKind::PreconditionFailed),
        ("", 412, ErrorKind::PreconditionFailed),
        ("ConditionalRequestConflict", 409, ErrorKind::Conflict),
        ("SomethingNew", 409, ErrorKind::Conflict),
        ("AccessDenied", 403, ErrorKind::AccessDenied),
        ("", 403, ErrorKind::AccessDenied),
        ("InvalidAccessKeyId", 403, ErrorKind::Credentials),
        ("SignatureDoesNotMatch", 403, ErrorKind::Credentials),
        ("ExpiredToken", 400, ErrorKind::Credentials),
        ("SlowDown", 503, ErrorKind::Throttled),
        ("", 429, ErrorKind::Throttled),
        ("", 503, ErrorKind::Throttled),
        ("InternalError", 200, ErrorKind::Server),
        ("InternalError", 500, ErrorKind::Server),
        ("", 502, ErrorKind::Server),
        ("RequestTimeout", 400, ErrorKind::Timeout),
        ("InvalidObjectState", 403, ErrorKind::Archived),
        ("BadDigest", 400, ErrorKind::Corrupt),
        ("", 416, ErrorKind::Corrupt),
        ("", 507, ErrorKind::NoSpace),
        ("PermanentRedirect", 301, ErrorKind::Configuration),
        ("NotImplemented", 501, ErrorKind::Configuration),
        ("SomethingNew", 400, ErrorKind::Configuration),
    ] {
        assert_eq!(explain(&answer(code, status), &place()).0, kind, "{code:?} with status {status}");
    }
}

#[test]
fn only_what_may_pass_by_itself_is_transient() {
    for (failure, transient) in [
        (answer("SlowDown", 503), true),
        (answer("InternalError", 500), true),
        (answer("ConditionalRequestConflict", 409), true),
        (answer("NotImplemented", 501), false),
        (answer("AccessDenied", 403), false),
        (answer("InvalidObjectState", 403), false),
        (answer("NoSuchBucket", 404), false),
        (answer("SignatureDoesNotMatch", 403), false),
    ] {
        assert_eq!(explain(&failure, &place()).0.is_transient(), transient, "{failure:?}");
    }
}

#[test]
fn the_words_say_what_to_do() {
    let in_ireland = Some("eu-west-1".to_owned());
    let redirect = Failure { region: in_ireland, ..answer("PermanentRedirect", 301) };
    let of = |request| Failure { request, ..answer("", 403) };
    let archived = Failure { storage_class: Some("GLACIER".to_owned()), ..answer("InvalidObjectState", 403) };
    let lost =
        Failure { trouble: Trouble::NoConnection, message: "Connection refused".to_owned(), ..Failure::default() };
    let nobody =
        Failure { trouble: Trouble::NoCredentials, message: "set AWS_ACCESS_KEY_ID".to_owned(), ..Failure::default() };
    for (failure, words) in [
        (answer("NoSuchBucket", 404), "there is no bucket \"tweets\" at http://127.0.0.1:8333: create it"),
        (redirect, "bucket \"tweets\" is in region eu-west-1: set lake.s3.region = \"eu-west-1\""),
        (answer("PermanentRedirect", 301), "another region: set lake.s3.region"),
        (of(Request::List), "lack s3:ListBucket on the bucket"),
        (of(Request::Head), "s3:ListBucket on the bucket where the object is missing"),
        (of(Request::Read), "lack s3:GetObject"),
        (of(Request::Put), "lack s3:PutObject"),
        (of(Request::Delete), "lack s3:DeleteObject"),
        (archived, "archived in storage class GLACIER: restore it, or leave this hour out"),
        (answer("InvalidObjectState", 403), "archived: restore it"),
        (answer("RequestTimeTooSkewed", 403), "clock is wrong"),
        (lost, "no connection at http://127.0.0.1:8333"),
        (nobody, "set AWS_ACCESS_KEY_ID"),
    ] {
        let said = explain(&failure, &place()).1;
        assert!(said.contains(words), "{said:?} does not say {words:?}");
    }
}

#[test]
fn a_setting_is_named_as_the_caller_writes_it() {
    let redirect = Failure { region: Some("eu-west-1".to_owned()), ..answer("PermanentRedirect", 301) };
    for (caller, words) in [
        (Caller::Agent, "set lake.s3.region = \"eu-west-1\""),
        (Caller::CommandLine, "set --region eu-west-1"),
        (Caller::Python, "set region=\"eu-west-1\""),
        (Caller::Luigi, "set [cauce] region = eu-west-1"),
        (Caller::Spark, "set .option(\"region\", \"eu-west-1\")"),
    ] {
        let said = explain(&redirect, &Place { caller, ..place() }).1;
        assert!(said.ends_with(words), "{said:?} does not say {words:?}");
        let said = explain(&answer("NoSuchBucket", 404), &Place { caller, ..place() }).1;
        assert!(said.ends_with(&format!("correct {}", caller.url())), "{said}");
    }
    let said = explain(&answer("PermanentRedirect", 301), &Place { caller: Caller::Python, ..place() }).1;
    assert!(said.ends_with("set region=, or endpoint_url="), "{said}");
}

#[test]
fn the_right_region_is_read_from_a_message() {
    let message = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'";
    assert_eq!(region_in(message).as_deref(), Some("eu-west-1"));
    assert_eq!(region_in("something else"), None);
}

#[test]
fn a_servers_message_is_cut_and_loses_its_control_characters() {
    let said = shorten(&format!("a\n\u{1b}[31m{}", "x".repeat(1000)));
    assert_eq!(said.chars().count(), MESSAGE_CHARS);
    assert!(!said.chars().any(char::is_control));
}
