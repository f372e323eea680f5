//! System properties of Flume's command line (`-Dkey=value`): monitoring, logging, and settings of ours.

use super::super::layers::Layers;
use super::super::problem::Problems;

/// Where Flume's metrics are when no port is given.
const MONITORING_PORT: u16 = 41414;

/// Puts what they say into the layers. Logging is the command line's and is left alone here.
pub(crate) fn put(
    system: &[(String, String)],
    layers: &mut Layers,
    notices: &mut Vec<String>,
    problems: &mut Problems,
) {
    let last = |wanted: &str| system.iter().rev().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str());
    match last("flume.monitoring.type") {
        Some(kind) if kind.eq_ignore_ascii_case("http") => {
            let port = last("flume.monitoring.port").map_or(Ok(MONITORING_PORT), str::parse);
            match port {
                Ok(port) => layers.put_flag(
                    "status.flume_listen",
                    &format!("127.0.0.1:{port}"),
                    "-Dflume.monitoring.type=http",
                    problems,
                ),
                Err(_) => problems.push("-Dflume.monitoring.port: must be a port, 1 to 65535"),
            }
        }
        Some(_) => notices.push(
            "-Dflume.monitoring.type: only http is there; Prometheus finds its metrics at status.listen".to_owned(),
        ),
        None => {}
    }
    for (key, value) in system {
        match key.strip_prefix("cauce.") {
            Some("config") => {}
            Some(own) => layers.put_flag(own, value, &format!("-D{key}"), problems),
            None if key.starts_with("flume.monitoring.") || key.starts_with("flume.root.logger") => {}
            None if key.starts_with("flume.") => notices.push(format!("-D{key} is ignored")),
            None => {}
        }
    }
}
