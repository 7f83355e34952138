//! What somebody has to decide, the most urgent first.

use super::super::model as m;
use super::super::sentences::{duty, summary};
use super::{Builder, rank};
use crate::act::{Level, Status};
use crate::assessment::facts::UnitState;
use crate::assessment::{Finding, System};

impl<'a> Builder<'a> {
    /// Open findings by weight: severity first, then level, then number; and exceptions that end within 14 days.
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
            when: if days == 0 { "new".into() } else { format!("day {days}") },
            numbers: self.s.facts.own.numbers.get(&key).copied().into_iter().collect(),
            systems: vec![f.system.clone().unwrap_or_else(|| "estate".into())],
            level: level.name().to_owned(),
            severity: control.map(|c| f.severity(c).to_owned()).unwrap_or_default(),
            what: summary(f),
            who: system.map(System::team).filter(|t| *t != "-").unwrap_or("AI governance").to_owned(),
            action: control.map(|c| c.remediation.clone()).unwrap_or_default(),
            duty: duty(&f.law, |t| self.zone.day(t)),
            control: f.control.clone(),
        }
    }

    pub(super) fn ending(&self) -> impl Iterator<Item = m::Wanted> {
        let at = self.s.run.at;
        let soon = self.s.facts.exceptions.at(at).map(|(_, e)| e).filter(move |e| {
            e.value.expires.is_some_and(|t| t.plus_seconds(86_400) > at && t < at.plus_seconds(14 * 86_400))
        });
        soon.map(|e| {
            let v = &e.value;
            let key = crate::assessment::findings::key(
                &v.control,
                Some(v.system.as_str()).filter(|s| !s.is_empty()),
            );
            let system = self.s.assessment.estate.systems.get(&v.system);
            m::Wanted {
                when: v.expires.map(|t| self.zone.short_day(t)).unwrap_or_default(),
                numbers: self.s.facts.own.numbers.get(&key).copied().into_iter().collect(),
                systems: vec![v.system.clone()],
                level: system.map_or(Level::Unclassified, System::level).name().to_owned(),
                severity: "medium".into(),
                what: format!(
                    "the exception to {} ends on {}",
                    v.control,
                    v.expires.map(|t| self.zone.day(t)).unwrap_or_default()
                ),
                who: v.owner.clone().unwrap_or_else(|| "nobody named".into()),
                action: "Mend it, or write a new exception with another approver and expiry.".into(),
                duty: "house rule".into(),
                control: v.control.clone(),
            }
        })
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
