//! `GET /2/tweets/search/stream` and `/2/tweets/sample/stream`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use super::{answer, invalid_request, json_answer, now_s, refuse_v2, too_many_requests, with_standing};
use crate::simulate::app::App;
use crate::simulate::connections::Wants;
use crate::simulate::encode::Encoder;
use crate::simulate::feed::Feed;
use crate::simulate::limits::Standing;
use crate::simulate::options::{Excess, Plan};
use crate::simulate::rule_book::problem;
use crate::simulate::tweet::fields::Fields;

/// v2 sends at least a line end in this time.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// The filtered stream.
pub(super) async fn filtered(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Query<Vec<(String, String)>>,
) -> Response {
    open(&app, &headers, &query, Wants::Rules)
}

/// The sample stream.
pub(super) async fn sample(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Query<Vec<(String, String)>>,
) -> Response {
    open(&app, &headers, &query, Wants::SampleV2)
}

fn open(app: &Arc<App>, headers: &HeaderMap, query: &[(String, String)], wants: Wants) -> Response {
    if let Some(refused) = refuse_v2(app, headers) {
        return refused;
    }
    let (standing, within) = app.limits().connects.take(now_s());
    if !within {
        return too_many_requests(standing);
    }
    let (fields, backfill) = match parameters(app, query) {
        Ok(parameters) => parameters,
        Err(refused) => return with_standing(*refused, standing),
    };
    if matches!(wants, Wants::Rules) && app.rules().is_empty() {
        let detail = "You must define rules using the POST /2/tweets/search/stream/rules endpoint before connecting to filtered stream.";
        return with_standing(json_answer(409, &connection_exception(detail, "RuleConfigurationIssue")), standing);
    }
    match admit(app, wants.clone()) {
        Some((number, evicted)) => {
            let back = (backfill as f64 * 60.0 * app.options.rate) as u64;
            let reader =
                app.timeline.read(if app.options.rate > 0.0 { back } else { u64::MAX * u64::from(backfill > 0) });
            let feed = Feed {
                quiet: app.timeline.ended() && backfill == 0,
                app: Arc::clone(app),
                number,
                encoder: Encoder { wants, fields, delimited: false, stall_warnings: false },
                reader,
                heartbeat: app.options.heartbeat.unwrap_or(HEARTBEAT),
                evicted,
                missed: 0,
                warned: None,
                closed: false,
            };
            app.begin();
            tracing::info!(connection = number, api = "v2", "connection opened");
            let body = Body::from_stream(feed.into_stream());
            with_standing(answer(200, "application/json; charset=utf-8", body), standing)
        }
        None => too_many_connections(standing),
    }
}

type Admitted = (u64, tokio_util::sync::CancellationToken);

fn admit(app: &App, wants: Wants) -> Option<Admitted> {
    let mut connections = app.connections();
    let limit = app.options.plan.connections();
    if connections.count(true) >= limit {
        match app.options.on_excess {
            Excess::RejectNew => return None,
            Excess::EvictOldest => connections.evict(true, limit - 1),
        }
    }
    Some(connections.add(wants))
}

fn connection_exception(detail: &str, issue: &str) -> serde_json::Value {
    json!({"title": "ConnectionException", "detail": detail, "connection_issue": issue, "type": problem("streaming-connection")})
}

fn too_many_connections(standing: Standing) -> Response {
    let detail = "This stream is currently at the maximum allowed connection limit.";
    with_standing(json_answer(429, &connection_exception(detail, "TooManyConnections")), standing)
}

/// The members asked for, and the minutes to go back.
fn parameters(app: &App, query: &[(String, String)]) -> Result<(Fields, u64), Box<Response>> {
    let mut fields = Fields::default();
    let mut backfill = 0;
    for (key, value) in query {
        match fields.take(key, value) {
            Ok(true) => {}
            Ok(false) if key == "backfill_minutes" && app.options.plan == Plan::Enterprise => match value.parse() {
                Ok(minutes) if minutes <= 5 => backfill = minutes,
                _ => {
                    let message = "The `backfill_minutes` query parameter value is not between 0 and 5";
                    return Err(Box::new(invalid_request(key, value, message)));
                }
            },
            Ok(false) => {
                let message = format!("The query parameter [{key}] is not one of those that this app may use here");
                return Err(Box::new(invalid_request(key, value, &message)));
            }
            Err(message) => return Err(Box::new(invalid_request(key, value, &message))),
        }
    }
    Ok((fields, backfill))
}
