//! What changed since the last assessment: transitions of units, and of levels, as entries to be written.

use super::facts::UnitState;
use super::findings::{Assessment, Finding, Unit};
use super::{Facts, System};
use crate::act::{Catalogue, SourceKind, Status, Tested};
use crate::evidence::record::{AssessmentRun, FindingChange, RiskLevelChange};
use crate::evidence::{Evidence, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// Transitions of findings and levels.
pub struct Changes {
    levels: Vec<RiskLevelChange>,
    findings: Vec<FindingChange>,
}

/// Transitions between the last assessment in `facts` and this one.
pub fn between(facts: &Facts, catalogue: &Catalogue, run: &AssessmentRun, now: &Assessment) -> Changes {
    let levels = level_changes(facts, run, now);
    let moved: BTreeSet<&str> = levels.iter().map(|l| l.system.as_str()).collect();
    let findings = finding_changes(facts, catalogue, run, now, &moved);
    Changes { levels, findings }
}

impl Changes {
    /// How many.
    pub fn count(&self) -> usize {
        self.levels.len() + self.findings.len()
    }

    /// What is written of them, one after the other: a first night has many.
    pub fn evidence(self, run: &AssessmentRun) -> impl Iterator<Item = Evidence> {
        let level = |c: RiskLevelChange| {
            let (key, subject) = (format!("{} {}", c.system, run.size), format!("system:{}", c.system));
            Evidence::event(Kind::AssessmentRiskLevel, "actledger", key, subject, run.at, &c)
        };
        let finding = |c: FindingChange| {
            let (key, subject) =
                (format!("{} {} {}", c.finding, c.unit, run.size), format!("finding:{}", c.finding));
            Evidence::event(Kind::AssessmentFinding, "actledger", key, subject, run.at, &c)
        };
        self.levels.into_iter().map(level).chain(self.findings.into_iter().map(finding))
    }
}

fn level_changes(facts: &Facts, run: &AssessmentRun, now: &Assessment) -> Vec<RiskLevelChange> {
    let last = |id: &str| facts.own.levels.get(id).and_then(|l| l.last()).map(|l| &l.value);
    let change = |s: &System| {
        let levels = s.levels.as_ref()?;
        let (to, basis) = (levels.effective.name(), levels.basis());
        let before = last(&s.id);
        if before.is_some_and(|b| b.to.as_deref() == Some(to) && b.basis == basis) {
            return None;
        }
        Some(RiskLevelChange {
            system: s.id.clone(),
            from: before.and_then(|b| b.to.clone()),
            to: Some(to.to_owned()),
            basis: basis.to_owned(),
            stated: levels.stated.iter().map(|s| (s.source.to_owned(), s.raw.clone(), s.entry)).collect(),
            at: run.at,
        })
    };
    let mut changes: Vec<_> = now.estate.systems.values().filter_map(change).collect();
    for id in facts.own.levels.keys().filter(|id| !now.estate.systems.contains_key(*id)) {
        if let Some(b) = last(id).filter(|b| b.to.is_some()) {
            let (system, from) = (id.clone(), b.to.clone());
            changes.push(RiskLevelChange {
                system,
                from,
                to: None,
                basis: "none".into(),
                stated: Vec::new(),
                at: run.at,
            });
        }
    }
    changes
}

fn finding_changes(
    facts: &Facts,
    catalogue: &Catalogue,
    run: &AssessmentRun,
    now: &Assessment,
    moved: &BTreeSet<&str>,
) -> Vec<FindingChange> {
    let mut numbers = Numbers { known: &facts.own.numbers, new: BTreeMap::new() };
    let mut changes = Vec::new();
    let cause = Causes { facts, catalogue, run, now, moved };
    for finding in &now.findings {
        let key = finding.key();
        let known: BTreeMap<&str, &UnitState> = facts.own.units_of(&key).collect();
        for unit in &finding.units {
            let before = known.get(unit.id.as_str()).and_then(|u| u.status.clone());
            let to = unit.status.name();
            let worth = |s: &str| s == "not-satisfied" || s == "not-assessed";
            let changed = before.as_deref() != Some(to);
            if changed && (worth(to) || before.as_deref().is_some_and(worth)) {
                changes.push(FindingChange {
                    number: numbers.of(&key),
                    finding: key.clone(),
                    unit: unit.id.clone(),
                    cause: cause.of(finding, unit, before.as_deref()).to_owned(),
                    from: before,
                    to: Some(to.to_owned()),
                    at: run.at,
                    evidence: unit.evidence.clone(),
                });
            }
        }
    }
    let ended = gone(facts, now).into_iter().map(|((finding, unit), state)| FindingChange {
        finding: finding.clone(),
        number: state.number,
        unit: unit.clone(),
        from: state.status.clone(),
        to: None,
        cause: cause.of_gone(finding).to_owned(),
        at: run.at,
        evidence: Vec::new(),
    });
    changes.extend(ended);
    changes
}

/// Units that had a status and are judged no more.
fn gone<'f>(facts: &'f Facts, now: &Assessment) -> Vec<(&'f (String, String), &'f UnitState)> {
    let found: BTreeMap<String, &Finding> = now.findings.iter().map(|f| (f.key(), f)).collect();
    let mut there = (None, BTreeSet::new());
    let units = facts.own.units.iter().filter(|(_, state)| state.status.is_some());
    let is_gone = |((finding, unit), _): &(&'f (String, String), &'f UnitState)| {
        if there.0 != Some(finding) {
            let units = found.get(finding).into_iter().flat_map(|f| &f.units);
            there = (Some(finding), units.map(|u| u.id.as_str()).collect());
        }
        !there.1.contains(unit.as_str())
    };
    units.filter(is_gone).collect()
}

/// Numbers that people use: one per finding, given once, never again.
struct Numbers<'a> {
    known: &'a BTreeMap<String, u64>,
    new: BTreeMap<String, u64>,
}

impl Numbers<'_> {
    fn of(&mut self, finding: &str) -> u64 {
        if let Some(n) = self.known.get(finding) {
            return *n;
        }
        let next = 1 + self.known.len() as u64 + self.new.len() as u64;
        *self.new.entry(finding.to_owned()).or_insert(next)
    }
}

/// Whether a finding had units before.
fn is_known(facts: &Facts, key: &str) -> bool {
    facts.own.units_of(key).next().is_some()
}

struct Causes<'a> {
    facts: &'a Facts,
    catalogue: &'a Catalogue,
    run: &'a AssessmentRun,
    now: &'a Assessment,
    moved: &'a BTreeSet<&'a str>,
}

impl Causes<'_> {
    fn of(&self, finding: &Finding, unit: &Unit, before: Option<&str>) -> &'static str {
        let level_moved = finding.system.as_deref().is_some_and(|s| self.moved.contains(s));
        let is_new = || before.is_none() && !is_known(self.facts, &finding.key());
        if self.rules_changed() {
            "rule-changed"
        } else if self.parameters_changed() {
            "parameter-changed"
        } else if level_moved && unit.id == "scope" && !is_new() {
            "level-changed"
        } else if unit.status == Status::NotAssessed
            || before == Some("not-assessed") && unit.status != Status::NotSatisfied
        {
            "coverage"
        } else if unit.evidence.is_empty() && unit.id == "scope"
            || unit.status == Status::NotApplicable && self.is_declared(finding)
        {
            "register-changed"
        } else {
            "evidence"
        }
    }

    fn of_gone(&self, finding: &str) -> &'static str {
        let (control, system) = finding.split_once(' ').unwrap_or((finding, ""));
        let control = self.catalogue.control(control);
        if self.rules_changed() || control.is_none() {
            return "rule-changed";
        }
        if self.moved.contains(system) {
            return "level-changed";
        }
        if !system.is_empty() && !self.now.estate.systems.contains_key(system) {
            return "register-changed";
        }
        match control.map(|c| c.tested) {
            Some(Tested::Throughout) => "window-passed",
            // A register that changed since may have let go of a thing that is still there.
            _ if self.register_changed() => "register-changed",
            _ => "deleted",
        }
    }

    /// Whether only the register answers a control: what it no longer asks, nobody put right.
    fn is_declared(&self, finding: &Finding) -> bool {
        let control = self.catalogue.control(&finding.control);
        control.is_some_and(|c| c.needed == [SourceKind::Register] && c.any_of.is_empty())
    }

    fn register_changed(&self) -> bool {
        let last = self.facts.own.runs.last().map_or(0, |r| r.seq);
        self.facts.revisions.0.values().flatten().any(|s| s.seq > last)
    }

    fn rules_changed(&self) -> bool {
        let last = self.facts.own.runs.last().map(|r| &r.value);
        last.is_some_and(|r| r.catalogue.1 != self.run.catalogue.1 || r.rules != self.run.rules)
    }

    fn parameters_changed(&self) -> bool {
        let last = self.facts.own.runs.last().map(|r| &r.value);
        last.is_some_and(|r| {
            let (then, now) = (&r.config, &self.run.config);
            (&then.parameters, &then.timetable, &then.profile)
                != (&now.parameters, &now.timetable, &now.profile)
        })
    }
}
