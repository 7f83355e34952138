//! Whether anything of a system runs, or ran, that its owner calls prohibited.

use super::super::coverage::Input;
use super::super::estate::System;
use super::super::facts::{Seen, States};
use super::super::findings::Case;
use super::sight::Ours;
use super::{Judged, many, utc};
use crate::act::SourceKind;
use crate::evidence::Time;

const NEEDED: [SourceKind; 3] = [SourceKind::Sentinel, SourceKind::Gatekeeper, SourceKind::FlowLogs];

/// A span of time, both ends with it.
type Span = (Time, Time);

pub(super) fn not_running(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let sources = || NEEDED.into_iter().flat_map(|kind| case.estate.sources(kind));
    let horizon = sources().map(|c| c.horizon).min().unwrap_or(case.estate.at);
    let first_look = sources().filter_map(|c| c.begin).min().unwrap_or(horizon);
    let since = applies_from(case, system).map_or(first_look, |from| from.max(first_look));
    let spans = [("runs now", horizon.plus_days(-1).max(first_look)), ("ran since", since)];
    let ours = Ours::of(case);
    spans.map(|(statement, from)| judge(case, system, &ours, statement, (from.min(horizon), horizon))).into()
}

/// Since when the point of Art. 5 applies that the register names; without one, the first.
fn applies_from(case: &Case<'_>, system: &System) -> Option<Time> {
    let point = system.annex().and_then(|a| a.strip_prefix("5(1)")).unwrap_or("(a)");
    let names = |article: &str| article.contains(point);
    let references = &case.control.references;
    let reference = references.iter().find(|r| names(&r.article)).or(references.first())?;
    reference.from.values().filter_map(|date| case.catalogue.date(date)).min()
}

fn judge(case: &Case<'_>, system: &System, ours: &Ours<'_>, statement: &str, span: Span) -> Judged {
    let seen = running(case, system, ours, span);
    // Nodes are no inventory of all there is.
    let listed = case.estate.interfaces.iter().filter(|i| i.node.is_none());
    let known = listed.chain(ours.interfaces.iter().copied()).map(|i| i.first_look).min();
    let blind = ours.interfaces.iter().any(|i| {
        let sum = case.facts.network.of(&i.source).between(&i.name, span);
        sum.is_some_and(|sum| sum.is_blind())
    });
    let unread = unread(case, span);
    let line = if !seen.is_empty() {
        1
    } else if unread.is_some() {
        2
    } else if known.is_none_or(|t| t > span.0.plus_days(1)) {
        3
    } else if blind {
        4
    } else {
        5
    };
    let note = match line {
        1 => seen.iter().take(5).map(|(note, _)| note.as_str()).collect::<Vec<_>>().join("; "),
        2 => unread.unwrap_or_default(),
        3 => "its interfaces are not known for the whole span".into(),
        4 => "the format of the flow log does not show ports, addresses or action".into(),
        _ => format!("nothing of it was seen from {} to {}", utc(span.0), utc(span.1)),
    };
    Judged::line(statement, line).note(note).evidence(seen.into_iter().map(|(_, entry)| entry))
}

/// What of the system was seen in a span, and the entries that show it.
fn running(case: &Case<'_>, system: &System, ours: &Ours<'_>, span: Span) -> Vec<(String, u64)> {
    let facts = case.facts;
    let workloads = there(&facts.cluster.workloads, system.workloads.iter(), span);
    let workloads = workloads.filter(|(_, w)| w.value.replicas > 0);
    let mut seen: Vec<(String, u64)> = workloads.map(|(s, w)| (format!("{s} runs"), w.seq)).collect();
    let resources = there(&facts.terraform.resources, system.resources.iter(), span);
    let compute = resources.filter(|(_, r)| r.value.is_compute());
    seen.extend(
        compute.map(|(_, r)| (format!("{} was applied in {}", r.value.address, r.value.workspace), r.seq)),
    );
    let ports = &system.register.serving_ports;
    let rows = ours.rows(case, |d| &d.ports).into_iter();
    let served = rows.filter(|r| ports.contains(&r.place.port) && r.records > 0 && within(r.hour, span));
    seen.extend(served.map(|p| {
        let (n, port, hour) = (many(p.records, "connection"), p.place.port, utc(p.hour));
        (format!("port {port} accepted {n} in the hour from {hour}"), p.seq)
    }));
    seen
}

/// Whether an hour reaches into a span.
fn within(hour: Time, (from, to): Span) -> bool {
    hour.plus_seconds(3_600) > from && hour <= to
}

/// States of subjects that held at some time of a span.
fn there<'a, T>(
    states: &'a States<T>,
    subjects: impl Iterator<Item = &'a String>,
    (from, to): Span,
) -> impl Iterator<Item = (&'a str, &'a Seen<T>)> {
    let held = move |subject: &'a String| {
        let history = states.get(subject)?;
        let state = |(i, s): &(usize, &Seen<T>)| {
            !s.gone && s.at <= to && history.get(i + 1).is_none_or(|next| next.at > from)
        };
        history.iter().enumerate().find(state).map(|(_, s)| (subject.as_str(), s))
    };
    subjects.filter_map(held)
}

/// Why a span was not seen as a whole: a source that is stale, or has a gap in it. The span may begin before the window.
fn unread(case: &Case<'_>, span: Span) -> Option<String> {
    let Case { facts, catalogue, estate, .. } = *case;
    let input =
        Input { facts, catalogue, config: &estate.config, interfaces: &estate.interfaces, at: estate.at };
    let all = input.since(span.0);
    let needed = all.values().filter(|c| NEEDED.contains(&c.kind));
    needed.into_iter().find_map(|c| {
        let gap = c.gaps.iter().find(|g| g.to >= span.0 && g.from <= span.1);
        let stale = c.stale.then(|| format!("{} was not read to its end", c.source));
        gap.map(|g| format!("{}: {} ({})", c.source, g.what, utc(g.from))).or(stale)
    })
}
