//! The `Host` check of the status pages, against DNS rebinding: a foreign web page lets its own name resolve to this machine
//! and then reads what is served here.
//!
//! The attack needs a name that the attacker controls. Addresses are accepted, and so are names without a dot: public DNS
//! has none of these, while machines, containers and Compose services have them (`ingest:9108`).

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// The answer to a request under another name.
const REFUSAL: &str =
    "this page does not answer to that name: ask by address, or add the name to status.allowed_hosts\n";

/// The names that a page answers to, besides addresses and names without a dot.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// In lower case; one that begins with `*.` stands for all names below it, and `*` alone for every name.
    names: Vec<String>,
}

impl Hosts {
    /// This machine's own name, and those that settings allow.
    pub fn new(allowed: &[String]) -> Hosts {
        let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let names = allowed.iter().cloned().chain([own]).map(|name| name.to_ascii_lowercase());
        Hosts { names: names.collect() }
    }

    /// Whether a request with this `Host` is answered; a missing one is that of HTTP/1.0, which no browser speaks.
    fn accepts(&self, host: Option<&str>) -> bool {
        let Some(host) = host else { return true };
        let Ok(authority) = host.parse::<Authority>() else { return false };
        // Nothing stands before the name, and at most a port behind it.
        if !host.strip_prefix(authority.host()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')) {
            return false;
        }
        let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
        let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&name);
        let matches = |allowed: &String| match allowed.strip_prefix('*') {
            Some(end) => name.ends_with(end),
            None => name == *allowed,
        };
        bare.parse::<IpAddr>().is_ok()
            || !name.contains('.')
            || name.ends_with(".localhost")
            || self.names.iter().any(matches)
    }
}

/// Whether a text can stand in `status.allowed_hosts`: a name, `*.` and a name, or `*`.
pub(crate) fn is_possible(name: &str) -> bool {
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name == "*" || bare.split('.').all(is_label)
}

/// Middleware: passes requests under an accepted name, answers 421 otherwise.
pub(super) async fn check(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let named = request.uri().authority().map(Authority::as_str);
    let header = request.headers().get(header::HOST).map(|value| value.to_str().unwrap_or("@"));
    if [named, header].into_iter().all(|host| hosts.accepts(host)) {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, REFUSAL).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_without_a_dot_are_ours_and_a_strangers_name_is_not() {
        let hosts = Hosts { names: vec!["agent.example.org".into(), "*.svc.cluster.local".into()] };
        for host in [
            "127.0.0.1:9108",
            "10.0.0.7",
            "[::1]:9108",
            "[fe80::1]",
            "localhost:9108",
            "LOCALHOST",
            "agent.localhost",
            "ingest:9108",
            "project_ingest_1:9090",
            "Agent.Example.org.:9108",
            "ingest.tweets.svc.cluster.local:9108",
        ] {
            assert!(hosts.accepts(Some(host)), "{host}");
        }
        for host in [
            "evil.example:9108",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "localhost@evil.example",
            "127.0.0.1@evil.example:9108",
            "agent.example.org.evil.example",
            "svc.cluster.local.evil.example",
            "[::1].evil.example",
            "a b",
            "",
        ] {
            assert!(!hosts.accepts(Some(host)), "{host}");
        }
        assert!(hosts.accepts(None));
        assert!(Hosts { names: vec!["*".into()] }.accepts(Some("evil.example")));
    }

    #[test]
    fn what_may_be_allowed_is_a_name() {
        for name in ["*", "*.example.org", "agent.example.org", "agent", "a-b_c"] {
            assert!(is_possible(name), "{name}");
        }
        for name in ["", "*.", "a..b", "http://agent", "agent:9108", "*agent", "a b", "a.*"] {
            assert!(!is_possible(name), "{name}");
        }
    }
}
