//! What v1.1 answers other than 200, and the stream's own words, mean: pure classification.

use cauce_lake::tweet::Control;
use reqwest::StatusCode;

use crate::source::http::{Answer, Refused};
use crate::source::reconnect::Failure;
use crate::source::stream::Drop;

/// What to do where X itself was asked.
const WAY_TO_V2: &str = "X itself ended v1.1 streams in 2023; its way on is v2: source.type = \"x-v2\" (in a twitter.conf \
    sources.NAME.cauce.type, or CAUCE_SOURCE__TYPE=x-v2) with the same consumer key and secret or a bearer token \
    (X_BEARER_TOKEN), and without source.base_url";

/// What to do after `answer`.
pub(crate) fn classify(answer: &Answer) -> Refused {
    if let Some(refused) = answer.general() {
        return refused;
    }
    let words = words(answer);
    let status = answer.status.as_u16();
    match status {
        401 => Refused::credentials(format!(
            "the API refuses the signature ({words}): check all four credentials, and the clock of this machine, which may \
             be at most five minutes off"
        )),
        403 => Refused::credentials(format!("the API does not let this account use the stream ({words}). {WAY_TO_V2}")),
        420 | 429 if memchr::memmem::find(&answer.body, b"connection limit").is_some() => {
            Refused::retry("too-many-connections", Failure::TooManyConnections, words)
        }
        420 | 429 => Refused::retry("rate-limited", Failure::RateLimited { reset_in: None }, words),
        404 | 410 => {
            Refused::configuration(format!("there is no v1.1 stream at source.base_url ({words}). {WAY_TO_V2}"))
        }
        406 => Refused::configuration(format!(
            "the API does not accept source.keywords, source.follow, source.locations or source.languages ({words})"
        )),
        413 => Refused::configuration(format!(
            "source.keywords, source.follow or source.locations are too long or too many ({words})"
        )),
        416 => Refused::configuration(format!("the API does not allow a parameter of the request ({words})")),
        _ => Refused::configuration(format!(
            "the API answers {} and asking again would not help ({words}); check source.base_url",
            answer.status
        )),
    }
}

/// The body for people: of a page in HTML only its title.
fn words(answer: &Answer) -> String {
    let excerpt = answer.excerpt();
    let title = excerpt.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    let words = title.map_or(excerpt.as_str(), |(title, _)| title.trim());
    match (words, answer.status) {
        ("", status) if status == StatusCode::from_u16(420).unwrap_or_default() => "420, too many requests".to_owned(),
        ("", status) => status.to_string(),
        (words, _) => words.to_owned(),
    }
}

/// Whether a word of the stream ends the connection, and as what.
pub(crate) fn in_stream(word: &Control) -> Option<Drop> {
    match word {
        // Two clients with the same credentials would drive each other out for ever if both came back at once.
        Control::Disconnect { code: 2, .. } => Some(Drop::new("duplicate-stream", Failure::TooManyConnections)),
        Control::Disconnect { code: 7, .. } => Some(Drop::new("admin-logout", Failure::TooManyConnections)),
        // The next attempt will tell by a 401 whether the token is really gone.
        Control::Disconnect { code: 6, .. } => Some(Drop::new("token-revoked", Failure::TooManyConnections)),
        Control::Disconnect { .. } | Control::Problem { what: Some(_), .. } => {
            Some(Drop::new("disconnect", Failure::Dropped))
        }
        Control::Problem { .. } | Control::Limit { .. } | Control::Warning { .. } | Control::ConnectionMetadata => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceError;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: reqwest::header::HeaderMap::new(),
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn each_answer_has_its_action() {
        for (status, body, expected) in [
            (
                420,
                "Easy there, Turbo. Too many requests recently. Enhance your calm.\r\n",
                "rate-limited RateLimited { reset_in: None }",
            ),
            (420, "Exceeded connection limit for user\r\n", "too-many-connections TooManyConnections"),
            (420, "", "rate-limited RateLimited { reset_in: None }"),
            (503, "Service Unavailable", "http-503 Http"),
            (502, "<html></html>", "http-502 Http"),
        ] {
            let Refused::Retry { cause, failure, .. } = classify(&answer(status, body)) else {
                panic!("{status} is fatal")
            };
            assert_eq!(format!("{cause} {failure:?}"), expected, "{status} {body}");
        }
    }

    #[test]
    fn what_will_not_pass_by_itself_says_what_to_do() {
        let page = "<html>\n<head>\n<title>Error 401 Unauthorized</title></head><body>Problem accessing</body></html>";
        for (status, body, is_credentials, expected) in [
            (401, page, true, "(Error 401 Unauthorized): check all four credentials, and the clock"),
            (403, "Forbidden", true, "source.type = \"x-v2\""),
            (403, "Forbidden", true, "CAUCE_SOURCE__TYPE=x-v2"),
            (403, "Forbidden", true, "X_BEARER_TOKEN"),
            (404, "", false, "source.base_url (404 Not Found)"),
            (410, "", false, "CAUCE_SOURCE__TYPE=x-v2"),
            (
                406,
                "Parameter track item index 69 too long: abc\r\n",
                false,
                "Parameter track item index 69 too long: abc",
            ),
            (413, "", false, "source.keywords"),
            (416, "", false, "does not allow"),
        ] {
            let Refused::Fatal { error, .. } = classify(&answer(status, body)) else { panic!("{status} is retried") };
            assert_eq!(matches!(error, SourceError::Credentials(_)), is_credentials, "{status}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn disconnects_are_told_apart_by_their_code() {
        for code in 1..=12 {
            let word = Control::Disconnect { code, reason: String::new() };
            let expected = match code {
                2 => Drop::new("duplicate-stream", Failure::TooManyConnections),
                6 => Drop::new("token-revoked", Failure::TooManyConnections),
                7 => Drop::new("admin-logout", Failure::TooManyConnections),
                _ => Drop::new("disconnect", Failure::Dropped),
            };
            assert_eq!(in_stream(&word), Some(expected), "code {code}");
        }
        assert_eq!(in_stream(&Control::Limit { track: 3 }), None);
        assert_eq!(in_stream(&Control::Warning { code: "FALLING_BEHIND".to_owned(), percent_full: Some(60) }), None);
    }

    #[test]
    fn errors_that_do_not_say_that_the_connection_ends_do_not_end_it() {
        let problem = |what: Option<&str>| Control::Problem {
            problem: "resource-not-found".to_owned(),
            what: what.map(str::to_owned),
            detail: String::new(),
        };
        assert_eq!(in_stream(&problem(None)), None);
        assert_eq!(in_stream(&problem(Some("ForceDisconnect"))), Some(Drop::new("disconnect", Failure::Dropped)));
    }
}
