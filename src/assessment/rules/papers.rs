//! Rules about papers that the register names: whether they are on record, and dated before first use. What they say is not read.

use super::super::dates::{day, day_or_dash, is_later};
use super::super::estate::System;
use super::super::findings::{Basis, Case};
use super::Judged;
use super::artifacts::in_use_since;
use super::changed::change;
use super::documents::{basis, confirmation, shown};
use crate::act::{Role, Route};
use crate::evidence::Time;
use crate::evidence::register::{Fria, Gpai, Record, RecordState, Registration, Said};

/// What is known of one paper.
struct Paper {
    /// Whether every field is given, and nothing speaks against it.
    stands: bool,
    date: Option<Time>,
    note: String,
    evidence: Option<u64>,
    basis: Basis,
}

impl Paper {
    /// A record, and what S3 shows of it; it is seen when S3 stored these bytes by the day that counts.
    fn of(case: &Case<'_>, record: &Record, by: Option<Time>) -> Paper {
        let (held, object) = confirmation(case, record);
        Paper {
            stands: record.complete() && !held.contradicts(),
            date: record.date,
            note: format!("on record, dated {}; {}", day_or_dash(record.date), shown(held, object)),
            evidence: object.map(|o| o.seq),
            basis: basis(held, object, by),
        }
    }

    fn registration(said: &Registration) -> Paper {
        let number = said.number.as_deref().unwrap_or_default().trim();
        Paper {
            stands: !number.is_empty() && said.date.is_some(),
            date: said.date,
            note: match number {
                "" => format!("registration without a number, of {}", day_or_dash(said.date)),
                _ => format!("registration {number} of {}", day_or_dash(said.date)),
            },
            evidence: None,
            basis: Basis::Declared,
        }
    }

    fn judged(self, unit: &str, line: usize, satisfied: usize) -> Judged {
        let basis = if line == satisfied { self.basis } else { Basis::Declared };
        Judged::line(unit, line).note(self.note).evidence(self.evidence).basis(basis)
    }
}

/// Art. 49(2): the registration of an Annex III system held not to be high-risk.
pub(super) fn exception_registered(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let since = in_use_since(system);
    let paper = system.register.art49_2.given().map(Paper::registration).filter(|p| p.stands);
    let date = paper.as_ref().and_then(|p| p.date);
    let line = match (date, since) {
        (None, _) => 1,
        (Some(date), Some(since)) if is_later(date, since) => 2,
        (_, None) => 3,
        _ => 4,
    };
    let note = paper.map_or_else(|| "no number and date of a registration is on record".into(), |p| p.note);
    vec![Judged::line(&system.id, line).note(note).evidence(system.registered)]
}

/// Arts 43, 47 to 49: the papers that precede a high-risk system.
pub(super) fn conformity(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let said = system.register.conformity.clone().unwrap_or_default();
    let since = in_use_since(system);
    let records = [
        ("assessment", &said.assessment),
        ("declaration", &said.declaration),
        ("CE marking", &said.ce_marking),
    ];
    let record = |state: &RecordState| paper_of(state, |r| Paper::of(case, r, since));
    let mut judged: Vec<Judged> =
        records.into_iter().map(|(unit, state)| conformity_paper(system, unit, record(state))).collect();
    judged.push(match system.route() {
        Some(Route::AnnexI) => Judged::line("registration", 1).note("asked of Annex III systems only"),
        None => Judged::line("registration", 2).note("the register names no Annex point"),
        Some(_) => {
            conformity_paper(system, "registration", paper_of(&said.registration, Paper::registration))
        }
    });
    judged.into_iter().map(|j| j.evidence(system.registered)).collect()
}

/// What is said of a paper: nothing, none, or the paper.
fn paper_of<T>(said: &Said<T>, paper: impl Fn(&T) -> Paper) -> Said<Paper> {
    match said {
        Said::Absent => Said::Absent,
        Said::None => Said::None,
        Said::Given(t) => Said::Given(paper(t)),
    }
}

fn conformity_paper(system: &System, unit: &str, paper: Said<Paper>) -> Judged {
    let paper = match paper {
        Said::Absent => return Judged::line(unit, 3).note("the register does not name it"),
        Said::None => return Judged::line(unit, 4).note("the register says that there is none"),
        Said::Given(paper) => paper,
    };
    // What was seen running was in use by then, whenever it began.
    let ran = system.deployed.values().map(|d| d.start.unwrap_or(d.seen)).min();
    let known = [system.register.put_into_service, in_use_since(system), ran];
    let is_late = |t: &Time| paper.date.is_some_and(|date| is_later(date, *t));
    let line = match in_use_since(system) {
        _ if !paper.stands => 4,
        _ if known.iter().flatten().any(is_late) => 5,
        None => 6,
        Some(_) => 7,
    };
    paper.judged(unit, line, 7)
}

/// Art. 27: the assessment of the impact on fundamental rights.
pub(super) fn fundamental_rights(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let judged = match system.register.fria.as_ref().and_then(|f| Some((f, f.applies?))) {
        None => Judged::line(&system.id, 1).note("the register does not say whether Art. 27 applies"),
        Some((fria, false)) => no_assessment(system, fria),
        Some((fria, true)) => assessment(case, system, fria),
    };
    vec![judged.evidence(system.registered)]
}

/// Points of Annex III for which Art. 27(1) asks every deployer.
const CREDIT_AND_INSURANCE: [&str; 3] = ["III.5(b)", "III.5(c)", "III.5"];

fn no_assessment(system: &System, fria: &Fria) -> Judged {
    let annex: String =
        system.annex().iter().flat_map(|a| a.chars()).filter(|c| !c.is_whitespace()).collect();
    let reason = fria.reason.as_deref().map(str::trim).filter(|r| !r.is_empty());
    let (line, note) = match reason {
        _ if CREDIT_AND_INSURANCE.iter().any(|point| point.eq_ignore_ascii_case(&annex)) => {
            (2, format!("the register says that Art. 27 does not apply; it names {annex} for every deployer"))
        }
        Some(reason) => (3, format!("Art. 27 does not apply, as the register says: {reason}")),
        None => (4, "Art. 27 does not apply, as the register says, without a reason".into()),
    };
    Judged::line(&system.id, line).note(note)
}

fn assessment(case: &Case<'_>, system: &System, fria: &Fria) -> Judged {
    let since = in_use_since(system);
    let covered = fria.covered_by.as_deref().map(str::trim).filter(|c| !c.is_empty());
    let paper = fria.record.given().map(|r| Paper::of(case, r, since));
    let stands = paper.as_ref().is_some_and(|p| p.stands) || paper.is_none() && covered.is_some();
    let date = paper.as_ref().and_then(|p| p.date);
    let is_late = date.zip(since).is_some_and(|(date, since)| is_later(date, since));
    let told = fria.notified.filter(|t| !is_later(*t, case.estate.at));
    let line = match (told, since) {
        _ if !stands => 5,
        _ if is_late => 6,
        (None, _) => 7,
        (_, None) => 8,
        _ => 9,
    };
    let notified = match fria.notified {
        Some(day_of) => format!("; notified {}", day(day_of)),
        None => "; no date of notification".into(),
    };
    match (paper, covered) {
        (Some(paper), _) => {
            let note = format!("{}{notified}", paper.note);
            Paper { note, ..paper }.judged(&system.id, line, 9)
        }
        (None, Some(covered)) => {
            Judged::line(&system.id, line).note(format!("covered by {covered}{notified}"))
        }
        (None, None) => Judged::line(&system.id, line).note("Art. 27 applies; no assessment is on record"),
    }
}

/// Art. 25(1): whether own changes to a system of another provider make us its provider.
pub(super) fn own_modification(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let said = system.register.modification.as_ref().and_then(|m| Some((m, m.own?)));
    let judged = match said {
        None => Judged::line(&system.id, 1).note("the register does not say whether there is an own change"),
        Some((_, false)) => Judged::line(&system.id, 2).note("no own change, as the register says"),
        Some((m, true)) => match m.assessment.given().map(|r| Paper::of(case, r, r.date)) {
            Some(paper) if paper.stands => {
                let line = match m.makes_provider {
                    None => 4,
                    Some(true) if system.role() == Some(Role::Deployer) => 5,
                    Some(_) if system.role().is_some() => 6,
                    Some(_) => 7,
                };
                paper.judged(&system.id, line, 6)
            }
            _ => Judged::line(&system.id, 3).note("an own change, and no assessment of it on record"),
        },
    };
    vec![judged.evidence(system.registered)]
}

/// Art. 53(1): the four papers of the provider of a general-purpose model.
pub(super) fn general_purpose(case: &Case<'_>) -> Vec<Judged> {
    let Some((system, gpai)) = case.system.and_then(|s| Some((s, s.register.gpai.as_ref()?))) else {
        return Vec::new();
    };
    let papers = [
        ("technical documentation", &gpai.technical_documentation, true),
        ("downstream information", &gpai.downstream_information, true),
        ("copyright policy", &gpai.copyright_policy, false),
        ("training summary", &gpai.training_summary, false),
    ];
    let judge = |(unit, state, is_excused): (&str, &RecordState, bool)| {
        general_paper(case, system, gpai, (unit, state, is_excused)).evidence(system.registered)
    };
    papers.into_iter().map(judge).collect()
}

fn general_paper(
    case: &Case<'_>,
    system: &System,
    gpai: &Gpai,
    (unit, state, is_excused): (&str, &RecordState, bool),
) -> Judged {
    let is_open = gpai.open_source.as_deref().is_some_and(|r| !r.trim().is_empty());
    let article = match unit {
        "technical documentation" | "downstream information" => "Art. 53(1)(a), (b)",
        _ => "Art. 53(1)(c), (d)",
    };
    let mut judged = match (gpai.provider, state.given()) {
        (None, _) => Judged::line(unit, 1).note("the register does not say whether we provide the model"),
        (Some(false), _) => Judged::line(unit, 2).note("another provides the model, as the register says"),
        _ if is_excused && is_open && gpai.systemic == Some(false) => {
            Judged::line(unit, 3).note("free and open-source without systemic risk, as the register says")
        }
        (_, None) => Judged::line(unit, 4).note("no record of it is named"),
        (_, Some(record)) => {
            let paper = Paper::of(case, record, record.date);
            let line = match () {
                () if !paper.stands => 4,
                () if unheld(case, system, record, &format!("gpai.{}", unit.replace(' ', "_"))).is_some() => {
                    5
                }
                () => 6,
            };
            paper.judged(unit, line, 6)
        }
    };
    judged.article = Some(article.into());
    judged
}

/// A model version in production for which a record does not hold: the record does not name it, and where it names an earlier
/// one, no change record of the version says that it still holds.
pub(super) fn unheld<'s>(
    case: &Case<'_>,
    system: &'s System,
    record: &Record,
    name: &str,
) -> Option<&'s str> {
    let mut running = system.deployed.iter().filter(|(_, d)| d.end.is_none()).map(|(version, _)| version);
    running.find(|version| !holds_for(case, system, record, (version, name))).map(String::as_str)
}

fn holds_for(case: &Case<'_>, system: &System, record: &Record, (version, name): (&str, &str)) -> bool {
    if record.model_versions.iter().any(|v| v == version) {
        return true;
    }
    // Each version that started after one that the record names needs a change record that keeps it.
    let start = |v: &str| system.deployed.get(v).map(|d| d.start.unwrap_or(d.seen));
    let named = record.model_versions.iter().filter_map(|v| start(v)).max();
    let Some((named, this)) = named.zip(start(version)).filter(|(named, this)| named <= this) else {
        return false;
    };
    let later = system.deployed.keys().filter(|v| start(v).is_some_and(|s| s > named && s <= this));
    let keeps = |v: &String| {
        change(case, system, v).is_some_and(|c| c.value.still_holds.iter().any(|held| held == name))
    };
    later.clone().count() > 0 && later.clone().all(keeps)
}
