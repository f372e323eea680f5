//! The rules of the filtered stream: what the app has is brought in line with what the settings want.
//!
//! Only rules whose tag begins with this agent's prefix are ours; others are never touched. New rules are added before old
//! ones go, so that no tweet falls between; the outcome is read back, since answers can be lost and batches part-succeed.

use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::problem::{Action, Problem, classify};
use crate::config::redact::redact;
use crate::config::settings::Rule;
use crate::source::SourceError;
use crate::source::http::{Answer, Refused, ask, endpoint, shown};
use crate::source::reconnect::Failure;

const PATH: &str = "2/tweets/search/stream/rules";
/// Rules in one request.
const BATCH: usize = 100;

/// A rule that the app has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Present {
    id: String,
    value: String,
    tag: String,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    add: Vec<Rule>,
    /// Ids.
    delete: Vec<String>,
}

/// Compares by value; X may trim a value, so white space around it does not count.
fn plan(wanted: &[Rule], present: &[Present], prefix: &str) -> Plan {
    let mut plan = Plan::default();
    let mut kept: Vec<&str> = Vec::new();
    for rule in present.iter().filter(|rule| rule.tag.starts_with(prefix)) {
        let value = rule.value.trim();
        let is_wanted = wanted.iter().any(|wanted| wanted.value.trim() == value);
        if is_wanted && !kept.contains(&value) {
            kept.push(value);
        } else {
            plan.delete.push(rule.id.clone());
        }
    }
    for rule in wanted {
        let value = rule.value.trim();
        if !kept.contains(&value) && !plan.add.iter().any(|added| added.value.trim() == value) {
            plan.add.push(rule.clone());
        }
    }
    plan
}

/// Wanted rules that are not there, under whatever tag.
fn missing<'a>(wanted: &'a [Rule], present: &[Present]) -> Vec<&'a Rule> {
    wanted.iter().filter(|rule| !present.iter().any(|there| there.value.trim() == rule.value.trim())).collect()
}

/// What the answer to an addition means: duplicates are as good as added, an invalid rule is named.
fn added(answer: &Answer) -> Result<(), Refused> {
    let root: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let mut invalid = Vec::new();
    for error in root["errors"].as_array().into_iter().flatten() {
        let kind = error["type"].as_str().and_then(|kind| kind.rsplit('/').next()).unwrap_or_default();
        let title = error["title"].as_str().unwrap_or_default();
        match (kind, title) {
            ("duplicate-rules", _) | (_, "DuplicateRule") => {}
            ("invalid-rules", _) | (_, "UnprocessableEntity") => {
                let mut details: Vec<&str> =
                    error["details"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                details.extend(error["detail"].as_str());
                let value = error["value"].as_str().unwrap_or("a rule");
                invalid.push(shown(&redact(&format!("\"{value}\": {}", details.join(", ")))));
            }
            _ => {
                let detail = error["detail"].as_str().unwrap_or(title);
                return Err(Refused::retry("rules", Failure::Http, shown(detail)));
            }
        }
    }
    if invalid.is_empty() {
        return Ok(());
    }
    Err(Refused::configuration(format!(
        "X takes these rules for invalid, change source.rules or source.keywords: {}",
        invalid.join("; ")
    )))
}

/// The rules of one app.
pub(crate) struct Rules<'a> {
    pub(crate) client: &'a Client,
    pub(crate) base: &'a Url,
    pub(crate) bearer: HeaderValue,
    /// How tags of our rules begin.
    pub(crate) prefix: &'a str,
}

impl Rules<'_> {
    /// Brings the app's rules in line with `wanted`.
    pub(crate) async fn sync(&self, wanted: &[Rule]) -> Result<(), Action> {
        let present = self.list().await?;
        let plan = plan(wanted, &present, self.prefix);
        if plan == Plan::default() {
            return Ok(());
        }
        tracing::info!(add = plan.add.len(), delete = plan.delete.len(), there = present.len(), "changing rules");
        match self.add(&plan.add).await {
            // With no room left, what goes must go first.
            Err(Action::Refuse(Refused::Fatal { cause, .. })) if cause == FULL && !plan.delete.is_empty() => {
                self.delete(&plan.delete).await?;
                self.add(&plan.add).await?;
            }
            added => {
                added?;
                self.delete(&plan.delete).await?;
            }
        }
        let present = self.list().await?;
        match missing(wanted, &present).first() {
            None => Ok(()),
            Some(first) => Err(Action::Refuse(Refused::retry(
                "rules",
                Failure::Http,
                format!("rules were added but are not there, such as {}", shown(&first.tag)),
            ))),
        }
    }

    pub(crate) async fn list(&self) -> Result<Vec<Present>, Action> {
        let mut rules = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut url = endpoint(self.base, PATH);
            if let Some(next) = &next {
                url.query_pairs_mut().append_pair("pagination_token", next);
            }
            let answer = self.ask(self.client.get(url)).await?;
            let root: Value = serde_json::from_slice(&answer.body).map_err(|error| {
                let detail = format!("the list of rules is no JSON: {error}");
                Action::Refuse(Refused::retry("rules", Failure::Http, detail))
            })?;
            for rule in root["data"].as_array().into_iter().flatten() {
                rules.push(Present { id: text(&rule["id"]), value: text(&rule["value"]), tag: text(&rule["tag"]) });
            }
            let following = root["meta"]["next_token"].as_str().map(str::to_owned);
            // A token that does not move on would make this go on for ever.
            if following.is_none() || following == next {
                return Ok(rules);
            }
            next = following;
        }
    }

    async fn add(&self, rules: &[Rule]) -> Result<(), Action> {
        for rules in rules.chunks(BATCH) {
            let rules: Vec<Value> = rules.iter().map(|rule| json!({"value": rule.value, "tag": rule.tag})).collect();
            let request = self.client.post(endpoint(self.base, PATH)).json(&json!({ "add": rules }));
            added(&self.ask(request).await?).map_err(Action::Refuse)?;
        }
        Ok(())
    }

    async fn delete(&self, ids: &[String]) -> Result<(), Action> {
        for ids in ids.chunks(BATCH) {
            let request = self.client.post(endpoint(self.base, PATH)).json(&json!({ "delete": { "ids": ids } }));
            self.ask(request).await?;
        }
        Ok(())
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Answer, Action> {
        let answer = ask(request.header(AUTHORIZATION, self.bearer.clone())).await.map_err(Action::Refuse)?;
        if matches!(answer.status, StatusCode::OK | StatusCode::CREATED) {
            return Ok(answer);
        }
        let problem = Problem::read(&answer.body);
        if problem.kind == "rule-cap" {
            let text =
                format!("the app has no room for more rules ({}); delete some or use fewer", problem.words(&answer));
            return Err(Action::Refuse(Refused::fatal(FULL, SourceError::Configuration(text))));
        }
        // Some invalid rules are answered with a 4xx in place of the documented 200.
        if answer.status.is_client_error() {
            added(&answer).map_err(Action::Refuse)?;
        }
        Err(classify(&answer, Timestamp::now().as_second()))
    }
}

const FULL: &str = "rule-cap";

/// A text, or a number as one: ids have come as both.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(id: &str, value: &str, tag: &str) -> Present {
        Present { id: id.to_owned(), value: value.to_owned(), tag: tag.to_owned() }
    }

    fn rule(value: &str) -> Rule {
        Rule { value: value.to_owned(), tag: format!("cauce:a:{value}") }
    }

    #[test]
    fn only_our_own_rules_are_changed() {
        let there = [
            present("1", "cats", "cauce:a:cats"),
            present("2", "old", "cauce:a:old"),
            present("3", "foreign", "team b"),
            present("4", "other agent", "cauce:ab:x"),
            present("5", "untagged", ""),
        ];
        let plan = plan(&[rule("cats"), rule("dogs")], &there, "cauce:a:");
        assert_eq!(plan, Plan { add: vec![rule("dogs")], delete: vec!["2".to_owned()] });
    }

    #[test]
    fn a_rule_that_somebody_else_has_is_there_too() {
        let there = [present("3", "cats", "team b")];
        assert_eq!(missing(&[rule("cats"), rule("dogs")], &there), [&rule("dogs")]);
    }

    #[test]
    fn a_value_is_wanted_once_and_kept_once() {
        let there = [present("1", "cats", "cauce:a:1"), present("2", "cats ", "cauce:a:2")];
        let plan = plan(&[rule("cats"), rule("cats"), rule("dogs"), rule("dogs")], &there, "cauce:a:");
        assert_eq!(plan, Plan { add: vec![rule("dogs")], delete: vec!["2".to_owned()] });
    }

    #[test]
    fn a_duplicate_is_as_good_as_added_and_an_invalid_rule_is_named_with_its_faults() {
        let answer = |body: &str| Answer {
            status: StatusCode::OK,
            headers: reqwest::header::HeaderMap::new(),
            body: body.to_owned().into(),
        };
        let duplicate = r#"{"errors":[{"value":"cats","id":"1","title":"DuplicateRule","type":"https://api.x.com/2/problems/duplicate-rules"}]}"#;
        added(&answer(duplicate)).expect("it is there");
        let invalid = r#"{"errors":[{"value":"-cats","details":["Rules must contain a non-negation term (at position 1)"],
            "title":"UnprocessableEntity","type":"https://api.twitter.com/2/problems/invalid-rules"}]}"#;
        let Err(Refused::Fatal { error: SourceError::Configuration(text), .. }) = added(&answer(invalid)) else {
            panic!("not fatal")
        };
        assert!(text.contains("\"-cats\": Rules must contain a non-negation term"), "{text}");
        let Err(Refused::Fatal { error, .. }) = added(&answer(&invalid.replace("-cats", "AKIAIOSFODNN7EXAMPLE")))
        else {
            panic!("not fatal")
        };
        assert!(!error.to_string().contains("AKIAIOSFODNN7EXAMPLE"), "a key as a keyword is repeated: {error}");
    }
}
