//! OSCAL 1.2.1 assessment results (NIST): an observation and a finding per control and system, a risk for each that is not
//! satisfied.
//!
//! OSCAL knows two states only: what could not be assessed is `not-satisfied` with reason `other`, remarks that say what is
//! missing, and an observation whose outcome is `not-assessed`. What is not applicable has no finding.

use super::Ids;
use crate::act::Status;
use crate::report::Report;
use crate::report::model::{Finding, System};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Namespace of our own props.
const NS: &str = "https://actledger.example/ns/oscal";

/// The document.
pub fn render(r: &Report) -> String {
    let document = Document { r, ids: Ids::of(r) };
    let mut text = serde_json::to_string_pretty(&document.results()).unwrap_or_default();
    text.push('\n');
    text
}

struct Document<'r> {
    r: &'r Report,
    ids: Ids,
}

impl Document<'_> {
    fn results(&self) -> Value {
        let (r, id) = (self.r, |name: &str| self.ids.id(name));
        let (party, plan) = (id("organization"), id("assessment plan"));
        json!({ "assessment-results": {
            "uuid": id(&format!("assessment results {} {}", r.about, r.as_of.root)),
            "metadata": {
                "title": one_line(&format!("AI compliance report, {}, {}", r.organization, r.about)),
                "last-modified": r.as_of.at, "version": r.as_of.at, "oscal-version": "1.2.1",
                "props": [
                    prop("tool-version", &r.version),
                    prop("ledger-checkpoint-size", &r.as_of.size.to_string()),
                    prop("ledger-root-hash", &r.as_of.root),
                ],
                "roles": [{ "id": "assessor", "title": "Automated assessor" }],
                "parties": [{ "uuid": party, "type": "organization", "name": one_line(&r.organization) }],
                "responsible-parties": [{ "role-id": "assessor", "party-uuids": [party] }],
            },
            "import-ap": { "href": format!("#{plan}"), "remarks": "The control catalogue and the schedule of the service stand for a plan." },
            "results": [self.result()],
            "back-matter": { "resources": [
                { "uuid": plan, "title": "Control catalogue", "description": format!("actledger catalogue {}", r.law.catalogue) },
                { "uuid": id("ledger"), "title": "Ledger",
                  "description": format!("Entries are named by number and leaf hash (RFC 6962) of {}; a bundle of `actledger export` proves each.", r.integrity.origin) },
            ] },
        }})
    }

    fn result(&self) -> Value {
        let r = self.r;
        let judged: Vec<&Finding> = r.findings().filter(|f| f.status != Status::NotApplicable).collect();
        let counts = &r.totals.counts;
        let count = |name: &str, n: u64| prop(name, &n.to_string());
        let mut result = json!({
            "uuid": self.ids.id(&format!("result {} {}", r.about, r.as_of.root)),
            "title": format!("As of entry {}", r.as_of.size),
            "description": "Evidence for duties of Regulation (EU) 2024/1689, not a statement that they are met.",
            "start": r.period.from, "end": r.as_of.at,
            "props": [
                count("counts-satisfied", counts.satisfied), count("counts-not-satisfied", counts.not_satisfied),
                count("counts-not-assessed", counts.not_assessed), count("counts-not-applicable", counts.not_applicable),
            ],
            "reviewed-controls": { "control-selections": [self.reviewed(&judged)] },
        });
        // OSCAL has no empty lists.
        let mut put = |name: &str, list: Vec<Value>| {
            if !list.is_empty() {
                result[name] = list.into();
            }
        };
        put("observations", judged.iter().map(|f| self.observation(f)).collect());
        put(
            "risks",
            judged.iter().filter(|f| f.status == Status::NotSatisfied).map(|f| self.risk(f)).collect(),
        );
        put("findings", judged.iter().map(|f| self.finding(f)).collect());
        let systems: Vec<Value> = r.systems.iter().map(|s| self.item(s)).collect();
        if !systems.is_empty() {
            result["local-definitions"] = json!({ "inventory-items": systems });
        }
        result
    }

    fn reviewed(&self, judged: &[&Finding]) -> Value {
        let named = |ids: BTreeSet<&str>| -> Vec<Value> {
            ids.into_iter().map(|id| json!({ "control-id": id })).collect()
        };
        let asked: BTreeSet<&str> = judged.iter().map(|f| f.control.as_str()).collect();
        let never = self.r.findings().map(|f| f.control.as_str()).filter(|id| !asked.contains(id)).collect();
        let mut selection = Map::new();
        match named(asked) {
            asked if asked.is_empty() => selection.insert("include-all".into(), json!({})),
            asked => selection.insert("include-controls".into(), asked.into()),
        };
        let never = named(never);
        if !never.is_empty() {
            selection.insert("exclude-controls".into(), never.into());
        }
        selection.into()
    }

    fn item(&self, s: &System) -> Value {
        let described = if s.description.trim().is_empty() { &s.name } else { &s.description };
        json!({
            "uuid": self.ids.id(&format!("system {}", s.id)),
            "description": one_line(described),
            "props": [
                prop("ai-system-id", &s.id), prop("risk-level", s.risk_level.effective),
                prop("team", &s.team), prop("registered", if s.registered { "yes" } else { "no" }),
            ],
        })
    }

    fn observation(&self, f: &Finding) -> Value {
        let told = if f.summary.trim().is_empty() { &f.title } else { &f.summary };
        let counts = &f.counts;
        let number = |name: &str, n: u64| prop(name, &n.to_string());
        let mut observation = json!({
            "uuid": self.ids.finding("observation", &f.control, &f.system),
            "title": one_line(&f.title), "description": one_line(told), "methods": ["TEST"], "collected": self.r.as_of.at,
            "props": [
                prop("outcome", f.status.name()), prop("basis", f.basis),
                number("units-satisfied", counts.satisfied), number("units-not-satisfied", counts.not_satisfied),
                number("units-not-assessed", counts.not_assessed), number("units-not-applicable", counts.not_applicable),
            ],
        });
        if !f.system.is_empty() {
            let item = self.ids.id(&format!("system {}", f.system));
            observation["subjects"] = json!([{ "subject-uuid": item, "type": "inventory-item" }]);
        }
        let deciding = f.units.iter().filter(|u| u.status == f.status).flat_map(|u| &u.evidence);
        let cited: BTreeSet<(u64, String)> =
            deciding.map(|e| (e.seq, crate::evidence::hex(&e.leaf))).collect();
        let ledger = format!("#{}", self.ids.id("ledger"));
        let evidence: Vec<Value> = cited
            .into_iter()
            .map(|(seq, leaf)| {
                json!({ "href": ledger, "description": format!("Entry {seq}, leaf {leaf}"),
                        "props": [prop("entry", &seq.to_string()), prop("leaf", &leaf)] })
            })
            .collect();
        if !evidence.is_empty() {
            observation["relevant-evidence"] = evidence.into();
        }
        observation
    }

    fn risk(&self, f: &Finding) -> Value {
        let mut props = vec![prop("severity", &f.severity), prop("duty", &f.duty)];
        props.extend(f.number.map(|n| prop("number", &n.to_string())));
        let mut risk = json!({
            "uuid": self.ids.finding("risk", &f.control, &f.system),
            "title": one_line(&f.title), "description": one_line(&f.summary), "statement": one_line(&f.limit),
            "props": props,
            "status": if f.excepted { "deviation-approved" } else { "open" },
            "related-observations": [{ "observation-uuid": self.ids.finding("observation", &f.control, &f.system) }],
        });
        if !f.remediation.trim().is_empty() {
            risk["remediations"] = json!([{
                "uuid": self.ids.finding("remediation", &f.control, &f.system),
                "lifecycle": "recommendation", "title": "To close it", "description": one_line(&f.remediation),
            }]);
        }
        risk
    }

    fn finding(&self, f: &Finding) -> Value {
        let is_satisfied = f.status == Status::Satisfied;
        let mut status = json!({ "state": if is_satisfied { "satisfied" } else { "not-satisfied" } });
        if f.status == Status::NotAssessed {
            let reason = if f.reason.is_empty() { "unknown" } else { &f.reason };
            status["reason"] = json!("other");
            status["remarks"] = json!(format!("Not assessed: {reason}"));
        }
        let of = if f.system.is_empty() { "The estate".to_owned() } else { format!("System {}", f.system) };
        let mut finding = json!({
            "uuid": self.ids.finding("finding", &f.control, &f.system),
            "title": one_line(&f.title), "description": of,
            "target": { "type": "objective-id", "target-id": f.control, "status": status },
            "related-observations": [{ "observation-uuid": self.ids.finding("observation", &f.control, &f.system) }],
        });
        if f.status == Status::NotSatisfied {
            finding["related-risks"] =
                json!([{ "risk-uuid": self.ids.finding("risk", &f.control, &f.system) }]);
        }
        finding
    }
}

/// A property of our own; a value is never empty.
fn prop(name: &str, value: &str) -> Value {
    let value = one_line(value);
    json!({ "name": name, "ns": NS, "value": if value.is_empty() { "-" } else { &value } })
}

/// Titles and values have no line breaks, and no space at either end.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
