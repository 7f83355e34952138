//! Rules about violators: what got past a gate, and what was there before it.

use super::super::facts::{Seen, States};
use super::super::findings::Case;
use super::cluster::{was_read_whole, workloads};
use super::gates::row;
use super::{Judged, many, utc};
use crate::evidence::gatekeeper::{Constraint, Ending, Template, Verdict, Violation, Workload};
use crate::evidence::{DAY, Time};
use std::collections::BTreeSet;

/// What a deny constraint says of a workload in its match scope.
struct Denial<'a> {
    constraint: &'a Seen<Constraint>,
    /// Its violation, which may have ended.
    violation: Option<&'a Seen<Violation>>,
    /// Whether every violator of the constraint is known.
    is_complete: bool,
    /// Since when it denies, as far as we saw it change; else the time of the first look, before which it began.
    began: Time,
    /// Whether that change was seen.
    is_seen: bool,
    /// The earliest time at which it may have begun, where the change was seen.
    earliest: Option<Time>,
    workload: Order,
    /// Whether the workload violated it as it was seen first; none when that is not known.
    from_the_first: Option<bool>,
}

/// When a workload was created.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// Before its constraint began to deny.
    Before,
    /// Later.
    After,
    /// One of both times is not known.
    Unknown,
}

impl Denial<'_> {
    fn violates(&self) -> bool {
        self.violation.is_some_and(|v| !v.gone)
    }

    fn violates_and_is(&self, order: Order) -> bool {
        self.violates() && self.workload == order
    }

    /// Whether the workload may violate it and not be named.
    fn is_open(&self) -> bool {
        !self.violates() && !self.is_complete
    }
}

/// What every deny constraint says that has a workload in its match scope.
fn denials<'a>(case: &Case<'a>, subject: &str, w: &Seen<Workload>) -> Vec<Denial<'a>> {
    let (facts, at) = (&case.facts.cluster, case.estate.at);
    let skew = case.catalogue.defaults.clock_skew_seconds;
    let all = facts.constraints.at(at).filter(|(_, c)| c.source == w.source);
    let denying = all.filter(|(_, c)| c.value.effective_action == "deny");
    // One that may have it in its scope is not complete.
    let scoped = denying.filter(|(_, c)| case.admission().scope(&c.value, w) != Some(false));
    let denial = |(place, c): (&str, &'a Seen<Constraint>)| {
        let violated = format!("{subject}#{}/{}", c.value.kind, c.value.name);
        let violation = facts.violations.of(&violated, at);
        let (began, is_seen) = denies_since(case, place, c)?;
        let earliest = earliest(case, c, began).filter(|_| is_seen);
        let workload = match w.value.created {
            Some(created) if created > began.plus_seconds(skew) => Order::After,
            Some(created) if earliest.is_some_and(|t| created <= t) => Order::Before,
            _ => Order::Unknown,
        };
        Some(Denial {
            constraint: c,
            violation,
            is_complete: is_complete(case, c, w),
            began,
            is_seen,
            earliest,
            workload,
            from_the_first: from_the_first(case, subject, &violated, w),
        })
    };
    scoped.filter_map(denial).collect()
}

/// When constraint, match, parameters or template changed last, and whether that was seen.
fn denies_since(case: &Case<'_>, place: &str, c: &Seen<Constraint>) -> Option<(Time, bool)> {
    let (facts, at) = (&case.facts.cluster, case.estate.at);
    let same_rule = |a: &Constraint, b: &Constraint| {
        let asked = |c: &Constraint| {
            (c.uid.clone(), c.effective_action.clone(), c.r#match.clone(), c.parameters.clone())
        };
        asked(a) == asked(b)
    };
    let same_text = |a: &Template, b: &Template| a.text == b.text && a.created == b.created;
    let of_kind =
        facts.templates.at(at).filter(|(_, t)| t.source == c.source && t.value.kind == c.value.kind);
    let mut changes: Vec<Time> =
        of_kind.filter_map(|(t, _)| since(&facts.templates, t, at, same_text)).collect();
    changes.push(since(&facts.constraints, place, at, same_rule)?);
    let began = changes.into_iter().max()?;
    // What the first look showed was there before.
    let first = case.looks(&c.source).find_map(|l| l.value.looked_at)?;
    Some((began, began > first))
}

/// When a change may have been made that was seen at a time: what a watch told, then; what a look showed, after the complete
/// look before it, and not before the constraint was created.
fn earliest(case: &Case<'_>, c: &Seen<Constraint>, seen: Time) -> Option<Time> {
    if !case.looks(&c.source).any(|look| look.value.looked_at == Some(seen)) {
        return Some(seen);
    }
    case.look_before(&c.source, seen).max(c.value.created.filter(|created| *created <= seen))
}

/// Whether a workload violated a constraint as it was seen first: at that look, or nothing that a rule can ask changed until it
/// was found. None when its namespace changed in between, or there is no violation.
fn from_the_first(case: &Case<'_>, subject: &str, violated: &str, w: &Seen<Workload>) -> Option<bool> {
    let (facts, at) = (&case.facts.cluster, case.estate.at);
    let found = since(&facts.violations, violated, at, |_, _| true)?;
    let appeared = since(&facts.workloads, subject, at, |_, _| true)?;
    let cluster = subject.split('/').next()?;
    let space = facts.namespaces.get(&format!("{cluster}/-/Namespace/{}", w.value.namespace));
    if space.into_iter().flatten().any(|s| s.at > appeared && s.at <= found) {
        return None;
    }
    let asked = |w: &Workload| (w.labels.clone(), w.annotations.clone(), w.generation);
    let mut states = facts.workloads.get(subject)?.iter().filter(|s| s.at >= appeared && s.at <= found);
    let first = states.next().map(|s| asked(&s.value))?;
    Some(states.all(|s| asked(&s.value) == first))
}

/// The time of the look that first showed a state as it is, without an end or a change since.
fn since<T>(states: &States<T>, subject: &str, at: Time, is_same: impl Fn(&T, &T) -> bool) -> Option<Time> {
    let history: Vec<&Seen<T>> = states.get(subject)?.iter().filter(|s| s.at <= at).collect();
    let last = history.last()?;
    let streak = history.iter().rev().take_while(|s| !s.gone && is_same(&s.value, &last.value));
    streak.last().map(|s| s.at)
}

/// Whether every violator of a constraint is known: our own evaluation has them, or the listing is whole and of an audit after
/// the last change of rule and workload.
fn is_complete(case: &Case<'_>, c: &Seen<Constraint>, w: &Seen<Workload>) -> bool {
    let Some((_, row)) = row(case, c) else { return false };
    let look = case.looks(&c.source).rfind(|l| l.value.looked_at.is_some_and(|t| t <= case.estate.at));
    let audits = look.and_then(|l| l.value.audits.as_ref()).filter(|a| a.whole);
    if audits.is_none() || case.admission().is_unaudited(w) || case.admission().scope(&c.value, w).is_none() {
        return false;
    }
    let is_reproduced = row.reperformed.as_ref().is_some_and(|ours| ours.verdict == Verdict::Reproduced);
    let is_later = audits.and_then(|a| a.oldest).is_some_and(|t| t > w.at);
    is_reproduced || row.total.is_some() && !row.truncated() && row.rule.is_some() && is_later
}

/// A line of a decision list, and the denials for which it holds.
type Line<'l> = (usize, &'l dyn Fn(&Denial<'_>) -> bool);

/// Whether something got past the webhook that it denies.
pub(super) fn bypass(case: &Case<'_>) -> Vec<Judged> {
    let is_past = |d: &Denial<'_>| d.violates_and_is(Order::After) && d.from_the_first == Some(true);
    let is_unknown = |d: &Denial<'_>| {
        d.violates_and_is(Order::Unknown) || d.violates_and_is(Order::After) && d.from_the_first.is_none()
    };
    decided(case, &[(1, &is_past), (2, &|d| d.is_open()), (3, &is_unknown), (5, &|d| d.violates())], 4, 6)
}

/// Whether what a constraint found when it began to deny was put right in time.
pub(super) fn aged(case: &Case<'_>) -> Vec<Judged> {
    let grace = DAY * case.catalogue.defaults.grace_days;
    let is_young = |d: &Denial<'_>| d.violates_and_is(Order::Before);
    let is_aged = |d: &Denial<'_>| is_young(d) && case.estate.at > d.began.plus_seconds(grace);
    let may_be_aged = |d: &Denial<'_>| d.earliest.is_some_and(|t| case.estate.at > t.plus_seconds(grace));
    let is_unknown = |d: &Denial<'_>| d.violates_and_is(Order::Unknown) || is_young(d) && may_be_aged(d);
    let lines: [Line<'_>; 5] =
        [(1, &is_aged), (2, &|d| d.is_open()), (3, &is_unknown), (5, &is_young), (4, &|d| d.violates())];
    decided(case, &lines, 6, 7)
}

/// For each workload the first line that holds for a denial; where none does, `clean`, or `unread` when there is no constraint in
/// whose scope it is because they were not read.
fn decided(case: &Case<'_>, lines: &[Line<'_>], clean: usize, unread: usize) -> Vec<Judged> {
    let judge = |(subject, w): (&str, &Seen<Workload>)| {
        let denials = denials(case, subject, w);
        let held = |(line, holds): &Line<'_>| Some((*line, denials.iter().find(|d| holds(d))?));
        match lines.iter().find_map(held) {
            Some((line, denial)) => said(subject, w, line, Some(denial), &denials),
            None if denials.is_empty() && !was_read_whole(case, &w.source) => {
                said(subject, w, unread, None, &denials)
            }
            None => said(subject, w, clean, None, &denials),
        }
    };
    workloads(case).into_iter().map(judge).collect()
}

/// A workload, the constraint that decides, and what both say of time.
fn said(
    subject: &str,
    w: &Seen<Workload>,
    line: usize,
    of: Option<&Denial<'_>>,
    all: &[Denial<'_>],
) -> Judged {
    let note = match of {
        None if all.is_empty() => "no deny constraint has it in its match scope".into(),
        None => format!("no violation of {}{}", many(all.len() as u64, "deny constraint"), endings(all)),
        Some(d) => sentence(d, w),
    };
    let constraints: BTreeSet<u64> = of.map_or_else(
        || all.iter().map(|d| d.constraint.seq).collect(),
        |d| BTreeSet::from([d.constraint.seq]),
    );
    let judged = Judged::line(subject, line).note(note).evidence([w.seq]).evidence(constraints);
    let violations = all.iter().filter(|d| of.is_none_or(|of| of.constraint.seq == d.constraint.seq));
    judged.evidence(violations.filter_map(|d| d.violation).map(|v| v.seq))
}

/// How violations that were there ended.
fn endings(all: &[Denial<'_>]) -> String {
    let ended = |d: &Denial<'_>| {
        let (violation, constraint) = (d.violation.filter(|v| v.gone)?, &d.constraint.value);
        let how = match violation.value.ending.unwrap_or(Ending::Unknown) {
            Ending::Fixed => "was fixed",
            Ending::Deleted => "ended with its object, which was made anew",
            Ending::RuleChanged => "ended when the rule was changed",
            Ending::Unknown => "ended, and nothing shows how",
        };
        Some(format!("; that of {}/{} {how} ({})", constraint.kind, constraint.name, utc(violation.at)))
    };
    all.iter().filter_map(ended).collect()
}

fn sentence(d: &Denial<'_>, w: &Seen<Workload>) -> String {
    let Constraint { kind, name, .. } = &d.constraint.value;
    let began = utc(d.began);
    let denies = match (d.violates(), d.is_seen) {
        (false, _) => return format!("not every violator of {kind}/{name} is known"),
        (true, true) => format!("denies since {began}"),
        (true, false) => format!("denied before our first look ({began})"),
    };
    let created = w.value.created.map_or_else(|| "at an unknown time".into(), utc);
    let is_ours = d.violation.is_some_and(|v| v.value.reperformed);
    let ours = if is_ours { "; Gatekeeper's list ends before it, our own evaluation has it" } else { "" };
    format!("violates {kind}/{name}, which {denies}; created {created}{ours}")
}
