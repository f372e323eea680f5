//! One attempt to open a v1.1 stream: a signed request with a fresh nonce and time.

use std::sync::Arc;

use async_trait::async_trait;
use cauce_http::oauth;
use cauce_lake::tweet::Control;
use jiff::Timestamp;
use rand::distr::{Alphanumeric, SampleString as _};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use secrecy::ExposeSecret as _;

use super::messages::{classify, in_stream};
use crate::config::settings::XV1Settings;
use crate::source::SourceError;
use crate::source::http::{ByteStream, Refused, client, endpoint, open, shown};
use crate::source::stream::{Dialect, Drop};
use crate::status::Metrics;

/// `statuses/filter` or `statuses/sample`.
pub(crate) struct XV1 {
    settings: XV1Settings,
    client: Client,
    metrics: Arc<Metrics>,
}

impl XV1 {
    pub(crate) fn new(settings: XV1Settings, metrics: Arc<Metrics>) -> Result<XV1, SourceError> {
        let client = client(&settings.base_url)?;
        Ok(XV1 { settings, client, metrics })
    }

    fn request(&self) -> RequestBuilder {
        let mut params = vec![("stall_warnings".to_owned(), "true".to_owned())];
        let (method, path) = if self.settings.sample {
            (Method::GET, "1.1/statuses/sample.json")
        } else {
            params.extend(filter(&self.settings));
            (Method::POST, "1.1/statuses/filter.json")
        };
        let mut url = endpoint(&self.settings.base_url, path);
        let auth = &self.settings.auth;
        let credentials = oauth::Credentials {
            consumer_key: auth.consumer_key.expose_secret(),
            consumer_secret: auth.consumer_secret.expose_secret(),
            token: auth.access_token.expose_secret(),
            token_secret: auth.access_token_secret.expose_secret(),
        };
        let nonce = Alphanumeric.sample_string(&mut rand::rng(), 32);
        let now_s = Timestamp::now().as_second();
        let header = oauth::authorization_header(method.as_str(), url.as_str(), &params, credentials, &nonce, now_s);
        let mut header = HeaderValue::try_from(header).expect("a signature header is percent-encoded throughout");
        header.set_sensitive(true);
        // One way of encoding for signature and wire, so that both sides read the same text.
        let encoded: Vec<String> =
            params.iter().map(|(key, value)| format!("{}={}", oauth::encode(key), oauth::encode(value))).collect();
        let encoded = encoded.join("&");
        let request = if self.settings.sample {
            url.set_query(Some(&encoded));
            self.client.request(method, url)
        } else {
            self.client.request(method, url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(encoded)
        };
        request.header(AUTHORIZATION, header)
    }
}

/// The parameters of the filter that are set; v1.1 refuses empty ones.
fn filter(settings: &XV1Settings) -> impl Iterator<Item = (String, String)> {
    let joined = |items: Vec<String>| items.join(",");
    let text = |items: &[String]| joined(items.to_vec());
    [
        ("track", text(&settings.keywords)),
        ("follow", joined(settings.follow.iter().map(u64::to_string).collect())),
        ("locations", joined(settings.locations.iter().map(ToString::to_string).collect())),
        ("language", text(&settings.languages)),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), value))
}

#[async_trait]
impl Dialect for XV1 {
    async fn connect(&mut self) -> Result<ByteStream, Refused> {
        open(self.request(), &self.metrics.clock).await?.map_err(|answer| classify(&answer))
    }

    fn hear(&mut self, word: Control) -> Option<Drop> {
        match &word {
            // The sorter counts them.
            Control::Limit { .. } => {}
            Control::Warning { code, percent_full } => {
                tracing::warn!(code = shown(code), percent_full, "warning from the stream");
            }
            Control::Disconnect { code, reason } => {
                tracing::warn!(code, reason = shown(reason), "the stream says that it ends");
            }
            Control::Problem { problem, what, detail } => {
                let what = what.as_deref().map(shown);
                tracing::warn!(problem = shown(problem), what, detail = shown(detail), "errors in the stream");
            }
            Control::ConnectionMetadata => {}
        }
        in_stream(&word)
    }
}

#[cfg(test)]
mod tests;
