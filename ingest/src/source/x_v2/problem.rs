//! What an answer of the v2 API other than 200 means, and what the stream's own words mean: pure classification.
//!
//! Hosts differ between `api.x.com` and `api.twitter.com`, so of a problem's `type` only the last path segment counts.

use std::time::Duration;

use cauce_lake::tweet::Control;
use reqwest::StatusCode;
use serde_json::Value;

use crate::source::http::{Answer, Refused, shown};
use crate::source::reconnect::Failure;
use crate::source::stream::Drop;

/// What to do after an answer.
#[derive(Debug)]
pub(crate) enum Action {
    /// Get a new token, if there is a way to; otherwise the credentials are bad.
    Renew {
        /// What was said.
        detail: String,
    },
    /// Ask again without `backfill_minutes`, which the plan does not have.
    WithoutBackfill,
    /// Bring the rules in order before the next attempt.
    SyncRules {
        /// What was said.
        detail: String,
    },
    /// As the engine knows it.
    Refuse(Refused),
}

/// The members of a problem that tell one from another, from the root or its first error.
#[derive(Debug, Default)]
pub(crate) struct Problem {
    /// Last path segment of `type`.
    pub(crate) kind: String,
    /// `connection_issue`, where there is one.
    issue: String,
    title: String,
    detail: String,
    is_json: bool,
}

impl Problem {
    /// Reads a body, whatever it is.
    pub(crate) fn read(body: &[u8]) -> Problem {
        let Ok(root) = serde_json::from_slice::<Value>(body) else { return Problem::default() };
        let first = root["errors"].get(0).unwrap_or(&Value::Null);
        let text = |name: &str| {
            let of = |value: &Value| value.get(name).and_then(Value::as_str).map(shown);
            of(&root).or_else(|| of(first)).unwrap_or_default()
        };
        let message = first.get("message").and_then(Value::as_str).map(shown).unwrap_or_default();
        let detail = [text("detail"), message].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        Problem {
            kind: text("type").rsplit('/').next().unwrap_or_default().to_owned(),
            issue: text("connection_issue"),
            title: text("title"),
            detail: detail.join(" "),
            is_json: true,
        }
    }

    /// For people: its title and what it says.
    pub(crate) fn words(&self, answer: &Answer) -> String {
        if !self.is_json {
            return answer.excerpt();
        }
        match (self.title.as_str(), self.detail.as_str()) {
            ("", "") => answer.excerpt(),
            (title, "") => title.to_owned(),
            ("", detail) => detail.to_owned(),
            (title, detail) => format!("{title}: {detail}"),
        }
    }
}

/// What to do after `answer`. `now_s` is the time in seconds since the epoch, for headers that name one.
pub(crate) fn classify(answer: &Answer, now_s: i64) -> Action {
    let problem = Problem::read(&answer.body);
    let words = problem.words(answer);
    let retry = |cause: &str, failure| Action::Refuse(Refused::retry(cause, failure, words.clone()));
    if let Some(refused) = answer.general() {
        return Action::Refuse(refused);
    }
    match answer.status {
        StatusCode::UNAUTHORIZED => Action::Renew { detail: words },
        StatusCode::PAYMENT_REQUIRED => retry("credits", Failure::Paused),
        // A page in HTML is a proxy or a gate in front of the API, and no word of the API about us.
        StatusCode::FORBIDDEN if !problem.is_json => retry("forbidden", Failure::Http),
        StatusCode::FORBIDDEN => Action::Refuse(Refused::credentials(format!(
            "X refuses the stream to this app ({words}); its plan must include the filtered stream, or the sample stream where \
             source.sample is set, and the app must belong to a project: see the developer portal"
        ))),
        StatusCode::CONFLICT if problem.issue == "ProvisioningSubscription" => retry("provisioning", Failure::Http),
        StatusCode::CONFLICT => Action::SyncRules { detail: words },
        StatusCode::TOO_MANY_REQUESTS => match problem.kind.as_str() {
            "streaming-connection" => retry("too-many-connections", Failure::TooManyConnections),
            _ if problem.issue == "TooManyConnections" => retry("too-many-connections", Failure::TooManyConnections),
            "usage-capped" | "credits" => retry("usage-cap", Failure::Paused),
            _ => {
                let reset_in = answer.number("x-rate-limit-reset").map(|reset| reset.saturating_sub(now_s));
                let reset_in = reset_in.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
                retry("rate-limited", Failure::RateLimited { reset_in })
            }
        },
        StatusCode::BAD_REQUEST if names_backfill(&answer.body) => Action::WithoutBackfill,
        status => Action::Refuse(Refused::configuration(format!(
            "the API answers {status} and asking again would not help ({words}); check source.base_url and the fields asked for"
        ))),
    }
}

fn names_backfill(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"backfill_minutes").is_some()
}

/// Whether a control message ends the connection, and as what. X often leaves a connection open and silent after such a
/// message, so it is closed from this side. Errors that name neither `disconnect_type` nor `connection_issue` are about
/// something else: the stream goes on.
pub(crate) fn in_stream(word: &Control) -> Option<Drop> {
    let Control::Problem { problem, what, .. } = word else { return None };
    let drop = match (problem.as_str(), what.as_deref()) {
        ("streaming-connection", Some(_)) | (_, Some("TooManyConnections")) => {
            Drop::new("too-many-connections", Failure::TooManyConnections)
        }
        ("credits", _) => Drop::new("credits", Failure::Paused),
        ("usage-capped", _) => Drop::new("usage-cap", Failure::Paused),
        (_, Some(_)) => Drop::new("disconnect", Failure::Dropped),
        (name, None) if name.ends_with("-disconnect") || name.ends_with("-disconnected") => {
            Drop::new("disconnect", Failure::Dropped)
        }
        (_, None) => return None,
    };
    Some(drop)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue, LOCATION};

    use super::*;
    use crate::source::SourceError;

    fn answer(status: u16, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).expect("a status");
        Answer { status, headers: HeaderMap::new(), body: body.to_owned().into() }
    }

    /// The action in short.
    fn short(action: &Action) -> String {
        match action {
            Action::Renew { .. } => "renew".to_owned(),
            Action::WithoutBackfill => "without backfill".to_owned(),
            Action::SyncRules { .. } => "sync rules".to_owned(),
            Action::Refuse(Refused::Retry { cause, failure, .. }) => format!("{cause} {failure:?}"),
            Action::Refuse(Refused::Fatal { error: SourceError::Credentials(_), .. }) => "credentials".to_owned(),
            Action::Refuse(Refused::Fatal { .. }) => "configuration".to_owned(),
        }
    }

    #[test]
    fn each_answer_has_its_action() {
        for (status, body, expected) in [
            (
                400,
                r#"{"errors":[{"parameters":{"backfill_minutes":["5"]},"message":"S"}],"title":"Invalid Request","type":"https://api.twitter.com/2/problems/invalid-request"}"#,
                "without backfill",
            ),
            (
                400,
                r#"{"errors":[{"parameters":{"expansions":["x"]},"message":"S"}],"title":"Invalid Request"}"#,
                "configuration",
            ),
            (401, r#"{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}"#, "renew"),
            (
                402,
                r#"{"title":"CreditsDepleted","detail":"S","type":"https://api.x.com/2/problems/credits"}"#,
                "credits Paused",
            ),
            (
                403,
                r#"{"title":"Client Forbidden","reason":"client-not-enrolled","type":"https://api.twitter.com/2/problems/client-forbidden"}"#,
                "credentials",
            ),
            (403, "<html>are you a robot</html>", "forbidden Http"),
            (404, "", "configuration"),
            (
                409,
                r#"{"title":"ConnectionException","connection_issue":"RuleConfigurationIssue","type":"https://api.x.com/2/problems/streaming-connection"}"#,
                "sync rules",
            ),
            (
                409,
                r#"{"title":"ConnectionException","connection_issue":"ProvisioningSubscription"}"#,
                "provisioning Http",
            ),
            (
                429,
                r#"{"title":"ConnectionException","connection_issue":"TooManyConnections","type":"https://api.twitter.com/2/problems/streaming-connection"}"#,
                "too-many-connections TooManyConnections",
            ),
            (
                429,
                r#"{"errors":[{"title":"ConnectionException","connection_issue":"TooManyConnections"}]}"#,
                "too-many-connections TooManyConnections",
            ),
            (
                429,
                r#"{"title":"Too Many Requests","type":"about:blank","status":429}"#,
                "rate-limited RateLimited { reset_in: None }",
            ),
            (
                429,
                r#"{"account_id":1,"title":"UsageCapExceeded","period":"Monthly","type":"https://api.x.com/2/problems/usage-capped"}"#,
                "usage-cap Paused",
            ),
            (500, "", "http-500 Http"),
            (502, "<html>bad gateway</html>", "http-502 Http"),
            (503, r#"{"title":"Service Unavailable"}"#, "http-503 Http"),
        ] {
            assert_eq!(short(&classify(&answer(status, body), 0)), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_rate_limit_ends_when_its_header_says_and_one_in_the_past_at_once() {
        for (reset, now, expected) in [("1700000100", 1_700_000_000, 100), ("1600000000", 1_700_000_000, 0)] {
            let mut limited = answer(429, "{}");
            limited.headers.insert("x-rate-limit-reset", HeaderValue::from_static(reset));
            let expected = format!("rate-limited RateLimited {{ reset_in: Some({expected}s) }}");
            assert_eq!(
                short(&classify(&limited, now)),
                if expected.contains("Some(0s)") { expected.replace("0s", "0ns") } else { expected }
            );
        }
    }

    #[test]
    fn a_redirect_is_an_error_that_names_where_it_points_without_the_query() {
        let mut moved = answer(302, "");
        moved.headers.insert(LOCATION, HeaderValue::from_static("https://elsewhere.example/stream?token=abc"));
        let Action::Refuse(Refused::Fatal { error, .. }) = classify(&moved, 0) else { panic!("not fatal") };
        let text = error.to_string();
        assert!(text.contains("https://elsewhere.example/stream") && !text.contains("abc"), "{text}");
    }

    #[test]
    fn words_of_the_stream_that_end_it_are_told_apart() {
        let problem = |problem: &str, what: Option<&str>| Control::Problem {
            problem: problem.to_owned(),
            what: what.map(str::to_owned),
            detail: String::new(),
        };
        for (word, expected) in [
            (
                problem("operational-disconnect", Some("UpstreamOperationalDisconnect")),
                Some(("disconnect", Failure::Dropped)),
            ),
            (
                problem("streaming-connection", Some("TooManyConnections")),
                Some(("too-many-connections", Failure::TooManyConnections)),
            ),
            (problem("credits", None), Some(("credits", Failure::Paused))),
            (problem("something-new", Some("SomethingNew")), Some(("disconnect", Failure::Dropped))),
            (problem("client-disconnected", None), Some(("disconnect", Failure::Dropped))),
            (problem("resource-not-found", None), None),
            (problem("about:blank", None), None),
            (Control::ConnectionMetadata, None),
        ] {
            assert_eq!(in_stream(&word), expected.map(|(cause, failure)| Drop::new(cause, failure)), "{word:?}");
        }
    }
}
