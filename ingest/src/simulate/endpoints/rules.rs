//! `GET` and `POST /2/tweets/search/stream/rules`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

use super::{invalid_request, json_answer, now_s, refuse_v2, sent, too_many_requests, with_standing};
use crate::simulate::app::App;
use crate::simulate::rule_book::{NewRule, Which};

/// Lists rules.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    if let Some(refused) = refuse_v2(&app, &headers) {
        return refused;
    }
    let (standing, within) = app.limits().list_rules.take(now_s());
    if !within {
        return too_many_requests(standing);
    }
    let (mut ids, mut max, mut offset) = (None, 1000, 0);
    for (key, value) in &query {
        match key.as_str() {
            "ids" => ids = Some(value.split(',').map(str::to_owned).collect::<Vec<_>>()),
            "max_results" => match value.parse() {
                Ok(number) if (1..=1000).contains(&number) => max = number,
                _ => {
                    return invalid_request(
                        key,
                        value,
                        "The `max_results` query parameter value is not between 1 and 1000",
                    );
                }
            },
            "pagination_token" => match value.strip_prefix("sim").and_then(|text| text.parse().ok()) {
                Some(at) => offset = at,
                None => {
                    return invalid_request(key, value, "The `pagination_token` query parameter value is not valid");
                }
            },
            _ => return unknown(key, value),
        }
    }
    let body = app.rule_book().list(ids.as_deref(), offset, max, &sent());
    with_standing(json_answer(200, &body), standing)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    add: Option<Vec<NewRule>>,
    delete: Option<Which>,
}

/// Adds or deletes rules.
pub(super) async fn change(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(query): Query<Vec<(String, String)>>,
    body: Bytes,
) -> Response {
    if let Some(refused) = refuse_v2(&app, &headers) {
        return refused;
    }
    let (standing, within) = app.limits().change_rules.take(now_s());
    if !within {
        return too_many_requests(standing);
    }
    let (mut dry_run, mut delete_all) = (false, false);
    for (key, value) in &query {
        match key.as_str() {
            "dry_run" => dry_run = value == "true",
            "delete_all" => delete_all = value == "true",
            _ => return unknown(key, value),
        }
    }
    let change: Change = if delete_all && body.is_empty() {
        Change { add: None, delete: None }
    } else {
        match serde_json::from_slice(&body) {
            Ok(change) => change,
            Err(error) => return invalid_request("body", "", &format!("The request body is not valid: {error}")),
        }
    };
    let mut book = app.rule_book();
    let (status, answer) = match (&change.add, &change.delete, delete_all) {
        (Some(new), None, false) if !new.is_empty() => book.add(new, dry_run, &sent()),
        (None, Some(which), false) => book.delete(Some(which), dry_run, &sent()),
        (None, None, true) => book.delete(None, dry_run, &sent()),
        _ => {
            let message = "The request body must have exactly one of `add` or `delete`, and it must not be empty";
            return invalid_request("body", "", message);
        }
    };
    drop(book);
    with_standing(json_answer(status, &answer), standing)
}

fn unknown(key: &str, value: &str) -> Response {
    invalid_request(key, value, &format!("The query parameter [{key}] is not one of those that this endpoint has"))
}
