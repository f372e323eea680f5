//! A status page whose address is taken.

use super::*;
use crate::config::settings::{SourceSettings, XV1Auth, XV1Settings};

/// Serves the pages where another program has the address; `given`: the address was asked for.
async fn on_a_taken_port(given: bool, is_live: bool) -> Result<(), AgentError> {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let mut settings = settings(std::path::Path::new("unused"));
    settings.status.listen = Some(taken.local_addr().expect("bound"));
    settings.status.is_listen_given = given;
    if is_live {
        settings.source = SourceSettings::XV1(XV1Settings {
            base_url: "http://127.0.0.1:9".parse().expect("a URL"),
            auth: XV1Auth {
                consumer_key: "a".to_owned().into(),
                consumer_secret: "b".to_owned().into(),
                access_token: "c".to_owned().into(),
                access_token_secret: "d".to_owned().into(),
            },
            keywords: vec![],
            follow: vec![],
            locations: vec![],
            languages: vec![],
            sample: true,
            max_line_bytes: 1 << 20,
            stall_timeout: Duration::from_secs(90),
        });
    }
    let outcome = serve_status(&settings, &Arc::default(), &CancellationToken::new()).await;
    drop(taken);
    outcome
}

#[tokio::test]
async fn a_finite_run_goes_on_without_a_page_that_nobody_asked_for() {
    on_a_taken_port(false, false).await.expect("it goes on");
}

#[tokio::test]
async fn a_page_that_was_asked_for_and_that_of_a_stream_are_needed() {
    for (given, is_live) in [(true, false), (false, true), (true, true)] {
        let error = on_a_taken_port(given, is_live).await.expect_err("it ends");
        assert!(matches!(error, AgentError::Configuration(_)), "{error}");
        assert!(error.to_string().contains("status.listen"), "{error}");
    }
}
