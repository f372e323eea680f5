//! `ingest health`: asks a running agent whether it is ready, for container checks and for people.
//!
//! Prints the agent's own sentence and says it again as an exit code: 0 ready, 1 not ready or nobody there. It reads no
//! configuration and needs no credentials.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use url::Url;

/// The longest answer that is read; ours are one line.
const LONGEST_ANSWER: usize = 4096;
/// An agent on the same machine answers within milliseconds, or not at all.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks a running agent whether tweets come in and are stored.
#[derive(Debug, clap::Args)]
pub struct HealthArgs {
    /// Where the agent's status page is (`status.listen`).
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9108")]
    pub url: Url,
    /// Ask only whether the agent works (/livez), not whether it is connected (/readyz).
    #[arg(long)]
    pub live: bool,
}

/// Runs the command.
///
/// # Errors
/// When nobody answers, or somebody who is no agent of ours.
pub async fn run(args: HealthArgs) -> anyhow::Result<ExitCode> {
    let answer = ask(&args).await?;
    super::print(&format!("{}\n", answer.sentence)).map_err(|failure| failure.error)?;
    Ok(if answer.good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    good: bool,
    sentence: String,
}

async fn ask(args: &HealthArgs) -> anyhow::Result<Answer> {
    let mut page = args.url.clone();
    page.set_path(if args.live { "/livez" } else { "/readyz" });
    // The agent is asked itself: no proxy of the environment, no detour.
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("cannot make an HTTP client")?;
    let mut answer = client.get(page).send().await.map_err(|error| {
        let why = if error.is_timeout() { "no answer in time" } else { "no connection" };
        anyhow::anyhow!("no agent answers at {}: {why}; is it running, and is this its status.listen?", args.url)
    })?;
    let code = answer.status().as_u16();
    if code == 421 {
        anyhow::bail!("{} does not answer to that name: ask by address, or add it to status.allowed_hosts", args.url);
    }
    if !matches!(code, 200 | 503) {
        anyhow::bail!("{} answered {code}: this is no status page of ours; is it the agent's status.listen?", args.url);
    }
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await.context("the answer broke off")? {
        text.extend_from_slice(&chunk);
        if text.len() > LONGEST_ANSWER {
            anyhow::bail!("{} sent a long answer: this is no status page of ours", args.url);
        }
    }
    let text = String::from_utf8_lossy(&text);
    let sentence: String = text.lines().next().unwrap_or("").chars().filter(|c| !c.is_control()).collect();
    Ok(Answer { good: code == 200, sentence })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::status::{Hosts, LeaseState, Metrics, SourceState, StatusState, StoreState, bind, serve};

    async fn agent() -> (HealthArgs, Arc<Metrics>) {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "status.listen").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound")).parse().expect("a URL");
        let metrics = Arc::new(Metrics::default());
        tokio::spawn(serve(
            listener,
            StatusState::new(Arc::clone(&metrics), Hosts::default()),
            CancellationToken::new(),
        ));
        (HealthArgs { url, live: false }, metrics)
    }

    #[tokio::test]
    async fn the_agents_own_sentence_is_printed_and_decides() {
        let (mut args, metrics) = agent().await;
        let answer = ask(&args).await.expect("an answer");
        let waiting = "not ready: starting, the source has not begun".to_owned();
        assert_eq!(answer, Answer { good: false, sentence: waiting });
        assert_eq!(run(HealthArgs { url: args.url.clone(), live: false }).await.expect("runs"), ExitCode::FAILURE);
        metrics.health.beat();
        metrics.health.set_source(SourceState::Reading);
        metrics.health.set_store(StoreState::Up);
        metrics.health.set_lease(LeaseState::Held);
        assert_eq!(ask(&args).await.expect("an answer"), Answer { good: true, sentence: "ready: reading".into() });
        args.live = true;
        assert_eq!(ask(&args).await.expect("an answer"), Answer { good: true, sentence: "alive".into() });
        assert_eq!(run(args).await.expect("runs"), ExitCode::SUCCESS);
    }

    #[tokio::test]
    async fn an_address_where_nobody_listens_is_named() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
        let url: Url = format!("http://{closed}").parse().expect("a URL");
        let error = ask(&HealthArgs { url: url.clone(), live: false }).await.expect_err("nobody is there");
        let expected =
            format!("no agent answers at {url}: no connection; is it running, and is this its status.listen?");
        assert_eq!(error.to_string(), expected);
    }

    #[tokio::test]
    async fn another_servers_page_is_not_taken_for_an_answer() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url: Url = format!("http://{}", listener.local_addr().expect("bound")).parse().expect("a URL");
        tokio::spawn(axum::serve(listener, axum::Router::new()).into_future());
        let error = ask(&HealthArgs { url, live: false }).await.expect_err("not an agent");
        assert!(error.to_string().contains("answered 404"), "{error}");
    }
}
