//! Whether somebody looked at a new model version before it ran.

use super::super::dates::{day, day_or_dash, is_later};
use super::super::deployments::Deployment;
use super::super::estate::System;
use super::super::facts::Seen;
use super::super::findings::Case;
use super::Judged;
use super::documents::confirmation;
use crate::evidence::Time;
use crate::evidence::register::{Change, Record};

/// Each model version that was first seen in production in the window has a change record before its start.
pub(super) fn reviewed(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let is_new = |d: &Deployment| d.start.unwrap_or(d.seen) >= case.estate.window;
    let new = system.deployed.iter().filter(|(_, d)| is_new(d));
    new.map(|(version, d)| judge(case, system, version, d)).collect()
}

/// The change record of a model version.
pub(super) fn change<'a>(case: &Case<'a>, system: &System, version: &str) -> Option<&'a Seen<Change>> {
    let subject = format!("change:{}/{version}", system.id);
    case.facts.changes.of(&subject, case.estate.at).filter(|c| !c.gone)
}

fn judge(case: &Case<'_>, system: &System, version: &str, deployment: &Deployment) -> Judged {
    let found = change(case, system, version);
    let start = deployment.start;
    let (line, note) = match found {
        None => (
            1,
            format!(
                "{version} ran from {}; no change record names it",
                day(start.unwrap_or(deployment.seen))
            ),
        ),
        Some(change) => looked_at(case, system, change, start),
    };
    let judged = Judged::line(version, line).note(note).evidence(found.map(|c| c.seq));
    judged.evidence(deployment.entries.iter().copied().take(3)).happened(start.unwrap_or(deployment.seen))
}

fn looked_at(
    case: &Case<'_>,
    system: &System,
    change: &Seen<Change>,
    start: Option<Time>,
) -> (usize, String) {
    let c = &change.value;
    let said = format!("change record of {}, version start {}", day_or_dash(c.date), day_or_dash(start));
    let needs_assessment = c.substantial == Some(true) && c.predetermined != Some(true);
    match (c.date, start) {
        _ if c.approver.is_none() || c.date.is_none() || c.substantial.is_none() => {
            (2, "the change record lacks approver or date, or does not say whether it is substantial".into())
        }
        (Some(date), Some(start)) if is_later(date, start) => (3, said),
        (Some(date), _) if needs_assessment && !assessed(case, system, date, start) => {
            (4, format!("{said}; substantial, and no conformity assessment lies between"))
        }
        (_, None) => (5, said),
        _ => (6, said),
    }
}

/// Whether a conformity assessment on record is dated between a change and the version start.
fn assessed(case: &Case<'_>, system: &System, change: Time, start: Option<Time>) -> bool {
    let record = system.register.conformity.as_ref().and_then(|c| c.assessment.given());
    let stands = |r: &&Record| r.complete() && !confirmation(case, r).0.contradicts();
    let date = record.filter(stands).and_then(|r| r.date);
    date.is_some_and(|d| !is_later(change, d) && start.is_none_or(|start| !is_later(d, start)))
}
