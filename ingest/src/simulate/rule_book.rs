//! The rules of the app: added, deleted, listed, with the service's answers. Pure; the endpoint writes it as HTTP.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::options::Plan;
use super::rules::expr::Expr;
use super::rules::parse;

/// A rule that is in force.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) value: String,
    pub(crate) tag: Option<String>,
    pub(crate) expr: Arc<Expr>,
}

/// All rules of the app.
#[derive(Debug)]
pub(crate) struct RuleBook {
    plan: Plan,
    rules: Arc<Vec<Rule>>,
    last_id: u64,
}

/// A rule to add, as a client sends it.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct NewRule {
    pub(crate) value: String,
    #[serde(default)]
    pub(crate) tag: Option<String>,
}

/// Which rules to delete.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Which {
    Ids(Vec<String>),
    Values(Vec<String>),
}

/// Address of a problem's type.
pub(crate) fn problem(name: &str) -> String {
    format!("https://api.x.com/2/problems/{name}")
}

fn written(rule: &Rule) -> Value {
    let mut object = Map::new();
    object.insert("id".to_owned(), json!(rule.id));
    object.insert("value".to_owned(), json!(rule.value));
    if let Some(tag) = &rule.tag {
        object.insert("tag".to_owned(), json!(tag));
    }
    Value::Object(object)
}

impl RuleBook {
    /// No rules yet. `first_id` makes ids that look like the real ones.
    pub(crate) fn new(plan: Plan, first_id: u64) -> RuleBook {
        RuleBook { plan, rules: Arc::default(), last_id: first_id }
    }

    /// The rules as they are now.
    pub(crate) fn rules(&self) -> Arc<Vec<Rule>> {
        Arc::clone(&self.rules)
    }

    /// Adds rules, or only checks them; the status and body of the answer.
    pub(crate) fn add(&mut self, wanted: &[NewRule], dry_run: bool, sent: &str) -> (u16, Value) {
        let mut rules = self.rules.as_ref().clone();
        if rules.len() + wanted.len() > self.plan.rules() {
            let detail = format!("Rule creation exceeds the cap of {} rules for this app.", self.plan.rules());
            return (422, json!({"title": "RulesCapExceeded", "detail": detail, "type": problem("rule-cap")}));
        }
        let (mut created, mut errors) = (Vec::new(), Vec::new());
        let mut unreadable = 0;
        for new in wanted {
            if let Some(known) = rules.iter().find(|rule| rule.value == new.value) {
                errors.push(json!({"value": new.value, "id": known.id, "title": "DuplicateRule", "type": problem("duplicate-rules")}));
                continue;
            }
            match parse::parse(&new.value, self.plan.rule_chars()) {
                Ok(expr) => {
                    self.last_id += 1;
                    let rule = Rule {
                        id: self.last_id.to_string(),
                        value: new.value.clone(),
                        tag: new.tag.clone(),
                        expr: Arc::new(expr),
                    };
                    created.push(written(&rule));
                    rules.push(rule);
                }
                Err(details) => {
                    unreadable += 1;
                    errors.push(json!({"value": new.value, "details": details, "title": "UnprocessableEntity", "type": problem("invalid-rules")}));
                }
            }
        }
        let (good, bad) = (created.len(), errors.len());
        let mut body = Map::new();
        if good > 0 {
            body.insert("data".to_owned(), Value::Array(created));
        }
        body.insert(
            "meta".to_owned(),
            json!({"sent": sent, "summary": {"created": good, "not_created": bad, "valid": good, "invalid": bad}}),
        );
        if bad > 0 {
            body.insert("errors".to_owned(), Value::Array(errors));
        }
        if !dry_run {
            self.rules = Arc::new(rules);
        }
        // Unreadable rules are told with 200, everything else with 201.
        (if unreadable > 0 { 200 } else { 201 }, Value::Object(body))
    }

    /// Deletes rules, or only checks which are there; the body of the answer. `None` means all.
    pub(crate) fn delete(&mut self, which: Option<&Which>, dry_run: bool, sent: &str) -> (u16, Value) {
        let mut rules = self.rules.as_ref().clone();
        let before = rules.len();
        let mut errors = Vec::new();
        match which {
            None => rules.clear(),
            Some(Which::Ids(ids)) => {
                for id in ids.iter().filter(|id| !rules.iter().any(|rule| rule.id == **id)) {
                    errors.push(json!({"errors": [{"parameters": {}, "message": format!("Rule with id '{id}' does not exist")}],
                        "title": "Invalid Request", "detail": "One or more parameters to your request was invalid.", "type": problem("invalid-request")}));
                }
                rules.retain(|rule| !ids.contains(&rule.id));
            }
            Some(Which::Values(values)) => {
                for value in values.iter().filter(|value| !rules.iter().any(|rule| rule.value == **value)) {
                    errors.push(json!({"errors": [{"parameters": {}, "message": format!("Rule with value '{value}' does not exist")}],
                        "title": "Invalid Request", "detail": "One or more parameters to your request was invalid.", "type": problem("invalid-request")}));
                }
                rules.retain(|rule| !values.contains(&rule.value));
            }
        }
        let summary = json!({"deleted": before - rules.len(), "not_deleted": errors.len()});
        if !dry_run {
            self.rules = Arc::new(rules);
        }
        let mut body = json!({"meta": {"sent": sent, "summary": summary}});
        if !errors.is_empty() {
            body["errors"] = Value::Array(errors);
        }
        (200, body)
    }

    /// The rules, all or those with `ids`, from `offset` on and at most `max`; with the token of the next page.
    pub(crate) fn list(&self, ids: Option<&[String]>, offset: usize, max: usize, sent: &str) -> Value {
        let chosen: Vec<&Rule> =
            self.rules.iter().filter(|rule| ids.is_none_or(|ids| ids.contains(&rule.id))).collect();
        let page: Vec<Value> = chosen.iter().skip(offset).take(max).map(|rule| written(rule)).collect();
        let mut meta = json!({"sent": sent, "result_count": page.len()});
        if offset + page.len() < chosen.len() {
            meta["next_token"] = json!(format!("sim{}", offset + page.len()));
        }
        let mut body = Map::new();
        // Without rules the member is absent, not empty.
        if !page.is_empty() {
            body.insert("data".to_owned(), Value::Array(page));
        }
        body.insert("meta".to_owned(), meta);
        Value::Object(body)
    }
}
