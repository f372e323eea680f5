//! Flume's JSON metrics, for the monitoring that watched the Flume agent (`-Dflume.monitoring.type=http`).
//!
//! The names, and values that are all strings, are Flume's; what each counts here is in [`report`]. Served on a listener
//! of its own because Flume has its own port (41414). Flume opens it to all interfaces; we listen where we are told.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::metrics::{Kind, sum};
use super::{Hosts, Metrics, http};

/// One component's attributes by name.
type Attributes = BTreeMap<&'static str, String>;

/// What the components are called in the `twitter.conf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The source.
    pub source: String,
    /// The channel.
    pub channel: String,
    /// The sink.
    pub sink: String,
}

/// Flume's object: `TYPE.name` → attributes.
///
/// Flume counts appends where a source hands over single events; ours hand over batches, so those two stay 0. A put is a
/// line read, a take a line that has left the channel. The sink's connections are spool files: created, sealed, and
/// store requests that failed; its batches are group commits, which go by time, so none is empty or partial.
pub(crate) fn report(metrics: &Metrics, names: &Names) -> BTreeMap<String, Attributes> {
    let received: u64 = ["tweet", "message", "reject"]
        .into_iter()
        .filter_map(|kind| metrics.records_received.get(&Kind::new(kind)).map(|c| c.get()))
        .sum();
    let rejected = metrics.records_received.get(&Kind::new("reject")).map_or(0, |c| c.get());
    let size = u64::try_from(metrics.channel_size.get()).unwrap_or(0);
    let capacity = metrics.channel_capacity.get();
    let taken = received.saturating_sub(size);
    let failed = sum(&metrics.store_errors);
    let fill = if capacity > 0 { size as f64 * 100.0 / capacity as f64 } else { 0.0 };
    let batches = metrics.batches.get();

    let source: [(&str, u64); 10] = [
        ("EventReceivedCount", received),
        ("EventAcceptedCount", metrics.records_accepted.get()),
        ("AppendReceivedCount", 0),
        ("AppendAcceptedCount", 0),
        ("AppendBatchReceivedCount", batches),
        ("AppendBatchAcceptedCount", batches),
        ("OpenConnectionCount", u64::from(metrics.connected.get() > 0)),
        ("EventReadFail", rejected),
        ("ChannelWriteFail", 0),
        ("GenericProcessingFail", 0),
    ];
    let channel: [(&str, u64); 5] = [
        ("ChannelSize", size),
        ("EventPutAttemptCount", received),
        ("EventPutSuccessCount", received),
        ("EventTakeAttemptCount", taken),
        ("EventTakeSuccessCount", taken),
    ];
    let sink: [(&str, u64); 10] = [
        ("ConnectionCreatedCount", metrics.files_created.get()),
        ("ConnectionClosedCount", metrics.files_sealed.get()),
        ("ConnectionFailedCount", failed),
        ("BatchEmptyCount", 0),
        ("BatchUnderflowCount", 0),
        ("BatchCompleteCount", metrics.commits.get()),
        ("EventDrainAttemptCount", metrics.records_accepted.get()),
        ("EventDrainSuccessCount", metrics.lines_stored.get()),
        ("EventWriteFail", failed),
        ("ChannelReadFail", 0),
    ];

    let started_ms = metrics.started_at.get() * 1000;
    let component = |kind: &'static str, counts: &[(&'static str, u64)]| -> Attributes {
        let mut all: Attributes = counts.iter().map(|(name, count)| (*name, count.to_string())).collect();
        all.extend([("Type", kind.into()), ("StartTime", started_ms.to_string()), ("StopTime", "0".into())]);
        all
    };
    let mut channel = component("CHANNEL", &channel);
    channel.insert("ChannelCapacity", capacity.to_string());
    // `{:?}` keeps the point of a whole number, as Java's Double does.
    channel.insert("ChannelFillPercentage", format!("{fill:?}"));
    BTreeMap::from([
        (format!("SOURCE.{}", names.source), component("SOURCE", &source)),
        (format!("CHANNEL.{}", names.channel), channel),
        (format!("SINK.{}", names.sink), component("SINK", &sink)),
    ])
}

/// Serves Flume's metrics until `stop` is cancelled, to whoever asks by one of these host names.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, names: Names, hosts: Hosts, stop: CancellationToken) {
    let pages = Router::new().fallback(page).with_state((metrics, Arc::new(names)));
    http::until(listener, pages, hosts, stop).await;
}

async fn page(State((metrics, names)): State<(Arc<Metrics>, Arc<Names>)>, method: Method, uri: Uri) -> Response {
    if matches!(method, Method::TRACE | Method::OPTIONS) {
        return StatusCode::FORBIDDEN.into_response();
    }
    match uri.path() {
        "/" => {
            Html("<p>The agent's numbers, in Flume's form: <a href=\"./metrics\">metrics</a>.</p>\n").into_response()
        }
        path if path.eq_ignore_ascii_case("/metrics") => {
            let text = serde_json::to_string(&report(&metrics, &names))
                .expect("a map of strings with string keys serialises infallibly");
            ([(header::CONTENT_TYPE, "application/json;charset=utf-8")], text).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn names() -> Names {
        Names { source: "Twitter".into(), channel: "MemChannel".into(), sink: "s3hdfs".into() }
    }

    fn busy() -> Metrics {
        let metrics = Metrics::default();
        metrics.started_at.set(1_795_323_600);
        metrics.records_received.get_or_create(&Kind::new("tweet")).inc_by(100);
        metrics.records_received.get_or_create(&Kind::new("heartbeat")).inc_by(9);
        metrics.records_received.get_or_create(&Kind::new("reject")).inc_by(2);
        metrics.channel_size.set(30);
        metrics.channel_capacity.set(10_000);
        metrics.records_accepted.inc_by(72);
        metrics.store_errors.get_or_create(&Kind::new("timeout")).inc_by(4);
        metrics
    }

    #[test]
    fn each_component_has_exactly_flumes_attributes() {
        let report = report(&busy(), &names());
        let names_of = |key: &str| report[key].keys().copied().collect::<Vec<_>>().join(" ");
        assert_eq!(report.keys().collect::<Vec<_>>(), ["CHANNEL.MemChannel", "SINK.s3hdfs", "SOURCE.Twitter"]);
        assert_eq!(
            names_of("SOURCE.Twitter"),
            "AppendAcceptedCount AppendBatchAcceptedCount AppendBatchReceivedCount AppendReceivedCount ChannelWriteFail \
             EventAcceptedCount EventReadFail EventReceivedCount GenericProcessingFail OpenConnectionCount StartTime \
             StopTime Type"
        );
        assert_eq!(
            names_of("CHANNEL.MemChannel"),
            "ChannelCapacity ChannelFillPercentage ChannelSize EventPutAttemptCount EventPutSuccessCount \
             EventTakeAttemptCount EventTakeSuccessCount StartTime StopTime Type"
        );
        assert_eq!(
            names_of("SINK.s3hdfs"),
            "BatchCompleteCount BatchEmptyCount BatchUnderflowCount ChannelReadFail ConnectionClosedCount \
             ConnectionCreatedCount ConnectionFailedCount EventDrainAttemptCount EventDrainSuccessCount EventWriteFail \
             StartTime StopTime Type"
        );
    }

    #[test]
    fn what_was_put_less_what_was_taken_is_what_is_in_the_channel() {
        let report = report(&busy(), &names());
        let channel = &report["CHANNEL.MemChannel"];
        let number = |name: &str| channel[name].parse::<u64>().expect("a number");
        assert_eq!(number("EventPutSuccessCount"), 102, "heartbeats are no events");
        assert_eq!(number("EventPutSuccessCount") - number("EventTakeSuccessCount"), number("ChannelSize"));
        assert_eq!(channel["ChannelFillPercentage"], "0.3");
        assert_eq!(report["SOURCE.Twitter"]["StartTime"], "1795323600000");
        assert_eq!(report["SINK.s3hdfs"]["ConnectionFailedCount"], "4");
    }

    #[tokio::test]
    async fn the_paths_and_answers_are_flumes() {
        let listener = http::bind(SocketAddr::from(([127, 0, 0, 1], 0)), "the port").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(listener, Arc::new(busy()), names(), Hosts::default(), stop.clone()));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let ask = async |method: Method, path: &str| {
            client.request(method, format!("{url}{path}")).send().await.expect("an answer")
        };
        for path in ["/metrics", "/METRICS"] {
            let answer = ask(Method::GET, path).await;
            assert_eq!(answer.headers()["content-type"], "application/json;charset=utf-8");
            let json: serde_json::Value = answer.json().await.expect("JSON");
            let components = json.as_object().expect("an object").values();
            for value in components.flat_map(|c| c.as_object().expect("an object").values()) {
                assert!(value.is_string(), "{value} is no string");
            }
        }
        assert!(ask(Method::GET, "/").await.text().await.expect("text").contains("metrics"));
        for (method, path, code) in
            [(Method::GET, "/x", 404), (Method::TRACE, "/metrics", 403), (Method::OPTIONS, "/", 403)]
        {
            assert_eq!(ask(method, path).await.status().as_u16(), code, "{path}");
        }
        stop.cancel();
        served.await.expect("no panic");
    }
}
