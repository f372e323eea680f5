//! `GET /2/tweets/search/stream` and `/2/tweets/sample/stream`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tokio_util::sync::CancellationToken;

use super::answers::{Answer, Params, answer, check_quota, check_v2, invalid_request, json_answer, now_s, with_quota};
use crate::app::App;
use crate::connections::Selection;
use crate::encode::Encoder;
use crate::feed::Feed;
use crate::options::{Excess, Plan};
use crate::problems::connection_exception;
use crate::producer;
use crate::wire::fields::Fields;

/// Longest silence of a v2 stream.
const HEARTBEAT: Duration = Duration::from_secs(20);

pub(super) async fn filtered(State(app): State<Arc<App>>, headers: HeaderMap, query: Query<Params>) -> Answer {
    open(&app, &headers, &query, Selection::Rules)
}

pub(super) async fn sample(State(app): State<Arc<App>>, headers: HeaderMap, query: Query<Params>) -> Answer {
    open(&app, &headers, &query, Selection::Sample)
}

fn open(app: &Arc<App>, headers: &HeaderMap, query: &Params, selection: Selection) -> Answer {
    check_v2(app, headers)?;
    let quota = check_quota(app.limits.lock().connects.take(now_s()))?;
    let refuse = |refused| with_quota(refused, quota);
    let (fields, backfill_minutes) = parameters(app, query).map_err(refuse)?;
    if matches!(selection, Selection::Rules) && app.rules().is_empty() {
        let detail = "You must define rules using the POST /2/tweets/search/stream/rules endpoint before connecting to \
            filtered stream.";
        return Err(refuse(json_answer(409, &connection_exception(detail, "RuleConfigurationIssue"))));
    }
    let Some(connection) = admit(app, selection.clone()) else {
        let detail = "This stream is currently at the maximum allowed connection limit.";
        return Err(refuse(json_answer(429, &connection_exception(detail, "TooManyConnections"))));
    };
    tracing::info!(connection = connection.0, api = "v2", "connection opened");
    let back = match app.options.pace() {
        Some(rate) => (backfill_minutes as f64 * 60.0 * rate) as u64,
        None if backfill_minutes > 0 => u64::MAX,
        None => 0,
    };
    let encoder = Encoder { selection, fields, is_delimited: false, has_stall_warnings: false };
    let feed = Feed::new(app, connection, encoder, back, HEARTBEAT);
    producer::begin(app);
    let body = Body::from_stream(feed.into_stream());
    Ok(with_quota(answer(200, "application/json; charset=utf-8", body), quota))
}

/// Adds the connection unless the plan's limit is reached.
fn admit(app: &App, selection: Selection) -> Option<(u64, CancellationToken)> {
    let mut connections = app.connections.lock();
    let limit = app.options.plan.max_connections();
    if connections.count(true) >= limit {
        match app.options.on_excess {
            Excess::RejectNew => return None,
            Excess::EvictOldest => connections.evict(true, limit - 1),
        }
    }
    Some(connections.add(selection))
}

/// The fields that the client asked for, and the minutes to go back.
fn parameters(app: &App, query: &Params) -> Result<(Fields, u64), Response> {
    let mut fields = Fields::default();
    let mut backfill_minutes = 0;
    for (key, value) in query {
        let fail = |message: &str| invalid_request(key, value, message);
        if fields.add(key, value).map_err(|message| fail(&message))? {
            continue;
        }
        if key != "backfill_minutes" || app.options.plan != Plan::Enterprise {
            return Err(fail(&format!("The query parameter [{key}] is not one of those that this app may use here")));
        }
        let minutes = value.parse().ok().filter(|minutes| *minutes <= 5);
        backfill_minutes =
            minutes.ok_or_else(|| fail("The `backfill_minutes` query parameter value is not between 0 and 5"))?;
    }
    Ok((fields, backfill_minutes))
}
