//! The rules of the app: added, deleted and listed, with the service's answers. Pure; the endpoint sends them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::options::Plan;
use crate::problems;
use crate::rules::expr::Expr;
use crate::rules::v2;

/// A rule in force, serialized as the endpoint lists it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    #[serde(skip)]
    pub(crate) expr: Arc<Expr>,
}

/// A rule to add, as a client sends it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NewRule {
    pub(crate) value: String,
    pub(crate) tag: Option<String>,
}

/// Which rules to delete.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Which {
    Ids(Vec<String>),
    Values(Vec<String>),
}

/// Why a rule is not added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RuleError {
    /// Holds the id of the other rule.
    #[error("the same rule was given before")]
    Duplicate(String),
    #[error("{0}")]
    Invalid(String),
}

#[derive(Debug)]
pub(crate) struct RuleBook {
    plan: Plan,
    rules: Arc<Vec<Rule>>,
    last_id: u64,
}

impl RuleBook {
    /// Without rules. Their ids follow `first_id`, so that they look like real ones.
    pub(crate) fn new(plan: Plan, first_id: u64) -> RuleBook {
        RuleBook { plan, rules: Arc::default(), last_id: first_id }
    }

    /// The current rules.
    pub(crate) fn rules(&self) -> Arc<Vec<Rule>> {
        Arc::clone(&self.rules)
    }

    /// Adds one rule.
    ///
    /// # Errors
    /// If the rule exists or is not valid.
    pub(crate) fn insert(&mut self, value: &str, tag: Option<&str>) -> Result<Rule, RuleError> {
        if let Some(known) = self.rules.iter().find(|rule| rule.value == value) {
            return Err(RuleError::Duplicate(known.id.clone()));
        }
        let expr = v2::parse(value, self.plan.max_rule_chars()).map_err(RuleError::Invalid)?;
        self.last_id += 1;
        let (id, tag) = (self.last_id.to_string(), tag.map(str::to_owned));
        let rule = Rule { id, value: value.to_owned(), tag, expr: Arc::new(expr) };
        Arc::make_mut(&mut self.rules).push(rule.clone());
        Ok(rule)
    }

    /// Adds rules, or checks them only. Returns status and body of the answer.
    pub(crate) fn add(&mut self, wanted: &[NewRule], is_dry_run: bool, sent: &str) -> (u16, Value) {
        if self.rules.len() + wanted.len() > self.plan.max_rules() {
            return (422, problems::rule_cap(self.plan.max_rules()));
        }
        let before = self.rules();
        let (mut created, mut errors, mut status) = (Vec::new(), Vec::new(), 201);
        for NewRule { value, tag } in wanted {
            match self.insert(value, tag.as_deref()) {
                Ok(rule) => created.push(rule),
                Err(RuleError::Duplicate(id)) => errors.push(problems::duplicate_rule(value, &id)),
                Err(RuleError::Invalid(details)) => {
                    // The service answers 200 if a rule is not valid, and 201 if rules are duplicates only.
                    status = 200;
                    errors.push(problems::invalid_rule(value, &details));
                }
            }
        }
        if is_dry_run {
            self.rules = before;
        }
        let (good, bad) = (created.len(), errors.len());
        let summary = json!({"created": good, "not_created": bad, "valid": good, "invalid": bad});
        (status, body(json!({"sent": sent, "summary": summary}), json!(created), errors))
    }

    /// Deletes rules, or checks only which exist; `None` means all. Returns status and body of the answer.
    pub(crate) fn delete(&mut self, which: Option<&Which>, is_dry_run: bool, sent: &str) -> (u16, Value) {
        let mut rules = self.rules.as_ref().clone();
        let before = rules.len();
        let (name, of, wanted): (_, fn(&Rule) -> &String, Vec<String>) = match which {
            None => ("id", |rule| &rule.id, rules.iter().map(|rule| rule.id.clone()).collect()),
            Some(Which::Ids(ids)) => ("id", |rule| &rule.id, ids.clone()),
            Some(Which::Values(values)) => ("value", |rule| &rule.value, values.clone()),
        };
        let missing = wanted.iter().filter(|wanted| !rules.iter().any(|rule| of(rule) == *wanted));
        let error = |value: &String| {
            problems::invalid_request(&json!({}), &format!("Rule with {name} '{value}' does not exist"))
        };
        let errors: Vec<Value> = missing.map(error).collect();
        rules.retain(|rule| !wanted.contains(of(rule)));
        let summary = json!({"deleted": before - rules.len(), "not_deleted": errors.len()});
        if !is_dry_run {
            self.rules = Arc::new(rules);
        }
        (200, body(json!({"sent": sent, "summary": summary}), json!([]), errors))
    }

    /// The rules, all or those with `ids`, at most `max` from `offset` on, with the token of the next page.
    pub(crate) fn list(&self, ids: Option<&[String]>, offset: usize, max: usize, sent: &str) -> Value {
        let chosen: Vec<&Rule> =
            self.rules.iter().filter(|rule| ids.is_none_or(|ids| ids.contains(&rule.id))).collect();
        let page: Vec<&&Rule> = chosen.iter().skip(offset).take(max).collect();
        let mut meta = json!({"sent": sent, "result_count": page.len()});
        if offset + page.len() < chosen.len() {
            meta["next_token"] = json!(format!("sim{}", offset + page.len()));
        }
        body(meta, json!(page), Vec::new())
    }
}

/// An answer. Lists that are empty are absent.
fn body(meta: Value, data: Value, errors: Vec<Value>) -> Value {
    let mut body = json!({ "meta": meta });
    for (key, list) in [("data", data), ("errors", Value::Array(errors))] {
        if list != json!([]) {
            body[key] = list;
        }
    }
    body
}
