//! `POST /oauth2/token`: exchanges the app's key and secret for its bearer token.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde_json::json;

use super::answers::{Params, json_answer, text_of};
use crate::app::App;
use crate::auth::is_basic;

pub(super) async fn token(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    form: Result<Form<Params>, FormRejection>,
) -> Response {
    let credentials = &app.options.credentials;
    if app.options.require_auth && !is_basic(text_of(&headers, header::AUTHORIZATION), credentials) {
        return refuse(99, "authenticity_token_error", "Unable to verify your credentials");
    }
    let form = form.map(|Form(form)| form).unwrap_or_default();
    match form.iter().find(|(key, _)| key == "grant_type").map(|(_, kind)| kind.as_str()) {
        Some("client_credentials") => {
            json_answer(200, &json!({"token_type": "bearer", "access_token": credentials.bearer_token}))
        }
        Some(_) => {
            refuse(170, "forbidden_missing_parameter", "Invalid parameter: grant_type must be client_credentials")
        }
        None => refuse(170, "forbidden_missing_parameter", "Missing required parameter: grant_type"),
    }
}

fn refuse(code: u64, label: &str, message: &str) -> Response {
    json_answer(403, &json!({"errors": [{"code": code, "label": label, "message": message}]}))
}
