//! Authentication: v2's bearer token, the exchange of keys for it, v1.1's OAuth 1.0a signature.
//!
//! Pure except for the used nonces. Signatures are verified: a wrong signature, a wrong clock and a repeated nonce are
//! refused as the real service refuses them.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cauce_http::oauth;
use percent_encoding::percent_decode_str;

use crate::options::Credentials;

/// Largest difference between a client's clock and ours.
const MAX_SKEW_S: i64 = 300;

/// Why a v2 request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BearerFault {
    /// No token or a wrong one: 401.
    Unauthorized,
    /// A user's credentials instead of an app's: 403.
    WrongKind,
}

/// Checks the `Authorization` of a v2 request.
pub(crate) fn check_bearer(header: Option<&str>, credentials: &Credentials) -> Result<(), BearerFault> {
    match header.and_then(|header| header.split_once(' ')) {
        Some((kind, token)) if kind.eq_ignore_ascii_case("bearer") && token == credentials.bearer_token => Ok(()),
        Some((kind, _)) if kind.eq_ignore_ascii_case("oauth") => Err(BearerFault::WrongKind),
        _ => Err(BearerFault::Unauthorized),
    }
}

/// Whether a `Basic` header contains the app's key and secret, each percent-encoded.
pub(crate) fn is_basic(header: Option<&str>, credentials: &Credentials) -> bool {
    let pair = header.and_then(|header| header.split_once(' ')).and_then(|(kind, value)| {
        let bytes = STANDARD.decode(value.trim()).ok().filter(|_| kind.eq_ignore_ascii_case("basic"))?;
        String::from_utf8(bytes).ok()
    });
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    pair.as_deref().and_then(|pair| pair.split_once(':')).is_some_and(|(key, secret)| {
        decoded(key) == credentials.consumer_key && decoded(secret) == credentials.consumer_secret
    })
}

/// Used nonces with their timestamps.
#[derive(Debug, Default)]
pub(crate) struct Nonces(HashMap<String, i64>);

/// The parts of a request that its signature covers, and the signature.
#[derive(Debug)]
pub(crate) struct SignedRequest<'a> {
    pub(crate) method: &'a str,
    /// Scheme, host and path.
    pub(crate) url: &'a str,
    /// Parameters of query and form body, decoded.
    pub(crate) params: &'a [(String, String)],
    /// The `Authorization` header.
    pub(crate) header: Option<&'a str>,
}

impl Nonces {
    /// Checks a v1.1 request at `now` (seconds since the epoch).
    ///
    /// # Errors
    /// The reason, for the simulator's log; the client gets the same 401 for all of them.
    pub(crate) fn check(
        &mut self,
        request: &SignedRequest<'_>,
        credentials: &Credentials,
        now: i64,
    ) -> Result<(), &'static str> {
        let header = request.header.and_then(|header| header.strip_prefix("OAuth ")).ok_or("no OAuth header")?;
        let oauth_params: Vec<(String, String)> = header
            .split(',')
            .filter_map(|pair| pair.trim().split_once('='))
            .map(|(key, value)| {
                let value = value.trim_matches('"');
                (key.to_owned(), percent_decode_str(value).decode_utf8_lossy().into_owned())
            })
            .collect();
        let find = |name: &str| oauth_params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        if find("oauth_consumer_key") != Some(&credentials.consumer_key)
            || find("oauth_token") != Some(&credentials.access_token)
        {
            return Err("unknown consumer key or token");
        }
        if find("oauth_signature_method") != Some("HMAC-SHA1")
            || find("oauth_version").is_some_and(|version| version != "1.0")
        {
            return Err("unknown signature method or version");
        }
        let timestamp: i64 = find("oauth_timestamp").and_then(|text| text.parse().ok()).ok_or("no timestamp")?;
        if (timestamp - now).abs() > MAX_SKEW_S {
            return Err("timestamp out of bounds");
        }
        let given = find("oauth_signature").ok_or("no signature")?;
        let mut params = request.params.to_vec();
        params.extend(oauth_params.iter().filter(|(key, _)| key != "oauth_signature" && key != "realm").cloned());
        let secrets = (&credentials.consumer_secret, &credentials.access_token_secret);
        if oauth::signature(request.method, request.url, &params, secrets.0, secrets.1) != given {
            return Err("wrong signature");
        }
        let nonce = find("oauth_nonce").ok_or("no nonce")?;
        // Older nonces are refused by their timestamp.
        self.0.retain(|_, made| (now - *made).abs() <= MAX_SKEW_S);
        if self.0.insert(nonce.to_owned(), timestamp).is_some() {
            return Err("nonce used before");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://127.0.0.1:8089/1.1/statuses/filter.json";
    const NOW: i64 = 1_795_323_600;

    fn params() -> Vec<(String, String)> {
        vec![("track".to_owned(), "@a,#b c".to_owned())]
    }

    fn header(credentials: &Credentials, nonce: &str, timestamp: i64) -> String {
        let signer = oauth::Credentials {
            consumer_key: &credentials.consumer_key,
            consumer_secret: &credentials.consumer_secret,
            token: &credentials.access_token,
            token_secret: &credentials.access_token_secret,
        };
        oauth::authorization_header("POST", URL, &params(), signer, nonce, timestamp)
    }

    fn check(nonces: &mut Nonces, header: &str, params: &[(String, String)]) -> Result<(), &'static str> {
        let request = SignedRequest { method: "POST", url: URL, params, header: Some(header) };
        nonces.check(&request, &Credentials::default(), NOW)
    }

    #[test]
    fn a_request_signed_with_the_right_secrets_passes_once() {
        let mut nonces = Nonces::default();
        let header = header(&Credentials::default(), "one", NOW - 299);
        assert_eq!(check(&mut nonces, &header, &params()), Ok(()));
        assert_eq!(check(&mut nonces, &header, &params()), Err("nonce used before"));
    }

    #[test]
    fn a_changed_parameter_a_wrong_secret_and_a_wrong_clock_are_refused() {
        let mut nonces = Nonces::default();
        let good = header(&Credentials::default(), "two", NOW);
        assert_eq!(check(&mut nonces, &good, &[("track".to_owned(), "x".to_owned())]), Err("wrong signature"));
        let other = Credentials { access_token_secret: "other".to_owned(), ..Credentials::default() };
        assert_eq!(check(&mut nonces, &header(&other, "three", NOW), &params()), Err("wrong signature"));
        let other = Credentials { consumer_key: "other".to_owned(), ..Credentials::default() };
        assert_eq!(check(&mut nonces, &header(&other, "four", NOW), &params()), Err("unknown consumer key or token"));
        assert_eq!(
            check(&mut nonces, &header(&Credentials::default(), "five", NOW - 301), &params()),
            Err("timestamp out of bounds")
        );
        assert_eq!(check(&mut nonces, "Bearer x", &params()), Err("no OAuth header"));
    }

    #[test]
    fn the_key_exchange_expects_both_halves_percent_encoded() {
        let credentials = Credentials { consumer_secret: "a:b%c".to_owned(), ..Credentials::default() };
        let basic_of = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        assert!(is_basic(Some(&basic_of("sim-consumer-key:a%3Ab%25c")), &credentials));
        assert!(!is_basic(Some(&basic_of("sim-consumer-key:other")), &credentials));
        assert!(!is_basic(Some("Basic %%%"), &credentials));
        assert!(!is_basic(None, &credentials));
    }

    #[test]
    fn credentials_of_a_user_are_not_those_of_an_app() {
        let credentials = Credentials::default();
        assert_eq!(check_bearer(Some("Bearer sim-bearer-token"), &credentials), Ok(()));
        assert_eq!(check_bearer(Some("Bearer other"), &credentials), Err(BearerFault::Unauthorized));
        assert_eq!(check_bearer(Some("OAuth a=b"), &credentials), Err(BearerFault::WrongKind));
        assert_eq!(check_bearer(None, &credentials), Err(BearerFault::Unauthorized));
    }
}
