//! Rule about gates that became weaker between two looks: each has a decision of somebody else, written down in time.

use super::super::admission::IGNORE;
use super::super::facts::{Seen, States};
use super::super::findings::Case;
use super::cluster::workloads;
use super::terraform::{applies, in_window, is_open, reaches};
use super::{Judged, utc};
use crate::evidence::gatekeeper::Constraint;
use crate::evidence::register::Statement;
use crate::evidence::sentinel::{Origin, Policy, PolicySet, strictness};
use crate::evidence::{DAY, Time};
use crate::reperformance::wildcard;
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// One change of a gate.
struct Weakening {
    /// Policy, `KIND/NAME` of a constraint, or the exempt namespace.
    gate: String,
    what: String,
    seen: Time,
    /// The last complete look before: it may have been done at any time since. None where its time is known.
    since: Option<Time>,
    evidence: Vec<u64>,
    /// Whether it is known that the gate became weaker; else it may have.
    is_clear: bool,
}

/// Each weakening that was seen within the window.
pub(super) fn with_review(case: &Case<'_>) -> Vec<Judged> {
    let all = [of_sets(case), of_texts(case), of_runs(case), of_constraints(case), of_namespaces(case)];
    let mut units: BTreeMap<(Time, String), Weakening> = BTreeMap::new();
    for w in all.into_iter().flatten().filter(|w| w.seen <= case.estate.at) {
        match units.entry((w.seen, w.gate.clone())) {
            Entry::Occupied(mut known) => known.get_mut().join(w),
            Entry::Vacant(place) => drop(place.insert(w)),
        }
    }
    let (mut before, mut used) = (BTreeMap::new(), BTreeSet::new());
    let mut judge = |w: &Weakening| {
        let earlier = before.insert(w.gate.clone(), w.seen);
        judged(case, w, earlier, &mut used)
    };
    let judged: Vec<_> = units.values().map(|w| (w.seen, judge(w))).collect();
    judged.into_iter().filter(|(seen, _)| *seen >= case.estate.window).map(|(_, j)| j).collect()
}

impl Weakening {
    /// Becomes one with another of the same gate and time.
    fn join(&mut self, other: Weakening) {
        if !self.what.contains(&other.what) {
            self.what = format!("{}; {}", self.what, other.what);
        }
        self.evidence.extend(other.evidence);
        self.is_clear |= other.is_clear;
    }
}

/// A decision speaks of one change: made since the change before, the best of those that no earlier change has.
fn judged(case: &Case<'_>, w: &Weakening, before: Option<Time>, used: &mut BTreeSet<u64>) -> Judged {
    let record = DAY * case.catalogue.defaults.record_days;
    let line_of = |d: &Seen<Statement>| match d {
        d if lacks(&d.value) => 3,
        d if dated(d) > w.seen.plus_seconds(record) => 4,
        // In time only if it was so wherever between two looks the change lies.
        d if dated(d) > w.since.unwrap_or(w.seen).plus_seconds(record + DAY) => 6,
        _ => 5,
    };
    let statements = case.facts.statements.at(case.estate.at).map(|(_, s)| s);
    let of_gate = statements.filter(|s| s.value.what == "policy_change" && s.value.about == w.gate);
    let free = of_gate.filter(|s| before.is_none_or(|b| dated(s) > b) && !used.contains(&s.seq));
    let best = |s: &&Seen<Statement>| (line_of(s) == 5, line_of(s), Reverse(dated(s)));
    let decision = free.max_by_key(best);
    let line = if w.is_clear { decision.map_or(2, line_of) } else { 1 };
    used.extend(decision.filter(|_| line == 5).map(|d| d.seq));
    let unit = format!("{} {}", w.gate, w.seen);
    let note = format!("{}, seen {}", w.what, utc(w.seen));
    Judged::line(unit, line)
        .note(note)
        .evidence(w.evidence.iter().copied())
        .evidence(decision.map(|d| d.seq))
        .happened(w.seen)
}

/// The day of a decision; a day counts from its beginning.
fn dated(s: &Seen<Statement>) -> Time {
    s.value.recorded.unwrap_or(s.at)
}

fn lacks(s: &Statement) -> bool {
    s.person.is_none()
        || s.recorded.is_none()
        || s.reason_chars == 0
        || s.approver_is_requester != Some(false)
}

/// States of a subject, each with the one before.
fn pairs<T>(states: &States<T>) -> impl Iterator<Item = (&Seen<T>, &Seen<T>)> {
    states.0.values().flat_map(|history| history.windows(2).map(|pair| (&pair[0], &pair[1])))
}

/// Policies that were removed, lowered or made overridable, and workspaces that they no longer reach.
fn of_sets(case: &Case<'_>) -> Vec<Weakening> {
    let mut found = Vec::new();
    for (a, b) in pairs(&case.facts.terraform.sets).filter(|(a, _)| !a.gone) {
        let commit = by(a.value.origin.as_ref(), b.value.origin.as_ref());
        let weakening = |gate: String, what: String, is_clear| Weakening {
            gate,
            what: format!("{what}{commit}"),
            seen: b.at,
            since: case.look_before(&b.source, b.at),
            evidence: vec![a.seq, b.seq],
            is_clear,
        };
        for policy in case.catalogue.pack.policies.iter().map(|p| &p.name) {
            let change = of_policy(case, policy, a, b);
            found.extend(change.map(|(what, is_clear)| weakening(policy.clone(), what, is_clear)));
        }
        // What a set of a repository holds, its list does not say.
        if !b.gone && !commit.is_empty() && is_open(&b.value) && !reached(case, a, b.at).is_empty() {
            let set = &b.value.name;
            found.push(weakening(format!("set/{set}"), format!("policies of the set {set} changed"), false));
        }
    }
    found
}

/// Workspaces of the system that a set applies to.
fn reached<'a>(case: &Case<'a>, set: &Seen<PolicySet>, at: Time) -> Vec<&'a String> {
    let workspaces = case.system.into_iter().flat_map(|system| &system.workspaces);
    workspaces.filter(|w| reaches(case, &set.value, (w, at))).collect()
}

/// How a set came to do less with a policy for the system, and whether it is clear that it does.
fn of_policy(
    case: &Case<'_>,
    policy: &str,
    a: &Seen<PolicySet>,
    b: &Seen<PolicySet>,
) -> Option<(String, bool)> {
    let (from, reached, set) = (level(&a.value, policy)?, reached(case, a, b.at), &a.value.name);
    let is_lost = |w: &&String| b.gone || !applies(case, &b.value, policy, (w, b.at));
    if reached.iter().any(is_lost) {
        // Another set that is as strict may apply it instead.
        let strict = |s: &PolicySet| level(s, policy).and_then(strictness) >= strictness(from);
        let is_as_strict = |s: &PolicySet| strict(s) && (a.value.overridable || !s.overridable);
        let sets = case.facts.terraform.sets.at(b.at).map(|(_, s)| s);
        let sets: Vec<_> = sets.filter(|s| s.source == b.source).map(|s| &s.value).collect();
        let covers =
            |w: &&String| sets.iter().any(|s| applies(case, s, policy, (w, b.at)) && is_as_strict(s));
        let bare = reached.iter().find(|w| !covers(w))?;
        return Some(match level(&b.value, policy) {
            _ if b.gone => (format!("{policy} went with its policy set {set}"), true),
            None => (format!("{policy} was taken out of the policy set {set}"), true),
            Some(_) => (format!("{policy} no longer applies to workspace {bare}"), true),
        });
    }
    let to = level(&b.value, policy).unwrap_or_default();
    match (strictness(from), strictness(to)) {
        _ if reached.is_empty() => None,
        (Some(before), Some(after)) if after < before => {
            Some((format!("{policy} was lowered from {from} to {to}"), true))
        }
        (Some(_), None) => {
            Some((format!("{policy} was {from}, and its level is not stated any more"), false))
        }
        _ if !a.value.overridable && b.value.overridable => {
            Some((format!("{policy} became overridable with its policy set {set}"), true))
        }
        _ => None,
    }
}

/// Policies whose text is another one: whether it asks for less, we cannot tell.
fn of_texts(case: &Case<'_>) -> Vec<Weakening> {
    let Some(system) = case.system else { return Vec::new() };
    let terraform = &case.facts.terraform;
    let required = |name: &str| case.catalogue.pack.policies.iter().any(|p| p.name == name);
    let judges = |name: &str, at: Time| {
        let reaches =
            |s: &Seen<PolicySet>| system.workspaces.iter().any(|w| applies(case, &s.value, name, (w, at)));
        terraform.sets.at(at).any(|(_, s)| reaches(s))
    };
    let changed =
        pairs(&terraform.policies).filter(|(a, b)| !a.gone && !b.gone && a.value.sha256 != b.value.sha256);
    let ours = changed.filter(|(a, b)| required(&a.value.name) && judges(&a.value.name, b.at));
    let weakening = |(a, b): (&Seen<Policy>, &Seen<Policy>)| Weakening {
        gate: a.value.name.clone(),
        what: format!("the text of {} was changed", a.value.name),
        seen: b.at,
        since: case.look_before(&b.source, b.at),
        evidence: vec![a.seq, b.seq],
        is_clear: false,
    };
    ours.map(weakening).collect()
}

/// The level of a policy in a set, empty when not stated; none when the set does not hold it.
fn level<'s>(set: &'s PolicySet, policy: &str) -> Option<&'s str> {
    set.policies.iter().find(|(name, _)| name == policy).map(|(_, level)| level.as_str())
}

/// The commit that changed a policy set, where it comes from a repository.
fn by(before: Option<&Origin>, after: Option<&Origin>) -> String {
    let commit = after.filter(|o| !o.commit.is_empty() && before.is_none_or(|b| b.commit != o.commit));
    commit.map(|o| format!(" by commit {} of {}", o.commit, o.repository)).unwrap_or_default()
}

/// Policies that ran weaker than configured, as run events tell.
fn of_runs(case: &Case<'_>) -> Vec<Weakening> {
    let of_run = |(_, run): super::terraform::Applied<'_>| {
        let seen = run.value.applied.unwrap_or(run.at);
        let told = run.value.warnings.iter().filter(|w| !w.starts_with("changed_task_enforcements"));
        let weakening = |w: &String| Weakening {
            gate: w.split('\'').nth(1).unwrap_or("policies").to_owned(),
            what: format!("on {}, {w}", run.value.run),
            seen,
            since: None,
            evidence: vec![run.seq],
            is_clear: true,
        };
        told.map(weakening).collect::<Vec<_>>()
    };
    in_window(case).into_iter().flat_map(of_run).collect()
}

/// Constraints that judge a workload of the system and were removed, no longer deny, or ask something else.
fn of_constraints(case: &Case<'_>) -> Vec<Weakening> {
    let ours = workloads(case);
    let required: BTreeSet<&str> = case.catalogue.pack.constraints.iter().map(|c| c.kind.as_str()).collect();
    let judges = |c: &Seen<Constraint>| {
        let deny = !c.gone && c.value.effective_action == "deny" && required.contains(c.value.kind.as_str());
        deny && ours.iter().any(|(_, w)| w.source == c.source && case.admission().selects(&c.value, w))
    };
    let mut found = Vec::new();
    for (a, b) in pairs(&case.facts.cluster.constraints).filter(|(a, _)| judges(a)) {
        let gate = format!("{}/{}", a.value.kind, a.value.name);
        let (what, is_clear) = if b.gone {
            (format!("{gate} was removed"), true)
        } else if b.value.effective_action != "deny" {
            (format!("{gate} no longer denies: {}", b.value.effective_action), true)
        } else if (&a.value.r#match, &a.value.parameters) != (&b.value.r#match, &b.value.parameters) {
            (format!("match or parameters of {gate} were changed"), false)
        } else {
            continue;
        };
        let since = case.look_before(&b.source, b.at);
        found.push(Weakening { gate, what, seen: b.at, since, evidence: vec![a.seq, b.seq], is_clear });
    }
    for (a, b) in pairs(&case.facts.cluster.templates)
        .filter(|(a, b)| !a.gone && !b.gone && a.value.text != b.value.text)
    {
        let judging = case.admission().of_kind(&a.source, &a.value.kind);
        for c in judging.into_iter().filter(|c| judges(c)) {
            let gate = format!("{}/{}", c.value.kind, c.value.name);
            let what = format!("the template of {gate} was changed");
            let since = case.look_before(&b.source, b.at);
            let evidence = vec![a.seq, b.seq];
            found.push(Weakening { gate, what, seen: b.at, since, evidence, is_clear: false });
        }
    }
    found
}

/// Namespaces of the system that became exempt, by label or by Gatekeeper's Config.
fn of_namespaces(case: &Case<'_>) -> Vec<Weakening> {
    let spaces: BTreeSet<(String, String)> =
        workloads(case).into_iter().map(|(_, w)| (w.source.clone(), w.value.namespace.clone())).collect();
    let cluster = &case.facts.cluster;
    let mut found = Vec::new();
    let mut tell = |name: &str, how: &str, (a, b): (u64, u64), (source, seen): (&str, Time)| {
        let (gate, what) = (format!("namespace/{name}"), format!("namespace {name} became exempt by {how}"));
        let since = case.look_before(source, seen);
        found.push(Weakening { gate, what, seen, since, evidence: vec![a, b], is_clear: true });
    };
    for (a, b) in pairs(&cluster.namespaces).filter(|(a, b)| !a.gone && !b.gone) {
        let is_ours = spaces.contains(&(a.source.clone(), a.value.name.clone()));
        if is_ours && a.value.labels.get(IGNORE).is_none() && b.value.labels.get(IGNORE).is_some() {
            tell(&a.value.name, "label", (a.seq, b.seq), (&b.source, b.at));
        }
    }
    for (a, b) in pairs(&cluster.configs) {
        let leaves_out = |c: &[String], name: &str| c.iter().any(|p| wildcard(p, name));
        for (_, name) in spaces.iter().filter(|(source, _)| *source == a.source) {
            if !leaves_out(&a.value.excluded, name) && leaves_out(&b.value.excluded, name) {
                tell(name, "Gatekeeper's Config", (a.seq, b.seq), (&b.source, b.at));
            }
        }
    }
    found
}
