//! One attempt to open the filtered stream: token, rules where they may be out of line, request.

use std::sync::Arc;

use async_trait::async_trait;
use cauce_lake::tweet::Control;
use jiff::Timestamp;
use reqwest::Client;
use reqwest::header::AUTHORIZATION;

use super::problem::{Action, classify, in_stream};
use super::rules::Rules;
use super::token::Tokens;
use crate::clock::Clock;
use crate::config::settings::XV2Settings;
use crate::source::SourceError;
use crate::source::http::{ByteStream, Refused, client, endpoint, open, shown};
use crate::source::reconnect::Failure;
use crate::source::stream::{Dialect, Drop};

/// The filtered stream, or the sample stream, which has no rules.
pub(crate) struct XV2 {
    settings: XV2Settings,
    client: Client,
    tokens: Tokens,
    /// How tags of our rules begin.
    prefix: String,
    are_rules_synced: bool,
    clock: Arc<Clock>,
}

impl XV2 {
    pub(crate) fn new(settings: XV2Settings, agent_id: &str, clock: Arc<Clock>) -> Result<XV2, SourceError> {
        let client = client(&settings.base_url)?;
        let tokens = Tokens::new(settings.auth.clone());
        let prefix = format!("cauce:{agent_id}:");
        Ok(XV2 { settings, client, tokens, prefix, are_rules_synced: false, clock })
    }

    /// Asks for a token and the rules, and changes nothing: whether our credentials are taken.
    pub(crate) async fn probe(&mut self) -> Result<String, Refused> {
        let base = &self.settings.base_url;
        let bearer = self.tokens.bearer(&self.client, base).await?;
        let rules = Rules { client: &self.client, base, bearer, prefix: &self.prefix };
        match rules.list().await {
            Ok(there) => Ok(format!("X takes our credentials; the app has {} rules", there.len())),
            Err(Action::Refuse(refused)) => Err(refused),
            Err(_) => Err(Refused::configuration("X does not take our credentials for the rules of the stream".into())),
        }
    }

    async fn attempt(&mut self) -> Result<ByteStream, Action> {
        let base = &self.settings.base_url;
        let bearer = self.tokens.bearer(&self.client, base).await.map_err(Action::Refuse)?;
        if !self.are_rules_synced && !self.settings.sample {
            let rules = Rules { client: &self.client, base, bearer: bearer.clone(), prefix: &self.prefix };
            rules.sync(&self.settings.rules).await?;
            self.are_rules_synced = true;
        }
        let path = if self.settings.sample { "2/tweets/sample/stream" } else { "2/tweets/search/stream" };
        let mut url = endpoint(base, path);
        if !self.settings.fields.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.settings.fields);
        }
        if self.settings.backfill_minutes > 0 {
            url.query_pairs_mut().append_pair("backfill_minutes", &self.settings.backfill_minutes.to_string());
        }
        let request = self.client.get(url).header(AUTHORIZATION, bearer);
        match open(request, &self.clock).await.map_err(Action::Refuse)? {
            Ok(bytes) => Ok(bytes),
            Err(answer) => Err(classify(&answer, Timestamp::now().as_second())),
        }
    }
}

#[async_trait]
impl Dialect for XV2 {
    async fn connect(&mut self) -> Result<ByteStream, Refused> {
        loop {
            match self.attempt().await {
                Ok(bytes) => {
                    self.tokens.proven();
                    return Ok(bytes);
                }
                Err(Action::Refuse(refused)) => return Err(refused),
                Err(Action::Renew { detail }) => self.tokens.refused(&detail)?,
                Err(Action::WithoutBackfill) if self.settings.backfill_minutes > 0 => {
                    tracing::warn!("this plan has no backfill; going on without source.backfill_minutes");
                    self.settings.backfill_minutes = 0;
                }
                Err(Action::WithoutBackfill) => {
                    return Err(Refused::configuration("X refuses backfill_minutes, which was not sent".to_owned()));
                }
                Err(Action::SyncRules { detail }) => {
                    self.are_rules_synced = false;
                    return Err(Refused::retry("rules", Failure::Http, detail));
                }
            }
        }
    }

    fn hear(&mut self, word: Control) -> Option<Drop> {
        let drop = in_stream(&word);
        match &word {
            Control::Problem { problem, what, detail } => {
                // A disconnect like any other, but for the rules.
                let is_invalid_rules = what.as_deref() == Some("InvalidRules");
                let (what, detail) = (what.as_deref().map(shown), shown(detail));
                if drop.is_some() {
                    tracing::warn!(problem = shown(problem), what, detail, "the stream says that it ends");
                } else {
                    tracing::warn!(problem = shown(problem), what, detail, "errors in the stream, which goes on");
                }
                self.are_rules_synced &= !is_invalid_rules;
            }
            word => tracing::debug!(?word, "control message"),
        }
        drop
    }
}

#[cfg(test)]
mod tests;
