//! What somebody has to decide, the most urgent first.

use super::super::model as m;
use super::super::sentences::{duty, summary};
use super::{Builder, rank};
use crate::act::{Level, Status};
use crate::assessment::exceptions::{self, Standing};
use crate::assessment::facts::UnitState;
use crate::assessment::{Finding, System};
use crate::evidence::Time;

impl<'a> Builder<'a> {
    /// Open findings by weight: severity first, then level, then number; and exceptions that end soon.
    pub(super) fn wanted(&self) -> Vec<m::Wanted> {
        let severity = |f: &Finding| self.s.catalogue.control(&f.control).map_or("", |c| f.severity(c));
        let mut open: Vec<&Finding> = self.findings().filter(|f| f.open()).collect();
        let level = |f: &Finding| {
            f.system
                .as_ref()
                .and_then(|id| self.s.assessment.estate.systems.get(id))
                .map_or(Level::Unclassified, System::level)
        };
        open.sort_by_key(|f| (rank(severity(f)), level(f), self.s.facts.own.numbers.get(&f.key()).copied()));
        let mut wanted: Vec<m::Wanted> = self.ending().collect();
        for f in open {
            let want = self.want(f, level(f));
            // One webhook that fails open is one decision, however many systems stand behind it.
            match wanted
                .iter_mut()
                .find(|w| w.control == want.control && w.what == want.what && w.duty == want.duty)
            {
                Some(same) => same.join(want),
                None => wanted.push(want),
            }
        }
        wanted
    }

    pub(super) fn want(&self, f: &Finding, level: Level) -> m::Wanted {
        let key = f.key();
        let open = |u: &UnitState| u.status.as_deref() == Some(Status::NotSatisfied.name());
        let units = self.s.facts.own.units.iter().filter(|((k, _), u)| *k == key && open(u));
        let first = units.filter_map(|(_, u)| u.since).min();
        let days = first.map_or(0, |t| self.s.run.at.since(t).as_hours() / 24);
        let system = f.system.as_deref().and_then(|id| self.s.assessment.estate.systems.get(id));
        let control = self.s.catalogue.control(&f.control);
        m::Wanted {
            when: match self.deadline(f) {
                Some(d) if d.overdue => "overdue".into(),
                _ if days == 0 => "new".into(),
                _ => format!("day {days}"),
            },
            numbers: self.s.facts.own.numbers.get(&key).copied().into_iter().collect(),
            systems: vec![f.system.clone().unwrap_or_else(|| "estate".into())],
            level: level.name().to_owned(),
            severity: control.map(|c| f.severity(c).to_owned()).unwrap_or_default(),
            what: summary(f),
            who: system.map(System::team).filter(|t| *t != "-").unwrap_or("AI governance").to_owned(),
            action: control.map(|c| c.remediation.clone()).unwrap_or_default(),
            duty: duty(f, |t| self.zone.day(t)),
            control: f.control.clone(),
        }
    }

    pub(super) fn ending(&self) -> impl Iterator<Item = m::Wanted> {
        let (at, last) = (self.s.run.at, self.s.facts.own.last_scheduled(self.s.run.at));
        let written = exceptions::written(self.s.facts, self.s.catalogue, self.s.assessment);
        let in_force = written.into_iter().filter(|w| w.standing == Standing::InForce).map(|w| w.seen);
        let in_force = in_force.filter(|e| self.asks(&e.value.system));
        let soon = in_force.filter(move |e| e.value.expires.is_some_and(|end| is_reminded(end, at, last)));
        soon.map(move |e| {
            let v = &e.value;
            let key = crate::assessment::findings::key(
                &v.control,
                Some(v.system.as_str()).filter(|s| !s.is_empty()),
            );
            let system = self.s.assessment.estate.systems.get(&v.system);
            m::Wanted {
                when: v.expires.map(|t| self.zone.short_day(t)).unwrap_or_default(),
                numbers: self.s.facts.own.numbers.get(&key).copied().into_iter().collect(),
                systems: vec![if v.system.is_empty() { "estate".into() } else { v.system.clone() }],
                level: system.map_or(Level::Unclassified, System::level).name().to_owned(),
                severity: "medium".into(),
                what: v.expires.map_or_else(String::new, |end| {
                    let day = self.zone.day(end);
                    format!("the exception to {} ends on {day}, {}", v.control, left(end, at))
                }),
                who: v.owner.clone().unwrap_or_else(|| "nobody named".into()),
                action: "Mend it, or write a new exception with another approver and expiry.".into(),
                duty: "house rule".into(),
                control: v.control.clone(),
            }
        })
    }
}

/// Days before its end on which an exception is reminded of once, and those from which on it is told every night.
const FIRST_REMINDER: i64 = 30;
const EVERY_NIGHT: i64 = 14;

/// Whole days until the end of the last day.
fn days_left(end: Time, at: Time) -> i64 {
    end.plus_seconds(86_400).since(at).as_secs().div_euclid(86_400)
}

/// Whether an end is told: 30 days before it, once, and in the last two weeks every night, the last day included.
fn is_reminded(end: Time, at: Time, last: Option<Time>) -> bool {
    let left = days_left(end, at);
    let is_first = last.is_none_or(|last| days_left(end, last) > FIRST_REMINDER);
    left <= EVERY_NIGHT || left <= FIRST_REMINDER && is_first
}

fn left(end: Time, at: Time) -> String {
    match days_left(end, at) {
        0 => "today".into(),
        1 => "tomorrow".into(),
        n => format!("in {n} days"),
    }
}

impl m::Wanted {
    /// Adds another finding of which the same was seen.
    fn join(&mut self, other: m::Wanted) {
        self.numbers.extend(other.numbers);
        self.systems.extend(other.systems);
        if !self.who.split(", ").any(|w| w == other.who) {
            self.who = format!("{}, {}", self.who, other.who);
        }
        if !self.level.split(", ").any(|l| l == other.level) {
            self.level = format!("{}, {}", self.level, other.level);
        }
    }

    /// The first three systems, and how many more there are.
    pub fn told(&self) -> String {
        let first: Vec<&str> = self.systems.iter().take(3).map(String::as_str).collect();
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
}
