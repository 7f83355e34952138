//! Findings: the scope test, the units that a rule judged, what was not seen, and how units add up.

use super::admission::AdmissionControl;
use super::coverage::UNWATCHED;
use super::estate::{Estate, System};
use super::exceptions;
use super::facts::{Facts, Look};
use super::house::{House, house};
use super::law::{Law, law};
use super::rules::{self, Judged};
use crate::act::{Catalogue, Control, ControlKind, Level, Route, Status, Subject, Tested};
use crate::evidence::Time;
use crate::evidence::record::AssessmentRun;
use serde::Serialize;
use std::collections::BTreeSet;

/// Most entries that are cited for one unit.
pub const MAX_EVIDENCE: usize = 20;

/// Most hours of a finding that are kept beside those that something is told of.
pub const OTHERS: usize = 20;

/// How a verdict is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Only the register says so.
    Declared,
    /// We evaluated the rule ourselves.
    ReEvaluated,
    /// A source showed it.
    Seen,
}

impl Basis {
    /// The word of reports.
    pub fn name(self) -> &'static str {
        match self {
            Basis::Declared => "declared",
            Basis::ReEvaluated => "re-performed",
            Basis::Seen => "seen",
        }
    }
    fn of(name: &str) -> Basis {
        match name {
            "declared" => Basis::Declared,
            "re-performed" => Basis::ReEvaluated,
            _ => Basis::Seen,
        }
    }
}

/// Who accepted what is not satisfied.
#[derive(Clone, Debug, PartialEq)]
pub struct Excepted {
    /// Entry of the exception, the override or the decision.
    pub entry: u64,
    /// `exception`, `override` or `decision`.
    pub how: &'static str,
    /// Until when.
    pub until: Option<Time>,
}

/// One thing that a control judged.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its id, stable from night to night.
    pub id: String,
    /// What came of it.
    pub status: Status,
    /// Code of the reason.
    pub reason: String,
    /// Line of the control's decision list that held, counted from 1; none where no rule judged it.
    pub line: Option<usize>,
    /// What was seen, for people.
    pub note: String,
    /// Entries that decide, at most [`MAX_EVIDENCE`].
    pub evidence: Vec<u64>,
    /// How it is known.
    pub basis: Basis,
    /// Who accepted it.
    pub excepted: Option<Box<Excepted>>,
    /// When it happened, for events; they leave with the window.
    pub happened: Option<Time>,
    /// Article that this unit alone is about.
    pub article: Option<String>,
    /// Whether a public address is involved.
    pub public: bool,
}

/// How many units have which status. Counts always come as four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// The rule holds.
    pub satisfied: u64,
    /// It does not.
    pub not_satisfied: u64,
    /// It was not possible to tell.
    pub not_assessed: u64,
    /// The question does not arise.
    pub not_applicable: u64,
}

impl Counts {
    /// How many have a status.
    pub fn of(&self, status: Status) -> u64 {
        match status {
            Status::Satisfied => self.satisfied,
            Status::NotSatisfied => self.not_satisfied,
            Status::NotAssessed => self.not_assessed,
            Status::NotApplicable => self.not_applicable,
        }
    }

    /// Adds one.
    pub fn add(&mut self, status: Status) {
        match status {
            Status::Satisfied => self.satisfied += 1,
            Status::NotSatisfied => self.not_satisfied += 1,
            Status::NotAssessed => self.not_assessed += 1,
            Status::NotApplicable => self.not_applicable += 1,
        }
    }
}

/// One control for one system, or for the estate.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Id of the control.
    pub control: String,
    /// The system; none for the estate.
    pub system: Option<String>,
    /// The strictest status of any unit.
    pub status: Status,
    /// Code of the reason of the deciding unit.
    pub reason: String,
    /// How it is known.
    pub basis: Basis,
    /// Units by status.
    pub counts: Counts,
    /// Units, the strictest first.
    pub units: Vec<Unit>,
    /// Articles that bind, and from when.
    pub law: Law,
    /// Of a rule of the house: since when, and set by whom.
    pub house: Option<House>,
    /// Whether every unit that is not satisfied was accepted.
    pub excepted: bool,
}

impl Finding {
    /// `control system`: what transitions and numbers are kept under.
    pub fn key(&self) -> String {
        key(&self.control, self.system.as_deref())
    }
    /// The control's severity, raised when a public address is involved.
    pub fn severity<'c>(&self, control: &'c Control) -> &'c str {
        let raised = control.severity_when_public.as_ref().filter(|_| self.units.iter().any(|u| u.public));
        raised.unwrap_or(&control.severity)
    }
    /// Not satisfied and not accepted.
    pub fn open(&self) -> bool {
        self.is_unsatisfied() && !self.excepted
    }
    /// Not satisfied, accepted or not.
    pub fn is_unsatisfied(&self) -> bool {
        self.status == Status::NotSatisfied
    }
}

/// The key of a finding.
pub fn key(control: &str, system: Option<&str>) -> String {
    system.map_or_else(|| control.to_owned(), |s| format!("{control} {s}"))
}

/// All findings of an assessment, and what they stand on.
pub struct Assessment {
    /// Systems, things and coverage.
    pub estate: Estate,
    /// Findings, by control in the order of the catalogue, then by system.
    pub findings: Vec<Finding>,
}

/// One question: a control, asked of a system or of the estate.
pub(super) struct Case<'a> {
    pub facts: &'a Facts,
    pub estate: &'a Estate,
    pub catalogue: &'a Catalogue,
    pub control: &'a Control,
    pub system: Option<&'a System>,
    /// Findings of the controls before this one.
    pub judged: &'a [Finding],
}

impl<'a> Case<'a> {
    /// Gatekeeper at the time judged from.
    pub(super) fn admission(&self) -> AdmissionControl<'a> {
        AdmissionControl { facts: self.facts, at: self.estate.at }
    }

    /// Looks at a source up to the time judged from, oldest first.
    pub(super) fn looks(&self, source: &str) -> impl DoubleEndedIterator<Item = &'a Look> + use<'a> {
        let at = self.estate.at;
        self.facts.own.looks.get(source).into_iter().flatten().filter(move |look| look.at <= at)
    }

    /// The time of the last complete look before one.
    pub(super) fn look_before(&self, source: &str, at: Time) -> Option<Time> {
        let complete = self.looks(source).filter(|look| look.value.complete);
        complete.filter_map(|look| look.value.looked_at).filter(|t| *t < at).max()
    }
}

/// Judges everything below an assessment. It cannot fail: what is missing is a status of its own. Of hours that nothing is told
/// of, the first [`OTHERS`] of each finding stay; the counts are of all.
pub fn assess(facts: &Facts, catalogue: &Catalogue, run: &AssessmentRun) -> Assessment {
    let keep = |finding: &mut Finding| {
        if !catalogue.control(&finding.control).is_some_and(Control::counts_hours) {
            return;
        }
        let key = finding.key();
        let known: BTreeSet<&str> = facts.own.units_of(&key).map(|(unit, _)| unit).collect();
        let mut others = 0;
        finding.units.retain(|u| {
            let is_told = u.status <= Status::NotAssessed || known.contains(u.id.as_str());
            others += usize::from(!is_told);
            is_told || others <= OTHERS
        });
    };
    judged(facts, catalogue, run, keep)
}

/// The same with every unit.
pub fn assess_whole(facts: &Facts, catalogue: &Catalogue, run: &AssessmentRun) -> Assessment {
    judged(facts, catalogue, run, |_| {})
}

fn judged(
    facts: &Facts,
    catalogue: &Catalogue,
    run: &AssessmentRun,
    keep: impl Fn(&mut Finding),
) -> Assessment {
    let estate = Estate::of(facts, catalogue, run);
    let mut findings = Vec::new();
    let asked = catalogue.controls.iter().filter(|c| run.config.profile == "full" || c.profile == "core");
    for control in asked {
        let case = |system| Case { facts, estate: &estate, catalogue, control, system, judged: &findings };
        let house = house(&case(None));
        let judge = |system| judge(&case(system), house.clone(), &keep);
        let found: Vec<Finding> = match control.subject {
            Subject::Estate => vec![judge(None)],
            Subject::System => estate.systems.values().map(|s| judge(Some(s))).collect(),
        };
        findings.extend(found);
    }
    Assessment { estate, findings }
}

fn judge(case: &Case<'_>, house: Option<House>, keep: &impl Fn(&mut Finding)) -> Finding {
    let mut units = match scope(case) {
        Some((status, reason)) => vec![bare("scope", status, reason, "")],
        None => {
            let mut judged: Vec<Unit> = rules::judge(case).into_iter().map(|j| unit(case, j)).collect();
            if case.control.counts_hours() {
                judged.extend(unseen(case).into_iter().filter(|u| u.id.starts_with("source ")));
            } else {
                judged.extend(unseen(case));
            }
            if judged.is_empty() {
                judged.push(nothing(case));
            }
            judged
        }
    };
    units.iter_mut().filter(|u| u.status == Status::NotSatisfied && u.excepted.is_none()).for_each(|u| {
        u.excepted = exceptions::covering(case, u).map(Box::new);
    });
    units.sort_by(|a, b| {
        (a.status, a.excepted.is_some(), &a.id).cmp(&(b.status, b.excepted.is_some(), &b.id))
    });
    let mut finding = add_up(case, house, units);
    keep(&mut finding);
    finding.units.shrink_to_fit();
    finding
}

fn add_up(case: &Case<'_>, house: Option<House>, units: Vec<Unit>) -> Finding {
    let mut counts = Counts::default();
    units.iter().for_each(|u| counts.add(u.status));
    let first = units.first();
    let status = first.map_or(Status::NotAssessed, |u| u.status);
    let deciding = || units.iter().filter(|u| u.status == status);
    Finding {
        control: case.control.id.clone(),
        system: case.system.map(|s| s.id.clone()),
        status,
        reason: first.map(|u| u.reason.clone()).unwrap_or_default(),
        basis: deciding().map(|u| u.basis).min().unwrap_or(Basis::Seen),
        excepted: status == Status::NotSatisfied && deciding().all(|u| u.excepted.is_some()),
        counts,
        law: law(case, &units, status),
        house,
        units,
    }
}

/// The scope test: the first line that holds; none means "apply the rule".
fn scope(case: &Case<'_>) -> Option<(Status, &'static str)> {
    let (system, control) = (case.system?, case.control);
    let level = system.level();
    if control.flag.as_deref() == Some("gpai") && system.register.gpai.is_none() {
        return Some((Status::NotApplicable, "out-of-scope"));
    }
    if !control.levels.contains(&level) {
        return Some(match level {
            Level::Unclassified => (Status::NotAssessed, "level-unknown"),
            _ => (Status::NotApplicable, "out-of-scope"),
        });
    }
    if control.kind == ControlKind::House {
        return None;
    }
    let one_role = control.roles.len() == 1;
    match system.role() {
        None if one_role => return Some((Status::NotAssessed, "register-incomplete")),
        Some(role) if !control.roles.iter().any(|r| role.covers(*r)) => {
            return Some((Status::NotApplicable, "other-role"));
        }
        _ => {}
    }
    let routes: Vec<Route> = control.references.iter().flat_map(|r| r.route.iter().copied()).collect();
    if routes.is_empty() || routes.contains(&Route::Any) {
        return None;
    }
    match system.route() {
        None => Some((Status::NotAssessed, "register-incomplete")),
        Some(route) if !routes.contains(&route) => Some((Status::NotApplicable, "other-route")),
        Some(_) => None,
    }
}

fn unit(case: &Case<'_>, judged: Judged) -> Unit {
    let lines = &case.control.rule;
    let number = if (1..=lines.len()).contains(&judged.line) { judged.line } else { lines.len() };
    let line = lines.get(number.wrapping_sub(1));
    let mut evidence = judged.evidence;
    evidence.dedup();
    evidence.truncate(MAX_EVIDENCE);
    evidence.shrink_to_fit();
    Unit {
        id: judged.unit,
        status: line.map_or(Status::NotAssessed, |l| l.status),
        reason: line.map(|l| l.reason.clone()).unwrap_or_default(),
        line: Some(number),
        note: judged.note,
        evidence,
        basis: judged.basis.unwrap_or(Basis::of(&case.control.basis)),
        excepted: judged.excepted.map(Box::new),
        happened: judged.happened,
        article: judged.article,
        public: judged.public,
    }
}

fn bare(id: &str, status: Status, reason: &str, note: &str) -> Unit {
    Unit {
        id: id.to_owned(),
        status,
        reason: reason.to_owned(),
        line: None,
        note: note.to_owned(),
        evidence: Vec::new(),
        basis: Basis::Seen,
        excepted: None,
        happened: None,
        article: None,
        public: false,
    }
}

/// What was not seen may hide units: one is added for each source that is missing, stale or has a gap.
fn unseen(case: &Case<'_>) -> Vec<Unit> {
    let mut found = Vec::new();
    let configured = |kind| case.estate.sources(kind).any(|c| c.off.is_none());
    let any: Vec<_> = case.control.any_of.iter().copied().filter(|k| configured(*k)).collect();
    if !case.control.any_of.is_empty() && any.is_empty() {
        found.push(bare(
            "source any",
            Status::NotAssessed,
            "not-collected",
            "none of the sources is configured",
        ));
    }
    for kind in case.control.needed.iter().copied().chain(any) {
        if !configured(kind) {
            let id = format!("source {}", kind.name());
            found.push(bare(&id, Status::NotAssessed, "not-collected", "no such source is configured"));
        }
        for source in case.estate.sources(kind).filter(|c| c.off.is_none()) {
            match case.control.tested {
                _ if source.stale || source.begin.is_none() => {
                    let id = format!("source {}", source.source);
                    found.push(bare(
                        &id,
                        Status::NotAssessed,
                        "source-gap",
                        "nothing complete was read of late",
                    ));
                }
                Tested::Throughout => found.extend(
                    source.gaps.iter().filter(|g| !["records-lost", UNWATCHED].contains(&g.reason)).map(
                        |gap| {
                            let mut u = bare(
                                &format!("gap {} {}", source.source, gap.from),
                                Status::NotAssessed,
                                gap.reason,
                                &gap.what,
                            );
                            u.evidence.extend(gap.entry);
                            u.happened = Some(gap.from);
                            u
                        },
                    ),
                ),
                Tested::AsOf => {}
            }
        }
    }
    found
}

fn nothing(case: &Case<'_>) -> Unit {
    match case.control.no_units.get(rules::line_of_nothing(case)) {
        None => {
            bare("nothing", Status::NotApplicable, "nothing-to-check", "complete looks found no such thing")
        }
        Some(line) if line.when == "otherwise" => bare("nothing", line.status, &line.reason, ""),
        Some(line) => bare("nothing", line.status, &line.reason, &line.when),
    }
}
