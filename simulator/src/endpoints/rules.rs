//! `GET` and `POST /2/tweets/search/stream/rules`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

use super::answers::{Answer, Params, check_quota, check_v2, invalid_request, json_answer, now_s, with_quota};
use crate::app::App;
use crate::rule_book::{NewRule, Which};

/// Lists rules.
pub(super) async fn list(State(app): State<Arc<App>>, headers: HeaderMap, Query(query): Query<Params>) -> Answer {
    check_v2(&app, &headers)?;
    let quota = check_quota(app.limits.lock().list_rules.take(now_s()))?;
    let (mut ids, mut max, mut offset) = (None, 1000, 0);
    for (key, value) in &query {
        let fail = |message: &str| invalid_request(key, value, message);
        match key.as_str() {
            "ids" => ids = Some(value.split(',').map(str::to_owned).collect::<Vec<_>>()),
            "max_results" => {
                let number = value.parse().ok().filter(|number| (1..=1000).contains(number));
                max =
                    number.ok_or_else(|| fail("The `max_results` query parameter value is not between 1 and 1000"))?;
            }
            "pagination_token" => {
                let at = value.strip_prefix("sim").and_then(|text| text.parse().ok());
                offset = at.ok_or_else(|| fail("The `pagination_token` query parameter value is not valid"))?;
            }
            _ => return Err(unknown(key, value)),
        }
    }
    let body = app.rule_book.lock().list(ids.as_deref(), offset, max, &sent());
    Ok(with_quota(json_answer(200, &body), quota))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Change {
    add: Option<Vec<NewRule>>,
    delete: Option<Which>,
}

/// Adds or deletes rules.
pub(super) async fn change(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(query): Query<Params>,
    body: Bytes,
) -> Answer {
    check_v2(&app, &headers)?;
    let quota = check_quota(app.limits.lock().change_rules.take(now_s()))?;
    let (mut is_dry_run, mut deletes_all) = (false, false);
    for (key, value) in &query {
        match key.as_str() {
            "dry_run" => is_dry_run = value == "true",
            "delete_all" => deletes_all = value == "true",
            _ => return Err(unknown(key, value)),
        }
    }
    let change: Change = if deletes_all && body.is_empty() {
        Change::default()
    } else {
        serde_json::from_slice(&body)
            .map_err(|error| invalid_request("body", "", &format!("The request body is not valid: {error}")))?
    };
    let mut book = app.rule_book.lock();
    let (status, answer) = match (&change.add, &change.delete, deletes_all) {
        (Some(new), None, false) if !new.is_empty() => book.add(new, is_dry_run, &sent()),
        (None, Some(which), false) => book.delete(Some(which), is_dry_run, &sent()),
        (None, None, true) => book.delete(None, is_dry_run, &sent()),
        _ => {
            let message = "The request body must have exactly one of `add` or `delete`, and it must not be empty";
            return Err(invalid_request("body", "", message));
        }
    };
    Ok(with_quota(json_answer(status, &answer), quota))
}

fn unknown(key: &str, value: &str) -> Response {
    invalid_request(key, value, &format!("The query parameter [{key}] is not one of those that this endpoint has"))
}

/// Now, as `meta.sent` has it.
fn sent() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
