//! What policies said, in the two shapes that HCP Terraform gives: policy checks and policy evaluations.

use super::super::Gathered;
use super::{Docs, host, path_part, related};
use crate::config::Source;
use crate::evidence::sentinel::{Outcome, PolicySet};
use crate::evidence::{Evidence, Kind, Time};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) fn outcomes(out: &mut Gathered, source: &Source, docs: &Docs, at: Time) {
    let levels = levels(docs);
    let mut found = Vec::new();
    for (id, check, path) in docs.all("policy-checks") {
        let run = related(check, "run").or(path_part(path, "runs")).unwrap_or_default().to_owned();
        for (set, policy, status) in check_policies(check) {
            found.push((id.clone(), outcome(docs, &run, &policy, &set, &status, "check", status_of(check))));
        }
    }
    for (id, set, path) in docs.all("policy-set-outcomes") {
        let evaluation =
            related(set, "policy-evaluation").or(path_part(path, "policy-evaluations")).unwrap_or_default();
        let run = run_of_evaluation(docs, evaluation);
        let whole = docs.get("policy-evaluations", evaluation).map(status_of).unwrap_or_default();
        let name = set["attributes"]["policy-set-name"].as_str().unwrap_or_default();
        for item in set["attributes"]["outcomes"].as_array().into_iter().flatten() {
            let text = |n: &str| item[n].as_str().unwrap_or_default().to_owned();
            let mut o =
                outcome(docs, &run, &text("policy_name"), name, &text("status"), "evaluation", whole.clone());
            o.level = text("enforcement_level");
            found.push((id.clone(), o));
        }
    }
    for (id, mut outcome) in found {
        if let Some(level) = levels.get(&outcome.policy)
            && (outcome.level.is_empty() || outcome.level == "mandatory")
        {
            outcome.level = level.clone();
        }
        let key = format!("{id}/{}/{}/{}", outcome.policy_set, outcome.policy, outcome.stage_status);
        let subject =
            format!("tfe:{}/{}/{}/{}", host(source), outcome.workspace, outcome.run, outcome.policy);
        let at = applied_at(docs, &outcome.run).unwrap_or(at);
        out.evidence.push(Evidence::event(Kind::SentinelOutcome, &source.name, key, subject, at, &outcome));
    }
}

fn outcome(
    docs: &Docs,
    run: &str,
    policy: &str,
    set: &str,
    status: &str,
    stage: &str,
    stage_status: String,
) -> Outcome {
    Outcome {
        run: run.to_owned(),
        workspace: docs.workspace_of_run(run),
        policy: policy.to_owned(),
        policy_set: set.to_owned(),
        status: status.to_owned(),
        level: String::new(),
        stage: stage.to_owned(),
        stage_status,
    }
}

fn applied_at(docs: &Docs, run: &str) -> Option<Time> {
    let run = docs.get("runs", run)?;
    run["attributes"]["status-timestamps"]["applied-at"]
        .as_str()
        .or(run["attributes"]["created-at"].as_str())?
        .parse()
        .ok()
}

fn status_of(doc: &Value) -> String {
    doc["attributes"]["status"].as_str().unwrap_or_default().to_owned()
}

pub(super) fn run_of_evaluation(docs: &Docs, evaluation: &str) -> String {
    let found = docs.all("policy-evaluations").find(|(id, _, _)| *id == evaluation);
    let stage = found.and_then(|(_, d, p)| related(d, "policy-attachable").or(path_part(p, "task-stages")));
    let stage = stage.and_then(|s| docs.all("task-stages").find(|(id, _, _)| id.as_str() == s));
    stage.and_then(|(_, d, p)| related(d, "run").or(path_part(p, "runs"))).unwrap_or_default().to_owned()
}

/// (policy set, policy, status) of each policy of a check. Where the engine's own result is not given, the check
/// stands for all of its policies under the name `*`.
pub(super) fn check_policies(check: &Value) -> Vec<(String, String, String)> {
    let result = &check["attributes"]["result"];
    let sentinel = &result["sentinel"];
    let mut sets: Vec<(String, &Value)> = Vec::new();
    if let Some(data) = sentinel["data"].as_object() {
        sets.extend(data.iter().map(|(name, set)| (name.clone(), set)));
    } else if sentinel["policies"].is_array() {
        sets.push((String::new(), sentinel));
    }
    let mut found = Vec::new();
    for (set, body) in sets {
        for policy in body["policies"].as_array().into_iter().flatten() {
            let full = policy["policy"].as_str().or(policy["policy"]["name"].as_str()).unwrap_or_default();
            let name = full.rsplit('/').next().unwrap_or(full).trim_end_matches(".sentinel");
            let status =
                match (policy["error"].is_null() || policy["error"] == "", policy["result"].as_bool()) {
                    (false, _) => "errored",
                    (true, Some(true)) => "passed",
                    (true, Some(false)) => "failed",
                    (true, None) => "unknown",
                };
            found.push((set.clone(), name.to_owned(), status.to_owned()));
        }
    }
    if found.is_empty() {
        let status = match (result["result"].as_bool(), result["passed"].as_i64()) {
            (Some(true), Some(n)) if n > 0 => "passed",
            (Some(true), _) => "unknown",
            (Some(false), _) => "failed",
            (None, _) => "unknown",
        };
        found.push((String::new(), "*".to_owned(), status.to_owned()));
    }
    found
}

/// Enforcement level of each policy, from the list of policies.
fn levels(docs: &Docs) -> BTreeMap<String, String> {
    let level = |p: &Value| {
        let a = &p["attributes"];
        let stated = a["enforcement-level"].as_str().or(a["enforce"][0]["mode"].as_str())?;
        Some((a["name"].as_str()?.to_owned(), stated.to_owned()))
    };
    docs.all("policies").filter_map(|(_, p, _)| level(p)).collect()
}

pub(super) fn sets(out: &mut Gathered, source: &Source, docs: &Docs, at: Time) {
    let levels = levels(docs);
    for (id, doc, _) in docs.all("policy-sets") {
        let a = &doc["attributes"];
        let ids = |name: &str| {
            let list = doc["relationships"][name]["data"].as_array().into_iter().flatten();
            list.filter_map(|d| d["id"].as_str()).map(str::to_owned).collect::<Vec<_>>()
        };
        let policy = |id: &String| {
            let name = docs
                .get("policies", id)
                .and_then(|p| p["attributes"]["name"].as_str())
                .unwrap_or(id)
                .to_owned();
            let level = levels.get(&name).cloned().unwrap_or_default();
            (name, level)
        };
        let named = |name: &str| ids(name).iter().map(|w| docs.workspace(w)).collect();
        let payload = PolicySet {
            gone: false,
            id: id.clone(),
            name: a["name"].as_str().unwrap_or_default().to_owned(),
            global: a["global"].as_bool().unwrap_or(false),
            overridable: a["overridable"].as_bool().unwrap_or(false),
            policies: ids("policies").iter().map(policy).collect(),
            workspaces: named("workspaces"),
            excluded: named("workspace-exclusions"),
        };
        let subject = format!("tfe:{}/policy-sets/{id}", host(source));
        out.evidence.push(Evidence::state(Kind::SentinelPolicySet, &source.name, subject, at, &payload));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn policies_of_a_check_in_all_its_shapes() {
        let newer = json!({"attributes": {"result": {"sentinel": {"data": {"set": {"policies": [
            {"policy": "set/cost.sentinel", "result": false, "error": null}]}}}}}});
        assert_eq!(check_policies(&newer), [("set".into(), "cost".into(), "failed".into())]);
        let older = json!({"attributes": {"result": {"sentinel": {"policies": [
            {"policy": "cost", "result": true, "error": "boom"}]}}}});
        assert_eq!(check_policies(&older)[0].2, "errored");
        let opaque = json!({"attributes": {"result": {"result": false, "sentinel": {}}}});
        assert_eq!(check_policies(&opaque), [(String::new(), "*".into(), "failed".into())]);
    }
}
