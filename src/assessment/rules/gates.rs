//! Rules about what a gate said: whether we come to the same, and whether it looked at all.

use super::super::estate::annotation;
use super::super::facts::Seen;
use super::super::findings::{Basis, Case};
use super::cluster::{environment, in_production, workloads};
use super::{Judged, many};
use crate::evidence::gatekeeper::{AuditRow, Constraint, Lacks, Reperformed, Verdict, Workload};
use std::collections::BTreeMap;

/// A required constraint and the system's workloads in its cluster.
struct Gate<'a> {
    constraint: &'a Seen<Constraint>,
    /// The entry of the audit, and its row.
    row: Option<(u64, &'a AuditRow)>,
    workloads: Vec<&'a Seen<Workload>>,
}

impl Gate<'_> {
    fn unit(&self) -> String {
        let c = self.constraint;
        format!("{}/{} {}", c.value.kind, c.value.name, c.source)
    }

    fn judged(&self, line: usize) -> Judged {
        let judged = Judged::line(self.unit(), line).evidence([self.constraint.seq]);
        judged.evidence(self.row.map(|(seq, _)| seq)).basis(Basis::ReEvaluated)
    }

    fn ours(&self) -> Option<&Reperformed> {
        self.row.and_then(|(_, row)| row.reperformed.as_ref())
    }
}

/// Constraints of the required kinds, in every cluster in which the system has workloads.
fn gates<'a>(case: &Case<'a>) -> Vec<Gate<'a>> {
    let mut clusters: BTreeMap<&str, Vec<&Seen<Workload>>> = BTreeMap::new();
    for (_, w) in workloads(case) {
        clusters.entry(&w.source).or_default().push(w);
    }
    let kinds = case.catalogue.pack.constraints.iter().map(|required| &required.kind);
    let of = |(source, workloads): (&&'a str, &Vec<&'a Seen<Workload>>), kind: &str| {
        let all = case.admission().of_kind(source, kind).into_iter();
        let gate = |constraint| Gate { row: row(case, constraint), constraint, workloads: workloads.clone() };
        all.map(gate).collect::<Vec<_>>()
    };
    kinds.flat_map(|kind| clusters.iter().flat_map(move |cluster| of(cluster, kind))).collect()
}

/// What the last audit says of a constraint, with its entry.
pub(super) fn row<'a>(case: &Case<'a>, constraint: &Seen<Constraint>) -> Option<(u64, &'a AuditRow)> {
    let (kind, name) = (&constraint.value.kind, &constraint.value.name);
    let audit = case.facts.cluster.audits.at(case.estate.at).map(|(_, a)| a);
    // Of a cluster that was built anew, the last one.
    let audit = audit.filter(|a| a.source == constraint.source).max_by_key(|a| a.seq)?;
    let row = audit.value.constraints.iter().find(|r| r.kind == *kind && r.name == *name)?;
    Some((audit.seq, row))
}

/// Whether our own evaluation says what Gatekeeper says.
pub(super) fn reperformed(case: &Case<'_>) -> Vec<Judged> {
    let concerns =
        |gate: &Gate<'_>| gate.workloads.iter().any(|w| case.admission().selects(&gate.constraint.value, w));
    let judge = |gate: Gate<'_>| {
        let Some(ours) = gate.ours() else { return gate.judged(2).note("its audit was not read whole") };
        let violations = ours.violations.unwrap_or(0);
        match (ours.verdict, ours.lacks) {
            (Verdict::Reproduced, _) => {
                let (objects, found) = (ours.matched.unwrap_or(0), many(violations, "violation"));
                gate.judged(4)
                    .note(format!("{} in its match scope, {found}; both say so", many(objects, "object")))
            }
            (Verdict::Differs, _) => gate.judged(3).note(ours.why.clone()),
            (_, Some(Lacks::Rule)) => gate.judged(1).note(ours.why.clone()),
            (_, Some(Lacks::Inputs)) => gate.judged(2).note(ours.why.clone()),
            _ => gate.judged(5).note(ours.why.clone()),
        }
    };
    gates(case).into_iter().filter(concerns).map(judge).collect()
}

/// Whether a constraint that finds nothing looked at what it must judge.
pub(super) fn not_vacuous(case: &Case<'_>) -> Vec<Judged> {
    let finds_nothing = |gate: &Gate<'_>| gate.row.is_some_and(|(_, row)| row.total == Some(0));
    let judge = |gate: Gate<'_>| {
        let must: Vec<_> = gate.workloads.iter().filter(|w| must_judge(case, &gate, w)).collect();
        let lacks = gate.ours().and_then(|ours| ours.lacks);
        let constraint = &gate.constraint.value;
        if must.iter().any(|w| case.admission().scope(constraint, w).is_none()) {
            return gate.judged(3).note("whether its match selects every workload cannot be told");
        }
        if let Some((w, why)) = must.iter().find_map(|w| Some((w, left_out(case, &gate, w)?))) {
            let shown = format!("{} {}/{}", w.value.kind, w.value.namespace, w.value.name);
            return gate.judged(2).note(format!("{shown} {why}")).evidence([w.seq]);
        }
        let why = gate.ours().map(|ours| ours.why.clone()).unwrap_or_default();
        match lacks {
            Some(Lacks::Rule) => gate.judged(3).note(why),
            Some(Lacks::Inputs) => gate.judged(4).note(why),
            _ if must.is_empty() => gate.judged(5),
            None if gate.ours().is_some() => gate.judged(6).note(format!(
                "it looked at every workload of the system, {}",
                many(must.len() as u64, "workload")
            )),
            _ => gate.judged(7).note(why),
        }
    };
    gates(case).into_iter().filter(finds_nothing).map(judge).collect()
}

/// Every workload has to have its labels; a registry is asked for in production and staging.
fn must_judge(case: &Case<'_>, gate: &Gate<'_>, w: &Seen<Workload>) -> bool {
    let pack = &case.catalogue.pack;
    let everywhere = gate.constraint.value.kind != REGISTRY;
    everywhere || in_production(case, w) || pack.is_staging(environment(case, w))
}

const REGISTRY: &str = "MLModelRegistry";

/// Why a workload passed without being looked at: no constraint of the kind selects it, or it lacks what this one asks for and
/// is no violation.
fn left_out(case: &Case<'_>, gate: &Gate<'_>, w: &Seen<Workload>) -> Option<String> {
    let Constraint { kind, parameters, .. } = &gate.constraint.value;
    if !case.admission().of_kind(&w.source, kind).iter().any(|c| case.admission().selects(&c.value, w)) {
        return Some(format!("is in the match scope of no {kind}"));
    }
    // Only where nobody finds anything does the rule let it pass.
    let finds_nothing = gate.ours().is_some_and(|ours| ours.violations == Some(0));
    if !finds_nothing
        || case.admission().is_unaudited(w)
        || !case.admission().selects(&gate.constraint.value, w)
    {
        return None;
    }
    if kind == REGISTRY {
        let name = parameters["annotation"].as_str().unwrap_or(&case.catalogue.pack.registry_annotation);
        let lacks = annotation(&w.value, name).is_none();
        return lacks.then(|| format!("has no annotation {name}, and the rule lets it pass"));
    }
    let asked = parameters["labels"].as_array().into_iter().flatten();
    let mut asked = asked.filter_map(|l| l.as_str().or(l["key"].as_str()));
    let missing = asked.find(|label| w.value.labels.get(label).is_none())?;
    Some(format!("has no label {missing}, and the rule lets it pass"))
}
