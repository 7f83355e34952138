//! Since when a rule of the house is in force, and which entry shows who set it.

use super::facts::Seen;
use super::findings::Case;
use crate::act::ControlKind;
use crate::evidence::Time;
use crate::evidence::record::AssessmentRun;

/// A rule of the organisation itself.
#[derive(Clone, Debug, PartialEq)]
pub struct House {
    /// When an entry first showed it.
    pub since: Time,
    /// The policy set, the constraint, or what the catalogue calls it.
    pub set_by: String,
    /// The level at which it is enforced, as found there last; `house` where nothing enforces it.
    pub level: String,
    /// The entry; none where it is the assessment itself that shows the control switched on.
    pub entry: Option<u64>,
}

/// Of controls of kind house: who made it a rule.
pub(super) fn house(case: &Case<'_>) -> Option<House> {
    let is_house = case.control.kind == ControlKind::House;
    is_house.then(|| by_policy(case).or_else(|| by_constraint(case)).unwrap_or_else(|| by_catalogue(case)))
}

/// The first policy set that held the policy, and the level that the last one states.
fn by_policy(case: &Case<'_>) -> Option<House> {
    let policy = case.catalogue.pack.policies.iter().find(|p| p.control == case.control.id)?;
    let sets = case.facts.terraform.sets.0.values().flatten();
    let holding = sets.filter(|s| s.at <= case.estate.at && !s.gone).filter_map(|s| {
        let (_, level) = s.value.policies.iter().find(|(name, _)| *name == policy.name)?;
        Some((s, format!("policy set {}", s.value.name), level.clone()))
    });
    first_and_last(holding)
}

/// The first constraint of the kind, and the action that the last one takes.
fn by_constraint(case: &Case<'_>) -> Option<House> {
    let kind = case.catalogue.pack.constraints.iter().find(|c| c.control == case.control.id)?;
    let all = case.facts.cluster.constraints.0.values().flatten();
    let named = all.filter(|c| c.at <= case.estate.at && !c.gone && c.value.kind == kind.kind);
    first_and_last(named.map(|c| {
        let set_by = format!("constraint {}/{}", c.value.kind, c.value.name);
        (c, set_by, c.value.effective_action.clone())
    }))
}

fn first_and_last<'a, T: 'a>(shown: impl Iterator<Item = (&'a Seen<T>, String, String)>) -> Option<House> {
    let mut shown: Vec<_> = shown.collect();
    shown.sort_by_key(|(seen, ..)| seen.seq);
    let level = shown.last()?.2.clone();
    let (first, set_by, _) = shown.into_iter().next()?;
    Some(House { since: first.at, set_by, level, entry: Some(first.seq) })
}

/// The first assessment of those up to this one that all asked the control.
fn by_catalogue(case: &Case<'_>) -> House {
    let asks =
        |run: &AssessmentRun| run.metrics.iter().any(|m| m.of == "control" && m.name == case.control.id);
    let runs = case.facts.own.runs.iter().rev().filter(|r| r.value.at <= case.estate.at);
    let first = runs.take_while(|r| asks(&r.value)).last();
    House {
        since: first.map_or(case.estate.at, |r| r.value.at),
        set_by: match case.control.set_by.as_deref() {
            Some("policy pack") => "the policy pack".into(),
            _ => "the catalogue".into(),
        },
        level: "house".into(),
        entry: first.map(|r| r.seq),
    }
}
