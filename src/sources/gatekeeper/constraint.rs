//! Constraints: what they ask, what the last audit found, and how much of it was listed.

use super::super::Gathered;
use super::name;
use crate::config::Source;
use crate::evidence::gatekeeper::{Audit, AuditRow, Constraint, PodStatus, Violation};
use crate::evidence::{Evidence, Kind, Time, outside_json};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Writes the constraint and its violations; gives the row of the audit.
pub(super) fn read(
    out: &mut Gathered,
    source: &Source,
    cluster: &str,
    at: Time,
    kind: &str,
    object: &Value,
) -> AuditRow {
    let action = object["spec"]["enforcementAction"].as_str().unwrap_or("deny").to_owned();
    let payload = Constraint {
        gone: false,
        kind: kind.to_owned(),
        name: name(object).to_owned(),
        uid: object["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
        generation: object["metadata"]["generation"].as_i64().unwrap_or(0),
        effective_action: effective_action(&action, &object["spec"]),
        action,
        r#match: outside_json(&object["spec"]["match"]),
        parameters: outside_json(&object["spec"]["parameters"]),
        by_pod: object["status"]["byPod"].as_array().into_iter().flatten().map(pod).collect(),
        created: object["metadata"]["creationTimestamp"].as_str().and_then(|t| t.parse().ok()),
    };
    let subject = format!("k8s:{cluster}/-/{kind}/{}", payload.name);
    out.evidence.push(Evidence::state(Kind::GatekeeperConstraint, &source.name, subject, at, &payload));
    violations(out, source, cluster, at, &payload, &object["status"])
}

/// For `scoped`, the action at the admission webhook; none named there is no action.
fn effective_action(action: &str, spec: &Value) -> String {
    if action != "scoped" {
        return action.to_owned();
    }
    let scoped = spec["scopedEnforcementActions"].as_array().into_iter().flatten();
    let at_webhook = scoped.filter(|s| {
        let points = s["enforcementPoints"].as_array().into_iter().flatten();
        points.filter_map(|p| p["name"].as_str()).any(|n| n == "validation.gatekeeper.sh" || n == "*")
    });
    let actions: Vec<&str> = at_webhook.filter_map(|s| s["action"].as_str()).collect();
    let strictest = ["deny", "warn", "dryrun"].into_iter().find(|a| actions.contains(a));
    strictest.or(actions.first().copied()).unwrap_or("none").to_owned()
}

fn pod(status: &Value) -> PodStatus {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let errors = status["errors"].as_array().into_iter().flatten().map(|e| text(&e["message"]));
    let points = status["enforcementPointsStatus"].as_array().into_iter().flatten();
    let failing = points.filter(|p| p["state"] == "error" && p["enforcementPoint"] != "vap.k8s.io");
    PodStatus {
        id: text(&status["id"]),
        operations: status["operations"].as_array().into_iter().flatten().map(text).collect(),
        enforced: status["enforced"].as_bool().unwrap_or(false),
        observed_generation: status["observedGeneration"].as_i64().unwrap_or(0),
        errors: errors.chain(failing.map(|p| text(&p["message"]))).collect(),
    }
}

fn violations(
    out: &mut Gathered,
    source: &Source,
    cluster: &str,
    at: Time,
    constraint: &Constraint,
    status: &Value,
) -> AuditRow {
    let id = format!("{}/{}", constraint.kind, constraint.name);
    let mut objects: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    let listed = status["violations"].as_array().map_or(&[][..], Vec::as_slice);
    for v in listed {
        let text = |name: &str| v[name].as_str().unwrap_or_default();
        let object = format!("{}/{}/{}", text("namespace"), text("kind"), text("name"));
        let row =
            objects.entry(object).or_insert_with(|| (text("enforcementAction").to_owned(), BTreeSet::new()));
        row.1.insert(text("message").to_owned());
    }
    for (object, (action, messages)) in objects {
        let subject = format!("k8s:{cluster}/{object}#{id}");
        let messages = messages.into_iter().collect();
        let payload = Violation { gone: false, constraint: id.clone(), object, action, messages };
        out.evidence.push(Evidence::state(Kind::GatekeeperViolation, &source.name, subject, at, &payload));
    }
    let total = status["totalViolations"].as_i64();
    let row = AuditRow {
        kind: constraint.kind.clone(),
        name: constraint.name.clone(),
        total,
        listed: i64::try_from(listed.len()).unwrap_or(i64::MAX),
    };
    if row.truncated() || status["auditTimestamp"].is_null() || total.is_none() {
        out.complete.entry(Kind::GatekeeperViolation).or_default().insert(format!("#{id}"));
    }
    if row.truncated() {
        out.truncated.push(format!("{id} lists {} of {} violations", row.listed, total.unwrap_or(0)));
    }
    row
}

/// The audit of the cluster as one state: written only when more than times changed.
pub(super) fn audit(out: &mut Gathered, source: &Source, cluster: &str, at: Time, mut rows: Vec<AuditRow>) {
    rows.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
    let payload = Audit { gone: false, constraints: rows };
    let subject = format!("k8s:{cluster}/-/Audit/audit");
    out.evidence.push(Evidence::state(Kind::GatekeeperAudit, &source.name, subject, at, &payload));
}
