//! Whether a look shows what the look before did: then its constraints say what they said, and nothing is evaluated anew.

use super::object::{Object, managed};
use super::{CONSTRAINTS, TEMPLATES};
use crate::evidence::gatekeeper::{AuditRow, Lacks};
use crate::evidence::hex;
use crate::reperformance::kinds_fit;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// SHA-256 over all that constraints and their audit depend on; none where an object does not tell its version. When the audit
/// ran is left out: as long as nobody edits a rule, a later one is of the same rule.
pub(super) fn digest(cluster: &str, objects: &[Object], listed: &BTreeMap<String, bool>) -> Option<String> {
    let mut hasher = Sha256::new();
    hasher.update(json!([cluster, listed]).to_string());
    let mut matches = Vec::new();
    for constraint in objects.iter().filter(|o| o.group == CONSTRAINTS) {
        let mut constraint = constraint.value();
        hasher.update(asked(&mut constraint).to_string());
        matches.push(constraint["spec"]["match"].take());
    }
    let concerns = |o: &Object| {
        let rules = o.group == TEMPLATES || o.kind == "Config" || o.kind == "Namespace";
        rules || matches.iter().any(|m| kinds_fit(m, &o.group, &o.kind))
    };
    let mut known = BTreeMap::new();
    for object in objects.iter().filter(|o| o.group != CONSTRAINTS) {
        if *known.entry((&object.group, &object.kind)).or_insert_with(|| concerns(object)) {
            hasher.update(object.shown());
            hasher.update(object.version.as_ref()?);
        }
    }
    Some(hex(&hasher.finalize()))
}

/// What a constraint asks, and what its audit found.
fn asked(constraint: &mut Value) -> Value {
    let mut status = constraint["status"].take();
    if let Some(status) = status.as_object_mut() {
        status.remove("auditTimestamp");
    }
    let edits = managed(constraint).filter(|f| f["subresource"] != "status").map(|f| &f["time"]);
    let (metadata, edits) = (&constraint["metadata"], edits.collect::<Vec<_>>());
    json!([
        constraint["kind"],
        metadata["name"],
        metadata["uid"],
        metadata["generation"],
        edits,
        constraint["spec"],
        status
    ])
}

/// Whether another look at the same would say the same: no verdict waits for a later audit.
pub(super) fn is_settled(rows: &[AuditRow]) -> bool {
    let waits = |row: &AuditRow| {
        row.rule.is_none() || row.reperformed.as_ref().is_some_and(|ours| ours.lacks == Some(Lacks::Audit))
    };
    !rows.iter().any(waits)
}
