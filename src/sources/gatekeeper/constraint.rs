//! Constraints: what they ask, what the last audit found, and how much of it was listed.

use super::super::Gathered;
use super::reperform::{Performed, speaks_of};
use crate::config::Source;
use crate::evidence::gatekeeper::{Audit, AuditRow, Constraint, PodStatus, Verdict, Violation};
use crate::evidence::{Evidence, Kind, Time, outside_json, sha256_hex};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the last audit says of a constraint.
pub(super) struct Audited {
    /// What is written down of it.
    pub row: AuditRow,
    /// Messages by `NAMESPACE/KIND/NAME` of the violator, as far as they are listed.
    pub listed: BTreeMap<String, Vec<String>>,
    /// API groups stated for them; older versions of Gatekeeper state none.
    groups: BTreeMap<String, String>,
    /// Actions stated for them.
    actions: BTreeMap<String, String>,
    /// When the audit began.
    pub at: Option<Time>,
}

impl Audited {
    /// Whether what is listed under a name may be an object of a group: other groups have kinds of the same name.
    pub(super) fn is_of(&self, object: &str, group: &str) -> bool {
        self.groups.get(object).is_none_or(|stated| stated == group)
    }
}

/// A constraint as its object states it.
pub(super) fn constraint(kind: &str, object: &Value) -> Constraint {
    let action = object["spec"]["enforcementAction"].as_str().unwrap_or("deny").to_owned();
    Constraint {
        gone: false,
        kind: kind.to_owned(),
        name: object["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        uid: object["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
        generation: object["metadata"]["generation"].as_i64().unwrap_or(0),
        effective_action: effective_action(&action, &object["spec"]),
        action,
        r#match: outside_json(&object["spec"]["match"]),
        parameters: outside_json(&object["spec"]["parameters"]),
        by_pod: object["status"]["byPod"].as_array().into_iter().flatten().map(pod).collect(),
        created: object["metadata"]["creationTimestamp"].as_str().and_then(|t| t.parse().ok()),
    }
}

/// What its status says of the last audit. The template tells, where it was read, of which rule that is.
pub(super) fn audited(constraint: &Constraint, object: &Value, template: Option<&Value>) -> Audited {
    let status = &object["status"];
    let list = status["violations"].as_array().map_or(&[][..], Vec::as_slice);
    let (mut listed, mut actions) = (BTreeMap::<String, Vec<String>>::new(), BTreeMap::new());
    let mut groups = BTreeMap::new();
    for v in list {
        let text = |name: &str| v[name].as_str().unwrap_or_default();
        let object = format!("{}/{}/{}", text("namespace"), text("kind"), text("name"));
        actions.entry(object.clone()).or_insert_with(|| text("enforcementAction").to_owned());
        groups.extend(v["group"].as_str().map(|group| (object.clone(), group.to_owned())));
        listed.entry(object).or_default().push(text("message").to_owned());
    }
    for messages in listed.values_mut() {
        messages.sort();
        messages.dedup();
    }
    let total = status["totalViolations"].as_i64();
    let at = status["auditTimestamp"].as_str().and_then(|t| t.parse().ok());
    let row = AuditRow {
        kind: constraint.kind.clone(),
        name: constraint.name.clone(),
        total,
        listed: i64::try_from(list.len()).unwrap_or(i64::MAX),
        reperformed: None,
        rule: at.and_then(|at| rule(constraint, object, template?, at)),
    };
    Audited { row, listed, groups, actions, at }
}

/// Digest of what an audit asked: template, match and parameters. None when nothing shows that it asked what stands there now.
fn rule(constraint: &Constraint, object: &Value, template: &Value, at: Time) -> Option<String> {
    let asked = serde_json::json!([template["spec"]["targets"], constraint.r#match, constraint.parameters]);
    let is_of_now = speaks_of(object, at) && speaks_of(template, at);
    is_of_now.then(|| sha256_hex(asked.to_string().as_bytes()))
}

/// Writes a constraint's violations: those that are listed, and where our evaluation gives the same and the list ends early,
/// the others.
pub(super) fn violations(
    out: &mut Gathered,
    (source, cluster, at): (&Source, &str, Time),
    constraint: &Constraint,
    audited: &Audited,
    performed: Performed,
) {
    let id = format!("{}/{}", constraint.kind, constraint.name);
    let is_reproduced = performed.stated.verdict == Verdict::Reproduced;
    let further = performed
        .violators
        .into_iter()
        .filter(|(object, _)| is_reproduced && !audited.listed.contains_key(object));
    let listed = audited.listed.iter().map(|(object, messages)| (object.clone(), messages.clone()));
    for (object, messages) in listed.chain(further) {
        let reperformed = !audited.listed.contains_key(&object);
        let action =
            audited.actions.get(&object).or(audited.actions.values().next()).unwrap_or(&constraint.action);
        let (subject, messages) = (format!("k8s:{cluster}/{object}#{id}"), messages);
        let action = action.clone();
        let payload = Violation {
            gone: false,
            constraint: id.clone(),
            object,
            action,
            messages,
            reperformed,
            ending: None,
        };
        out.evidence.push(Evidence::state(Kind::GatekeeperViolation, &source.name, subject, at, &payload));
    }
    let row = &audited.row;
    let is_of_now = row.total.is_some() && row.rule.is_some();
    if !is_of_now || row.truncated() && !is_reproduced {
        out.complete.entry(Kind::GatekeeperViolation).or_default().insert(format!("#{id}"));
    }
    if row.truncated() {
        let total = row.total.unwrap_or(0);
        let rest = if is_reproduced { "; our own evaluation has all of them" } else { "" };
        out.truncated.push(format!("{id} lists {} of {total} violations{rest}", row.listed));
    }
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

/// The audit of the cluster as one state: written only when more than times changed.
pub(super) fn audit(out: &mut Gathered, source: &Source, cluster: &str, at: Time, mut rows: Vec<AuditRow>) {
    rows.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
    let payload = Audit { gone: false, constraints: rows };
    let subject = format!("k8s:{cluster}/-/Audit/audit");
    out.evidence.push(Evidence::state(Kind::GatekeeperAudit, &source.name, subject, at, &payload));
}
