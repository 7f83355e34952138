//! Whether a look shows what the look before did: then its constraints say what they said, and nothing is evaluated anew.

use super::listed::Listed;
use super::object::{Object, managed};
use super::population::TEMPLATE;
use super::{CONSTRAINTS, TEMPLATES};
use crate::evidence::gatekeeper::{AuditRow, Lacks};
use crate::evidence::record::Audits;
use crate::evidence::{Time, hex};
use crate::reperformance::kinds_fit;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What constraints are evaluated over.
pub(super) struct Inputs {
    /// SHA-256 over all that constraints and their audit depend on; none where an object does not tell its version. When the
    /// audit ran is left out: as long as nobody edits a rule, a later one is of the same rule.
    pub digest: Option<String>,
    /// When Gatekeeper audited them; none where there are none.
    pub audits: Option<Audits>,
}

impl Inputs {
    /// Of a look.
    pub(super) fn of(cluster: &str, objects: &[Object], listed: &Listed) -> Inputs {
        let mut hasher = Sha256::new();
        hasher.update(json!([cluster, listed]).to_string());
        let (mut matches, mut audited) = (Vec::new(), Vec::<Option<Time>>::new());
        for constraint in objects.iter().filter(|o| o.group == CONSTRAINTS) {
            let mut constraint = constraint.value();
            audited.push(constraint["status"]["auditTimestamp"].as_str().and_then(|t| t.parse().ok()));
            hasher.update(asked(&mut constraint).to_string());
            matches.push(constraint["spec"]["match"].clone());
        }
        let told = versions(objects, &matches, &mut hasher);
        let digest = told.map(|()| hex(&hasher.finalize()));
        Inputs { digest, audits: audits(&audited, listed.is_whole("constraint")) }
    }
}

/// Adds the versions of all objects that constraints concern; none where one does not tell its version.
fn versions(objects: &[Object], matches: &[Value], hasher: &mut Sha256) -> Option<()> {
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
    Some(())
}

fn audits(all: &[Option<Time>], whole: bool) -> Option<Audits> {
    let (oldest, newest) = (all.iter().flatten().min().copied(), all.iter().flatten().max().copied());
    let never = all.iter().filter(|t| t.is_none()).count() as u64;
    (!all.is_empty()).then_some(Audits { constraints: all.len() as u64, never, whole, oldest, newest })
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

/// Whether another look at the same would say the same: no verdict waits for a later audit, or hangs on the time that an
/// evaluation took.
pub(super) fn is_settled(rows: &[AuditRow]) -> bool {
    let waits = |row: &AuditRow| {
        let ours = row.reperformed.as_ref();
        let lacks = |what| ours.is_some_and(|r| r.lacks == Some(what));
        let by_template = ours.is_some_and(|r| r.why.starts_with(TEMPLATE));
        row.rule.is_none() || lacks(Lacks::Audit) || lacks(Lacks::Rule) && !by_template
    };
    !rows.iter().any(waits)
}
