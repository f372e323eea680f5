//! Credentials by AWS's own chain, and why there are none.
//!
//! The steps and their order are those of the SDK's default chain. A step that is not set up passes on to the next one; a step
//! that is set up and fails ends the search, as in AWS's own command line. [`NoCredentials`] says what each step gave. What a
//! profile holds is read again only then (`profile.rs`). No text here holds a key or a token.

use std::env;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::credentials::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_types::error::ErrorMetadata;
use tokio::time::{Instant, timeout_at};

use super::answer::first_words;
use super::profile::Profile;

/// Longest search. It ends before the attempt of a request does (30 s), so that its own error is the one that is shown.
const SEARCH_LIMIT: Duration = Duration::from_secs(25);
/// Most characters of what a provider said. A traceback of Python is shorter.
const REASON_CHARS: usize = 2000;

/// AWS's chain of credential providers.
pub(super) struct Chain {
    shared: SdkConfig,
    environment: EnvironmentVariableCredentialsProvider,
    /// Made anew after a failure: it reads its files once, and gives the reason of a failure once.
    profile: Mutex<Arc<ProfileFileCredentialsProvider>>,
    web_identity: WebIdentityTokenCredentialsProvider,
    container: EcsCredentialsProvider,
    instance: ImdsCredentialsProvider,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chain")
    }
}

impl Chain {
    /// The chain for requests with this configuration, of which it takes region, time-outs and the like.
    pub(super) fn new(shared: &SdkConfig) -> Chain {
        let settings = settings(shared);
        Chain {
            shared: shared.clone(),
            environment: EnvironmentVariableCredentialsProvider::new(),
            profile: Mutex::new(profile(shared)),
            web_identity: WebIdentityTokenCredentialsProvider::builder().configure(&settings).build(),
            container: EcsCredentialsProvider::builder().configure(&settings).build(),
            instance: ImdsCredentialsProvider::builder().configure(&settings).build(),
        }
    }

    async fn find(&self) -> Result<Credentials, CredentialsError> {
        let deadline = Instant::now() + SEARCH_LIMIT;
        let mut tried = Vec::new();
        for step in Step::ALL {
            let error = match timeout_at(deadline, self.ask(step)).await {
                Ok(Ok(credentials)) => return Ok(credentials),
                Ok(Err(error)) => error,
                Err(_) => CredentialsError::provider_timed_out(SEARCH_LIMIT),
            };
            let failed = !matches!(error, CredentialsError::CredentialsNotLoaded(_));
            tried.push(step.attempt(&error).await);
            if failed {
                return Err(CredentialsError::provider_error(NoCredentials { tried, failed }));
            }
        }
        Err(CredentialsError::not_loaded(NoCredentials { tried, failed: false }))
    }

    async fn ask(&self, step: Step) -> Result<Credentials, CredentialsError> {
        match step {
            Step::Environment => self.environment.provide_credentials().await,
            Step::Profile => {
                let provider = Arc::clone(&self.profile.lock().unwrap_or_else(PoisonError::into_inner));
                let found = provider.provide_credentials().await;
                if found.is_err() {
                    *self.profile.lock().unwrap_or_else(PoisonError::into_inner) = profile(&self.shared);
                }
                found
            }
            Step::WebIdentity => self.web_identity.provide_credentials().await,
            Step::Container => self.container.provide_credentials().await,
            Step::Instance => self.instance.provide_credentials().await,
        }
    }
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.find())
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.instance.fallback_on_interrupt()
    }
}

fn settings(shared: &SdkConfig) -> ProviderConfig {
    let mut settings = ProviderConfig::without_region()
        .with_region(shared.region().cloned())
        .with_use_fips(shared.use_fips())
        .with_use_dual_stack(shared.use_dual_stack());
    if let Some(retries) = shared.retry_config() {
        settings = settings.with_retry_config(retries.clone());
    }
    match shared.timeout_config() {
        Some(timeouts) => settings.with_timeout_config(timeouts.clone()),
        None => settings,
    }
}

fn profile(shared: &SdkConfig) -> Arc<ProfileFileCredentialsProvider> {
    Arc::new(ProfileFileCredentialsProvider::builder().configure(&settings(shared)).build())
}

/// A place where credentials are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Environment,
    Profile,
    WebIdentity,
    Container,
    Instance,
}

impl Step {
    const ALL: [Step; 5] = [Step::Environment, Step::Profile, Step::WebIdentity, Step::Container, Step::Instance];

    /// What it is called, and why it gave nothing.
    async fn attempt(self, error: &CredentialsError) -> Attempt {
        if self == Step::Profile {
            let profile = Profile::selected().await;
            return Attempt { reason: profile.reason(error), step: profile.to_string() };
        }
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let passed = matches!(error, CredentialsError::CredentialsNotLoaded(_));
        let (step, reason) = match self {
            Step::Environment if is_set("AWS_ACCESS_KEY_ID") => {
                ("environment", Some("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not"))
            }
            Step::Environment => ("environment", Some("AWS_ACCESS_KEY_ID is not set")),
            Step::WebIdentity if is_set("AWS_WEB_IDENTITY_TOKEN_FILE") => {
                ("web identity", passed.then_some("AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not"))
            }
            Step::WebIdentity => ("web identity", passed.then_some("AWS_WEB_IDENTITY_TOKEN_FILE is not set")),
            Step::Container => (
                "container",
                passed.then_some(
                    "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set",
                ),
            ),
            Step::Instance | Step::Profile => ("instance metadata", passed.then(|| no_instance(&said(error)))),
        };
        let reason = reason.map_or_else(|| said(error), str::to_owned);
        Attempt { step: step.to_owned(), reason }
    }
}

/// Why an instance's metadata give nothing.
fn no_instance(said: &str) -> &'static str {
    if said.contains("AWS_EC2_METADATA_DISABLED") {
        "switched off by AWS_EC2_METADATA_DISABLED"
    } else if said.contains("404") {
        "this machine has no role"
    } else {
        "no answer: this is no machine of EC2, or a container more than one network hop away"
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Attempt {
    step: String,
    reason: String,
}

/// Why no credentials were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoCredentials {
    /// In the order in which they were asked.
    tried: Vec<Attempt>,
    /// Whether the last one was set up and failed.
    failed: bool,
}

impl fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |tried: &[Attempt]| {
            tried.iter().map(|Attempt { step, reason }| format!("{step}: {reason}")).collect::<Vec<_>>().join("; ")
        };
        match self.tried.split_last() {
            Some((last, before)) if self.failed => {
                write!(f, "{}: {}", last.step, last.reason)?;
                if before.is_empty() { Ok(()) } else { write!(f, " (tried before it: {})", list(before)) }
            }
            _ => write!(
                f,
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role; tried in this order: {}",
                list(&self.tried)
            ),
        }
    }
}

impl StdError for NoCredentials {}

/// What the SDK says where it says something of its own beside the cause.
const EMPTY_WORDS: [&str; 12] = [
    "the credential provider was not enabled",
    "the credentials provider was not properly configured",
    "an error occurred while loading credentials",
    "unexpected credentials error",
    "service error",
    "dispatch failure",
    "construction failure",
    "response error",
    "unhandled error",
    "unhandled",
    "io error",
    "other",
];

/// An error and its causes in one line, without those that say nothing.
pub(super) fn said(error: &(dyn StdError + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in std::iter::successors(Some(error), |error| StdError::source(*error)) {
        let text = match cause.downcast_ref::<ErrorMetadata>() {
            Some(answer) => [answer.code(), answer.message()].into_iter().flatten().collect::<Vec<_>>().join(": "),
            None => cause.to_string(),
        };
        // The whole answer of the instance's service is behind its status.
        let text = match text.strip_prefix("error response from IMDS (code: ") {
            Some(rest) => format!("status {}", rest.split(')').next().unwrap_or_default()),
            None => text,
        };
        let text = first_words(&text, REASON_CHARS);
        let is_empty = EMPTY_WORDS.contains(&text.as_str()) || text.starts_with("unhandled error (");
        if !is_empty && !text.is_empty() && words.last().is_none_or(|last| !last.contains(&text)) {
            words.push(text);
        }
    }
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(step: &str, reason: &str) -> Attempt {
        Attempt { step: step.to_owned(), reason: reason.to_owned() }
    }

    #[test]
    fn a_search_that_found_nothing_names_every_step_and_one_that_failed_begins_with_the_failure() {
        let tried = vec![attempt("environment", "not set"), attempt("profile", "expired")];
        assert_eq!(
            NoCredentials { tried: tried.clone(), failed: true }.to_string(),
            "profile: expired (tried before it: environment: not set)"
        );
        let nothing = NoCredentials { tried, failed: false }.to_string();
        assert!(nothing.ends_with("tried in this order: environment: not set; profile: expired"), "{nothing}");
    }

    #[test]
    fn causes_are_told_once_and_empty_words_not_at_all() {
        let answer = ErrorMetadata::builder().code("AccessDenied").message("no sts:AssumeRole").build();
        let error = CredentialsError::provider_error(CredentialsError::provider_error(answer));
        assert_eq!(said(&error), "AccessDenied: no sts:AssumeRole");
        assert_eq!(said(&CredentialsError::not_loaded("x")), "x");
        let imds =
            CredentialsError::provider_error("error response from IMDS (code: 500). Response { headers: secret }");
        assert_eq!(said(&imds), "status 500");
    }
}
