//! OCSF 1.8.0 Compliance Findings (class 2003): an event per finding, a line each. What is not applicable has none.

use super::Ids;
use crate::act::Status;
use crate::report::Report;
use crate::report::model::{Finding, System};
use serde_json::{Value, json};
use std::fmt::Write;

/// The events, as NDJSON.
pub fn render(r: &Report) -> String {
    let ids = Ids::of(r);
    let mut text = String::new();
    let of_systems = r.systems.iter().flat_map(|s| s.findings.iter().map(move |f| (Some(s), f)));
    let all = of_systems.chain(r.estate_findings.iter().map(|f| (None, f)));
    for (system, f) in all.filter(|(_, f)| f.status != Status::NotApplicable) {
        let _ = writeln!(text, "{}", event(r, &ids, system, f));
    }
    text
}

/// What it is called where it is created, updated, closed: by what became of its worst unit.
fn activity(f: &Finding) -> (u64, &'static str) {
    let has = |lifecycle: &str| f.units.iter().any(|u| u.lifecycle == lifecycle);
    match f.status {
        Status::Satisfied if has("resolved") => (3, "Close"),
        Status::NotSatisfied if has("new") => (1, "Create"),
        _ => (2, "Update"),
    }
}

fn event(r: &Report, ids: &Ids, system: Option<&System>, f: &Finding) -> Value {
    // 2, Warning: no result, as information is missing.
    let (outcome_id, outcome) = match f.status {
        Status::Satisfied => (1, "Pass"),
        Status::NotAssessed => (2, "Warning"),
        Status::NotSatisfied => (3, "Fail"),
        Status::NotApplicable => (99, "Other"),
    };
    let rank = ["low", "medium", "high", "critical"].iter().position(|s| *s == f.severity);
    let (severity_id, severity) = match rank.filter(|_| f.status == Status::NotSatisfied) {
        Some(rank) => (rank + 2, ["Low", "Medium", "High", "Critical"][rank]),
        None => (1, "Informational"),
    };
    let (status_id, status) = match f.status {
        Status::Satisfied => (4, "Resolved"),
        _ if f.excepted => (3, "Suppressed"),
        _ => (1, "New"),
    };
    let (activity_id, activity) = activity(f);
    let at = r.as_of.at.millis();
    let mut event = json!({
        "activity_id": activity_id, "activity_name": activity, "category_uid": 2, "category_name": "Findings",
        "class_uid": 2003, "class_name": "Compliance Finding", "type_uid": 200_300 + activity_id,
        "type_name": format!("Compliance Finding: {activity}"),
        "time": at, "severity_id": severity_id, "severity": severity, "status_id": status_id, "status": status,
        "message": if f.summary.is_empty() { &f.title } else { &f.summary },
        "metadata": {
            "version": "1.8.0", "product": { "name": "actledger", "vendor_name": "actledger", "version": r.version },
            "uid": ids.id(&format!("event {} {} {}", f.control, f.system, r.as_of.root)),
        },
        "finding_info": {
            "uid": ids.finding("finding", &f.control, &f.system), "title": f.title, "desc": f.summary,
            "last_seen_time": at, "types": ["Compliance"],
        },
        "compliance": {
            "control": f.control, "status_id": outcome_id, "status": outcome, "standards": ["Regulation (EU) 2024/1689"],
        },
        "resources": [resource(system)],
    });
    let first = f.units.iter().filter(|u| u.status == f.status).filter_map(|u| u.first_seen).min();
    if let Some(first) = first {
        event["finding_info"]["first_seen_time"] = first.millis().into();
    }
    if !f.references.is_empty() {
        event["compliance"]["requirements"] = json!(f.references);
    }
    let details: Vec<&str> =
        [f.duty.as_str(), f.reason.as_str()].into_iter().filter(|d| !d.is_empty()).collect();
    event["compliance"]["status_details"] = json!(details);
    if !f.remediation.is_empty() {
        event["remediation"] = json!({ "desc": f.remediation });
    }
    let evidences = evidences(f);
    if !evidences.is_empty() {
        event["evidences"] = evidences.into();
    }
    event
}

/// Entries that decide, at most twenty.
fn evidences(f: &Finding) -> Vec<Value> {
    let deciding = f.units.iter().filter(|u| u.status == f.status).flat_map(|u| &u.evidence);
    let told = |e: &crate::report::model::Evidence| {
        let leaf = crate::evidence::hex(&e.leaf);
        json!({ "name": format!("ledger entry {}", e.seq), "data": { "entry": e.seq, "leaf": leaf } })
    };
    deciding.take(20).map(told).collect()
}

fn resource(system: Option<&System>) -> Value {
    match system {
        Some(s) => json!({
            "uid": s.id, "name": s.name, "type": "AI system",
            "labels": [format!("risk-level={}", s.risk_level.effective), format!("team={}", s.team)],
        }),
        None => json!({ "uid": "estate", "name": "estate", "type": "AI estate" }),
    }
}
