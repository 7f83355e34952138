//! What a look no longer shows, as entries that say so.

use super::latest;
use crate::evidence::gatekeeper::{Audit, AuditRow, Ending};
use crate::evidence::{Evidence, Kind, Time};
use crate::jobs::JobError;
use crate::sources::Gathered;
use crate::store::Store;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// States of kinds that the look lists whole and that are no longer in it.
pub(super) fn gone(
    store: &Store,
    source: &str,
    gathered: &Gathered,
    at: Time,
) -> Result<Vec<Evidence>, JobError> {
    let mut found = Vec::new();
    for kind in gathered.complete.keys() {
        let here: BTreeSet<&str> =
            gathered.evidence.iter().filter(|e| e.kind == *kind).map(|e| e.subject.as_str()).collect();
        for subject in store.state().present(source, *kind)? {
            if !here.contains(subject.as_str()) && gathered.would_show(*kind, &subject) {
                found.push(Evidence::gone(*kind, source, subject, at));
            }
        }
    }
    if found.iter().any(|e| e.kind == Kind::GatekeeperViolation) {
        let endings = Endings::new(store, source, gathered)?;
        let violations = found.iter_mut().filter(|e| e.kind == Kind::GatekeeperViolation);
        violations.for_each(|e| e.payload = json!({ "gone": true, "ending": endings.of(&e.subject) }));
    }
    Ok(found)
}

/// How violations end: what the audit before asked, what this one asks, and which objects are there.
struct Endings<'a> {
    before: BTreeMap<String, Option<String>>,
    now: BTreeMap<String, Option<String>>,
    gathered: &'a Gathered,
}

impl Endings<'_> {
    fn new<'a>(store: &Store, source: &str, gathered: &'a Gathered) -> Result<Endings<'a>, JobError> {
        let now = gathered.evidence.iter().find(|e| e.kind == Kind::GatekeeperAudit);
        let before =
            now.map(|e| latest::<Audit>(store, source, Kind::GatekeeperAudit, &e.subject)).transpose()?;
        let now = now.and_then(|e| serde_json::from_value(e.payload.clone()).ok());
        Ok(Endings { before: rules(before.flatten()), now: rules(now), gathered })
    }

    /// Of `k8s:CLUSTER/NAMESPACE/KIND/NAME#CONSTRAINT-KIND/NAME`.
    fn of(&self, subject: &str) -> Ending {
        let (object, constraint) = subject.split_once('#').unwrap_or((subject, ""));
        let object = object.split_once('/').map_or(object, |(_, object)| object);
        let is_there = self.gathered.objects.contains(object);
        match (self.before.get(constraint), self.now.get(constraint)) {
            _ if !is_there && self.lists(object) => Ending::Deleted,
            (_, None) => Ending::RuleChanged,
            (Some(Some(before)), Some(Some(now))) if before != now => Ending::RuleChanged,
            (Some(Some(_)), Some(Some(_))) if is_there => Ending::Fixed,
            _ => Ending::Unknown,
        }
    }

    /// Whether the look would show the object.
    fn lists(&self, object: &str) -> bool {
        let kind = object.split('/').nth(1).unwrap_or_default();
        self.gathered.kinds.contains(kind)
    }
}

/// Rules of an audit by `KIND/NAME` of the constraint.
fn rules(audit: Option<Audit>) -> BTreeMap<String, Option<String>> {
    let row = |r: AuditRow| (format!("{}/{}", r.kind, r.name), r.rule);
    audit.unwrap_or_default().constraints.into_iter().map(row).collect()
}
