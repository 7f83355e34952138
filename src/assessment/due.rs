//! By when an open finding is put right: numbers of the house, and what the register says of it.

use super::facts::{Facts, Seen};
use super::findings::Finding;
use crate::act::{Catalogue, ControlKind};
use crate::evidence::Time;
use crate::evidence::register::CorrectiveAction;

/// The clock of a finding that is not satisfied, of severity critical or high, and a duty in force or a rule of the house.
/// No clock runs for a pure duty to come.
#[derive(Clone, Copy, Debug)]
pub struct Due<'a> {
    /// Since when it is open; the time judged from where it is new.
    pub since: Time,
    /// Last day on which a corrective action is to be planned.
    pub plan: Time,
    /// Last day on which it is to be put right.
    pub close: Time,
    /// The corrective action that names it, by its number or by control and system.
    pub action: Option<&'a Seen<CorrectiveAction>>,
}

impl<'a> Due<'a> {
    /// The clock of a finding, if one runs.
    pub fn of(facts: &'a Facts, catalogue: &Catalogue, finding: &Finding, at: Time) -> Option<Due<'a>> {
        let control = catalogue.control(&finding.control)?;
        let runs = finding.law.state == Some("in-force") || control.kind == ControlKind::House;
        if !finding.is_unsatisfied() || !runs {
            return None;
        }
        let days = |of: &std::collections::BTreeMap<String, i64>| of.get(finding.severity(control)).copied();
        let (plan, close) =
            (days(&catalogue.defaults.days_to_plan)?, days(&catalogue.defaults.days_to_close)?);
        let since = first_open(facts, finding, at).unwrap_or(at);
        Some(Due {
            since,
            plan: since.plus_days(plan),
            close: since.plus_days(close),
            action: action(facts, finding, at),
        })
    }

    /// The last day: that of the corrective action, else that of the house.
    pub fn day(&self) -> Time {
        self.action.and_then(|a| a.value.due).unwrap_or(self.close)
    }
}

/// Since when a finding is not satisfied, of the units that are so now: a time in between in which it could not be told stops no
/// clock, and what was put right and came back begins anew.
fn first_open(facts: &Facts, finding: &Finding, at: Time) -> Option<Time> {
    let key = finding.key();
    let open = finding.units.iter().filter(|u| u.status == finding.status && u.excepted.is_none());
    let since = open.filter_map(|u| {
        let state = facts.own.units.get(&(key.clone(), u.id.clone()))?;
        if state.reopened { state.since } else { state.first_open }
    });
    since.filter(|t| *t <= at).min()
}

fn action<'a>(facts: &'a Facts, finding: &Finding, at: Time) -> Option<&'a Seen<CorrectiveAction>> {
    let key = finding.key();
    let number = facts.own.numbers.get(&key).map(|n| format!("#{n}"));
    facts.corrective_actions.at(at).map(|(_, action)| action).find(|action| {
        let named = action.value.finding.trim();
        named == key || number.as_deref() == Some(named)
    })
}
