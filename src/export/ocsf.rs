//! OCSF 1.8.0 Compliance Findings (class 2003), in their first form: one event per finding, a JSON array.

use super::{oscal, uuid};
use crate::act::Status;
use crate::report::model::{Finding, Report};
use serde_json::{Value, json};

/// The document.
pub fn render(r: &Report) -> String {
    let all = r.findings();
    let events: Vec<Value> = all.filter(|f| f.status != Status::NotApplicable).map(|f| event(r, f)).collect();
    oscal::pretty(&Value::Array(events))
}

fn event(r: &Report, f: &Finding) -> Value {
    let (status_id, status) = match f.status {
        Status::Satisfied => (1, "Pass"),
        Status::NotAssessed => (2, "Warning"),
        Status::NotSatisfied => (3, "Fail"),
        Status::NotApplicable => (99, "Other"),
    };
    let severity =
        ["low", "medium", "high", "critical"].iter().position(|s| *s == f.severity).map_or(1, |i| i + 2);
    let severity = if f.status == Status::NotSatisfied { severity } else { 1 };
    json!({
        "activity_id": 1, "category_uid": 2, "class_uid": 2003, "type_uid": 200_301, "severity_id": severity,
        "time": r.as_of.at.millis(),
        "metadata": { "version": "1.8.0", "product": { "name": "actledger", "version": r.version } },
        "finding_info": { "uid": uuid(&format!("finding {} {}", f.control, f.system)), "title": f.title, "desc": f.summary },
        "compliance": { "control": f.control, "status_id": status_id, "status": status, "requirements": f.references },
        "resources": [{ "name": if f.system.is_empty() { "estate" } else { &f.system }, "type": "AI system" }],
        "remediation": { "desc": f.remediation },
    })
}
