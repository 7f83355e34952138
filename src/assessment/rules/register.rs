//! Rules that read the register first.

use super::super::dates::is_later;
use super::super::estate::System;
use super::super::findings::{Case, Excepted};
use super::super::level::decision;
use super::Judged;
use super::changed::change;
use super::documents::confirmation;
use crate::act::{Level, Role, Route, SourceKind};
use crate::evidence::register::{RecordState, is_said};

pub(super) fn level_declared(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let unit = |line| Judged::line(&system.id, line);
    if case.estate.sources(SourceKind::Register).all(|c| c.begin.is_none()) {
        return vec![unit(1)];
    }
    let Some(seen) = decision(case.facts, &system.id, case.estate.at) else {
        let stated = system.levels.iter().flat_map(|l| &l.stated);
        let said: Vec<String> = stated.clone().map(|s| format!("{} says {}", s.source, s.raw)).collect();
        let note = if said.is_empty() {
            "nobody stated a level".into()
        } else {
            format!("no decision; {}", uniq(said))
        };
        return vec![
            unit(2).note(note).evidence(system.registered.into_iter().chain(stated.map(|s| s.entry))),
        ];
    };
    let d = &seen.value;
    let annex_iii = d.annex.as_deref().and_then(Route::of_annex_point) == Some(Route::AnnexIii);
    let level = Level::stated(&d.level);
    let below = annex_iii && matches!(level, Some(Level::Limited | Level::Minimal));
    let provider = d.role.as_deref().and_then(Role::stated).is_some_and(|r| r.covers(Role::Provider));
    // A point of Art. 5 is no route, and still says which practice is meant.
    let annex = d.annex.as_deref().unwrap_or_default();
    let is_point = Route::of_annex_point(annex).is_some() || annex.trim().starts_with("5(1)");
    let lacks = d.role.as_deref().and_then(Role::stated).is_none()
        || !is_point
        || d.approver.is_none()
        || d.date.is_none_or(|date| is_later(date, case.estate.at))
        || !is_said(&d.reason);
    let line = if level.is_none() {
        3
    } else if lacks || d.review_by.is_none() {
        4
    } else if d.review_by.is_some_and(|r| r.plus_days(1) <= case.estate.at) {
        5
    } else if below && system.register.profiles_people == Some(true) {
        6
    } else if below && provider && !on_record(case, &system.register.not_high_assessment) {
        7
    } else {
        8
    };
    let why = match line {
        3 => ", which is no level",
        4 => "; it lacks role, Annex point, approver, date or reason, or is dated ahead",
        5 => "; its review was due",
        6 => "; in an area of Annex III a system that profiles people is high-risk",
        7 => "; the assessment of Art. 6(4) is not on record, or S3 shows another",
        _ => "",
    };
    vec![unit(line).note(format!("decided: {}{why}", d.level)).evidence([seen.seq])]
}

/// Whether a record has every field, and S3 does not contradict it.
fn on_record(case: &Case<'_>, state: &RecordState) -> bool {
    state.given().is_some_and(|r| r.complete() && !confirmation(case, r).0.contradicts())
}

fn uniq(mut texts: Vec<String>) -> String {
    texts.sort();
    texts.dedup();
    texts.join(", ")
}

pub(super) fn level_consistent(case: &Case<'_>) -> Vec<Judged> {
    let Some((system, levels)) = case.system.and_then(|s| Some((s, s.levels.as_ref()?))) else {
        return Vec::new();
    };
    let carriers = [SourceKind::Sentinel, SourceKind::Gatekeeper, SourceKind::ModelArtifacts];
    let stale = carriers.iter().flat_map(|k| case.estate.sources(*k)).any(|c| c.stale && c.off.is_none());
    let could_carry =
        !system.workloads.is_empty() || !system.resources.is_empty() || !system.artifacts.is_empty();
    let line = match levels.stated.len() {
        _ if levels.stated.iter().any(|s| s.level.is_none()) => 1,
        _ if levels.disputed() => 2,
        _ if stale => 3,
        2.. => 4,
        1 if !could_carry => 5,
        1 => 6,
        _ => 7,
    };
    let said: Vec<String> = levels.stated.iter().map(|s| format!("{} says {}", s.source, s.raw)).collect();
    let mut judged =
        Judged::line(&system.id, line).note(uniq(said)).evidence(levels.stated.iter().map(|s| s.entry));
    if line == 2
        && let Some(d) = decision(case.facts, &system.id, case.estate.at)
        && d.value.review_by.is_some_and(|r| case.estate.at < r.plus_days(1))
    {
        judged.excepted = Some(Excepted { entry: d.seq, how: "decision", until: d.value.review_by });
    }
    vec![judged]
}

pub(super) fn transparency(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let entry = system.registered;
    let judge = |paragraph: i64| {
        let mut judged =
            Judged::line(format!("Art. 50({paragraph})"), transparency_line(case, paragraph)).evidence(entry);
        judged.article = Some(format!("Art. 50({paragraph})"));
        if let Some(said) = system.register.art50.iter().find(|a| a.paragraph == paragraph) {
            let what = format!("Art. 50({paragraph})");
            judged = judged.note(match transparency_line(case, paragraph) {
                2 => format!("{what} falls on another role"),
                4 => format!("{what} does not apply, as the register says: {}", said.reason.as_deref().unwrap_or_default()),
                5 => format!("{what} does not apply, as the register says, without a reason"),
                6 => match &said.record {
                    RecordState::Given(r) if r.complete() => {
                        format!("{what} applies, and S3 shows another notice or marking than the record names")
                    }
                    RecordState::Given(_) => format!("{what} applies, and the record of its notice or marking lacks a field"),
                    _ => format!("{what} applies, and no notice or marking is on record"),
                },
                7 => format!("{what} applies, and its notice or marking has not begun"),
                8 => format!("{what} applies, and a substantial change came since, of which nobody says that the notice holds"),
                9 => format!("{what} applies, and a notice or marking is on record"),
                10 => format!("{what} applies, and the record does not say since when"),
                _ => format!("the register does not say whether {what} applies, or gives no role"),
            });
        }
        judged
    };
    (1..=4).map(judge).collect()
}

fn transparency_line(case: &Case<'_>, paragraph: i64) -> usize {
    let Some(system) = case.system else { return 10 };
    let duty = if paragraph <= 2 { Role::Provider } else { Role::Deployer };
    let said = system.register.art50.iter().find(|a| a.paragraph == paragraph);
    match (system.role(), said, said.and_then(|s| s.applies)) {
        (None, ..) => 1,
        (Some(role), ..) if !role.covers(duty) => 2,
        (_, None, _) | (_, _, None) => 3,
        (_, Some(s), Some(false)) if s.reason.as_ref().is_some_and(|r| !r.trim().is_empty()) => 4,
        (_, _, Some(false)) => 5,
        (_, Some(s), Some(true)) if !on_record(case, &s.record) => 6,
        (_, Some(s), Some(true)) => match s.since {
            Some(since) if since > case.estate.at => 7,
            _ if outdated(case, system) => 8,
            Some(_) => 9,
            None => 10,
        },
    }
}

/// Whether the change record of a version in production is a substantial one that does not keep what is said of Art. 50.
fn outdated(case: &Case<'_>, system: &System) -> bool {
    let running = system.deployed.iter().filter(|(_, d)| d.end.is_none());
    running
        .filter_map(|(version, _)| change(case, system, version))
        .any(|c| c.value.substantial == Some(true) && !c.value.still_holds.iter().any(|held| held == "art50"))
}

pub(super) fn unregistered(case: &Case<'_>) -> Vec<Judged> {
    let judge = |thing: &super::super::estate::Thing| {
        let line = match thing.claimed.len() {
            _ if thing.shared => 3,
            0 => 1,
            1 => 3,
            _ => 2,
        };
        let note = match line {
            1 => format!("{}: {}; no register entry claims it", thing.id, thing.why),
            2 => format!("claimed by {}", thing.claimed.iter().cloned().collect::<Vec<_>>().join(" and ")),
            _ => format!("{}; claimed", thing.why),
        };
        Judged::line(&thing.id, line).note(note).evidence(thing.evidence.iter().copied())
    };
    case.estate.things.iter().map(judge).collect()
}
