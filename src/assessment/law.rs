//! Which articles bind a system and from when: a duty in force, a duty to come, or a rule of the house only.

use super::estate::System;
use super::findings::{Case, Unit};
use crate::act::{Reference, Role, Route, Status};
use crate::evidence::Time;
use std::collections::BTreeSet;

/// The legal side of a finding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Law {
    /// `in-force`, `to-come`, or none: a rule of the house only.
    pub state: Option<&'static str>,
    /// From when the duty applies.
    pub from: Option<Time>,
    /// The earlier date on which it formally applies, where that is not settled.
    pub formally_from: Option<Time>,
    /// Whether it meets a system already in use on that day only after a significant change of its design (Art. 111(2)).
    pub only_after_change: bool,
    /// Articles that bind.
    pub references: Vec<String>,
    /// Articles that may bind: the register does not give the role or the Annex point that decides.
    pub may_bind: Vec<String>,
}

/// One article that binds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Duty<'a> {
    from: Time,
    article: &'a str,
    formally: Option<Time>,
    only_after_change: bool,
    /// Whether a system that is in use already waits for a change that has not come.
    waits: bool,
}

impl Duty<'_> {
    fn is_in_force(&self, at: Time) -> bool {
        self.from <= at && !self.waits
    }
}

/// The articles of a control that bind, of those that the deciding units are about.
pub(super) fn law(case: &Case<'_>, units: &[Unit], status: Status) -> Law {
    let deciding = units.iter().filter(|u| u.status == status);
    let about: BTreeSet<&str> = deciding.filter_map(|u| u.article.as_deref()).collect();
    let asked = |r: &&Reference| about.is_empty() || about.contains(r.article.as_str());
    let asked = || case.control.references.iter().filter(asked);
    let mut duties: Vec<Duty<'_>> = asked().filter_map(|r| duty(case, r)).collect();
    duties.sort_unstable();
    let at = case.estate.at;
    let first = duties.iter().find(|d| d.is_in_force(at)).or(duties.first());
    Law {
        state: first.map(|d| if d.is_in_force(at) { "in-force" } else { "to-come" }),
        from: first.map(|d| d.from),
        formally_from: first.and_then(|d| d.formally),
        only_after_change: first.is_some_and(|d| d.only_after_change),
        may_bind: asked().filter(|r| may_bind(case, r)).map(|r| r.article.clone()).collect(),
        references: duties
            .iter()
            .map(|d| d.article.to_owned())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
    }
}

fn duty<'a>(case: &Case<'a>, reference: &'a Reference) -> Option<Duty<'a>> {
    let date = |id: &String| case.catalogue.date(id);
    let Some(system) = case.system else {
        // Of the estate as a whole only what binds whoever provides or deploys any system.
        let binds = reference.role == Role::Both && !case.estate.systems.is_empty();
        let from = reference.from.get(&Route::Any).filter(|_| binds).and_then(date)?;
        return Some(Duty {
            from,
            article: &reference.article,
            formally: None,
            only_after_change: false,
            waits: false,
        });
    };
    let route = route(system, reference)?;
    let service = system.register.put_into_service;
    let legacy = reference.legacy.as_ref();
    let legacy = legacy.filter(|l| service.zip(date(&l.placed_before)).is_some_and(|(used, day)| used < day));
    let from = date(legacy.map_or(reference.from.get(&route)?, |l| &l.from))?;
    let mut duty = Duty {
        from,
        article: &reference.article,
        formally: reference.formally_from.as_ref().and_then(date),
        only_after_change: route != Route::Any && service.is_none_or(|used| used < from),
        waits: false,
    };
    if route != Route::Any && service.is_some_and(|used| used < from) {
        let authorities = date(&PUBLIC_AUTHORITIES.into());
        let latest = authorities.filter(|_| system.register.for_public_authorities == Some(true));
        match changed(case, system, from).into_iter().chain(latest).min() {
            Some(day) => duty.from = day,
            None => duty.waits = true,
        }
    }
    Some(duty)
}

/// The entry of the timetable by which systems of public authorities comply, whatever their age (Art. 111(2)).
const PUBLIC_AUTHORITIES: &str = "public-authorities";

/// The route by which a reference binds a system; none when role, level or route do not fit.
fn route(system: &System, reference: &Reference) -> Option<Route> {
    let role_fits = match reference.role {
        Role::GpaiProvider => system.register.gpai.as_ref().is_some_and(|g| g.provider == Some(true)),
        // Art. 4 and Art. 5 bind whoever provides or deploys, whichever of them the register names.
        Role::Both => true,
        duty => system.role().is_some_and(|role| role.covers(duty)),
    };
    if !role_fits || !reference.levels.contains(&system.level()) {
        return None;
    }
    if reference.route.contains(&Route::Any) { Some(Route::Any) } else { system.route() }
}

/// Whether only a role or an Annex point that the register does not give leaves open whether a reference binds.
fn may_bind(case: &Case<'_>, reference: &Reference) -> bool {
    let Some(system) = case.system.filter(|s| s.role().is_none() || s.route().is_none()) else {
        return false;
    };
    let role =
        system.role().is_none_or(|role| role.covers(reference.role)) && reference.role != Role::GpaiProvider;
    let route = reference.route.contains(&Route::Any)
        || system.route().is_none_or(|route| reference.route.contains(&route));
    role && route && reference.levels.contains(&system.level()) && duty(case, reference).is_none()
}

/// The first significant change since a day that a change record tells of. A new model version is not one by itself.
fn changed(case: &Case<'_>, system: &System, from: Time) -> Option<Time> {
    let beginning = format!("change:{}/", system.id);
    let all = case.facts.changes.there(&beginning, case.estate.at);
    let ours = all.map(|c| &c.value).filter(|c| c.substantial == Some(true));
    ours.filter_map(|c| c.date).filter(|date| *date >= from).min()
}
