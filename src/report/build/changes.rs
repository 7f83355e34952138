//! What changed since the last report.

use super::super::model as m;
use super::super::sentences::reason;
use super::Builder;
use crate::assessment::facts::UnitState;
use std::collections::BTreeMap;

impl<'a> Builder<'a> {
    /// Transitions within the period, put together by finding and kind of change.
    pub(super) fn changes(&self) -> Vec<m::Change> {
        let period = self.period();
        if period.first {
            return Vec::new();
        }
        let mut found: BTreeMap<(usize, u64, &'static str), m::Change> = BTreeMap::new();
        for change in
            self.s.facts.own.changes.iter().filter(|c| c.value.at > period.from && c.value.at <= period.to)
        {
            let c = &change.value;
            let (control, system) = c.finding.split_once(' ').unwrap_or((&c.finding, ""));
            if !self.asks(system) {
                continue;
            }
            let state = self.s.facts.own.units.get(&(c.finding.clone(), c.unit.clone()));
            let Some((order, what)) = kind_of_change(c, state) else { continue };
            let finding = self.s.assessment.findings.iter().find(|f| f.key() == c.finding);
            let unit = finding.and_then(|f| f.units.iter().find(|u| u.id == c.unit));
            let entry = found.entry((order, c.number, what)).or_insert_with(|| m::Change {
                what,
                number: c.number,
                control: control.to_owned(),
                system: system.to_owned(),
                units: Vec::new(),
                cause: c.cause.clone(),
                note: unit
                    .map(|u| if u.note.is_empty() { reason(&u.reason) } else { u.note.clone() })
                    .unwrap_or_default(),
                entries: Vec::new(),
            });
            entry.units.push(c.unit.clone());
            entry.entries.push(change.seq);
        }
        found.into_values().collect()
    }
}

/// What a transition means for people; none when it only tells what is told elsewhere.
fn kind_of_change(
    c: &crate::evidence::record::FindingChange,
    state: Option<&UnitState>,
) -> Option<(usize, &'static str)> {
    let (from, to) = (c.from.as_deref(), c.to.as_deref());
    let open = |s: Option<&str>| s == Some("not-satisfied");
    match (open(from), open(to)) {
        (false, true) if state.is_some_and(|s| s.reopened) => Some((1, "reopened")),
        (false, true) if c.cause == "evidence" => Some((0, "new")),
        (true, false) if to == Some("not-assessed") => Some((3, "unknown")),
        (true, false) if ["evidence", "deleted"].contains(&c.cause.as_str()) => Some((2, "resolved")),
        (true, false) | (false, true) => Some((4, "other")),
        (false, false) if to == Some("not-assessed") => Some((5, "not assessed")),
        _ => None,
    }
}
