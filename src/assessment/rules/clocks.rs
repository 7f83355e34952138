//! Rules about clocks that run: the last review, the correction of a finding, the report of an incident.

use super::super::dates::{day, day_or_dash, is_current, is_later, is_over};
use super::super::due::Due;
use super::super::estate::System;
use super::super::facts::Seen;
use super::super::findings::{Case, Finding};
use super::Judged;
use super::documents::confirmation;
use crate::act::{Role, SourceKind};
use crate::evidence::Time;
use crate::evidence::register::{Incident, Record, Review};

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
    let ours = case.judged.iter().filter(|f| f.system.as_ref() == Some(&system.id));
    let due = |f| Due::of(case.facts, case.catalogue, f, case.estate.at).map(|due| (f, due));
    ours.filter_map(due).map(|(finding, due)| correction(case, finding, &due)).collect()
}

fn correction(case: &Case<'_>, finding: &Finding, due: &Due<'_>) -> Judged {
    let at = case.estate.at;
    let planned = due.action.filter(|a| a.value.owner.is_some()).and_then(|a| Some((a, a.value.due?)));
    let open = format!("open since {}", day(due.since));
    let (line, note) = match (due.action, planned) {
        _ if finding.excepted => (1, "an exception in force covers it".into()),
        (Some(a), _) if a.value.due.is_some_and(|last| is_over(last, at)) => {
            (2, format!("was to be put right by {}", day_or_dash(a.value.due)))
        }
        (_, Some((a, last))) if is_later(last, due.close) && a.value.approver.is_none() => (
            3,
            format!(
                "due {}, later than the house allows ({}), and nobody approved that",
                day(last),
                day(due.close)
            ),
        ),
        (_, Some((_, last))) => (4, format!("owned, due {}", day(last))),
        (_, None) if is_over(due.plan, at) => {
            (5, format!("{open}; a corrective action with owner and day was due on {}", day(due.plan)))
        }
        (_, None) => (6, format!("{open}; a corrective action is due on {}", day(due.plan))),
    };
    let cited = finding.units.iter().filter_map(|u| u.evidence.first()).take(3).copied();
    Judged::line(&finding.control, line).note(note).evidence(due.action.map(|a| a.seq)).evidence(cited)
}

/// Art. 73 and Art. 26(5): whether serious incidents were reported in time.
pub(super) fn incidents(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let log = match system.register.incident_log.as_ref().filter(|log| !log.trim().is_empty()) {
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
    // What is dated after the time judged from has not happened.
    let past = |t: Option<Time>| t.filter(|t| !is_later(*t, case.estate.at));
    let (reported, told) = (past(i.reported), past(i.told_provider));
    let latest = i.aware.zip(days).map(|(aware, days)| aware.plus_days(days));
    let line = match (latest, reported) {
        _ if role.is_none() => 3,
        (None, _) => 3,
        (Some(latest), None) if provides && is_over(latest, case.estate.at) => 4,
        (Some(latest), Some(reported)) if provides && is_later(reported, latest) => 5,
        _ if !provides && told.is_none() => 6,
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
