//! OAuth 1.0a signatures with HMAC-SHA1 (RFC 5849), which v1.1 of the X API requires.
//!
//! Pure: callers pass nonce and time. The v1.1 source signs with it, the simulator verifies with it. Secrets are neither
//! kept nor printed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `text` percent-encoded as OAuth asks: everything but `A-Z a-z 0-9 - . _ ~`, with upper-case digits and `%20` for a space.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The text that is signed: method, address and sorted parameters.
fn base_string(method: &str, url_without_query: &str, params: &[(String, String)]) -> String {
    let mut pairs: Vec<(String, String)> = params.iter().map(|(key, value)| (encode(key), encode(value))).collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("{}&{}&{}", method.to_ascii_uppercase(), encode(url_without_query), encode(&pairs.join("&")))
}

/// The HMAC-SHA1 signature of a request, in base64 and not yet percent-encoded.
///
/// `params` are those of the query, of a form body and the `oauth_` ones but `oauth_signature` and `realm`, all raw
/// (not encoded). `url_without_query` has scheme and host in lower case and no default port. `token_secret` is empty
/// where there is no token.
pub fn signature(
    method: &str,
    url_without_query: &str,
    params: &[(String, String)],
    consumer_secret: &str,
    token_secret: &str,
) -> String {
    let key = format!("{}&{}", encode(consumer_secret), encode(token_secret));
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(base_string(method, url_without_query, params).as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The four parts of a user's OAuth 1.0a credentials.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// Consumer key.
    pub consumer_key: &'a str,
    /// Consumer secret.
    pub consumer_secret: &'a str,
    /// Access token.
    pub token: &'a str,
    /// Access token secret.
    pub token_secret: &'a str,
}

/// The value of the `Authorization` header for one attempt of a request.
///
/// `params` are the raw parameters of the query and of the form body. `nonce` must be new for each attempt;
/// `timestamp` is in seconds since the epoch, and servers refuse one that is minutes away from their own clock.
pub fn authorization_header(
    method: &str,
    url_without_query: &str,
    params: &[(String, String)],
    credentials: Credentials<'_>,
    nonce: &str,
    timestamp: i64,
) -> String {
    let mut oauth: Vec<(String, String)> = [
        ("oauth_consumer_key", credentials.consumer_key.to_owned()),
        ("oauth_nonce", nonce.to_owned()),
        ("oauth_signature_method", "HMAC-SHA1".to_owned()),
        ("oauth_timestamp", timestamp.to_string()),
        ("oauth_token", credentials.token.to_owned()),
        ("oauth_version", "1.0".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    let all: Vec<(String, String)> = params.iter().chain(&oauth).cloned().collect();
    let signed = signature(method, url_without_query, &all, credentials.consumer_secret, credentials.token_secret);
    oauth.push(("oauth_signature".to_owned(), signed));
    oauth.sort();
    let parts: Vec<String> =
        oauth.iter().map(|(key, value)| format!("{}=\"{}\"", encode(key), encode(value))).collect();
    format!("OAuth {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// The example of X's own guide, "Creating a signature".
    fn x_request() -> Vec<(String, String)> {
        pairs(&[
            ("status", "Hello Ladies + Gentlemen, a signed OAuth request!"),
            ("include_entities", "true"),
            ("oauth_consumer_key", "xvz1evFS4wEEPTGEFPHBog"),
            ("oauth_nonce", "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "1318622958"),
            ("oauth_token", "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb"),
            ("oauth_version", "1.0"),
        ])
    }
    const X: Credentials<'static> = Credentials {
        consumer_key: "xvz1evFS4wEEPTGEFPHBog",
        consumer_secret: "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
        token: "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
        token_secret: "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
    };

    #[test]
    fn the_signatures_are_those_of_the_guide_of_x_for_both_hosts() {
        for (host, expected) in
            [("api.twitter.com", "hCtSmYh+iHYCEqBWrE7C7hYmtUk="), ("api.x.com", "Ls93hJiZbQ3akF3HF3x1Bz8/zU4=")]
        {
            let url = format!("https://{host}/1.1/statuses/update.json");
            assert_eq!(signature("post", &url, &x_request(), X.consumer_secret, X.token_secret), expected, "{host}");
        }
    }

    #[test]
    fn the_header_holds_the_encoded_oauth_parameters_and_no_others() {
        let params =
            pairs(&[("status", "Hello Ladies + Gentlemen, a signed OAuth request!"), ("include_entities", "true")]);
        let header = authorization_header(
            "POST",
            "https://api.twitter.com/1.1/statuses/update.json",
            &params,
            X,
            "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
            1_318_622_958,
        );
        assert_eq!(
            header,
            "OAuth oauth_consumer_key=\"xvz1evFS4wEEPTGEFPHBog\", \
             oauth_nonce=\"kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg\", \
             oauth_signature=\"hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D\", oauth_signature_method=\"HMAC-SHA1\", \
             oauth_timestamp=\"1318622958\", oauth_token=\"370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb\", \
             oauth_version=\"1.0\""
        );
    }

    #[test]
    fn the_signature_is_that_of_rfc_5849_section_1_2() {
        let params = pairs(&[
            ("file", "vacation.jpg"),
            ("size", "original"),
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_token", "nnch734d00sl2jdk"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131202"),
            ("oauth_nonce", "chapoH"),
        ]);
        let signed =
            signature("GET", "http://photos.example.net/photos", &params, "kd94hf93k423kf44", "pfkkdhi9sl3r4s00");
        assert_eq!(signed, "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
    }

    #[test]
    fn the_base_string_is_that_of_rfc_5849_section_3_4_1() {
        let params = pairs(&[
            ("b5", "=%3D"),
            ("a3", "a"),
            ("c@", ""),
            ("a2", "r b"),
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
            ("c2", ""),
            ("a3", "2 q"),
        ]);
        assert_eq!(
            base_string("POST", "http://example.com/request", &params),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540\
             %3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method\
             %3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    #[test]
    fn bytes_of_other_alphabets_are_encoded_one_by_one() {
        assert_eq!(encode("ñ ~-._☃"), "%C3%B1%20~-._%E2%98%83");
    }
}
