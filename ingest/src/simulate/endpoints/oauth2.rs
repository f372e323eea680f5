//! `POST /oauth2/token`: the app's key and secret for a bearer token.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use super::{authorization, json_answer};
use crate::simulate::app::App;
use crate::simulate::auth::basic;

/// The exchange.
pub(super) async fn token(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Response {
    if app.options.require_auth && !basic(authorization(&headers), &app.options.credentials) {
        return refuse(99, "authenticity_token_error", "Unable to verify your credentials");
    }
    let grant = form.ok().and_then(|Form(form)| form.into_iter().find(|(key, _)| key == "grant_type"));
    match grant {
        None => refuse(170, "forbidden_missing_parameter", "Missing required parameter: grant_type"),
        Some((_, kind)) if kind != "client_credentials" => {
            refuse(170, "forbidden_missing_parameter", "Invalid parameter: grant_type must be client_credentials")
        }
        Some(_) => {
            json_answer(200, &json!({"token_type": "bearer", "access_token": app.options.credentials.bearer_token}))
        }
    }
}

fn refuse(code: u64, label: &str, message: &str) -> Response {
    json_answer(403, &json!({"errors": [{"code": code, "label": label, "message": message}]}))
}
