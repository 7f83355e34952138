//! OSCAL 1.2.1 assessment results, in their first form: one finding per control and system, an observation each.
//!
//! OSCAL knows two states only: what could not be assessed is `not-satisfied` with reason `other` and says so.

use super::uuid;
use crate::act::Status;
use crate::report::model::{Finding, Report};
use serde_json::{Value, json};

/// The document.
pub fn render(r: &Report) -> String {
    let all: Vec<&Finding> = r.findings().collect();
    let judged: Vec<&&Finding> = all.iter().filter(|f| f.status != Status::NotApplicable).collect();
    let ids: std::collections::BTreeSet<&str> = judged.iter().map(|f| f.control.as_str()).collect();
    let include: Vec<Value> = ids.iter().map(|id| json!({ "control-id": id })).collect();
    let selection = if include.is_empty() {
        json!({ "include-all": {} })
    } else {
        json!({ "include-controls": include })
    };
    let plan = uuid("assessment plan");
    let mut result = json!({
        "uuid": uuid(&format!("result {}", r.as_of.root)),
        "title": format!("AI compliance, as of entry {}", r.as_of.size),
        "description": "Evidence for duties of Regulation (EU) 2024/1689, not a statement that they are met.",
        "start": r.period.from, "end": r.as_of.at,
        "reviewed-controls": { "control-selections": [selection] },
    });
    if !judged.is_empty() {
        result["observations"] = judged.iter().map(|f| observation(r, f)).collect();
        result["findings"] = judged.iter().map(|f| finding(f)).collect();
    }
    let document = json!({ "assessment-results": {
        "uuid": uuid(&format!("assessment results {}", r.as_of.root)),
        "metadata": { "title": format!("AI compliance report, {}", r.organization), "last-modified": r.as_of.at,
                      "version": r.version, "oscal-version": "1.2.1" },
        "import-ap": { "href": format!("#{plan}") },
        "results": [result],
        "back-matter": { "resources": [{ "uuid": plan, "title": "Control catalogue",
            "description": format!("actledger catalogue {}", r.law.catalogue) }] },
    }});
    pretty(&document)
}

pub(super) fn pretty(document: &Value) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}

fn key(f: &Finding) -> String {
    format!("{} {}", f.control, f.system)
}

fn observation(r: &Report, f: &Finding) -> Value {
    let prop = |name: &str, value: &str| json!({ "name": name, "ns": "https://actledger.example/ns/oscal", "value": value });
    let summary = if f.summary.trim().is_empty() { f.title.clone() } else { f.summary.trim().to_owned() };
    json!({
        "uuid": uuid(&format!("observation {} {}", r.as_of.root, key(f))),
        "title": one_line(&f.title), "description": summary, "methods": ["TEST"], "collected": r.as_of.at,
        "props": [prop("outcome", f.status.name()), prop("basis", f.basis)],
    })
}

fn finding(f: &Finding) -> Value {
    let satisfied = f.status == Status::Satisfied;
    let mut status = json!({ "state": if satisfied { "satisfied" } else { "not-satisfied" } });
    if f.status == Status::NotAssessed {
        status["reason"] = json!("other");
        status["remarks"] =
            json!(format!("Not assessed: {}", if f.reason.is_empty() { "unknown" } else { &f.reason }));
    }
    json!({
        "uuid": uuid(&format!("finding {}", key(f))),
        "title": one_line(&f.title),
        "description": if f.system.is_empty() { "The estate".to_owned() } else { format!("System {}", f.system) },
        "target": { "type": "objective-id", "target-id": f.control, "status": status },
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
