//! What is asked of a run beside its list: what policies said, who did what, what was planned.

use crate::evidence::sentinel::is_final;
use serde_json::Value;

/// Included with every run, where a run is asked for or listed.
pub(super) const INCLUDED: &str =
    "include=workspace,created_by,plan,cost_estimate,configuration_version.ingress_attributes";

/// Documents of a run that its own document leads to. A run that still goes on is asked for again.
pub(super) fn of_run(run: &Value) -> Vec<String> {
    let Some(id) = run["id"].as_str().filter(|_| is_final(status(run))) else { return Vec::new() };
    let checks = leads_to(run, "policy-checks").then(|| format!("runs/{id}/policy-checks"));
    let stages =
        leads_to(run, "task-stages").then(|| format!("runs/{id}/task-stages?include=policy_evaluations"));
    let own = leads_to(run, "tf-policy-evaluations").then(|| format!("runs/{id}/tf-policy-evaluations"));
    let mut found: Vec<String> = checks.into_iter().chain(stages).chain(own).collect();
    if !found.is_empty() || status(run) == "applied" {
        found.push(format!("runs/{id}/run-events?include=actor,comment"));
    }
    found
}

/// Documents that replies about runs lead to: outcomes of evaluations, and comments where a policy was let through.
pub(super) fn of_reply(path: &str, reply: &Value) -> Vec<String> {
    let documents =
        ["data", "included"].into_iter().flat_map(|part| reply[part].as_array().into_iter().flatten());
    let mut found = Vec::new();
    for document in documents {
        let id = document["id"].as_str().unwrap_or_default();
        match document["type"].as_str() {
            Some("policy-evaluations") => found.push(format!("policy-evaluations/{id}/policy-set-outcomes")),
            Some("tf-policy-evaluations") => {
                found.push(format!("tf-policy-evaluations/{id}/tf-policy-set-outcomes"))
            }
            _ => {}
        }
        let comments = path.split('/').nth(1).map(|run| format!("runs/{run}/comments"));
        if status(document) == "overridden" {
            found.extend(comments.filter(|c| !found.contains(c)));
        }
    }
    found
}

/// The plan of an applied run in JSON, without what is marked as sensitive.
pub(super) fn plan(run: &Value) -> Option<String> {
    let plan = run["relationships"]["plan"]["data"]["id"].as_str().filter(|_| status(run) == "applied")?;
    Some(format!("plans/{plan}/json-output-redacted"))
}

fn status(document: &Value) -> &str {
    document["attributes"]["status"].as_str().unwrap_or_default()
}

/// Whether a run has such documents, as far as it tells: a list of none has none, a link alone may have some.
fn leads_to(run: &Value, name: &str) -> bool {
    let relationship = &run["relationships"][name];
    relationship.is_object() && relationship["data"].as_array().is_none_or(|list| !list.is_empty())
}
