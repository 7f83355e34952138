//! Rules about workloads and the gates in front of them.

use super::super::deployments::Production;
use super::super::estate::{ai_workload, annotation};
use super::super::exceptions::{Standing, standing};
use super::super::facts::Seen;
use super::super::findings::Case;
use super::Judged;
use crate::evidence::Outside;
use crate::evidence::gatekeeper::{Constraint, Workload};
use crate::evidence::register::Exception;
use std::collections::{BTreeMap, BTreeSet};

fn production_of<'a>(case: &Case<'a>) -> Production<'a> {
    Production { facts: case.facts, pack: &case.catalogue.pack, at: case.estate.at }
}

/// The environment of a workload: its own label, else that of its namespace.
pub(super) fn environment<'a>(case: &Case<'a>, w: &'a Seen<Workload>) -> Option<&'a str> {
    production_of(case).environment(w)
}

/// Every workload is in production unless its environment says otherwise.
pub(super) fn in_production<'a>(case: &Case<'a>, w: &'a Seen<Workload>) -> bool {
    production_of(case).holds(w)
}

/// AI workloads of the system that are there now.
pub(super) fn workloads<'a>(case: &Case<'a>) -> Vec<(&'a str, &'a Seen<Workload>)> {
    let Some(system) = case.system else { return Vec::new() };
    let present = case.facts.cluster.workloads.at(case.estate.at);
    present.filter(|(subject, _)| system.workloads.contains(*subject)).collect()
}

/// Whether the last look at a cluster lacked nothing.
pub(super) fn was_read_whole(case: &Case<'_>, source: &str) -> bool {
    case.looks(source).next_back().is_some_and(|l| l.value.complete)
}

pub(super) fn required_labels(case: &Case<'_>) -> Vec<Judged> {
    let pack = &case.catalogue.pack;
    let judge = |(subject, w): (&str, &Seen<Workload>)| {
        let lacks = |labels: &Outside| {
            let missing =
                pack.required_labels.iter().filter(|l| labels.get(l).is_none_or(|v| pack.is_placeholder(v)));
            missing.cloned().collect::<BTreeSet<_>>()
        };
        let mut missing = lacks(&w.value.labels);
        missing.extend(w.value.template_labels.as_ref().map(lacks).unwrap_or_default());
        let asking = case.admission().of_kind(&w.source, "K8sRequiredLabels");
        let scope = asking.iter().find(|c| case.admission().selects(&c.value, w));
        let line = match (missing.is_empty(), scope) {
            (false, _) => 1,
            (true, None) => 6,
            (true, Some(_)) => 7,
        };
        let names: Vec<String> = missing.into_iter().collect();
        let note = match line {
            1 => format!("no label {}", names.join(", ")),
            6 => "holds every label; no constraint asks for them here".into(),
            _ => "holds every required label".into(),
        };
        Judged::line(subject, line).note(note).evidence([w.seq]).evidence(scope.map(|c| c.seq))
    };
    workloads(case).into_iter().map(judge).collect()
}

pub(super) fn registry(case: &Case<'_>) -> Vec<Judged> {
    let pack = &case.catalogue.pack;
    let judge = |(subject, w): (&str, &Seen<Workload>)| {
        if !in_production(case, w) && !pack.is_staging(environment(case, w)) {
            return None;
        }
        let said = annotation(&w.value, &pack.registry_annotation);
        let line = match said {
            None => 1,
            Some(v)
                if pack.is_placeholder(v) || !(v.contains("://") || v.to_lowercase().starts_with("arn:")) =>
            {
                1
            }
            Some(v) if pack.approves_registry(v) => 7,
            Some(_) => 2,
        };
        let note = match said {
            None => "no annotation model-registry-url".to_owned(),
            Some(v) if v.trim().is_empty() => "the annotation model-registry-url is empty".to_owned(),
            Some(v) if line == 7 => format!("refers to {v}"),
            Some(v) => format!("refers to {v}, which is no approved registry"),
        };
        Some(Judged::line(subject, line).note(note).evidence([w.seq]))
    };
    workloads(case).into_iter().filter_map(judge).collect()
}

/// Production namespaces of the system: (source, namespace) to its AI workloads.
fn production<'a>(case: &Case<'a>) -> BTreeMap<(&'a str, &'a str), Vec<&'a Seen<Workload>>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (_, w) in workloads(case).into_iter().filter(|(_, w)| in_production(case, w)) {
        found.entry((w.source.as_str(), w.value.namespace.as_str())).or_default().push(w);
    }
    found
}

pub(super) fn enforced(case: &Case<'_>) -> Vec<Judged> {
    let mut judged = Vec::new();
    for ((source, name), workloads) in production(case) {
        for required in &case.catalogue.pack.constraints {
            let unit = format!("{} namespace/{name} {source}", required.kind);
            judged.push(enforced_in(case, source, name, &required.kind, &workloads, unit));
        }
    }
    judged
}

fn enforced_in(
    case: &Case<'_>,
    source: &str,
    name: &str,
    kind: &str,
    workloads: &[&Seen<Workload>],
    unit: String,
) -> Judged {
    let door = case.admission();
    let all = door.of_kind(source, kind);
    let ns = case.facts.cluster.namespace(source, name, case.estate.at);
    let hook = door.webhook(source);
    let denying: Vec<_> = all.iter().filter(|c| c.value.effective_action == "deny").collect();
    let covering = denying.iter().find(|c| workloads.iter().all(|w| door.selects(&c.value, w)));
    let why_exempt = ns.and_then(|ns| door.exempt(source, ns));
    let reached: Vec<Option<bool>> = workloads.iter().map(|w| door.reaches(w)).collect();
    let unreached = hook.is_none() || reached.contains(&Some(false));
    let pods = covering.map(|c| pods(&c.value)).unwrap_or(Pods::Silent);
    let whole = was_read_whole(case, source);
    let line = if !whole && (all.is_empty() || hook.is_none()) {
        7
    } else if all.is_empty() {
        1
    } else if denying.is_empty() {
        2
    } else if covering.is_none()
        && denying.iter().any(|c| workloads.iter().any(|w| door.scope(&c.value, w).is_none()))
    {
        10
    } else if covering.is_none() {
        3
    } else if why_exempt.is_some() {
        4
    } else if unreached {
        5
    } else if reached.contains(&None) {
        10
    } else {
        match pods {
            Pods::Refuse => 6,
            Pods::Silent => 8,
            Pods::Enforce if door.config(source).is_none() => 7,
            Pods::Enforce => 9,
        }
    };
    let note = match line {
        1 => format!("no constraint of kind {kind}"),
        2 => "every such constraint only observes".into(),
        3 => "no deny constraint covers the namespace and the kinds of its workloads".into(),
        4 => why_exempt.unwrap_or_default(),
        5 => "the webhook does not cover it".into(),
        6 => "a webhook pod reports that it is not enforced".into(),
        7 => "constraints, webhooks or Gatekeeper's Config were not read".into(),
        8 => "not every webhook pod speaks of the current generation".into(),
        10 => "match conditions of the webhook decide, which are not evaluated".into(),
        _ => "deny, enforced by every webhook pod".into(),
    };
    let constraint = covering.map(|c| c.seq).or(all.first().map(|c| c.seq));
    Judged::line(unit, line)
        .note(note)
        .evidence(ns.map(|n| n.seq))
        .evidence(constraint)
        .evidence(hook.map(|h| h.seq))
}

enum Pods {
    Enforce,
    Refuse,
    Silent,
}

/// What the webhook pods report of the current generation of a constraint.
fn pods(c: &Constraint) -> Pods {
    let webhook: Vec<_> = c.by_pod.iter().filter(|p| p.operations.iter().any(|o| o == "webhook")).collect();
    let current: Vec<_> = webhook.iter().filter(|p| p.observed_generation == c.generation).collect();
    match current.as_slice() {
        [] => Pods::Silent,
        all if all.len() < webhook.len() => Pods::Silent,
        all if all.iter().any(|p| !p.enforced || !p.errors.is_empty()) => Pods::Refuse,
        _ => Pods::Enforce,
    }
}

pub(super) fn fails_closed(case: &Case<'_>) -> Vec<Judged> {
    let sources: BTreeSet<&str> = production(case).keys().map(|(source, _)| *source).collect();
    let judge = |source: &str| {
        let hook = case.admission().webhook(source);
        let read = was_read_whole(case, source);
        let line = match hook.map(|h| h.value.failure_policy.as_str()) {
            None if read => 1,
            None if is_webhook_refused(case, source) => 3,
            None => 5,
            Some("Fail") => 4,
            Some(_) => 2,
        };
        let policy = hook.map_or("missing", |h| h.value.failure_policy.as_str());
        let note = match line {
            1 => "Gatekeeper's webhook is missing".to_owned(),
            2 => format!(
                "while Gatekeeper does not answer, every request is let through (failurePolicy {policy})"
            ),
            3 => "the cluster refused to list its webhooks".to_owned(),
            5 => "its webhooks were not read".to_owned(),
            _ => format!("failurePolicy {policy}"),
        };
        Judged::line(source, line).note(note).evidence(hook.map(|h| h.seq))
    };
    sources.into_iter().map(judge).collect()
}

/// Whether the last look at a cluster was refused its webhooks: as a live one says, or as a reply that was kept does.
fn is_webhook_refused(case: &Case<'_>, source: &str) -> bool {
    case.looks(source).next_back().is_some_and(|look| {
        let role = |gap: &String| gap.contains("webhook") && gap.contains("the role needs");
        look.value.gaps.iter().any(role)
            || look.value.faults.iter().any(|f| f.file.contains("webhook") && f.what.contains("answered 403"))
    })
}

/// The line of exemptions-written-down for an exempt thing, and the exception that names it.
pub(super) fn written_down<'a>(
    case: &Case<'a>,
    system: &str,
    thing: &str,
) -> (usize, Option<&'a Seen<Exception>>) {
    let named = |e: &Exception| e.thing == thing && (e.system.is_empty() || e.system == system);
    let mut all = case.facts.exceptions.at(case.estate.at);
    let Some((subject, found)) = all.find(|(_, e)| named(&e.value)) else { return (1, None) };
    let max = case.catalogue.defaults.exception_max_days;
    let line = match standing(case.facts, subject, found, case.estate.at, max) {
        Standing::Incomplete => 2,
        Standing::SelfApproved => 3,
        Standing::Expired => 4,
        Standing::TooLong => 5,
        Standing::InForce => 6,
    };
    (line, Some(found))
}

pub(super) fn exemptions(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let ai = workloads(case).into_iter().filter(|(_, w)| ai_workload(&w.value, case.catalogue).is_some());
    let spaces: BTreeSet<(&str, &str)> =
        ai.map(|(_, w)| (w.source.as_str(), w.value.namespace.as_str())).collect();
    let judge = |(source, name): (&str, &str)| {
        let space = case.facts.cluster.namespace(source, name, case.estate.at)?;
        let why = case.admission().exempt(source, space)?;
        let thing = format!("namespace/{name}");
        let (line, found) = written_down(case, &system.id, &thing);
        Some(
            Judged::line(format!("{thing} {source}"), line)
                .note(why)
                .evidence([space.seq])
                .evidence(found.map(|f| f.seq)),
        )
    };
    let spaces = spaces.into_iter().filter_map(judge);
    spaces.chain(super::terraform::exemptions(case)).collect()
}
