//! Days that come near: an exception ends, a decision is to be looked at again, a serious incident is to be reported.

use super::super::model as m;
use super::Builder;
use crate::act::Role;
use crate::assessment::exceptions::{self, Standing};
use crate::evidence::{DAY, Time};

/// Days before on which something is reminded of once, and those from which on it is told every night.
const FIRST: i64 = 30;
const EVERY_NIGHT: i64 = 14;

/// What somebody is reminded of.
struct Reminder<'s> {
    system: Option<&'s str>,
    control: &'s str,
    severity: &'static str,
    by: Time,
    what: String,
    who: Option<String>,
    action: &'static str,
    duty: &'static str,
}

impl Builder<'_> {
    pub(super) fn reminders(&self) -> Vec<m::Wanted> {
        let all = self.ending().chain(self.reviews()).chain(self.incidents());
        let asked = all.filter(|r| self.asks(r.system.unwrap_or_default()));
        asked.map(|r| self.reminded(r)).collect()
    }

    fn ending(&self) -> impl Iterator<Item = Reminder<'_>> {
        let written = exceptions::written(self.s.facts, self.s.catalogue, self.s.assessment);
        let in_force = written.into_iter().filter(|w| w.standing == Standing::InForce).map(|w| &w.seen.value);
        in_force.filter_map(move |e| {
            let by = e.expires.filter(|end| self.is_near(*end))?;
            Some(Reminder {
                system: Some(e.system.as_str()).filter(|s| !s.is_empty()),
                control: &e.control,
                severity: "medium",
                by,
                what: format!("the exception to {} ends on {}", e.control, self.near(by)),
                who: Some(e.owner.clone().unwrap_or_else(|| "nobody named".into())),
                action: "Mend it, or write a new exception with another approver and expiry.",
                duty: "house rule",
            })
        })
    }

    fn reviews(&self) -> impl Iterator<Item = Reminder<'_>> {
        let decisions = self.s.facts.decisions.at(self.s.run.at).map(|(_, d)| &d.value);
        decisions.filter_map(|d| {
            let by = d.review_by.filter(|t| self.is_near(*t))?;
            Some(Reminder {
                system: Some(&d.system),
                control: "risk-level-declared",
                severity: "medium",
                by,
                what: format!("the decision on its level is to be looked at again by {}", self.near(by)),
                who: None,
                action: "Look at the decision again, and write it anew with its approver and a new review_by.",
                duty: "house rule",
            })
        })
    }

    /// Incidents that a provider has not reported, while there is time; after that they are findings.
    fn incidents(&self) -> impl Iterator<Item = Reminder<'_>> {
        let all = self.s.facts.incidents.at(self.s.run.at).map(|(_, i)| &i.value);
        all.filter(|i| i.reported.is_none()).filter_map(|i| {
            let system = self.system_of(Some(&i.system))?;
            system.role().filter(|role| role.covers(Role::Provider))?;
            let category = i.category.as_deref()?.trim().to_lowercase();
            let by = i.aware?.plus_days(*self.s.catalogue.defaults.incident_days.get(&category)?);
            (days_left(by, self.s.run.at) >= 0).then(|| Reminder {
                system: Some(&i.system),
                control: "incident-report-deadline",
                severity: "critical",
                by,
                what: format!("a serious incident ({category}) is to be reported by {}", self.near(by)),
                who: None,
                action: "Report it to the authority, and write reported = in the register.",
                duty: "Art. 73, where it binds",
            })
        })
    }

    fn reminded(&self, r: Reminder<'_>) -> m::Wanted {
        let key = crate::assessment::findings::key(r.control, r.system);
        m::Wanted {
            when: self.zone.short_day(r.by),
            open_days: 0,
            overdue: false,
            by: Some(r.by),
            by_local: self.zone.day(r.by),
            numbers: self.s.facts.own.numbers.get(&key).copied().into_iter().collect(),
            systems: vec![r.system.unwrap_or("estate").to_owned()],
            level: self.level_of(r.system).name().to_owned(),
            severity: r.severity.into(),
            what: r.what,
            who: r.who.unwrap_or_else(|| self.team_of(r.system).to_owned()),
            action: r.action.into(),
            duty: r.duty.into(),
            control: r.control.to_owned(),
        }
    }

    /// `30 Nov 2026, in 8 days`
    fn near(&self, day: Time) -> String {
        let left = match days_left(day, self.s.run.at) {
            0 => "today".into(),
            1 => "tomorrow".into(),
            n => format!("in {n} days"),
        };
        format!("{}, {left}", self.zone.day(day))
    }

    /// Whether a day is told: 30 days before it, once, and in the last two weeks every night, that day included.
    fn is_near(&self, day: Time) -> bool {
        let at = self.s.run.at;
        let left = days_left(day, at);
        let last = self.s.facts.own.last_scheduled(at);
        let is_first = last.is_none_or(|last| days_left(day, last) > FIRST);
        (0..=EVERY_NIGHT).contains(&left) || (0..=FIRST).contains(&left) && is_first
    }
}

/// Whole days until the end of the last day; negative when it is over.
fn days_left(end: Time, at: Time) -> i64 {
    end.plus_days(1).since(at).as_secs().div_euclid(DAY)
}
