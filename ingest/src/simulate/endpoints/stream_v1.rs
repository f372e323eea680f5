//! `POST` and `GET /1.1/statuses/filter.json`, `GET /1.1/statuses/sample.json`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;

use super::{answer, authorization, now_s};
use crate::simulate::app::App;
use crate::simulate::auth::SignedRequest;
use crate::simulate::connections::Wants;
use crate::simulate::encode::Encoder;
use crate::simulate::feed::Feed;
use crate::simulate::rules::track::{Filter, Parameters};
use crate::simulate::tweet::fields::Fields;

/// v1.1 sends at least a line end in this time.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// The filter with its parameters in the query.
pub(super) async fn filter_get(State(app): State<Arc<App>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    filter(&app, &method, &uri, &headers, b"")
}

/// The filter with its parameters in the query or a form body.
pub(super) async fn filter_post(
    State(app): State<Arc<App>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_form = form.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    filter(&app, &method, &uri, &headers, if is_form { &body } else { b"" })
}

/// The sample.
pub(super) async fn sample(State(app): State<Arc<App>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let params = params(&uri, b"");
    if let Some(refused) = refuse(&app, &method, &uri, &headers, &params) {
        return refused;
    }
    open(&app, Wants::SampleV1, &params)
}

fn filter(app: &Arc<App>, method: &Method, uri: &Uri, headers: &HeaderMap, form: &[u8]) -> Response {
    let params = params(uri, form);
    if let Some(refused) = refuse(app, method, uri, headers, &params) {
        return refused;
    }
    if params.iter().any(|(key, _)| key == "count") {
        return text(416, "Parameter count is not allowed for this app\r\n".to_owned());
    }
    let value = |name: &str| value(&params, name);
    let asked = Parameters {
        track: value("track"),
        follow: value("follow"),
        locations: value("locations"),
        language: value("language"),
    };
    match Filter::parse(asked) {
        Ok(filter) => open(app, Wants::Filter(Arc::new(filter)), &params),
        Err(refused) => text(refused.status, refused.text),
    }
}

fn params(uri: &Uri, form: &[u8]) -> Vec<(String, String)> {
    let query = uri.query().unwrap_or_default().as_bytes();
    url::form_urlencoded::parse(query).into_owned().chain(url::form_urlencoded::parse(form).into_owned()).collect()
}

fn value<'a>(params: &'a [(String, String)], name: &str) -> &'a str {
    params.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

fn text(status: u16, body: String) -> Response {
    answer(status, "text/plain; charset=utf-8", Body::from(body))
}

/// Checks the signature, then the pace of connects.
fn refuse(app: &App, method: &Method, uri: &Uri, headers: &HeaderMap, params: &[(String, String)]) -> Option<Response> {
    if app.options.require_auth {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let url = format!("http://{}{}", host.to_ascii_lowercase(), uri.path());
        let request = SignedRequest { method: method.as_str(), url: &url, params, header: authorization(headers) };
        if let Err(reason) = app.nonces().check(&request, &app.options.credentials, now_s()) {
            tracing::warn!(reason, "v1.1 request refused");
            return Some(answer(401, "text/html; charset=iso-8859-1", Body::from(unauthorized(uri.path()))));
        }
    }
    let (_, within) = app.limits().v1_connects.take(now_s());
    (!within).then(|| text(420, "Easy there, Turbo. Too many requests recently. Enhance your calm.\r\n".to_owned()))
}

fn unauthorized(path: &str) -> String {
    format!(
        "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"/>\n\
         <title>Error 401 Unauthorized</title>\n</head>\n<body>\n<h2>HTTP ERROR: 401</h2>\n\
         <p>Problem accessing '{path}'. Reason:\n<pre>    Unauthorized</pre>\n</body>\n</html>\n"
    )
}

fn open(app: &Arc<App>, wants: Wants, params: &[(String, String)]) -> Response {
    let (number, evicted) = {
        let mut connections = app.connections();
        // A second login of the same user throws out the first one.
        connections.evict(false, 0);
        connections.add(wants.clone())
    };
    let feed = Feed {
        quiet: app.timeline.ended(),
        app: Arc::clone(app),
        number,
        encoder: Encoder {
            wants,
            fields: Fields::default(),
            delimited: value(params, "delimited") == "length",
            stall_warnings: value(params, "stall_warnings") == "true",
        },
        reader: app.timeline.read(0),
        heartbeat: app.options.heartbeat.unwrap_or(HEARTBEAT),
        evicted,
        missed: 0,
        warned: None,
        closed: false,
    };
    app.begin();
    tracing::info!(connection = number, api = "v1.1", "connection opened");
    answer(200, "application/json", Body::from_stream(feed.into_stream()))
}
