//! Asks a running program's pages.

use std::time::Duration;

use crate::lake::RUNTIME;

/// Status code and text of a page; `None` when nobody answers.
pub(crate) fn page(url: &str) -> Option<(u16, String)> {
    RUNTIME.block_on(async {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().expect("a client");
        let answer = client.get(url).send().await.ok()?;
        let code = answer.status().as_u16();
        Some((code, answer.text().await.ok()?))
    })
}

/// The text of a page that is there.
pub(crate) fn text(url: &str) -> String {
    let (code, text) = page(url).unwrap_or_else(|| panic!("nobody answers at {url}"));
    assert_eq!(code, 200, "{url}: {text}");
    text
}

/// One number of an agent's status page.
pub(crate) fn metric(status: &str, name: &str) -> f64 {
    let text = text(&format!("{status}/metrics"));
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
}
