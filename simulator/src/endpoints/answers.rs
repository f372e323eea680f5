//! Answers that several endpoints give.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use crate::app::{App, now_ms};
use crate::auth::{BearerFault, check_bearer};
use crate::limits::Quota;
use crate::options::Plan;
use crate::problems;

/// Parameters of a query or a form.
pub(super) type Params = Vec<(String, String)>;

/// An answer, or a refusal.
pub(super) type Answer = Result<Response, Response>;

pub(super) async fn not_found() -> Response {
    json_answer(404, &problems::plain("Not Found", 404))
}

pub(super) fn json_answer(status: u16, body: &Value) -> Response {
    answer(status, "application/json; charset=utf-8", Body::from(body.to_string()))
}

pub(super) fn answer(status: u16, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("our statuses are valid");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("x-response-time", HeaderValue::from_static("3"));
    response
}

/// Adds the `x-rate-limit-*` headers.
pub(super) fn with_quota(mut response: Response, quota: Quota) -> Response {
    let headers = response.headers_mut();
    headers.insert("x-rate-limit-limit", HeaderValue::from(quota.limit));
    headers.insert("x-rate-limit-remaining", HeaderValue::from(quota.remaining));
    headers.insert("x-rate-limit-reset", HeaderValue::from(quota.resets_at));
    response
}

/// A header as text.
pub(super) fn text_of(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Refuses a v2 request without the app's token, or if the plan has no streams.
pub(super) fn check_v2(app: &App, headers: &HeaderMap) -> Result<(), Response> {
    if app.options.require_auth {
        match check_bearer(text_of(headers, header::AUTHORIZATION), &app.options.credentials) {
            Ok(()) => {}
            Err(BearerFault::Unauthorized) => return Err(json_answer(401, &problems::plain("Unauthorized", 401))),
            Err(BearerFault::WrongKind) => return Err(json_answer(403, &problems::unsupported_authentication())),
        }
    }
    if app.options.plan == Plan::Basic { Err(json_answer(403, &problems::client_forbidden())) } else { Ok(()) }
}

/// 429 if the request is not `allowed`; else the quota, for the headers of the answer.
pub(super) fn check_quota((quota, is_allowed): (Quota, bool)) -> Result<Quota, Response> {
    if is_allowed {
        return Ok(quota);
    }
    Err(with_quota(json_answer(429, &problems::plain("Too Many Requests", 429)), quota))
}

/// 400 because of a parameter.
pub(super) fn invalid_request(parameter: &str, value: &str, message: &str) -> Response {
    json_answer(400, &problems::invalid_request(&json!({parameter: [value]}), message))
}

/// Seconds since the Unix epoch.
pub(super) fn now_s() -> i64 {
    now_ms() / 1000
}
