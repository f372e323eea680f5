//! v2's error bodies.

use serde_json::{Value, json};

/// The `type` of a problem.
fn kind(name: &str) -> String {
    format!("https://api.x.com/2/problems/{name}")
}

/// A problem whose `type` names nothing.
pub(crate) fn plain(title: &str, status: u16) -> Value {
    json!({"title": title, "type": "about:blank", "status": status, "detail": title})
}

pub(crate) fn unsupported_authentication() -> Value {
    let detail = "Authenticating with OAuth 1.0a User Context is forbidden for this endpoint.  \
        Supported authentication types are [OAuth 2.0 Application-Only].";
    json!({"title": "Unsupported Authentication", "detail": detail, "type": kind("unsupported-authentication"), "status": 403})
}

pub(crate) fn client_forbidden() -> Value {
    let detail = "When authenticating requests to the X API v2 endpoints, you must use keys and tokens from a developer \
        App that is attached to a Project with access to this endpoint.";
    json!({"title": "Client Forbidden", "reason": "client-not-enrolled", "client_id": "1",
        "required_enrollment": "Appropriate Level of API Access", "detail": detail,
        "registration_url": "https://developer.x.com/en/docs/projects/overview", "type": kind("client-forbidden")})
}

/// `parameters` names the parameters with their values.
pub(crate) fn invalid_request(parameters: &Value, message: &str) -> Value {
    json!({"errors": [{"parameters": parameters, "message": message}], "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.", "type": kind("invalid-request")})
}

pub(crate) fn connection_exception(detail: &str, issue: &str) -> Value {
    json!({"title": "ConnectionException", "detail": detail, "connection_issue": issue, "type": kind("streaming-connection")})
}

pub(crate) fn disconnect(disconnect_type: &str, detail: &str) -> Value {
    json!({"errors": [{"title": "operational-disconnect", "disconnect_type": disconnect_type, "detail": detail,
        "type": kind("operational-disconnect")}]})
}

pub(crate) fn rule_cap(cap: usize) -> Value {
    let detail = format!("Rule creation exceeds the cap of {cap} rules for this app.");
    json!({"title": "RulesCapExceeded", "detail": detail, "type": kind("rule-cap")})
}

pub(crate) fn duplicate_rule(value: &str, id: &str) -> Value {
    json!({"value": value, "id": id, "title": "DuplicateRule", "type": kind("duplicate-rules")})
}

pub(crate) fn invalid_rule(value: &str, details: &str) -> Value {
    json!({"value": value, "details": [details], "title": "UnprocessableEntity", "type": kind("invalid-rules")})
}
