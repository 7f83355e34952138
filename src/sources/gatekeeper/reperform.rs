//! Whether our own evaluation of a constraint is what Gatekeeper lists. Gatekeeper's list ends after twenty; ours does not.

use super::answer::{Answer, Found, Why};
use super::constraint::Audited;
use super::object::managed;
use super::population::Population;
use crate::evidence::Time;
use crate::evidence::gatekeeper::{Constraint, Lacks, Reperformed, Verdict};
use serde_json::Value;
use std::collections::BTreeMap;

/// What re-performance gives for one constraint.
#[derive(Default)]
pub(super) struct Performed {
    /// What is written down.
    pub stated: Reperformed,
    /// `NAMESPACE/KIND/NAME` of each violator, with its messages as Gatekeeper would list them.
    pub violators: BTreeMap<String, Vec<String>>,
}

/// Compares with what Gatekeeper says, as far as both speak of the same constraint and the same objects.
pub(super) fn compared(
    population: &Population<'_>,
    answer: Answer,
    constraint: &Constraint,
    audited: &Audited,
) -> Performed {
    let found = match answer {
        Ok(found) => found,
        Err(Why { lacks, text }) => {
            let stated = Reperformed { why: text, lacks: Some(lacks), ..Reperformed::default() };
            return Performed { stated, ..Performed::default() };
        }
    };
    let (verdict, why) = match (audited.row.total, audited.at) {
        (Some(total), Some(at)) if audited.row.rule.is_some() => {
            let by_namespace = !constraint.r#match["namespaceSelector"].is_null();
            Comparison { population, found: &found, audited, at, by_namespace }.verdict(total)
        }
        (Some(_), Some(_)) => {
            let why = "nothing shows that Gatekeeper's audit is of constraint and template as they are now";
            (Verdict::NotReproducible, why.into())
        }
        _ => (Verdict::NotReproducible, "Gatekeeper has not audited it".into()),
    };
    let lacks = (verdict == Verdict::NotReproducible).then_some(Lacks::Audit);
    // What differs may be what Gatekeeper did not look at.
    let (verdict, why, lacks) = match (verdict, population.unlike(audited.at)) {
        (Verdict::Differs, Some((unlike, lacks))) => {
            (Verdict::NotReproducible, format!("{unlike}; {why}"), Some(lacks))
        }
        _ => (verdict, why, lacks),
    };
    let (matched, violations) = (Some(found.matched), Some(found.violations));
    let stated = Reperformed { verdict, why, lacks, matched, violations };
    Performed { stated, violators: found.violators }
}

/// Whether an audit that began at a time is of a constraint or template as it is now: its pods saw this generation, and nobody
/// edited it since.
pub(super) fn speaks_of(object: &Value, at: Time) -> bool {
    let pods = object["status"]["byPod"].as_array().into_iter().flatten();
    let mut audits = pods
        .filter(|p| p["operations"].as_array().is_some_and(|o| o.iter().any(|o| o == "audit")))
        .peekable();
    let seen = audits.peek().is_some()
        && audits.all(|p| p["observedGeneration"] == object["metadata"]["generation"]);
    let edits = managed(object).filter(|f| f["subresource"] != "status").filter_map(|f| f["time"].as_str());
    // One that was never edited is as old as it is.
    let created = object["metadata"]["creationTimestamp"].as_str();
    let created = created.filter(|_| object["metadata"]["generation"] == 1);
    let edited = edits.max().or(created).and_then(|t| t.parse::<Time>().ok());
    seen && edited.is_some_and(|t| t < at)
}

/// What an audit and our evaluation say of one constraint.
struct Comparison<'p, 'a> {
    population: &'p Population<'a>,
    found: &'p Found,
    audited: &'p Audited,
    /// When the audit began.
    at: Time,
    /// Whether labels of namespaces decide what is matched.
    by_namespace: bool,
}

impl Comparison<'_, '_> {
    /// Whether an object is as the audit saw it.
    fn is_settled(&self, object: &str) -> bool {
        let settled = |o: &str| {
            let found = self.population.index.get(o).filter(|found| self.audited.is_of(o, &found.group));
            found.and_then(|o| o.changed).is_some_and(|t| t < self.at)
        };
        let space = object.split('/').next().unwrap_or_default();
        settled(object) && (!self.by_namespace || space.is_empty() || settled(&format!("/Namespace/{space}")))
    }

    fn verdict(&self, total: i64) -> (Verdict, String) {
        let (found, listed) = (self.found, &self.audited.listed);
        let ours = i64::try_from(found.violations).unwrap_or(i64::MAX);
        // What a message says is not compared: a yes or no for each object is (catalogue, "agrees").
        let differing: Vec<_> =
            listed.iter().filter(|(object, _)| !found.violators.contains_key(*object)).collect();
        if differing.is_empty() && ours == total {
            return (Verdict::Reproduced, String::new());
        }
        if let Some((object, messages)) = differing.iter().find(|(object, _)| self.is_settled(object)) {
            let said = messages.first().map_or("", String::as_str);
            let why = format!("of {object} Gatekeeper says “{said}”, our evaluation nothing against it");
            return (Verdict::Differs, why);
        }
        let unlisted: Vec<_> =
            found.violators.keys().filter(|object| !listed.contains_key(*object)).collect();
        match unlisted.first() {
            Some(object)
                if differing.is_empty() && ours > total && unlisted.iter().all(|o| self.is_settled(o)) =>
            {
                let why =
                    format!("Gatekeeper has {total} violations, our evaluation {ours}, among them {object}");
                (Verdict::Differs, why)
            }
            _ => {
                let why = format!(
                    "Gatekeeper had {total} violations, our evaluation has {ours}: objects may have changed since its audit"
                );
                (Verdict::NotReproducible, why)
            }
        }
    }
}
