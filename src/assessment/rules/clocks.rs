//! Rules about clocks that run: the last review, the correction of a finding, the report of an incident.

use super::super::estate::System;
use super::super::facts::Seen;
use super::super::findings::{Case, Finding};
use super::Judged;
use super::dates::{DAY, day, day_or_dash, is_current, is_later, is_over};
use super::documents::confirmation;
use crate::act::{ControlKind, Role, SourceKind};
use crate::evidence::Time;
use crate::evidence::register::{CorrectiveAction, Incident, Record, Review};

/// When a system was last reviewed: the register's entry, else the oldest tag on its things.
pub(super) fn reviewed(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let days = case.catalogue.pack.review_max_age_days.get(&system.level()).copied().unwrap_or(0);
    let judged = match &system.register.review {
        Some(review) => entry(case, system, review, days),
        None => tags(case, system, days),
    };
    vec![judged]
}

fn entry(case: &Case<'_>, system: &System, review: &Review, days: i64) -> Judged {
    let record = Record { uri: review.uri.clone(), sha256: review.sha256.clone(), ..Record::default() };
    let contradicted = confirmation(case, &record).0.contradicts();
    let line = match review.date {
        Some(date) if !is_current(date, case.estate.at, days) => 1,
        Some(_) if review.reviewer.is_some() && !contradicted => 2,
        _ => 3,
    };
    let note = match line {
        3 if contradicted => "the record of the review is not the one that S3 shows".into(),
        3 => "a review entry without date or reviewer".into(),
        _ => format!("reviewed on {}; the limit is {days} days", day_or_dash(review.date)),
    };
    Judged::line(&system.id, line).note(note).evidence(system.registered)
}

fn tags(case: &Case<'_>, system: &System, days: i64) -> Judged {
    let carriers = [SourceKind::Sentinel, SourceKind::Gatekeeper, SourceKind::ModelArtifacts];
    let stale = carriers.iter().flat_map(|k| case.estate.sources(*k)).any(|c| c.stale && c.off.is_none());
    let found = review_tags(case, system);
    let says_nothing = |(value, _): &&(&str, u64)| case.catalogue.pack.is_placeholder(value);
    let dates: Option<Vec<(Time, u64)>> =
        found.iter().map(|(value, seq)| Some((date(value)?, *seq))).collect();
    let oldest = dates.as_ref().and_then(|d| d.iter().min().copied());
    let name = &case.catalogue.pack.review_tag;
    let (line, note) = match (found.iter().find(says_nothing), oldest) {
        _ if stale => (4, format!("a source that may carry the tag {name} is stale")),
        _ if found.is_empty() => (5, format!("no review in the register, no tag {name}")),
        (Some((value, _)), _) => (5, format!("the tag {name} says {value:?}")),
        (None, None) => (6, format!("a tag {name} is no date of the form YYYY-MM-DD")),
        (None, Some((date, _))) => {
            let line = if is_current(date, case.estate.at, days) { 8 } else { 7 };
            (line, format!("the oldest tag {name} says {}; the limit is {days} days", day(date)))
        }
    };
    let cited = oldest.filter(|_| line > 6).map(|(_, seq)| seq).into_iter();
    let all = found.iter().map(|(_, seq)| *seq).filter(|_| line <= 6);
    Judged::line(&system.id, line)
        .note(note)
        .evidence(cited.chain(all))
        .evidence(system.registered.filter(|_| found.is_empty()))
}

/// A day as a tag writes it.
fn date(text: &str) -> Option<Time> {
    let text = text.trim();
    (text.len() == 10).then(|| text.parse().ok())?
}

/// Values of the review tag on what belongs to the system and is there.
fn review_tags<'a>(case: &Case<'a>, system: &System) -> Vec<(&'a str, u64)> {
    let (facts, at) = (case.facts, case.estate.at);
    let name = case.catalogue.pack.review_tag.as_str();
    let lower = name.to_lowercase();
    let mut found = Vec::new();
    for r in system.resources.iter().filter_map(|s| facts.terraform.resources.of(s, at)).filter(|r| !r.gone) {
        found.extend(r.value.tags.as_ref().and_then(|t| t.get(name)).map(|v| (v, r.seq)));
    }
    for w in system.workloads.iter().filter_map(|s| facts.cluster.workloads.of(s, at)).filter(|w| !w.gone) {
        use super::super::estate::{annotation, label};
        let value = [name, &lower].into_iter().find_map(|n| annotation(&w.value, n).or(label(&w.value, n)));
        found.extend(value.map(|v| (v, w.seq)));
    }
    for (bucket, prefix) in system.artifacts.values().flatten() {
        for t in facts.object_tags.there(&format!("s3:{bucket}/{prefix}"), at) {
            found.extend(t.value.tags.get(name).map(|v| (v, t.seq)));
        }
    }
    found
}

/// Who puts right each finding that is critical or high, and by when.
pub(super) fn corrected(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let counts = |f: &&Finding| {
        let Some(control) = case.catalogue.control(&f.control) else { return false };
        let is_due = f.law.state == Some("in-force") || control.kind == ControlKind::House;
        f.system.as_ref() == Some(&system.id) && f.is_unsatisfied() && is_due
    };
    case.judged.iter().filter(counts).filter_map(|f| correction(case, f)).collect()
}

fn correction(case: &Case<'_>, finding: &Finding) -> Option<Judged> {
    let control = case.catalogue.control(&finding.control)?;
    let severity = finding.severity(control);
    let (plan, close) = (
        *case.catalogue.defaults.days_to_plan.get(severity)?,
        *case.catalogue.defaults.days_to_close.get(severity)?,
    );
    let at = case.estate.at;
    let since = first_open(case, finding).unwrap_or(at);
    let named = action(case, finding);
    let planned = named.filter(|a| a.value.owner.is_some()).and_then(|a| Some((a, a.value.due?)));
    let (line, note) = match (named, planned) {
        _ if finding.excepted => (1, "an exception in force covers it".into()),
        (Some(a), _) if a.value.due.is_some_and(|due| is_over(due, at)) => {
            (2, format!("was to be put right by {}", day_or_dash(a.value.due)))
        }
        (_, Some((a, due)))
            if is_later(due, since.plus_seconds(close * DAY)) && a.value.approver.is_none() =>
        {
            (
                3,
                format!(
                    "due {}, later than {close} days after {}, and nobody approved that",
                    day(due),
                    day(since)
                ),
            )
        }
        (_, Some((_, due))) => (4, format!("owned, due {}", day(due))),
        (_, None) if is_over(since.plus_seconds(plan * DAY), at) => (
            5,
            format!(
                "open since {}; no corrective action with owner and due date after {plan} days",
                day(since)
            ),
        ),
        (_, None) => (6, format!("open since {}; a corrective action is due within {plan} days", day(since))),
    };
    let cited = finding.units.iter().flat_map(|u| u.evidence.first()).take(3).copied();
    Some(Judged::line(&finding.control, line).note(note).evidence(named.map(|a| a.seq)).evidence(cited))
}

/// When a finding was first not satisfied, of the units that are so now.
pub(super) fn first_open(case: &Case<'_>, finding: &Finding) -> Option<Time> {
    let key = finding.key();
    let units = finding.units.iter().filter(|u| u.status == finding.status && u.excepted.is_none());
    let opened = units.filter_map(|u| case.facts.own.units.get(&(key.clone(), u.id.clone()))?.first_open);
    opened.filter(|t| *t <= case.estate.at).min()
}

/// The corrective action that names a finding, by its number or by control and system.
pub(super) fn action<'a>(case: &Case<'a>, finding: &Finding) -> Option<&'a Seen<CorrectiveAction>> {
    let key = finding.key();
    let number = case.facts.own.numbers.get(&key).map(|n| format!("#{n}"));
    let mut all = case.facts.corrective_actions.at(case.estate.at).map(|(_, a)| a);
    all.find(|a| {
        let named = a.value.finding.trim();
        named == key || number.as_deref() == Some(named)
    })
}

/// Art. 73 and Art. 26(5): whether serious incidents were reported in time.
pub(super) fn incidents(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let log = match &system.register.incident_log {
        None => Judged::line("incident log", 1).note("the register names no incident log"),
        Some(uri) => Judged::line("incident log", 2).note(format!("kept at {uri}; it is not read")),
    };
    let ours = case.facts.incidents.at(case.estate.at).filter(|(_, i)| i.value.system == system.id);
    // What was reported, or told, before the window leaves with it.
    let provides = system.role().is_some_and(|r| r.covers(Role::Provider));
    let is_recent = |i: &Incident| {
        let end = if provides { i.reported } else { i.told_provider };
        end.is_none_or(|t| t >= case.estate.window)
    };
    let judged =
        ours.filter(|(_, i)| is_recent(&i.value)).map(|(subject, i)| incident(case, system, (subject, i)));
    [log.evidence(system.registered)].into_iter().chain(judged).collect()
}

fn incident(case: &Case<'_>, system: &System, (subject, seen): (&str, &Seen<Incident>)) -> Judged {
    let i = &seen.value;
    let role = system.role();
    let provides = role.is_some_and(|r| r.covers(Role::Provider));
    let category = i.category.as_deref().map(|c| c.trim().to_lowercase());
    let days = category.as_ref().and_then(|c| case.catalogue.defaults.incident_days.get(c)).copied();
    let latest = i.aware.zip(days).map(|(aware, days)| aware.plus_seconds(days * DAY));
    let line = match (latest, i.reported) {
        _ if role.is_none() => 3,
        (None, _) => 3,
        (Some(latest), None) if provides && is_over(latest, case.estate.at) => 4,
        (Some(latest), Some(reported)) if provides && is_later(reported, latest) => 5,
        _ if !provides && i.told_provider.is_none() => 6,
        (_, None) if provides => 7,
        _ => 8,
    };
    let (reported, told) = (day_or_dash(i.reported), day_or_dash(i.told_provider));
    let note = format!(
        "{}, aware {}; latest {}, reported {reported}, provider told {told}",
        category.as_deref().unwrap_or("no category"),
        day_or_dash(i.aware),
        day_or_dash(latest),
    );
    let unit = subject.trim_start_matches("incident:");
    Judged::line(format!("incident {unit}"), line).note(note).evidence([seen.seq])
}
