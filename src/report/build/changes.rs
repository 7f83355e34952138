//! What changed since the last report.

use super::super::model as m;
use super::super::sentences::{name, reason};
use super::Builder;
use crate::assessment::Finding;
use crate::assessment::facts::{Seen, UnitState};
use crate::evidence::record::FindingChange;
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Builder<'a> {
    /// Transitions within the period, put together by finding and kind of change.
    pub(super) fn changes(&self) -> Vec<m::Change> {
        let period = self.period();
        if period.first {
            return Vec::new();
        }
        let in_period = |c: &&Seen<FindingChange>| c.value.at > period.from && c.value.at <= period.to;
        let changes = net(self.s.facts.own.changes.iter().filter(in_period));
        let findings: BTreeMap<String, &Finding> = self.findings().map(|f| (f.key(), f)).collect();
        let open = self.open(&changes);
        let mut found: BTreeMap<(usize, u64), m::Change> = BTreeMap::new();
        for (c, entries) in &changes {
            let (control, system) = c.finding.split_once(' ').unwrap_or((&c.finding, ""));
            if !self.asks(system) {
                continue;
            }
            let state = self.s.facts.own.units.get(&(c.finding.clone(), c.unit.clone()));
            let Some(what) = kind_of_change(c, state, &open) else { continue };
            let unit = findings.get(&c.finding).and_then(|f| f.units.iter().find(|u| u.id == c.unit));
            let note = unit.map(|u| if u.note.is_empty() { reason(&u.reason) } else { u.note.clone() });
            let order = m::CHANGE_KINDS.iter().position(|k| k.what == what).unwrap_or(m::CHANGE_KINDS.len());
            let entry = found.entry((order, c.number)).or_insert_with(|| m::Change {
                what,
                number: c.number,
                control: control.to_owned(),
                system: system.to_owned(),
                units: Vec::new(),
                cause: c.cause.clone(),
                note: self.told(&note.unwrap_or_default()),
                entries: Vec::new(),
            });
            entry.units.push(c.unit.clone());
            entry.entries.extend(entries);
        }
        found.into_values().collect()
    }

    /// Of the findings that changed: those that were open before the period, and those that are open now.
    fn open<'c>(&self, changes: &'c [Net]) -> Open<'c> {
        let mut open = Open::default();
        let mut units: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (c, _) in changes {
            if c.from.as_deref() == Some(OPEN) {
                open.before.insert(&c.finding);
            }
            units.entry(&c.finding).or_default().insert(&c.unit);
        }
        for (finding, changed) in units {
            for (unit, _) in
                self.s.facts.own.units_of(finding).filter(|(_, u)| u.status.as_deref() == Some(OPEN))
            {
                open.now.insert(finding);
                if !changed.contains(unit) {
                    open.before.insert(finding);
                }
            }
        }
        open
    }
}

/// What a unit was before a period and is after it, with the entries that tell it.
type Net = (FindingChange, Vec<u64>);

/// The transitions of a unit taken together; none where it is again what it was.
fn net<'c>(changes: impl Iterator<Item = &'c Seen<FindingChange>>) -> Vec<Net> {
    let mut units: BTreeMap<(&str, &str), Net> = BTreeMap::new();
    let mut order = Vec::new();
    for seen in changes {
        let key = (seen.value.finding.as_str(), seen.value.unit.as_str());
        let (change, entries) = units.entry(key).or_insert_with(|| {
            order.push(key);
            (seen.value.clone(), Vec::new())
        });
        *change = FindingChange { from: change.from.take(), ..seen.value.clone() };
        entries.push(seen.seq);
    }
    let nets = order.into_iter().filter_map(|key| units.remove(&key));
    nets.filter(|(change, _)| change.from != change.to).collect()
}

const OPEN: &str = "not-satisfied";

/// Keys of findings with an open unit.
#[derive(Default)]
struct Open<'c> {
    before: BTreeSet<&'c str>,
    now: BTreeSet<&'c str>,
}

/// What a transition means for people; none when it only tells what is told elsewhere.
fn kind_of_change(c: &FindingChange, state: Option<&UnitState>, open: &Open<'_>) -> Option<&'static str> {
    let (from, to) = (c.from.as_deref(), c.to.as_deref());
    let is_open = |s: Option<&str>| s == Some(OPEN);
    let key = c.finding.as_str();
    match (is_open(from), is_open(to)) {
        (false, true) if state.is_some_and(|s| s.reopened) => Some("reopened"),
        (false, true) if c.cause == "evidence" && open.before.contains(key) => Some("more"),
        (false, true) if c.cause == "evidence" => Some("new"),
        (true, false) if to == Some("not-assessed") => Some("unknown"),
        (true, false) if ["evidence", "deleted"].contains(&c.cause.as_str()) => {
            Some(if open.now.contains(key) { "fewer" } else { "resolved" })
        }
        (true, false) | (false, true) => Some("other"),
        (false, false) if to == Some("not-assessed") => Some("not assessed"),
        _ => None,
    }
}

impl m::Change {
    /// Its system for people.
    pub fn of(&self) -> String {
        if self.system.is_empty() { "estate".into() } else { name(&self.system) }
    }

    /// What was seen, or of how many units.
    pub fn told(&self) -> String {
        if self.note.is_empty() {
            super::super::sentences::count(self.units.len() as u64, "unit", "units")
        } else {
            self.note.clone()
        }
    }

    /// What a kind of change is called.
    pub fn title(&self) -> &'static str {
        m::CHANGE_KINDS.iter().find(|k| k.what == self.what).map_or(self.what, |k| k.title)
    }
}
