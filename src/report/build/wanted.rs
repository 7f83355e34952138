//! What somebody has to decide: findings that one decision settles stand together, those with the earliest day first.

use super::super::model as m;
use super::super::sentences::{duty, name};
use super::{Builder, rank};
use crate::act::{Level, Status};
use crate::assessment::facts::UnitState;
use crate::assessment::{Finding, System};
use crate::evidence::Time;
use std::collections::BTreeMap;

/// Controls of which one decision settles all, for one system.
const TOGETHER: [&[&str]; 4] = [
    &["risk-level-declared", "risk-level-consistent"],
    &["gate-reperformed", "gate-not-vacuous"],
    &["constraint-enforced", "exemptions-written-down", "policy-weakened-with-review"],
    &["override-accountable", "spend-limit"],
];
/// The finding of the estate that its systems tell one by one.
const UNREGISTERED: &str = "unregistered-ai-workload";

/// What findings have in common that one decision settles.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Matter {
    /// A system that nobody registered.
    Unregistered(String),
    /// Controls of a system that stand together.
    Together(usize, String),
    /// The same was seen of several systems: one webhook that fails open is one decision.
    Same(String, String),
}

/// The earliest day first, then the most severe, the strictest level, the lowest number.
type Order = (bool, Option<Time>, usize, Level, Option<u64>);

impl<'a> Builder<'a> {
    /// Open findings, and days that come near.
    pub(super) fn wanted(&self) -> Vec<m::Wanted> {
        let mut matters: BTreeMap<Matter, Vec<(Order, m::Wanted)>> = BTreeMap::new();
        for f in self.findings().filter(|f| f.open()) {
            let level = self.level_of(f.system.as_deref());
            let want = self.want(f, level);
            let order = order(&want, level);
            matters.entry(self.matter(f, &want)).or_default().push((order, want));
        }
        // Where each unregistered system is told for itself, the finding of the estate says nothing more.
        let of_estate =
            self.findings().find(|f| f.control == UNREGISTERED).map_or(0, |f| f.counts.not_satisfied);
        let one_by_one = matters.keys().filter(|m| matches!(m, Matter::Unregistered(_))).count() as u64;
        let is_told =
            |m: &Matter| one_by_one >= of_estate && matches!(m, Matter::Same(c, _) if c == UNREGISTERED);
        let groups = matters.into_iter().filter(|(m, _)| !is_told(m)).map(|(m, group)| joined(&m, group));
        let near = self.reminders().into_iter();
        let near = near.map(|w| (order(&w, self.level_of(w.systems.first().map(String::as_str))), w));
        let mut wanted: Vec<(Order, m::Wanted)> = groups.chain(near).collect();
        wanted.sort_by_key(|(order, _)| *order);
        wanted.into_iter().map(|(_, w)| w).collect()
    }

    pub(super) fn level_of(&self, system: Option<&str>) -> Level {
        self.system_of(system).map_or(Level::Unclassified, System::level)
    }

    fn matter(&self, f: &Finding, want: &m::Wanted) -> Matter {
        if let Some(system) = self.system_of(f.system.as_deref()).filter(|s| s.registered.is_none()) {
            return Matter::Unregistered(system.id.clone());
        }
        let together = TOGETHER.iter().position(|controls| controls.contains(&f.control.as_str()));
        match (together, &f.system) {
            (Some(i), Some(system)) => Matter::Together(i, system.clone()),
            _ => Matter::Same(f.control.clone(), want.what.clone()),
        }
    }

    /// Since when one of its units is open, that is open now.
    fn open_since(&self, key: &str) -> Option<Time> {
        let open = |u: &UnitState| u.status.as_deref() == Some(Status::NotSatisfied.name());
        self.s.facts.own.units_of(key).filter(|(_, u)| open(u)).filter_map(|(_, u)| u.since).min()
    }

    fn want(&self, f: &Finding, level: Level) -> m::Wanted {
        let key = f.key();
        let days = self.open_since(&key).map_or(0, |t| self.s.run.at.since(t).as_hours() / 24);
        let control = self.s.catalogue.control(&f.control);
        let deadline = self.deadline(f);
        let is_overdue = deadline.as_ref().is_some_and(|d| d.overdue);
        // Where no clock of the house runs, the day from which the duty applies.
        let to_come = f.law.from.filter(|_| f.law.state == Some("to-come"));
        let by = deadline.as_ref().map(|d| d.day).or(to_come);
        let day = by.map(|t| self.zone.day(t));
        m::Wanted {
            when: match days {
                _ if is_overdue => "overdue".into(),
                0 => "new".into(),
                _ => format!("day {days}"),
            },
            open_days: u64::try_from(days).unwrap_or_default(),
            overdue: is_overdue,
            by,
            by_local: match day {
                Some(day) if is_overdue => format!("overdue, {day}"),
                Some(day) => day,
                None => "no day set".into(),
            },
            numbers: self.s.facts.own.numbers.get(&key).copied().into_iter().collect(),
            systems: vec![f.system.clone().unwrap_or_else(|| "estate".into())],
            level: level.name().to_owned(),
            severity: control.map(|c| f.severity(c).to_owned()).unwrap_or_default(),
            what: self.summary(f),
            who: deadline.map_or_else(|| self.team_of(f.system.as_deref()).to_owned(), |d| d.owner),
            action: control.map(|c| c.remediation.clone()).unwrap_or_default(),
            duty: duty(f, |t| self.zone.day(t)),
            control: f.control.clone(),
        }
    }
}

fn order(w: &m::Wanted, level: Level) -> Order {
    (w.by.is_none(), w.by, rank(&w.severity), level, w.numbers.first().copied())
}

/// One decision of all findings of a matter: it says what the first of them says.
fn joined(matter: &Matter, mut group: Vec<(Order, m::Wanted)>) -> (Order, m::Wanted) {
    group.sort_by_key(|(order, _)| *order);
    let more = group.split_off(1);
    let (order, mut first) = group.remove(0);
    let mut whats = vec![first.what.clone()];
    for (_, other) in more {
        let (said, _) = other.what.split_once(" (and ").unwrap_or((&other.what, ""));
        if !whats.iter().any(|w| w.contains(said)) {
            whats.push(other.what.clone());
        }
        first.join(other);
    }
    first.what = match matter {
        Matter::Same(..) => first.what,
        Matter::Together(..) => whats.join("; "),
        Matter::Unregistered(_) => {
            first.control = UNREGISTERED.into();
            first.action = "Register it (actledger check prints the lines), and then what its owner says decides the rest.".into();
            let rest = match whats.len().saturating_sub(2) {
                0 => String::new(),
                n => format!("; and {n} more"),
            };
            format!("it was seen, and nobody registered it: {}{rest}", whats[..whats.len().min(2)].join("; "))
        }
    };
    (order, first)
}

impl m::Wanted {
    /// Adds another finding that the same decision settles.
    fn join(&mut self, other: m::Wanted) {
        self.numbers.extend(other.numbers);
        for system in other.systems {
            if !self.systems.contains(&system) {
                self.systems.push(system);
            }
        }
        add(&mut self.who, &other.who, ", ");
        add(&mut self.level, &other.level, ", ");
        const SOME: &str = "; for some of them ";
        let rule = self.duty.split(SOME).next().unwrap_or_default();
        match other.duty.strip_prefix(rule).map(|also| also.trim_start_matches(", ")) {
            Some("") => {}
            // The same rule, which for some of them is a duty too.
            Some(also) if self.duty.contains(&format!("{SOME}{also}")) => {}
            Some(also) => self.duty.push_str(&format!("{SOME}{also}")),
            None => add(&mut self.duty, &other.duty, "; "),
        }
        self.open_days = self.open_days.max(other.open_days);
        if self.when == "new" && self.open_days > 0 {
            self.when = format!("day {}", self.open_days);
        }
    }

    /// The first three systems, and how many more there are.
    pub fn told(&self) -> String {
        let first: Vec<String> = self.systems.iter().take(3).map(|s| name(s)).collect();
        match self.systems.len().saturating_sub(3) {
            0 => first.join(", "),
            more => format!("{} and {more} more", first.join(", ")),
        }
    }

    /// The first four numbers.
    pub fn marks(&self) -> String {
        let first: Vec<String> = self.numbers.iter().take(4).map(|n| format!("#{n}")).collect();
        if self.numbers.len() > 4 { format!("{} …", first.join(" ")) } else { first.join(" ") }
    }

    /// How long it has been open: `new`, `day 29`; empty where nothing is.
    pub fn open(&self) -> String {
        match self.open_days {
            0 if self.when == "new" || self.overdue => "new".into(),
            0 => String::new(),
            n => format!("day {n}"),
        }
    }

    /// The first sentence of what to do.
    pub fn first_step(&self) -> &str {
        let end = self.action.match_indices(". ").find(|(i, _)| !self.action[..*i].ends_with('.'));
        end.map_or(self.action.trim_end_matches('.'), |(i, _)| &self.action[..i])
    }
}

/// Adds a part to a list in words that does not have it.
fn add(list: &mut String, part: &str, between: &str) {
    if !list.split(between).any(|p| p == part) {
        list.push_str(between);
        list.push_str(part);
    }
}
