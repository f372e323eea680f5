//! Answers that do not come from an S3 server: login pages of a network, proxies, other web servers, redirects.
//!
//! [`Whence`] notes which host was asked and stops a web page that calls itself a success before anything reads it as an object.
//! [`Came`] is what such an answer was, for messages: status, content type, first words, host. Its rules are pure.

use std::fmt;

use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::config_bag::{Storable, StoreReplace};

use crate::setting::Caller;

/// Notes of [`Whence`] in an answer's headers. No server sends these names.
const HOST: &str = "x-cauce-asked-host";
const STATUS: &str = "x-cauce-status";
/// Takes the place of a web page's success, so that the SDK reads the page as an error and does not ask again.
const NOT_S3: u16 = 418;

/// Bytes of a body in which its first words are looked for.
const HEAD_BYTES: usize = 4096;
/// Most characters of an answer that are repeated.
const WORDS_CHARS: usize = 80;
/// Shortest run of letters and digits that may be a key or a token.
const TOKEN_CHARS: usize = 20;

/// Which host a request went to.
#[derive(Debug)]
struct Host(String);

impl Storable for Host {
    type Storer = StoreReplace<Host>;
}

/// Notes where an answer came from where it is an error, and makes one of a web page.
#[derive(Debug)]
pub(super) struct Whence;

impl Intercept for Whence {
    fn name(&self) -> &'static str {
        "where an answer came from"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(host) = authority(context.request().uri()) {
            config.interceptor_state().store_put(Host(host.to_owned()));
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let status = response.status().as_u16();
        let is_page = response.status().is_success() && calls_itself_a_page(response) && !is_signed_by_s3(response);
        if is_page {
            response.headers_mut().insert(STATUS, status.to_string());
            *response.status_mut() = NOT_S3.try_into().expect("it is a status");
        }
        if (is_page || !(200..300).contains(&status))
            && let Some(Host(host)) = config.load::<Host>()
        {
            let _ = response.headers_mut().try_insert(HOST, host.clone());
        }
        Ok(())
    }
}

/// Host and port of a URL.
fn authority(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty() && !host.contains('@'))
}

fn content_type(response: &HttpResponse) -> &str {
    response.headers().get("content-type").unwrap_or_default()
}

fn is_html(content_type: &str) -> bool {
    content_type.trim_start().get(..9).is_some_and(|start| start.eq_ignore_ascii_case("text/html"))
}

/// Whether it says that there is a page. A server that is written with a web framework may call an empty answer HTML too.
fn calls_itself_a_page(response: &HttpResponse) -> bool {
    is_html(content_type(response)) && response.headers().get("content-length") != Some("0")
}

/// S3 and most servers like it number their answers, or tell more of an object in headers of this name.
fn is_signed_by_s3(response: &HttpResponse) -> bool {
    response.headers().iter().any(|(name, _)| name.starts_with("x-amz"))
}

/// An answer as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Came {
    pub(super) status: u16,
    content_type: String,
    /// What it begins with, or a page's title.
    words: String,
    /// Which host was asked.
    host: Option<String>,
    /// Where it points to, without a query.
    location: Option<String>,
    /// Whether it bears the marks of an S3 server.
    signed: bool,
    /// Whether it is a web page, by what it calls itself or by how it begins.
    is_page: bool,
    /// Whether it tells a length, and not 0.
    has_length: bool,
    /// Whether it is XML, as an error of S3 is.
    is_xml: bool,
}

impl Came {
    pub(super) fn of(response: &HttpResponse) -> Came {
        let own = |name| response.headers().get(name).map(str::to_owned);
        let body = response.body().bytes().unwrap_or_default();
        let head = String::from_utf8_lossy(&body[..body.len().min(HEAD_BYTES)]);
        let content_type = content_type(response);
        Came {
            status: own(STATUS).and_then(|status| status.parse().ok()).unwrap_or(response.status().as_u16()),
            content_type: first_words(content_type.split(';').next().unwrap_or_default(), WORDS_CHARS),
            words: first_words(title(&head).unwrap_or(&head), WORDS_CHARS),
            host: own(HOST),
            location: own("location").as_deref().and_then(without_query),
            signed: is_signed_by_s3(response),
            has_length: response.headers().get("content-length").is_some_and(|length| length != "0"),
            is_page: calls_itself_a_page(response) || is_page(&head),
            is_xml: head.trim_start().starts_with('<') && !is_page(&head),
        }
    }

    /// Whether something else than an S3 server answered, of an answer in which no code of S3 was found.
    pub(super) fn is_foreign(&self, is_head: bool) -> bool {
        match self.status {
            _ if self.signed => false,
            // A success that could not be read.
            200..=299 => true,
            300..=399 => self.location.is_some() || !self.is_xml,
            // A HEAD has no body to judge by; only a web server tells the length of a page that it would send.
            _ if is_head => self.is_page && self.has_length,
            _ if self.words.is_empty() => false,
            _ => !self.is_xml && (self.is_page || self.is_json()),
        }
    }

    fn is_json(&self) -> bool {
        self.content_type.contains("json") || self.words.starts_with(['{', '['])
    }

    fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status)
    }

    /// What to look at.
    pub(super) fn advice(&self, caller: Caller) -> String {
        let endpoint = caller.name("lake.s3.endpoint_url");
        if self.is_redirect() {
            let region = caller.name("lake.s3.region");
            format!("give the address it points to as {endpoint}, or the bucket's region as {region}")
        } else {
            format!("check the address ({endpoint}), and proxies and login pages on the way to it")
        }
    }
}

/// `127.0.0.1:80 sent status 200, text/html, "Please log in"`.
impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sent status {}", self.host.as_deref().unwrap_or("the server"), self.status)?;
        if !self.content_type.is_empty() {
            write!(f, ", {}", self.content_type)?;
        }
        match (&self.location, self.words.is_empty()) {
            (Some(location), _) => write!(f, ", a redirect to {location}"),
            (None, true) => f.write_str(", no body"),
            (None, false) => write!(f, ", {:?}", self.words),
        }
    }
}

fn is_page(text: &str) -> bool {
    let start = text.trim_start().get(..9).unwrap_or(text.trim_start()).to_ascii_lowercase();
    start.starts_with("<!doctype") || start.starts_with("<html")
}

/// The title of a web page.
fn title(page: &str) -> Option<&str> {
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let title = page[start..start + lower[start..].find("</title")?].trim();
    (!title.is_empty()).then_some(title)
}

/// Longest address that is repeated, in characters.
const LOCATION_CHARS: usize = 200;

/// A query may hold a token.
fn without_query(location: &str) -> Option<String> {
    let plain = location.split(['?', '#']).next().unwrap_or_default();
    let has_password = authority(plain).is_none() && plain.contains('@');
    (!plain.is_empty() && !has_password)
        .then(|| plain.chars().filter(|c| !c.is_control()).take(LOCATION_CHARS).collect())
}

/// The beginning of a text from outside in one line, with what may be a key or token hidden.
pub(super) fn first_words(text: &str, most: usize) -> String {
    let line = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = line.map(hide_tokens).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Hides runs of letters and digits that are long and mixed as keys and tokens are.
fn hide_tokens(word: &str) -> String {
    // The parts of a path are looked at one by one; a key may hold a slash too.
    let is_path = word.trim_start_matches(['"', '\'', '`', '(', '=']).starts_with(['/', '~', '.']);
    let in_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '=' | '_' | '-') || (c == '/' && !is_path);
    let mut shown = String::with_capacity(word.len());
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(|c| !in_token(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let has = |kind: fn(&u8) -> bool| run.bytes().any(|byte| kind(&byte));
        let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
        shown.push_str(if run.len() >= TOKEN_CHARS && is_mixed { "[hidden]" } else { run });
        let next = after.find(in_token).unwrap_or(after.len());
        shown.push_str(&after[..next]);
        rest = &after[next..];
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_token_is_hidden_and_words_stay() {
        for (text, shown) in [
            ("no such profile", "no such profile"),
            ("token=aB3dE5gH7jK9mN1pQ3sT5v/x+y= given", "[hidden] given"),
            (
                "/usr/local/bin/a-very-long-command-name: not found",
                "/usr/local/bin/a-very-long-command-name: not found",
            ),
            ("open /opt/Etl1/Tools/creds-2: denied", "open /opt/Etl1/Tools/creds-2: denied"),
            ("a\n\t b\u{1b}[31m", "a b [31m"),
        ] {
            assert_eq!(first_words(text, 200), shown);
        }
        assert_eq!(first_words("one two three", 7), "one two…");
    }

    #[test]
    fn a_title_stands_for_a_page() {
        assert_eq!(title("<html><head><TITLE lang=en> Please log in </TITLE>"), Some("Please log in"));
        for page in ["<html>", "<title></title>", "<title", "<title>x"] {
            assert_eq!(title(page), None, "{page}");
        }
    }

    #[test]
    fn a_location_loses_its_query() {
        assert_eq!(without_query("https://login.example/?token=hush").as_deref(), Some("https://login.example/"));
        assert_eq!(without_query("https://me:hush@login.example/"), None);
        assert_eq!(without_query(""), None);
    }

    #[test]
    fn only_what_bears_no_mark_of_s3_is_foreign() {
        let came = |status, content_type: &str, words: &str| Came {
            status,
            content_type: content_type.to_owned(),
            words: words.to_owned(),
            is_page: is_html(content_type) || is_page(words),
            is_xml: words.starts_with("<E"),
            ..Came::default()
        };
        for (answer, is_head, is_foreign) in [
            (came(200, "", ""), false, true),
            (came(404, "text/html", "404 Not Found"), false, true),
            (Came { has_length: true, ..came(404, "text/html", "") }, true, true),
            (came(404, "text/html", ""), true, false),
            (came(404, "application/json", "{\"message\":\"no\"}"), false, true),
            (came(503, "", "<html>busy"), false, true),
            (came(301, "", ""), false, true),
            (came(404, "", ""), false, false),
            (came(404, "", ""), true, false),
            (came(404, "text/plain", "not found"), false, false),
            (came(403, "application/xml", "<Error><Code>"), false, false),
            (Came { signed: true, ..came(404, "text/html", "x") }, false, false),
        ] {
            assert_eq!(answer.is_foreign(is_head), is_foreign, "{answer}");
        }
    }
}
