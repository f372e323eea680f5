//! The agent's numbers as Prometheus sees them: names, units, help. All names begin with `cauce_`; counters end in
//! `_total`. What is told by comparing with the clock is worked out when somebody asks. The full list with what to watch
//! is in docs/operations.md.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::metrics::Kind;
use super::{LeaseState, Metrics, log_queue};

/// The kinds of line that are counted as received.
const KINDS: [&str; 5] = ["tweet", "message", "control", "heartbeat", "reject"];

/// All numbers under their public names. The registry shares the values: what is counted later is shown later.
pub fn register(metrics: &Metrics) -> Registry {
    let mut registry = Registry::with_prefix("cauce");
    registry.register("build", "Version of the program", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
    source(&mut registry, metrics);
    writing(&mut registry, metrics);
    storing(&mut registry, metrics);
    registry.register_collector(Box::new(Derived(metrics.clone())));
    registry
}

fn source(registry: &mut Registry, metrics: &Metrics) {
    for kind in KINDS {
        // Shown from the start: a rate over a counter that is not there yet misses its first step.
        drop(metrics.records_received.get_or_create(&Kind::new(kind)));
    }
    registry.register(
        "records_received",
        "Lines read from the source, by kind: tweet, message, control, heartbeat, reject",
        metrics.records_received.clone(),
    );
    registry.register_with_unit(
        "received",
        "Decoded bytes read from the source",
        Unit::Bytes,
        metrics.bytes_received.clone(),
    );
    registry.register("connects", "Connections tried, by outcome: connected, or why not", metrics.connects.clone());
    registry.register("disconnects", "Connections that broke, by cause", metrics.disconnects.clone());
    registry.register(
        "connected",
        "1 while the source is connected or a finite source is reading",
        metrics.connected.clone(),
    );
    registry.register(
        "limited",
        "Tweets that the stream says it did not deliver (limit notices of v1.1)",
        metrics.limited.clone(),
    );
    registry.register("gap_open", "1 while the source is in a gap", metrics.gap_open.clone());
}

fn writing(registry: &mut Registry, metrics: &Metrics) {
    registry.register(
        "records_accepted",
        "Records accepted: in the spool, as durable as the channel's type promises",
        metrics.records_accepted.clone(),
    );
    registry.register("tweets", "Tweets taken into the spool, late ones included", metrics.tweets.clone());
    registry.register("messages", "Messages taken into the spool, by kind", metrics.messages.clone());
    registry.register("duplicates", "Tweets left out because their id is stored already", metrics.duplicates.clone());
    registry.register("late", "Tweets that came after their hour was closed", metrics.late.clone());
    registry.register("rejects", "Lines kept apart as rejects, by reason", metrics.rejects.clone());
    registry.register("channel_size", "Records read and not yet accepted", metrics.channel_size.clone());
    registry.register("channel_capacity", "Room for such records", metrics.channel_capacity.clone());
    registry.register("batches", "Batches that went through the channel", metrics.batches.clone());
    registry.register("commits", "Group commits of the spool", metrics.commits.clone());
    registry.register_with_unit(
        "spool",
        "Bytes in the spool that are not confirmed in the store",
        Unit::Bytes,
        metrics.spool_bytes.clone(),
    );
    registry.register_with_unit("spool_max", "The spool's budget", Unit::Bytes, metrics.spool_max_bytes.clone());
    registry.register("files_open", "Spool files being written", metrics.files_open.clone());
    registry.register("files_created", "Spool files begun", metrics.files_created.clone());
    registry.register("files_sealed", "Spool files finished", metrics.files_sealed.clone());
    registry.register(
        "files_quarantined",
        "Spool files put aside because they are damaged or their key is taken by a foreign object",
        metrics.files_quarantined.clone(),
    );
}

fn storing(registry: &mut Registry, metrics: &Metrics) {
    registry.register("objects_stored", "Objects confirmed in the store", metrics.objects_stored.clone());
    registry.register("lines_stored", "Lines in confirmed objects", metrics.lines_stored.clone());
    registry.register_with_unit(
        "stored",
        "Bytes of confirmed objects, as stored",
        Unit::Bytes,
        metrics.bytes_stored.clone(),
    );
    registry.register("store_errors", "Failed store requests, by kind", metrics.store_errors.clone());
    registry.register("hours_closed", "Hours closed", metrics.hours_closed.clone());
}

/// What is worked out when somebody asks.
#[derive(Debug)]
struct Derived(Metrics);

impl Collector for Derived {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let Derived(metrics) = self;
        let commit = Counted("commit", "Time spent in group commits", metrics.commit_micros.get() as f64 / 1e6);
        let gap = Counted("gap", "Time without a connection", metrics.gap_millis.get() as f64 / 1e3);
        for Counted(name, help, seconds) in [commit, gap] {
            let counter = ConstCounter::new(seconds);
            counter.encode(to.encode_descriptor(name, help, Some(&Unit::Seconds), counter.metric_type())?)?;
        }
        if let Some(ahead_ms) = metrics.clock.ahead_ms() {
            let gauge = ConstGauge::new(ahead_ms as f64 / 1e3);
            let help = "By how much the clock is ahead of the store or the stream, by their last answers";
            gauge.encode(to.encode_descriptor("clock_ahead", help, Some(&Unit::Seconds), gauge.metric_type())?)?;
        }
        let dropped = ConstCounter::new(log_queue::dropped());
        let help = "Log lines lost because standard error did not take them";
        dropped.encode(to.encode_descriptor("log_lines_dropped", help, None, dropped.metric_type())?)?;
        // A time that has not come yet is left out: 0 would be read as 1970.
        let times = [
            ("start_time", "When the agent was started, since the epoch", metrics.started_at.get()),
            ("last_closed_hour", "Start of the last closed hour, since the epoch", metrics.last_closed_hour.get()),
        ];
        for (name, help, at) in times.into_iter().filter(|(_, _, at)| *at != 0) {
            let gauge = ConstGauge::new(at);
            gauge.encode(to.encode_descriptor(name, help, Some(&Unit::Seconds), gauge.metric_type())?)?;
        }
        // Told from the states that /readyz is told from, so that the two cannot disagree.
        let health = metrics.health.snapshot();
        let flags = [
            (
                "store_up",
                "1 while objects can be stored: the store answers and the lease is renewed",
                health.can_store(),
            ),
            ("lease_held", "1 while the lease on the lake is held and renewed", health.lease.state == LeaseState::Held),
        ];
        for (name, help, holds) in flags {
            let gauge = ConstGauge::new(i64::from(holds));
            gauge.encode(to.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let now_ms = Timestamp::now().as_millisecond();
        let ages = [
            ("seconds_since_byte", "Seconds since the source sent its last byte", age(&metrics.last_byte_ms, now_ms)),
            ("seconds_since_record", "Seconds since a record was accepted", age(&metrics.last_record_ms, now_ms)),
        ];
        for (name, help, age) in ages {
            let Some(seconds) = age else { continue };
            let gauge = ConstGauge::new(seconds);
            gauge.encode(to.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

struct Counted(&'static str, &'static str, f64);

/// Seconds since a moment, `None` when it has not come yet.
fn age(at_ms: &Arc<AtomicI64>, now_ms: i64) -> Option<f64> {
    match at_ms.load(Ordering::Relaxed) {
        0 => None,
        at_ms => Some((now_ms - at_ms).max(0) as f64 / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn text(metrics: &Metrics) -> String {
        let mut text = String::new();
        encode(&mut text, &register(metrics)).expect("encodes");
        text
    }

    fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
    }

    #[test]
    fn what_is_counted_is_shown_under_its_public_name() {
        let metrics = Metrics::default();
        metrics.records_received.get_or_create(&Kind::new("tweet")).inc_by(3);
        metrics.bytes_received.inc_by(700);
        metrics.commit_micros.inc_by(1_500_000);
        metrics.gap_millis.inc_by(2_500);
        metrics.spool_bytes.set(42);
        let text = text(&metrics);
        assert_eq!(value(&text, "cauce_records_received_total{kind=\"tweet\"}"), Some("3"));
        assert_eq!(value(&text, "cauce_received_bytes_total"), Some("700"));
        assert_eq!(value(&text, "cauce_commit_seconds_total"), Some("1.5"));
        assert_eq!(value(&text, "cauce_gap_seconds_total"), Some("2.5"));
        assert_eq!(value(&text, "cauce_spool_bytes"), Some("42"));
        let build = format!("cauce_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
        assert_eq!(value(&text, &build), Some("1"));
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn times_that_have_not_come_are_left_out() {
        let metrics = Metrics::default();
        assert!(!text(&metrics).contains("cauce_seconds_since_byte"));
        metrics.last_byte_ms.store(Timestamp::now().as_millisecond() - 90_000, Ordering::Relaxed);
        metrics.last_closed_hour.set(1_795_323_600);
        let text = text(&metrics);
        let since: f64 = value(&text, "cauce_seconds_since_byte").expect("shown").parse().expect("a number");
        assert!((90.0..120.0).contains(&since), "{since}");
        assert_eq!(value(&text, "cauce_last_closed_hour_seconds"), Some("1795323600"));
        assert!(!text.contains("start_time"));
    }

    /// All numbers, each label family with one member.
    fn everything() -> String {
        let metrics = Metrics::default();
        let families =
            [&metrics.connects, &metrics.disconnects, &metrics.messages, &metrics.rejects, &metrics.store_errors];
        for family in families {
            drop(family.get_or_create(&Kind::new("some")));
        }
        metrics.started_at.set(1);
        metrics.last_closed_hour.set(1);
        metrics.last_byte_ms.store(1, Ordering::Relaxed);
        metrics.last_record_ms.store(1, Ordering::Relaxed);
        let time = cauce_lake::store::ServerTime { at_ms: 1, received: std::time::Instant::now() };
        metrics.clock.observe(crate::clock::Peer::Store, time);
        text(&metrics)
    }

    fn names(text: &str) -> Vec<&str> {
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
    }

    #[test]
    fn every_number_has_a_help_text_and_a_name_of_its_own() {
        let text = everything();
        let names = names(&text);
        for name in &names {
            assert!(name.starts_with("cauce_"), "{name}");
            assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help text");
            assert_eq!(names.iter().filter(|n| n == &name).count(), 1, "{name} is there twice");
        }
        assert!(names.len() >= 34, "only {} numbers", names.len());
    }

    #[test]
    fn the_documents_list_every_number_and_no_other() {
        let page = include_str!("../../../docs/operations.md");
        let documented: std::collections::BTreeSet<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `cauce_"))
            .flat_map(|line| line.split('`').filter(|code| code.starts_with("cauce_")))
            .filter_map(|code| code.split('{').next())
            .map(|name| name.strip_suffix("_total").or(name.strip_suffix("_info")).unwrap_or(name))
            .collect();
        let text = everything();
        assert_eq!(documented, names(&text).into_iter().collect());
    }
}
