//! Rules about people: who oversees a system, who was told of it, and what is done so that people can deal with AI.
//! All of it is declared.

use super::super::dates::{day, day_or_dash, is_current, is_later};
use super::super::estate::System;
use super::super::findings::Case;
use super::Judged;
use super::artifacts::in_use_since;
use crate::evidence::register::{AiLiteracy, Informed, Said, is_said};

/// Art. 26(2): who oversees the system, and whether they were trained.
pub(super) fn overseen(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let at = case.estate.at;
    let days = case.catalogue.defaults.training_max_age_days;
    let said = case.facts.oversight.of(&system.subject(), at).filter(|o| !o.gone);
    let trained = said.and_then(|o| o.value.trained);
    let (line, note) = match (said, trained) {
        (None, _) => (1, "the register does not say who oversees it".into()),
        (Some(o), _) if o.value.people.is_empty() => (2, "the register names nobody who oversees it".into()),
        (_, None) => (3, "people are named, without a date of training".into()),
        (_, Some(t)) if !is_current(t, at, days) => {
            (4, format!("training dated {}; the limit is {days} days", day(t)))
        }
        (Some(o), Some(t)) => (5, format!("{} named, training dated {}", o.value.people.len(), day(t))),
    };
    let entry = said.map(|o| o.seq).or(system.registered);
    vec![Judged::line(&system.id, line).note(note).evidence(entry)]
}

/// Art. 26(7): whether workers were told before the system was used at the workplace.
pub(super) fn workers(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let (line, note) = match system.register.workplace {
        None => (1, "the register does not say whether it is used at the workplace".into()),
        Some(false) => (2, "not used at the workplace, as the register says".into()),
        Some(true) => told_workers(system),
    };
    vec![Judged::line(&system.id, line).note(note).evidence(system.registered)]
}

fn told_workers(system: &System) -> (usize, String) {
    let Some((date, how)) = told(&system.register.workers_informed) else {
        return (3, "used at the workplace; no date and way of informing the workers is on record".into());
    };
    let said = format!("workers informed on {}: {how}", day(date));
    match in_use_since(system) {
        Some(since) if is_later(date, since) => (4, format!("{said}; in use since {}", day(since))),
        None => (5, format!("{said}; not known since when it is in use")),
        Some(_) => (6, said),
    }
}

/// Art. 26(11): whether people are told of a system that takes part in decisions about them.
pub(super) fn people_concerned(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let (line, note) = match (system.register.decides_about_people, told(&system.register.people_informed)) {
        (None, _) => (1, "the register does not say whether it takes part in decisions about people".into()),
        (Some(false), _) => (2, "no part in decisions about people, as the register says".into()),
        (Some(true), None) => (3, "no date and way of informing the people concerned is on record".into()),
        (_, Some((date, how))) if date > case.estate.at => {
            (4, format!("to be informed from {}: {how}", day(date)))
        }
        (_, Some((date, how))) => (5, format!("informed since {}: {how}", day(date))),
    };
    vec![Judged::line(&system.id, line).note(note).evidence(system.registered)]
}

fn told(said: &Said<Informed>) -> Option<(crate::evidence::Time, &str)> {
    let informed = said.given()?;
    informed.date.zip(informed.how.as_deref().map(str::trim).filter(|how| !how.is_empty()))
}

/// Art. 4: measures for AI literacy, once for the organisation.
pub(super) fn literacy(case: &Case<'_>) -> Vec<Judged> {
    let at = case.estate.at;
    let seen = case.facts.organization.of("organization", at).filter(|o| !o.gone);
    let (line, note) = match seen.map(|o| &o.value.ai_literacy) {
        None | Some(Said::Absent) => (1, "the register says nothing of AI literacy".into()),
        Some(Said::None) => (2, "the register says that there are no measures".into()),
        Some(Said::Given(said)) => measures(case, said),
    };
    vec![Judged::line("organisation", line).note(note).evidence(seen.map(|o| o.seq))]
}

fn measures(case: &Case<'_>, said: &AiLiteracy) -> (usize, String) {
    let days = case.catalogue.defaults.literacy_max_age_days;
    let lacks = ![&said.measures, &said.audience, &said.owner].into_iter().all(is_said);
    let dated = day_or_dash(said.date);
    match said.date {
        _ if lacks => (2, "measures, audience, date or owner is missing".into()),
        None => (2, "measures without a date".into()),
        Some(t) if !is_current(t, case.estate.at, days) => {
            (3, format!("measures dated {dated}; the limit is {days} days"))
        }
        Some(_) => (4, format!("measures on record, dated {dated}")),
    }
}
