//! AWS's credentials as people have them: profiles with a program, with SSO or with a role, and what is said when they give none.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use cauce_lake::store::servers::S3Server;
use sha1::{Digest, Sha1};

use crate::corpus::{expected, joined, mixed};
use crate::lake::{Lake, fresh_bucket, go_s3};
use crate::program::{Ended, INGEST, Place};

const FUTURE: &str = "2099-01-01T00:00:00Z";
const PAST: &str = "2020-01-01T00:00:00Z";
const SSO: &str = "[profile etl]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = reader\n\
                   [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\n";

/// A bucket on a server that checks signatures, and a place without any key but with a profile.
fn place(server: &S3Server, config: &str) -> Place {
    place_with(server, &fresh_bucket(server), config)
}

fn place_with(server: &S3Server, bucket: &str, config: &str) -> Place {
    let mut place = Place::new();
    let home = place.path("home");
    place.write("home/.aws/config", config).write("home/empty", "");
    place
        .set("HOME", home.to_str().expect("a path of text"))
        .set("PATH", "/usr/bin:/bin")
        .set("AWS_PROFILE", "etl")
        .set("AWS_REGION", &server.region)
        // Nobody is to look for an instance's role.
        .set("AWS_EC2_METADATA_DISABLED", "true")
        .set("AWS_ENDPOINT_URL_S3", &server.endpoint)
        .set("CAUCE_LAKE__URL", &format!("s3://{bucket}"));
    place
}

/// Puts the token of the SSO session where AWS's command line keeps it.
fn sign_in(place: &Place, expires_at: &str) {
    let name = Sha1::digest("corp").iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let token = format!(r#"{{"accessToken":"sso-hush","expiresAt":"{expires_at}"}}"#);
    place.write(&format!("home/.aws/sso/cache/{name}.json"), token);
}

/// Answers every request so, and gives where. It ends with the test's process.
fn service(status: &str, body: String) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("a bound socket has an address");
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    std::thread::spawn(move || {
        for connection in socket.incoming() {
            let Ok(mut connection) = connection else { return };
            let mut request = BufReader::new(connection.try_clone().expect("a socket can be doubled"));
            let (mut line, mut length) = (String::new(), 0);
            while request.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                line.clear();
            }
            std::io::copy(&mut std::io::Read::take(request, length), &mut std::io::sink()).expect("a body");
            // A client that has gone away is its own affair.
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

#[track_caller]
fn assert_none(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    let last =
        ended.err.lines().rfind(|line| line.contains("no credentials")).unwrap_or_else(|| panic!("{}", ended.err));
    for word in words {
        assert!(last.contains(word), "{word:?} is missing in {last}");
    }
    for secret in ["hush", "cargo feature"] {
        assert!(!ended.err.contains(secret), "{}", ended.err);
    }
}

#[test]
fn a_credential_process_gives_credentials() {
    let Some(server) = go_s3() else { return };
    let place = place(server, "[profile etl]\ncredential_process = sh creds.sh --password hush\n");
    let S3Server { access_key, secret, .. } = server;
    let json =
        format!(r#"{{"Version":1,"AccessKeyId":"{access_key}","SecretAccessKey":"{secret}","Expiration":"{FUTURE}"}}"#);
    place.write("creds.sh", format!("echo '{json}'"));
    place.done("hours");
}

#[test]
fn a_credential_process_cannot_read_what_the_agent_reads_from_standard_input() {
    let Some(server) = go_s3() else { return };
    let bucket = fresh_bucket(server);
    let place = place_with(server, &bucket, "[profile etl]\ncredential_process = sh creds.sh\n");
    let S3Server { access_key, secret, .. } = server;
    let json = format!(r#"{{"Version":1,"AccessKeyId":"{access_key}","SecretAccessKey":"{secret}"}}"#);
    // As a program does that asks on its terminal.
    place.write("creds.sh", format!("cat >/dev/null; echo '{json}'"));
    place.write("cauce.toml", "[source]\ntype = \"stdin\"\n[lake]\npartition_by = \"created_at\"\n");
    place.write("lines", joined(&mixed(500, 2)));
    let lines = File::open(place.path("lines")).expect("it is there");
    let ended = place.command(INGEST, &["run"]).stdin(lines).output().expect("it starts");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let mut stored = Lake::bucket(server, &bucket).lines();
    let mut wanted: Vec<Vec<u8>> = expected(&mixed(500, 2)).hours.into_values().flatten().collect();
    stored.sort();
    wanted.sort();
    assert!(stored == wanted, "{} lines of {}", stored.len(), wanted.len());
}

#[test]
fn a_credential_process_that_fails_is_said_with_its_own_words_and_without_its_arguments() {
    let Some(server) = go_s3() else { return };
    let place = place(server, "[profile etl]\ncredential_process = sh creds.sh --password hush\n");
    let config = place.path("home/.aws/config").display().to_string();
    let profile = format!("profile \"etl\" of {config} (credential_process): sh");
    let before = "(tried before it: environment: AWS_ACCESS_KEY_ID is not set)";
    for (script, words) in [
        (
            "echo 'no ticket: run kinit' >&2; exit 3",
            "ended with exit status: 3 and on standard error: no ticket: run kinit",
        ),
        ("exit 1", "ended with exit status: 1 and nothing on standard error"),
        ("echo token aB3dE5gH7jK9mN1pQ3sT5vXhush >&2; exit 1", "on standard error: token [hidden]"),
    ] {
        place.write("creds.sh", script);
        assert_none(&place.ingest("hours"), &[&profile, words, before]);
    }
}

#[test]
fn what_a_credential_process_prints_is_never_repeated() {
    let Some(server) = go_s3() else { return };
    let place = place(server, "[profile etl]\ncredential_process = sh creds.sh\n");
    for (printed, words) in [
        ("hush", "is not the JSON of a credential process"),
        ("", "is not the JSON of a credential process"),
        ("{\"Version\":1,\"AccessKeyId\":\"hush\"}", "printed JSON without SecretAccessKey"),
        ("{\"Version\":2,\"AccessKeyId\":\"hush\",\"SecretAccessKey\":\"hush\"}", "Version must be 1"),
        ("{\"hush\":hush}", "is not the JSON of a credential process"),
    ] {
        place.write("creds.sh", format!("echo '{printed}'"));
        assert_none(&place.ingest("hours"), &["profile \"etl\"", words]);
    }
}

#[test]
fn an_sso_profile_gives_credentials() {
    let Some(server) = go_s3() else { return };
    let mut place = place(server, SSO);
    sign_in(&place, FUTURE);
    let S3Server { access_key, secret, .. } = server;
    let keys = format!(
        r#"{{"roleCredentials":{{"accessKeyId":"{access_key}","secretAccessKey":"{secret}","expiration":4070908800000}}}}"#
    );
    place.set("AWS_ENDPOINT_URL_SSO", &service("200 OK", keys));
    place.done("hours");
}

#[test]
fn an_sso_token_that_expired_or_is_missing_or_refused_asks_for_a_login() {
    let Some(server) = go_s3() else { return };
    let login = "run aws sso login --profile etl";
    let mut place = place(server, SSO);
    for line in ["hours", "verify", "convert --to parquet"] {
        assert_none(&place.ingest(line), &["profile \"etl\"", "(SSO): there is no usable SSO token", login]);
    }
    sign_in(&place, PAST);
    assert_none(&place.ingest("hours"), &["(SSO): the SSO token has expired", login]);
    sign_in(&place, FUTURE);
    let refused = r#"{"message":"Session token not found or invalid","__type":"com.amazonaws.switchboard.portal#UnauthorizedException"}"#;
    place.set("AWS_ENDPOINT_URL_SSO", &service("401 Unauthorized", refused.to_owned()));
    assert_none(&place.ingest("hours"), &["(SSO): the SSO portal does not accept the token", login]);
    // A role that is refused is no lack of a login.
    let refused = r#"{"message":"No access","__type":"com.amazonaws.switchboard.portal#ForbiddenException"}"#;
    place.set("AWS_ENDPOINT_URL_SSO", &service("403 Forbidden", refused.to_owned()));
    let ended = place.ingest("hours");
    assert_none(&ended, &["(SSO): ", "No access"]);
    assert!(!ended.err.contains(login), "{}", ended.err);
}

#[test]
fn a_role_by_an_sso_profile_asks_for_the_login_of_that_profile() {
    let Some(server) = go_s3() else { return };
    let role = "[profile job]\nrole_arn = arn:aws:iam::123456789012:role/job\nsource_profile = etl\n";
    let mut place = place(server, &format!("{SSO}{role}"));
    place.set("AWS_PROFILE", "job");
    let words = [
        "profile \"job\"",
        "role arn:aws:iam::123456789012:role/job by profile \"etl\"",
        "run aws sso login --profile etl",
    ];
    assert_none(&place.ingest("hours"), &words);
}

#[test]
fn a_role_that_may_not_be_assumed_is_said_in_the_words_of_aws() {
    let Some(server) = go_s3() else { return };
    let config = "[profile etl]\nrole_arn = arn:aws:iam::1:role/job\nsource_profile = base\n\
                  [profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = hush\n";
    let mut place = place(server, config);
    let denied = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: base is not authorized to \
                  perform: sts:AssumeRole on resource: arn:aws:iam::1:role/job</Message></Error></ErrorResponse>";
    place.set("AWS_ENDPOINT_URL_STS", &service("403 Forbidden", denied.to_owned()));
    assert_none(
        &place.ingest("hours"),
        &["role arn:aws:iam::1:role/job by profile \"base\"", "not authorized to perform: sts:AssumeRole"],
    );
}

#[test]
fn a_session_of_aws_login_that_is_missing_asks_for_a_login() {
    let Some(server) = go_s3() else { return };
    let place = place(server, "[profile etl]\nlogin_session = arn:aws:iam::123456789012:user/me\n");
    assert_none(&place.ingest("hours"), &["(aws login): there is no usable session", "run aws login --profile etl"]);
}

#[test]
fn a_search_that_finds_nothing_names_all_places_in_their_order() {
    let Some(server) = go_s3() else { return };
    let mut place = place(server, "[profile other]\nregion = eu-west-1\n");
    place.write("cauce.toml", "[source]\ntype = \"files\"\npaths = [\"a.json\"]\n").write("a.json", "{}\n");
    let config = place.path("home/.aws/config").display().to_string();
    let missing =
        format!("profile \"etl\": it is not in {config} or {}", place.path("home/.aws/credentials").display());
    let in_order = [
        "environment: AWS_ACCESS_KEY_ID is not set",
        &missing,
        "web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set",
        "container: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set",
        "instance metadata: switched off by AWS_EC2_METADATA_DISABLED",
    ]
    .join("; ");
    for line in ["hours", "run"] {
        assert_none(&place.ingest(line), &["set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", &in_order]);
    }
    place.set("AWS_PROFILE", "other").set("AWS_ACCESS_KEY_ID", "AKIAHALF");
    let words =
        ["AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not", "profile \"other\"", "it holds no credentials"];
    assert_none(&place.ingest("hours"), &words);
}

#[test]
fn a_damaged_profile_file_is_named_with_its_line() {
    let Some(server) = go_s3() else { return };
    let place = place(server, "[profile etl]\naws_secret_access_key hush\n");
    assert_none(&place.ingest("hours"), &["profile \"etl\"", ".aws/config", "line 2"]);
}
