//! The endpoints, one file each, and the answers they share.

mod oauth2;
mod rules;
mod stream_v1;
mod stream_v2;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::app::App;
use super::auth::{BearerFault, bearer};
use super::limits::Standing;
use super::options::Plan;
use super::rule_book::problem;

/// All endpoints.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/oauth2/token", post(oauth2::token))
        .route("/2/tweets/search/stream/rules", get(rules::list).post(rules::change))
        .route("/2/tweets/search/stream", get(stream_v2::filtered))
        .route("/2/tweets/sample/stream", get(stream_v2::sample))
        .route("/1.1/statuses/filter.json", get(stream_v1::filter_get).post(stream_v1::filter_post))
        .route("/1.1/statuses/sample.json", get(stream_v1::sample))
        .fallback(not_found)
        .with_state(app)
}

async fn not_found() -> Response {
    json_answer(404, &json!({"title": "Not Found", "type": "about:blank", "status": 404, "detail": "Not Found"}))
}

/// An answer in JSON.
fn json_answer(status: u16, body: &Value) -> Response {
    answer(status, "application/json; charset=utf-8", Body::from(body.to_string()))
}

/// An answer of any type.
fn answer(status: u16, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("x-response-time", HeaderValue::from_static("3"));
    response
}

/// Adds the `x-rate-limit-*` headers.
fn with_standing(mut response: Response, standing: Standing) -> Response {
    let headers = response.headers_mut();
    headers.insert("x-rate-limit-limit", HeaderValue::from(standing.limit));
    headers.insert("x-rate-limit-remaining", HeaderValue::from(standing.remaining));
    headers.insert("x-rate-limit-reset", HeaderValue::from(standing.resets_at));
    response
}

/// The value of the `Authorization` header.
fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())
}

/// Refuses a v2 request without the app's token, or whose plan has no streams.
fn refuse_v2(app: &App, headers: &HeaderMap) -> Option<Response> {
    if app.options.require_auth {
        match bearer(authorization(headers), &app.options.credentials) {
            Ok(()) => {}
            Err(BearerFault::Unauthorized) => {
                let body =
                    json!({"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"});
                return Some(json_answer(401, &body));
            }
            Err(BearerFault::WrongKind) => {
                let detail = "Authenticating with OAuth 1.0a User Context is forbidden for this endpoint.  \
                    Supported authentication types are [OAuth 2.0 Application-Only].";
                let body = json!({"title": "Unsupported Authentication", "detail": detail,
                    "type": problem("unsupported-authentication"), "status": 403});
                return Some(json_answer(403, &body));
            }
        }
    }
    (app.options.plan == Plan::Basic).then(|| {
        let detail = "When authenticating requests to the X API v2 endpoints, you must use keys and tokens from a developer \
            App that is attached to a Project with access to this endpoint.";
        let body = json!({"title": "Client Forbidden", "reason": "client-not-enrolled", "client_id": "1",
            "required_enrollment": "Appropriate Level of API Access", "detail": detail,
            "registration_url": "https://developer.x.com/en/docs/projects/overview", "type": problem("client-forbidden")});
        json_answer(403, &body)
    })
}

/// 400: a parameter that cannot be.
fn invalid_request(parameter: &str, value: &str, message: &str) -> Response {
    let body = json!({"errors": [{"parameters": {parameter: [value]}, "message": message}], "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.", "type": problem("invalid-request")});
    json_answer(400, &body)
}

/// 429: too many requests in the window.
fn too_many_requests(standing: Standing) -> Response {
    let body =
        json!({"title": "Too Many Requests", "detail": "Too Many Requests", "type": "about:blank", "status": 429});
    with_standing(json_answer(429, &body), standing)
}

/// Seconds since the epoch.
fn now_s() -> i64 {
    super::app::now_ms() / 1000
}

/// Now, as `meta.sent` has it.
fn sent() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
