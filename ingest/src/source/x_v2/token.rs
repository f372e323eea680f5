//! The bearer token: the one from the configuration, or consumer key and secret exchanged for one at `/oauth2/token`.
//!
//! The secrets leave this file only in headers that are marked sensitive.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cauce_http::oauth;
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use super::problem::{Action, Problem, classify};
use crate::config::settings::XV2Auth;
use crate::source::http::{Refused, ask, endpoint};
use crate::source::reconnect::Failure;

/// Holds the credentials and the token that they gave.
pub(crate) struct Tokens {
    auth: XV2Auth,
    bearer: Option<HeaderValue>,
    /// Whether the token was fetched anew since one last worked.
    is_renewed: bool,
}

#[derive(Deserialize)]
struct Granted {
    token_type: String,
    access_token: String,
}

impl Tokens {
    pub(crate) fn new(auth: XV2Auth) -> Tokens {
        Tokens { auth, bearer: None, is_renewed: false }
    }

    /// The value of the `Authorization` header; asks for a token where there is none yet.
    pub(crate) async fn bearer(&mut self, client: &Client, base: &Url) -> Result<HeaderValue, Refused> {
        if let Some(bearer) = &self.bearer {
            return Ok(bearer.clone());
        }
        let bearer = match &self.auth {
            XV2Auth::Bearer(token) => sensitive("Bearer", token.expose_secret(), "source.bearer_token")?,
            XV2Auth::Consumer { key, secret } => exchange(client, base, key, secret).await?,
        };
        Ok(self.bearer.insert(bearer).clone())
    }

    /// The token worked.
    pub(crate) fn proven(&mut self) {
        self.is_renewed = false;
    }

    /// The token was refused: forgets it if a new one may help, otherwise says what to do.
    pub(crate) fn refused(&mut self, detail: &str) -> Result<(), Refused> {
        match &self.auth {
            XV2Auth::Bearer(_) => Err(Refused::credentials(format!(
                "X refuses the bearer token ({detail}); make a new one in the developer portal and set source.bearer_token"
            ))),
            XV2Auth::Consumer { .. } if self.is_renewed => Err(Refused::credentials(format!(
                "X refuses the token that it has just given for source.consumer_key ({detail}); check the app's keys and \
                 access in the developer portal"
            ))),
            XV2Auth::Consumer { .. } => {
                tracing::warn!("token refused; asking for a new one");
                self.bearer = None;
                self.is_renewed = true;
                Ok(())
            }
        }
    }
}

async fn exchange(
    client: &Client,
    base: &Url,
    key: &SecretString,
    secret: &SecretString,
) -> Result<HeaderValue, Refused> {
    let pair = format!("{}:{}", oauth::encode(key.expose_secret()), oauth::encode(secret.expose_secret()));
    let basic = sensitive("Basic", &STANDARD.encode(pair), "source.consumer_key")?;
    let request = client
        .post(endpoint(base, "oauth2/token"))
        .header(AUTHORIZATION, basic)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded;charset=UTF-8")
        .body("grant_type=client_credentials");
    let answer = ask(request).await?;
    if answer.status == StatusCode::OK {
        // The body is a secret: nothing of it goes into an error.
        return match serde_json::from_slice::<Granted>(&answer.body) {
            Ok(granted) if granted.token_type.eq_ignore_ascii_case("bearer") => {
                sensitive("Bearer", &granted.access_token, "the token that X gave")
            }
            _ => Err(Refused::retry("token", Failure::Http, "the answer to the token request holds no bearer token")),
        };
    }
    let problem = Problem::read(&answer.body);
    match classify(&answer, Timestamp::now().as_second()) {
        Action::Refuse(refused @ Refused::Retry { .. }) => Err(refused),
        Action::Refuse(refused) if answer.status.is_redirection() => Err(refused),
        _ => Err(Refused::credentials(format!(
            "X gives no token for source.consumer_key and source.consumer_secret: {} {}; check both in the developer portal",
            answer.status,
            problem.words(&answer)
        ))),
    }
}

fn sensitive(scheme: &str, secret: &str, what: &str) -> Result<HeaderValue, Refused> {
    let mut value = HeaderValue::try_from(format!("{scheme} {secret}")).map_err(|_| {
        Refused::configuration(format!("{what} has characters in it that no header can carry, perhaps a line end"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}
