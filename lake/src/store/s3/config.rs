//! From [`S3Options`] and AWS's own chain (variables, profiles, roles) to a client's configuration.
//!
//! Options win over variables, variables over profiles. With an endpoint of one's own, no service of AWS is asked for a
//! region: there is none on such machines, and finding that out takes seconds.

use std::env;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};

use super::credentials::Chain;
use super::options::check_url;
use crate::store::{ErrorKind, S3Options, StoreError};

/// Every S3 server of one's own takes it, and so does AWS's oldest region.
const DEFAULT_REGION: &str = "us-east-1";

/// A configuration that lacks only time-outs and retries, and where requests will go, in words.
pub(in crate::store) async fn load(bucket: &str, options: &S3Options) -> Result<(Builder, String), StoreError> {
    let wrong = |detail: String| Err(StoreError::new(ErrorKind::Configuration, format!("open s3://{bucket}"), detail));
    let from_variable = || {
        let set = |name| env::var(name).ok().filter(|value: &String| !value.is_empty());
        set("AWS_ENDPOINT_URL_S3").or_else(|| set("AWS_ENDPOINT_URL"))
    };
    let mut endpoint = options.endpoint_url.clone().or_else(from_variable);
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
    if let Some(url) = &endpoint {
        if let Err(reason) = check_url(url) {
            return wrong(format!("the endpoint {reason}"));
        }
        loader = loader.endpoint_url(url);
    }
    let given = options.region.clone().filter(|region| !region.is_empty()).map(Region::new);
    loader = if endpoint.is_some() {
        loader.region(
            RegionProviderChain::first_try(given)
                .or_else(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new())
                .or_else(Region::new(DEFAULT_REGION)),
        )
    } else {
        loader.region(RegionProviderChain::first_try(given).or_default_provider())
    };
    let shared = loader.no_credentials().load().await;
    endpoint = endpoint.or_else(|| shared.endpoint_url().map(str::to_owned));

    let mut config = Builder::from(&shared);
    config = match &options.credentials {
        Some(given) => {
            let (id, secret, token) = (&given.access_key_id, &given.secret_access_key, given.session_token.clone());
            config.credentials_provider(Credentials::new(id, secret, token, None, "cauce"))
        }
        None => config.credentials_provider(Chain::new(&shared)),
    };
    let region = match (shared.region(), &endpoint) {
        (Some(region), _) => region.clone(),
        (None, Some(_)) => Region::new(DEFAULT_REGION),
        (None, None) => {
            return wrong(format!("no region: set {} or AWS_REGION", options.caller.name("lake.s3.region")));
        }
    };
    let whereabouts = match &endpoint {
        Some(url) => format!("at {}", url.trim_end_matches('/')),
        None => format!("in region {region}"),
    };
    let path_style = options.path_style.unwrap_or(endpoint.is_some());
    config = config.region(region).force_path_style(path_style).accelerate(options.accelerate);
    if endpoint.as_deref().is_some_and(is_plain) && !has_proxy() {
        // The one with TLS reads all of the machine's root certificates first, which takes longer than a listing.
        config = config.http_client(aws_smithy_http_client::Builder::new().build_http());
    }
    if endpoint.is_some() {
        config = config
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    }
    Ok((config, whereabouts))
}

/// Whether requests to an endpoint need no TLS.
fn is_plain(url: &str) -> bool {
    url.starts_with("http://")
}

/// Whether the environment names a proxy: the SDK's own client knows how to go through it.
fn has_proxy() -> bool {
    let names = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    names.iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use aws_sdk_s3::Client;
    use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
    use aws_sdk_s3::error::BoxError;
    use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;

    use super::*;
    use crate::setting::Caller;
    use crate::store::StaticCredentials;

    /// Keeps the address of a request, and has it fail before it is sent.
    #[derive(Debug, Clone, Default)]
    struct Capture(Arc<Mutex<String>>);

    impl Intercept for Capture {
        fn name(&self) -> &'static str {
            "capture"
        }

        fn read_before_transmit(
            &self,
            context: &BeforeTransmitInterceptorContextRef<'_>,
            _: &RuntimeComponents,
            _: &mut ConfigBag,
        ) -> Result<(), BoxError> {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = context.request().uri().to_owned();
            Err("captured".into())
        }
    }

    /// Where a request for the object `a` goes.
    async fn address(bucket: &str, map: &[(&str, &str)]) -> String {
        let options = S3Options::from_map(Caller::Agent, map.iter().copied()).expect("possible options");
        let credentials = StaticCredentials {
            access_key_id: "id".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: None,
        };
        let options = S3Options { credentials: Some(credentials), ..options };
        let (config, _) = load(bucket, &options).await.expect("a possible configuration");
        let capture = Capture::default();
        let client = Client::from_conf(config.interceptor(capture.clone()).build());
        let sent = client.get_object().bucket(bucket).key("a").send().await;
        sent.expect_err("it is not sent");
        capture.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[tokio::test]
    async fn acceleration_has_a_host_that_names_no_region() {
        let address = address("tweets", &[("region", "eu-west-1"), ("accelerate", "true")]).await;
        assert_eq!(address, "https://tweets.s3-accelerate.amazonaws.com/a?x-id=GetObject");
    }

    #[tokio::test]
    async fn an_access_point_has_a_host_of_its_own() {
        let arn = "arn:aws:s3:eu-west-1:123456789012:accesspoint/tweets";
        let address = address(arn, &[("region", "eu-west-1")]).await;
        let expected = "https://tweets-123456789012.s3-accesspoint.eu-west-1.amazonaws.com/a?x-id=GetObject";
        assert_eq!(address, expected);
    }

    #[tokio::test]
    async fn an_endpoint_that_is_no_url_is_refused_and_never_repeats_a_password() {
        for bad in ["127.0.0.1:8333", "http://", "http:///x", "ftp://host", "http://a b", "http://me:hush@host"] {
            let options = S3Options { endpoint_url: Some(bad.to_owned()), ..S3Options::default() };
            let error = load("bucket", &options).await.expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(!error.to_string().contains("hush"));
        }
    }

    #[tokio::test]
    async fn an_endpoint_of_ones_own_needs_no_region_and_gets_no_trailing_checksums() {
        let options = S3Options { endpoint_url: Some("http://127.0.0.1:9/".to_owned()), ..S3Options::default() };
        let (config, whereabouts) = load("bucket", &options).await.expect("a possible configuration");
        assert_eq!(whereabouts, "at http://127.0.0.1:9");
        let config = config.build();
        assert!(config.region().is_some());
        assert_eq!(config.request_checksum_calculation(), Some(&RequestChecksumCalculation::WhenRequired));
        assert_eq!(config.response_checksum_validation(), Some(&ResponseChecksumValidation::WhenRequired));
    }
}
