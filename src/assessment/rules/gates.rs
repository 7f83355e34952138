//! Rules about what a gate said: whether we come to the same, whether it looked at all, and what got past it.

use super::super::estate::annotation;
use super::super::facts::{Seen, States};
use super::super::findings::{Basis, Case};
use super::cluster::{constraints, environment, in_production, selects, workloads};
use super::{Judged, utc};
use crate::evidence::Time;
use crate::evidence::gatekeeper::{AuditRow, Constraint, Lacks, Reperformed, Template, Verdict, Workload};
use std::collections::{BTreeMap, BTreeSet};

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
        let all = constraints(case, source, kind).into_iter();
        let gate = |constraint| Gate { row: row(case, constraint), constraint, workloads: workloads.clone() };
        all.map(gate).collect::<Vec<_>>()
    };
    kinds.flat_map(|kind| clusters.iter().flat_map(move |cluster| of(cluster, kind))).collect()
}

fn row<'a>(case: &Case<'a>, constraint: &Seen<Constraint>) -> Option<(u64, &'a AuditRow)> {
    let (kind, name) = (&constraint.value.kind, &constraint.value.name);
    let audit = case.facts.cluster.audits.at(case.estate.at).map(|(_, a)| a);
    let audit = audit.into_iter().find(|a| a.source == constraint.source)?;
    let row = audit.value.constraints.iter().find(|r| r.kind == *kind && r.name == *name)?;
    Some((audit.seq, row))
}

/// Whether our own evaluation says what Gatekeeper says.
pub(super) fn reperformed(case: &Case<'_>) -> Vec<Judged> {
    let concerns = |gate: &Gate<'_>| gate.workloads.iter().any(|w| selects(case, &gate.constraint.value, w));
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

fn many(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
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
    if !constraints(case, &w.source, kind).iter().any(|c| selects(case, &c.value, w)) {
        return Some(format!("is in the match scope of no {kind}"));
    }
    if !selects(case, &gate.constraint.value, w) {
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

/// What a deny constraint says of a workload in its match scope.
struct Denial<'a> {
    constraint: &'a Seen<Constraint>,
    /// The violation that is there.
    violation: Option<u64>,
    /// Whether every violator of the constraint is known.
    complete: bool,
    /// Since when it denies, as far as we saw it change; else the time of the first look, before which it began.
    began: Time,
    /// Whether that change was seen.
    seen: bool,
    /// Whether the workload violated it as it was seen first.
    from_the_first: bool,
}

impl Denial<'_> {
    fn name(&self) -> String {
        format!("{}/{}", self.constraint.value.kind, self.constraint.value.name)
    }
}

fn denials<'a>(case: &Case<'a>, subject: &str, w: &Seen<Workload>) -> Vec<Denial<'a>> {
    let (facts, at) = (&case.facts.cluster, case.estate.at);
    let all =
        facts.constraints.at(at).filter(|(_, c)| c.source == w.source && c.value.effective_action == "deny");
    let denial = |(place, c): (&str, &'a Seen<Constraint>)| {
        let same_rule = |a: &Constraint, b: &Constraint| {
            let asked = |c: &Constraint| {
                (c.uid.clone(), c.effective_action.clone(), c.r#match.clone(), c.parameters.clone())
            };
            asked(a) == asked(b)
        };
        let templates =
            facts.templates.at(at).filter(|(_, t)| t.source == w.source && t.value.kind == c.value.kind);
        let (mut began, mut seen) = since(&facts.constraints, place, at, same_rule)?;
        for (template, _) in templates {
            let same_text = |a: &Template, b: &Template| a.text == b.text && a.created == b.created;
            let (later, told) = since(&facts.templates, template, at, same_text)?;
            (began, seen) = if later > began { (later, told) } else { (began, seen) };
        }
        let violated = format!("{subject}#{}/{}", c.value.kind, c.value.name);
        let violation = facts.violations.of(&violated, at).filter(|v| !v.gone);
        Some(Denial {
            constraint: c,
            violation: violation.map(|v| v.seq),
            complete: is_complete(case, c, w),
            began,
            seen,
            from_the_first: violation.is_some() && from_the_first(case, subject, &violated).unwrap_or(false),
        })
    };
    all.filter(|(_, c)| selects(case, &c.value, w)).filter_map(denial).collect()
}

/// Whether a workload violated a constraint as it was seen first: what a rule can ask of it did not change in between.
fn from_the_first(case: &Case<'_>, subject: &str, violated: &str) -> Option<bool> {
    let (facts, at) = (&case.facts.cluster, case.estate.at);
    let (found, _) = since(&facts.violations, violated, at, |_, _| true)?;
    let (appeared, _) = since(&facts.workloads, subject, at, |_, _| true)?;
    let asked = |w: &Workload| {
        (
            w.labels.clone(),
            w.annotations.clone(),
            w.template_labels.clone(),
            w.template_annotations.clone(),
            w.images.clone(),
        )
    };
    let mut states = facts.workloads.0.get(subject)?.iter().filter(|s| s.at >= appeared && s.at <= found);
    let first = states.next().map(|s| asked(&s.value))?;
    Some(states.all(|s| asked(&s.value) == first))
}

/// When a state became what it is, and whether that was seen: a first look shows what was there before.
fn since<T>(
    states: &States<T>,
    subject: &str,
    at: Time,
    is_same: impl Fn(&T, &T) -> bool,
) -> Option<(Time, bool)> {
    let history: Vec<&Seen<T>> = states.0.get(subject)?.iter().filter(|s| s.at <= at).collect();
    let last = history.last()?;
    let streak = history.iter().rev().take_while(|s| !s.gone && is_same(&s.value, &last.value)).count();
    let first = history.get(history.len() - streak)?;
    Some((first.at, streak < history.len()))
}

/// Whether every violator of a constraint is known: our own evaluation has them, or the listing is whole and of an audit after
/// the last change of rule and workload.
fn is_complete(case: &Case<'_>, c: &Seen<Constraint>, w: &Seen<Workload>) -> bool {
    let Some((_, row)) = row(case, c) else { return false };
    if row.reperformed.as_ref().is_some_and(|ours| ours.verdict == Verdict::Reproduced) {
        return true;
    }
    let mut looks = case.facts.own.looks.get(&c.source).into_iter().flatten();
    let look = looks.rfind(|l| l.value.looked_at.is_some_and(|t| t <= case.estate.at));
    let audited = look.and_then(|l| l.value.audits.as_ref()?.oldest);
    row.total.is_some() && !row.truncated() && row.rule.is_some() && audited.is_some_and(|t| t > w.at)
}

/// Whether something got past the webhook that it denies.
pub(super) fn bypass(case: &Case<'_>) -> Vec<Judged> {
    let judge = |(subject, w): (&str, &Seen<Workload>)| {
        let denials = denials(case, subject, w);
        let created = w.value.created;
        let violates = |d: &&Denial<'_>| d.violation.is_some();
        let after = |d: &&Denial<'_>| created.is_some_and(|t| t > d.began);
        let before = |d: &&Denial<'_>| created.is_some_and(|t| d.seen && t <= d.began);
        let settled = |d: &&Denial<'_>| before(d) || after(d) && !d.from_the_first;
        let past = denials.iter().find(|d| violates(d) && after(d) && d.from_the_first);
        let open = denials.iter().find(|d| !violates(d) && !d.complete);
        let unknown = denials.iter().find(|d| violates(d) && !settled(d));
        let (line, of) = match (past, open, unknown) {
            (Some(d), _, _) => (1, Some(d)),
            (_, Some(d), _) => (2, Some(d)),
            (_, _, Some(d)) => (3, Some(d)),
            _ if denials.is_empty() && !was_read_whole(case, &w.source) => (6, None),
            _ => match denials.iter().find(violates) {
                Some(d) => (5, Some(d)),
                None => (4, None),
            },
        };
        said(subject, w, line, of, &denials)
    };
    workloads(case).into_iter().map(judge).collect()
}

/// Whether what a constraint found when it began to deny was put right in time.
pub(super) fn aged(case: &Case<'_>) -> Vec<Judged> {
    let grace = 86_400 * case.catalogue.defaults.grace_days;
    let judge = |(subject, w): (&str, &Seen<Workload>)| {
        let denials = denials(case, subject, w);
        let created = w.value.created;
        let violates = |d: &&Denial<'_>| d.violation.is_some();
        let before = |d: &&Denial<'_>| created.is_some_and(|t| d.seen && t <= d.began);
        let after = |d: &&Denial<'_>| created.is_some_and(|t| t > d.began);
        let late = |d: &&Denial<'_>| case.estate.at > d.began.plus_seconds(grace);
        let aged = denials.iter().find(|d| violates(d) && before(d) && late(d));
        let open = denials.iter().find(|d| !violates(d) && !d.complete);
        let unknown = denials.iter().find(|d| violates(d) && !before(d) && !after(d));
        let young = denials.iter().find(|d| violates(d) && before(d));
        let (line, of) = match (aged, open, unknown, young) {
            (Some(d), ..) => (1, Some(d)),
            (_, Some(d), ..) => (2, Some(d)),
            (_, _, Some(d), _) => (3, Some(d)),
            (_, _, _, Some(d)) => (5, Some(d)),
            _ if denials.is_empty() && !was_read_whole(case, &w.source) => (7, None),
            _ => match denials.iter().find(violates) {
                Some(d) => (4, Some(d)),
                None => (6, None),
            },
        };
        said(subject, w, line, of, &denials)
    };
    workloads(case).into_iter().map(judge).collect()
}

fn was_read_whole(case: &Case<'_>, source: &str) -> bool {
    case.facts.own.looks.get(source).and_then(|l| l.last()).is_some_and(|l| l.value.complete)
}

/// A workload, the constraint that decides, and what both say of time.
fn said(
    subject: &str,
    w: &Seen<Workload>,
    line: usize,
    of: Option<&Denial<'_>>,
    all: &[Denial<'_>],
) -> Judged {
    let created = w.value.created.map_or_else(|| "at an unknown time".into(), utc);
    let note = match of {
        None if all.is_empty() => "no deny constraint has it in its match scope".into(),
        None => format!("no violation of {}", many(all.len() as u64, "deny constraint")),
        Some(d) if d.violation.is_none() => format!("not every violator of {} is known", d.name()),
        Some(d) if d.seen => {
            format!("violates {}, which denies since {}; created {created}", d.name(), utc(d.began))
        }
        Some(d) => {
            let first = utc(d.began);
            format!("violates {}, which denied before our first look ({first}); created {created}", d.name())
        }
    };
    let constraints: BTreeSet<u64> = of.map_or_else(
        || all.iter().map(|d| d.constraint.seq).collect(),
        |d| BTreeSet::from([d.constraint.seq]),
    );
    let judged = Judged::line(subject, line).note(note).evidence([w.seq]).evidence(constraints);
    judged.evidence(of.and_then(|d| d.violation))
}
