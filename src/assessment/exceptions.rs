//! Exceptions: what they cover, for how long, and which of them are no longer what they were written for.

use super::facts::{Facts, Seen};
use super::findings::{Assessment, Case, Excepted, Finding, Unit};
use crate::act::{Catalogue, Status};
use crate::evidence::Time;
use crate::evidence::register::{Exception, is_said};
use std::collections::BTreeMap;

/// The exception in force that names the control, the system and the unit.
pub(super) fn covering(case: &Case<'_>, unit: &Unit) -> Option<Excepted> {
    let system = case.system.map_or("", |s| s.id.as_str());
    let all = case.facts.exceptions.at(case.estate.at);
    let names = |e: &Exception| is_about(e, &case.control.id, system) && is_unit(e, unit);
    let mut fitting = all.filter(|(_, e)| names(&e.value));
    let max = case.catalogue.defaults.exception_max_days;
    let in_force = |subject: &str, e: &Seen<Exception>| {
        standing(case.facts, subject, e, case.estate.at, max) == Standing::InForce
    };
    let (_, found) = fitting.find(|(subject, e)| in_force(subject, e))?;
    Some(Excepted { entry: found.seq, how: "exception", until: found.value.expires })
}

fn is_about(e: &Exception, control: &str, system: &str) -> bool {
    e.control == control && (e.system == system || e.system.is_empty())
}

fn is_unit(e: &Exception, unit: &Unit) -> bool {
    e.thing.is_empty() || e.thing == unit.id
}

/// Whether an exception accepts what it names, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    InForce,
    /// It lacks owner, reason, approver or expiry.
    Incomplete,
    /// Who asked for it approved it.
    SelfApproved,
    /// Its last day is over.
    Expired,
    /// It runs longer than an exception may, from when it was first seen in the register: an edit does not make it younger.
    TooLong,
}

/// How an exception stands at a time; `max_days` is the longest that one may run.
pub fn standing(facts: &Facts, subject: &str, e: &Seen<Exception>, at: Time, max_days: i64) -> Standing {
    let v = &e.value;
    let first =
        facts.exceptions.get(subject).and_then(|history| history.first()).map_or(e.at, |first| first.at);
    let Some(end) = v.expires.filter(|_| is_said(&v.owner) && is_said(&v.reason) && v.approver.is_some())
    else {
        return Standing::Incomplete;
    };
    if v.approver_is_requester == Some(true) {
        Standing::SelfApproved
    } else if end.plus_days(1) <= at {
        Standing::Expired
    } else if end > first.plus_days(max_days) {
        Standing::TooLong
    } else {
        Standing::InForce
    }
}

/// An exception and what is to be said of it.
#[derive(Clone, Debug)]
pub struct Written<'a> {
    /// The entry of the register.
    pub seen: &'a Seen<Exception>,
    /// How it stands.
    pub standing: Standing,
    /// Units that are not satisfied and that it names: (finding, unit).
    pub units: Vec<(String, String)>,
    /// Others in force that name one of these units as well.
    pub overlaps: usize,
    /// Whether the catalogue has its control.
    pub is_known: bool,
}

impl Written<'_> {
    /// How it stands, and what somebody should look at, in words.
    pub fn told(&self) -> String {
        let standing = match (self.standing, self.units.len()) {
            _ if !self.is_known => "the catalogue has no such control".into(),
            (Standing::InForce, 0) => "in force, unused: nothing that it names is unsatisfied".into(),
            (Standing::InForce, _) => "in force".into(),
            (Standing::Incomplete, _) => "accepts nothing: it lacks owner, reason, approver or expiry".into(),
            (Standing::SelfApproved, _) => "accepts nothing: who asked for it approved it".into(),
            (Standing::Expired, 0) => "expired".into(),
            (Standing::Expired, n) => format!("expired, and what it names is still unsatisfied ({n})"),
            (Standing::TooLong, _) => "accepts nothing: it runs longer than an exception may".to_owned(),
        };
        match self.overlaps {
            0 => standing,
            n => format!("{standing}; {n} more cover the same"),
        }
    }
}

/// Every exception of the register, with what it names now.
pub fn written<'a>(facts: &'a Facts, catalogue: &Catalogue, judged: &Assessment) -> Vec<Written<'a>> {
    let (at, max) = (judged.estate.at, catalogue.defaults.exception_max_days);
    let one = |(subject, seen): (&str, &'a Seen<Exception>)| Written {
        seen,
        standing: standing(facts, subject, seen, at, max),
        units: named(judged, seen),
        overlaps: 0,
        is_known: catalogue.control(&seen.value.control).is_some(),
    };
    let mut all: Vec<Written<'a>> = facts.exceptions.at(at).map(one).collect();
    let mut covered: BTreeMap<(String, String), usize> = BTreeMap::new();
    for unit in all.iter().filter(|w| w.standing == Standing::InForce).flat_map(|w| &w.units) {
        *covered.entry(unit.clone()).or_default() += 1;
    }
    for w in all.iter_mut().filter(|w| w.standing == Standing::InForce) {
        w.overlaps = w.units.iter().filter_map(|unit| covered.get(unit)).max().map_or(0, |n| n - 1);
    }
    all
}

/// Units that are not satisfied and that an exception names.
fn named(judged: &Assessment, Seen { seq, value: e, .. }: &Seen<Exception>) -> Vec<(String, String)> {
    let seq = *seq;
    let about = |f: &&Finding| is_about(e, &f.control, f.system.as_deref().unwrap_or_default());
    let findings = judged.findings.iter().filter(about);
    let units = findings.flat_map(|f| f.units.iter().map(move |u| (f, u)));
    let open = units.filter(|(_, u)| u.status == Status::NotSatisfied && is_unit(e, u));
    let open = open.map(|(f, u)| (f.key(), u.id.clone()));
    // One that writes down an exemption is what this control looks for.
    let exemptions = judged.findings.iter().filter(|f| f.control == "exemptions-written-down");
    let units = exemptions.flat_map(|f| f.units.iter().map(move |u| (f, u)));
    let written = units.filter(|(_, u)| u.evidence.contains(&seq)).map(|(f, u)| (f.key(), u.id.clone()));
    open.chain(written).collect()
}
