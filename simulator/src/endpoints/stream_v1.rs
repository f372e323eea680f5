//! `POST` and `GET /1.1/statuses/filter.json`, `GET /1.1/statuses/sample.json`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;

use super::answers::{Answer, Params, answer, now_s, text_of};
use crate::app::App;
use crate::auth::SignedRequest;
use crate::connections::Selection;
use crate::encode::Encoder;
use crate::feed::Feed;
use crate::producer;
use crate::rules::expr::Expr;
use crate::rules::v1::{self, Parameters};
use crate::wire::fields::Fields;

/// Longest silence of a v1.1 stream.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// The filter, with its parameters in the query or a form body.
pub(super) async fn filter(
    State(app): State<Arc<App>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let kind = text_of(&headers, header::CONTENT_TYPE).unwrap_or_default();
    let is_form = kind.starts_with("application/x-www-form-urlencoded");
    let params = params(&uri, if is_form { &body } else { b"" });
    check(&app, &method, &uri, &headers, &params)?;
    if params.iter().any(|(key, _)| key == "count") {
        return Err(text(416, "Parameter count is not allowed for this app\r\n".to_owned()));
    }
    let value = |name: &str| value(&params, name);
    let parameters = Parameters {
        track: value("track"),
        follow: value("follow"),
        locations: value("locations"),
        language: value("language"),
    };
    let filter = v1::parse(parameters).map_err(|refusal| text(refusal.status, refusal.text))?;
    Ok(open(&app, filter, &params))
}

pub(super) async fn sample(State(app): State<Arc<App>>, method: Method, uri: Uri, headers: HeaderMap) -> Answer {
    let params = params(&uri, b"");
    check(&app, &method, &uri, &headers, &params)?;
    Ok(open(&app, Expr::All(Vec::new()), &params))
}

fn params(uri: &Uri, form: &[u8]) -> Params {
    let query = uri.query().unwrap_or_default().as_bytes();
    [query, form].into_iter().flat_map(|text| url::form_urlencoded::parse(text).into_owned()).collect()
}

fn value<'a>(params: &'a Params, name: &str) -> &'a str {
    params.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

fn text(status: u16, body: String) -> Response {
    answer(status, "text/plain; charset=utf-8", Body::from(body))
}

/// Checks the signature, then the rate of connects.
fn check(app: &App, method: &Method, uri: &Uri, headers: &HeaderMap, params: &Params) -> Result<(), Response> {
    let path = uri.path();
    if app.options.require_auth {
        let url = format!("http://{}{path}", text_of(headers, header::HOST).unwrap_or_default().to_ascii_lowercase());
        let header = text_of(headers, header::AUTHORIZATION);
        let request = SignedRequest { method: method.as_str(), url: &url, params, header };
        if let Err(reason) = app.nonces.lock().check(&request, &app.options.credentials, now_s()) {
            tracing::warn!(reason, "v1.1 request refused");
            let page = format!(
                "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"/>\n\
                 <title>Error 401 Unauthorized</title>\n</head>\n<body>\n<h2>HTTP ERROR: 401</h2>\n\
                 <p>Problem accessing '{path}'. Reason:\n<pre>    Unauthorized</pre>\n</body>\n</html>\n"
            );
            return Err(answer(401, "text/html; charset=iso-8859-1", Body::from(page)));
        }
    }
    let (_, is_allowed) = app.limits.lock().v1_connects.take(now_s());
    if is_allowed {
        return Ok(());
    }
    Err(text(420, "Easy there, Turbo. Too many requests recently. Enhance your calm.\r\n".to_owned()))
}

fn open(app: &Arc<App>, filter: Expr, params: &Params) -> Response {
    let selection = Selection::V1(Arc::new(filter));
    let connection = {
        let mut connections = app.connections.lock();
        // A second login of the same user disconnects the first one.
        connections.evict(false, 0);
        connections.add(selection.clone())
    };
    tracing::info!(connection = connection.0, api = "v1.1", "connection opened");
    let encoder = Encoder {
        selection,
        fields: Fields::default(),
        is_delimited: value(params, "delimited") == "length",
        has_stall_warnings: value(params, "stall_warnings") == "true",
    };
    let feed = Feed::new(app, connection, encoder, 0, HEARTBEAT);
    producer::begin(app);
    answer(200, "application/json", Body::from_stream(feed.into_stream()))
}
