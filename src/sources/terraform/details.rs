//! What is asked of a run beside its list: what policies said, who did what, what was planned.

use serde_json::Value;
use std::collections::BTreeSet;

/// Included with every run, where a run is asked for or listed.
pub(super) const INCLUDED: &str =
    "include=workspace,created_by,plan,cost_estimate,configuration_version.ingress_attributes";

/// Documents of a run that its own document leads to.
pub(super) fn of_run(run: &Value) -> Vec<String> {
    let Some(id) = run["id"].as_str() else { return Vec::new() };
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

/// Documents that replies about runs lead to, and whether a policy was let through, of which comments may tell.
pub(super) fn of_reply(reply: &Value) -> (Vec<String>, bool) {
    let part = |name: &str| reply[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let included: BTreeSet<&str> = part("included").iter().filter_map(|d| d["id"].as_str()).collect();
    let documents = || part("data").iter().chain(part("included"));
    let lead = |document: &Value| {
        let id = document["id"].as_str().unwrap_or_default();
        match document["type"].as_str()? {
            "policy-evaluations" => Some(format!("policy-evaluations/{id}/policy-set-outcomes")),
            "tf-policy-evaluations" => Some(format!("tf-policy-evaluations/{id}/tf-policy-set-outcomes")),
            "task-stages" if evaluations(document).any(|e| !included.contains(e)) => {
                Some(format!("task-stages/{id}/policy-evaluations"))
            }
            _ => None,
        }
    };
    (documents().filter_map(lead).collect(), documents().any(|d| status(d) == "overridden"))
}

/// Evaluations that a task stage names.
fn evaluations(stage: &Value) -> impl Iterator<Item = &str> {
    let named = stage["relationships"]["policy-evaluations"]["data"].as_array().into_iter().flatten();
    named.filter_map(|e| e["id"].as_str())
}

/// The plan of an applied run in JSON, without what is marked as sensitive.
pub(super) fn plan(run: &Value) -> Option<String> {
    let plan = run["relationships"]["plan"]["data"]["id"].as_str().filter(|_| status(run) == "applied")?;
    Some(format!("plans/{plan}/json-output-redacted"))
}

/// How far a run or a policy stage is.
pub(super) fn status(document: &Value) -> &str {
    document["attributes"]["status"].as_str().unwrap_or_default()
}

/// Whether a run has such documents, as far as it tells: a list of none has none, a link alone may have some.
fn leads_to(run: &Value, name: &str) -> bool {
    let relationship = &run["relationships"][name];
    relationship.is_object() && relationship["data"].as_array().is_none_or(|list| !list.is_empty())
}
