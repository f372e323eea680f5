//! What an answer of S3, or the lack of one, means: code and status in, [`ErrorKind`] and a sentence for people out.
//!
//! The rules are pure ([`explain`]); [`from_sdk`] only collects what they look at. Servers other than AWS differ in their
//! codes, so a status decides where a code is unknown. Nothing here repeats a header or a body, which could hold a secret; of an
//! answer that is none of S3's, `s3/answer.rs` tells what came and hides what may be a token.

use std::error::Error as StdError;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::answer::Came;
use super::credentials::NoCredentials;
use crate::setting::Caller;
use crate::store::{ErrorKind, StoreError};

/// Longest server's message that is repeated, in characters.
const MESSAGE_CHARS: usize = 300;

/// Where the requests of a store go, for messages.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) bucket: String,
    /// `at http://127.0.0.1:8333` or `in region eu-west-1`.
    pub(super) whereabouts: String,
    /// Who set the options that a sentence names.
    pub(super) caller: Caller,
}

/// What is known of a failed request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) trouble: Trouble,
    /// S3's code; a HEAD's answer has no body and so none.
    pub(super) code: Option<String>,
    /// Of the answer, if there was one.
    pub(super) status: Option<u16>,
    /// What the server or the operating system said.
    pub(super) message: String,
    /// The bucket's own region, where the answer names it.
    pub(super) region: Option<String>,
    /// The class in which an archived object is stored, where the answer names it.
    pub(super) storage_class: Option<String>,
    /// What came in the place of an answer of S3.
    pub(super) came: Option<Came>,
    /// What was tried.
    pub(super) request: Request,
}

/// A kind of request, by the permission that it needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Request {
    List,
    Head,
    Read,
    Put,
    Delete,
    Abort,
    ListUploads,
    #[default]
    Other,
}

impl Request {
    /// By the word that an action begins with.
    fn of(verb: &str) -> Request {
        match verb {
            "list" => Request::List,
            "look at" => Request::Head,
            "read" => Request::Read,
            "put" => Request::Put,
            "delete" => Request::Delete,
            "abort the upload of" => Request::Abort,
            "list unfinished uploads under" => Request::ListUploads,
            _ if verb.contains("put") => Request::Put,
            _ => Request::Other,
        }
    }

    /// The permission without which it is refused.
    fn permission(self) -> &'static str {
        match self {
            Request::List => "s3:ListBucket on the bucket",
            Request::Head | Request::Read => {
                "s3:GetObject on the object, or s3:ListBucket on the bucket where the object is missing"
            }
            Request::Put => "s3:PutObject on the object",
            Request::Delete => "s3:DeleteObject on the object",
            Request::Abort => "s3:AbortMultipartUpload on the object",
            Request::ListUploads => "s3:ListBucketMultipartUploads on the bucket",
            Request::Other => "a permission",
        }
    }
}

/// How far the request came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The server answered with an error.
    #[default]
    Answer,
    /// The server answered with something that is no S3 answer.
    Gibberish,
    /// No credentials were found.
    NoCredentials,
    /// The request could not be built.
    NotBuilt,
    /// No connection came about.
    NoConnection,
    /// Time ran out or the connection broke.
    NoAnswer,
}

/// What a failure means and what to say of it.
pub(super) fn explain(failure: &Failure, place: &Place) -> (ErrorKind, String) {
    let Place { whereabouts, .. } = place;
    let said = &failure.message;
    match failure.trouble {
        Trouble::Gibberish => match &failure.came {
            Some(came) => (
                kind_of_foreign(came.status),
                format!("no S3 server answered {whereabouts}: {came}; {}", came.advice(place.caller)),
            ),
            None => (
                ErrorKind::Server,
                format!(
                    "no S3 server answered {whereabouts}: {said}; check the address ({})",
                    place.caller.name("lake.s3.endpoint_url")
                ),
            ),
        },
        Trouble::NoCredentials => (ErrorKind::Credentials, format!("no credentials: {said}")),
        Trouble::NotBuilt => (ErrorKind::Configuration, format!("the request cannot be made: {said}")),
        Trouble::NoConnection => (
            ErrorKind::Unreachable,
            format!("no connection {whereabouts}: is the server up and the address right ({said})"),
        ),
        Trouble::NoAnswer => (ErrorKind::Timeout, format!("no whole answer {whereabouts}: {said}")),
        Trouble::Answer => {
            let kind = kind_of(failure);
            (kind, sentence(kind, failure, place))
        }
    }
}

/// What the answer of another server means. A login page or a proxy may be gone in a minute, a wrong address stays wrong.
fn kind_of_foreign(status: u16) -> ErrorKind {
    match status {
        200..=299 | 511 => ErrorKind::Server,
        401 | 403 => ErrorKind::AccessDenied,
        408 => ErrorKind::Timeout,
        429 | 503 => ErrorKind::Throttled,
        300..=499 => ErrorKind::Configuration,
        _ => ErrorKind::Server,
    }
}

fn kind_of(failure: &Failure) -> ErrorKind {
    match failure.code.as_deref().unwrap_or_default() {
        "NoSuchBucket" => return ErrorKind::NoSuchBucket,
        "NoSuchKey" | "NotFound" => return ErrorKind::NotFound,
        "PreconditionFailed" => return ErrorKind::PreconditionFailed,
        "ConditionalRequestConflict" | "OperationAborted" => return ErrorKind::Conflict,
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "InvalidClientTokenId"
        | "AuthFailure"
        | "NotSignedUp"
        | "XAdminUserNotFound" => {
            return ErrorKind::Credentials;
        }
        "SlowDown"
        | "SlowDownRead"
        | "SlowDownWrite"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequests"
        | "TooManyRequestsException"
        | "ServiceUnavailable"
        | "BandwidthLimitExceeded" => {
            return ErrorKind::Throttled;
        }
        "RequestTimeout" => return ErrorKind::Timeout,
        "InternalError" => return ErrorKind::Server,
        "BadDigest"
        | "InvalidDigest"
        | "IncompleteBody"
        | "XAmzContentSHA256Mismatch"
        | "XAmzContentChecksumMismatch"
        | "InvalidRange" => return ErrorKind::Corrupt,
        "QuotaExceeded" | "InsufficientStorage" | "XMinioStorageFull" | "EntityTooLarge" => return ErrorKind::NoSpace,
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "RequestTimeTooSkewed"
        | "InvalidBucketName"
        | "NotImplemented"
        | "InvalidRequest" => {
            return ErrorKind::Configuration;
        }
        "InvalidObjectState" => return ErrorKind::Archived,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => return ErrorKind::AccessDenied,
        _ => {}
    }
    match failure.status {
        Some(404) => ErrorKind::NotFound,
        Some(412) => ErrorKind::PreconditionFailed,
        Some(409) => ErrorKind::Conflict,
        Some(401) => ErrorKind::Credentials,
        Some(403) => ErrorKind::AccessDenied,
        Some(408) => ErrorKind::Timeout,
        Some(416) => ErrorKind::Corrupt,
        Some(429 | 503) => ErrorKind::Throttled,
        Some(507) => ErrorKind::NoSpace,
        // A server that does not know the request will not learn it: trying again is of no use.
        Some(501) => ErrorKind::Configuration,
        Some(300..=499) => ErrorKind::Configuration,
        _ => ErrorKind::Server,
    }
}

fn sentence(kind: ErrorKind, failure: &Failure, Place { bucket, whereabouts, caller }: &Place) -> String {
    let code = failure.code.as_deref().unwrap_or_default();
    let said = said(failure);
    match kind {
        ErrorKind::NoSuchBucket => {
            format!("there is no bucket {bucket:?} {whereabouts}: create it or correct {}", caller.url())
        }
        ErrorKind::NotFound => "there is no such object".to_owned(),
        ErrorKind::PreconditionFailed => "the condition does not hold: the object is there, or is another".to_owned(),
        ErrorKind::Conflict => format!("a competing write got in the way{said}"),
        ErrorKind::AccessDenied => {
            let permission = failure.request.permission();
            format!("access to bucket {bucket:?} denied: the credentials lack {permission}{said}")
        }
        ErrorKind::Archived => {
            let class = failure.storage_class.as_ref().map(|class| format!(" in storage class {class}"));
            format!("archived{}: restore it, or leave this hour out", class.unwrap_or_default())
        }
        ErrorKind::Credentials => format!(
            "the credentials are not accepted {whereabouts}: correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile or the role{said}"
        ),
        ErrorKind::Configuration => match (code, &failure.region) {
            ("RequestTimeTooSkewed", _) => "this machine's clock is wrong: set it".to_owned(),
            (_, Some(region)) => {
                let set = caller.assignment("lake.s3.region", region);
                format!("bucket {bucket:?} is in region {region}: set {set}")
            }
            ("PermanentRedirect", None) => {
                let (region, endpoint) = (caller.name("lake.s3.region"), caller.name("lake.s3.endpoint_url"));
                format!("bucket {bucket:?} is in another region: set {region}, or {endpoint}")
            }
            ("NotImplemented", _) => format!("the server does not know this request{said}"),
            _ => format!("the request was refused{said}"),
        },
        ErrorKind::Throttled => format!("the server asks for less speed{said}"),
        ErrorKind::NoSpace => format!("the server has no room for it{said}"),
        _ => format!("the server failed{said}"),
    }
}

/// ` (Code 400: message)`, as far as known.
fn said(failure: &Failure) -> String {
    let mut words = failure.code.clone().unwrap_or_default();
    if let Some(status) = failure.status {
        words = if words.is_empty() { format!("status {status}") } else { format!("{words}, status {status}") };
    }
    match (words.is_empty(), failure.message.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!(" ({})", failure.message),
        (false, true) => format!(" ({words})"),
        (false, false) => format!(" ({words}: {})", failure.message),
    }
}

/// Collects what [`explain`] looks at from an error of the SDK. `verb` is the word that `action` begins with.
pub(super) fn from_sdk<E>(error: &SdkError<E, HttpResponse>, action: String, place: &Place, verb: &str) -> StoreError
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    let request = Request::of(verb);
    let mut failure = Failure { request, ..Failure::default() };
    if let Some(response) = error.raw_response() {
        let came = Came::of(response);
        failure.status = Some(came.status);
        failure.region = response.headers().get("x-amz-bucket-region").map(str::to_owned);
        // A listing is of no object that could be missing.
        let is_lost = request == Request::List && came.status == 404;
        failure.came = Some(came).filter(|came| is_lost || came.is_foreign(request == Request::Head));
    }
    match error {
        SdkError::ServiceError(service) => {
            failure.code = service.err().code().map(str::to_owned);
            failure.message = shorten(service.err().message().unwrap_or_default());
            // A HEAD's answer has no body; the SDK makes a code of its status.
            let has_code = failure.code.is_some() && !(request == Request::Head && failure.came.is_some());
            if !has_code && failure.came.is_some() && failure.region.is_none() {
                failure.trouble = Trouble::Gibberish;
            }
            failure.storage_class = storage_class(service.err());
            // `<Region>` of AuthorizationHeaderMalformed is not parsed by the SDK; its message names it.
            if failure.code.as_deref() == Some("AuthorizationHeaderMalformed") && failure.region.is_none() {
                failure.region = region_in(&failure.message);
            }
            // A region is of interest only where it is the trouble; S3 sends the header with other errors too.
            if !matches!(failure.status, Some(301 | 307 | 400)) {
                failure.region = None;
            }
        }
        SdkError::ResponseError(response) => {
            failure.trouble = if failure.status.is_some_and(|status| status >= 500) {
                Trouble::Answer
            } else if broke_off(error) {
                Trouble::NoAnswer
            } else {
                Trouble::Gibberish
            };
            failure.message = format!("status {}", response.raw().status().as_u16());
            failure.came.get_or_insert_with(|| Came::of(response.raw()));
        }
        SdkError::TimeoutError(_) => {
            failure.trouble = Trouble::NoAnswer;
            failure.message = "the time for it ran out".to_owned();
        }
        SdkError::DispatchFailure(_) => {
            failure.trouble = trouble_of(error);
            failure.message = cause(error);
        }
        _ => {
            failure.trouble = if is_credentials(error) { Trouble::NoCredentials } else { Trouble::NotBuilt };
            failure.message = cause(error);
        }
    }
    let (kind, detail) = explain(&failure, place);
    StoreError::new(kind, action, detail)
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| StdError::source(*error))
}

fn is_credentials(error: &(dyn StdError + 'static)) -> bool {
    chain(error).any(|error| error.is::<CredentialsError>())
}

/// Why there are no credentials in full, of any other error its first cause.
fn cause(error: &(dyn StdError + 'static)) -> String {
    let nothing = chain(error).find_map(|error| error.downcast_ref::<NoCredentials>());
    nothing.map_or_else(|| innermost(error), ToString::to_string)
}

/// The class of an archived object.
fn storage_class(error: &(dyn StdError + 'static)) -> Option<String> {
    match error.downcast_ref::<GetObjectError>()? {
        GetObjectError::InvalidObjectState(state) => state.storage_class().map(|class| class.as_str().to_owned()),
        _ => None,
    }
}

fn broke_off(error: &(dyn StdError + 'static)) -> bool {
    chain(error).any(|error| error.is::<io::Error>() || error.to_string().contains("body"))
}

fn trouble_of(error: &(dyn StdError + 'static)) -> Trouble {
    if is_credentials(error) {
        return Trouble::NoCredentials;
    }
    let unconnected = chain(error).any(|error| {
        let refused = error.downcast_ref::<io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable
            )
        });
        // The HTTP client's own types are not ours to name; it says `(Connect)` for all that fails before a request.
        let text = error.to_string();
        refused || text.contains("(Connect)") || text.contains("connect timeout") || text.contains("dns error")
    });
    // What answers there speaks another protocol; so the HTTP client says of a first line that is none of HTTP's.
    if !unconnected && chain(error).any(|error| error.to_string().contains("invalid HTTP")) {
        return Trouble::Gibberish;
    }
    if unconnected { Trouble::NoConnection } else { Trouble::NoAnswer }
}

/// The first cause, which is the one that says something (`Connection refused (os error 111)`).
fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map_or_else(String::new, |error| shorten(&error.to_string()))
}

fn shorten(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_CHARS).collect()
}

/// `… the region 'us-east-1' is wrong; expecting 'eu-west-1'` names the right one last.
fn region_in(message: &str) -> Option<String> {
    let (_, rest) = message.rsplit_once("expecting '")?;
    rest.split_once('\'').map(|(region, _)| region.to_owned())
}

#[cfg(test)]
mod tests;
